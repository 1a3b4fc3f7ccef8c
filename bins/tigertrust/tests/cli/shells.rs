//! Completions and manual pages.

use std::process::Command;

use tigertrust_testkit::Engine;

use crate::program::Folder;

/// What bash offers for a line that is being typed.
fn offered(folder: &Folder, words: &[&str]) -> String {
    let script = r#"
        source completions.bash
        complete -p tigertrust > /dev/null || exit 1
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
        _tigertrust tigertrust "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let output = Command::new("bash")
        .args(["-c", script, "bash"])
        .args(words)
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn bash_completes_commands_flags_and_values() {
    let folder = Folder::new(Engine::Sqlite).await;
    let script = folder.run(&["completions", "bash"]);
    assert!(script.status.success());
    std::fs::write(folder.path().join("completions.bash"), &script.stdout).unwrap();
    let checked = Command::new("bash")
        .args(["-n", "completions.bash"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(
        checked.status.success(),
        "{}",
        String::from_utf8_lossy(&checked.stderr)
    );
    assert_eq!(offered(&folder, &["tigertrust", "doc"]), "doctor\n");
    assert_eq!(offered(&folder, &["tigertrust", "key", "cre"]), "create\n");
    assert_eq!(
        offered(&folder, &["tigertrust", "key", "create", "--also"]),
        "--also-in\n"
    );
    assert!(offered(&folder, &["tigertrust", "completions", ""]).contains("fish"));
    for (shell, text) in [("zsh", "#compdef tigertrust"), ("fish", "complete -c tigertrust")] {
        let script = folder.run(&["completions", shell]);
        assert!(
            String::from_utf8(script.stdout).unwrap().contains(text),
            "{shell}"
        );
    }
}

#[tokio::test]
async fn each_command_has_a_manual_page_that_renders() {
    let folder = Folder::new(Engine::Sqlite).await;
    let pages = folder.json(&["man", "pages"]);
    let pages: Vec<&str> = pages
        .as_array()
        .unwrap()
        .iter()
        .map(|page| page.as_str().unwrap())
        .collect();
    assert!(
        pages.len() > 60 && pages.contains(&"tigertrust-sso-domain-verify.1"),
        "{pages:?}"
    );
    let page = std::fs::read_to_string(folder.path().join("pages/tigertrust-clock-reset.1")).unwrap();
    assert!(page.contains(".TH") && page.contains("\\-\\-yes"), "{page}");
    // Where there is nothing to render them with, that they are there has to do.
    if Command::new("groff").arg("--version").output().is_err() {
        return;
    }
    for page in pages {
        let rendered = Command::new("groff")
            .args(["-man", "-Tutf8", "-k", "-ww", "-z", page])
            .current_dir(folder.path().join("pages"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&rendered.stderr);
        assert!(rendered.status.success() && said.is_empty(), "{page}: {said}");
    }
}

//! What stands in `deploy/` to run the program under systemd, as a Debian package and in containers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may stop at once"
)]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::tempdir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_tigertrust");

/// In tenths: the service may reach the network and sockets of this machine, and next to nothing else.
const MOST_EXPOSURE: &str = "15";

fn deploy(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../deploy")
        .join(path)
}

fn text(path: &str) -> String {
    fs::read_to_string(deploy(path)).unwrap()
}

fn systemd_analyze(arguments: &[&str]) -> Output {
    Command::new("systemd-analyze")
        .args(arguments)
        .output()
        .expect("systemd-analyze, of Debian's package systemd")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// `verify` wants the programs that units start to be there: here it is the one that was just built.
#[test]
fn systemd_understands_the_units() {
    let folder = tempdir().unwrap();
    let service = text("systemd/tigertrust.service");
    assert!(service.contains("ExecStart=/usr/bin/tigertrust serve\n"));
    let (service_file, socket_file) = (
        folder.path().join("tigertrust.service"),
        folder.path().join("tigertrust.socket"),
    );
    fs::write(&service_file, service.replace("/usr/bin/tigertrust", PROGRAM)).unwrap();
    fs::write(&socket_file, text("systemd/tigertrust.socket")).unwrap();
    let output = systemd_analyze(&[
        "verify",
        "--man=no",
        service_file.to_str().unwrap(),
        socket_file.to_str().unwrap(),
    ]);
    // It warns of settings that it does not know, and succeeds.
    let said = said(&output);
    let ours = said.lines().filter(|line| line.contains("tigertrust"));
    assert_eq!(ours.collect::<Vec<_>>(), Vec::<&str>::new());
    assert!(output.status.success(), "{said}");
}

#[test]
fn the_service_is_shut_in() {
    let unit = deploy("systemd/tigertrust.service");
    let output = systemd_analyze(&[
        "security",
        "--offline=true",
        "--no-pager",
        &format!("--threshold={MOST_EXPOSURE}"),
        unit.to_str().unwrap(),
    ]);
    assert!(output.status.success(), "{}", said(&output));
}

/// Names of settings in the environment, wherever they stand in a file.
fn settings_named(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("TIGERTRUST__").map(|(start, _)| {
        let rest = &text[start..];
        let end = rest.find(|letter: char| !letter.is_ascii_uppercase() && letter != '_');
        &rest[..end.unwrap_or(rest.len())]
    })
}

fn config_check(configuration: &Path, data: &Path) -> Output {
    Command::new(PROGRAM)
        .env_clear()
        .args(["--output", "json", "--config"])
        .arg(configuration)
        .arg("--data")
        .arg(data)
        .args(["config", "check"])
        .output()
        .unwrap()
}

#[test]
fn each_setting_that_is_named_exists() {
    let folder = tempdir().unwrap();
    let configuration = folder.path().join("config.toml");
    fs::write(&configuration, "").unwrap();
    let known = said(&config_check(&configuration, folder.path()));
    let mut named = BTreeSet::new();
    let files = [
        "systemd/tigertrust.service",
        "container/Dockerfile",
        "compose/compose.yaml",
    ];
    for file in files {
        let text = text(file);
        let before = named.len();
        named.extend(settings_named(&text).map(str::to_owned));
        assert!(named.len() > before, "{file} names no setting of its own");
    }
    for name in named {
        let key = name
            .trim_start_matches("TIGERTRUST__")
            .replace("__", ".")
            .to_lowercase();
        assert!(known.contains(&format!("\"{key}\"")), "{name}: no such setting");
    }
}

/// Also with all that is written as a comment, so that whoever uncomments a line gets what it says.
#[test]
fn the_configuration_of_the_package_is_valid() {
    let folder = tempdir().unwrap();
    for (name, content) in [
        ("database-url", "postgres://tigertrust:x@127.0.0.1/tigertrust"),
        ("smtp-url", "smtps://tigertrust:x@mail.example.com"),
    ] {
        fs::write(folder.path().join(name), content).unwrap();
    }
    let ring = folder.path().join("keyring.toml");
    let made = Command::new(PROGRAM)
        .env_clear()
        .args(["secrets", "create"])
        .arg(&ring)
        .status()
        .unwrap();
    assert!(made.success());
    let shipped = text("debian/config.toml").replace("/etc/tigertrust", folder.path().to_str().unwrap());
    let uncommented = shipped
        .lines()
        .map(|line| {
            line.strip_prefix('#')
                .filter(|rest| !rest.starts_with(' '))
                .unwrap_or(line)
        })
        .collect::<Vec<_>>()
        .join("\n");
    assert_ne!(shipped.trim(), uncommented.trim());
    let configuration = folder.path().join("config.toml");
    for content in [&shipped, &uncommented] {
        fs::write(&configuration, content).unwrap();
        let output = config_check(&configuration, folder.path());
        assert!(output.status.success(), "{}", said(&output));
    }
}

//! `tigertrust audit`, beside a running server.

use std::{fs, process::Output};

use serde_json::Value;
use tigertrust_testkit::eventually;

use crate::program::{Folder, in_a_folder_for_each_engine};

in_a_folder_for_each_engine!(
    the_log_is_listed_and_exported,
    the_log_is_verified_against_checkpoints,
    the_beginning_of_a_chain_is_moved_to_a_file,
    a_chain_that_was_begun_anew_is_noticed,
    a_chain_goes_on_after_a_restart,
    a_server_keeps_checkpoints_by_itself,
);

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = text(output);
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// What `audit verify` says of a chain.
fn state(report: &Value, chain: &str) -> String {
    let chains = report["chains"].as_array().unwrap();
    let of = chains.iter().find(|of| of["chain"] == chain).unwrap();
    of["finding"].as_str().unwrap_or("whole").to_owned()
}

async fn the_log_is_listed_and_exported(folder: Folder) {
    let served = folder.quickstart(&[]);
    let home = served.text("workspaceId");
    let key = folder.json(&["key", "create", "--name", "ci"]);
    let listed = folder.json(&[
        "audit", "list", "--chain", home, "--action", "key.*", "--limit", "1",
    ]);
    assert_eq!(listed["items"][0]["target"]["id"], key["id"]);
    assert_eq!(listed["items"][0]["actor"]["type"], "operator");
    let next = listed["nextCursor"].as_str().unwrap();
    let page = folder.json(&[
        "audit", "list", "--chain", home, "--action", "key.*", "--cursor", next,
    ]);
    assert_eq!(page["items"].as_array().unwrap().len(), 2);
    let table = text(&folder.run(&["audit", "list"]));
    assert!(
        table.starts_with("TIME ") && table.contains("user.created"),
        "{table}"
    );
    // Who looks for keys where there are none is told where they are.
    for verb in ["list", "export"] {
        let empty = folder.run(&["audit", verb, "--action", "key.*"]);
        let hint = String::from_utf8_lossy(&empty.stderr).into_owned();
        assert!(hint.contains("--chain ws_"), "{verb}: {hint}");
        let found = folder.run(&["audit", verb, "--action", "key.*", "--workspace", home]);
        let hint = String::from_utf8_lossy(&found.stderr).into_owned();
        assert!(
            !hint.contains("--chain ws_") && text(&found).contains("key.created"),
            "{verb}: {hint}"
        );
    }
    let exported = lines(&folder.run(&["audit", "export", "--chain", home]));
    assert_eq!(exported[0]["action"], "audit.exported");
    let csv = text(&folder.run(&["audit", "export", "--chain", home, "--format", "csv"]));
    assert!(csv.starts_with("id,sequence,at,"), "{csv}");
    assert_eq!(csv.lines().count(), exported.len() + 2);
    let mistyped = folder.failure(&["audit", "list", "--action", "key.mistyped"]);
    assert!(mistyped.contains("key.revoked"), "{mistyped}");
}

async fn the_log_is_verified_against_checkpoints(folder: Folder) {
    let served = folder.quickstart(&[]);
    let home = served.text("workspaceId").to_owned();
    let kept = folder.run(&["audit", "checkpoint"]);
    let checkpoints = lines(&kept);
    let chains: Vec<&str> = checkpoints
        .iter()
        .map(|line| line["chain"].as_str().unwrap())
        .collect();
    assert_eq!(chains, ["instance", &home]);
    fs::write(folder.path().join("kept"), &kept.stdout).unwrap();
    folder.json(&["key", "create", "--name", "ci"]);
    let report = folder.json(&["audit", "verify", "--checkpoint", "kept"]);
    assert_eq!(
        (state(&report, "instance"), state(&report, &home)),
        ("whole".into(), "whole".into())
    );
    // What somebody else has signed, or nobody, says nothing.
    let forged = text(&kept).replace("\"sequence\":", "\"sequence\":1");
    fs::write(folder.path().join("forged"), forged).unwrap();
    let refused = folder.failure(&["audit", "verify", "--checkpoint", "forged"]);
    assert!(refused.contains("line 1: the signature is wrong"), "{refused}");
}

async fn the_beginning_of_a_chain_is_moved_to_a_file(folder: Folder) {
    let served = folder.quickstart(&[]);
    let home = served.text("workspaceId").to_owned();
    let archive = [
        "audit",
        "archive",
        "--chain",
        &home,
        "--before",
        "2100-01-01T00:00:00Z",
        "--to",
    ];
    let moved = folder.json(&[&archive[..], &["first.ndjson"]].concat());
    assert_eq!(moved["events"], 3);
    let nothing = [
        "audit",
        "archive",
        "--chain",
        &home,
        "--before",
        "2020-01-01T00:00:00Z",
        "--to",
        "no",
    ];
    let nothing = folder.failure(&nothing);
    assert!(nothing.contains("is older than"), "{nothing}");
    assert!(!folder.path().join("no").exists());
    let twice = folder.failure(&[&archive[..], &["first.ndjson"]].concat());
    assert!(twice.contains("first.ndjson cannot be made"), "{twice}");
    let verify = |file: &str| {
        let output = folder.run(&["audit", "verify", "--file", file, "--output", "json"]);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.success(), state(&report, &home))
    };
    assert_eq!(verify("first.ndjson"), (true, "whole".to_owned()));
    folder.json(&["key", "create", "--name", "ci"]);
    let again = folder.json(&[&archive[..], &["second.ndjson"]].concat());
    // That the first were moved, and the key.
    assert_eq!(again["events"], 2);
    assert_eq!(verify("first.ndjson"), (true, "whole".to_owned()));
    assert_eq!(verify("second.ndjson"), (true, "whole".to_owned()));
    assert_eq!(state(&folder.json(&["audit", "verify"]), &home), "whole");
    let second = fs::read_to_string(folder.path().join("second.ndjson")).unwrap();
    fs::write(
        folder.path().join("edited.ndjson"),
        second.replace("key.created", "key.updated"),
    )
    .unwrap();
    assert_eq!(
        verify("edited.ndjson"),
        (false, "event 5 was changed, or the one before it".to_owned())
    );
    // The key ring is enough, wherever the file is.
    fs::create_dir(folder.path().join("elsewhere")).unwrap();
    fs::copy(
        folder.path().join("tigertrust-data/keyring.toml"),
        folder.path().join("elsewhere/keyring.toml"),
    )
    .unwrap();
    let elsewhere = text(&folder.run(&["--data", "elsewhere", "audit", "verify", "--file", "first.ndjson"]));
    assert!(
        elsewhere.contains("events 1 to 3, not compared with a database"),
        "{elsewhere}"
    );
    let shortened: Vec<&str> = second.lines().take(2).collect();
    fs::write(folder.path().join("shortened.ndjson"), shortened.join("\n")).unwrap();
    assert!(
        verify("shortened.ndjson").0,
        "an earlier part of the chain is whole"
    );
}

async fn a_chain_that_was_begun_anew_is_noticed(folder: Folder) {
    let served = folder.quickstart(&[]);
    let home = served.text("workspaceId").to_owned();
    // The chain of the instance has the least id.
    let instance = "(SELECT chain_id FROM audit_heads ORDER BY chain_id LIMIT 1)";
    folder.sql(&format!("DELETE FROM audit_events WHERE chain_id <> {instance}"));
    folder.sql(&format!("DELETE FROM audit_heads WHERE chain_id <> {instance}"));
    folder.json(&["key", "create", "--name", "ci"]);
    let output = folder.run(&["audit", "verify", "--output", "json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(!output.status.success());
    assert_eq!(
        state(&report, &home),
        "the beginning is missing: the chain was begun anew"
    );
    assert_eq!(state(&report, "instance"), "whole");
}

async fn a_chain_goes_on_after_a_restart(folder: Folder) {
    let served = folder.quickstart(&[]);
    let home = served.text("workspaceId").to_owned();
    let restart = ["audit", "restart", "--chain", &home];
    let whole = folder.failure(&restart);
    assert!(whole.contains("there is nothing to restart"), "{whole}");
    folder.sql("UPDATE audit_heads SET seq = seq - 1");
    folder.failure(&["key", "create", "--name", "ci"]);
    let unsure = folder.failure(&restart);
    assert!(unsure.contains("add --yes"), "{unsure}");
    folder.json(&[&restart[..], &["--yes"]].concat());
    folder.json(&["key", "create", "--name", "ci"]);
    let report = folder.run(&["audit", "verify", "--chain", &home]);
    assert!(text(&report).contains("restarted 1 time:"), "{}", text(&report));
}

async fn a_server_keeps_checkpoints_by_itself(folder: Folder) {
    let settings = [("TIGERTRUST__AUDIT__CHECKPOINT_FILE", "kept")];
    let _served = folder.quickstart_in(&settings, &[]);
    let path = folder.path().join("kept");
    eventually(2, async || {
        fs::read_to_string(&path).unwrap_or_default().lines().count()
    })
    .await;
    let report = folder.json(&["audit", "verify", "--checkpoint", "kept"]);
    assert_eq!(state(&report, "instance"), "whole");
}

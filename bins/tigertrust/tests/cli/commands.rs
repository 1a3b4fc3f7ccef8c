//! Users, workspaces, keys and migrations from the command line, beside a running server.

use std::{fs, process::Stdio};

use serde_json::Value;
use tigertrust_testkit::{Engine, eventually};

use crate::program::{Folder, in_a_folder_for_each_engine};

in_a_folder_for_each_engine!(
    a_key_lives_and_dies_on_the_command_line,
    a_key_is_rotated_on_the_command_line,
    keys_that_are_worth_a_look_are_reported,
    lists_have_pages,
    people_and_workspaces_are_made,
    a_plan_reaches_a_running_server,
    migrations_are_shown_run_and_reverted,
    what_does_not_exist_is_named,
);

async fn a_key_lives_and_dies_on_the_command_line(folder: Folder) {
    let served = folder.quickstart(&[]);
    let created = folder.json(&[
        "key",
        "create",
        "--name",
        "ci",
        "--scope",
        "certificates:read,agents:report",
        "--expires-in",
        "90d",
        "--external-id",
        "customer/42",
        "--metadata",
        r#"{"team":"billing"}"#,
    ]);
    let (id, secret) = (created["id"].as_str().unwrap(), created["key"].as_str().unwrap());
    assert_eq!(created["homeWorkspaceId"], served.text("workspaceId"));
    assert_eq!(created["createdBy"], "operator");
    assert_eq!(created["metadata"]["team"], "billing");
    assert_eq!(served.check(secret).await, 200);
    let shown = folder.json(&["key", "show", id]);
    assert_eq!((&shown["name"], &shown["key"]), (&created["name"], &Value::Null));
    let revoked = folder.json(&["key", "revoke", id, "--reason", "leaked"]);
    assert_eq!(
        (&revoked["state"], &revoked["revocationReason"]),
        (&"revoked".into(), &"leaked".into())
    );
    eventually(401, async || served.check(secret).await).await;
    let instance = folder.json(&[
        "key",
        "create",
        "--name",
        "platform",
        "--instance",
        "--scope",
        "keys:*",
    ]);
    assert_eq!(
        (&instance["instance"], &instance["homeWorkspaceId"]),
        (&true.into(), &Value::Null)
    );
    assert_eq!(served.check(instance["key"].as_str().unwrap()).await, 200);
}

async fn a_key_is_rotated_on_the_command_line(folder: Folder) {
    let served = folder.quickstart(&[]);
    let created = folder.json(&["key", "create", "--name", "ci", "--allow-from", "127.0.0.0/8"]);
    let (id, old) = (created["id"].as_str().unwrap(), created["key"].as_str().unwrap());
    assert_eq!(served.check(old).await, 200);
    let rotated = folder.json(&["key", "rotate", id, "--overlap", "1h"]);
    let new = rotated["key"].as_str().unwrap();
    eventually((200, 200), async || {
        (served.check(old).await, served.check(new).await)
    })
    .await;
    folder.json(&["key", "rotate", id]);
    eventually(401, async || served.check(new).await).await;
    served.stop();
    let found = folder.json(&[
        "key", "list", "--search", "CI", "--state", "active", "--type", "agent",
    ]);
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
    assert!(
        found["items"][0]["lastUsedAt"].is_string(),
        "a clean stop stores what was used"
    );
    assert_eq!(
        folder.json(&["key", "list", "--unused-since", "90d"])["items"]
            .as_array()
            .unwrap()
            .len(),
        0
    );
}

async fn keys_that_are_worth_a_look_are_reported(folder: Folder) {
    let served = folder.quickstart(&[]);
    assert_eq!(folder.json(&["key", "report"])["items"], serde_json::json!([]));
    let created = folder.json(&["key", "create", "--name", "ci", "--expires-in", "2d"]);
    let workspace = served.text("workspaceId");
    let found = folder.json(&["key", "report", "--workspace", workspace]);
    let items = found["items"].as_array().unwrap();
    assert_eq!(items.len(), 1, "{found}");
    assert_eq!(
        (&items[0]["keyId"], &items[0]["finding"], &items[0]["urgent"]),
        (&created["id"], &"expiring".into(), &true.into())
    );
    let text = String::from_utf8(folder.run(&["key", "report"]).stdout).unwrap();
    assert!(
        text.contains("URGENT: expires") && text.contains(" ci "),
        "{text}"
    );
    // A date will do as well as a length of time.
    for (since, count) in [("2000-01-31", 0), ("9000-01-31", 3), ("0s", 3)] {
        let listed = folder.json(&["key", "list", "--unused-since", since]);
        assert_eq!(listed["items"].as_array().unwrap().len(), count, "{since}");
    }
    let wrong = folder.failure(&["key", "list", "--unused-since", "yesterday"]);
    assert!(wrong.contains("such as 90d"), "{wrong}");
}

async fn lists_have_pages(folder: Folder) {
    folder.quickstart(&[]).stop();
    let first = folder.json(&["key", "list", "--limit", "1"]);
    let cursor = first["nextCursor"].as_str().unwrap();
    let second = folder.json(&["key", "list", "--limit", "1", "--cursor", cursor]);
    assert_eq!(
        (second["items"].as_array().unwrap().len(), &second["nextCursor"]),
        (1, &Value::Null)
    );
    assert_ne!(first["items"][0]["id"], second["items"][0]["id"]);
    let text = String::from_utf8(folder.run(&["key", "list"]).stdout).unwrap();
    assert!(
        text.starts_with("ID ") && text.contains("First agent key") && text.contains("active"),
        "{text}"
    );
}

async fn people_and_workspaces_are_made(folder: Folder) {
    folder.quickstart(&[]).stop();
    let user = folder.json(&["user", "create", "jo@example.com", "--name", "Jo"]);
    assert!(user["password"].as_str().unwrap().len() >= 15);
    let twice = folder.failure(&["user", "create", "JO@example.com"]);
    assert!(twice.contains("exists"), "{twice}");
    fs::write(folder.path().join("password"), "a long enough password\n").unwrap();
    let chosen = folder.json(&["user", "create", "al@example.com", "--password-file", "password"]);
    assert_eq!(chosen["password"], Value::Null);
    fs::write(folder.path().join("password"), "short\n").unwrap();
    let short = folder.failure(&["user", "create", "bo@example.com", "--password-file", "password"]);
    assert!(short.contains("15 characters"), "{short}");
    for owner in ["jo@example.com", user["id"].as_str().unwrap()] {
        let workspace = folder.json(&[
            "workspace",
            "create",
            "Billing",
            "--owner",
            owner,
            "--plan",
            "pro",
        ]);
        assert_eq!(
            (&workspace["name"], &workspace["plan"]),
            (&"Billing".into(), &"pro".into())
        );
    }
    let listed = folder.json(&["workspace", "list"]);
    assert_eq!(listed["items"].as_array().unwrap().len(), 3);
    let ambiguous = folder.failure(&["key", "create", "--name", "x"]);
    assert!(ambiguous.contains("--workspace"), "{ambiguous}");
}

async fn a_plan_reaches_a_running_server(folder: Folder) {
    let served = folder.quickstart(&[]);
    let plan = async || {
        let request = served
            .request(reqwest::Method::GET, "/api/auth/me")
            .bearer_auth(served.text("agentKey"));
        let me: Value = request.send().await.unwrap().json().await.unwrap();
        // Who asks too often on plan Free is told so, until the plan allows more.
        me["workspace"]["plan"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(plan().await, "free");
    let set = folder.json(&["workspace", "set-plan", served.text("workspaceId"), "enterprise"]);
    assert_eq!(set["plan"], "enterprise");
    eventually("enterprise".to_owned(), plan).await;
    let unknown = folder.failure(&["workspace", "set-plan", served.text("workspaceId"), "gold"]);
    assert!(unknown.contains("free, enterprise, pro"), "{unknown}");
}

async fn migrations_are_shown_run_and_reverted(folder: Folder) {
    folder.quickstart(&[]).stop();
    let state = || {
        let status = folder.json(&["migrate", "status"]);
        let all = status.as_array().unwrap().clone();
        all.iter()
            .map(|known| known["applied"].as_bool().unwrap())
            .collect::<Vec<_>>()
    };
    assert!(!state().is_empty() && state().iter().all(|applied| *applied));
    let refused = folder.failure(&["migrate", "revert"]);
    assert!(refused.contains("--allow-data-loss"), "{refused}");
    assert!(state().iter().all(|applied| *applied));
    folder.json(&["migrate", "revert", "--allow-data-loss"]);
    assert_eq!(state().last(), Some(&false));
    let behind = folder.failure(&["key", "list"]);
    assert!(behind.contains("migrate run"), "{behind}");
    let behind = folder.failure(&["serve", "--listen", "127.0.0.1:0"]);
    assert!(behind.contains("migrate run"), "{behind}");
    folder.json(&["migrate", "run"]);
    assert!(state().iter().all(|applied| *applied));
    assert_eq!(
        folder.json(&["key", "list"])["items"].as_array().unwrap().len(),
        2,
        "what the last migration did not add is still there"
    );
}

async fn what_does_not_exist_is_named(folder: Folder) {
    folder.quickstart(&[]).stop();
    let (key, workspace) = ("key_00000000000000000000000000", "ws_00000000000000000000000000");
    for (arguments, expected) in [
        (vec!["key", "show", key], key),
        (vec!["key", "revoke", key], key),
        (vec!["workspace", "set-plan", workspace, "pro"], workspace),
        (
            vec!["workspace", "create", "x", "--owner", "no@example.com"],
            "no@example.com",
        ),
        (
            vec!["key", "create", "--name", "x", "--workspace", workspace],
            "no such workspace",
        ),
        (
            vec!["key", "create", "--name", "x", "--scope", "keys:fly"],
            "no such scope \"keys:fly\"; there are ",
        ),
        (
            vec!["key", "create", "--name", "x", "--scope", "certificats:read"],
            "no such scope \"certificats:read\"; did you mean certificates:read?",
        ),
        (
            vec!["key", "create", "--name", "x", "--metadata", "[]"],
            "JSON object",
        ),
        (vec!["key", "show", "nonsense"], "must be an id such as key_"),
        (
            vec!["key", "create", "--name", "x", "--expires-in", "soon"],
            "such as 5s",
        ),
    ] {
        let message = folder.failure(&arguments);
        assert!(message.contains(expected), "{arguments:?}: {message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_taken_for_an_id_is_not_printed() {
    let folder = Folder::new(Engine::Sqlite).await;
    let served = folder.quickstart(&[]);
    let key = served.text("agentKey");
    for verb in ["show", "revoke", "rotate"] {
        let message = folder.failure(&["key", verb, key]);
        assert!(
            message.contains("not its id") && !message.contains(key),
            "{message}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_without_data_says_what_to_do() {
    let folder = Folder::new(Engine::Sqlite).await;
    let message = folder.failure(&["key", "list"]);
    assert!(
        message.contains("tigertrust quickstart") && message.contains("--config"),
        "{message}"
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_may_come_from_standard_input() {
    let folder = Folder::new(Engine::Sqlite).await;
    folder.quickstart(&[]).stop();
    let mut command = folder.command(&["user", "create", "jo@example.com", "--password-file", "-"]);
    fs::write(folder.path().join("password"), "a long enough password\n").unwrap();
    let input = fs::File::open(folder.path().join("password")).unwrap();
    let output = command.stdin(Stdio::from(input)).output().unwrap();
    assert!(output.status.success());
    assert!(!String::from_utf8(output.stdout).unwrap().contains("long enough"));
}

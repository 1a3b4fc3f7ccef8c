//! Workspaces, their members and accounts from the command line, beside a running server.

use serde_json::Value;
use tigertrust_testkit::eventually;

use crate::program::{Folder, in_a_folder_for_each_engine};

in_a_folder_for_each_engine!(
    members_come_change_and_go,
    accounts_are_listed_disabled_and_enabled,
    a_workspace_is_renamed_and_deleted,
    who_or_what_does_not_exist_is_named,
);

async fn members_come_change_and_go(folder: Folder) {
    let served = folder.quickstart(&[]);
    let home = served.text("workspaceId");
    let jo = folder.json(&["user", "create", "jo@example.com", "--name", "Jo"]);
    let added = folder.json(&["member", "add", home, "JO@example.com", "--role", "admin"]);
    assert_eq!(
        (&added["userId"], &added["role"], &added["name"]),
        (&jo["id"], &"admin".into(), &"Jo".into())
    );
    let list = served.request(reqwest::Method::GET, &format!("/api/workspaces/{home}/members"));
    let answered: Value = list
        .bearer_auth(served.text("agentKey"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(folder.json(&["member", "list", home]), answered);
    let first = folder.json(&["member", "list", home, "--limit", "1"]);
    assert_eq!(first["nextCursor"], jo["id"]);
    let text = String::from_utf8(folder.run(&["member", "list", home]).stdout).unwrap();
    assert!(
        text.starts_with("USER ") && text.contains("jo@example.com"),
        "{text}"
    );

    let key = folder.json(&[
        "key",
        "create",
        "--name",
        "x",
        "--owner",
        "jo@example.com",
        "--scope",
        "members:write",
    ]);
    let may_write = async || {
        let path = "/api/auth/check?scope=members:write";
        let request = served.request(reqwest::Method::GET, path);
        let answer = request.bearer_auth(key["key"].as_str().unwrap()).send().await;
        answer.unwrap().status().as_u16()
    };
    eventually(200, may_write).await;
    let twice = folder.failure(&["member", "add", home, "jo@example.com", "--role", "viewer"]);
    assert!(twice.contains("member of the workspace already"), "{twice}");
    let set = folder.json(&["member", "set-role", home, jo["id"].as_str().unwrap(), "viewer"]);
    assert_eq!(set["role"], "viewer");
    eventually(403, may_write).await;
    let removed = folder.json(&["member", "remove", home, "jo@example.com"]);
    assert_eq!(removed, Value::Null);
    eventually(401, may_write).await;
    let last = folder.failure(&["member", "remove", home, "owner@example.com"]);
    assert!(last.contains("without an owner"), "{last}");
}

async fn accounts_are_listed_disabled_and_enabled(folder: Folder) {
    let served = folder.quickstart(&[]);
    let jo = folder.json(&["user", "create", "jo@example.com"]);
    folder.json(&[
        "member",
        "add",
        served.text("workspaceId"),
        "jo@example.com",
        "--role",
        "member",
    ]);
    let key = folder.json(&["key", "create", "--name", "x", "--owner", "jo@example.com"]);
    let check = async || served.check(key["key"].as_str().unwrap()).await;
    assert_eq!(check().await, 200);
    let disabled = folder.json(&["user", "disable", "jo@example.com"]);
    assert!(disabled["disabledAt"].is_string());
    eventually(401, check).await;
    let again = folder.json(&["user", "disable", jo["id"].as_str().unwrap()]);
    assert_eq!(again, disabled);
    let listed = folder.json(&["user", "list"]);
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    assert_eq!(listed["items"][0], disabled);
    let page = folder.json(&["user", "list", "--limit", "1"]);
    assert_eq!((&page["items"][0], &page["nextCursor"]), (&disabled, &jo["id"]));
    let text = String::from_utf8(folder.run(&["user", "list"]).stdout).unwrap();
    assert!(text.contains("disabled") && text.contains("active"), "{text}");
    let enabled = folder.json(&["user", "enable", "jo@example.com"]);
    assert_eq!(enabled["disabledAt"], Value::Null);
    eventually(200, check).await;
}

async fn a_workspace_is_renamed_and_deleted(folder: Folder) {
    let served = folder.quickstart(&[]);
    let (home, key) = (served.text("workspaceId"), served.text("agentKey"));
    let renamed = folder.json(&["workspace", "rename", home, "Acme"]);
    assert_eq!(renamed["name"], "Acme");
    let refused = folder.failure(&["workspace", "delete", home]);
    assert!(
        refused.contains("--yes") && refused.contains("Acme") && refused.contains("keys"),
        "{refused}"
    );
    assert_eq!(served.check(key).await, 200);
    assert_eq!(folder.json(&["workspace", "delete", home, "--yes"]), Value::Null);
    eventually(401, async || served.check(key).await).await;
    let gone = folder.failure(&["workspace", "delete", home, "--yes"]);
    assert!(gone.contains(home), "{gone}");
    assert_eq!(
        folder.json(&["workspace", "list"])["items"],
        Value::Array(Vec::new())
    );
}

async fn who_or_what_does_not_exist_is_named(folder: Folder) {
    let served = folder.quickstart(&[]);
    let (home, nowhere) = (served.text("workspaceId"), "ws_00000000000000000000000000");
    folder.json(&["user", "create", "jo@example.com"]);
    let jo = "jo@example.com";
    for (arguments, expected) in [
        (vec!["workspace", "rename", nowhere, "x"], nowhere),
        (vec!["workspace", "rename", home, ""], "name: must have 1"),
        (vec!["workspace", "delete", nowhere, "--yes"], nowhere),
        (vec!["member", "list", nowhere], nowhere),
        (vec!["member", "add", nowhere, jo, "--role", "member"], nowhere),
        (
            vec!["member", "add", home, "no@example.com", "--role", "member"],
            "no@example.com",
        ),
        (vec!["member", "add", home, jo], "--role"),
        (
            vec!["member", "add", home, jo, "--role", "king"],
            "owner, admin, member or viewer",
        ),
        (vec!["member", "set-role", home, jo, "admin"], "member list"),
        (vec!["member", "remove", home, jo], "member list"),
        (vec!["user", "disable", "no@example.com"], "no@example.com"),
    ] {
        let message = folder.failure(&arguments);
        assert!(message.contains(expected), "{arguments:?}: {message}");
    }
}

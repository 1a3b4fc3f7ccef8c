//! `/api/auth/me` as people change it: name and default workspace.

use serde_json::{Value, json};
use tigertrust_model::{Role, Workspace};
use tigertrust_testkit::{Answer, PASSWORD, TestServer, on_both_engines};

use crate::people::Browser;

on_both_engines!(
    a_person_has_a_name,
    the_default_workspace_is_the_chosen_one,
    who_leaves_the_default_workspace_is_back_in_the_first,
    a_deleted_workspace_is_nobody_s_default,
    s25_a_foreign_workspace_cannot_be_the_default,
);

async fn set(browser: &mut Browser, server: &TestServer, body: Value) -> Answer {
    browser.patch(server, "/api/auth/me", &body).await
}

async fn a_person_has_a_name(server: TestServer) {
    let home = server.workspace("Home").await;
    let jo = server.member(&home, Role::Viewer).await;
    let mut browser = Browser::signed_in(&server, jo).await;
    let named = set(&mut browser, &server, json!({"name": "Jo"})).await;
    assert_eq!(
        (named.status.as_u16(), &named.body["user"]["name"]),
        (200, &json!("Jo"))
    );
    let me = browser.get(&server, "/api/auth/me").await;
    assert_eq!(me.body["user"], named.body["user"]);
    // Nothing is asked for, and nothing changes.
    assert_eq!(
        set(&mut browser, &server, json!({})).await.body["user"]["name"],
        "Jo"
    );
    for (body, pointer) in [
        (json!({"name": ""}), "/name"),
        (json!({"name": "a\nb"}), "/name"),
        (json!({"name": 7}), "/name"),
        (json!({"email": "x@example.com"}), ""),
    ] {
        let refused = set(&mut browser, &server, body).await;
        assert_eq!(refused.problem(), (400, "VALIDATION_ERROR"));
        assert!(refused.pointers()[0].starts_with(pointer));
    }
    let nameless = set(&mut browser, &server, json!({"name": null})).await;
    assert_eq!(nameless.body["user"]["name"], Value::Null);
}

/// Two workspaces of a person, the one joined first before the other, and the person's browser.
async fn two(server: &TestServer) -> (Workspace, Workspace, Browser, tigertrust_model::UserId) {
    let (first, other) = (server.workspace("First").await, server.workspace("Other").await);
    let jo = server.member(&first, Role::Member).await;
    server.clock.advance(std::time::Duration::from_secs(1));
    server.set_role(&other, jo, Some(Role::Viewer)).await;
    let browser = Browser::signed_in(server, jo).await;
    (first, other, browser, jo)
}

async fn acts_in(server: &TestServer, browser: &mut Browser) -> String {
    let me = browser.get(server, "/api/auth/me").await.body;
    assert_eq!(me["workspace"]["id"], me["defaultWorkspaceId"]);
    me["workspace"]["id"].as_str().unwrap().to_owned()
}

async fn the_default_workspace_is_the_chosen_one(server: TestServer) {
    let (first, other, mut browser, jo) = two(&server).await;
    assert_eq!(acts_in(&server, &mut browser).await, first.id.to_string());
    let body = json!({"defaultWorkspaceId": other.id.to_string()});
    let chosen = set(&mut browser, &server, body).await;
    assert_eq!(chosen.status, 200, "{chosen:?}");
    assert_eq!(
        (&chosen.body["workspace"]["id"], &chosen.body["role"]),
        (&json!(other.id.to_string()), &json!("viewer"))
    );
    assert_eq!(acts_in(&server, &mut browser).await, other.id.to_string());
    let login = Browser::default()
        .login(&server, &server.email(jo).await, PASSWORD)
        .await;
    assert_eq!(login.body["defaultWorkspaceId"], other.id.to_string());
    let unchosen = set(&mut browser, &server, json!({"defaultWorkspaceId": null})).await;
    assert_eq!(unchosen.body["defaultWorkspaceId"], first.id.to_string());
}

async fn who_leaves_the_default_workspace_is_back_in_the_first(server: TestServer) {
    let (first, other, mut browser, jo) = two(&server).await;
    set(
        &mut browser,
        &server,
        json!({"defaultWorkspaceId": other.id.to_string()}),
    )
    .await;
    let path = format!("/api/workspaces/{}/members/{jo}", other.id);
    assert_eq!(browser.delete(&server, &path).await.status, 204);
    assert_eq!(acts_in(&server, &mut browser).await, first.id.to_string());
    // Who comes back has not chosen it again.
    server.set_role(&other, jo, Some(Role::Viewer)).await;
    assert_eq!(acts_in(&server, &mut browser).await, first.id.to_string());
}

async fn a_deleted_workspace_is_nobody_s_default(server: TestServer) {
    let (first, other, mut browser, _) = two(&server).await;
    set(
        &mut browser,
        &server,
        json!({"defaultWorkspaceId": other.id.to_string()}),
    )
    .await;
    let operator = tigertrust_accounts::Actor::operator();
    server.workspaces.delete(&operator, other.id).await.unwrap();
    assert_eq!(acts_in(&server, &mut browser).await, first.id.to_string());
    let refused = set(
        &mut browser,
        &server,
        json!({"defaultWorkspaceId": other.id.to_string()}),
    )
    .await;
    assert_eq!(refused.problem(), (403, "WORKSPACE_ACCESS_DENIED"));
}

async fn s25_a_foreign_workspace_cannot_be_the_default(server: TestServer) {
    let (first, _, mut browser, _) = two(&server).await;
    let foreign = server.workspace("Foreign").await;
    for id in [
        foreign.id.to_string().as_str(),
        "ws_00000000000000000000000000",
        "nonsense",
    ] {
        let refused = set(&mut browser, &server, json!({"defaultWorkspaceId": id})).await;
        assert_eq!(
            (refused.problem(), refused.pointers()),
            ((403, "WORKSPACE_ACCESS_DENIED"), vec!["/defaultWorkspaceId"])
        );
    }
    assert_eq!(acts_in(&server, &mut browser).await, first.id.to_string());
}

//! Instance keys: the backend of a platform.

use reqwest::Method;
use serde_json::json;
use tigertrust_accounts::ReachRequest;
use tigertrust_model::KeyType;
use tigertrust_testkit::{TestServer, on_both_engines, send};

on_both_engines!(
    an_instance_key_works_in_the_workspace_that_it_names,
    an_instance_key_has_no_home,
    an_instance_key_is_not_seen_from_a_workspace,
);

async fn an_instance_key_works_in_the_workspace_that_it_names(server: TestServer) {
    let (home, other) = (server.workspace("Home").await, server.workspace("Other").await);
    let key = server
        .issue(
            KeyType::Agent,
            &["keys:*", "certificates:*"],
            ReachRequest::Instance,
        )
        .await;
    let secret = key.secret.reveal();
    let body = json!({"name": "x", "type": "public", "scopes": ["certificates:read"], "workspaceIds": [other.id.to_string()]});
    let in_home = |method, path: &str| {
        server
            .request(method, path)
            .bearer_auth(secret)
            .header("X-Workspace-ID", home.id.to_string())
    };
    let created = send(in_home(Method::POST, "/api/keys").json(&body)).await;
    assert_eq!(created.status, 201, "{:?}", created.body);
    assert_eq!(created.body["homeWorkspaceId"], home.id.to_string());
    assert_eq!(
        created.body["workspaceIds"],
        json!([home.id.to_string(), other.id.to_string()])
    );
    let path = format!("/api/keys/{}", created.body["id"].as_str().unwrap());
    assert_eq!(send(in_home(Method::GET, &path)).await.status, 200);
    let elsewhere = server.request(Method::GET, &path).bearer_auth(secret);
    assert_eq!(
        send(elsewhere.header("X-Workspace-ID", other.id.to_string()))
            .await
            .problem(),
        (404, "NOT_FOUND")
    );
    let unknown = "ws_00000000000000000000000000";
    let mut beyond = body;
    beyond["workspaceIds"] = json!([unknown]);
    let refused = send(in_home(Method::POST, "/api/keys").json(&beyond)).await;
    assert_eq!(refused.problem(), (403, "WORKSPACE_ACCESS_DENIED"));
    let nowhere = server
        .request(Method::GET, "/api/keys")
        .bearer_auth(secret)
        .header("X-Workspace-ID", unknown);
    assert_eq!(send(nowhere).await.problem(), (403, "WORKSPACE_ACCESS_DENIED"));
}

async fn an_instance_key_has_no_home(server: TestServer) {
    let key = server
        .issue(
            KeyType::Agent,
            &["keys:read", "workspace:read"],
            ReachRequest::Instance,
        )
        .await;
    let me = server.get("/api/auth/me", &key).await;
    assert_eq!(me.status, 200);
    assert!(me.body["workspace"].is_null() && me.body["homeWorkspaceId"].is_null());
    let refused = server.get("/api/keys", &key).await;
    assert_eq!(refused.problem(), (400, "VALIDATION_ERROR"));
    assert!(
        refused.body["detail"]
            .as_str()
            .unwrap()
            .contains("X-Workspace-ID")
    );
    let passed = server.get("/api/auth/check", &key).await;
    assert_eq!(
        (passed.status.as_u16(), passed.header("x-auth-workspace-id")),
        (200, "")
    );
}

async fn an_instance_key_is_not_seen_from_a_workspace(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let instance = server
        .issue(KeyType::Agent, &["keys:read"], ReachRequest::Instance)
        .await;
    let path = format!("/api/keys/{}", instance.key.id);
    assert_eq!(server.get(&path, &admin).await.problem(), (404, "NOT_FOUND"));
    assert_eq!(
        server.get("/api/keys", &admin).await.body["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

//! `GET /api/auth/me`.

use reqwest::Method;
use serde_json::json;
use tigertrust_accounts::ReachRequest;
use tigertrust_model::KeyType;
use tigertrust_testkit::{TestServer, on_both_engines, send};

on_both_engines!(
    a_key_of_any_type_learns_who_it_is,
    the_workspace_header_chooses_among_the_key_s_workspaces,
    either_header_will_do,
);

async fn a_key_of_any_type_learns_who_it_is(server: TestServer) {
    let home = server.workspace("Home").await;
    for (kind, scopes) in [(KeyType::Agent, vec!["keys:read"]), (KeyType::Public, vec![])] {
        let key = server.key(&home, kind, &scopes).await;
        let me = server.get("/api/auth/me", &key).await;
        assert_eq!(me.status, 200);
        assert_eq!(
            me.body,
            json!({
                "type": "apiKey",
                "keyId": key.key.id.to_string(),
                "keyType": kind.as_str(),
                "name": "a key",
                "ownerId": null,
                "scopes": scopes,
                "workspace": {
                    "id": home.id.to_string(),
                    "name": "Home",
                    "plan": "free",
                    "requireSecondFactor": false,
                    "leakResponse": null,
                    "createdAt": "2027-01-15T08:00:00Z",
                },
                "homeWorkspaceId": home.id.to_string(),
                "workspaceIds": [home.id.to_string()],
                "externalId": null,
                "metadata": {},
                "expiresAt": null,
            })
        );
    }
}

async fn the_workspace_header_chooses_among_the_key_s_workspaces(server: TestServer) {
    let (home, other, foreign) = (
        server.workspace("Home").await,
        server.workspace("Other").await,
        server.workspace("Foreign").await,
    );
    let reach = ReachRequest::Workspace {
        home: home.id,
        others: vec![other.id.to_string()],
    };
    let key = server.issue(KeyType::Agent, &[], reach).await;
    let ask = async |workspace: &str| {
        let request = server
            .request(Method::GET, "/api/auth/me")
            .bearer_auth(key.secret.reveal());
        send(request.header("X-Workspace-ID", workspace)).await
    };
    for known in [&home, &other] {
        assert_eq!(
            ask(&known.id.to_string()).await.body["workspace"]["name"],
            known.name
        );
    }
    for unknown in [
        foreign.id.to_string(),
        "ws_00000000000000000000000000".to_owned(),
        "nonsense".to_owned(),
        String::new(),
    ] {
        let refused = ask(&unknown).await;
        assert_eq!(refused.problem(), (403, "WORKSPACE_ACCESS_DENIED"), "{unknown}");
        assert_eq!(refused.body["detail"], ask("ws_").await.body["detail"]);
    }
}

async fn either_header_will_do(server: TestServer) {
    let home = server.workspace("Home").await;
    let key = server.key(&home, KeyType::Agent, &[]).await;
    let secret = key.secret.reveal();
    for (name, value) in [
        ("X-Agent-API-Key", secret.to_owned()),
        ("Authorization", format!("Bearer {secret}")),
        ("authorization", format!("bearer {secret}")),
    ] {
        let me = send(server.request(Method::GET, "/api/auth/me").header(name, value)).await;
        assert_eq!(me.status, 200, "{name}");
    }
    let head = send(server.request(Method::HEAD, "/api/auth/me").bearer_auth(secret)).await;
    assert_eq!(head.status, 200);
    assert_eq!(
        send(server.request(Method::HEAD, "/api/auth/me")).await.status,
        401
    );
}

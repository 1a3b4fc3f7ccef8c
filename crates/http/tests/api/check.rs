//! `ANY /api/auth/check`.

use reqwest::Method;
use serde_json::{Value, json};
use tigertrust_accounts::ReachRequest;
use tigertrust_model::KeyType;
use tigertrust_testkit::{Answer, TestServer, on_both_engines, send};

on_both_engines!(
    a_caller_that_may_pass_is_described_in_headers,
    every_method_will_do,
    each_parameter_is_a_check,
    a_parameter_that_makes_no_sense_is_400_and_never_an_allow,
    the_workspace_parameter_and_header_must_agree,
    refusals_bear_their_code_in_a_header,
);

async fn ask(server: &TestServer, query: &str, key: &str) -> Answer {
    send(
        server
            .request(Method::GET, &format!("/api/auth/check{query}"))
            .bearer_auth(key),
    )
    .await
}

async fn a_caller_that_may_pass_is_described_in_headers(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let body = json!({
        "name": "x", "type": "agent", "scopes": ["certificates:read", "agents:report"], "externalId": "Zoë 100%",
    });
    let created = server.post("/api/keys", &admin, &body).await;
    let passed = ask(&server, "", created.body["key"].as_str().unwrap()).await;
    assert_eq!((passed.status.as_u16(), &passed.body), (200, &Value::Null));
    assert_eq!(passed.header("x-auth-type"), "apiKey");
    assert_eq!(
        passed.header("x-auth-key-id"),
        created.body["id"].as_str().unwrap()
    );
    assert_eq!(passed.header("x-auth-key-type"), "agent");
    assert_eq!(passed.header("x-auth-scopes"), "agents:report certificates:read");
    assert_eq!(passed.header("x-auth-workspace-id"), home.id.to_string());
    assert_eq!(passed.header("x-auth-external-id"), "Zo%C3%AB%20100%25");
    assert_eq!(passed.header("cache-control"), "no-store");
}

async fn every_method_will_do(server: TestServer) {
    let home = server.workspace("Home").await;
    let key = server.key(&home, KeyType::Agent, &[]).await;
    for method in [
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND",
    ] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = server.request(method.clone(), "/api/auth/check");
        assert_eq!(
            send(request.bearer_auth(key.secret.reveal())).await.status,
            200,
            "{method}"
        );
        assert_eq!(
            send(server.request(method.clone(), "/api/auth/check"))
                .await
                .status,
            401,
            "{method}"
        );
    }
}

async fn each_parameter_is_a_check(server: TestServer) {
    let (home, other, foreign) = (
        server.workspace("Home").await,
        server.workspace("Other").await,
        server.workspace("Foreign").await,
    );
    let reach = ReachRequest::Workspace {
        home: home.id,
        others: vec![other.id.to_string()],
    };
    let agent = server.issue(KeyType::Agent, &["certificates:*"], reach).await;
    let public = server.key(&home, KeyType::Public, &[]).await;
    let (agent, public) = (agent.secret.reveal(), public.secret.reveal());
    for (key, query, problem) in [
        (agent, "?type=agent".to_owned(), (200, "")),
        (agent, "?type=public".to_owned(), (403, "FORBIDDEN")),
        (public, "?type=public".to_owned(), (200, "")),
        (public, "?type=agent".to_owned(), (403, "FORBIDDEN")),
        (agent, "?scope=certificates:write".to_owned(), (200, "")),
        (agent, "?scope=certificates:*".to_owned(), (200, "")),
        (agent, "?scope=agents:report".to_owned(), (403, "FORBIDDEN")),
        (public, "?scope=certificates:read".to_owned(), (403, "FORBIDDEN")),
        (agent, format!("?workspace={}", other.id), (200, "")),
        (
            agent,
            format!("?workspace={}", foreign.id),
            (403, "WORKSPACE_ACCESS_DENIED"),
        ),
        (
            agent,
            format!(
                "?type=agent&scope=certificates:read&workspace={}&denyAs=403",
                home.id
            ),
            (200, ""),
        ),
        (agent, "?denyAs=403".to_owned(), (200, "")),
    ] {
        assert_eq!(ask(&server, &query, key).await.problem(), problem, "{query}");
    }
    let passed = ask(&server, &format!("?workspace={}", other.id), agent).await;
    assert_eq!(passed.header("x-auth-workspace-id"), other.id.to_string());
}

async fn a_parameter_that_makes_no_sense_is_400_and_never_an_allow(server: TestServer) {
    let home = server.workspace("Home").await;
    let key = server.admin(&home).await;
    for query in [
        "?type=",
        "?type=admin",
        "?type=agent&type=public",
        "?scope=",
        "?scope=nonsense",
        "?scope=certificates:delete",
        "?scopes=certificates:read",
        "?workspace=",
        "?workspace=nonsense",
        "?denyAs=200",
        "?denyas=403",
        "?x",
    ] {
        assert_eq!(
            ask(&server, query, key.secret.reveal()).await.problem(),
            (400, "VALIDATION_ERROR"),
            "{query}"
        );
    }
}

async fn the_workspace_parameter_and_header_must_agree(server: TestServer) {
    let (home, other) = (server.workspace("Home").await, server.workspace("Other").await);
    let reach = ReachRequest::Workspace {
        home: home.id,
        others: vec![other.id.to_string()],
    };
    let key = server.issue(KeyType::Agent, &[], reach).await;
    for (header, status) in [(&home, 403), (&other, 200)] {
        let request = server.request(Method::GET, &format!("/api/auth/check?workspace={}", other.id));
        let request = request
            .bearer_auth(key.secret.reveal())
            .header("X-Workspace-ID", header.id.to_string());
        assert_eq!(send(request).await.status, status);
    }
}

async fn refusals_bear_their_code_in_a_header(server: TestServer) {
    let home = server.workspace("Home").await;
    let key = server.key(&home, KeyType::Public, &[]).await;
    for (query, key, code) in [
        ("?denyAs=403", "nonsense", "UNAUTHORIZED"),
        ("?denyAs=403&type=agent", key.secret.reveal(), "FORBIDDEN"),
        ("?denyAs=no", key.secret.reveal(), "VALIDATION_ERROR"),
    ] {
        let refused = ask(&server, query, key).await;
        assert_eq!(
            (refused.header("x-auth-code"), refused.code()),
            (code, code),
            "{query}"
        );
        assert_eq!(refused.header("x-auth-key-id"), "");
    }
}

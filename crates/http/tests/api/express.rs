//! The express lane: what it answers, and what it leaves to the ordinary way, is answered the same.
//!
//! A request with a cookie, be it of no use, is never answered in the lane, so that each can be sent both ways.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tigertrust_accounts::ReachRequest;
use tigertrust_model::{KeyType, Role};
use tigertrust_testkit::{Answer, TestServer, on_both_engines, send};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

on_both_engines!(
    a_check_is_answered_the_same_in_the_lane,
    a_verification_is_answered_the_same_in_the_lane,
    what_a_caller_spends_is_spent_once,
    a_body_may_come_in_pieces_and_requests_in_a_row,
    a_stranger_is_refused_before_its_body_is_waited_for,
);

/// The answer in a form in which two ways to it can be compared: without what differs from one request to the next.
fn told(answer: &Answer) -> (u16, Vec<(String, String)>, Value) {
    let differs = [
        // A body that nobody has read ends a connection; in the lane it was read.
        "connection",
        "date",
        "x-request-id",
        "x-ratelimit-reset",
        "ratelimit",
        "x-ratelimit-remaining",
    ];
    let mut headers: Vec<_> = answer
        .headers
        .iter()
        .filter(|(name, _)| !differs.contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    headers.sort();
    let mut body = answer.body.clone();
    if let Some(members) = body.as_object_mut() {
        members.remove("requestId");
        // How it stands is told in the headers too.
        if let Some(limits) = members.get_mut("rateLimits").and_then(Value::as_array_mut) {
            for limit in limits {
                limit["remaining"] = Value::Null;
                limit["resetSeconds"] = Value::Null;
            }
        }
    }
    (answer.status.as_u16(), headers, body)
}

fn remaining(answer: &Answer) -> Option<i64> {
    let value = answer.headers.get("x-ratelimit-remaining")?;
    value.to_str().unwrap().parse().ok()
}

/// Sends a request both ways, and finds the same answer.
async fn compare(
    server: &TestServer,
    method: &Method,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&str>,
) -> Answer {
    let ask = async |more: Option<&str>| {
        let mut request = server.request(method.clone(), path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.body(body.to_owned());
        }
        send(match more {
            Some(cookie) => request.header("cookie", cookie),
            None => request,
        })
        .await
    };
    let case = format!("{method} {path} {headers:?} {body:?}");
    // The first request of a key looks it up, which the lane leaves to others.
    ask(None).await;
    let ordinary = ask(Some("of=others")).await;
    let express = ask(None).await;
    assert_eq!(told(&express), told(&ordinary), "{case}");
    if let (Some(before), Some(after)) = (remaining(&ordinary), remaining(&express)) {
        let spent = before - after;
        assert!((0..=5).contains(&spent), "{case}: {before} {after}");
    }
    express
}

async fn a_check_is_answered_the_same_in_the_lane(server: TestServer) {
    let (home, other) = (server.workspace("Home").await, server.workspace("Other").await);
    let admin = server.admin(&home).await;
    let key = server.key(&home, KeyType::Agent, &["certificates:read"]).await;
    let public = server.key(&home, KeyType::Public, &[]).await;
    let instance = server.issue(KeyType::Agent, &[], ReachRequest::Instance).await;
    let revoked = server.key(&home, KeyType::Agent, &[]).await;
    let owner = server.member(&home, Role::Viewer).await;
    let personal = server.personal(&home, owner, &["certificates:read"]).await;
    let bound = json!({"name": "bound", "type": "agent", "scopes": [], "allowedCidrs": ["192.0.2.0/24"]});
    let bound = server.post("/api/keys", &admin, &bound).await;
    let near = json!({"name": "near", "type": "agent", "scopes": [], "allowedCidrs": ["127.0.0.0/8"], "externalId": "Zoë"});
    let near = server.post("/api/keys", &admin, &near).await;
    let revoke = format!("/api/keys/{}/revoke", revoked.key.id);
    assert_eq!(server.post(&revoke, &admin, &json!({})).await.status, 200);

    let (home_id, other_id) = (home.id.to_string(), other.id.to_string());
    let mut cases: Vec<(u16, Vec<(&str, &str)>)> = Vec::new();
    let secrets = [
        (200, key.secret.reveal()),
        (200, public.secret.reveal()),
        (200, instance.secret.reveal()),
        (401, revoked.secret.reveal()),
        (200, personal.secret.reveal()),
        (403, bound.body["key"].as_str().unwrap()),
        (200, near.body["key"].as_str().unwrap()),
        (401, "ak_00000000000000000000000000000000000000000002PL60u"),
        (401, "ak_short"),
        (401, ""),
    ];
    let bearers = secrets.map(|(status, secret)| (status, format!("Bearer {secret}")));
    for (status, secret) in secrets {
        cases.push((status, vec![("x-agent-api-key", secret)]));
    }
    for (status, bearer) in &bearers {
        cases.push((*status, vec![("authorization", bearer)]));
    }
    let (secret, bearer) = (key.secret.reveal(), bearers[0].1.as_str());
    cases.extend([
        (200, vec![("x-agent-api-key", secret), ("authorization", bearer)]),
        (
            401,
            vec![("x-agent-api-key", secret), ("authorization", &bearers[1].1)],
        ),
        (
            200,
            vec![("x-agent-api-key", secret), ("x-workspace-id", &home_id)],
        ),
        (
            403,
            vec![("x-agent-api-key", secret), ("x-workspace-id", &other_id)],
        ),
        (
            403,
            vec![("x-agent-api-key", secret), ("x-workspace-id", "nonsense")],
        ),
        (
            200,
            vec![
                ("x-agent-api-key", instance.secret.reveal()),
                ("x-workspace-id", &other_id),
            ],
        ),
        (
            401,
            vec![("x-agent-api-key", secret), ("x-agent-api-key", secret)],
        ),
        (
            200,
            vec![
                ("x-agent-api-key", secret),
                ("x-forwarded-for", "192.0.2.7"),
                ("user-agent", "a/1"),
            ],
        ),
        (
            200,
            vec![
                ("x-agent-api-key", secret),
                ("origin", "https://evil.example"),
                ("sec-fetch-site", "cross-site"),
            ],
        ),
        (401, vec![]),
    ]);
    for (status, headers) in &cases {
        for method in [Method::GET, Method::POST] {
            let answer = compare(&server, &method, "/api/auth/check", headers, None).await;
            assert_eq!(answer.status, *status, "{method} {headers:?}");
        }
    }
    let named = compare(
        &server,
        &Method::GET,
        "/api/auth/check",
        &[("x-agent-api-key", secret), ("x-request-id", "mine-1")],
        None,
    )
    .await;
    assert_eq!(named.header("x-request-id"), "mine-1");
}

async fn a_verification_is_answered_the_same_in_the_lane(server: TestServer) {
    let (home, other) = (server.workspace("Home").await, server.workspace("Other").await);
    let admin = server.admin(&home).await;
    let everywhere = server
        .issue(KeyType::Agent, &["keys:verify"], ReachRequest::Instance)
        .await;
    let key = server.key(&home, KeyType::Agent, &["certificates:read"]).await;
    let foreign = server.key(&other, KeyType::Agent, &[]).await;
    let powerless = server.key(&home, KeyType::Agent, &[]).await;
    let (home_id, other_id) = (home.id.to_string(), other.id.to_string());
    let secret = key.secret.reveal();
    let bodies = [
        json!({"key": secret}).to_string(),
        json!({"key": secret, "scope": "certificates:read", "type": "agent", "workspaceId": home_id})
            .to_string(),
        json!({"key": secret, "scope": "certificates:write"}).to_string(),
        json!({"key": secret, "scope": "no:such"}).to_string(),
        json!({"key": secret, "type": "public"}).to_string(),
        json!({"key": secret, "workspaceId": other_id}).to_string(),
        json!({"key": secret, "clientAddress": "192.0.2.7", "cost": 2}).to_string(),
        json!({"key": secret, "cost": 0}).to_string(),
        json!({"key": secret, "cost": 50_000_001}).to_string(),
        json!({"key": foreign.secret.reveal()}).to_string(),
        json!({"key": "ak_short"}).to_string(),
        json!({"key": secret, "more": 1}).to_string(),
        json!([secret]).to_string(),
        json!({"key": secret}).to_string() + " ",
        json!({"key": secret}).to_string() + "x",
        format!("{{\"key\": \"{secret}\", \"key\": \"{secret}\"}}"),
        json!({"key": secret}).to_string() + &" ".repeat(3000),
        String::new(),
        "null".to_owned(),
    ];
    let callers = [
        admin.secret.reveal(),
        everywhere.secret.reveal(),
        powerless.secret.reveal(),
        "ak_short",
    ];
    let types = [
        Some("application/json"),
        Some("application/json; charset=utf-8"),
        Some("APPLICATION/JSON"),
        Some("text/plain"),
        None,
    ];
    let path = "/api/keys/verify";
    for body in &bodies {
        for caller in callers {
            let headers = [("x-agent-api-key", caller), ("content-type", "application/json")];
            compare(&server, &Method::POST, path, &headers, Some(body)).await;
        }
    }
    for of_type in types {
        let mut headers = vec![("x-agent-api-key", callers[0])];
        headers.extend(of_type.map(|of_type| ("content-type", of_type)));
        compare(&server, &Method::POST, path, &headers, Some(&bodies[0])).await;
    }
    let headers = [
        ("x-agent-api-key", callers[1]),
        ("x-workspace-id", other_id.as_str()),
        ("content-type", "application/json"),
    ];
    let answer = compare(&server, &Method::POST, path, &headers, Some(&bodies[0])).await;
    assert_eq!(answer.body["valid"], false);
}

/// What is left to the ordinary way has spent nothing before.
async fn what_a_caller_spends_is_spent_once(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let (key, other) = (
        server.key(&home, KeyType::Agent, &[]).await,
        server.key(&home, KeyType::Agent, &[]).await,
    );
    let revoke = format!("/api/keys/{}/revoke", other.key.id);
    let (good, bad) = (
        json!({"key": key.secret.reveal()}),
        json!({"key": other.secret.reveal()}),
    );
    for body in [&good, &bad] {
        server.post("/api/keys/verify", &admin, body).await;
    }
    assert_eq!(server.post(&revoke, &admin, &json!({})).await.status, 200);
    let mut left = remaining(&server.post("/api/keys/verify", &admin, &good).await).unwrap();
    for (body, valid) in [
        (&bad, false),
        (&good, true),
        (&bad, false),
        (&json!({"key": 1}), false),
        (&good, true),
    ] {
        let answer = server.post("/api/keys/verify", &admin, body).await;
        assert_eq!(
            answer.body.get("valid").and_then(Value::as_bool).unwrap_or(false),
            valid
        );
        let now = remaining(&answer).unwrap();
        assert_eq!(left - now, 1, "{body}");
        left = now;
    }
    let check = async || remaining(&server.get("/api/auth/check", &key).await).unwrap();
    let first = check().await;
    assert_eq!((first - check().await, first - check().await), (1, 2));
    server.flush_usage().await;
    let usage = server
        .get(&format!("/api/keys/{}/usage", key.key.id), &admin)
        .await;
    assert_eq!(usage.body["outcomes"], json!({"VALID": 7}));
}

/// Bodies that come late, in pieces, or behind one another on one connection.
async fn a_body_may_come_in_pieces_and_requests_in_a_row(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let key = server.key(&home, KeyType::Agent, &[]).await;
    let body = json!({"key": key.secret.reveal()}).to_string();
    let head = format!(
        "POST /api/keys/verify HTTP/1.1\r\nHost: a\r\nX-Agent-API-Key: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        admin.secret.reveal(),
        body.len()
    );
    let check = format!(
        "GET /api/auth/check HTTP/1.1\r\nHost: a\r\nX-Agent-API-Key: {}\r\n",
        key.secret.reveal()
    );
    let address = server.base_url().strip_prefix("http://").unwrap();
    let (first, second) = body.split_at(body.len() / 2);
    for pieces in [
        vec![format!(
            "{head}{body}{head}{body}{check}\r\n{check}Connection: close\r\n\r\n"
        )],
        vec![
            head.clone(),
            body.clone(),
            format!("{head}{first}"),
            format!("{second}{check}\r\n{check}Connection: close\r\n\r\n"),
        ],
        vec![
            head.clone(),
            first.to_owned(),
            format!("{second}{head}{body}{check}\r\n"),
            format!("{check}Connection: close\r\n\r\n"),
        ],
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (mut from, mut to) = stream.split();
        let mut answers = String::new();
        let sending = async {
            for piece in &pieces {
                to.write_all(piece.as_bytes()).await.unwrap();
                // The other side has its turn, or not: both must be right.
                tokio::task::yield_now().await;
            }
        };
        let (_, read) = tokio::join!(sending, from.read_to_string(&mut answers));
        read.unwrap();
        assert_eq!(
            answers.matches("HTTP/1.1 200 OK").count(),
            4,
            "{pieces:?}\n{answers}"
        );
        assert_eq!(answers.matches(r#""valid":true"#).count(), 2, "{answers}");
        assert_eq!(answers.matches("x-auth-key-id: ").count(), 2, "{answers}");
    }
}

/// Also where the request stands behind another one, so that nothing else wakes its connection.
async fn a_stranger_is_refused_before_its_body_is_waited_for(server: TestServer) {
    let address = server.base_url().strip_prefix("http://").unwrap();
    let login = "POST /api/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
    let head = "POST /api/keys/verify HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n";
    for requests in [head.to_owned(), format!("{login}{head}")] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(requests.as_bytes()).await.unwrap();
        let mut answers = String::new();
        let read = timeout(Duration::from_secs(20), stream.read_to_string(&mut answers)).await;
        assert!(read.is_ok(), "{requests}\n{answers}");
        assert!(answers.contains("HTTP/1.1 401 Unauthorized"), "{answers}");
    }
}

//! Who passes, what the backend is told, and how the others are refused.

use reqwest::Method;
use serde_json::json;

use crate::{behind::Behind, behind_each_proxy, raw};

behind_each_proxy!(
    a_key_passes_and_the_backend_is_told_whose_it_is,
    whoever_may_not_pass_is_told_why,
    a_revoked_key_is_refused_at_once,
    a_key_without_the_scope_is_refused_there_alone,
    the_workspace_is_the_one_that_was_named,
    a_key_that_is_used_too_often_is_told_when_to_come_again,
    every_method_is_checked,
    a_body_reaches_the_backend_whole,
    a_refusal_of_the_backend_is_its_own,
    a_credential_that_came_twice_is_none,
);

async fn a_key_passes_and_the_backend_is_told_whose_it_is(behind: Behind) {
    let key = behind
        .key(&["certificates:read"], json!({"externalId": "müller 7"}))
        .await;
    let workspace = behind.server.text("workspaceId").to_owned();
    for request in [
        behind
            .request(Method::GET, "/certificates/7?x=%2F&y")
            .bearer_auth(&key.secret),
        behind
            .request(Method::GET, "/certificates/7?x=%2F&y")
            .header("X-Agent-API-Key", &key.secret),
    ] {
        let seen = behind.send(request.header("X-Mine", "kept")).await;
        assert_eq!((seen.status, seen.header("x-backend")), (200, "yes"), "{seen:?}");
        assert_eq!(seen.body["path"], "/certificates/7?x=%2F&y");
        for (name, value) in [
            ("x-auth-type", "apiKey"),
            ("x-auth-key-id", &key.id),
            ("x-auth-key-type", "public"),
            ("x-auth-scopes", "certificates:read"),
            ("x-auth-workspace-id", &workspace),
            ("x-auth-external-id", "m%C3%BCller%207"),
            ("x-mine", "kept"),
            ("x-forwarded-for", "127.0.0.1"),
        ] {
            assert_eq!(seen.sent(name), [value], "{name}");
        }
        // Those that say nothing of a key, and the secret, which is of no use to the backend.
        for name in [
            "x-auth-user-id",
            "x-auth-role",
            "x-auth-code",
            "authorization",
            "x-agent-api-key",
        ] {
            assert!(seen.sent(name).is_empty(), "{name}");
        }
        for name in [
            "ratelimit",
            "ratelimit-policy",
            "x-ratelimit-limit",
            "x-ratelimit-remaining",
            "x-ratelimit-reset",
        ] {
            assert!(!seen.header(name).is_empty(), "{name}");
        }
    }
}

async fn whoever_may_not_pass_is_told_why(behind: Behind) {
    let mut unknown = behind.server.text("publicKey").to_owned();
    unknown.pop();
    for request in [
        behind.request(Method::GET, "/"),
        behind.request(Method::GET, "/certificates/7"),
        behind.request(Method::GET, "/").bearer_auth(unknown),
    ] {
        let seen = behind.send(request).await;
        assert_eq!(seen.refusal(), (401, "UNAUTHORIZED"));
        assert_eq!(seen.header("x-auth-code"), "UNAUTHORIZED");
        assert!(seen.header("www-authenticate").starts_with("Bearer "), "{seen:?}");
        assert!(seen.header("cache-control").contains("no-store"), "{seen:?}");
    }
    assert_eq!(behind.get("/public/x", None).await.status, 200);
    assert_eq!(behind.backend.seen().await, ["GET /public/x"]);
}

async fn a_revoked_key_is_refused_at_once(behind: Behind) {
    let key = behind.key(&[], json!({})).await;
    assert_eq!(behind.get("/", Some(&key)).await.status, 200);
    let path = format!("/api/keys/{}/revoke", key.id);
    behind.manage(Method::POST, &path, &json!({})).await;
    assert_eq!(behind.get("/", Some(&key)).await.refusal(), (401, "KEY_REVOKED"));
    assert_eq!(behind.backend.seen().await.len(), 1);
}

async fn a_key_without_the_scope_is_refused_there_alone(behind: Behind) {
    let key = behind.key(&["certificates:write"], json!({})).await;
    assert_eq!(behind.get("/", Some(&key)).await.status, 200);
    let seen = behind.get("/certificates/7", Some(&key)).await;
    assert_eq!(seen.refusal(), (403, "FORBIDDEN"));
    assert_eq!(seen.header("x-auth-code"), "FORBIDDEN");
    assert!(!seen.header("x-ratelimit-remaining").is_empty());
    assert_eq!(behind.backend.seen().await, ["GET /"]);
}

async fn the_workspace_is_the_one_that_was_named(behind: Behind) {
    let key = behind.key(&[], json!({})).await;
    let home = behind.server.text("workspaceId");
    let asked = |workspace: &str| {
        let request = behind.request(Method::GET, "/").bearer_auth(&key.secret);
        request.header("X-Workspace-ID", workspace)
    };
    let seen = behind.send(asked(home)).await;
    assert_eq!((seen.status, seen.sent("x-auth-workspace-id")), (200, vec![home]));
    let foreign = behind.send(asked("ws_01m86f3gb0evwbnthvbxmqd4dp")).await;
    assert_eq!(foreign.refusal(), (403, "WORKSPACE_ACCESS_DENIED"));
}

async fn a_key_that_is_used_too_often_is_told_when_to_come_again(behind: Behind) {
    let key = behind.key(&[], json!({"limits": {"minute": 1}})).await;
    let first = behind.get("/", Some(&key)).await;
    assert_eq!((first.status, first.header("x-ratelimit-remaining")), (200, "0"));
    let second = behind.get("/", Some(&key)).await;
    assert_eq!(second.refusal(), (429, "RATE_LIMITED"));
    let seconds: u32 = second.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    assert_eq!(second.header("x-ratelimit-limit"), "1");
    for name in [
        "ratelimit",
        "ratelimit-policy",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
    ] {
        assert!(!second.header(name).is_empty(), "{name}");
    }
    assert_eq!(behind.backend.seen().await.len(), 1);
}

async fn every_method_is_checked(behind: Behind) {
    let key = behind.key(&[], json!({})).await;
    let methods = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"];
    for method in methods {
        let asked = || behind.request(Method::from_bytes(method.as_bytes()).unwrap(), "/x");
        assert_eq!(behind.send(asked()).await.status, 401, "{method}");
        let seen = behind.send(asked().bearer_auth(&key.secret)).await;
        assert_eq!((seen.status, seen.header("x-backend")), (200, "yes"), "{method}");
    }
    let expected = methods.map(|method| format!("{method} /x"));
    assert_eq!(behind.backend.seen().await, expected);
}

async fn a_body_reaches_the_backend_whole(behind: Behind) {
    let key = behind.key(&[], json!({})).await;
    // More than any buffer on the way, and bytes of every kind.
    let body: Vec<u8> = (0..200_000_u32).map(|number| (number % 251) as u8).collect();
    let text: String = body.iter().map(|byte| char::from(*byte)).collect();
    let asked = || behind.request(Method::POST, "/x").bearer_auth(&key.secret);
    for request in [
        asked().body(body.clone()),
        asked().body(body.clone()).header("Expect", "100-continue"),
    ] {
        let seen = behind.send(request).await;
        assert_eq!(seen.status, 200, "{seen:?}");
        let arrived = seen.body["body"].as_str();
        let arrived = arrived.unwrap_or_else(|| panic!("{seen:?}: {}", behind.proxy.log()));
        assert!(arrived == text, "{} bytes arrived", arrived.chars().count());
    }
    // Of a length that is not told before.
    let address = behind.proxy.address();
    let chunked = format!(
        "POST /x HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\nTransfer-Encoding: chunked\r\n\
         Connection: close\r\n\r\n4\r\nwhol\r\n1;part=2\r\ne\r\n0\r\n\r\n",
        key.secret
    );
    let answer = raw::exchange(address, chunked.as_bytes()).await;
    assert_eq!(raw::status(&answer), 200, "{answer}");
    assert!(answer.contains("\"body\":\"whole\""), "{answer}");
    let seen = behind
        .send(behind.request(Method::POST, "/x").body(body.clone()))
        .await;
    assert_eq!(seen.status, 401);
    assert_eq!(behind.backend.seen().await.len(), 3);
}

async fn a_refusal_of_the_backend_is_its_own(behind: Behind) {
    let key = behind.key(&[], json!({})).await;
    let seen = behind.get("/x/forbidden", Some(&key)).await;
    assert_eq!((seen.status, seen.header("x-backend")), (403, "yes"));
    assert_eq!(seen.body["path"], "/x/forbidden");
}

async fn a_credential_that_came_twice_is_none(behind: Behind) {
    let key = behind.key(&[], json!({})).await;
    for name in ["X-Agent-API-Key", "Authorization"] {
        let value = match name {
            "Authorization" => format!("Bearer {}", key.secret),
            _ => key.secret.clone(),
        };
        let request = behind
            .request(Method::GET, "/")
            .header(name, &value)
            .header(name, &value);
        let seen = behind.send(request).await;
        // Some proxies refuse it themselves.
        assert!((400..=401).contains(&seen.status), "{name}: {seen:?}");
    }
    let other = behind.key(&[], json!({})).await;
    let request = behind.request(Method::GET, "/").bearer_auth(&key.secret);
    let seen = behind
        .send(request.header("X-Agent-API-Key", &other.secret))
        .await;
    assert_eq!(seen.refusal(), (401, "UNAUTHORIZED"));
    assert!(behind.backend.seen().await.is_empty());
}

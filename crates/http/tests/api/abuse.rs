//! Attacks that once worked.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tigertrust_accounts::ReachRequest;
use tigertrust_model::KeyType;
use tigertrust_testkit::{TestServer, on_both_engines, send};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

on_both_engines!(
    s21_a_key_that_reaches_further_than_the_caller_cannot_be_widened,
    s22_a_stronger_key_cannot_be_revived_by_a_weaker_one,
    s23_a_body_that_was_held_back_is_not_acted_upon_once_the_caller_is_revoked,
    s32_numbers_at_the_edge_leave_a_key_readable_and_revocable,
    s32_times_at_the_edge_are_refused,
    a_body_must_be_an_object,
    s20_a_key_in_the_wrong_place_is_not_echoed,
    what_a_proxy_copies_is_always_there,
    s19_s21_a_workspace_s_key_manages_its_home_alone,
    s20_a_value_of_the_wrong_type_is_not_echoed,
    s20_a_key_in_what_is_kept_or_shown_is_refused_or_left_out,
    s20_a_secret_as_a_name_is_not_echoed,
);

async fn s21_a_key_that_reaches_further_than_the_caller_cannot_be_widened(server: TestServer) {
    let (home, other) = (server.workspace("Home").await, server.workspace("Other").await);
    let admin = server.admin(&home).await;
    let reach = ReachRequest::Workspace {
        home: home.id,
        others: vec![other.id.to_string()],
    };
    let wide = server.issue(KeyType::Agent, &["certificates:read"], reach).await;
    let path = format!("/api/keys/{}", wide.key.id);
    for changes in [
        json!({"scopes": ["keys:read", "keys:write"]}),
        json!({"scopes": ["certificates:read"]}),
    ] {
        let refused = server.patch(&path, &admin, &changes).await;
        assert_eq!(refused.problem(), (403, "WORKSPACE_ACCESS_DENIED"), "{changes}");
    }
    assert_eq!(
        server
            .patch(&path, &admin, &json!({"name": "renamed", "active": false}))
            .await
            .status,
        200
    );
    assert_eq!(
        server
            .patch(&path, &admin, &json!({"workspaceIds": [], "active": true}))
            .await
            .status,
        200
    );
}

async fn s22_a_stronger_key_cannot_be_revived_by_a_weaker_one(server: TestServer) {
    let home = server.workspace("Home").await;
    let (admin, writer) = (
        server.admin(&home).await,
        server.key(&home, KeyType::Agent, &["keys:write"]).await,
    );
    let make = async |more: Value| {
        let mut body = json!({"name": "strong", "type": "agent", "scopes": ["certificates:write"]});
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let created = server.post("/api/keys", &admin, &body).await;
        format!("/api/keys/{}", created.body["id"].as_str().unwrap())
    };
    let off = make(json!({})).await;
    server.patch(&off, &admin, &json!({"active": false})).await;
    let short = make(json!({"expiresAt": "2027-01-15T08:00:01Z"})).await;
    let bound = make(json!({"allowedCidrs": ["198.51.100.0/24"]})).await;
    server.clock.advance(Duration::from_secs(1));
    for (path, changes) in [
        (&off, json!({"active": true})),
        (&short, json!({"expiresAt": null})),
        (&short, json!({"expiresAt": "2028-01-01T00:00:00Z"})),
        (&bound, json!({"allowedCidrs": []})),
    ] {
        assert_eq!(
            server.patch(path, &writer, &changes).await.problem(),
            (403, "FORBIDDEN"),
            "{changes}"
        );
        assert_eq!(
            server.patch(path, &admin, &changes).await.status,
            200,
            "{changes}"
        );
    }
    assert_eq!(
        server
            .patch(&bound, &writer, &json!({"active": false}))
            .await
            .status,
        200
    );
}

async fn s23_a_body_that_was_held_back_is_not_acted_upon_once_the_caller_is_revoked(server: TestServer) {
    let home = server.workspace("Home").await;
    let (admin, thief) = (server.admin(&home).await, server.admin(&home).await);
    let body = json!({"name": "mine", "type": "agent", "scopes": ["keys:write"]}).to_string();
    let head = format!(
        "POST /api/keys HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Agent-API-Key: {}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        thief.secret.reveal(),
        body.len()
    );
    let mut stream = TcpStream::connect(server.base_url().strip_prefix("http://").unwrap())
        .await
        .unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&body.as_bytes()[..5]).await.unwrap();
    // The head is certainly read once another request of the same key has been answered.
    assert_eq!(server.get("/api/auth/me", &thief).await.status, 200);
    let revoke = format!("/api/keys/{}/revoke", thief.key.id);
    assert_eq!(server.post(&revoke, &admin, &json!({})).await.status, 200);
    stream.write_all(&body.as_bytes()[5..]).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 401") && answer.contains("KEY_REVOKED"),
        "{answer}"
    );
    let listed = server.get("/api/keys", &admin).await;
    assert_eq!(listed.body["items"].as_array().unwrap().len(), 2);
}

async fn s32_numbers_at_the_edge_leave_a_key_readable_and_revocable(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    for number in [
        "1.7976931348623157e308",
        "-1e308",
        "5e-324",
        "18446744073709551615",
        "-9223372036854775808",
        "0.1",
    ] {
        let metadata: Value = serde_json::from_str(&format!(r#"{{"n":{number},"nul":"\u0000"}}"#)).unwrap();
        let body = json!({"name": "x", "type": "agent", "scopes": [], "metadata": metadata});
        let created = server.post("/api/keys", &admin, &body).await;
        assert_eq!(created.status, 201, "{number}");
        let path = format!("/api/keys/{}", created.body["id"].as_str().unwrap());
        assert_eq!(
            server.get(&path, &admin).await.body["metadata"],
            metadata,
            "{number}"
        );
        let me = server
            .request(Method::GET, "/api/auth/me")
            .bearer_auth(created.body["key"].as_str().unwrap());
        assert_eq!(send(me).await.body["metadata"], metadata, "{number}");
        assert_eq!(
            server
                .post(&format!("{path}/revoke"), &admin, &json!({}))
                .await
                .status,
            200,
            "{number}"
        );
    }
    assert_eq!(server.get("/api/keys", &admin).await.status, 200);
    let request = server
        .request(Method::POST, "/api/keys")
        .bearer_auth(admin.secret.reveal());
    let request = request.header("Content-Type", "application/json");
    let refused =
        send(request.body(r#"{"name":"x","type":"agent","scopes":[],"metadata":{"n":1e400}}"#)).await;
    assert_eq!(refused.problem(), (400, "VALIDATION_ERROR"));
}

async fn s32_times_at_the_edge_are_refused(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    for time in ["9999-12-31T23:59:59-23:59", "0000-01-01T00:00:00+23:59"] {
        let body = json!({"name": "x", "type": "agent", "scopes": [], "expiresAt": time});
        let refused = server.post("/api/keys", &admin, &body).await;
        assert_eq!(
            (refused.problem(), refused.pointers()),
            ((400, "VALIDATION_ERROR"), vec!["/expiresAt"]),
            "{time}"
        );
        let path = format!("/api/keys?unusedSince={}", time.replace('+', "%2B"));
        assert_eq!(
            server.get(&path, &admin).await.problem(),
            (400, "VALIDATION_ERROR"),
            "{time}"
        );
    }
    let body =
        json!({"name": "x", "type": "agent", "scopes": [], "expiresAt": "9999-12-31T23:59:59.999999Z"});
    let created = server.post("/api/keys", &admin, &body).await;
    assert_eq!(created.body["expiresAt"], "9999-12-31T23:59:59.999999Z");
}

async fn a_body_must_be_an_object(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let path = format!("/api/keys/{}", admin.key.id);
    for (method, path, body) in [
        (
            Method::POST,
            "/api/keys".to_owned(),
            json!(["n", "agent", ["certificates:read"]]),
        ),
        (Method::PATCH, path.clone(), json!(["renamed", false])),
        (Method::POST, format!("{path}/revoke"), json!([])),
        (Method::POST, format!("{path}/rotate"), json!([60])),
        (
            Method::POST,
            "/api/keys/verify".to_owned(),
            json!([admin.secret.reveal()]),
        ),
        (Method::POST, "/api/keys".to_owned(), json!("text")),
        (Method::PATCH, path.clone(), json!(null)),
    ] {
        let refused = send(
            server
                .request(method, &path)
                .bearer_auth(admin.secret.reveal())
                .json(&body),
        )
        .await;
        assert_eq!(
            (refused.problem(), refused.pointers()),
            ((400, "VALIDATION_ERROR"), vec![""]),
            "{path} {body}"
        );
    }
    assert_eq!(server.get("/api/auth/me", &admin).await.status, 200);
}

async fn s20_a_key_in_the_wrong_place_is_not_echoed(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let secret = admin.secret.reveal();
    let field = json!({"name": "x", "type": "agent", "scopes": [], secret: 1});
    for answer in [
        server.get(&format!("/api/keys?{secret}=1"), &admin).await,
        server.get(&format!("/api/keys?cursor={secret}"), &admin).await,
        server
            .get(&format!("/api/auth/check?scope={secret}"), &admin)
            .await,
        server.post("/api/keys", &admin, &field).await,
        server
            .post(
                "/api/keys",
                &admin,
                &json!({"name": "x", "type": secret, "scopes": []}),
            )
            .await,
        server
            .post(
                "/api/keys",
                &admin,
                &json!({"name": "x", "type": "agent", "scopes": [secret]}),
            )
            .await,
        server.get(&format!("/api/keys/{secret}"), &admin).await,
    ] {
        assert!(answer.status.is_client_error());
        assert!(!answer.body.to_string().contains(secret), "{}", answer.body);
    }
}

async fn what_a_proxy_copies_is_always_there(server: TestServer) {
    let home = server.workspace("Home").await;
    let key = server.key(&home, KeyType::Agent, &[]).await;
    let instance = server.issue(KeyType::Agent, &[], ReachRequest::Instance).await;
    for key in [&key, &instance] {
        let passed = server.get("/api/auth/check", key).await;
        for name in [
            "type",
            "key-id",
            "key-type",
            "scopes",
            "workspace-id",
            "external-id",
        ] {
            assert!(passed.headers.contains_key(format!("x-auth-{name}")), "{name}");
        }
    }
    let anonymous = send(server.request(Method::GET, "/api/auth/check?scope=nonsense")).await;
    assert_eq!(
        anonymous.problem(),
        (401, "UNAUTHORIZED"),
        "a stranger must not learn which scopes there are"
    );
}

async fn s19_s21_a_workspace_s_key_manages_its_home_alone(server: TestServer) {
    let (home, other) = (server.workspace("Home").await, server.workspace("Other").await);
    let reach = ReachRequest::Workspace {
        home: home.id,
        others: vec![other.id.to_string()],
    };
    // Whoever made it may be no member of the other workspace any more, where nobody can see the key.
    let key = server
        .issue(
            KeyType::Agent,
            &["keys:*", "members:write", "workspace:*", "certificates:write"],
            reach,
        )
        .await;
    let members = format!("/api/workspaces/{}/members", other.id);
    let workspace = format!("/api/workspaces/{}", other.id);
    let call = |method: Method, path: &str, body: Value| {
        let request = server.request(method, path).bearer_auth(key.secret.reveal());
        send(request.header("X-Workspace-ID", other.id.to_string()).json(&body))
    };
    for (method, path, body) in [
        (Method::GET, members.as_str(), Value::Null),
        (Method::PATCH, workspace.as_str(), json!({"name": "taken"})),
        (
            Method::POST,
            "/api/keys",
            json!({"name": "x", "type": "agent", "scopes": []}),
        ),
        (Method::GET, "/api/keys", Value::Null),
    ] {
        assert_eq!(
            call(method, path, body).await.problem(),
            (403, "FORBIDDEN"),
            "{path}"
        );
    }
    let check = call(
        Method::GET,
        "/api/auth/check?scope=certificates:write",
        Value::Null,
    )
    .await;
    assert_eq!(check.status, 200);
    assert_eq!(check.header("x-auth-scopes"), "certificates:write");
    let at_home = server.get("/api/keys", &key).await;
    assert_eq!(at_home.status, 200);
}

async fn s20_a_value_of_the_wrong_type_is_not_echoed(server: TestServer) {
    let key = "ak_00000000000000000000000000000000000000000002PL60u";
    for (path, body) in [
        (
            "/api/auth/login",
            json!({"email": "jo@example.com", "password": 918_273_645}),
        ),
        ("/api/auth/verify-2fa", json!({"token": "x", "code": 918_273_645})),
        ("/api/keys/report-leak", json!(key)),
        ("/api/keys/report-leak", json!({"key": [key]})),
    ] {
        let answer = send(server.request(Method::POST, path).json(&body)).await;
        assert_eq!(answer.problem(), (400, "VALIDATION_ERROR"), "{path}");
        let text = answer.body.to_string();
        assert!(!text.contains("918273645") && !text.contains(key), "{text}");
    }
}

async fn s20_a_key_in_what_is_kept_or_shown_is_refused_or_left_out(server: TestServer) {
    let home = server.workspace("Home").await;
    let (admin, other) = (server.admin(&home).await, server.admin(&home).await);
    let secret = other.secret.reveal();
    let id = admin.key.id;
    let edited = format!("/api/keys/{id}");
    for (method, path, body) in [
        (
            Method::POST,
            "/api/keys",
            json!({"name": secret, "type": "agent", "scopes": []}),
        ),
        (
            Method::POST,
            "/api/keys",
            json!({"name": "x", "type": "agent", "scopes": [], "externalId": format!("x-{secret}")}),
        ),
        (
            Method::PATCH,
            &edited,
            json!({"metadata": {"note": [format!("it was {secret}")]}}),
        ),
        (
            Method::POST,
            &format!("{edited}/revoke"),
            json!({"reason": format!("leaked {secret}")}),
        ),
    ] {
        let request = server.request(method, path).bearer_auth(admin.secret.reveal());
        let answer = send(request.json(&body)).await;
        assert_eq!(answer.problem(), (400, "VALIDATION_ERROR"), "{path}: {body}");
        assert!(!answer.body.to_string().contains(secret), "{}", answer.body);
    }
    // The id of a request is kept in the audit log for good, and a user agent with sessions and last uses.
    let agent = format!("curl/8 {secret}");
    server.clock.advance(Duration::from_secs(1));
    for (method, path) in [
        (Method::GET, "/api/auth/check"),
        (Method::GET, "/api/keys?colour=red"),
        (Method::POST, "/api/keys"),
    ] {
        let request = server.request(method, path).bearer_auth(admin.secret.reveal());
        let request = request
            .header("X-Request-Id", secret)
            .header("User-Agent", &agent);
        let body = json!({"name": "made", "type": "agent", "scopes": ["certificates:read"]});
        let answer = send(request.json(&body)).await;
        assert!(answer.header("x-request-id").starts_with("req_"), "{path}");
        assert!(!answer.body.to_string().contains(secret), "{}", answer.body);
    }
    server.flush_uses().await;
    server.flush_refusals().await;
    let shown = server.get(&edited, &admin).await;
    assert_eq!(
        shown.body["secrets"][0]["lastUsedUserAgent"], "curl/8 [a key]",
        "{}",
        shown.body
    );
    assert!(!server.dump().await.contains(secret));
}

async fn s20_a_secret_as_a_name_is_not_echoed(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let token = "wL3kq0ZrT5xYb8NfJ2mVhC7dPsUaG1eQoX9iRtWyKzB";
    let field = json!({"email": "jo@example.com", "password": "x", token: 1});
    for answer in [
        send(server.request(Method::POST, "/api/auth/login").json(&field)).await,
        server.get(&format!("/api/keys?{token}=1"), &admin).await,
        server
            .post("/api/keys", &admin, &json!({"limits": {token: 1}}))
            .await,
    ] {
        assert_eq!(answer.problem(), (400, "VALIDATION_ERROR"));
        assert!(!answer.body.to_string().contains(token), "{}", answer.body);
    }
}

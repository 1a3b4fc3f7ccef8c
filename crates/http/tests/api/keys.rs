//! `/api/keys`.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tigertrust_accounts::ReachRequest;
use tigertrust_model::{KeyType, ScopeCatalog};
use tigertrust_testkit::{TestServer, on_both_engines, send};

on_both_engines!(
    a_key_lives_from_its_creation_to_its_refusal,
    creation_shows_the_secret_once_and_keeps_every_field,
    a_list_has_pages_and_is_newest_first,
    an_edit_changes_what_it_names_and_nothing_else,
    null_takes_away_what_may_be_missing,
    a_deactivated_key_is_refused_until_it_is_active_again,
    an_expired_key_is_refused_and_can_be_extended,
    revocation_is_final_and_may_be_repeated,
    a_key_may_always_revoke_itself_and_no_other,
    bad_bodies_are_400_with_a_pointer,
    bad_edits_are_400_with_a_pointer_and_change_nothing,
    s21_workspaces_beyond_the_caller_s_are_403,
    s21_home_and_owner_come_from_the_caller,
    s22_scopes_beyond_the_caller_s_are_403,
    s22_a_key_cannot_be_widened_beyond_the_caller,
    a_key_of_another_workspace_answers_as_an_unknown_one,
    bodies_that_are_no_json_are_refused,
    odd_but_valid_text_survives,
);

fn ci() -> Value {
    json!({"name": "ci", "type": "agent", "scopes": ["certificates:read"]})
}

async fn a_key_lives_from_its_creation_to_its_refusal(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let created = server.post("/api/keys", &admin, &ci()).await;
    assert_eq!(created.status, 201);
    let secret = created.body["key"].as_str().unwrap().to_owned();
    let path = format!("/api/keys/{}", created.body["id"].as_str().unwrap());
    let check = async || {
        send(
            server
                .request(Method::GET, "/api/auth/check")
                .bearer_auth(&secret),
        )
        .await
    };
    assert_eq!(check().await.status, 200);
    let revoked = server
        .post(&format!("{path}/revoke"), &admin, &json!({"reason": "leaked"}))
        .await;
    assert_eq!(
        (revoked.status.as_u16(), revoked.body["state"].as_str()),
        (200, Some("revoked"))
    );
    assert_eq!(check().await.problem(), (401, "KEY_REVOKED"));
    let shown = server.get(&path, &admin).await;
    assert_eq!(shown.body["revocationReason"], "leaked");
    assert_eq!(shown.body["revokedAt"], "2027-01-15T08:00:00Z");
}

async fn creation_shows_the_secret_once_and_keeps_every_field(server: TestServer) {
    let (home, other) = (server.workspace("Home").await, server.workspace("Other").await);
    let scopes = ScopeCatalog::default().all_for(KeyType::Agent);
    let scopes: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
    let reach = ReachRequest::Workspace {
        home: home.id,
        others: vec![other.id.to_string()],
    };
    let admin = server.issue(KeyType::Agent, &scopes, reach).await;
    let body = json!({
        "name": "CI of the billing team",
        "type": "public",
        "scopes": ["certificates:write", "certificates:read", "certificates:read"],
        "expiresAt": "2027-03-01T00:00:00+01:00",
        "workspaceIds": [other.id.to_string(), home.id.to_string()],
        "allowedCidrs": ["2001:db8::7", "::ffff:192.0.2.9/120"],
        "limits": {"minute": 5},
        "externalId": "customer/42",
        "metadata": {"team": "billing", "nested": {"n": 1.5, "list": [null, true]}},
    });
    let created = server.post("/api/keys", &admin, &body).await;
    assert_eq!(created.status, 201, "{:?}", created.body);
    let secret = created.body["key"].as_str().unwrap();
    assert!(secret.starts_with("ck_") && secret.len() == 52);
    let id = created.body["id"].as_str().unwrap();
    assert_eq!(created.header("location"), format!("/api/keys/{id}"));
    assert_eq!(created.header("cache-control"), "no-store");
    let shown = server.get(&format!("/api/keys/{id}"), &admin).await;
    assert_eq!(
        shown.body,
        json!({
            "id": id,
            "type": "public",
            "name": "CI of the billing team",
            "state": "active",
            "start": secret[..8],
            "lastFour": secret[48..],
            "secrets": [{
                "start": secret[..8],
                "lastFour": secret[48..],
                "format": null,
                "createdAt": "2027-01-15T08:00:00Z",
                "endsAt": null,
                "lastUsedAt": null,
                "lastUsedAddress": null,
                "lastUsedUserAgent": null,
            }],
            "lastUsedAt": null,
            "scopes": ["certificates:read", "certificates:write"],
            "homeWorkspaceId": home.id.to_string(),
            "workspaceIds": [home.id.to_string(), other.id.to_string()],
            "instance": false,
            "limits": {"minute": 5, "hour": null},
            "allowedCidrs": ["192.0.2.0/24", "2001:db8::7/128"],
            "externalId": "customer/42",
            "metadata": {"team": "billing", "nested": {"n": 1.5, "list": [null, true]}},
            "expiresAt": "2027-02-28T23:00:00Z",
            "createdBy": admin.key.id.to_string(),
            "createdAt": "2027-01-15T08:00:00Z",
            "updatedAt": "2027-01-15T08:00:00Z",
            "revokedAt": null,
            "revocationReason": null,
            "leakReportedAt": null,
            "ownerId": null,
        })
    );
    let listed = server.get("/api/keys", &admin).await;
    assert!(!listed.body.to_string().contains(secret));
}

async fn a_list_has_pages_and_is_newest_first(server: TestServer) {
    let (home, foreign) = (server.workspace("Home").await, server.workspace("Foreign").await);
    server.admin(&foreign).await;
    let admin = server.admin(&home).await;
    let mut names = Vec::new();
    for number in 0..5 {
        server.clock.advance(Duration::from_millis(2));
        let body = json!({"name": format!("key {number}"), "type": "agent", "scopes": []});
        assert_eq!(server.post("/api/keys", &admin, &body).await.status, 201);
        names.insert(0, format!("key {number}"));
    }
    names.push("a key".to_owned());
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = server.get(&format!("/api/keys?limit=2{cursor}"), &admin).await;
        assert_eq!(page.status, 200);
        let items = page.body["items"].as_array().unwrap();
        assert!(items.len() <= 2);
        seen.extend(items.iter().map(|item| item["name"].as_str().unwrap().to_owned()));
        match page.body["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, names);
    for query in [
        "limit=0",
        "limit=201",
        "limit=x",
        "limit=",
        "limit=-1",
        "cursor=x",
        "limt=5",
        "limit=1&limit=2",
    ] {
        let refused = server.get(&format!("/api/keys?{query}"), &admin).await;
        assert_eq!(refused.problem(), (400, "VALIDATION_ERROR"), "{query}");
    }
}

async fn an_edit_changes_what_it_names_and_nothing_else(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let created = server.post("/api/keys", &admin, &ci()).await;
    let path = format!("/api/keys/{}", created.body["id"].as_str().unwrap());
    let before = server.get(&path, &admin).await.body;
    server.clock.advance(Duration::from_secs(60));
    let changes =
        json!({"name": "renamed", "scopes": ["certificates:write"], "externalId": "x", "metadata": {"a": 1}});
    let edited = server.patch(&path, &admin, &changes).await;
    assert_eq!(edited.status, 200, "{:?}", edited.body);
    let mut expected = before;
    for (field, value) in changes.as_object().unwrap() {
        expected[field] = value.clone();
    }
    expected["updatedAt"] = json!("2027-01-15T08:01:00Z");
    assert_eq!(edited.body, expected);
    assert_eq!(server.get(&path, &admin).await.body, expected);
    let secret = created.body["key"].as_str().unwrap();
    let write = server
        .request(Method::GET, "/api/auth/check?scope=certificates:write")
        .bearer_auth(secret);
    assert_eq!(send(write).await.status, 200);
    let unchanged = server.patch(&path, &admin, &json!({})).await;
    assert_eq!(
        (unchanged.status.as_u16(), &unchanged.body["name"]),
        (200, &json!("renamed"))
    );
}

async fn null_takes_away_what_may_be_missing(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let mut body = ci();
    body["expiresAt"] = json!("2030-01-01T00:00:00Z");
    body["externalId"] = json!("x");
    body["metadata"] = json!({"a": 1});
    let created = server.post("/api/keys", &admin, &body).await;
    let path = format!("/api/keys/{}", created.body["id"].as_str().unwrap());
    let edited = server
        .patch(
            &path,
            &admin,
            &json!({"expiresAt": null, "externalId": null, "metadata": null}),
        )
        .await;
    assert_eq!(edited.status, 200);
    assert_eq!(
        (
            &edited.body["expiresAt"],
            &edited.body["externalId"],
            &edited.body["metadata"]
        ),
        (&Value::Null, &Value::Null, &json!({}))
    );
    for field in ["name", "active", "scopes", "workspaceIds"] {
        let refused = server.patch(&path, &admin, &json!({field: null})).await;
        assert_eq!(refused.problem(), (400, "VALIDATION_ERROR"), "{field}");
        assert_eq!(refused.pointers(), [format!("/{field}")]);
    }
}

async fn a_deactivated_key_is_refused_until_it_is_active_again(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let created = server.post("/api/keys", &admin, &ci()).await;
    let path = format!("/api/keys/{}", created.body["id"].as_str().unwrap());
    let secret = created.body["key"].as_str().unwrap();
    let check = async || send(server.request(Method::GET, "/api/auth/check").bearer_auth(secret)).await;
    for (active, state, status) in [
        (true, "active", 200),
        (false, "deactivated", 401),
        (true, "active", 200),
    ] {
        let edited = server.patch(&path, &admin, &json!({"active": active})).await;
        assert_eq!(edited.body["state"], state);
        assert_eq!(check().await.status, status);
    }
}

async fn an_expired_key_is_refused_and_can_be_extended(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let mut body = ci();
    body["expiresAt"] = json!("2027-01-15T08:00:01Z");
    let created = server.post("/api/keys", &admin, &body).await;
    let path = format!("/api/keys/{}", created.body["id"].as_str().unwrap());
    let secret = created.body["key"].as_str().unwrap();
    let check = async || send(server.request(Method::GET, "/api/auth/check").bearer_auth(secret)).await;
    assert_eq!(check().await.status, 200);
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(check().await.problem(), (401, "TOKEN_EXPIRED"));
    assert_eq!(server.get(&path, &admin).await.body["state"], "expired");
    let extended = server
        .patch(&path, &admin, &json!({"expiresAt": "2027-01-15T09:00:00Z"}))
        .await;
    assert_eq!(extended.body["state"], "active");
    assert_eq!(check().await.status, 200);
}

async fn revocation_is_final_and_may_be_repeated(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let created = server.post("/api/keys", &admin, &ci()).await;
    let path = format!("/api/keys/{}", created.body["id"].as_str().unwrap());
    let revoke = server
        .request(Method::POST, &format!("{path}/revoke"))
        .bearer_auth(admin.secret.reveal());
    let first = send(revoke).await;
    assert_eq!(
        (first.status.as_u16(), &first.body["revocationReason"]),
        (200, &Value::Null)
    );
    server.clock.advance(Duration::from_secs(5));
    let again = server
        .post(&format!("{path}/revoke"), &admin, &json!({"reason": "too late"}))
        .await;
    assert_eq!((again.status.as_u16(), &again.body), (200, &first.body));
    for changes in [json!({"active": true}), json!({"name": "x"}), json!({})] {
        let refused = server.patch(&path, &admin, &changes).await;
        assert_eq!(refused.problem(), (409, "CONFLICT"), "{changes}");
    }
    let too_long = server
        .post(
            &format!("{path}/revoke"),
            &admin,
            &json!({"reason": "x".repeat(501)}),
        )
        .await;
    assert_eq!(
        (too_long.problem(), too_long.pointers()),
        ((400, "VALIDATION_ERROR"), vec!["/reason"])
    );
}

async fn a_key_may_always_revoke_itself_and_no_other(server: TestServer) {
    let home = server.workspace("Home").await;
    for kind in KeyType::ALL {
        let (key, other) = (
            server.key(&home, kind, &[]).await,
            server.key(&home, kind, &[]).await,
        );
        let path = |key: &tigertrust_accounts::IssuedKey| format!("/api/keys/{}/revoke", key.key.id);
        assert_eq!(
            server.post(&path(&other), &key, &json!({})).await.problem(),
            (403, "FORBIDDEN")
        );
        assert_eq!(
            server
                .post(&path(&key), &key, &json!({"reason": "leaked"}))
                .await
                .status,
            200
        );
        assert_eq!(
            server.get("/api/auth/me", &key).await.problem(),
            (401, "KEY_REVOKED")
        );
        assert_eq!(server.get("/api/auth/me", &other).await.status, 200);
    }
}

async fn bad_bodies_are_400_with_a_pointer(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let with = |field: &str, value: Value| {
        let mut body = ci();
        body[field] = value;
        body
    };
    let without = |field: &str| {
        let mut body = ci();
        body.as_object_mut().unwrap().remove(field);
        body
    };
    let cases = [
        (with("name", json!("")), "/name"),
        (with("name", json!("   ")), "/name"),
        (with("name", json!("x".repeat(101))), "/name"),
        (with("name", json!("two\nlines")), "/name"),
        (with("name", json!("\u{1b}[31mred")), "/name"),
        (with("name", json!(5)), "/name"),
        (with("name", json!(null)), "/name"),
        (without("name"), ""),
        (with("type", json!("secret")), "/type"),
        (with("type", json!("Agent")), "/type"),
        (without("type"), ""),
        (with("scopes", json!("certificates:read")), "/scopes"),
        (with("scopes", json!(["certificates:read", 5])), "/scopes/1"),
        (
            with("scopes", json!(["certificates:read", "nonsense"])),
            "/scopes/1",
        ),
        (with("scopes", json!(["certificates:delete"])), "/scopes/0"),
        (with("scopes", json!(vec!["certificates:read"; 65])), "/scopes"),
        (without("scopes"), ""),
        (
            json!({"name": "x", "type": "public", "scopes": ["keys:read"]}),
            "/scopes/0",
        ),
        (
            json!({"name": "x", "type": "public", "scopes": ["agents:*"]}),
            "/scopes/0",
        ),
        (with("expiresAt", json!("2027-01-15T08:00:00Z")), "/expiresAt"),
        (with("expiresAt", json!("2020-01-01T00:00:00Z")), "/expiresAt"),
        (with("expiresAt", json!("tomorrow")), "/expiresAt"),
        (with("expiresAt", json!(1_900_000_000)), "/expiresAt"),
        (with("workspaceIds", json!("ws_")), "/workspaceIds"),
        (
            with("workspaceIds", json!(vec!["ws_00000000000000000000000000"; 101])),
            "/workspaceIds",
        ),
        (with("allowedCidrs", json!("192.0.2.0/24")), "/allowedCidrs"),
        (
            with("allowedCidrs", json!(["192.0.2.0/24", "nowhere"])),
            "/allowedCidrs/1",
        ),
        (with("allowedCidrs", json!(["192.0.2.0/33"])), "/allowedCidrs/0"),
        (
            with("allowedCidrs", json!(vec!["192.0.2.0/24"; 51])),
            "/allowedCidrs",
        ),
        (with("externalId", json!("")), "/externalId"),
        (with("externalId", json!("x".repeat(256))), "/externalId"),
        (with("metadata", json!([])), "/metadata"),
        (with("metadata", json!({"x": "y".repeat(4096)})), "/metadata"),
        (
            with("ownerId", json!("usr_00000000000000000000000000")),
            "/ownerId",
        ),
        (with("key", json!("ak_mine")), "/key"),
    ];
    for (body, pointer) in cases {
        let refused = server.post("/api/keys", &admin, &body).await;
        assert_eq!(refused.problem(), (400, "VALIDATION_ERROR"), "{body}");
        assert_eq!(refused.pointers(), [pointer], "{body}");
    }
    let all = json!({"name": "", "type": "agent", "scopes": ["x"], "expiresAt": "2020-01-01T00:00:00Z"});
    assert_eq!(
        server.post("/api/keys", &admin, &all).await.pointers(),
        ["/name", "/expiresAt", "/scopes/0"]
    );
    assert_eq!(
        server.get("/api/keys", &admin).await.body["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

async fn bad_edits_are_400_with_a_pointer_and_change_nothing(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let created = server.post("/api/keys", &admin, &ci()).await;
    let path = format!("/api/keys/{}", created.body["id"].as_str().unwrap());
    let before = server.get(&path, &admin).await.body;
    let cases = [
        (json!({"name": ""}), "/name"),
        (json!({"name": "good", "externalId": "bad\r"}), "/externalId"),
        (json!({"active": "yes"}), "/active"),
        (json!({"scopes": ["keys:fly"]}), "/scopes/0"),
        (json!({"expiresAt": "2020-01-01T00:00:00Z"}), "/expiresAt"),
        (json!({"type": "public"}), "/type"),
        (json!({"state": "active"}), "/state"),
        (json!({"id": "key_00000000000000000000000000"}), "/id"),
    ];
    for (body, pointer) in cases {
        let refused = server.patch(&path, &admin, &body).await;
        assert_eq!(
            (refused.problem(), refused.pointers()),
            ((400, "VALIDATION_ERROR"), vec![pointer]),
            "{body}"
        );
    }
    assert_eq!(server.get(&path, &admin).await.body, before);
}

async fn s21_workspaces_beyond_the_caller_s_are_403(server: TestServer) {
    let (home, foreign) = (server.workspace("Home").await, server.workspace("Foreign").await);
    let admin = server.admin(&home).await;
    let created = server.post("/api/keys", &admin, &ci()).await;
    let path = format!("/api/keys/{}", created.body["id"].as_str().unwrap());
    for id in [
        foreign.id.to_string(),
        "ws_00000000000000000000000000".to_owned(),
        "nonsense".to_owned(),
    ] {
        let mut body = ci();
        body["workspaceIds"] = json!([home.id.to_string(), id]);
        let refused = server.post("/api/keys", &admin, &body).await;
        assert_eq!(refused.problem(), (403, "WORKSPACE_ACCESS_DENIED"), "{id}");
        assert_eq!(refused.pointers(), ["/workspaceIds/1"]);
        let refused = server.patch(&path, &admin, &json!({"workspaceIds": [id]})).await;
        assert_eq!(refused.problem(), (403, "WORKSPACE_ACCESS_DENIED"));
    }
}

async fn s21_home_and_owner_come_from_the_caller(server: TestServer) {
    let (home, foreign) = (server.workspace("Home").await, server.workspace("Foreign").await);
    let admin = server.admin(&home).await;
    for field in [
        "homeWorkspaceId",
        "workspaceId",
        "ownerId",
        "userId",
        "createdBy",
        "instance",
    ] {
        let mut body = ci();
        body[field] = json!(foreign.id.to_string());
        let refused = server.post("/api/keys", &admin, &body).await;
        assert_eq!(
            (refused.problem(), refused.pointers()),
            ((400, "VALIDATION_ERROR"), vec![format!("/{field}").as_str()])
        );
    }
    let created = server.post("/api/keys", &admin, &ci()).await;
    assert_eq!(created.body["homeWorkspaceId"], home.id.to_string());
}

async fn s22_scopes_beyond_the_caller_s_are_403(server: TestServer) {
    let home = server.workspace("Home").await;
    let writer = server
        .key(&home, KeyType::Agent, &["keys:write", "certificates:read"])
        .await;
    for scope in ["certificates:write", "certificates:*", "keys:read", "audit:read"] {
        let body = json!({"name": "x", "type": "agent", "scopes": ["certificates:read", scope]});
        let refused = server.post("/api/keys", &writer, &body).await;
        assert_eq!(
            (refused.problem(), refused.pointers()),
            ((403, "FORBIDDEN"), vec!["/scopes"]),
            "{scope}"
        );
    }
    let body = json!({"name": "x", "type": "agent", "scopes": ["certificates:read", "keys:write"]});
    assert_eq!(server.post("/api/keys", &writer, &body).await.status, 201);
}

async fn s22_a_key_cannot_be_widened_beyond_the_caller(server: TestServer) {
    let (home, other) = (server.workspace("Home").await, server.workspace("Other").await);
    let reach = ReachRequest::Workspace {
        home: home.id,
        others: vec![other.id.to_string()],
    };
    let writer = server.issue(KeyType::Agent, &["keys:write"], reach).await;
    let strong = server.key(&home, KeyType::Agent, &["audit:read"]).await;
    let path = format!("/api/keys/{}", strong.key.id);
    for changes in [
        json!({"scopes": ["audit:read", "keys:write"]}),
        json!({"scopes": ["members:write"]}),
        json!({"workspaceIds": [other.id.to_string()]}),
    ] {
        let refused = server.patch(&path, &writer, &changes).await;
        assert_eq!(refused.problem(), (403, "FORBIDDEN"), "{changes}");
    }
    assert_eq!(
        server
            .patch(&path, &writer, &json!({"scopes": [], "name": "weak"}))
            .await
            .status,
        200
    );
}

async fn a_key_of_another_workspace_answers_as_an_unknown_one(server: TestServer) {
    let (home, foreign) = (server.workspace("Home").await, server.workspace("Foreign").await);
    let (admin, stranger) = (server.admin(&home).await, server.admin(&foreign).await);
    let unknown = "key_00000000000000000000000000".to_owned();
    for id in [
        stranger.key.id.to_string(),
        unknown,
        "nonsense".to_owned(),
        home.id.to_string(),
    ] {
        let path = format!("/api/keys/{id}");
        let answers = [
            server.get(&path, &admin).await,
            server.patch(&path, &admin, &json!({"active": false})).await,
            server.post(&format!("{path}/revoke"), &admin, &json!({})).await,
        ];
        for answer in answers {
            assert_eq!(answer.problem(), (404, "NOT_FOUND"), "{id}");
        }
    }
    assert_eq!(server.get("/api/auth/me", &stranger).await.status, 200);
}

async fn bodies_that_are_no_json_are_refused(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let post = |content_type: Option<&str>, body: String| {
        let request = server
            .request(Method::POST, "/api/keys")
            .bearer_auth(admin.secret.reveal())
            .body(body);
        send(
            content_type
                .into_iter()
                .fold(request, |request, value| request.header("Content-Type", value)),
        )
    };
    let json_type = Some("application/json");
    for (content_type, body, problem) in [
        (None, ci().to_string(), (415, "UNSUPPORTED_MEDIA_TYPE")),
        (
            Some("text/plain"),
            ci().to_string(),
            (415, "UNSUPPORTED_MEDIA_TYPE"),
        ),
        (
            Some("application/x-www-form-urlencoded"),
            "name=x".to_owned(),
            (415, "UNSUPPORTED_MEDIA_TYPE"),
        ),
        (json_type, String::new(), (400, "VALIDATION_ERROR")),
        (json_type, "{".to_owned(), (400, "VALIDATION_ERROR")),
        (json_type, "[]".to_owned(), (400, "VALIDATION_ERROR")),
        (json_type, format!("{}{}", ci(), ci()), (400, "VALIDATION_ERROR")),
        (
            json_type,
            r#"{"name":"a","name":"b","type":"agent","scopes":[]}"#.to_owned(),
            (400, "VALIDATION_ERROR"),
        ),
        (json_type, "[".repeat(10_000), (400, "VALIDATION_ERROR")),
        (
            json_type,
            format!("{}{}", ci(), " ".repeat(65_536)),
            (413, "PAYLOAD_TOO_LARGE"),
        ),
    ] {
        let shown: String = body.chars().take(60).collect();
        assert_eq!(
            post(content_type, body).await.problem(),
            problem,
            "{content_type:?} {shown}"
        );
    }
    assert_eq!(
        post(Some("Application/JSON; charset=utf-8"), ci().to_string())
            .await
            .status,
        201
    );
}

async fn odd_but_valid_text_survives(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    for name in [
        "'; DROP TABLE api_keys; --",
        "<script>alert(1)</script>",
        "日本語 🔑",
        "%00",
        "=1+1",
        " padded ",
    ] {
        let body = json!({"name": name, "type": "agent", "scopes": [], "externalId": name, "metadata": {name: name}});
        let created = server.post("/api/keys", &admin, &body).await;
        assert_eq!(created.status, 201, "{name}");
        let shown = server
            .get(
                &format!("/api/keys/{}", created.body["id"].as_str().unwrap()),
                &admin,
            )
            .await;
        assert_eq!(shown.body["name"], name);
        assert_eq!(shown.body["externalId"], name);
        assert_eq!(shown.body["metadata"], json!({name: name}));
    }
}

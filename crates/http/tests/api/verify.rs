//! `POST /api/keys/verify`.

use serde_json::{Value, json};
use tigertrust_accounts::ReachRequest;
use tigertrust_model::KeyType;
use tigertrust_testkit::{TestServer, on_both_engines};

on_both_engines!(
    a_good_key_is_valid_with_all_that_is_known_of_it,
    a_key_that_is_not_good_is_explained,
    a_workspace_s_key_learns_only_of_its_own_keys,
    an_instance_key_verifies_every_key,
    what_makes_no_sense_is_400,
    an_old_secret_is_valid_until_its_overlap_ends,
);

async fn a_good_key_is_valid_with_all_that_is_known_of_it(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let body = json!({
        "name": "ci", "type": "agent", "scopes": ["certificates:read"], "externalId": "42", "metadata": {"a": 1},
    });
    let created = server.post("/api/keys", &admin, &body).await;
    let asked = json!({
        "key": created.body["key"], "type": "agent", "scope": "certificates:read", "workspaceId": home.id.to_string(),
    });
    let mut verdict = server.post("/api/keys/verify", &admin, &asked).await;
    assert_eq!(verdict.status, 200);
    // How these stand is a matter of rate_limits.rs.
    let limits = verdict
        .body
        .as_object_mut()
        .unwrap()
        .remove("rateLimits")
        .unwrap();
    assert_eq!(limits.as_array().unwrap().len(), 2);
    assert_eq!(
        verdict.body,
        json!({
            "valid": true,
            "code": "VALID",
            "keyId": created.body["id"],
            "type": "agent",
            "name": "ci",
            "externalId": "42",
            "metadata": {"a": 1},
            "ownerId": null,
            "homeWorkspaceId": home.id.to_string(),
            "workspaceId": home.id.to_string(),
            "scopes": ["certificates:read"],
            "expiresAt": null,
            "plan": "free",
        })
    );
}

async fn a_key_that_is_not_good_is_explained(server: TestServer) {
    let (home, foreign) = (server.workspace("Home").await, server.workspace("Foreign").await);
    let admin = server.admin(&home).await;
    let key = server.key(&home, KeyType::Public, &[]).await;
    let secret = key.secret.reveal();
    let with = |more: Value| {
        let mut asked = json!({"key": secret});
        asked
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        asked
    };
    for (asked, code, known) in [
        (with(json!({"type": "agent"})), "FORBIDDEN", true),
        (with(json!({"scope": "certificates:read"})), "FORBIDDEN", true),
        (
            with(json!({"workspaceId": foreign.id.to_string()})),
            "WORKSPACE_ACCESS_DENIED",
            true,
        ),
        (
            with(json!({"workspaceId": "nonsense"})),
            "WORKSPACE_ACCESS_DENIED",
            true,
        ),
        (json!({"key": "ck_short"}), "UNAUTHORIZED", false),
        (json!({"key": ""}), "UNAUTHORIZED", false),
        (
            json!({"key": "ak_00000000000000000000000000000000000000000002PL60u"}),
            "UNAUTHORIZED",
            false,
        ),
    ] {
        let verdict = server.post("/api/keys/verify", &admin, &asked).await;
        assert_eq!(
            (verdict.status.as_u16(), &verdict.body["valid"], verdict.code()),
            (200, &json!(false), code),
            "{asked}"
        );
        assert_eq!(verdict.body["keyId"].is_string(), known, "{asked}");
        assert!(verdict.body["detail"].is_string());
        assert!(!verdict.body.to_string().contains(secret));
    }
    server
        .post(&format!("/api/keys/{}/revoke", key.key.id), &admin, &json!({}))
        .await;
    let verdict = server.post("/api/keys/verify", &admin, &with(json!({}))).await;
    assert_eq!(
        (verdict.code(), &verdict.body["keyId"]),
        ("KEY_REVOKED", &json!(key.key.id.to_string()))
    );
}

async fn a_workspace_s_key_learns_only_of_its_own_keys(server: TestServer) {
    let (home, foreign) = (server.workspace("Home").await, server.workspace("Foreign").await);
    let admin = server.admin(&home).await;
    let stranger = server.key(&foreign, KeyType::Agent, &[]).await;
    let instance = server.issue(KeyType::Agent, &[], ReachRequest::Instance).await;
    for key in [stranger, instance] {
        let verdict = server
            .post("/api/keys/verify", &admin, &json!({"key": key.secret.reveal()}))
            .await;
        let unknown = json!({"key": "ak_00000000000000000000000000000000000000000002PL60u"});
        assert_eq!(
            verdict.body,
            server.post("/api/keys/verify", &admin, &unknown).await.body
        );
    }
}

async fn an_instance_key_verifies_every_key(server: TestServer) {
    let home = server.workspace("Home").await;
    let key = server.key(&home, KeyType::Agent, &[]).await;
    let platform = server
        .issue(KeyType::Agent, &["keys:verify"], ReachRequest::Instance)
        .await;
    for key in [&key, &platform] {
        let verdict = server
            .post(
                "/api/keys/verify",
                &platform,
                &json!({"key": key.secret.reveal()}),
            )
            .await;
        assert_eq!(
            (&verdict.body["valid"], &verdict.body["keyId"]),
            (&json!(true), &json!(key.key.id.to_string()))
        );
    }
}

async fn what_makes_no_sense_is_400(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    for (asked, pointer) in [
        (json!({}), ""),
        (json!({"key": 5}), "/key"),
        (json!({"key": "x", "type": "admin"}), "/type"),
        (json!({"key": "x", "scope": "nonsense"}), "/scope"),
        (json!({"key": "x", "scope": "certificates:fly"}), "/scope"),
        (json!({"key": "x", "color": "red"}), "/color"),
    ] {
        let refused = server.post("/api/keys/verify", &admin, &asked).await;
        assert_eq!(
            (refused.problem(), refused.pointers()),
            ((400, "VALIDATION_ERROR"), vec![pointer]),
            "{asked}"
        );
    }
}

async fn an_old_secret_is_valid_until_its_overlap_ends(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let key = server.key(&home, KeyType::Agent, &[]).await;
    let path = format!("/api/keys/{}/rotate", key.key.id);
    let rotated = server.post(&path, &admin, &json!({"overlapSeconds": 60})).await;
    let expiry = async |secret: &Value| {
        let verdict = server
            .post("/api/keys/verify", &admin, &json!({"key": secret}))
            .await;
        assert_eq!(verdict.body["code"], "VALID");
        verdict.body["expiresAt"].clone()
    };
    assert_eq!(expiry(&json!(key.secret.reveal())).await, "2027-01-15T08:01:00Z");
    assert_eq!(expiry(&rotated.body["key"]).await, Value::Null);
}

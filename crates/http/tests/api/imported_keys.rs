//! `POST /api/keys/import`, and what becomes of keys that were imported.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_util::future::join_all;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tigertrust_accounts::{IssuedKey, ReachRequest, to_hex};
use tigertrust_credentials::{
    KeyFormat, KeyFormats, KeyLength,
    rate_limit::{Limits, Quota},
};
use tigertrust_model::{Chain, KeyType, Role};
use tigertrust_testkit::{Answer, TestServer, on_both_engines, send};

use crate::people::Browser;

on_both_engines!(
    an_imported_key_is_let_in_wherever_keys_are,
    what_has_the_shape_of_no_format_is_not_presented_as_bearer_and_refused_in_the_header,
    every_record_is_told_of_by_itself,
    a_trial_stores_nothing_and_tells_the_same,
    an_import_may_be_sent_again,
    of_imports_at_once_one_makes_the_key,
    a_key_that_was_unknown_a_moment_before_is_good_once_it_is_imported,
    unknown_keys_of_another_format_are_failed_credentials,
    an_imported_key_is_revoked_switched_off_expires_and_is_bound_like_any_other,
    an_imported_key_has_its_own_limits_and_its_uses_count,
    a_rotation_gives_a_key_of_our_own_and_the_old_one_goes_on_for_the_overlap,
    an_imported_key_is_reported_as_leaked_and_verified,
    imported_keys_are_found_under_earlier_peppers,
    an_import_is_capped_by_what_the_caller_holds,
    an_instance_key_imports_into_the_workspace_that_it_names,
    a_session_of_an_admin_imports_and_one_of_a_member_does_not,
    an_import_is_logged_and_the_chain_is_whole,
    neither_keys_nor_their_hashes_are_in_the_database_or_in_an_answer,
    bodies_that_make_no_sense_are_refused,
);

const LIVE: &str = "sk_live_3ZxAkQ9fGhJk7mNpQrSt";
const OTHER: &str = "sk_live_8vBnM2wErTyU5iOpAsDf";
const PUBLIC: &str = "pk_web-Zm9vYmFyYmF6cXV4cXV1eA";
/// Like one of Better Auth's without a prefix.
const BARE: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijkl";

fn formats() -> KeyFormats {
    let format = |id, prefix, kind, min, max| KeyFormat::imported(id, prefix, kind, KeyLength { min, max });
    KeyFormats::new(vec![
        format("acme-live", "sk_live_", KeyType::Agent, 28, 30),
        format("acme-web", "pk_web-", KeyType::Public, 29, 29),
        format("bare", "", KeyType::Agent, 64, 64),
    ])
    .unwrap()
}

fn hash(key: &str) -> String {
    STANDARD.encode(Sha256::digest(key))
}

fn record(key: &str, format: &str) -> Value {
    json!({"hash": hash(key), "format": format, "name": "from elsewhere"})
}

fn with(mut record: Value, more: &Value) -> Value {
    let more = more.as_object().unwrap().clone();
    record.as_object_mut().unwrap().extend(more);
    record
}

async fn import(server: &TestServer, by: &IssuedKey, records: &[Value]) -> Value {
    let answer = server
        .post("/api/keys/import", by, &json!({"keys": records}))
        .await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    answer.body
}

/// Imports one key, which must be new, and returns its id.
async fn imported(server: &TestServer, by: &IssuedKey, record: Value) -> String {
    let report = import(server, by, &[record]).await;
    assert_eq!(report["created"], 1, "{report}");
    report["results"][0]["id"].as_str().unwrap().to_owned()
}

async fn check(server: &TestServer, key: &str) -> Answer {
    let request = server.request(Method::GET, "/api/auth/check");
    send(request.header("x-agent-api-key", key)).await
}

async fn verify(server: &TestServer, by: &IssuedKey, key: &str) -> Value {
    server
        .post("/api/keys/verify", by, &json!({"key": key}))
        .await
        .body
}

async fn an_imported_key_is_let_in_wherever_keys_are(server: TestServer) {
    let server = server.importing(formats(), None).await;
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let report = import(
        &server,
        &admin,
        &[
            with(
                record(LIVE, "acme-live"),
                &json!({
                    "scopes": ["certificates:read"], "externalId": "cus_42", "metadata": {"tier": "gold"},
                    "start": "sk_live_3ZxA", "createdAt": "2026-01-02T03:04:05Z",
                }),
            ),
            with(
                record(PUBLIC, "acme-web"),
                &json!({"hash": to_hex(&Sha256::digest(PUBLIC)), "lastFour": "V1eA"}),
            ),
            with(
                record(BARE, "bare"),
                &json!({"hash": URL_SAFE_NO_PAD.encode(Sha256::digest(BARE))}),
            ),
        ],
    )
    .await;
    assert_eq!(
        (&report["created"], &report["refused"], &report["dryRun"]),
        (&json!(3), &json!(0), &json!(false)),
        "{report}"
    );
    for (key, kind) in [(LIVE, "agent"), (PUBLIC, "public"), (BARE, "agent")] {
        assert_eq!(check(&server, key).await.status, 200, "{key}");
        let bearer = send(server.request(Method::GET, "/api/auth/me").bearer_auth(key)).await;
        assert_eq!(
            (bearer.status.as_u16(), &bearer.body["keyType"]),
            (200, &json!(kind)),
            "{bearer:?}"
        );
        let verdict = verify(&server, &admin, key).await;
        assert_eq!(
            (&verdict["valid"], &verdict["type"]),
            (&json!(true), &json!(kind))
        );
    }
    let id = report["results"][0]["id"].as_str().unwrap();
    let shown = server.get(&format!("/api/keys/{id}"), &admin).await.body;
    for (field, expected) in [
        ("type", json!("agent")),
        ("name", json!("from elsewhere")),
        ("start", json!("sk_live_3ZxA")),
        ("lastFour", json!("")),
        ("scopes", json!(["certificates:read"])),
        ("externalId", json!("cus_42")),
        ("metadata", json!({"tier": "gold"})),
        ("createdAt", json!("2026-01-02T03:04:05Z")),
        ("updatedAt", json!("2027-01-15T08:00:00Z")),
        ("createdBy", json!(admin.key.id.to_string())),
        ("homeWorkspaceId", json!(home.id.to_string())),
    ] {
        assert_eq!(shown[field], expected, "{field}");
    }
    assert_eq!(shown["secrets"][0]["format"], "acme-live");
    // Nothing is shown that the import did not know: the prefix is its format's.
    let shown = async |place: usize| {
        let id = report["results"][place]["id"].as_str().unwrap();
        let key = server.get(&format!("/api/keys/{id}"), &admin).await.body;
        (key["start"].clone(), key["lastFour"].clone())
    };
    assert_eq!(shown(1).await, (json!("pk_web-"), json!("V1eA")));
    assert_eq!(shown(2).await, (json!(""), json!("")));
    // Our own say that they are of no other format, and are found as before.
    let own = server
        .get(&format!("/api/keys/{}", admin.key.id), &admin)
        .await
        .body;
    assert_eq!(own["secrets"][0]["format"], Value::Null);
    for (asked, count) in [
        ("sk_live_3ZxAkQ9f", 1),
        ("sk_live_3ZxA", 1),
        ("sk_live_XXXX", 0),
        (&admin.secret.reveal()[..8], 1),
    ] {
        let listed = server.get(&format!("/api/keys?q={asked}"), &admin).await;
        assert_eq!(listed.body["items"].as_array().unwrap().len(), count, "{asked}");
    }
}

async fn what_has_the_shape_of_no_format_is_not_presented_as_bearer_and_refused_in_the_header(
    server: TestServer,
) {
    let server = server.importing(formats(), None).await;
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    imported(&server, &admin, record(LIVE, "acme-live")).await;
    let own = |request: RequestBuilder, value: &str| request.header("x-agent-api-key", value.to_owned());
    let jwt = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.";
    let long = format!("{BARE}x");
    for value in [
        jwt,
        "opaque",
        "sk_test_3ZxAkQ9fGhJk7mNpQrSt",
        "pk_",
        long.as_str(),
    ] {
        let bearer = server.request(Method::GET, "/api/auth/me").bearer_auth(value);
        // Beside a key of ours it does not count, and alone it is nothing.
        let beside = send(own(
            server.request(Method::GET, "/api/auth/me").bearer_auth(value),
            LIVE,
        ))
        .await;
        assert_eq!(beside.status, 200, "{value}");
        assert_eq!(
            send(bearer).await.header("www-authenticate"),
            "Bearer realm=\"tigertrust\"",
            "{value}"
        );
        let header = send(own(server.request(Method::GET, "/api/auth/me"), value)).await;
        assert_eq!(header.problem(), (401, "UNAUTHORIZED"), "{value}");
    }
    // What claims to be a key by its prefix must be one.
    for value in [
        "sk_live_short",
        "sk_live_3ZxAkQ9fGhJk7mNpQrStToolong",
        "sk_live_3ZxAkQ9fGhJk 7mNpQrS",
    ] {
        let bearer = send(server.request(Method::GET, "/api/auth/me").bearer_auth(value)).await;
        assert!(
            bearer.header("www-authenticate").contains("invalid_token"),
            "{value}"
        );
    }
    // Two that differ are never a choice; the same twice is one.
    let both = |bearer: &str| {
        send(own(
            server.request(Method::GET, "/api/auth/me").bearer_auth(bearer),
            LIVE,
        ))
    };
    assert_eq!(both(LIVE).await.status, 200);
    assert_eq!(both(OTHER).await.status, 401);
    assert_eq!(both(admin.secret.reveal()).await.status, 401);
}

async fn every_record_is_told_of_by_itself(server: TestServer) {
    let server = server.importing(formats(), None).await;
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let good = || record(LIVE, "acme-live");
    let refused = [
        (
            with(good(), &json!({"hash": "sk_live_3ZxAkQ9fGhJk7mNpQrSt"})),
            "/hash",
        ),
        (with(good(), &json!({"format": "tt1"})), "/format"),
        (with(good(), &json!({"format": null})), "/format"),
        (with(good(), &json!({"start": "sk_test_3ZxA"})), "/start"),
        (with(good(), &json!({"lastFour": "12345"})), "/lastFour"),
        (with(good(), &json!({"name": ""})), "/name"),
        (with(good(), &json!({"name": "a\u{202e}b"})), "/name"),
        (with(good(), &json!({"scopes": ["nothing:like-it"]})), "/scopes/0"),
        (
            with(record(PUBLIC, "acme-web"), &json!({"scopes": ["agents:report"]})),
            "/scopes/0",
        ),
        (
            with(good(), &json!({"createdAt": "2100-01-01T00:00:00Z"})),
            "/createdAt",
        ),
        (
            with(good(), &json!({"allowedCidrs": ["nowhere"]})),
            "/allowedCidrs/0",
        ),
        (with(good(), &json!({"limits": {"minute": 0}})), "/limits/minute"),
        (
            with(good(), &json!({"metadata": {"a": "x".repeat(5000)}})),
            "/metadata",
        ),
    ];
    let mut records: Vec<Value> = refused.iter().map(|(record, _)| record.clone()).collect();
    // By its beginning alone the format of a key is plain too.
    records.push(with(good(), &json!({"format": null, "start": "sk_live_"})));
    records.push(good());
    let report = import(&server, &admin, &records).await;
    assert_eq!(
        (&report["created"], &report["existing"], &report["refused"]),
        (&json!(1), &json!(1), &json!(refused.len())),
        "{report}"
    );
    for (place, (_, pointer)) in refused.iter().enumerate() {
        let result = &report["results"][place];
        assert_eq!(
            (&result["status"], &result["id"]),
            (&json!("refused"), &Value::Null)
        );
        assert_eq!(result["errors"][0]["pointer"], *pointer, "{result}");
    }
    // The same key twice over is one.
    let [first, second] = [refused.len(), refused.len() + 1].map(|place| &report["results"][place]);
    assert_eq!(
        (&first["status"], &second["status"]),
        (&json!("created"), &json!("exists"))
    );
    assert_eq!(first["id"], second["id"]);
    assert!(!report.to_string().contains(LIVE), "{report}");
}

async fn a_trial_stores_nothing_and_tells_the_same(server: TestServer) {
    let server = server.importing(formats(), None).await;
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    imported(&server, &admin, record(OTHER, "acme-live")).await;
    let records = json!([
        record(LIVE, "acme-live"),
        record(LIVE, "acme-live"),
        record(OTHER, "acme-live"),
        record("", "none"),
    ]);
    let stored = async || {
        let keys = server.get("/api/keys", &admin).await.body;
        let log = server.get("/api/audit/events", &admin).await.body;
        (
            keys["items"].as_array().unwrap().len(),
            log["items"].as_array().unwrap().len(),
        )
    };
    let before = stored().await;
    let trial = server
        .post(
            "/api/keys/import",
            &admin,
            &json!({"dryRun": true, "keys": records}),
        )
        .await;
    assert_eq!(stored().await, before);
    let told = |report: &Value| {
        let results = report["results"].as_array().unwrap();
        results
            .iter()
            .map(|result| result["status"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(told(&trial.body), ["created", "exists", "exists", "refused"]);
    assert_eq!(
        (&trial.body["dryRun"], &trial.body["results"][0]["id"]),
        (&json!(true), &Value::Null)
    );
    assert_eq!(check(&server, LIVE).await.status, 401);
    let done = server
        .post("/api/keys/import", &admin, &json!({"keys": records}))
        .await;
    assert_eq!(told(&done.body), told(&trial.body));
    assert_eq!(check(&server, LIVE).await.status, 200);
}

async fn an_import_may_be_sent_again(server: TestServer) {
    let server = server.importing(formats(), None).await;
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let id = imported(&server, &admin, record(LIVE, "acme-live")).await;
    let edited = server
        .patch(&format!("/api/keys/{id}"), &admin, &json!({"name": "renamed"}))
        .await;
    assert_eq!(edited.status, 200);
    let again = import(&server, &admin, &[record(LIVE, "acme-live")]).await;
    assert_eq!(
        (&again["existing"], &again["results"][0]["id"]),
        (&json!(1), &json!(id))
    );
    let shown = server.get(&format!("/api/keys/{id}"), &admin).await.body;
    assert_eq!(shown["name"], "renamed", "what is there stays as it is");
    // A revoked key stays revoked, whoever imports it once more.
    server
        .post(&format!("/api/keys/{id}/revoke"), &admin, &json!({}))
        .await;
    assert_eq!(
        import(&server, &admin, &[record(LIVE, "acme-live")]).await["existing"],
        1
    );
    assert_eq!(check(&server, LIVE).await.problem(), (401, "KEY_REVOKED"));
    // To another workspace it is refused, and not told whose it is.
    let elsewhere = server.workspace("Elsewhere").await;
    let other = server.admin(&elsewhere).await;
    let foreign = import(&server, &other, &[record(LIVE, "acme-live")]).await;
    assert_eq!(
        (&foreign["refused"], &foreign["results"][0]["id"]),
        (&json!(1), &Value::Null)
    );
    assert!(!foreign.to_string().contains(&id));
}

async fn of_imports_at_once_one_makes_the_key(server: TestServer) {
    let server = server.importing(formats(), None).await;
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let records = [record(LIVE, "acme-live"), record(OTHER, "acme-live")];
    let reversed = [records[1].clone(), records[0].clone()];
    let reports =
        join_all([&records, &reversed, &records, &reversed].map(|records| import(&server, &admin, records)))
            .await;
    let count = |field: &str| {
        reports
            .iter()
            .map(|report| report[field].as_u64().unwrap())
            .sum::<u64>()
    };
    assert_eq!((count("created"), count("existing")), (2, 6), "{reports:?}");
}

async fn a_key_that_was_unknown_a_moment_before_is_good_once_it_is_imported(server: TestServer) {
    let one = server.importing(formats(), None).await;
    let two = server.importing(formats(), None).await;
    let home = one.workspace("Home").await;
    let admin = one.admin(&home).await;
    for server in [&one, &two] {
        for _ in 0..2 {
            assert_eq!(check(server, LIVE).await.problem(), (401, "UNAUTHORIZED"));
        }
    }
    imported(&one, &admin, record(LIVE, "acme-live")).await;
    assert_eq!(check(&one, LIVE).await.status, 200);
    tigertrust_testkit::eventually(200, async || check(&two, LIVE).await.status.as_u16()).await;
}

async fn unknown_keys_of_another_format_are_failed_credentials(server: TestServer) {
    let limits = Limits {
        failures: Quota::per_minute(5),
        ..Limits::default()
    };
    let server = server.importing_limited(formats(), limits).await;
    let mut refused = 0;
    for place in 0..8 {
        let key = format!("sk_live_3ZxAkQ9fGhJk7mNpQrS{place}");
        match check(&server, &key).await.problem() {
            (401, "UNAUTHORIZED") => {}
            (429, "RATE_LIMITED") => refused += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(refused, 3);
    // A value that has no format costs nothing, as before.
    for _ in 0..8 {
        assert_eq!(check(&server, "sk_live_short").await.status, 401);
    }
}

async fn an_imported_key_is_revoked_switched_off_expires_and_is_bound_like_any_other(server: TestServer) {
    let server = server.importing(formats(), None).await;
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let id = imported(
        &server,
        &admin,
        with(
            record(LIVE, "acme-live"),
            &json!({"expiresAt": "2027-01-15T08:01:00Z", "active": false}),
        ),
    )
    .await;
    let path = format!("/api/keys/{id}");
    assert_eq!(check(&server, LIVE).await.problem(), (401, "UNAUTHORIZED"));
    server.patch(&path, &admin, &json!({"active": true})).await;
    assert_eq!(check(&server, LIVE).await.status, 200);
    server.clock.advance(Duration::from_secs(60));
    assert_eq!(check(&server, LIVE).await.problem(), (401, "TOKEN_EXPIRED"));
    server.patch(&path, &admin, &json!({"expiresAt": null})).await;
    assert_eq!(check(&server, LIVE).await.status, 200);
    server
        .post(&format!("{path}/revoke"), &admin, &json!({"reason": "moved"}))
        .await;
    assert_eq!(check(&server, LIVE).await.problem(), (401, "KEY_REVOKED"));
    assert_eq!(verify(&server, &admin, LIVE).await["code"], "KEY_REVOKED");
    // One that had expired before is told so, too, and one that is bound is.
    let expired = with(
        record(OTHER, "acme-live"),
        &json!({"expiresAt": "2026-01-01T00:00:00Z"}),
    );
    imported(&server, &admin, expired).await;
    assert_eq!(check(&server, OTHER).await.problem(), (401, "TOKEN_EXPIRED"));
    let bound = with(
        record(PUBLIC, "acme-web"),
        &json!({"allowedCidrs": ["192.0.2.0/24"]}),
    );
    imported(&server, &admin, bound).await;
    assert_eq!(check(&server, PUBLIC).await.problem(), (403, "FORBIDDEN"));
}

async fn an_imported_key_has_its_own_limits_and_its_uses_count(server: TestServer) {
    let server = server.importing_limited(formats(), Limits::default()).await;
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let limited = with(record(LIVE, "acme-live"), &json!({"limits": {"minute": 2}}));
    let id = imported(&server, &admin, limited).await;
    let statuses = [
        check(&server, LIVE).await.status.as_u16(),
        check(&server, LIVE).await.status.as_u16(),
        check(&server, LIVE).await.status.as_u16(),
    ];
    assert_eq!(statuses, [200, 200, 429]);
    server.flush_uses().await;
    server.flush_usage().await;
    let shown = server.get(&format!("/api/keys/{id}"), &admin).await.body;
    assert_eq!(shown["lastUsedAt"], "2027-01-15T08:00:00Z");
    assert_eq!(shown["limits"]["minute"], 2);
    let usage = server.get(&format!("/api/keys/{id}/usage"), &admin).await.body;
    assert_eq!(usage["total"], 3, "{usage}");
}

async fn a_rotation_gives_a_key_of_our_own_and_the_old_one_goes_on_for_the_overlap(server: TestServer) {
    let server = server.importing(formats(), None).await;
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    for (key, format, start) in [(LIVE, "acme-live", "ak_"), (PUBLIC, "acme-web", "ck_")] {
        let id = imported(&server, &admin, record(key, format)).await;
        let rotated = server
            .post(
                &format!("/api/keys/{id}/rotate"),
                &admin,
                &json!({"overlapSeconds": 60}),
            )
            .await;
        assert_eq!((rotated.status.as_u16(), &rotated.body["id"]), (200, &json!(id)));
        let new = rotated.body["key"].as_str().unwrap();
        assert!(new.starts_with(start) && new.len() == 52);
        assert_eq!(rotated.body["start"], new[..8]);
        assert_eq!(
            (
                &rotated.body["secrets"][0]["format"],
                &rotated.body["secrets"][1]["format"]
            ),
            (&Value::Null, &json!(format))
        );
        for good in [key, new] {
            assert_eq!(check(&server, good).await.status, 200);
        }
        server.clock.advance(Duration::from_secs(60));
        assert_eq!(check(&server, key).await.problem(), (401, "KEY_REVOKED"));
        assert_eq!(check(&server, new).await.status, 200);
        // It is not imported anew: it has ended here.
        assert_eq!(
            import(&server, &admin, &[record(key, format)]).await["existing"],
            1
        );
    }
}

async fn an_imported_key_is_reported_as_leaked_and_verified(server: TestServer) {
    let server = server.importing(formats(), None).await;
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    imported(&server, &admin, record(LIVE, "acme-live")).await;
    let foreign = server.admin(&server.workspace("Elsewhere").await).await;
    assert_eq!(verify(&server, &foreign, LIVE).await["code"], "UNAUTHORIZED");
    assert_eq!(verify(&server, &admin, OTHER).await["code"], "UNAUTHORIZED");
    assert_eq!(verify(&server, &admin, LIVE).await["valid"], true);
    let request = server.request(Method::POST, "/api/keys/report-leak");
    assert_eq!(send(request.json(&json!({"key": LIVE}))).await.status, 202);
    assert_eq!(check(&server, LIVE).await.problem(), (401, "KEY_REVOKED"));
}

async fn imported_keys_are_found_under_earlier_peppers(server: TestServer) {
    let before = server.importing(formats(), None).await;
    let home = before.workspace("Home").await;
    let admin = before.admin(&home).await;
    let id = imported(&before, &admin, record(LIVE, "acme-live")).await;
    let pepper = ("second", "AQECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");
    let after = before.importing(formats(), Some(pepper)).await;
    assert_eq!(check(&after, LIVE).await.status, 200);
    // Under another pepper it is the same key, and no second one.
    let again = import(
        &after,
        &admin,
        &[record(LIVE, "acme-live"), record(OTHER, "acme-live")],
    )
    .await;
    assert_eq!(
        (&again["existing"], &again["created"]),
        (&json!(1), &json!(1)),
        "{again}"
    );
    assert_eq!(again["results"][0]["id"], id);
    assert_eq!(check(&after, OTHER).await.status, 200);
    // Without the new pepper nobody knows what was imported under it.
    assert_eq!(check(&before, OTHER).await.status, 401);
}

async fn an_import_is_capped_by_what_the_caller_holds(server: TestServer) {
    let server = server.importing(formats(), None).await;
    let home = server.workspace("Home").await;
    let writer = server
        .key(&home, KeyType::Agent, &["keys:write", "certificates:read"])
        .await;
    let asks = |scope: &str| with(record(LIVE, "acme-live"), &json!({"scopes": [scope]}));
    let report = import(
        &server,
        &writer,
        &[asks("certificates:write"), asks("certificates:read")],
    )
    .await;
    assert_eq!(
        (&report["refused"], &report["created"]),
        (&json!(1), &json!(1)),
        "{report}"
    );
    let reader = server.key(&home, KeyType::Agent, &["keys:read"]).await;
    let refused = server
        .post(
            "/api/keys/import",
            &reader,
            &json!({"keys": [record(OTHER, "acme-live")]}),
        )
        .await;
    assert_eq!(refused.problem(), (403, "FORBIDDEN"));
}

async fn an_instance_key_imports_into_the_workspace_that_it_names(server: TestServer) {
    let server = server.importing(formats(), None).await;
    let home = server.workspace("Home").await;
    let instance = server
        .issue(KeyType::Agent, &["keys:write"], ReachRequest::Instance)
        .await;
    let body = json!({"keys": [record(LIVE, "acme-live")]});
    let request = server.request(Method::POST, "/api/keys/import").json(&body);
    let request = request.bearer_auth(instance.secret.reveal());
    let nowhere = send(request.try_clone().unwrap()).await;
    assert_eq!(nowhere.status, 400, "{nowhere:?}");
    let done = send(request.header("x-workspace-id", home.id.to_string())).await;
    assert_eq!(done.body["created"], 1, "{done:?}");
    let me = send(server.request(Method::GET, "/api/auth/me").bearer_auth(LIVE)).await;
    assert_eq!(me.body["workspace"]["id"], home.id.to_string());
}

async fn a_session_of_an_admin_imports_and_one_of_a_member_does_not(server: TestServer) {
    let server = server.importing(formats(), None).await;
    let home = server.workspace("Home").await;
    for (role, status, key) in [
        (Role::Admin, 200, LIVE),
        (Role::Member, 403, OTHER),
        (Role::Viewer, 403, OTHER),
    ] {
        let person = server.member(&home, role).await;
        let mut browser = Browser::signed_in(&server, person).await;
        let body = json!({"keys": [record(key, "acme-live")]});
        let answer = browser.post(&server, "/api/keys/import", &body).await;
        assert_eq!(answer.status, status, "{role} {answer:?}");
    }
    assert_eq!(check(&server, LIVE).await.status, 200);
    assert_eq!(check(&server, OTHER).await.status, 401);
}

async fn an_import_is_logged_and_the_chain_is_whole(server: TestServer) {
    let server = server.importing(formats(), None).await;
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let records = [
        record(LIVE, "acme-live"),
        record(LIVE, "acme-live"),
        record(PUBLIC, "acme-web"),
        record("", "none"),
    ];
    let report = import(&server, &admin, &records).await;
    let events = async |query: &str| {
        let path = format!("/api/audit/events?{query}");
        server.get(&path, &admin).await.body["items"]
            .as_array()
            .unwrap()
            .clone()
    };
    let imports = events("action=key.imported").await;
    let [event] = imports.as_slice() else {
        panic!("{imports:?}")
    };
    assert_eq!(event["target"]["id"], home.id.to_string());
    let changes = event["changes"].as_array().unwrap();
    for (field, count) in [("created", "2"), ("existing", "1"), ("refused", "1")] {
        let change = changes.iter().find(|change| change["field"] == field).unwrap();
        assert_eq!(change["after"], count, "{event}");
    }
    for place in [0, 2] {
        let id = report["results"][place]["id"].as_str().unwrap();
        let created = events(&format!("action=key.created&target={id}")).await;
        assert_eq!(created.len(), 1, "{id}");
    }
    let verified = server.audit.verify(Chain::Workspace(home.id), &[]).await.unwrap();
    assert!(verified.is_ok(), "{verified:?}");
}

async fn neither_keys_nor_their_hashes_are_in_the_database_or_in_an_answer(server: TestServer) {
    let server = server.importing(formats(), None).await;
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    imported(&server, &admin, record(LIVE, "acme-live")).await;
    assert_eq!(check(&server, LIVE).await.status, 200);
    let digest = Sha256::digest(LIVE);
    let raw = String::from_utf8_lossy(&digest).into_owned();
    let dump = server.dump().await;
    for canary in [
        LIVE,
        &hash(LIVE),
        &to_hex(&digest),
        &URL_SAFE_NO_PAD.encode(digest),
        &raw,
    ] {
        assert!(!dump.contains(canary), "{canary}");
    }
    // In the wrong place a key is not repeated to whoever reads the answer.
    for body in [
        json!({LIVE: 1, "keys": []}),
        json!({"keys": [{"hash": "x", "name": "x", LIVE: 1}]}),
        json!({"keys": [with(record(LIVE, "acme-live"), &json!({"format": LIVE}))]}),
    ] {
        let answer = server.post("/api/keys/import", &admin, &body).await;
        assert!(!answer.body.to_string().contains(LIVE), "{answer:?}");
    }
    let answer = server.get(&format!("/api/keys?{LIVE}=1"), &admin).await;
    assert!(
        answer.status == 400 && !answer.body.to_string().contains(LIVE),
        "{answer:?}"
    );
}

async fn bodies_that_make_no_sense_are_refused(server: TestServer) {
    let unconfigured = server.admin(&server.workspace("Home").await).await;
    let body = json!({"keys": [record(LIVE, "acme-live")]});
    let refused = server.post("/api/keys/import", &unconfigured, &body).await;
    assert_eq!(
        (refused.problem(), refused.pointers()),
        ((400, "VALIDATION_ERROR"), vec!["/keys"])
    );
    let server = server.importing(formats(), None).await;
    let admin = server.admin(&server.workspace("Home").await).await;
    let many = vec![record(LIVE, "acme-live"); 201];
    for (body, pointer) in [
        (json!({"keys": []}), "/keys"),
        (json!({"keys": many}), "/keys"),
        (json!({"keys": [{"hash": "x"}]}), "/keys/0"),
        (
            json!({"keys": [with(record(LIVE, "bare"), &json!({"key": "x"}))]}),
            "/keys/0/key",
        ),
        (json!({"keys": {}}), "/keys"),
        (json!({}), ""),
    ] {
        let refused = server.post("/api/keys/import", &admin, &body).await;
        assert_eq!(refused.problem(), (400, "VALIDATION_ERROR"), "{body}");
        assert_eq!(refused.pointers(), [pointer], "{refused:?}");
    }
    let large = json!({"keys": vec![with(record(LIVE, "acme-live"), &json!({"metadata": {"a": "x".repeat(600)}})); 150]});
    let refused = server.post("/api/keys/import", &admin, &large).await;
    assert_eq!(refused.problem(), (413, "PAYLOAD_TOO_LARGE"));
}

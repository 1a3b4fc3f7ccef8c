//! Which keys are worth a look: `/api/keys/hygiene`.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tigertrust_accounts::IssuedKey;
use tigertrust_model::{KeyType, Role};
use tigertrust_testkit::{TestServer, on_both_engines, send};

use crate::people::Browser;

on_both_engines!(
    a_key_that_was_reported_as_leaked_is_found_until_it_is_rotated,
    an_unused_key_is_found_and_a_used_one_is_not,
    a_key_that_expires_soon_is_found_and_very_soon_is_urgent,
    scopes_that_nobody_asks_for_are_found,
    an_old_secret_is_found_until_it_is_rotated,
    only_active_keys_that_the_caller_can_see_are_looked_at,
    a_page_looks_at_so_many_keys,
    the_daily_look_tells_of_what_is_new,
);

async fn the_daily_look_tells_of_what_is_new(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let owner = server.member(&home, Role::Owner).await;
    let member = server.member(&home, Role::Member).await;
    let (email, of_member) = (server.email(owner).await, server.email(member).await);
    Browser::signed_in(&server, owner)
        .await
        .prove_address(&server, &email)
        .await;
    let reported = async || {
        let path = "/api/audit/events?action=hygiene.reported";
        let answer = server.get(path, &admin).await;
        answer.body["items"].as_array().unwrap().clone()
    };
    assert_eq!(server.review_keys().await, 0);
    assert_eq!(reported().await, [] as [Value; 0]);
    advance_days(&server, 91).await;
    // The admin key is in use.
    report(&server, &admin).await;
    server.key(&home, KeyType::Agent, &[]).await;
    let unused = server.key(&home, KeyType::Agent, &[]).await;
    advance_days(&server, 91).await;
    report(&server, &admin).await;
    server.flush_uses().await;
    assert_eq!(server.review_keys().await, 1);
    let event = reported().await.remove(0);
    assert_eq!(event["actor"]["type"], "system");
    let change = json!({"field": "unused", "before": "0", "after": "2"});
    assert!(event["changes"].as_array().unwrap().contains(&change), "{event}");
    let mail = server.mails.only(&email);
    assert!(
        mail.reveal_text()
            .contains("2  have not been used for a long time"),
        "{mail:?}"
    );
    assert!(server.mails.take(&of_member).is_empty());
    // The same is no news, and fewer is none to write a mail about.
    assert_eq!(server.review_keys().await, 0);
    let path = format!("/api/keys/{}/revoke", unused.key.id);
    assert_eq!(server.post(&path, &admin, &json!({})).await.status, 200);
    assert_eq!(server.review_keys().await, 1);
    assert_eq!(reported().await.len(), 2);
    assert!(server.mails.take(&email).is_empty());
}

async fn advance_days(server: &TestServer, days: u64) {
    server.clock.advance(Duration::from_secs(days * 24 * 60 * 60));
}

async fn report(server: &TestServer, admin: &IssuedKey) -> Vec<Value> {
    server.flush_uses().await;
    server.flush_usage().await;
    let answer = server.get("/api/keys/hygiene", admin).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.body["nextCursor"], Value::Null);
    answer.body["items"].as_array().unwrap().clone()
}

/// What was found of a key.
async fn found(server: &TestServer, admin: &IssuedKey, key: &IssuedKey) -> Vec<Value> {
    let mut items = report(server, admin).await;
    items.retain(|item| item["keyId"] == key.key.id.to_string());
    items
}

fn names(items: &[Value]) -> Vec<&str> {
    items
        .iter()
        .map(|item| item["finding"].as_str().unwrap())
        .collect()
}

async fn check(server: &TestServer, key: &IssuedKey, scope: &str) {
    let answer = server.get(&format!("/api/auth/check?scope={scope}"), key).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

async fn a_key_that_was_reported_as_leaked_is_found_until_it_is_rotated(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    // Those of agents are revoked by default, and so looked at no more.
    let key = server.key(&home, KeyType::Public, &[]).await;
    let body = json!({"key": key.secret.reveal()});
    let report = server.request(Method::POST, "/api/keys/report-leak").json(&body);
    assert_eq!(send(report).await.status, 202);
    let found_then = found(&server, &admin, &key).await;
    assert_eq!(names(&found_then), ["leaked"]);
    assert_eq!(found_then[0]["since"], "2027-01-15T08:00:00Z");
    server
        .post(&format!("/api/keys/{}/rotate", key.key.id), &admin, &json!({}))
        .await;
    assert!(found(&server, &admin, &key).await.is_empty());
}

async fn an_unused_key_is_found_and_a_used_one_is_not(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let (never, once, used) = (
        server.key(&home, KeyType::Agent, &[]).await,
        server.key(&home, KeyType::Agent, &[]).await,
        server.key(&home, KeyType::Agent, &[]).await,
    );
    assert!(report(&server, &admin).await.is_empty());
    advance_days(&server, 1).await;
    server.get("/api/auth/me", &once).await;
    advance_days(&server, 89).await;
    server.get("/api/auth/me", &used).await;
    assert!(!names(&report(&server, &admin).await).contains(&"unused"));
    advance_days(&server, 2).await;
    let of_never = found(&server, &admin, &never).await;
    assert_eq!(names(&of_never), ["unused"]);
    assert_eq!(of_never[0]["since"], "2027-01-15T08:00:00Z");
    assert!(of_never[0]["advice"].as_str().unwrap().contains("never used"));
    let of_once = found(&server, &admin, &once).await;
    assert_eq!(of_once[0]["since"], "2027-01-16T08:00:00Z");
    assert!(found(&server, &admin, &used).await.is_empty());
}

async fn a_key_that_expires_soon_is_found_and_very_soon_is_urgent(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let key = server.key(&home, KeyType::Agent, &[]).await;
    let body = json!({"expiresAt": "2027-01-30T08:00:00Z"});
    server
        .patch(&format!("/api/keys/{}", key.key.id), &admin, &body)
        .await;
    assert!(report(&server, &admin).await.is_empty());
    for (days, urgent) in [(1, false), (11, true)] {
        advance_days(&server, days).await;
        let found = found(&server, &admin, &key).await;
        assert_eq!(names(&found), ["expiring"]);
        assert_eq!(found[0]["expiresAt"], "2027-01-30T08:00:00Z");
        assert_eq!(found[0]["urgent"], urgent);
    }
    // What has expired is refused already.
    advance_days(&server, 3).await;
    assert!(found(&server, &admin, &key).await.is_empty());
}

async fn scopes_that_nobody_asks_for_are_found(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let key = server
        .key(
            &home,
            KeyType::Agent,
            &["agents:*", "certificates:*", "certificates:read", "keys:read"],
        )
        .await;
    check(&server, &key, "certificates:read").await;
    check(&server, &key, "agents:report").await;
    // Too early to tell.
    advance_days(&server, 29).await;
    check(&server, &key, "certificates:read").await;
    assert!(found(&server, &admin, &key).await.is_empty());
    advance_days(&server, 2).await;
    let found_then = found(&server, &admin, &key).await;
    assert_eq!(names(&found_then), ["overScoped"]);
    // The narrowest scope that will do is the one that is used.
    assert_eq!(found_then[0]["scopes"], json!(["certificates:*", "keys:read"]));
    assert_eq!(found_then[0]["since"], "2027-01-15T00:00:00Z");
    // Later the one that was asked for in the beginning alone is idle too.
    advance_days(&server, 61).await;
    check(&server, &key, "keys:read").await;
    let found_later = found(&server, &admin, &key).await;
    assert_eq!(found_later[0]["scopes"], json!(["agents:*", "certificates:*"]));
    // What was just edited is not judged.
    let body = json!({"scopes": ["certificates:read", "keys:read", "agents:report"]});
    server
        .patch(&format!("/api/keys/{}", key.key.id), &admin, &body)
        .await;
    assert!(found(&server, &admin, &key).await.is_empty());
}

async fn an_old_secret_is_found_until_it_is_rotated(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let key = server.key(&home, KeyType::Agent, &[]).await;
    advance_days(&server, 366).await;
    server.get("/api/auth/me", &key).await;
    let found_then = found(&server, &admin, &key).await;
    assert_eq!(names(&found_then), ["old"]);
    assert_eq!(found_then[0]["since"], "2027-01-15T08:00:00Z");
    let rotate = format!("/api/keys/{}/rotate", key.key.id);
    let body = json!({"overlapSeconds": 3600});
    server.post(&rotate, &admin, &body).await;
    assert!(found(&server, &admin, &key).await.is_empty());
}

async fn only_active_keys_that_the_caller_can_see_are_looked_at(server: TestServer) {
    let (home, foreign) = (server.workspace("Home").await, server.workspace("Foreign").await);
    let admin = server.admin(&home).await;
    let jo = server.member(&home, Role::Member).await;
    let own = server.personal(&home, jo, &[]).await;
    let (off, gone) = (
        server.key(&home, KeyType::Agent, &[]).await,
        server.key(&home, KeyType::Agent, &[]).await,
    );
    server.key(&foreign, KeyType::Agent, &[]).await;
    let path = |key: &IssuedKey| format!("/api/keys/{}", key.key.id);
    server.patch(&path(&off), &admin, &json!({"active": false})).await;
    server
        .post(&format!("{}/revoke", path(&gone)), &admin, &json!({}))
        .await;
    advance_days(&server, 91).await;
    server.get("/api/auth/me", &admin).await;
    let items = report(&server, &admin).await;
    let unused: Vec<_> = items.iter().filter(|item| item["finding"] == "unused").collect();
    assert_eq!(unused.len(), 1);
    assert_eq!(unused[0]["keyId"], own.key.id.to_string());
    let mut browser = Browser::signed_in(&server, jo).await;
    let seen = browser.get(&server, "/api/keys/hygiene").await.body;
    assert_eq!(seen["items"].as_array().unwrap().len(), 1);
    assert_eq!(seen["items"][0]["keyId"], own.key.id.to_string());
}

async fn a_page_looks_at_so_many_keys(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    for _ in 0..4 {
        server.key(&home, KeyType::Agent, &[]).await;
    }
    advance_days(&server, 91).await;
    server.get("/api/auth/me", &admin).await;
    server.flush_uses().await;
    let (mut cursor, mut found, mut pages) = (String::new(), 0, 0);
    loop {
        let page = server
            .get(&format!("/api/keys/hygiene?limit=2{cursor}"), &admin)
            .await
            .body;
        pages += 1;
        found += names(page["items"].as_array().unwrap())
            .iter()
            .filter(|name| **name == "unused")
            .count();
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!((found, pages), (4, 3));
}

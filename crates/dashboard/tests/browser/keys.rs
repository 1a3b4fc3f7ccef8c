//! Settings → API Keys, from the beginning of a key to its end.

use reqwest::Method;
use tigertrust_model::{KeyType, Role};
use tigertrust_testkit::{Engine, TabSettings, send};

use crate::common::{NO_SCRIPT, PHONE, Site, faults};

/// What the API says of a key: its status and code.
async fn check(site: &Site, key: &str) -> (u16, String) {
    let request = site.server.request(Method::GET, "/api/auth/check");
    let answer = send(request.header("X-Agent-API-Key", key)).await;
    (answer.status.as_u16(), answer.code().to_owned())
}

async fn a_key_from_its_beginning_to_its_end(engine: Engine) {
    let site = Site::open(engine).await;
    let (_, tab) = site.signed_in(Role::Admin, TabSettings::default()).await;
    assert_eq!(tab.url().await, site.within(""));
    assert!(tab.text().await.contains("No calls in this time"));

    tab.press("API Keys").await;
    assert!(tab.text().await.contains("There are no keys yet"));
    tab.press("Create your first key").await;
    tab.fill("Name", "deploy job").await;
    tab.check("certificates:read").await;
    tab.fill("Networks", "127.0.0.0/8\n10.0.0.0/8").await;
    tab.press("Create key").await;
    let secret = tab
        .evaluate("document.getElementById('secret').textContent")
        .await;
    let secret = secret.as_str().unwrap().to_owned();
    assert!(secret.starts_with("ak_") && secret.len() == 52, "a secret");
    tab.press("Copy the key").await;
    assert_eq!(tab.clipboard().await, secret);
    assert_eq!(faults(&tab).await, [""; 0]);
    assert_eq!(check(&site, &secret).await.0, 200);

    tab.press("I have copied it").await;
    assert!(!tab.text().await.contains(&secret));
    let page = tab.text().await;
    assert!(
        page.contains("deploy job") && page.contains("calls are left this minute"),
        "{page}"
    );
    site.server.flush_usage().await;
    site.server.flush_uses().await;
    let key_page = tab.url().await;
    tab.goto(&key_page).await;
    let chart = tab
        .evaluate("document.querySelector('.chart svg').getAttribute('aria-label')")
        .await;
    assert_eq!(chart, "Last 24 hours: 1 call, 0 refused");
    assert_eq!(faults(&tab).await, [""; 0]);

    tab.press("Rotate").await;
    tab.fill("The old secret goes on", "For an hour").await;
    tab.press("Rotate").await;
    let newer = tab
        .evaluate("document.getElementById('secret').textContent")
        .await;
    let newer = newer.as_str().unwrap().to_owned();
    assert_ne!(newer, secret);
    assert_eq!(
        (check(&site, &secret).await.0, check(&site, &newer).await.0),
        (200, 200)
    );
    tab.press("I have copied it").await;
    assert!(tab.text().await.contains("goes on until"));

    tab.press("Deactivate").await;
    tab.press("Deactivate").await;
    assert!(tab.text().await.contains("The key is switched off."));
    assert_eq!(check(&site, &newer).await, (401, "UNAUTHORIZED".to_owned()));
    tab.press("Activate").await;
    tab.press("Activate").await;
    assert_eq!(check(&site, &newer).await.0, 200);

    tab.press("Edit").await;
    tab.fill("Name", "").await;
    // The browser would keep it back; the server must say so too.
    tab.evaluate("document.querySelector('main form').noValidate = true")
        .await;
    tab.press("Save").await;
    assert_eq!(tab.status().await, 400);
    assert!(tab.text().await.contains("Something is not right yet"));
    tab.fill("Name", "deploy job of the shop").await;
    tab.press("Save").await;
    assert!(tab.text().await.contains("deploy job of the shop"));

    tab.press("Revoke").await;
    assert!(tab.text().await.contains("refused everywhere within a second"));
    tab.fill("Reason", "the job is gone").await;
    tab.press("Revoke").await;
    let page = tab.text().await;
    assert!(
        page.contains("revoked") && page.contains("the job is gone"),
        "{page}"
    );
    assert_eq!(check(&site, &newer).await, (401, "KEY_REVOKED".to_owned()));
    assert_eq!(check(&site, &secret).await, (401, "KEY_REVOKED".to_owned()));
    // What is done to it stands in its history.
    assert!(
        page.contains("API key given another secret") && page.contains("API key revoked"),
        "{page}"
    );
    assert_eq!(faults(&tab).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_from_their_beginning_to_their_end_on_sqlite() {
    a_key_from_its_beginning_to_its_end(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_from_their_beginning_to_their_end_on_postgres() {
    a_key_from_its_beginning_to_its_end(Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_found_as_one_types() {
    let site = Site::open(Engine::Sqlite).await;
    let other = site
        .server
        .key(&site.workspace, KeyType::Public, &["certificates:read"])
        .await;
    let other = other.key;
    let (_, tab) = site.signed_in(Role::Owner, TabSettings::default()).await;
    tab.goto(&site.within("/keys")).await;
    assert!(tab.text().await.contains(&other.name));
    tab.fill("Name, or first 8 characters", "nothing is called so")
        .await;
    tab.wait_for_text("No key is like that").await;
    assert!(tab.url().await.contains("q=nothing"), "{}", tab.url().await);
    tab.fill("Name, or first 8 characters", &other.display.start)
        .await;
    tab.wait_for_text(&other.name).await;
    tab.fill("State", "Revoked").await;
    tab.wait_for_text("No key is like that").await;
    assert_eq!(faults(&tab).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_made_without_javascript_and_once() {
    let site = Site::open(Engine::Sqlite).await;
    let (_, tab) = site.signed_in(Role::Owner, NO_SCRIPT).await;
    tab.goto(&site.within("/keys/new")).await;
    tab.fill("Name", "ci").await;
    tab.check("agents:report").await;
    tab.check("Public").await;
    tab.press("Create key").await;
    // A public key may not hold that scope: what was typed is still there, and the error is beside it.
    assert_eq!(tab.status().await, 400);
    assert_eq!(tab.value("Name").await, "ci");
    let text = tab.text().await;
    assert!(text.contains("a public key cannot hold this scope"), "{text}");
    tab.check("Agent").await;
    tab.press("Create key").await;
    assert!(tab.text().await.contains("Copy it now."), "{}", tab.text().await);
    tab.goto(&site.within("/keys?q=ci")).await;
    let text = tab.text().await;
    assert_eq!(text.matches("ak_").count(), 1, "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_fit_a_phone() {
    let site = Site::open(Engine::Sqlite).await;
    let key = site.server.admin(&site.workspace).await.key;
    let (_, tab) = site.signed_in(Role::Owner, PHONE).await;
    for path in [
        "",
        "/keys",
        "/keys/new",
        &format!("/keys/{}", key.id),
        &format!("/keys/{}/revoke", key.id),
    ] {
        tab.goto(&site.within(path)).await;
        assert_eq!(tab.status().await, 200, "{path}");
        assert_eq!(faults(&tab).await, [""; 0], "{path}");
    }
    tab.press("Menu").await;
    tab.press("API Keys").await;
    assert_eq!(tab.url().await, site.within("/keys"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_others_are_not_a_member_s() {
    let site = Site::open(Engine::Sqlite).await;
    let others = site.server.admin(&site.workspace).await.key;
    let (_, tab) = site.signed_in(Role::Member, TabSettings::default()).await;
    tab.goto(&site.within("/keys")).await;
    assert!(!tab.text().await.contains(&others.name));
    tab.goto(&site.within(&format!("/keys/{}", others.id))).await;
    assert_eq!(tab.status().await, 404);
    // Its own are, and never may more than it.
    tab.goto(&site.within("/keys/new")).await;
    tab.fill("Name", "mine").await;
    tab.check("certificates:read").await;
    tab.press("Create key").await;
    tab.press("I have copied it").await;
    let text = tab.text().await;
    assert!(text.contains("Belongs to\nmember-"), "{text}");
    tab.press("Revoke").await;
    tab.press("Revoke").await;
    assert!(tab.text().await.contains("The key is revoked."));
}

//! Trust rules on the page of a key.

use serde_json::json;
use tigertrust_model::{KeyType, Role};
use tigertrust_testkit::{Engine, TabSettings};

use crate::common::{NO_SCRIPT, PHONE, Site, faults};

async fn rules_are_added_and_removed(engine: Engine) {
    let site = Site::open(engine).await;
    let key = site
        .server
        .key(&site.workspace, KeyType::Agent, &["certificates:read"])
        .await
        .key;
    let (_, tab) = site.signed_in(Role::Admin, TabSettings::default()).await;
    let at = site.within(&format!("/keys/{}", key.id));
    tab.goto(&at).await;
    assert!(tab.text().await.contains("No job gets in without the key"));
    assert_eq!(faults(&tab).await, [""; 0]);

    tab.press("Add rule").await;
    assert_eq!(faults(&tab).await, [""; 0]);
    let audience = tab.value("Audience").await;
    assert_eq!(audience, site.server.base_url());
    tab.fill("Name", "releases of acme/api").await;
    tab.fill("Issuer", "https://token.actions.githubusercontent.com")
        .await;
    tab.fill("Claims", "ref=refs/heads/main\nsub=repo:acme*").await;
    tab.press("Add rule").await;
    // What was typed is still there, and what is wrong stands beside it.
    assert_eq!(tab.status().await, 400);
    let text = tab.text().await;
    assert!(text.contains("may have one *, at the end"), "{text}");
    assert_eq!(tab.value("Claims").await, "ref=refs/heads/main\nsub=repo:acme*");
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.fill(
        "Claims",
        "repository_owner_id=1234\nsub=repo:acme/api:ref:refs/heads/main\nsub=repo:acme/api:ref:refs/tags/*",
    )
    .await;
    tab.press("Add rule").await;
    let text = tab.text().await;
    assert!(text.contains("The rule is added."), "{text}");
    for shown in [
        "releases of acme/api",
        "https://token.actions.githubusercontent.com",
        "repository_owner_id",
        "repo:acme/api:ref:refs/heads/main or repo:acme/api:ref:refs/tags/*",
        "Trust rule created",
    ] {
        assert!(text.contains(shown), "{shown}: {text}");
    }
    assert_eq!(faults(&tab).await, [""; 0]);

    tab.press("Remove releases of acme/api").await;
    let text = tab.text().await;
    assert!(text.contains("Remove the trust rule?"), "{text}");
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.press("Remove").await;
    let text = tab.text().await;
    assert!(text.contains("The rule is removed."), "{text}");
    assert!(text.contains("No job gets in without the key"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trust_rules_are_added_and_removed_on_sqlite() {
    rules_are_added_and_removed(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trust_rules_are_added_and_removed_on_postgres() {
    rules_are_added_and_removed(Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trust_rules_work_without_javascript_and_fit_a_phone() {
    let site = Site::open(Engine::Sqlite).await;
    let key = site.server.key(&site.workspace, KeyType::Agent, &[]).await.key;
    let at = site.within(&format!("/keys/{}", key.id));
    let (_, tab) = site.signed_in(Role::Owner, NO_SCRIPT).await;
    tab.goto(&at).await;
    tab.press("Add rule").await;
    tab.fill("Name", "deploys").await;
    tab.fill("Issuer", "https://ci.example.com").await;
    tab.fill("Claims", "sub=project_path:acme/api:*").await;
    tab.press("Add rule").await;
    let text = tab.text().await;
    assert!(text.contains("deploys"), "{text}");

    let (_, tab) = site.signed_in(Role::Owner, PHONE).await;
    for page in [at.clone(), format!("{at}/trust-rules/new")] {
        tab.goto(&page).await;
        assert_eq!(faults(&tab).await, [""; 0], "{page}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trust_rules_are_not_a_viewer_s_to_change() {
    let site = Site::open(Engine::Sqlite).await;
    let admin = site.server.admin(&site.workspace).await;
    let key = site.server.key(&site.workspace, KeyType::Agent, &[]).await.key;
    let rule = json!({
        "name": "deploys", "issuer": "https://ci.example.com", "audience": "a", "claims": {"sub": ["x"]},
    });
    let path = format!("/api/keys/{}/trust-rules", key.id);
    assert_eq!(site.server.post(&path, &admin, &rule).await.status, 201);
    let (_, tab) = site.signed_in(Role::Member, TabSettings::default()).await;
    tab.goto(&site.within(&format!("/keys/{}/trust-rules/new", key.id)))
        .await;
    assert_eq!(tab.status().await, 404);
}

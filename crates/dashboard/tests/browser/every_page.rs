//! Every page as people see it: in light, in dark and on a phone, with nothing that keeps anybody out, breaks its policy or sticks out.
//! Pictures of all of them are left in `target/screenshots`.

use std::{collections::BTreeMap, path::PathBuf};

use reqwest::Method;
use serde_json::{Value, json};
use tigertrust_model::{KeyType, Role};
use tigertrust_testkit::{Engine, PASSWORD, Tab, TabSettings, send};

use crate::common::{PHONE, Site, faults};

/// The most that comes for a page, in bytes, for somebody who has never been there.
const MAX_WEIGHT: u64 = 100_000;

const DARK: TabSettings = TabSettings {
    javascript: true,
    width: 1280,
    height: 900,
    dark: true,
};

/// Where pictures go.
fn gallery() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target"));
    let gallery = target.join("screenshots");
    std::fs::create_dir_all(&gallery).unwrap();
    gallery
}

/// A workspace in which there is something of everything; what stands for each parameter of a path.
async fn furnished(site: &Site) -> BTreeMap<&'static str, String> {
    let (server, workspace) = (&site.server, &site.workspace);
    let admin = server.admin(workspace).await;
    let busy = server
        .key(workspace, KeyType::Agent, &["certificates:read"])
        .await;
    for path in [
        "/api/auth/check",
        "/api/auth/check?scope=agents:report",
        "/api/auth/check",
    ] {
        let request = server
            .request(Method::GET, path)
            .header("X-Agent-API-Key", busy.secret.reveal());
        drop(send(request).await);
    }
    server.flush_usage().await;
    server.flush_uses().await;
    let path = |below: &str| format!("/api/workspaces/{}/{below}", workspace.id);
    let made = async |below: &str, body: Value| {
        let answer = server.post(&path(below), &admin, &body).await;
        assert!(answer.status.is_success(), "{below}: {answer:?}");
        answer.body
    };
    let id = |body: &Value| body["id"].as_str().unwrap().to_owned();
    let invitation = made(
        "invitations",
        json!({"email": "new@example.com", "role": "member"}),
    )
    .await;
    let webhook = made(
        "webhooks",
        json!({"url": "https://hooks.example.com/tigertrust", "description": "The shop", "events": ["key.*"]}),
    )
    .await;
    let rule = json!({
        "name": "Releases of acme/api",
        "issuer": "https://token.actions.githubusercontent.com",
        "audience": "https://auth.example.com",
        "claims": {"repository_owner_id": ["1234"], "sub": ["repo:acme/api:ref:refs/heads/main", "repo:acme/api:ref:refs/tags/*"]},
    });
    let rules = format!("/api/keys/{}/trust-rules", busy.key.id);
    let rule = server.post(&rules, &admin, &rule).await.body;
    let connection = made(
        "sso-connections",
        json!({"slug": "acme", "name": "Acme", "oidc": {"issuer": "https://idp.example", "clientId": "tigertrust"}}),
    )
    .await;
    let domain = made("domains", json!({"domain": "acme.example"})).await;
    let colleague = server.member(workspace, Role::Member).await;
    let revoked = server.key(workspace, KeyType::Public, &[]).await;
    let revoke = format!("/api/keys/{}/revoke", revoked.key.id);
    drop(
        server
            .post(&revoke, &admin, &json!({"reason": "It was found in a log"}))
            .await,
    );
    BTreeMap::from([
        ("{id}", workspace.id.to_string()),
        ("{keyId}", busy.key.id.to_string()),
        ("{userId}", colleague.to_string()),
        ("{invitationId}", id(&invitation)),
        ("{ruleId}", id(&rule)),
        ("{webhookId}", id(&webhook)),
        ("{connectionId}", id(&connection)),
        ("{domain}", domain["domain"].as_str().unwrap().to_owned()),
    ])
}

/// The pages that are looked at, with their addresses.
fn pages(ids: &BTreeMap<&str, String>) -> Vec<(&'static str, String)> {
    let shown = tigertrust_dashboard::paths()
        .into_iter()
        .filter(|page| page.method.as_str() == "GET");
    shown
        .filter(|page| !is_elsewhere(page.path))
        .map(|page| {
            let path = ids
                .iter()
                .fold(page.path.to_owned(), |path, (name, id)| path.replace(name, id));
            assert!(!path.contains('{'), "nothing stands for a parameter of {path}");
            (page.path, path)
        })
        .collect()
}

/// Files, what leads on, and what is about something that the tests of those pages make: a passkey, an identity, a delivery.
fn is_elsewhere(path: &str) -> bool {
    let parts = [
        "/export",
        "/account.json",
        "{passkeyId}",
        "{identityId}",
        "{deliveryId}",
    ];
    path == "/" || path.ends_with("/test/login") || parts.iter().any(|part| path.contains(part))
}

fn picture(path: &str, look: &str) -> PathBuf {
    let name = path.replace(['{', '}'], "").replace('/', "-");
    gallery().join(format!("{}-{look}.png", name.trim_start_matches('-')))
}

async fn looked_at(tab: &Tab, site: &Site, pages: &[(&'static str, String)], look: &str) -> Vec<String> {
    let (mut found, mut heaviest) = (Vec::new(), (0, ""));
    for (pattern, path) in pages {
        tab.goto(&site.at(path)).await;
        let status = tab.status().await;
        if status != 200 {
            found.push(format!("{pattern}: {status}"));
        }
        tab.screenshot(&picture(pattern, look)).await;
        if look == "light" {
            let weight = tab.weight().await;
            heaviest = heaviest.max((weight, pattern));
            if weight >= MAX_WEIGHT {
                found.push(format!("{pattern} weighs {weight} bytes"));
            }
        }
        found.extend(
            faults(tab)
                .await
                .into_iter()
                .map(|fault| format!("{pattern} ({look}): {fault}")),
        );
    }
    found
}

async fn every_page_in(settings: TabSettings, look: &str) {
    let site = Site::open(Engine::Sqlite).await;
    let mut ids = furnished(&site).await;
    let (user, tab) = site.signed_in(Role::Owner, settings).await;
    // Another device of the same person.
    let login = json!({"email": site.server.email(user).await, "password": PASSWORD});
    drop(send(site.server.request(Method::POST, "/api/auth/login").json(&login)).await);
    tab.goto(&site.within("/audit")).await;
    ids.insert(
        "{event}",
        id_in_link(&tab, "main table a[href*='/audit/']", "/audit/").await,
    );
    tab.goto(&site.at("/account/security")).await;
    ids.insert(
        "{sessionId}",
        id_in_link(&tab, "main a[href*='/sessions/ses_']", "/sessions/").await,
    );
    let pages = pages(&ids);
    let (open, of_people): (Vec<_>, Vec<_>) = pages.into_iter().partition(|(pattern, _)| is_open(pattern));
    let stranger = site.tab(settings).await;
    let mut found = looked_at(&stranger, &site, &open, look).await;
    found.extend(looked_at(&tab, &site, &of_people, look).await);
    assert_eq!(found, [""; 0]);
}

/// What names something in the first link that is like this.
async fn id_in_link(tab: &Tab, selector: &str, before: &str) -> String {
    let path = tab
        .evaluate(&format!("document.querySelector(`{selector}`).pathname"))
        .await;
    let path = path.as_str().unwrap();
    let (_, rest) = path.split_once(before).unwrap();
    rest.split('/').next().unwrap().to_owned()
}

fn is_open(pattern: &str) -> bool {
    let mut paths = tigertrust_dashboard::paths().into_iter();
    paths.any(|page| page.path == pattern && page.like.is_none())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_in_light() {
    every_page_in(TabSettings::default(), "light").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_in_dark() {
    every_page_in(DARK, "dark").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_on_a_phone() {
    every_page_in(PHONE, "phone").await;
}

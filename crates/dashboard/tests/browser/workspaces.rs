//! Workspaces: those that there are, a new one, the settings of one, and its end.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tigertrust_credentials::{TotpSecret, TotpStep};
use tigertrust_model::{Clock as _, Role};
use tigertrust_testkit::{Engine, PASSWORD, Tab, TabSettings, send};

use crate::common::{NO_SCRIPT, PHONE, Site, faults, whereabouts};

fn base32(text: &str) -> TotpSecret {
    let bits = text.bytes().fold(String::new(), |bits, letter| {
        let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let digit = digits.iter().position(|own| *own == letter).unwrap();
        bits + &format!("{digit:05b}")
    });
    let bytes = (0..20).map(|index| u8::from_str_radix(&bits[index * 8..index * 8 + 8], 2).unwrap());
    TotpSecret::from_bytes(&bytes.collect::<Vec<_>>()).unwrap()
}

/// Adds an authenticator app to the account of whoever is signed in.
async fn add_app(site: &Site, tab: &Tab) -> TotpSecret {
    let call = |path: &str, body: &str| {
        format!(
            "fetch('/api/auth/2fa/{path}', {{ method: 'POST', headers: {{ 'Content-Type': 'application/json' }}, body: {body} }})\
             .then((answer) => answer.json())"
        )
    };
    let added = tab.evaluate(&call("totp", "'{}'")).await;
    let secret = base32(added["secret"].as_str().unwrap());
    let code = code(site, &secret);
    let body = format!("JSON.stringify({{ code: '{code}' }})");
    let confirmed = tab.evaluate(&call("totp/confirm", &body)).await;
    assert!(confirmed["recoveryCodes"].is_array(), "{confirmed}");
    // The code is spent by that.
    site.server.clock.advance(Duration::from_secs(60));
    secret
}

fn code(site: &Site, secret: &TotpSecret) -> String {
    secret.code(TotpStep::at(site.server.clock.now())).to_string()
}

async fn a_workspace_from_its_beginning_to_its_end(engine: Engine) {
    let site = Site::open(engine).await;
    let (_, tab) = site.signed_in(Role::Member, TabSettings::default()).await;
    tab.goto(&site.at("/workspaces")).await;
    let text = tab.text().await;
    assert!(text.contains("Acme") && text.contains("default"), "{text}");
    tab.press("New workspace").await;
    tab.fill("Name", &"x".repeat(101)).await;
    tab.press("Create workspace").await;
    assert_eq!(tab.status().await, 400);
    assert!(tab.text().await.contains("must have 1 to 100 characters"));
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.fill("Name", "Garage").await;
    tab.press("Create workspace").await;
    assert!(
        tab.text()
            .await
            .contains("The workspace is there, and you own it.")
    );
    let home = tab.url().await;
    let home = home.split('?').next().unwrap().to_owned();
    let id = home.rsplit('/').next().unwrap().to_owned();

    tab.press("Workspace").await;
    assert_eq!(tab.url().await, format!("{home}/settings"));
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.press("Copy the id of the workspace").await;
    assert_eq!(tab.clipboard().await, id);
    tab.fill("Name", "The garage").await;
    tab.check("Notify").await;
    tab.press("Save settings").await;
    let text = tab.text().await;
    assert!(
        text.contains("The settings are saved.") && text.contains("The garage"),
        "{text}"
    );
    assert_eq!(tab.value("Notify").await, "checked");
    tab.check("As the server is set up").await;
    tab.press("Save settings").await;
    assert_eq!(tab.value("As the server is set up").await, "checked");
    tab.fill("Name", "").await;
    tab.evaluate("document.querySelector('main form').noValidate = true")
        .await;
    tab.press("Save settings").await;
    assert_eq!(tab.status().await, 400);

    tab.goto(&format!("{home}/keys/new")).await;
    tab.fill("Name", "ci").await;
    tab.check("certificates:read").await;
    tab.press("Create key").await;
    let key = tab
        .evaluate("document.getElementById('secret').textContent")
        .await;
    let checked = async || {
        let request = site.server.request(Method::GET, "/api/auth/check");
        let answer = send(request.header("X-Agent-API-Key", key.as_str().unwrap())).await;
        answer.status.as_u16()
    };
    assert_eq!(checked().await, 200);
    tab.goto(&format!("{home}/settings")).await;
    tab.press("Delete").await;
    assert!(
        tab.text()
            .await
            .contains("All of its keys are refused everywhere")
    );
    tab.fill("Name of the workspace", "the garage").await;
    tab.press("Delete workspace").await;
    assert_eq!(tab.status().await, 400);
    let text = tab.text().await;
    assert!(text.contains("is not the name of this workspace"), "{text}");
    assert_eq!(checked().await, 200);
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.fill("Name of the workspace", "The garage").await;
    tab.press("Delete workspace").await;
    assert_eq!(whereabouts(&tab).await, site.at("/workspaces"));
    assert_ne!(checked().await, 200);
    tab.goto(&home).await;
    assert_eq!(tab.status().await, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workspaces_from_their_beginning_to_their_end_on_sqlite() {
    a_workspace_from_its_beginning_to_its_end(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workspaces_from_their_beginning_to_their_end_on_postgres() {
    a_workspace_from_its_beginning_to_its_end(Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workspaces_are_made_without_javascript_by_who_has_none() {
    let site = Site::open(Engine::Sqlite).await;
    let user = site.server.member(&site.workspace, Role::Viewer).await;
    site.server.set_role(&site.workspace, user, None).await;
    let tab = site.tab(NO_SCRIPT).await;
    site.sign_in(&tab, &site.server.email(user).await).await;
    assert_eq!(tab.url().await, site.at("/workspaces"));
    assert!(tab.text().await.contains("You are in no workspace"));
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.press("Create a workspace").await;
    tab.fill("Name", "Mine").await;
    tab.press("Create workspace").await;
    assert!(tab.text().await.contains("you own it"));
    tab.press("Workspace").await;
    tab.fill("Name", "Ours").await;
    tab.press("Save settings").await;
    assert_eq!(tab.value("Name").await, "Ours");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workspaces_have_no_forms_for_who_may_change_nothing() {
    let site = Site::open(Engine::Sqlite).await;
    let (_, tab) = site.signed_in(Role::Viewer, PHONE).await;
    tab.press("Menu").await;
    tab.press("Workspace").await;
    let text = tab.text().await;
    assert!(
        text.contains("Members need none") && text.contains("calls a minute"),
        "{text}"
    );
    assert!(
        !text.contains("Save settings") && !text.contains("Delete"),
        "{text}"
    );
    let forms = tab
        .evaluate("document.querySelectorAll('main form').length")
        .await;
    assert_eq!(forms, 0);
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.goto(&site.within("/delete")).await;
    assert_eq!(tab.status().await, 403);
    // An admin changes it, but does not end it.
    let (_, tab) = site.signed_in(Role::Admin, PHONE).await;
    tab.goto(&site.within("/settings")).await;
    let text = tab.text().await;
    assert!(
        text.contains("Save settings") && !text.contains("Delete"),
        "{text}"
    );
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.goto(&site.within("/delete")).await;
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.fill("Name of the workspace", "Acme").await;
    tab.press("Delete workspace").await;
    assert_eq!(tab.status().await, 403);
    let text = tab.text().await;
    assert!(text.contains("only an owner"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workspaces_demand_a_second_factor() {
    let site = Site::open(Engine::Sqlite).await;
    let (_, admin) = site.signed_in(Role::Admin, TabSettings::default()).await;
    let (member, other) = site.signed_in(Role::Member, TabSettings::default()).await;
    let earlier = site.tab(NO_SCRIPT).await;
    site.sign_in(&earlier, &site.server.email(member).await).await;
    // Which of two was joined first says which is the default.
    site.server.clock.advance(Duration::from_secs(1));
    let elsewhere = site.server.workspace("Elsewhere").await;
    site.server.set_role(&elsewhere, member, Some(Role::Viewer)).await;
    admin.goto(&site.within("/settings")).await;
    admin.check("Members need a second factor").await;
    admin.press("Save settings").await;
    // Nobody shuts itself out; what was chosen is still there.
    assert_eq!(admin.status().await, 403);
    let text = admin.text().await;
    assert!(
        text.contains("only who has proved a second factor may demand one"),
        "{text}"
    );
    assert_eq!(admin.value("Members need a second factor").await, "checked");
    assert_eq!(faults(&admin).await, [""; 0]);
    add_app(&site, &admin).await;
    admin.goto(&site.within("/settings")).await;
    admin.check("Members need a second factor").await;
    admin.press("Save settings").await;
    assert!(admin.text().await.contains("The settings are saved."));

    other.goto(&site.within("/keys")).await;
    assert_eq!(other.status().await, 403);
    let text = other.text().await;
    assert!(
        text.contains("A second factor is needed") && !text.contains("/api/"),
        "{text}"
    );
    assert_eq!(faults(&other).await, [""; 0]);
    other.press("Your workspaces").await;
    let text = other.text().await;
    assert_eq!(text.matches("second factor needed").count(), 1, "{text}");
    assert_eq!(faults(&other).await, [""; 0]);
    other.press("Settings of Elsewhere").await;
    assert_eq!(other.status().await, 200);
    // Who has one, and has signed in without, proves it; who has just added one has.
    let secret = add_app(&site, &other).await;
    other.goto(&site.within("/keys")).await;
    assert_eq!(other.status().await, 200);
    earlier.goto(&site.within("/keys")).await;
    assert_eq!(earlier.status().await, 403);
    earlier.press("Prove the one that you have").await;
    earlier.fill("Password", PASSWORD).await;
    earlier.fill("Code", &code(&site, &secret)).await;
    earlier.press("Confirm").await;
    assert_eq!(earlier.url().await, site.at("/workspaces"));
    assert!(!earlier.text().await.contains("second factor needed"));
    earlier.goto(&site.within("/keys")).await;
    assert_eq!(earlier.status().await, 200);
    site.server.clock.advance(Duration::from_secs(60));
    let email = site.server.email(member).await;
    let phone = site.tab(PHONE).await;
    phone.goto(&site.at("/sign-in")).await;
    phone.fill("E-mail address", &email).await;
    phone.fill("Password", PASSWORD).await;
    phone.press("Sign in").await;
    phone.fill("Code", &code(&site, &secret)).await;
    phone.press("Sign in").await;
    assert_eq!(phone.url().await, site.within(""));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workspaces_that_shut_somebody_out_can_be_left() {
    let site = Site::open(Engine::Sqlite).await;
    let (_, tab) = site.signed_in(Role::Viewer, PHONE).await;
    let key = site.server.admin(&site.workspace).await;
    let path = format!("/api/workspaces/{}", site.workspace.id);
    let body = json!({"requireSecondFactor": true});
    assert_eq!(site.server.patch(&path, &key, &body).await.status, 200);
    tab.goto(&site.at("/")).await;
    assert_eq!(tab.status().await, 403);
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.press("Your workspaces").await;
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.press("Leave Acme").await;
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.press("Leave the workspace").await;
    let text = tab.text().await;
    assert!(text.contains("You are in no workspace"), "{text}");
}

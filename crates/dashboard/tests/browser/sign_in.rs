//! Signing in and out, and who is not signed in.

use std::time::Duration;

use tigertrust_model::Role;
use tigertrust_testkit::{Engine, PASSWORD, Tab, TabSettings};

use crate::common::{NO_SCRIPT, Site, faults};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sign_in_leads_to_what_was_asked_for_and_out_again() {
    for settings in [TabSettings::default(), NO_SCRIPT] {
        let site = Site::open(Engine::Sqlite).await;
        let user = site.server.member(&site.workspace, Role::Owner).await;
        let tab = site.tab(settings).await;
        tab.goto(&site.within("/keys?state=active")).await;
        assert!(
            tab.url().await.contains("/sign-in?return="),
            "{}",
            tab.url().await
        );
        assert_eq!(faults(&tab).await, [""; 0]);
        tab.fill("E-mail address", &site.server.email(user).await).await;
        tab.fill("Password", "not the password").await;
        tab.press("Sign in").await;
        assert_eq!(tab.status().await, 401);
        assert_eq!(tab.value("E-mail address").await, site.server.email(user).await);
        assert_eq!(tab.value("Password").await, "");
        tab.fill("Password", PASSWORD).await;
        tab.press("Sign in").await;
        assert_eq!(tab.url().await, site.within("/keys?state=active"));
        // Who is signed in has no use for the page.
        tab.goto(&site.at("/sign-in")).await;
        assert_eq!(tab.url().await, site.within(""));
        tab.press("Sign out").await;
        assert!(tab.text().await.contains("You are signed out."));
        tab.goto(&site.within("/keys")).await;
        assert!(tab.url().await.contains("/sign-in"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sign_in_never_leads_elsewhere() {
    let site = Site::open(Engine::Sqlite).await;
    let user = site.server.member(&site.workspace, Role::Owner).await;
    let tab = site.tab(TabSettings::default()).await;
    tab.goto(&site.at("/sign-in?return=//evil.example/")).await;
    tab.fill("E-mail address", &site.server.email(user).await).await;
    tab.fill("Password", PASSWORD).await;
    tab.press("Sign in").await;
    assert_eq!(tab.url().await, site.within(""));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_has_ended_asks_to_sign_in_and_goes_on() {
    let site = Site::open(Engine::Sqlite).await;
    let (user, tab) = site.signed_in(Role::Owner, TabSettings::default()).await;
    tab.goto(&site.within("/keys/new")).await;
    tab.fill("Name", "late").await;
    site.server.clock.advance(Duration::from_secs(8 * 24 * 60 * 60));
    tab.press("Create key").await;
    assert!(
        tab.url().await.contains("/sign-in?return="),
        "{}",
        tab.url().await
    );
    tab.fill("E-mail address", &site.server.email(user).await).await;
    tab.fill("Password", PASSWORD).await;
    tab.press("Sign in").await;
    assert_eq!(tab.url().await, site.within("/keys/new"));

    // What htmx asks for leads there as well, and not into a part of the page.
    tab.goto(&site.within("/keys")).await;
    site.server.clock.advance(Duration::from_secs(8 * 24 * 60 * 60));
    tab.fill("Name, or first 8 characters", "x").await;
    tab.wait_for_text("Forgotten your password?").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_from_another_site_finds_who_is_signed_in() {
    let site = Site::open(Engine::Sqlite).await;
    let (_, tab) = site.signed_in(Role::Owner, TabSettings::default()).await;
    tab.goto_from(&site.within("/keys"), "127.0.0.1").await;
    tab.wait_for_text("What agents, services and CI prove with who they are.")
        .await;
    assert_eq!(tab.url().await, site.within("/keys"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forgotten_password_is_set_anew() {
    for settings in [TabSettings::default(), NO_SCRIPT] {
        let site = Site::open(Engine::Sqlite).await;
        let user = site.server.member(&site.workspace, Role::Owner).await;
        let email = site.server.email(user).await;
        let tab = site.tab(settings).await;
        tab.goto(&site.at("/sign-in")).await;
        tab.press("Forgotten your password?").await;
        tab.fill("E-mail address", &email).await;
        tab.press("Send the mail").await;
        assert!(tab.text().await.contains("a mail with a link is on its way"));
        let token = site.server.mails.token(&email);
        let link = site.at(&format!("/password/reset#token={token}"));
        tab.goto(&link).await;
        if settings.javascript {
            assert!(!tab.url().await.contains(&token), "{}", tab.url().await);
        } else {
            tab.fill("Link", &link).await;
        }
        assert_eq!(faults(&tab).await, [""; 0]);
        tab.fill("New password", "short").await;
        tab.press("Set password").await;
        assert_eq!(tab.status().await, 400, "{}", tab.text().await);
        tab.fill("New password", "another horse, another battery").await;
        tab.press("Set password").await;
        assert!(
            tab.text().await.contains("Your password is set."),
            "{}",
            tab.text().await
        );
        tab.fill("E-mail address", &email).await;
        tab.fill("Password", "another horse, another battery").await;
        tab.press("Sign in").await;
        assert_eq!(tab.url().await, site.within(""));
        // A link is good once.
        tab.goto(&site.at("/password/reset")).await;
        tab.fill("Link", &link).await;
        tab.fill("New password", "yet another horse and battery").await;
        tab.press("Set password").await;
        assert_eq!(tab.status().await, 401);
    }
}

/// Goes on to the next things until it is at the one that is called so.
async fn tab_to(tab: &Tab, name: &str) {
    for _ in 0..40 {
        tab.keyboard("Tab").await;
        let at = tab.evaluate("document.activeElement.textContent.trim()").await;
        if at.as_str() == Some(name) {
            return;
        }
    }
    panic!("{name} is not reached: {}", tab.text().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_dashboard_is_used_by_keyboard_alone() {
    let site = Site::open(Engine::Sqlite).await;
    let (_, tab) = site.signed_in(Role::Owner, TabSettings::default()).await;
    tab.goto(&site.within("/keys")).await;
    tab_to(&tab, "Skip to the content").await;
    tab.keyboard("Enter").await;
    let inside = "document.getElementById('content').contains(document.activeElement)";
    assert_eq!(tab.evaluate(inside).await, true);
    tab_to(&tab, "Create API Key").await;
    tab.keyboard("Enter").await;
    tab.wait_for_text("What it may do.").await;

    let open = "document.querySelector('details.switcher').open";
    tab_to(&tab, "Acme").await;
    tab.keyboard("Enter").await;
    assert_eq!(tab.evaluate(open).await, true);
    tab.keyboard("Escape").await;
    assert_eq!(tab.evaluate(open).await, false);
    let focused = "document.activeElement.matches('details.switcher summary')";
    assert_eq!(tab.evaluate(focused).await, true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_in_a_mail_that_another_site_shows_is_good() {
    let site = Site::open(Engine::Sqlite).await;
    let user = site.server.member(&site.workspace, Role::Owner).await;
    let email = site.server.email(user).await;
    let tab = site.tab(TabSettings::default()).await;
    tab.goto(&site.at("/password/forgot")).await;
    tab.fill("E-mail address", &email).await;
    tab.press("Send the mail").await;
    let token = site.server.mails.token(&email);
    tab.goto_from(&site.at(&format!("/password/reset#token={token}")), "127.0.0.1")
        .await;
    tab.fill("New password", "another horse, another battery").await;
    tab.press("Set password").await;
    assert!(
        tab.text().await.contains("Your password is set."),
        "{}",
        tab.text().await
    );
}

//! Security: password, authenticator app, recovery codes, passkeys, sessions.

use std::time::Duration;

use tigertrust_credentials::{TotpSecret, TotpStep};
use tigertrust_model::{Clock as _, Role};
use tigertrust_testkit::{Engine, PASSWORD, Tab, TabSettings};

use crate::common::{NO_SCRIPT, PHONE, Site, faults};

const ANOTHER: &str = "another horse, another battery";

/// An app that has taken the secret of the page.
struct App(TotpSecret);

impl App {
    async fn of_page(tab: &Tab) -> Self {
        let shown = tab
            .evaluate("document.getElementById('app-secret').textContent")
            .await;
        let digits = shown.as_str().unwrap().bytes().map(|letter| {
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
                .iter()
                .position(|own| *own == letter)
                .unwrap()
        });
        let bits = digits.fold(String::new(), |bits, digit| bits + &format!("{digit:05b}"));
        let bytes: Vec<u8> = (0..20)
            .map(|index| u8::from_str_radix(&bits[index * 8..index * 8 + 8], 2).unwrap())
            .collect();
        Self(TotpSecret::from_bytes(&bytes).unwrap())
    }

    fn code(&self, site: &Site) -> String {
        self.0.code(TotpStep::at(site.server.clock.now())).to_string()
    }

    /// A code that is wrong at any time near.
    fn wrong_code(&self, site: &Site) -> String {
        let present = TotpStep::at(site.server.clock.now()).number();
        let near: Vec<String> = (present - 2..=present + 2)
            .map(|step| self.0.code(TotpStep::from_number(step)).to_string())
            .collect();
        let mut codes = (0..).map(|number| format!("{number:06}"));
        codes.find(|code| !near.contains(code)).unwrap()
    }
}

/// The codes of the list with that id.
async fn codes(tab: &Tab, list: &str) -> Vec<String> {
    let items = format!("[...document.querySelectorAll('#{list} li')].map((item) => item.textContent)");
    serde_json::from_value(tab.evaluate(&items).await).unwrap()
}

/// Goes on by ten minutes and one: what was proved is fresh no longer.
fn pass_time(site: &Site) {
    site.server.clock.advance(Duration::from_secs(11 * 60));
}

async fn read(tab: &Tab, text: &str) {
    let page = tab.text().await;
    assert!(page.contains(text), "no “{text}” in:\n{page}");
}

async fn an_app_from_its_first_code_to_its_end(engine: Engine) {
    let site = Site::open(engine).await;
    let (user, tab) = site.signed_in(Role::Viewer, TabSettings::default()).await;
    let email = site.server.email(user).await;
    tab.press("Security").await;
    assert_eq!(tab.url().await, site.at("/account/security"));
    read(&tab, "Your account has no second factor.").await;
    assert_eq!(faults(&tab).await, [""; 0]);

    tab.press("Add an authenticator app").await;
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.press("Show the QR code").await;
    let app = App::of_page(&tab).await;
    let drawn = tab.evaluate("document.querySelector('.qr svg').getBoundingClientRect().width > 150");
    assert_eq!(drawn.await, true);
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.fill("Code", &app.wrong_code(&site)).await;
    tab.press("Add the app").await;
    assert_eq!(tab.status().await, 401);
    read(&tab, "is not right. The app shows another one every 30 seconds").await;
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.fill("Code", &app.code(&site)).await;
    tab.press("Add the app").await;
    let first = codes(&tab, "recovery-codes").await;
    assert_eq!(first.len(), 10);
    tab.press("Copy the codes").await;
    assert_eq!(tab.clipboard().await, first.join("\n"));
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.press("I have kept them").await;
    read(&tab, "You have 10 left.").await;
    assert!(!tab.text().await.contains(&first[0]));

    // A code is good once, and the next one half a minute later.
    site.server.clock.advance(Duration::from_secs(60));
    tab.press("Sign out").await;
    site.sign_in(&tab, &email).await;
    tab.fill("Code", &app.wrong_code(&site)).await;
    tab.press("Sign in").await;
    assert_eq!(tab.status().await, 401);
    tab.fill("Code", &app.code(&site)).await;
    tab.press("Sign in").await;
    assert_eq!(tab.url().await, site.within(""));
    tab.press("Sign out").await;
    site.sign_in(&tab, &email).await;
    tab.fill("Code", &first[3]).await;
    tab.press("Sign in").await;
    assert_eq!(tab.url().await, site.within(""));
    tab.goto(&site.at("/account/security")).await;
    read(&tab, "You have 9 left.").await;

    // What somebody begins who has an app by now leads back.
    tab.goto(&site.at("/account/security/app")).await;
    read(&tab, "Your account has an app already.").await;
    tab.goto(&site.at("/account/security/app/confirm")).await;
    tab.fill("Code", &app.code(&site)).await;
    tab.press("Add the app").await;
    read(&tab, "There was no app to confirm any more.").await;

    tab.goto(&site.at("/account/security")).await;
    tab.press("Make new codes").await;
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.press("Make new codes").await;
    let second = codes(&tab, "recovery-codes").await;
    assert_eq!(second.len(), 10);
    assert!(first.iter().all(|code| !second.contains(code)));
    tab.press("I have kept them").await;

    tab.press("Remove the app").await;
    read(&tab, "It is your only second factor").await;
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.press("Remove the app").await;
    read(&tab, "The authenticator app is removed.").await;
    tab.press("Sign out").await;
    site.sign_in(&tab, &email).await;
    assert_eq!(tab.url().await, site.within(""));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn security_an_app_from_its_first_code_to_its_end() {
    for engine in [Engine::Postgres, Engine::Sqlite] {
        an_app_from_its_first_code_to_its_end(engine).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn security_an_app_is_added_without_scripts_and_after_a_fresh_proof() {
    let site = Site::open(Engine::Sqlite).await;
    let (user, tab) = site.signed_in(Role::Member, NO_SCRIPT).await;
    tab.goto(&site.at("/account/security/app")).await;
    pass_time(&site);
    tab.press("Show the QR code").await;
    read(&tab, "Confirm that it is you").await;
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.fill("Password", "not the password").await;
    tab.press("Confirm").await;
    assert_eq!(tab.status().await, 401);
    // Who will not is back where it began.
    tab.press("Cancel").await;
    tab.press("Show the QR code").await;
    tab.fill("Password", PASSWORD).await;
    tab.press("Confirm").await;
    let app = App::of_page(&tab).await;
    // What was typed goes on as well.
    pass_time(&site);
    tab.fill("Code", &app.code(&site)).await;
    tab.press("Add the app").await;
    read(&tab, "Confirm that it is you").await;
    tab.fill("Password", PASSWORD).await;
    tab.press("Confirm").await;
    assert_eq!(codes(&tab, "recovery-codes").await.len(), 10);
    tab.press("I have kept them").await;
    read(&tab, "You have 10 left.").await;

    // From now on a proof is of both.
    site.server.clock.advance(Duration::from_secs(60));
    pass_time(&site);
    tab.press("Make new codes").await;
    tab.press("Make new codes").await;
    tab.fill("Password", PASSWORD).await;
    tab.press("Confirm").await;
    assert_eq!(tab.status().await, 400);
    tab.fill("Password", PASSWORD).await;
    tab.fill("Code", &app.code(&site)).await;
    tab.press("Confirm").await;
    assert_eq!(codes(&tab, "recovery-codes").await.len(), 10);
    let mails = site.server.mails.take(&site.server.email(user).await);
    assert!(!mails.is_empty(), "what happens to an account is told by mail");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn security_a_passkey_signs_in_and_proves() {
    let site = Site::open(Engine::Sqlite).await;
    let (user, tab) = site.signed_in(Role::Owner, TabSettings::default()).await;
    let email = site.server.email(user).await;
    tab.authenticator().await;
    tab.goto(&site.at("/account/security")).await;
    tab.press("Add a passkey").await;
    assert_eq!(faults(&tab).await, [""; 0]);

    // The name that was typed comes along where a fresh proof is asked for.
    pass_time(&site);
    tab.fill("Name", "Jo's laptop").await;
    tab.press("Add a passkey").await;
    tab.wait_for_text("Confirm that it is you").await;
    tab.fill("Password", PASSWORD).await;
    tab.press("Confirm").await;
    assert_eq!(tab.value("Name").await, "Jo's laptop");
    tab.press("Add a passkey").await;
    tab.wait_for_text("keep your recovery codes").await;
    let focused = tab.evaluate("document.activeElement.localName").await;
    assert_eq!(focused, "h2");
    let shown = codes(&tab, "passkey-codes").await;
    assert_eq!(shown.len(), 10);
    tab.press("Copy the codes").await;
    assert_eq!(tab.clipboard().await, shown.join("\n"));
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.press("I have kept them").await;
    read(&tab, "Jo's laptop").await;
    read(&tab, "You have 10 left.").await;
    assert_eq!(faults(&tab).await, [""; 0]);

    // One of a kind is enough, says the authenticator.
    tab.press("Add a passkey").await;
    tab.press("Add a passkey").await;
    tab.wait_for_text("There is a passkey for your account already")
        .await;

    tab.goto(&site.at("/account/security")).await;
    tab.press("Rename Jo's laptop").await;
    tab.fill("Name", &"x".repeat(101)).await;
    tab.press("Rename").await;
    assert_eq!(tab.status().await, 400);
    let described = "document.getElementById(document.getElementById('name').getAttribute('aria-describedby')).textContent";
    let mistake = tab.evaluate(described).await;
    assert!(mistake.as_str().unwrap().contains("100"), "{mistake}");
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.fill("Name", "Key at work").await;
    tab.press("Rename").await;
    read(&tab, "The passkey has another name.").await;
    read(&tab, "Key at work").await;

    // In place of a password, and as the second step after one.
    tab.press("Sign out").await;
    tab.press("Sign in with a passkey").await;
    tab.wait_for_text("No calls in this time").await;
    assert_eq!(tab.url().await, site.within(""));
    tab.press("Sign out").await;
    site.sign_in(&tab, &email).await;
    read(&tab, "One more step").await;
    tab.press("Use your passkey").await;
    tab.wait_for_text("No calls in this time").await;

    // As a fresh proof, of itself and before something that asks for one.
    pass_time(&site);
    tab.goto(&site.at("/account/security")).await;
    tab.press("Remove Key at work").await;
    read(&tab, "It is your only second factor").await;
    tab.press("Remove the passkey").await;
    read(&tab, "Confirm that it is you").await;
    // The form that asked for the proof goes on by itself.
    tab.press("Use a passkey").await;
    tab.wait_for_text("The passkey is removed.").await;
    read(&tab, "The passkey is removed.").await;
    read(&tab, "No passkeys yet").await;
    assert_eq!(tab.troubles().await, [""; 0]);
    tab.press("Sign out").await;
    tab.press("Sign in with a passkey").await;
    tab.wait_for_text("is not right").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn security_passkeys_need_scripts_and_say_so() {
    let site = Site::open(Engine::Sqlite).await;
    let (_, tab) = site.signed_in(Role::Viewer, NO_SCRIPT).await;
    tab.goto(&site.at("/account/security")).await;
    tab.press("Add a passkey").await;
    read(&tab, "Passkeys need JavaScript").await;
    assert_eq!(faults(&tab).await, [""; 0]);
    // Those of others are nobody's.
    let passkey = "pky_01h2xcejqtf2nbrexx3vqjhp41";
    for act in ["rename", "remove"] {
        tab.goto(&site.at(&format!("/account/security/passkeys/{passkey}/{act}")))
            .await;
        assert_eq!(tab.status().await, 404, "{act}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn security_a_password_is_changed_and_ends_other_sessions() {
    for settings in [TabSettings::default(), NO_SCRIPT] {
        let site = Site::open(Engine::Sqlite).await;
        let (user, tab) = site.signed_in(Role::Member, settings).await;
        let email = site.server.email(user).await;
        let other = site.tab(settings).await;
        site.sign_in(&other, &email).await;
        tab.goto(&site.at("/account/security")).await;
        tab.press("Change password").await;
        assert_eq!(faults(&tab).await, [""; 0]);
        let said_of = async |field: &str| {
            let script = format!(
                "document.getElementById('{field}').closest('.field').querySelector('.error')?.textContent ?? ''"
            );
            tab.evaluate(&script).await.as_str().unwrap().to_owned()
        };
        for (current, new, status, field) in [
            ("not the password", ANOTHER, 401, "currentPassword"),
            (PASSWORD, "short", 400, "newPassword"),
            (PASSWORD, PASSWORD, 400, "newPassword"),
        ] {
            tab.fill("Current password", current).await;
            tab.fill("New password", new).await;
            tab.press("Change password").await;
            assert_eq!(tab.status().await, status, "{}", tab.text().await);
            assert_ne!(said_of(field).await, "", "{field}");
            assert_eq!(tab.value("Current password").await, "");
            assert_eq!(faults(&tab).await, [""; 0]);
        }
        tab.fill("Current password", PASSWORD).await;
        tab.fill("New password", ANOTHER).await;
        tab.press("Change password").await;
        read(&tab, "Your password is changed.").await;
        // The session goes on, under another token.
        tab.press("Add an authenticator app").await;
        tab.press("Show the QR code").await;
        assert_eq!(tab.status().await, 200, "{}", tab.text().await);
        other.goto(&site.at("/account/security")).await;
        assert!(other.url().await.contains("/sign-in"), "{}", other.url().await);
        other.fill("E-mail address", &email).await;
        other.fill("Password", ANOTHER).await;
        other.press("Sign in").await;
        assert_eq!(other.url().await, site.at("/account/security"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn security_sessions_are_listed_and_ended() {
    for settings in [NO_SCRIPT, PHONE] {
        let site = Site::open(Engine::Sqlite).await;
        let (user, tab) = site.signed_in(Role::Viewer, settings).await;
        let email = site.server.email(user).await;
        tab.goto(&site.at("/account/security")).await;
        read(&tab, "on Linux").await;
        read(&tab, "this one").await;
        assert!(!tab.text().await.contains("End all others"));
        let mut others = Vec::new();
        for _ in 0..3 {
            let other = site.tab(settings).await;
            site.sign_in(&other, &email).await;
            site.server.clock.advance(Duration::from_secs(60));
            others.push(other);
        }
        let is_out = async |tab: &Tab| {
            tab.goto(&site.at("/account")).await;
            tab.url().await.contains("/sign-in")
        };
        tab.goto(&site.at("/account/security")).await;
        assert_eq!(faults(&tab).await, [""; 0]);
        tab.press("End the session of Chrome on Linux, 3 minutes ago")
            .await;
        read(&tab, "Whoever has it is signed out at once.").await;
        assert_eq!(faults(&tab).await, [""; 0]);
        tab.press("End the session").await;
        read(&tab, "The session has ended.").await;
        assert!(is_out(&others[0]).await);
        assert!(!is_out(&others[1]).await);
        tab.press("End all others").await;
        assert_eq!(faults(&tab).await, [""; 0]);
        tab.press("End all others").await;
        read(&tab, "All of your other sessions have ended.").await;
        assert!(is_out(&others[1]).await && is_out(&others[2]).await);
        assert!(!is_out(&tab).await);

        // To end its own is as good as signing out.
        let stored = site.server.storage.sign_ins();
        let own = stored.list_sessions(user, site.server.clock.now()).await.unwrap()[0].id;
        tab.goto(&site.at(&format!("/account/security/sessions/{own}/end")))
            .await;
        read(&tab, "you are signed out").await;
        tab.press("End the session").await;
        read(&tab, "You are signed out.").await;
        assert!(is_out(&tab).await);
        // One that is over, or somebody else's, is not there.
        site.sign_in(&tab, &email).await;
        let (kim, _) = site.signed_in(Role::Owner, NO_SCRIPT).await;
        let foreign = stored.list_sessions(kim, site.server.clock.now()).await.unwrap()[0].id;
        for id in [own, foreign] {
            tab.goto(&site.at(&format!("/account/security/sessions/{id}/end")))
                .await;
            assert_eq!(tab.status().await, 404);
        }
    }
}

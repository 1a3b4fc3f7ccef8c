//! The own account: name, address, providers, data, and its end.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tigertrust_accounts::sso::{
    ClientSecret, ConfiguredConnection, Connection, OidcPreset, OidcSettings, ProviderSettings, ServerScope,
    SsoPolicy,
};
use tigertrust_model::{AuditFilter, Chain, Clock as _, ConnectionRef, Creator, Role, Timestamp};
use tigertrust_testkit::{
    Answer, Chromium, Engine, PASSWORD, Tab, TabSettings, TestServer, ThrowawayProvider, send,
};

use crate::common::{NO_SCRIPT, PHONE, Site, faults, whereabouts};

/// Goes on by ten minutes and one: what was proved is fresh no longer.
fn pass_time(site: &Site) {
    site.server.clock.advance(Duration::from_secs(11 * 60));
}

async fn read(tab: &Tab, text: &str) {
    let page = tab.text().await;
    assert!(page.contains(text), "no “{text}” in:\n{page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn profile_a_name_and_a_default_workspace_are_chosen() {
    for (engine, settings) in [
        (Engine::Postgres, TabSettings::default()),
        (Engine::Sqlite, NO_SCRIPT),
    ] {
        let site = Site::open(engine).await;
        let (user, tab) = site.signed_in(Role::Viewer, settings).await;
        let other = site.server.workspace("Bellwether").await;
        site.server.set_role(&other, user, Some(Role::Viewer)).await;
        tab.press("Profile").await;
        assert_eq!(tab.url().await, site.at("/account"));
        assert_eq!(faults(&tab).await, [""; 0]);
        tab.fill("Name", &"x".repeat(101)).await;
        tab.fill("Default workspace", "Bellwether").await;
        tab.press("Save").await;
        assert_eq!(tab.status().await, 400);
        assert_eq!(tab.value("Default workspace").await, "Bellwether");
        let mistake = "document.getElementById('name-error').textContent";
        let mistake = tab.evaluate(mistake).await;
        assert!(mistake.as_str().unwrap().contains("100"), "{mistake}");
        assert_eq!(faults(&tab).await, [""; 0]);
        tab.fill("Name", "Jo Doe").await;
        tab.press("Save").await;
        read(&tab, "Your profile is saved.").await;
        assert_eq!(tab.value("Name").await, "Jo Doe");
        tab.goto(&site.at("/")).await;
        assert_eq!(tab.url().await, site.at(&format!("/w/{}", other.id)));

        // A workspace that one is no member of any more is no choice.
        tab.goto(&site.at("/account")).await;
        tab.fill("Default workspace", "Bellwether").await;
        site.server.set_role(&other, user, None).await;
        tab.press("Save").await;
        assert_eq!(tab.status().await, 403);
        tab.fill("Name", "").await;
        tab.fill("Default workspace", "The one that I joined first").await;
        tab.press("Save").await;
        assert_eq!(tab.value("Name").await, "");
        tab.goto(&site.at("/")).await;
        assert_eq!(tab.url().await, site.within(""));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn profile_an_address_is_verified_and_changed_by_mail() {
    for settings in [TabSettings::default(), NO_SCRIPT] {
        let site = Site::open(Engine::Sqlite).await;
        let (user, tab) = site.signed_in(Role::Member, settings).await;
        let email = site.server.email(user).await;
        tab.goto(&site.at("/account")).await;
        read(&tab, "not verified").await;
        tab.press("Send a mail to verify it").await;
        read(&tab, "A mail is on its way to the address").await;
        let follow = async |token: String| {
            let link = site.at(&format!("/email/verify#token={token}"));
            tab.goto(&link).await;
            if !settings.javascript {
                tab.fill("Link", &link).await;
            }
            tab.press("Confirm").await;
            assert_eq!(whereabouts(&tab).await, site.at("/account"));
        };
        follow(site.server.mails.token(&email)).await;
        let page = tab.text().await;
        assert!(
            page.contains("verified") && !page.contains("not verified"),
            "{page}"
        );

        tab.press("Change address").await;
        assert_eq!(faults(&tab).await, [""; 0]);
        tab.fill("New address", &format!("{}@example.com", "x".repeat(250)))
            .await;
        tab.press("Send the mail").await;
        assert_eq!(tab.status().await, 400);
        read(&tab, "must be an e-mail address").await;
        assert_eq!(faults(&tab).await, [""; 0]);
        // What was typed goes on after a fresh proof.
        pass_time(&site);
        tab.fill("New address", "new@example.com").await;
        tab.press("Send the mail").await;
        read(&tab, "Confirm that it is you").await;
        tab.fill("Password", PASSWORD).await;
        tab.press("Confirm").await;
        read(&tab, "A mail is on its way to the address").await;
        let told = site.server.mails.only(&email);
        assert!(told.reveal_text().contains("in place of this address"));
        follow(site.server.mails.token("new@example.com")).await;
        assert_eq!(site.server.email(user).await, "new@example.com");
        read(&tab, "new@example.com").await;
    }
}

/// How often it is logged that an account was handed out.
async fn exports(site: &Site) -> usize {
    let filter = AuditFilter::default();
    let audit = &site.server.audit;
    let page = audit.list(Chain::Instance, filter, None, 100).await.unwrap();
    let exported = |action: &str| action == "user.exported";
    page.events.iter().filter(|event| exported(&event.action)).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn profile_data_are_handed_out_once_it_is_sure_to_whom() {
    let site = Site::open(Engine::Sqlite).await;
    let (user, tab) = site.signed_in(Role::Viewer, PHONE).await;
    tab.goto(&site.at("/account")).await;
    assert_eq!(faults(&tab).await, [""; 0]);
    let ask = async |method: &str| {
        let script = format!(
            "(async () => {{ const answer = await fetch('/account/export/account.json', {{ method: '{method}' }}); \
             return [answer.status, answer.headers.get('content-disposition'), await answer.text()]; }})()"
        );
        tab.evaluate(&script).await
    };
    let asked = ask("HEAD").await;
    assert_eq!(asked, json!([200, null, ""]));
    assert_eq!(exports(&site).await, 0);
    let handed_out = ask("GET").await;
    assert_eq!(handed_out[0], 200);
    assert_eq!(handed_out[1], "attachment; filename=\"account.json\"");
    let data: Value = serde_json::from_str(handed_out[2].as_str().unwrap()).unwrap();
    assert_eq!(data["user"]["id"], user.to_string());
    assert_eq!(exports(&site).await, 1);

    pass_time(&site);
    tab.press("Download your data").await;
    read(&tab, "Confirm that it is you").await;
    assert_eq!(exports(&site).await, 1);
    tab.fill("Password", PASSWORD).await;
    tab.press("Confirm").await;
    assert_eq!(tab.url().await, site.at("/account/export"));
    assert_eq!(faults(&tab).await, [""; 0]);
    assert_eq!(ask("GET").await[0], 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn profile_an_account_ends_for_good() {
    for (engine, settings) in [
        (Engine::Postgres, TabSettings::default()),
        (Engine::Sqlite, NO_SCRIPT),
    ] {
        let site = Site::open(engine).await;
        let (user, tab) = site.signed_in(Role::Member, settings).await;
        let email = site.server.email(user).await;
        let own = site.server.workspace("Of her own").await;
        site.server.set_role(&own, user, Some(Role::Owner)).await;
        site.server.set_role(&own, site.server.owner, None).await;
        tab.goto(&site.at("/account")).await;
        tab.press("Delete your account").await;
        assert_eq!(faults(&tab).await, [""; 0]);
        tab.press("Delete my account for good").await;
        assert_eq!(tab.status().await, 409);
        read(&tab, "Nobody else owns Of her own").await;
        assert_eq!(faults(&tab).await, [""; 0]);
        site.server
            .set_role(&own, site.server.owner, Some(Role::Owner))
            .await;

        pass_time(&site);
        tab.press("Delete my account for good").await;
        read(&tab, "Confirm that it is you").await;
        tab.press("Cancel").await;
        read(&tab, "Delete your account?").await;
        tab.press("Delete my account for good").await;
        tab.fill("Password", PASSWORD).await;
        tab.press("Confirm").await;
        read(&tab, "Goodbye").await;
        assert_eq!(faults(&tab).await, [""; 0]);
        tab.press("To sign in").await;
        tab.fill("E-mail address", &email).await;
        tab.fill("Password", PASSWORD).await;
        tab.press("Sign in").await;
        assert_eq!(tab.status().await, 401);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn profile_what_ends_with_a_fresh_proof_leaves_no_cookie() {
    let pages = tigertrust_dashboard::pages();
    let server = TestServer::with_pages(Engine::Sqlite, pages, |_| Vec::new()).await;
    let home = server.workspace("Acme").await;
    let email = server.email(server.member(&home, Role::Member).await).await;
    let cookies = |answer: &Answer| {
        let all = answer.headers.get_all("set-cookie").iter();
        all.map(|cookie| cookie.to_str().unwrap().to_owned())
            .collect::<Vec<String>>()
    };
    let login = json!({"email": email, "password": PASSWORD});
    let begun = send(server.request(Method::POST, "/api/auth/login").json(&login)).await;
    let handed_out: Vec<String> = cookies(&begun)
        .iter()
        .map(|cookie| cookie.split(';').next().unwrap().to_owned())
        .collect();
    let ask = |method: Method| {
        server
            .request(method, "/account/delete")
            .header("Cookie", handed_out.join("; "))
            .header("Origin", server.base_url())
    };
    server.clock.advance(Duration::from_secs(11 * 60));
    let page = send(ask(Method::GET)).await;
    let (_, rest) = page
        .body
        .as_str()
        .unwrap()
        .split_once("name=\"_token\" value=\"")
        .unwrap();
    let token = rest.split('"').next().unwrap();
    let form = [("_token", token), ("_password", PASSWORD)];
    let ended = send(ask(Method::POST).form(&form)).await;
    assert!(ended.body.as_str().unwrap().contains("Goodbye"), "{ended:?}");
    let taken_back = cookies(&ended);
    assert_eq!(taken_back.len(), handed_out.len());
    for (taken, own) in taken_back.iter().zip(&handed_out) {
        let name = own.split('=').next().unwrap();
        assert!(taken.starts_with(&format!("{name}=; Max-Age=0;")), "{taken}");
    }
}

/// A provider of the whole server, which everybody is offered.
fn acme(issuer: &str) -> ConfiguredConnection {
    let connection = Connection {
        id: ConnectionRef::Configured("acme".to_owned()),
        workspace: None,
        slug: "acme".to_owned(),
        name: "Acme ID".to_owned(),
        enabled: true,
        provider: ProviderSettings::Oidc(OidcSettings {
            preset: OidcPreset::Custom,
            issuer: issuer.to_owned(),
            client_id: "tigertrust".to_owned(),
            client_secret: Some(ClientSecret::new("secret")),
            scopes: vec!["email".to_owned(), "profile".to_owned()],
            allowed_domains: Vec::new(),
            tenants: Vec::new(),
            groups_claim: None,
        }),
        policy: SsoPolicy::default(),
        server: ServerScope::default(),
        has_scim: false,
        created_by: Creator::Operator,
        created_at: Timestamp::from_unix_micros(0),
        updated_at: Timestamp::from_unix_micros(0),
    };
    ConfiguredConnection {
        connection,
        signing_key: None,
    }
}

/// A site whose people may connect their accounts with a provider.
async fn with_provider() -> (Site, ThrowawayProvider) {
    let mut started = None;
    let pages = tigertrust_dashboard::pages();
    let server = TestServer::with_pages(Engine::Sqlite, pages, |base_url| {
        let provider = ThrowawayProvider::start(&json!({
            "host": "127.0.0.1",
            "issuers": [{}],
            "accounts": {"ada": {"email": "ada@acme.example", "email_verified": true}},
            "clients": [{
                "client_id": "tigertrust", "client_secret": "secret",
                "redirect_uris": [format!("{base_url}/api/auth/oidc/acme/callback")],
            }],
        }));
        let connection = acme(provider.origin());
        started = Some(provider);
        vec![connection]
    })
    .await;
    let provider = started.unwrap();
    provider.set_time(server.clock.now()).await;
    let site = Site {
        workspace: server.workspace("Acme").await,
        server,
        chromium: Chromium::start(),
    };
    (site, provider)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn profile_a_provider_is_connected_and_disconnected() {
    for settings in [TabSettings::default(), NO_SCRIPT] {
        let (site, provider) = with_provider().await;
        let (_, tab) = site.signed_in(Role::Member, settings).await;
        tab.goto(&site.at("/account")).await;
        read(&tab, "Not connected with any provider").await;
        assert_eq!(faults(&tab).await, [""; 0]);
        tab.press("Connect a provider").await;
        assert_eq!(faults(&tab).await, [""; 0]);
        pass_time(&site);
        provider.set_time(site.server.clock.now()).await;
        tab.press("Connect Acme ID").await;
        read(&tab, "Confirm that it is you").await;
        tab.fill("Password", PASSWORD).await;
        tab.press("Confirm").await;
        // Its page has no labels.
        let typed = "const [login, password] = document.forms[0].elements; \
                     login.value = 'ada'; password.value = 'any'; password.focus()";
        tab.evaluate(typed).await;
        tab.keyboard("Enter").await;
        assert_eq!(whereabouts(&tab).await, site.at("/account"));
        read(&tab, "Your account is connected").await;
        read(&tab, "ada@acme.example").await;
        assert_eq!(faults(&tab).await, [""; 0]);

        tab.press("Disconnect Acme ID, ada@acme.example").await;
        assert_eq!(faults(&tab).await, [""; 0]);
        tab.press("Disconnect").await;
        read(&tab, "Your account is disconnected.").await;
        read(&tab, "Not connected with any provider").await;
        let gone = "/account/identities/idn_01h2xcejqtf2nbrexx3vqjhp41/disconnect";
        tab.goto(&site.at(gone)).await;
        assert_eq!(tab.status().await, 404);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn profile_without_a_provider_there_is_none_to_connect() {
    let site = Site::open(Engine::Sqlite).await;
    let (_, tab) = site.signed_in(Role::Viewer, TabSettings::default()).await;
    tab.goto(&site.at("/account")).await;
    assert!(!tab.text().await.contains("Providers"));
    tab.goto(&site.at("/account/identities/connect")).await;
    read(&tab, "This server offers none.").await;
    assert_eq!(faults(&tab).await, [""; 0]);
}

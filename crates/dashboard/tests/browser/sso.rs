//! Single sign-on, from nothing to a company that signs in by its provider: with providers of other sites than the server.

use std::{fs, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};
use tigertrust_accounts::NewUser;
use tigertrust_credentials::{Password, TotpSecret, TotpStep};
use tigertrust_model::{Clock as _, Role, UserId};
use tigertrust_testkit::{Engine, PASSWORD, Tab, TabSettings, TestServer, ThrowawayProvider, send};

use crate::common::{NO_SCRIPT, PHONE, Site, faults, whereabouts};

/// An OpenID provider that knows a client for the connection of that slug.
fn openid_provider(site: &Site, slug: &str) -> ThrowawayProvider {
    let base = site.at(&format!("/api/auth/oidc/{slug}"));
    let account =
        |sub: &str, email: &str| json!({"sub": sub, "email": email, "email_verified": true, "name": sub});
    ThrowawayProvider::start(&json!({
        "host": "127.0.0.1",
        "issuers": [{}],
        "accounts": {
            "ada": account("1", "ada@acme.example"),
            "boss": account("2", "boss@acme.example"),
            "olga": account("3", "olga@acme.example"),
        },
        "clients": [{
            "client_id": "tigertrust",
            "client_secret": "canary-of-the-client",
            "redirect_uris": [format!("{base}/callback")],
            "backchannel_logout_uri": format!("{base}/backchannel-logout"),
        }],
    }))
}

fn saml_provider() -> ThrowawayProvider {
    ThrowawayProvider::start_saml(&json!({"accounts": {
        "ada": {"nameId": "1", "attributes": {"mail": "ada@acme.example", "displayName": "Ada"}},
        "olga": {"nameId": "3", "attributes": {"mail": "olga@acme.example", "displayName": "Olga"}},
    }}))
}

async fn read(tab: &Tab, text: &str) {
    let page = tab.text().await;
    assert!(page.contains(text), "no “{text}” in:\n{page}");
}

async fn lacks(tab: &Tab, text: &str) {
    let page = tab.text().await;
    assert!(!page.contains(text), "“{text}” in:\n{page}");
}

/// Signs in on the provider's page, and comes back.
async fn at_provider(tab: &Tab, login: &str) {
    let page = tab.url().await;
    assert!(
        page.starts_with("http://127.0.0.1:"),
        "not at the provider: {page}"
    );
    // Its fields have no labels.
    let filled = format!(
        "document.forms[0].login.value = '{login}', document.forms[0].password.value = 'any', document.forms[0].password.focus()"
    );
    tab.evaluate(&filled).await;
    tab.keyboard("Enter").await;
}

/// The first step, by the kind that is chosen.
async fn choose(site: &Site, tab: &Tab, kind: &str, name: &str, slug: &str) {
    tab.goto(&site.within("/sso/new")).await;
    tab.check(kind).await;
    tab.fill("Name", name).await;
    tab.fill("Name in addresses", slug).await;
    tab.press("Continue").await;
}

async fn person(server: &TestServer, email: &str) -> UserId {
    let new = NewUser {
        email: email.parse().unwrap(),
        name: None,
        password: Password::presented(PASSWORD),
    };
    server.users.create(new).await.unwrap().id
}

/// Adds an authenticator app to the account of whoever is signed in.
async fn add_app(site: &Site, tab: &Tab) -> TotpSecret {
    let call = async |path: &str, body: Value| {
        let call = format!(
            "fetch('/api/auth/2fa/{path}', {{method: 'POST', headers: {{'Content-Type': 'application/json'}}, body: '{body}'}})\
             .then((answer) => answer.json())"
        );
        tab.evaluate(&call).await
    };
    let new = call("totp", Value::Null).await;
    let digits = new["secret"].as_str().unwrap().bytes().map(|letter| {
        let mut letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".iter();
        letters.position(|own| *own == letter).unwrap()
    });
    let bits = digits.fold(String::new(), |bits, digit| bits + &format!("{digit:05b}"));
    let bytes: Vec<u8> = (0..20)
        .map(|index| u8::from_str_radix(&bits[index * 8..index * 8 + 8], 2).unwrap())
        .collect();
    let secret = TotpSecret::from_bytes(&bytes).unwrap();
    let code = secret.code(TotpStep::at(site.server.clock.now())).to_string();
    let added = call("totp/confirm", json!({ "code": code })).await;
    assert_eq!(added["recoveryCodes"].as_array().unwrap().len(), 10, "{added}");
    secret
}

/// A connection that was made by the operator, and its id.
async fn connected(site: &Site, slug: &str, provider: &ThrowawayProvider) -> String {
    let key = site.server.admin(&site.workspace).await;
    let path = format!("/api/workspaces/{}/sso-connections", site.workspace.id);
    let body = json!({
        "slug": slug,
        "name": "Acme",
        "oidc": {"issuer": provider.origin(), "clientId": "tigertrust", "clientSecret": "canary-of-the-client"},
        "defaultRole": "member",
    });
    let made = site.server.post(&path, &key, &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    made.body["id"].as_str().unwrap().to_owned()
}

async fn from_nothing_to_an_enforced_domain(engine: Engine) {
    let site = Site::open(engine).await;
    let provider = openid_provider(&site, "acme");
    let boss = person(&site.server, "boss@acme.example").await;
    site.server
        .set_role(&site.workspace, boss, Some(Role::Owner))
        .await;
    let (owner, tab) = site.signed_in(Role::Owner, TabSettings::default()).await;

    // Choose.
    tab.press("Single sign-on").await;
    read(&tab, "No provider is connected yet").await;
    read(&tab, "No domain is claimed yet").await;
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.press("Connect a provider").await;
    assert_eq!(tab.value("Name in addresses").await, "acme");
    tab.check("Another OpenID Connect provider").await;
    tab.press("Continue").await;

    // Connect: what is told to the provider, and what is entered here.
    let callback = site.at("/api/auth/oidc/acme/callback");
    read(&tab, &callback).await;
    tab.press("Copy the redirect URI").await;
    assert_eq!(tab.clipboard().await, callback);
    assert_eq!(faults(&tab).await, [""; 0]);
    let half_way = tab.url().await;
    tab.press("Leave it").await;
    tab.goto(&half_way).await;
    tab.fill("Issuer", provider.origin()).await;
    tab.fill("Client id", "tigertrust").await;
    tab.fill("Client secret", "canary-of-the-client").await;
    tab.press("Save connection").await;
    read(
        &tab,
        "The connection is saved, and the provider answers as it should.",
    )
    .await;
    assert_eq!(faults(&tab).await, [""; 0]);

    // Try it.
    read(&tab, "Nobody has come back from the provider yet.").await;
    tab.press("Ask the provider").await;
    read(&tab, "The provider answers as it should.").await;
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.press("Test the login").await;
    at_provider(&tab, "nobody").await;
    read(&tab, "The identity provider did not sign you in.").await;
    let key = site.server.admin(&site.workspace).await;
    let listed = site
        .server
        .get(
            &format!("/api/workspaces/{}/sso-connections", site.workspace.id),
            &key,
        )
        .await;
    let connection = listed.body["items"][0]["id"].as_str().unwrap().to_owned();
    let at = |below: &str| site.within(&format!("/sso/{connection}{below}"));
    tab.goto(&at("/test")).await;
    // Who runs the connection is told more than who was refused.
    read(&tab, "The provider has refused: access_denied.").await;
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.press("Test the login").await;
    at_provider(&tab, "olga").await;
    tab.wait_for_text("It works: you went to the provider and came back")
        .await;
    assert_eq!(whereabouts(&tab).await, at("/test"));
    read(&tab, "olga@acme.example").await;
    read(&tab, "One person has been connected by it so far.").await;

    // Domains.
    tab.press("Go on to domains").await;
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.fill("Domain", "not a domain").await;
    tab.press("Claim domain").await;
    assert_eq!(tab.status().await, 400);
    read(&tab, "must be a domain such as example.com").await;
    tab.fill("Domain", "Acme.Example").await;
    tab.press("Claim domain").await;
    read(&tab, "The domain is claimed.").await;
    tab.press("Copy the value of the record").await;
    let value = tab.clipboard().await;
    assert!(value.starts_with("tigertrust-verification="), "{value}");
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.press("Verify now").await;
    assert_eq!(tab.status().await, 409);
    read(
        &tab,
        "There is no TXT record called _tigertrust-challenge.acme.example yet.",
    )
    .await;
    let records = &site.server.records;
    records.publish(
        "_tigertrust-challenge.acme.example",
        "tigertrust-verification=of-another",
    );
    tab.press("Verify now").await;
    read(&tab, "tigertrust-verification=of-another").await;
    read(&tab, "none of them is the one below").await;
    assert_eq!(faults(&tab).await, [""; 0]);
    records.publish("_tigertrust-challenge.acme.example", &value);
    tab.press("Verify now").await;
    read(&tab, "The domain is verified: it is yours.").await;
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.press("Choose").await;
    assert_eq!(tab.value("They are sent to").await, "Acme");
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.press("Save").await;
    read(&tab, "The domain is saved.").await;

    // Enforce, with an owner who can still come in.
    tab.goto(&at("/enforcement")).await;
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.press("Enforce acme.example").await;
    read(&tab, "boss@acme.example").await;
    read(&tab, "not connected").await;
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.press("Enforce domain").await;
    assert_eq!(tab.status().await, 400);
    read(&tab, "is asked for: an owner who can come in").await;
    let email = site.server.email(owner).await;
    tab.fill("Who can still sign in with a password", &email).await;
    tab.press("Enforce domain").await;
    assert_eq!(tab.status().await, 400);
    read(
        &tab,
        "must be an owner of the workspace with a password and a second factor",
    )
    .await;
    assert_eq!(faults(&tab).await, [""; 0]);
    let app = add_app(&site, &tab).await;
    tab.goto(&site.within("/sso/domains/acme.example/enforce")).await;
    tab.fill("Who can still sign in with a password", &email).await;
    tab.press("Enforce domain").await;
    read(
        &tab,
        "The domain's people sign in by the provider alone from now on.",
    )
    .await;
    read(&tab, &format!("One owner does not have to: {email}.")).await;
    assert_eq!(faults(&tab).await, [""; 0]);

    // Somebody of the domain signs in by the address alone; a password is of no use.
    let ada = site.tab(TabSettings::default()).await;
    ada.goto(&site.at("/sign-in")).await;
    ada.fill("E-mail address", "ada@acme.example").await;
    ada.press("Use single sign-on").await;
    at_provider(&ada, "ada").await;
    ada.wait_for_text("No calls with your keys in this time").await;
    assert_eq!(ada.url().await, site.within(""));
    read(&ada, "ada@acme.example").await;
    let of_boss = site.tab(TabSettings::default()).await;
    of_boss.goto(&site.at("/sign-in")).await;
    of_boss.fill("E-mail address", "boss@acme.example").await;
    of_boss.fill("Password", PASSWORD).await;
    of_boss.press("Sign in").await;
    assert_eq!(of_boss.status().await, 401);
    // Who is exempt comes in with a password and a code.
    site.server.clock.advance(Duration::from_secs(60));
    tab.press("Sign out").await;
    tab.fill("E-mail address", &email).await;
    tab.fill("Password", PASSWORD).await;
    tab.press("Sign in").await;
    let code = app.code(TotpStep::at(site.server.clock.now()));
    tab.fill("Code", code.as_ref()).await;
    tab.press("Sign in").await;

    // What is in use says so, and is not taken away from under its people.
    tab.goto(&site.within("/sso")).await;
    for text in ["tried", "acme.example", "verified", "enforced"] {
        read(&tab, text).await;
    }
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.goto(&at("/remove")).await;
    read(&tab, "2 people have been connected by it").await;
    tab.press("Remove connection").await;
    assert_eq!(tab.status().await, 409);
    read(
        &tab,
        "A domain has to sign in by this connection: end that first.",
    )
    .await;
    tab.goto(&site.within("/sso/domains/acme.example/enforce")).await;
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.press("End enforcement").await;
    read(&tab, "can sign in with what is their own again").await;
    tab.goto(&at("/remove")).await;
    tab.press("Remove connection").await;
    read(&tab, "The connection is removed.").await;
    ada.goto(&site.within("/keys")).await;
    assert!(ada.url().await.contains("/sign-in"), "{}", ada.url().await);
    tab.goto(&site.within("/sso/domains/acme.example/remove")).await;
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.press("Give domain up").await;
    read(&tab, "No domain is claimed yet").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sso_from_nothing_to_an_enforced_domain_on_sqlite() {
    from_nothing_to_an_enforced_domain(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sso_from_nothing_to_an_enforced_domain_on_postgres() {
    from_nothing_to_an_enforced_domain(Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sso_says_what_is_wrong_beside_the_field() {
    let site = Site::open(Engine::Sqlite).await;
    let provider = openid_provider(&site, "acme");
    let (_, tab) = site.signed_in(Role::Owner, TabSettings::default()).await;
    // The first step refuses what could be no address.
    choose(&site, &tab, "Okta", "Acme", "Acme!").await;
    assert_eq!(tab.status().await, 400);
    read(&tab, "must have 2 to 40 small letters, digits and hyphens").await;
    assert_eq!(tab.value("Okta").await, "checked");
    tab.goto(&site.within("/sso/new/provider?name=Acme&slug=acme&kind=x"))
        .await;
    read(&tab, "choose one").await;
    assert_eq!(faults(&tab).await, [""; 0]);

    // What is no URL is not saved.
    choose(&site, &tab, "Okta", "Acme", "acme").await;
    tab.evaluate("document.querySelector('main form').noValidate = true")
        .await;
    tab.fill("Issuer", "acme.okta.com").await;
    tab.fill("Client id", "tigertrust").await;
    tab.fill("Client secret", "canary-of-the-client").await;
    tab.press("Save connection").await;
    assert_eq!(tab.status().await, 400);
    let beside = "document.getElementById('oidc/issuer-error').textContent";
    assert!(
        tab.evaluate(beside)
            .await
            .as_str()
            .unwrap()
            .starts_with("must be a URL that begins with https://")
    );
    assert_eq!(
        tab.value("Client secret").await,
        "",
        "a secret is not shown again"
    );
    assert_eq!(faults(&tab).await, [""; 0]);

    // What the provider itself says is told at the same place, once it was asked.
    tab.fill("Issuer", &format!("{}/", provider.origin())).await;
    tab.fill("Client secret", "canary-of-the-client").await;
    tab.press("Save connection").await;
    read(
        &tab,
        "The connection is saved, but nobody could sign in by it yet.",
    )
    .await;
    assert_eq!(
        tab.evaluate(beside).await,
        "The provider calls itself by another issuer; it has to be written exactly as in the provider's metadata."
    );
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.fill("Issuer", provider.origin()).await;
    tab.press("Save").await;
    assert_eq!(tab.status().await, 400);
    read(&tab, "is asked for with another issuer or client id").await;
    tab.fill("Client secret", "canary-of-the-client").await;
    tab.press("Save").await;
    read(
        &tab,
        "The settings are saved, and the provider answers as it should.",
    )
    .await;

    // A slug that is taken is known to whoever has it: nothing that was typed is lost.
    choose(&site, &tab, "Okta", "Another", "acme").await;
    tab.fill("Issuer", provider.origin()).await;
    tab.fill("Client id", "tigertrust").await;
    tab.press("Save connection").await;
    assert_eq!(tab.status().await, 409);
    read(&tab, "There is a connection with this slug").await;
    assert_eq!(tab.value("Client id").await, "tigertrust");
    tab.press("Change its name").await;
    assert_eq!(tab.value("Name").await, "Another");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sso_by_saml_with_pasted_metadata_and_groups_without_javascript() {
    let site = Site::open(Engine::Sqlite).await;
    let provider = saml_provider();
    let (owner, tab) = site.signed_in(Role::Owner, NO_SCRIPT).await;
    choose(&site, &tab, "SAML 2.0", "Acme", "acme").await;
    read(&tab, &site.at("/api/auth/saml/acme/acs")).await;
    read(&tab, &site.at("/api/auth/saml/acme/metadata")).await;
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.press("Save connection").await;
    assert_eq!(tab.status().await, 400);
    read(&tab, "must hold either metadata or metadataUrl").await;
    tab.fill("Metadata", "<x/>").await;
    tab.press("Save connection").await;
    read(&tab, "The document is not metadata of SAML 2.0.").await;
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.fill("Metadata", &provider.metadata().await).await;
    tab.press("Groups and second factor").await;
    // A row may be left out.
    tab.fill("Group 2", "it").await;
    tab.fill("Role of group 2", "Admin").await;
    tab.press("Save connection").await;
    read(
        &tab,
        "The connection is saved, and the provider answers as it should.",
    )
    .await;

    let own = whereabouts(&tab).await;
    let own = own.strip_suffix("/test").unwrap().to_owned();
    tab.goto(&own).await;
    for text in [
        "Group it",
        "becomes admin",
        "becomes member",
        "given as a document",
        "signed",
    ] {
        read(&tab, text).await;
    }
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.goto(&format!("{own}/edit")).await;
    assert_eq!(tab.value("Group 1").await, "it");
    tab.fill("Group 1", "").await;
    tab.fill("Group 3", "ops").await;
    tab.check("Trust the provider’s second factor").await;
    tab.fill("Who signs in for the first time becomes", "Nothing")
        .await;
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.press("Save").await;
    for text in [
        "Group ops",
        "becomes viewer",
        "does not come in",
        "the provider’s counts",
    ] {
        read(&tab, text).await;
    }
    lacks(&tab, "Group it").await;

    // The owner goes there and back.
    let metadata = json!(site.at("/api/auth/saml/acme/metadata"));
    provider.control("register", &metadata).await;
    let browser = site.tab(TabSettings::default()).await;
    site.sign_in(&browser, &site.server.email(owner).await).await;
    browser.goto(&format!("{own}/test")).await;
    browser.press("Test the login").await;
    at_provider(&browser, "olga").await;
    browser
        .wait_for_text("It works: you went to the provider and came back")
        .await;
    read(&browser, "olga@acme.example").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sso_metadata_of_saml_comes_from_a_file_or_an_address() {
    let site = Site::open(Engine::Sqlite).await;
    let provider = saml_provider();
    let metadata = provider.metadata().await;
    let (_, tab) = site.signed_in(Role::Owner, TabSettings::default()).await;
    choose(&site, &tab, "SAML 2.0", "By a file", "file").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("metadata.xml");
    fs::write(&file, &metadata).unwrap();
    tab.upload("Metadata file", &file).await;
    tab.wait_for_text("Metadata file").await;
    assert_eq!(tab.value("Metadata").await.trim(), metadata.trim());
    tab.press("Save connection").await;
    read(&tab, "the provider answers as it should").await;

    choose(&site, &tab, "SAML 2.0", "By its address", "address").await;
    let url = format!("{}/metadata", provider.origin());
    tab.fill("Address of the metadata", &format!("{url}/none")).await;
    tab.press("Save connection").await;
    assert_eq!(tab.status().await, 400);
    let beside = "document.getElementById('saml/metadataUrl-error').textContent";
    assert!(tab.evaluate(beside).await.as_str().unwrap().contains("404"));
    tab.fill("Address of the metadata", &url).await;
    tab.press("Save connection").await;
    read(&tab, "the provider answers as it should").await;
    let own = whereabouts(&tab).await;
    let own = own.strip_suffix("/test").unwrap();

    // The provider publishes its next certificate.
    provider.control("announce", &Value::Null).await;
    tab.press("Ask the provider").await;
    read(
        &tab,
        "The provider publishes other metadata than is kept here: fetch it anew.",
    )
    .await;
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.goto(own).await;
    let certificates = "document.querySelectorAll('.facts p.small').length";
    assert_eq!(tab.evaluate(certificates).await, 1);
    tab.press("Fetch the metadata anew").await;
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.press("Fetch metadata").await;
    read(&tab, "The provider's metadata was fetched anew.").await;
    assert_eq!(tab.evaluate(certificates).await, 2);

    // A year on, they have ended; they are taken all the same, and it is said.
    site.server.clock.advance(Duration::from_secs(340 * 24 * 60 * 60));
    let (_, tab) = site.signed_in(Role::Owner, TabSettings::default()).await;
    tab.goto(&site.within("/sso")).await;
    read(&tab, "a certificate ends").await;
    tab.goto(own).await;
    read(&tab, "ends within 30 days.").await;
    assert_eq!(faults(&tab).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sso_token_for_scim_is_shown_once_and_taken_away() {
    let site = Site::open(Engine::Sqlite).await;
    let provider = openid_provider(&site, "acme");
    let connection = connected(&site, "acme", &provider).await;
    let at = |below: &str| site.within(&format!("/sso/{connection}{below}"));
    let (_, tab) = site.signed_in(Role::Owner, TabSettings::default()).await;
    tab.goto(&at("")).await;
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.press("Set up SCIM").await;
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.press("Create a token").await;
    tab.press("Copy the token").await;
    let token = tab.clipboard().await;
    assert!(token.starts_with("tt_scm_"), "a token");
    tab.press("Copy the base URL").await;
    assert_eq!(tab.clipboard().await, site.at("/api/scim/v2"));
    assert_eq!(faults(&tab).await, [""; 0]);
    let people = async || {
        let request = site.server.request(Method::GET, "/api/scim/v2/Users");
        send(request.bearer_auth(&token)).await.status.as_u16()
    };
    assert_eq!(people().await, 200);
    tab.press("I have copied it").await;
    assert!(!tab.text().await.contains(&token));
    tab.press("Remove the token").await;
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.press("Remove token").await;
    read(&tab, "The token is dead").await;
    assert_eq!(people().await, 401);

    // Switched off, nobody comes in.
    tab.press("Switch off").await;
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.press("Switch off").await;
    read(&tab, "The connection is switched off.").await;
    tab.goto(&at("/test")).await;
    read(&tab, "so nobody can sign in by it").await;
    lacks(&tab, "Test the login").await;
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.goto(&at("/active")).await;
    tab.press("Switch on").await;
    read(&tab, "The connection is switched on.").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sso_asks_for_a_fresh_proof_and_forgets_nothing() {
    let site = Site::open(Engine::Sqlite).await;
    let provider = openid_provider(&site, "acme");
    let (_, tab) = site.signed_in(Role::Owner, NO_SCRIPT).await;
    choose(&site, &tab, "Another OpenID Connect provider", "Acme", "acme").await;
    tab.fill("Issuer", provider.origin()).await;
    tab.fill("Client id", "tigertrust").await;
    tab.fill("Client secret", "canary-of-the-client").await;
    site.server.clock.advance(Duration::from_secs(11 * 60));
    tab.press("Save connection").await;
    read(&tab, "Confirm that it is you").await;
    let page = tab.evaluate("document.documentElement.outerHTML").await;
    assert!(!page.as_str().unwrap().contains("canary-of-the-client"), "{page}");
    tab.fill("Client secret, once more", "canary-of-the-client").await;
    tab.fill("Password", PASSWORD).await;
    tab.press("Confirm").await;
    read(
        &tab,
        "The connection is saved, and the provider answers as it should.",
    )
    .await;
    // The secret is the one that was typed: the provider takes it.
    site.server.clock.advance(Duration::from_secs(11 * 60));
    provider.set_time(site.server.clock.now()).await;
    let own = whereabouts(&tab).await;
    let tab = site.signed_in(Role::Owner, TabSettings::default()).await.1;
    tab.goto(&own).await;
    tab.press("Test the login").await;
    at_provider(&tab, "olga").await;
    tab.wait_for_text("It works").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sso_is_the_owners_business() {
    let site = Site::open(Engine::Sqlite).await;
    let provider = openid_provider(&site, "acme");
    let connection = connected(&site, "acme", &provider).await;
    let (_, tab) = site.signed_in(Role::Admin, TabSettings::default()).await;
    lacks(&tab, "Single sign-on").await;
    for below in [
        "",
        "/new",
        "/new/provider?kind=okta&name=x&slug=xx",
        "/domains",
        "/domains/acme.example",
        &format!("/{connection}"),
        &format!("/{connection}/test"),
        &format!("/{connection}/scim"),
        &format!("/{connection}/remove"),
    ] {
        tab.goto(&site.within(&format!("/sso{below}"))).await;
        assert_eq!(tab.status().await, 403, "{below}");
        lacks(&tab, "canary").await;
        lacks(&tab, &connection).await;
    }
    // Nor by a form that it puts together itself: it has a token of its session.
    tab.goto(&site.within("/keys")).await;
    for below in ["test/login", "test", "remove", "scim"] {
        let path = format!("/w/{}/sso/{connection}/{below}", site.workspace.id);
        let sent = format!(
            "fetch('{path}', {{method: 'POST', body: new URLSearchParams({{_token: document.forms[0]._token.value}})}})\
             .then((answer) => answer.status)"
        );
        assert_eq!(tab.evaluate(&sent).await, 403, "{below}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sso_on_a_phone() {
    let site = Site::open(Engine::Sqlite).await;
    let provider = openid_provider(&site, "acme");
    let connection = connected(&site, "acme", &provider).await;
    let (_, tab) = site.signed_in(Role::Owner, PHONE).await;
    tab.goto(&site.within(&format!("/sso/{connection}/domains")))
        .await;
    tab.fill("Domain", "a-rather-long-name-of-a-company.acme.example")
        .await;
    tab.press("Claim domain").await;
    tab.press("Verify now").await;
    assert_eq!(faults(&tab).await, [""; 0]);
    for below in [
        "",
        "/new",
        "/new/provider?kind=google&name=Acme&slug=acme-google",
        "/new/provider?kind=azure&name=Acme&slug=acme-azure",
        "/new/provider?kind=okta&name=Acme&slug=acme-okta",
        "/new/provider?kind=saml&name=Acme&slug=acme-saml",
        &format!("/{connection}"),
        &format!("/{connection}/provider?asked=anew"),
        &format!("/{connection}/edit"),
        &format!("/{connection}/test"),
        &format!("/{connection}/domains"),
    ] {
        tab.goto(&site.within(&format!("/sso{below}"))).await;
        // What is folded away is wide, too.
        tab.evaluate(
            "document.querySelectorAll('main details').forEach((details) => { details.open = true; })",
        )
        .await;
        assert_eq!(tab.status().await, 200, "{below}");
        assert_eq!(faults(&tab).await, [""; 0], "{below}");
    }
}

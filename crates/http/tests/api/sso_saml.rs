//! Signing in by a SAML provider, as npm's samlp is one: there and back, and everything that must not come in on the way. What
//! responses can have wrong in themselves is the corpus of the crate `tigertrust-sso`.

use std::{collections::BTreeSet, env};

use futures_util::{StreamExt as _, stream};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tigertrust_model::{Role, Workspace};
use tigertrust_testkit::{ProviderBrowser, SamlForm, TestServer, ThrowawayProvider, on_both_engines};

use crate::{
    people::Browser,
    sso::{Page, begin, me, page, verify},
};

on_both_engines!(
    a_person_signs_in_by_saml_and_is_a_member,
    either_signature_will_do,
    requests_are_signed_and_the_metadata_says_by_what,
    groups_of_saml_become_roles_at_each_sign_in,
    the_provider_changes_its_certificate,
    s6_another_browser_s_response_signs_nobody_in,
    a_response_is_taken_once,
    racing_posts_of_one_response_begin_one_session,
    racing_posts_of_one_unsolicited_response_begin_one_session,
    another_tenant_s_provider_signs_nobody_in,
    what_waits_for_another_connection_is_not_answered,
    what_nobody_asked_for_is_refused_unless_the_connection_allows_it,
    cve_2026_47164_a_saml_address_of_an_unverified_domain_connects_nobody,
    a_second_factor_of_one_s_own_is_asked_for_after_saml,
);

/// A workspace whose people sign in by a SAML provider.
pub(crate) struct Company {
    pub(crate) provider: ThrowawayProvider,
    workspace: Workspace,
    owner: Browser,
    slug: String,
    /// The connection, as it was shown when it was made.
    shown: Value,
}

impl Company {
    /// One whose provider is as `settings` say, and whose connection is as `body` says beside the provider.
    pub(crate) async fn with(server: &TestServer, slug: &str, settings: Value, body: Value) -> Self {
        let mut settings = settings;
        if settings["accounts"].is_null() {
            settings["accounts"] = accounts();
        }
        let provider = ThrowawayProvider::start_saml(&settings);
        let workspace = server.workspace("Acme").await;
        let person = server.member(&workspace, Role::Owner).await;
        let mut owner = Browser::signed_in(server, person).await;
        let mut wanted = json!({ "slug": slug, "name": "Acme", "defaultRole": "member", "saml": {} });
        for (name, value) in body.as_object().unwrap() {
            wanted[name] = value.clone();
        }
        wanted["saml"]["metadata"] = json!(provider.metadata().await);
        let path = format!("/api/workspaces/{}/sso-connections", workspace.id);
        let made = owner.post(server, &path, &wanted).await;
        assert_eq!(made.status, 201, "{made:?}");
        provider.control("register", &made.body["metadataUrl"]).await;
        Self {
            provider,
            workspace,
            owner,
            slug: slug.to_owned(),
            shown: made.body,
        }
    }

    async fn new(server: &TestServer, slug: &str) -> Self {
        Self::with(server, slug, json!({}), json!({})).await
    }

    /// The same, after the domain was verified.
    pub(crate) async fn verified(mut self, server: &TestServer, domain: &str) -> Self {
        verify(server, &mut self.owner, &self.workspace, domain).await;
        self
    }

    pub(crate) fn path(&self) -> String {
        format!("/api/auth/saml/{}", self.slug)
    }

    /// Our name at its provider.
    fn entity_id(&self) -> &str {
        self.shown["metadataUrl"].as_str().unwrap()
    }

    async fn patch(&mut self, server: &TestServer, body: &Value) {
        let path = format!(
            "/api/workspaces/{}/sso-connections/{}",
            self.workspace.id,
            self.shown["id"].as_str().unwrap()
        );
        let changed = self.owner.patch(server, &path, body).await;
        assert_eq!(changed.status, 200, "{changed:?}");
        self.shown = changed.body;
    }

    /// Goes there, and returns with the form that is to be posted.
    async fn respond(&self, server: &TestServer, browser: &mut Browser, login: &str) -> SamlForm {
        let redirect = begin(server, browser, &self.path()).await;
        ProviderBrowser::default().sign_in_by_saml(&redirect, login).await
    }

    /// There and back.
    pub(crate) async fn sign_in(&self, server: &TestServer, browser: &mut Browser, login: &str) -> Page {
        let form = self.respond(server, browser, login).await;
        post(server, browser, &form).await
    }
}

/// People of a company, and somebody else.
fn accounts() -> Value {
    json!({
        "ada": {"nameId": "1", "attributes": {"mail": "ada@acme.example", "displayName": "Ada", "groups": ["staff", "it"]}},
        "bob": {"nameId": "2", "attributes": {"mail": "bob@acme.example", "displayName": "Bob", "groups": "staff"}},
        "eve": {"nameId": "3", "attributes": {"mail": "eve@other.example", "displayName": "Eve"}},
        "mia": {"nameId": "4", "attributes": {"mail": "mia@acme.example"}, "context": "https://refeds.org/profile/mfa"},
    })
}

/// The form, as a browser sends it that is on a page of the provider.
fn posting(server: &TestServer, form: &SamlForm) -> RequestBuilder {
    // By whatever node: all stand behind the same address.
    let action = reqwest::Url::parse(&form.action).unwrap();
    let mut fields = vec![("SAMLResponse", form.response.as_str())];
    fields.extend(form.relay_state.as_deref().map(|state| ("RelayState", state)));
    server
        .request(Method::POST, action.path())
        .header("Accept", "text/html")
        .header("Origin", "https://provider.example")
        .header("Sec-Fetch-Site", "cross-site")
        .header("Sec-Fetch-Mode", "navigate")
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(serde_urlencoded::to_string(fields).unwrap())
}

async fn post(server: &TestServer, browser: &mut Browser, form: &SamlForm) -> Page {
    page(browser, posting(server, form)).await
}

/// Whether the browser was told that its sign-in is not one that waits, and has no session.
fn is_none_of_its_own(page: &Page, browser: &Browser) -> bool {
    page.status == 401 && page.text.contains("begun in another browser") && browser.session.is_none()
}

/// Whether the response was not accepted, and the browser has no session.
fn is_not_accepted(page: &Page, browser: &Browser) -> bool {
    page.status == 401 && page.text.contains("was not accepted") && browser.session.is_none()
}

async fn a_person_signs_in_by_saml_and_is_a_member(server: TestServer) {
    let company = Company::new(&server, "acme").await;
    let company = company.verified(&server, "acme.example").await;
    let mut browser = Browser::default();
    let begun = browser
        .get(&server, &format!("{}?returnTo=/settings", company.path()))
        .await;
    let cookie = begun.header("set-cookie").to_owned();
    assert!(
        cookie.contains("Max-Age=600; Path=/api/auth; HttpOnly; Secure; SameSite=None"),
        "what SAML posts comes from another site: {cookie}"
    );
    let form = ProviderBrowser::default()
        .sign_in_by_saml(begun.header("location"), "ada")
        .await;
    assert_eq!(form.action, company.shown["returnUrl"].as_str().unwrap());
    let page = post(&server, &mut browser, &form).await;
    assert_eq!((page.status, page.goes_to()), (200, "/settings"), "{page:?}");
    let session = page
        .cookies
        .iter()
        .find(|cookie| cookie.starts_with("connect.sid=tt_ses_"));
    assert!(
        session
            .unwrap()
            .ends_with("Max-Age=604800; Path=/; HttpOnly; Secure; SameSite=Strict")
    );
    assert!(browser.waiting.is_empty());
    let first = me(&server, &mut browser).await;
    assert_eq!(first.status, 200, "{first:?}");
    assert_eq!(
        (&first.body["user"]["email"], &first.body["user"]["name"]),
        (&json!("ada@acme.example"), &json!("Ada"))
    );
    assert_eq!(
        (&first.body["workspace"]["id"], &first.body["role"]),
        (&json!(company.workspace.id.to_string()), &json!("member"))
    );
    // A second time it is the same account, under whatever address.
    let moved = json!({"ada": {"nameId": "1", "attributes": {"mail": "ada.lovelace@acme.example"}}});
    company.provider.control("accounts", &moved).await;
    let mut other = Browser::default();
    assert_eq!(company.sign_in(&server, &mut other, "ada").await.status, 200);
    let again = me(&server, &mut other).await;
    assert_eq!(again.body["user"]["id"], first.body["user"]["id"]);
}

async fn either_signature_will_do(server: TestServer) {
    for signs in ["assertion", "response", "both"] {
        let settings = json!({ "signs": signs, "nameIdFormat": "emailAddress", "accounts": {
            "ada": {"nameId": format!("ada@{signs}.example")},
        }});
        let company = Company::with(&server, signs, settings, json!({})).await;
        let company = company.verified(&server, &format!("{signs}.example")).await;
        let mut browser = Browser::default();
        let page = company.sign_in(&server, &mut browser, "ada").await;
        assert_eq!(page.status, 200, "{signs}: {page:?}");
        let me = me(&server, &mut browser).await;
        assert_eq!(me.body["user"]["email"], format!("ada@{signs}.example"));
    }
}

async fn requests_are_signed_and_the_metadata_says_by_what(server: TestServer) {
    let mut company = Company::new(&server, "acme").await;
    let mut anybody = Browser::default();
    let metadata = anybody.get(&server, "/api/auth/saml/acme/metadata").await;
    assert_eq!(metadata.header("content-type"), "application/samlmetadata+xml");
    let text = metadata.body.as_str().unwrap();
    for part in [
        format!("entityID=\"{}\"", company.entity_id()),
        format!("Location=\"{}\"", company.shown["returnUrl"].as_str().unwrap()),
        "AuthnRequestsSigned=\"true\"".to_owned(),
        "WantAssertionsSigned=\"true\"".to_owned(),
        "<ds:X509Certificate>".to_owned(),
    ] {
        assert!(text.contains(&part), "{part}: {text}");
    }
    // The provider has read it, and refuses what is not signed by that key.
    let redirect = begin(&server, &mut anybody, &company.path()).await;
    let answer = reqwest::get(&redirect).await.unwrap();
    assert_eq!(answer.status(), 200);
    let (forged, _) = redirect.split_once("&Signature=").unwrap();
    let forged = reqwest::get(format!("{forged}&Signature=AAAA")).await.unwrap();
    assert_eq!(forged.status(), 500);

    let unsigned = json!({"saml": {"metadata": company.provider.metadata().await, "signRequests": false}});
    company.patch(&server, &unsigned).await;
    let metadata = anybody.get(&server, "/api/auth/saml/acme/metadata").await;
    let text = metadata.body.as_str().unwrap();
    assert!(
        text.contains("AuthnRequestsSigned=\"false\"") && !text.contains("X509Certificate"),
        "{text}"
    );
    let redirect = begin(&server, &mut anybody, &company.path()).await;
    assert!(!redirect.contains("Signature"), "{redirect}");
}

async fn groups_of_saml_become_roles_at_each_sign_in(server: TestServer) {
    let rules = json!({
        "defaultRole": Value::Null,
        "groupRoles": [{"group": "staff", "role": "viewer"}, {"group": "it", "role": "admin"}],
    });
    let company = Company::with(&server, "acme", json!({}), rules).await;
    let company = company.verified(&server, "acme.example").await;
    let role = async |browser: &mut Browser| me(&server, browser).await.body["role"].clone();
    let (mut ada, mut bob) = (Browser::default(), Browser::default());
    company.sign_in(&server, &mut ada, "ada").await;
    company.sign_in(&server, &mut bob, "bob").await;
    assert_eq!(
        (role(&mut ada).await, role(&mut bob).await),
        (json!("admin"), json!("viewer"))
    );
    // The groups of a person change, and with them the role, in every session.
    let of = |groups: Value| json!({"ada": {"nameId": "1", "attributes": {"mail": "ada@acme.example", "groups": groups}}});
    company.provider.control("accounts", &of(json!(["staff"]))).await;
    let mut again = Browser::default();
    company.sign_in(&server, &mut again, "ada").await;
    assert_eq!(role(&mut ada).await, "viewer");
    company.provider.control("accounts", &of(json!(["IT"]))).await;
    let page = company.sign_in(&server, &mut Browser::default(), "ada").await;
    assert!(
        page.status == 403 && page.text.contains("none of your groups"),
        "{page:?}"
    );
    let path = format!("/api/workspaces/{}", company.workspace.id);
    assert_eq!(ada.get(&server, &path).await.status, 404);
    // Nobody is let in who is in no group.
    let page = company.sign_in(&server, &mut Browser::default(), "mia").await;
    assert_eq!(page.status, 403, "{page:?}");
}

async fn the_provider_changes_its_certificate(server: TestServer) {
    let company = Company::new(&server, "acme").await;
    let mut company = company.verified(&server, "acme.example").await;
    company.provider.control("announce", &Value::Null).await;
    let both = json!({"saml": {"metadata": company.provider.metadata().await}});
    let certificates = |shown: &Value| shown["saml"]["certificates"].as_array().unwrap().len();
    assert_eq!(certificates(&company.shown), 1);
    let sign_in = async |company: &Company| {
        let mut browser = Browser::default();
        company.sign_in(&server, &mut browser, "ada").await.status
    };
    // Signed by a key that was not announced here yet.
    company.provider.control("roll", &Value::Null).await;
    let mut early = Browser::default();
    let page = company.sign_in(&server, &mut early, "ada").await;
    assert!(is_not_accepted(&page, &early), "{page:?}");
    company.patch(&server, &both).await;
    assert_eq!(certificates(&company.shown), 2);
    assert_eq!(sign_in(&company).await, 200);

    // The next one is announced before it is used: nobody notices.
    company.provider.control("announce", &Value::Null).await;
    let next = json!({"saml": {"metadata": company.provider.metadata().await}});
    company.patch(&server, &next).await;
    assert_eq!((certificates(&company.shown), sign_in(&company).await), (3, 200));
    company.provider.control("roll", &Value::Null).await;
    assert_eq!(sign_in(&company).await, 200);
    let fingerprints: BTreeSet<&str> = company.shown["saml"]["certificates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|certificate| certificate["fingerprint"].as_str().unwrap())
        .collect();
    assert_eq!(fingerprints.len(), 3);
}

async fn s6_another_browser_s_response_signs_nobody_in(server: TestServer) {
    let company = Company::new(&server, "acme").await;
    let company = company.verified(&server, "acme.example").await;
    // Eve begins, and has somebody else's browser post what she was given: login CSRF.
    let mut attacker = Browser::default();
    let form = company.respond(&server, &mut attacker, "ada").await;
    let mut victim = Browser::default();
    let page = post(&server, &mut victim, &form).await;
    assert!(is_none_of_its_own(&page, &victim), "{page:?}");
    // Nor with a cookie of a sign-in of its own, or with its own state.
    let mut busy = Browser::default();
    let own = company.respond(&server, &mut busy, "bob").await;
    let page = post(&server, &mut busy, &form).await;
    assert!(is_none_of_its_own(&page, &busy), "{page:?}");
    let mixed = SamlForm {
        response: form.response.clone(),
        ..own
    };
    let page = post(&server, &mut busy, &mixed).await;
    assert!(is_not_accepted(&page, &busy), "{page:?}");
    // Nor without any.
    let bare = SamlForm {
        relay_state: None,
        ..form.clone()
    };
    let page = post(&server, &mut attacker, &bare).await;
    assert!(is_none_of_its_own(&page, &attacker), "{page:?}");
    // It was not used up by all that.
    assert_eq!(post(&server, &mut attacker, &form).await.status, 200);
}

async fn a_response_is_taken_once(server: TestServer) {
    let mut company = Company::new(&server, "acme").await;
    verify(&server, &mut company.owner, &company.workspace, "acme.example").await;
    let mut browser = Browser::default();
    let form = company.respond(&server, &mut browser, "ada").await;
    let mut replay = browser.clone();
    assert_eq!(post(&server, &mut browser, &form).await.status, 200);
    let page = post(&server, &mut replay, &form).await;
    assert!(is_none_of_its_own(&page, &replay), "{page:?}");
    // Nor for another request of the same browser.
    let mut other = Browser::default();
    let own = company.respond(&server, &mut other, "ada").await;
    let swapped = SamlForm {
        response: form.response,
        ..own
    };
    let page = post(&server, &mut other, &swapped).await;
    assert!(is_not_accepted(&page, &other), "{page:?}");
    // On no node, and not where what nobody asked for is allowed.
    let second = server.second().await;
    let allowed = json!({"saml": {"metadata": company.provider.metadata().await, "allowUnsolicited": true}});
    company.patch(&server, &allowed).await;
    let form = company.provider.unsolicited("ada", company.entity_id()).await;
    let mut first = Browser::default();
    assert_eq!(post(&server, &mut first, &form).await.status, 200);
    for node in [&server, &second] {
        let mut replay = Browser::default();
        let page = post(node, &mut replay, &form).await;
        assert!(is_none_of_its_own(&page, &replay), "{page:?}");
    }
}

/// Posts a form many times at once, to two nodes; how many came in.
async fn race(server: &TestServer, form: &SamlForm, cookie: &str) -> usize {
    let racers = env::var("TIGERTRUST_TEST_RACERS").map_or(200, |number| number.parse().unwrap());
    let second = server.second().await;
    let racing = (0..racers).map(|racer: usize| {
        let node = if racer.is_multiple_of(2) { server } else { &second };
        let request = posting(node, form).header("Cookie", cookie);
        async move { request.send().await.unwrap().status().as_u16() }
    });
    let statuses: Vec<u16> = stream::iter(racing).buffer_unordered(64).collect().await;
    let others: BTreeSet<u16> = statuses.iter().copied().filter(|status| *status != 200).collect();
    // A machine that is busy with ten thousand sends a request or two too slowly to be read.
    assert!(others.is_subset(&BTreeSet::from([401, 408])), "{others:?}");
    statuses.iter().filter(|status| **status == 200).count()
}

async fn racing_posts_of_one_response_begin_one_session(server: TestServer) {
    let company = Company::new(&server, "acme").await;
    let company = company.verified(&server, "acme.example").await;
    let mut browser = Browser::default();
    let form = company.respond(&server, &mut browser, "ada").await;
    let (name, value) = browser.waiting.first_key_value().unwrap();
    assert_eq!(race(&server, &form, &format!("{name}={value}")).await, 1);
}

async fn racing_posts_of_one_unsolicited_response_begin_one_session(server: TestServer) {
    let body = json!({"saml": {"allowUnsolicited": true}});
    let company = Company::with(&server, "acme", json!({}), body).await;
    let company = company.verified(&server, "acme.example").await;
    // Nothing waits for it: that its ids are taken is all that stands against the others.
    let form = company.provider.unsolicited("ada", company.entity_id()).await;
    assert_eq!(race(&server, &form, "").await, 1);
}

async fn another_tenant_s_provider_signs_nobody_in(server: TestServer) {
    let acme = Company::new(&server, "acme").await;
    let acme = acme.verified(&server, "acme.example").await;
    let mut ada = Browser::default();
    acme.sign_in(&server, &mut ada, "ada").await;
    let evil = Company::new(&server, "evil").await;
    // What its provider answers to a request of its own connection, posted to the other.
    let mut browser = Browser::default();
    let own = acme.respond(&server, &mut browser, "ada").await;
    let theirs = evil.respond(&server, &mut browser, "ada").await;
    let crossed = SamlForm {
        response: theirs.response.clone(),
        ..own.clone()
    };
    let page = post(&server, &mut browser, &crossed).await;
    assert!(is_not_accepted(&page, &browser), "{page:?}");
    // What it answers to a request of the other connection, whose metadata anybody can read.
    evil.provider.control("register", &json!(acme.entity_id())).await;
    let redirect = begin(&server, &mut browser, &acme.path()).await;
    let lured = redirect.replace(acme.provider.origin(), evil.provider.origin());
    let forged = ProviderBrowser::default().sign_in_by_saml(&lured, "ada").await;
    assert_eq!(forged.action, own.action);
    let page = post(&server, &mut browser, &forged).await;
    assert!(is_not_accepted(&page, &browser), "{page:?}");
    // One that also calls itself so.
    let named = json!({"entityId": format!("{}/metadata", acme.provider.origin()), "accounts": accounts()});
    let impostor = ThrowawayProvider::start_saml(&named);
    impostor.control("register", &json!(acme.entity_id())).await;
    let redirect = begin(&server, &mut browser, &acme.path()).await;
    let lured = redirect.replace(acme.provider.origin(), impostor.origin());
    let forged = ProviderBrowser::default().sign_in_by_saml(&lured, "ada").await;
    let page = post(&server, &mut browser, &forged).await;
    assert!(is_not_accepted(&page, &browser), "{page:?}");
    // At its own connection its word for her is worth nothing: the domain is another workspace's.
    let mut stranger = Browser::default();
    let page = evil.sign_in(&server, &mut stranger, "ada").await;
    assert_eq!((page.status, stranger.session), (403, None), "{}", page.text);
}

async fn what_waits_for_another_connection_is_not_answered(server: TestServer) {
    let acme = Company::new(&server, "acme").await;
    let acme = acme.verified(&server, "acme.example").await;
    let other = Company::new(&server, "other").await;
    let mut browser = Browser::default();
    let form = acme.respond(&server, &mut browser, "ada").await;
    begin(&server, &mut browser, &other.path()).await;
    let theirs = other.respond(&server, &mut browser, "ada").await;
    // The state of the other connection, which this browser has begun as well.
    let crossed = SamlForm {
        relay_state: theirs.relay_state,
        ..form.clone()
    };
    let page = post(&server, &mut browser, &crossed).await;
    assert!(is_none_of_its_own(&page, &browser), "{page:?}");
    // The response at the address of the other connection.
    let elsewhere = SamlForm {
        action: form.action.replace("/acme/", "/other/"),
        ..form.clone()
    };
    let page = post(&server, &mut browser, &elsewhere).await;
    assert!(is_none_of_its_own(&page, &browser), "{page:?}");
    for relay_state in [String::new(), "tt_sso_forged".to_owned(), "/settings".to_owned()] {
        let forged = SamlForm {
            relay_state: Some(relay_state),
            ..form.clone()
        };
        let page = post(&server, &mut browser, &forged).await;
        assert!(is_none_of_its_own(&page, &browser), "{page:?}");
    }
}

async fn what_nobody_asked_for_is_refused_unless_the_connection_allows_it(server: TestServer) {
    let company = Company::new(&server, "acme").await;
    let mut company = company.verified(&server, "acme.example").await;
    let form = company.provider.unsolicited("ada", company.entity_id()).await;
    let mut browser = Browser::default();
    let page = post(&server, &mut browser, &form).await;
    assert!(is_none_of_its_own(&page, &browser), "{page:?}");
    // Nor as the answer to a request.
    let own = company.respond(&server, &mut browser, "ada").await;
    let swapped = SamlForm {
        response: form.response.clone(),
        ..own
    };
    let page = post(&server, &mut browser, &swapped).await;
    assert!(is_not_accepted(&page, &browser), "{page:?}");

    let allowed = json!({"saml": {"metadata": company.provider.metadata().await, "allowUnsolicited": true}});
    company.patch(&server, &allowed).await;
    let page = post(&server, &mut browser, &form).await;
    assert_eq!((page.status, page.goes_to()), (200, "/"), "{page:?}");
    assert_eq!(
        me(&server, &mut browser).await.body["user"]["email"],
        "ada@acme.example"
    );
    // Where its RelayState is the provider's own, it leads nowhere.
    let form = SamlForm {
        relay_state: Some("https://evil.example".to_owned()),
        ..company.provider.unsolicited("ada", company.entity_id()).await
    };
    let page = post(&server, &mut Browser::default(), &form).await;
    assert_eq!((page.status, page.goes_to()), (200, "/"), "{page:?}");
    // What answers a request of another browser is none of these.
    let form = company.respond(&server, &mut Browser::default(), "ada").await;
    for relay_state in [form.relay_state.clone(), None] {
        let mut victim = Browser::default();
        let lured = SamlForm {
            relay_state,
            ..form.clone()
        };
        let page = post(&server, &mut victim, &lured).await;
        assert_eq!((page.status, victim.session), (401, None), "{}", page.text);
    }
}

async fn cve_2026_47164_a_saml_address_of_an_unverified_domain_connects_nobody(server: TestServer) {
    let company = Company::new(&server, "acme").await;
    let ada = tigertrust_accounts::NewUser {
        email: "ada@acme.example".parse().unwrap(),
        name: None,
        password: tigertrust_credentials::Password::presented(tigertrust_testkit::PASSWORD),
    };
    let ada = server.users.create(ada).await.unwrap().id;
    for login in ["ada", "bob"] {
        let mut browser = Browser::default();
        let page = company.sign_in(&server, &mut browser, login).await;
        assert!(
            page.status == 403 && page.text.contains("No account is connected"),
            "{login}: {page:?}"
        );
        assert_eq!(browser.session, None);
    }
    let accounts = server.storage.accounts();
    assert!(
        accounts
            .find_user_by_email("bob@acme.example")
            .await
            .unwrap()
            .is_none()
    );
    // Once it is the workspace's, its people are known by their addresses; those of other domains are not.
    let company = company.verified(&server, "acme.example").await;
    let mut browser = Browser::default();
    assert_eq!(company.sign_in(&server, &mut browser, "ada").await.status, 200);
    assert_eq!(
        me(&server, &mut browser).await.body["user"]["id"],
        ada.to_string()
    );
    let page = company.sign_in(&server, &mut Browser::default(), "eve").await;
    assert_eq!(page.status, 403, "{page:?}");
}

async fn a_second_factor_of_one_s_own_is_asked_for_after_saml(server: TestServer) {
    let body = json!({"trustsSecondFactor": true});
    let company = Company::with(&server, "acme", json!({}), body).await;
    let company = company.verified(&server, "acme.example").await;
    let path = format!("/api/workspaces/{}", company.workspace.id);
    let mut ada = Browser::default();
    company.sign_in(&server, &mut ada, "ada").await;
    let (secret, _) = crate::factors::enrol(&server, &mut ada).await;
    company
        .provider
        .set_time(tigertrust_model::Clock::now(&*server.clock))
        .await;
    let mut other = Browser::default();
    let page = company.sign_in(&server, &mut other, "ada").await;
    assert_eq!((page.status, other.session.is_none()), (200, true), "{page:?}");
    let to = page.goes_to().replace("&amp;", "&");
    let token = to.strip_prefix("/sign-in/second-step#token=").unwrap();
    let (token, return_to) = token.split_once('&').unwrap();
    assert_eq!(return_to, "returnTo=%2F");
    let step = tigertrust_credentials::TotpStep::at(tigertrust_model::Clock::now(&*server.clock));
    let body = json!({"token": token, "code": secret.code(step).to_string()});
    let answer = other.post(&server, "/api/auth/verify-2fa", &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(other.get(&server, &path).await.status, 200);

    // Who has proved one to the provider, whose word counts, is not asked for another.
    let mut mia = Browser::default();
    let page = company.sign_in(&server, &mut mia, "mia").await;
    assert_eq!((page.status, page.goes_to()), (200, "/"), "{page:?}");
    let mut owner = company.owner;
    crate::factors::enrol(&server, &mut owner).await;
    let demanded = owner
        .patch(&server, &path, &json!({"requireSecondFactor": true}))
        .await;
    assert_eq!(demanded.status, 200, "{demanded:?}");
    assert_eq!(mia.get(&server, &path).await.status, 200);
}

//! Signing in by an OpenID provider: there and back, and everything that must not come in on the way.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tigertrust_model::{Role, Workspace};
use tigertrust_testkit::{Answer, ProviderBrowser, TestServer, ThrowawayProvider, on_both_engines, send};

use crate::people::Browser;

on_both_engines!(
    a_person_signs_in_by_the_company_s_provider_and_is_a_member,
    a_session_lives_for_seven_days_and_is_bound_to_its_browser,
    s6_another_browser_s_callback_signs_nobody_in,
    a_callback_is_taken_once_and_in_time,
    racing_callbacks_of_one_sign_in_begin_one_session,
    where_a_person_goes_on_is_not_a_stranger_s_to_say,
    what_the_provider_says_wrong_is_refused_and_told_to_the_person,
    an_account_that_is_disabled_stays_out,
    a_second_factor_of_one_s_own_is_asked_for,
    groups_make_roles_at_each_sign_in,
    the_provider_ends_its_sessions,
    no_secret_of_a_sign_in_is_in_the_database,
);

/// A workspace whose people sign in by a provider, with its domain verified.
pub(crate) struct Company {
    pub(crate) provider: ThrowawayProvider,
    pub(crate) workspace: Workspace,
    pub(crate) connection: String,
    pub(crate) slug: String,
    pub(crate) owner: Browser,
}

impl Company {
    /// One whose connection is as the body says, beside the provider.
    pub(crate) async fn new(server: &TestServer, slug: &str, body: Value) -> Self {
        Self::with_accounts(server, slug, accounts(), body).await
    }

    pub(crate) async fn with_accounts(server: &TestServer, slug: &str, accounts: Value, body: Value) -> Self {
        let base = format!("{}/api/auth/oidc/{slug}", server.base_url());
        let provider = ThrowawayProvider::start(&json!({
            "host": "127.0.0.1",
            "issuers": [{}],
            "accounts": accounts,
            "clients": [{
                "client_id": "tigertrust",
                "client_secret": "canary-of-the-client",
                "redirect_uris": [format!("{base}/callback")],
                "backchannel_logout_uri": format!("{base}/backchannel-logout"),
                "backchannel_logout_session_required": true,
            }],
        }));
        let workspace = server.workspace("Acme").await;
        let person = server.member(&workspace, Role::Owner).await;
        let mut owner = Browser::signed_in(server, person).await;
        let mut wanted = json!({
            "slug": slug,
            "name": "Acme",
            "oidc": {"issuer": provider.origin(), "clientId": "tigertrust", "clientSecret": "canary-of-the-client"},
            "defaultRole": "member",
        });
        for (name, value) in body.as_object().unwrap() {
            wanted[name] = value.clone();
        }
        let path = format!("/api/workspaces/{}/sso-connections", workspace.id);
        let made = owner.post(server, &path, &wanted).await;
        assert_eq!(made.status, 201, "{made:?}");
        let connection = made.body["id"].as_str().unwrap().to_owned();
        Self {
            provider,
            workspace,
            connection,
            slug: slug.to_owned(),
            owner,
        }
    }

    /// The same, after the domain was verified.
    pub(crate) async fn verified(mut self, server: &TestServer, domain: &str) -> Self {
        verify(server, &mut self.owner, &self.workspace, domain).await;
        self
    }

    pub(crate) fn path(&self) -> String {
        format!("/api/auth/oidc/{}", self.slug)
    }
}

/// People of a company, and somebody else.
pub(crate) fn accounts() -> Value {
    json!({
        "ada": {"sub": "1", "email": "ada@acme.example", "email_verified": true, "name": "Ada", "groups": ["staff", "it"]},
        "bob": {"sub": "2", "email": "bob@acme.example", "email_verified": true, "name": "Bob", "groups": ["staff"]},
        "eve": {"sub": "3", "email": "eve@other.example", "email_verified": true, "name": "Eve", "groups": []},
        "max": {"sub": "4", "email": "max@acme.example", "email_verified": false, "name": "Max"},
        "mfa": {"sub": "5", "email": "mfa@acme.example", "email_verified": true, "name": "Mia", "amr": ["pwd", "mfa"]},
    })
}

/// Proves that a domain is the workspace's.
pub(crate) async fn verify(server: &TestServer, owner: &mut Browser, workspace: &Workspace, domain: &str) {
    let path = format!("/api/workspaces/{}/domains", workspace.id);
    let claimed = owner.post(server, &path, &json!({"domain": domain})).await;
    assert_eq!(claimed.status, 201, "{claimed:?}");
    let text = |name: &str| claimed.body[name].as_str().unwrap().to_owned();
    server.records.publish(&text("recordName"), &text("recordValue"));
    let verified = owner
        .post(server, &format!("{path}/{domain}/verify"), &json!({}))
        .await;
    assert_eq!(verified.status, 200, "{verified:?}");
    assert_eq!(verified.body["verified"], true);
}

/// Begins, and says where the browser is sent.
pub(crate) async fn begin(server: &TestServer, browser: &mut Browser, path: &str) -> String {
    let begun = browser.get(server, path).await;
    assert_eq!(begun.status, StatusCode::FOUND, "{begun:?}");
    begun.header("location").to_owned()
}

/// Goes to the provider and signs in there; says where the provider sends the browser: path and query.
pub(crate) async fn at_provider(server: &TestServer, redirect: &str, login: &str) -> String {
    let url = ProviderBrowser::default().sign_in(redirect, login).await;
    url.as_str().strip_prefix(server.base_url()).unwrap().to_owned()
}

/// There and back.
pub(crate) async fn sign_in(server: &TestServer, browser: &mut Browser, path: &str, login: &str) -> Page {
    let redirect = begin(server, browser, path).await;
    let back = at_provider(server, &redirect, login).await;
    come_back(server, browser, &back).await
}

/// What a page said.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) text: String,
    /// What the browser was given, whole.
    pub(crate) cookies: Vec<String>,
}

impl Page {
    /// Where it goes on by itself.
    pub(crate) fn goes_to(&self) -> &str {
        let rest = self.text.split_once("content=\"0; url=").map(|(_, rest)| rest);
        rest.and_then(|rest| rest.split_once('"'))
            .map_or("", |(to, _)| to)
    }
}

/// Comes back from the provider, as a browser does that another site sends.
pub(crate) async fn come_back(server: &TestServer, browser: &mut Browser, back: &str) -> Page {
    let request = server
        .request(Method::GET, back)
        .header("Accept", "text/html")
        .header("Sec-Fetch-Site", "cross-site");
    page(browser, request).await
}

/// Sends what answers with a page. Only the cookies of sign-ins under way come from another site.
pub(crate) async fn page(browser: &mut Browser, request: reqwest::RequestBuilder) -> Page {
    let cookies: Vec<String> = browser
        .waiting
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let request = match cookies.as_slice() {
        [] => request,
        cookies => request.header("Cookie", cookies.join("; ")),
    };
    let response = request.send().await.unwrap();
    let set: Vec<String> = response
        .headers()
        .get_all("set-cookie")
        .iter()
        .map(|cookie| cookie.to_str().unwrap().to_owned())
        .collect();
    for cookie in &set {
        let (pair, _) = cookie.split_once(';').unwrap();
        let (name, value) = pair.split_once('=').unwrap();
        match name {
            "connect.sid" => browser.session = Some(value.to_owned()),
            "tigertrust_device" => browser.device = Some(value.to_owned()),
            name => drop(browser.waiting.remove(name)),
        }
    }
    Page {
        status: response.status().as_u16(),
        text: response.text().await.unwrap(),
        cookies: set,
    }
}

/// The workspaces of whoever is signed in, as id and role.
pub(crate) async fn me(server: &TestServer, browser: &mut Browser) -> Answer {
    browser.get(server, "/api/auth/me").await
}

async fn a_person_signs_in_by_the_company_s_provider_and_is_a_member(server: TestServer) {
    let company = Company::new(&server, "acme", json!({})).await;
    let company = company.verified(&server, "acme.example").await;
    let mut browser = Browser::default();
    let page = sign_in(
        &server,
        &mut browser,
        &format!("{}?returnTo=/settings?a=1%26b=2", company.path()),
        "ada",
    )
    .await;
    assert_eq!(page.status, 200, "{page:?}");
    assert_eq!(page.goes_to(), "/settings?a=1&amp;b=2");
    let me = me(&server, &mut browser).await;
    assert_eq!(me.status, 200, "{me:?}");
    assert_eq!(me.body["user"]["email"], "ada@acme.example");
    assert_eq!(me.body["user"]["name"], "Ada");
    assert_eq!(me.body["workspace"]["id"], company.workspace.id.to_string());
    assert_eq!(me.body["role"], "member");
    // A second time it is the same account, from whatever browser.
    let mut other = Browser::default();
    sign_in(&server, &mut other, &company.path(), "ada").await;
    let again = other.get(&server, "/api/auth/me").await;
    assert_eq!(again.body["user"]["id"], me.body["user"]["id"]);
    assert!(browser.waiting.is_empty());
}

async fn a_session_lives_for_seven_days_and_is_bound_to_its_browser(server: TestServer) {
    let company = Company::new(&server, "acme", json!({})).await;
    let company = company.verified(&server, "acme.example").await;
    let mut browser = Browser::default();
    let begun = browser.get(&server, &company.path()).await;
    let cookie = begun.header("set-cookie").to_owned();
    assert!(
        cookie.contains("Max-Age=600; Path=/api/auth; HttpOnly; Secure; SameSite=Lax"),
        "{cookie}"
    );
    let back = at_provider(&server, begun.header("location"), "ada").await;
    let page = come_back(&server, &mut browser, &back).await;
    let session = page
        .cookies
        .iter()
        .find(|cookie| cookie.starts_with("connect.sid=tt_ses_"));
    assert!(
        session
            .unwrap()
            .ends_with("Max-Age=604800; Path=/; HttpOnly; Secure; SameSite=Strict")
    );
    let sessions = browser.get(&server, "/api/auth/sessions").await;
    assert_eq!(sessions.body["items"][0]["connection"], company.connection);
    server.clock.advance(Duration::from_secs(24 * 60 * 60));
    assert_eq!(browser.me(&server).await, 200);
    for _ in 0..6 {
        server.clock.advance(Duration::from_secs(24 * 60 * 60));
        browser.me(&server).await;
    }
    assert_eq!(browser.me(&server).await, 401);
}

async fn s6_another_browser_s_callback_signs_nobody_in(server: TestServer) {
    let company = Company::new(&server, "acme", json!({})).await;
    let company = company.verified(&server, "acme.example").await;
    // Eve begins, and has somebody else's browser open what she was sent back with: login CSRF.
    let mut attacker = Browser::default();
    let redirect = begin(&server, &mut attacker, &company.path()).await;
    let back = at_provider(&server, &redirect, "ada").await;
    let mut victim = Browser::default();
    let page = come_back(&server, &mut victim, &back).await;
    assert_eq!(page.status, 401, "{page:?}");
    assert!(
        victim.session.is_none() && page.text.contains("begun in another browser"),
        "{page:?}"
    );
    // Nor with a cookie of a sign-in of its own.
    let mut busy = Browser::default();
    begin(&server, &mut busy, &company.path()).await;
    assert_eq!(come_back(&server, &mut busy, &back).await.status, 401);
    // It was not used up by that.
    assert_eq!(come_back(&server, &mut attacker, &back).await.status, 200);
}

async fn a_callback_is_taken_once_and_in_time(server: TestServer) {
    let company = Company::new(&server, "acme", json!({})).await;
    let company = company.verified(&server, "acme.example").await;
    let mut browser = Browser::default();
    let redirect = begin(&server, &mut browser, &company.path()).await;
    let kept = browser.waiting.clone();
    let back = at_provider(&server, &redirect, "ada").await;
    assert_eq!(come_back(&server, &mut browser, &back).await.status, 200);
    let mut replay = Browser {
        waiting: kept,
        ..Browser::default()
    };
    assert_eq!(come_back(&server, &mut replay, &back).await.status, 401);
    assert!(replay.session.is_none());

    let mut slow = Browser::default();
    let redirect = begin(&server, &mut slow, &company.path()).await;
    let back = at_provider(&server, &redirect, "ada").await;
    server.clock.advance(Duration::from_secs(10 * 60));
    assert_eq!(come_back(&server, &mut slow, &back).await.status, 401);
    for nonsense in [
        "/callback",
        "/callback?code=x",
        "/callback?state=x&code=y",
        "/callback?state=&code=",
        "/callback?error=access_denied",
    ] {
        let page = come_back(&server, &mut slow, &format!("{}{nonsense}", company.path())).await;
        assert_eq!(page.status, 401, "{nonsense}");
    }
}

async fn racing_callbacks_of_one_sign_in_begin_one_session(server: TestServer) {
    let racers = std::env::var("TIGERTRUST_TEST_RACERS").map_or(200, |number| number.parse().unwrap());
    let company = Company::new(&server, "acme", json!({})).await;
    let company = company.verified(&server, "acme.example").await;
    let second = server.second().await;
    let mut browser = Browser::default();
    let redirect = begin(&server, &mut browser, &company.path()).await;
    let back = at_provider(&server, &redirect, "ada").await;
    let (name, value) = browser.waiting.iter().next().unwrap();
    let cookie = format!("{name}={value}");
    let racing = (0..racers).map(|racer: usize| {
        let server = if racer.is_multiple_of(2) { &server } else { &second };
        let request = server.request(Method::GET, &back).header("Cookie", &cookie);
        async move { request.send().await.unwrap().status() }
    });
    let racing = futures_util::stream::iter(racing);
    let statuses: Vec<StatusCode> =
        futures_util::StreamExt::collect(futures_util::StreamExt::buffer_unordered(racing, 64)).await;
    let begun = statuses.iter().filter(|status| **status == 200).count();
    assert_eq!(begun, 1, "{statuses:?}");
    assert!(
        statuses
            .iter()
            .all(|status| [200, 401].contains(&status.as_u16()))
    );
}

async fn where_a_person_goes_on_is_not_a_stranger_s_to_say(server: TestServer) {
    let company = Company::new(&server, "acme", json!({})).await;
    let mut browser = Browser::default();
    for to in [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "https://app.example.com.evil.example",
        "https://app.example.com@evil.example",
        "http://app.example.com",
        "javascript:alert(1)",
        "evil",
        "",
        "/\"><script>",
        "/a b",
        "/é",
    ] {
        let path = format!("{}?returnTo={}", company.path(), urlencode(to));
        let begun = browser.get(&server, &path).await;
        assert_eq!(begun.problem(), (400, "VALIDATION_ERROR"), "{to}");
        assert_eq!(begun.pointers(), ["/returnTo"]);
    }
    for to in [
        "/",
        "/settings?tab=keys#x",
        "https://app.example.com",
        "https://app.example.com/welcome",
    ] {
        let path = format!("{}?returnTo={}", company.path(), urlencode(to));
        begin(&server, &mut browser, &path).await;
    }
    // More parameters, or one twice, are a mistake.
    for query in ["?return_to=/", "?returnTo=/&returnTo=/b"] {
        let begun = browser.get(&server, &format!("{}{query}", company.path())).await;
        assert_eq!(begun.status, 400, "{query}");
    }
}

fn urlencode(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

async fn what_the_provider_says_wrong_is_refused_and_told_to_the_person(server: TestServer) {
    let company = Company::new(&server, "acme", json!({})).await;
    let company = company.verified(&server, "acme.example").await;
    let mut browser = Browser::default();
    // The provider has refused.
    let redirect = begin(&server, &mut browser, &company.path()).await;
    let state = redirect
        .split("state=")
        .nth(1)
        .unwrap()
        .split('&')
        .next()
        .unwrap();
    let back = format!("{}/callback?error=access_denied&state={state}", company.path());
    let page = come_back(&server, &mut browser, &back).await;
    assert!(
        page.status == 401 && page.text.contains("did not sign you in"),
        "{page:?}"
    );
    // A code that it never gave.
    let redirect = begin(&server, &mut browser, &company.path()).await;
    let back = at_provider(&server, &redirect, "ada").await;
    let (before, after) = back.split_once("code=").unwrap();
    let rest = after.split_once('&').map_or("", |(_, rest)| rest);
    let page = come_back(&server, &mut browser, &format!("{before}code=forged&{rest}")).await;
    assert_eq!(page.status, 401, "{page:?}");
    // An issuer that is not its own (RFC 9207).
    let redirect = begin(&server, &mut browser, &company.path()).await;
    let back = at_provider(&server, &redirect, "ada").await;
    let mixed = back
        .split('&')
        .filter(|part| !part.contains("iss="))
        .collect::<Vec<_>>()
        .join("&");
    let page = come_back(
        &server,
        &mut browser,
        &format!("{mixed}&iss=https%3A%2F%2Fevil.example"),
    )
    .await;
    assert_eq!(page.status, 401, "{page:?}");
    assert!(browser.session.is_none());
    // A program is told in JSON.
    let answer = send(server.request(Method::GET, &back)).await;
    assert_eq!(answer.problem(), (401, "UNAUTHORIZED"));
    // A way that is not there.
    for path in [
        "/api/auth/oidc/nobody",
        "/api/auth/saml/acme",
        "/api/auth/google",
        "/api/auth/oidc/google",
    ] {
        assert_eq!(
            browser.get(&server, path).await.problem(),
            (404, "NOT_FOUND"),
            "{path}"
        );
    }
}

async fn an_account_that_is_disabled_stays_out(server: TestServer) {
    let company = Company::new(&server, "acme", json!({})).await;
    let company = company.verified(&server, "acme.example").await;
    let mut browser = Browser::default();
    sign_in(&server, &mut browser, &company.path(), "ada").await;
    let id = me(&server, &mut browser).await.body["user"]["id"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    server.users.set_disabled(id, true).await.unwrap();
    assert_eq!(browser.me(&server).await, 401);
    let page = sign_in(&server, &mut browser, &company.path(), "ada").await;
    assert!(
        page.status == 403 && page.text.contains("may not sign in"),
        "{page:?}"
    );
}

async fn a_second_factor_of_one_s_own_is_asked_for(server: TestServer) {
    let company = Company::new(&server, "acme", json!({"trustsSecondFactor": true})).await;
    let company = company.verified(&server, "acme.example").await;
    let mut browser = Browser::default();
    sign_in(&server, &mut browser, &company.path(), "ada").await;
    crate::factors::enrol(&server, &mut browser).await;
    let mut other = Browser::default();
    let page = sign_in(
        &server,
        &mut other,
        &format!("{}?returnTo=/keys", company.path()),
        "ada",
    )
    .await;
    assert_eq!(page.status, 200, "{page:?}");
    assert!(other.session.is_none());
    let to = page.goes_to().replace("&amp;", "&");
    assert!(
        to.starts_with("/sign-in/second-step#token=tt_2fa_") && to.ends_with("&returnTo=%2Fkeys"),
        "{to}"
    );

    // Who has proved one to the provider, whose word counts, is not asked for another.
    let mut mia = Browser::default();
    let page = sign_in(&server, &mut mia, &company.path(), "mfa").await;
    assert_eq!((page.status, page.goes_to()), (200, "/"));
    let path = format!("/api/workspaces/{}", company.workspace.id);
    let mut owner = company.owner.clone();
    crate::factors::enrol(&server, &mut owner).await;
    let demanded = owner
        .patch(&server, &path, &json!({"requireSecondFactor": true}))
        .await;
    assert_eq!(demanded.status, 200, "{demanded:?}");
    assert_eq!(mia.get(&server, &path).await.status, 200);
    // Who has not is kept out of the workspace until then.
    let mut bob = Browser::default();
    sign_in(&server, &mut bob, &company.path(), "bob").await;
    assert_eq!(bob.get(&server, &path).await.problem(), (403, "FORBIDDEN"));
}

async fn groups_make_roles_at_each_sign_in(server: TestServer) {
    let rules = json!({
        "oidc": Value::Null,
        "defaultRole": Value::Null,
        "groupRoles": [{"group": "staff", "role": "viewer"}, {"group": "it", "role": "admin"}],
    });
    let company = Company::with_groups(&server, rules).await;
    let mut ada = Browser::default();
    sign_in(&server, &mut ada, &company.path(), "ada").await;
    assert_eq!(me(&server, &mut ada).await.body["role"], "admin");
    // The groups of a person change, and with them the role, in every session.
    let changed = json!({"ada": {"sub": "1", "email": "ada@acme.example", "email_verified": true, "groups": ["staff"]}});
    company.provider.control("accounts", &changed).await;
    let mut again = Browser::default();
    sign_in(&server, &mut again, &company.path(), "ada").await;
    assert_eq!(me(&server, &mut ada).await.body["role"], "viewer");
    let gone = json!({"ada": {"sub": "1", "email": "ada@acme.example", "email_verified": true, "groups": ["other"]}});
    company.provider.control("accounts", &gone).await;
    let page = sign_in(&server, &mut again, &company.path(), "ada").await;
    assert!(
        page.status == 403 && page.text.contains("none of your groups"),
        "{page:?}"
    );
    let path = format!("/api/workspaces/{}", company.workspace.id);
    assert_eq!(ada.get(&server, &path).await.status, 404);
}

impl Company {
    async fn with_groups(server: &TestServer, mut rules: Value) -> Self {
        rules.as_object_mut().unwrap().remove("oidc");
        let mut company = Self::new(server, "acme", rules).await;
        let path = format!(
            "/api/workspaces/{}/sso-connections/{}",
            company.workspace.id, company.connection
        );
        let oidc = json!({"oidc": {"issuer": company.provider.origin(), "clientId": "tigertrust", "groupsClaim": "groups"}});
        let changed = company.owner.patch(server, &path, &oidc).await;
        assert_eq!(changed.status, 200, "{changed:?}");
        company.verified(server, "acme.example").await
    }
}

async fn the_provider_ends_its_sessions(server: TestServer) {
    let company = Company::new(&server, "acme", json!({})).await;
    let company = company.verified(&server, "acme.example").await;
    let mut browser = Browser::default();
    let redirect = begin(&server, &mut browser, &company.path()).await;
    let mut at = ProviderBrowser::default();
    let back = at.sign_in(&redirect, "ada").await;
    let back = back.as_str().strip_prefix(server.base_url()).unwrap().to_owned();
    come_back(&server, &mut browser, &back).await;
    let mut bob = Browser::default();
    sign_in(&server, &mut bob, &company.path(), "bob").await;
    assert_eq!(browser.me(&server).await, 200);
    at.sign_out(company.provider.origin()).await;
    tigertrust_testkit::eventually(401, async || browser.clone().me(&server).await).await;
    assert_eq!(bob.me(&server).await, 200);

    let path = format!("{}/backchannel-logout", company.path());
    let request = server
        .request(Method::POST, &path)
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body("logout_token=forged");
    let refused = send(request).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.body["error"]),
        (400, &json!("invalid_request"))
    );
}

async fn no_secret_of_a_sign_in_is_in_the_database(server: TestServer) {
    let company = Company::new(&server, "acme", json!({})).await;
    let company = company.verified(&server, "acme.example").await;
    let mut browser = Browser::default();
    let redirect = begin(&server, &mut browser, &company.path()).await;
    let dump = server.dump().await;
    assert!(!dump.contains("canary-of-the-client"));
    let state = redirect
        .split("state=")
        .nth(1)
        .unwrap()
        .split('&')
        .next()
        .unwrap();
    let nonce = redirect
        .split("nonce=")
        .nth(1)
        .unwrap()
        .split('&')
        .next()
        .unwrap();
    for secret in browser.waiting.values().map(String::as_str).chain([state, nonce]) {
        assert!(secret.len() > 20 && !dump.contains(secret), "{secret}");
    }
    assert!(redirect.contains("code_challenge_method=S256") && !redirect.contains("canary"));
    let mut owner = company.owner;
    let path = format!("/api/workspaces/{}/sso-connections", company.workspace.id);
    let listed = owner.get(&server, &path).await;
    assert!(!listed.body.to_string().contains("canary"), "{listed:?}");
}

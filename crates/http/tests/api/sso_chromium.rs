//! Signing in with a real browser: the provider is on another site than the server, `localhost` and `127.0.0.1`, so that which cookies
//! are sent along is the browser's to decide.

use serde_json::{Value, json};
use tigertrust_credentials::TotpStep;
use tigertrust_model::Clock as _;
use tigertrust_testkit::{Chromium, Engine, TestServer, Walked};

use crate::{factors::enrol, people::Browser, sso_presets::start_at, sso_saml::Company};

/// The ways of the whole server, and who signs in by each.
const WAYS: [(&str, &str); 5] = [
    ("google", "gil"),
    ("azure", "amy"),
    ("oidc/common", "cid"),
    ("okta", "oki"),
    ("oidc/other", "ono"),
];

fn accounts() -> Value {
    let account = |login: &str| {
        let email = format!("{login}@acme.example");
        json!({
            "email": email, "email_verified": true, "hd": "acme.example",
            "tid": "acme", "oid": login, "preferred_username": email,
        })
    };
    WAYS.iter()
        .map(|(_, login)| ((*login).to_owned(), account(login)))
        .chain([("eve".to_owned(), json!({"email": "eve@evil.example"}))])
        .collect()
}

/// Signs in, and goes on to where the account of whoever is signed in is shown.
async fn sign_in(chromium: &Chromium, server: &TestServer, path: &str, fields: &Value) -> Walked {
    let me = format!("{}/api/auth/me", server.base_url());
    let begin = format!("{}{path}?returnTo=/api/auth/me", server.base_url());
    chromium.walk(&begin, fields, &me).await
}

/// Whether the very first request that the page of ours leads to was one of somebody who is signed in.
fn is_signed_in_at_once(walked: &Walked, server: &TestServer, ours: &str) -> bool {
    let (method, path) = ours.split_once(' ').unwrap();
    let base = server.base_url();
    let [.., before, last] = walked.way.as_slice() else {
        return false;
    };
    before.starts_with(&format!("{method} 200 {base}{path}"))
        && *last == format!("GET 200 {base}/api/auth/me")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_sign_in_in_chromium_by_every_provider_of_another_site() {
    let (server, _provider) = start_at("localhost", Engine::Sqlite, accounts(), |_| {}).await;
    let chromium = Chromium::start();
    for (way, login) in WAYS {
        let fields = json!({"login": login, "password": "any"});
        let path = format!("/api/auth/{way}");
        let walked = sign_in(&chromium, &server, &path, &fields).await;
        let ours = format!("GET {path}/callback");
        assert!(is_signed_in_at_once(&walked, &server, &ours), "{walked:#?}");
        assert!(
            walked.text.contains(&format!("{login}@acme.example")),
            "{walked:#?}"
        );
        assert!(
            walked.way.iter().any(|step| step.contains(" http://localhost:")),
            "{walked:#?}"
        );
    }
    let eve = json!({"login": "eve", "password": "any"});
    let refused = sign_in(&chromium, &server, "/api/auth/okta", &eve).await;
    assert!(
        refused.status == 403 && refused.text.starts_with("Not signed in"),
        "{refused:#?}"
    );

    let by_saml = json!({"host": "localhost"});
    let company = Company::with(&server, "saml", by_saml, json!({})).await;
    let company = company.verified(&server, "acme.example").await;
    let bob = json!({"login": "bob", "password": "any"});
    let walked = sign_in(&chromium, &server, &company.path(), &bob).await;
    let ours = format!("POST {}/acs", company.path());
    assert!(is_signed_in_at_once(&walked, &server, &ours), "{walked:#?}");
    assert!(walked.text.contains("bob@acme.example"), "{walked:#?}");

    // Whose account has a second factor is asked for it on a page of ours, which goes on to the same place.
    let mut ada = Browser::default();
    company.sign_in(&server, &mut ada, "ada").await;
    let (secret, _) = enrol(&server, &mut ada).await;
    company.provider.set_time(server.clock.now()).await;
    let code = secret.code(TotpStep::at(server.clock.now())).to_string();
    let ada = json!({"login": "ada", "password": "any", "code": code});
    let walked = sign_in(&chromium, &server, &company.path(), &ada).await;
    let ours = "GET /sign-in/second-step";
    assert!(is_signed_in_at_once(&walked, &server, ours), "{walked:#?}");
    assert!(walked.text.contains("ada@acme.example"), "{walked:#?}");
}

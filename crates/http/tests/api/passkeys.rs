//! Passkeys: added, named, removed. `security.md` 1, 14–16, 20.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tigertrust_credentials::TotpStep;
use tigertrust_model::{Act, Clock as _, Role, UserId};
use tigertrust_testkit::{Answer, Authenticator, PASSWORD, TestServer, on_both_engines};

use crate::{
    factors::{Enrolled, base32, verify},
    people::Browser,
};

on_both_engines!(
    a_passkey_is_added_listed_named_and_removed,
    s15_passkeys_are_changed_with_a_fresh_proof_only,
    s16_adding_and_removing_a_passkey_renews_the_token,
    s11_an_app_that_is_not_confirmed_proves_nothing_beside_a_passkey,
    s14_recovery_codes_come_with_the_first_factor_and_go_with_the_last,
    s14_no_new_codes_come_with_a_passkey_beside_an_app,
    s1_a_passkey_allows_a_shorter_password,
    a_wrong_answer_adds_nothing,
    a_challenge_is_good_for_one_session_one_answer_and_five_minutes,
    a_passkey_is_added_once,
    there_are_twenty_passkeys_at_the_most,
    s25_nobody_reaches_the_passkeys_of_others,
    s20_no_challenge_is_in_the_database_in_plain,
    resetting_the_second_factor_removes_passkeys,
);

/// A person with a passkey.
pub(crate) struct Keyed {
    pub(crate) user: UserId,
    pub(crate) browser: Browser,
    pub(crate) authenticator: Authenticator,
    pub(crate) passkey: String,
    pub(crate) recovery_codes: Vec<String>,
}

impl Keyed {
    pub(crate) async fn new(server: &TestServer) -> Self {
        let home = server.workspace("Home").await;
        let user = server.member(&home, Role::Admin).await;
        let mut browser = Browser::signed_in(server, user).await;
        let mut authenticator = Authenticator::default();
        let added = add(server, &mut browser, &mut authenticator).await;
        assert_eq!(added.status, 200, "{added:?}");
        let codes = added.body["recoveryCodes"].as_array().unwrap();
        Self {
            user,
            browser,
            authenticator,
            passkey: added.body["passkey"]["id"].as_str().unwrap().to_owned(),
            recovery_codes: codes
                .iter()
                .map(|code| code.as_str().unwrap().to_owned())
                .collect(),
        }
    }
}

/// Asks for the options to add a passkey.
async fn start(server: &TestServer, browser: &mut Browser) -> Value {
    let started = browser
        .post(server, "/api/auth/passkeys/register/start", &Value::Null)
        .await;
    assert_eq!(started.status, 200, "{started:?}");
    started.body["publicKey"].clone()
}

async fn finish(server: &TestServer, browser: &mut Browser, credential: &Value) -> Answer {
    let body = json!({"credential": credential, "name": "Laptop"});
    browser
        .post(server, "/api/auth/passkeys/register/finish", &body)
        .await
}

async fn add(server: &TestServer, browser: &mut Browser, authenticator: &mut Authenticator) -> Answer {
    let options = start(server, browser).await;
    finish(server, browser, &authenticator.create(&options)).await
}

async fn list(server: &TestServer, browser: &mut Browser) -> Vec<Value> {
    let listed = browser.get(server, "/api/auth/passkeys").await;
    assert_eq!(listed.status, 200, "{listed:?}");
    listed.body["items"].as_array().unwrap().clone()
}

async fn a_passkey_is_added_listed_named_and_removed(server: TestServer) {
    let home = server.workspace("Home").await;
    let user = server.member(&home, Role::Viewer).await;
    let mut browser = Browser::signed_in(&server, user).await;
    assert_eq!(list(&server, &mut browser).await, Vec::<Value>::new());
    let options = start(&server, &mut browser).await;
    assert_eq!(options["rp"]["id"], "localhost");
    assert_eq!(options["attestation"], "none");
    let email = server.email(user).await;
    assert_eq!(options["user"]["name"], email.as_str());
    let selection = &options["authenticatorSelection"];
    assert_eq!(selection["residentKey"], "required");
    assert_eq!(selection["userVerification"], "required");
    assert_eq!(options["excludeCredentials"], json!([]));
    let credential = Authenticator::default().create(&options);
    let added = finish(&server, &mut browser, &credential).await;
    assert_eq!(added.status, 200, "{added:?}");
    let id = added.body["passkey"]["id"].as_str().unwrap();
    assert!(id.starts_with("pky_"), "{id}");
    let shown = json!({
        "id": id, "name": "Laptop", "backedUp": false,
        "createdAt": "2027-01-15T08:00:00Z", "lastUsedAt": null,
    });
    assert_eq!(added.body["passkey"], shown);
    assert_eq!(added.body["recoveryCodes"].as_array().unwrap().len(), 10);
    assert_eq!(list(&server, &mut browser).await, [shown]);
    let path = format!("/api/auth/passkeys/{id}");
    let mut rename = async |name: &str| {
        let body = json!({"name": name});
        browser
            .send(server.request(Method::PATCH, &path).json(&body))
            .await
    };
    let renamed = rename("Phone").await;
    assert_eq!(
        (renamed.status.as_u16(), &renamed.body["name"]),
        (200, &json!("Phone"))
    );
    for nonsense in ["", " ", "a\u{202e}b", &"x".repeat(101)] {
        assert_eq!(rename(nonsense).await.pointers()[0], "/name", "{nonsense:?}");
    }
    assert_eq!(browser.delete(&server, &path).await.status, 204);
    assert_eq!(browser.delete(&server, &path).await.problem(), (404, "NOT_FOUND"));
    assert_eq!(list(&server, &mut browser).await, Vec::<Value>::new());
    assert_eq!(Browser::signed_in(&server, user).await.me(&server).await, 200);
}

async fn s15_passkeys_are_changed_with_a_fresh_proof_only(server: TestServer) {
    let mut jo = Keyed::new(&server).await;
    let options = start(&server, &mut jo.browser).await;
    server.clock.advance(Duration::from_secs(10 * 60));
    let credential = jo.authenticator.create(&options);
    let refused = finish(&server, &mut jo.browser, &credential).await;
    assert_eq!(refused.problem(), (403, "STEP_UP_REQUIRED"));
    for (method, path) in [
        (Method::POST, "/api/auth/passkeys/register/start".to_owned()),
        (Method::DELETE, format!("/api/auth/passkeys/{}", jo.passkey)),
    ] {
        let refused = jo.browser.send(server.request(method, &path)).await;
        assert_eq!(refused.problem(), (403, "STEP_UP_REQUIRED"), "{path}");
    }
    assert_eq!(list(&server, &mut jo.browser).await.len(), 1);
    // The password alone is not all that the account has.
    let proof = json!({"password": PASSWORD});
    let missing = jo.browser.post(&server, "/api/auth/step-up", &proof).await;
    assert_eq!(missing.pointers(), ["/code"]);
    let proof = json!({"password": PASSWORD, "code": jo.recovery_codes[0]});
    let fresh = jo.browser.post(&server, "/api/auth/step-up", &proof).await;
    assert_eq!(fresh.status, 204);
    start(&server, &mut jo.browser).await;
}

async fn s16_adding_and_removing_a_passkey_renews_the_token(server: TestServer) {
    let mut jo = Keyed::new(&server).await;
    let mut before = jo.browser.clone();
    let mut second = Authenticator::default();
    assert_eq!(add(&server, &mut jo.browser, &mut second).await.status, 200);
    assert_eq!(
        (before.me(&server).await, jo.browser.me(&server).await),
        (401, 200)
    );
    let mut before = jo.browser.clone();
    let path = format!("/api/auth/passkeys/{}", jo.passkey);
    assert_eq!(jo.browser.delete(&server, &path).await.status, 204);
    assert_eq!(
        (before.me(&server).await, jo.browser.me(&server).await),
        (401, 200)
    );
    // Neither is a proof: what was fresh does not become fresher.
    server.clock.advance(Duration::from_secs(9 * 60));
    assert_eq!(add(&server, &mut jo.browser, &mut second).await.status, 200);
    server.clock.advance(Duration::from_secs(60));
    let late = jo
        .browser
        .post(&server, "/api/auth/passkeys/register/start", &Value::Null)
        .await;
    assert_eq!(late.problem(), (403, "STEP_UP_REQUIRED"));
}

/// The status of a login whose second step is the recovery code.
async fn open_with(server: &TestServer, user: UserId, code: &str) -> u16 {
    let email = server.email(user).await;
    let first = Browser::default().login(server, &email, PASSWORD).await;
    let Some(token) = first.body["token"].as_str() else {
        return first.status.as_u16();
    };
    verify(server, token, code).await.0.status.as_u16()
}

async fn s14_recovery_codes_come_with_the_first_factor_and_go_with_the_last(server: TestServer) {
    let mut jo = Keyed::new(&server).await;
    assert_eq!(jo.recovery_codes.len(), 10);
    assert_eq!(open_with(&server, jo.user, &jo.recovery_codes[0]).await, 200);
    // An app beside it: the codes that there are stay.
    let new = jo.browser.post(&server, "/api/auth/2fa/totp", &Value::Null).await;
    let code = crate::factors::base32(new.body["secret"].as_str().unwrap());
    let code = code.code(tigertrust_credentials::TotpStep::at(
        tigertrust_model::Clock::now(&*server.clock),
    ));
    let body = json!({"code": code.to_string()});
    let confirmed = jo
        .browser
        .post(&server, "/api/auth/2fa/totp/confirm", &body)
        .await;
    assert_eq!(confirmed.body, json!({"recoveryCodes": []}), "{confirmed:?}");
    assert_eq!(open_with(&server, jo.user, &jo.recovery_codes[1]).await, 200);
    let removed = jo.browser.delete(&server, "/api/auth/2fa/totp").await;
    assert_eq!(removed.status, 204);
    assert_eq!(open_with(&server, jo.user, &jo.recovery_codes[2]).await, 200);
    let path = format!("/api/auth/passkeys/{}", jo.passkey);
    assert_eq!(jo.browser.delete(&server, &path).await.status, 204);
    // With the last factor they are gone: the next one brings others.
    let again = add(&server, &mut jo.browser, &mut jo.authenticator).await;
    assert_eq!(again.body["recoveryCodes"].as_array().unwrap().len(), 10);
    assert_eq!(open_with(&server, jo.user, &jo.recovery_codes[3]).await, 401);
}

async fn s14_no_new_codes_come_with_a_passkey_beside_an_app(server: TestServer) {
    let mut jo = Enrolled::new(&server).await;
    let added = add(&server, &mut jo.browser, &mut Authenticator::default()).await;
    assert_eq!(added.body["recoveryCodes"], json!([]), "{added:?}");
    let email = server.email(jo.user).await;
    let first = Browser::default().login(&server, &email, PASSWORD).await;
    assert_eq!(first.body["methods"], json!(["totp", "recoveryCode", "passkey"]));
    assert_eq!(jo.browser.delete(&server, "/api/auth/2fa/totp").await.status, 204);
    assert_eq!(open_with(&server, jo.user, &jo.recovery_codes[0]).await, 200);
}

async fn s1_a_passkey_allows_a_shorter_password(server: TestServer) {
    let mut jo = Keyed::new(&server).await;
    let body = json!({"currentPassword": PASSWORD, "newPassword": "q8v2 zr7"});
    let request = server.request(Method::PUT, "/api/auth/password").json(&body);
    assert_eq!(jo.browser.send(request).await.status, 204);
}

async fn a_wrong_answer_adds_nothing(server: TestServer) {
    let home = server.workspace("Home").await;
    let user = server.member(&home, Role::Member).await;
    let mut browser = Browser::signed_in(&server, user).await;
    let shipped = Authenticator::default();
    for mut wrong in [
        Authenticator {
            origin: "https://evil.example".to_owned(),
            ..shipped.clone()
        },
        Authenticator {
            rp_id: Some("evil.example".to_owned()),
            ..shipped.clone()
        },
        Authenticator {
            verifies: false,
            ..shipped.clone()
        },
    ] {
        let refused = add(&server, &mut browser, &mut wrong).await;
        assert_eq!(refused.problem(), (401, "UNAUTHORIZED"));
    }
    for nonsense in [
        json!(null),
        json!("x"),
        json!([]),
        json!({}),
        json!({"id": "AAAA", "response": {}}),
    ] {
        let refused = finish(&server, &mut browser, &nonsense).await;
        assert_eq!(refused.pointers(), ["/credential"], "{nonsense}");
    }
    // An answer to nothing that was asked.
    let invented = json!({"rp": {"id": "localhost"}, "user": {"id": "AAAAAAAAAAAAAAAAAAAAAA"}, "challenge": "AAAAAAAAAAAAAAAAAAAAAA"});
    let refused = finish(&server, &mut browser, &shipped.clone().create(&invented)).await;
    assert_eq!(refused.problem(), (401, "UNAUTHORIZED"));
    assert_eq!(list(&server, &mut browser).await, Vec::<Value>::new());
    assert_eq!(Browser::signed_in(&server, user).await.me(&server).await, 200);
}

async fn a_challenge_is_good_for_one_session_one_answer_and_five_minutes(server: TestServer) {
    let home = server.workspace("Home").await;
    let user = server.member(&home, Role::Member).await;
    let mut browser = Browser::signed_in(&server, user).await;
    let mut other = Browser::signed_in(&server, user).await;
    let mut authenticator = Authenticator::default();
    let options = start(&server, &mut browser).await;
    let credential = authenticator.create(&options);
    let refused = finish(&server, &mut other, &credential).await;
    assert_eq!(refused.problem(), (401, "UNAUTHORIZED"));
    let options = start(&server, &mut browser).await;
    server.clock.advance(Duration::from_secs(5 * 60));
    let late = finish(&server, &mut browser, &authenticator.create(&options)).await;
    assert_eq!(late.problem(), (401, "TOKEN_EXPIRED"));
    let options = start(&server, &mut browser).await;
    let first = finish(&server, &mut browser, &authenticator.create(&options)).await;
    assert_eq!(first.status, 200);
    let again = finish(&server, &mut browser, &authenticator.create(&options)).await;
    assert_eq!(again.problem(), (401, "UNAUTHORIZED"));
    // The challenge of a login adds nothing.
    let login = browser
        .post(&server, "/api/auth/passkeys/login/start", &json!({}))
        .await;
    let mut options = start(&server, &mut browser).await;
    options["challenge"] = login.body["publicKey"]["challenge"].clone();
    let refused = finish(&server, &mut browser, &authenticator.create(&options)).await;
    assert_eq!(refused.problem(), (401, "UNAUTHORIZED"));
    assert_eq!(list(&server, &mut browser).await.len(), 1);
}

async fn a_passkey_is_added_once(server: TestServer) {
    let mut jo = Keyed::new(&server).await;
    let options = start(&server, &mut jo.browser).await;
    let known = &options["excludeCredentials"][0];
    let credential = jo.authenticator.clone().create(&options);
    assert_eq!(known["type"], "public-key");
    assert_eq!(known["transports"], json!(["internal"]));
    assert_ne!(known["id"], credential["id"]);
    // Somebody else's authenticator claims to have made the same.
    let mut other = Keyed::new(&server).await;
    let options = start(&server, &mut other.browser).await;
    let copied = other
        .authenticator
        .create_as(&options, &jo.authenticator.credentials[0]);
    let refused = finish(&server, &mut other.browser, &copied).await;
    assert_eq!(refused.problem(), (409, "CONFLICT"));
    assert_eq!(list(&server, &mut other.browser).await.len(), 1);
    assert_eq!(other.browser.me(&server).await, 200, "nothing has changed");
}

async fn there_are_twenty_passkeys_at_the_most(server: TestServer) {
    let mut jo = Keyed::new(&server).await;
    let spare = start(&server, &mut jo.browser).await;
    for _ in 1..20 {
        let added = add(&server, &mut jo.browser, &mut Authenticator::default()).await;
        assert_eq!(added.status, 200, "{added:?}");
    }
    let refused = jo
        .browser
        .post(&server, "/api/auth/passkeys/register/start", &Value::Null)
        .await;
    assert_eq!(refused.problem(), (409, "CONFLICT"));
    let credential = jo.authenticator.create(&spare);
    let refused = finish(&server, &mut jo.browser, &credential).await;
    assert_eq!(refused.problem(), (409, "CONFLICT"));
    assert_eq!(list(&server, &mut jo.browser).await.len(), 20);
}

async fn s25_nobody_reaches_the_passkeys_of_others(server: TestServer) {
    let jo = Keyed::new(&server).await;
    let mut other = Keyed::new(&server).await;
    let path = format!("/api/auth/passkeys/{}", jo.passkey);
    let body = json!({"name": "mine"});
    let renamed = other
        .browser
        .send(server.request(Method::PATCH, &path).json(&body))
        .await;
    assert_eq!(renamed.problem(), (404, "NOT_FOUND"));
    let removed = other.browser.delete(&server, &path).await;
    assert_eq!(removed.problem(), (404, "NOT_FOUND"));
    let ids: Vec<Value> = list(&server, &mut other.browser)
        .await
        .iter()
        .map(|passkey| passkey["id"].clone())
        .collect();
    assert_eq!(ids, [json!(other.passkey)]);
    assert_eq!(list(&server, &mut jo.browser.clone()).await[0]["name"], "Laptop");
}

async fn s20_no_challenge_is_in_the_database_in_plain(server: TestServer) {
    let mut jo = Keyed::new(&server).await;
    let options = start(&server, &mut jo.browser).await;
    let dump = server.dump().await;
    assert!(dump.contains("registration:ses_"));
    assert!(!dump.contains(options["challenge"].as_str().unwrap()));
}

async fn resetting_the_second_factor_removes_passkeys(server: TestServer) {
    let mut jo = Keyed::new(&server).await;
    let store = server.storage.sign_ins();
    assert!(store.remove_factors(Act::of_operator(), jo.user).await.unwrap());
    assert!(!store.remove_factors(Act::of_operator(), jo.user).await.unwrap());
    assert_eq!(list(&server, &mut jo.browser).await, Vec::<Value>::new());
    assert_eq!(Browser::signed_in(&server, jo.user).await.me(&server).await, 200);
    assert_eq!(
        jo.browser
            .post(&server, "/api/auth/2fa/recovery-codes", &Value::Null)
            .await
            .problem(),
        (409, "CONFLICT")
    );
}

async fn s11_an_app_that_is_not_confirmed_proves_nothing_beside_a_passkey(server: TestServer) {
    let mut jo = Keyed::new(&server).await;
    let email = server.email(jo.user).await;
    let app = jo.browser.post(&server, "/api/auth/2fa/totp", &Value::Null).await;
    let secret = base32(app.body["secret"].as_str().unwrap());
    let code = || secret.code(TotpStep::at(server.clock.now())).to_string();
    let first = Browser::default().login(&server, &email, PASSWORD).await;
    let token = first.body["token"].as_str().unwrap();
    let (answer, _) = verify(&server, token, &code()).await;
    assert_eq!(answer.problem(), (401, "UNAUTHORIZED"));
    let body = json!({"password": PASSWORD, "code": code()});
    let proof = jo.browser.post(&server, "/api/auth/step-up", &body).await;
    assert_eq!(proof.problem(), (401, "UNAUTHORIZED"));
    let confirmed = jo
        .browser
        .post(&server, "/api/auth/2fa/totp/confirm", &json!({"code": code()}))
        .await;
    assert_eq!(confirmed.status, 200);
}

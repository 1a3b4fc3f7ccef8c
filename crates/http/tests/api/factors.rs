//! Second factors, step-up, sessions and the password: `security.md` 1, 2, 5, 11–16, 19.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use tigertrust_credentials::{TotpSecret, TotpStep};
use tigertrust_model::{Act, Clock as _, Role, UserId};
use tigertrust_testkit::{Answer, PASSWORD, TestServer, on_both_engines};

use crate::people::Browser;

on_both_engines!(
    s11_two_step_login_is_as_documented,
    s11_a_step_is_accepted_once_and_never_again,
    s11_racing_uses_of_one_code_accept_one,
    s12_a_token_is_good_for_five_tries_and_five_minutes_and_once,
    s12_parallel_codes_evaluate_at_most_five,
    s13_the_secret_is_sealed_in_the_database,
    s14_a_recovery_code_opens_once,
    s19_a_login_that_waits_does_not_outlive_a_disabled_account,
    s14_racing_uses_of_one_recovery_code_accept_one,
    s15_factors_are_changed_with_a_fresh_proof_only,
    s7_wrong_codes_use_up_the_account_s_budget,
    s5_a_password_change_needs_the_old_one_and_ends_other_sessions,
    s1_s2_a_new_password_must_be_long_and_not_common,
    s16_privilege_changes_renew_the_token,
    s19_sessions_are_listed_and_ended,
    an_app_that_is_not_confirmed_counts_for_nothing,
    s5_no_login_with_the_old_password_outlives_its_change,
    s7_strangers_cannot_keep_an_owner_from_a_fresh_proof,
);

/// A person with an authenticator app.
pub(crate) struct Enrolled {
    pub(crate) user: UserId,
    pub(crate) browser: Browser,
    pub(crate) secret: TotpSecret,
    pub(crate) recovery_codes: Vec<String>,
}

pub(crate) fn base32(text: &str) -> TotpSecret {
    let bits = text.bytes().fold(String::new(), |bits, letter| {
        let digit = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
            .iter()
            .position(|own| *own == letter)
            .unwrap();
        bits + &format!("{digit:05b}")
    });
    let bytes: Vec<u8> = (0..20)
        .map(|index| u8::from_str_radix(&bits[index * 8..index * 8 + 8], 2).unwrap())
        .collect();
    TotpSecret::from_bytes(&bytes).unwrap()
}

/// Adds an app to the account of whoever is signed in; returns its secret and the recovery codes.
pub(crate) async fn enrol(server: &TestServer, browser: &mut Browser) -> (TotpSecret, Vec<String>) {
    let new = browser.post(server, "/api/auth/2fa/totp", &Value::Null).await;
    assert_eq!(new.status, 200, "{new:?}");
    let uri = new.body["otpauthUri"].as_str().unwrap();
    assert!(uri.starts_with("otpauth://totp/TigerTrust:"), "{uri}");
    assert!(new.body["qrSvg"].as_str().unwrap().starts_with("<svg"));
    let secret = base32(new.body["secret"].as_str().unwrap());
    let code = secret.code(TotpStep::at(server.clock.now())).to_string();
    let confirmed = browser
        .post(server, "/api/auth/2fa/totp/confirm", &json!({"code": code}))
        .await;
    assert_eq!(confirmed.status, 200, "{confirmed:?}");
    let codes = confirmed.body["recoveryCodes"].as_array().unwrap();
    assert_eq!(codes.len(), 10);
    let codes = codes
        .iter()
        .map(|code| code.as_str().unwrap().to_owned())
        .collect();
    // The code is spent by that: the tests go on in another step.
    server.clock.advance(Duration::from_secs(60));
    (secret, codes)
}

impl Enrolled {
    pub(crate) async fn new(server: &TestServer) -> Self {
        let home = server.workspace("Home").await;
        let user = server.member(&home, Role::Admin).await;
        let mut browser = Browser::signed_in(server, user).await;
        let (secret, recovery_codes) = enrol(server, &mut browser).await;
        Self {
            user,
            browser,
            secret,
            recovery_codes,
        }
    }

    /// The code that the app shows.
    pub(crate) fn code(&self, server: &TestServer) -> String {
        self.secret.code(TotpStep::at(server.clock.now())).to_string()
    }

    /// A code that is wrong at any time near.
    fn wrong_code(&self, server: &TestServer) -> String {
        let present = TotpStep::at(server.clock.now()).number();
        let near: Vec<String> = (present - 2..=present + 2)
            .map(|step| self.secret.code(TotpStep::from_number(step)).to_string())
            .collect();
        let mut codes = (0..).map(|number| format!("{number:06}"));
        codes.find(|code| !near.contains(code)).unwrap()
    }

    /// The token that the first step answers with.
    pub(crate) async fn token(&self, server: &TestServer) -> String {
        let email = server.email(self.user).await;
        let mut browser = Browser::default();
        let answer = browser.login(server, &email, PASSWORD).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(browser.session, None);
        answer.body["token"].as_str().unwrap().to_owned()
    }
}

pub(crate) async fn verify(server: &TestServer, token: &str, code: &str) -> (Answer, Browser) {
    let mut browser = Browser::default();
    let answer = browser
        .post(
            server,
            "/api/auth/verify-2fa",
            &json!({"token": token, "code": code}),
        )
        .await;
    (answer, browser)
}

async fn s11_two_step_login_is_as_documented(server: TestServer) {
    let jo = Enrolled::new(&server).await;
    let mut browser = Browser::default();
    let email = server.email(jo.user).await;
    let first = browser.login(&server, &email, PASSWORD).await;
    let token = first.body["token"].clone();
    assert_eq!(
        first.body,
        json!({"requires2FA": true, "token": token, "methods": ["totp", "recoveryCode"]})
    );
    assert!(!first.headers.contains_key("set-cookie"));
    let (second, mut browser) = verify(&server, token.as_str().unwrap(), &jo.code(&server)).await;
    assert_eq!(second.status, 200);
    assert_eq!(second.body["user"]["id"], jo.user.to_string());
    let me = browser.get(&server, "/api/auth/me").await;
    assert_eq!(me.body["session"]["secondFactor"], true);
    // The token opens nothing by itself.
    let request = server.request(Method::GET, "/api/auth/me");
    let answer = browser
        .send(request.header("Cookie", format!("connect.sid={}", token.as_str().unwrap())))
        .await;
    assert_ne!(answer.status, 500);
}

async fn s11_a_step_is_accepted_once_and_never_again(server: TestServer) {
    let jo = Enrolled::new(&server).await;
    let code = jo.code(&server);
    assert_eq!(
        verify(&server, &jo.token(&server).await, &code).await.0.status,
        200
    );
    let spaced = format!(" {} {} ", &code[..3], &code[3..]);
    let second = server.second().await;
    for (node, code) in [(&server, code.clone()), (&server, spaced), (&second, code)] {
        let (answer, _) = verify(node, &jo.token(&server).await, &code).await;
        assert_eq!(answer.problem(), (401, "UNAUTHORIZED"));
    }
    // One step early or late is good, as long as it is a later one than the last.
    server.clock.advance(Duration::from_secs(60));
    let present = TotpStep::at(server.clock.now()).number();
    let code_of = |step: i64| jo.secret.code(TotpStep::from_number(step)).to_string();
    for (step, status) in [
        (present - 2, 401),
        (present + 2, 401),
        (present + 1, 200),
        (present, 401),
        (present - 1, 401),
    ] {
        let (answer, _) = verify(&server, &jo.token(&server).await, &code_of(step)).await;
        assert_eq!(answer.status, status, "{}", step - present);
    }
}

async fn s11_racing_uses_of_one_code_accept_one(server: TestServer) {
    let jo = Enrolled::new(&server).await;
    let code = jo.code(&server);
    let mut tokens = Vec::new();
    for _ in 0..9 {
        tokens.push(jo.token(&server).await);
    }
    let answers = join_all(tokens.iter().map(|token| verify(&server, token, &code))).await;
    let accepted = answers.iter().filter(|(answer, _)| answer.status == 200).count();
    assert_eq!(accepted, 1);
}

async fn s12_a_token_is_good_for_five_tries_and_five_minutes_and_once(server: TestServer) {
    let jo = Enrolled::new(&server).await;
    let token = jo.token(&server).await;
    for _ in 0..5 {
        let (answer, _) = verify(&server, &token, &jo.wrong_code(&server)).await;
        assert_eq!(answer.problem(), (401, "UNAUTHORIZED"));
    }
    assert_eq!(verify(&server, &token, &jo.code(&server)).await.0.status, 401);
    let token = jo.token(&server).await;
    server.clock.advance(Duration::from_secs(5 * 60));
    let (late, _) = verify(&server, &token, &jo.code(&server)).await;
    assert_eq!(late.problem(), (401, "TOKEN_EXPIRED"));
    let token = jo.token(&server).await;
    assert_eq!(verify(&server, &token, &jo.code(&server)).await.0.status, 200);
    server.clock.advance(Duration::from_secs(30));
    assert_eq!(
        verify(&server, &token, &jo.code(&server)).await.0.problem(),
        (401, "UNAUTHORIZED")
    );
    for nonsense in ["", "x", "tt_2fa_x", &token.replace("tt_2fa_", "tt_ses_")] {
        assert_eq!(
            verify(&server, nonsense, "123456").await.0.problem(),
            (401, "UNAUTHORIZED")
        );
    }
}

async fn s12_parallel_codes_evaluate_at_most_five(server: TestServer) {
    let jo = Enrolled::new(&server).await;
    let (token, wrong) = (jo.token(&server).await, jo.wrong_code(&server));
    let answers = join_all((0..200).map(|_| verify(&server, &token, &wrong))).await;
    let count = |status: u16| {
        answers
            .iter()
            .filter(|(answer, _)| answer.status == status)
            .count()
    };
    // Ten come past the account's budget, and of these the token's tries let five be looked at.
    assert_eq!((count(401), count(429)), (10, 190));
    server.clock.advance(Duration::from_secs(15 * 60));
    assert_eq!(verify(&server, &token, &jo.code(&server)).await.0.status, 401);
}

async fn s13_the_secret_is_sealed_in_the_database(server: TestServer) {
    let jo = Enrolled::new(&server).await;
    let dump = server.dump().await;
    assert!(dump.contains("x1.e1."));
    assert!(!dump.contains(jo.secret.reveal().as_str()));
    for code in &jo.recovery_codes {
        assert!(!dump.contains(code.as_str()));
    }
}

async fn s14_a_recovery_code_opens_once(server: TestServer) {
    let jo = Enrolled::new(&server).await;
    let code = jo.recovery_codes[0].to_lowercase().replace('-', " ");
    assert_eq!(
        verify(&server, &jo.token(&server).await, &code).await.0.status,
        200
    );
    let (again, _) = verify(&server, &jo.token(&server).await, &jo.recovery_codes[0]).await;
    assert_eq!(again.problem(), (401, "UNAUTHORIZED"));
    assert_eq!(
        verify(&server, &jo.token(&server).await, &jo.recovery_codes[1])
            .await
            .0
            .status,
        200
    );
}

async fn s14_racing_uses_of_one_recovery_code_accept_one(server: TestServer) {
    let jo = Enrolled::new(&server).await;
    let mut tokens = Vec::new();
    for _ in 0..9 {
        tokens.push(jo.token(&server).await);
    }
    let answers = join_all(
        tokens
            .iter()
            .map(|token| verify(&server, token, &jo.recovery_codes[0])),
    )
    .await;
    assert_eq!(
        answers.iter().filter(|(answer, _)| answer.status == 200).count(),
        1
    );
}

async fn s15_factors_are_changed_with_a_fresh_proof_only(server: TestServer) {
    let mut jo = Enrolled::new(&server).await;
    let browser = &mut jo.browser.clone();
    let conflict = browser.post(&server, "/api/auth/2fa/totp", &Value::Null).await;
    assert_eq!(conflict.problem(), (409, "CONFLICT"));
    server.clock.advance(Duration::from_secs(10 * 60));
    for (method, path) in [
        (Method::POST, "/api/auth/2fa/totp"),
        (Method::DELETE, "/api/auth/2fa/totp"),
        (Method::POST, "/api/auth/2fa/recovery-codes"),
    ] {
        let answer = browser.send(server.request(method, path)).await;
        assert_eq!(answer.problem(), (403, "STEP_UP_REQUIRED"), "{path}");
    }
    // Everything that the account has is asked for.
    for (proof, status, pointer) in [
        (json!({}), 400, Some("/password")),
        (json!({"password": PASSWORD}), 400, Some("/code")),
        (json!({"code": jo.code(&server)}), 400, Some("/password")),
        (json!({"password": "wrong", "code": jo.code(&server)}), 401, None),
        (
            json!({"password": PASSWORD, "code": jo.wrong_code(&server)}),
            401,
            None,
        ),
    ] {
        let answer = browser.post(&server, "/api/auth/step-up", &proof).await;
        assert_eq!(answer.status, status, "{proof}");
        if let Some(pointer) = pointer {
            assert!(answer.pointers().contains(&pointer), "{answer:?}");
        }
    }
    let before = browser.session.clone();
    let proof = json!({"password": PASSWORD, "code": jo.code(&server)});
    assert_eq!(
        browser.post(&server, "/api/auth/step-up", &proof).await.status,
        204
    );
    assert_ne!(browser.session, before);
    assert_eq!(
        jo.browser.me(&server).await,
        401,
        "the old token counts no longer"
    );
    let renewed = browser
        .post(&server, "/api/auth/2fa/recovery-codes", &Value::Null)
        .await;
    assert_eq!(renewed.body["recoveryCodes"].as_array().unwrap().len(), 10);
    let (old, _) = verify(&server, &jo.token(&server).await, &jo.recovery_codes[0]).await;
    assert_eq!(old.status, 401);
    assert_eq!(browser.delete(&server, "/api/auth/2fa/totp").await.status, 204);
    assert_eq!(
        browser.delete(&server, "/api/auth/2fa/totp").await.problem(),
        (404, "NOT_FOUND")
    );
    let none = browser
        .post(&server, "/api/auth/2fa/recovery-codes", &Value::Null)
        .await;
    assert_eq!(none.problem(), (409, "CONFLICT"));
    let mut browser = Browser::signed_in(&server, jo.user).await;
    assert_eq!(browser.me(&server).await, 200, "one step will do again");
}

async fn s7_wrong_codes_use_up_the_account_s_budget(server: TestServer) {
    let jo = Enrolled::new(&server).await;
    for _ in 0..2 {
        let token = jo.token(&server).await;
        for _ in 0..5 {
            verify(&server, &token, &jo.wrong_code(&server)).await;
        }
    }
    let email = server.email(jo.user).await;
    assert_eq!(
        Browser::default().login(&server, &email, PASSWORD).await.status,
        429
    );
    // A right password alone does not clear the account's budget.
    server.clock.advance(Duration::from_secs(15 * 60));
    let token = jo.token(&server).await;
    for _ in 0..5 {
        verify(&server, &token, &jo.wrong_code(&server)).await;
    }
    let token = jo.token(&server).await;
    for _ in 0..5 {
        verify(&server, &token, &jo.wrong_code(&server)).await;
    }
    assert_eq!(
        Browser::default().login(&server, &email, PASSWORD).await.status,
        429
    );
}

async fn s5_a_password_change_needs_the_old_one_and_ends_other_sessions(server: TestServer) {
    let home = server.workspace("Home").await;
    let jo = server.member(&home, Role::Member).await;
    let (mut own, mut other) = (
        Browser::signed_in(&server, jo).await,
        Browser::signed_in(&server, jo).await,
    );
    let new = "a long and uncommon sentence";
    let mut change = async |current: &str| {
        let body = json!({"currentPassword": current, "newPassword": new});
        own.send(server.request(Method::PUT, "/api/auth/password").json(&body))
            .await
            .problem()
            .0
    };
    assert_eq!(change("wrong").await, 401);
    assert_eq!(other.me(&server).await, 200);
    assert_eq!(change(PASSWORD).await, 204);
    assert_eq!(own.me(&server).await, 200);
    assert_eq!(other.me(&server).await, 401);
    let email = server.email(jo).await;
    assert_eq!(
        Browser::default().login(&server, &email, PASSWORD).await.status,
        401
    );
    assert_eq!(Browser::default().login(&server, &email, new).await.status, 200);
}

async fn s1_s2_a_new_password_must_be_long_and_not_common(server: TestServer) {
    let jo = Enrolled::new(&server).await;
    let home = server.workspace("Other").await;
    let kim = server.member(&home, Role::Member).await;
    let mut without_factor = Browser::signed_in(&server, kim).await;
    let mut with_factor = jo.browser.clone();
    let email = server.email(kim).await;
    for (factor, new, status) in [
        (false, "fourteen chars", 400),
        (false, "passwordpassword", 400),
        (false, email.as_str(), 400),
        (false, "x".repeat(257).as_str(), 400),
        (true, "seven77", 400),
        (true, "password1", 400),
        (true, "qk7 zu2w", 204),
    ] {
        let browser = if factor {
            &mut with_factor
        } else {
            &mut without_factor
        };
        let body = json!({"currentPassword": PASSWORD, "newPassword": new});
        let answer = browser
            .send(server.request(Method::PUT, "/api/auth/password").json(&body))
            .await;
        assert_eq!(answer.status, status, "{new}: {answer:?}");
        if status == 400 {
            assert_eq!(answer.pointers(), ["/newPassword"]);
        }
    }
}

async fn s16_privilege_changes_renew_the_token(server: TestServer) {
    let home = server.workspace("Home").await;
    let jo = server.member(&home, Role::Member).await;
    let mut browser = Browser::signed_in(&server, jo).await;
    let mut old = browser.clone();
    let proof = json!({"password": PASSWORD});
    assert_eq!(
        browser.post(&server, "/api/auth/step-up", &proof).await.status,
        204
    );
    assert_eq!((browser.me(&server).await, old.me(&server).await), (200, 401));
    let sessions = browser.get(&server, "/api/auth/sessions").await;
    assert_eq!(sessions.body["items"].as_array().unwrap().len(), 1);
}

async fn s19_sessions_are_listed_and_ended(server: TestServer) {
    let home = server.workspace("Home").await;
    let (jo, kim) = (
        server.member(&home, Role::Member).await,
        server.member(&home, Role::Owner).await,
    );
    let mut browsers = Vec::new();
    for _ in 0..3 {
        browsers.push(Browser::signed_in(&server, jo).await);
    }
    let mut foreign = Browser::signed_in(&server, kim).await;
    let [own, second, third] = &mut browsers[..] else {
        panic!()
    };
    let list = own.get(&server, "/api/auth/sessions").await;
    let items = list.body["items"].as_array().unwrap();
    assert_eq!(items.len(), 3);
    let current: Vec<_> = items.iter().filter(|item| item["current"] == true).collect();
    assert_eq!(current.len(), 1);
    assert_eq!(current[0]["address"], "127.0.0.1");
    let me = second.get(&server, "/api/auth/me").await;
    let path = format!(
        "/api/auth/sessions/{}",
        me.body["session"]["id"].as_str().unwrap()
    );
    assert_eq!(foreign.delete(&server, &path).await.problem(), (404, "NOT_FOUND"));
    // At once, on every node.
    let node = server.second().await;
    assert_eq!(second.me(&node).await, 200);
    assert_eq!(own.delete(&server, &path).await.status, 204);
    assert_eq!((second.me(&server).await, second.me(&node).await), (401, 401));
    assert_eq!(own.delete(&server, &path).await.problem(), (404, "NOT_FOUND"));
    assert_eq!(
        own.delete(&server, "/api/auth/sessions/x").await.problem(),
        (404, "NOT_FOUND")
    );
    assert_eq!(own.delete(&server, "/api/auth/sessions").await.status, 204);
    assert_eq!((own.me(&server).await, third.me(&node).await), (200, 401));
    assert_eq!(foreign.me(&server).await, 200);
}

async fn an_app_that_is_not_confirmed_counts_for_nothing(server: TestServer) {
    let home = server.workspace("Home").await;
    let jo = server.member(&home, Role::Member).await;
    let mut browser = Browser::signed_in(&server, jo).await;
    let first = browser.post(&server, "/api/auth/2fa/totp", &Value::Null).await;
    let second = browser.post(&server, "/api/auth/2fa/totp", &Value::Null).await;
    assert_ne!(first.body["secret"], second.body["secret"]);
    // The first one has been replaced.
    let code = base32(first.body["secret"].as_str().unwrap())
        .code(TotpStep::at(server.clock.now()))
        .to_string();
    let refused = browser
        .post(&server, "/api/auth/2fa/totp/confirm", &json!({"code": code}))
        .await;
    assert_eq!(refused.problem(), (401, "UNAUTHORIZED"));
    assert_eq!(Browser::signed_in(&server, jo).await.me(&server).await, 200);
}

async fn s5_no_login_with_the_old_password_outlives_its_change(server: TestServer) {
    let home = server.workspace("Home").await;
    let jo = server.member(&home, Role::Member).await;
    let email = server.email(jo).await;
    let mut own = Browser::signed_in(&server, jo).await;
    let body = json!({"currentPassword": PASSWORD, "newPassword": "a long and uncommon sentence"});
    // From devices that are not known, so that each login is a new one; all are under way when the password changes.
    let logins = join_all((0..9).map(|_| async {
        let mut browser = Browser::default();
        browser.login(&server, &email, PASSWORD).await;
        browser
    }));
    let change = own.send(server.request(Method::PUT, "/api/auth/password").json(&body));
    let (browsers, changed) = futures_util::future::join(logins, change).await;
    assert_eq!(changed.status, 204);
    for mut browser in browsers {
        assert_eq!(browser.me(&server).await, 401);
    }
    assert_eq!(own.me(&server).await, 200);
}

async fn s7_strangers_cannot_keep_an_owner_from_a_fresh_proof(server: TestServer) {
    let home = server.workspace("Home").await;
    let jo = server.member(&home, Role::Member).await;
    let email = server.email(jo).await;
    let mut own = Browser::signed_in(&server, jo).await;
    for _ in 0..10 {
        Browser::default().login(&server, &email, "wrong").await;
    }
    let proof = json!({"password": PASSWORD});
    assert_eq!(own.post(&server, "/api/auth/step-up", &proof).await.status, 204);
    own.device = None;
    assert_eq!(own.post(&server, "/api/auth/step-up", &proof).await.status, 429);
}

async fn s19_a_login_that_waits_does_not_outlive_a_disabled_account(server: TestServer) {
    let jo = Enrolled::new(&server).await;
    let token = jo.token(&server).await;
    let accounts = server.storage.accounts();
    accounts
        .set_disabled(Act::of_operator(), jo.user, Some(server.clock.now()))
        .await
        .unwrap();
    accounts
        .set_disabled(Act::of_operator(), jo.user, None)
        .await
        .unwrap();
    let (late, _) = verify(&server, &token, &jo.code(&server)).await;
    assert_eq!(late.problem(), (401, "UNAUTHORIZED"));
    let (answer, _) = verify(&server, &jo.token(&server).await, &jo.code(&server)).await;
    assert_eq!(answer.status, 200);
}

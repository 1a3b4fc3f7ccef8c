//! Passkeys as proofs: alone, as a second step, as a fresh proof. `security.md` 6, 7, 11, 12, 15.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use tigertrust_testkit::{Answer, Authenticator, PASSWORD, TestServer, on_both_engines, send};

use crate::{
    factors::{Enrolled, verify},
    passkeys::Keyed,
    people::Browser,
};

on_both_engines!(
    a_passkey_alone_signs_in_with_both_factors,
    s6_whatever_is_wrong_with_a_passkey_is_refused_the_same,
    s6_the_start_of_a_login_tells_nothing_about_anybody,
    s11_an_assertion_is_accepted_once,
    s11_racing_uses_of_one_challenge_accept_one,
    s12_a_challenge_is_good_for_five_minutes,
    s11_a_counter_that_goes_back_is_refused,
    a_passkey_that_does_not_count_signs_in_again_and_again,
    a_removed_passkey_is_refused,
    a_disabled_account_is_refused,
    s7_failures_use_up_the_network_s_budget_and_lock_no_account,
    s7_logins_that_begin_are_limited,
    s12_a_passkey_is_the_second_step,
    s12_the_second_step_takes_the_account_s_own_passkeys_alone,
    s12_wrong_answers_use_up_the_token,
    s15_a_passkey_alone_is_a_fresh_proof,
);

/// Asks for the options of a login.
async fn start(server: &TestServer, token: Option<&str>) -> Value {
    let body = token.map_or(json!({}), |token| json!({"token": token}));
    let request = server.request(Method::POST, "/api/auth/passkeys/login/start");
    let started = send(request.json(&body)).await;
    assert_eq!(started.status, 200, "{started:?}");
    started.body["publicKey"].clone()
}

async fn finish(server: &TestServer, credential: &Value, token: Option<&str>) -> (Answer, Browser) {
    let mut body = json!({"credential": credential});
    if let Some(token) = token {
        body["token"] = json!(token);
    }
    let mut browser = Browser::default();
    let answer = browser
        .post(server, "/api/auth/passkeys/login/finish", &body)
        .await;
    (answer, browser)
}

async fn login(server: &TestServer, authenticator: &mut Authenticator) -> Answer {
    let options = start(server, None).await;
    finish(server, &authenticator.get(&options), None).await.0
}

async fn token(server: &TestServer, user: tigertrust_model::UserId) -> String {
    let email = server.email(user).await;
    let first = Browser::default().login(server, &email, PASSWORD).await;
    first.body["token"].as_str().unwrap().to_owned()
}

async fn a_passkey_alone_signs_in_with_both_factors(server: TestServer) {
    let mut jo = Keyed::new(&server).await;
    // What one node has begun another may end.
    let second = server.second().await;
    let options = start(&second, None).await;
    let (answer, mut browser) = finish(&server, &jo.authenticator.get(&options), None).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.body["user"]["id"], jo.user.to_string());
    let me = browser.get(&server, "/api/auth/me").await;
    assert_eq!(me.body["session"]["secondFactor"], true);
    assert!(browser.device.is_some());
    let listed = browser.get(&server, "/api/auth/passkeys").await;
    assert_eq!(listed.body["items"][0]["lastUsedAt"], "2027-01-15T08:00:00Z");
    // It is a fresh proof, too.
    let path = format!("/api/auth/passkeys/{}", jo.passkey);
    assert_eq!(browser.delete(&server, &path).await.status, 204);
}

async fn s6_whatever_is_wrong_with_a_passkey_is_refused_the_same(server: TestServer) {
    let jo = Keyed::new(&server).await;
    let other = Keyed::new(&server).await;
    let fresh = jo.authenticator.clone();
    let mut refusals = Vec::new();
    for mut wrong in [
        Authenticator {
            origin: "https://evil.example".to_owned(),
            ..fresh.clone()
        },
        Authenticator {
            origin: "http://localhost.evil.example".to_owned(),
            ..fresh.clone()
        },
        Authenticator {
            rp_id: Some("evil.example".to_owned()),
            ..fresh.clone()
        },
        Authenticator {
            verifies: false,
            ..fresh.clone()
        },
    ] {
        refusals.push(login(&server, &mut wrong).await);
    }
    // Another passkey's signature, and that of a credential that nobody has.
    let options = start(&server, None).await;
    let (mut own, theirs) = (
        fresh.clone().get(&options),
        other.authenticator.clone().get(&options),
    );
    own["response"]["signature"] = theirs["response"]["signature"].clone();
    refusals.push(finish(&server, &own, None).await.0);
    let options = start(&server, None).await;
    let mut unknown = fresh.clone().get(&options);
    unknown["id"] = json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    unknown["rawId"] = unknown["id"].clone();
    refusals.push(finish(&server, &unknown, None).await.0);
    // One's own passkey for somebody else's account.
    let options = start(&server, None).await;
    let mut borrowed = fresh.clone().get(&options);
    borrowed["response"]["userHandle"] = theirs["response"]["userHandle"].clone();
    refusals.push(finish(&server, &borrowed, None).await.0);
    // A challenge of one's own making.
    let invented = json!({"rpId": "localhost", "challenge": "AAAAAAAAAAAAAAAAAAAAAA"});
    refusals.push(finish(&server, &fresh.clone().get(&invented), None).await.0);
    let detail = refusals[0].body["detail"].clone();
    for (index, refusal) in refusals.iter().enumerate() {
        assert_eq!(refusal.problem(), (401, "UNAUTHORIZED"), "{index}");
        assert_eq!(refusal.body["detail"], detail, "{index}");
        assert!(!refusal.headers.contains_key("set-cookie"), "{index}");
    }
    for nonsense in [
        json!(null),
        json!("x"),
        json!([]),
        json!({}),
        json!({"id": "AAAA"}),
    ] {
        let (refused, _) = finish(&server, &nonsense, None).await;
        assert_eq!(refused.pointers(), ["/credential"], "{nonsense}");
    }
    assert_eq!(login(&server, &mut fresh.clone()).await.status, 200);
}

async fn s6_the_start_of_a_login_tells_nothing_about_anybody(server: TestServer) {
    let mut before = start(&server, None).await;
    Keyed::new(&server).await;
    let mut after = start(&server, None).await;
    assert_ne!(before["challenge"], after["challenge"]);
    for options in [&mut before, &mut after] {
        options["challenge"] = Value::Null;
    }
    assert_eq!(before, after);
    assert_eq!(before["userVerification"], "required");
    assert_eq!(before["allowCredentials"], json!([]));
    let body = json!({"email": "jo@example.com"});
    let request = server.request(Method::POST, "/api/auth/passkeys/login/start");
    assert_eq!(
        send(request.json(&body)).await.problem(),
        (400, "VALIDATION_ERROR")
    );
}

async fn s11_an_assertion_is_accepted_once(server: TestServer) {
    let mut jo = Keyed::new(&server).await;
    let options = start(&server, None).await;
    let credential = jo.authenticator.get(&options);
    assert_eq!(finish(&server, &credential, None).await.0.status, 200);
    let (replayed, _) = finish(&server, &credential, None).await;
    assert_eq!(replayed.problem(), (401, "UNAUTHORIZED"));
    // Nor does a new signature help an old challenge, nor one that was answered wrongly.
    let (replayed, _) = finish(&server, &jo.authenticator.get(&options), None).await;
    assert_eq!(replayed.problem(), (401, "UNAUTHORIZED"));
    let options = start(&server, None).await;
    let mut wrong = jo.authenticator.get(&options);
    wrong["response"]["signature"] = credential["response"]["signature"].clone();
    assert_eq!(finish(&server, &wrong, None).await.0.status, 401);
    let (spent, _) = finish(&server, &jo.authenticator.get(&options), None).await;
    assert_eq!(spent.problem(), (401, "UNAUTHORIZED"));
}

async fn s11_racing_uses_of_one_challenge_accept_one(server: TestServer) {
    let mut jo = Keyed::new(&server).await;
    // Without a counter, so that it is the challenge alone that lets one pass.
    jo.authenticator.step = 0;
    jo.authenticator.credentials[0].counter = 1;
    let mut synced = Authenticator {
        step: 0,
        ..Authenticator::default()
    };
    let started = jo
        .browser
        .post(&server, "/api/auth/passkeys/register/start", &Value::Null)
        .await;
    let body = json!({"credential": synced.create(&started.body["publicKey"])});
    let added = jo
        .browser
        .post(&server, "/api/auth/passkeys/register/finish", &body)
        .await;
    assert_eq!(added.status, 200, "{added:?}");
    assert_eq!(added.body["passkey"]["name"], "Passkey");
    let second = server.second().await;
    let options = start(&server, None).await;
    let credential = synced.get(&options);
    let nodes = [&server, &second];
    let answers = join_all((0..20).map(|index| finish(nodes[index % 2], &credential, None))).await;
    let accepted = answers.iter().filter(|(answer, _)| answer.status == 200).count();
    assert_eq!(accepted, 1);
}

async fn s12_a_challenge_is_good_for_five_minutes(server: TestServer) {
    let mut jo = Keyed::new(&server).await;
    let options = start(&server, None).await;
    server
        .clock
        .advance(Duration::from_secs(5 * 60) - Duration::from_micros(1));
    let (in_time, _) = finish(&server, &jo.authenticator.get(&options), None).await;
    assert_eq!(in_time.status, 200);
    let options = start(&server, None).await;
    server.clock.advance(Duration::from_secs(5 * 60));
    let (late, _) = finish(&server, &jo.authenticator.get(&options), None).await;
    assert_eq!(late.problem(), (401, "TOKEN_EXPIRED"));
    // What nobody answered is removed.
    start(&server, None).await;
    server.clock.advance(Duration::from_secs(5 * 60));
    let now = tigertrust_model::Clock::now(&*server.clock);
    server.storage.prune_sign_ins(now, 100).await.unwrap();
    assert!(!server.dump().await.contains("passkey_challenges.state"));
}

async fn s11_a_counter_that_goes_back_is_refused(server: TestServer) {
    let mut jo = Keyed::new(&server).await;
    let mut copy = jo.authenticator.clone();
    assert_eq!(login(&server, &mut jo.authenticator).await.status, 200);
    assert_eq!(login(&server, &mut jo.authenticator).await.status, 200);
    // The copy has signed less often, then as often.
    for _ in 0..2 {
        assert_eq!(login(&server, &mut copy).await.problem(), (401, "UNAUTHORIZED"));
    }
    copy.credentials[0].counter = 0;
    copy.step = 0;
    assert_eq!(login(&server, &mut copy).await.problem(), (401, "UNAUTHORIZED"));
    assert_eq!(login(&server, &mut jo.authenticator).await.status, 200);
}

async fn a_passkey_that_does_not_count_signs_in_again_and_again(server: TestServer) {
    let mut jo = Keyed::new(&server).await;
    let mut synced = Authenticator {
        step: 0,
        ..Authenticator::default()
    };
    let started = jo
        .browser
        .post(&server, "/api/auth/passkeys/register/start", &Value::Null)
        .await;
    let body = json!({"credential": synced.create(&started.body["publicKey"]), "name": "Phone"});
    let path = "/api/auth/passkeys/register/finish";
    assert_eq!(jo.browser.post(&server, path, &body).await.status, 200);
    for _ in 0..3 {
        assert_eq!(login(&server, &mut synced).await.status, 200);
    }
}

async fn a_removed_passkey_is_refused(server: TestServer) {
    let mut jo = Keyed::new(&server).await;
    let options = start(&server, None).await;
    let credential = jo.authenticator.get(&options);
    let path = format!("/api/auth/passkeys/{}", jo.passkey);
    assert_eq!(jo.browser.delete(&server, &path).await.status, 204);
    let (refused, _) = finish(&server, &credential, None).await;
    assert_eq!(refused.problem(), (401, "UNAUTHORIZED"));
}

async fn a_disabled_account_is_refused(server: TestServer) {
    let mut jo = Keyed::new(&server).await;
    server.users.set_disabled(jo.user, true).await.unwrap();
    let refused = login(&server, &mut jo.authenticator).await;
    assert_eq!(refused.problem(), (401, "UNAUTHORIZED"));
    server.users.set_disabled(jo.user, false).await.unwrap();
    assert_eq!(login(&server, &mut jo.authenticator).await.status, 200);
}

async fn s7_failures_use_up_the_network_s_budget_and_lock_no_account(server: TestServer) {
    let mut jo = Keyed::new(&server).await;
    let invented = json!({"rpId": "localhost", "challenge": "AAAAAAAAAAAAAAAAAAAAAA"});
    let wrong = jo.authenticator.get(&invented);
    let answers = join_all((0..80).map(|_| finish(&server, &wrong, None))).await;
    let count = |status: u16| {
        let of = answers.iter().filter(|(answer, _)| answer.status == status);
        of.count()
    };
    assert_eq!((count(401), count(429)), (60, 20));
    let options = start(&server, None).await;
    let credential = jo.authenticator.get(&options);
    let (refused, _) = finish(&server, &credential, None).await;
    assert_eq!(refused.problem(), (429, "RATE_LIMITED"));
    // A device that its owner signed in on has a budget of its own, and elsewhere nobody is locked out.
    let body = json!({"credential": credential});
    let path = "/api/auth/passkeys/login/finish";
    assert_eq!(jo.browser.post(&server, path, &body).await.status, 200);
    let options = start(&server, None).await;
    let body = json!({"credential": jo.authenticator.get(&options)});
    let request = server.request(Method::POST, path).json(&body);
    let elsewhere = send(request.header("X-Forwarded-For", "198.51.100.7")).await;
    assert_eq!(elsewhere.status, 200, "{elsewhere:?}");
}

async fn s7_logins_that_begin_are_limited(server: TestServer) {
    let begin = |address: &'static str| {
        let request = server.request(Method::POST, "/api/auth/passkeys/login/start");
        send(request.header("X-Forwarded-For", address).json(&json!({})))
    };
    for _ in 0..30 {
        let answers = join_all((0..20).map(|_| begin("198.51.100.7"))).await;
        assert!(answers.iter().all(|answer| answer.status == 200));
    }
    let refused = begin("198.51.100.7").await;
    assert_eq!(refused.problem(), (429, "RATE_LIMITED"));
    assert_eq!(begin("198.51.100.8").await.status, 200);
    server.clock.advance(Duration::from_secs(15 * 60));
    assert_eq!(begin("198.51.100.7").await.status, 200);
}

async fn s12_a_passkey_is_the_second_step(server: TestServer) {
    let mut jo = Keyed::new(&server).await;
    let email = server.email(jo.user).await;
    let first = Browser::default().login(&server, &email, PASSWORD).await;
    assert_eq!(first.body["methods"], json!(["recoveryCode", "passkey"]));
    let token = first.body["token"].as_str().unwrap();
    let options = start(&server, Some(token)).await;
    let allowed = options["allowCredentials"].as_array().unwrap();
    assert_eq!(allowed.len(), 1);
    // The password was the first factor: without a PIN it is still the second.
    jo.authenticator.verifies = false;
    let mut credential = jo.authenticator.get(&options);
    assert_eq!(allowed[0]["id"], credential["id"]);
    // Not every authenticator names the account when it was named by us.
    credential["response"]["userHandle"] = Value::Null;
    let (answer, mut browser) = finish(&server, &credential, Some(token)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let me = browser.get(&server, "/api/auth/me").await;
    assert_eq!(me.body["session"]["secondFactor"], true);
    // The token is spent.
    let request = server.request(Method::POST, "/api/auth/passkeys/login/start");
    let spent = send(request.json(&json!({"token": token}))).await;
    assert_eq!(spent.problem(), (401, "UNAUTHORIZED"));
    let (spent, _) = verify(&server, token, &jo.recovery_codes[0]).await;
    assert_eq!(spent.problem(), (401, "UNAUTHORIZED"));
}

async fn s12_the_second_step_takes_the_account_s_own_passkeys_alone(server: TestServer) {
    let jo = Keyed::new(&server).await;
    let mut other = Keyed::new(&server).await;
    let own = token(&server, jo.user).await;
    // Somebody else's passkey, for a challenge of this login and for one of their own.
    let options = start(&server, Some(&own)).await;
    let (refused, _) = finish(&server, &other.authenticator.get(&options), Some(&own)).await;
    assert_eq!(refused.problem(), (401, "UNAUTHORIZED"));
    let theirs = token(&server, other.user).await;
    let options = start(&server, Some(&theirs)).await;
    let (refused, _) = finish(&server, &jo.authenticator.clone().get(&options), Some(&own)).await;
    assert_eq!(
        refused.problem(),
        (401, "UNAUTHORIZED"),
        "the challenge is another login's"
    );
    // Challenges of one kind are none of another.
    let options = start(&server, None).await;
    let (refused, _) = finish(&server, &jo.authenticator.clone().get(&options), Some(&own)).await;
    assert_eq!(refused.problem(), (401, "UNAUTHORIZED"));
    let options = start(&server, Some(&own)).await;
    let (refused, _) = finish(&server, &jo.authenticator.clone().get(&options), None).await;
    assert_eq!(refused.problem(), (401, "UNAUTHORIZED"));
    // Who has an app and no passkey is not asked for one.
    let enrolled = Enrolled::new(&server).await;
    let token = enrolled.token(&server).await;
    let request = server.request(Method::POST, "/api/auth/passkeys/login/start");
    let refused = send(request.json(&json!({"token": token}))).await;
    assert_eq!(refused.problem(), (401, "UNAUTHORIZED"));
    server.clock.advance(Duration::from_secs(5 * 60));
    let request = server.request(Method::POST, "/api/auth/passkeys/login/start");
    let late = send(request.json(&json!({"token": own}))).await;
    assert_eq!(late.problem(), (401, "TOKEN_EXPIRED"));
}

async fn s12_wrong_answers_use_up_the_token(server: TestServer) {
    let mut jo = Keyed::new(&server).await;
    let mut wrong = Authenticator {
        origin: "https://evil.example".to_owned(),
        ..jo.authenticator.clone()
    };
    let token = token(&server, jo.user).await;
    for _ in 0..5 {
        let options = start(&server, Some(&token)).await;
        let (refused, _) = finish(&server, &wrong.get(&options), Some(&token)).await;
        assert_eq!(refused.problem(), (401, "UNAUTHORIZED"));
    }
    let options = start(&server, Some(&token)).await;
    let (refused, _) = finish(&server, &jo.authenticator.get(&options), Some(&token)).await;
    assert_eq!(refused.problem(), (401, "UNAUTHORIZED"));
}

async fn s15_a_passkey_alone_is_a_fresh_proof(server: TestServer) {
    let mut jo = Keyed::new(&server).await;
    let mut other = Keyed::new(&server).await;
    server.clock.advance(Duration::from_secs(10 * 60));
    let add = "/api/auth/passkeys/register/start";
    let stale = jo.browser.post(&server, add, &Value::Null).await;
    assert_eq!(stale.problem(), (403, "STEP_UP_REQUIRED"));
    let mut unverified = Authenticator {
        verifies: false,
        ..jo.authenticator.clone()
    };
    for wrong in [&mut unverified, &mut other.authenticator] {
        let options = start(&server, None).await;
        let proof = json!({"passkey": wrong.get(&options)});
        let refused = jo.browser.post(&server, "/api/auth/step-up", &proof).await;
        assert_eq!(refused.problem(), (401, "UNAUTHORIZED"));
    }
    let nonsense = json!({"passkey": {}});
    let refused = jo.browser.post(&server, "/api/auth/step-up", &nonsense).await;
    assert_eq!(refused.pointers(), ["/passkey"]);
    let mut before = jo.browser.clone();
    let options = start(&server, None).await;
    let proof = json!({"passkey": jo.authenticator.get(&options)});
    let fresh = jo.browser.post(&server, "/api/auth/step-up", &proof).await;
    assert_eq!(fresh.status, 204, "{fresh:?}");
    assert_eq!(before.me(&server).await, 401, "the old token counts no longer");
    assert_eq!(jo.browser.post(&server, add, &Value::Null).await.status, 200);
    let replayed = jo.browser.post(&server, "/api/auth/step-up", &proof).await;
    assert_eq!(replayed.problem(), (401, "UNAUTHORIZED"));
}

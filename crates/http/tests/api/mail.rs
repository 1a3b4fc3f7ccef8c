//! Links in mails: a forgotten password, a proved address, another address. `security.md` 1, 6, 7, 9, 15, 16.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tigertrust_credentials::{OsRandom, Token, TokenKind};
use tigertrust_model::{Act, Clock as _, Role, UserId};
use tigertrust_testkit::{Answer, PASSWORD, TestServer, on_both_engines, send};

use crate::{factors::Enrolled, people::Browser};

on_both_engines!(
    a_forgotten_password_is_set_by_a_link,
    s6_whether_an_account_exists_is_not_told_to_who_forgot,
    s7_links_are_throttled_without_a_word_and_keep_nobody_from_signing_in,
    s7_guesses_of_links_are_counted_for_the_network,
    s9_links_begin_with_the_configured_address,
    s1_a_new_password_is_judged_and_the_link_stays_good,
    a_reset_leaves_the_second_factor_in_force,
    a_link_is_good_for_thirty_minutes,
    a_link_ends_with_what_takes_its_place,
    s16_the_database_holds_no_token_of_a_link,
    s15_another_address_needs_a_fresh_proof_and_its_link,
    s6_who_changes_the_address_does_not_learn_whose_it_is,
    the_present_address_is_proved_by_asking_for_it,
    s16_a_link_to_another_address_dies_with_the_session_that_asked_for_it,
    of_two_who_prove_one_address_at_once_one_has_it,
    the_present_password_is_no_new_one,
    s7_a_changed_password_forgets_all_devices_but_this_one,
    s19_a_link_does_not_outlive_a_disabled_account,
);

const NEW: &str = "a long and uncommon sentence";
const HALF_AN_HOUR: Duration = Duration::from_secs(30 * 60);

async fn post(server: &TestServer, path: &str, body: &Value) -> Answer {
    send(server.request(Method::POST, path).json(body)).await
}

async fn forgot(server: &TestServer, email: &str) -> Answer {
    post(server, "/api/auth/password/forgot", &json!({"email": email})).await
}

async fn reset(server: &TestServer, token: &str, password: &str) -> Answer {
    let body = json!({"token": token, "newPassword": password});
    post(server, "/api/auth/password/reset", &body).await
}

async fn verify_email(server: &TestServer, token: &str) -> Answer {
    post(server, "/api/auth/email/verify", &json!({"token": token})).await
}

/// Somebody with an account, its address, and a browser in which the person is signed in.
async fn person(server: &TestServer) -> (UserId, String, Browser) {
    let home = server.workspace("Home").await;
    let jo = server.member(&home, Role::Member).await;
    let browser = Browser::signed_in(server, jo).await;
    (jo, server.email(jo).await, browser)
}

/// The token of a link to set a new password.
async fn reset_link(server: &TestServer, email: &str) -> String {
    let _ = server.mails.take(email);
    assert_eq!(forgot(server, email).await.status, 202);
    server.mails.token(email)
}

async fn a_forgotten_password_is_set_by_a_link(server: TestServer) {
    let (_, email, mut browser) = person(&server).await;
    let answer = forgot(&server, &format!(" {}", email.to_uppercase())).await;
    assert_eq!((answer.status.as_u16(), &answer.body), (202, &Value::Null));
    let mail = server.mails.only(&email);
    assert_eq!(mail.subject(), "Set a new password for TigerTrust");
    assert!(
        mail.reveal_text().contains("within 30 minutes"),
        "{}",
        mail.reveal_text()
    );
    let token = reset_link(&server, &email).await;
    let answer = reset(&server, &token, NEW).await;
    assert_eq!((answer.status.as_u16(), &answer.body), (204, &Value::Null));
    assert!(
        !answer.headers.contains_key("set-cookie"),
        "nobody is signed in by it"
    );
    assert_eq!(
        server.mails.only(&email).subject(),
        "Your TigerTrust password was changed"
    );
    assert_eq!(browser.me(&server).await, 401);
    assert_eq!(browser.login(&server, &email, PASSWORD).await.status, 401);
    let signed_in = browser.login(&server, &email, NEW).await;
    assert_eq!(signed_in.status, 200);
    assert_eq!(
        signed_in.body["user"]["emailVerified"], true,
        "the link proved it"
    );
    let again = reset(&server, &token, "another long and uncommon sentence").await;
    assert_eq!(again.problem(), (401, "UNAUTHORIZED"));
    assert_eq!(browser.me(&server).await, 200);
}

async fn s6_whether_an_account_exists_is_not_told_to_who_forgot(server: TestServer) {
    let home = server.workspace("Home").await;
    let (jo, kim) = (
        server.member(&home, Role::Member).await,
        server.member(&home, Role::Member).await,
    );
    let now = server.clock.now();
    server
        .storage
        .accounts()
        .set_disabled(Act::of_operator(), kim, Some(now))
        .await
        .unwrap();
    let mut answers = Vec::new();
    let known = server.email(jo).await;
    let disabled = server.email(kim).await;
    for email in [known.as_str(), &disabled, "nobody@example.com", "no address", ""] {
        let mut answer = forgot(&server, email).await;
        answer.headers.remove("x-request-id");
        answer.headers.remove("date");
        answers.push((answer.status, answer.headers, answer.body));
        assert_eq!(
            server.mails.take(email).len(),
            usize::from(email == known),
            "{email}"
        );
    }
    assert_eq!(answers[0].0, 202);
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(
        post(&server, "/api/auth/password/forgot", &json!({}))
            .await
            .problem(),
        (400, "VALIDATION_ERROR")
    );
}

async fn s7_links_are_throttled_without_a_word_and_keep_nobody_from_signing_in(server: TestServer) {
    let (_, email, mut browser) = person(&server).await;
    for round in 0..12 {
        let spelling = if round % 2 == 0 {
            email.to_uppercase()
        } else {
            email.clone()
        };
        assert_eq!(forgot(&server, &spelling).await.status, 202);
    }
    assert_eq!(server.mails.take(&email).len(), 3);
    assert_eq!(browser.login(&server, &email, PASSWORD).await.status, 200);
    server.clock.advance(Duration::from_secs(15 * 60));
    reset_link(&server, &email).await;
    // A network is throttled too, over all addresses.
    let home = server.workspace("Other").await;
    let from = async |network: &str, email: &str| {
        let request = server.request(Method::POST, "/api/auth/password/forgot");
        let request = request.header("X-Forwarded-For", network);
        assert_eq!(send(request.json(&json!({"email": email}))).await.status, 202);
    };
    for number in 0..30 {
        from("192.0.2.7", &format!("nobody{number}@example.com")).await;
    }
    let kim = server.member(&home, Role::Member).await;
    let kim = server.email(kim).await;
    from("192.0.2.7", &kim).await;
    assert_eq!(server.mails.take(&kim).len(), 0);
    from("192.0.2.8", &kim).await;
    assert_eq!(server.mails.take(&kim).len(), 1);
}

async fn s7_guesses_of_links_are_counted_for_the_network(server: TestServer) {
    let (_, email, _) = person(&server).await;
    let good = reset_link(&server, &email).await;
    let attempt = async |from: &str, path: &str, token: &str| {
        let body = match path {
            "/api/auth/email/verify" => json!({"token": token}),
            _ => json!({"token": token, "newPassword": NEW}),
        };
        let request = server.request(Method::POST, path).json(&body);
        send(request.header("X-Forwarded-For", from))
            .await
            .status
            .as_u16()
    };
    let reset = "/api/auth/password/reset";
    for number in 0..60 {
        let (path, kind) = if number % 2 == 0 {
            (reset, TokenKind::PasswordReset)
        } else {
            ("/api/auth/email/verify", TokenKind::EmailVerification)
        };
        let guess = Token::generate(kind, &OsRandom).unwrap();
        let from = format!("2001:db8:1:2::{number:x}");
        assert_eq!(attempt(&from, path, guess.reveal()).await, 401, "{number}");
    }
    assert_eq!(attempt("2001:db8:1:2:ffff::1", reset, &good).await, 429);
    assert_eq!(attempt("2001:db8:1:3::1", reset, &good).await, 204);
}

/// CVE-2025-64101.
async fn s9_links_begin_with_the_configured_address(server: TestServer) {
    let (_, email, _) = person(&server).await;
    let request = server
        .request(Method::POST, "/api/auth/password/forgot")
        .header("Host", "evil.example")
        .header("X-Forwarded-Host", "evil.example")
        .header("Forwarded", "host=evil.example")
        .header("Origin", "https://evil.example");
    assert_eq!(send(request.json(&json!({"email": email}))).await.status, 202);
    let mail = server.mails.only(&email);
    let text = mail.reveal_text();
    assert!(
        text.contains("\nhttps://auth.example.com/password/reset#token=tt_pwr_"),
        "{text}"
    );
    assert!(!text.contains("evil"), "{text}");
}

async fn s1_a_new_password_is_judged_and_the_link_stays_good(server: TestServer) {
    let (_, email, _) = person(&server).await;
    let token = reset_link(&server, &email).await;
    for password in ["fourteen chars", "passwordpassword", &email] {
        let refused = reset(&server, &token, password).await;
        assert_eq!(refused.problem(), (400, "VALIDATION_ERROR"), "{password}");
        assert_eq!(refused.pointers(), ["/newPassword"]);
    }
    assert_eq!(reset(&server, &token, NEW).await.status, 204);
}

async fn a_reset_leaves_the_second_factor_in_force(server: TestServer) {
    let mut jo = Enrolled::new(&server).await;
    let email = server.email(jo.user).await;
    let _ = server.mails.take(&email);
    let token = reset_link(&server, &email).await;
    let short = "tr0ub4do";
    assert_eq!(
        reset(&server, &token, short).await.status,
        204,
        "8 characters are enough beside it"
    );
    assert_eq!(jo.browser.me(&server).await, 401);
    let first = jo.browser.login(&server, &email, short).await;
    assert_eq!(first.body["requires2FA"], true);
    let body = json!({"token": first.body["token"], "code": jo.code(&server)});
    let second = jo.browser.post(&server, "/api/auth/verify-2fa", &body).await;
    assert_eq!(second.status, 200);
}

async fn a_link_is_good_for_thirty_minutes(server: TestServer) {
    let (_, email, _) = person(&server).await;
    let token = reset_link(&server, &email).await;
    server.clock.advance(HALF_AN_HOUR - Duration::from_secs(1));
    assert_eq!(
        reset(&server, &token, "short").await.problem(),
        (400, "VALIDATION_ERROR")
    );
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(
        reset(&server, &token, NEW).await.problem(),
        (401, "TOKEN_EXPIRED")
    );
    server
        .storage
        .prune_sign_ins(server.clock.now(), 100)
        .await
        .unwrap();
    assert_eq!(reset(&server, &token, NEW).await.problem(), (401, "UNAUTHORIZED"));
    for other in ["", "tt_pwr_0", "x", &token.replace("tt_pwr_", "tt_eml_")] {
        assert_eq!(
            reset(&server, other, NEW).await.problem(),
            (401, "UNAUTHORIZED"),
            "{other}"
        );
    }
}

async fn a_link_ends_with_what_takes_its_place(server: TestServer) {
    let (_, email, mut browser) = person(&server).await;
    // Another reset.
    let tokens = [
        reset_link(&server, &email).await,
        reset_link(&server, &email).await,
    ];
    assert_eq!(reset(&server, &tokens[1], NEW).await.status, 204);
    assert_eq!(
        reset(&server, &tokens[0], PASSWORD).await.problem(),
        (401, "UNAUTHORIZED")
    );
    // A password change, also that of an address which somebody asked for before.
    server.clock.advance(HALF_AN_HOUR);
    assert_eq!(browser.login(&server, &email, NEW).await.status, 200);
    let forgotten = reset_link(&server, &email).await;
    let body = json!({"newEmail": "jo.new@example.com"});
    assert_eq!(
        browser
            .post(&server, "/api/auth/email/change", &body)
            .await
            .status,
        202
    );
    let moved = server.mails.token("jo.new@example.com");
    let body = json!({"currentPassword": NEW, "newPassword": PASSWORD});
    let request = server.request(Method::PUT, "/api/auth/password").json(&body);
    assert_eq!(browser.send(request).await.status, 204);
    assert_eq!(
        reset(&server, &forgotten, NEW).await.problem(),
        (401, "UNAUTHORIZED")
    );
    assert_eq!(
        verify_email(&server, &moved).await.problem(),
        (401, "UNAUTHORIZED")
    );
    // One kind of link is not another.
    let forgotten = reset_link(&server, &email).await;
    assert_eq!(
        verify_email(&server, &forgotten).await.problem(),
        (401, "UNAUTHORIZED")
    );
}

async fn s16_the_database_holds_no_token_of_a_link(server: TestServer) {
    let (_, email, mut browser) = person(&server).await;
    let body = json!({"newEmail": "jo.new@example.com"});
    assert_eq!(
        browser
            .post(&server, "/api/auth/email/change", &body)
            .await
            .status,
        202
    );
    let tokens = [
        reset_link(&server, &email).await,
        server.mails.token("jo.new@example.com"),
    ];
    let dump = server.dump().await;
    assert!(dump.contains("mail_tokens"));
    for token in tokens {
        assert!(!dump.contains(&token));
    }
}

async fn s15_another_address_needs_a_fresh_proof_and_its_link(server: TestServer) {
    let (jo, old, mut browser) = person(&server).await;
    let new = "Jo.New@example.com";
    let body = json!({"newEmail": new});
    server.clock.advance(Duration::from_secs(10 * 60));
    let stale = browser.post(&server, "/api/auth/email/change", &body).await;
    assert_eq!(stale.problem(), (403, "STEP_UP_REQUIRED"));
    let proof = json!({"password": PASSWORD});
    assert_eq!(
        browser.post(&server, "/api/auth/step-up", &proof).await.status,
        204
    );
    let malformed = browser
        .post(
            &server,
            "/api/auth/email/change",
            &json!({"newEmail": "no address"}),
        )
        .await;
    assert_eq!(
        (malformed.problem(), malformed.pointers()),
        ((400, "VALIDATION_ERROR"), vec!["/newEmail"])
    );
    let forgotten = reset_link(&server, &old).await;
    assert_eq!(
        browser
            .post(&server, "/api/auth/email/change", &body)
            .await
            .status,
        202
    );
    assert_eq!(
        server.email(jo).await,
        old,
        "nothing has changed before the link is followed"
    );
    let asked = server.mails.only(&old);
    assert_eq!(
        asked.subject(),
        "Another e-mail address for your TigerTrust account was asked for"
    );
    assert!(
        asked.reveal_text().contains("J…@example.com") && asked.reveal_text().contains("127.0.0.1"),
        "{}",
        asked.reveal_text()
    );
    let token = server.mails.token(new);
    assert_eq!(verify_email(&server, &token).await.status, 204);
    assert_eq!(
        verify_email(&server, &token).await.problem(),
        (401, "UNAUTHORIZED")
    );
    assert_eq!(server.email(jo).await, new);
    let told = server.mails.only(&old);
    assert_eq!(
        told.subject(),
        "Your TigerTrust account has another e-mail address"
    );
    assert!(
        told.reveal_text().contains("J…@example.com"),
        "{}",
        told.reveal_text()
    );
    assert_eq!(
        reset(&server, &forgotten, NEW).await.problem(),
        (401, "UNAUTHORIZED")
    );
    let me = browser.get(&server, "/api/auth/me").await;
    assert_eq!(
        (&me.body["user"]["email"], &me.body["user"]["emailVerified"]),
        (&json!(new), &json!(true))
    );
    assert_eq!(browser.login(&server, &old, PASSWORD).await.status, 401);
    assert_eq!(
        browser.login(&server, &new.to_lowercase(), PASSWORD).await.status,
        200
    );
}

async fn s6_who_changes_the_address_does_not_learn_whose_it_is(server: TestServer) {
    let (jo, old, mut browser) = person(&server).await;
    let (_, taken, _) = person(&server).await;
    let mut answers = Vec::new();
    for email in [taken.to_uppercase().as_str(), "free@example.com"] {
        let body = json!({"newEmail": email});
        let mut answer = browser.post(&server, "/api/auth/email/change", &body).await;
        // They count, from one request to the next.
        for name in ["x-request-id", "date", "ratelimit", "x-ratelimit-remaining"] {
            answer.headers.remove(name);
        }
        answers.push((answer.status, answer.headers, answer.body));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0].0, 202);
    assert_eq!(server.mails.take(&taken).len(), 0);
    assert_eq!(server.mails.take(&old).len(), 2, "of both the person is told");
    // It was free when it was asked for, and is not when the link is followed.
    let token = server.mails.token("free@example.com");
    let new = tigertrust_accounts::NewUser {
        email: "free@example.com".parse().unwrap(),
        name: None,
        password: tigertrust_credentials::Password::presented(PASSWORD),
    };
    server.users.create(new).await.unwrap();
    assert_eq!(verify_email(&server, &token).await.problem(), (409, "CONFLICT"));
    assert_eq!(server.email(jo).await, old);
    assert_eq!(server.mails.take(&old).len(), 0);
}

async fn the_present_address_is_proved_by_asking_for_it(server: TestServer) {
    let (jo, email, mut browser) = person(&server).await;
    let me = browser.get(&server, "/api/auth/me").await;
    assert_eq!(me.body["user"]["emailVerified"], false);
    let spelled = email.to_uppercase();
    let body = json!({"newEmail": spelled});
    assert_eq!(
        browser
            .post(&server, "/api/auth/email/change", &body)
            .await
            .status,
        202
    );
    let token = server.mails.token(&email);
    assert_eq!(verify_email(&server, &token).await.status, 204);
    let me = browser.get(&server, "/api/auth/me").await;
    assert_eq!(me.body["user"]["emailVerified"], true);
    assert_eq!(server.email(jo).await, spelled);
    assert_eq!(server.mails.take(&email).len(), 0, "it is no other address");
    // Too many mails to one address are refused to whoever is signed in.
    for status in [202, 202, 429] {
        assert_eq!(
            browser
                .post(&server, "/api/auth/email/change", &body)
                .await
                .status,
            status
        );
    }
}

async fn s16_a_link_to_another_address_dies_with_the_session_that_asked_for_it(server: TestServer) {
    let (jo, email, mut owner) = person(&server).await;
    let mut thief = Browser::signed_in(&server, jo).await;
    let body = json!({"newEmail": "thief@example.net"});
    let asked = thief.post(&server, "/api/auth/email/change", &body).await;
    assert_eq!(asked.status, 202);
    let token = server.mails.token("thief@example.net");
    assert_eq!(owner.delete(&server, "/api/auth/sessions").await.status, 204);
    assert_eq!(
        verify_email(&server, &token).await.problem(),
        (401, "UNAUTHORIZED")
    );
    assert_eq!(server.email(jo).await, email);
}

async fn of_two_who_prove_one_address_at_once_one_has_it(server: TestServer) {
    let (jo, _, mut of_jo) = person(&server).await;
    let (al, _, mut of_al) = person(&server).await;
    let body = json!({"newEmail": "both@example.com"});
    let mut tokens = Vec::new();
    for browser in [&mut of_jo, &mut of_al] {
        let asked = browser.post(&server, "/api/auth/email/change", &body).await;
        assert_eq!(asked.status, 202);
        tokens.push(server.mails.token("both@example.com"));
    }
    let (first, second) = tokio::join!(
        verify_email(&server, &tokens[0]),
        verify_email(&server, &tokens[1])
    );
    let mut statuses = [first.status.as_u16(), second.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 409], "{first:?} {second:?}");
    let addresses = [server.email(jo).await, server.email(al).await];
    assert_eq!(
        addresses
            .iter()
            .filter(|email| *email == "both@example.com")
            .count(),
        1
    );
}

async fn the_present_password_is_no_new_one(server: TestServer) {
    let (_, email, mut browser) = person(&server).await;
    let body = json!({"currentPassword": PASSWORD, "newPassword": PASSWORD});
    let request = server.request(Method::PUT, "/api/auth/password").json(&body);
    let refused = browser.send(request).await;
    assert_eq!(
        (refused.problem(), refused.pointers()),
        ((400, "VALIDATION_ERROR"), vec!["/newPassword"])
    );
    let token = reset_link(&server, &email).await;
    let refused = reset(&server, &token, PASSWORD).await;
    assert_eq!(
        (refused.problem(), refused.pointers()),
        ((400, "VALIDATION_ERROR"), vec!["/newPassword"])
    );
    assert_eq!(
        reset(&server, &token, NEW).await.status,
        204,
        "the link is still good"
    );
    // Somebody who does not know the present one learns nothing of it.
    let wrong = json!({"currentPassword": PASSWORD, "newPassword": PASSWORD});
    assert_eq!(browser.login(&server, &email, NEW).await.status, 200);
    let request = server.request(Method::PUT, "/api/auth/password").json(&wrong);
    assert_eq!(browser.send(request).await.problem(), (401, "UNAUTHORIZED"));
}

async fn s7_a_changed_password_forgets_all_devices_but_this_one(server: TestServer) {
    let (jo, email, mut browser) = person(&server).await;
    let mut elsewhere = Browser::signed_in(&server, jo).await;
    assert_ne!(browser.device, elsewhere.device);
    let _ = server.mails.take(&email);
    let body = json!({"currentPassword": PASSWORD, "newPassword": NEW});
    let request = server.request(Method::PUT, "/api/auth/password").json(&body);
    assert_eq!(browser.send(request).await.status, 204);
    let _ = server.mails.take(&email);
    assert_eq!(browser.login(&server, &email, NEW).await.status, 200);
    assert_eq!(server.mails.take(&email).len(), 0);
    assert_eq!(elsewhere.login(&server, &email, NEW).await.status, 200);
    assert_eq!(server.mails.only(&email).subject(), "New sign-in to TigerTrust");
}

async fn s19_a_link_does_not_outlive_a_disabled_account(server: TestServer) {
    let (jo, email, mut browser) = person(&server).await;
    let body = json!({"newEmail": "jo@example.net"});
    assert_eq!(
        browser
            .post(&server, "/api/auth/email/change", &body)
            .await
            .status,
        202
    );
    let (token, reset_token) = (
        server.mails.token("jo@example.net"),
        reset_link(&server, &email).await,
    );
    let accounts = server.storage.accounts();
    accounts
        .set_disabled(Act::of_operator(), jo, Some(server.clock.now()))
        .await
        .unwrap();
    accounts.set_disabled(Act::of_operator(), jo, None).await.unwrap();
    assert_eq!(verify_email(&server, &token).await.status, 401);
    assert_eq!(reset(&server, &reset_token, NEW).await.status, 401);
}

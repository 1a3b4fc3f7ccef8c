//! Signing in with a password: `security.md` 6–8, 10, 16–18.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use tigertrust_credentials::PasswordHash;
use tigertrust_model::{Act, KeyType, Role};
use tigertrust_testkit::{IDLE_TIMEOUT, PASSWORD, TestServer, on_both_engines, send};

use crate::people::Browser;

on_both_engines!(
    a_person_signs_in_and_out,
    s3_a_cheap_hash_is_renewed_by_the_login_of_who_knows_the_password,
    s6_whatever_is_wrong_the_refusal_is_the_same,
    s7_an_account_is_throttled_by_spelling_of_no_kind,
    s7_a_network_is_throttled_over_all_accounts,
    s7_parallel_guesses_evaluate_no_more_than_sequential_ones,
    s7_failures_count_over_all_paths_and_outlive_a_restart,
    s7_a_device_that_is_known_is_not_locked_out,
    s8_a_stranger_cannot_choose_the_network_that_is_counted,
    s16_a_login_goes_on_under_no_token_that_was_there_before,
    s16_a_session_ends_by_age_and_by_not_being_used,
    s16_the_database_holds_digests_alone,
    s17_the_cookie_is_as_the_contract_says,
    s17_two_cookies_of_ours_are_refused_and_others_are_ignored,
    s18_another_site_s_page_cannot_write_with_a_session,
    a_key_and_a_session_together_are_neither,
    a_person_acts_in_the_workspace_that_is_named,
    a_role_decides_what_a_session_may_do,
    forward_auth_takes_a_session,
    discovery_is_a_function_of_the_domain_alone,
);

async fn a_person_signs_in_and_out(server: TestServer) {
    let home = server.workspace("Home").await;
    let jo = server.member(&home, Role::Admin).await;
    let email = server.email(jo).await;
    let mut browser = Browser::default();
    assert_eq!(browser.me(&server).await, 401);
    let answer = browser
        .login(&server, &format!(" {} ", email.to_uppercase()), PASSWORD)
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(
        answer.body,
        json!({
            "user": {"id": jo.to_string(), "email": email, "emailVerified": false, "name": null},
            "workspaces": [{
                "id": home.id.to_string(), "name": "Home", "plan": "free", "requireSecondFactor": false, "role": "admin",
                "leakResponse": null,
                "createdAt": "2027-01-15T08:00:00Z",
            }],
            "defaultWorkspaceId": home.id.to_string(),
        })
    );
    let me = browser.get(&server, "/api/auth/me").await;
    assert_eq!(me.status, 200);
    assert_eq!(
        (
            &me.body["type"],
            &me.body["user"]["id"],
            &me.body["role"],
            &me.body["workspace"]["id"]
        ),
        (
            &json!("user"),
            &json!(jo.to_string()),
            &json!("admin"),
            &json!(home.id.to_string())
        )
    );
    let stolen = browser.clone();
    let answer = browser.post(&server, "/api/auth/logout", &Value::Null).await;
    assert_eq!(answer.status, 204);
    assert_eq!(browser.session, None);
    for mut gone in [browser, stolen] {
        assert_eq!(gone.me(&server).await, 401);
    }
}

async fn s3_a_cheap_hash_is_renewed_by_the_login_of_who_knows_the_password(server: TestServer) {
    /// Of [`PASSWORD`], at less than half of the cost.
    const CHEAP: &str =
        "$argon2id$v=19$m=8192,t=1,p=1$c2l4dGVlbiBieXRlcyBvZg$d23+Pno1xZPlCG0yCYRVX97vYQpqDexzt4aTqXy6vuQ";
    let home = server.workspace("Home").await;
    let jo = server.member(&home, Role::Member).await;
    let email = server.email(jo).await;
    let store = server.storage.sign_ins();
    let cheap = PasswordHash::from_phc(CHEAP.to_owned());
    assert!(
        store
            .set_password(Act::of_operator(), jo, cheap, None, None)
            .await
            .unwrap()
    );
    let stored = async || {
        let account = store.account(jo, None).await.unwrap().unwrap();
        account.password.unwrap().as_phc().to_owned()
    };
    let mut browser = Browser::default();
    assert_eq!(browser.login(&server, &email, "wrong").await.status, 401);
    assert_eq!(stored().await, CHEAP);
    assert_eq!(browser.login(&server, &email, PASSWORD).await.status, 200);
    let renewed = stored().await;
    assert!(
        renewed.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
        "{renewed}"
    );
    assert_eq!(browser.login(&server, &email, PASSWORD).await.status, 200);
    assert_eq!(stored().await, renewed);
}

async fn s16_a_login_goes_on_under_no_token_that_was_there_before(server: TestServer) {
    let home = server.workspace("Home").await;
    let jo = server.member(&home, Role::Member).await;
    let al = server.member(&home, Role::Member).await;
    // What an attacker has planted: a token of its own session, and one that opens nothing.
    let own = Browser::signed_in(&server, al).await.session.unwrap();
    let nothing = own.replace(|letter: char| letter.is_ascii_lowercase(), "x");
    for planted in [own, nothing] {
        let mut browser = Browser {
            session: Some(planted.clone()),
            ..Browser::default()
        };
        let email = server.email(jo).await;
        assert_eq!(browser.login(&server, &email, PASSWORD).await.status, 200);
        assert_ne!(browser.session.as_deref(), Some(planted.as_str()));
        let mut attacker = Browser {
            session: Some(planted),
            ..Browser::default()
        };
        let seen = attacker.get(&server, "/api/auth/me").await.body;
        assert_ne!(seen["user"]["id"], jo.to_string());
    }
}

async fn s6_whatever_is_wrong_the_refusal_is_the_same(server: TestServer) {
    let home = server.workspace("Home").await;
    let (jo, kim) = (
        server.member(&home, Role::Member).await,
        server.member(&home, Role::Member).await,
    );
    use tigertrust_model::Clock as _;
    let accounts = server.storage.accounts();
    accounts
        .set_disabled(Act::of_operator(), kim, Some(server.clock.now()))
        .await
        .unwrap();
    let mut refusals = Vec::new();
    for (email, password) in [
        (server.email(jo).await.as_str(), "another horse battery staple"),
        (server.email(kim).await.as_str(), PASSWORD),
        ("nobody@example.com", PASSWORD),
        ("no address", PASSWORD),
        ("", ""),
    ] {
        let mut answer = Browser::default().login(&server, email, password).await;
        assert_eq!(answer.problem(), (401, "UNAUTHORIZED"));
        answer.headers.remove("x-request-id");
        answer.headers.remove("date");
        answer.body["requestId"] = Value::Null;
        refusals.push((answer.headers, answer.body));
    }
    assert!(refusals.iter().all(|refusal| *refusal == refusals[0]));
}

async fn s7_an_account_is_throttled_by_spelling_of_no_kind(server: TestServer) {
    let home = server.workspace("Home").await;
    let jo = server.member(&home, Role::Member).await;
    let email = server.email(jo).await;
    for email in [email.as_str(), "nobody@example.com"] {
        for round in 0..10 {
            let spelling = if round % 2 == 0 {
                email.to_uppercase()
            } else {
                format!(" {email}")
            };
            let wrong = Browser::default().login(&server, &spelling, "wrong").await;
            assert_eq!(wrong.problem(), (401, "UNAUTHORIZED"), "{round}");
        }
        let refused = Browser::default().login(&server, email, PASSWORD).await;
        assert_eq!(refused.problem(), (429, "RATE_LIMITED"));
        assert_eq!(refused.header("retry-after"), "901");
    }
    server.clock.advance(Duration::from_secs(15 * 60));
    let mut browser = Browser::default();
    assert_eq!(browser.login(&server, &email, PASSWORD).await.status, 200);
}

async fn s7_a_network_is_throttled_over_all_accounts(server: TestServer) {
    let attempt = async |from: &str, number: usize| {
        let body = json!({"email": format!("user{number}@example.com"), "password": "wrong"});
        let request = server.request(Method::POST, "/api/auth/login").json(&body);
        send(request.header("X-Forwarded-For", from))
            .await
            .status
            .as_u16()
    };
    for number in 0..60 {
        let from = format!("2001:db8:1:2::{number:x}");
        assert_eq!(attempt(&from, number).await, 401, "{number}");
    }
    assert_eq!(attempt("2001:db8:1:2:ffff::1", 61).await, 429);
    assert_eq!(attempt("2001:db8:1:3::1", 62).await, 401);
}

async fn s7_failures_count_over_all_paths_and_outlive_a_restart(server: TestServer) {
    let home = server.workspace("Home").await;
    let jo = server.member(&home, Role::Member).await;
    let email = server.email(jo).await;
    let mut browser = Browser::signed_in(&server, jo).await;
    // A device that is known has a budget of its own.
    browser.device = None;
    for _ in 0..4 {
        let answer = Browser::default().login(&server, &email, "wrong").await;
        assert_eq!(answer.status, 401);
    }
    for _ in 0..3 {
        let proof = json!({"password": "wrong"});
        let answer = browser.post(&server, "/api/auth/step-up", &proof).await;
        assert_eq!(answer.status, 401);
        let change = json!({"currentPassword": "wrong", "newPassword": "a long and uncommon sentence"});
        let request = server.request(Method::PUT, "/api/auth/password").json(&change);
        assert_eq!(browser.send(request).await.status, 401);
    }
    // Another server over the same database, as one that was started again.
    for node in [&server, &server.second().await] {
        let answer = Browser::default().login(node, &email, PASSWORD).await;
        assert_eq!(answer.problem(), (429, "RATE_LIMITED"));
    }
}

async fn s7_parallel_guesses_evaluate_no_more_than_sequential_ones(server: TestServer) {
    let home = server.workspace("Home").await;
    let jo = server.member(&home, Role::Member).await;
    let email = server.email(jo).await;
    let guesses = join_all((0..200).map(|_| async {
        Browser::default()
            .login(&server, &email, "wrong")
            .await
            .status
            .as_u16()
    }))
    .await;
    let count = |status| guesses.iter().filter(|guess| **guess == status).count();
    assert_eq!((count(401), count(429)), (10, 190), "{guesses:?}");
}

async fn s7_a_device_that_is_known_is_not_locked_out(server: TestServer) {
    let home = server.workspace("Home").await;
    let jo = server.member(&home, Role::Member).await;
    let email = server.email(jo).await;
    let mut own = Browser::signed_in(&server, jo).await;
    let device = own.device.clone();
    assert!(device.is_some());
    for _ in 0..10 {
        Browser::default().login(&server, &email, "wrong").await;
    }
    assert_eq!(
        Browser::default().login(&server, &email, PASSWORD).await.status,
        429
    );
    assert_eq!(own.login(&server, &email, PASSWORD).await.status, 200);
    assert_eq!(own.device, device, "a device that is known stays the same");
    // What it is worth is a budget, and not a way around it.
    for _ in 0..10 {
        assert_eq!(own.login(&server, &email, "wrong").await.status, 401);
    }
    assert_eq!(own.login(&server, &email, PASSWORD).await.status, 429);
    // Another's device is none of the account's.
    let kim = server.member(&home, Role::Member).await;
    let mut theirs = Browser::signed_in(&server, kim).await;
    assert_eq!(theirs.login(&server, &email, PASSWORD).await.status, 429);
}

async fn s8_a_stranger_cannot_choose_the_network_that_is_counted(server: TestServer) {
    // The tests are behind a trusted proxy, which appends the address that it was called from.
    let attempt = async |number: usize| {
        let body = json!({"email": format!("user{number}@example.com"), "password": "wrong"});
        let request = server.request(Method::POST, "/api/auth/login").json(&body);
        let forged = format!("198.51.100.{number}, 203.0.113.9");
        send(request.header("X-Forwarded-For", forged))
            .await
            .status
            .as_u16()
    };
    for number in 0..60 {
        assert_eq!(attempt(number).await, 401);
    }
    assert_eq!(attempt(61).await, 429);
}

async fn s16_a_session_ends_by_age_and_by_not_being_used(server: TestServer) {
    let home = server.workspace("Home").await;
    let jo = server.member(&home, Role::Member).await;
    let mut used = Browser::signed_in(&server, jo).await;
    let mut unused = used.clone();
    unused.session = Browser::signed_in(&server, jo).await.session;
    let mut other = Browser::signed_in(&server, jo).await;
    assert_ne!(used.session, unused.session);
    let day = Duration::from_secs(24 * 60 * 60);
    for _ in 0..6 {
        server.clock.advance(day);
        assert_eq!(used.me(&server).await, 200);
    }
    assert!(IDLE_TIMEOUT < day * 6);
    assert_eq!(
        unused.get(&server, "/api/auth/me").await.problem(),
        (401, "TOKEN_EXPIRED")
    );
    let sessions = used.get(&server, "/api/auth/sessions").await;
    assert_eq!(sessions.body["items"].as_array().unwrap().len(), 1);
    server.clock.advance(day);
    assert_eq!(
        used.get(&server, "/api/auth/me").await.problem(),
        (401, "TOKEN_EXPIRED")
    );
    assert_eq!(other.me(&server).await, 401);
    use tigertrust_model::Clock as _;
    server
        .storage
        .prune_sign_ins(server.clock.now(), 100)
        .await
        .unwrap();
    assert_eq!(
        used.get(&server, "/api/auth/me").await.problem(),
        (401, "UNAUTHORIZED")
    );
}

async fn s16_the_database_holds_digests_alone(server: TestServer) {
    let home = server.workspace("Home").await;
    let jo = server.member(&home, Role::Member).await;
    let browser = Browser::signed_in(&server, jo).await;
    let dump = server.dump().await;
    assert!(dump.contains("sessions"));
    for secret in [
        browser.session.unwrap(),
        browser.device.unwrap(),
        PASSWORD.to_owned(),
    ] {
        assert!(!dump.contains(&secret));
    }
}

async fn s17_the_cookie_is_as_the_contract_says(server: TestServer) {
    let home = server.workspace("Home").await;
    let jo = server.member(&home, Role::Member).await;
    let mut browser = Browser::default();
    let email = server.email(jo).await;
    let answer = browser.login(&server, &email, PASSWORD).await;
    let cookies: Vec<&str> = answer
        .headers
        .get_all("set-cookie")
        .iter()
        .map(|value| value.to_str().unwrap())
        .collect();
    let token = browser.session.clone().unwrap();
    assert_eq!(
        cookies[0],
        format!("connect.sid={token}; Max-Age=604800; Path=/; HttpOnly; Secure; SameSite=Strict")
    );
    assert!(cookies[1].ends_with("; Path=/; HttpOnly; Secure; SameSite=Strict"));
    let again = browser.login(&server, &email, PASSWORD).await;
    assert_eq!(again.headers.get_all("set-cookie").iter().count(), 1);
    assert_ne!(
        browser.session.unwrap(),
        token,
        "a login makes a session of its own"
    );
}

async fn s17_two_cookies_of_ours_are_refused_and_others_are_ignored(server: TestServer) {
    let home = server.workspace("Home").await;
    let jo = server.member(&home, Role::Member).await;
    let [one, other] = [
        Browser::signed_in(&server, jo).await.session.unwrap(),
        Browser::signed_in(&server, jo).await.session.unwrap(),
    ];
    let express = "s%3AU5xX8qvSVnJQ0Zl0Sw1bqg9nEeWZ3kPo.9Wv1y0bq";
    let mut damaged = one.clone();
    damaged.pop();
    for (cookies, status) in [
        (format!("connect.sid={one}"), 200),
        (format!("connect.sid={express}; connect.sid={one}"), 200),
        (format!("connect.sid={one}; connect.sid={express}; a=b"), 200),
        (format!("connect.sid={one}; connect.sid={other}"), 401),
        (format!("connect.sid={one}; connect.sid={one}"), 401),
        (format!("connect.sid={damaged}"), 401),
        (format!("connect.sid={express}"), 401),
        (format!("Connect.sid={one}"), 401),
    ] {
        let request = server
            .request(Method::GET, "/api/auth/me")
            .header("Cookie", &cookies);
        assert_eq!(send(request).await.status, status, "{cookies}");
    }
    // A backend's own cookie stands in no key's way.
    let key = server.key(&home, KeyType::Agent, &[]).await;
    let request = server
        .request(Method::GET, "/api/auth/me")
        .bearer_auth(key.secret.reveal());
    let answer = send(request.header("Cookie", format!("connect.sid={express}"))).await;
    assert_eq!(answer.status, 200);
}

async fn s18_another_site_s_page_cannot_write_with_a_session(server: TestServer) {
    let home = server.workspace("Home").await;
    let jo = server.member(&home, Role::Admin).await;
    let mut browser = Browser::signed_in(&server, jo).await;
    let host = server.base_url().strip_prefix("http://").unwrap().to_owned();
    let ours = format!("https://{host}");
    let body = json!({"name": "x", "type": "agent", "scopes": []});
    for (name, value, status) in [
        ("Sec-Fetch-Site", "cross-site", 403),
        ("Sec-Fetch-Site", "same-site", 403),
        ("Origin", "https://evil.example", 403),
        ("Origin", "null", 403),
        ("Sec-Fetch-Site", "same-origin", 201),
        ("Origin", ours.as_str(), 201),
        ("Accept", "*/*", 201),
    ] {
        let request = server.request(Method::POST, "/api/keys").header(name, value);
        let answer = browser.send(request.json(&body)).await;
        assert_eq!(answer.status, status, "{name}: {value}");
        let read = server.request(Method::GET, "/api/keys").header(name, value);
        assert_eq!(browser.send(read).await.status, 200, "reading harms nobody");
    }
    let form = server
        .request(Method::POST, "/api/keys")
        .header("Content-Type", "text/plain")
        .body(body.to_string());
    assert_eq!(
        browser.send(form).await.problem(),
        (415, "UNSUPPORTED_MEDIA_TYPE")
    );
}

async fn a_key_and_a_session_together_are_neither(server: TestServer) {
    let home = server.workspace("Home").await;
    let jo = server.member(&home, Role::Owner).await;
    let key = server.admin(&home).await;
    let mut browser = Browser::signed_in(&server, jo).await;
    let request = server
        .request(Method::GET, "/api/auth/me")
        .bearer_auth(key.secret.reveal());
    assert_eq!(browser.send(request).await.problem(), (401, "UNAUTHORIZED"));
}

async fn a_person_acts_in_the_workspace_that_is_named(server: TestServer) {
    let (home, other, foreign) = (
        server.workspace("Home").await,
        server.workspace("Other").await,
        server.workspace("Foreign").await,
    );
    let jo = server.member(&home, Role::Owner).await;
    server.set_role(&other, jo, Some(Role::Viewer)).await;
    let mut browser = Browser::signed_in(&server, jo).await;
    let mut within = async |id: &str| {
        let request = server
            .request(Method::GET, "/api/auth/me")
            .header("X-Workspace-ID", id);
        let answer = browser.send(request).await;
        (
            answer.status.as_u16(),
            answer.body["role"].clone(),
            answer.code().to_owned(),
        )
    };
    assert_eq!(
        within(&other.id.to_string()).await,
        (200, json!("viewer"), String::new())
    );
    for id in [
        foreign.id.to_string().as_str(),
        "ws_00000000000000000000000000",
        "x",
    ] {
        assert_eq!(
            within(id).await,
            (403, Value::Null, "WORKSPACE_ACCESS_DENIED".to_owned())
        );
    }
    let list = browser.get(&server, "/api/workspaces").await;
    assert_eq!(list.body["items"].as_array().unwrap().len(), 2);
}

async fn a_role_decides_what_a_session_may_do(server: TestServer) {
    let home = server.workspace("Home").await;
    let jo = server.member(&home, Role::Admin).await;
    let mut browser = Browser::signed_in(&server, jo).await;
    let shared = json!({"name": "x", "type": "agent", "scopes": ["keys:read"]});
    let personal = json!({"name": "x", "type": "agent", "scopes": ["keys:read"], "personal": true});
    let made = browser.post(&server, "/api/keys", &shared).await;
    assert_eq!(
        (made.status.as_u16(), &made.body["createdBy"]),
        (201, &json!(jo.to_string()))
    );
    // On the very next request.
    server.set_role(&home, jo, Some(Role::Member)).await;
    assert_eq!(
        browser.post(&server, "/api/keys", &shared).await.problem(),
        (403, "FORBIDDEN")
    );
    let made = browser.post(&server, "/api/keys", &personal).await;
    assert_eq!(
        (made.status.as_u16(), &made.body["ownerId"]),
        (201, &json!(jo.to_string()))
    );
    let beyond = json!({"name": "x", "type": "agent", "scopes": ["audit:read"], "personal": true});
    assert_eq!(
        browser.post(&server, "/api/keys", &beyond).await.problem(),
        (403, "FORBIDDEN")
    );
    let list = browser.get(&server, "/api/keys").await;
    assert_eq!(list.body["items"].as_array().unwrap().len(), 1);
    server.set_role(&home, jo, Some(Role::Viewer)).await;
    // Its own it sees all the same.
    let list = browser.get(&server, "/api/keys").await;
    assert_eq!(list.body["items"].as_array().unwrap().len(), 1);
    let refused = browser.get(&server, "/api/auth/check?scope=keys:read").await;
    assert_eq!(refused.problem(), (403, "FORBIDDEN"));
    server.set_role(&home, jo, None).await;
    assert_eq!(
        browser.get(&server, "/api/keys").await.problem(),
        (403, "WORKSPACE_ACCESS_DENIED")
    );
    assert_eq!(browser.me(&server).await, 200);
    use tigertrust_model::Clock as _;
    let accounts = server.storage.accounts();
    accounts
        .set_disabled(Act::of_operator(), jo, Some(server.clock.now()))
        .await
        .unwrap();
    assert_eq!(browser.me(&server).await, 401);
    accounts.set_disabled(Act::of_operator(), jo, None).await.unwrap();
    assert_eq!(
        browser.me(&server).await,
        401,
        "who is enabled again signs in again"
    );
}

async fn forward_auth_takes_a_session(server: TestServer) {
    let home = server.workspace("Home").await;
    let jo = server.member(&home, Role::Member).await;
    let mut browser = Browser::signed_in(&server, jo).await;
    let passed = browser
        .get(&server, "/api/auth/check?scope=certificates:write")
        .await;
    assert_eq!(passed.status, 200);
    for (name, value) in [
        ("x-auth-type", "user"),
        ("x-auth-user-id", jo.to_string().as_str()),
        ("x-auth-role", "member"),
        ("x-auth-workspace-id", home.id.to_string().as_str()),
        ("x-auth-key-id", ""),
        ("x-auth-scopes", ""),
    ] {
        assert_eq!(passed.header(name), value, "{name}");
        assert!(passed.headers.contains_key(name));
    }
    for query in ["scope=audit:read", "type=agent"] {
        let refused = browser.get(&server, &format!("/api/auth/check?{query}")).await;
        assert_eq!(refused.problem(), (403, "FORBIDDEN"), "{query}");
        assert_eq!(refused.header("x-auth-code"), "FORBIDDEN");
    }
    // The proxy asks with GET whatever it was asked for.
    let mut ask = async |method: &str, site: &str| {
        let request = server.request(Method::GET, "/api/auth/check");
        let request = request
            .header("X-Forwarded-Method", method)
            .header("Sec-Fetch-Site", site);
        browser.send(request).await.status.as_u16()
    };
    assert_eq!(ask("GET", "cross-site").await, 200);
    assert_eq!(ask("POST", "cross-site").await, 403);
    assert_eq!(ask("POST", "same-origin").await, 200);
    let request = server
        .request(Method::GET, "/api/auth/check")
        .header("Sec-Fetch-Site", "cross-site");
    assert_eq!(
        browser.send(request).await.status,
        403,
        "where nobody says, it may have been anything"
    );
}

async fn discovery_is_a_function_of_the_domain_alone(server: TestServer) {
    let home = server.workspace("Home").await;
    let jo = server.member(&home, Role::Member).await;
    let mut answers = Vec::new();
    for email in [server.email(jo).await.as_str(), "nobody@example.com"] {
        let request = server.request(Method::POST, "/api/auth/discover");
        let answer = send(request.json(&json!({"email": email}))).await;
        assert_eq!(answer.status, 200);
        answers.push(answer.body);
    }
    assert_eq!(answers[0], json!({"methods": ["password"]}));
    assert_eq!(answers[0], answers[1]);
}

//! What people are told by mail of what happened to their accounts.

use reqwest::Method;
use serde_json::{Value, json};
use tigertrust_model::Role;
use tigertrust_testkit::{PASSWORD, TestServer, on_both_engines};

use crate::{
    factors::{Enrolled, verify},
    people::Browser,
};

on_both_engines!(
    a_sign_in_on_a_new_device_is_told_but_not_the_first,
    a_changed_password_is_told_and_from_where,
    changed_factors_are_told,
    a_used_recovery_code_is_told_with_how_many_are_left,
    a_changed_password_is_told_with_what_remains,
    renewed_recovery_codes_are_told,
    an_erasure_is_told_last,
);

async fn a_sign_in_on_a_new_device_is_told_but_not_the_first(server: TestServer) {
    let home = server.workspace("Home").await;
    let jo = server.member(&home, Role::Member).await;
    let email = server.email(jo).await;
    let mut first = Browser::signed_in(&server, jo).await;
    assert_eq!(first.login(&server, &email, PASSWORD).await.status, 200);
    assert_eq!(server.mails.take(&email).len(), 0);
    let mut other = Browser::default();
    assert_eq!(other.login(&server, &email, "wrong").await.status, 401);
    assert_eq!(server.mails.take(&email).len(), 0);
    let body = json!({"email": email, "password": PASSWORD});
    let request = server
        .request(Method::POST, "/api/auth/login")
        .header("X-Forwarded-For", "192.0.2.7")
        .header("User-Agent", "A browser https://evil.example");
    assert_eq!(other.send(request.json(&body)).await.status, 200);
    let mail = server.mails.only(&email);
    assert_eq!(mail.subject(), "New sign-in to TigerTrust");
    for expected in [
        "2027-01-15 08:00 UTC",
        "192.0.2.7",
        "A browser https: //evil. example",
    ] {
        assert!(mail.reveal_text().contains(expected), "{}", mail.reveal_text());
    }
    assert_eq!(other.login(&server, &email, PASSWORD).await.status, 200);
    assert_eq!(server.mails.take(&email).len(), 0, "it is known by now");
}

async fn a_changed_password_is_told_and_from_where(server: TestServer) {
    let home = server.workspace("Home").await;
    let jo = server.member(&home, Role::Member).await;
    let email = server.email(jo).await;
    let mut browser = Browser::signed_in(&server, jo).await;
    let change = |current: &str| {
        let body = json!({"currentPassword": current, "newPassword": "a long and uncommon sentence"});
        let request = server.request(Method::PUT, "/api/auth/password");
        request.header("X-Forwarded-For", "192.0.2.7").json(&body)
    };
    assert_eq!(browser.send(change("wrong")).await.status, 401);
    assert_eq!(server.mails.take(&email).len(), 0);
    assert_eq!(browser.send(change(PASSWORD)).await.status, 204);
    let mail = server.mails.only(&email);
    assert_eq!(mail.subject(), "Your TigerTrust password was changed");
    assert!(mail.reveal_text().contains("192.0.2.7"), "{}", mail.reveal_text());
}

async fn changed_factors_are_told(server: TestServer) {
    let mut jo = Enrolled::new(&server).await;
    let email = server.email(jo.user).await;
    let added = server.mails.only(&email);
    assert_eq!(
        added.subject(),
        "A second factor was added to your TigerTrust account"
    );
    assert!(
        added.reveal_text().contains("an authenticator app"),
        "{}",
        added.reveal_text()
    );
    let removed = jo.browser.delete(&server, "/api/auth/2fa/totp").await;
    assert_eq!(removed.status, 204);
    let mail = server.mails.only(&email);
    assert_eq!(
        mail.subject(),
        "A second factor was removed from your TigerTrust account"
    );
    assert_eq!(jo.browser.delete(&server, "/api/auth/2fa/totp").await.status, 404);
    assert_eq!(
        jo.browser
            .post(&server, "/api/auth/2fa/totp", &Value::Null)
            .await
            .status,
        200
    );
    assert_eq!(
        server.mails.take(&email).len(),
        0,
        "one that is not confirmed counts for nothing"
    );
}

async fn a_changed_password_is_told_with_what_remains(server: TestServer) {
    let mut jo = Enrolled::new(&server).await;
    let email = server.email(jo.user).await;
    let _ = server.mails.take(&email);
    let body = json!({"currentPassword": PASSWORD, "newPassword": "a long and uncommon sentence"});
    let request = server.request(Method::PUT, "/api/auth/password").json(&body);
    assert_eq!(jo.browser.send(request).await.status, 204);
    let changed = server.mails.only(&email);
    let forgot = json!({"email": email});
    let path = "/api/auth/password/forgot";
    assert_eq!(Browser::default().post(&server, path, &forgot).await.status, 202);
    let body = json!({"token": server.mails.token(&email), "newPassword": PASSWORD});
    let path = "/api/auth/password/reset";
    assert_eq!(Browser::default().post(&server, path, &body).await.status, 204);
    for mail in [changed, server.mails.only(&email)] {
        let text = mail.reveal_text();
        assert_eq!(mail.subject(), "Your TigerTrust password was changed");
        assert!(
            text.contains("Unchanged beside it:\n\n    an authenticator app\n"),
            "{text}"
        );
    }
}

async fn renewed_recovery_codes_are_told(server: TestServer) {
    let mut jo = Enrolled::new(&server).await;
    let email = server.email(jo.user).await;
    let _ = server.mails.take(&email);
    let path = "/api/auth/2fa/recovery-codes";
    assert_eq!(jo.browser.post(&server, path, &Value::Null).await.status, 200);
    let mail = server.mails.only(&email);
    assert_eq!(mail.subject(), "Your TigerTrust recovery codes were replaced");
}

async fn an_erasure_is_told_last(server: TestServer) {
    let mut jo = Enrolled::new(&server).await;
    let email = server.email(jo.user).await;
    let _ = server.mails.take(&email);
    assert_eq!(jo.browser.delete(&server, "/api/auth/me").await.status, 204);
    let mail = server.mails.only(&email);
    assert_eq!(mail.subject(), "Your TigerTrust account was erased");
}

async fn a_used_recovery_code_is_told_with_how_many_are_left(server: TestServer) {
    let mut jo = Enrolled::new(&server).await;
    let email = server.email(jo.user).await;
    let _ = server.mails.take(&email);
    let token = jo.token(&server).await;
    assert_eq!(verify(&server, &token, &jo.code(&server)).await.0.status, 200);
    assert_eq!(server.mails.only(&email).subject(), "New sign-in to TigerTrust");
    let token = jo.token(&server).await;
    assert_eq!(verify(&server, &token, &jo.recovery_codes[0]).await.0.status, 200);
    let mails = server.mails.take(&email);
    let subjects: Vec<&str> = mails.iter().map(|mail| mail.subject()).collect();
    assert_eq!(
        subjects,
        [
            "A recovery code for TigerTrust was used",
            "New sign-in to TigerTrust"
        ]
    );
    assert!(
        mails[0].reveal_text().contains("Codes left: 9."),
        "{}",
        mails[0].reveal_text()
    );
    let proof = json!({"password": PASSWORD, "code": jo.recovery_codes[1]});
    assert_eq!(
        jo.browser.post(&server, "/api/auth/step-up", &proof).await.status,
        204
    );
    let mail = server.mails.only(&email);
    assert!(
        mail.reveal_text().contains("Codes left: 8."),
        "{}",
        mail.reveal_text()
    );
    // It is used up by that, and a code that is not accepted is nothing to tell of.
    assert_eq!(
        jo.browser.post(&server, "/api/auth/step-up", &proof).await.status,
        401
    );
    assert_eq!(server.mails.take(&email).len(), 0);
}

//! `security.md` 39: the clock of a machine steps back.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tigertrust_accounts::format_rfc3339;
use tigertrust_credentials::TotpStep;
use tigertrust_model::{Clock as _, Role};
use tigertrust_testkit::{TestServer, on_both_engines, send};

use crate::{
    factors::{Enrolled, verify},
    people::Browser,
};

on_both_engines!(
    s39_nothing_expired_revives_when_the_clock_steps_back,
    s39_no_code_is_accepted_twice_when_the_clock_steps_back,
    s39_servers_follow_each_other_and_a_reset,
);

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A key that has expired, and a session that was idle for too long.
struct Expired {
    key: String,
    browser: Browser,
}

impl Expired {
    async fn new(server: &TestServer) -> Self {
        let home = server.workspace("Home").await;
        let admin = server.admin(&home).await;
        let browser = Browser::signed_in(server, server.member(&home, Role::Admin).await).await;
        let end = server.clock.now().saturating_add(2 * DAY);
        let body = json!({"name": "x", "type": "agent", "scopes": [], "expiresAt": format_rfc3339(end)});
        let created = server.post("/api/keys", &admin, &body).await;
        let key = created.body["key"].as_str().unwrap().to_owned();
        Self { key, browser }
    }

    async fn statuses(&self, server: &TestServer) -> (u16, u16) {
        let key = send(
            server
                .request(Method::GET, "/api/auth/check")
                .bearer_auth(&self.key),
        )
        .await;
        let mut browser = self.browser.clone();
        let session = browser.get(server, "/api/auth/me").await;
        (key.status.as_u16(), session.status.as_u16())
    }
}

async fn s39_nothing_expired_revives_when_the_clock_steps_back(server: TestServer) {
    let expired = Expired::new(&server).await;
    assert_eq!(expired.statuses(&server).await, (200, 200));
    server.clock.advance(2 * DAY + HOUR / 2);
    assert_eq!(expired.statuses(&server).await, (401, 401));
    server.clock.step_back(HOUR);
    assert_eq!(expired.statuses(&server).await, (401, 401));
    // A server that comes after it has a clock that is behind by two days, and hears how late it was.
    server.storage.keep_time().await.unwrap();
    let next = server.second().await;
    assert!(next.clock.now() < server.clock.now());
    assert_eq!(expired.statuses(&next).await, (401, 401));
}

async fn s39_no_code_is_accepted_twice_when_the_clock_steps_back(server: TestServer) {
    let jo = Enrolled::new(&server).await;
    let (missed, later) = (jo.code(&server), server.clock.now().saturating_add(2 * HOUR));
    server.clock.advance(2 * HOUR);
    let used = jo.secret.code(TotpStep::at(later)).to_string();
    assert_eq!(
        verify(&server, &jo.token(&server).await, &used).await.0.status,
        200
    );
    // The clock says again what it said when the code was shown that nobody used.
    server.clock.step_back(2 * HOUR);
    server.storage.keep_time().await.unwrap();
    let next = server.second().await;
    for node in [&server, &next] {
        for code in [&missed, &used] {
            let (answer, _) = verify(node, &jo.token(node).await, code).await;
            assert_eq!(answer.problem(), (401, "UNAUTHORIZED"));
        }
    }
    server.clock.advance(Duration::from_secs(60));
    let now = later.saturating_add(Duration::from_secs(60));
    let code = jo.secret.code(TotpStep::at(now)).to_string();
    assert_eq!(
        verify(&server, &jo.token(&server).await, &code).await.0.status,
        200
    );
}

async fn s39_servers_follow_each_other_and_a_reset(server: TestServer) {
    let expired = Expired::new(&server).await;
    let other = server.second().await;
    server.clock.advance(3 * DAY);
    server.storage.keep_time().await.unwrap();
    assert_eq!(expired.statuses(&other).await, (200, 200));
    other.storage.keep_time().await.unwrap();
    assert_eq!(expired.statuses(&other).await, (401, 401));
    // That was a mistake: the clock of the other one is right.
    let mark = other
        .storage
        .reset_clock_mark(tigertrust_model::Act::of_operator())
        .await;
    assert_eq!(mark.unwrap().resets, 1);
    assert_eq!(expired.statuses(&other).await, (200, 200));
    server.clock.step_back(3 * DAY);
    assert_eq!(expired.statuses(&server).await, (401, 401));
    server.storage.keep_time().await.unwrap();
    assert_eq!(expired.statuses(&server).await, (200, 200));
}

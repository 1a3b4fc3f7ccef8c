//! Deadlines, repetitions, and answers that are none.

use std::{sync::Arc, time::Duration};

use tigertrust_client::{Client, NotAvailable, Question, RandomError, RandomSource, Reason};
use tigertrust_testkit::{TestServer, on_both_engines};

use crate::support::{Key, World};

on_both_engines!(
    it_is_not_available_by_the_deadline_where_no_answer_comes,
    a_call_is_made_again_where_the_connection_breaks,
    a_call_is_given_up_after_three_tries,
    a_503_is_asked_again_after_its_retry_after,
    a_503_is_not_asked_again_without_time_or_where_nobody_says_when,
    what_the_server_refuses_is_not_asked_again,
    redirects_are_not_followed,
    nothing_is_taken_for_a_verdict_that_is_none,
    it_fails_closed_where_nobody_listens,
    https_never_becomes_plain_http,
);

/// Pauses as short as can be.
struct NoJitter;

impl RandomSource for NoJitter {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        bytes.fill(0);
        Ok(())
    }
}

async fn failure(world: &World<'_>, key: &Key) -> NotAvailable {
    world.verify(key, &Question::default()).await.unwrap_err()
}

async fn it_is_not_available_by_the_deadline_where_no_answer_comes(server: TestServer) {
    let world = World::client(&server, |builder| builder.deadline(Duration::from_millis(300))).await;
    let key = world.key().await;
    world.proxy.hold_answers();
    let answered = tokio::time::timeout(Duration::from_secs(10), failure(&world, &key)).await;
    assert_eq!(answered.unwrap().reason(), Reason::Deadline);
}

async fn a_call_is_made_again_where_the_connection_breaks(server: TestServer) {
    let world = World::client(&server, |builder| builder.random(Arc::new(NoJitter))).await;
    let key = world.key().await;
    world.proxy.break_calls(2);
    world.valid(&key).await;
    assert_eq!(world.proxy.verifies(), 3);
}

async fn a_call_is_given_up_after_three_tries(server: TestServer) {
    let world = World::client(&server, |builder| builder).await;
    let key = world.key().await;
    world.proxy.break_calls(1_000);
    assert_eq!(failure(&world, &key).await.reason(), Reason::Network);
    assert_eq!(world.proxy.verifies(), 3);
}

fn unavailable(header: &str) -> String {
    format!("HTTP/1.1 503 Service Unavailable\r\n{header}content-length: 0\r\n\r\n")
}

async fn a_503_is_asked_again_after_its_retry_after(server: TestServer) {
    let world = World::client(&server, |builder| builder.random(Arc::new(NoJitter))).await;
    let key = world.key().await;
    world.proxy.answer_next(unavailable("retry-after: 1\r\n"));
    let clock = tigertrust_client::SystemClock::new();
    world.valid(&key).await;
    assert!(tigertrust_client::Clock::monotonic(&clock) >= Duration::from_millis(990));
    assert_eq!(world.proxy.verifies(), 2);
}

async fn a_503_is_not_asked_again_without_time_or_where_nobody_says_when(server: TestServer) {
    let world = World::client(&server, |builder| builder).await;
    let key = world.key().await;
    let cases = [
        ("retry-after: 60\r\n", 60),
        ("", 1),
        ("retry-after: Fri, 31 Dec 2027 23:59:59 GMT\r\n", 1),
    ];
    for (calls, (header, seconds)) in (1..).zip(cases) {
        world.proxy.answer_next(unavailable(header));
        let error = failure(&world, &key).await;
        assert_eq!((error.reason(), error.status()), (Reason::Refused, Some(503)));
        assert_eq!(error.retry_after(), Duration::from_secs(seconds));
        assert_eq!(world.proxy.verifies(), calls);
    }
}

async fn what_the_server_refuses_is_not_asked_again(server: TestServer) {
    let world = World::client(&server, |builder| builder).await;
    let key = world.key().await;
    let question = Question {
        scope: Some("no:such"),
        ..Question::default()
    };
    let error = world.verify(&key, &question).await.unwrap_err();
    assert_eq!(
        (error.status(), error.code()),
        (Some(400), Some("VALIDATION_ERROR"))
    );
    assert_eq!(error.pointers(), ["/scope"]);
    assert!(error.request_id().unwrap().starts_with("req_"));
    assert_eq!(world.proxy.verifies(), 1);
}

async fn redirects_are_not_followed(server: TestServer) {
    let world = World::client(&server, |builder| builder).await;
    let key = world.key().await;
    let there = format!("{}/api/keys/verify", server.base_url());
    world.proxy.answer_next(format!(
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: {there}\r\ncontent-length: 0\r\n\r\n"
    ));
    assert_eq!(failure(&world, &key).await.status(), Some(307));
    assert_eq!(world.proxy.verifies(), 1);
}

async fn nothing_is_taken_for_a_verdict_that_is_none(server: TestServer) {
    let world = World::client(&server, |builder| builder).await;
    let key = world.key().await;
    let bodies = [
        "",
        "{}",
        "[]",
        r#"{"valid":true}"#,
        r#"{"valid":"true","code":"VALID"}"#,
        r#"{"valid":true,"code":"VALID"}"#,
        r#"{"valid":false,"code":"KEY_REVOKED"}"#,
        "<html>",
    ];
    for body in bodies {
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        world.proxy.answer_next(answer);
        assert_eq!(failure(&world, &key).await.reason(), Reason::Answer, "{body}");
    }
    // Nor is one that never ends.
    let endless = format!("HTTP/1.1 200 OK\r\n\r\n{}", " ".repeat((1 << 20) + 1));
    world.proxy.answer_next(endless);
    assert_eq!(failure(&world, &key).await.reason(), Reason::Answer);
    // Half of one is no whole answer, and asked for again.
    world
        .proxy
        .answer_next("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nnot a length\r\n");
    world.valid(&key).await;
}

async fn it_fails_closed_where_nobody_listens(server: TestServer) {
    let world = World::client(&server, |builder| builder).await;
    let key = world.key().await;
    world.proxy.go_down();
    assert_eq!(failure(&world, &key).await.reason(), Reason::Network);
}

async fn https_never_becomes_plain_http(server: TestServer) {
    let world = World::client(&server, |builder| builder).await;
    let key = world.key().await;
    let https = world.proxy.url().replace("http:", "https:");
    let client = Client::builder()
        .url(https)
        .api_key(world.own.secret.reveal())
        .build();
    // Where the platform trusts no certificate there is no client.
    if let Ok(client) = client {
        let error = client
            .verify(&key.presented(), &Question::default())
            .await
            .unwrap_err();
        assert!(
            matches!(error.reason(), Reason::Network | Reason::Deadline),
            "{error}"
        );
    }
    assert_eq!(world.proxy.calls(), []);
    assert_eq!(world.proxy.feeds(), []);
}

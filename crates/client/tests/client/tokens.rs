//! Short-lived tokens: which are verified without a call, and about which the server is asked.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::Method;
use serde_json::{Value, json};
use tigertrust_client::{
    Client, ClientBuilder, Clock, Entity, PresentedKey, Question, State, Tokens, Verdict,
};
use tigertrust_model::KeyType;
use tigertrust_testkit::{TestServer, on_both_engines, send};
use tokio::time::timeout;

use crate::support::{Key, World, eventually};

on_both_engines!(
    a_token_is_verified_without_a_call_with_the_server_s_verdict,
    a_token_of_a_revoked_key_is_refused_within_a_second,
    a_token_is_refused_as_the_server_refuses_it,
    a_forged_or_malformed_token_is_refused_without_a_call,
    an_expired_token_is_refused_without_a_call,
    a_token_of_a_key_that_is_bound_to_networks_is_asked_about,
    a_token_is_asked_about_while_the_feed_is_cut_and_not_after_that,
    a_token_is_asked_about_once_its_key_has_changed_or_anything_may_have,
    a_token_is_asked_about_if_the_settings_say_so_or_nothing_is_followed,
    a_token_of_another_issuer_is_asked_about,
    a_workspace_s_key_is_enough_for_the_tokens_of_that_workspace,
    the_signing_keys_are_fetched_once_for_all_who_wait,
    a_question_that_is_the_server_s_to_judge_is_asked,
);

const NONE: Question<'static> = Question {
    key_type: None,
    scope: None,
    workspace_id: None,
    client_address: None,
};

/// The token of a key, as something to present.
async fn exchange(server: &TestServer, key: &Key) -> Key {
    let request = server
        .request(Method::POST, "/api/tokens")
        .header("X-Agent-API-Key", &key.text)
        .json(&json!({}));
    let answer = send(request).await;
    assert_eq!(answer.status, 201, "{:?}", answer.body);
    Key {
        id: key.id,
        text: answer.body["token"].as_str().unwrap().to_owned(),
    }
}

/// A client that verifies tokens itself.
async fn follower<'a>(
    server: &'a TestServer,
    settings: impl FnOnce(ClientBuilder) -> ClientBuilder,
) -> World<'a> {
    let world = World::follower(server, |builder| settings(builder.issuer(server.base_url()))).await;
    verifies_itself(&world).await;
    world
}

/// Waits until the client knows what the service's own key hears of.
async fn verifies_itself(world: &World<'_>) {
    let key = world.key().await;
    let is_so = async || {
        // Each of its own: what the server says of one is remembered.
        let token = exchange(world.server, &key).await;
        is_verified_here(world, &token).await
    };
    tigertrust_testkit::eventually(true, is_so).await;
}

async fn is_verified_here(world: &World<'_>, token: &Key) -> bool {
    let before = world.proxy.verifies();
    world.valid(token).await;
    world.proxy.verifies() == before
}

/// The same server, asked about each token.
fn asking(world: &World<'_>) -> Client {
    let builder = Client::builder()
        .url(world.server.base_url())
        .api_key(world.own.secret.reveal())
        .deadline(Duration::from_secs(20))
        .clock(std::sync::Arc::clone(&world.clock) as std::sync::Arc<dyn Clock>);
    builder.tokens(Tokens::Online).build().unwrap()
}

fn key_set_fetches(world: &World<'_>) -> usize {
    let calls = world.proxy.calls();
    let fetches = calls.iter().filter(|call| call.path == "/.well-known/jwks.json");
    fetches.count()
}

async fn a_token_is_verified_without_a_call_with_the_server_s_verdict(server: TestServer) {
    let world = follower(&server, |builder| builder).await;
    let key = world.key_with(json!({"externalId": "customer-42"})).await;
    let token = exchange(&server, &key).await;
    let before = world.proxy.verifies();
    let home = world.home.id.to_string();
    let question = Question {
        key_type: Some(KeyType::Agent),
        scope: Some("certificates:read"),
        workspace_id: Some(&home),
        client_address: None,
    };
    let verdict = world.valid_for(&token, &question).await;
    for _ in 0..20 {
        world.valid(&token).await;
    }
    assert_eq!(world.proxy.verifies(), before);
    assert_eq!(key_set_fetches(&world), 1);
    assert_eq!(verdict.external_id.as_deref(), Some("customer-42"));

    let said = asking(&world)
        .verify(&token.presented(), &question)
        .await
        .unwrap();
    let mut said = said.valid().unwrap().as_ref().clone();
    said.rate_limits.clear();
    assert_eq!(*verdict, said);
}

async fn a_token_of_a_revoked_key_is_refused_within_a_second(server: TestServer) {
    let world = follower(&server, |builder| builder).await;
    let key = world.key().await;
    let token = exchange(&server, &key).await;
    let before = world.proxy.verifies();
    world.valid(&token).await;
    world.revoke(&key).await;
    let refused = async {
        while world.code(&token).await != "KEY_REVOKED" {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(1), refused).await.unwrap();
    assert_eq!(world.proxy.verifies(), before + 1);
}

async fn a_token_is_refused_as_the_server_refuses_it(server: TestServer) {
    let world = follower(&server, |builder| builder).await;
    let online = asking(&world);
    let token = exchange(&server, &world.key().await).await;
    let before = world.proxy.verifies();
    let elsewhere = Some("ws_00000000000000000000000000");
    let public = Some(KeyType::Public);
    let write = Some("certificates:write");
    for (key_type, workspace_id, scope, code) in [
        (public, None, None, "FORBIDDEN"),
        (None, elsewhere, None, "WORKSPACE_ACCESS_DENIED"),
        (None, Some(""), None, "WORKSPACE_ACCESS_DENIED"),
        (None, None, write, "FORBIDDEN"),
        (None, None, Some("keys:read"), "FORBIDDEN"),
        (public, elsewhere, write, "FORBIDDEN"),
        (None, elsewhere, write, "WORKSPACE_ACCESS_DENIED"),
    ] {
        let question = Question {
            key_type,
            scope,
            workspace_id,
            client_address: None,
        };
        assert_eq!(world.code_for(&token, &question).await, code);
        let own = world.verify(&token, &question).await.unwrap();
        let said = online.verify(&token.presented(), &question).await.unwrap();
        let (own, said) = (own.refused().unwrap(), said.refused().unwrap());
        let mut said = said.as_ref().clone();
        said.rate_limits.clear();
        assert_eq!(**own, said);
    }
    assert_eq!(world.proxy.verifies(), before);
}

async fn a_forged_or_malformed_token_is_refused_without_a_call(server: TestServer) {
    let world = follower(&server, |builder| builder).await;
    let token = exchange(&server, &world.key().await).await;
    let before = world.proxy.verifies();
    let (signed, signature) = token.text.rsplit_once('.').unwrap();
    let (header, payload) = signed.split_once('.').unwrap();
    let mut claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
    claims["scope"] = json!("certificates:*");
    let more = URL_SAFE_NO_PAD.encode(claims.to_string());
    for (text, detail) in [
        (
            format!("{header}.{more}.{signature}"),
            "The token was not issued by this server, or has been tampered with.",
        ),
        (
            format!("{signed}.{}", "A".repeat(86)),
            "The token was not issued by this server, or has been tampered with.",
        ),
        (signed.to_owned(), "The token is malformed or cut short."),
        (format!("{}A", token.text), "The token is malformed or cut short."),
    ] {
        let verdict = world
            .client
            .verify(&PresentedKey::new(&text), &NONE)
            .await
            .unwrap();
        let refused = verdict.refused().unwrap();
        assert_eq!(
            (refused.code.as_str(), refused.detail.as_str()),
            ("UNAUTHORIZED", detail)
        );
        assert_eq!(refused.key_id, None);
    }
    assert_eq!(world.proxy.verifies(), before);
    // What is good is still good.
    assert!(is_verified_here(&world, &token).await);
}

async fn an_expired_token_is_refused_without_a_call(server: TestServer) {
    let world = follower(&server, |builder| builder).await;
    let token = exchange(&server, &world.key().await).await;
    let before = world.proxy.verifies();
    world.clock.set_wall_ahead(Duration::from_secs(600));
    assert_eq!(world.code(&token).await, "TOKEN_EXPIRED");
    let verdict = world.verify(&token, &NONE).await.unwrap();
    assert_eq!(verdict.refused().unwrap().key_id, Some(token.id));
    assert_eq!(world.proxy.verifies(), before);
}

async fn a_token_of_a_key_that_is_bound_to_networks_is_asked_about(server: TestServer) {
    let world = follower(&server, |builder| builder).await;
    let bound = world
        .key_with(json!({"allowedCidrs": ["127.0.0.0/8", "::1/128", "192.0.2.0/24"]}))
        .await;
    let token = exchange(&server, &bound).await;
    let before = world.proxy.verifies();
    let from = |address: &str| Question {
        client_address: Some(address.parse().unwrap()),
        ..NONE
    };
    world.valid_for(&token, &from("192.0.2.1")).await;
    let refused = world.code_for(&token, &from("198.51.100.1")).await;
    assert_eq!(refused, "FORBIDDEN");
    assert_eq!(world.proxy.verifies(), before + 2);
}

async fn a_token_is_asked_about_while_the_feed_is_cut_and_not_after_that(server: TestServer) {
    let world = follower(&server, |builder| builder).await;
    let token = exchange(&server, &world.key().await).await;
    assert!(is_verified_here(&world, &token).await);
    world.proxy.cut_feed();
    eventually("the client has noticed", || {
        world.client.state() == State::Connecting
    })
    .await;
    assert!(!is_verified_here(&world, &token).await);
    world.proxy.restore_feed();
    eventually("the client follows again", || {
        world.client.state() == State::Following
    })
    .await;
    // The history has no gap.
    assert!(world.proxy.feeds().last().unwrap().is_some());
    assert!(is_verified_here(&world, &token).await);
}

async fn a_token_is_asked_about_once_its_key_has_changed_or_anything_may_have(server: TestServer) {
    let world = follower(&server, |builder| builder).await;
    let (key, other) = (world.key().await, world.key().await);
    let (token, untouched) = (exchange(&server, &key).await, exchange(&server, &other).await);
    assert!(is_verified_here(&world, &token).await);
    world.edit_and_hear(&key, "another name").await;
    assert!(!is_verified_here(&world, &token).await);
    assert!(is_verified_here(&world, &untouched).await);
    // One that was issued after the change knows of it.
    let fresh = exchange(&server, &key).await;
    assert!(is_verified_here(&world, &fresh).await);

    let workspace = Entity::Workspace(world.home.id);
    let pro = "pro".parse().unwrap();
    server.workspaces.set_plan(world.home.id, pro).await.unwrap();
    world.hears_of(workspace).await;
    assert!(!is_verified_here(&world, &untouched).await);

    let another = exchange(&server, &other).await;
    assert!(is_verified_here(&world, &another).await);
    world.proxy.say_on_feed("id: 7\nevent: reset\ndata: {}\n\n");
    let verdict = async || {
        let before = world.proxy.verifies();
        // Each of its own, so that none is remembered.
        let token = exchange(&server, &other).await;
        world.valid(&token).await;
        world.proxy.verifies() > before
    };
    tigertrust_testkit::eventually(true, verdict).await;
}

async fn a_token_is_asked_about_if_the_settings_say_so_or_nothing_is_followed(server: TestServer) {
    let settings: [fn(ClientBuilder) -> ClientBuilder; 4] = [
        |builder| builder.tokens(Tokens::Online),
        |builder| builder.lease(1),
        |builder| builder.cache_size(0),
        |builder| builder.life(Duration::ZERO),
    ];
    for set in settings {
        let world = World::client(&server, |builder| set(builder.issuer(server.base_url()))).await;
        let token = exchange(&server, &world.key().await).await;
        world.valid(&token).await;
        assert_eq!(world.proxy.verifies(), 1);
        assert_eq!(key_set_fetches(&world), 0);
    }
}

async fn a_token_of_another_issuer_is_asked_about(server: TestServer) {
    // The address of the proxy is not that of the server.
    let world = World::follower(&server, |builder| builder).await;
    for _ in 0..2 {
        let token = exchange(&server, &world.key().await).await;
        assert!(!is_verified_here(&world, &token).await);
    }
    assert_eq!(key_set_fetches(&world), 1);
}

async fn a_workspace_s_key_is_enough_for_the_tokens_of_that_workspace(server: TestServer) {
    let instance = follower(&server, |builder| builder).await;
    let own = server.admin(&instance.home).await;
    let home = instance.home.clone();
    let world = World::of(&server, home, own, |builder| builder.issuer(server.base_url())).await;
    world.client.start();
    world.follows().await;
    verifies_itself(&world).await;
    // Of an instance key it hears nothing: the server is asked, which does not tell either.
    let instance_key = Key {
        id: instance.own.key.id,
        text: instance.own.secret.reveal().to_owned(),
    };
    let token = exchange(&server, &instance_key).await;
    assert!(is_verified_here(&instance, &token).await);
    let before = world.proxy.verifies();
    let verdict = world.verify(&token, &NONE).await.unwrap();
    assert!(matches!(verdict, Verdict::Refused(_)));
    assert_eq!(world.proxy.verifies(), before + 1);
}

async fn the_signing_keys_are_fetched_once_for_all_who_wait(server: TestServer) {
    let world = World::follower(&server, |builder| builder.issuer(server.base_url())).await;
    let key = world.key().await;
    let mut verifying = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let token = exchange(&server, &key).await;
        let client = world.client.clone();
        verifying.spawn(async move { client.verify(&token.presented(), &NONE).await });
    }
    while let Some(verdict) = verifying.join_next().await {
        assert!(verdict.unwrap().unwrap().is_valid());
    }
    assert_eq!(key_set_fetches(&world), 1);
    // A name that is not known is not asked for again at once.
    let token = exchange(&server, &key).await;
    let (_, rest) = token.text.split_once('.').unwrap();
    let header = r#"{"alg":"EdDSA","typ":"at+jwt","kid":"tigertrust-0000000000000000"}"#;
    let stranger = format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header));
    let before = world.proxy.verifies();
    let verdict = world
        .client
        .verify(&PresentedKey::new(&stranger), &NONE)
        .await
        .unwrap();
    assert_eq!(verdict.refused().unwrap().code.as_str(), "UNAUTHORIZED");
    assert_eq!(world.proxy.verifies(), before + 1);
    assert_eq!(key_set_fetches(&world), 1);
}

async fn a_question_that_is_the_server_s_to_judge_is_asked(server: TestServer) {
    let world = follower(&server, |builder| builder).await;
    let token = exchange(&server, &world.key().await).await;
    for scope in ["certificates:*", "certificates", "Certificates:read", ""] {
        let before = world.proxy.verifies();
        let question = Question {
            scope: Some(scope),
            ..NONE
        };
        let _ = world.verify(&token, &question).await;
        assert_eq!(world.proxy.verifies(), before + 1, "{scope}");
    }
}

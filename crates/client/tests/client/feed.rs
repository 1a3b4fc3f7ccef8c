//! What the feed brings, and what happens without it.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tigertrust_accounts::{OwnerRequest, ReachRequest};
use tigertrust_client::{Entity, Question, Reason, State};
use tigertrust_model::Role;
use tigertrust_testkit::{TestServer, on_both_engines};
use tokio::time::timeout;

use crate::support::{Key, World, eventually};

on_both_engines!(
    a_revoked_key_is_refused_within_a_second,
    another_server_s_revocation_comes_too,
    a_change_drops_what_depends_on_it_and_nothing_else,
    a_change_to_a_workspace_drops_the_verdicts_of_its_keys,
    a_change_to_a_role_drops_the_verdicts_of_personal_keys,
    nothing_remembered_is_served_once_it_is_silent_for_too_long,
    nothing_remembered_is_served_once_it_is_cut,
    it_goes_on_where_it_was_cut_and_then_uses_what_is_still_right,
    nothing_remembered_is_served_until_it_has_caught_up,
    what_comes_after_too_long_a_silence_revives_nothing,
    a_reset_and_an_event_that_nobody_knows_drop_everything,
    it_ends_with_the_services_own_key_and_so_does_all_that_is_remembered,
    it_is_not_opened_where_nothing_is_to_be_remembered,
    a_server_that_is_gone_lets_nobody_in_and_comes_back_by_itself,
    it_is_followed_again_when_the_runtime_that_did_has_ended,
    what_listeners_do_is_ignored,
);

async fn a_revoked_key_is_refused_within_a_second(server: TestServer) {
    let world = World::follower(&server, |builder| builder.lease(1_000_000)).await;
    let key = world.key().await;
    world.valid(&key).await;
    world.revoke(&key).await;
    let refused = async {
        while world.code(&key).await != "KEY_REVOKED" {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(1), refused).await.unwrap();
    assert_eq!(world.proxy.verifies(), 2);
}

async fn another_server_s_revocation_comes_too(server: TestServer) {
    let world = World::follower(&server, |builder| builder.lease(1_000_000)).await;
    let key = world.key().await;
    world.valid(&key).await;
    let second = server.second().await;
    let operator = tigertrust_accounts::Actor::operator();
    second.keys.revoke(&operator, key.id, None).await.unwrap();
    world.hears_of(Entity::Key(key.id)).await;
    assert_eq!(world.code(&key).await, "KEY_REVOKED");
    assert_eq!(world.proxy.verifies(), 2);
}

async fn a_change_drops_what_depends_on_it_and_nothing_else(server: TestServer) {
    let world = World::follower(&server, |builder| builder).await;
    let (edited, other) = (world.key().await, world.key().await);
    world.valid(&edited).await;
    world.valid(&other).await;
    world.edit_and_hear(&edited, "another name").await;
    world.valid(&other).await;
    assert_eq!(world.proxy.verifies(), 2);
    assert_eq!(world.valid(&edited).await.name, "another name");
    assert_eq!(world.proxy.verifies(), 3);
}

async fn a_change_to_a_workspace_drops_the_verdicts_of_its_keys(server: TestServer) {
    let world = World::follower(&server, |builder| builder).await;
    let elsewhere = World::client(&server, |builder| builder).await;
    let (own, other) = (world.key().await, elsewhere.key().await);
    world.valid(&own).await;
    world.valid(&other).await;
    let pro = "pro".parse().unwrap();
    server.workspaces.set_plan(world.home.id, pro).await.unwrap();
    world.hears_of(Entity::Workspace(world.home.id)).await;
    assert!(world.is_remembered(&other).await);
    assert_eq!(world.valid(&own).await.plan.as_deref(), Some("pro"));
}

async fn a_change_to_a_role_drops_the_verdicts_of_personal_keys(server: TestServer) {
    let world = World::follower(&server, |builder| builder).await;
    let person = server.member(&world.home, Role::Admin).await;
    let new = tigertrust_accounts::NewKey {
        scopes: vec!["certificates:write".to_owned()],
        owner: OwnerRequest::Person(person),
        ..tigertrust_accounts::NewKey::new(
            "personal",
            tigertrust_model::KeyType::Agent,
            ReachRequest::Workspace {
                home: world.home.id,
                others: Vec::new(),
            },
        )
    };
    let operator = tigertrust_accounts::Actor::operator();
    let issued = server.keys.create(&operator, new).await.unwrap();
    let key = Key {
        id: issued.key.id,
        text: issued.secret.reveal().to_owned(),
    };
    let question = Question {
        scope: Some("certificates:write"),
        ..Question::default()
    };
    assert_eq!(world.valid_for(&key, &question).await.owner_id, Some(person));
    world.forget_changes();
    server.set_role(&world.home, person, Some(Role::Viewer)).await;
    world.hears_of(Entity::User(person)).await;
    assert_eq!(world.code_for(&key, &question).await, "FORBIDDEN");
}

async fn nothing_remembered_is_served_once_it_is_silent_for_too_long(server: TestServer) {
    let world = World::follower(&server, |builder| builder.lease(1_000_000)).await;
    let key = world.key().await;
    world.valid(&key).await;
    world.proxy.silence_feed();
    world.revoke(&key).await;
    // Within the bound nobody can know better.
    assert_eq!(world.code(&key).await, "VALID");
    world.clock.jump(Duration::from_secs(30));
    assert_eq!(world.code(&key).await, "KEY_REVOKED");
    assert_eq!(world.client.state(), State::Connecting);
}

async fn cut(world: &World<'_>) {
    world.proxy.cut_feed();
    eventually("the client has noticed", || {
        world.client.state() == State::Connecting
    })
    .await;
}

async fn nothing_remembered_is_served_once_it_is_cut(server: TestServer) {
    let world = World::follower(&server, |builder| builder).await;
    let key = world.key().await;
    world.valid(&key).await;
    cut(&world).await;
    for _ in 0..3 {
        world.valid(&key).await;
    }
    world.revoke(&key).await;
    assert_eq!(world.code(&key).await, "KEY_REVOKED");
    assert_eq!(world.proxy.costs(), [10, 1, 1, 1, 1]);
}

async fn it_goes_on_where_it_was_cut_and_then_uses_what_is_still_right(server: TestServer) {
    let world = World::follower(&server, |builder| builder).await;
    let (revoked, kept) = (world.key().await, world.key().await);
    world.valid(&revoked).await;
    world.valid(&kept).await;
    cut(&world).await;
    world.revoke(&revoked).await;
    world.proxy.restore_feed();
    world.follows().await;
    assert!(world.proxy.feeds().last().unwrap().is_some());
    world.valid(&kept).await;
    assert_eq!(world.proxy.verifies(), 2);
    assert_eq!(world.code(&revoked).await, "KEY_REVOKED");
}

async fn nothing_remembered_is_served_until_it_has_caught_up(server: TestServer) {
    let world = World::follower(&server, |builder| builder).await;
    let key = world.key().await;
    world.valid(&key).await;
    cut(&world).await;
    world.revoke(&key).await;
    world.proxy.restore_beginning_of_feed();
    eventually("the feed has begun", || world.client.state() == State::CatchingUp).await;
    assert_eq!(world.code(&key).await, "KEY_REVOKED");
    world.proxy.restore_feed();
    world.follows().await;
}

async fn what_comes_after_too_long_a_silence_revives_nothing(server: TestServer) {
    let world = World::follower(&server, |builder| builder.staleness(Duration::from_secs(10))).await;
    let key = world.key().await;
    world.valid(&key).await;
    assert!(world.is_remembered(&key).await);
    // As if the whole process had stood still.
    world.clock.jump(Duration::from_secs(11));
    assert_eq!(world.client.state(), State::Connecting);
    assert!(!world.is_remembered(&key).await);
    eventually("the feed was opened again", || world.proxy.feeds().len() > 1).await;
    world.follows().await;
    assert!(world.is_remembered(&key).await);
}

async fn a_reset_and_an_event_that_nobody_knows_drop_everything(server: TestServer) {
    let world = World::follower(&server, |builder| builder).await;
    let key = world.key().await;
    let events = [
        "event: reset\ndata: {}\n\n",
        "event: tenant\ndata: {}\n\n",
        "event: key\ndata: {\n\n",
        "event: key\ndata: {\"id\":\"usr_01m86e81hvfe1863dw5f5bmcn9\"}\n\n",
    ];
    for event in events {
        world.settle();
        world.valid(&key).await;
        assert!(world.is_remembered(&key).await);
        world.proxy.say_on_feed(event);
        tigertrust_testkit::eventually(false, async || world.is_remembered(&key).await).await;
    }
}

async fn it_ends_with_the_services_own_key_and_so_does_all_that_is_remembered(server: TestServer) {
    let world = World::follower(&server, |builder| builder).await;
    let key = world.key().await;
    world.valid(&key).await;
    let operator = tigertrust_accounts::Actor::operator();
    server
        .keys
        .revoke(&operator, world.own.key.id, None)
        .await
        .unwrap();
    // Every instance key's change is one that the client hears of; then the feed ends.
    tigertrust_testkit::eventually(Some(401), async || {
        let verdict = world.verify(&key, &Question::default()).await;
        verdict.err().and_then(|error| error.status())
    })
    .await;
    eventually("the feed is refused", || world.proxy.feeds().len() > 1).await;
    assert_eq!(world.client.state(), State::Connecting);
}

async fn it_is_not_opened_where_nothing_is_to_be_remembered(server: TestServer) {
    type Setting = fn(tigertrust_client::ClientBuilder) -> tigertrust_client::ClientBuilder;
    let settings: [Setting; 3] = [
        |builder| builder.lease(1),
        |builder| builder.cache_size(0),
        |builder| builder.life(Duration::ZERO),
    ];
    for setting in settings {
        let world = World::client(&server, setting).await;
        let key = world.key().await;
        world.client.start();
        world.valid(&key).await;
        world.valid(&key).await;
        assert_eq!(world.proxy.costs(), [1, 1]);
        assert_eq!(world.proxy.feeds(), []);
        assert_eq!(world.client.state(), State::Idle);
    }
}

async fn a_server_that_is_gone_lets_nobody_in_and_comes_back_by_itself(server: TestServer) {
    let world = World::follower(&server, |builder| builder).await;
    let key = world.key().await;
    world.valid(&key).await;
    world.proxy.go_down();
    eventually("the client has noticed", || {
        world.client.state() == State::Connecting
    })
    .await;
    let error = world.verify(&key, &Question::default()).await.unwrap_err();
    assert_eq!(error.reason(), Reason::Network);
    world.proxy.come_back();
    world.valid(&key).await;
    world.follows().await;
    assert!(world.is_remembered(&key).await);
}

async fn it_is_followed_again_when_the_runtime_that_did_has_ended(server: TestServer) {
    let world = World::client(&server, |builder| builder).await;
    let key = world.key().await;
    let (client, presented) = (world.client.clone(), key.presented());
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            client.verify(&presented, &Question::default()).await.unwrap();
            eventually("the feed has begun", || client.state() == State::CatchingUp).await;
        });
    });
    tokio::task::spawn_blocking(move || thread.join().unwrap())
        .await
        .unwrap();
    assert_eq!(world.client.state(), State::Connecting);
    world.valid(&key).await;
    world.follows().await;
    world.valid(&key).await;
    assert!(world.is_remembered(&key).await);
}

async fn what_listeners_do_is_ignored(server: TestServer) {
    let states = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&states);
    let world = World::follower(&server, |builder| {
        builder.on_state(move |state, _| {
            told.lock().unwrap().push(state);
            panic!("a listener's own business");
        })
    })
    .await;
    world.client.close().await;
    let expected = [
        State::Connecting,
        State::CatchingUp,
        State::Following,
        State::Closed,
    ];
    assert_eq!(*states.lock().unwrap(), expected);
}

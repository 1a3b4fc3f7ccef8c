//! What a verify answers, and what is remembered of it.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use tigertrust_accounts::{NewKey, ReachRequest};
use tigertrust_client::{Entity, PresentedKey, Question, Reason, State};
use tigertrust_model::KeyType;
use tigertrust_testkit::{TestServer, eventually, on_both_engines};

use crate::support::{Key, World};

on_both_engines!(
    it_tells_what_a_valid_key_is_worth,
    it_tells_why_a_key_is_refused,
    what_cannot_be_a_key_is_refused_without_a_call,
    a_remembered_verdict_is_served_without_a_call,
    another_question_about_the_same_key_is_asked_for_itself,
    refusals_are_not_remembered,
    the_expiry_is_compared_at_each_use,
    a_verdict_past_its_life_is_asked_for_again,
    the_questions_used_least_recently_are_forgotten,
    verdicts_for_other_workspaces_are_remembered_only_where_changes_are_heard,
    a_closed_client_is_not_available,
    a_dropped_client_follows_no_more,
);

const NONE: Question<'_> = Question {
    key_type: None,
    scope: None,
    workspace_id: None,
    client_address: None,
};

async fn it_tells_what_a_valid_key_is_worth(server: TestServer) {
    let world = World::client(&server, |builder| builder).await;
    let key = world
        .key_with(json!({"name": "web", "externalId": "customer-42", "metadata": {"team": {"name": "web"}}}))
        .await;
    let question = Question {
        key_type: Some(KeyType::Agent),
        scope: Some("certificates:read"),
        client_address: Some([192, 0, 2, 7].into()),
        ..NONE
    };
    let verdict = world.valid_for(&key, &question).await;
    assert_eq!(verdict.key_id, key.id);
    assert_eq!(verdict.key_type, KeyType::Agent);
    assert_eq!(verdict.name, "web");
    assert_eq!(verdict.external_id.as_deref(), Some("customer-42"));
    assert_eq!(verdict.metadata["team"], json!({"name": "web"}));
    assert_eq!(verdict.owner_id, None);
    assert_eq!(verdict.home_workspace_id, Some(world.home.id));
    assert_eq!(verdict.workspace_id, Some(world.home.id));
    assert_eq!(verdict.scopes, ["certificates:read"]);
    assert_eq!(verdict.expires_at, None);
    assert_eq!(verdict.plan.as_deref(), Some("free"));
    assert_eq!(verdict.rate_limits[0].policy, "minute");
}

async fn it_tells_why_a_key_is_refused(server: TestServer) {
    let world = World::client(&server, |builder| builder).await;
    let (revoked, off, known) = (world.key().await, world.key().await, world.key().await);
    let bound = world.key_with(json!({"allowedCidrs": ["192.0.2.0/24"]})).await;
    world.revoke(&revoked).await;
    world.edit(&off, json!({"active": false})).await;
    assert_eq!(world.code(&revoked).await, "KEY_REVOKED");
    assert_eq!(world.code(&off).await, "UNAUTHORIZED");
    assert_eq!(world.code(&bound).await, "FORBIDDEN");
    let near = Question {
        client_address: Some([192, 0, 2, 1].into()),
        ..NONE
    };
    assert_eq!(world.code_for(&bound, &near).await, "VALID");
    let public = Question {
        key_type: Some(KeyType::Public),
        ..NONE
    };
    assert_eq!(world.code_for(&known, &public).await, "FORBIDDEN");
    let nowhere = Question {
        workspace_id: Some("ws_00000000000000000000000000"),
        ..NONE
    };
    assert_eq!(world.code_for(&known, &nowhere).await, "WORKSPACE_ACCESS_DENIED");
    let unknown = PresentedKey::new("ak_00000000000000000000000000000000000000000002PL60u");
    let verdict = world.client.verify(&unknown, &NONE).await.unwrap();
    assert_eq!(verdict.refused().unwrap().code.as_str(), "UNAUTHORIZED");

    let write = Question {
        scope: Some("certificates:write"),
        ..NONE
    };
    let verdict = world.verify(&known, &write).await.unwrap();
    let refused = verdict.refused().unwrap();
    assert_eq!(refused.code.as_str(), "FORBIDDEN");
    assert_eq!(refused.key_id, Some(known.id));
    assert!(
        refused.detail.contains("certificates:write"),
        "{}",
        refused.detail
    );
    assert_eq!(refused.rate_limits.len(), 2);
}

async fn what_cannot_be_a_key_is_refused_without_a_call(server: TestServer) {
    let world = World::client(&server, |builder| builder).await;
    let key = world.key().await.text;
    let cut = &key[..key.len() - 1];
    let swapped = format!("{cut}{}", if key.ends_with('0') { '1' } else { '0' });
    let values = [
        "",
        "ak_",
        "secret",
        &swapped,
        cut,
        &format!("{key}0"),
        &format!("{key}\n"),
        &key.replace("ak_", "xk_"),
    ];
    for value in values {
        let verdict = world
            .client
            .verify(&PresentedKey::new(value), &NONE)
            .await
            .unwrap();
        assert_eq!(verdict.refused().unwrap().code.as_str(), "UNAUTHORIZED");
    }
    assert_eq!(world.proxy.calls(), []);
}

async fn a_remembered_verdict_is_served_without_a_call(server: TestServer) {
    let world = World::follower(&server, |builder| builder).await;
    let key = world.key().await;
    let question = Question {
        scope: Some("certificates:read"),
        ..NONE
    };
    let first = world.valid_for(&key, &question).await;
    for _ in 0..5 {
        assert!(Arc::ptr_eq(&world.valid_for(&key, &question).await, &first));
    }
    assert_eq!(world.proxy.verifies(), 1);
}

async fn another_question_about_the_same_key_is_asked_for_itself(server: TestServer) {
    let world = World::follower(&server, |builder| builder).await;
    let key = world.key().await;
    let questions = [
        (NONE, "VALID"),
        (
            Question {
                scope: Some("certificates:write"),
                ..NONE
            },
            "FORBIDDEN",
        ),
        (
            Question {
                key_type: Some(KeyType::Public),
                ..NONE
            },
            "FORBIDDEN",
        ),
        (
            Question {
                client_address: Some([192, 0, 2, 1].into()),
                ..NONE
            },
            "VALID",
        ),
    ];
    for (question, code) in questions {
        assert_eq!(world.code_for(&key, &question).await, code);
    }
    assert_eq!(world.proxy.verifies(), 4);
}

async fn refusals_are_not_remembered(server: TestServer) {
    let world = World::follower(&server, |builder| builder).await;
    let key = world.key().await;
    world.revoke(&key).await;
    world.hears_of(Entity::Key(key.id)).await;
    for calls in 1..=3 {
        assert_eq!(world.code(&key).await, "KEY_REVOKED");
        assert_eq!(world.proxy.verifies(), calls);
    }
}

async fn the_expiry_is_compared_at_each_use(server: TestServer) {
    let world = World::follower(&server, |builder| builder.life(Duration::from_secs(7_200))).await;
    let key = world.key_with(json!({"expiresAt": "2027-01-15T09:00:00Z"})).await;
    world.valid(&key).await;
    assert!(world.is_remembered(&key).await);
    world.clock.set_wall_ahead(Duration::from_secs(3_599));
    assert!(world.is_remembered(&key).await);
    // By the service's clock it is over; the server, whose clock is behind, says no. Nothing is remembered of that.
    world.clock.set_wall_ahead(Duration::from_secs(3_600));
    assert!(!world.is_remembered(&key).await);
    assert!(!world.is_remembered(&key).await);
    // A wall clock that is set back makes no verdict live longer than it had to live when it was asked for.
    world.clock.set_wall_ahead(Duration::from_secs(3_590));
    assert!(!world.is_remembered(&key).await);
    assert!(world.is_remembered(&key).await);
    world.clock.set_wall_ahead(Duration::ZERO);
    world.clock.jump(Duration::from_secs(10));
    assert!(!world.is_remembered(&key).await);

    server.clock.advance(Duration::from_secs(3_600));
    eventually("TOKEN_EXPIRED".to_owned(), async || {
        let verdict = world.verify(&key, &NONE).await;
        verdict.map_or_else(
            |error| error.to_string(),
            |verdict| verdict.refused().unwrap().code.to_string(),
        )
    })
    .await;
}

async fn a_verdict_past_its_life_is_asked_for_again(server: TestServer) {
    let world = World::follower(&server, |builder| builder.life(Duration::from_secs(10))).await;
    let key = world.key().await;
    world.valid(&key).await;
    world.clock.jump(Duration::from_secs(9));
    assert!(world.is_remembered(&key).await);
    world.clock.jump(Duration::from_secs(1));
    assert!(!world.is_remembered(&key).await);
    assert_eq!(world.proxy.costs(), [10, 2]);
}

async fn the_questions_used_least_recently_are_forgotten(server: TestServer) {
    let world = World::follower(&server, |builder| builder.cache_size(2)).await;
    let [one, two, three] = [world.key().await, world.key().await, world.key().await];
    for key in [&one, &two, &one, &three, &one] {
        world.valid(key).await;
    }
    assert_eq!(world.proxy.verifies(), 3);
    world.valid(&two).await;
    assert_eq!(world.proxy.verifies(), 4);
}

async fn verdicts_for_other_workspaces_are_remembered_only_where_changes_are_heard(server: TestServer) {
    let by_instance = World::follower(&server, |builder| builder).await;
    let elsewhere = server.workspace("Elsewhere").await;
    let wide = server
        .keys
        .create(
            &tigertrust_accounts::Actor::operator(),
            NewKey::new(
                "wide",
                KeyType::Agent,
                ReachRequest::Workspace {
                    home: by_instance.home.id,
                    others: vec![elsewhere.id.to_string()],
                },
            ),
        )
        .await
        .unwrap();
    let key = Key {
        id: wide.key.id,
        text: wide.secret.reveal().to_owned(),
    };
    let there = elsewhere.id.to_string();
    let there = Question {
        workspace_id: Some(&there),
        ..NONE
    };
    eventually(true, async || by_instance.is_remembered_for(&key, &there).await).await;

    let own = server.admin(&by_instance.home).await;
    let by_workspace = World::of(&server, by_instance.home.clone(), own, |builder| builder).await;
    by_workspace.client.start();
    by_workspace.follows().await;
    eventually(true, async || {
        by_workspace.valid_for(&key, &there).await;
        let calls = by_workspace.proxy.calls();
        calls.iter().any(|call| call.path == "/api/auth/me")
    })
    .await;
    for _ in 0..5 {
        assert!(!by_workspace.is_remembered_for(&key, &there).await);
    }
    // At home it is told of everything.
    let before = by_workspace.proxy.verifies();
    for _ in 0..5 {
        by_workspace.valid(&key).await;
    }
    assert_eq!(by_workspace.proxy.verifies(), before + 1);
}

async fn a_closed_client_is_not_available(server: TestServer) {
    let world = World::follower(&server, |builder| builder).await;
    let key = world.key().await;
    world.valid(&key).await;
    world.client.close().await;
    assert_eq!(world.client.state(), State::Closed);
    let error = world.verify(&key, &NONE).await.unwrap_err();
    assert_eq!(error.reason(), Reason::Closed);
    world.client.start();
    world.client.close().await;
    assert_eq!(world.client.state(), State::Closed);
}

async fn a_dropped_client_follows_no_more(server: TestServer) {
    let (told, mut states) = tokio::sync::mpsc::unbounded_channel();
    let world = World::follower(&server, move |builder| {
        builder.on_state(move |state, why| {
            let _ = told.send((state, why.to_owned()));
        })
    })
    .await;
    let World { client, proxy, .. } = world;
    let clone = client.clone();
    drop(client);
    assert_eq!(clone.state(), State::Following);
    drop(clone);
    // The listener goes with what follows.
    let mut last = None;
    while let Some(state) = states.recv().await {
        last = Some(state.0);
    }
    assert_eq!(last, Some(State::Connecting));
    assert_eq!(proxy.feeds().len(), 1);
}

//! An instance within a program: what it admits, refuses and hears of.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop at once")]

mod support;

use support::{Embedded, verdict};
use tigertrust::{Actor, HeaderValues, KeyChanges, KeyType, KeyTypes, Need, Presented, Verification};
use tigertrust_testkit::{Engine, eventually};

/// Emits each named test for the engines that the crate is built with.
macro_rules! on_each_engine {
    ($($test:ident),+ $(,)?) => {
        on_each_engine!(@engine "postgres", postgres, Postgres, $($test),+);
        on_each_engine!(@engine "sqlite", sqlite, Sqlite, $($test),+);
    };
    (@engine $feature:literal, $module:ident, $engine:ident, $($test:ident),+) => {
        #[cfg(feature = $feature)]
        mod $module {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    super::$test(super::Embedded::start(super::Engine::$engine).await).await;
                }
            )+
        }
    };
}

on_each_engine!(
    a_key_is_admitted_with_its_workspace,
    what_a_key_lacks_refuses_it,
    a_revoked_key_is_refused_at_once,
    two_instances_over_one_database_hear_each_other,
    a_closed_instance_lets_no_unknown_key_in,
);

fn scope(name: &str) -> Need {
    Need {
        scope: Some(name.parse().expect("a scope")),
        ..Need::any_caller()
    }
}

async fn a_key_is_admitted_with_its_workspace(embedded: Embedded) {
    let Embedded { auth, first, .. } = &embedded;
    for issued in [&first.agent, &first.public] {
        let key = issued.secret.reveal();
        let permit = auth.admit_key(key, &scope("certificates:read")).await.unwrap();
        assert_eq!(permit.key().key.id, issued.key.id);
        assert_eq!(permit.workspace().unwrap().id, first.workspace.id);
    }
    let bearer = format!("Bearer {}", first.agent.secret.reveal());
    let id = first.workspace.id.to_string();
    let presented = Presented {
        authorization: HeaderValues::One(bearer.as_bytes()),
        workspace: HeaderValues::One(id.as_bytes()),
        ..Presented::default()
    };
    assert!(auth.admit(&presented, &Need::any_caller()).await.is_ok());
    assert!(auth.is_fresh());
}

async fn what_a_key_lacks_refuses_it(embedded: Embedded) {
    let Embedded { auth, first, .. } = &embedded;
    let public = first.public.secret.reveal();
    assert_eq!(
        verdict(auth, public, &scope("certificates:write")).await,
        "the scope certificates:write is missing"
    );
    let agents = Need {
        types: KeyTypes::AGENT,
        ..Need::any_caller()
    };
    assert_eq!(
        verdict(auth, public, &agents).await,
        "the key is of the wrong type"
    );
    let unknown = "ak_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf3CBj32";
    assert_eq!(
        verdict(auth, unknown, &Need::any_caller()).await,
        "the key is unknown"
    );
    let refused = auth.admit(&Presented::default(), &Need::any_caller()).await;
    assert_eq!(refused.unwrap_err().to_string(), "no credential was presented");

    let verdict = auth.verify(&verification(public, None)).await.unwrap();
    assert!(verdict.refusal().is_none());
    // To those who may not know of it, it does not exist.
    let acme = auth
        .workspaces()
        .create("Acme".to_owned(), "free".parse().unwrap(), first.user.id)
        .await
        .unwrap();
    let verdict = auth.verify(&verification(public, Some(acme.id))).await.unwrap();
    assert_eq!(verdict.refusal().unwrap().to_string(), "the key is unknown");
}

fn verification(key: &str, home: Option<tigertrust::WorkspaceId>) -> Verification<'_> {
    Verification {
        client: None,
        key,
        need: Need::any_caller(),
        workspace: None,
        home,
        cost: 1,
    }
}

async fn a_revoked_key_is_refused_at_once(embedded: Embedded) {
    let Embedded { auth, first, .. } = &embedded;
    let (key, any) = (first.agent.secret.reveal(), Need::any_caller());
    assert_eq!(verdict(auth, key, &any).await, "First agent key");
    auth.keys()
        .revoke(&Actor::operator(), first.agent.key.id, Some("leaked".to_owned()))
        .await
        .unwrap();
    assert_eq!(verdict(auth, key, &any).await, "the key is revoked");
}

async fn two_instances_over_one_database_hear_each_other(embedded: Embedded) {
    let Embedded { auth, first, .. } = &embedded;
    let other = embedded.second().await;
    let any = Need::any_caller();
    let issued = other
        .issue_key(
            first.workspace.id,
            KeyType::Agent,
            "shared",
            &["certificates:read"],
        )
        .await
        .unwrap();
    let key = issued.secret.reveal();
    eventually(true, async || auth.is_fresh() && other.is_fresh()).await;
    assert_eq!(verdict(auth, key, &any).await, "shared");
    assert_eq!(verdict(&other, key, &any).await, "shared");

    let switch_off = KeyChanges {
        active: Some(false),
        ..KeyChanges::default()
    };
    auth.keys()
        .edit(&Actor::operator(), issued.key.id, switch_off)
        .await
        .unwrap();
    assert_eq!(verdict(auth, key, &any).await, "the key is deactivated");
    eventually("the key is deactivated".to_owned(), async || {
        verdict(&other, key, &any).await
    })
    .await;

    other
        .keys()
        .revoke(&Actor::operator(), issued.key.id, None)
        .await
        .unwrap();
    eventually("the key is revoked".to_owned(), async || {
        verdict(auth, key, &any).await
    })
    .await;

    // One of them may end without the other.
    other.close().await;
    assert_eq!(
        verdict(auth, first.public.secret.reveal(), &any).await,
        "First public key"
    );
}

async fn a_closed_instance_lets_no_unknown_key_in(embedded: Embedded) {
    let Embedded { auth, first, .. } = &embedded;
    auth.close().await;
    auth.close().await;
    let key = first.public.secret.reveal();
    assert_eq!(verdict(auth, key, &Need::any_caller()).await, "unavailable");
}

//! What is good once, used by many at the same time.

use std::{env, sync::Arc, time::Duration};

use futures_util::future::join_all;
use tigertrust_accounts::{
    FlowError,
    ports::{AcceptedCode, CodeCheck, EndSessions, Joining, TotpFactor},
};
use tigertrust_credentials::{RecoveryCodeDigest, TotpStep};
use tigertrust_model::{Act, Session, UserId};
use tigertrust_storage::Options;
use tigertrust_testkit::{Engine, patient};

use crate::{
    invitations::{invitation, put},
    mail_tokens::{another_password, link},
    passkeys::{begun, token},
    support::{NOW, Node, World, on_both_engines},
};

on_both_engines!(
    a_session_that_ended_meanwhile_confirms_no_app,
    s11_racing_uses_of_one_step_accept_one,
    s14_racing_uses_of_one_recovery_code_accept_one,
    racing_uses_of_one_reset_link_accept_one,
    racing_uses_of_one_invitation_accept_one,
);

/// How many race; `scripts/test --full` sets more.
fn racers() -> usize {
    env::var("TIGERTRUST_TEST_RACERS").map_or(200, |number| number.parse().unwrap())
}

/// Whoever waits too long for a connection is refused for that, which would prove nothing.
fn node(world: &World) -> Node {
    let options = Options {
        acquire_timeout: Duration::from_secs(600),
        ..patient()
    };
    Node::open(world.database.url(), options)
}

/// A session of somebody with an app that waits to be confirmed.
async fn adding(world: &World) -> (UserId, Session) {
    let jo = world.user("jo@example.com").await;
    let session = begun(world, jo.id).await;
    let factor = TotpFactor {
        secret: format!("x1.e1.{}", "A".repeat(64)).parse().unwrap(),
        confirmed_at: None,
        last_step: None,
    };
    world
        .node
        .storage
        .sign_ins()
        .put_totp(jo.id, factor)
        .await
        .unwrap();
    (jo.id, session)
}

fn first_step() -> CodeCheck {
    Box::new(|_| Some(AcceptedCode::Totp(TotpStep::from_number(1))))
}

/// A session of somebody with an app and a recovery code.
async fn enrolled(world: &World) -> (UserId, Session) {
    let (jo, session) = adding(world).await;
    let store = world.node.storage.sign_ins();
    let added = store
        .confirm_totp(
            Act::of_operator(),
            &session,
            token().digest(),
            first_step(),
            vec![recovery_code()],
            NOW,
        )
        .await;
    assert!(added.unwrap().is_some());
    (jo, session)
}

async fn a_session_that_ended_meanwhile_confirms_no_app(engine: Engine) {
    let world = World::new(engine).await;
    let (jo, session) = adding(&world).await;
    let store = world.node.storage.sign_ins();
    store
        .end_sessions(Act::of_operator(), jo, EndSessions::All)
        .await
        .unwrap();
    let added = store
        .confirm_totp(
            Act::of_operator(),
            &session,
            token().digest(),
            first_step(),
            vec![recovery_code()],
            NOW,
        )
        .await;
    assert_eq!(added.unwrap(), None);
    let factors = store.account(jo, None).await.unwrap().unwrap().factors;
    let app = factors.totp.as_ref().unwrap();
    assert_eq!((app.confirmed_at, app.last_step), (None, None));
    assert_eq!(factors.recovery_codes, []);
}

fn recovery_code() -> RecoveryCodeDigest {
    RecoveryCodeDigest::from_bytes([7; 32])
}

/// How many of many that prove with the same code are accepted, each of which has looked at the code before.
async fn accepted(world: &World, session: Session, code: AcceptedCode) -> usize {
    let node = node(world);
    let uses = (0..racers()).map(|_| {
        let (store, session) = (node.storage.sign_ins(), session.clone());
        let check: CodeCheck = Box::new(move |_| Some(code));
        tokio::spawn(async move {
            store
                .note_proof(Act::of_operator(), &session, token().digest(), Some(check), NOW)
                .await
        })
    });
    let outcomes = join_all(uses).await.into_iter();
    outcomes
        .filter(|outcome| *outcome.as_ref().unwrap().as_ref().unwrap())
        .count()
}

async fn s11_racing_uses_of_one_step_accept_one(engine: Engine) {
    let world = World::new(engine).await;
    let (_, session) = enrolled(&world).await;
    let code = AcceptedCode::Totp(TotpStep::from_number(2));
    assert_eq!(accepted(&world, session, code).await, 1);
}

async fn s14_racing_uses_of_one_recovery_code_accept_one(engine: Engine) {
    let world = World::new(engine).await;
    let (_, session) = enrolled(&world).await;
    let code = AcceptedCode::Recovery(recovery_code());
    assert_eq!(accepted(&world, session, code).await, 1);
}

async fn racing_uses_of_one_reset_link_accept_one(engine: Engine) {
    let world = World::new(engine).await;
    let jo = world.user("jo@example.com").await;
    let token = link(&world, &jo, "jo@example.com").await;
    let tokens = node(&world).storage.mail_tokens();
    let uses = (0..racers()).map(|_| {
        let tokens = Arc::clone(&tokens);
        tokio::spawn(async move {
            tokens
                .reset_password(Act::of_operator(), token, jo.id, another_password(), NOW)
                .await
        })
    });
    let outcomes = join_all(uses).await.into_iter();
    let accepted = outcomes.filter(|outcome| *outcome.as_ref().unwrap().as_ref().unwrap());
    assert_eq!(accepted.count(), 1);
}

async fn racing_uses_of_one_invitation_accept_one(engine: Engine) {
    let world = World::new(engine).await;
    let home = world.workspace("home").await;
    let jo = world.user("jo@example.com").await;
    let token = token().digest();
    put(&world, invitation(&home, "jo@example.com"), token)
        .await
        .unwrap();
    let store = node(&world).storage.invitations();
    let uses = (0..racers()).map(|_| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            store
                .accept_invitation(Act::of_operator(), home.id, token, Joining::Person(jo.id), NOW)
                .await
        })
    });
    let outcomes: Vec<_> = join_all(uses).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    let spent = |outcome: &Result<_, _>| matches!(outcome, Ok(_) | Err(FlowError::NotFound));
    assert!(outcomes.iter().all(spent));
}

//! Passkeys and their challenges: what happens at the same time.

use futures_util::future::join_all;
use tigertrust_accounts::{
    Conflict, FlowError,
    passkeys::{Backup, ChallengeDigest, Passkey, PasskeyCredential, PasskeyUse},
    ports::{ChallengeSubject, FactorAdded, MAX_PASSKEYS, NewSession, PasskeyChallenge},
};
use tigertrust_credentials::{OsRandom, RecoveryCode, Token, TokenKind};
use tigertrust_model::{Act, Origin, PasskeyId, Session, SessionId, UserId};
use tigertrust_testkit::Engine;

use crate::support::{NOW, World, on_both_engines};

on_both_engines!(
    a_challenge_is_taken_by_one_caller,
    two_uses_against_one_count_are_one,
    a_use_is_the_owner_s_alone,
    the_recovery_codes_come_with_the_first_of_two_that_race,
    the_limit_holds_for_those_that_race,
);

pub(crate) fn token() -> Token {
    Token::generate(TokenKind::Session, &OsRandom).unwrap()
}

fn new_session(user: UserId) -> NewSession {
    NewSession {
        session: Session {
            id: SessionId::new(NOW, &OsRandom).unwrap(),
            user,
            created_at: NOW,
            expires_at: NOW.saturating_add(std::time::Duration::from_secs(60)),
            last_seen_at: NOW,
            proved_at: NOW,
            second_factor: true,
            sso: None,
            origin: Origin::default(),
        },
        token: token().digest(),
        device: None,
        cleared: Vec::new(),
        verified: None,
        rehash: None,
        refunded: None,
    }
}

fn passkey(user: UserId, name: &str) -> Passkey {
    Passkey {
        id: PasskeyId::new(NOW, &OsRandom).unwrap(),
        user,
        name: name.to_owned(),
        created_at: NOW,
        last_used_at: None,
        credential: PasskeyCredential {
            credential_id: name.as_bytes().to_vec(),
            public_key: vec![1, 2, 3],
            transports: 1,
            sign_count: 7,
            backup: Backup::Eligible,
        },
    }
}

fn used(passkey: &Passkey, sign_count: u32) -> PasskeyUse {
    PasskeyUse {
        passkey: passkey.id,
        counted_before: passkey.credential.sign_count,
        sign_count,
        backup: Backup::Exists,
        at: NOW,
    }
}

pub(crate) async fn begun(world: &World, user: UserId) -> Session {
    let new = new_session(user);
    let session = new.session.clone();
    assert!(world.node.storage.sign_ins().begin_session(new).await.unwrap());
    session
}

async fn add(world: &World, session: &Session, passkey: &Passkey) -> Result<Option<FactorAdded>, FlowError> {
    let codes = RecoveryCode::generate_set(&OsRandom).unwrap();
    let codes = codes.iter().map(RecoveryCode::digest).collect();
    let store = world.node.storage.passkeys();
    store
        .add_passkey(
            Act::of_operator(),
            session,
            token().digest(),
            passkey.clone(),
            codes,
        )
        .await
}

async fn a_challenge_is_taken_by_one_caller(engine: Engine) {
    let world = World::new(engine).await;
    let store = world.node.storage.passkeys();
    let challenge = ChallengeDigest::of(b"a challenge");
    assert_eq!(store.take_challenge(challenge).await.unwrap(), None);
    let waiting = PasskeyChallenge {
        subject: ChallengeSubject::Login.to_string(),
        state: format!("x1.e1.{}", "A".repeat(64)).parse().unwrap(),
        expires_at: NOW,
    };
    store.keep_challenge(challenge, waiting.clone()).await.unwrap();
    let taken = join_all((0..10).map(|_| store.take_challenge(challenge))).await;
    let taken: Vec<_> = taken.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(taken, [waiting]);
}

async fn two_uses_against_one_count_are_one(engine: Engine) {
    let world = World::new(engine).await;
    let user = world.user("jo@example.com").await;
    let session = begun(&world, user.id).await;
    let key = passkey(user.id, "laptop");
    assert_eq!(
        add(&world, &session, &key).await.unwrap(),
        Some(FactorAdded::First)
    );
    let store = world.node.storage.passkeys();
    let uses = (8..16).map(|count| store.begin_session_by_passkey(new_session(user.id), used(&key, count)));
    let begun = join_all(uses).await;
    let begun = begun.into_iter().filter(|begun| *begun.as_ref().unwrap()).count();
    assert_eq!(begun, 1);
    let account = store
        .account_by_credential(&key.credential.credential_id, None)
        .await
        .unwrap()
        .unwrap();
    let stored = &account.factors.passkeys[0];
    assert_eq!(stored.last_used_at, Some(NOW));
    assert_eq!(stored.credential.backup, Backup::Exists);
    assert!(stored.credential.sign_count > 7);
    let unknown = store.account_by_credential(b"unknown", None).await.unwrap();
    assert!(unknown.is_none());
}

async fn a_use_is_the_owner_s_alone(engine: Engine) {
    let world = World::new(engine).await;
    let (jo, other) = (
        world.user("jo@example.com").await,
        world.user("other@example.com").await,
    );
    let (session, theirs) = (begun(&world, jo.id).await, begun(&world, other.id).await);
    let key = passkey(jo.id, "laptop");
    add(&world, &session, &key).await.unwrap();
    let store = world.node.storage.passkeys();
    let stolen = store.begin_session_by_passkey(new_session(other.id), used(&key, 8));
    assert!(!stolen.await.unwrap());
    let renamed = store.rename_passkey(other.id, key.id, "mine".to_owned()).await;
    assert_eq!(renamed.unwrap(), None);
    let removed = store
        .remove_passkey(Act::of_operator(), &theirs, token().digest(), key.id)
        .await;
    assert!(matches!(removed, Err(FlowError::NotFound)), "{removed:?}");
    let again = add(&world, &theirs, &passkey(other.id, "laptop")).await;
    assert!(
        matches!(again, Err(FlowError::Conflict(Conflict::PasskeyKnown))),
        "{again:?}"
    );
}

async fn the_recovery_codes_come_with_the_first_of_two_that_race(engine: Engine) {
    let world = World::new(engine).await;
    let user = world.user("jo@example.com").await;
    let session = begun(&world, user.id).await;
    let keys: Vec<_> = (0..4)
        .map(|index| passkey(user.id, &format!("key {index}")))
        .collect();
    let added = join_all(keys.iter().map(|key| add(&world, &session, key))).await;
    let firsts = added
        .iter()
        .filter(|added| matches!(added, Ok(Some(FactorAdded::First))));
    assert_eq!(firsts.count(), 1, "{added:?}");
    let account = world.node.storage.sign_ins().account(user.id, None).await;
    let factors = account.unwrap().unwrap().factors;
    assert_eq!((factors.passkeys.len(), factors.recovery_codes.len()), (4, 10));
    let store = world.node.storage.passkeys();
    for (index, key) in factors.passkeys.iter().enumerate() {
        store
            .remove_passkey(Act::of_operator(), &session, token().digest(), key.id)
            .await
            .unwrap();
        let account = world.node.storage.sign_ins().account(user.id, None).await;
        let left = account.unwrap().unwrap().factors.recovery_codes.len();
        assert_eq!(left, if index == 3 { 0 } else { 10 });
    }
}

async fn the_limit_holds_for_those_that_race(engine: Engine) {
    let world = World::new(engine).await;
    let user = world.user("jo@example.com").await;
    let session = begun(&world, user.id).await;
    let keys: Vec<_> = (0..MAX_PASSKEYS + 4)
        .map(|index| passkey(user.id, &format!("key {index}")))
        .collect();
    let added = join_all(keys.iter().map(|key| add(&world, &session, key))).await;
    let refused = added
        .iter()
        .filter(|added| matches!(added, Err(FlowError::Conflict(Conflict::TooManyPasskeys))));
    assert_eq!(refused.count(), 4, "{added:?}");
}

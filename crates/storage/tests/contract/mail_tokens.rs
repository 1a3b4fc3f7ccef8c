//! Links in mails.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use tigertrust_accounts::{
    Conflict, FlowError,
    ports::{Challenge, MailToken},
};
use tigertrust_credentials::{OsRandom, PasswordHash, TokenDigest};
use tigertrust_model::{Act, RandomSource, Timestamp, User};

use tigertrust_testkit::Engine;

use crate::passkeys::begun;
use crate::support::{NOW, World, on_both_engines, password};

on_both_engines!(
    racing_uses_of_one_verification_link_accept_one,
    a_link_of_nobody_is_never_found,
    a_reset_ends_all_other_links_and_waiting_logins,
    a_link_is_good_for_the_address_that_it_went_to,
    an_address_that_another_account_has_is_not_given_away,
    a_disabled_account_s_links_are_of_no_use,
    what_is_over_is_removed_in_batches,
);

const HALF_AN_HOUR: Duration = Duration::from_secs(30 * 60);

fn digest() -> TokenDigest {
    let mut bytes = [0; 32];
    OsRandom.fill(&mut bytes).unwrap();
    TokenDigest::from_bytes(bytes)
}

fn end() -> Timestamp {
    NOW.saturating_add(HALF_AN_HOUR)
}

pub(crate) fn another_password() -> PasswordHash {
    PasswordHash::from_phc("$argon2id$another".to_owned())
}

/// A link to the person's own address.
pub(crate) async fn link(world: &World, user: &User, address: &str) -> TokenDigest {
    let token = digest();
    let of = Some((user.id, address.parse().unwrap()));
    let tokens = world.node.storage.mail_tokens();
    let session = begun(world, user.id).await;
    tokens
        .put_mail_token(token, of, Some(session.id), end())
        .await
        .unwrap();
    token
}

async fn racing_uses_of_one_verification_link_accept_one(engine: Engine) {
    let world = World::new(engine).await;
    let jo = world.user("jo@example.com").await;
    let token = link(&world, &jo, "new@example.com").await;
    let tokens = world.node.storage.mail_tokens();
    let uses = (0..50).map(|_| {
        let tokens = Arc::clone(&tokens);
        tokio::spawn(async move { tokens.verify_email(Act::of_operator(), token, jo.id, NOW).await })
    });
    let outcomes = join_all(uses).await;
    let accepted: Vec<String> = outcomes
        .into_iter()
        .filter_map(|outcome| outcome.unwrap().unwrap())
        .map(|old| old.to_string())
        .collect();
    assert_eq!(accepted, ["jo@example.com"]);
}

async fn a_link_of_nobody_is_never_found(engine: Engine) {
    let world = World::new(engine).await;
    let tokens = world.node.storage.mail_tokens();
    let token = digest();
    tokens.put_mail_token(token, None, None, end()).await.unwrap();
    assert_eq!(tokens.find_mail_token(token).await.unwrap(), None);
    let jo = world.user("jo@example.com").await;
    assert!(
        !tokens
            .reset_password(Act::of_operator(), token, jo.id, another_password(), NOW)
            .await
            .unwrap()
    );
    let own = link(&world, &jo, "Jo@example.com").await;
    let found = tokens.find_mail_token(own).await.unwrap();
    let expected = MailToken {
        user: jo.id,
        email: "Jo@example.com".parse().unwrap(),
        expires_at: end(),
    };
    assert_eq!(found, Some(expected));
}

async fn a_reset_ends_all_other_links_and_waiting_logins(engine: Engine) {
    let world = World::new(engine).await;
    let (jo, kim) = (
        world.user("jo@example.com").await,
        world.user("kim@example.com").await,
    );
    let (storage, tokens) = (&world.node.storage, world.node.storage.mail_tokens());
    let token = link(&world, &jo, "JO@example.com").await;
    let others = [
        link(&world, &jo, "jo@example.com").await,
        link(&world, &jo, "new@example.com").await,
    ];
    let kim_s = link(&world, &kim, "kim@example.com").await;
    let challenge = digest();
    let waiting = Challenge {
        user: jo.id,
        expires_at: end(),
        device: None,
        sso: None,
    };
    let sign_ins = storage.sign_ins();
    assert!(
        sign_ins
            .begin_challenge(challenge, waiting, password(), None)
            .await
            .unwrap()
    );
    assert!(
        tokens
            .reset_password(Act::of_operator(), token, jo.id, another_password(), NOW)
            .await
            .unwrap()
    );
    for other in others {
        assert_eq!(tokens.find_mail_token(other).await.unwrap(), None);
    }
    assert!(tokens.find_mail_token(kim_s).await.unwrap().is_some());
    assert_eq!(sign_ins.find_challenge(challenge).await.unwrap(), None);
    let account = sign_ins.account(jo.id, None).await.unwrap().unwrap();
    assert_eq!(account.password, Some(another_password()));
    assert_eq!(account.user.email_verified_at, Some(NOW));
}

async fn a_link_is_good_for_the_address_that_it_went_to(engine: Engine) {
    let world = World::new(engine).await;
    let jo = world.user("jo@example.com").await;
    let tokens = world.node.storage.mail_tokens();
    // It was written at the moment at which the address became another.
    let late = link(&world, &jo, "former@example.com").await;
    assert!(
        !tokens
            .reset_password(Act::of_operator(), late, jo.id, another_password(), NOW)
            .await
            .unwrap()
    );
    assert_eq!(tokens.find_mail_token(late).await.unwrap(), None);
    let expired = link(&world, &jo, "jo@example.com").await;
    assert!(
        !tokens
            .reset_password(Act::of_operator(), expired, jo.id, another_password(), end())
            .await
            .unwrap()
    );
    assert_eq!(
        tokens
            .verify_email(Act::of_operator(), expired, jo.id, end())
            .await
            .unwrap(),
        None
    );
    let change = link(&world, &jo, "new@example.com").await;
    let old = tokens
        .verify_email(Act::of_operator(), change, jo.id, NOW)
        .await
        .unwrap();
    assert_eq!(old, Some(jo.email));
    assert_eq!(tokens.find_mail_token(expired).await.unwrap(), None);
    let found = world
        .node
        .storage
        .accounts()
        .find_user_by_email("new@example.com")
        .await;
    let found = found.unwrap().unwrap();
    assert_eq!((found.id, found.email_verified_at), (jo.id, Some(NOW)));
}

async fn an_address_that_another_account_has_is_not_given_away(engine: Engine) {
    let world = World::new(engine).await;
    let jo = world.user("jo@example.com").await;
    let change = link(&world, &jo, "Kim@example.com").await;
    let kim = world.user("kim@example.com").await;
    let tokens = world.node.storage.mail_tokens();
    let taken = tokens.verify_email(Act::of_operator(), change, jo.id, NOW).await;
    assert!(matches!(taken, Err(FlowError::Conflict(Conflict::EmailTaken))));
    let accounts = world.node.storage.accounts();
    for user in [jo, kim] {
        assert_eq!(accounts.get_user(user.id).await.unwrap(), Some(user));
    }
}

async fn a_disabled_account_s_links_are_of_no_use(engine: Engine) {
    let world = World::new(engine).await;
    let jo = world.user("jo@example.com").await;
    let token = link(&world, &jo, "jo@example.com").await;
    world
        .node
        .storage
        .accounts()
        .set_disabled(Act::of_operator(), jo.id, Some(NOW))
        .await
        .unwrap();
    let tokens = world.node.storage.mail_tokens();
    assert!(
        !tokens
            .reset_password(Act::of_operator(), token, jo.id, another_password(), NOW)
            .await
            .unwrap()
    );
    assert_eq!(
        tokens
            .verify_email(Act::of_operator(), token, jo.id, NOW)
            .await
            .unwrap(),
        None
    );
}

async fn what_is_over_is_removed_in_batches(engine: Engine) {
    let world = World::new(engine).await;
    let jo = world.user("jo@example.com").await;
    let mut links = Vec::new();
    for _ in 0..3 {
        links.push(link(&world, &jo, "jo@example.com").await);
    }
    let tokens = world.node.storage.mail_tokens();
    let left = async || {
        let found = join_all(links.iter().map(|link| tokens.find_mail_token(*link))).await;
        found
            .into_iter()
            .filter(|found| found.as_ref().unwrap().is_some())
            .count()
    };
    let storage = &world.node.storage;
    for (at, remaining) in [(NOW, 3), (end(), 1), (end(), 0)] {
        storage.prune_sign_ins(at, 2).await.unwrap();
        assert_eq!(left().await, remaining);
    }
}

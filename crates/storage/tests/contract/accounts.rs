//! People, and the first of them.

use tigertrust_accounts::{
    Conflict, FlowError,
    ports::{Bootstrap, KeyView},
};
use tigertrust_credentials::OsRandom;
use tigertrust_model::{Act, KeyReach, Timestamp, User, UserId};
use tigertrust_testkit::Engine;

use crate::support::{NOW, World, key, key_at, on_both_engines, page, password, secret, user, workspace};

on_both_engines!(
    every_field_of_a_person_comes_back,
    an_address_has_one_account_however_it_is_spelt,
    pages_of_people_are_newest_first,
    an_instance_is_bootstrapped_once_even_in_a_race,
    an_instance_with_an_account_is_not_bootstrapped,
    a_bootstrap_that_fails_leaves_nothing,
);

async fn every_field_of_a_person_comes_back(engine: Engine) {
    let world = World::new(engine).await;
    let accounts = world.node.storage.accounts();
    let full = User {
        name: Some("Jo 🐯".to_owned()),
        disabled_at: Some(Timestamp::from_unix_micros(1)),
        ..user("Jo@Example.com")
    };
    for user in [full, user("plain@example.com")] {
        accounts
            .insert_user(Act::of_operator(), user.clone(), password())
            .await
            .unwrap();
        assert_eq!(accounts.get_user(user.id).await.unwrap().as_ref(), Some(&user));
        let canonical = user.email.canonical();
        assert_eq!(accounts.find_user_by_email(&canonical).await.unwrap(), Some(user));
    }
    let unknown = UserId::new(NOW, &OsRandom).unwrap();
    assert_eq!(accounts.get_user(unknown).await.unwrap(), None);
    assert_eq!(accounts.find_user_by_email("Jo@Example.com").await.unwrap(), None);
}

async fn an_address_has_one_account_however_it_is_spelt(engine: Engine) {
    let world = World::new(engine).await;
    let accounts = world.node.storage.accounts();
    world.user("jo@example.com").await;
    let second = user("JO@example.com");
    let refused = accounts
        .insert_user(Act::of_operator(), second.clone(), password())
        .await;
    assert!(
        matches!(refused, Err(FlowError::Conflict(Conflict::EmailTaken))),
        "{refused:?}"
    );
    assert_eq!(accounts.get_user(second.id).await.unwrap(), None);
}

async fn pages_of_people_are_newest_first(engine: Engine) {
    let world = World::new(engine).await;
    let accounts = world.node.storage.accounts();
    let mut expected = Vec::new();
    for number in 0..5 {
        let new = User {
            id: UserId::from_uuid(uuid::Uuid::from_u128((number << 120) | (255 - number))),
            ..user(&format!("u{number}@example.com"))
        };
        accounts
            .insert_user(Act::of_operator(), new.clone(), password())
            .await
            .unwrap();
        expected.insert(0, new);
    }
    let first = accounts.list_users(page(None, 3)).await.unwrap();
    let second = accounts.list_users(page(Some(first[2].id), 3)).await.unwrap();
    assert_eq!([first, second].concat(), expected);
}

fn first_account() -> Bootstrap {
    let home = workspace("Default");
    Bootstrap {
        user: user("owner@example.com"),
        password: password(),
        keys: vec![(key_at(&home), secret()), (key_at(&home), secret())],
        workspace: home,
    }
}

async fn an_instance_is_bootstrapped_once_even_in_a_race(engine: Engine) {
    let world = World::new(engine).await;
    let second = world.second();
    let attempts: Vec<_> = (0..12)
        .map(|number| {
            let node = if number % 2 == 0 { &world.node } else { &second };
            let accounts = node.storage.accounts();
            tokio::spawn(async move {
                let mut first = first_account();
                first.user.email = format!("owner{number}@example.com").parse().unwrap();
                accounts
                    .bootstrap(Act::of_operator(), first.clone(), NOW)
                    .await
                    .unwrap()
                    .then_some(first)
            })
        })
        .collect();
    let mut won = Vec::new();
    for attempt in attempts {
        won.extend(attempt.await.unwrap());
    }
    assert_eq!(won.len(), 1);
    let first = won.remove(0);
    let storage = &world.node.storage;
    assert_eq!(
        storage.accounts().get_user(first.user.id).await.unwrap(),
        Some(first.user)
    );
    assert_eq!(
        storage.accounts().list_workspaces(page(None, 9)).await.unwrap(),
        [first.workspace]
    );
    let mut listed = world.list(KeyView::Everything, page(None, 9)).await;
    listed.reverse();
    let mut expected: Vec<_> = first.keys.iter().map(|(key, _)| key.clone()).collect();
    expected.sort_unstable_by_key(|key| key.id);
    assert_eq!(listed, expected);
}

async fn an_instance_with_an_account_is_not_bootstrapped(engine: Engine) {
    let world = World::new(engine).await;
    world.user("jo@example.com").await;
    let accounts = world.node.storage.accounts();
    assert!(
        !accounts
            .bootstrap(Act::of_operator(), first_account(), NOW)
            .await
            .unwrap()
    );
    assert_eq!(accounts.list_workspaces(page(None, 9)).await.unwrap(), []);
}

async fn a_bootstrap_that_fails_leaves_nothing(engine: Engine) {
    let world = World::new(engine).await;
    let accounts = world.node.storage.accounts();
    let mut broken = first_account();
    let nowhere = workspace("never stored");
    broken
        .keys
        .push((key(KeyReach::workspaces(nowhere.id, [])), secret()));
    let failed = accounts.bootstrap(Act::of_operator(), broken, NOW).await;
    assert!(matches!(failed, Err(FlowError::Store(_))), "{failed:?}");
    assert!(
        accounts
            .bootstrap(Act::of_operator(), first_account(), NOW)
            .await
            .unwrap()
    );
}

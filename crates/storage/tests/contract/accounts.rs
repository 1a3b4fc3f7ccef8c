//! People and workspaces.

use tigertrust_accounts::{
    Conflict, FlowError,
    ports::{Bootstrap, KeyView},
};
use tigertrust_credentials::OsRandom;
use tigertrust_model::{Change, Entity, KeyReach, Timestamp, User, UserId, Workspace, WorkspaceId};
use tigertrust_testkit::Engine;

use crate::support::{
    Heard, NOW, World, key, key_at, on_both_engines, page, password, secret, user, workspace,
};

on_both_engines!(
    every_field_of_a_person_comes_back,
    an_address_has_one_account_however_it_is_spelt,
    a_workspace_needs_an_owner_that_exists,
    a_new_workspace_is_a_change_of_its_owner,
    pages_of_workspaces_are_newest_first_without_deleted_ones,
    a_plan_can_be_set_and_is_told_before_the_answer,
    a_deleted_or_unknown_workspace_has_no_plan_to_set,
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
        accounts.insert_user(user.clone(), password()).await.unwrap();
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
    let refused = accounts.insert_user(second.clone(), password()).await;
    assert!(
        matches!(refused, Err(FlowError::Conflict(Conflict::EmailTaken))),
        "{refused:?}"
    );
    assert_eq!(accounts.get_user(second.id).await.unwrap(), None);
}

async fn a_workspace_needs_an_owner_that_exists(engine: Engine) {
    let mut world = World::new(engine).await;
    let unknown = UserId::new(NOW, &OsRandom).unwrap();
    let refused = world
        .node
        .storage
        .accounts()
        .insert_workspace(workspace("w"), unknown)
        .await;
    assert!(matches!(refused, Err(FlowError::NotFound)), "{refused:?}");
    assert_eq!(
        world
            .node
            .storage
            .accounts()
            .list_workspaces(page(None, 10))
            .await
            .unwrap(),
        []
    );
    assert_eq!(world.node.has_heard(), []);
}

async fn a_new_workspace_is_a_change_of_its_owner(engine: Engine) {
    let mut world = World::new(engine).await;
    let owner = world.user("jo@example.com").await;
    let new = Workspace {
        plan: "enterprise".parse().unwrap(),
        created_at: Timestamp::from_unix_micros(123_456_789),
        ..workspace("Zoë & Söhne")
    };
    world
        .node
        .storage
        .accounts()
        .insert_workspace(new.clone(), owner.id)
        .await
        .unwrap();
    let change = Change {
        seq: 1,
        entity: Entity::User(owner.id),
        workspace: Some(new.id),
    };
    assert_eq!(world.node.has_heard(), [Heard::Applied(vec![change])]);
    let found = world
        .node
        .storage
        .credentials()
        .find_workspace(new.id)
        .await
        .unwrap();
    assert_eq!(found, Some(new));
}

async fn pages_of_workspaces_are_newest_first_without_deleted_ones(engine: Engine) {
    let world = World::new(engine).await;
    let owner = world.user("jo@example.com").await;
    let accounts = world.node.storage.accounts();
    let mut expected = Vec::new();
    for number in 0..7 {
        let new = Workspace {
            id: WorkspaceId::from_uuid(uuid::Uuid::from_u128((number << 120) | (255 - number))),
            ..workspace(&format!("w{number}"))
        };
        accounts.insert_workspace(new.clone(), owner.id).await.unwrap();
        if number == 3 {
            world
                .sql("UPDATE workspaces SET deleted_at = created_at WHERE name = 'w3'")
                .await;
        } else {
            expected.insert(0, new);
        }
    }
    let first = accounts.list_workspaces(page(None, 4)).await.unwrap();
    let second = accounts
        .list_workspaces(page(Some(first[3].id), 4))
        .await
        .unwrap();
    assert_eq!([first, second].concat(), expected);
}

async fn a_plan_can_be_set_and_is_told_before_the_answer(engine: Engine) {
    let mut world = World::new(engine).await;
    let home = world.workspace("home").await;
    let other = world.workspace("other").await;
    world.node.has_heard();
    let accounts = world.node.storage.accounts();
    let changed = accounts.set_plan(home.id, "pro".parse().unwrap()).await.unwrap();
    let change = Change {
        seq: 3,
        entity: Entity::Workspace(home.id),
        workspace: Some(home.id),
    };
    assert_eq!(world.node.has_heard(), [Heard::Applied(vec![change])]);
    let expected = Workspace {
        plan: "pro".parse().unwrap(),
        ..home
    };
    assert_eq!(changed, expected);
    let store = world.node.storage.credentials();
    assert_eq!(store.find_workspace(expected.id).await.unwrap(), Some(expected));
    assert_eq!(store.find_workspace(other.id).await.unwrap(), Some(other));
}

async fn a_deleted_or_unknown_workspace_has_no_plan_to_set(engine: Engine) {
    let mut world = World::new(engine).await;
    let home = world.workspace("home").await;
    world.sql("UPDATE workspaces SET deleted_at = created_at").await;
    world.node.has_heard();
    for id in [home.id, WorkspaceId::from_uuid(uuid::Uuid::nil())] {
        let refused = world
            .node
            .storage
            .accounts()
            .set_plan(id, "pro".parse().unwrap())
            .await;
        assert!(matches!(refused, Err(FlowError::NotFound)), "{refused:?}");
    }
    assert_eq!(world.node.has_heard(), []);
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
                    .bootstrap(first.clone(), NOW)
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
    assert!(!accounts.bootstrap(first_account(), NOW).await.unwrap());
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
    let failed = accounts.bootstrap(broken, NOW).await;
    assert!(matches!(failed, Err(FlowError::Store(_))), "{failed:?}");
    assert!(accounts.bootstrap(first_account(), NOW).await.unwrap());
}

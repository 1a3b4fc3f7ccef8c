//! Workspaces.

use tigertrust_accounts::FlowError;
use tigertrust_credentials::OsRandom;
use tigertrust_model::{Act, Change, Creator, Entity, Role, Timestamp, UserId, Workspace, WorkspaceId};
use tigertrust_testkit::Engine;

use crate::support::{Heard, NOW, World, key_at, on_both_engines, page, workspace};

on_both_engines!(
    a_workspace_needs_an_owner_that_exists,
    a_new_workspace_is_a_change_of_its_owner,
    pages_of_workspaces_are_newest_first_without_deleted_ones,
    a_plan_can_be_set_and_is_told_before_the_answer,
    an_edit_decides_on_the_present_state_and_may_refuse,
    a_deleted_workspace_stays_for_look_ups_and_is_gone_for_the_rest,
);

async fn a_workspace_needs_an_owner_that_exists(engine: Engine) {
    let mut world = World::new(engine).await;
    let unknown = UserId::new(NOW, &OsRandom).unwrap();
    let refused = world
        .node
        .storage
        .accounts()
        .insert_workspace(Act::of_operator(), workspace("w"), unknown)
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
        .insert_workspace(Act::of_operator(), new.clone(), owner.id)
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
        accounts
            .insert_workspace(Act::of_operator(), new.clone(), owner.id)
            .await
            .unwrap();
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
    let changed = world
        .edit(home.id, |workspace| workspace.plan = "pro".parse().unwrap())
        .await
        .unwrap();
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

async fn an_edit_decides_on_the_present_state_and_may_refuse(engine: Engine) {
    let mut world = World::new(engine).await;
    let home = world.workspace("home").await;
    let jo = world.user("jo@example.com").await;
    world.join(&home, &jo, Role::Member).await;
    let stranger = world.user("al@example.com").await;
    world.node.has_heard();
    let accounts = world.node.storage.accounts();
    for (by, expected) in [
        (Some(jo.id), Some(Role::Member)),
        (Some(stranger.id), None),
        (None, None),
    ] {
        let before = home.clone();
        let edit = move |workspace: &mut Workspace, role: Option<Role>| {
            assert_eq!((&*workspace, role), (&before, expected));
            workspace.name = "never stored".to_owned();
            Err(FlowError::Forbidden(Vec::new()))
        };
        let by = by.map(Creator::User);
        let refused = accounts
            .edit_workspace(Act::of_operator(), home.id, by, Box::new(edit))
            .await;
        assert!(matches!(refused, Err(FlowError::Forbidden(_))), "{refused:?}");
    }
    // Nor is it a change that nothing changes.
    assert_eq!(world.edit(home.id, |_| {}).await.unwrap(), home);
    assert_eq!(accounts.get_workspace(home.id).await.unwrap(), Some(home));
    assert_eq!(world.node.has_heard(), []);
}

async fn a_deleted_workspace_stays_for_look_ups_and_is_gone_for_the_rest(engine: Engine) {
    let mut world = World::new(engine).await;
    let home = world.workspace("home").await;
    let (_, digest) = world.store(key_at(&home)).await;
    world.node.has_heard();
    let deleted = world
        .edit(home.id, |workspace| workspace.deleted_at = Some(NOW))
        .await
        .unwrap();
    assert_eq!(deleted.deleted_at, Some(NOW));
    let change = Change {
        seq: 2,
        entity: Entity::Workspace(home.id),
        workspace: Some(home.id),
    };
    assert_eq!(world.node.has_heard(), [Heard::Applied(vec![change])]);
    let store = world.node.storage.credentials();
    assert_eq!(
        store.find_workspace(home.id).await.unwrap(),
        Some(deleted.clone())
    );
    let found = store.find_key(&[digest]).await.unwrap().unwrap();
    assert_eq!(found.home(), Some(&deleted));

    let accounts = world.node.storage.accounts();
    assert_eq!(accounts.get_workspace(home.id).await.unwrap(), None);
    let jo = world.user("jo@example.com").await;
    let joined = world.set_role(&home, &jo, Some(Role::Viewer)).await;
    assert!(matches!(joined, Err(FlowError::NotFound)), "{joined:?}");
    for id in [home.id, WorkspaceId::from_uuid(uuid::Uuid::nil())] {
        let refused = world.edit(id, |workspace| workspace.deleted_at = None).await;
        assert!(matches!(refused, Err(FlowError::NotFound)), "{refused:?}");
    }
    assert_eq!(world.node.has_heard(), []);
}

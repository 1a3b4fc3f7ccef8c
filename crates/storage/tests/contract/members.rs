//! Members of workspaces.

use futures_util::future::join_all;
use tigertrust_accounts::{
    Conflict, FlowError,
    ports::{Member, Membership, PresentRoles},
};
use tigertrust_model::{
    Act, ApiKey, Change, Creator, Entity, KeyReach, Lifecycle, Role, User, UserId, Workspace,
};
use tigertrust_testkit::Engine;

use crate::support::{Heard, NOW, World, key, on_both_engines, page, user};

on_both_engines!(
    a_member_is_added_changed_and_removed_under_change_numbers,
    pages_of_members_are_newest_first,
    an_edit_knows_the_present_roles_and_may_refuse,
    a_workspace_keeps_an_owner_even_in_a_race,
    s26_who_was_demoted_meanwhile_decides_nothing_any_more,
    who_is_removed_loses_the_personal_keys_of_that_home,
    who_does_not_exist_is_no_member,
);

fn change(seq: u64, home: &Workspace, user: &User) -> Heard {
    Heard::Applied(vec![Change {
        seq,
        entity: Entity::User(user.id),
        workspace: Some(home.id),
    }])
}

async fn a_member_is_added_changed_and_removed_under_change_numbers(engine: Engine) {
    let mut world = World::new(engine).await;
    let home = world.workspace("home").await;
    let jo = world.user("jo@example.com").await;
    world.node.has_heard();
    let members = world.node.storage.members();
    let expected = |role| Member {
        user: jo.clone(),
        role,
        since: NOW,
    };
    for (seq, role) in [(2, Role::Viewer), (3, Role::Admin)] {
        let set = world.set_role(&home, &jo, Some(role)).await.unwrap();
        assert_eq!(set, Some(expected(role)));
        assert_eq!(world.node.has_heard(), [change(seq, &home, &jo)]);
        assert_eq!(members.get_member(home.id, jo.id).await.unwrap(), set);
        assert_eq!(members.role_in(home.id, jo.id).await.unwrap(), Some(role));
    }
    // Nothing new is no change.
    let again = world.set_role(&home, &jo, Some(Role::Admin)).await.unwrap();
    assert_eq!(again, Some(expected(Role::Admin)));
    assert_eq!(world.node.has_heard(), []);

    assert_eq!(world.set_role(&home, &jo, None).await.unwrap(), None);
    assert_eq!(world.node.has_heard(), [change(4, &home, &jo)]);
    assert_eq!(members.get_member(home.id, jo.id).await.unwrap(), None);
    let twice = world.set_role(&home, &jo, None).await;
    assert!(matches!(twice, Err(FlowError::NotFound)), "{twice:?}");
}

async fn pages_of_members_are_newest_first(engine: Engine) {
    let world = World::new(engine).await;
    let (home, other) = (world.workspace("home").await, world.workspace("other").await);
    let mut expected = Vec::new();
    for number in 1..6_u32 {
        let jo = world.user(&format!("jo{number}@example.com")).await;
        world.join(&home, &jo, Role::Viewer).await;
        world.join(&other, &jo, Role::Member).await;
        expected.push(jo.id);
    }
    let members = world.node.storage.members();
    let first = members.list_members(home.id, page(None, 4)).await.unwrap();
    let last = first[3].user.id;
    let second = members.list_members(home.id, page(Some(last), 4)).await.unwrap();
    let all: Vec<Member> = [first, second].concat();
    assert!(all.is_sorted_by(|one, next| one.user.id > next.user.id));
    let owners: Vec<&Member> = all.iter().filter(|one| one.role == Role::Owner).collect();
    assert_eq!((all.len(), owners.len()), (6, 1));
    let viewers = all.iter().filter(|one| one.role == Role::Viewer);
    let mut found: Vec<UserId> = viewers.map(|one| one.user.id).collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

async fn an_edit_knows_the_present_roles_and_may_refuse(engine: Engine) {
    let mut world = World::new(engine).await;
    let home = world.workspace("home").await;
    let (jo, al) = (
        world.user("jo@example.com").await,
        world.user("al@example.com").await,
    );
    world.join(&home, &jo, Role::Admin).await;
    world.node.has_heard();
    let members = world.node.storage.members();
    for (user, by, member, asks) in [
        (&jo, Some(&al), Some(Role::Admin), None),
        (&al, Some(&jo), None, Some(Role::Admin)),
        (&jo, Some(&jo), Some(Role::Admin), Some(Role::Admin)),
        (&al, None, None, None),
    ] {
        let of = Membership {
            workspace: home.id,
            user: user.id,
        };
        let edit = move |present: PresentRoles| {
            assert_eq!(present, PresentRoles { member, by: asks });
            Err(FlowError::Forbidden(Vec::new()))
        };
        let refused = members
            .edit_member(
                Act::of_operator(),
                of,
                by.map(|by| Creator::User(by.id)),
                NOW,
                Box::new(edit),
            )
            .await;
        assert!(matches!(refused, Err(FlowError::Forbidden(_))), "{refused:?}");
    }
    assert_eq!(members.role_in(home.id, jo.id).await.unwrap(), Some(Role::Admin));
    assert_eq!(world.node.has_heard(), []);
}

async fn a_workspace_keeps_an_owner_even_in_a_race(engine: Engine) {
    let world = World::new(engine).await;
    let home = world.workspace("home").await;
    let members = world.node.storage.members();
    let first = members.list_members(home.id, page(None, 1)).await.unwrap();
    let mut owners = vec![first[0].user.clone()];
    for name in ["a", "b", "c", "d"] {
        let owner = world.user(&format!("{name}@example.com")).await;
        world.join(&home, &owner, Role::Owner).await;
        owners.push(owner);
    }
    let demoted = owners.iter().enumerate().map(|(number, owner)| {
        let role = (number % 2 == 0).then_some(Role::Member);
        world.set_role(&home, owner, role)
    });
    let outcomes = join_all(demoted).await;
    let refused: Vec<_> = outcomes.iter().filter(|outcome| outcome.is_err()).collect();
    assert!(
        matches!(refused[..], [Err(FlowError::Conflict(Conflict::LastOwner))]),
        "{outcomes:?}"
    );
    let left = members.list_members(home.id, page(None, 9)).await.unwrap();
    assert_eq!(left.iter().filter(|one| one.role == Role::Owner).count(), 1);
}

/// Two admins who remove each other at the same time: only one of them can be an admin still when the other is gone.
async fn s26_who_was_demoted_meanwhile_decides_nothing_any_more(engine: Engine) {
    let world = World::new(engine).await;
    let home = world.workspace("home").await;
    let members = world.node.storage.members();
    for round in 0..8 {
        let (jo, al) = (
            world.user(&format!("jo{round}@example.com")).await,
            world.user(&format!("al{round}@example.com")).await,
        );
        world.join(&home, &jo, Role::Admin).await;
        world.join(&home, &al, Role::Admin).await;
        let remove = |by: &User, user: &User| {
            let of = Membership {
                workspace: home.id,
                user: user.id,
            };
            let edit = |present: PresentRoles| match present.by {
                Some(Role::Admin) => Ok(None),
                _ => Err(FlowError::NotFound),
            };
            members.edit_member(
                Act::of_operator(),
                of,
                Some(Creator::User(by.id)),
                NOW,
                Box::new(edit),
            )
        };
        let outcomes = join_all([remove(&jo, &al), remove(&al, &jo)]).await;
        assert_eq!(
            outcomes.iter().filter(|outcome| outcome.is_ok()).count(),
            1,
            "{outcomes:?}"
        );
    }
}

async fn who_is_removed_loses_the_personal_keys_of_that_home(engine: Engine) {
    let world = World::new(engine).await;
    let (home, other) = (world.workspace("home").await, world.workspace("other").await);
    let jo = world.user("jo@example.com").await;
    world.join(&home, &jo, Role::Member).await;
    world.join(&other, &jo, Role::Member).await;
    let at = |home: &Workspace, owner: Option<UserId>| ApiKey {
        owner,
        ..key(KeyReach::workspaces(home.id, []))
    };
    let (of_home, _) = world.store(at(&home, Some(jo.id))).await;
    let (of_other, _) = world.store(at(&other, Some(jo.id))).await;
    let (nobodys, _) = world.store(at(&home, None)).await;
    world.set_role(&home, &jo, None).await.unwrap();
    let ended = world.get(of_home.id).await.unwrap().lifecycle;
    assert!(matches!(ended, Lifecycle::Revoked { at: NOW, .. }), "{ended:?}");
    for untouched in [of_other, nobodys] {
        assert_eq!(world.get(untouched.id).await, Some(untouched));
    }
}

async fn who_does_not_exist_is_no_member(engine: Engine) {
    let world = World::new(engine).await;
    let home = world.workspace("home").await;
    let unknown = user("never@example.com");
    let refused = world.set_role(&home, &unknown, Some(Role::Viewer)).await;
    assert!(matches!(refused, Err(FlowError::NotFound)), "{refused:?}");
    let members = world.node.storage.members();
    assert_eq!(members.get_member(home.id, unknown.id).await.unwrap(), None);
    assert_eq!(members.role_in(home.id, unknown.id).await.unwrap(), None);
}

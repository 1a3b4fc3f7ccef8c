//! Keys: stored, listed, edited.

use std::time::Duration;

use tigertrust_accounts::{
    Conflict, FlowError, KEPT, OnceOnly, Violation,
    ports::{KeyView, StoredSecret},
};
use tigertrust_credentials::OsRandom;
use tigertrust_model::{
    Act, ApiKey, Creator, KeyDisplay, KeyFilter, KeyId, KeyReach, KeyType, LastUse, Lifecycle, Metadata,
    Role, Timestamp, User, UserId, Workspace, WorkspaceId,
};
use tigertrust_testkit::Engine;

use crate::support::{NOW, World, key, key_at, key_change, on_both_engines, page, secret};

on_both_engines!(
    every_field_of_every_kind_of_key_comes_back,
    a_digest_belongs_to_one_key_and_a_failed_insert_leaves_nothing,
    a_view_holds_the_keys_of_its_home_only,
    pages_are_newest_first_and_leave_nothing_out,
    an_edit_stores_what_may_be_edited_and_tells_it_before_it_answers,
    an_edit_cannot_change_what_is_fixed,
    an_edit_that_refuses_stores_nothing_and_takes_no_number,
    the_other_workspaces_of_a_key_can_be_edited,
    edits_of_one_key_wait_for_each_other,
    a_rotation_gives_another_secret_and_lets_the_old_one_end,
    the_latest_use_of_a_secret_stays,
    a_name_is_found_by_a_part_of_it_in_either_case,
    a_personal_key_is_found_with_what_its_owner_is,
    a_person_s_view_holds_that_person_s_keys_only,
    a_request_that_names_itself_is_acted_upon_once,
);

async fn every_field_of_every_kind_of_key_comes_back(engine: Engine) {
    let world = World::new(engine).await;
    let home = world.workspace("home").await;
    let others = [world.workspace("a").await.id, world.workspace("b").await.id];
    let plain = key_at(&home);
    let keys = [
        plain.clone(),
        ApiKey {
            kind: KeyType::Public,
            name: "Zoë's \"key\" \\ 🔑".to_owned(),
            scopes: std::iter::empty().collect(),
            allowed_cidrs: vec!["192.0.2.0/24".parse().unwrap(), "2001:db8::/32".parse().unwrap()],
            lifecycle: Lifecycle::Deactivated,
            expires_at: Some(Timestamp::MAX),
            external_id: Some("customer/42".to_owned()),
            metadata: Metadata::from_json_object(
                r#"{"n": 123456789012345678901234567890, "é": [1.50, null]}"#.to_owned(),
            ),
            display: KeyDisplay {
                start: "ck_abcde".to_owned(),
                last_four: "9999".to_owned(),
            },
            created_by: Creator::User(UserId::new(NOW, &OsRandom).unwrap()),
            owner: Some(world.user("jo@example.com").await.id),
            created_at: Timestamp::MIN,
            updated_at: Timestamp::from_unix_micros(-1),
            leak_reported_at: Some(NOW),
            ..key(KeyReach::workspaces(home.id, others))
        },
        ApiKey {
            lifecycle: Lifecycle::Revoked {
                at: Timestamp::from_unix_micros(1_800_000_000_000_001),
                reason: Some("leaked".to_owned()),
            },
            created_by: Creator::Key(KeyId::new(NOW, &OsRandom).unwrap()),
            ..key(KeyReach::Instance)
        },
        ApiKey {
            lifecycle: Lifecycle::Revoked {
                at: NOW,
                reason: None,
            },
            ..key_at(&home)
        },
    ];
    for key in keys {
        let (key, digest) = world.store(key).await;
        assert_eq!(world.get(key.id).await.as_ref(), Some(&key));
        let record = world
            .node
            .storage
            .credentials()
            .find_key(&[digest])
            .await
            .unwrap()
            .unwrap();
        assert_eq!(record.key, key);
        assert_eq!(record.secret_ends_at, None);
        let list = world.list(KeyView::Everything, page(None, 200)).await;
        assert!(list.contains(&key));
    }
}

async fn a_digest_belongs_to_one_key_and_a_failed_insert_leaves_nothing(engine: Engine) {
    let world = World::new(engine).await;
    let home = world.workspace("home").await;
    let keys = world.node.storage.keys();
    let secret = secret();
    keys.insert_key(Act::of_operator(), key_at(&home), secret.clone(), None)
        .await
        .unwrap();
    let other = key_at(&home);
    let refused = keys
        .insert_key(Act::of_operator(), other.clone(), secret, None)
        .await;
    assert!(matches!(refused, Err(FlowError::Store(_))), "{refused:?}");
    assert_eq!(world.get(other.id).await, None);
}

async fn a_view_holds_the_keys_of_its_home_only(engine: Engine) {
    let world = World::new(engine).await;
    let (home, elsewhere) = (world.workspace("home").await, world.workspace("elsewhere").await);
    // That it may act elsewhere does not show it there.
    let (ours, _) = world
        .store(key(KeyReach::workspaces(home.id, [elsewhere.id])))
        .await;
    let (instance, _) = world.store(key(KeyReach::Instance)).await;
    let keys = world.node.storage.keys();
    let seen = async |view| {
        let mut seen = Vec::new();
        for key in [&ours, &instance] {
            let edited = keys
                .edit_key(Act::of_operator(), view, key.id, Box::new(|_| Ok(())))
                .await;
            let found = keys.get_key(view, key.id).await.unwrap();
            assert_eq!(edited.is_ok(), found.is_some());
            assert_eq!(matches!(edited, Err(FlowError::NotFound)), found.is_none());
            seen.extend(found.map(|details| details.key));
        }
        let mut list = world.list(view, page(None, 200)).await;
        list.sort_by_key(|key| key.reach == KeyReach::Instance);
        assert_eq!(list, seen);
        seen
    };
    assert_eq!(
        seen(KeyView::Workspace(home.id)).await,
        std::slice::from_ref(&ours)
    );
    assert_eq!(seen(KeyView::Workspace(elsewhere.id)).await, []);
    assert_eq!(seen(KeyView::Everything).await, [ours.clone(), instance.clone()]);
}

async fn pages_are_newest_first_and_leave_nothing_out(engine: Engine) {
    let world = World::new(engine).await;
    let (home, other) = (world.workspace("home").await, world.workspace("other").await);
    let mut expected = Vec::new();
    for number in 0..7 {
        let others: &[WorkspaceId] = if number % 2 == 0 { &[] } else { &[other.id] };
        let mut key = key(KeyReach::workspaces(home.id, others.iter().copied()));
        key.id = KeyId::from_uuid(uuid::Uuid::from_u128((number << 120) | (255 - number)));
        expected.insert(0, world.store(key).await.0);
    }
    for view in [KeyView::Everything, KeyView::Workspace(home.id)] {
        let mut found = Vec::new();
        loop {
            let after = found.last().map(|key: &ApiKey| key.id);
            let next = world.list(view, page(after, 3)).await;
            if next.is_empty() {
                break;
            }
            assert!(next.len() <= 3);
            found.extend(next);
        }
        assert_eq!(found, expected);
    }
}

async fn an_edit_stores_what_may_be_edited_and_tells_it_before_it_answers(engine: Engine) {
    let mut world = World::new(engine).await;
    let home = world.workspace("home").await;
    let (before, _) = world.store(key_at(&home)).await;
    assert_eq!(
        world.node.has_heard().len(),
        1,
        "the owner's membership, but not the new key"
    );
    let edit = |key: &mut ApiKey| {
        key.name = "renamed".to_owned();
        key.scopes = ["agents:report".parse().unwrap()].into_iter().collect();
        key.expires_at = Some(NOW);
        key.external_id = Some("x".to_owned());
        key.allowed_cidrs = vec!["192.0.2.1/32".parse().unwrap()];
        key.metadata = Metadata::from_json_object(r#"{"a": 1}"#.to_owned());
        key.updated_at = Timestamp::from_unix_micros(7);
        Ok(key.revoke(NOW, Some("leaked".to_owned()))?)
    };
    let keys = world.node.storage.keys();
    let edited = keys
        .edit_key(Act::of_operator(), KeyView::Everything, before.id, Box::new(edit))
        .await
        .unwrap()
        .key;
    assert_eq!(world.node.has_heard(), [key_change(2, &before)]);
    let mut expected = before;
    edit(&mut expected).unwrap();
    assert_eq!(edited, expected);
    assert_eq!(world.get(edited.id).await, Some(expected));

    // What is set can be taken away again.
    let (before, _) = world
        .store(ApiKey {
            expires_at: Some(NOW),
            external_id: Some("x".to_owned()),
            lifecycle: Lifecycle::Deactivated,
            ..key_at(&home)
        })
        .await;
    let edit = |key: &mut ApiKey| {
        key.expires_at = None;
        key.external_id = None;
        Ok(key.activate()?)
    };
    let edited = keys
        .edit_key(Act::of_operator(), KeyView::Everything, before.id, Box::new(edit))
        .await
        .unwrap()
        .key;
    assert_eq!((edited.expires_at, &edited.external_id), (None, &None));
    assert_eq!(world.get(edited.id).await, Some(edited));
}

async fn an_edit_cannot_change_what_is_fixed(engine: Engine) {
    let world = World::new(engine).await;
    let (home, other) = (world.workspace("home").await, world.workspace("other").await);
    let (before, _) = world.store(key_at(&home)).await;
    let foreign = key_at(&other);
    let edit = move |key: &mut ApiKey| {
        *key = ApiKey {
            kind: KeyType::Public,
            display: KeyDisplay {
                start: "x".to_owned(),
                last_four: "x".to_owned(),
            },
            created_by: Creator::Key(foreign.id),
            created_at: Timestamp::MIN,
            ..foreign
        };
        Ok(())
    };
    let keys = world.node.storage.keys();
    let edited = keys
        .edit_key(Act::of_operator(), KeyView::Everything, before.id, Box::new(edit))
        .await
        .unwrap()
        .key;
    assert_eq!(edited, before);
    assert_eq!(world.get(before.id).await, Some(before));
}

async fn an_edit_that_refuses_stores_nothing_and_takes_no_number(engine: Engine) {
    let mut world = World::new(engine).await;
    let home = world.workspace("home").await;
    let (before, _) = world.store(key_at(&home)).await;
    world.node.has_heard();
    let keys = world.node.storage.keys();
    let refuse = |key: &mut ApiKey| {
        key.name = "renamed".to_owned();
        Err(FlowError::Invalid(vec![Violation::new("/name", "no")]))
    };
    let refused = keys
        .edit_key(
            Act::of_operator(),
            KeyView::Everything,
            before.id,
            Box::new(refuse),
        )
        .await;
    assert!(matches!(refused, Err(FlowError::Invalid(_))), "{refused:?}");
    let conflict = |_: &mut ApiKey| Err(Conflict::KeyRevoked.into());
    let refused = keys
        .edit_key(
            Act::of_operator(),
            KeyView::Everything,
            before.id,
            Box::new(conflict),
        )
        .await;
    assert!(
        matches!(refused, Err(FlowError::Conflict(Conflict::KeyRevoked))),
        "{refused:?}"
    );
    let unknown = KeyId::new(NOW, &OsRandom).unwrap();
    let refused = keys
        .edit_key(
            Act::of_operator(),
            KeyView::Everything,
            unknown,
            Box::new(|_| Ok(())),
        )
        .await;
    assert!(matches!(refused, Err(FlowError::NotFound)), "{refused:?}");
    assert_eq!(world.node.has_heard(), []);
    assert_eq!(world.get(before.id).await, Some(before.clone()));
    // The number after the owner's membership is still there to be taken.
    keys.edit_key(
        Act::of_operator(),
        KeyView::Everything,
        before.id,
        Box::new(|_| Ok(())),
    )
    .await
    .unwrap();
    assert_eq!(world.node.has_heard(), [key_change(2, &before)]);
}

async fn the_other_workspaces_of_a_key_can_be_edited(engine: Engine) {
    let world = World::new(engine).await;
    let home = world.workspace("home").await;
    let [a, b, c] = [
        world.workspace("a").await.id,
        world.workspace("b").await.id,
        world.workspace("c").await.id,
    ];
    let (key, digest) = world.store(key(KeyReach::workspaces(home.id, [a, b]))).await;
    for others in [vec![b, c], vec![], vec![a]] {
        let reach = KeyReach::workspaces(home.id, others);
        let wanted = reach.clone();
        let edit = move |key: &mut ApiKey| {
            key.reach = wanted;
            Ok(())
        };
        let keys = world.node.storage.keys();
        let edited = keys
            .edit_key(Act::of_operator(), KeyView::Everything, key.id, Box::new(edit))
            .await
            .unwrap()
            .key;
        assert_eq!(edited.reach, reach);
        let record = world
            .node
            .storage
            .credentials()
            .find_key(&[digest])
            .await
            .unwrap()
            .unwrap();
        assert_eq!(record.key.reach, reach);
        let named: Vec<_> = record.workspaces.iter().map(|workspace| workspace.id).collect();
        assert_eq!(named, reach.named().collect::<Vec<_>>());
    }
}

/// Each edit adds a letter to what it reads, so that one which read too early would lose another's.
async fn edits_of_one_key_wait_for_each_other(engine: Engine) {
    let world = World::new(engine).await;
    let (key, _) = world.store(key(KeyReach::Instance)).await;
    let edits: Vec<_> = (0..20)
        .map(|_| {
            let keys = world.node.storage.keys();
            tokio::spawn(async move {
                let edit = |key: &mut ApiKey| {
                    key.name.push('x');
                    Ok(())
                };
                keys.edit_key(Act::of_operator(), KeyView::Everything, key.id, Box::new(edit))
                    .await
            })
        })
        .collect();
    for edit in edits {
        edit.await.unwrap().unwrap();
    }
    let name = world.get(key.id).await.unwrap().name;
    assert_eq!(name, format!("ci{}", "x".repeat(20)));
}

async fn a_rotation_gives_another_secret_and_lets_the_old_one_end(engine: Engine) {
    let mut world = World::new(engine).await;
    let (before, old) = world.store(key(KeyReach::Instance)).await;
    let keys = world.node.storage.keys();
    let rotate = async |secret: StoredSecret, ends: Timestamp| {
        let edit = Box::new(|_: &mut ApiKey| Ok(()));
        keys.rotate_key(
            Act::of_operator(),
            KeyView::Everything,
            before.id,
            edit,
            secret,
            ends,
        )
        .await
    };
    let later = NOW.saturating_add(std::time::Duration::from_secs(60));
    let mut new = secret();
    new.display.last_four = "next".to_owned();
    let rotated = rotate(new.clone(), later).await.unwrap();
    assert_eq!(world.node.has_heard(), [key_change(1, &before)]);
    assert_eq!(rotated.key.display, new.display);
    let ends: Vec<_> = rotated.secrets.iter().map(|secret| secret.ends_at).collect();
    assert_eq!(ends, [None, Some(later)]);
    let store = world.node.storage.credentials();
    for (digest, ends) in [(old, Some(later)), (new.digest, None)] {
        let record = store.find_key(&[digest]).await.unwrap().unwrap();
        assert_eq!((record.key.id, record.secret_ends_at), (before.id, ends));
    }
    // Who rotates again does not give the first secret more time.
    rotate(secret(), later.saturating_add(std::time::Duration::from_secs(60)))
        .await
        .unwrap();
    let record = store.find_key(&[old]).await.unwrap().unwrap();
    assert_eq!(record.secret_ends_at, Some(later));
    // A secret that is taken leaves all as it was.
    let details = keys.get_key(KeyView::Everything, before.id).await.unwrap();
    rotate(new, NOW).await.unwrap_err();
    assert_eq!(
        keys.get_key(KeyView::Everything, before.id).await.unwrap(),
        details
    );
}

async fn the_latest_use_of_a_secret_stays(engine: Engine) {
    let world = World::new(engine).await;
    let (key, digest) = world.store(key(KeyReach::Instance)).await;
    let last_use = |seconds| LastUse {
        at: NOW.saturating_add(std::time::Duration::from_secs(seconds)),
        address: Some("2001:db8::1".parse().unwrap()),
        user_agent: Some(format!("agent {seconds}")),
    };
    for (seconds, latest) in [(2, 2), (1, 2), (3, 3)] {
        let uses = vec![(secret().digest, last_use(9)), (digest, last_use(seconds))];
        world.node.storage.uses().record_uses(uses).await.unwrap();
        let details = world
            .node
            .storage
            .keys()
            .get_key(KeyView::Everything, key.id)
            .await;
        let stored = details.unwrap().unwrap().secrets.remove(0).last_use;
        assert_eq!(stored, Some(last_use(latest)));
    }
}

async fn a_name_is_found_by_a_part_of_it_in_either_case(engine: Engine) {
    let world = World::new(engine).await;
    let (stored, _) = world
        .store(ApiKey {
            name: "The ÉCOLE 100%".to_owned(),
            ..key(KeyReach::Instance)
        })
        .await;
    let keys = world.node.storage.keys();
    for (text, found) in [
        ("the école".replace('é', "É").as_str(), true),
        ("ÉCOLE", true),
        ("100%", true),
        ("1%0", false),
        ("T_e", false),
    ] {
        let filter = KeyFilter {
            text: Some(text.to_owned()),
            ..KeyFilter::default()
        };
        let list = keys
            .list_keys(KeyView::Everything, filter, page(None, 9))
            .await
            .unwrap();
        assert_eq!(list.iter().any(|details| details.key == stored), found, "{text}");
    }
}

async fn a_personal_key_is_found_with_what_its_owner_is(engine: Engine) {
    let world = World::new(engine).await;
    let (home, other, foreign) = (
        world.workspace("home").await,
        world.workspace("other").await,
        world.workspace("foreign").await,
    );
    let jo = world.user("jo@example.com").await;
    world.join(&home, &jo, Role::Member).await;
    world.join(&other, &jo, Role::Viewer).await;
    let mut expected = vec![(home.id, Role::Member), (other.id, Role::Viewer)];
    let personal = ApiKey {
        owner: Some(jo.id),
        ..key(KeyReach::workspaces(home.id, [other.id, foreign.id]))
    };
    let (personal, digest) = world.store(personal).await;
    let find = async || {
        let found = world
            .node
            .storage
            .credentials()
            .find_key(&[digest])
            .await
            .unwrap()
            .unwrap();
        assert_eq!(found.key, personal);
        assert_eq!(found.workspaces.len(), 3);
        let mut owner = found.owner.unwrap();
        owner.roles.sort_unstable_by_key(|(id, _)| *id);
        owner
    };
    expected.sort_unstable_by_key(|(id, _)| *id);
    let owner = find().await;
    assert_eq!(
        (owner.id, owner.disabled_at, &owner.roles),
        (jo.id, None, &expected)
    );

    let accounts = world.node.storage.members();
    assert_eq!(
        accounts.role_in(home.id, jo.id).await.unwrap(),
        Some(Role::Member)
    );
    assert_eq!(accounts.role_in(foreign.id, jo.id).await.unwrap(), None);
    world
        .sql("DELETE FROM memberships WHERE role IN ('member', 'viewer')")
        .await;
    assert_eq!(find().await.roles, []);
    world
        .sql_by_engine(
            "UPDATE users SET disabled_at = '2027-01-15 08:00:00+00'",
            "UPDATE users SET disabled_at = '2027-01-15 08:00:00.000000+00:00'",
        )
        .await;
    assert!(find().await.disabled_at.is_some());
}

async fn a_person_s_view_holds_that_person_s_keys_only(engine: Engine) {
    let world = World::new(engine).await;
    let (home, other) = (world.workspace("home").await, world.workspace("other").await);
    let (jo, kim) = (
        world.user("jo@example.com").await,
        world.user("kim@example.com").await,
    );
    let own = |home: &Workspace, owner: &User| ApiKey {
        owner: Some(owner.id),
        ..key_at(home)
    };
    let (ours, _) = world.store(own(&home, &jo)).await;
    let (not_hers, _) = world.store(own(&home, &kim)).await;
    let (elsewhere, _) = world.store(own(&other, &jo)).await;
    let (nobodys, _) = world.store(key_at(&home)).await;
    let view = KeyView::Own {
        workspace: home.id,
        owner: jo.id,
    };
    assert_eq!(
        world.list(view, page(None, 200)).await,
        std::slice::from_ref(&ours)
    );
    let keys = world.node.storage.keys();
    for (key, seen) in [
        (&ours, true),
        (&not_hers, false),
        (&elsewhere, false),
        (&nobodys, false),
    ] {
        assert_eq!(keys.get_key(view, key.id).await.unwrap().is_some(), seen);
        assert_eq!(
            keys.edit_key(Act::of_operator(), view, key.id, Box::new(|_| Ok(())))
                .await
                .is_ok(),
            seen
        );
    }
    let stolen = keys.edit_key(
        Act::of_operator(),
        view,
        ours.id,
        Box::new(move |key| {
            key.owner = Some(kim.id);
            Ok(())
        }),
    );
    assert_eq!(stolen.await.unwrap().key.owner, Some(jo.id));
}

async fn a_request_that_names_itself_is_acted_upon_once(engine: Engine) {
    let world = World::new(engine).await;
    let home = world.workspace("home").await;
    let keys = world.node.storage.keys();
    let request = |content: u8, at| OnceOnly {
        caller: Creator::Operator,
        name: "n-1".to_owned(),
        request: [content; 32],
        at,
    };
    let made = key_at(&home);
    let racing = (0..8).map(|_| {
        let (keys, home) = (&keys, &home);
        async move {
            let key = key_at(home);
            let earlier = keys
                .insert_key(Act::of_operator(), key.clone(), secret(), Some(request(1, NOW)))
                .await
                .unwrap();
            (key.id, earlier)
        }
    });
    let outcomes = futures_util::future::join_all(racing).await;
    let won: Vec<KeyId> = outcomes
        .iter()
        .filter(|(_, earlier)| earlier.is_none())
        .map(|(id, _)| *id)
        .collect();
    let [winner] = won[..] else { panic!("{won:?}") };
    for earlier in outcomes.into_iter().filter_map(|(_, earlier)| earlier) {
        assert_eq!((earlier.key, earlier.request), (winner, [1; 32]));
    }
    assert_eq!(world.list(KeyView::Everything, page(None, 200)).await.len(), 1);

    let almost = NOW.saturating_add(KEPT - Duration::from_secs(1));
    let found = keys.find_request(request(2, almost)).await.unwrap().unwrap();
    assert_eq!((found.key, found.request), (winner, [1; 32]));
    let others = OnceOnly {
        caller: Creator::Key(winner),
        ..request(1, NOW)
    };
    assert_eq!(keys.find_request(others).await.unwrap(), None);

    // A day later the name is free again.
    let later = NOW.saturating_add(KEPT);
    assert_eq!(keys.find_request(request(1, later)).await.unwrap(), None);
    let again = keys.insert_key(
        Act::of_operator(),
        made.clone(),
        secret(),
        Some(request(3, later)),
    );
    assert_eq!(again.await.unwrap(), None);
    world.node.storage.forget_requests(later).await.unwrap();
    assert!(keys.find_request(request(3, later)).await.unwrap().is_some());
    world
        .node
        .storage
        .forget_requests(later.saturating_add(KEPT))
        .await
        .unwrap();
    assert_eq!(keys.find_request(request(3, later)).await.unwrap(), None);
}

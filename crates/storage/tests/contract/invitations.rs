//! Invitations, and the end of accounts.

use futures_util::future::join_all;
use tigertrust_accounts::{
    Conflict, FlowError,
    ports::{Joining, OpenInvitations, Page, PresentInvitation},
};
use tigertrust_credentials::{OsRandom, Token, TokenDigest, TokenKind};
use tigertrust_model::{
    Act, Change, Creator, Entity, Invitation, InvitationId, KeyReach, Role, Timestamp, User, Workspace,
};
use tigertrust_testkit::Engine;

use crate::support::{Heard, NOW, World, hex, key, on_both_engines};

on_both_engines!(
    an_address_has_one_invitation_even_in_a_race,
    accepting_is_a_change_and_happens_once,
    whoever_invites_has_so_many_open_in_all_workspaces,
    a_refused_check_stores_nothing,
    keys_that_made_each_other_lead_to_nobody,
    erasing_is_a_change_everywhere,
    a_corrupt_invitation_is_named,
);

const MOST: OpenInvitations = OpenInvitations {
    in_workspace: 100,
    of_maker: None,
};

fn later() -> Timestamp {
    NOW.saturating_add(std::time::Duration::from_secs(60))
}

fn token() -> TokenDigest {
    Token::generate(TokenKind::Invitation, &OsRandom)
        .unwrap()
        .digest()
}

pub(crate) fn invitation(home: &Workspace, email: &str) -> Invitation {
    Invitation {
        id: InvitationId::new(NOW, &OsRandom).unwrap(),
        workspace: home.id,
        email: email.parse().unwrap(),
        role: Role::Viewer,
        invited_by: Creator::Operator,
        invited_at: NOW,
        expires_at: later(),
    }
}

pub(crate) async fn put(
    world: &World,
    new: Invitation,
    token: TokenDigest,
) -> Result<(Invitation, bool), FlowError> {
    let store = world.node.storage.invitations();
    let check = |_: PresentInvitation| Ok(());
    store
        .put_invitation(Act::of_operator(), new, token, MOST, None, Box::new(check))
        .await
}

async fn accept(
    world: &World,
    home: &Workspace,
    token: TokenDigest,
    user: &User,
) -> Result<Invitation, FlowError> {
    let store = world.node.storage.invitations();
    let joining = Joining::Person(user.id);
    store
        .accept_invitation(Act::of_operator(), home.id, token, joining, NOW)
        .await
}

async fn an_address_has_one_invitation_even_in_a_race(engine: Engine) {
    let world = World::new(engine).await;
    let home = world.workspace("home").await;
    let tokens: Vec<TokenDigest> = (0..8).map(|_| token()).collect();
    let spellings = ["jo@example.com", "JO@example.com"];
    let puts = tokens.iter().zip(spellings.into_iter().cycle());
    let stored = join_all(puts.map(|(token, email)| put(&world, invitation(&home, email), *token))).await;
    let stored: Vec<(Invitation, bool)> = stored.into_iter().map(Result::unwrap).collect();
    assert_eq!(stored.iter().filter(|(_, is_new)| *is_new).count(), 1);
    assert!(stored.iter().all(|(one, _)| one.id == stored[0].0.id));
    let store = world.node.storage.invitations();
    let page = Page {
        after: None,
        limit: 10,
    };
    assert_eq!(store.list_invitations(home.id, page).await.unwrap().len(), 1);
    let found = join_all(tokens.iter().map(|token| store.find_invitation(*token))).await;
    assert_eq!(found.into_iter().filter_map(Result::unwrap).count(), 1);
}

async fn accepting_is_a_change_and_happens_once(engine: Engine) {
    let mut world = World::new(engine).await;
    let home = world.workspace("home").await;
    let jo = world.user("jo@example.com").await;
    let (first, second) = (token(), token());
    put(&world, invitation(&home, "Jo@example.com"), first)
        .await
        .unwrap();
    world.node.has_heard();
    let results = join_all((0..8).map(|_| accept(&world, &home, first, &jo))).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    let spent = |result: &Result<_, _>| matches!(result, Ok(_) | Err(FlowError::NotFound));
    assert!(results.iter().all(spent), "{results:?}");
    let heard = world.node.hears().await;
    let Heard::Applied(changes) = heard else {
        panic!("{heard:?}")
    };
    let entities: Vec<(Entity, _)> = changes
        .iter()
        .map(|change: &Change| (change.entity, change.workspace))
        .collect();
    assert_eq!(entities, [(Entity::User(jo.id), Some(home.id))]);
    let member = put(&world, invitation(&home, "jo@example.com"), second).await;
    assert!(matches!(
        member,
        Err(FlowError::Conflict(Conflict::AlreadyMember))
    ));
    // Another account than the one that is invited gets nothing, and spends nothing.
    let al = world.user("al@example.com").await;
    put(&world, invitation(&home, "x@example.com"), second)
        .await
        .unwrap();
    let refused = accept(&world, &home, second, &al).await;
    assert!(matches!(refused, Err(FlowError::Forbidden(_))), "{refused:?}");
    let store = world.node.storage.invitations();
    assert!(store.find_invitation(second).await.unwrap().is_some());
}

async fn whoever_invites_has_so_many_open_in_all_workspaces(engine: Engine) {
    let world = World::new(engine).await;
    let (home, other) = (world.workspace("home").await, world.workspace("other").await);
    let jo = world.user("jo@example.com").await;
    let store = world.node.storage.invitations();
    let most = OpenInvitations {
        of_maker: Some(2),
        ..MOST
    };
    let invite = async |into: &Workspace, email: &str, by: Creator| {
        let new = Invitation {
            invited_by: by,
            ..invitation(into, email)
        };
        let check = |_: PresentInvitation| Ok(());
        store
            .put_invitation(Act::of_operator(), new, token(), most, None, Box::new(check))
            .await
    };
    let by_jo = Creator::User(jo.id);
    invite(&home, "a@example.com", by_jo).await.unwrap();
    invite(&other, "b@example.com", by_jo).await.unwrap();
    let refused = invite(&home, "c@example.com", by_jo).await;
    assert!(matches!(
        refused,
        Err(FlowError::Conflict(Conflict::TooManyInvitations))
    ));
    // One that is open is renewed all the same, and others invite on.
    let (_, is_new) = invite(&other, "b@example.com", by_jo).await.unwrap();
    assert!(!is_new);
    invite(&home, "c@example.com", Creator::Operator).await.unwrap();
}

async fn a_refused_check_stores_nothing(engine: Engine) {
    let world = World::new(engine).await;
    let home = world.workspace("home").await;
    let jo = world.user("jo@example.com").await;
    world.join(&home, &jo, Role::Admin).await;
    let (store, first) = (world.node.storage.invitations(), token());
    let (stored, _) = put(&world, invitation(&home, "x@example.com"), first)
        .await
        .unwrap();
    let check = |present: PresentInvitation| {
        let expected = PresentInvitation {
            role: Some(Role::Viewer),
            by: Some(Role::Admin),
        };
        assert_eq!(present, expected);
        Err(FlowError::Forbidden(Vec::new()))
    };
    let by = Some(Creator::User(jo.id));
    let new = invitation(&home, "x@example.com");
    let refused = store
        .put_invitation(Act::of_operator(), new, token(), MOST, by, Box::new(check))
        .await;
    assert!(matches!(refused, Err(FlowError::Forbidden(_))));
    let refused = store
        .remove_invitation(Act::of_operator(), home.id, stored.id, by, Box::new(check))
        .await;
    assert!(matches!(refused, Err(FlowError::Forbidden(_))));
    assert_eq!(
        store.find_invitation(first).await.unwrap().unwrap().invitation,
        stored
    );
}

/// No such rows come into being, but whoever wrote them must not keep a request busy for ever.
async fn keys_that_made_each_other_lead_to_nobody(engine: Engine) {
    let world = World::new(engine).await;
    let home = world.workspace("home").await;
    let reach = || KeyReach::workspaces(home.id, []);
    let mut one = key(reach());
    one.created_by = Creator::Key(one.id);
    let (one, _) = world.store(one).await;
    let check = |present: PresentInvitation| {
        assert_eq!(present.by, None);
        Err(FlowError::Forbidden(Vec::new()))
    };
    let (store, by) = (world.node.storage.invitations(), Some(Creator::Key(one.id)));
    let new = invitation(&home, "x@example.com");
    let refused = store
        .put_invitation(Act::of_operator(), new, token(), MOST, by, Box::new(check))
        .await;
    assert!(matches!(refused, Err(FlowError::Forbidden(_))), "{refused:?}");
}

async fn erasing_is_a_change_everywhere(engine: Engine) {
    let mut world = World::new(engine).await;
    let (home, other) = (world.workspace("home").await, world.workspace("other").await);
    let jo = world.user("jo@example.com").await;
    for workspace in [&home, &other] {
        world.join(workspace, &jo, Role::Owner).await;
    }
    world.node.has_heard();
    let profiles = world.node.storage.profiles();
    profiles
        .erase_person(Act::of_operator(), jo.id, NOW)
        .await
        .unwrap();
    let Heard::Applied(changes) = world.node.hears().await else {
        panic!()
    };
    let mut concerned: Vec<_> = changes.iter().map(|change| change.workspace).collect();
    concerned.sort_unstable();
    let mut expected = vec![None, Some(home.id), Some(other.id)];
    expected.sort_unstable();
    assert_eq!(concerned, expected);
    assert!(changes.iter().all(|change| change.entity == Entity::User(jo.id)));
    assert_eq!(world.node.storage.accounts().get_user(jo.id).await.unwrap(), None);
    let again = profiles.erase_person(Act::of_operator(), jo.id, NOW).await;
    assert!(matches!(again, Err(FlowError::NotFound)));
    let cleared = "PRAGMA wal_checkpoint(TRUNCATE); VACUUM; PRAGMA wal_checkpoint(TRUNCATE)";
    world.sql_by_engine("SELECT 1", cleared).await;
    assert!(!world.database.dump().contains("jo@example.com"));
    // The address is free.
    world.user("jo@example.com").await;
    let owner = world
        .node
        .storage
        .accounts()
        .find_user_by_email("home@example.com")
        .await;
    let alone = profiles
        .erase_person(Act::of_operator(), owner.unwrap().unwrap().id, NOW)
        .await;
    let named = matches!(&alone, Err(FlowError::OwnsAlone(names)) if *names == [home.id]);
    assert!(named, "{alone:?}");
}

async fn a_corrupt_invitation_is_named(engine: Engine) {
    let world = World::new(engine).await;
    let home = world.workspace("home").await;
    let digest = token();
    let (stored, _) = put(&world, invitation(&home, "x@example.com"), digest)
        .await
        .unwrap();
    let (postgres, sqlite) = hex(stored.id.as_uuid());
    let set = |id: &str| format!("UPDATE invitations SET invited_by = 'nobody' WHERE id = {id}");
    world.sql_by_engine(&set(&postgres), &set(&sqlite)).await;
    let found = world.node.storage.invitations().find_invitation(digest).await;
    let error = found.unwrap_err().to_string();
    assert!(
        error.contains("invitations") && error.contains("invited_by"),
        "{error}"
    );
    assert!(error.contains(&stored.id.to_string()), "{error}");
}

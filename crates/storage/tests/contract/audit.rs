//! The audit log: what is written, and that nobody touches it unseen.

use std::sync::Arc;

use diesel_async::SimpleAsyncConnection as _;
use tigertrust_accounts::{
    Conflict, FlowError,
    audit::{AuditFlows, Finding, Landmark, Segment, Verified},
    ports::KeyView,
};
use tigertrust_model::{
    Act, ApiKey, AuditAction, AuditCursor, AuditEntry, AuditEvent, AuditFilter, AuditOutcome, Chain,
    FieldChange, Origin, Principal, Role, Workspace,
};
use tigertrust_testkit::{Engine, TestClock};

use crate::{
    invitations::{invitation, put},
    passkeys::token,
    support::{NOW, Node, World, hex, key_at, on_both_engines, patient, ring, user},
};

on_both_engines!(
    an_act_is_in_the_log_of_its_workspace,
    what_does_not_happen_is_not_logged,
    s28_an_edited_event_is_noticed,
    s28_a_deleted_event_is_noticed,
    s28_reordered_events_are_noticed,
    s28_a_truncated_chain_is_noticed,
    s28_a_chain_that_is_gone_is_noticed,
    s28_a_database_from_before_is_noticed_by_a_checkpoint,
    s28_what_is_put_beside_a_chain_is_noticed,
    s28_nothing_is_written_on_after_a_changed_head,
    a_chain_goes_on_after_a_restart,
    what_was_counted_of_a_person_is_stored_without_where_once_erased,
    another_pepper_goes_on_with_the_chain,
    an_archived_chain_is_whole,
    personal_fields_are_erased_and_the_chain_is_whole,
    what_speaks_of_an_erased_address_is_erased,
    erasing_waits_for_archiving_and_not_the_other_way_round,
    pages_are_filtered_and_follow_each_other,
    acts_at_the_same_time_make_one_chain,
    texts_cannot_forge_a_line,
);

fn flows(node: &Node) -> AuditFlows {
    AuditFlows::new(
        node.storage.audit(),
        ring(&["p1"]),
        Arc::new(TestClock::default()),
    )
}

fn chain(workspace: &Workspace) -> Chain {
    Chain::Workspace(workspace.id)
}

async fn events(world: &World, chain: Chain) -> Vec<AuditEvent> {
    world
        .node
        .storage
        .audit()
        .read_chain(chain, 0, 1000)
        .await
        .unwrap()
}

async fn verify(world: &World, chain: Chain) -> Result<Verified, Finding> {
    flows(&world.node).verify(chain, &[]).await.unwrap()
}

/// A workspace in whose log there are some events.
async fn eventful(world: &World) -> (Workspace, ApiKey) {
    let home = world.workspace("home").await;
    let (key, _) = world.store(key_at(&home)).await;
    for name in ["second", "third", "fourth"] {
        rename(world, &key, name).await;
    }
    assert_eq!(verify(world, chain(&home)).await.unwrap().events, 5);
    (home, key)
}

async fn rename(world: &World, key: &ApiKey, name: &str) {
    let name = name.to_owned();
    let edit = move |key: &mut ApiKey| {
        key.name = name;
        Ok(())
    };
    let keys = world.node.storage.keys();
    keys.edit_key(Act::of_operator(), KeyView::Everything, key.id, Box::new(edit))
        .await
        .unwrap();
}

/// Runs a statement on the events of a chain, `{id}` for its id.
async fn tamper(world: &World, of: Chain, statement: &str) {
    let id = of.workspace().map_or(uuid::Uuid::nil(), |id| id.as_uuid());
    let (postgres, sqlite) = hex(id);
    world
        .sql_by_engine(
            &statement.replace("{id}", &postgres),
            &statement.replace("{id}", &sqlite),
        )
        .await;
}

async fn an_act_is_in_the_log_of_its_workspace(engine: Engine) {
    let world = World::new(engine).await;
    let home = world.workspace("home").await;
    let key = key_at(&home);
    let person = user("jo@example.com").id;
    let act = Act {
        by: Principal::Key {
            id: key.id,
            owner: Some(person),
        },
        from: Origin {
            address: Some("192.0.2.7".parse().unwrap()),
            user_agent: Some("curl/8".to_owned()),
            request_id: Some("req_1".to_owned()),
        },
    };
    let secret = crate::support::secret();
    let keys = world.node.storage.keys();
    keys.insert_key(act, key.clone(), secret, None).await.unwrap();
    let found = events(&world, chain(&home)).await;
    let [made, created] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!((made.seq, made.action.as_str()), (1, "workspace.created"));
    assert_eq!((created.seq, created.action.as_str()), (2, "key.created"));
    assert_eq!(created.actor_kind, "user");
    assert_eq!(created.actor, Some(person.to_string()));
    assert_eq!(created.credential, Some(key.id.to_string()));
    assert_eq!(created.target.as_ref().unwrap().id, key.id.to_string());
    assert_eq!(created.request_id.as_deref(), Some("req_1"));
    assert_eq!(created.at, NOW);
    let personal = created.personal.as_ref().unwrap();
    assert_eq!(personal.address.as_deref(), Some("192.0.2.7"));
    assert_eq!(personal.user_agent.as_deref(), Some("curl/8"));
    assert!(
        created
            .changes
            .contains(&FieldChange::set("scopes", "certificates:* keys:read"))
    );
    // The instance knows of the workspace, and of its owner's account.
    let of_instance: Vec<String> = events(&world, Chain::Instance)
        .await
        .into_iter()
        .map(|event| event.action)
        .collect();
    assert_eq!(of_instance, ["user.created", "workspace.created"]);
}

async fn what_does_not_happen_is_not_logged(engine: Engine) {
    let world = World::new(engine).await;
    let (home, key) = eventful(&world).await;
    let refuse = |_: &mut ApiKey| Err(FlowError::from(Conflict::KeyRevoked));
    let keys = world.node.storage.keys();
    let refused = keys.edit_key(Act::of_operator(), KeyView::Everything, key.id, Box::new(refuse));
    assert!(refused.await.is_err());
    // Nor is what changes nothing.
    rename(&world, &key, "fourth").await;
    assert_eq!(verify(&world, chain(&home)).await.unwrap().events, 5);
}

async fn s28_an_edited_event_is_noticed(engine: Engine) {
    for (column, value, finding) in [
        ("action", "'key.rotated'", Finding::Changed { seq: 3 }),
        ("outcome", "'refused'", Finding::Changed { seq: 3 }),
        ("code", "'FORBIDDEN'", Finding::Changed { seq: 3 }),
        ("actor_kind", "'system'", Finding::Changed { seq: 3 }),
        ("actor_id", "'usr_x'", Finding::Changed { seq: 3 }),
        ("credential_id", "'ses_x'", Finding::Changed { seq: 3 }),
        ("target_id", "'key_x'", Finding::Changed { seq: 3 }),
        ("target_kind", "'user'", Finding::Changed { seq: 3 }),
        ("changes", "'[]'", Finding::Changed { seq: 3 }),
        ("count", "2", Finding::Changed { seq: 3 }),
        ("request_id", "'req_x'", Finding::Changed { seq: 3 }),
        (
            "created_at",
            "'2026-01-01 00:00:00.000000+00:00'",
            Finding::Changed { seq: 3 },
        ),
        (
            "mac",
            "(SELECT mac FROM audit_events WHERE chain_id = {id} AND seq = 2)",
            Finding::Changed { seq: 3 },
        ),
        ("personal_digest", "mac", Finding::Changed { seq: 3 }),
        ("address", "'192.0.2.66'", Finding::PersonalChanged { seq: 3 }),
        ("user_agent", "'x'", Finding::PersonalChanged { seq: 3 }),
        (
            "details",
            "'[[\"a\",\"b\"]]'",
            Finding::PersonalChanged { seq: 3 },
        ),
    ] {
        let world = World::new(engine).await;
        let (home, _) = eventful(&world).await;
        let statement =
            format!("UPDATE audit_events SET {column} = {value} WHERE chain_id = {{id}} AND seq = 3");
        tamper(&world, chain(&home), &statement).await;
        assert_eq!(verify(&world, chain(&home)).await, Err(finding), "{column}");
    }
}

async fn s28_a_deleted_event_is_noticed(engine: Engine) {
    let world = World::new(engine).await;
    let (home, _) = eventful(&world).await;
    tamper(
        &world,
        chain(&home),
        "DELETE FROM audit_events WHERE chain_id = {id} AND seq = 2",
    )
    .await;
    let missing = Finding::Missing {
        seq: 2,
        found: Some(3),
    };
    assert_eq!(verify(&world, chain(&home)).await, Err(missing));
    // Nor does it help to close the gap.
    tamper(
        &world,
        chain(&home),
        "UPDATE audit_events SET seq = seq - 1 WHERE chain_id = {id} AND seq = 3",
    )
    .await;
    assert_eq!(
        verify(&world, chain(&home)).await,
        Err(Finding::Changed { seq: 2 })
    );
}

async fn s28_reordered_events_are_noticed(engine: Engine) {
    let world = World::new(engine).await;
    let (home, _) = eventful(&world).await;
    for step in [
        "UPDATE audit_events SET seq = 99 WHERE chain_id = {id} AND seq = 3",
        "UPDATE audit_events SET seq = 3 WHERE chain_id = {id} AND seq = 4",
        "UPDATE audit_events SET seq = 4 WHERE chain_id = {id} AND seq = 99",
    ] {
        tamper(&world, chain(&home), step).await;
    }
    assert_eq!(
        verify(&world, chain(&home)).await,
        Err(Finding::Changed { seq: 3 })
    );
}

async fn s28_a_truncated_chain_is_noticed(engine: Engine) {
    let world = World::new(engine).await;
    let (home, _) = eventful(&world).await;
    tamper(
        &world,
        chain(&home),
        "DELETE FROM audit_events WHERE chain_id = {id} AND seq > 3",
    )
    .await;
    let missing = Finding::Missing { seq: 4, found: None };
    assert_eq!(verify(&world, chain(&home)).await, Err(missing));
    // Nor does it help to say so in the head.
    tamper(
        &world,
        chain(&home),
        "UPDATE audit_heads SET seq = 3, mac = (SELECT mac FROM audit_events WHERE chain_id = {id} AND seq = 3) \
         WHERE chain_id = {id}",
    )
    .await;
    assert_eq!(verify(&world, chain(&home)).await, Err(Finding::HeadChanged));
}

async fn s28_a_chain_that_is_gone_is_noticed(engine: Engine) {
    let world = World::new(engine).await;
    let (home, _) = eventful(&world).await;
    tamper(
        &world,
        chain(&home),
        "DELETE FROM audit_events WHERE chain_id = {id}",
    )
    .await;
    tamper(
        &world,
        chain(&home),
        "DELETE FROM audit_heads WHERE chain_id = {id}",
    )
    .await;
    assert_eq!(verify(&world, chain(&home)).await, Err(Finding::NoChain));
}

async fn s28_a_database_from_before_is_noticed_by_a_checkpoint(engine: Engine) {
    let world = World::new(engine).await;
    let (home, key) = eventful(&world).await;
    tamper(
        &world,
        chain(&home),
        "CREATE TABLE kept_events AS SELECT * FROM audit_events; CREATE TABLE kept_heads AS SELECT * FROM audit_heads",
    )
    .await;
    rename(&world, &key, "fifth").await;
    let head = world
        .node
        .storage
        .audit()
        .chain_head(chain(&home))
        .await
        .unwrap()
        .unwrap();
    let landmark = Some(Landmark {
        seq: head.seq,
        mac: head.mac,
    });
    let with_landmark = async || {
        flows(&world.node)
            .verify(chain(&home), landmark.as_slice())
            .await
            .unwrap()
    };
    assert_eq!(with_landmark().await.unwrap().seq, 6);
    tamper(
        &world,
        chain(&home),
        "DELETE FROM audit_events; DELETE FROM audit_heads; \
         INSERT INTO audit_events SELECT * FROM kept_events; INSERT INTO audit_heads SELECT * FROM kept_heads",
    )
    .await;
    // It is as it was written, then.
    assert_eq!(verify(&world, chain(&home)).await.unwrap().seq, 5);
    assert_eq!(
        with_landmark().await,
        Err(Finding::EndsBeforeCheckpoint { end: 5, seq: 6 })
    );
    // And another event in that place is another event.
    rename(&world, &key, "another").await;
    assert_eq!(with_landmark().await, Err(Finding::NotAsInCheckpoint { seq: 6 }));
}

async fn s28_what_is_put_beside_a_chain_is_noticed(engine: Engine) {
    let world = World::new(engine).await;
    let (home, key) = eventful(&world).await;
    tamper(
        &world,
        chain(&home),
        "CREATE TABLE placed AS SELECT * FROM audit_events WHERE chain_id = {id} AND seq = 3; \
         UPDATE placed SET seq = 1000, id = {id}; INSERT INTO audit_events SELECT * FROM placed",
    )
    .await;
    assert_eq!(
        verify(&world, chain(&home)).await,
        Err(Finding::Stray { seq: 1000 })
    );
    // Acts go on where the head says, and the stray is still one.
    rename(&world, &key, "fifth").await;
    assert_eq!(
        verify(&world, chain(&home)).await,
        Err(Finding::Stray { seq: 1000 })
    );
}

async fn a_chain_goes_on_after_a_restart(engine: Engine) {
    let world = World::new(engine).await;
    let (home, key) = eventful(&world).await;
    tamper(
        &world,
        chain(&home),
        "UPDATE audit_heads SET seq = 4 WHERE chain_id = {id}",
    )
    .await;
    let flows = flows(&world.node);
    flows.restart(Act::of_operator(), chain(&home)).await.unwrap();
    rename(&world, &key, "fifth").await;
    let verified = verify(&world, chain(&home)).await.unwrap();
    assert_eq!((verified.seq, verified.restarted), (7, 1));
    let restarted = &events(&world, chain(&home)).await[5];
    assert_eq!(restarted.action, "audit.restarted");
    let said = (Some("4".to_owned()), Some("5".to_owned()));
    let change = &restarted.changes[0];
    assert_eq!((change.before.clone(), change.after.clone()), said);
}

async fn what_was_counted_of_a_person_is_stored_without_where_once_erased(engine: Engine) {
    let world = World::new(engine).await;
    let home = world.workspace("home").await;
    let person = world.user("jo@example.com").await;
    let from = Origin {
        address: Some("192.0.2.7".parse().unwrap()),
        user_agent: Some("curl/8".to_owned()),
        request_id: None,
    };
    let refused = || {
        AuditEntry::new(
            AuditAction::RequestRefused,
            chain(&home),
            &Act::of_person(person.id, None, from.clone()),
        )
        .refused("FORBIDDEN")
    };
    let audit = world.node.storage.audit();
    audit.append_audit(vec![refused()]).await.unwrap();
    let profiles = world.node.storage.profiles();
    profiles
        .erase_person(Act::of_operator(), person.id, NOW)
        .await
        .unwrap();
    audit.append_audit(vec![refused()]).await.unwrap();
    let logged = events(&world, chain(&home)).await;
    let refused = logged.iter().filter(|event| event.action == "request.refused");
    let addresses: Vec<_> = refused
        .map(|event| {
            event
                .personal
                .as_ref()
                .and_then(|personal| personal.address.clone())
        })
        .collect();
    assert_eq!(addresses, [None, None]);
}

async fn s28_nothing_is_written_on_after_a_changed_head(engine: Engine) {
    let world = World::new(engine).await;
    let (home, key) = eventful(&world).await;
    tamper(
        &world,
        chain(&home),
        "UPDATE audit_heads SET seq = 4 WHERE chain_id = {id}",
    )
    .await;
    let edit = |key: &mut ApiKey| {
        key.name = "unlogged".to_owned();
        Ok(())
    };
    let keys = world.node.storage.keys();
    let edited = keys.edit_key(Act::of_operator(), KeyView::Everything, key.id, Box::new(edit));
    assert!(matches!(edited.await, Err(FlowError::Store(_))));
    assert_eq!(world.get(key.id).await.unwrap().name, "fourth");
    // Other workspaces go on.
    let other = world.workspace("other").await;
    world.store(key_at(&other)).await;
}

async fn another_pepper_goes_on_with_the_chain(engine: Engine) {
    let world = World::new(engine).await;
    let (home, key) = eventful(&world).await;
    let rotated = Node::open_with(world.database.url(), patient(), ring(&["p2", "p1"]));
    rotated.storage.audit().reseal_heads().await.unwrap();
    let world = World {
        node: rotated,
        ..world
    };
    rename(&world, &key, "under another pepper").await;
    let flows = |ids: &[&str]| {
        AuditFlows::new(
            world.node.storage.audit(),
            ring(ids),
            Arc::new(TestClock::default()),
        )
    };
    let both = flows(&["p2", "p1"]).verify(chain(&home), &[]).await.unwrap();
    assert_eq!(both.unwrap().events, 6);
    // Without the earlier one, what it has sealed cannot be verified; but things go on.
    let without = flows(&["p2"]).verify(chain(&home), &[]).await.unwrap();
    let unknown = Finding::UnknownKey {
        seq: Some(1),
        key: "p1".to_owned(),
    };
    assert_eq!(without, Err(unknown));
    let world = World {
        node: Node::open_with(world.database.url(), patient(), ring(&["p2"])),
        ..world
    };
    rename(&world, &key, "without the earlier one").await;
}

async fn an_archived_chain_is_whole(engine: Engine) {
    let world = World::new(engine).await;
    let (home, key) = eventful(&world).await;
    let found = events(&world, chain(&home)).await;
    let segment = |event: &AuditEvent| Segment {
        chain: event.chain,
        seq: event.seq,
        mac: event.mac,
    };
    let audit = world.node.storage.audit();
    let drop = async |segment| audit.drop_archived(Act::of_operator(), segment).await;
    let wrong = Segment {
        mac: found[1].mac,
        ..segment(&found[2])
    };
    assert!(matches!(drop(wrong).await, Err(FlowError::NotFound)));
    drop(segment(&found[2])).await.unwrap();
    assert!(matches!(drop(segment(&found[1])).await, Err(FlowError::NotFound)));
    let verified = verify(&world, chain(&home)).await.unwrap();
    // What is left, and that the rest is archived.
    assert_eq!((verified.events, verified.seq), (3, 6));
    rename(&world, &key, "fifth").await;
    let left = events(&world, chain(&home)).await;
    let actions: Vec<&str> = left.iter().map(|event| event.action.as_str()).collect();
    assert_eq!(
        actions,
        ["key.updated", "key.updated", "audit.archived", "key.updated"]
    );
    // Nobody can claim that more was archived.
    tamper(
        &world,
        chain(&home),
        "DELETE FROM audit_events WHERE chain_id = {id} AND seq = 4",
    )
    .await;
    let missing = Finding::Missing {
        seq: 4,
        found: Some(5),
    };
    assert_eq!(verify(&world, chain(&home)).await, Err(missing));
}

async fn personal_fields_are_erased_and_the_chain_is_whole(engine: Engine) {
    let world = World::new(engine).await;
    let home = world.workspace("home").await;
    let jo = world.user("jo@example.com").await;
    let act = Act::of_person(
        jo.id,
        None,
        Origin {
            address: Some("192.0.2.7".parse().unwrap()),
            user_agent: Some("Jo's browser".to_owned()),
            request_id: None,
        },
    );
    let mut own = key_at(&home);
    own.owner = Some(jo.id);
    own.name = "Jo's key".to_owned();
    let keys = world.node.storage.keys();
    keys.insert_key(act, own, crate::support::secret(), None)
        .await
        .unwrap();
    assert!(world.database.dump().contains("Jo's browser"));
    let profiles = world.node.storage.profiles();
    profiles
        .erase_person(Act::of_operator(), jo.id, NOW)
        .await
        .unwrap();
    let left = world.database.dump();
    for personal in ["Jo's browser", "Jo's key", "192.0.2.7", "jo@example.com"] {
        assert!(!left.contains(personal), "{personal}");
    }
    let verified = verify(&world, chain(&home)).await.unwrap();
    // That the key was made, and that it was ended.
    assert_eq!((verified.events, verified.erased), (3, 1));
    assert!(verify(&world, Chain::Instance).await.unwrap().erased > 0);
}

async fn what_speaks_of_an_erased_address_is_erased(engine: Engine) {
    let world = World::new(engine).await;
    let home = world.workspace("home").await;
    let invitations = world.node.storage.invitations();
    let mut stored = Vec::new();
    for email in ["Jo@Example.com", "other@example.com"] {
        let (invited, _) = put(&world, invitation(&home, email), token().digest())
            .await
            .unwrap();
        let revoked = invitations.remove_invitation(
            Act::of_operator(),
            home.id,
            invited.id,
            None,
            Box::new(|_| Ok(())),
        );
        revoked.await.unwrap();
        stored.push(invited);
    }
    // Under another pepper than when it was logged.
    let rotated = Node::open_with(world.database.url(), patient(), ring(&["p2", "p1"]));
    let jo = world.user("jo@example.com").await;
    let profiles = rotated.storage.profiles();
    profiles
        .erase_person(Act::of_operator(), jo.id, NOW)
        .await
        .unwrap();
    let left: Vec<AuditEvent> = events(&world, chain(&home)).await;
    for (invited, is_erased) in stored.iter().zip([true, false]) {
        let id = invited.id.to_string();
        let of = left
            .iter()
            .filter(|event| event.target.as_ref().is_some_and(|target| target.id == id));
        let erased: Vec<bool> = of.map(|event| event.personal.is_none()).collect();
        assert_eq!(erased, [is_erased; 2]);
    }
    let cleared = "PRAGMA wal_checkpoint(TRUNCATE); VACUUM; PRAGMA wal_checkpoint(TRUNCATE)";
    world.sql_by_engine("SELECT 1", cleared).await;
    assert!(!world.database.dump().to_lowercase().contains("jo@example.com"));
}

/// Two that lock the same rows in different orders wait for each other for ever.
async fn erasing_waits_for_archiving_and_not_the_other_way_round(engine: Engine) {
    // SQLite has one writer.
    if engine != Engine::Postgres {
        return;
    }
    let world = World::new(engine).await;
    let home = world.workspace("home").await;
    let jo = world.user("jo@example.com").await;
    world.join(&home, &jo, Role::Member).await;
    // As whoever archives, up to where it has the head.
    let mut archiving = world.postgres().await;
    let (home_id, _) = hex(home.id.as_uuid());
    archiving
        .batch_execute(&format!(
            "BEGIN; SET LOCAL lock_timeout = '5s'; UPDATE audit_heads SET seq = seq WHERE chain_id = {home_id}"
        ))
        .await
        .unwrap();
    let profiles = world.node.storage.profiles();
    let erasing = tokio::spawn(async move { profiles.erase_person(Act::of_operator(), jo.id, NOW).await });
    world.until_somebody_waits().await;
    // What is erased is held by nobody yet, so that this does not wait.
    archiving
        .batch_execute(&format!(
            "UPDATE audit_events SET count = count WHERE chain_id = {home_id}; COMMIT"
        ))
        .await
        .unwrap();
    erasing.await.unwrap().unwrap();
    assert!(verify(&world, chain(&home)).await.unwrap().erased > 0);
}

async fn pages_are_filtered_and_follow_each_other(engine: Engine) {
    let world = World::new(engine).await;
    let (home, key) = eventful(&world).await;
    let audit = world.node.storage.audit();
    let refused = AuditEntry::new(AuditAction::RequestRefused, chain(&home), &Act::of_system())
        .refused("FORBIDDEN")
        .times(7);
    audit.append_audit(vec![refused]).await.unwrap();
    let all = async |filter: AuditFilter| {
        let (mut seqs, mut after) = (Vec::new(), None);
        loop {
            let page = audit
                .list_audit(chain(&home), filter.clone(), after, 2)
                .await
                .unwrap();
            let Some(last) = page.last() else {
                return seqs;
            };
            after = Some(AuditCursor {
                at: last.at,
                seq: last.seq,
            });
            seqs.extend(page.iter().map(|event| event.seq));
        }
    };
    let none = AuditFilter::default;
    let actions = |text: &str| AuditFilter {
        actions: AuditAction::named(text),
        ..none()
    };
    assert_eq!(all(none()).await, [6, 5, 4, 3, 2, 1]);
    assert_eq!(all(actions("key.updated")).await, [5, 4, 3]);
    assert_eq!(all(actions("key.*")).await, [5, 4, 3, 2]);
    let target = Some(key.id.to_string());
    assert_eq!(all(AuditFilter { target, ..none() }).await, [5, 4, 3, 2]);
    let outcome = Some(AuditOutcome::Refused);
    assert_eq!(all(AuditFilter { outcome, ..none() }).await, [6]);
    let actor = Some("usr_nobody".to_owned());
    assert_eq!(all(AuditFilter { actor, ..none() }).await, [0_u64; 0]);
    let until = Some(NOW);
    assert_eq!(all(AuditFilter { until, ..none() }).await, [0_u64; 0]);
    let from = Some(NOW);
    assert_eq!(all(AuditFilter { from, ..none() }).await.len(), 6);
}

async fn acts_at_the_same_time_make_one_chain(engine: Engine) {
    let world = World::new(engine).await;
    let (home, other) = (world.workspace("home").await, world.workspace("other").await);
    let second = world.second();
    let keys = [world.node.storage.keys(), second.storage.keys()];
    let acts = (0..60).map(|number| {
        let keys = Arc::clone(&keys[number % 2]);
        let key = key_at(if number % 3 == 0 { &other } else { &home });
        async move {
            keys.insert_key(Act::of_operator(), key, crate::support::secret(), None)
                .await
                .unwrap();
        }
    });
    futures_util::future::join_all(acts).await;
    assert_eq!(verify(&world, chain(&home)).await.unwrap().events, 41);
    assert_eq!(verify(&world, chain(&other)).await.unwrap().events, 21);
}

async fn texts_cannot_forge_a_line(engine: Engine) {
    let world = World::new(engine).await;
    let act = Act::of_anybody(Origin {
        user_agent: Some("a\r\nb\u{1b}[31m\0".to_owned()),
        request_id: Some("req\n1".to_owned()),
        ..Origin::default()
    });
    let entry = AuditEntry::new(AuditAction::KeyUpdated, Chain::Instance, &act)
        .changing([FieldChange::set("name", "x\ny\0")])
        .about("email", "e\nf\0");
    world
        .node
        .storage
        .audit()
        .append_audit(vec![entry])
        .await
        .unwrap();
    let event = events(&world, Chain::Instance).await.remove(0);
    let personal = event.personal.unwrap();
    let texts = [
        personal.user_agent.unwrap(),
        event.request_id.unwrap(),
        event.changes[0].after.clone().unwrap(),
        personal.details[0].1.clone(),
    ];
    assert!(
        !texts.iter().any(|text| text.chars().any(char::is_control)),
        "{texts:?}"
    );
    assert!(verify(&world, Chain::Instance).await.is_ok());
}

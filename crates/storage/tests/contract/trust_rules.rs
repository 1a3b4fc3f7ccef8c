//! Trust rules of keys.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use tigertrust_accounts::{
    Conflict, FlowError,
    ports::KeyView,
    trust_rules::{MAX_TRUST_RULES, TrustedKey},
};
use tigertrust_credentials::{OsRandom, ports::StoreError};
use tigertrust_model::{
    Act, ApiKey, ClaimConditions, Creator, KeyId, KeyReach, TrustRule, TrustRuleId, UserId, WorkspaceId,
};
use tigertrust_testkit::Engine;
use uuid::Uuid;

use crate::support::{NOW, World, key, key_at, on_both_engines, secret};

on_both_engines!(
    a_rule_is_stored_as_it_is,
    a_refused_check_stores_no_rule,
    so_many_rules_are_all_even_in_a_race,
    a_rule_is_seen_and_removed_by_those_who_see_its_key,
    a_key_is_found_by_its_present_secret,
    a_corrupt_rule_is_named,
);

fn rule(key: &ApiKey, place: u128) -> TrustRule {
    let claims = BTreeMap::from([
        ("owner_id".to_owned(), vec!["1234".to_owned()]),
        (
            "sub".to_owned(),
            vec!["a/b/*".to_owned(), "\u{e9}\"\\".to_owned()],
        ),
    ]);
    TrustRule {
        id: TrustRuleId::from_uuid(Uuid::from_u128(place)),
        key: key.id,
        name: "releases".to_owned(),
        issuer: "https://ci.example.com".to_owned(),
        audience: "https://auth.example.com".to_owned(),
        claims: ClaimConditions::new(claims).unwrap(),
        created_at: NOW,
        created_by: Creator::Operator,
    }
}

async fn put(world: &World, rule: TrustRule) -> Result<(), FlowError> {
    let store = world.node.storage.trust_rules();
    let check = Box::new(|_: &ApiKey| Ok(()));
    store
        .insert_trust_rule(Act::of_operator(), KeyView::Everything, rule, check)
        .await
}

async fn all(world: &World, key: KeyId) -> Vec<TrustRule> {
    let store = world.node.storage.trust_rules();
    let found = store.list_trust_rules(KeyView::Everything, key).await.unwrap();
    found.unwrap_or_default()
}

async fn a_rule_is_stored_as_it_is(engine: Engine) {
    let world = World::new(engine).await;
    let (key, _) = world.store(key(KeyReach::Instance)).await;
    let (first, second) = (rule(&key, 1), rule(&key, 2));
    put(&world, first.clone()).await.unwrap();
    put(&world, second.clone()).await.unwrap();
    assert_eq!(all(&world, key.id).await, [second, first]);
}

async fn a_refused_check_stores_no_rule(engine: Engine) {
    let world = World::new(engine).await;
    let (key, _) = world.store(key(KeyReach::Instance)).await;
    let store = world.node.storage.trust_rules();
    let refuse = Box::new(|_: &ApiKey| Err(FlowError::Forbidden(Vec::new())));
    let refused = store
        .insert_trust_rule(Act::of_operator(), KeyView::Everything, rule(&key, 1), refuse)
        .await;
    assert!(matches!(refused, Err(FlowError::Forbidden(_))), "{refused:?}");
    assert_eq!(all(&world, key.id).await, []);
    let nobody = KeyId::new(NOW, &OsRandom).unwrap();
    let missing = TrustRule {
        key: nobody,
        ..rule(&key, 1)
    };
    assert!(matches!(put(&world, missing).await, Err(FlowError::NotFound)));
}

async fn so_many_rules_are_all_even_in_a_race(engine: Engine) {
    let world = World::new(engine).await;
    let (key, _) = world.store(key(KeyReach::Instance)).await;
    let most = u128::try_from(MAX_TRUST_RULES).unwrap();
    let tries = (0..most + 5).map(|place| put(&world, rule(&key, place)));
    let refused: Vec<FlowError> = join_all(tries)
        .await
        .into_iter()
        .filter_map(Result::err)
        .collect();
    assert_eq!(refused.len(), 5);
    for error in refused {
        assert!(
            matches!(error, FlowError::Conflict(Conflict::TooManyTrustRules)),
            "{error:?}"
        );
    }
    assert_eq!(all(&world, key.id).await.len(), MAX_TRUST_RULES);
}

async fn a_rule_is_seen_and_removed_by_those_who_see_its_key(engine: Engine) {
    let world = World::new(engine).await;
    let home = world.workspace("Home").await;
    let (key, _) = world.store(key_at(&home)).await;
    let (other, _) = world.store(key_at(&home)).await;
    let rule = rule(&key, 1);
    put(&world, rule.clone()).await.unwrap();
    let store = world.node.storage.trust_rules();
    let remove = async |view, of| {
        store
            .remove_trust_rule(Act::of_operator(), view, of, rule.id)
            .await
    };
    let elsewhere = WorkspaceId::new(NOW, &OsRandom).unwrap();
    let stranger = KeyView::Own {
        workspace: home.id,
        owner: UserId::new(NOW, &OsRandom).unwrap(),
    };
    for view in [KeyView::Workspace(elsewhere), stranger] {
        assert_eq!(store.list_trust_rules(view, key.id).await.unwrap(), None);
        let refused = remove(view, Some(key.id)).await;
        assert!(matches!(refused, Err(FlowError::NotFound)), "{refused:?}");
        assert!(matches!(remove(view, None).await, Err(FlowError::NotFound)));
    }
    let own = KeyView::Workspace(home.id);
    assert!(matches!(
        remove(own, Some(other.id)).await,
        Err(FlowError::NotFound)
    ));
    assert_eq!(
        store.list_trust_rules(own, key.id).await.unwrap(),
        Some(vec![rule.clone()])
    );
    assert_eq!(remove(own, Some(key.id)).await.unwrap(), rule);
    assert!(matches!(
        remove(own, Some(key.id)).await,
        Err(FlowError::NotFound)
    ));
    assert_eq!(
        store.list_trust_rules(own, key.id).await.unwrap(),
        Some(Vec::new())
    );
    put(&world, rule.clone()).await.unwrap();
    assert_eq!(remove(KeyView::Everything, None).await.unwrap(), rule);
}

async fn a_key_is_found_by_its_present_secret(engine: Engine) {
    let world = World::new(engine).await;
    let home = world.workspace("Home").await;
    let (key, digest) = world.store(key_at(&home)).await;
    let store = world.node.storage.trust_rules();
    assert_eq!(store.find_trusted_key(key.id).await.unwrap(), None);
    let rules = vec![rule(&key, 2), rule(&key, 1)];
    for rule in rules.iter().rev() {
        put(&world, rule.clone()).await.unwrap();
    }
    let found = store.find_trusted_key(key.id).await.unwrap();
    assert_eq!(
        found,
        Some(TrustedKey {
            home: Some(home.id),
            digest,
            rules: rules.clone()
        })
    );
    let next = secret();
    let keys = world.node.storage.keys();
    let edit = Box::new(|_: &mut ApiKey| Ok(()));
    let view = KeyView::Everything;
    keys.rotate_key(
        Act::of_operator(),
        view,
        key.id,
        edit,
        next.clone(),
        NOW.saturating_add(std::time::Duration::from_secs(60)),
    )
    .await
    .unwrap();
    let found = store.find_trusted_key(key.id).await.unwrap().unwrap();
    assert_eq!((found.digest, found.rules), (next.digest, rules));
}

async fn a_corrupt_rule_is_named(engine: Engine) {
    let world = World::new(engine).await;
    let (key, _) = world.store(key(KeyReach::Instance)).await;
    let rule = rule(&key, 1);
    put(&world, rule.clone()).await.unwrap();
    world
        .sql("UPDATE trust_rules SET claims = '{\"sub\": [\"*\"]}'")
        .await;
    let store = world.node.storage.trust_rules();
    let listed = store.list_trust_rules(KeyView::Everything, key.id).await;
    let Err(StoreError::Corrupt { table, column, row }) = listed else {
        panic!("{listed:?}")
    };
    assert_eq!(
        (table, column, row),
        ("trust_rules", "claims", rule.id.to_string())
    );
    assert!(store.find_trusted_key(key.id).await.is_err());
}

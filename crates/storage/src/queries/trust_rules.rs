//! Trust rules of keys.

use std::collections::BTreeMap;

use async_trait::async_trait;
use diesel::{
    ExpressionMethods, Insertable, JoinOnDsl, OptionalExtension, QueryDsl, Queryable, Selectable,
    SelectableHelper,
};
use diesel_async::RunQueryDsl;
use tigertrust_accounts::{
    Conflict, FlowError, audit,
    ports::KeyView,
    trust_rules::{KeyCheck, MAX_TRUST_RULES, TrustRuleStore, TrustedKey},
};
use tigertrust_credentials::{KeyDigest, ports::StoreError};
use tigertrust_model::{
    Act, ClaimConditions, ClaimPattern, KeyId, TrustRule, TrustRuleId, UserId, WorkspaceId,
};

use super::{
    super::{Connection, lock_key},
    Store, Written, keys,
    rows::Corrupt,
    schema::{api_key_secrets as secrets, api_keys, trust_rules as rules},
};
use crate::{
    error::OrUnavailable,
    types::{StoredId, StoredJson, StoredTime},
};

/// A trust rule.
#[derive(Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = rules)]
struct RuleRow {
    id: StoredId,
    key_id: StoredId,
    name: String,
    issuer: String,
    audience: String,
    claims: StoredJson,
    created_by: String,
    created_at: StoredTime,
}

impl From<&TrustRule> for RuleRow {
    fn from(rule: &TrustRule) -> Self {
        let claims = rule.claims.iter().map(|(claim, patterns)| {
            let texts = patterns.iter().map(ClaimPattern::as_str);
            (claim.to_owned(), serde_json::Value::from_iter(texts))
        });
        let claims: serde_json::Map<String, serde_json::Value> = claims.collect();
        Self {
            id: StoredId::new(rule.id.as_uuid()),
            key_id: StoredId::new(rule.key.as_uuid()),
            name: rule.name.clone(),
            issuer: rule.issuer.clone(),
            audience: rule.audience.clone(),
            claims: StoredJson(serde_json::Value::Object(claims).to_string()),
            created_by: rule.created_by.to_string(),
            created_at: StoredTime::new(rule.created_at),
        }
    }
}

impl RuleRow {
    fn read(self) -> Result<TrustRule, StoreError> {
        let id = self.id.read().map(TrustRuleId::from_uuid);
        let corrupt = Corrupt::new("trust_rules", id);
        let key = self.key_id.read().map(KeyId::from_uuid);
        Ok(TrustRule {
            id: id.ok_or_else(|| corrupt.at("id"))?,
            key: key.ok_or_else(|| corrupt.at("key_id"))?,
            name: self.name,
            issuer: self.issuer,
            audience: self.audience,
            claims: read_claims(&self.claims).ok_or_else(|| corrupt.at("claims"))?,
            created_by: self.created_by.parse().map_err(|_| corrupt.at("created_by"))?,
            created_at: corrupt.time(self.created_at, "created_at")?,
        })
    }
}

fn read_claims(stored: &StoredJson) -> Option<ClaimConditions> {
    let claims: BTreeMap<String, Vec<String>> = serde_json::from_str(&stored.0).ok()?;
    ClaimConditions::new(claims).ok()
}

#[async_trait]
impl TrustRuleStore for Store {
    async fn insert_trust_rule(
        &self,
        act: Act,
        view: KeyView,
        rule: TrustRule,
        check: KeyCheck,
    ) -> Result<(), FlowError> {
        self.write(move |transaction| {
            Box::pin(async move {
                let stored_key = StoredId::new(rule.key.as_uuid());
                lock_key(transaction, stored_key).await.or_unavailable()?;
                let key = keys::get(transaction, view, rule.key).await?;
                let key = key.ok_or(FlowError::NotFound)?;
                check(&key)?;
                let others: i64 = rules::table
                    .filter(rules::key_id.eq(stored_key))
                    .count()
                    .get_result(transaction)
                    .await
                    .or_unavailable()?;
                if usize::try_from(others).unwrap_or(usize::MAX) >= MAX_TRUST_RULES {
                    return Err(Conflict::TooManyTrustRules.into());
                }
                diesel::insert_into(rules::table)
                    .values(RuleRow::from(&rule))
                    .execute(transaction)
                    .await
                    .or_unavailable()?;
                let entry = audit::trust_rule_created(&act, &rule, key.owner, key.reach.home());
                Ok(Written::quietly(()).logging([entry]))
            })
        })
        .await
    }

    async fn list_trust_rules(
        &self,
        view: KeyView,
        key: KeyId,
    ) -> Result<Option<Vec<TrustRule>>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                if keys::get(connection, view, key).await?.is_none() {
                    return Ok(None);
                }
                let rows: Vec<RuleRow> = rules::table
                    .filter(rules::key_id.eq(StoredId::new(key.as_uuid())))
                    .order(rules::id.desc())
                    .select(RuleRow::as_select())
                    .load(connection)
                    .await
                    .or_unavailable()?;
                rows.into_iter()
                    .map(RuleRow::read)
                    .collect::<Result<_, _>>()
                    .map(Some)
            })
        })
        .await
    }

    async fn remove_trust_rule(
        &self,
        act: Act,
        view: KeyView,
        key: Option<KeyId>,
        id: TrustRuleId,
    ) -> Result<TrustRule, FlowError> {
        self.write(move |transaction| {
            Box::pin(async move {
                let stored = StoredId::new(id.as_uuid());
                let row: Option<RuleRow> = rules::table
                    .find(stored)
                    .select(RuleRow::as_select())
                    .first(transaction)
                    .await
                    .optional()
                    .or_unavailable()?;
                let rule = row.ok_or(FlowError::NotFound)?.read()?;
                if key.is_some_and(|key| key != rule.key) {
                    return Err(FlowError::NotFound);
                }
                let owned = keys::get(transaction, view, rule.key).await?;
                let owned = owned.ok_or(FlowError::NotFound)?;
                let removed = diesel::delete(rules::table.find(stored))
                    .execute(transaction)
                    .await
                    .or_unavailable()?;
                if removed == 0 {
                    // Somebody was faster.
                    return Err(FlowError::NotFound);
                }
                let entry = audit::trust_rule_deleted(&act, &rule, owned.owner, owned.reach.home());
                Ok(Written::quietly(rule).logging([entry]))
            })
        })
        .await
    }

    async fn find_trusted_key(&self, key: KeyId) -> Result<Option<TrustedKey>, StoreError> {
        let rows: Vec<(RuleRow, Option<StoredId>, Vec<u8>)> = self
            .read(move |connection| {
                Box::pin(async move {
                    rules::table
                        .inner_join(api_keys::table.on(api_keys::id.eq(rules::key_id)))
                        .inner_join(secrets::table.on(secrets::key_id.eq(rules::key_id)))
                        .filter(rules::key_id.eq(StoredId::new(key.as_uuid())))
                        // The secret that no rotation has ended: there is one.
                        .filter(secrets::ends_at.is_null())
                        .order(rules::id.desc())
                        .select((RuleRow::as_select(), api_keys::home_workspace_id, secrets::digest))
                        .load(connection)
                        .await
                        .or_unavailable()
                })
            })
            .await?;
        let [(_, home, digest), ..] = rows.as_slice() else {
            return Ok(None);
        };
        let corrupt = Corrupt::new("api_keys", Some(key));
        let digest = <[u8; 32]>::try_from(digest.as_slice()).ok();
        let home = home.map(|home| {
            let home = home.read().map(WorkspaceId::from_uuid);
            home.ok_or_else(|| corrupt.at("home_workspace_id"))
        });
        Ok(Some(TrustedKey {
            home: home.transpose()?,
            digest: digest
                .map(KeyDigest::from_bytes)
                .ok_or_else(|| corrupt.at("digest"))?,
            rules: rows
                .into_iter()
                .map(|(row, _, _)| row.read())
                .collect::<Result<_, _>>()?,
        }))
    }
}

/// Takes the rules away that a person has made for its own keys.
pub(super) async fn forget_of_person(connection: &mut Connection, owner: UserId) -> Result<(), StoreError> {
    let own = api_keys::table
        .filter(api_keys::owner_id.eq(StoredId::new(owner.as_uuid())))
        .select(api_keys::id);
    diesel::delete(rules::table.filter(rules::key_id.eq_any(own)))
        .execute(connection)
        .await
        .or_unavailable()
        .map(|_| ())
}

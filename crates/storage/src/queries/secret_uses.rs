//! What in the database depends on which secret of the key ring.

use diesel::{
    BoolExpressionMethods, ExpressionMethods, JoinOnDsl, QueryDsl, QueryResult, QueryableByName,
    TextExpressionMethods,
    dsl::count_star,
    sql_query,
    sql_types::{BigInt, Text},
};
use diesel_async::RunQueryDsl;
use tigertrust_credentials::ports::StoreError;
use tigertrust_model::{ConnectionId, UserId, WebhookId};

use super::{
    super::{Connection, SEALED_UNDER, begin_scan, end_scan},
    Store,
    schema::{api_key_secrets, api_keys, audit_events, audit_heads, sso_connections, totp_factors, webhooks},
};
use crate::{
    Dependent, SealedSample, SecretUse,
    error::OrUnavailable,
    types::{StoredId, StoredTime},
};

/// What is sealed, in which table and column.
const SEALED: [(Dependent, &str, &str); 5] = [
    (Dependent::AuthenticatorApp, "totp_factors", "secret"),
    (Dependent::Connection, "sso_connections", "secret"),
    (Dependent::Webhook, "webhooks", "secret"),
    (Dependent::Webhook, "webhooks", "previous_secret"),
    (Dependent::PasskeyChallenge, "passkey_challenges", "state"),
];

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = Text)]
    id: String,
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// How many values are looked at in each place: one alone may have been changed by hand.
const SAMPLES: i64 = 4;

impl Store {
    /// How much depends on each secret: rows are counted one by one, so this is for operators and not for requests.
    pub(super) async fn secret_uses(&self) -> Result<Vec<SecretUse>, StoreError> {
        let now = StoredTime::new(self.clock.now());
        self.read(move |connection| {
            Box::pin(async move {
                let going_on = api_key_secrets::ends_at
                    .is_null()
                    .or(api_key_secrets::ends_at.gt(now));
                let unexpired = api_keys::expires_at.is_null().or(api_keys::expires_at.gt(now));
                let keys = api_key_secrets::table
                    .inner_join(api_keys::table.on(api_keys::id.eq(api_key_secrets::key_id)))
                    .filter(going_on.and(unexpired).and(api_keys::revoked_at.is_null()))
                    .group_by(api_key_secrets::pepper_id)
                    .select((api_key_secrets::pepper_id, count_star()))
                    .load(connection)
                    .await
                    .or_unavailable()?;
                let events = audit_events::table
                    .group_by(audit_events::key_id)
                    .select((audit_events::key_id, count_star()))
                    .load(connection)
                    .await
                    .or_unavailable()?;
                let mut uses = uses_of(Dependent::ApiKey, keys);
                uses.extend(uses_of(Dependent::AuditEvent, events));
                uses.extend(few_uses(connection).await?);
                Ok(uses)
            })
        })
        .await
    }

    /// The secrets that requests may need. Nothing is counted: keys that have ended are among those that need one, and the events of the
    /// audit log, which nothing but its verification reads, are not looked through.
    pub(super) async fn secrets_in_use(&self) -> Result<Vec<(Dependent, String)>, StoreError> {
        self.read(|connection| {
            Box::pin(async move {
                begin_scan(connection).await.or_unavailable()?;
                let peppers: QueryResult<Vec<String>> = api_key_secrets::table
                    .select(api_key_secrets::pepper_id)
                    .distinct()
                    .load(connection)
                    .await;
                end_scan(connection).await.or_unavailable()?;
                let keys = peppers.or_unavailable()?.into_iter();
                let keys = keys.map(|id| (Dependent::ApiKey, id));
                let few = few_uses(connection)
                    .await?
                    .into_iter()
                    .map(|used| (used.dependent, used.id));
                Ok(keys.chain(few).collect())
            })
        })
        .await
    }

    /// Some of what is sealed for long under an encryption key.
    pub(super) async fn sealed_under(&self, key: String) -> Result<Vec<SealedSample>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                // An underscore stands for any character in a pattern; what came with it is left out below.
                let pattern = format!("x1.{key}.%");
                let apps: Vec<(StoredId, String)> = totp_factors::table
                    .filter(totp_factors::secret.like(&pattern))
                    .select((totp_factors::user_id, totp_factors::secret))
                    .limit(SAMPLES)
                    .load(connection)
                    .await
                    .or_unavailable()?;
                let connections: Vec<(StoredId, Option<String>)> = sso_connections::table
                    .filter(sso_connections::secret.like(&pattern))
                    .select((sso_connections::id, sso_connections::secret))
                    .limit(SAMPLES)
                    .load(connection)
                    .await
                    .or_unavailable()?;
                let webhooks: Vec<(StoredId, String)> = webhooks::table
                    .filter(webhooks::secret.like(&pattern))
                    .select((webhooks::id, webhooks::secret))
                    .limit(SAMPLES)
                    .load(connection)
                    .await
                    .or_unavailable()?;
                let apps = apps.into_iter().map(|(id, secret)| {
                    let row = id.read().map(|id| UserId::from_uuid(id).to_string());
                    ("totp_factors.secret", row, Some(secret))
                });
                let connections = connections.into_iter().map(|(id, secret)| {
                    let row = id.read().map(|id| ConnectionId::from_uuid(id).to_string());
                    ("sso_connections.secret", row, secret)
                });
                let webhooks = webhooks.into_iter().map(|(id, secret)| {
                    let row = id.read().map(|id| WebhookId::from_uuid(id).to_string());
                    ("webhooks.secret", row, Some(secret))
                });
                let samples = apps.chain(connections).chain(webhooks);
                let samples = samples.filter_map(|(column, row, secret)| {
                    let (row, sealed) = (row?, secret?.parse().ok()?);
                    Some(SealedSample::new(column, row, sealed))
                });
                Ok(samples.filter(|sample| sample.key_id() == key).collect())
            })
        })
        .await
    }
}

/// What depends on each secret beside keys and events, of which there may be millions.
async fn few_uses(connection: &mut Connection) -> Result<Vec<SecretUse>, StoreError> {
    let heads = audit_heads::table
        .group_by(audit_heads::key_id)
        .select((audit_heads::key_id, count_star()))
        .load(connection)
        .await
        .or_unavailable()?;
    let mut uses = uses_of(Dependent::AuditHead, heads);
    for (dependent, table, column) in SEALED {
        let id = SEALED_UNDER.replace("{}", column);
        let rows: Vec<Counted> = sql_query(format!(
            "SELECT {id} AS id, count(*) AS count FROM {table} WHERE {column} IS NOT NULL GROUP BY 1"
        ))
        .load(connection)
        .await
        .or_unavailable()?;
        uses.extend(uses_of(
            dependent,
            rows.into_iter().map(|row| (row.id, row.count)).collect(),
        ));
    }
    Ok(uses)
}

fn uses_of(dependent: Dependent, rows: Vec<(String, i64)>) -> Vec<SecretUse> {
    let uses = rows.into_iter().map(|(id, count)| SecretUse {
        dependent,
        id,
        count: u64::try_from(count).unwrap_or_default(),
    });
    uses.collect()
}

//! Many rows in one statement. Diesel has each row of its own prepared anew, which takes longer than to write it; here they come as
//! JSON, which the one statement takes apart.

use diesel::{QueryResult, result::Error, sql_query, sql_types::Text};
use diesel_async::RunQueryDsl as _;
use serde::Serialize;
use tigertrust_accounts::to_hex;

use super::{
    Connection,
    queries::{CountRow, UseRow},
};
use crate::types::{StoredId, time_to_text};

const ADD_COUNTS: &str = "\
    INSERT INTO usage_counts (key_id, granularity, bucket, outcome, workspace_id, calls) \
    SELECT unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3, unhex(value ->> 4), value ->> 5 FROM json_each(?) WHERE true \
    ON CONFLICT (key_id, granularity, bucket, outcome) DO UPDATE SET calls = calls + excluded.calls";

/// A server may have noted a use before it heard that the owner was erased, and bring it after.
const NOTE_USES: &str = "\
    UPDATE api_key_secrets \
    SET last_used_at = used.at, last_used_address = used.address, last_used_user_agent = used.user_agent \
    FROM ( \
        SELECT unhex(value ->> 0) AS digest, value ->> 1 AS at, value ->> 2 AS address, value ->> 3 AS user_agent FROM json_each(?) \
    ) AS used \
    WHERE api_key_secrets.digest = used.digest \
    AND (api_key_secrets.last_used_at IS NULL OR api_key_secrets.last_used_at < used.at) \
    AND NOT EXISTS ( \
        SELECT 1 FROM api_keys JOIN users ON users.id = api_keys.owner_id \
        WHERE api_keys.id = api_key_secrets.key_id AND users.erased_at IS NOT NULL \
    )";

/// Adds counts to those that are there.
pub(super) async fn add_counts(connection: &mut Connection, counts: Vec<CountRow>) -> QueryResult<()> {
    let hex = |id: StoredId| id.read().map(|id| id.simple().to_string());
    let rows = counts.into_iter().map(|count| {
        Some((
            hex(count.key_id)?,
            count.granularity,
            count.bucket.read().and_then(time_to_text)?,
            count.outcome,
            count.workspace_id.and_then(hex),
            count.calls,
        ))
    });
    execute(connection, ADD_COUNTS, rows.collect::<Option<Vec<_>>>()).await
}

/// Notes when secrets were last used, where no later use is noted.
pub(super) async fn note_uses(connection: &mut Connection, uses: Vec<UseRow>) -> QueryResult<()> {
    let rows = uses.into_iter().map(|used| {
        Some((
            to_hex(&used.digest),
            used.at.read().and_then(time_to_text)?,
            used.address,
            used.user_agent,
        ))
    });
    execute(connection, NOTE_USES, rows.collect::<Option<Vec<_>>>()).await
}

async fn execute<R: Serialize>(
    connection: &mut Connection,
    statement: &'static str,
    rows: Option<Vec<R>>,
) -> QueryResult<()> {
    let rows = rows.ok_or_else(|| Error::SerializationError("an id or a time is none".into()))?;
    if rows.is_empty() {
        return Ok(());
    }
    let rows = serde_json::to_string(&rows).map_err(|error| Error::SerializationError(error.into()))?;
    sql_query(statement)
        .bind::<Text, _>(rows)
        .execute(connection)
        .await
        .map(drop)
}

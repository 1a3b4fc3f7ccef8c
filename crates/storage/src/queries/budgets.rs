//! How many proofs have failed.

use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, QueryResult};
use diesel_async::RunQueryDsl;
use tigertrust_accounts::{FAILURES_COUNT_FOR, ports::Budget};
use tigertrust_credentials::ports::StoreError;
use tigertrust_model::Timestamp;

use super::{
    super::Connection,
    rows::Corrupt,
    schema::proof_budgets::{self as budgets, table},
};
use crate::{
    error::OrUnavailable,
    types::{StoredJson, StoredTime},
};

/// Takes one failure out of every budget, or tells from when on that is possible.
pub(super) async fn spend(
    connection: &mut Connection,
    mut wanted: Vec<Budget>,
    at: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    // In one order everywhere: two that lock the same rows in different orders wait for each other.
    wanted.sort_unstable_by(|one, other| one.subject.cmp(&other.subject));
    // Whoever is refused anyway must not be able to fill the table: a look first, which writes nothing.
    let mut until = None;
    for budget in &wanted {
        let stored: Option<StoredJson> = table
            .find(budget.subject.clone())
            .select(budgets::failures)
            .first(connection)
            .await
            .optional()
            .or_unavailable()?;
        let failures = match stored {
            Some(stored) => read(&stored, &budget.subject, at)?,
            None => Vec::new(),
        };
        until = until.max(free_at(&failures, budget.limit));
    }
    if until.is_some() {
        return Ok(until);
    }
    let mut counted = Vec::with_capacity(wanted.len());
    for budget in wanted {
        let failures = failures(connection, &budget.subject, at).await?;
        until = until.max(free_at(&failures, budget.limit));
        counted.push((budget.subject, failures));
    }
    if until.is_none() {
        for (subject, mut failures) in counted {
            failures.push(at.unix_micros());
            store(connection, &subject, &failures, at)
                .await
                .or_unavailable()?;
        }
    }
    Ok(until)
}

/// Takes back what was taken out at that time.
pub(super) async fn refund(
    connection: &mut Connection,
    mut subjects: Vec<String>,
    at: Timestamp,
) -> Result<(), StoreError> {
    subjects.sort_unstable();
    for subject in subjects {
        let mut failures = failures(connection, &subject, at).await?;
        if let Some(position) = failures.iter().position(|failure| *failure == at.unix_micros()) {
            failures.remove(position);
            store(connection, &subject, &failures, at)
                .await
                .or_unavailable()?;
        }
    }
    Ok(())
}

/// From when on a budget that is used up is not any more: once all but `limit - 1` failures have left the window.
fn free_at(failures: &[i64], limit: u16) -> Option<Timestamp> {
    let surplus = failures.len().checked_sub(usize::from(limit))?;
    let oldest = failures.get(surplus)?;
    Some(Timestamp::from_unix_micros(*oldest).saturating_add(FAILURES_COUNT_FOR))
}

/// The failures that still count, oldest first. The row is made where it is missing, and stays locked until the transaction
/// ends.
async fn failures(connection: &mut Connection, subject: &str, at: Timestamp) -> Result<Vec<i64>, StoreError> {
    // One statement: between two, a sign-in that is completed may take the row away.
    let stored: StoredJson = diesel::insert_into(table)
        .values((
            budgets::subject.eq(subject.to_owned()),
            budgets::failures.eq(StoredJson("[]".to_owned())),
            budgets::updated_at.eq(StoredTime::new(at)),
        ))
        .on_conflict(budgets::subject)
        .do_update()
        .set(budgets::updated_at.eq(StoredTime::new(at)))
        .returning(budgets::failures)
        .get_result(connection)
        .await
        .or_unavailable()?;
    read(&stored, subject, at)
}

fn read(stored: &StoredJson, subject: &str, at: Timestamp) -> Result<Vec<i64>, StoreError> {
    let mut failures: Vec<i64> = serde_json::from_str(&stored.0)
        .map_err(|_| Corrupt::new("proof_budgets", Some(subject)).at("failures"))?;
    let begin = at.saturating_sub(FAILURES_COUNT_FOR).unix_micros();
    failures.retain(|failure| *failure > begin);
    failures.sort_unstable();
    Ok(failures)
}

async fn store(
    connection: &mut Connection,
    subject: &str,
    failures: &[i64],
    at: Timestamp,
) -> QueryResult<()> {
    let text = serde_json::Value::from(failures).to_string();
    diesel::update(table.find(subject.to_owned()))
        .set((
            budgets::failures.eq(StoredJson(text)),
            budgets::updated_at.eq(StoredTime::new(at)),
        ))
        .execute(connection)
        .await
        .map(|_| ())
}

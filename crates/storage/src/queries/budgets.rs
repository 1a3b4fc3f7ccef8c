//! How many proofs have failed.

use diesel::{ExpressionMethods, QueryDsl, QueryResult};
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
    let mut counted = Vec::with_capacity(wanted.len());
    let mut until = None;
    for budget in wanted {
        let failures = failures(connection, &budget.subject, at).await?;
        let surplus = failures.len().checked_sub(usize::from(budget.limit));
        // The budget is whole enough again once all but `limit - 1` failures have left the window.
        let free_at = surplus
            .and_then(|surplus| failures.get(surplus))
            .map(|oldest| Timestamp::from_unix_micros(*oldest).saturating_add(FAILURES_COUNT_FOR));
        until = until.max(free_at);
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

/// The failures that still count, oldest first. The row stays locked until the transaction ends.
async fn failures(connection: &mut Connection, subject: &str, at: Timestamp) -> Result<Vec<i64>, StoreError> {
    diesel::insert_into(table)
        .values((
            budgets::subject.eq(subject.to_owned()),
            budgets::failures.eq(StoredJson("[]".to_owned())),
            budgets::updated_at.eq(StoredTime::new(at)),
        ))
        .on_conflict_do_nothing()
        .execute(connection)
        .await
        .or_unavailable()?;
    // Written, so that it is locked, and what another transaction made of it is seen.
    let stored: StoredJson = diesel::update(table.find(subject.to_owned()))
        .set(budgets::updated_at.eq(StoredTime::new(at)))
        .returning(budgets::failures)
        .get_result(connection)
        .await
        .or_unavailable()?;
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

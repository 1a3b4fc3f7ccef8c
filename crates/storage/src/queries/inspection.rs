//! What an operator may want to know of a database.

use diesel::{QueryableByName, sql_types::Text};
use diesel_async::{AsyncConnection, RunQueryDsl, TransactionManager};
use tigertrust_credentials::ports::StoreError;

use super::{
    super::{FACTS, WRITES},
    Access, Connection, Store, begin_write,
};
use crate::error::OrUnavailable;

#[derive(QueryableByName)]
struct Fact {
    #[diesel(sql_type = Text)]
    value: String,
}

impl Store {
    pub(super) async fn facts(&self) -> Result<Vec<(&'static str, String)>, StoreError> {
        self.read_untimed(|connection| {
            Box::pin(async move {
                let mut facts = Vec::with_capacity(FACTS.len());
                for (name, statement) in FACTS {
                    let fact: Fact = diesel::sql_query(*statement)
                        .get_result(connection)
                        .await
                        .or_unavailable()?;
                    facts.push((*name, fact.value));
                }
                Ok(facts)
            })
        })
        .await
    }

    /// Takes what writing takes, and leaves everything as it is.
    pub(super) async fn try_to_write(&self) -> Result<(), StoreError> {
        type Manager = <Connection as AsyncConnection>::TransactionManager;

        self.run_untimed(Access::Write, |connection: &mut Connection| {
            Box::pin(async move {
                begin_write(connection).await.or_unavailable()?;
                diesel::sql_query(WRITES)
                    .execute(connection)
                    .await
                    .or_unavailable()?;
                Manager::rollback_transaction(connection).await.or_unavailable()
            })
        })
        .await
    }
}

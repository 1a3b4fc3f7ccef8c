//! Which migrations the database has seen.

use diesel::{QueryDsl, QueryResult, QueryableByName, sql_types::Bool};
use diesel_async::RunQueryDsl;

use super::super::{Connection, MIGRATIONS_TABLE_IS_THERE, schema::__diesel_schema_migrations as migrations};

#[derive(QueryableByName)]
struct Answer {
    #[diesel(sql_type = Bool)]
    there: bool,
}

/// The versions that were applied, oldest first. Changes nothing, not even where there is no table of them yet.
pub(crate) async fn applied_migrations(connection: &mut Connection) -> QueryResult<Vec<String>> {
    let answer: Answer = diesel::sql_query(MIGRATIONS_TABLE_IS_THERE)
        .get_result(connection)
        .await?;
    if !answer.there {
        return Ok(Vec::new());
    }
    migrations::table
        .select(migrations::version)
        .order(migrations::version)
        .load(connection)
        .await
}

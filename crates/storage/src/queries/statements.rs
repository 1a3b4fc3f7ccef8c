//! Statements that are put together while the program runs, and speak text alone.

use diesel::{QueryResult, QueryableByName, sql_types::Text};
use diesel_async::{AsyncConnectionCore, RunQueryDsl};

use super::super::Connection;

type Backend = <Connection as AsyncConnectionCore>::Backend;

#[derive(QueryableByName)]
struct Answer {
    #[diesel(sql_type = Text)]
    value: String,
}

/// What a statement answers in its one column, `value`.
pub(crate) async fn texts(
    connection: &mut Connection,
    statement: &str,
    parameters: &[&str],
) -> QueryResult<Vec<String>> {
    let mut query = diesel::sql_query(statement).into_boxed::<Backend>();
    for parameter in parameters {
        query = query.bind::<Text, _>((*parameter).to_owned());
    }
    let answers: Vec<Answer> = query.load(connection).await?;
    Ok(answers.into_iter().map(|answer| answer.value).collect())
}

/// Executes a statement, and returns how many rows it was about.
pub(crate) async fn execute(
    connection: &mut Connection,
    statement: &str,
    parameters: &[&str],
) -> QueryResult<usize> {
    let mut query = diesel::sql_query(statement).into_boxed::<Backend>();
    for parameter in parameters {
        query = query.bind::<Text, _>((*parameter).to_owned());
    }
    query.execute(connection).await
}

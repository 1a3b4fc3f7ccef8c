//! Statements that are put together while the program runs, and speak text alone.

use async_trait::async_trait;
use diesel::{
    QueryableByName,
    query_builder::{BoxedSqlQuery, SqlQuery},
    sql_types::Text,
};
use diesel_async::{AsyncConnectionCore, RunQueryDsl as _, SimpleAsyncConnection as _};
use tigertrust_credentials::ports::StoreError;

use super::super::Connection;
use crate::{error::OrUnavailable as _, moving::Statements};

type Backend = <Connection as AsyncConnectionCore>::Backend;

#[derive(QueryableByName)]
struct Answer {
    #[diesel(sql_type = Text)]
    value: String,
}

fn bound(statement: &str, parameters: &[&str]) -> BoxedSqlQuery<'static, Backend, SqlQuery> {
    let query = diesel::sql_query(statement).into_boxed::<Backend>();
    parameters.iter().fold(query, |query, parameter| {
        query.bind::<Text, _>((*parameter).to_owned())
    })
}

#[async_trait]
impl Statements for Connection {
    async fn texts(&mut self, statement: &str, parameters: &[&str]) -> Result<Vec<String>, StoreError> {
        let answers: Vec<Answer> = bound(statement, parameters).load(self).await.or_unavailable()?;
        Ok(answers.into_iter().map(|answer| answer.value).collect())
    }

    async fn execute(&mut self, statement: &str, parameters: &[&str]) -> Result<usize, StoreError> {
        bound(statement, parameters).execute(self).await.or_unavailable()
    }

    async fn batch(&mut self, statements: &str) -> Result<(), StoreError> {
        self.batch_execute(statements).await.or_unavailable()
    }
}

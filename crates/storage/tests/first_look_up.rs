//! What a key costs that a server has not seen yet: one query. A program of its own, since it listens to every
//! connection of the process.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may stop at once"
)]

use std::sync::Mutex;

use diesel::connection::{Instrumentation, InstrumentationEvent, set_default_instrumentation};
use tigertrust_model::KeyType;
use tigertrust_testkit::{Engine, TestServer};

static QUERIES: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn listen() -> Option<Box<dyn Instrumentation>> {
    Some(Box::new(|event: InstrumentationEvent<'_>| {
        if let InstrumentationEvent::StartQuery { query, .. } = event {
            QUERIES.lock().unwrap().push(query.to_string());
        }
    }))
}

/// What was asked since the last time, but for the feed's own questions.
fn asked() -> Vec<String> {
    let mut queries = std::mem::take(&mut *QUERIES.lock().unwrap());
    queries.retain(|query| query.contains("api_key") || query.contains("workspaces"));
    queries
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_look_up_is_one_query_and_the_next_is_none() {
    set_default_instrumentation(listen).unwrap();
    for engine in [Engine::Postgres, Engine::Sqlite] {
        let server = TestServer::start(engine).await;
        let home = server.workspace("Home").await;
        let key = server.key(&home, KeyType::Agent, &["certificates:read"]).await;
        assert_ne!(asked(), Vec::<String>::new(), "the connections are listened to");
        let check = "/api/auth/check?scope=certificates:read";
        assert_eq!(server.get(check, &key).await.status, 200);
        let queries = asked();
        assert_eq!(queries.len(), 1, "{engine:?}: {queries:?}");
        assert_eq!(server.get(check, &key).await.status, 200);
        assert_eq!(asked(), Vec::<String>::new());
    }
}

//! Connections to PostgreSQL by TLS, and servers that are not who they should be.

use std::{env, fs};

use diesel::{sql_query, sql_types::BigInt};
use diesel_async::RunQueryDsl as _;
use tigertrust_credentials::ports::StoreError;
use tigertrust_model::KeyReach;
use tigertrust_storage::{DatabaseUrl, Options, migrations};
use tigertrust_testkit::{Engine, ThrowawayDatabase, patient};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    sync::mpsc::unbounded_channel,
};

use crate::{
    changes::touch,
    support::{Heard, Node, World, key, key_change},
};

/// The PEM file of the authority that knows the server of the tests.
fn authority() -> String {
    env::var("TIGERTRUST_TEST_POSTGRES_CA").expect("run ./scripts/test")
}

fn with(url: &DatabaseUrl, query: &str) -> DatabaseUrl {
    format!("{}?{query}", url.reveal()).parse().unwrap()
}

/// Why there is no connection.
async fn refusal(url: &DatabaseUrl) -> String {
    let node = Node::open(url, Options::default());
    match node.storage.ping().await.unwrap_err() {
        StoreError::Unavailable(why) => why.to_string(),
        other => panic!("{other}"),
    }
}

#[derive(diesel::QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_goes_by_tls_where_the_url_says_so() {
    let world = World::new(Engine::Postgres).await;
    let url = with(
        world.database.url(),
        &format!("sslmode=verify-full&sslrootcert={}", authority()),
    );
    migrations::run(&url).await.unwrap();
    let mut node = Node::open(&url, patient());
    let _feed = node.storage.follow();
    assert_eq!(node.hears().await, Heard::Reset);
    // Connections of the pool and of the feed.
    let mut plain = world.postgres().await;
    let count = |condition: &str| {
        sql_query(format!(
            "SELECT count(*) AS number FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
             WHERE datname = current_database() AND {condition}"
        ))
    };
    node.storage.ping().await.unwrap();
    let encrypted: Count = count("ssl AND version = 'TLSv1.3'")
        .get_result(&mut plain)
        .await
        .unwrap();
    assert_eq!(encrypted.number, 2);
    // What is announced arrives that way too.
    let (key, _) = world.store(key(KeyReach::Instance)).await;
    touch(&world, &key).await;
    assert_eq!(node.hears().await, key_change(1, &key));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_cannot_be_known_is_not_spoken_to() {
    let database = ThrowawayDatabase::create(Engine::Postgres).await;
    let known = format!("sslmode=require&sslrootcert={}", authority());
    // Its certificate is for 127.0.0.1.
    let elsewhere: DatabaseUrl = database
        .url()
        .reveal()
        .replace("127.0.0.1", "localhost")
        .parse()
        .unwrap();
    let why = refusal(&with(&elsewhere, &known)).await;
    assert!(why.contains("not valid for name"), "{why}");
    // No authority that the system trusts has made it.
    let why = refusal(&with(database.url(), "sslmode=require")).await;
    assert!(
        why.contains("UnknownIssuer") || why.contains("trusts no certificates"),
        "{why}"
    );

    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.pem");
    let why = refusal(&with(
        database.url(),
        &format!("sslmode=require&sslrootcert={}", missing.display()),
    ))
    .await;
    assert!(why.contains(missing.to_str().unwrap()), "{why}");
    let empty = folder.path().join("empty.pem");
    fs::write(&empty, "nothing").unwrap();
    let why = refusal(&with(
        database.url(),
        &format!("sslmode=require&sslrootcert={}", empty.display()),
    ))
    .await;
    assert!(why.contains("there is no certificate in it"), "{why}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_tls_hears_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (heard, mut hearing) = unbounded_channel();
    // The pool tries more than once.
    let server = tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            // The request for TLS is of eight bytes, and N declines it.
            let mut request = [0; 8];
            client.read_exact(&mut request).await.unwrap();
            client.write_all(b"N").await.unwrap();
            let mut more = Vec::new();
            client.read_to_end(&mut more).await.unwrap();
            heard.send(more).unwrap();
        }
    });
    let url: DatabaseUrl = format!("postgres://jo:CANARY@{address}/auth?sslmode=require")
        .parse()
        .unwrap();
    let why = refusal(&url).await;
    assert!(why.contains("server does not support TLS"), "{why}");
    assert_eq!(hearing.recv().await.unwrap(), Vec::<u8>::new());
    server.abort();
}

//! What a builder refuses, and what it says then.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop at once")]

use std::time::Duration;

use tigertrust::{BuildError, Builder, KeyTypes, OsRandom, Password, TigerTrust};
use tigertrust_testkit::{Engine, ThrowawayDatabase};

const PEPPER: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

/// A builder that would succeed, over a database that is not there yet.
async fn complete() -> (ThrowawayDatabase, Builder) {
    let database = ThrowawayDatabase::unmade(Engine::Sqlite).await;
    let builder = TigerTrust::builder()
        .database_url(database.url().clone())
        .pepper("p1", PEPPER)
        .migrate(true);
    (database, builder)
}

async fn refusal(builder: Builder) -> String {
    builder.build().await.expect_err("a refusal").to_string()
}

#[tokio::test]
async fn a_database_and_a_pepper_have_to_be_named() {
    assert_eq!(
        refusal(TigerTrust::builder().pepper("p1", PEPPER)).await,
        "there is no database: name one with Builder::database"
    );
    assert_eq!(
        refusal(TigerTrust::builder().database("sqlite://x.db")).await,
        "there is no pepper: keep a secret of generate_pepper and give it to the builder's pepper"
    );
}

#[tokio::test]
async fn a_url_that_is_none_is_refused_and_not_repeated() {
    for (url, message) in [
        (
            "mysql://jo:CANARY@db/auth",
            "the database's URL must begin with postgres://, postgresql:// or sqlite://",
        ),
        (
            "sqlite://:memory:",
            "the database's URL must name a file after sqlite://, since several connections share the database",
        ),
    ] {
        let (_database, builder) = complete().await;
        assert_eq!(refusal(builder.database(url)).await, message);
    }
}

#[tokio::test]
async fn a_pepper_is_refused_by_its_id_and_never_shown() {
    let (_database, builder) = complete().await;
    assert_eq!(
        refusal(builder.pepper("p2", "CANARY")).await,
        "pepper \"p2\" cannot be used: a pepper's secret must be base64url (no padding) of 32 bytes or more"
    );
    let (_database, builder) = complete().await;
    assert_eq!(
        refusal(builder.pepper("p1", PEPPER)).await,
        "pepper \"p1\" cannot be used: each pepper must have an id of its own"
    );
}

#[tokio::test]
async fn what_cannot_be_a_scope_is_refused() {
    let (_database, builder) = complete().await;
    assert_eq!(
        refusal(builder.scope("invoices", "Invoices", KeyTypes::ANY)).await,
        "\"invoices\" must be a scope such as certificates:read or certificates:*, out of a-z, 0-9, - and _"
    );
    let (_database, builder) = complete().await;
    assert_eq!(
        refusal(builder.scope("keys:read", "Keys", KeyTypes::ANY)).await,
        "the scope keys:read is defined twice, a wildcard, or in the family of a management scope"
    );
}

#[tokio::test]
async fn trust_without_any_time_is_refused() {
    let (_database, builder) = complete().await;
    let refused = builder.max_staleness(Duration::ZERO).build().await;
    assert!(matches!(refused, Err(BuildError::Staleness(_))));
}

#[test]
fn without_a_runtime_there_is_an_error_and_no_panic() {
    let builder = TigerTrust::builder()
        .database("sqlite://x.db")
        .pepper("p1", PEPPER);
    assert!(matches!(builder.open(), Err(BuildError::NoRuntime)));
}

#[tokio::test]
async fn a_wrong_setting_is_found_before_the_database_is_touched() {
    let (database, builder) = complete().await;
    refusal(builder.pepper("p1", PEPPER)).await;
    let path = database.url().to_string().replace("sqlite://", "");
    assert!(!std::path::Path::new(&path).exists());
}

#[tokio::test]
async fn a_missing_database_is_made_only_when_asked_for() {
    let (_database, builder) = complete().await;
    let refused = builder.migrate(false).build().await;
    assert!(matches!(refused, Err(BuildError::Open(_))), "{refused:?}");

    let (_database, builder) = complete().await;
    let auth = builder.build().await.unwrap();
    let email = "owner@example.com".parse().unwrap();
    let first = auth
        .bootstrap(email, Password::generate(&OsRandom).unwrap())
        .await;
    assert!(first.unwrap().is_some());
}

#[tokio::test]
async fn a_schema_that_is_behind_is_refused_with_what_helps() {
    let (database, _) = complete().await;
    tigertrust::migrations::create_database_if_missing(database.url())
        .await
        .unwrap();
    let refused = TigerTrust::builder()
        .database_url(database.url().clone())
        .pepper("p1", PEPPER)
        .build()
        .await
        .unwrap_err();
    assert!(matches!(refused, BuildError::SchemaBehind(_)), "{refused:?}");
    assert!(
        refused.to_string().contains("build with migrate(true)"),
        "{refused}"
    );
}

#[tokio::test]
async fn the_catalogue_is_the_one_that_was_given() {
    let (_database, builder) = complete().await;
    let auth = builder
        .scope("invoices:read", "Read invoices", KeyTypes::ANY)
        .build()
        .await
        .unwrap();
    assert!(auth.catalog().knows(&"invoices:read".parse().unwrap()));
    assert!(auth.catalog().knows(&"keys:read".parse().unwrap()));
    assert!(!auth.catalog().knows(&"certificates:read".parse().unwrap()));
}

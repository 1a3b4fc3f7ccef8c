//! What the tests of embedding share; no test takes all of it.

#![allow(dead_code, reason = "no test takes all of it")]

use std::sync::Arc;

use tigertrust::{AuthError, Bootstrapped, Builder, Need, OsRandom, Password, TigerTrust};
use tigertrust_testkit::{Engine, ThrowawayDatabase};

pub(crate) const PEPPER: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

/// An instance over a database of its own, with an account.
pub(crate) struct Embedded {
    pub(crate) auth: TigerTrust,
    pub(crate) first: Bootstrapped,
    database: Arc<ThrowawayDatabase>,
}

impl Embedded {
    pub(crate) async fn start(engine: Engine) -> Self {
        let database = Arc::new(ThrowawayDatabase::create(engine).await);
        let auth = builder(&database).build().await.expect("an instance");
        let email = "owner@example.com".parse().expect("an address");
        let password = Password::generate(&OsRandom).expect("a password");
        let first = auth.bootstrap(email, password).await.expect("an answer");
        Self {
            auth,
            first: first.expect("an account"),
            database,
        }
    }

    /// Another instance over the same database.
    pub(crate) async fn second(&self) -> TigerTrust {
        builder(&self.database).build().await.expect("an instance")
    }
}

pub(crate) fn builder(database: &ThrowawayDatabase) -> Builder {
    TigerTrust::builder()
        .database_url(database.url().clone())
        .pepper("test", PEPPER)
}

/// What an instance makes of a key, for short assertions.
pub(crate) async fn verdict(auth: &TigerTrust, key: &str, need: &Need) -> String {
    match auth.admit_key(key, need).await.map_err(|refusal| refusal.why) {
        Ok(permit) => permit.key().key.name.clone(),
        Err(AuthError::Unavailable(_)) => "unavailable".to_owned(),
        Err(why) => why.to_string(),
    }
}

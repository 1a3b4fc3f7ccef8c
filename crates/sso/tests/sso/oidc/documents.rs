//! Answers that are none.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use tigertrust_accounts::sso::{OidcRelyingParty, ProviderDocuments, ProviderError};
use tigertrust_sso::http::{ProviderHttp, ProviderHttpSettings};
use tigertrust_testkit::TestClock;

use super::{http, relying_party, sign_in, wrong_provider};

const METADATA: &str = "/.well-known/openid-configuration";

fn unavailable<T>(why: &str) -> Result<T, ProviderError> {
    Err(ProviderError::Unavailable(why.to_owned()))
}

#[tokio::test]
async fn what_is_too_long_or_elsewhere_is_not_read() {
    let (provider, settings) = wrong_provider();
    let party = relying_party(&Arc::new(TestClock::default()));
    let redirected = json!({ "status": 302, "headers": { "location": "/jwks" } });
    for (path, answer, why) in [
        (
            METADATA,
            json!({ "size": 256 * 1024 + 1 }),
            "the provider's answer is longer than 256 KiB",
        ),
        (
            METADATA,
            json!({ "size": 256 * 1024 }),
            "what is published at the issuer is no OpenID Connect metadata",
        ),
        (
            METADATA,
            redirected.clone(),
            "the provider answered with a redirection, which is not followed",
        ),
        (
            METADATA,
            json!({ "status": 404 }),
            "the provider answered with status 404",
        ),
        (
            METADATA,
            json!({ "status": 500, "size": 10 }),
            "the provider answered with status 500",
        ),
        (
            "/jwks",
            json!({ "size": 1_000_000 }),
            "the provider's answer is longer than 256 KiB",
        ),
        (
            "/jwks",
            redirected,
            "the provider answered with a redirection, which is not followed",
        ),
        ("/jwks", json!({}), "the provider's keys cannot be read"),
    ] {
        provider
            .control("otherwise", &json!({ "paths": { path: answer } }))
            .await;
        assert_eq!(party.probe(&settings).await, unavailable(why), "{path} {answer}");
    }

    provider.control("otherwise", &json!(null)).await;
    party.probe(&settings).await.unwrap();
    for (answer, why) in [
        (
            json!({ "size": 1_000_000 }),
            Some("the provider's answer is longer than 256 KiB"),
        ),
        (json!({ "status": 302, "headers": { "location": "/jwks" } }), None),
    ] {
        provider
            .control("otherwise", &json!({ "paths": { "/token": answer } }))
            .await;
        let outcome = sign_in(&party, &settings, "any").await;
        match why {
            Some(why) => assert_eq!(outcome, unavailable(why), "{answer}"),
            None => assert!(outcome.is_err(), "{answer}"),
        }
    }
}

#[tokio::test]
async fn silence_is_not_waited_out() {
    let (provider, _) = wrong_provider();
    provider
        .control("otherwise", &json!({ "paths": { METADATA: "silence" } }))
        .await;
    let http = ProviderHttp::new(ProviderHttpSettings {
        allow_loopback: true,
        deadline: Duration::from_millis(100),
        ..ProviderHttpSettings::default()
    })
    .unwrap();
    let fetched = http.fetch(&format!("{}{METADATA}", provider.origin())).await;
    assert_eq!(fetched, unavailable("the provider did not answer in time"));
}

#[tokio::test]
async fn a_provider_that_failed_is_left_alone_for_a_moment() {
    let (provider, settings) = wrong_provider();
    let clock = Arc::new(TestClock::default());
    let party = relying_party(&clock);
    let asked = async || provider.control("requests", &json!(null)).await[METADATA].clone();
    provider
        .control("otherwise", &json!({ "paths": { METADATA: { "status": 503 } } }))
        .await;
    for _ in 0..3 {
        let outcome = sign_in(&party, &settings, "any").await;
        assert_eq!(outcome, unavailable("the provider answered with status 503"));
    }
    assert_eq!(asked().await, 1);

    provider.control("otherwise", &json!(null)).await;
    clock.advance(Duration::from_secs(10));
    sign_in(&party, &settings, "any").await.unwrap();
    assert_eq!(asked().await, 2);
}

#[tokio::test]
async fn everybody_who_waits_gets_one_answer() {
    let (provider, settings) = wrong_provider();
    let party = Arc::new(relying_party(&Arc::new(TestClock::default())));
    let waiting: Vec<_> = (0..20)
        .map(|_| {
            let (party, settings) = (Arc::clone(&party), settings.clone());
            tokio::spawn(async move { party.begin(&settings, &super::request()).await.map(drop) })
        })
        .collect();
    for one in waiting {
        one.await.unwrap().unwrap();
    }
    let requests = provider.control("requests", &json!(null)).await;
    assert_eq!(requests, json!({ METADATA: 1, "/jwks": 1 }));
}

#[tokio::test]
async fn this_machine_is_not_spoken_to_unless_that_is_allowed() {
    let (provider, _) = wrong_provider();
    let public = ProviderHttp::new(ProviderHttpSettings::default()).unwrap();
    let url = format!("{}/jwks", provider.origin());
    assert!(matches!(
        public.fetch(&url).await,
        Err(ProviderError::Settings(_))
    ));
    http().fetch(&url).await.unwrap();
    http()
        .fetch(&url.replace("127.0.0.1", "localhost"))
        .await
        .unwrap();
    assert_eq!(
        provider.control("requests", &json!(null)).await,
        json!({ "/jwks": 2 })
    );
}

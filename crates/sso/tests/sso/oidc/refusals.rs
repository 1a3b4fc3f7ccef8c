//! Tokens that are wrong in one way each.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use tigertrust_accounts::sso::{OidcCallback, OidcPreset, OidcRelyingParty, OidcSettings, ProviderError};
use tigertrust_testkit::{ProviderBrowser, TestClock};

use super::{callback, refused, relying_party, request, sign_in, wrong_provider};

/// Seconds since the epoch at which every test takes place.
const NOW: i64 = TestClock::START.unix_micros() / 1_000_000;

const ANOTHER_ISSUER: &str = "the token is of another issuer";
const ANOTHER_CLIENT: &str = "the token is for another client";
const ALGORITHM: &str = "the token is signed by an algorithm that is not accepted";
const UNKNOWN_KEY: &str = "the token is signed by a key that the provider does not publish";
const UNREADABLE: &str = "the provider's answer to the code cannot be read";

#[tokio::test]
async fn what_is_wrong_with_a_token_is_told() {
    let (provider, settings) = wrong_provider();
    let party = relying_party(&Arc::new(TestClock::default()));
    assert_eq!(
        sign_in(&party, &settings, "any").await.unwrap().subject,
        "johndoe"
    );

    let origin = provider.origin();
    for (otherwise, why) in [
        (
            json!({ "claims": { "iss": "https://other.example.com" } }),
            ANOTHER_ISSUER,
        ),
        (
            json!({ "claims": { "iss": format!("{origin}/") } }),
            ANOTHER_ISSUER,
        ),
        (json!({ "claims": { "iss": null } }), UNREADABLE),
        (json!({ "claims": { "aud": "other" } }), ANOTHER_CLIENT),
        (json!({ "claims": { "aud": [] } }), ANOTHER_CLIENT),
        (json!({ "claims": { "aud": null } }), ANOTHER_CLIENT),
        (
            json!({ "claims": { "aud": ["other", "another"] } }),
            ANOTHER_CLIENT,
        ),
        (
            json!({ "claims": { "aud": ["tigertrust", "other"] } }),
            "the token is for other clients too",
        ),
        (
            json!({ "claims": { "aud": ["tigertrust", "other"], "azp": "other" } }),
            ANOTHER_CLIENT,
        ),
        (json!({ "claims": { "azp": "other" } }), ANOTHER_CLIENT),
        (
            json!({ "claims": { "nonce": "another" } }),
            "the token answers another request",
        ),
        (
            json!({ "claims": { "nonce": null } }),
            "the token answers another request",
        ),
        (json!({ "claims": { "exp": NOW - 120 } }), "the token has expired"),
        (json!({ "claims": { "exp": null } }), UNREADABLE),
        (
            json!({ "claims": { "iat": NOW + 121 } }),
            "the token was made in the future",
        ),
        (
            json!({ "claims": { "iat": NOW - 721 } }),
            "the token was made too long ago",
        ),
        (json!({ "claims": { "iat": null } }), UNREADABLE),
        (
            json!({ "claims": { "nbf": NOW + 121 } }),
            "the token is not valid yet",
        ),
        (
            json!({ "claims": { "nbf": "soon" } }),
            "the token is not valid yet",
        ),
        (json!({ "claims": { "sub": null } }), UNREADABLE),
        (json!({ "claims": { "sub": "" } }), "the token names nobody"),
        (json!({ "sign": "none" }), "the token is not signed"),
        (json!({ "sign": "none", "header": { "alg": "None" } }), UNREADABLE),
        (json!({ "sign": "HS256" }), ALGORITHM),
        (json!({ "sign": "HS256", "header": { "kid": null } }), ALGORITHM),
        (json!({ "sign": "not at all" }), "the token's signature is wrong"),
        (json!({ "sign": "another key" }), "the token's signature is wrong"),
        (json!({ "header": { "kid": "made up" } }), UNKNOWN_KEY),
        (
            json!({ "header": { "typ": "at+jwt" } }),
            "the token is of a kind that is not accepted",
        ),
        (
            json!({ "header": { "typ": "logout+jwt" } }),
            "the token is of a kind that is not accepted",
        ),
    ] {
        provider.control("otherwise", &otherwise).await;
        assert_eq!(
            sign_in(&party, &settings, "any").await,
            refused(why),
            "{otherwise}"
        );
    }

    for otherwise in [
        json!({ "claims": { "exp": NOW - 100 } }),
        json!({ "claims": { "iat": NOW + 100, "nbf": NOW + 100 } }),
        json!({ "claims": { "iat": NOW - 600 } }),
        json!({ "claims": { "aud": ["tigertrust"] } }),
        json!({ "claims": { "aud": ["other", "tigertrust"], "azp": "tigertrust" } }),
        json!({ "header": { "kid": null } }),
    ] {
        provider.control("otherwise", &otherwise).await;
        assert!(sign_in(&party, &settings, "any").await.is_ok(), "{otherwise}");
    }
}

#[tokio::test]
async fn every_algorithm_that_is_accepted_is_read() {
    let (provider, settings) = wrong_provider();
    for algorithm in [
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA",
    ] {
        provider.control("roll", &json!({ "alg": algorithm })).await;
        let party = relying_party(&Arc::new(TestClock::default()));
        assert!(sign_in(&party, &settings, "any").await.is_ok(), "{algorithm}");
    }
}

#[tokio::test]
async fn a_new_key_is_asked_for_but_not_for_ever() {
    let (provider, settings) = wrong_provider();
    let clock = Arc::new(TestClock::default());
    let party = relying_party(&clock);
    let asked = async || provider.control("requests", &json!(null)).await["/jwks"].clone();
    sign_in(&party, &settings, "any").await.unwrap();
    sign_in(&party, &settings, "any").await.unwrap();
    assert_eq!(asked().await, 1, "keys are remembered");

    clock.advance(Duration::from_secs(60));
    provider.control("roll", &json!({})).await;
    sign_in(&party, &settings, "any").await.unwrap();
    assert_eq!(asked().await, 2, "a new key is asked for");

    provider
        .control("otherwise", &json!({ "header": { "kid": "made up" } }))
        .await;
    for _ in 0..3 {
        assert_eq!(sign_in(&party, &settings, "any").await, refused(UNKNOWN_KEY));
    }
    assert_eq!(
        asked().await,
        2,
        "the keys that are known are of this very moment"
    );
    clock.advance(Duration::from_secs(60));
    for _ in 0..3 {
        assert_eq!(sign_in(&party, &settings, "any").await, refused(UNKNOWN_KEY));
    }
    assert_eq!(asked().await, 3, "once a minute");

    provider.control("otherwise", &json!(null)).await;
    clock.advance(Duration::from_secs(60 * 60));
    sign_in(&party, &settings, "any").await.unwrap();
    assert_eq!(asked().await, 4, "what is known is an hour old");
}

#[tokio::test]
async fn the_sender_of_the_browser_is_checked_before_the_code_is_redeemed() {
    let (provider, settings) = wrong_provider();
    let party = relying_party(&Arc::new(TestClock::default()));
    let origin = provider.origin().to_owned();
    let says_so = json!({ "metadata": { "authorization_response_iss_parameter_supported": true } });
    for (otherwise, issuer, outcome) in [
        (json!({}), None, Ok(())),
        (json!({}), Some(origin.clone()), Ok(())),
        (
            json!({}),
            Some(format!("{origin}/")),
            Err("the browser comes from another provider"),
        ),
        (
            json!({}),
            Some(String::new()),
            Err("the browser comes from another provider"),
        ),
        (says_so.clone(), Some(origin.clone()), Ok(())),
        (
            says_so.clone(),
            None,
            Err("the browser does not say from which provider it comes"),
        ),
        (
            says_so,
            Some("https://other.example.com".to_owned()),
            Err("the browser comes from another provider"),
        ),
    ] {
        provider.control("otherwise", &otherwise).await;
        party.probe(&settings).await.unwrap();
        let before = provider.control("requests", &json!(null)).await["/token"]
            .as_i64()
            .unwrap_or(0);
        let request = request();
        let brought = callback(
            &party,
            &settings,
            &request,
            &mut ProviderBrowser::default(),
            "any",
        )
        .await
        .unwrap();
        let brought = OidcCallback { issuer, ..brought };
        let identity = party
            .finish(&settings, &request, &brought, TestClock::START)
            .await;
        let after = provider.control("requests", &json!(null)).await["/token"]
            .as_i64()
            .unwrap_or(0);
        match outcome {
            Ok(()) => assert!(identity.is_ok(), "{:?} {otherwise}", brought.issuer),
            Err(why) => {
                assert_eq!(identity, refused(why), "{:?} {otherwise}", brought.issuer);
                assert_eq!(before, after, "the code was not sent");
            }
        }
    }
}

#[tokio::test]
async fn the_userinfo_endpoint_has_to_speak_of_the_same_person() {
    let (provider, settings) = wrong_provider();
    let party = relying_party(&Arc::new(TestClock::default()));
    let userinfo =
        json!({ "userinfo": { "email": "john@example.com", "email_verified": "true", "name": "John" } });
    provider.control("otherwise", &userinfo).await;
    let identity = sign_in(&party, &settings, "any").await.unwrap();
    assert_eq!(identity.email.as_deref(), Some("john@example.com"));
    assert_eq!(identity.name.as_deref(), Some("John"));
    assert!(identity.email_verified);

    let userinfo = json!({ "userinfo": { "sub": "other", "email": "john@example.com" } });
    provider.control("otherwise", &userinfo).await;
    assert_eq!(
        sign_in(&party, &settings, "any").await,
        refused("the userinfo endpoint speaks of somebody else")
    );

    let denied = json!({ "paths": { "/userinfo": { "status": 401 } } });
    provider.control("otherwise", &denied).await;
    assert_eq!(sign_in(&party, &settings, "any").await.unwrap().email, None);
}

#[tokio::test]
async fn another_verifier_does_not_redeem_the_code() {
    let (_provider, settings) = wrong_provider();
    let party = relying_party(&Arc::new(TestClock::default()));
    let begun = request();
    let brought = callback(&party, &settings, &begun, &mut ProviderBrowser::default(), "any")
        .await
        .unwrap();
    let mut other = request();
    other.code_verifier = "w".repeat(43).into();
    let identity = party.finish(&settings, &other, &brought, TestClock::START).await;
    assert_eq!(identity, refused("the provider does not redeem the code"));
}

#[tokio::test]
async fn domains_are_those_of_addresses() {
    let (provider, settings) = wrong_provider();
    let party = relying_party(&Arc::new(TestClock::default()));
    let settings = OidcSettings {
        allowed_domains: vec!["Example.com".to_owned()],
        ..settings
    };
    for (claims, accepted) in [
        (json!({ "email": "john@example.com" }), true),
        (json!({ "email": "john@EXAMPLE.COM" }), true),
        (json!({ "email": "john@other.com" }), false),
        (json!({ "email": "john@example.com@other.com" }), false),
        (json!({ "email": "john@other.com@example.com" }), false),
        (json!({ "email": "john@sub.example.com" }), false),
        (json!({ "email": "example.com" }), false),
        (json!({}), false),
        // Only Google says so.
        (json!({ "hd": "example.com" }), false),
        (json!({ "preferred_username": "john@example.com" }), false),
    ] {
        provider.control("otherwise", &json!({ "claims": claims })).await;
        let identity = sign_in(&party, &settings, "any").await;
        assert_eq!(identity.is_ok(), accepted, "{claims}");
    }
}

#[tokio::test]
async fn azure_vouches_for_no_address_but_where_it_says_so() {
    let (provider, settings) = wrong_provider();
    let party = relying_party(&Arc::new(TestClock::default()));
    let settings = OidcSettings {
        preset: OidcPreset::Azure,
        groups_claim: Some("groups".to_owned()),
        ..settings
    };
    let address = |text: &str| Some(text.to_owned());
    for (mut claims, email, verified) in [
        (
            json!({ "email": "a@example.com", "email_verified": true }),
            address("a@example.com"),
            false,
        ),
        (
            json!({ "email": "a@example.com", "xms_edov": true }),
            address("a@example.com"),
            true,
        ),
        (
            json!({ "email": "a@example.com", "xms_edov": 1 }),
            address("a@example.com"),
            true,
        ),
        (
            json!({ "email": "a@example.com", "xms_edov": "1" }),
            address("a@example.com"),
            true,
        ),
        (
            json!({ "email": "a@example.com", "xms_edov": false }),
            address("a@example.com"),
            false,
        ),
        (
            json!({ "email": "a@example.com", "xms_edov": 0 }),
            address("a@example.com"),
            false,
        ),
        (
            json!({ "preferred_username": "a@example.com", "xms_edov": true }),
            address("a@example.com"),
            false,
        ),
        (json!({ "preferred_username": "+49 30 1234" }), None, false),
    ] {
        claims["tid"] = json!("acme");
        claims["oid"] = json!("the person");
        provider.control("otherwise", &json!({ "claims": claims })).await;
        let identity = sign_in(&party, &settings, "any").await.unwrap();
        assert_eq!(
            (identity.email, identity.email_verified),
            (email, verified),
            "{claims}"
        );
        assert_eq!(identity.subject, "the person");
    }

    let many = json!({
        "tid": "acme",
        "oid": "the person",
        "groups": ["some of them"],
        "_claim_names": { "groups": "src1" },
        "_claim_sources": { "src1": { "endpoint": "https://graph.example.com" } },
    });
    provider.control("otherwise", &json!({ "claims": many })).await;
    assert!(sign_in(&party, &settings, "any").await.unwrap().groups.is_empty());

    for (claims, why) in [
        (json!({ "oid": "the person" }), "the token names no tenant"),
        (json!({ "tid": "acme" }), "the token names nobody of the tenant"),
    ] {
        provider.control("otherwise", &json!({ "claims": claims })).await;
        assert_eq!(sign_in(&party, &settings, "any").await, refused(why));
    }
}

#[tokio::test]
async fn settings_that_cannot_work_are_told() {
    let (provider, settings) = wrong_provider();
    let party = relying_party(&Arc::new(TestClock::default()));
    party.probe(&settings).await.unwrap();
    for otherwise in [
        json!({ "metadata": { "issuer": "https://other.example.com" } }),
        json!({ "metadata": { "authorization_endpoint": "http://other.example.com/" } }),
        json!({ "metadata": { "authorization_endpoint": "javascript:alert(1)" } }),
        json!({ "metadata": { "jwks_uri": "http://169.254.169.254/" } }),
        json!({ "metadata": { "jwks_uri": "https://10.0.0.1/" } }),
        json!({ "metadata": { "id_token_signing_alg_values_supported": ["HS256"] } }),
    ] {
        provider.control("otherwise", &otherwise).await;
        let outcome = party.probe(&settings).await;
        assert!(
            matches!(outcome, Err(ProviderError::Settings(_))),
            "{otherwise}: {outcome:?}"
        );
    }
    provider.control("otherwise", &json!(null)).await;
    let confidential = OidcSettings {
        client_secret: Some(tigertrust_accounts::sso::ClientSecret::new("secret")),
        ..settings
    };
    let outcome = party.probe(&confidential).await;
    assert_eq!(
        outcome,
        Err(ProviderError::Settings(
            "the provider takes no client secrets".to_owned()
        ))
    );
}

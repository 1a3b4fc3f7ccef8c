//! Back-channel logout.

use std::sync::Arc;

use serde_json::{Value, json};
use tigertrust_accounts::sso::{LogoutToken, OidcPreset, OidcRelyingParty};
use tigertrust_testkit::{ProviderBrowser, TestClock, ThrowawayProvider};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::{callback, client, refused, relying_party, request, settings, wrong_provider};

/// Seconds since the epoch at which every test takes place.
const NOW: i64 = TestClock::START.unix_micros() / 1_000_000;

const ANOTHER_ISSUER: &str = "the token is of another issuer";
const ANOTHER_CLIENT: &str = "the token is for another client";
const NO_LOGOUT: &str = "the token is no logout token";
const NO_TIMES: &str = "the token does not say when it was made and until when it is valid";
const KIND: &str = "the token is of a kind that is not accepted";
const NAMELESS: &str = "the token names neither a person nor a session";
const MALFORMED: &str = "the token is malformed";

/// The token that somebody posts, and is told that all is well.
async fn posted_token(listener: TcpListener) -> String {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut request = Vec::new();
    let token = loop {
        assert_ne!(
            stream.read_buf(&mut request).await.unwrap(),
            0,
            "the request broke off"
        );
        let text = String::from_utf8_lossy(&request);
        let (header, body) = text.split_once("\r\n\r\n").unwrap_or_default();
        let length = header
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        if length.is_some_and(|length| length.parse() == Ok(body.len())) {
            break body.strip_prefix("logout_token=").unwrap().to_owned();
        }
    };
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    stream.write_all(answer).await.unwrap();
    token
}

#[tokio::test]
async fn who_signs_out_at_the_provider_signs_out_here() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = client();
    client["backchannel_logout_uri"] = json!(format!("http://{}/logout", listener.local_addr().unwrap()));
    client["backchannel_logout_session_required"] = json!(true);
    let provider = ThrowawayProvider::start(&json!({ "accounts": { "ada": {} }, "clients": [client] }));
    let settings = settings(OidcPreset::Custom, provider.origin().to_owned());
    let party = relying_party(&Arc::new(TestClock::default()));

    let (begun, mut browser) = (request(), ProviderBrowser::default());
    let brought = callback(&party, &settings, &begun, &mut browser, "ada")
        .await
        .unwrap();
    let identity = party
        .finish(&settings, &begun, &brought, TestClock::START)
        .await
        .unwrap();
    assert!(identity.provider_session.is_some());

    let (token, ()) = tokio::join!(posted_token(listener), browser.sign_out(provider.origin()));
    let said = party
        .read_logout_token(&settings, &token, TestClock::START)
        .await
        .unwrap();
    assert_eq!(said.issuer, identity.issuer);
    assert_eq!(said.subject.as_ref(), Some(&identity.subject));
    assert_eq!(said.provider_session, identity.provider_session);
    assert!(said.remembered_until > TestClock::START);

    let (start, _) = token.rsplit_once('.').unwrap();
    let unsigned = party
        .read_logout_token(&settings, &format!("{start}."), TestClock::START)
        .await;
    assert_eq!(unsigned, refused("the token's signature is wrong"));
}

fn with(claims: &Value, changes: &Value) -> Value {
    let mut claims = claims.clone();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

#[tokio::test]
async fn what_is_wrong_with_a_logout_token_is_told() {
    let (provider, settings) = wrong_provider();
    let party = relying_party(&Arc::new(TestClock::default()));
    let good = json!({
        "iss": provider.origin(),
        "aud": "tigertrust",
        "iat": NOW,
        "exp": NOW + 120,
        "jti": "of this token",
        "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
        "sub": "johndoe",
        "sid": "of this session",
    });
    let read = async |header: Value, changes: Value, sign: Value| {
        let mut token = json!({ "header": header, "claims": with(&good, &changes) });
        if !sign.is_null() {
            token["sign"] = sign;
        }
        let token = provider.control("token", &token).await;
        party
            .read_logout_token(&settings, token.as_str().unwrap(), TestClock::START)
            .await
    };
    let expected = LogoutToken {
        issuer: provider.origin().to_owned(),
        subject: Some("johndoe".to_owned()),
        provider_session: Some("of this session".to_owned()),
        id: "of this token".to_owned(),
        remembered_until: TestClock::START.saturating_add(std::time::Duration::from_secs(240)),
    };
    assert_eq!(
        read(json!({}), json!({}), json!(null)).await,
        Ok(expected.clone())
    );

    for (header, changes) in [
        (json!({ "typ": "logout+jwt" }), json!({})),
        (json!({ "typ": "application/Logout+JWT" }), json!({})),
        (json!({ "typ": null }), json!({})),
        (json!({ "kid": null }), json!({})),
        (json!({}), json!({ "aud": ["other", "tigertrust"] })),
        (json!({}), json!({ "sid": null })),
        (json!({}), json!({ "sub": null })),
        (json!({}), json!({ "exp": NOW - 100, "iat": NOW - 200 })),
        (json!({}), json!({ "iat": NOW + 100 })),
    ] {
        let said = read(header.clone(), changes.clone(), json!(null)).await;
        assert!(said.is_ok(), "{header} {changes}: {said:?}");
    }

    for (header, changes, sign, why) in [
        (
            json!({}),
            json!({ "iss": "https://other.example.com" }),
            json!(null),
            ANOTHER_ISSUER,
        ),
        (json!({}), json!({ "iss": null }), json!(null), ANOTHER_ISSUER),
        (json!({}), json!({ "aud": "other" }), json!(null), ANOTHER_CLIENT),
        (
            json!({}),
            json!({ "aud": ["other"] }),
            json!(null),
            ANOTHER_CLIENT,
        ),
        (json!({}), json!({ "aud": null }), json!(null), ANOTHER_CLIENT),
        (json!({}), json!({ "iat": null }), json!(null), NO_TIMES),
        (json!({}), json!({ "exp": null }), json!(null), NO_TIMES),
        (json!({}), json!({ "exp": "soon" }), json!(null), NO_TIMES),
        (
            json!({}),
            json!({ "iat": NOW + 121 }),
            json!(null),
            "the token was made in the future",
        ),
        (
            json!({}),
            json!({ "iat": NOW - 721 }),
            json!(null),
            "the token was made too long ago",
        ),
        (
            json!({}),
            json!({ "exp": NOW - 120 }),
            json!(null),
            "the token has expired",
        ),
        (json!({}), json!({ "events": null }), json!(null), NO_LOGOUT),
        (json!({}), json!({ "events": {} }), json!(null), NO_LOGOUT),
        (
            json!({}),
            json!({ "events": ["http://schemas.openid.net/event/backchannel-logout"] }),
            json!(null),
            NO_LOGOUT,
        ),
        (
            json!({}),
            json!({ "events": { "http://schemas.openid.net/event/backchannel-logout": true } }),
            json!(null),
            NO_LOGOUT,
        ),
        (
            json!({}),
            json!({ "nonce": "a nonce" }),
            json!(null),
            "the token has a nonce",
        ),
        (
            json!({}),
            json!({ "jti": null }),
            json!(null),
            "the token has no id",
        ),
        (
            json!({}),
            json!({ "jti": "" }),
            json!(null),
            "the token has no id",
        ),
        (
            json!({}),
            json!({ "sub": null, "sid": null }),
            json!(null),
            NAMELESS,
        ),
        (json!({ "typ": "at+jwt" }), json!({}), json!(null), KIND),
        (
            json!({ "crit": ["b64"], "b64": true }),
            json!({}),
            json!(null),
            KIND,
        ),
        (
            json!({ "kid": "made up" }),
            json!({}),
            json!(null),
            "the token is signed by a key that the provider does not publish",
        ),
        (
            json!({}),
            json!({}),
            json!("none"),
            "the token is signed by an algorithm that is not accepted",
        ),
        (
            json!({}),
            json!({}),
            json!("HS256"),
            "the token is signed by an algorithm that is not accepted",
        ),
        (
            json!({}),
            json!({}),
            json!("not at all"),
            "the token's signature is wrong",
        ),
        (
            json!({}),
            json!({}),
            json!("another key"),
            "the token's signature is wrong",
        ),
    ] {
        let said = read(header.clone(), changes.clone(), sign.clone()).await;
        assert_eq!(said, refused(why), "{header} {changes} {sign}");
    }
    for token in [
        "",
        "a",
        "a.b",
        "a.b.c",
        "a.b.c.d",
        "e30.e30.",
        "....",
        "bnVsbA.bnVsbA.bnVsbA",
    ] {
        let said = party.read_logout_token(&settings, token, TestClock::START).await;
        assert_eq!(said, refused(MALFORMED), "{token}");
    }
}

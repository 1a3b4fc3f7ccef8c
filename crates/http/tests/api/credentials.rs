//! `security.md` 20 and 24: what a caller may send, and what is never a choice.

use reqwest::{Method, header::HeaderValue};
use tigertrust_credentials::{KeySecret, OsRandom};
use tigertrust_model::KeyType;
use tigertrust_testkit::{TestServer, on_both_engines, send};

on_both_engines!(
    s24_what_is_no_single_credential_is_401,
    s20_a_key_in_a_url_is_no_credential,
    a_credential_of_another_scheme_beside_ours_does_no_harm,
    an_unknown_key_is_401_whatever_route_it_calls,
    a_stranger_learns_nothing_about_bodies_and_ids,
);

async fn s24_what_is_no_single_credential_is_401(server: TestServer) {
    let home = server.workspace("Home").await;
    let (key, other) = (
        server.key(&home, KeyType::Agent, &[]).await,
        server.key(&home, KeyType::Agent, &[]).await,
    );
    let (secret, other) = (key.secret.reveal(), other.secret.reveal());
    let last = secret.len() - 1;
    let wrong_checksum = format!(
        "{}{}",
        &secret[..last],
        if secret.ends_with('0') { '1' } else { '0' }
    );
    let bearer = |key: &str| ("Authorization", format!("Bearer {key}"));
    let ours = |key: &str| ("X-Agent-API-Key", key.to_owned());
    let cases: Vec<(&str, Vec<(&str, String)>)> = vec![
        ("nothing", vec![]),
        ("empty", vec![ours("")]),
        (
            "another application's token",
            vec![bearer("eyJhbGciOiJub25lIn0.e30.")],
        ),
        ("truncated", vec![ours(&secret[..last])]),
        ("lengthened", vec![bearer(&format!("{secret}0"))]),
        ("wrong checksum", vec![ours(&wrong_checksum)]),
        (
            "wrong case of the prefix",
            vec![ours(&secret.replacen("ak_", "AK_", 1))],
        ),
        ("oversized", vec![ours(&"a".repeat(8000))]),
        ("twice in one header", vec![ours(secret), ours(secret)]),
        ("two bearer tokens", vec![bearer(secret), bearer(secret)]),
        ("two that differ", vec![ours(secret), bearer(other)]),
        ("one good, one malformed", vec![ours(secret), bearer("ak_short")]),
        ("a list", vec![ours(&format!("{secret}, {secret}"))]),
        (
            "inner space",
            vec![ours(&format!("{} {}", &secret[..10], &secret[10..]))],
        ),
        ("basic", vec![("Authorization", format!("Basic {secret}"))]),
        ("no scheme", vec![("Authorization", secret.to_owned())]),
    ];
    for (case, headers) in cases {
        let mut request = server.request(Method::GET, "/api/auth/me");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let refused = send(request).await;
        assert_eq!(refused.problem(), (401, "UNAUTHORIZED"), "{case}");
        assert!(
            refused.header("www-authenticate").starts_with("Bearer realm="),
            "{case}"
        );
    }
    for bytes in [&b"ak_\xc3\xa9\xff"[..], b"\xff", b"ck_\x80"] {
        let value = HeaderValue::from_bytes(bytes).unwrap();
        let refused = send(
            server
                .request(Method::GET, "/api/auth/me")
                .header("X-Agent-API-Key", value),
        )
        .await;
        assert_eq!(refused.problem(), (401, "UNAUTHORIZED"), "{bytes:?}");
    }
    let same = server
        .request(Method::GET, "/api/auth/me")
        .header("X-Agent-API-Key", secret)
        .bearer_auth(secret);
    assert_eq!(send(same).await.status, 200);
}

async fn s20_a_key_in_a_url_is_no_credential(server: TestServer) {
    let home = server.workspace("Home").await;
    let key = server.admin(&home).await;
    let secret = key.secret.reveal();
    for path in ["/api/auth/me", "/api/keys", "/api/workspaces"] {
        for parameter in ["api_key", "key", "access_token"] {
            let refused = send(server.request(Method::GET, &format!("{path}?{parameter}={secret}"))).await;
            assert_eq!(refused.problem(), (401, "UNAUTHORIZED"), "{path} {parameter}");
            assert!(!refused.body.to_string().contains(secret));
        }
    }
}

async fn a_credential_of_another_scheme_beside_ours_does_no_harm(server: TestServer) {
    let home = server.workspace("Home").await;
    let key = server.key(&home, KeyType::Agent, &[]).await;
    for foreign in ["Bearer eyJhbGciOiJub25lIn0.e30.", "Basic dTpw"] {
        let request = server
            .request(Method::GET, "/api/auth/me")
            .header("X-Agent-API-Key", key.secret.reveal());
        let me = send(
            request
                .header("Authorization", foreign)
                .header("Cookie", "connect.sid=s%3Aabc.def"),
        )
        .await;
        assert_eq!(me.status, 200, "{foreign}");
    }
}

async fn an_unknown_key_is_401_whatever_route_it_calls(server: TestServer) {
    let stranger = KeySecret::generate(KeyType::Agent, &OsRandom).unwrap();
    for path in ["/api/auth/me", "/api/auth/check", "/api/keys", "/api/workspaces"] {
        let refused = send(server.request(Method::GET, path).bearer_auth(stranger.reveal())).await;
        assert_eq!(refused.problem(), (401, "UNAUTHORIZED"), "{path}");
        assert!(
            refused.header("www-authenticate").contains("invalid_token"),
            "{path}"
        );
    }
}

async fn a_stranger_learns_nothing_about_bodies_and_ids(server: TestServer) {
    for (method, path) in [
        (Method::POST, "/api/keys"),
        (Method::GET, "/api/keys?limit=0"),
        (Method::GET, "/api/keys/nonsense"),
        (Method::PATCH, "/api/keys/nonsense"),
    ] {
        let refused = send(
            server
                .request(method, path)
                .header("Content-Type", "text/plain")
                .body("{"),
        )
        .await;
        assert_eq!(refused.problem(), (401, "UNAUTHORIZED"), "{path}");
    }
}

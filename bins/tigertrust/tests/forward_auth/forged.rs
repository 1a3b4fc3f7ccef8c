//! What strangers say of themselves counts for nothing.

use reqwest::Method;
use serde_json::json;

use crate::{behind::Behind, behind_each_proxy, raw};

behind_each_proxy!(
    no_forged_identity_reaches_the_backend,
    a_forged_address_does_not_count,
);

const NAMES: [&str; 9] = [
    "X-Auth-Type",
    "X-Auth-Key-Id",
    "X-Auth-Key-Type",
    "X-Auth-Scopes",
    "X-Auth-User-Id",
    "X-Auth-Role",
    "X-Auth-Workspace-Id",
    "X-Auth-External-Id",
    "X-Auth-Code",
];

/// How a name may be written so that somebody takes it for the name.
fn spellings(name: &str) -> Vec<String> {
    let mut spellings = vec![name.to_owned(), name.to_lowercase(), name.to_uppercase()];
    // Each of its hyphens in turn as another sign, or all of them.
    let hyphens: Vec<usize> = name.match_indices('-').map(|(at, _)| at).collect();
    for sign in ["_", "."] {
        for bits in 1..1_u32 << hyphens.len() {
            let mut other = name.to_owned();
            for (number, at) in hyphens.iter().enumerate() {
                if bits >> number & 1 == 1 {
                    other.replace_range(*at..=*at, sign);
                }
            }
            spellings.push(other);
        }
    }
    spellings
}

async fn no_forged_identity_reaches_the_backend(behind: Behind) {
    let key = behind.key(&["certificates:read"], json!({})).await;
    let address = behind.proxy.address();
    for path in ["/", "/certificates/7", "/public/x"] {
        for name in NAMES {
            let spellings = spellings(name);
            let headers: String = spellings
                .iter()
                .map(|name| format!("{name}: forged\r\n"))
                .collect();
            for credential in [format!("Authorization: Bearer {}\r\n", key.secret), String::new()] {
                let head = format!(
                    "GET {path} HTTP/1.1\r\nHost: {address}\r\n{headers}{credential}Connection: close\r\n\r\n"
                );
                let answer = raw::exchange(address, head.as_bytes()).await;
                let expected = if credential.is_empty() && path != "/public/x" {
                    401
                } else {
                    200
                };
                assert_eq!(raw::status(&answer), expected, "{path} {name}: {answer}");
                assert!(!answer.contains("forged"), "{path} {name}: {answer}");
            }
        }
    }
    // A header with no value, and one with the names of two.
    for line in [
        "X-Auth-Role:\r\nX-Auth-Role: forged",
        "Connection: X-Auth-Role, X-Auth-Type, close",
    ] {
        let head = format!(
            "GET / HTTP/1.1\r\nHost: {address}\r\n{line}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
            key.secret
        );
        let answer = raw::exchange(address, head.as_bytes()).await;
        assert!(!answer.contains("forged"), "{answer}");
        // Whoever has the proxy take a header away as one of the connection takes away no identity.
        assert!(
            answer.contains("apiKey") || raw::status(&answer) >= 400,
            "{answer}"
        );
    }
}

async fn a_forged_address_does_not_count(behind: Behind) {
    let here = behind.key(&[], json!({"allowedCidrs": ["127.0.0.1/32"]})).await;
    let elsewhere = behind.key(&[], json!({"allowedCidrs": ["192.0.2.0/24"]})).await;
    for forged in [
        "192.0.2.1",
        "192.0.2.1, 127.0.0.1",
        "127.0.0.1, 192.0.2.1",
        "unknown",
        "",
    ] {
        for name in [
            "X-Forwarded-For",
            "Forwarded",
            "X-Real-IP",
            "X-Envoy-External-Address",
        ] {
            let asked = |secret: &str| {
                let request = behind.request(Method::GET, "/").bearer_auth(secret);
                request.header(name, forged).header("X-Forwarded-Method", "GET")
            };
            let seen = behind.send(asked(&here.secret)).await;
            assert_eq!(seen.status, 200, "{name}: {forged}: {seen:?}");
            assert_eq!(seen.sent("x-forwarded-for"), ["127.0.0.1"], "{name}: {forged}");
            let seen = behind.send(asked(&elsewhere.secret)).await;
            assert_eq!(seen.refusal(), (403, "FORBIDDEN"), "{name}: {forged}");
        }
    }
}

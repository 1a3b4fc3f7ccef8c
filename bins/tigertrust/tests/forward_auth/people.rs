//! People who are signed in pass by their cookie, and pages of other sites do nothing in their name.

use reqwest::{Method, RequestBuilder};

use crate::{behind::Behind, behind_each_proxy};

behind_each_proxy!(a_person_who_is_signed_in_passes, another_sites_page_does_not);

async fn a_person_who_is_signed_in_passes(behind: Behind) {
    let cookie = behind.sign_in().await;
    let origin = format!("http://{}", behind.proxy.address());
    let asked = |method| {
        behind
            .request(method, "/certificates/7")
            .header("Cookie", &cookie)
    };
    let ours = |request: RequestBuilder| {
        request
            .header("Origin", &origin)
            .header("Sec-Fetch-Site", "same-origin")
    };
    for request in [
        asked(Method::GET),
        asked(Method::HEAD),
        // No browser.
        asked(Method::POST).body("x"),
        ours(asked(Method::POST).body("x")),
        ours(asked(Method::DELETE)),
        // A link on another site's page.
        asked(Method::GET).header("Sec-Fetch-Site", "cross-site"),
    ] {
        let seen = behind.send(request).await;
        assert_eq!((seen.status, seen.header("x-backend")), (200, "yes"), "{seen:?}");
        if seen.body.is_null() {
            continue;
        }
        for (name, value) in [
            ("x-auth-type", "user"),
            ("x-auth-user-id", behind.server.text("userId")),
            ("x-auth-role", "owner"),
            ("x-auth-workspace-id", behind.server.text("workspaceId")),
        ] {
            assert_eq!(seen.sent(name), [value], "{name}");
        }
        for name in [
            "x-auth-key-id",
            "x-auth-key-type",
            "x-auth-scopes",
            "x-auth-external-id",
        ] {
            assert!(seen.sent(name).is_empty(), "{name}");
        }
    }
    // Signed out is out.
    let out = behind
        .request(Method::POST, "/api/auth/logout")
        .header("Cookie", &cookie);
    assert_eq!(behind.send(out).await.status, 204);
    assert_eq!(
        behind.send(asked(Method::GET)).await.refusal(),
        (401, "UNAUTHORIZED")
    );
}

async fn another_sites_page_does_not(behind: Behind) {
    let cookie = behind.sign_in().await;
    let forms = [
        vec![("Sec-Fetch-Site", "cross-site")],
        vec![("Sec-Fetch-Site", "same-site")],
        vec![("Origin", "https://evil.example")],
        vec![("Origin", "null"), ("Sec-Fetch-Site", "cross-site")],
    ];
    // What a page could say to seem to ask for something else.
    let claims = [
        vec![],
        vec![("X-Forwarded-Method", "GET")],
        vec![("X-Original-Method", "GET")],
        vec![("X-Forwarded-Method", "GET"), ("X-Original-Method", "GET")],
        vec![("X-HTTP-Method-Override", "GET")],
    ];
    for form in &forms {
        for claim in &claims {
            for method in [Method::POST, Method::PUT, Method::DELETE] {
                let mut request = behind.request(method, "/x").header("Cookie", &cookie);
                for (name, value) in form.iter().chain(claim) {
                    request = request.header(*name, *value);
                }
                let seen = behind.send(request).await;
                assert_eq!(seen.refusal(), (403, "FORBIDDEN"), "{form:?} {claim:?}");
            }
        }
    }
    assert!(behind.backend.seen().await.is_empty());
}

//! The pages that links in mails lead to.

use reqwest::{Method, StatusCode};
use tigertrust_notify::Letterhead;
use tigertrust_testkit::{TestServer, on_both_engines};

on_both_engines!(
    s31_a_link_leads_to_a_page_that_runs_nothing_but_our_script,
    s16_a_page_knows_nothing_of_the_token,
);

struct Fetched {
    status: StatusCode,
    kind: String,
    policy: String,
    text: String,
}

async fn fetch(server: &TestServer, path: &str) -> Fetched {
    let response = server.request(Method::GET, path).send().await.unwrap();
    let header = |name: &str| {
        let value = response.headers().get(name);
        value.map_or_else(String::new, |value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(header("referrer-policy"), "no-referrer", "{path}");
    assert_eq!(header("cache-control"), "no-store", "{path}");
    assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
    Fetched {
        status: response.status(),
        kind: header("content-type"),
        policy: header("content-security-policy"),
        text: response.text().await.unwrap(),
    }
}

const PAGES: [[&str; 2]; 3] = [
    Letterhead::PASSWORD_RESET_PAGE,
    Letterhead::EMAIL_VERIFICATION_PAGE,
    Letterhead::INVITATION_PAGE,
];

async fn s31_a_link_leads_to_a_page_that_runs_nothing_but_our_script(server: TestServer) {
    for page in PAGES {
        let path = format!("/{}", page.join("/"));
        let fetched = fetch(&server, &path).await;
        assert_eq!(
            (fetched.status.as_u16(), fetched.kind.as_str()),
            (200, "text/html; charset=utf-8")
        );
        assert!(fetched.policy.contains("script-src 'self'") && !fetched.policy.contains("unsafe"));
        let text = &fetched.text;
        assert!(
            !text.contains('{') && !text.contains(" style=") && !text.contains(" onclick="),
            "{text}"
        );
        assert_eq!(text.matches("<script").count(), 1);
        let calls = text
            .split("data-calls=\"..")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap();
        let known = tigertrust_http::operations();
        assert!(
            known.iter().any(|operation| operation.path == calls
                && operation.method == Some(Method::POST.as_str().parse().unwrap())),
            "{calls}"
        );
        // Each input has a label.
        for input in text.split("<input id=\"").skip(1) {
            let id = input.split('"').next().unwrap();
            assert!(text.contains(&format!("<label for=\"{id}\">")), "{id}");
        }
    }
    for (file, kind) in [("link.js", "text/javascript"), ("link.css", "text/css")] {
        let fetched = fetch(&server, &format!("/pages/{file}")).await;
        assert_eq!(fetched.status, 200);
        assert!(fetched.kind.starts_with(kind), "{}", fetched.kind);
    }
}

async fn s16_a_page_knows_nothing_of_the_token(server: TestServer) {
    let plain = fetch(&server, "/password/reset").await;
    let with = fetch(&server, "/password/reset?token=tt_pwr_canary").await;
    assert_eq!(plain.text, with.text);
    let post = server
        .request(Method::POST, "/password/reset")
        .send()
        .await
        .unwrap();
    assert_eq!(post.status(), 405);
}

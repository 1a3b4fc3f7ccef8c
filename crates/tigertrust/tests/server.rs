//! The whole API, mounted beside routes of an embedder's own.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop at once")]

mod support;

use std::net::TcpListener;

use actix_web::{App, HttpServer, web};
use reqwest::{Client, Method};
use support::Embedded;
use tigertrust::{
    actix::Permitted,
    needs,
    server::{AppSettings, configure},
};
use tigertrust_testkit::{Engine, send};

needs! { struct Read { scope: "certificates:read" } }

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_and_routes_of_one_s_own_live_side_by_side() {
    let Embedded { auth, first, .. } = &Embedded::start(Engine::Sqlite).await;
    let (shared, api) = (
        web::Data::new(auth.clone()),
        web::Data::new(auth.app(AppSettings::default()).unwrap()),
    );
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let server = HttpServer::new(move || {
        App::new()
            .app_data(shared.clone())
            .app_data(api.clone())
            .route("/own", web::get().to(async |_: Permitted<Read>| "own"))
            .configure(configure)
    })
    .workers(1)
    .disable_signals()
    .listen(listener)
    .unwrap()
    .run();
    let handle = server.handle();
    tokio::spawn(server);

    let client = Client::builder().no_proxy().build().unwrap();
    let (agent, public) = (first.agent.secret.reveal(), first.public.secret.reveal());
    let ask = async |method: Method, path: &str, key: &str| {
        let request = client.request(method, format!("{base}{path}"));
        let answer = send(request.header("X-Agent-API-Key", key)).await;
        (answer.status.as_u16(), answer.code().to_owned())
    };
    assert_eq!(ask(Method::GET, "/own", public).await, (200, String::new()));
    assert_eq!(
        ask(Method::GET, "/api/auth/me", public).await,
        (200, String::new())
    );
    assert_eq!(
        ask(Method::GET, "/nowhere", public).await,
        (404, "NOT_FOUND".to_owned())
    );

    // What the API changes, the extractor knows.
    let revoke = format!("/api/keys/{}/revoke", first.public.key.id);
    assert_eq!(ask(Method::POST, &revoke, agent).await, (200, String::new()));
    assert_eq!(
        ask(Method::GET, "/own", public).await,
        (401, "KEY_REVOKED".to_owned())
    );
    handle.stop(false).await;

    // The figures of the API, and those that an embedder adds.
    auth.metrics().gauge("own_things", "Things of one's own", || 1.5);
    let text = auth.metrics().text().unwrap();
    for line in [
        "tigertrust_http_responses_total{code=\"200\"} 2",
        "tigertrust_http_responses_total{code=\"404\"} 1",
        "tigertrust_own_things 1.5",
    ] {
        assert!(text.lines().any(|other| other == line), "{line}\n{text}");
    }
}

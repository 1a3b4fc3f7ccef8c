//! The extractor, in an application of an embedder's own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may stop at once"
)]

mod support;

use actix_web::{
    App, HttpResponse,
    http::{StatusCode, header},
    test::{TestRequest, call_service, init_service, read_body},
    web,
};
use serde_json::{Value, json};
use support::Embedded;
use tigertrust::{
    Actor, FlowError, KeyTypes, Need, NewKey, Page, ReachRequest, TigerTrust, WorkspaceNeed,
    actix::{ClientAddress, Needs, Permitted, Rejection},
    needs,
};
use tigertrust_testkit::Engine;

needs! {
    /// May read.
    struct Read { scope: "certificates:read" }
    struct AgentOnly { types: KeyTypes::AGENT }
    struct Anyone { workspace: WorkspaceNeed::Optional }
    /// No catalogue has it.
    struct Mistyped { scope: "certificates:reed", types: KeyTypes::ANY, workspace: WorkspaceNeed::Required }
}

async fn workspace(caller: Permitted<Read>) -> Result<String, Rejection> {
    Ok(caller.in_workspace()?.id.to_string())
}

async fn keys(caller: Permitted<AgentOnly>, auth: web::Data<TigerTrust>) -> Result<HttpResponse, Rejection> {
    let page = Page {
        after: None,
        limit: 10,
    };
    let keys = auth
        .keys()
        .list(
            &caller.actor(),
            None,
            tigertrust::model::KeyFilter::default(),
            page,
        )
        .await?;
    Ok(HttpResponse::Ok().json(keys.len()))
}

/// An answer to a request, reduced to what the tests ask for.
struct Answer {
    status: StatusCode,
    headers: header::HeaderMap,
    body: Value,
}

async fn call(auth: &TigerTrust, request: TestRequest) -> Answer {
    let app = App::new()
        .app_data(web::Data::new(auth.clone()))
        .app_data(web::Data::new(ClientAddress::new(|_| None)))
        .route("/workspace", web::get().to(workspace))
        .route("/keys", web::get().to(keys))
        .route(
            "/anyone",
            web::get().to(async |caller: Permitted<Anyone>| {
                caller.in_workspace().map(|workspace| workspace.name.clone())
            }),
        )
        .route("/mistyped", web::get().to(async |_: Permitted<Mistyped>| "in"));
    let app = init_service(app).await;
    answer(call_service(&app, request.to_request()).await).await
}

async fn answer<B: actix_web::body::MessageBody>(response: actix_web::dev::ServiceResponse<B>) -> Answer {
    let (status, headers) = (response.status(), response.headers().clone());
    let body = read_body(response).await;
    let text = String::from_utf8_lossy(&body).into_owned();
    Answer {
        status,
        headers,
        body: serde_json::from_slice(&body).unwrap_or(Value::String(text)),
    }
}

fn get(path: &str, key: &str) -> TestRequest {
    TestRequest::get()
        .uri(path)
        .insert_header(("X-Agent-API-Key", key))
}

#[tokio::test]
async fn a_need_is_what_stands_in_the_macro() {
    let read = Read::need();
    assert_eq!(read.scope.as_ref().unwrap().as_str(), "certificates:read");
    assert_eq!(
        (read.types, read.workspace),
        (KeyTypes::ANY, WorkspaceNeed::Required)
    );
    assert_eq!(AgentOnly::need().types, KeyTypes::AGENT);
    assert_eq!(*Anyone::need(), Need::any_caller());
}

#[tokio::test]
async fn whoever_fulfils_the_need_gets_in() {
    let Embedded { auth, first, .. } = &Embedded::start(Engine::Sqlite).await;
    let (agent, public) = (first.agent.secret.reveal(), first.public.secret.reveal());
    for key in [agent, public] {
        let found = call(auth, get("/workspace", key)).await;
        assert_eq!(
            (found.status, found.body),
            (StatusCode::OK, json!(first.workspace.id.to_string()))
        );
        let bearer = TestRequest::get()
            .uri("/workspace")
            .insert_header((header::AUTHORIZATION, format!("bearer {key}")))
            .insert_header(("X-Workspace-ID", first.workspace.id.to_string()));
        assert_eq!(call(auth, bearer).await.status, StatusCode::OK);
    }
    assert_eq!(call(auth, get("/keys", agent)).await.body, json!(2));
}

#[tokio::test]
async fn a_refusal_is_the_problem_that_the_server_would_answer() {
    let Embedded { auth, first, .. } = &Embedded::start(Engine::Sqlite).await;
    let stranger = call(
        auth,
        TestRequest::get()
            .uri("/workspace")
            .insert_header(("X-Request-Id", "abc-1")),
    )
    .await;
    assert_eq!(stranger.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        stranger.body,
        json!({
            "type": "about:blank",
            "title": "Unauthorized",
            "status": 401,
            "detail": "No credential was presented. Send an API key as X-Agent-API-Key or as Authorization: Bearer, or sign in.",
            "code": "UNAUTHORIZED",
            "requestId": "abc-1",
        })
    );
    let value = |name| stranger.headers.get(name).unwrap().to_str().unwrap();
    assert_eq!(value(header::CONTENT_TYPE), "application/problem+json");
    assert_eq!(value(header::WWW_AUTHENTICATE), "Bearer realm=\"tigertrust\"");
    assert_eq!(value(header::CACHE_CONTROL), "no-store");

    let malformed = call(auth, get("/workspace", "ak_1")).await;
    assert_eq!(malformed.body["code"], "UNAUTHORIZED");
    assert_eq!(malformed.body.get("requestId"), None);

    let public = first.public.secret.reveal();
    let wrong_type = call(auth, get("/keys", public)).await;
    assert_eq!(
        (wrong_type.status, &wrong_type.body["code"]),
        (StatusCode::FORBIDDEN, &json!("FORBIDDEN"))
    );
    let foreign = get("/workspace", public).insert_header(("X-Workspace-ID", "ws_nowhere"));
    assert_eq!(call(auth, foreign).await.body["code"], "WORKSPACE_ACCESS_DENIED");

    auth.keys()
        .revoke(&Actor::operator(), first.public.key.id, None)
        .await
        .unwrap();
    let revoked = call(auth, get("/workspace", public)).await;
    assert_eq!(
        (revoked.status, &revoked.body["code"]),
        (StatusCode::UNAUTHORIZED, &json!("KEY_REVOKED"))
    );
}

#[tokio::test]
async fn an_instance_key_has_to_name_a_workspace_where_one_is_needed() {
    let Embedded { auth, first, .. } = &Embedded::start(Engine::Sqlite).await;
    let new = NewKey {
        reach: ReachRequest::Instance,
        allowed_cidrs: Vec::new(),
        ..new_key("backend", &["certificates:read"])
    };
    let issued = auth.keys().create(&Actor::operator(), new).await.unwrap();
    let key = issued.secret.reveal();
    for path in ["/workspace", "/anyone"] {
        let unnamed = call(auth, get(path, key)).await;
        assert_eq!(unnamed.body["code"], "VALIDATION_ERROR", "{path}");
        let named = get(path, key).insert_header(("X-Workspace-ID", first.workspace.id.to_string()));
        assert_eq!(call(auth, named).await.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn a_scope_that_does_not_exist_lets_nobody_in() {
    let Embedded { auth, first, .. } = &Embedded::start(Engine::Sqlite).await;
    let found = call(auth, get("/mistyped", first.agent.secret.reveal())).await;
    assert_eq!(found.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn without_a_database_or_an_instance_nobody_gets_in() {
    let Embedded { auth, first, .. } = &Embedded::start(Engine::Sqlite).await;
    let key = first.agent.secret.reveal();
    auth.close().await;
    let down = call(auth, get("/workspace", key)).await;
    assert_eq!(
        (down.status, &down.body["code"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("SERVICE_UNAVAILABLE"))
    );
    assert_eq!(down.headers.get(header::RETRY_AFTER).unwrap(), "1");

    let app = init_service(App::new().route("/workspace", web::get().to(workspace))).await;
    let forgotten = answer(call_service(&app, get("/workspace", key).to_request()).await).await;
    assert_eq!(forgotten.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[test]
fn what_a_flow_says_becomes_the_same_problem() {
    let rejection = Rejection::from(FlowError::NotFound);
    assert_eq!(rejection.problem().status, 404);
    assert_eq!(rejection.to_string(), "There is nothing here under this id.");
}

fn new_key(name: &str, scopes: &[&str]) -> NewKey {
    NewKey {
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        ..NewKey::new(
            name,
            tigertrust::KeyType::Agent,
            ReachRequest::Caller { others: Vec::new() },
        )
    }
}

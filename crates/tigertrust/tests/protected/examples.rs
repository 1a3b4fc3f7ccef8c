//! The examples, as they are run.

#[allow(dead_code, reason = "it is a program of its own")]
#[path = "../../examples/actix.rs"]
mod by_actix;
#[allow(dead_code, reason = "it is a program of its own")]
#[path = "../../examples/axum.rs"]
mod by_axum;
#[allow(dead_code, reason = "it is a program of its own")]
#[path = "../../examples/tonic/main.rs"]
mod by_tonic;
#[allow(dead_code, reason = "it is a program of its own")]
#[path = "../../examples/remote.rs"]
mod remote;

use std::sync::Arc;

use actix_web::{App, middleware::from_fn, test as actix_test, web};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tigertrust::{KeyType, actix::tell_limits};
use tigertrust_client::Client as VerifyingClient;
use tigertrust_testkit::{
    Engine, TestServer,
    protected::{Instance, Wanted},
    send,
};
use tokio::net::TcpListener;
use tonic::{
    Code, Request,
    client::Grpc,
    codegen::http::uri::PathAndQuery,
    transport::{Channel, Server, server::TcpIncoming},
};
use tonic_prost::ProstCodec;

use crate::{axum::serve, behind::Behind};

const BOTH: &[&str] = &["certificates:read", "certificates:write"];
const READ: &[&str] = &["certificates:read"];

#[tokio::test]
async fn the_service_of_axum_keeps_certificates() {
    let behind = Behind::start().await;
    let (base, serving) = serve(by_axum::app(&behind.auth)).await;
    let client = Client::builder().no_proxy().build().unwrap();
    let call = async |method: Method, key: &str, body: &'static str| {
        let request = client.request(method, format!("{base}/certificates"));
        send(request.header("X-Agent-API-Key", key).body(body)).await
    };
    let (writer, reader) = (
        behind.issue(Wanted::agent(BOTH)).await.secret,
        behind.issue(Wanted::agent(READ)).await.secret,
    );
    let stored = call(Method::POST, &writer, "one").await;
    assert_eq!(stored.status.as_u16(), 201);
    assert_eq!(stored.header("x-ratelimit-limit"), "1000");
    assert_eq!(call(Method::GET, &reader, "").await.body, json!(["one"]));
    assert_eq!(
        call(Method::POST, &reader, "two").await.problem(),
        (403, "FORBIDDEN")
    );
    assert_eq!(
        call(Method::GET, "ak_1", "").await.problem(),
        (401, "UNAUTHORIZED")
    );
    let health = send(client.get(format!("{base}/health"))).await;
    assert_eq!(health.body, json!("up"));
    serving.abort();
}

#[tokio::test]
async fn the_service_of_actix_keeps_certificates() {
    let behind = Behind::start().await;
    let app = App::new()
        .wrap(from_fn(tell_limits))
        .app_data(web::Data::new(behind.auth.clone()))
        .app_data(web::Data::new(by_actix::Certificates::default()))
        .configure(by_actix::routes);
    let app = actix_test::init_service(app).await;
    let key = behind.issue(Wanted::agent(BOTH)).await.secret;
    let request = |request: actix_test::TestRequest| {
        request
            .uri("/certificates")
            .insert_header(("Authorization", format!("Bearer {key}")))
            .to_request()
    };
    let store = request(actix_test::TestRequest::post().set_payload("one"));
    let stored = actix_test::call_service(&app, store).await;
    assert_eq!(stored.status(), 201);
    assert_eq!(stored.headers().get("x-ratelimit-remaining").unwrap(), "999");
    let list = request(actix_test::TestRequest::get());
    let listed: Value = actix_test::call_and_read_body_json(&app, list).await;
    assert_eq!(listed, json!(["one"]));
    let stranger = actix_test::TestRequest::get().uri("/certificates").to_request();
    assert_eq!(actix_test::call_service(&app, stranger).await.status(), 401);
}

#[tokio::test]
async fn the_service_of_tonic_keeps_certificates() {
    use by_tonic::rpc::{CertificatesServer, LIST, ListReply, ListRequest, STORE, StoreReply, StoreRequest};

    let behind = Behind::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let serving = Server::builder()
        .layer(by_tonic::layer(&behind.auth))
        .add_service(CertificatesServer(Arc::new(by_tonic::Certificates::default())))
        .serve_with_incoming(TcpIncoming::from(listener));
    let serving = tokio::spawn(serving);
    let channel = Channel::from_shared(base).unwrap().connect().await.unwrap();
    let (writer, reader) = (
        behind.issue(Wanted::agent(BOTH)).await.secret,
        behind.issue(Wanted::agent(READ)).await.secret,
    );
    let store = async |key: &str| {
        let mut client = Grpc::new(channel.clone());
        client.ready().await.unwrap();
        let mut request = Request::new(StoreRequest {
            certificate: "one".to_owned(),
        });
        request
            .metadata_mut()
            .insert("x-agent-api-key", key.parse().unwrap());
        let codec = ProstCodec::<StoreRequest, StoreReply>::default();
        client
            .unary(request, PathAndQuery::from_static(STORE), codec)
            .await
            .map(|_| ())
            .map_err(|status| status.code())
    };
    assert_eq!(store(&writer).await, Ok(()));
    assert_eq!(store(&reader).await, Err(Code::PermissionDenied));
    assert_eq!(store("ak_1").await, Err(Code::Unauthenticated));

    let mut client = Grpc::new(channel.clone());
    client.ready().await.unwrap();
    let mut request = Request::new(ListRequest {});
    let bearer = format!("Bearer {reader}");
    request
        .metadata_mut()
        .insert("authorization", bearer.parse().unwrap());
    let codec = ProstCodec::<ListRequest, ListReply>::default();
    let listed = client
        .unary(request, PathAndQuery::from_static(LIST), codec)
        .await
        .unwrap();
    assert_eq!(listed.into_inner().certificates, ["one"]);
    serving.abort();
}

#[tokio::test]
async fn the_service_that_asks_a_server_lets_in_whom_the_server_knows() {
    let server = TestServer::start(Engine::Sqlite).await;
    let home = server.workspace("Home").await;
    let own = server.key(&home, KeyType::Agent, &["keys:verify"]).await;
    let reader = server.key(&home, KeyType::Agent, READ).await;
    let bare = server.key(&home, KeyType::Agent, &[]).await;
    let asking = VerifyingClient::builder()
        .url(server.base_url())
        .api_key(own.secret.reveal())
        .build()
        .unwrap();
    asking.start();
    let (base, serving) = serve(remote::app(&asking)).await;
    let client = Client::builder().no_proxy().build().unwrap();
    let call = async |key: &str| {
        let request = client.get(format!("{base}/certificates"));
        send(request.header("X-Agent-API-Key", key)).await
    };
    let listed = call(reader.secret.reveal()).await;
    assert_eq!(listed.status.as_u16(), 200);
    assert!(listed.body.as_str().unwrap().contains(&home.id.to_string()));
    assert_eq!(call(bare.secret.reveal()).await.problem(), (403, "FORBIDDEN"));
    assert_eq!(call("ak_1").await.problem(), (401, "UNAUTHORIZED"));
    asking.close().await;
    serving.abort();
}

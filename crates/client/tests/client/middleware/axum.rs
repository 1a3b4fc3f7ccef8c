//! axum.

use std::net::SocketAddr;

use axum::{
    Json, Router,
    extract::ConnectInfo,
    routing::{get, post},
};
use serde_json::{Value, json};
use tigertrust_client::{
    Client,
    tower::{RequireKeyLayer, Verified},
};
use tigertrust_model::KeyType;
use tigertrust_testkit::{
    TestServer, on_both_engines,
    protected::{HttpCaller, Protocol, run},
};
use tokio::{net::TcpListener, task::AbortHandle};

use super::instance::Behind;

on_both_engines!(a_service_of_axum_is_protected);

/// A service, until it is dropped.
pub(super) struct Service {
    pub(super) url: String,
    serving: AbortHandle,
}

impl Drop for Service {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

pub(super) fn told(caller: &Verified) -> Value {
    let mut scopes = caller.scopes.clone();
    scopes.sort();
    json!({
        "key": caller.key_id.to_string(),
        "type": caller.key_type.as_str(),
        "workspace": caller.workspace_id.map(|id| id.to_string()),
        "scopes": scopes,
    })
}

async fn seen(caller: Verified) -> Json<Value> {
    Json(told(&caller))
}

pub(super) async fn serve(client: &Client) -> Service {
    let any = RequireKeyLayer::new(client.clone()).client_address(|request| {
        let info = request.extensions.get::<ConnectInfo<SocketAddr>>()?;
        Some(info.ip())
    });
    let read = any.clone().scope("certificates:read");
    let write = any.clone().scope("certificates:write").key_type(KeyType::Agent);
    let app = Router::new()
        .route("/anyone", get(seen).layer(any.clone()))
        .route("/read", get(seen).layer(read))
        .route("/write", post(seen).layer(write))
        .route("/seen", get(seen).layer(any))
        .route("/open", get(seen));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>());
    let serving = tokio::spawn(async move { serving.await.unwrap() }).abort_handle();
    Service { url, serving }
}

async fn a_service_of_axum_is_protected(server: TestServer) {
    let behind = Behind::new(&server).await;
    let service = serve(&behind.client()).await;
    let open = reqwest::get(format!("{}/open", service.url)).await.unwrap();
    assert_eq!(
        open.status(),
        500,
        "a handler without a guard before it lets nobody in"
    );
    let adapter = Behind::adapter(Protocol::Http);
    run(&HttpCaller::new(&service.url), &behind, &adapter).await;
}

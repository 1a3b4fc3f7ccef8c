//! Services of axum: one whose extractors decide, and one whose layers do.

use std::net::SocketAddr;

use ::axum::{
    Json, Router,
    extract::{ConnectInfo, Extension},
    routing::{MethodRouter, get, post},
};
use serde_json::Value;
use tigertrust::{
    Gate, TigerTrust,
    tower::{Admitted, AuthLayer, ClientAddress, Needs, Permitted, TrustedProxies},
};
use tigertrust_testkit::protected::{
    Adapter, Call, Caller, HttpCaller, Instance, Protocol, Route, Wanted, run,
};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::behind::{Anyone, Behind, Read, Seen, Write, seen};

async fn by_extractor<N: Needs>(caller: Permitted<N>) -> Json<Value> {
    Json(seen(&caller))
}

async fn by_layer(Extension(caller): Extension<Admitted>) -> Json<Value> {
    Json(seen(&caller))
}

fn peer() -> ClientAddress {
    ClientAddress::from_extension(|peer: &ConnectInfo<SocketAddr>| Some(peer.0.ip()))
}

fn extractors(auth: &TigerTrust) -> Router {
    Router::new()
        .route(Route::Anyone.path(), get(by_extractor::<Anyone>))
        .route(Route::Read.path(), get(by_extractor::<Read>))
        .route(Route::Write.path(), post(by_extractor::<Write>))
        .route(Route::Seen.path(), get(by_extractor::<Seen>))
        .layer(AuthLayer::for_extractors(auth).client_address(peer()))
}

fn layers(auth: &TigerTrust) -> Router {
    fn needing<N: Needs>(auth: &TigerTrust, route: MethodRouter) -> MethodRouter {
        route.layer(AuthLayer::requiring(auth, N::need().clone()).client_address(peer()))
    }
    Router::new()
        .route(Route::Anyone.path(), needing::<Anyone>(auth, get(by_layer)))
        .route(Route::Read.path(), needing::<Read>(auth, get(by_layer)))
        .route(Route::Write.path(), needing::<Write>(auth, post(by_layer)))
        .route(Route::Seen.path(), needing::<Seen>(auth, get(by_layer)))
}

/// Every key is let in by the layer, and the extractor asks for the rest.
fn both(auth: &TigerTrust) -> Router {
    extractors(auth).layer(AuthLayer::needing::<Anyone>(auth).client_address(peer()))
}

/// Serves until it is aborted.
pub async fn serve(app: Router) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let serving = tokio::spawn(async move { ::axum::serve(listener, app).await.unwrap() });
    (base, serving)
}

async fn is_protected(app: fn(&TigerTrust) -> Router) {
    let behind = Behind::start().await;
    let (base, serving) = serve(app(&behind.auth)).await;
    run(&HttpCaller::new(base), &behind, &Adapter::of(Protocol::Http)).await;
    serving.abort();
}

#[tokio::test]
async fn a_service_of_axum_is_protected_by_extractors() {
    is_protected(extractors).await;
}

#[tokio::test]
async fn a_service_of_axum_is_protected_by_layers() {
    is_protected(layers).await;
}

#[tokio::test]
async fn an_extractor_within_a_layer_that_admits_counts_nothing_twice() {
    is_protected(both).await;
}

#[tokio::test]
async fn without_a_layer_nobody_gets_in() {
    let behind = Behind::start().await;
    let key = behind.issue(Wanted::agent(&["certificates:read"])).await;
    let app = Router::new()
        .route(Route::Read.path(), get(by_extractor::<Read>))
        .route(Route::Seen.path(), get(by_layer));
    let (base, serving) = serve(app).await;
    let caller = HttpCaller::new(base);
    for (route, status) in [(Route::Read, 503), (Route::Seen, 500)] {
        let call = Call::to(route).with("x-agent-api-key", &key.secret);
        assert_eq!(caller.call(&call).await.status, status);
    }
    serving.abort();
}

#[tokio::test]
async fn a_trusted_proxy_tells_the_address_of_the_client_and_the_gate_outlives_its_handles() {
    let behind = Behind::start().await;
    let key = behind
        .issue(Wanted {
            cidr: Some("203.0.113.0/24"),
            ..Wanted::agent(&["certificates:read"])
        })
        .await;
    let proxies = TrustedProxies::new(vec!["127.0.0.0/8".parse().unwrap()]);
    let layer = AuthLayer::for_extractors(Gate::from(&behind.auth)).client_address(peer().behind(proxies));
    let app = Router::new()
        .route(Route::Read.path(), get(by_extractor::<Read>))
        .layer(layer);
    let (base, serving) = serve(app).await;
    let Behind {
        auth,
        database: _database,
        ..
    } = behind;
    drop(auth);
    let caller = HttpCaller::new(base);
    let call = Call::to(Route::Read).with("x-agent-api-key", &key.secret);
    for (forwarded, status) in [
        ("198.51.100.1, 203.0.113.7", 200),
        ("203.0.113.7, 198.51.100.1", 403),
    ] {
        let call = call.clone().with("x-forwarded-for", forwarded);
        assert_eq!(caller.call(&call).await.status, status, "{forwarded}");
    }
    assert_eq!(caller.call(&call).await.status, 403);
    serving.abort();
}

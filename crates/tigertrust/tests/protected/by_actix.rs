//! A service of actix-web.

use std::net::TcpListener;

use actix_web::{App, HttpResponse, HttpServer, dev::ServerHandle, middleware::from_fn, web};
use tigertrust::{
    TigerTrust,
    actix::{Needs, Permitted, tell_limits},
};
use tigertrust_testkit::protected::{Adapter, HttpCaller, Protocol, Route, run};

use crate::behind::{Anyone, Behind, Read, Seen, Write, seen};

async fn handle<N: Needs>(caller: Permitted<N>) -> HttpResponse {
    HttpResponse::Ok().json(seen(&caller))
}

/// The service, and what ends it.
fn serve(auth: &TigerTrust) -> (String, ServerHandle) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let auth = web::Data::new(auth.clone());
    let server = HttpServer::new(move || {
        App::new()
            .wrap(from_fn(tell_limits))
            .app_data(auth.clone())
            .route(Route::Anyone.path(), web::get().to(handle::<Anyone>))
            .route(Route::Read.path(), web::get().to(handle::<Read>))
            .route(Route::Write.path(), web::post().to(handle::<Write>))
            .route(Route::Seen.path(), web::get().to(handle::<Seen>))
    })
    .workers(1)
    .disable_signals()
    .listen(listener)
    .unwrap()
    .run();
    let handle = server.handle();
    tokio::spawn(server);
    (base, handle)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_of_actix_is_protected() {
    let behind = Behind::start().await;
    let (base, handle) = serve(&behind.auth);
    run(&HttpCaller::new(base), &behind, &Adapter::of(Protocol::Http)).await;
    handle.stop(false).await;
}

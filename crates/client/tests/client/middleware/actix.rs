//! actix-web.

use std::{net::TcpListener, time::Duration};

use actix_web::{App, HttpResponse, HttpServer, dev::ServerHandle, web};
use serde_json::json;
use tigertrust_client::{
    Client,
    actix::{RequireKey, Verified},
};
use tigertrust_model::KeyType;
use tigertrust_testkit::{
    TestServer, on_both_engines,
    protected::{HttpCaller, Protocol, run},
};

use super::instance::Behind;

on_both_engines!(a_service_of_actix_is_protected);

/// A service, until it is dropped.
pub(super) struct Service {
    pub(super) url: String,
    handle: ServerHandle,
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
    }
}

async fn seen(caller: Verified) -> HttpResponse {
    let mut scopes = caller.scopes.clone();
    scopes.sort();
    HttpResponse::Ok().json(json!({
        "key": caller.key_id.to_string(),
        "type": caller.key_type.as_str(),
        "workspace": caller.workspace_id.map(|id| id.to_string()),
        "scopes": scopes,
    }))
}

pub(super) fn serve(client: &Client) -> Service {
    let any = RequireKey::new(client.clone());
    let read = any.clone().scope("certificates:read");
    let write = any.clone().scope("certificates:write").key_type(KeyType::Agent);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = move || {
        let guarded = |path, guard: &RequireKey| web::resource(path).wrap(guard.clone());
        App::new()
            .service(guarded("/anyone", &any).to(seen))
            .service(guarded("/read", &read).to(seen))
            .service(guarded("/write", &write).to(seen))
            .service(guarded("/seen", &any).to(seen))
            .route("/open", web::get().to(seen))
    };
    let server = HttpServer::new(app)
        .workers(1)
        .disable_signals()
        .shutdown_timeout(1)
        .listen(listener)
        .unwrap()
        .run();
    let handle = server.handle();
    tokio::spawn(server);
    Service { url, handle }
}

async fn a_service_of_actix_is_protected(server: TestServer) {
    let behind = Behind::new(&server).await;
    let service = serve(&behind.client());
    let open = reqwest::Client::new().get(format!("{}/open", service.url));
    let answer = open.timeout(Duration::from_secs(20)).send().await.unwrap();
    assert_eq!(
        answer.status(),
        500,
        "a handler without a guard before it lets nobody in"
    );
    let adapter = Behind::adapter(Protocol::Http);
    run(&HttpCaller::new(&service.url), &behind, &adapter).await;
}

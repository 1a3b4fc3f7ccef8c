//! A service of axum that asks a TigerTrust server about the keys of its callers.
//!
//! ```text
//! TIGERTRUST_URL=http://127.0.0.1:8080 TIGERTRUST_API_KEY=… cargo run -p tigertrust --example remote
//! ```

use std::{error::Error, net::SocketAddr, process::ExitCode};

use axum::{Router, extract::ConnectInfo, routing::get};
use tigertrust_client::{
    Client,
    tower::{RequireKeyLayer, Verified},
};
use tokio::net::TcpListener;

async fn list(caller: Verified) -> String {
    format!("the certificates of {:?}", caller.workspace_id)
}

/// The routes of the service. The one without a key is for whoever looks whether it runs.
pub fn app(client: &Client) -> Router {
    let guard = RequireKeyLayer::new(client.clone())
        .scope("certificates:read")
        .client_address(|request| {
            let peer = request.extensions.get::<ConnectInfo<SocketAddr>>()?;
            Some(peer.ip())
        });
    Router::new()
        .route("/certificates", get(list))
        .layer(guard)
        .route("/health", get(async || "up"))
}

#[tokio::main]
async fn main() -> ExitCode {
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), Box<dyn Error>> {
    // TIGERTRUST_URL and TIGERTRUST_API_KEY.
    let client = Client::from_env()?;
    client.start();

    let listener = TcpListener::bind("127.0.0.1:8090").await?;
    println!("http://{} is up, stop it with Ctrl-C", listener.local_addr()?);
    let app = app(&client).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, app)
        .with_graceful_shutdown(async {
            // Whatever becomes of the wait, there is nothing to wait for any more.
            let _ = tokio::signal::ctrl_c().await;
        })
        .await?;
    client.close().await;
    Ok(())
}

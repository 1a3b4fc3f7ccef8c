//! A service of axum that keeps certificates, each workspace its own, and lets in whoever holds an API key with the scope.
//!
//! ```text
//! TIGERTRUST_PEPPER=… cargo run -p tigertrust --features axum --example axum
//! ```

use std::{
    collections::HashMap,
    env,
    error::Error,
    net::SocketAddr,
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Json, Router,
    extract::{ConnectInfo, State},
    http::StatusCode,
    routing::get,
};
use tigertrust::{
    OsRandom, Password, TigerTrust, WorkspaceId, needs,
    tower::{AuthLayer, ClientAddress, Permitted, Rejection},
};
use tokio::net::TcpListener;

needs! {
    /// May list the certificates of a workspace.
    pub struct ReadCertificates { scope: "certificates:read" }
    /// May store certificates in a workspace.
    pub struct WriteCertificates { scope: "certificates:write" }
}

/// The certificates of every workspace. A real service would have a table here.
type Certificates = Arc<Mutex<HashMap<WorkspaceId, Vec<String>>>>;

async fn list(
    caller: Permitted<ReadCertificates>,
    State(certificates): State<Certificates>,
) -> Result<Json<Vec<String>>, Rejection> {
    let workspace = caller.in_workspace()?.id;
    let all = certificates.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Json(all.get(&workspace).cloned().unwrap_or_default()))
}

/// The body is read once the caller is known, since extractors run in the order in which they stand here.
async fn store(
    caller: Permitted<WriteCertificates>,
    State(certificates): State<Certificates>,
    certificate: String,
) -> Result<StatusCode, Rejection> {
    let workspace = caller.in_workspace()?.id;
    let mut all = certificates.lock().unwrap_or_else(PoisonError::into_inner);
    all.entry(workspace).or_default().push(certificate);
    Ok(StatusCode::CREATED)
}

/// The routes of the service. The one without a key is for whoever looks whether it runs.
pub fn app(auth: &TigerTrust) -> Router {
    let peer = ClientAddress::from_extension(|peer: &ConnectInfo<SocketAddr>| Some(peer.0.ip()));
    Router::new()
        .route("/certificates", get(list).post(store))
        .layer(AuthLayer::for_extractors(auth).client_address(peer))
        .route("/health", get(async || "up"))
        .with_state(Certificates::default())
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
    let pepper = env::var("TIGERTRUST_PEPPER").map_err(|error| format!("TIGERTRUST_PEPPER: {error}"))?;
    let auth = TigerTrust::builder()
        .database("sqlite://./auth.db")
        .pepper("p1", &pepper)
        .migrate(true)
        .build()
        .await?;
    let password = Password::generate(&OsRandom)?;
    if let Some(first) = auth.bootstrap("owner@example.com".parse()?, password).await? {
        println!("an agent key, shown once: {}", first.agent.secret.reveal());
    }

    let listener = TcpListener::bind("127.0.0.1:8090").await?;
    println!("http://{} is up, stop it with Ctrl-C", listener.local_addr()?);
    let app = app(&auth).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, app)
        .with_graceful_shutdown(async {
            // Whatever becomes of the wait, there is nothing to wait for any more.
            let _ = tokio::signal::ctrl_c().await;
        })
        .await?;
    auth.close().await;
    Ok(())
}

//! A service of gRPC that keeps certificates, each workspace its own, and lets in whoever holds an API key with the scope.
//!
//! ```text
//! TIGERTRUST_PEPPER=… cargo run -p tigertrust --features tower --example tonic
//! ```

pub mod rpc;

use std::{
    collections::HashMap,
    env,
    error::Error,
    sync::{Arc, Mutex, PoisonError},
};

use tigertrust::{
    OsRandom, Password, TigerTrust, WorkspaceId, needs,
    tower::{Admitted, AuthLayer, ClientAddress, Needs},
};
use tonic::{
    Request, Response, Status,
    transport::{Server, server::TcpConnectInfo},
};

use rpc::{CertificatesServer, ListReply, ListRequest, StoreReply, StoreRequest};

needs! {
    /// May list the certificates of a workspace.
    pub struct ReadCertificates { scope: "certificates:read" }
    /// May store certificates in a workspace.
    pub struct WriteCertificates { scope: "certificates:write" }
}

/// The certificates of every workspace. A real service would have a table here.
#[derive(Default)]
pub struct Certificates(Mutex<HashMap<WorkspaceId, Vec<String>>>);

impl rpc::Certificates for Certificates {
    async fn list(&self, request: Request<ListRequest>) -> Result<Response<ListReply>, Status> {
        let workspace = workspace(&request)?;
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let certificates = all.get(&workspace).cloned().unwrap_or_default();
        Ok(Response::new(ListReply { certificates }))
    }

    async fn store(&self, request: Request<StoreRequest>) -> Result<Response<StoreReply>, Status> {
        let workspace = workspace(&request)?;
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(workspace)
            .or_default()
            .push(request.into_inner().certificate);
        Ok(Response::new(StoreReply {}))
    }
}

/// The workspace that a call acts in: that of the caller whom the layer has let in.
fn workspace<T>(request: &Request<T>) -> Result<WorkspaceId, Status> {
    let caller = request.extensions().get::<Admitted>();
    let workspace = caller.and_then(|caller| caller.workspace());
    let known = workspace.map(|workspace| workspace.id);
    known.ok_or_else(|| Status::unauthenticated("Nobody was let in."))
}

/// What each method needs. One that is added here later needs a key that may write, until somebody says otherwise.
pub fn layer(auth: &TigerTrust) -> AuthLayer {
    let peer = ClientAddress::from_extension(|peer: &TcpConnectInfo| Some(peer.remote_addr()?.ip()));
    let needs = |path: &str| match path {
        rpc::LIST => ReadCertificates::need(),
        _ => WriteCertificates::need(),
    };
    AuthLayer::choosing(auth, move |request| Some(needs(request.uri.path()))).client_address(peer)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let auth = TigerTrust::builder()
        .database("sqlite://./auth.db")
        .pepper("p1", &env::var("TIGERTRUST_PEPPER")?)
        .migrate(true)
        .build()
        .await?;
    let password = Password::generate(&OsRandom)?;
    if let Some(first) = auth.bootstrap("owner@example.com".parse()?, password).await? {
        println!("an agent key, shown once: {}", first.agent.secret.reveal());
    }

    println!("127.0.0.1:8091 is up, stop it with Ctrl-C");
    let certificates = Arc::new(Certificates::default());
    Server::builder()
        .layer(layer(&auth))
        .add_service(CertificatesServer(certificates))
        .serve_with_shutdown("127.0.0.1:8091".parse()?, async {
            // Whatever becomes of the wait, there is nothing to wait for any more.
            let _ = tokio::signal::ctrl_c().await;
        })
        .await?;
    auth.close().await;
    Ok(())
}

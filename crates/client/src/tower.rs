//! A layer for tower: axum, tonic, and every other service of HTTP requests.
//!
//! With axum:
//!
//! ```no_run
//! use std::net::SocketAddr;
//!
//! use axum::{Router, extract::ConnectInfo, routing::get};
//! use tigertrust_client::{Client, tower::{RequireKeyLayer, Verified}};
//!
//! async fn certificates(caller: Verified) -> String {
//!     format!("the certificates of {:?}", caller.workspace_id)
//! }
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::from_env()?;
//! let guard = RequireKeyLayer::new(client.clone())
//!     .scope("certificates:read")
//!     .client_address(|request| {
//!         let info = request.extensions.get::<ConnectInfo<SocketAddr>>()?;
//!         Some(info.ip())
//!     });
//! let app = Router::new().route("/certificates", get(certificates)).layer(guard);
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8000").await?;
//! axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?;
//! client.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! With tonic the address is in `TcpConnectInfo`, and a handler finds the [`Verified`] in the extensions of its request. Who is
//! refused gets an answer of gRPC there:
//!
//! ```no_run
//! use tigertrust_client::{Client, tower::RequireKeyLayer};
//! use tonic::transport::{Server, server::TcpConnectInfo};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let guard = RequireKeyLayer::new(Client::from_env()?).client_address(|request| {
//!     let info = request.extensions.get::<TcpConnectInfo>()?;
//!     Some(info.remote_addr()?.ip())
//! });
//! let (_, service) = tonic_health::server::health_reporter();
//! Server::builder()
//!     .layer(guard)
//!     .add_service(service)
//!     .serve("127.0.0.1:8000".parse()?)
//!     .await?;
//! # Ok(())
//! # }
//! ```

use std::{
    fmt,
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum_core::extract::FromRequestParts;
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header::CONTENT_TYPE, request::Parts,
};
use http_body_util::{Either, Full};
use tigertrust_model::KeyType;
use tower_layer::Layer;
use tower_service::Service;

pub use crate::guard::Verified;
use crate::{
    Client,
    guard::{Guard, Headers, Refusal},
};

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

type AddressOf = Arc<dyn Fn(&Parts) -> Option<IpAddr> + Send + Sync>;
/// The body of what is behind the layer, or of a refusal.
type Body<B> = Either<B, Full<Bytes>>;

/// Lets callers with a valid key in, and nobody else. Handlers behind it take a [`Verified`], or find it in the extensions of the
/// request.
#[derive(Clone)]
pub struct RequireKeyLayer {
    guard: Guard,
    address_of: AddressOf,
}

impl RequireKeyLayer {
    /// A layer that takes every valid key. The client's address is not known until it is told where from: keys that are bound to
    /// networks are refused.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self {
            guard: Guard::new(client),
            address_of: Arc::new(|_| None),
        }
    }

    /// The type that callers' keys must have.
    #[must_use]
    pub fn key_type(self, key_type: KeyType) -> Self {
        Self {
            guard: self.guard.key_type(key_type),
            ..self
        }
    }

    /// The scope that they must hold.
    #[must_use]
    pub fn scope(self, scope: impl Into<Arc<str>>) -> Self {
        Self {
            guard: self.guard.scope(scope),
            ..self
        }
    }

    /// Where the client's address is known from: in the extensions, what the server tells of the connection; behind a reverse
    /// proxy, what the proxy alone can have written.
    #[must_use]
    pub fn client_address(
        self,
        address_of: impl Fn(&Parts) -> Option<IpAddr> + Send + Sync + 'static,
    ) -> Self {
        Self {
            address_of: Arc::new(address_of),
            ..self
        }
    }
}

impl fmt::Debug for RequireKeyLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequireKeyLayer")
            .field("guard", &self.guard)
            .finish_non_exhaustive()
    }
}

impl<S> Layer<S> for RequireKeyLayer {
    type Service = RequireKey<S>;

    fn layer(&self, inner: S) -> RequireKey<S> {
        RequireKey {
            inner,
            layer: self.clone(),
        }
    }
}

/// What is behind a [`RequireKeyLayer`].
#[derive(Clone, Debug)]
pub struct RequireKey<S> {
    inner: S,
    layer: RequireKeyLayer,
}

impl<S, B, R> Service<Request<B>> for RequireKey<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
{
    type Response = Response<Body<R>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The one that was found ready is the one to be called.
        let another = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, another);
        let guard = self.layer.guard.clone();
        let (mut parts, body) = request.into_parts();
        let asking = guard.read(&Sent(&parts.headers));
        let address = (self.layer.address_of)(&parts);
        Box::pin(async move {
            match guard.check(asking, address).await {
                Ok(verified) => {
                    parts.extensions.insert(verified);
                    let response = inner.call(Request::from_parts(parts, body)).await?;
                    Ok(response.map(Either::Left))
                }
                Err(refusal) => Ok(match grpc_type(&parts.headers) {
                    Some(kind) => answer_by_grpc(&refusal, kind),
                    None => answer(&refusal),
                }
                .map(Either::Right)),
            }
        })
    }
}

struct Sent<'a>(&'a HeaderMap);

impl Headers for Sent<'_> {
    fn values(&self, name: &'static str) -> Vec<&[u8]> {
        self.0.get_all(name).iter().map(HeaderValue::as_bytes).collect()
    }
}

/// The type of a request by gRPC; `None` for every other.
fn grpc_type(headers: &HeaderMap) -> Option<&HeaderValue> {
    let kind = headers.get(CONTENT_TYPE)?;
    kind.as_bytes().starts_with(b"application/grpc").then_some(kind)
}

fn answer(refusal: &Refusal) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(refusal.body()));
    *response.status_mut() = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::FORBIDDEN);
    add(response.headers_mut(), refusal.headers());
    response
}

/// Trailers only: the whole answer is in the headers of an HTTP 200.
fn answer_by_grpc(refusal: &Refusal, kind: &HeaderValue) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    let headers = response.headers_mut();
    add(headers, refusal.grpc_headers());
    headers.insert(CONTENT_TYPE, kind.clone());
    headers.insert(GRPC_STATUS, u16::from(refusal.grpc_status()).into());
    if let Ok(message) = HeaderValue::from_str(&refusal.grpc_message()) {
        headers.insert(GRPC_MESSAGE, message);
    }
    response
}

fn add<'a>(headers: &mut HeaderMap, added: impl Iterator<Item = (&'static str, &'a str)>) {
    for (name, value) in added {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Verified {
    type Rejection = StatusCode;

    /// Fails with 500 where no [`RequireKeyLayer`] stands before the handler.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

//! Middleware for actix-web.
//!
//! ```no_run
//! use actix_web::{App, HttpServer, web};
//! use tigertrust_client::{Client, actix::{RequireKey, Verified}};
//!
//! async fn certificates(caller: Verified) -> String {
//!     format!("the certificates of {:?}", caller.workspace_id)
//! }
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::from_env()?;
//! let guard = RequireKey::new(client.clone()).scope("certificates:read");
//! HttpServer::new(move || {
//!     App::new().service(
//!         web::scope("/certificates")
//!             .wrap(guard.clone())
//!             .route("", web::get().to(certificates)),
//!     )
//! })
//! .bind("127.0.0.1:8000")?
//! .run()
//! .await?;
//! client.close().await;
//! # Ok(())
//! # }
//! ```

use std::{
    fmt,
    future::{Ready, ready},
    net::IpAddr,
    rc::Rc,
    sync::Arc,
};

use actix_web::{
    Error, FromRequest, HttpMessage, HttpRequest, HttpResponse,
    body::EitherBody,
    dev::{Payload, Service, ServiceRequest, ServiceResponse, Transform, forward_ready},
    error::ErrorInternalServerError,
    http::{StatusCode, header::HeaderMap},
};
use tigertrust_model::KeyType;

pub use crate::guard::Verified;
use crate::{
    Client,
    guard::{Guard, Headers, Refusal},
};

type AddressOf = Arc<dyn Fn(&ServiceRequest) -> Option<IpAddr> + Send + Sync>;

/// Lets callers with a valid key in, and nobody else. Handlers behind it take a [`Verified`].
#[derive(Clone)]
pub struct RequireKey {
    guard: Guard,
    address_of: AddressOf,
}

impl RequireKey {
    /// Middleware that takes every valid key. The client's address is that of the connection.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self {
            guard: Guard::new(client),
            address_of: Arc::new(|request| request.peer_addr().map(|address| address.ip())),
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

    /// Where the client's address is known from, behind a reverse proxy: take what your proxy alone can have written.
    #[must_use]
    pub fn client_address(
        self,
        address_of: impl Fn(&ServiceRequest) -> Option<IpAddr> + Send + Sync + 'static,
    ) -> Self {
        Self {
            address_of: Arc::new(address_of),
            ..self
        }
    }
}

impl fmt::Debug for RequireKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequireKey")
            .field("guard", &self.guard)
            .finish_non_exhaustive()
    }
}

impl<S, B> Transform<S, ServiceRequest> for RequireKey
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    S::Future: 'static,
    B: 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type InitError = ();
    type Transform = Guarded<S>;
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(Guarded {
            service: Rc::new(service),
            required: self.clone(),
        }))
    }
}

/// What is behind [`RequireKey`].
pub struct Guarded<S> {
    service: Rc<S>,
    required: RequireKey,
}

impl<S> fmt::Debug for Guarded<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded")
            .field("required", &self.required)
            .finish_non_exhaustive()
    }
}

impl<S, B> Service<ServiceRequest> for Guarded<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    S::Future: 'static,
    B: 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Self::Response, Error>>>>;

    forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let (service, guard) = (Rc::clone(&self.service), self.required.guard.clone());
        let asking = guard.read(&Sent(request.headers()));
        let address = (self.required.address_of)(&request);
        Box::pin(async move {
            match guard.check(asking, address).await {
                Ok(verified) => {
                    request.extensions_mut().insert(verified);
                    Ok(service.call(request).await?.map_into_left_body())
                }
                Err(refusal) => Ok(request.into_response(answer(&refusal)).map_into_right_body()),
            }
        })
    }
}

struct Sent<'a>(&'a HeaderMap);

impl Headers for Sent<'_> {
    fn values(&self, name: &'static str) -> Vec<&[u8]> {
        self.0.get_all(name).map(|value| value.as_bytes()).collect()
    }
}

fn answer(refusal: &Refusal) -> HttpResponse {
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::FORBIDDEN);
    let mut response = HttpResponse::build(status);
    for header in refusal.headers() {
        response.insert_header(header);
    }
    response.body(refusal.body())
}

impl FromRequest for Verified {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    /// Fails with 500 where no [`RequireKey`] stands before the handler.
    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let verified = request.extensions().get::<Self>().cloned();
        ready(verified.ok_or_else(|| ErrorInternalServerError("no caller was verified here")))
    }
}

//! The layer.

use std::{
    fmt,
    future::Future,
    mem,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response, request::Parts};
use tigertrust_credentials::Need;
use tigertrust_wire::RateLimitHeaders;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    AnswerBody, ClientAddress, Needs,
    answer::{over_grpc, repeated_id, tell},
    request::{is_grpc, presented, request_id},
};
use crate::{Gate, Rejection, admitted::Admitted};

type Choose = dyn Fn(&Parts) -> Option<&'static Need> + Send + Sync;

/// What is needed of the requests that pass.
enum Needed {
    Always(Need),
    Chosen(Box<Choose>),
    /// What the handler's extractor says.
    #[cfg(feature = "axum")]
    ByExtractors,
}

/// A layer that lets in whoever holds a key for what is needed. Its clones are cheap, and the same layer.
#[derive(Clone)]
pub struct AuthLayer {
    gate: Gate,
    client: ClientAddress,
    needed: Arc<Needed>,
}

impl AuthLayer {
    fn new(auth: impl Into<Gate>, needed: Needed) -> Self {
        Self {
            gate: auth.into(),
            client: ClientAddress::default(),
            needed: Arc::new(needed),
        }
    }

    /// Every request needs this. `auth` is a `TigerTrust` or a [`Gate`].
    pub fn requiring(auth: impl Into<Gate>, need: Need) -> Self {
        Self::new(auth, Needed::Always(need))
    }

    /// A request needs what `choose` says, by its path and the rest of its head; one for which it says `None` passes as it is, without a
    /// key. For gRPC, where a path names the method: have what you do not know need something that nobody has to spare, and not nothing.
    ///
    /// ```
    /// use tigertrust::{Gate, needs, tower::{AuthLayer, Needs}};
    ///
    /// needs! {
    ///     struct Read { scope: "certificates:read" }
    ///     struct Write { scope: "certificates:write" }
    /// }
    ///
    /// fn layer(auth: impl Into<Gate>) -> AuthLayer {
    ///     AuthLayer::choosing(auth, |request| match request.uri.path() {
    ///         "/grpc.health.v1.Health/Check" => None,
    ///         "/certificates.Certificates/List" => Some(Read::need()),
    ///         _ => Some(Write::need()),
    ///     })
    /// }
    /// ```
    pub fn choosing(
        auth: impl Into<Gate>,
        choose: impl Fn(&Parts) -> Option<&'static Need> + Send + Sync + 'static,
    ) -> Self {
        Self::new(auth, Needed::Chosen(Box::new(choose)))
    }

    /// Every request passes, and a handler that takes a [`Permitted`](super::Permitted) says what it needs: that is checked before it is
    /// called. A handler that takes none is open to everybody.
    #[cfg(feature = "axum")]
    pub fn for_extractors(auth: impl Into<Gate>) -> Self {
        Self::new(auth, Needed::ByExtractors)
    }

    /// Every request needs `N`, as [`needs!`](crate::needs) has named it.
    pub fn needing<N: Needs>(auth: impl Into<Gate>) -> Self {
        Self::choosing(auth, |_| Some(N::need()))
    }

    /// How the address of a client is learnt.
    #[must_use]
    pub fn client_address(mut self, client: ClientAddress) -> Self {
        self.client = client;
        self
    }

    /// Lets a request in: what it needs is checked now, or left to an extractor, which finds a [`Ticket`] then.
    async fn let_in(&self, request: &mut Parts) -> Result<Arc<Told>, Rejection> {
        let told = Arc::new(Told::default());
        let need = match &*self.needed {
            Needed::Always(need) => Some(need),
            Needed::Chosen(choose) => choose(request),
            #[cfg(feature = "axum")]
            Needed::ByExtractors => None,
        };
        let client = self.client.of(request);
        if let Some(need) = need {
            let presented = presented(&request.headers, client);
            let permit = self
                .gate
                .guard(&presented, need, request_id(&request.headers))
                .await?;
            let admitted = Admitted::new(permit, client, self.gate.clone());
            told.of(&admitted);
            request.extensions.insert(admitted);
        }
        #[cfg(feature = "axum")]
        request.extensions.insert(Ticket {
            gate: self.gate.clone(),
            client,
            told: Arc::clone(&told),
        });
        Ok(told)
    }
}

/// What an extractor finds in a request that has passed the layer.
#[cfg(feature = "axum")]
#[derive(Clone)]
pub(super) struct Ticket {
    pub(super) gate: Gate,
    pub(super) client: Option<std::net::IpAddr>,
    pub(super) told: Arc<Told>,
}

/// What the answer is to tell of the limits: nothing until somebody was let in.
#[derive(Default)]
pub(super) struct Told(OnceLock<RateLimitHeaders>);

impl Told {
    pub(super) fn of(&self, admitted: &Admitted) {
        if let Some(limits) = admitted.limit_headers() {
            self.0.get_or_init(|| limits);
        }
    }
}

impl<S> Layer<S> for AuthLayer {
    type Service = Auth<S>;

    fn layer(&self, inner: S) -> Auth<S> {
        Auth {
            inner,
            layer: self.clone(),
        }
    }
}

impl fmt::Debug for AuthLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthLayer")
            .field("gate", &self.gate)
            .finish_non_exhaustive()
    }
}

/// A service that is reached only through an [`AuthLayer`].
#[derive(Clone, Debug)]
pub struct Auth<S> {
    inner: S,
    layer: AuthLayer,
}

impl<S, RequestBody, ResponseBody> Service<Request<RequestBody>> for Auth<S>
where
    S: Service<Request<RequestBody>, Response = Response<ResponseBody>> + Clone + Send + 'static,
    S::Future: Send,
    RequestBody: Send + 'static,
{
    type Response = Response<AnswerBody<ResponseBody>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        // The one that is ready answers; its clone has yet to become so.
        let next = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, next);
        let layer = self.layer.clone();
        let (mut parts, body) = request.into_parts();
        Box::pin(async move {
            let told = match layer.let_in(&mut parts).await {
                Ok(told) => told,
                Err(rejection) => {
                    let refusal = if is_grpc(&parts.headers) {
                        over_grpc(&rejection)
                    } else {
                        Response::<Bytes>::from(rejection)
                    };
                    return Ok(refusal.map(AnswerBody::whole));
                }
            };
            let id = repeated_id(&parts.headers);
            let mut response = inner.call(Request::from_parts(parts, body)).await?;
            tell(response.headers_mut(), told.0.get(), id);
            Ok(response.map(AnswerBody::of_service))
        })
    }
}

//! What `certificates.proto` is in Rust. A program of your own has `tonic-prost-build` write this; here it is written by hand, so that the
//! repository can be built without a compiler for protocol buffers.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tonic::{
    Request, Response, Status,
    body::Body,
    codegen::{Service, http},
    server::{Grpc, NamedService, UnaryService},
};
use tonic_prost::ProstCodec;

/// The path of `List`.
pub const LIST: &str = "/certificates.Certificates/List";
/// The path of `Store`.
pub const STORE: &str = "/certificates.Certificates/Store";

/// Asks for nothing but the workspace's.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ListRequest {}

/// The certificates of a workspace.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ListReply {
    /// In PEM.
    #[prost(string, repeated, tag = "1")]
    pub certificates: Vec<String>,
}

/// A certificate to store.
#[derive(Clone, PartialEq, prost::Message)]
pub struct StoreRequest {
    /// In PEM.
    #[prost(string, tag = "1")]
    pub certificate: String,
}

/// It is stored.
#[derive(Clone, PartialEq, prost::Message)]
pub struct StoreReply {}

/// The service, as whoever writes it sees it.
pub trait Certificates: Send + Sync + 'static {
    /// The certificates of the caller's workspace.
    fn list(
        &self,
        request: Request<ListRequest>,
    ) -> impl Future<Output = Result<Response<ListReply>, Status>> + Send;

    /// Stores one in the caller's workspace.
    fn store(
        &self,
        request: Request<StoreRequest>,
    ) -> impl Future<Output = Result<Response<StoreReply>, Status>> + Send;
}

/// The service, as a server sees it.
pub struct CertificatesServer<T>(pub Arc<T>);

impl<T> Clone for CertificatesServer<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> NamedService for CertificatesServer<T> {
    const NAME: &'static str = "certificates.Certificates";
}

type Answering<R, E> = Pin<Box<dyn Future<Output = Result<R, E>> + Send>>;

impl<T: Certificates> Service<http::Request<Body>> for CertificatesServer<T> {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Answering<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let service = Arc::clone(&self.0);
        match request.uri().path() {
            LIST => Box::pin(async move {
                let mut grpc = Grpc::new(ProstCodec::default());
                Ok(grpc.unary(List(service), request).await)
            }),
            STORE => Box::pin(async move {
                let mut grpc = Grpc::new(ProstCodec::default());
                Ok(grpc.unary(Store(service), request).await)
            }),
            _ => Box::pin(async { Ok(Status::unimplemented("There is no such method.").into_http()) }),
        }
    }
}

struct List<T>(Arc<T>);

impl<T: Certificates> UnaryService<ListRequest> for List<T> {
    type Response = ListReply;
    type Future = Answering<Response<ListReply>, Status>;

    fn call(&mut self, request: Request<ListRequest>) -> Self::Future {
        let service = Arc::clone(&self.0);
        Box::pin(async move { service.list(request).await })
    }
}

struct Store<T>(Arc<T>);

impl<T: Certificates> UnaryService<StoreRequest> for Store<T> {
    type Response = StoreReply;
    type Future = Answering<Response<StoreReply>, Status>;

    fn call(&mut self, request: Request<StoreRequest>) -> Self::Future {
        let service = Arc::clone(&self.0);
        Box::pin(async move { service.store(request).await })
    }
}

//! tonic.

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use async_trait::async_trait;
use serde_json::Value;
use tigertrust_client::{
    Client,
    tower::{RequireKey, RequireKeyLayer, Verified},
};
use tigertrust_model::KeyType;
use tigertrust_testkit::{
    TestServer, on_both_engines,
    protected::{Answered, Call, Caller, Protocol, Route, run},
};
use tokio::task::AbortHandle;
use tonic::{
    Request, Response, Status,
    body::Body,
    codegen::http,
    metadata::{AsciiMetadataKey, AsciiMetadataValue, MetadataMap},
    server::{NamedService, UnaryService},
    transport::{
        Channel, Server,
        server::{TcpConnectInfo, TcpIncoming},
    },
};
use tonic_prost::ProstCodec;
use tower_layer::Layer as _;
use tower_service::Service;

use super::{axum::told, instance::Behind};

on_both_engines!(a_service_of_tonic_is_protected);

/// Tells what it saw of the caller.
#[derive(Clone)]
struct Seen;

impl UnaryService<()> for Seen {
    type Response = String;
    type Future = std::future::Ready<Result<Response<String>, Status>>;

    fn call(&mut self, request: Request<()>) -> Self::Future {
        let caller = request.extensions().get::<Verified>();
        std::future::ready(
            caller
                .map(|caller| Response::new(told(caller).to_string()))
                .ok_or_else(|| Status::internal("nobody was verified")),
        )
    }
}

/// One method.
#[derive(Clone)]
struct Method;

impl Service<http::Request<Body>> for Method {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async {
            let mut grpc = tonic::server::Grpc::new(ProstCodec::<String, ()>::default());
            Ok(grpc.unary(Seen, request).await)
        })
    }
}

/// A service whose methods need different things.
#[derive(Clone)]
struct Methods {
    any: RequireKey<Method>,
    read: RequireKey<Method>,
    write: RequireKey<Method>,
}

impl NamedService for Methods {
    const NAME: &'static str = "suite.Protected";
}

type Guarded = <RequireKey<Method> as Service<http::Request<Body>>>::Response;

impl Service<http::Request<Body>> for Methods {
    type Response = Guarded;
    type Error = Infallible;
    type Future = <RequireKey<Method> as Service<http::Request<Body>>>::Future;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        match request.uri().path() {
            "/suite.Protected/read" => self.read.call(request),
            "/suite.Protected/write" => self.write.call(request),
            _ => self.any.call(request),
        }
    }
}

/// Calls it.
struct GrpcCaller {
    channel: Channel,
    serving: AbortHandle,
}

impl Drop for GrpcCaller {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(client: &Client) -> GrpcCaller {
    let any = RequireKeyLayer::new(client.clone()).client_address(|request| {
        let info = request.extensions.get::<TcpConnectInfo>()?;
        Some(info.remote_addr()?.ip())
    });
    let read = any.clone().scope("certificates:read");
    let write = any.clone().scope("certificates:write").key_type(KeyType::Agent);
    let methods = Methods {
        any: any.layer(Method),
        read: read.layer(Method),
        write: write.layer(Method),
    };
    let incoming = TcpIncoming::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let url = format!("http://{}", incoming.local_addr().unwrap());
    let serving = Server::builder()
        .add_service(methods)
        .serve_with_incoming(incoming);
    let serving = tokio::spawn(async move { serving.await.unwrap() }).abort_handle();
    let channel = Channel::from_shared(url).unwrap().connect().await.unwrap();
    GrpcCaller { channel, serving }
}

#[async_trait]
impl Caller for GrpcCaller {
    async fn call(&self, call: &Call) -> Answered {
        let mut request = Request::new(());
        for (name, value) in &call.headers {
            let name: AsciiMetadataKey = name.parse().unwrap();
            let value: AsciiMetadataValue = value.parse().unwrap();
            request.metadata_mut().append(name, value);
        }
        let path = match call.route {
            Route::Anyone => "/suite.Protected/anyone",
            Route::Read => "/suite.Protected/read",
            Route::Write => "/suite.Protected/write",
            Route::Seen => "/suite.Protected/seen",
        };
        let mut grpc = tonic::client::Grpc::new(self.channel.clone());
        grpc.ready().await.unwrap();
        let codec = ProstCodec::<(), String>::default();
        let answer = grpc.unary(request, path.parse().unwrap(), codec).await;
        match answer {
            Ok(response) => {
                let mut metadata = response.metadata().clone();
                // The trailers, where it says that all went well.
                metadata.remove("grpc-status");
                answered(&metadata, serde_json::from_str(response.get_ref()).unwrap())
            }
            Err(status) => {
                let mut metadata = status.metadata().clone();
                let code: AsciiMetadataValue = i32::from(status.code()).to_string().parse().unwrap();
                metadata.insert("grpc-status", code);
                metadata.insert("grpc-message", status.message().parse().unwrap());
                answered(&metadata, Value::Null)
            }
        }
    }
}

fn answered(metadata: &MetadataMap, body: Value) -> Answered {
    Answered {
        status: 200,
        headers: metadata.clone().into_headers(),
        body,
    }
}

async fn a_service_of_tonic_is_protected(server: TestServer) {
    let behind = Behind::new(&server).await;
    let caller = serve(&behind.client()).await;
    run(&caller, &behind, &Behind::adapter(Protocol::Grpc)).await;
}

//! A service of gRPC, by tonic, which answers with JSON in a message.

use std::{
    convert::Infallible,
    future::{Future, Ready, ready},
    pin::Pin,
    task::{Context, Poll},
};

use http_body_util::BodyExt as _;
use serde_json::Value;
use tigertrust::{
    TigerTrust,
    ports::async_trait,
    tower::{Admitted, AuthLayer, ClientAddress, Needs},
};
use tigertrust_testkit::protected::{
    Adapter, Answered, Call, Caller, Instance, Protocol, Route, Wanted, run,
};
use tokio::net::TcpListener;
use tonic::{
    Request, Response, Status,
    body::Body,
    client::Grpc as Client,
    codegen::{Service, http},
    metadata::{AsciiMetadataKey, AsciiMetadataValue},
    server::{Grpc as Server, NamedService, UnaryService},
    transport::{Channel, Server as Transport, server::TcpConnectInfo},
};
use tonic_prost::ProstCodec;

use crate::behind::{Anyone, Behind, Read, Seen, Write, seen};

#[derive(Clone, PartialEq, prost::Message)]
struct Text {
    #[prost(string, tag = "1")]
    json: String,
}

/// Answers every method with what it sees of the permit.
#[derive(Clone)]
struct Protected;

impl NamedService for Protected {
    const NAME: &'static str = "protected.Protected";
}

impl Service<http::Request<Body>> for Protected {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async { Ok(Server::new(ProstCodec::default()).unary(Tell, request).await) })
    }
}

struct Tell;

impl UnaryService<Text> for Tell {
    type Response = Text;
    type Future = Ready<Result<Response<Text>, Status>>;

    fn call(&mut self, request: Request<Text>) -> Self::Future {
        let json = seen(request.extensions().get::<Admitted>().unwrap()).to_string();
        ready(Ok(Response::new(Text { json })))
    }
}

fn method(route: Route) -> &'static str {
    match route {
        Route::Anyone => "/protected.Protected/Anyone",
        Route::Read => "/protected.Protected/Read",
        Route::Write => "/protected.Protected/Write",
        Route::Seen => "/protected.Protected/Seen",
    }
}

/// Serves as long as the test.
async fn serve(auth: &TigerTrust) -> String {
    let peer = ClientAddress::from_extension(|peer: &TcpConnectInfo| Some(peer.remote_addr()?.ip()));
    let layer = AuthLayer::choosing(auth, |request| {
        let path = request.uri.path();
        Some(
            match Route::ALL.into_iter().find(|route| method(*route) == path) {
                Some(Route::Anyone) => Anyone::need(),
                Some(Route::Read) => Read::need(),
                Some(Route::Seen) => Seen::need(),
                Some(Route::Write) | None => Write::need(),
            },
        )
    })
    .client_address(peer);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let serving = Transport::builder()
        .layer(layer)
        .add_service(Protected)
        .serve_with_incoming(tonic::transport::server::TcpIncoming::from(listener));
    tokio::spawn(serving);
    base
}

struct GrpcCaller(Channel);

impl GrpcCaller {
    async fn new(base: String) -> Self {
        Self(Channel::from_shared(base).unwrap().connect().await.unwrap())
    }
}

#[async_trait]
impl Caller for GrpcCaller {
    async fn call(&self, call: &Call) -> Answered {
        let mut request = Request::new(Text::default());
        for (name, value) in &call.headers {
            let name: AsciiMetadataKey = name.parse().unwrap();
            let value: AsciiMetadataValue = value.parse().unwrap();
            request.metadata_mut().append(name, value);
        }
        let mut client = Client::new(self.0.clone());
        client.ready().await.unwrap();
        let path = http::uri::PathAndQuery::from_static(method(call.route));
        let codec = ProstCodec::<Text, Text>::default();
        let (metadata, failed, body) = match client.unary(request, path, codec).await {
            Ok(answer) => {
                let (metadata, text, _) = answer.into_parts();
                (metadata, None, serde_json::from_str(&text.json).unwrap())
            }
            Err(status) => {
                let failed = (i32::from(status.code()), status.message().to_owned());
                (status.metadata().clone(), Some(failed), Value::Null)
            }
        };
        let mut headers = metadata.into_headers();
        match failed {
            Some((code, message)) => {
                headers.insert("grpc-status", code.into());
                headers.insert("grpc-message", message.parse().unwrap());
            }
            // That of a call that succeeded.
            None => drop(headers.remove("grpc-status")),
        }
        Answered {
            status: 200,
            headers,
            body,
        }
    }
}

#[tokio::test]
async fn a_service_of_grpc_is_protected() {
    let behind = Behind::start().await;
    let caller = GrpcCaller::new(serve(&behind.auth).await).await;
    run(&caller, &behind, &Adapter::of(Protocol::Grpc)).await;
}

/// As it goes over the wire, and not as a client of tonic makes it up.
#[tokio::test]
async fn a_refusal_over_grpc_is_an_answer_of_trailers_only() {
    let behind = Behind::start().await;
    let key = behind.issue(Wanted::agent(&[])).await;
    let mut channel = Channel::from_shared(serve(&behind.auth).await)
        .unwrap()
        .connect()
        .await
        .unwrap();
    std::future::poll_fn(|context| channel.poll_ready(context))
        .await
        .unwrap();
    let request = http::Request::post(method(Route::Read))
        .header("content-type", "application/grpc+proto")
        .header("x-agent-api-key", &key.secret)
        .header("x-request-id", "call-1")
        .body(Body::empty())
        .unwrap();
    let answer = channel.call(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    let header = |name| answer.headers()[name].to_str().unwrap();
    assert_eq!(header("content-type"), "application/grpc");
    assert_eq!(header("grpc-status"), "7");
    assert_eq!(header("grpc-message"), "This needs the scope certificates:read.");
    assert_eq!(header("x-request-id"), "call-1");
    assert_eq!(header("x-ratelimit-limit"), "1000");
    let body = answer.into_body().collect().await.unwrap();
    assert!(body.trailers().is_none());
    assert!(body.to_bytes().is_empty());
}

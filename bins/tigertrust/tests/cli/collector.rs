//! A collector of OpenTelemetry: it takes what is sent by OTLP over HTTP.

use std::{
    collections::{BTreeMap, VecDeque},
    net::TcpListener,
    sync::{Arc, Mutex},
};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, dev::ServerHandle, http::StatusCode, web};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::Span,
};
use prost::Message;

/// A request as it came in.
#[derive(Clone)]
pub struct Export {
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Export {
    /// A header that has to be there.
    pub fn header(&self, name: &str) -> &str {
        &self.headers[name]
    }

    fn decoded(&self) -> ExportTraceServiceRequest {
        ExportTraceServiceRequest::decode(self.body.as_slice()).unwrap()
    }
}

/// A collector on this machine. It takes everything, unless it is told otherwise.
pub struct Collector {
    origin: String,
    desk: Arc<Desk>,
    handle: ServerHandle,
}

#[derive(Default)]
struct Desk {
    received: Mutex<Vec<Export>>,
    answers: Mutex<VecDeque<u16>>,
}

impl Collector {
    /// A collector that has received nothing yet.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let desk = Arc::new(Desk::default());
        let data = web::Data::from(Arc::clone(&desk));
        let server = HttpServer::new(move || {
            App::new()
                .app_data(data.clone())
                .app_data(web::PayloadConfig::new(64 * 1024 * 1024))
                .default_service(web::to(receive))
        })
        .workers(1)
        .disable_signals()
        .listen(listener)
        .unwrap()
        .run();
        let handle = server.handle();
        tokio::spawn(server);
        Self { origin, desk, handle }
    }

    /// Where it is.
    pub fn url(&self) -> String {
        self.origin.clone()
    }

    /// Has the next exports answered with these statuses; those after them are taken.
    pub fn answer(&self, statuses: &[u16]) {
        *self.desk.answers.lock().unwrap() = statuses.iter().copied().collect();
    }

    /// What has come in, in order.
    pub fn received(&self) -> Vec<Export> {
        self.desk.received.lock().unwrap().clone()
    }

    /// All spans that have come in.
    pub fn spans(&self) -> Vec<Span> {
        let resources = self
            .received()
            .into_iter()
            .flat_map(|export| export.decoded().resource_spans);
        let scopes = resources.flat_map(|resource| resource.scope_spans);
        scopes.flat_map(|scope| scope.spans).collect()
    }

    /// Whose the first ones are.
    pub fn resource(&self) -> Vec<KeyValue> {
        let first = self.received().remove(0).decoded().resource_spans.remove(0);
        first.resource.unwrap().attributes
    }
}

async fn receive(request: HttpRequest, desk: web::Data<Desk>, body: web::Bytes) -> HttpResponse {
    let headers = request.headers().iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    });
    desk.received.lock().unwrap().push(Export {
        path: request.path().to_owned(),
        headers: headers.collect(),
        body: body.to_vec(),
    });
    let status = desk.answers.lock().unwrap().pop_front().unwrap_or(200);
    HttpResponse::build(StatusCode::from_u16(status).unwrap()).finish()
}

impl Drop for Collector {
    fn drop(&mut self) {
        // The future only waits for the end; the order to stop is given at once.
        drop(self.handle.stop(false));
    }
}

/// The value of an attribute as text.
pub fn attribute(attributes: &[KeyValue], name: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == name)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        Value::IntValue(number) => Some(format!("{number} as a number")),
        other => panic!("{name} is {other:?}"),
    }
}

/// An id as it is written.
pub fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

//! A program that receives webhooks.

use std::{
    collections::{BTreeMap, VecDeque},
    net::TcpListener,
    sync::{Arc, Mutex},
};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    dev::ServerHandle,
    http::{StatusCode, header},
    web,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use tokio::sync::Notify;

/// A webhook as it came in.
#[derive(Clone, Debug)]
pub struct ReceivedWebhook {
    /// To which path.
    pub path: String,
    /// `webhook-id`.
    pub id: String,
    /// `webhook-timestamp`.
    pub timestamp: i64,
    /// `webhook-signature`.
    pub signatures: String,
    /// `traceparent`, if it came.
    pub traceparent: Option<String>,
    /// The body, byte for byte.
    pub body: String,
}

impl ReceivedWebhook {
    /// The body.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("a body in JSON")
    }

    /// Whether one of the signatures is by the secret, `whsec_…`: as the specification says, and by none of our code.
    #[must_use]
    pub fn is_signed_with(&self, secret: &str) -> bool {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").expect("a secret"));
        let mut mac = Hmac::<Sha256>::new_from_slice(&key.expect("base64")).expect("any key");
        mac.update(format!("{}.{}.{}", self.id, self.timestamp, self.body).as_bytes());
        let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        self.signatures.split(' ').any(|signature| signature == expected)
    }
}

/// A program on this machine that receives webhooks. It takes all of them, unless it is told otherwise.
pub struct Receiver {
    origin: String,
    desk: Arc<Desk>,
    handle: ServerHandle,
}

#[derive(Default)]
struct Desk {
    received: Mutex<Vec<ReceivedWebhook>>,
    answers: Mutex<BTreeMap<String, VecDeque<u16>>>,
    released: Notify,
}

impl Receiver {
    /// What is sent to this path is not answered until it is [released](Self::release).
    pub const SILENT: &'static str = "/silent";

    /// A receiver that has received nothing yet.
    #[must_use]
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        let desk = Arc::new(Desk::default());
        let data = web::Data::from(Arc::clone(&desk));
        let server = HttpServer::new(move || {
            App::new()
                .app_data(data.clone())
                .default_service(web::to(receive))
        })
        .workers(1)
        .disable_signals()
        .listen(listener)
        .expect("a server")
        .run();
        let handle = server.handle();
        tokio::spawn(server);
        Self { origin, desk, handle }
    }

    /// A URL of the receiver.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// Has the next webhooks to the path answered with these statuses; those after them are taken.
    pub fn answer(&self, path: &str, statuses: &[u16]) {
        let mut answers = self.desk.answers.lock().expect("no thread panicked");
        answers.insert(path.to_owned(), statuses.iter().copied().collect());
    }

    /// Has all answered that waits at [`SILENT`](Self::SILENT). What comes there afterwards waits again.
    pub fn release(&self) {
        self.desk.released.notify_waiters();
    }

    /// What has come in, in order.
    #[must_use]
    pub fn received(&self) -> Vec<ReceivedWebhook> {
        self.desk.received.lock().expect("no thread panicked").clone()
    }
}

async fn receive(request: HttpRequest, desk: web::Data<Desk>, body: web::Bytes) -> HttpResponse {
    let header = |name: &str| {
        let value = request.headers().get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let path = request.path().to_owned();
    // From before it is seen to have come.
    let released = desk.released.notified();
    desk.received
        .lock()
        .expect("no thread panicked")
        .push(ReceivedWebhook {
            path: path.clone(),
            id: header("webhook-id"),
            timestamp: header("webhook-timestamp").parse().unwrap_or_default(),
            signatures: header("webhook-signature"),
            traceparent: Some(header("traceparent")).filter(|value| !value.is_empty()),
            body: String::from_utf8_lossy(&body).into_owned(),
        });
    if path == Receiver::SILENT {
        released.await;
    }
    let mut answers = desk.answers.lock().expect("no thread panicked");
    let status = answers
        .get_mut(&path)
        .and_then(VecDeque::pop_front)
        .unwrap_or(204);
    let status = StatusCode::from_u16(status).expect("a status");
    let mut answer = HttpResponse::build(status);
    if status.is_redirection() {
        answer.insert_header((header::LOCATION, "/elsewhere"));
    }
    answer.finish()
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // The future only waits for the end; the order to stop is given at once.
        drop(self.handle.stop(false));
    }
}

//! A bare actix handler for `scripts/bench`: what the framework alone makes of an answer.
//!
//! `bench_handler PORT METHOD PATH ANSWER`: answers with the headers and the body that the file ANSWER holds, as
//! `curl --include` writes it. It listens on the loopback address with one worker.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a tool for developers may stop at once"
)]

use std::{env, fs};

use actix_web::{
    App, HttpResponse, HttpServer,
    http::{
        Method,
        header::{CONTENT_LENGTH, DATE, HeaderName, HeaderValue},
    },
    web::{self, Bytes, Data},
};

struct Answer {
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
}

impl Answer {
    fn read(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        let headers = head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| {
                let name: HeaderName = name.parse().expect("a header's name");
                (name, value.parse::<HeaderValue>().expect("a header's value"))
            })
            // The framework writes these itself.
            .filter(|(name, _)| name != CONTENT_LENGTH && name != DATE)
            .collect();
        Self {
            headers,
            body: Bytes::copy_from_slice(body.as_bytes()),
        }
    }

    fn response(&self) -> HttpResponse {
        let mut response = HttpResponse::Ok().body(self.body.clone());
        let headers = response.headers_mut();
        for (name, value) in &self.headers {
            headers.insert(name.clone(), value.clone());
        }
        response
    }
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [port, method, path, answer] = arguments.as_slice() else {
        panic!("bench_handler PORT METHOD PATH ANSWER");
    };
    let port: u16 = port.parse().expect("a port");
    let method: Method = method.parse().expect("a method");
    let path = path.clone();
    let answer = Data::new(Answer::read(&fs::read_to_string(answer)?));
    HttpServer::new(move || {
        let route = if method == Method::GET {
            web::get().to(|answer: Data<Answer>| async move { answer.response() })
        } else {
            web::method(method.clone()).to(|answer: Data<Answer>, body: Bytes| async move {
                drop(body);
                answer.response()
            })
        };
        App::new().app_data(answer.clone()).route(&path, route)
    })
    .workers(1)
    .bind(("127.0.0.1", port))?
    .run()
    .await
}

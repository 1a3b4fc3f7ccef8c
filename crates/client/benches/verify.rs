//! How many verifies a second one thread makes from memory. The server is a stand-in that answers one question and gives the signs of
//! life of a feed: what is measured does not leave the process.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "a benchmark may stop at once"
)]

use std::{hint::black_box, time::Duration};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tigertrust_client::{Client, PresentedKey, Question, State};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
};

const KEY: &str = "ak_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf3CBj32";
const VERDICT: &str = r#"{"valid":true,"code":"VALID","keyId":"key_01m86fcna0fx895jfx2prsm665","type":"agent",
"name":"a key","externalId":null,"metadata":{},"ownerId":null,"homeWorkspaceId":"ws_01m86e81hve32sj3vjxvs95yam",
"workspaceId":"ws_01m86e81hve32sj3vjxvs95yam","scopes":["certificates:read"],"expiresAt":"9999-12-31T23:59:59Z",
"plan":"free","rateLimits":[]}"#;
const FEED: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\nid: 1\n: following\n\n";

async fn serve(mut stream: TcpStream) {
    let mut request = vec![0; 65_536];
    while let Ok(length @ 1..) = stream.read(&mut request).await {
        let request = String::from_utf8_lossy(request.get(..length).unwrap_or_default());
        if request.starts_with("GET /api/changes") {
            stream.write_all(FEED.as_bytes()).await.unwrap();
            let mut ticks = tokio::time::interval(Duration::from_secs(1));
            while stream.write_all(b"id: 1\n:\n\n").await.is_ok() {
                ticks.tick().await;
            }
        } else if request.contains("\"cost\"") {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", VERDICT.len());
            stream.write_all((head + VERDICT).as_bytes()).await.unwrap();
        }
    }
}

async fn follower() -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    let client = Client::builder()
        .url(url)
        .api_key(KEY)
        .lease(1_000_000)
        .life(Duration::from_secs(86_400))
        .staleness(Duration::from_secs(60))
        .build()
        .unwrap();
    client.start();
    while client.state() != State::Following {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    client
}

fn warm(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let client = runtime.block_on(follower());
    let question = Question {
        scope: Some("certificates:read"),
        client_address: Some([192, 0, 2, 7].into()),
        ..Question::default()
    };
    let mut group = criterion.benchmark_group("verify");
    group.throughput(Throughput::Elements(1));
    group.bench_function("from memory", |bencher| {
        bencher.to_async(&runtime).iter(|| async {
            let key = PresentedKey::new(black_box(KEY));
            let verdict = client.verify(&key, &question).await.unwrap();
            assert!(verdict.is_valid());
        });
    });
    group.finish();
}

criterion_group!(benches, warm);
criterion_main!(benches);

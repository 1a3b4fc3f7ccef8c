//! What takes its time is not held back.

use reqwest::Method;
use serde_json::json;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::{behind::Behind, behind_each_proxy, raw};

behind_each_proxy!(
    an_answer_comes_bit_by_bit,
    a_websocket_is_opened_for_whom_may_pass
);

async fn an_answer_comes_bit_by_bit(behind: Behind) {
    let key = behind.key(&[], json!({})).await;
    let request = behind.request(Method::GET, "/x/stream").bearer_auth(&key.secret);
    let mut answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let first = answer.chunk().await.unwrap().unwrap();
    assert_eq!(first, "data: first\n\n");
    behind.backend.tell("_go-on").await;
    let mut rest = Vec::new();
    while let Some(chunk) = answer.chunk().await.unwrap() {
        rest.extend(chunk);
    }
    assert_eq!(rest, b"data: second\n\n");
}

async fn a_websocket_is_opened_for_whom_may_pass(behind: Behind) {
    let key = behind.key(&[], json!({})).await;
    let address = behind.proxy.address();
    let asked = |credential: &str| {
        format!(
            "GET /socket HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{credential}\r\n"
        )
    };
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(asked("").as_bytes()).await.unwrap();
    let refused = raw::read_until(&mut stream, "\r\n\r\n").await;
    assert_eq!(raw::status(&refused), 401, "{refused}");
    assert!(behind.backend.seen().await.is_empty());
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = asked(&format!("Authorization: Bearer {}\r\n", key.secret));
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = raw::read_until(&mut stream, "\r\n\r\n").await;
    assert_eq!(raw::status(&answer), 101, "{answer}");
    assert!(
        answer.to_lowercase().contains(&format!("x-who: {}", key.id)),
        "{answer}"
    );
    for word in ["one", "two"] {
        stream.write_all(word.as_bytes()).await.unwrap();
        raw::read_until(&mut stream, word).await;
    }
}

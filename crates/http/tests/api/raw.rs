//! `security.md` 32 and 33: what only a raw connection can send.

use std::time::Duration;

use tigertrust_testkit::{TestServer, on_both_engines};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

on_both_engines!(
    s33_ambiguous_requests_are_refused,
    s32_no_bytes_make_the_server_answer_5xx
);

/// Sends bytes and reads the status of the first answer; 0 if the connection is closed without one.
async fn status(server: &TestServer, request: &[u8]) -> u16 {
    let address = server.base_url().strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server may have refused and closed before the end.
    let _ = stream.write_all(request).await;
    let _ = stream.shutdown().await;
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await;
    assert!(read.is_ok(), "the server neither answers nor closes");
    let text = String::from_utf8_lossy(&answer);
    text.split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or(0)
}

async fn s33_ambiguous_requests_are_refused(server: TestServer) {
    let cases: [&[u8]; 7] = [
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"POST /api/keys HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-A: b\r\n folded\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-Agent-API-Key : x\r\n\r\n",
        b"nonsense\r\n\r\n",
    ];
    for case in cases {
        let answered = status(&server, case).await;
        assert!(
            answered == 0 || (400..500).contains(&answered),
            "{answered} {:?}",
            String::from_utf8_lossy(case)
        );
    }
}

async fn s32_no_bytes_make_the_server_answer_5xx(server: TestServer) {
    let huge = format!(
        "GET /healthz HTTP/1.1\r\nHost: a\r\nX-Agent-API-Key: {}\r\n\r\n",
        "a".repeat(200_000)
    );
    let many = format!(
        "GET /healthz HTTP/1.1\r\nHost: a\r\n{}\r\n",
        "X-A: b\r\n".repeat(5000)
    );
    let long = format!(
        "GET /api/keys/{} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "%00".repeat(2000)
    );
    let cases: [&[u8]; 6] = [
        huge.as_bytes(),
        many.as_bytes(),
        long.as_bytes(),
        b"GET /api/auth/check?%ff=%00&&&= HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        b"POST /api/keys HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ];
    for case in cases {
        let answered = status(&server, case).await;
        assert!(
            answered < 500,
            "{answered} {:?}",
            String::from_utf8_lossy(&case[..60.min(case.len())])
        );
    }
    assert_eq!(
        status(
            &server,
            b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        )
        .await,
        200
    );
}

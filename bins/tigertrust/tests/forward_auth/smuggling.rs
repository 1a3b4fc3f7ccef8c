//! `security.md` 33: a request within a request is answered to nobody, and no answer is another's.

use std::{fmt::Write as _, time::Duration};

use reqwest::Method;
use serde_json::json;

use crate::{
    behind::{Behind, Key},
    behind_each_proxy, raw,
};

behind_each_proxy!(s33_no_request_is_smuggled);

/// The variable with which `scripts/test --full` asks for all probes.
const ALL: &str = "TIGERTRUST_TEST_SMUGGLING";

/// After which a proxy is taken to wait for more of a request.
const SILENCE: Duration = Duration::from_millis(300);

fn asks_for_all() -> bool {
    std::env::var_os(ALL).is_some()
}

/// What the two sides could disagree on: how a body is framed.
struct Framing {
    name: String,
    /// The lines of the head.
    head: String,
    /// The body as one of them would see it; what follows is the smuggled request.
    body: String,
}

fn framing(name: &str, head: &str, body: &str) -> Framing {
    Framing {
        name: name.to_owned(),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

/// One of each kind.
fn short() -> Vec<Framing> {
    vec![
        framing(
            "CL.TE",
            "Content-Length: {}\r\nTransfer-Encoding: chunked\r\n",
            "0\r\n\r\n",
        ),
        framing(
            "TE.CL",
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            "0\r\n\r\n",
        ),
        framing(
            "TE.TE",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n",
            "0\r\n\r\n",
        ),
        framing("two lengths", "Content-Length: 0\r\nContent-Length: {}\r\n", ""),
        framing(
            "obs-fold",
            "Transfer-Encoding:\r\n chunked\r\nContent-Length: {}\r\n",
            "0\r\n\r\n",
        ),
        framing(
            "bare LF after a chunk's size",
            "Transfer-Encoding: chunked\r\n",
            "1\nx\r\n0\r\n\r\n",
        ),
        framing(
            "bare LF after a chunk",
            "Transfer-Encoding: chunked\r\n",
            "1\r\nx\n0\r\n\r\n",
        ),
        framing("bare LF at the end", "Transfer-Encoding: chunked\r\n", "0\n\n"),
        framing(
            "bare CR in an extension",
            "Transfer-Encoding: chunked\r\n",
            "1;a\rb\r\nx\r\n0\r\n\r\n",
        ),
    ]
}

/// All of them, in all ways to write them.
fn all() -> Vec<Framing> {
    let mut all = short();
    let encodings = [
        "Transfer-Encoding : chunked",
        "Transfer-Encoding:chunked",
        "Transfer-Encoding: \tchunked",
        "Transfer-Encoding: chunked ",
        "Transfer-Encoding: \x0bchunked",
        "Transfer-Encoding: \x0cchunked",
        "Transfer-Encoding: chunked\x0b",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunkedx",
        "Transfer-Encoding: CHUNKED",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding: 'chunked'",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: identity, chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked;q=1",
        "Transfer-Encoding: ,chunked",
        "Transfer-Encoding: chunked,",
        "Transfer-Encoding: identity",
        "Transfer-Encoding:",
        "Transfer_Encoding: chunked",
        "Transfer-Encoding\t: chunked",
        "Transfer-Encoding\x00: chunked",
        " Transfer-Encoding: chunked",
        "X: y\nTransfer-Encoding: chunked",
        "X: y\rTransfer-Encoding: chunked",
        "X: y\x00Transfer-Encoding: chunked",
        "Foo\r\n Transfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-encoding: cow",
        "Transfer-Encoding: cow\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked",
        "TE: chunked",
    ];
    for encoding in encodings {
        let (name, chunked) = (format!("{encoding:?}"), format!("{encoding}\r\n"));
        all.push(framing(&name, &chunked, "0\r\n\r\n"));
        all.push(framing(
            &format!("CL, {name}"),
            &format!("Content-Length: {{}}\r\n{chunked}"),
            "0\r\n\r\n",
        ));
        all.push(framing(
            &format!("{name}, CL 5"),
            &format!("{chunked}Content-Length: 5\r\n"),
            "0\r\n\r\n",
        ));
    }
    let lengths = [
        "Content-Length: {}\r\nContent-Length: 0",
        "Content-Length: 0, {}",
        "Content-Length: {}, {}",
        "Content-Length: +0",
        "Content-Length: -0",
        "Content-Length: 0x0",
        "Content-Length: 0 0",
        "Content-Length: 0\x0b",
        "Content-Length: \x0b{}",
        "Content-Length: 00",
        "Content-Length: 0_0",
        "Content-Length: 0.0",
        "Content-Length:",
        "Content-Length: 18446744073709551616",
        "Content-Length : {}",
        "Content-Length\t: {}",
        "Content_Length: {}",
        "Content-Length: 0\r\n {}",
        "Content-Length:\r\n {}",
        "X: y\nContent-Length: {}",
        "X: y\rContent-Length: {}",
        "Connection: Content-Length\r\nContent-Length: {}",
        "Content-Encoding: x\r\nContent-Length: {}\r\nContent-Length: {}",
    ];
    for length in lengths {
        all.push(framing(&format!("{length:?}"), &format!("{length}\r\n"), ""));
    }
    let bodies = [
        "0\r\n\n",
        "0\n\r\n",
        "0\r\r\n",
        "1\r\rx\r\n0\r\n\r\n",
        "1 \r\nx\r\n0\r\n\r\n",
        " 1\r\nx\r\n0\r\n\r\n",
        "1\t\r\nx\r\n0\r\n\r\n",
        "0x1\r\nx\r\n0\r\n\r\n",
        "+1\r\nx\r\n0\r\n\r\n",
        "-0\r\n\r\n",
        "1_0\r\nx\r\n0\r\n\r\n",
        "01\r\nx\r\n0\r\n\r\n",
        "1;\nx\r\n0\r\n\r\n",
        "1;a=\"\n\"\r\nx\r\n0\r\n\r\n",
        "1;a=b\nxx\r\nx\r\n0\r\n\r\n",
        "1\r\nxX\r\n0\r\n\r\n",
        "1\r\nx\r\n\r\n0\r\n\r\n",
        "1\r\nx0\r\n\r\n",
        "10000000000000001\r\nx\r\n0\r\n\r\n",
        "fffffffffffffffff\r\nx\r\n0\r\n\r\n",
        "0\r\nContent-Length: 9\r\n\r\n",
        "0\r\nTransfer-Encoding: chunked\r\n\r\n",
        "0\r\nX: y\n\r\n",
        "0\r\n folded\r\n\r\n",
        "0;\r\n\r\n",
        "\r\n0\r\n\r\n",
    ];
    for body in bodies {
        all.push(framing(
            &format!("chunks {body:?}"),
            "Transfer-Encoding: chunked\r\n",
            body,
        ));
    }
    all
}

async fn s33_no_request_is_smuggled(behind: Behind) {
    let key = behind.key(&["certificates:read"], json!({})).await;
    let framings = if asks_for_all() { all() } else { short() };
    what_is_no_smuggling_is_answered(&behind, &key).await;
    let mut probes = 0;
    for framing in framings {
        for method in ["POST", "GET"] {
            probes += 1;
            to_the_backend(&behind, &key, &framing, method, probes).await;
            to_the_server(&behind, &framing, method, probes).await;
        }
    }
    println!(
        "{:?}: {probes} probes, each to the backend and to the server",
        behind.proxy.kind()
    );
}

/// Two requests on one connection are two requests, each asked about for itself: what is smuggled would be seen.
async fn what_is_no_smuggling_is_answered(behind: &Behind, key: &Key) {
    let address = behind.proxy.address();
    let request = |path: &str, more: &str| format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{more}\r\n");
    let credential = format!("Authorization: Bearer {}\r\n", key.secret);
    let both = request("/one", &credential) + &request("/two", &format!("{credential}Connection: close\r\n"));
    let answers = raw::exchange(address, both.as_bytes()).await;
    assert_eq!(answers.matches("HTTP/1.1 200").count(), 2, "{answers}");
    assert_eq!(behind.backend.seen().await, ["GET /one", "GET /two"]);
    let both = request("/three", &credential) + &request("/four", "Connection: close\r\n");
    let answers = raw::exchange(address, both.as_bytes()).await;
    assert!(answers.contains("HTTP/1.1 401"), "{answers}");
    assert!(!behind.backend.seen().await.contains(&"GET /four".to_owned()));
}

/// A caller who may pass hides a request that may not: the key stands in the outer one alone.
async fn to_the_backend(behind: &Behind, key: &Key, framing: &Framing, method: &str, number: usize) {
    let credential = format!("Authorization: Bearer {}\r\n", key.secret);
    let hidden = format!("GET /smuggled/{number} HTTP/1.1\r\nHost: a\r\nX: ");
    probe(
        behind,
        &format!("{method} /outer/{number}"),
        &credential,
        framing,
        &hidden,
    )
    .await;
    let smuggled = behind.backend.seen().await;
    let smuggled: Vec<_> = smuggled.iter().filter(|seen| seen.contains("smuggled")).collect();
    assert!(smuggled.is_empty(), "{}: {smuggled:?}", framing.name);
    // On the connections that the proxy keeps to the backend nothing is left over, and nobody gets another's answer.
    for turn in 0..3 {
        let path = format!("/after/{number}/{turn}");
        let seen = behind.get(&path, Some(key)).await;
        assert_eq!(
            (seen.status, seen.body["path"].as_str()),
            (200, Some(path.as_str())),
            "{}",
            framing.name
        );
    }
}

/// The same at TigerTrust's own paths. What is hidden is a request for keys, which the proxy leads to the backend and never to the server.
async fn to_the_server(behind: &Behind, framing: &Framing, method: &str, number: usize) {
    let agent = behind.server.text("agentKey");
    let hidden =
        format!("GET /api/keys?number={number} HTTP/1.1\r\nHost: a\r\nX-Agent-API-Key: {agent}\r\nX: ");
    let credential = format!("X-Agent-API-Key: {agent}\r\n");
    let paths: &[_] = if asks_for_all() {
        &["/api/auth/me", "/api/auth/check", "/api/auth/login"]
    } else {
        &["/api/auth/me"]
    };
    for path in paths {
        let answer = probe(behind, &format!("{method} {path}"), &credential, framing, &hidden).await;
        assert!(!answer.contains("nextCursor"), "{}: {answer}", framing.name);
        for _ in 0..2 {
            let request = behind
                .request(Method::GET, "/api/auth/me")
                .header("X-Agent-API-Key", agent);
            let seen = behind.send(request).await;
            assert_eq!(
                (seen.status, seen.body["type"].as_str()),
                (200, Some("apiKey")),
                "{}",
                framing.name
            );
            let seen = behind.send(behind.request(Method::GET, "/api/auth/me")).await;
            assert_eq!(seen.refusal(), (401, "UNAUTHORIZED"), "{}", framing.name);
        }
    }
}

/// Sends a request with another behind it, and returns all that came back.
async fn probe(behind: &Behind, line: &str, credential: &str, framing: &Framing, hidden: &str) -> String {
    let address = behind.proxy.address();
    let mut request = format!("{line} HTTP/1.1\r\nHost: {address}\r\n{credential}");
    // A length that takes the hidden request in.
    let length = (framing.body.len() + hidden.len()).to_string();
    write!(request, "{}\r\n", framing.head.replace("{}", &length)).unwrap();
    request.push_str(&framing.body);
    request.push_str(hidden);
    // A second request that would end the hidden one, if that stands for itself.
    let end = format!("GET /end HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    raw::probe(address, (request + &end).as_bytes(), SILENCE).await
}

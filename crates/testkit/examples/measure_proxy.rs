//! For `scripts/measure forward-auth`: a proxy set up by the files in `deploy/`.
//!
//! ```text
//! measure_proxy nginx|caddy|haproxy|envoy TIGERTRUST_PORT BACKEND_PORT
//! ```
//!
//! Prints the port that it listens on, and goes on until nothing more can come on standard input.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a tool may stop at once"
)]

use std::{env, io::Read};

use tigertrust_testkit::{ProxyKind, ThrowawayProxy};

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [kind, tigertrust, backend] = arguments.as_slice() else {
        panic!("measure_proxy nginx|caddy|haproxy|envoy TIGERTRUST_PORT BACKEND_PORT");
    };
    let kind = match kind.as_str() {
        "nginx" => ProxyKind::Nginx,
        "caddy" => ProxyKind::Caddy,
        "haproxy" => ProxyKind::HaProxy,
        "envoy" => ProxyKind::Envoy,
        other => panic!("no such proxy: {other}"),
    };
    let port = |text: &str| text.parse().expect("a port");
    let proxy = ThrowawayProxy::start(kind, port(tigertrust), port(backend));
    println!("{}", proxy.address().port());
    let mut rest = Vec::new();
    std::io::stdin().read_to_end(&mut rest).expect("its end");
}

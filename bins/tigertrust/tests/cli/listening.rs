//! The ways in which a server is called: TLS, a Unix socket, a socket that was handed over.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::{fs::PermissionsExt, net::UnixDatagram},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rcgen::{CertificateParams, KeyPair};
use reqwest::Client;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tigertrust_testkit::{Engine, eventually};

use crate::program::{Folder, Served};

/// What files in PEM hold (RFC 7468).
fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

fn write_key(folder: &Path, key: &KeyPair) {
    fs::write(folder.join("key.pem"), pem("PRIVATE KEY", &key.serialize_der())).unwrap();
}

/// Writes a certificate for this machine with its key, and returns the certificate.
pub fn certificate(folder: &Path) -> String {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let certificate = pem("CERTIFICATE", params.self_signed(&key).unwrap().der());
    write_key(folder, &key);
    fs::write(folder.join("certificate.pem"), &certificate).unwrap();
    certificate
}

/// A connection in TLS that is kept open, and trusts one certificate alone.
struct Connection(StreamOwned<ClientConnection, TcpStream>);

impl Connection {
    fn open(url: &str, pem: &str) -> Self {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap())
            .unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let session = ClientConnection::new(Arc::new(config), name).unwrap();
        let socket = TcpStream::connect(url.trim_start_matches("https://")).unwrap();
        Self(StreamOwned::new(session, socket))
    }

    /// Whether it is alive.
    fn is_answered(&mut self) -> bool {
        let sent = self
            .0
            .write_all(b"HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let mut head = Vec::new();
        while sent.is_ok() && !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            match self.0.read(&mut byte) {
                Ok(1) => head.push(byte[0]),
                _ => break,
            }
        }
        head.starts_with(b"HTTP/1.1 ")
    }
}

/// What curl says that trusts the certificate which the file holds now: the status, and the version of HTTP.
fn over_tls(folder: &Folder, url: &str, more: &[&str]) -> String {
    let output = Command::new("curl")
        .args([
            "-s",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code} %{http_version}",
            "--cacert",
        ])
        .arg(folder.path().join("certificate.pem"))
        .arg(url)
        .args(more)
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// What has a server speak TLS with it.
pub const TLS: [(&str, &str); 3] = [
    ("TIGERTRUST__SERVER__TLS__CERTIFICATE_FILE", "certificate.pem"),
    ("TIGERTRUST__SERVER__TLS__KEY_FILE", "key.pem"),
    ("TIGERTRUST__SERVER__TLS__CHECK_EVERY", "50ms"),
];

#[tokio::test(flavor = "multi_thread")]
async fn the_server_speaks_tls_and_takes_a_new_certificate_up() {
    let folder = Folder::new(Engine::Sqlite).await;
    let first = certificate(folder.path());
    let mut served = folder.quickstart_in(&TLS, &[]);
    let url = served.text("baseUrl").to_owned();
    assert!(url.starts_with("https://127.0.0.1:"), "{url}");
    let health = format!("{url}/healthz");
    assert_eq!(over_tls(&folder, &health, &[]), "200 2");
    // In HTTP/2 there is no `Host` that an origin could be compared with.
    let login = serde_json::json!({"email": "owner@example.com", "password": served.text("password")});
    let (login, json) = (login.to_string(), "Content-Type: application/json");
    let jar = folder.path().join("cookies.txt");
    let jar = jar.to_str().unwrap();
    let in_session = |path: &str, origin: &str, more: &[&str]| {
        let origin = format!("Origin: {origin}");
        let more = [&["-b", jar, "-c", jar, "-X", "POST", "-H", &origin], more].concat();
        over_tls(&folder, &format!("{url}{path}"), &more)
    };
    assert_eq!(
        in_session("/api/auth/login", &url, &["-H", json, "-d", &login]),
        "200 2"
    );
    assert_eq!(
        in_session("/api/auth/logout", "https://evil.example", &[]),
        "403 2"
    );
    assert_eq!(in_session("/api/auth/logout", &url, &[]), "204 2");
    let mut open = Connection::open(&url, &first);
    assert!(open.is_answered());

    // A connection that is there stays, and a new one gets the new certificate.
    certificate(folder.path());
    served.logged("connections from now on get the new certificate");
    assert!(open.is_answered());
    assert_eq!(over_tls(&folder, &health, &[]), "200 2");
    assert!(!Connection::open(&url, &first).is_answered());

    fs::write(folder.path().join("key.pem"), "no key").unwrap();
    let line = served.logged("the last one stays");
    assert!(!line.contains("no key"), "{line}");
    assert_eq!(over_tls(&folder, &health, &[]), "200 2");

    let address = url.trim_start_matches("https://").to_owned();
    let mut plain = TcpStream::connect(address).unwrap();
    plain
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    let mut answer = Vec::new();
    // Reset or closed: no answer in plain text in either case.
    drop(plain.read_to_end(&mut answer));
    assert!(!answer.starts_with(b"HTTP/"));
    served.stop();
}

#[tokio::test]
async fn a_certificate_without_its_key_is_refused_at_the_start() {
    let folder = Folder::new(Engine::Sqlite).await;
    certificate(folder.path());
    write_key(folder.path(), &KeyPair::generate().unwrap());
    let mut command = folder.command(&["quickstart", "--listen", "127.0.0.1:0"]);
    let output = command.envs(TLS).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot be used together"));
}

fn curl(socket: &Path, more: &[&str]) -> String {
    let output = Command::new("curl")
        .args(["-s", "-w", "%{http_code}", "-o", "/dev/null", "--unix-socket"])
        .arg(socket)
        .args(more)
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Starts the quickstart on a Unix socket.
fn on_socket(folder: &Folder, environment: &[(&str, &str)]) -> (Served, PathBuf) {
    let socket = folder.path().join("api.sock");
    let listen = format!("unix:{}", socket.display());
    let mut command = folder.command(&["quickstart", "--output", "json", "--listen", &listen]);
    command.envs(environment.iter().copied());
    (Served::start(command), socket)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unix_socket_is_served_and_tells_no_address_unless_it_is_trusted() {
    let folder = Folder::new(Engine::Sqlite).await;
    let (mut served, socket) = on_socket(&folder, &[]);
    served.logged("serving");
    let agent = format!("X-Agent-API-Key: {}", served.text("agentKey"));
    let create = [
        "key",
        "create",
        "--name",
        "bound",
        "--scope",
        "certificates:read",
        "--allow-from",
        "192.0.2.0/24",
    ];
    let bound = format!(
        "X-Agent-API-Key: {}",
        folder.json(&create)["key"].as_str().unwrap()
    );
    let from = "X-Forwarded-For: 192.0.2.1";
    let check = "http://localhost/api/auth/check";
    assert_eq!(curl(&socket, &["-H", &agent, check]), "200");
    assert_eq!(curl(&socket, &["-H", &bound, "-H", from, check]), "403");
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o660);
    // Ended without warning, it leaves its socket, which the next one replaces.
    served.kill();
    assert!(socket.exists());
    let trusted = ("TIGERTRUST__SERVER__TRUSTED_PROXIES", "unix");
    let (mut served, socket) = on_socket(&folder, &[trusted, ("TIGERTRUST__SERVER__SOCKET_MODE", "0600")]);
    served.logged("serving");
    assert_eq!(curl(&socket, &["-H", &bound, "-H", from, check]), "200");
    assert_eq!(curl(&socket, &["-H", &bound, check]), "403");
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let listen = format!("unix:{}", socket.display());
    let failure = folder.failure(&["serve", "--listen", &listen]);
    assert!(failure.contains("another program answers there"), "{failure}");
    served.stop();
    assert!(!socket.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_manager_is_told_what_the_server_does() {
    let folder = Folder::new(Engine::Sqlite).await;
    let path = folder.path().join("notify.sock");
    let manager = UnixDatagram::bind(&path).unwrap();
    let received = || {
        let mut buffer = [0; 512];
        let length = manager.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };
    let until = |text: &str| while !received().contains(text) {};
    // A service manager names the process that is to show signs of life.
    let mut command = Command::new("sh");
    command
        .args([
            "-c",
            "WATCHDOG_PID=$$ exec \"$@\"",
            "sh",
            env!("CARGO_BIN_EXE_tigertrust"),
        ])
        .args(["quickstart", "--output", "json", "--listen", "127.0.0.1:0"])
        .current_dir(folder.path())
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "100000");
    let served = Served::start(command);
    until("READY=1");
    until("WATCHDOG=1");
    served.signal("HUP");
    until("RELOADING=1");
    until("READY=1");
    let stopped = std::thread::spawn(move || served.stop());
    until("STOPPING=1");
    stopped.join().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_was_handed_over_is_served() {
    let folder = Folder::new(Engine::Sqlite).await;
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let program = env!("CARGO_BIN_EXE_tigertrust");
    let mut command = Command::new("systemd-socket-activate");
    command
        .args(["--listen", &port.to_string(), "--setenv=PATH", program])
        .args(["quickstart", "--output", "json", "--listen", "127.0.0.1:1"])
        .current_dir(folder.path());
    let spawned = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = spawned else {
        eprintln!("systemd-socket-activate is not there: this is not tested");
        return;
    };
    // It starts the program at the first call, which waits until the program takes it.
    let client = Client::builder().no_proxy().build().unwrap();
    let health = format!("http://{port}/healthz");
    let answers = async || {
        client
            .get(&health)
            .send()
            .await
            .is_ok_and(|answer| answer.status() == 200)
    };
    eventually(true, answers).await;
    child.kill().unwrap();
    child.wait().unwrap();
}

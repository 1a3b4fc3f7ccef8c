//! Reverse proxies, set up by the files in `deploy/`.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
    sync::atomic::{AtomicU16, Ordering},
};

use tempfile::TempDir;

use crate::signal;

/// The environment variable with the program Envoy, where it is not in the path.
const ENVOY: &str = "TIGERTRUST_TEST_ENVOY";

/// What begins with TLS in the file of Envoy.
const TLS: &str = "transport_socket:\n";

/// Which proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyKind {
    /// nginx, by `auth_request`.
    Nginx,
    /// Caddy, by `forward_auth`.
    Caddy,
    /// HAProxy, by a script in Lua.
    HaProxy,
    /// Envoy, by `ext_authz`.
    Envoy,
}

/// A proxy of a test's own on a loopback port of its own. It is set up by the files in `deploy/` as users copy them, but for addresses, paths and
/// TLS, and is gone when this is dropped.
pub struct ThrowawayProxy {
    kind: ProxyKind,
    folder: TempDir,
    process: Child,
    address: SocketAddr,
}

impl ThrowawayProxy {
    /// One that answers, between TigerTrust and a backend at these ports.
    ///
    /// # Panics
    /// If it is not installed, or does not start.
    #[must_use]
    pub fn start(kind: ProxyKind, tigertrust: u16, backend: u16) -> Self {
        loop {
            // A port may be taken between being found and being used.
            if let Some(proxy) = Self::start_at(kind, free_port(), tigertrust, backend) {
                return proxy;
            }
        }
    }

    /// One at the port; `None` if that is taken.
    fn start_at(kind: ProxyKind, port: u16, tigertrust: u16, backend: u16) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = kind.set_up(folder.path(), port, tigertrust, backend);
        let log = fs::File::create(folder.path().join("log")).expect("a file");
        command
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log);
        let process = command
            .spawn()
            .unwrap_or_else(|error| panic!("{kind:?} does not run ({error}): run ./scripts/test"));
        let mut proxy = Self {
            kind,
            folder,
            process,
            address: (Ipv4Addr::LOCALHOST, port).into(),
        };
        while TcpStream::connect(proxy.address).is_err() {
            if proxy.process.try_wait().expect("a process").is_some() {
                let log = proxy.log();
                assert!(
                    log.to_lowercase().contains("address already in use"),
                    "{kind:?} ended: {log}"
                );
                return None;
            }
            std::thread::yield_now();
        }
        Some(proxy)
    }

    /// Which it is.
    #[must_use]
    pub fn kind(&self) -> ProxyKind {
        self.kind
    }

    /// Where it listens, without TLS.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has said.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for ThrowawayProxy {
    fn drop(&mut self) {
        // The workers of nginx see that their master is gone, but not at once: so it is asked to end them.
        if self.kind == ProxyKind::Nginx {
            signal("TERM", self.process.id());
        } else {
            drop(self.process.kill());
        }
        drop(self.process.wait());
    }
}

impl ProxyKind {
    /// Writes the files into the folder, and returns the command that serves by them.
    fn set_up(self, folder: &Path, port: u16, tigertrust: u16, backend: u16) -> Command {
        let addresses = [
            ("127.0.0.1:8080".to_owned(), format!("127.0.0.1:{tigertrust}")),
            ("127.0.0.1:3000".to_owned(), format!("127.0.0.1:{backend}")),
        ];
        let file = |from: &str, to: &str, changes: &[(String, String)]| {
            let text = changed(&deployed(from), from, changes);
            let to = folder.join(to);
            fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
            fs::write(to, text).expect("a file");
        };
        match self {
            Self::Nginx => {
                for snippet in ["check", "backend", "refusal"] {
                    let name = format!("tigertrust-{snippet}.conf");
                    file(&format!("nginx/{name}"), &format!("snippets/{name}"), &[]);
                }
                let own = own_listener(
                    "    listen 443 ssl;\n",
                    &format!("    listen 127.0.0.1:{port};\n"),
                );
                let certificate = without(&["    ssl_certificate "]);
                let key = without(&["    ssl_certificate_key "]);
                let changes = [&addresses[..], &own, &certificate, &key].concat();
                file("nginx/forward-auth.conf", "forward-auth.conf", &changes);
                fs::write(folder.join("nginx.conf"), nginx_conf(folder)).expect("a file");
                let mut command = Command::new(installed("nginx"));
                command
                    .args(["-e", "stderr", "-c", "nginx.conf", "-p"])
                    .arg(folder);
                command
            }
            Self::Caddy => {
                let own = own_listener(
                    "\napi.example.com {\n",
                    &format!("\nhttp://:{port} {{\n\tbind 127.0.0.1\n"),
                );
                file("caddy/Caddyfile", "Caddyfile", &[&addresses[..], &own].concat());
                let path = folder.join("Caddyfile");
                let text = fs::read_to_string(&path).expect("a file");
                fs::write(&path, format!("{{\n\tadmin off\n}}\n\n{text}")).expect("a file");
                let mut command = Command::new(installed("caddy"));
                command
                    .args(["run", "--config", "Caddyfile", "--adapter", "caddyfile"])
                    .envs(["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"].map(|name| (name, folder)));
                command
            }
            Self::HaProxy => {
                file("haproxy/forward-auth.lua", "forward-auth.lua", &[]);
                let own = own_listener(
                    "bind :443 ssl crt /etc/haproxy/api.example.com.pem\n",
                    &format!("bind 127.0.0.1:{port}\n"),
                );
                let script = own_listener(
                    " /etc/haproxy/forward-auth.lua\n",
                    &format!(" {}\n", folder.join("forward-auth.lua").display()),
                );
                let log = own_listener("log /dev/log local0", "log stderr format raw local0");
                let changes = [
                    &addresses[..],
                    &own,
                    &script,
                    &log,
                    &without(&["    user "]),
                    &without(&["    group "]),
                ]
                .concat();
                file("haproxy/haproxy.cfg", "haproxy.cfg", &changes);
                let mut command = Command::new(installed("haproxy"));
                command.args(["-db", "-f", "haproxy.cfg"]);
                command
            }
            Self::Envoy => {
                let yaml = deployed("envoy/envoy.yaml");
                // From its name to the line that ends what is to be adapted.
                let (_, tls) = yaml.split_once(TLS).expect("TLS");
                let (tls, _) = tls.split_once("# --").expect("its end");
                let changes = [
                    (format!("{TLS}{tls}"), String::new()),
                    (
                        "socket_address: { address: 0.0.0.0, port_value: 443 }".to_owned(),
                        format!("socket_address: {{ address: 127.0.0.1, port_value: {port} }}"),
                    ),
                    ("port_value: 8080".to_owned(), format!("port_value: {tigertrust}")),
                    ("port_value: 3000".to_owned(), format!("port_value: {backend}")),
                ];
                file("envoy/envoy.yaml", "envoy.yaml", &changes);
                let program = std::env::var_os(ENVOY).map_or_else(|| installed("envoy"), PathBuf::from);
                let mut command = Command::new(program);
                command.args(["-c", "envoy.yaml", "--disable-hot-restart", "--concurrency", "1"]);
                command.args(["-l", "warning"]);
                command
            }
        }
    }
}

/// A file of `deploy/`.
fn deployed(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../deploy")
        .join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn own_listener(shown: &str, own: &str) -> [(String, String); 1] {
    [(shown.to_owned(), own.to_owned())]
}

/// Comments the lines out that begin so.
fn without(beginnings: &[&str; 1]) -> [(String, String); 1] {
    beginnings.map(|beginning| (beginning.to_owned(), format!("#{beginning}")))
}

/// The text with the changes, each of which it must have room for.
fn changed(text: &str, name: &str, changes: &[(String, String)]) -> String {
    let mut text = text.to_owned();
    for (shown, own) in changes {
        assert!(text.contains(shown), "deploy/{name} has no `{shown}`");
        text = text.replace(shown, own);
    }
    text
}

/// What Debian's nginx.conf says, for one user and in one folder.
fn nginx_conf(folder: &Path) -> String {
    // Only root may, and must, say who the workers are.
    let is_root = fs::metadata(folder).expect("a folder").uid() == 0;
    let user = if is_root { "user root;" } else { "" };
    let folder = folder.display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("    {name}_temp_path {folder}/{name};\n"))
        .concat();
    format!(
        "{user}\ndaemon off;\npid {folder}/nginx.pid;\nerror_log stderr;\nevents {{}}\nhttp {{\n    access_log off;\n{temporary}    \
         include forward-auth.conf;\n}}\n"
    )
}

/// Where the program is: proxies are often out of the path of those who are not root.
fn installed(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/local/sbin", "/usr/sbin"].map(PathBuf::from));
    let mut programs = folders.map(|folder| folder.join(name));
    programs
        .find(|program| program.is_file())
        .unwrap_or_else(|| PathBuf::from(name))
}

/// A port on which nobody listens, below those that the kernel takes for outgoing connections. Tests that run side by side begin at different
/// ones.
#[must_use]
pub fn free_port() -> u16 {
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 12_000;
    static TRIED: AtomicU16 = AtomicU16::new(0);
    let begin = u16::try_from(process::id().wrapping_mul(37) % u32::from(COUNT)).expect("it is small");
    loop {
        let number = TRIED.fetch_add(1, Ordering::Relaxed) % COUNT;
        let port = FIRST + (begin + number) % COUNT;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

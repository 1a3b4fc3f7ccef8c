//! A server on the open network: limits on connections and time.

#[cfg(unix)]
use std::os::unix::net::UnixListener;
use std::{io, net::TcpListener, time::Duration};

use actix_web::{App as ActixApp, HttpServer, dev::Server, web};

use crate::{App, express::express, mount::mount, page::Pages, respond::Respond};

/// The limits of a server.
#[derive(Clone, Copy, Debug)]
pub struct ServerSettings {
    /// Threads that serve requests.
    pub workers: usize,
    /// The most connections at once, for each thread.
    pub max_connections: usize,
    /// How long a client may take to send the head of a request.
    pub request_timeout: Duration,
    /// How long a connection may stay idle between two requests.
    pub keep_alive: Duration,
    /// How long running requests may go on once the server is told to stop.
    pub shutdown_timeout: Duration,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            workers: 2,
            max_connections: 2_500,
            request_timeout: Duration::from_secs(10),
            keep_alive: Duration::from_secs(75),
            shutdown_timeout: Duration::from_secs(10),
        }
    }
}

/// Where a server is called, bound already.
#[derive(Debug)]
pub enum Listener {
    /// Plain HTTP/1.1.
    Tcp(TcpListener),
    /// HTTP/1.1 and HTTP/2 in TLS.
    #[cfg(feature = "tls")]
    Tls(TcpListener, Box<rustls::ServerConfig>),
    /// Plain HTTP/1.1 on a socket in the file system.
    #[cfg(unix)]
    Unix(UnixListener),
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Self {
        Self::Tcp(listener)
    }
}

/// Serves the application, and pages beside it, on a listener that is bound already. The server runs once the result is awaited or spawned;
/// signals are the caller's to handle.
///
/// # Errors
/// What the operating system says of the listener.
pub fn serve(
    app: App,
    pages: Option<Pages>,
    listener: impl Into<Listener>,
    settings: ServerSettings,
) -> io::Result<Server> {
    let app = web::Data::new(app);
    // As `configure` does, without a scope that every request would be routed through.
    let server = HttpServer::new(move || {
        let routed = ActixApp::new()
            .app_data(app.clone())
            .wrap(Respond)
            .configure(|config| mount(config, pages));
        express(app.clone(), routed)
    })
    .workers(settings.workers)
    .max_connections(settings.max_connections)
    .client_request_timeout(settings.request_timeout)
    .keep_alive(settings.keep_alive)
    .shutdown_timeout(settings.shutdown_timeout.as_secs())
    .disable_signals();
    let server = match listener.into() {
        Listener::Tcp(listener) => server.listen(listener),
        #[cfg(feature = "tls")]
        Listener::Tls(listener, config) => server.listen_rustls_0_23(listener, *config),
        #[cfg(unix)]
        Listener::Unix(listener) => server.listen_uds(listener),
    }?;
    Ok(server.run())
}

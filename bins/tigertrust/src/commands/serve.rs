//! `tigertrust serve`.

use std::{sync::Arc, time::Duration};

use listenfd::ListenFd;

use tigertrust::TigerTrust;
use tigertrust_http::{AppSettings, Listener, serve, serve_metrics};
use tigertrust_storage::SchemaState;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{MissedTickBehavior, interval},
};

use super::{reload::Reload, settings_and_traces};
use crate::{
    checkpoints,
    cli::{Common, Serve},
    config::{Flag, Keyring, SecretKind, Settings},
    dependents::{Dependents, described},
    failure::Failure,
    instance::{self, prefer_known_to_others, schema_failure},
    listener::{Api, Listeners},
    mail,
    own_ring::ensure_own,
    supervisor,
    tls::CertificateFiles,
    traces::Traces,
};

const LOOK_AT_SCHEMA_EVERY: Duration = Duration::from_secs(10 * 60);

pub async fn run(common: &Common, args: Serve, mut handed: ListenFd) -> Result<(), Failure> {
    let flags = listen_flag(args.listen);
    let (settings, traces, log) = settings_and_traces(common, flags.clone())?;
    let signals = StopSignals::catch()?;
    let reload = Reload::new(common, flags, &settings, log)?;
    let listeners = Listeners::bind(&settings, &mut handed)?;
    if args.migrate || settings.database.migrate_on_start {
        instance::migrate(&settings).await?;
    }
    let mails = mail::over_smtp(&settings.mail)?;
    if mails.is_none() {
        tracing::warn!(
            "mail.smtp_url is not set: no mail is sent, so nobody can set a forgotten password, prove an address or invite over the API"
        );
    }
    let instance = instance::open(&settings, mails)?;
    match instance.storage().schema_state().await {
        Ok(state) => {
            if let Some(failure) = schema_failure(&state) {
                return Err(failure);
            }
            if let SchemaState::Expanded(newer) = state {
                tracing::info!(
                    newer = newer.join(", "),
                    "a newer program has added to the schema: this one works on without it"
                );
            }
        }
        // It may come up later, and restarting this server would not bring it up sooner.
        Err(error) => {
            tracing::error!(%error, "the database is not reachable: every request is answered 503 until it is")
        }
    }
    ensure_own(instance.storage(), settings.keyring.as_ref()).await?;
    serve_until_stopped(instance, listeners, signals, reload, &settings, traces).await
}

/// The signals that tell a server to stop: SIGINT and SIGTERM.
pub struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignals {
    /// Catches them from now on, also before the server runs: whoever read that it does may send one at once.
    pub fn catch() -> Result<Self, Failure> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Ends when one has come.
    pub async fn received(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// The flag that overrides where to listen.
pub fn listen_flag(listen: Option<String>) -> Vec<Flag> {
    listen
        .map(|value| Flag {
            name: "--listen",
            key: "server.listen",
            value,
        })
        .into_iter()
        .collect()
}

/// Serves until the process is told to stop, then lets running requests and writes end.
pub async fn serve_until_stopped(
    instance: TigerTrust,
    listeners: Listeners,
    mut signals: StopSignals,
    reload: Reload,
    settings: &Settings,
    traces: Option<Traces>,
) -> Result<(), Failure> {
    let address = listeners.at;
    let certificates = settings
        .tls
        .clone()
        .map(CertificateFiles::open)
        .transpose()?
        .map(Arc::new);
    let local_url = address.local_url(certificates.is_some());
    if let Err(error) = instance.take_up_time().await {
        tracing::debug!(%error, "it is not known yet how late it was when a server last ran");
    }
    instance.take_up_limits().await;
    if let Some(ring) = &settings.keyring
        && let Err(failure) = prefer_known_to_others(&instance, ring).await
    {
        tracing::warn!(%failure, "the first secrets of the key ring are used");
    }
    instance.start();
    let mut app = settings.app.clone();
    if settings.mail.public_url.is_none() {
        // The port may have been the system's to choose.
        call_itself(&mut app, &local_url);
        warn_of_the_name(&app, &local_url);
    }
    let pages = Some(tigertrust_dashboard::pages());
    let listener = match (listeners.api, &certificates) {
        (Api::Tcp(listener), Some(certificates)) => {
            Listener::Tls(listener, Box::new(certificates.server_config()?))
        }
        (Api::Tcp(listener), None) => Listener::Tcp(listener),
        (Api::Unix(listener), _) => Listener::Unix(listener),
    };
    let app = instance.app(app)?;
    // Before anything is made with a secret, so that nobody takes that out.
    if let Err(error) = instance.tell_presence().await {
        tracing::debug!(%error, "the other servers could not be told that this one runs");
    }
    let server = serve(app, pages, listener, settings.server)?;
    let handle = server.handle();
    if let Some(listener) = listeners.metrics {
        let address = listener.local_addr()?;
        // It ends with the process, so that the last figures can be read.
        tokio::spawn(serve_metrics(instance.metrics().clone(), listener)?);
        tracing::info!(%address, "serving metrics");
    }
    // What follows ends with the process: a checkpoint is as good whenever it is written.
    tokio::spawn(checkpoints::keep(instance.clone(), settings.audit.clone()));
    if let Some(certificates) = certificates.clone() {
        tokio::spawn(async move { certificates.watch().await });
    }
    tokio::spawn(supervisor::keep_alive());
    if settings.app.encryption.is_none() {
        tracing::warn!(
            "the key ring holds no encryption key: nobody can add an authenticator app, use a passkey or make a webhook, and \
             codes of apps that exist cannot be checked"
        );
    }
    if settings.app.tokens.is_none() {
        tracing::warn!("the key ring holds no signing key: keys cannot be exchanged for short-lived tokens");
    }
    if let Some(ring) = settings.keyring.clone() {
        // A table is looked through for it, and nobody has to wait for that.
        tokio::spawn(tell_missing(instance.clone(), ring));
    }
    if settings.shared_limits.is_some() {
        tracing::info!("rate limits are shared with other servers");
    }
    let tls = certificates.is_some();
    tokio::spawn(reload.keep(instance.clone(), certificates));
    tracing::info!(%address, tls, database = %settings.database.url, "serving");
    let mut server = tokio::spawn(server);
    supervisor::ready();
    let stopped = tokio::select! {
        ended = &mut server => Some(ended),
        () = signals.received() => None,
        never = watch_schema(&instance) => match never {},
    };
    supervisor::stopping();
    if stopped.is_none() {
        tracing::info!("stopping: running requests may end");
        instance.end_streams();
        handle.stop(true).await;
    }
    if let Some(file) = listeners.file {
        file.remove();
    }
    instance.close().await;
    if let Some(traces) = traces {
        traces.stop().await;
    }
    tracing::info!("stopped");
    match stopped {
        Some(Ok(Err(error))) => Err(error.into()),
        Some(Err(error)) => Err(Failure::new(format!("the server ended by itself: {error}"))),
        Some(Ok(Ok(()))) | None => Ok(()),
    }
}

/// Has the server call itself so, towards providers and in tokens.
pub fn call_itself(app: &mut AppSettings, url: &str) {
    if let Some(sso) = &mut app.sso {
        url.clone_into(&mut sso.public_url);
    }
    if let Some(tokens) = &mut app.tokens {
        url.clone_into(&mut tokens.issuer);
    }
}

/// Tells what comes of it that nobody has said what the server is called.
fn warn_of_the_name(app: &AppSettings, url: &str) {
    if app.sso.as_ref().is_some_and(|sso| !sso.connections.is_empty()) {
        tracing::warn!("server.public_url is not set: providers are asked to send people back to {url}");
    }
    if app.tokens.is_some() {
        tracing::warn!(
            "server.public_url is not set: tokens name {url} as their issuer, so that no other server takes them, nor a client that \
             calls this one by another name"
        );
    }
}

/// Tells the operator what the key ring lacks. The server runs all the same: what does not need those secrets works, and nothing would work
/// without the server.
async fn tell_missing(instance: TigerTrust, ring: Keyring) {
    let dependents = match Dependents::read_if_missing_in(&ring, instance.storage()).await {
        Ok(Some(dependents)) => dependents,
        Ok(None) => return,
        Err(error) => {
            tracing::debug!(%error, "it could not be looked whether the key ring lacks a secret");
            return;
        }
    };
    for kind in SecretKind::ALL {
        for id in dependents.missing_in(&ring, kind) {
            let needed_by = described(&dependents.on(kind, id));
            tracing::error!(
                %kind,
                id,
                needed_by,
                "a secret is MISSING in the key ring, and what depends on it is refused: put it back from a copy of the ring, and send SIGHUP"
            );
        }
    }
}

/// Tells the operator when another program has taken the schema away from under this one.
async fn watch_schema(instance: &TigerTrust) -> std::convert::Infallible {
    let mut ticks = interval(LOOK_AT_SCHEMA_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Ok(state) = instance.storage().schema_state().await
            && let Some(failure) = schema_failure(&state)
        {
            tracing::error!("{failure}");
        }
    }
}

//! `tigertrust serve`.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use tigertrust_http::serve;
use tigertrust_model::Timestamp;
use tigertrust_storage::{SchemaState, migrations};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{MissedTickBehavior, interval},
};

use super::settings;
use crate::{
    cli::{Common, Serve},
    config::{Flag, Settings},
    failure::Failure,
    instance::{Instance, schema_failure},
};

/// How long changes stay readable for a node or client that was away.
const CHANGES_KEPT: Duration = Duration::from_secs(24 * 60 * 60);
const PRUNE_EVERY: Duration = Duration::from_secs(10 * 60);
const PRUNE_BATCH: u32 = 10_000;
/// How often it is stored when secrets were last used.
const FLUSH_EVERY: Duration = Duration::from_secs(5);

pub async fn run(common: &Common, args: Serve) -> Result<(), Failure> {
    let settings = settings(common, listen_flag(args.listen))?;
    let signals = StopSignals::catch()?;
    let listener = bind(settings.listen)?;
    if args.migrate || settings.database.migrate_on_start {
        migrations::create_database_if_missing(&settings.database.url).await?;
        migrations::run(&settings.database.url).await?;
    }
    let instance = Instance::open(&settings)?;
    match instance.storage.schema_state().await {
        Ok(state) => {
            if let Some(failure) = schema_failure(&state) {
                return Err(failure);
            }
        }
        // It may come up later, and restarting this server would not bring it up sooner.
        Err(error) => {
            tracing::error!(%error, "the database is not reachable: every request is answered 503 until it is")
        }
    }
    serve_until_stopped(instance, listener, signals, &settings).await
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

    async fn received(&mut self) {
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

/// Takes the port, before anything else is done.
pub fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    let listener = TcpListener::bind(address).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => Failure::new(format!(
            "{address} is taken: another program listens there. Choose another port, such as --listen {}:{}",
            address.ip(),
            address.port().checked_add(1).unwrap_or(8080)
        )),
        _ => Failure::new(format!("{address} cannot be listened on: {error}")),
    })?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Serves until the process is told to stop, then lets running requests and writes end.
pub async fn serve_until_stopped(
    instance: Instance,
    listener: TcpListener,
    mut signals: StopSignals,
    settings: &Settings,
) -> Result<(), Failure> {
    let address = listener.local_addr()?;
    let feed = instance.storage.follow();
    let server = serve(instance.app()?, listener, settings.server)?;
    let handle = server.handle();
    tracing::info!(%address, database = %settings.database.url, "serving");
    let mut server = tokio::spawn(server);
    let stopped = tokio::select! {
        ended = &mut server => Some(ended),
        () = signals.received() => None,
        never = housekeeping(&instance) => match never {},
        never = flushing(&instance) => match never {},
    };
    if stopped.is_none() {
        tracing::info!("stopping: running requests may end");
        handle.stop(true).await;
    }
    drop(feed);
    flush(&instance).await;
    instance.storage.close().await;
    tracing::info!("stopped");
    match stopped {
        Some(Ok(Err(error))) => Err(error.into()),
        Some(Err(error)) => Err(Failure::new(format!("the server ended by itself: {error}"))),
        Some(Ok(Ok(()))) | None => Ok(()),
    }
}

/// What runs beside the server.
async fn housekeeping(instance: &Instance) -> std::convert::Infallible {
    let mut ticks = interval(PRUNE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let older_than: Timestamp = instance.clock.now().saturating_sub(CHANGES_KEPT);
        match instance.storage.prune_changes(older_than, PRUNE_BATCH).await {
            Ok(removed) => tracing::debug!(removed, "old changes removed"),
            Err(error) => tracing::debug!(%error, "old changes could not be removed"),
        }
        if let Ok(state @ (SchemaState::Pending(_) | SchemaState::Newer(_))) =
            instance.storage.schema_state().await
        {
            let failure = schema_failure(&state)
                .map(|failure| failure.to_string())
                .unwrap_or_default();
            tracing::error!("{failure}");
        }
    }
}

/// Stores every few seconds when secrets were last used.
async fn flushing(instance: &Instance) -> std::convert::Infallible {
    let mut ticks = interval(FLUSH_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        flush(instance).await;
    }
}

async fn flush(instance: &Instance) {
    if let Err(error) = instance.admission.flush_uses(&*instance.storage.uses()).await {
        tracing::debug!(%error, "it could not be stored when keys were last used");
    }
}

//! The whole HTTP API, for a server of your own: [`TigerTrust::app`](crate::TigerTrust::app) makes it over an instance,
//! [`configure`] mounts its routes on an actix-web application, [`serve`] is a server of nothing else.
//!
//! The mounted routes answer whatever no route before them did, so mount your own first:
//!
//! ```no_run
//! use actix_web::{App, HttpServer, web};
//! use tigertrust::{
//!     TigerTrust,
//!     server::{AppSettings, configure},
//! };
//!
//! # async fn run(auth: TigerTrust) -> Result<(), Box<dyn std::error::Error>> {
//! let api = web::Data::new(auth.app(AppSettings::default())?);
//! HttpServer::new(move || {
//!     App::new()
//!         .route("/", web::get().to(async || "hello"))
//!         .app_data(api.clone())
//!         .configure(configure)
//! })
//! .bind("127.0.0.1:8080")?
//! .run()
//! .await?;
//! # Ok(())
//! # }
//! ```

use std::{io, sync::Arc, time::Duration};

use tigertrust_credentials::{Admission, RateLimits, SteadyClock};
use tigertrust_model::{Clock as _, RandomError};
use tigertrust_notify::{Postman, webhooks::Courier};
use tigertrust_passkeys::SettingsError;
use tigertrust_rate_limit::LimiterCounts;
use tigertrust_storage::Storage;

/// Why there is no [`App`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppError {
    /// There are no random bytes for the ids of requests.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The operating system gives no threads to hash passwords on.
    #[error("there are no threads to hash passwords on: {0}")]
    Threads(#[from] io::Error),
    /// Who we are to authenticators is not what browsers take.
    #[error("passkeys: {0}")]
    Passkeys(#[from] SettingsError),
    /// There is no way to speak with providers on this system.
    #[cfg(feature = "sso")]
    #[error("single sign-on: {0}")]
    Sso(#[from] tigertrust_accounts::sso::ProviderError),
}

pub use tigertrust_accounts::{LeakPolicy, LeakResponse, SessionSettings, passkeys::RelyingPartySettings};
pub use tigertrust_credentials::{
    EncryptionKey, EncryptionKeyError, EncryptionRing, HashingSettings, SigningKey, SigningKeyError,
    SigningRing,
};
/// The pages for people, to be served beside the API.
#[cfg(feature = "dashboard")]
pub use tigertrust_dashboard::pages as dashboard;
pub use tigertrust_http::{
    Access, App, AppSettings, Metrics, Operation, Parts, ServerSettings, SsoSettings, TokenSettings,
    TraceContext, TrustedProxies, configure, configure_with, openapi_document, operations, page::Pages,
    serve, serve_metrics,
};

/// The figures of an instance, whatever stands on it.
pub(crate) fn figures(
    storage: &Arc<Storage>,
    admission: &Arc<Admission>,
    limits: &Arc<RateLimits>,
    postman: Option<&Postman>,
    courier: &Courier,
    clock: &Arc<SteadyClock>,
) -> Metrics {
    let metrics = Metrics::default();
    let started = clock.now();
    let started = Duration::from_micros(u64::try_from(started.unix_micros()).unwrap_or_default());
    metrics.gauge(
        "start_time_seconds",
        "When the program started, in seconds since 1970",
        move || started.as_secs_f64(),
    );
    let clock = Arc::clone(clock);
    metrics.gauge(
        "clock_behind_seconds",
        "How far the clock of this machine is behind the latest time that a server has seen",
        move || clock.behind().as_secs_f64(),
    );
    limit_figures(&metrics, limits);
    check_figures(&metrics, admission);
    let counting = Arc::clone(admission);
    metrics.gauge(
        "usage_counts_waiting",
        "Counts of how often keys were used that wait to be stored",
        move || f64::from(u32::try_from(counting.waiting_usage_counts()).unwrap_or(u32::MAX)),
    );
    let counting = Arc::clone(admission);
    metrics.counter(
        "usage_calls_lost",
        "Calls that were not counted, since too many counts waited to be stored",
        move || counting.lost_usage(),
    );
    database_figures(&metrics, storage);
    if let Some(postman) = postman {
        let office = postman.clone();
        metrics.gauge("mails_queued", "Mails that wait or are being sent", move || {
            f64::from(u32::try_from(office.under_way()).unwrap_or(u32::MAX))
        });
        let office = postman.clone();
        metrics.counter("mails_sent", "Mails that were sent", move || office.sent());
        let office = postman.clone();
        metrics.counter(
            "mails_failed",
            "Mails that were dropped, refused or given up",
            move || office.failed(),
        );
    }
    webhook_figures(&metrics, courier);
    metrics
}

fn database_figures(metrics: &Metrics, storage: &Arc<Storage>) {
    let gauge = |name, help, read: fn(&Storage) -> f64| {
        let storage = Arc::clone(storage);
        metrics.gauge(name, help, move || read(&storage));
    };
    gauge(
        "database_connections_in_use",
        "Connections to the database that are at work",
        |storage| f64::from(storage.connections().in_use),
    );
    gauge(
        "database_connections_idle",
        "Connections to the database that wait for work",
        |storage| f64::from(storage.connections().idle),
    );
    let counter = |name, help, read: fn(&Storage) -> u64| {
        let storage = Arc::clone(storage);
        metrics.counter(name, help, move || read(&storage));
    };
    counter(
        "database_connection_waits",
        "How often a connection to the database had to be waited for",
        |storage| storage.connections().waited,
    );
    counter(
        "database_connection_timeouts",
        "How often there was no connection to the database in time",
        |storage| storage.connections().timed_out,
    );
    counter(
        "audit_tampered",
        "Acts that were not done, since the end of their audit log is not as it was left",
        Storage::found_tampered,
    );
    let written = Arc::clone(storage);
    metrics.counters(
        "audit_events",
        "What this server wrote into the audit log, by action and outcome",
        move || {
            let written = written.audited().into_iter();
            written
                .map(|(action, outcome, count)| {
                    let labels = vec![("action", action.as_str()), ("outcome", outcome.as_str())];
                    (labels, count)
                })
                .collect()
        },
    );
}

fn check_figures(metrics: &Metrics, admission: &Arc<Admission>) {
    let counting = Arc::clone(admission);
    metrics.counters(
        "key_checks",
        "Keys that were checked or verified, by what became of them",
        move || {
            let checks = counting.counts().checks.into_iter();
            checks
                .map(|(outcome, count)| (vec![("outcome", outcome)], count))
                .collect()
        },
    );
    let counting = Arc::clone(admission);
    metrics.histogram(
        "key_lookup_duration_seconds",
        "How long the database took to look a key up that was not remembered",
        move || counting.counts().look_ups,
    );
    let caches = |admission: &Arc<Admission>| {
        let counting = Arc::clone(admission);
        move || {
            let counts = counting.counts();
            [("keys", counts.keys), ("workspaces", counts.workspaces)]
                .map(|(name, counts)| (vec![("cache", name)], counts))
        }
    };
    let read = caches(admission);
    metrics.counters(
        "cache_hits",
        "Look-ups that memory answered, that there is no such key included",
        move || read().map(|(labels, cache)| (labels, cache.hits)).to_vec(),
    );
    let read = caches(admission);
    metrics.counters(
        "cache_misses",
        "Look-ups that had to ask the database",
        move || read().map(|(labels, cache)| (labels, cache.misses)).to_vec(),
    );
    let read = caches(admission);
    metrics.gauges("cache_entries", "What is remembered", move || {
        let entries = |count| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        read()
            .map(|(labels, cache)| (labels, entries(cache.entries)))
            .to_vec()
    });
}

fn webhook_figures(metrics: &Metrics, courier: &Courier) {
    let office = courier.clone();
    metrics.gauge("webhooks_under_way", "Webhooks that are being sent", move || {
        f64::from(u32::try_from(office.under_way()).unwrap_or(u32::MAX))
    });
    let office = courier.clone();
    metrics.counter(
        "webhooks_delivered",
        "Webhooks that receivers have taken",
        move || office.delivered(),
    );
    let office = courier.clone();
    metrics.counter(
        "webhooks_failed",
        "Tries to send a webhook that have failed",
        move || office.failed(),
    );
}

fn limit_figures(metrics: &Metrics, limits: &Arc<RateLimits>) {
    let counter = |name, help, read: fn(LimiterCounts) -> u64| {
        let limits = Arc::clone(limits);
        metrics.counter(name, help, move || read(limits.limiter().counts()));
    };
    counter("rate_limit_refused", "Calls that were over a limit", |counts| {
        counts.refused
    });
    counter(
        "rate_limit_shadow_refused",
        "Calls that were over the limit of a plan in shadow mode, and were admitted",
        |counts| counts.shadowed,
    );
    counter(
        "rate_limit_decided_alone",
        "Calls that were decided without the shared store of rate limits, since it was away",
        |counts| counts.decided_alone,
    );
    let gauge = |name, help, read: fn(LimiterCounts) -> f64| {
        let limits = Arc::clone(limits);
        metrics.gauge(name, help, move || read(limits.limiter().counts()));
    };
    gauge(
        "rate_limit_alone",
        "1 while the shared store of rate limits is away, 0 while it is there or none is set",
        |counts| f64::from(u8::from(counts.is_alone)),
    );
    gauge(
        "rate_limit_states",
        "Keys and sessions whose spends are kept in memory",
        |counts| f64::from(u32::try_from(counts.states).unwrap_or(u32::MAX)),
    );
    let failures = Arc::clone(limits);
    metrics.counter(
        "credential_failures_refused",
        "Credentials that were no good, of networks where too many had been",
        move || failures.failures_refused(),
    );
}

//! Logs go to standard error, so that standard output holds results alone.

use std::io::{IsTerminal, stderr};

use tracing::{Metadata, level_filters::LevelFilter};
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::{FilterExt, filter_fn},
    fmt,
    prelude::__tracing_subscriber_SubscriberExt,
    reload,
    util::SubscriberInitExt,
};

use crate::{
    config::{LogFormat, LogSettings},
    traces::{OUR_TARGETS, TraceLayer},
};

/// What is logged, to be changed while the program runs.
#[derive(Clone)]
pub struct LogFilter(reload::Handle<EnvFilter, Registry>);

impl LogFilter {
    /// Logs what the settings say from now on.
    pub fn change(&self, settings: &LogSettings) {
        if self.0.reload(filter(settings)).is_err() {
            tracing::error!("log.filter could not be changed: that needs a restart");
        }
    }
}

fn filter(settings: &LogSettings) -> EnvFilter {
    EnvFilter::try_new(&settings.filter).unwrap_or_else(|_| EnvFilter::new("info"))
}

/// Starts logging for the process, and recording traces. A second call changes nothing.
pub fn start(settings: &LogSettings, traces: Option<TraceLayer>) -> LogFilter {
    let (filter, handle) = reload::Layer::new(filter(settings));
    // Spans are there for traces, and cost nothing where nobody records them.
    let no_span = filter_fn(|metadata: &Metadata<'_>| {
        metadata.is_event() || !metadata.target().starts_with(OUR_TARGETS)
    });
    let filter = filter.and(no_span.with_max_level_hint(LevelFilter::TRACE));
    let lines = fmt::layer().with_writer(stderr);
    let log = match settings.format {
        LogFormat::Human => lines
            .with_ansi(stderr().is_terminal())
            .with_filter(filter)
            .boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_filter(filter).boxed(),
    };
    let layers: Vec<_> = [Some(log), traces].into_iter().flatten().collect();
    // Whoever embeds the binary's code may have a subscriber of its own.
    drop(tracing_subscriber::registry().with(layers).try_init());
    LogFilter(handle)
}

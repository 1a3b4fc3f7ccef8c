//! Traces: what happened within a request, and within others that it is part of.

#[cfg(feature = "otlp")]
mod collector;
#[cfg(feature = "otlp")]
mod otlp;
#[cfg(feature = "otlp")]
mod sampler;

use tigertrust_http::TraceContext;
use tracing_subscriber::{Layer, Registry};

use crate::{config::TraceSettings, failure::Failure};

/// Begins all spans of this program: what has another target is no part of a trace.
pub const OUR_TARGETS: &str = "tigertrust";

/// What spans are recorded by.
pub type TraceLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// Traces that are recorded and sent.
pub struct Traces {
    layer: Option<TraceLayer>,
    flush: Box<dyn FnOnce() + Send>,
    /// How spans are tied to traces of others.
    pub context: TraceContext,
}

impl Traces {
    /// Begins to send traces, if that is set. Must be called within the runtime that is to send them.
    ///
    /// # Errors
    /// Why they cannot be sent.
    #[cfg(feature = "otlp")]
    pub fn start(settings: &TraceSettings) -> Result<Option<Self>, Failure> {
        otlp::start(settings)
    }

    /// This program was built without traces: settings that ask for them are refused before.
    #[cfg(not(feature = "otlp"))]
    pub fn start(_: &TraceSettings) -> Result<Option<Self>, Failure> {
        Ok(None)
    }

    /// What the spans of the process are to be recorded by.
    pub fn take_layer(&mut self) -> Option<TraceLayer> {
        self.layer.take()
    }

    /// Sends what is not sent yet, for as long as that may take.
    pub async fn stop(self) {
        // It waits for a thread.
        drop(tokio::task::spawn_blocking(self.flush).await);
    }
}

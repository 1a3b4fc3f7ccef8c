//! The way to the collector.

use std::{
    fmt,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use hyper::header::{HeaderName, HeaderValue};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use tigertrust_outbound::{OutboundError, OutboundHttp, OutboundSettings, PlainHttp};
use tokio::runtime::Handle;

use crate::config::TraceHeaders;

/// Speaks with the collector by the guarded client, which makes no spans here: they would be sent, and make spans.
pub(super) struct Collector {
    http: OutboundHttp,
    headers: TraceHeaders,
    runtime: Handle,
    /// Whether it is said already that it takes nothing.
    is_away: AtomicBool,
}

impl Collector {
    /// A way to the collector, on the runtime that this is called within.
    pub(super) fn new(url: &str, headers: &TraceHeaders, deadline: Duration) -> Result<Self, OutboundError> {
        let http = OutboundHttp::new(OutboundSettings {
            allow_private: true,
            allow_loopback: true,
            plain: PlainHttp::NotPublic,
            deadline,
            ..OutboundSettings::default()
        })?;
        http.check(url)?;
        Ok(Self {
            http,
            headers: headers.clone(),
            runtime: Handle::current(),
            is_away: AtomicBool::new(false),
        })
    }

    /// Says once that the collector takes nothing, and once that it does again.
    fn note(&self, trouble: Option<&dyn fmt::Display>) {
        let was_away = self.is_away.swap(trouble.is_some(), Ordering::Relaxed);
        match trouble {
            Some(why) if !was_away => {
                tracing::warn!(%why, "the collector takes no traces: they are lost until it does");
            }
            None if was_away => tracing::info!("the collector takes traces again"),
            _ => {}
        }
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let mut request = request.map(Vec::from);
        for (name, value) in self.headers.reveal() {
            let mut value = HeaderValue::try_from(value)?;
            value.set_sensitive(true);
            request.headers_mut().insert(HeaderName::try_from(name)?, value);
        }
        let http = self.http.clone();
        // The thread that waits here is no runtime's.
        let answer = self
            .runtime
            .spawn(async move { http.send(request).await })
            .await?;
        match &answer {
            Ok(answer) if answer.status().is_success() => self.note(None),
            Ok(answer) => self.note(Some(&answer.status())),
            Err(error) => self.note(Some(error)),
        }
        Ok(answer?.map(Bytes::from))
    }
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").finish_non_exhaustive()
    }
}

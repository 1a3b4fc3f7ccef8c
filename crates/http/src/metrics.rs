//! The figures of a server, for Prometheus: counted or read here, shown on a listener of their own.

use std::{
    collections::BTreeMap,
    fmt, io,
    net::TcpListener,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use actix_web::{App, HttpResponse, HttpServer, dev::Server, http::StatusCode, web};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, text},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge, info::Info},
    registry::Registry,
};

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const FIRST_STATUS: u16 = 100;
const STATUSES: usize = 500;

/// The figures of one instance. A clone is another handle to the same figures.
#[derive(Clone, Default)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    /// By status, from 100 on.
    responses: [AtomicU64; STATUSES],
    series: Mutex<BTreeMap<&'static str, Series>>,
}

impl Default for Inner {
    fn default() -> Self {
        Self {
            responses: [const { AtomicU64::new(0) }; STATUSES],
            series: Mutex::default(),
        }
    }
}

struct Series {
    help: &'static str,
    read: Read,
}

#[derive(Clone)]
enum Read {
    Counter(Arc<dyn Fn() -> u64 + Send + Sync>),
    Gauge(Arc<dyn Fn() -> f64 + Send + Sync>),
}

impl Metrics {
    /// Shows what only grows, read whenever somebody asks. It appears as `tigertrust_{name}_total`; `help` says in a
    /// sentence without a full stop what it counts. A name that is taken is taken over.
    pub fn counter(
        &self,
        name: &'static str,
        help: &'static str,
        read: impl Fn() -> u64 + Send + Sync + 'static,
    ) {
        self.show(name, help, Read::Counter(Arc::new(read)));
    }

    /// Shows what grows and shrinks, read whenever somebody asks. It appears as `tigertrust_{name}`, and is otherwise as a
    /// [`counter`](Self::counter).
    pub fn gauge(
        &self,
        name: &'static str,
        help: &'static str,
        read: impl Fn() -> f64 + Send + Sync + 'static,
    ) {
        self.show(name, help, Read::Gauge(Arc::new(read)));
    }

    fn show(&self, name: &'static str, help: &'static str, read: Read) {
        let mut series = self.0.series.lock().unwrap_or_else(PoisonError::into_inner);
        series.insert(name, Series { help, read });
    }

    /// Counts an answer.
    pub(crate) fn answered(&self, status: StatusCode) {
        let place = usize::from(status.as_u16().saturating_sub(FIRST_STATUS));
        if let Some(count) = self.0.responses.get(place) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// All figures, in the text format of OpenMetrics 1.0.
    ///
    /// # Errors
    /// Never in practice: text can be written to memory.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut registry = Registry::with_prefix("tigertrust");
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The program that runs", build);
        registry.register_collector(Box::new(self.clone()));
        let mut text = String::new();
        text::encode(&mut text, &registry)?;
        Ok(text)
    }
}

impl Collector for Metrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Answers to requests, by status";
        let mut responses = encoder.encode_descriptor("http_responses", help, None, MetricType::Counter)?;
        for (code, count) in (FIRST_STATUS..).zip(&self.0.responses) {
            let count = count.load(Ordering::Relaxed);
            if count > 0 {
                let code = [("code", code.to_string())];
                ConstCounter::new(count).encode(responses.encode_family(&code)?)?;
            }
        }
        let series = self.0.series.lock().unwrap_or_else(PoisonError::into_inner);
        series
            .iter()
            .try_for_each(|(name, Series { help, read })| match read {
                Read::Counter(read) => {
                    let encoder = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
                    ConstCounter::new(read()).encode(encoder)
                }
                Read::Gauge(read) => {
                    let encoder: MetricEncoder<'_> =
                        encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
                    ConstGauge::new(read()).encode(encoder)
                }
            })
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// Serves the figures, and nothing else, at `GET /metrics` of a listener that is bound already. The server runs once the
/// result is awaited or spawned; signals are the caller's to handle. Whoever reaches the listener may read: keep it off
/// networks that you do not trust.
///
/// # Errors
/// What the operating system says of the listener.
pub fn serve_metrics(metrics: Metrics, listener: TcpListener) -> io::Result<Server> {
    let server = HttpServer::new(move || {
        App::new()
            .app_data(web::Data::new(metrics.clone()))
            .route("/metrics", web::get().to(show))
    })
    .workers(1)
    .shutdown_timeout(1)
    .disable_signals()
    .listen(listener)?;
    Ok(server.run())
}

async fn show(metrics: web::Data<Metrics>) -> HttpResponse {
    match metrics.text() {
        Ok(text) => HttpResponse::Ok().content_type(CONTENT_TYPE).body(text),
        Err(_) => HttpResponse::InternalServerError().finish(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_figure_is_read_when_it_is_asked_for() {
        let metrics = Metrics::default();
        let count = Arc::new(AtomicU64::new(3));
        let read = Arc::clone(&count);
        metrics.counter("things", "Things that happened", move || {
            read.load(Ordering::Relaxed)
        });
        metrics.gauge("things_waiting", "Things that wait", || 0.5);
        metrics.answered(StatusCode::OK);
        metrics.answered(StatusCode::OK);
        metrics.answered(StatusCode::NOT_FOUND);
        count.store(4, Ordering::Relaxed);
        let text = metrics.text().unwrap();
        for line in [
            "tigertrust_http_responses_total{code=\"200\"} 2",
            "tigertrust_http_responses_total{code=\"404\"} 1",
            "# HELP tigertrust_things Things that happened",
            "# TYPE tigertrust_things counter",
            "tigertrust_things_total 4",
            "# TYPE tigertrust_things_waiting gauge",
            "tigertrust_things_waiting 0.5",
            "# EOF",
        ] {
            assert!(text.lines().any(|other| other == line), "{line}\n{text}");
        }
        assert!(text.contains("tigertrust_build_info{version=\""), "{text}");
    }

    #[test]
    fn a_name_that_is_taken_is_taken_over() {
        let metrics = Metrics::default();
        metrics.gauge("things", "Things that wait", || 1.0);
        metrics.gauge("things", "Things that wait", || 2.0);
        let text = metrics.text().unwrap();
        assert_eq!(text.matches("tigertrust_things ").count(), 3, "{text}");
        assert!(text.contains("tigertrust_things 2.0"), "{text}");
    }
}

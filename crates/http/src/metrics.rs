//! The figures of a server, for Prometheus: counted or read here, shown on a listener of their own.

use std::{
    collections::BTreeMap,
    fmt, io,
    net::TcpListener,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    dev::Server,
    http::{Method, StatusCode},
    web,
};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, NoLabelSet, text},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge, info::Info},
    registry::Registry,
};
use tigertrust_credentials::{Histogram, HistogramSnapshot};
use tigertrust_wire::Code;

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const FIRST_STATUS: u16 = 100;
const STATUSES: usize = 500;
/// What stands in place of a route where a request met none.
const NO_ROUTE: &str = "none";

/// The figures of one instance. A clone is another handle to the same figures.
#[derive(Clone, Default)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    /// By status, from 100 on.
    responses: [AtomicU64; STATUSES],
    /// In the order of [`Code::ALL`].
    problems: [AtomicU64; Code::ALL.len()],
    /// How long the busiest routes took, in the order of [`BUSIEST`]: found without a lock.
    busiest: [Histogram; BUSIEST.len()],
    /// How long all others took.
    routes: Mutex<BTreeMap<Route, Histogram>>,
    series: Mutex<BTreeMap<&'static str, Series>>,
}

/// A method, and the pattern of a path.
type Route = (&'static str, String);

/// What is called more often than all else.
const BUSIEST: [(Method, &str); 2] = [
    (Method::GET, "/api/auth/check"),
    (Method::POST, "/api/keys/verify"),
];

/// One of the busiest routes, by its place among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Busiest {
    Check,
    Verify,
}

impl Busiest {
    pub(crate) fn of(method: &Method, path: &str) -> Option<Self> {
        let is_route = |(own_method, own_path): &(Method, &str)| method == own_method && path == *own_path;
        match BUSIEST.iter().position(is_route) {
            Some(0) => Some(Self::Check),
            Some(1) => Some(Self::Verify),
            _ => None,
        }
    }
}

/// Whether the path is of one of the busiest routes.
pub(crate) fn is_busiest(path: &str) -> bool {
    BUSIEST.iter().any(|(_, busiest)| *busiest == path)
}

/// What has a value for each of several labels: pairs of a label's name and its value.
pub type Labels = Vec<(&'static str, &'static str)>;

impl Default for Inner {
    fn default() -> Self {
        Self {
            responses: [const { AtomicU64::new(0) }; STATUSES],
            problems: [const { AtomicU64::new(0) }; Code::ALL.len()],
            busiest: Default::default(),
            routes: Mutex::default(),
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
    Counters(Arc<dyn Fn() -> Vec<(Labels, u64)> + Send + Sync>),
    Gauges(Arc<dyn Fn() -> Vec<(Labels, f64)> + Send + Sync>),
    Histogram(Arc<dyn Fn() -> HistogramSnapshot + Send + Sync>),
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
        self.counters(name, help, move || vec![(Labels::new(), read())]);
    }

    /// Shows several of what only grows, told apart by their labels. It is otherwise as a [`counter`](Self::counter).
    pub fn counters(
        &self,
        name: &'static str,
        help: &'static str,
        read: impl Fn() -> Vec<(Labels, u64)> + Send + Sync + 'static,
    ) {
        self.show(name, help, Read::Counters(Arc::new(read)));
    }

    /// Shows what grows and shrinks, read whenever somebody asks. It appears as `tigertrust_{name}`, and is otherwise as a
    /// [`counter`](Self::counter).
    pub fn gauge(
        &self,
        name: &'static str,
        help: &'static str,
        read: impl Fn() -> f64 + Send + Sync + 'static,
    ) {
        self.gauges(name, help, move || vec![(Labels::new(), read())]);
    }

    /// Shows several of what grows and shrinks, told apart by their labels. It is otherwise as a [`gauge`](Self::gauge).
    pub fn gauges(
        &self,
        name: &'static str,
        help: &'static str,
        read: impl Fn() -> Vec<(Labels, f64)> + Send + Sync + 'static,
    ) {
        self.show(name, help, Read::Gauges(Arc::new(read)));
    }

    /// Shows how long something takes, in seconds, read whenever somebody asks. It appears as `tigertrust_{name}_bucket`, `_count`
    /// and `_sum`, and is otherwise as a [`counter`](Self::counter).
    pub fn histogram(
        &self,
        name: &'static str,
        help: &'static str,
        read: impl Fn() -> HistogramSnapshot + Send + Sync + 'static,
    ) {
        self.show(name, help, Read::Histogram(Arc::new(read)));
    }

    fn show(&self, name: &'static str, help: &'static str, read: Read) {
        let mut series = self.0.series.lock().unwrap_or_else(PoisonError::into_inner);
        series.insert(name, Series { help, read });
    }

    /// Counts an answer, and how long it took until its head was written.
    pub(crate) fn answered(&self, request: &HttpRequest, status: StatusCode, took: Duration) {
        if let Some(busiest) = Busiest::of(request.method(), request.path()) {
            self.busiest_answered(busiest, status, took);
        } else {
            self.count(status);
            self.took(route(request), took);
        }
    }

    /// As [`answered`](Self::answered), of one of the busiest routes.
    pub(crate) fn busiest_answered(&self, busiest: Busiest, status: StatusCode, took: Duration) {
        self.count(status);
        if let Some(histogram) = self.0.busiest.get(busiest as usize) {
            histogram.observe(took);
        }
    }

    fn count(&self, status: StatusCode) {
        let place = usize::from(status.as_u16().saturating_sub(FIRST_STATUS));
        if let Some(count) = self.0.responses.get(place) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn took(&self, route: Route, took: Duration) {
        let mut routes = self.0.routes.lock().unwrap_or_else(PoisonError::into_inner);
        routes.entry(route).or_default().observe(took);
    }

    /// Counts a problem that was told.
    pub(crate) fn refused(&self, code: Code) {
        let place = Code::ALL.iter().position(|other| *other == code);
        if let Some(count) = place.and_then(|place| self.0.problems.get(place)) {
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

/// Which route took a request, in names of which there are few, whatever strangers send.
fn route(request: &HttpRequest) -> Route {
    let path = request.match_pattern().unwrap_or_else(|| NO_ROUTE.to_owned());
    (known_method(request.method()).unwrap_or("_OTHER"), path)
}

/// The name of a method that is specified; others could be any text.
pub(crate) fn known_method(method: &Method) -> Option<&'static str> {
    Some(match *method {
        Method::CONNECT => "CONNECT",
        Method::DELETE => "DELETE",
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::TRACE => "TRACE",
        _ => return None,
    })
}

fn encode_histogram(mut encoder: MetricEncoder<'_>, seen: &HistogramSnapshot) -> fmt::Result {
    let bounds = Histogram::BOUNDS
        .iter()
        .map(Duration::as_secs_f64)
        .chain([f64::INFINITY]);
    let buckets: Vec<_> = bounds.zip(seen.counts).collect();
    encoder.encode_histogram::<NoLabelSet>(seen.sum.as_secs_f64(), seen.count(), &buckets, None)
}

impl Metrics {
    fn encode_requests(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "How long requests took, until the head of their answer was written";
        let mut family =
            encoder.encode_descriptor("http_request_duration_seconds", help, None, MetricType::Histogram)?;
        let mut encode = |method: &str, route: &str, seen: &HistogramSnapshot| {
            let labels = [("method", method), ("route", route)];
            encode_histogram(family.encode_family(&labels)?, seen)
        };
        for ((method, path), histogram) in BUSIEST.iter().zip(&self.0.busiest) {
            encode(method.as_str(), path, &histogram.snapshot())?;
        }
        let routes = self.0.routes.lock().unwrap_or_else(PoisonError::into_inner);
        routes
            .iter()
            .try_for_each(|((method, path), histogram)| encode(method, path, &histogram.snapshot()))
    }
}

impl Collector for Metrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Answers to requests, by status";
        let mut responses = encoder.encode_descriptor("http_responses", help, None, MetricType::Counter)?;
        for (code, count) in (FIRST_STATUS..).zip(&self.0.responses) {
            let count = count.load(Ordering::Relaxed);
            // Whoever watches what grows must see it before it has grown.
            if count > 0 || matches!(code, 500 | 503) {
                let code = [("code", code.to_string())];
                ConstCounter::new(count).encode(responses.encode_family(&code)?)?;
            }
        }
        let help = "Answers that are problems, by their code";
        let mut problems = encoder.encode_descriptor("http_problems", help, None, MetricType::Counter)?;
        for (code, count) in Code::ALL.iter().zip(&self.0.problems) {
            let code = [("code", code.as_str())];
            ConstCounter::new(count.load(Ordering::Relaxed)).encode(problems.encode_family(&code)?)?;
        }
        self.encode_requests(&mut encoder)?;
        let series = self.0.series.lock().unwrap_or_else(PoisonError::into_inner);
        series
            .iter()
            .try_for_each(|(name, Series { help, read })| match read {
                Read::Counters(read) => {
                    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
                    read().iter().try_for_each(|(labels, value)| {
                        ConstCounter::new(*value).encode(family.encode_family(labels)?)
                    })
                }
                Read::Gauges(read) => {
                    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
                    read().iter().try_for_each(|(labels, value)| {
                        ConstGauge::new(*value).encode(family.encode_family(labels)?)
                    })
                }
                Read::Histogram(read) => {
                    let encoder = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
                    encode_histogram(encoder, &read())
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
    use actix_web::test::TestRequest;

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
        metrics.counters("kinds", "Things of a kind", || vec![(vec![("kind", "large")], 7)]);
        metrics.histogram("thing_seconds", "How long things take", || {
            let times = Histogram::default();
            times.observe(Duration::from_millis(5));
            times.observe(Duration::from_secs(20));
            times.snapshot()
        });
        let check = TestRequest::with_uri("/api/auth/check").to_http_request();
        let other = TestRequest::with_uri("/nowhere").method(Method::from_bytes(b"BREW").unwrap());
        metrics.answered(&check, StatusCode::OK, Duration::from_micros(10));
        metrics.answered(&check, StatusCode::OK, Duration::from_micros(200));
        metrics.answered(
            &other.to_http_request(),
            StatusCode::NOT_FOUND,
            Duration::from_secs(1),
        );
        metrics.refused(Code::NotFound);
        count.store(4, Ordering::Relaxed);
        let text = metrics.text().unwrap();
        for line in [
            "tigertrust_http_responses_total{code=\"200\"} 2",
            "tigertrust_http_responses_total{code=\"404\"} 1",
            "tigertrust_http_problems_total{code=\"NOT_FOUND\"} 1",
            "tigertrust_http_problems_total{code=\"FORBIDDEN\"} 0",
            "tigertrust_http_request_duration_seconds_bucket{le=\"0.000025\",method=\"GET\",route=\"/api/auth/check\"} 1",
            "tigertrust_http_request_duration_seconds_bucket{le=\"0.00025\",method=\"GET\",route=\"/api/auth/check\"} 2",
            "tigertrust_http_request_duration_seconds_count{method=\"GET\",route=\"/api/auth/check\"} 2",
            "tigertrust_http_request_duration_seconds_sum{method=\"_OTHER\",route=\"none\"} 1.0",
            "tigertrust_kinds_total{kind=\"large\"} 7",
            "tigertrust_thing_seconds_bucket{le=\"0.0025\"} 0",
            "tigertrust_thing_seconds_bucket{le=\"0.005\"} 1",
            "tigertrust_thing_seconds_bucket{le=\"+Inf\"} 2",
            "tigertrust_thing_seconds_sum 20.005",
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

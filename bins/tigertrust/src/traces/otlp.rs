//! Traces over OTLP.

use std::{sync::Arc, time::Duration};

use opentelemetry::{
    Context, KeyValue,
    propagation::{Extractor, TextMapPropagator},
    trace::{TraceContextExt, TracerProvider},
};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    propagation::TraceContextPropagator,
    resource::{EnvResourceDetector, TelemetryResourceDetector},
    trace::{BatchSpanProcessor, SdkTracerProvider},
};
use tigertrust_credentials::OsRandom;
use tigertrust_http::TraceContext;
use tigertrust_model::RandomSource;
use tracing::{Span, level_filters::LevelFilter};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{Layer, filter::filter_fn};

use super::{OUR_TARGETS, Traces, collector::Collector, sampler::Draw};
use crate::{config::TraceSettings, failure::Failure};

/// How long the collector may take over one batch.
const EXPORT_DEADLINE: Duration = Duration::from_secs(5);
/// How long a server that stops waits for the last ones.
const FLUSH_DEADLINE: Duration = Duration::from_secs(2);

pub(super) fn start(settings: &TraceSettings) -> Result<Option<Traces>, Failure> {
    let Some(base) = &settings.url else {
        return Ok(None);
    };
    let url = match base.as_str().trim_end_matches('/') {
        whole if whole.ends_with("/v1/traces") => whole.to_owned(),
        base => format!("{base}/v1/traces"),
    };
    let failure = |error: &dyn std::fmt::Display| Failure::new(format!("traces.url: {error}"));
    let collector =
        Collector::new(&url, &settings.headers, EXPORT_DEADLINE).map_err(|error| failure(&error))?;
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(collector)
        .with_endpoint(url)
        .with_protocol(Protocol::HttpBinary)
        .with_timeout(EXPORT_DEADLINE)
        .build()
        .map_err(|error| failure(&error))?;
    let random: Arc<dyn RandomSource> = Arc::new(OsRandom);
    let provider = SdkTracerProvider::builder()
        .with_resource(resource(&*random)?)
        .with_sampler(Draw::new(settings.sample, settings.follow_callers, random))
        .with_span_processor(BatchSpanProcessor::builder(exporter).build())
        .build();
    // Spans of ours alone, which are known to hold no secrets; and no events, which have their place in the log.
    let ours = filter_fn(|metadata| metadata.is_span() && metadata.target().starts_with(OUR_TARGETS))
        .with_max_level_hint(LevelFilter::DEBUG);
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer(OUR_TARGETS))
        .with_context_activation(false)
        .with_location(false)
        .with_target(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_filter(ours);
    Ok(Some(Traces {
        layer: Some(layer.boxed()),
        // Who does not take them in time does without.
        flush: Box::new(move || drop(provider.shutdown_with_timeout(FLUSH_DEADLINE))),
        context: TraceContext { join, current },
    }))
}

/// Who the spans are of. `OTEL_RESOURCE_ATTRIBUTES` may say more, and otherwise.
fn resource(random: &dyn RandomSource) -> Result<Resource, Failure> {
    let mut instance = [0; 16];
    random.fill(&mut instance)?;
    Ok(Resource::builder_empty()
        .with_service_name("tigertrust")
        .with_attributes([
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new(
                "service.instance.id",
                format!("{:032x}", u128::from_be_bytes(instance)),
            ),
        ])
        .with_detectors(&[
            Box::new(TelemetryResourceDetector),
            Box::new(EnvResourceDetector::new()),
        ])
        .build())
}

struct Headers<'a> {
    traceparent: &'a str,
    tracestate: &'a str,
}

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        match key {
            "traceparent" => Some(self.traceparent),
            "tracestate" => Some(self.tracestate),
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent", "tracestate"]
    }
}

fn join(span: &Span, traceparent: &str, tracestate: &str) {
    let headers = Headers {
        traceparent,
        tracestate,
    };
    let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), &headers);
    if parent.span().span_context().is_valid() {
        // It fails where nothing is recorded, and there is nothing to join then.
        drop(span.set_parent(parent));
    }
}

fn current() -> Option<String> {
    let context = Span::current().context();
    let span = context.span();
    let span = span.span_context();
    span.is_valid().then(|| {
        format!(
            "00-{}-{}-{:02x}",
            span.trace_id(),
            span.span_id(),
            u8::from(span.is_sampled())
        )
    })
}

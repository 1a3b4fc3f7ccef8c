//! Which requests are recorded.

use std::sync::Arc;

use opentelemetry::{
    Context, KeyValue,
    trace::{Link, SpanKind, TraceContextExt, TraceId},
};
use opentelemetry_sdk::trace::{SamplingDecision, SamplingResult, ShouldSample};
use tigertrust_model::RandomSource;

/// Draws which requests are recorded, and with each all that happens within it.
///
/// A caller that is in a trace says in `traceparent` whether that is recorded, and the usual sampler of OpenTelemetry believes it: so
/// anybody could have everything recorded. Neither does the draw go by the trace's id, since a caller chooses that too.
#[derive(Clone)]
pub(super) struct Draw {
    share: f64,
    follow_callers: bool,
    random: Arc<dyn RandomSource>,
}

impl Draw {
    /// Draws `share` of the requests, from 0 to 1, but for those whose callers have decided it and are believed.
    pub(super) fn new(share: f64, follow_callers: bool, random: Arc<dyn RandomSource>) -> Self {
        Self {
            share,
            follow_callers,
            random,
        }
    }

    fn draw(&self) -> bool {
        if self.share >= 1.0 {
            return true;
        }
        let mut drawn = [0; 4];
        self.random.fill(&mut drawn).is_ok()
            && f64::from(u32::from_be_bytes(drawn)) < self.share * 2_f64.powi(32)
    }
}

impl ShouldSample for Draw {
    fn should_sample(
        &self,
        parent_context: Option<&Context>,
        _: TraceId,
        _: &str,
        _: &SpanKind,
        _: &[KeyValue],
        _: &[Link],
    ) -> SamplingResult {
        let parent = parent_context.map(|context| context.span().span_context().clone());
        let parent = parent.filter(|parent| parent.is_valid());
        let is_recorded = match &parent {
            Some(parent) if !parent.is_remote() || self.follow_callers => parent.is_sampled(),
            _ => self.draw(),
        };
        SamplingResult {
            decision: if is_recorded {
                SamplingDecision::RecordAndSample
            } else {
                SamplingDecision::Drop
            },
            attributes: Vec::new(),
            trace_state: parent
                .map(|parent| parent.trace_state().clone())
                .unwrap_or_default(),
        }
    }
}

impl std::fmt::Debug for Draw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Draw")
            .field("share", &self.share)
            .field("follow_callers", &self.follow_callers)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceState};
    use tigertrust_model::RandomError;

    use super::*;

    /// Gives out evenly spread numbers.
    #[derive(Default)]
    struct Even(AtomicU32);

    impl RandomSource for Even {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
            let next = self.0.fetch_add(1 << 24, Ordering::Relaxed);
            bytes.copy_from_slice(&next.to_be_bytes());
            Ok(())
        }
    }

    fn draw(share: f64, follow_callers: bool) -> Draw {
        Draw::new(share, follow_callers, Arc::new(Even::default()))
    }

    fn parent(is_sampled: bool, is_remote: bool) -> Context {
        let flags = TraceFlags::default().with_sampled(is_sampled);
        let span = SpanContext::new(
            TraceId::from(1),
            SpanId::from(1),
            flags,
            is_remote,
            TraceState::default(),
        );
        Context::new().with_remote_span_context(span)
    }

    /// How many of 256 are recorded.
    fn recorded(draw: &Draw, parent: Option<&Context>) -> usize {
        let decide = || {
            let result = draw.should_sample(parent, TraceId::from(1), "", &SpanKind::Server, &[], &[]);
            result.decision == SamplingDecision::RecordAndSample
        };
        (0..256).filter(|_| decide()).count()
    }

    #[test]
    fn a_caller_decides_only_where_callers_are_followed() {
        for (share, drawn) in [(0.0, 0), (0.25, 64), (1.0, 256)] {
            assert_eq!(recorded(&draw(share, false), None), drawn);
            assert_eq!(recorded(&draw(share, true), None), drawn);
            for is_sampled in [true, false] {
                let caller = parent(is_sampled, true);
                let decided = if is_sampled { 256 } else { 0 };
                assert_eq!(recorded(&draw(share, false), Some(&caller)), drawn);
                assert_eq!(recorded(&draw(share, true), Some(&caller)), decided);
                // What happens within a request goes with it.
                let own = parent(is_sampled, false);
                assert_eq!(recorded(&draw(share, false), Some(&own)), decided);
            }
        }
    }
}

//! How limits stand, as headers and in bodies.

use std::{fmt::Write as _, time::Duration};

use serde::Serialize;
use tigertrust_credentials::rate_limit::{Decision, Standing};
use tigertrust_model::Timestamp;
use utoipa::ToSchema;

/// How one window of a key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RateLimit {
    /// The window: `minute` or `hour`.
    #[schema(examples("minute"))]
    pub policy: &'static str,
    /// How much the window has.
    pub limit: u32,
    /// How long it is.
    pub window_seconds: u64,
    /// How much of it is left.
    pub remaining: u32,
    /// After how many seconds there is more.
    pub reset_seconds: u64,
}

/// How each window of a key stands, the short one first.
#[must_use]
pub fn rate_limits(decision: &Decision) -> Vec<RateLimit> {
    let window = |(policy, standing): (&'static str, &Standing)| RateLimit {
        policy,
        limit: standing.quota.limit(),
        window_seconds: seconds(standing.quota.window()),
        remaining: standing.remaining,
        reset_seconds: seconds(standing.more_in()),
    };
    decision.windows().map(window).collect()
}

/// Whole seconds, rounded up: a second too early is refused again.
#[must_use]
pub const fn seconds(duration: Duration) -> u64 {
    duration.as_secs() + (duration.subsec_nanos() > 0) as u64
}

/// The values of the headers that tell how limits stand, in one piece of text.
#[derive(Debug)]
pub struct RateLimitHeaders {
    /// The values of [`NAMES`](Self::NAMES), one after the other.
    pub text: String,
    /// Where each value ends.
    pub ends: [usize; 5],
}

impl RateLimitHeaders {
    /// The headers: those that clients mostly know, of the tightest window, and those of draft-ietf-httpapi-ratelimit-headers, of
    /// all.
    pub const NAMES: [&'static str; 5] = [
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
        "ratelimit-policy",
        "ratelimit",
    ];

    /// What the headers say at a time.
    #[must_use]
    pub fn new(decision: &Decision, now: Timestamp) -> Self {
        let tightest = decision.tightest();
        let whole_at = now.saturating_add(tightest.whole_in()).unix_micros();
        let mut text = String::with_capacity(128);
        let mut ends = [0; 5];
        let mut piece = |index: usize, write: &dyn Fn(&mut String) -> std::fmt::Result| {
            // Text can always be written to memory.
            let _ = write(&mut text);
            if let Some(end) = ends.get_mut(index) {
                *end = text.len();
            }
        };
        piece(0, &|text| write!(text, "{}", tightest.quota.limit()));
        piece(1, &|text| write!(text, "{}", tightest.remaining));
        piece(2, &|text| {
            write!(
                text,
                "{}",
                whole_at.div_euclid(1_000_000) + i64::from(whole_at % 1_000_000 > 0)
            )
        });
        piece(3, &|text| {
            listed(text, decision, |text, standing| {
                let (limit, window) = (standing.quota.limit(), seconds(standing.quota.window()));
                write!(text, "q={limit};w={window}")
            })
        });
        piece(4, &|text| {
            listed(text, decision, |text, standing| {
                write!(text, "r={};t={}", standing.remaining, seconds(standing.more_in()))
            })
        });
        Self { text, ends }
    }

    /// Each header with its value.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let mut start = 0;
        Self::NAMES.into_iter().zip(self.ends).map(move |(name, end)| {
            let value = self.text.get(start..end).unwrap_or_default();
            start = end;
            (name, value)
        })
    }
}

/// A list of windows (RFC 9651 §3.1): each its name and its parameters.
fn listed(
    text: &mut String,
    decision: &Decision,
    parameters: impl Fn(&mut String, &Standing) -> std::fmt::Result,
) -> std::fmt::Result {
    for (index, (name, standing)) in decision.windows().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        write!(text, "{comma}\"{name}\";")?;
        parameters(text, standing)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tigertrust_credentials::rate_limit::{Quotas, State, decide};

    use super::*;

    #[test]
    fn headers_tell_the_tightest_window_and_all_of_them() {
        let now = Timestamp::from_unix_micros(1_800_000_000_250_000);
        let mut state = State::default();
        let quotas = Quotas::per_minute_and_hour(60, 1_000);
        let decision = (0..19)
            .map(|_| decide(&mut state, now, &quotas, 1))
            .last()
            .unwrap();
        let headers: Vec<String> = RateLimitHeaders::new(&decision, now)
            .iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        assert_eq!(
            headers,
            [
                "x-ratelimit-limit: 60",
                "x-ratelimit-remaining: 41",
                "x-ratelimit-reset: 1800000060",
                "ratelimit-policy: \"minute\";q=60;w=60, \"hour\";q=1000;w=3600",
                "ratelimit: \"minute\";r=41;t=60, \"hour\";r=981;t=3600",
            ]
        );
    }
}

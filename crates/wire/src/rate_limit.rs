//! How limits stand, as headers and in bodies.

use std::time::Duration;

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
    decision.windows().map(rate_limit).collect()
}

fn rate_limit((policy, standing): (&'static str, &Standing)) -> RateLimit {
    RateLimit {
        policy,
        limit: standing.quota.limit(),
        window_seconds: seconds(standing.quota.window()),
        remaining: standing.remaining,
        reset_seconds: seconds(standing.more_in()),
    }
}

/// Adds [`rate_limits`] in JSON: what serde would write, at a fraction of its cost.
pub fn add_rate_limits(text: &mut String, decision: &Decision) {
    for (index, limit) in decision.windows().map(rate_limit).enumerate() {
        text.push_str(if index == 0 {
            "[{\"policy\":\""
        } else {
            ",{\"policy\":\""
        });
        text.push_str(limit.policy);
        text.push_str("\",\"limit\":");
        add_number(text, limit.limit.into());
        text.push_str(",\"windowSeconds\":");
        add_number(text, limit.window_seconds);
        text.push_str(",\"remaining\":");
        add_number(text, limit.remaining.into());
        text.push_str(",\"resetSeconds\":");
        add_number(text, limit.reset_seconds);
        text.push('}');
    }
    text.push(']');
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
        let whole_at = u64::try_from(whole_at).unwrap_or_default().div_ceil(1_000_000);
        let mut text = String::with_capacity(128);
        let [limit, remaining, reset, policy, standing] = [
            add_number(&mut text, tightest.quota.limit().into()),
            add_number(&mut text, tightest.remaining.into()),
            add_number(&mut text, whole_at),
            add_windows(&mut text, decision, [";q=", ";w="], |standing| {
                [standing.quota.limit().into(), seconds(standing.quota.window())]
            }),
            add_windows(&mut text, decision, [";r=", ";t="], |standing| {
                [standing.remaining.into(), seconds(standing.more_in())]
            }),
        ];
        Self {
            text,
            ends: [limit, remaining, reset, policy, standing],
        }
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

/// Adds a number, and says where the text ends then. What `write!` does costs several times as much, on each answer.
fn add_number(text: &mut String, number: u64) -> usize {
    text.push_str(itoa::Buffer::new().format(number));
    text.len()
}

/// Adds a list of windows (RFC 9651 §3.1), each its name and two parameters, and says where the text ends then.
fn add_windows(
    text: &mut String,
    decision: &Decision,
    names: [&str; 2],
    values: impl Fn(&Standing) -> [u64; 2],
) -> usize {
    for (index, (window, standing)) in decision.windows().enumerate() {
        text.push_str(if index == 0 { "\"" } else { ", \"" });
        text.push_str(window);
        text.push('"');
        for (name, value) in names.iter().zip(values(standing)) {
            text.push_str(name);
            add_number(text, value);
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use tigertrust_credentials::rate_limit::{Quotas, State, decide};

    use super::*;

    #[test]
    fn limits_are_written_as_serde_writes_them() {
        let now = Timestamp::from_unix_micros(1_800_000_000_250_000);
        for quotas in ["60/1m,1000/1h", "7/90s"] {
            let quotas: Quotas = quotas.parse().unwrap();
            let decision = decide(&mut State::default(), now, &quotas, 3);
            let mut text = String::new();
            add_rate_limits(&mut text, &decision);
            assert_eq!(text, serde_json::to_string(&rate_limits(&decision)).unwrap());
        }
    }

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

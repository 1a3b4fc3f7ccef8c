//! Charts as SVG, drawn here: bars of calls by what became of them, with a table of the same for who cannot see them.

use maud::{Markup, html};
use tigertrust_accounts::{Outcomes, Usage};
use tigertrust_model::{Granularity, Outcome};

use crate::instant;

/// The size of a chart, in units of its own; it is scaled to its place.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 180.0;
/// What is left for the numbers.
const LEFT: f64 = 56.0;
const BOTTOM: f64 = 32.0;
const TOP: f64 = 14.0;

/// What is drawn together: outcomes that say the same to whoever looks.
const SERIES: [(&str, &[Outcome]); 5] = [
    ("Admitted", &[Outcome::Valid]),
    ("Over the limit", &[Outcome::RateLimited]),
    (
        "Not allowed",
        &[Outcome::Forbidden, Outcome::WorkspaceAccessDenied],
    ),
    (
        "Revoked, expired or off",
        &[Outcome::KeyRevoked, Outcome::TokenExpired, Outcome::Unauthorized],
    ),
    ("Malformed", &[Outcome::ValidationError]),
];

fn count(outcomes: &Outcomes, of: &[Outcome]) -> u64 {
    of.iter().filter_map(|outcome| outcomes.get(outcome)).sum()
}

/// How many calls there were.
pub(crate) fn total(outcomes: &Outcomes) -> u64 {
    outcomes.values().sum()
}

/// How many of them were refused.
pub(crate) fn refused(outcomes: &Outcomes) -> u64 {
    total(outcomes) - count(outcomes, &[Outcome::Valid])
}

/// Bars for each bucket.
pub(crate) fn usage(usage: &Usage, title: &str) -> Markup {
    let highest = usage
        .buckets
        .iter()
        .map(|bucket| total(&bucket.outcomes))
        .max()
        .unwrap_or(0);
    let top = round_up(highest);
    let shown: Vec<(usize, &(&str, &[Outcome]))> = SERIES
        .iter()
        .enumerate()
        .filter(|(index, (_, of))| *index == 0 || count(&usage.outcomes, of) > 0)
        .collect();
    let label = |start| match usage.range.granularity {
        Granularity::Day => instant::date(start).chars().skip(5).collect::<String>(),
        _ => instant::utc(start).chars().skip(11).take(5).collect(),
    };
    let (step, scale) = (
        (WIDTH - LEFT) / whole(usage.buckets.len().max(1)),
        (HEIGHT - TOP - BOTTOM) / number(top.max(1)),
    );
    let every = usage.buckets.len().div_ceil(8).max(1);
    html! {
        figure.chart {
            svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label=(described(usage, title)) {
                @for part in [0.0, 0.5, 1.0] {
                    @let y = HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM);
                    line.axis x1=(LEFT) x2=(WIDTH) y1=(place(y)) y2=(place(y)) {}
                    // Beside its line, and the lowest one above it: below are the times.
                    @let base = if part == 0.0 { y } else { y + 4.0 };
                    // Of an odd number there is no half call.
                    @if part != 0.5 || top.is_multiple_of(2) {
                        text x=(LEFT - 6.0) y=(place(base)) text-anchor="end" { (short(half(top, part))) }
                    }
                }
                @for (index, bucket) in usage.buckets.iter().enumerate() {
                    @let x = LEFT + whole(index) * step;
                    g {
                        title { (instant::utc(bucket.start)) ": " (spoken(&bucket.outcomes)) }
                        @for (class, y, height) in bars(&bucket.outcomes, &shown, scale) {
                            rect class={ "series-" (class) } x=(place(x + step * 0.12)) y=(place(y)) width=(place(step * 0.76)) height=(place(height)) {}
                        }
                    }
                    // What would be cut off at the edge is moved, or left out where it would stand under another bar.
                    @let (middle, within) = (x + step / 2.0, (x + step / 2.0).clamp(LEFT + 24.0, WIDTH - 34.0));
                    @if index % every == 0 && (within - middle).abs() <= step / 2.0 {
                        // A phone has room for every other one.
                        @let class = ((index / every) % 2 == 1).then_some("minor");
                        text class=[class] x=(place(within)) y=(HEIGHT - 6.0) text-anchor="middle" {
                            (label(bucket.start))
                        }
                    }
                }
            }
            ul.legend {
                @for (index, (name, _)) in &shown {
                    li { svg viewBox="0 0 10 10" aria-hidden="true" { rect class={ "series-" (index + 1) } width="10" height="10" rx="2" {} } (name) }
                }
                li { "Times in UTC" }
            }
            details {
                summary { "As a table" }
                div.scroll {
                    table {
                        caption { (title) }
                        thead { tr { th scope="col" { "From (UTC)" } @for (_, (name, _)) in &shown { th.number scope="col" { (name) } } } }
                        tbody {
                            @for bucket in usage.buckets.iter().filter(|bucket| total(&bucket.outcomes) > 0) {
                                tr {
                                    th scope="row" { (instant::utc(bucket.start)) }
                                    @for (_, (_, of)) in &shown { td.number { (count(&bucket.outcomes, of)) } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Each bar of a bucket from the ground up: the number of its series, its upper edge and its height.
fn bars(outcomes: &Outcomes, shown: &[(usize, &(&str, &[Outcome]))], scale: f64) -> Vec<(usize, f64, f64)> {
    let mut ground = HEIGHT - BOTTOM;
    let mut bars = Vec::new();
    for (index, (_, of)) in shown {
        let height = number(count(outcomes, of)) * scale;
        if height > 0.0 {
            // What happened at all is to be seen.
            let height = height.max(1.0);
            ground -= height;
            bars.push((index + 1, ground, height));
        }
    }
    bars
}

fn described(usage: &Usage, title: &str) -> String {
    format!("{title}: {}", spoken(&usage.outcomes))
}

fn spoken(outcomes: &Outcomes) -> String {
    let (all, refused) = (total(outcomes), refused(outcomes));
    let calls = if all == 1 { "call" } else { "calls" };
    format!("{all} {calls}, {refused} refused")
}

/// The next number that is easy to read: 1, 2 or 5 and zeros.
fn round_up(highest: u64) -> u64 {
    let mut power: u64 = 1;
    loop {
        for factor in [1, 2, 5] {
            let candidate = power.saturating_mul(factor);
            if candidate >= highest.max(1) {
                return candidate;
            }
        }
        power = power.saturating_mul(10);
    }
}

fn half(top: u64, part: f64) -> u64 {
    match part {
        0.0 => 0,
        0.5 => top / 2,
        _ => top,
    }
}

/// A number that has room beside an axis: `1.2k`, `3.4M`.
pub(crate) fn short(count: u64) -> String {
    let (divisor, unit) = match count {
        0..10_000 => return count.to_string(),
        10_000..1_000_000 => (1_000, "k"),
        1_000_000..1_000_000_000 => (1_000_000, "M"),
        _ => (1_000_000_000, "G"),
    };
    let tenths = count / (divisor / 10);
    match tenths % 10 {
        0 => format!("{}{unit}", tenths / 10),
        rest => format!("{}.{rest}{unit}", tenths / 10),
    }
}

#[allow(clippy::cast_precision_loss, reason = "a picture has fewer places than that")]
const fn number(count: u64) -> f64 {
    count as f64
}

#[allow(clippy::cast_precision_loss, reason = "a picture has fewer places than that")]
const fn whole(count: usize) -> f64 {
    count as f64
}

fn place(value: f64) -> String {
    format!("{value:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_beside_an_axis_are_short() {
        for (count, text) in [
            (0, "0"),
            (9_999, "9999"),
            (10_000, "10k"),
            (12_345, "12.3k"),
            (1_000_000, "1M"),
            (2_500_000_000, "2.5G"),
        ] {
            assert_eq!(short(count), text);
        }
    }

    #[test]
    fn axes_end_at_a_number_that_is_easy_to_read() {
        for (highest, top) in [
            (0, 1),
            (1, 1),
            (3, 5),
            (6, 10),
            (11, 20),
            (51, 100),
            (1_001, 2_000),
        ] {
            assert_eq!(round_up(highest), top);
        }
    }
}

//! What a decision costs, and what a key's state weighs.

use std::{hint::black_box, time::Duration};

use criterion::{Criterion, criterion_group, criterion_main};
use tigertrust_model::Timestamp;
use tigertrust_rate_limit::{Quotas, State, decide};

fn decisions(criterion: &mut Criterion) {
    let start = Timestamp::from_unix_micros(1_790_000_000_000_000);
    let cases = [
        (
            "one second after another",
            Quotas::per_minute_and_hour(60, 1_000),
            Duration::from_secs(1),
        ),
        (
            "a thousand in a second",
            Quotas::per_minute_and_hour(50_000_000, 50_000_000),
            Duration::from_millis(1),
        ),
        (
            "refused",
            Quotas::per_minute_and_hour(60, 1_000),
            Duration::from_millis(1),
        ),
    ];
    for (name, quotas, gap) in cases {
        let (mut state, mut now) = (State::default(), start);
        criterion.bench_function(&format!("decide: {name}"), |bencher| {
            bencher.iter(|| {
                now = now.saturating_add(gap);
                black_box(decide(&mut state, now, &quotas, 1))
            });
        });
        println!("decide: {name}: {} bytes a key", state.size());
    }
}

criterion_group!(benches, decisions);
criterion_main!(benches);

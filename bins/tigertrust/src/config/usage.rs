//! How long usage is kept, and from when on a key is worth a look.

use std::{ops::RangeInclusive, time::Duration};

use tigertrust_accounts::{HygieneSettings, UsageRetention};

use super::{forms::time_within_or, reader::Reader};

/// An hour to ten years.
const BOUNDS: RangeInclusive<Duration> =
    Duration::from_secs(60 * 60)..=Duration::from_secs(3650 * 24 * 60 * 60);

fn time(reader: &mut Reader, key: &str, shipped: Duration) -> Duration {
    time_within_or(reader, key, &BOUNDS, shipped)
}

pub(super) fn read_retention(reader: &mut Reader) -> UsageRetention {
    let shipped = UsageRetention::default();
    UsageRetention {
        minutes: time(reader, "usage.keep_minutes", shipped.minutes),
        hours: time(reader, "usage.keep_hours", shipped.hours),
        days: time(reader, "usage.keep_days", shipped.days),
    }
}

pub(super) fn read_hygiene(reader: &mut Reader) -> HygieneSettings {
    let shipped = HygieneSettings::default();
    HygieneSettings {
        unused_for: time(reader, "hygiene.unused_for", shipped.unused_for),
        expires_within: time(reader, "hygiene.expires_within", shipped.expires_within),
        urgent_within: time(reader, "hygiene.urgent_within", shipped.urgent_within),
        scope_unused_for: time(reader, "hygiene.scope_unused_for", shipped.scope_unused_for),
        watched_for: time(reader, "hygiene.watched_for", shipped.watched_for),
        older_than: time(reader, "hygiene.older_than", shipped.older_than),
    }
}

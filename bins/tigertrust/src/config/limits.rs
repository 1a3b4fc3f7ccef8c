//! The limits of rates: how often keys may be used.

use std::{collections::BTreeSet, time::Duration};

use config::{Value, ValueKind};
use serde::Deserialize;
use tigertrust::rate_limit::{Limits, PlanLimits, Plans, Quota, Quotas, ValkeySettings};
use tigertrust_model::Plan;

use super::{
    forms::{secret, tables},
    reader::Reader,
};
use crate::duration;

const QUOTAS: &str = "a limit and a window such as 60/1m, or two with a comma between them, the shorter window first: \
     60/1m,1000/1h (limits 1 to 50000000, windows 1s to 1d)";
const QUOTA: &str = "a limit and a window such as 60/1m";
/// Whoever waits longer for a store of limits is better off without one.
const LONGEST_DEADLINE: Duration = Duration::from_secs(1);

/// Reads the limits.
pub fn read(reader: &mut Reader) -> Limits {
    let shipped = Limits::default();
    Limits {
        plans: plans(reader, shipped.plans),
        instance: reader.read_or("rate_limit.instance", QUOTAS, shipped.instance, |text| {
            text.parse().ok()
        }),
        verify: quota(reader, "rate_limit.verify", shipped.verify),
        session: quota(reader, "rate_limit.sessions", shipped.session),
        failures: quota(reader, "rate_limit.failures", shipped.failures),
    }
}

/// Reads where limits are shared, if they are.
pub fn read_shared(reader: &mut Reader) -> Option<ValkeySettings> {
    let settings = secret(
        reader,
        ["rate_limit.url", "rate_limit.url_file"],
        "a redis://, rediss://, valkey://, valkeys:// or unix:// URL, or several of one cluster with commas between them",
        ValkeySettings::new,
    );
    let deadline = reader.read(
        "rate_limit.deadline",
        "a length of time such as 20ms, of a second at the most",
        |text| {
            let is_within = |deadline: &Duration| !deadline.is_zero() && *deadline <= LONGEST_DEADLINE;
            duration::parse(text).ok().filter(is_within)
        },
    );
    reader.default_is("rate_limit.deadline", &duration::show(ValkeySettings::DEADLINE));
    settings.map(|settings| settings.with_deadline(deadline.unwrap_or(ValkeySettings::DEADLINE)))
}

fn quota(reader: &mut Reader, key: &'static str, shipped: Quota) -> Quota {
    reader.read_or(key, QUOTA, shipped, |text| text.parse().ok())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanEntry {
    name: String,
    limits: String,
    #[serde(default)]
    shadow: bool,
}

const PLANS: &str = "tables [[rate_limit.plans]] with name, limits and shadow";

fn plans(reader: &mut Reader, shipped: Plans) -> Plans {
    let set = reader.take_any("rate_limit.plans", PLANS);
    reader.default_is("rate_limit.plans", &line(&shipped));
    let Some((value, origin)) = set else {
        return shipped;
    };
    match read_plans(value) {
        Ok(plans) => shipped.with(plans),
        Err(detail) => {
            reader.refuse("rate_limit.plans", &origin, &detail);
            shipped
        }
    }
}

/// Plans as they stand in the environment.
fn line(plans: &Plans) -> String {
    let entry = |name: &str| {
        let plan = name.parse().ok()?;
        Some(format!("{name}={}", plans.limits_of(&plan).quotas))
    };
    plans.names().filter_map(entry).collect::<Vec<_>>().join(" ")
}

/// Tables in TOML; in the environment `pro=300/1m,10000/1h trial=10/1m:shadow`.
fn read_plans(value: Value) -> Result<Vec<(Plan, PlanLimits)>, String> {
    let entries: Vec<PlanEntry> = match &value.kind {
        ValueKind::String(text) => text.split_whitespace().map(entry).collect::<Option<_>>().ok_or_else(|| {
            "must be plans such as pro=300/1m,10000/1h with blanks between them, each with :shadow at its end if it is to be \
             tried out only"
                .to_owned()
        })?,
        _ => tables(value, PLANS)?,
    };
    let mut names = BTreeSet::new();
    if let Some(twice) = entries.iter().find(|entry| !names.insert(entry.name.clone())) {
        return Err(format!("{}: is there twice", twice.name));
    }
    entries
        .into_iter()
        .map(|entry| {
            let name = entry.name;
            let plan = name.parse().map_err(|error| format!("{name:?} {error}"))?;
            let quotas: Quotas = entry
                .limits
                .parse()
                .map_err(|_| format!("{name}: limits must be {QUOTAS}"))?;
            Ok((
                plan,
                PlanLimits {
                    quotas,
                    shadow: entry.shadow,
                },
            ))
        })
        .collect()
}

fn entry(text: &str) -> Option<PlanEntry> {
    let (name, limits) = text.split_once('=')?;
    let (limits, shadow) = match limits.strip_suffix(":shadow") {
        Some(limits) => (limits, true),
        None => (limits, false),
    };
    Some(PlanEntry {
        name: name.to_owned(),
        limits: limits.to_owned(),
        shadow,
    })
}

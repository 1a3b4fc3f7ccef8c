//! The database, its schema and its clock.

use std::{path::Path, sync::Arc, time::Duration};

use tigertrust_credentials::{AuditRing, ChangeTracker, OsRandom, SteadyClock, SystemClock};
use tigertrust_model::{Clock, Timestamp};
use tigertrust_storage::{Options, SchemaState, Storage, StorageParts};
use tigertrust_wire::parse_rfc3339;
use tokio::runtime::Handle;

use super::{
    audit,
    finding::{Finding, Level},
    line, secrets,
};
use crate::{
    config::{Keyring, Settings},
    duration,
    instance::schema_failure,
};

const ABOUT: &str = "database";
const CLOCK: &str = "clock";
/// Clocks that differ by more make codes of apps and expiries wrong.
const CLOCKS_DIFFER: Duration = Duration::from_secs(10);
/// What a mark is behind by only if a clock was set.
const BEHIND: Duration = Duration::from_secs(60);
const LITTLE_SPACE: u64 = 1 << 30;

pub async fn look(settings: &Settings, limit: Duration) -> Vec<Finding> {
    let clock = Arc::new(SteadyClock::new(Arc::new(SystemClock::new())));
    let storage = match open(settings, &clock, limit) {
        Ok(storage) => storage,
        Err(finding) => return vec![*finding],
    };
    let mut findings = vec![match storage.ping().await {
        Ok(()) => Finding::ok(ABOUT, format!("{} answers", settings.database.url)),
        Err(error) => {
            return vec![Finding::error(
                ABOUT,
                format!("{}: {}", settings.database.url, line(&error)),
                "See that it runs, can be reached from here, and takes the user and password of database.url.",
            )];
        }
    }];
    if settings.database.url.is_overheard() {
        findings.push(Finding::warning(
            ABOUT,
            "what is said to it, passwords and digests of keys too, crosses the network in the clear",
            "Add ?sslmode=verify-full to database.url, and sslrootcert=FILE if its authority is your own.",
        ));
    }
    findings.extend(facts(&storage, &clock).await);
    findings.extend(writes(&storage).await);
    findings.extend(space(settings));
    let schema = schema(&storage, &clock).await;
    let is_ready = schema.iter().all(|finding| finding.level != Level::Error);
    findings.extend(schema);
    if let (true, Some(ring)) = (is_ready, &settings.keyring) {
        // All looks at the database share the limit.
        findings.extend(secrets::look(&storage, ring, clock.now(), limit / 2).await);
        findings.extend(audit::look(&storage, ring, limit / 4).await);
    }
    storage.close().await;
    findings
}

fn open(settings: &Settings, clock: &Arc<SteadyClock>, limit: Duration) -> Result<Storage, Box<Finding>> {
    let broken =
        |error: &dyn std::fmt::Display, mend: &str| Box::new(Finding::error(ABOUT, line(&error), mend));
    // Without a ring nothing is written or read that needs one.
    let ring = match &settings.keyring {
        Some(ring) => Ok(ring.clone()),
        None => Keyring::generate(&OsRandom)
            .map_err(|error| broken(&error, "See that the operating system has random bytes."))
            .and_then(|text| {
                Keyring::parse(&text).map_err(|error| broken(&error, "Set keyring_file to a key ring."))
            }),
    }?;
    let time = Arc::clone(clock) as Arc<dyn Clock>;
    let parts = StorageParts {
        clock: Arc::clone(clock),
        random: Arc::new(OsRandom),
        audit: AuditRing::new(ring.peppers),
        listener: Arc::new(ChangeTracker::new(time, settings.max_staleness)),
        runtime: Handle::current(),
    };
    let options = Options {
        pool_size: 2,
        // So that it is told why, before all of it takes too long.
        acquire_timeout: limit / 2,
        statement_timeout: limit,
        ..Options::default()
    };
    Storage::open(&settings.database.url, options, parts).map_err(|error| {
        broken(
            &error,
            "Run `tigertrust migrate run`, or set database.url to the one that is meant.",
        )
    })
}

async fn facts(storage: &Storage, clock: &SteadyClock) -> Vec<Finding> {
    let facts = match storage.facts().await {
        Ok(facts) => facts,
        Err(error) => return vec![Finding::error(ABOUT, line(&error), "See what its log says.")],
    };
    let mut findings = Vec::new();
    for (name, value) in &facts {
        match (*name, value.as_str()) {
            ("version", version) => findings.push(Finding::ok(ABOUT, format!("version {version}"))),
            ("fsync", "off") => findings.push(Finding::error(
                ABOUT,
                "fsync is off: a crash of the machine may destroy it",
                "Set fsync = on in postgresql.conf and reload it.",
            )),
            ("synchronous_commit", "off") => findings.push(Finding::warning(
                ABOUT,
                "synchronous_commit is off: a crash may bring a revoked key back",
                "Set synchronous_commit = on for the user or the database.",
            )),
            ("in_recovery", "true") => findings.push(Finding::error(
                ABOUT,
                "is a replica that takes no writes",
                "Set database.url to the primary.",
            )),
            ("journal_mode", mode) if mode != "wal" => findings.push(Finding::warning(
                ABOUT,
                format!("the journal mode is {mode}: readers and the writer wait for each other"),
                "Start the server once with the file on a local disk, which sets it to WAL.",
            )),
            ("now", now) => findings.extend(their_clock(now, clock)),
            _ => {}
        }
    }
    findings
}

fn their_clock(now: &str, clock: &SteadyClock) -> Option<Finding> {
    let theirs = parse_rfc3339(now).ok()?;
    let apart = apart(theirs, clock.machine());
    Some(if apart > CLOCKS_DIFFER {
        Finding::warning(
            CLOCK,
            format!(
                "that of the database and that of this machine are {} apart",
                duration::show(apart)
            ),
            "Have both set by NTP.",
        )
    } else {
        Finding::ok(CLOCK, "that of the database and that of this machine agree")
    })
}

/// In whole seconds.
fn apart(one: Timestamp, other: Timestamp) -> Duration {
    let seconds = one.unix_micros().abs_diff(other.unix_micros()) / 1_000_000;
    Duration::from_secs(seconds)
}

async fn writes(storage: &Storage) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Err(error) = storage.try_to_write().await {
        findings.push(Finding::error(
            ABOUT,
            format!("takes no writes: {}", line(&error)),
            "Let the user of this process write to it: to the file and its folder, or to the schema.",
        ));
    }
    match storage.hears_itself().await {
        Ok(true) => {}
        Ok(false) => findings.push(Finding::warning(
            ABOUT,
            "announcements (LISTEN) do not arrive: there is a pooler that parts transactions",
            "Set database.url to the database itself, or to a pooler that keeps sessions whole.",
        )),
        Err(error) => findings.push(Finding::warning(
            ABOUT,
            format!("cannot be listened to: {}", line(&error)),
            "Let the server have one connection more than database.pool_size.",
        )),
    }
    findings
}

fn space(settings: &Settings) -> Option<Finding> {
    let path = settings.database.url.reveal().strip_prefix("sqlite://")?;
    let path = path.split('?').next().unwrap_or(path);
    let folder = Path::new(path)
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let disk = rustix::fs::statvfs(folder.unwrap_or(Path::new("."))).ok()?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let shown = format!("{} MiB are free on its disk", free >> 20);
    Some(if free < LITTLE_SPACE {
        Finding::warning(ABOUT, shown, "Make room: without any, nothing can be written.")
    } else {
        Finding::ok(ABOUT, shown)
    })
}

async fn schema(storage: &Storage, clock: &SteadyClock) -> Vec<Finding> {
    let about = "schema";
    match storage.schema_state().await {
        Ok(SchemaState::Current) => {}
        Ok(state) => {
            let failure = schema_failure(&state).map(|failure| failure.to_string());
            let failure = failure.unwrap_or_default();
            let (finding, mend) = failure.split_once(": ").unwrap_or((&failure, ""));
            return vec![Finding::error(about, finding, mend)];
        }
        Err(error) => {
            return vec![Finding::error(
                about,
                line(&error),
                "See what the database's log says.",
            )];
        }
    }
    let mut findings = vec![Finding::ok(about, "is the one that this program knows")];
    if let Err(error) = storage.take_up_time().await {
        findings.push(Finding::error(
            CLOCK,
            line(&error),
            "See what the database's log says.",
        ));
    }
    let behind = clock.behind();
    if behind > BEHIND {
        findings.push(Finding::warning(
            CLOCK,
            format!(
                "that of this machine is {} s behind the latest time that a server has seen, by which servers go",
                behind.as_secs()
            ),
            "Set it right; if it is right, run `tigertrust clock reset`.",
        ));
    }
    findings
}

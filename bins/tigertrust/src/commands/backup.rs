//! `tigertrust backup` and `tigertrust restore`.

use std::{collections::BTreeMap, path::Path};

use serde::Serialize;
use tigertrust_accounts::format_rfc3339;
use tigertrust_credentials::SystemClock;
use tigertrust_model::Clock as _;
use tigertrust_storage::backup::{self, BackupError, Copied};

use super::settings;
use crate::{
    cli::{Common, Restore},
    failure::Failure,
    output,
};

/// What is worth a line of its own for people; the rest is in the JSON.
const TOLD: [&str; 5] = ["users", "workspaces", "api_keys", "sessions", "audit_events"];
/// What nobody may overlook.
const BACK_IN_TIME: &str = "\
THIS DATABASE WENT BACK IN TIME. What was done since the backup is undone:
  - keys that were revoked since ARE VALID AGAIN: revoke them once more (`tigertrust key revoke ID`)
  - keys that were made since are unknown, and refused
  - passwords, roles, disabled accounts, factors and ended sessions are as they were then
Servers and clients that followed the changes will forget all they remember. Start the servers anew, and run
`tigertrust audit verify`.";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    file: String,
    /// Where it was restored to.
    #[serde(skip_serializing_if = "Option::is_none")]
    database: Option<String>,
    bytes: u64,
    sha256: String,
    schema: String,
    last_change_at: Option<String>,
    tables: BTreeMap<String, u64>,
}

impl Report {
    fn new(file: &Path, copied: Copied) -> Self {
        Self {
            file: file.display().to_string(),
            database: None,
            bytes: copied.bytes,
            sha256: copied.sha256.iter().map(|byte| format!("{byte:02x}")).collect(),
            schema: copied.schema,
            last_change_at: copied.last_act_at.map(format_rfc3339),
            tables: copied.tables.into_iter().collect(),
        }
    }

    fn text(&self, done: &str) -> String {
        let told = TOLD
            .iter()
            .filter_map(|name| Some((name, self.tables.get(*name)?)));
        let told: Vec<String> = told
            .map(|(name, count)| format!("{} {count}", name.replace('_', " ")))
            .collect();
        let to = self.database.as_ref();
        let to = to.map_or_else(String::new, |database| format!(" to {database}"));
        format!(
            "{done} {}{to} ({} bytes): {}.\nThe last thing that was done in it is of {}.\nSHA-256 {}",
            self.file,
            self.bytes,
            told.join(", "),
            self.last_change_at.as_deref().unwrap_or("an unknown time"),
            self.sha256
        )
    }
}

pub async fn backup(common: &Common, file: &Path) -> Result<(), Failure> {
    let settings = settings(common, Vec::new())?;
    let written = backup::write(&settings.database.url, file).await;
    let copied = written.map_err(|error| match error {
        BackupError::NotSqlite => Failure::new(
            "`tigertrust backup` is for SQLite. PostgreSQL has programs of its own: \
             `pg_dump --format=custom --file=FILE DATABASE`, or continuous archiving",
        ),
        other => other.into(),
    })?;
    output::print(common.output, &Report::new(file, copied), |report| {
        report.text("Wrote")
    })
}

pub async fn restore(common: &Common, args: &Restore) -> Result<(), Failure> {
    let settings = settings(common, Vec::new())?;
    let url = &settings.database.url;
    let now = SystemClock::new().now();
    let Some(file) = &args.file else {
        let number = backup::mark_restored(url, now).await?;
        eprintln!("{BACK_IN_TIME}");
        return output::print(common.output, &number, |number| {
            format!("Changes are numbered from {number} on.")
        });
    };
    let restored = backup::restore(file, url, now).await;
    let copied = restored.map_err(|error| match error {
        BackupError::NotSqlite => Failure::new(
            "`tigertrust restore FILE` is for SQLite. Restore PostgreSQL with its own programs \
             (`pg_restore --exit-on-error --dbname=DATABASE FILE`), and run `tigertrust restore --mark-only` then",
        ),
        BackupError::Exists(path) => Failure::new(format!(
            "{} is there, and is not overwritten: stop every server that uses the database, and move the file away \
             together with those whose names go on with -wal and -shm",
            path.display()
        )),
        BackupError::Newer(unknown) => Failure::new(format!(
            "{} is newer than this program: it has {}. Use the program that made it",
            file.display(),
            unknown.join(", ")
        )),
        other => other.into(),
    })?;
    eprintln!("{BACK_IN_TIME}");
    let report = Report {
        database: Some(url.to_string()),
        ..Report::new(file, copied)
    };
    output::print(common.output, &report, |report| report.text("Restored"))
}

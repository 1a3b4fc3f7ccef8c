//! Copies of the file.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
    time::Duration,
};

use diesel::{ExpressionMethods as _, OptionalExtension as _, QueryDsl as _, QueryableByName, sql_types};
use diesel_async::{AsyncConnection as _, RunQueryDsl as _, SimpleAsyncConnection as _};
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;
use tigertrust_credentials::ports::StoreError;
use tigertrust_model::Timestamp;

use super::{
    Connection,
    file::DatabaseFile,
    migrations, queries,
    schema::{audit_events, changes},
};
use crate::{
    DatabaseUrl,
    backup::{BackupError, Copied},
    error::OrUnavailable as _,
    identifier::quoted,
    migrations::{Mark, MigrationError, compare},
    storage::SchemaState,
    types::StoredTime,
};

/// How long to wait for others that have the file locked.
const PATIENCE: Duration = Duration::from_secs(60);
/// What SQLite may keep beside a file; whoever has it open has some of it there.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

pub(crate) async fn write(url: &DatabaseUrl, to: &Path) -> Result<Copied, BackupError> {
    let file = DatabaseFile::of(url);
    file.ensure_there()?;
    refuse_existing(to)?;
    let part = part_beside(to)?;
    let name = utf8(part.path())?;
    let mut connection = connect(&file.uri()).await?;
    // One read transaction: the copy is of one moment, and whoever writes does not wait.
    diesel::sql_query("VACUUM INTO ?")
        .bind::<sql_types::Text, _>(name)
        .execute(&mut connection)
        .await
        .or_unavailable()?;
    let (copied, state) = look_into(part.path(), to).await?;
    // It would be taken for a copy of an instance.
    if state == SchemaState::HalfMoved {
        return Err(BackupError::HalfMoved);
    }
    put(part, to)?;
    Ok(copied)
}

pub(crate) async fn restore(from: &Path, url: &DatabaseUrl, now: Timestamp) -> Result<Copied, BackupError> {
    let file = DatabaseFile::of(url);
    let to = file.path();
    refuse_existing(to)?;
    for suffix in BESIDE {
        refuse_existing(&with_suffix(to, suffix))?;
    }
    let log = fs::metadata(with_suffix(from, "-wal"));
    if log.is_ok_and(|log| log.len() > 0) {
        return Err(BackupError::HasLog(from.to_owned()));
    }
    file.make_folder()?;
    let mut part = part_beside(to)?;
    let mut source = File::open(from).map_err(unusable(from))?;
    io::copy(&mut source, part.as_file_mut()).map_err(unusable(from))?;
    let (copied, state) = look_into(part.path(), from).await?;
    match state {
        SchemaState::Newer(unknown) => return Err(BackupError::Newer(unknown)),
        SchemaState::HalfMoved => return Err(BackupError::HalfMoved),
        // What was moved away is whole, and goes on bearing the mark.
        SchemaState::Current
        | SchemaState::Pending(_)
        | SchemaState::Expanded(_)
        | SchemaState::MovedAway => {}
    }
    let mut connection = connect(&DatabaseFile::at(utf8(part.path())?).uri()).await?;
    // What is put in place is one file, and has nothing beside it.
    connection
        .batch_execute("PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL")
        .await
        .or_unavailable()?;
    queries::leap(&mut connection, now).await?;
    drop(connection);
    put(part, to)?;
    Ok(copied)
}

pub(crate) async fn leap(url: &DatabaseUrl, now: Timestamp) -> Result<u64, MigrationError> {
    let file = DatabaseFile::of(url);
    file.ensure_there()?;
    Ok(queries::leap(&mut connect(&file.uri()).await?, now).await?)
}

#[derive(QueryableByName)]
struct Said {
    #[diesel(sql_type = sql_types::Text)]
    said: String,
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = sql_types::BigInt)]
    count: i64,
}

/// Reads a copy from end to end, and how its schema compares. Errors call it `name`.
async fn look_into(path: &Path, name: &Path) -> Result<(Copied, SchemaState), BackupError> {
    let not_ours = || BackupError::NotOurs(name.to_owned());
    let damaged = |problem: String| BackupError::Damaged {
        path: name.to_owned(),
        problem,
    };
    // Nobody else has it, so that no log is looked for and none is made.
    let uri = format!("{}&immutable=1", DatabaseFile::at(utf8(path)?).uri());
    let mut connection = connect(&uri).await?;
    let applied = queries::applied_migrations(&mut connection).await;
    let applied = applied.map_err(|_| not_ours())?;
    let known = migrations::known();
    let first = known.as_slice().first().map(|first| &first.version);
    if applied.as_slice().first() != first {
        return Err(not_ours());
    }
    let found: Vec<Said> = diesel::sql_query(
        "SELECT integrity_check AS said FROM pragma_integrity_check WHERE integrity_check <> 'ok' \
         UNION ALL SELECT \"table\" || ' refers to a row that is not there' FROM pragma_foreign_key_check",
    )
    .load(&mut connection)
    .await
    .map_err(|error| damaged(error.to_string()))?;
    if let Some(first) = found.as_slice().first() {
        return Err(damaged(first.said.clone()));
    }
    let names: Vec<Said> = diesel::sql_query(
        "SELECT name AS said FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
         AND name <> '__diesel_schema_migrations' ORDER BY name",
    )
    .load(&mut connection)
    .await
    .or_unavailable()?;
    let mut tables = Vec::with_capacity(names.len());
    for Said { said: table } in names {
        let count = format!("SELECT count(*) AS count FROM {}", quoted(&table));
        let Count { count } = diesel::sql_query(count)
            .get_result(&mut connection)
            .await
            .or_unavailable()?;
        tables.push((table, u64::try_from(count).unwrap_or(0)));
    }
    let last_change: Option<StoredTime> = changes::table
        .select(changes::created_at)
        .order(changes::seq.desc())
        .first(&mut connection)
        .await
        .optional()
        .or_unavailable()?;
    let mut last_act: Option<StoredTime> = None;
    // A copy may be older than the log.
    if tables.iter().any(|(name, _)| name == "audit_events") {
        last_act = audit_events::table
            .select(audit_events::created_at)
            .order(audit_events::created_at.desc())
            .first(&mut connection)
            .await
            .optional()
            .or_unavailable()?;
    }
    let (bytes, sha256) = digest(path).map_err(unusable(name))?;
    let newest = applied.iter().rfind(|version| !Mark::is_one(version));
    let copied = Copied {
        bytes,
        sha256,
        schema: newest.cloned().unwrap_or_default(),
        last_act_at: [last_change, last_act]
            .into_iter()
            .flatten()
            .filter_map(StoredTime::read)
            .max(),
        tables,
    };
    Ok((copied, compare(&known, &applied)))
}

async fn connect(uri: &str) -> Result<Connection, StoreError> {
    let connection = Connection::establish(uri).await;
    let mut connection = connection.map_err(StoreError::unavailable)?;
    let settings = format!(
        "PRAGMA busy_timeout = {}; PRAGMA foreign_keys = ON",
        PATIENCE.as_millis()
    );
    connection.batch_execute(&settings).await.or_unavailable()?;
    Ok(connection)
}

/// A file that is still to get its name, in the same folder, for the owner's eyes only. It is gone if it never gets it.
fn part_beside(to: &Path) -> Result<NamedTempFile, BackupError> {
    let folder = folder(to);
    tempfile::Builder::new()
        .prefix(".tigertrust-")
        .suffix(".part")
        .tempfile_in(folder)
        // Its own error names the part, which nobody has asked for.
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => io::Error::other("there is no such folder"),
            other => other.into(),
        })
        .map_err(unusable(folder))
}

/// Gives it its name once the disk has it, unless the name was taken meanwhile.
fn put(part: NamedTempFile, to: &Path) -> Result<(), BackupError> {
    part.as_file().sync_all().map_err(unusable(to))?;
    part.persist_noclobber(to)
        .map_err(|refused| match refused.error.kind() {
            io::ErrorKind::AlreadyExists => BackupError::Exists(to.to_owned()),
            _ => unusable(to)(refused.error),
        })?;
    let folder = File::open(folder(to)).and_then(|folder| folder.sync_all());
    folder.map_err(unusable(to))
}

fn folder(of: &Path) -> &Path {
    let parent = of.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

fn refuse_existing(path: &Path) -> Result<(), BackupError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Err(BackupError::Exists(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(unusable(path)(error)),
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn utf8(path: &Path) -> Result<&str, BackupError> {
    let text = path.to_str();
    text.ok_or_else(|| unusable(path)(io::Error::other("its name is not UTF-8")))
}

fn unusable(path: &Path) -> impl Fn(io::Error) -> BackupError + use<> {
    let path = path.to_owned();
    move |source| BackupError::File {
        path: path.clone(),
        source,
    }
}

fn digest(path: &Path) -> io::Result<(u64, [u8; 32])> {
    let mut file = File::open(path)?;
    let (mut hasher, mut bytes) = (Sha256::new(), 0);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = file.read(&mut buffer)?;
        let Some(part) = buffer.get(..read).filter(|part| !part.is_empty()) else {
            return Ok((bytes, hasher.finalize().into()));
        };
        hasher.update(part);
        bytes += read as u64;
    }
}

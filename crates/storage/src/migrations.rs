//! Migrations: what brings a database's schema to what this program knows.
//!
//! They are embedded in the program. Two processes that start at once migrate once: the second waits and finds nothing
//! left to do.

mod kind;
mod marks;
pub(crate) mod texts;

use diesel::{
    backend::Backend,
    migration::{Migration, MigrationSource},
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness};
use tigertrust_credentials::ports::StoreError;

pub use self::kind::MigrationKind;
pub(crate) use self::marks::Mark;
#[cfg(feature = "postgres")]
use crate::postgres;
#[cfg(feature = "sqlite")]
use crate::sqlite;
use crate::{DatabaseUrl, OpenError, storage::SchemaState, url::Engine};

/// Why the schema cannot be changed or looked at.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// There is no file, or the program was built without the engine.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database was migrated by a newer program, whose migrations this one does not know.
    #[error("the database is newer than this program: it has {}", .0.join(", "))]
    Newer(Vec<String>),
    /// There is no database, and the role of the URL may not make it, or not there.
    #[error(
        "there is no database {name}, and it cannot be made ({problem}): make it as an administrator of PostgreSQL, owned by the role \
         of the URL (`CREATE DATABASE … OWNER …`), or give the role CREATEDB"
    )]
    NotCreated {
        /// The database.
        name: String,
        /// What PostgreSQL says.
        problem: String,
    },
    /// An instance was being moved into the database.
    #[error(
        "an instance was being moved into the database, and not all of it is there: run the same `tigertrust move` again"
    )]
    HalfMoved,
    /// The instance in the database was moved into another one.
    #[error(
        "the instance in this database was moved into another one: set database.url to that one, or run `tigertrust move --reopen` \
         to stay with this one"
    )]
    MovedAway,
    /// The database cannot be reached, or refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A migration that this program knows.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// What the database remembers of it.
    pub(crate) version: String,
    /// What people call it.
    pub(crate) name: String,
}

/// What is to come for a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Whether there is no database yet, which would be made.
    pub makes_database: bool,
    /// What would run, in that order.
    pub migrations: Vec<Planned>,
    /// What a newer program has run, by version. This one may work on it as it is, or there would be no plan.
    pub newer: Vec<String>,
}

/// A migration that would run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Its name.
    pub name: String,
    /// What it means for programs that do not know it.
    pub kind: MigrationKind,
    /// What it does.
    pub sql: &'static str,
}

/// What to do with a schema.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Work {
    Run,
    RevertLast,
}

/// Runs the migrations that the database has not seen, and returns their names.
///
/// # Errors
/// [`MigrationError`]; a database that is newer than this program is left alone.
pub async fn run(url: &DatabaseUrl) -> Result<Vec<String>, MigrationError> {
    work(url, Work::Run).await
}

/// Reverts the latest migration, and what it added is lost. Returns its name; none if there is none.
///
/// # Errors
/// [`MigrationError`].
pub async fn revert_last(url: &DatabaseUrl) -> Result<Option<String>, MigrationError> {
    Ok(work(url, Work::RevertLast).await?.pop())
}

/// What [`run`] would do, after [`create_database_if_missing`]. Changes nothing.
///
/// # Errors
/// [`MigrationError`], also where [`run`] would refuse.
pub async fn plan(url: &DatabaseUrl) -> Result<Plan, MigrationError> {
    let is_there = is_there(url).await?;
    let (known, applied) = look(url, is_there).await?;
    let texts: &[(&str, &str)] = match url.engine() {
        #[cfg(feature = "postgres")]
        Engine::Postgres => texts::POSTGRES,
        #[cfg(feature = "sqlite")]
        Engine::Sqlite => texts::SQLITE,
        #[allow(unreachable_patterns, reason = "every engine may be built in")]
        _ => &[],
    };
    let newer = newer_that_allow_work(&known, &applied)?;
    let pending = known.iter().filter(|one| !applied.contains(&one.version));
    let migrations = pending.map(|one| Planned {
        name: one.name.clone(),
        kind: MigrationKind::of_known(&one.version),
        sql: texts
            .iter()
            .find(|(name, _)| *name == one.name)
            .map_or("", |(_, sql)| sql),
    });
    Ok(Plan {
        makes_database: !is_there,
        migrations: migrations.collect(),
        newer,
    })
}

/// The migrations by name, oldest first, and whether each was applied; then what the database has seen that this program
/// does not know. Changes nothing.
///
/// # Errors
/// [`MigrationError`], also for a database that a move has left in a state that no program works on.
pub async fn status(url: &DatabaseUrl) -> Result<Vec<(String, bool)>, MigrationError> {
    let (known, applied) = look(url, true).await?;
    if let Some(mark) = Mark::among(&applied) {
        return Err(mark.into());
    }
    let unknown = unknown(&known, &applied)
        .into_iter()
        .map(|version| (version, true));
    Ok(known
        .iter()
        .map(|migration| (migration.name.clone(), applied.contains(&migration.version)))
        .chain(unknown)
        .collect())
}

/// Makes an empty database where there is none, and returns whether it did. On PostgreSQL this needs the right to make
/// databases and a database `postgres` to connect to; on SQLite it is a file for the owner's eyes only.
///
/// # Errors
/// [`MigrationError`].
pub async fn create_database_if_missing(url: &DatabaseUrl) -> Result<bool, MigrationError> {
    match url.engine() {
        #[cfg(feature = "postgres")]
        Engine::Postgres => postgres::migrations::create_if_missing(url).await,
        #[cfg(feature = "sqlite")]
        Engine::Sqlite => sqlite::migrations::create_if_missing(url),
        #[allow(unreachable_patterns, reason = "every engine may be built in")]
        missing => Err(missing.not_built_in().into()),
    }
}

/// Whether there is a database.
pub(crate) async fn is_there(url: &DatabaseUrl) -> Result<bool, MigrationError> {
    match url.engine() {
        #[cfg(feature = "postgres")]
        Engine::Postgres => postgres::migrations::is_there(url).await,
        #[cfg(feature = "sqlite")]
        Engine::Sqlite => Ok(sqlite::migrations::is_there(url)),
        #[allow(unreachable_patterns, reason = "every engine may be built in")]
        missing => Err(missing.not_built_in().into()),
    }
}

/// What a move has left in the database, if anything.
pub(crate) async fn mark(url: &DatabaseUrl) -> Result<Option<Mark>, MigrationError> {
    let (_, applied) = look(url, true).await?;
    Ok(Mark::among(&applied))
}

/// The migrations that this program knows, and the versions that the database has seen.
async fn look(url: &DatabaseUrl, is_there: bool) -> Result<(Vec<Known>, Vec<String>), MigrationError> {
    let known = match url.engine() {
        #[cfg(feature = "postgres")]
        Engine::Postgres => postgres::migrations::known(),
        #[cfg(feature = "sqlite")]
        Engine::Sqlite => sqlite::migrations::known(),
        #[allow(unreachable_patterns, reason = "every engine may be built in")]
        missing => return Err(missing.not_built_in().into()),
    };
    let applied = match url.engine() {
        _ if !is_there => Vec::new(),
        #[cfg(feature = "postgres")]
        Engine::Postgres => postgres::migrations::applied(url).await?,
        #[cfg(feature = "sqlite")]
        Engine::Sqlite => sqlite::migrations::applied(url).await?,
        #[allow(unreachable_patterns, reason = "every engine may be built in")]
        missing => return Err(missing.not_built_in().into()),
    };
    Ok((known, applied))
}

async fn work(url: &DatabaseUrl, work: Work) -> Result<Vec<String>, MigrationError> {
    match url.engine() {
        #[cfg(feature = "postgres")]
        Engine::Postgres => postgres::migrations::migrate(url, work).await,
        #[cfg(feature = "sqlite")]
        Engine::Sqlite => sqlite::migrations::migrate(url, work).await,
        #[allow(unreachable_patterns, reason = "every engine may be built in")]
        missing => Err(missing.not_built_in().into()),
    }
}

/// What a program that knows these migrations says of a database that has seen those.
pub(crate) fn compare(known: &[Known], applied: &[String]) -> SchemaState {
    let newer = match newer_that_allow_work(known, applied) {
        Ok(newer) => newer,
        Err(Refused(unknown)) => {
            return Mark::among(&unknown).map_or(SchemaState::Newer(unknown), SchemaState::from);
        }
    };
    let pending: Vec<String> = known
        .iter()
        .filter(|migration| !applied.contains(&migration.version))
        .map(|migration| migration.name.clone())
        .collect();
    match (pending.is_empty(), newer.is_empty()) {
        (true, true) => SchemaState::Current,
        (true, false) => SchemaState::Expanded(newer),
        (false, _) => SchemaState::Pending(pending),
    }
}

/// Versions that this program does not know, and that do not let it work.
struct Refused(Vec<String>);

impl From<Refused> for MigrationError {
    fn from(Refused(unknown): Refused) -> Self {
        Mark::among(&unknown).map_or(Self::Newer(unknown), Self::from)
    }
}

/// What a newer program has run, if this one may go on as if it had not: nothing but additions, to a schema that is otherwise the one
/// that this program knows. One that has both is of a program that went another way.
fn newer_that_allow_work(known: &[Known], applied: &[String]) -> Result<Vec<String>, Refused> {
    let unknown = unknown(known, applied);
    let only_adds = unknown
        .iter()
        .all(|version| MigrationKind::of_unknown(version) == MigrationKind::Expand);
    let is_complete = known.iter().all(|one| applied.contains(&one.version));
    if unknown.is_empty() || (only_adds && is_complete) {
        Ok(unknown)
    } else {
        Err(Refused(unknown))
    }
}

fn unknown(known: &[Known], applied: &[String]) -> Vec<String> {
    applied
        .iter()
        .filter(|version| known.iter().all(|migration| migration.version != **version))
        .cloned()
        .collect()
}

/// The migrations of an engine, oldest first. Empty if one has a name that cannot be read, which the build would not let
/// through.
pub(crate) fn known<DB: Backend>(source: &EmbeddedMigrations) -> Vec<Known> {
    let mut known: Vec<Known> = MigrationSource::<DB>::migrations(source)
        .unwrap_or_default()
        .iter()
        .map(|migration| Known {
            version: migration.name().version().to_string(),
            name: migration.name().to_string(),
        })
        .collect();
    known.sort_unstable_by(|left, right| left.version.cmp(&right.version));
    known
}

/// Does the work. The caller holds the lock that keeps others from doing the same.
pub(crate) fn carry_out<DB, H>(
    work: Work,
    harness: &mut H,
    source: EmbeddedMigrations,
) -> Result<Vec<String>, MigrationError>
where
    DB: Backend,
    H: MigrationHarness<DB>,
{
    let applied: Vec<String> = harness
        .applied_migrations()
        .map_err(StoreError::unavailable)?
        .iter()
        .map(ToString::to_string)
        .collect();
    let newer = newer_that_allow_work(&known::<DB>(&source), &applied)?;
    // What was added last is not ours to take away.
    if matches!(work, Work::RevertLast) && !newer.is_empty() {
        return Err(MigrationError::Newer(newer));
    }
    let mut all = MigrationSource::<DB>::migrations(&source).map_err(StoreError::unavailable)?;
    all.sort_unstable_by(|left, right| left.name().version().cmp(&right.name().version()));
    let is_applied =
        |migration: &dyn Migration<DB>| applied.contains(&migration.name().version().to_string());
    let mut done = Vec::new();
    match work {
        Work::Run => {
            for migration in all.iter().filter(|migration| !is_applied(&***migration)) {
                harness
                    .run_migration(&**migration)
                    .map_err(StoreError::unavailable)?;
                done.push(migration.name().to_string());
            }
        }
        Work::RevertLast => {
            if let Some(migration) = all.iter().rev().find(|migration| is_applied(&***migration)) {
                harness
                    .revert_migration(&**migration)
                    .map_err(StoreError::unavailable)?;
                done.push(migration.name().to_string());
            }
        }
    }
    Ok(done)
}

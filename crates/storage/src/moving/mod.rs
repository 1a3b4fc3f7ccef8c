//! Moves a whole instance from one engine to the other.
//!
//! Both databases are this program's alone meanwhile: nobody writes to the source, and nobody uses the target. The target bears a
//! mark from before the first row to after the last comparison, which keeps every program from working on it. Rows are stored
//! batch by batch, each in one transaction with how far it went: so a move that was stopped, in whatever way, goes on from there. In
//! the end the source gets a mark of its own, before the target loses its one: at no moment may both be worked on.

pub(crate) mod dialect;
mod error;
mod layout;
mod tables;
mod tally;

use std::{fmt, num::NonZeroUsize};

use async_trait::async_trait;
use futures_util::future::try_join;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tigertrust_credentials::ports::StoreError;
use tigertrust_model::Timestamp;

pub use self::{
    error::{MoveError, Place},
    tally::Tally,
};
use self::{
    layout::{Catalog, MIGRATIONS, Table, layout},
    tables::{Fate, NOT_NEW, TABLES, fate},
    tally::Row,
};
use crate::{
    DatabaseUrl, backup,
    identifier::quoted,
    migrations::{self, Mark, MigrationError, compare},
    postgres, sqlite,
    storage::SchemaState,
    url::Engine,
};

/// How many rows go at once, if nothing speaks against it.
pub const BATCH: NonZeroUsize = NonZeroUsize::new(2000).unwrap();
/// Where the target keeps how far the move went: of which source, and after which row of which table.
const PROGRESS: &str = "tigertrust_move";
/// What every act on the source leaves its trace in, and every server that runs.
const TELLTALES: [&str; 3] = ["change_head", "clock_mark", "audit_heads"];

/// One of the two databases, on a connection of its own that nobody else works beside.
#[async_trait]
pub(crate) trait Side: Send {
    fn engine(&self) -> Engine;
    /// Keeps others from writing to these tables for as long as this lives.
    async fn hold(&mut self, tables: &str) -> Result<(), StoreError>;
    /// Lets others write again, and makes what was written meanwhile last.
    async fn release(&mut self) -> Result<(), StoreError>;
    /// Does what is good for tables that were just filled.
    async fn settle(&mut self, tables: &str) -> Result<(), StoreError>;
    /// What statements are made on.
    fn connection(&mut self) -> &mut dyn Statements;

    async fn texts(&mut self, statement: &str, parameters: &[&str]) -> Result<Vec<String>, StoreError> {
        self.connection().texts(statement, parameters).await
    }

    async fn execute(&mut self, statement: &str, parameters: &[&str]) -> Result<usize, StoreError> {
        self.connection().execute(statement, parameters).await
    }

    async fn batch(&mut self, statements: &str) -> Result<(), StoreError> {
        self.connection().batch(statements).await
    }
}

/// What takes statements that are put together while the program runs, on both engines.
#[async_trait]
pub(crate) trait Statements: Send {
    /// What a statement answers in its one column, `value`.
    async fn texts(&mut self, statement: &str, parameters: &[&str]) -> Result<Vec<String>, StoreError>;
    /// Executes a statement, and returns how many rows it was about.
    async fn execute(&mut self, statement: &str, parameters: &[&str]) -> Result<usize, StoreError>;
    /// Executes statements without parameters.
    async fn batch(&mut self, statements: &str) -> Result<(), StoreError>;
}

async fn open(url: &DatabaseUrl, place: Place) -> Result<Box<dyn Side>, MoveError> {
    Ok(match url.engine() {
        Engine::Postgres => Box::new(postgres::moving::Database::open(url, place).await?),
        Engine::Sqlite => Box::new(sqlite::moving::Database::open(url, place).await?),
    })
}

/// How far a move went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The table that is worked on.
    pub table: String,
    /// How many of its rows are done.
    pub rows: u64,
    /// How many rows are done in all.
    pub done: u64,
}

/// What both databases have of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// Its name.
    pub table: String,
    /// What the source has.
    pub source: Tally,
    /// What the target has.
    pub target: Tally,
}

impl Compared {
    /// Whether it is the same.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.source == self.target
    }
}

/// How a move ended.
#[derive(Debug)]
pub struct Conclusion {
    /// What both databases have of each table.
    pub tables: Vec<Compared>,
    /// Why the source bears no mark, although it was moved: it takes no writes. Nothing then keeps a server from running over it.
    pub unmarked: Option<StoreError>,
}

impl Conclusion {
    /// Whether both databases have the same.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.tables.iter().all(Compared::is_equal)
    }
}

/// After which row a move goes on.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Position {
    table: String,
    after: Option<Vec<String>>,
    rows: u64,
    /// Whether all was found alike, and only the marks are left to be set: no other target of a source that has moved is to be served.
    #[serde(default)]
    is_ready: bool,
}

/// A move that has begun. If it is dropped, the same can be begun once more, and goes on.
pub struct Move {
    source: Box<dyn Side>,
    target: Box<dyn Side>,
    tables: Vec<(Table, u64)>,
    position: Position,
    batch: NonZeroUsize,
}

impl Move {
    /// Begins to move, or goes on: locks both databases, makes the target's where it is missing, and brings its schema up to date.
    /// `batch` rows go at once; [`BATCH`] is good.
    ///
    /// # Errors
    /// [`MoveError`]; the source is as it was.
    pub async fn begin(from: &DatabaseUrl, to: &DatabaseUrl, batch: NonZeroUsize) -> Result<Self, MoveError> {
        if from.engine() == to.engine() {
            return Err(MoveError::SameEngine);
        }
        let mut source = open(from, Place::Source).await?;
        let there = Catalog::read(&mut *source).await?;
        let names = there.names().map(quoted).collect::<Vec<_>>().join(", ");
        if !names.is_empty() {
            source.hold(&names).await?;
        }
        let seen = versions(&mut *source, &there).await?;
        // If it was stopped just before its end, the same move goes on all the same.
        let bears_mark = Mark::MovedAway.is_among(&seen);
        ensure_schema(
            &*source,
            Place::Source,
            seen,
            bears_mark.then_some(Mark::MovedAway),
        )?;

        if bears_mark && !migrations::is_there(to).await? {
            return Err(MoveError::MovedAway);
        }
        create_target(to).await?;
        let mut target = open(to, Place::Target).await?;
        let mut here = Catalog::read(&mut *target).await?;
        if !here.has(PROGRESS) {
            if bears_mark {
                return Err(MoveError::MovedAway);
            }
            ensure_empty(&mut *target, &here).await?;
            drop(target);
            migrations::run(to).await?;
            target = open(to, Place::Target).await?;
            here = Catalog::read(&mut *target).await?;
        }
        let seen = versions(&mut *target, &here).await?;
        let own = here.has(PROGRESS).then_some(Mark::UnfinishedMove);
        ensure_schema(&*target, Place::Target, seen, own)?;
        let tables = layout((source.engine(), &there), (target.engine(), &here))?;
        let tables = counted(&mut *source, tables).await?;
        let fingerprint = fingerprint(&mut *source, &tables).await?;
        let position = if here.has(PROGRESS) {
            resume(&mut *target, &fingerprint).await?
        } else {
            claim(&mut *target, &here, &fingerprint, &tables).await?
        };
        if bears_mark && !position.is_ready {
            return Err(MoveError::MovedAway);
        }
        Ok(Self {
            source,
            target,
            tables,
            position,
            batch,
        })
    }

    /// How many rows there are to be moved, with those that were moved before.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|(_, rows)| rows).sum()
    }

    /// How many rows were moved before.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.progress(self.place()).done
    }

    /// Moves some rows. None if there are none left.
    ///
    /// # Errors
    /// [`MoveError`]; what was moved before stays.
    pub async fn step(&mut self) -> Result<Option<Progress>, MoveError> {
        loop {
            let place = self.place();
            let Some((table, _)) = self.tables.get(place) else {
                return Ok(None);
            };
            let after = self.position.after.as_deref();
            let rows = page(&mut *self.source, table, after, self.batch).await?;
            if let Some(last) = rows.last() {
                let position = Position {
                    table: table.name.clone(),
                    after: Some(key_of(table, last)?),
                    rows: self.position.rows + rows.len() as u64,
                    is_ready: false,
                };
                store(&mut *self.target, table, &rows, &position).await?;
                self.position = position;
                return Ok(Some(self.progress(place)));
            }
            let Some((next, _)) = self.tables.get(place + 1) else {
                return Ok(None);
            };
            self.position = Position {
                table: next.name.clone(),
                after: None,
                rows: 0,
                is_ready: false,
            };
        }
    }

    /// Reads both databases from end to end and compares them, table by table. If all are the same, the target is ready to be served,
    /// and the source is not any longer; otherwise the target keeps its mark. `tell` hears how far it is.
    ///
    /// # Errors
    /// [`MoveError`]; the target keeps its mark.
    pub async fn conclude(
        mut self,
        tell: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Conclusion, MoveError> {
        let mut compared = Vec::with_capacity(self.tables.len());
        let mut unmarked = None;
        let mut done = 0;
        for (table, _) in &self.tables {
            let mut tell = |rows| {
                tell(Progress {
                    table: table.name.clone(),
                    rows,
                    done: done + rows,
                });
            };
            let (source, target) = try_join(
                tally(&mut *self.source, table, self.batch, &mut tell),
                tally(&mut *self.target, table, self.batch, &mut |_| {}),
            )
            .await?;
            done += source.rows;
            compared.push(Compared {
                table: table.name.clone(),
                source,
                target,
            });
        }
        if compared.iter().all(Compared::is_equal) {
            let names = self.tables.iter().map(|(table, _)| quoted(&table.name));
            let names = names.collect::<Vec<_>>().join(", ");
            self.target.settle(&names).await?;
            self.position.is_ready = true;
            note(&mut *self.target, &self.position).await?;
            // The source first: if this ends in between, neither can be worked on until the same move is begun once more.
            unmarked = mark_source(&mut *self.source).await.err();
            let unmark = format!(
                "BEGIN; DROP TABLE {PROGRESS}; DELETE FROM {MIGRATIONS} WHERE version = '{}'; COMMIT",
                Mark::UnfinishedMove.version()
            );
            self.target.batch(&unmark).await?;
        }
        Ok(Conclusion {
            tables: compared,
            unmarked,
        })
    }

    /// Which table is worked on.
    fn place(&self) -> usize {
        let mut tables = self.tables.iter();
        let place = tables.position(|(table, _)| table.name == self.position.table);
        place.unwrap_or(self.tables.len())
    }

    fn progress(&self, place: usize) -> Progress {
        let before = self.tables.iter().take(place).map(|(_, rows)| rows);
        Progress {
            table: self.position.table.clone(),
            rows: self.position.rows,
            done: before.sum::<u64>() + self.position.rows,
        }
    }
}

impl fmt::Debug for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Move").finish_non_exhaustive()
    }
}

/// Lets a database be worked on again whose instance was moved into another one. It is taken for one that went back in time, since the
/// other one may have been served meanwhile: returns the number from which changes are numbered on, which nobody can have heard of.
///
/// # Errors
/// [`MoveError`]; the mark stays.
pub async fn reopen(url: &DatabaseUrl, now: Timestamp) -> Result<u64, MoveError> {
    match migrations::mark(url).await? {
        Some(Mark::MovedAway) => {}
        Some(Mark::UnfinishedMove) => return Err(MigrationError::HalfMoved.into()),
        None => return Err(MoveError::NotMovedAway),
    }
    let number = backup::leap(url, now).await?;
    let mut database = open(url, Place::Source).await?;
    let unmark = format!(
        "DELETE FROM {MIGRATIONS} WHERE version = '{}'",
        Mark::MovedAway.version()
    );
    database.batch(&unmark).await?;
    Ok(number)
}

/// Makes the target where it is missing.
async fn create_target(to: &DatabaseUrl) -> Result<(), MoveError> {
    match migrations::create_database_if_missing(to).await {
        Ok(_) => Ok(()),
        Err(MigrationError::Open(error)) => Err(MoveError::Unusable(Place::Target, error)),
        Err(MigrationError::Store(error)) => Err(MoveError::Unreachable(Place::Target, error)),
        Err(other) => Err(other.into()),
    }
}

/// Keeps every program from working on the source, unless that was done already.
async fn mark_source(source: &mut dyn Side) -> Result<(), StoreError> {
    let mark = format!(
        "INSERT INTO {MIGRATIONS} (version) VALUES ('{}') ON CONFLICT DO NOTHING",
        Mark::MovedAway.version()
    );
    source.batch(&mark).await?;
    source.release().await
}

/// The versions of the migrations that a database has seen.
async fn versions(side: &mut dyn Side, catalog: &Catalog) -> Result<Vec<String>, StoreError> {
    if !catalog.has(MIGRATIONS) {
        return Ok(Vec::new());
    }
    let versions = format!("SELECT version AS value FROM {MIGRATIONS} ORDER BY version");
    side.texts(&versions, &[]).await
}

/// The schema must be the one that this program knows, to the last migration: what a newer one has added would be lost. A mark that
/// this move has set itself does not count.
fn ensure_schema(
    side: &dyn Side,
    place: Place,
    mut applied: Vec<String>,
    own: Option<Mark>,
) -> Result<(), MoveError> {
    applied.retain(|version| own.is_none_or(|own| own.version() != version));
    let known = match side.engine() {
        Engine::Postgres => postgres::migrations::known(),
        Engine::Sqlite => sqlite::migrations::known(),
    };
    match compare(&known, &applied) {
        SchemaState::Current => Ok(()),
        SchemaState::HalfMoved => Err(MoveError::HalfMoved),
        SchemaState::MovedAway => Err(MoveError::MovedAway),
        SchemaState::Pending(names) => Err(MoveError::Behind(place, names)),
        SchemaState::Expanded(versions) | SchemaState::Newer(versions) => {
            Err(MoveError::Ahead(place, versions))
        }
    }
}

/// Nothing is moved into what others use, and not even its schema is changed.
async fn ensure_empty(target: &mut dyn Side, catalog: &Catalog) -> Result<(), MoveError> {
    let foreign = catalog.foreign();
    if !foreign.is_empty() {
        return Err(MoveError::Foreign(foreign));
    }
    let mut filled = Vec::new();
    for name in catalog.names().filter(|name| fate(name) != Some(Fate::Left)) {
        let not_new = NOT_NEW.iter().find(|(table, _)| *table == name);
        let condition = not_new.map_or("1 = 1", |(_, condition)| condition);
        let some = format!(
            "SELECT '1' AS value FROM {} WHERE {condition} LIMIT 1",
            quoted(name)
        );
        if !target.texts(&some, &[]).await?.is_empty() {
            filled.push(name.to_owned());
        }
    }
    if filled.is_empty() {
        Ok(())
    } else {
        Err(MoveError::NotEmpty(filled))
    }
}

/// The tables, each with how many rows it has.
async fn counted(source: &mut dyn Side, tables: Vec<Table>) -> Result<Vec<(Table, u64)>, MoveError> {
    let mut counted = Vec::with_capacity(tables.len());
    for table in tables {
        let count = format!(
            "SELECT CAST(count(*) AS TEXT) AS value FROM {}",
            quoted(&table.name)
        );
        let count = source.texts(&count, &[]).await?;
        let count = count.as_slice().first().and_then(|count| count.parse().ok());
        counted.push((table, count.unwrap_or(0)));
    }
    Ok(counted)
}

/// What another source has otherwise, and this one once it was worked on. That nothing has changed is known for certain at the end,
/// when all is compared; this tells it at the beginning.
async fn fingerprint(source: &mut dyn Side, tables: &[(Table, u64)]) -> Result<String, MoveError> {
    let mut hasher = Sha256::new();
    for (table, rows) in tables {
        hasher.update(format!("{} {rows}\n", table.name));
        if !TELLTALES.contains(&table.name.as_str()) {
            continue;
        }
        let mut after = None;
        loop {
            let rows = page(source, table, after.as_deref(), BATCH).await?;
            let Some(last) = rows.last() else { break };
            after = Some(key_of(table, last)?);
            rows.iter().for_each(|row| hasher.update(row));
        }
    }
    let digest = hasher.finalize();
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Marks the target, which must be empty, and takes away what a new database begins with.
async fn claim(
    target: &mut dyn Side,
    catalog: &Catalog,
    fingerprint: &str,
    tables: &[(Table, u64)],
) -> Result<Position, MoveError> {
    let position = Position {
        table: tables
            .first()
            .map_or_else(String::new, |(table, _)| table.name.clone()),
        after: None,
        rows: 0,
        is_ready: false,
    };
    let text = serde_json::to_string(&position).map_err(MoveError::unreadable)?;
    // What fails here ends the connection, and with it the transaction.
    target.batch("BEGIN").await?;
    ensure_empty(target, catalog).await?;
    for (name, _) in TABLES.iter().filter(|(_, fate)| *fate != Fate::Moved) {
        target.batch(&format!("DELETE FROM {}", quoted(name))).await?;
    }
    target
        .batch(&format!(
            "CREATE TABLE {PROGRESS} (source TEXT NOT NULL, position TEXT NOT NULL); \
             INSERT INTO {MIGRATIONS} (version) VALUES ('{}')",
            Mark::UnfinishedMove.version()
        ))
        .await?;
    let insert = match target.engine() {
        Engine::Postgres => format!("INSERT INTO {PROGRESS} (source, position) VALUES ($1, $2)"),
        Engine::Sqlite => format!("INSERT INTO {PROGRESS} (source, position) VALUES (?1, ?2)"),
    };
    target.execute(&insert, &[fingerprint, &text]).await?;
    target.batch("COMMIT").await?;
    Ok(position)
}

/// Where the target says that the move of this source went on.
async fn resume(target: &mut dyn Side, fingerprint: &str) -> Result<Position, MoveError> {
    let of = format!("SELECT source AS value FROM {PROGRESS}");
    if target.texts(&of, &[]).await? != [fingerprint] {
        return Err(MoveError::OtherSource);
    }
    let position = format!("SELECT position AS value FROM {PROGRESS}");
    let position = target.texts(&position, &[]).await?;
    let position = position.as_slice().first().map_or("", String::as_str);
    serde_json::from_str(position).map_err(MoveError::unreadable)
}

/// Rows in the order of their keys, as JSON.
async fn page(
    side: &mut dyn Side,
    table: &Table,
    after: Option<&[String]>,
    batch: NonZeroUsize,
) -> Result<Vec<String>, MoveError> {
    let statement = dialect::page(side.engine(), table, after.is_none(), batch.get());
    let key: Vec<&str> = after.unwrap_or_default().iter().map(String::as_str).collect();
    side.texts(&statement, &key)
        .await
        .map_err(|source| of_table(table, source))
}

fn key_of(table: &Table, row: &str) -> Result<Vec<String>, MoveError> {
    let row: Row = serde_json::from_str(row).map_err(MoveError::unreadable)?;
    table
        .key_of(&row)
        .ok_or_else(|| MoveError::Unreadable(format!("the key of a row of the table {}", table.name)))
}

/// Stores rows and how far that is, or nothing.
async fn store(
    target: &mut dyn Side,
    table: &Table,
    rows: &[String],
    position: &Position,
) -> Result<(), MoveError> {
    let stored: Result<usize, StoreError> = async {
        target.batch("BEGIN").await?;
        let insert = dialect::insert(target.engine(), table);
        let stored = target
            .execute(&insert, &[&format!("[{}]", rows.join(","))])
            .await?;
        note(target, position).await?;
        target.batch("COMMIT").await?;
        Ok(stored)
    }
    .await;
    match stored {
        Ok(stored) if stored == rows.len() => Ok(()),
        Ok(stored) => {
            let problem = format!("{stored} of {} rows were stored", rows.len());
            Err(of_table(table, StoreError::unavailable(problem)))
        }
        Err(source) => {
            // If this fails too, the connection does not work, and the transaction ends with it.
            let _ = target.batch("ROLLBACK").await;
            Err(of_table(table, source))
        }
    }
}

/// Keeps in the target how far the move is.
async fn note(target: &mut dyn Side, position: &Position) -> Result<(), StoreError> {
    let position = serde_json::to_string(position).map_err(StoreError::unavailable)?;
    let update = match target.engine() {
        Engine::Postgres => format!("UPDATE {PROGRESS} SET position = $1"),
        Engine::Sqlite => format!("UPDATE {PROGRESS} SET position = ?1"),
    };
    target.execute(&update, &[&position]).await?;
    Ok(())
}

/// What a table has, read from end to end.
async fn tally(
    side: &mut dyn Side,
    table: &Table,
    batch: NonZeroUsize,
    tell: &mut (dyn FnMut(u64) + Send),
) -> Result<Tally, MoveError> {
    let mut tally = Tally::default();
    let mut after = None;
    loop {
        let rows = page(side, table, after.as_deref(), batch).await?;
        let Some(last) = rows.last() else {
            return Ok(tally);
        };
        after = Some(key_of(table, last)?);
        for row in &rows {
            tally.add(table, serde_json::from_str(row).map_err(MoveError::unreadable)?)?;
        }
        tell(tally.rows);
    }
}

fn of_table(table: &Table, source: StoreError) -> MoveError {
    MoveError::Table {
        table: table.name.clone(),
        source,
    }
}

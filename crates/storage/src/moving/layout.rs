//! The tables and columns, as both databases have them. They are read from the databases: a column that a migration adds is moved
//! without a word of this program, and whatever cannot be moved for certain stops the move.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    MoveError, PROGRESS, Side, dialect,
    tables::{Fate, TABLES, fate},
};
use crate::url::Engine;

/// Diesel's own table.
pub(super) const MIGRATIONS: &str = "__diesel_schema_migrations";

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Id,
    Bytes,
    Text,
    Time,
    Json,
    Bool,
    Integer,
}

impl Kind {
    /// PostgreSQL tells more kinds apart, and SQLite has to agree.
    fn of(postgres: &str, sqlite: &str) -> Option<Self> {
        let (kind, expected) = match postgres {
            "uuid" => (Self::Id, "BLOB"),
            "bytea" => (Self::Bytes, "BLOB"),
            "text" => (Self::Text, "TEXT"),
            "timestamp with time zone" => (Self::Time, "TEXT"),
            "jsonb" => (Self::Json, "TEXT"),
            "boolean" => (Self::Bool, "INTEGER"),
            "smallint" | "integer" | "bigint" => (Self::Integer, "INTEGER"),
            _ => return None,
        };
        (sqlite == expected).then_some(kind)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) name: String,
    /// By name, so that a row has the same form on both engines.
    pub(super) columns: Vec<Column>,
    /// Which of them are the primary key, in its order.
    key: Vec<usize>,
}

impl Table {
    pub(super) fn key(&self) -> impl Iterator<Item = &Column> {
        self.key.iter().filter_map(|place| self.columns.get(*place))
    }

    /// The key of a row.
    pub(super) fn key_of(&self, row: &[Option<String>]) -> Option<Vec<String>> {
        self.key.iter().map(|place| row.get(*place)?.clone()).collect()
    }
}

/// A column, as one of the databases tells it.
#[derive(Clone, Debug)]
struct Told {
    kind: String,
    /// From 1; 0 for a column that is no part of the key.
    place_in_key: u32,
    counts: bool,
}

/// What one of the databases has.
pub(super) struct Catalog(BTreeMap<String, BTreeMap<String, Told>>);

impl Catalog {
    pub(super) async fn read(side: &mut dyn Side) -> Result<Self, MoveError> {
        let mut tables: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        for told in side.texts(dialect::catalog(side.engine()), &[]).await? {
            let (table, column, kind, place_in_key, counts): (String, String, String, u32, bool) =
                serde_json::from_str(&told).map_err(MoveError::unreadable)?;
            let told = Told {
                kind,
                place_in_key,
                counts,
            };
            tables.entry(table).or_default().insert(column, told);
        }
        Ok(Self(tables))
    }

    pub(super) fn has(&self, table: &str) -> bool {
        self.0.contains_key(table)
    }

    /// The tables with data of ours, or of others.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let names = self.0.keys().map(String::as_str);
        names.filter(|name| *name != MIGRATIONS && *name != PROGRESS)
    }

    /// The tables that are none of ours.
    pub(super) fn foreign(&self) -> Vec<String> {
        let foreign = self.names().filter(|name| fate(name).is_none());
        foreign.map(str::to_owned).collect()
    }
}

/// The tables to be moved, in an order in which rows come after those that they refer to.
pub(super) fn layout(
    source: (Engine, &Catalog),
    target: (Engine, &Catalog),
) -> Result<Vec<Table>, MoveError> {
    let (postgres, sqlite) = match (source.0, target.0) {
        (Engine::Postgres, Engine::Sqlite) => (source.1, target.1),
        (Engine::Sqlite, Engine::Postgres) => (target.1, source.1),
        _ => return Err(MoveError::SameEngine),
    };
    let here: BTreeSet<&str> = postgres.names().chain(sqlite.names()).collect();
    let named: BTreeSet<&str> = TABLES.iter().map(|(name, _)| *name).collect();
    if let Some(unknown) = here.symmetric_difference(&named).next() {
        return Err(MoveError::Layout(format!("the table {unknown}")));
    }
    let moved = TABLES.iter().filter(|(_, fate)| *fate != Fate::Left);
    moved.map(|(name, _)| table(name, postgres, sqlite)).collect()
}

fn table(name: &str, postgres: &Catalog, sqlite: &Catalog) -> Result<Table, MoveError> {
    let unknown = |column: &str| MoveError::Layout(format!("the column {column} of the table {name}"));
    let missing = || MoveError::Layout(format!("the table {name}"));
    let postgres = postgres.0.get(name).ok_or_else(missing)?;
    let sqlite = sqlite.0.get(name).ok_or_else(missing)?;
    if let Some(column) = sqlite.keys().find(|column| !postgres.contains_key(*column)) {
        return Err(unknown(column));
    }
    let mut columns = Vec::with_capacity(postgres.len());
    let mut key = Vec::new();
    for (place, (column, told)) in postgres.iter().enumerate() {
        let other = sqlite.get(column).ok_or_else(|| unknown(column))?;
        // What counts by itself would have to be set to where it was.
        let same = told.place_in_key == other.place_in_key && !told.counts && !other.counts;
        let kind = Kind::of(&told.kind, &other.kind).filter(|_| same);
        columns.push(Column {
            name: column.clone(),
            kind: kind.ok_or_else(|| unknown(column))?,
        });
        if told.place_in_key > 0 {
            key.push((told.place_in_key, place));
        }
    }
    if key.is_empty() {
        return Err(missing());
    }
    key.sort_unstable();
    Ok(Table {
        name: name.to_owned(),
        columns,
        key: key.into_iter().map(|(_, place)| place).collect(),
    })
}

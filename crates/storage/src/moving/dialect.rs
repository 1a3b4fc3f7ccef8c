//! How each engine says what a move needs.
//!
//! A value travels as text of one form, whatever the engine: bytes and ids in hexadecimal, times with microseconds in UTC, truth as 1
//! or 0. So a row is a list of texts and nulls, and many rows are one text in JSON, which both engines make and take by themselves.

use super::layout::{Kind, Table};
use crate::{identifier::quoted, url::Engine};

/// The tables, each with its columns: name, type, place in the primary key (0 for none), and whether the database counts it up.
pub(super) const fn catalog(engine: Engine) -> &'static str {
    match engine {
        Engine::Postgres => {
            "SELECT json_build_array(t.relname, a.attname, format_type(a.atttypid, a.atttypmod), \
               coalesce((SELECT k.place FROM pg_index AS i, unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place) \
                         WHERE i.indrelid = t.oid AND i.indisprimary AND k.attnum = a.attnum), 0), \
               a.attidentity <> '' OR coalesce(pg_get_expr(d.adbin, d.adrelid) LIKE '%nextval(%', false))::text AS value \
             FROM pg_class AS t JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped \
             LEFT JOIN pg_attrdef AS d ON d.adrelid = t.oid AND d.adnum = a.attnum \
             WHERE t.relkind IN ('r', 'p') \
               AND t.relnamespace = (SELECT n.oid FROM pg_namespace AS n WHERE n.nspname = current_schema()) \
             ORDER BY t.relname, a.attname"
        }
        Engine::Sqlite => {
            "SELECT json_array(t.name, c.name, c.type, c.pk, \
               json(iif(EXISTS (SELECT 1 FROM sqlite_master AS s WHERE s.name = 'sqlite_sequence'), 'true', 'false'))) AS value \
             FROM sqlite_master AS t, pragma_table_xinfo(t.name) AS c \
             WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY t.name, c.name"
        }
    }
}

/// Rows in the order of the key, as JSON lists of texts: at most `limit` of those after the `after`, whose key the parameters are.
pub(super) fn page(engine: Engine, table: &Table, is_first: bool, limit: usize) -> String {
    let columns = table
        .columns
        .iter()
        .map(|column| read(engine, column.kind, &quoted(&column.name)));
    let columns = joined(columns);
    let row = match engine {
        Engine::Postgres => format!("json_build_array({columns})::text"),
        Engine::Sqlite => format!("json_array({columns})"),
    };
    let key = joined(table.key().map(|column| quoted(&column.name)));
    let rest = if is_first {
        String::new()
    } else {
        let place = |number| match engine {
            Engine::Postgres => format!("${number}"),
            Engine::Sqlite => format!("?{number}"),
        };
        let values = (1..)
            .zip(table.key())
            .map(|(number, column)| write(engine, column.kind, &place(number)));
        format!("WHERE ({key}) > ({})", joined(values))
    };
    let name = quoted(&table.name);
    format!("SELECT {row} AS value FROM {name} {rest} ORDER BY {key} LIMIT {limit}")
}

/// Stores rows, which the one parameter is: a JSON list of such as [`page`] reads.
pub(super) fn insert(engine: Engine, table: &Table) -> String {
    let (row, rows) = match engine {
        Engine::Postgres => ("r.value", "jsonb_array_elements($1::jsonb) AS r (value)"),
        Engine::Sqlite => ("r.value", "json_each(?1) AS r"),
    };
    let names = joined(table.columns.iter().map(|column| quoted(&column.name)));
    let values = table
        .columns
        .iter()
        .enumerate()
        .map(|(place, column)| write(engine, column.kind, &format!("({row} ->> {place})")));
    let values = joined(values);
    let table = quoted(&table.name);
    format!("INSERT INTO {table} ({names}) SELECT {values} FROM {rows}")
}

fn read(engine: Engine, kind: Kind, column: &str) -> String {
    match (engine, kind) {
        (Engine::Postgres, Kind::Id) => format!("encode(uuid_send({column}), 'hex')"),
        (Engine::Postgres, Kind::Bytes) => format!("encode({column}, 'hex')"),
        (Engine::Postgres, Kind::Time) => {
            format!("to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US\"+00:00\"')")
        }
        (Engine::Postgres, Kind::Bool) => format!("{column}::int::text"),
        (Engine::Postgres, Kind::Integer | Kind::Json) => format!("{column}::text"),
        // Of NULL it would be nothing, and not NULL.
        (Engine::Sqlite, Kind::Id | Kind::Bytes) => {
            format!("iif({column} IS NULL, NULL, lower(hex({column})))")
        }
        (Engine::Sqlite, Kind::Bool | Kind::Integer) => format!("CAST({column} AS TEXT)"),
        (_, Kind::Text) | (Engine::Sqlite, Kind::Time | Kind::Json) => column.to_owned(),
    }
}

fn write(engine: Engine, kind: Kind, text: &str) -> String {
    match (engine, kind) {
        (Engine::Postgres, Kind::Id) => format!("{text}::uuid"),
        (Engine::Postgres, Kind::Bytes) => format!("decode({text}, 'hex')"),
        (Engine::Postgres, Kind::Time) => format!("{text}::timestamptz"),
        (Engine::Postgres, Kind::Bool) => format!("{text}::boolean"),
        (Engine::Postgres, Kind::Integer) => format!("{text}::bigint"),
        (Engine::Postgres, Kind::Json) => format!("{text}::jsonb"),
        (Engine::Sqlite, Kind::Id | Kind::Bytes) => format!("unhex({text})"),
        (Engine::Sqlite, Kind::Bool | Kind::Integer) => format!("CAST({text} AS INTEGER)"),
        (_, Kind::Text) | (Engine::Sqlite, Kind::Time | Kind::Json) => text.to_owned(),
    }
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

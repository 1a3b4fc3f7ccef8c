//! `scopes`: which application scopes exist.

use config::Value;
use serde::Deserialize;
use tigertrust_model::{KeyType, Scope, ScopeCatalog, ScopeDefinition};

use super::{
    forms::tables,
    reader::{self, Reader},
};

const KEY: &str = "scopes";
const TABLES: &str = "tables [[scopes]] with name, description and types";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    #[serde(default)]
    description: String,
    types: Vec<String>,
}

/// Reads them; those that we ship where nobody names any.
pub(super) fn read(reader: &mut Reader) -> ScopeCatalog {
    let set = reader.take_any(KEY, TABLES);
    let shipped = ScopeCatalog::shipped_application_scopes();
    let shipped: Vec<&str> = shipped.iter().map(|known| known.scope.as_str()).collect();
    reader.default_is(KEY, &shipped.join(", "));
    let Some((value, origin)) = set else {
        return ScopeCatalog::default();
    };
    if reader::is_variable(&origin) {
        let detail = format!("cannot be an environment variable: write {TABLES} into the configuration file");
        reader.refuse(KEY, &origin, &detail);
        return ScopeCatalog::default();
    }
    read_entries(value).unwrap_or_else(|detail| {
        reader.refuse(KEY, &origin, &detail);
        ScopeCatalog::default()
    })
}

fn read_entries(value: Value) -> Result<ScopeCatalog, String> {
    let entries: Vec<Entry> = tables(value, TABLES)?;
    let mut definitions = Vec::with_capacity(entries.len());
    for entry in entries {
        let name = &entry.name;
        let scope = name
            .parse::<Scope>()
            .map_err(|error| format!("{name:?} {error}"))?;
        let kinds = entry
            .types
            .iter()
            .map(|kind| kind.parse::<KeyType>())
            .collect::<Result<Vec<_>, _>>();
        let types = kinds
            .map_err(|error| format!("{name}: each of types {error}"))?
            .into_iter()
            .collect();
        definitions.push(ScopeDefinition {
            scope,
            description: entry.description,
            types,
        });
    }
    ScopeCatalog::new(definitions).map_err(|(scope, error)| format!("{scope}: {error}"))
}

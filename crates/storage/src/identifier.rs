//! Names of tables, columns and databases in statements.

/// An identifier, as both engines quote it.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

//! How much is in a table, in a form that does not depend on the engine.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{
    MoveError,
    layout::{Kind, Table},
};

/// The rows of a table, as they were read.
pub(super) type Row = Vec<Option<String>>;

/// How many rows a table has, and a checksum of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many.
    pub rows: u64,
    /// The exclusive or of the SHA-256 of every row: it does not depend on their order, in which the engines differ. No two rows of a
    /// table are alike, so that none cancels another one out.
    pub checksum: [u8; 32],
}

impl Tally {
    pub(super) fn add(&mut self, table: &Table, mut row: Row) -> Result<(), MoveError> {
        for (column, cell) in table.columns.iter().zip(&mut row) {
            if let (Kind::Json, Some(text)) = (column.kind, cell) {
                // One engine keeps the text, the other one what it means.
                let value: Value = serde_json::from_str(text).map_err(MoveError::unreadable)?;
                *text = sorted(value).to_string();
            }
        }
        let digest = Sha256::digest(serde_json::to_vec(&row).map_err(MoveError::unreadable)?);
        for (sum, byte) in self.checksum.iter_mut().zip(digest) {
            *sum ^= byte;
        }
        self.rows += 1;
        Ok(())
    }
}

/// The same, with the members of objects in the order of their names.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.into_iter().collect();
            members.sort_unstable_by(|left, right| left.0.cmp(&right.0));
            members
                .into_iter()
                .map(|(name, value)| (name, sorted(value)))
                .collect()
        }
        Value::Array(values) => values.into_iter().map(sorted).collect(),
        other => other,
    }
}

//! Results on standard output.

use std::io::{self, ErrorKind, Write};

use serde::Serialize;

use crate::{cli::OutputFormat, failure::Failure};

/// Prints a result: as JSON what the API answers, as text what `text` writes.
pub fn print<T: Serialize>(
    format: OutputFormat,
    value: &T,
    text: impl FnOnce(&T) -> String,
) -> Result<(), Failure> {
    let line = match format {
        OutputFormat::Json => serde_json::to_string(value)?,
        OutputFormat::Text => text(value),
    };
    let mut out = io::stdout().lock();
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

/// Rows under headings, each column as wide as its widest cell.
pub fn table<const N: usize>(headings: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let rows: Vec<[String; N]> = std::iter::once(headings.map(str::to_owned)).chain(rows).collect();
    let mut widths = [0; N];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |row: &[String; N]| {
        let cells = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let table = table(
            ["ID", "NAME"],
            [
                ["1".to_owned(), "é".to_owned()],
                ["1000".to_owned(), "b".to_owned()],
            ],
        );
        assert_eq!(table, "ID    NAME\n1     é\n1000  b");
    }
}

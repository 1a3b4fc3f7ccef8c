//! `tigertrust move`.

mod meter;

use std::{fs, io, path::Path};

use serde::Serialize;
use tigertrust_storage::{
    DatabaseUrl,
    moving::{BATCH, Compared, Move, Tally},
};
use zeroize::Zeroizing;

use self::meter::Meter;
use super::settings;
use crate::{
    cli::{Common, MoveArgs},
    failure::Failure,
    output,
};

#[derive(Serialize)]
struct Report {
    from: String,
    to: String,
    rows: u64,
    equal: bool,
    tables: Vec<TableReport>,
}

#[derive(Serialize)]
struct TableReport {
    table: String,
    source: Side,
    target: Side,
    equal: bool,
}

#[derive(Serialize)]
struct Side {
    rows: u64,
    checksum: String,
}

impl From<Tally> for Side {
    fn from(tally: Tally) -> Self {
        Self {
            rows: tally.rows,
            checksum: tally.checksum.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }
}

impl From<Compared> for TableReport {
    fn from(compared: Compared) -> Self {
        Self {
            equal: compared.is_equal(),
            table: compared.table,
            source: compared.source.into(),
            target: compared.target.into(),
        }
    }
}

impl Report {
    fn new(from: &DatabaseUrl, to: &DatabaseUrl, compared: Vec<Compared>) -> Self {
        Self {
            from: from.to_string(),
            to: to.to_string(),
            rows: compared.iter().map(|table| table.target.rows).sum(),
            equal: compared.iter().all(Compared::is_equal),
            tables: compared.into_iter().map(TableReport::from).collect(),
        }
    }

    fn text(&self) -> String {
        let rows = self.tables.iter().flat_map(|table| {
            let row = |side: &Side, what: &str| {
                let (rows, checksum) = (side.rows.to_string(), side.checksum.clone());
                [table.table.clone(), what.to_owned(), rows, checksum]
            };
            if table.equal {
                vec![row(&table.source, "both")]
            } else {
                vec![row(&table.source, "SOURCE"), row(&table.target, "TARGET")]
            }
        });
        let table = output::table(["TABLE", "IN", "ROWS", "CHECKSUM"], rows);
        if !self.equal {
            return table;
        }
        format!(
            "{table}\n\nMoved {} rows from {} to {}, read back from both, and found them alike.\nSet database.url to the new \
             database, run `tigertrust audit verify`, and start the servers. The old database is as it was: let no server run over it.",
            self.rows, self.from, self.to
        )
    }
}

pub async fn run(common: &Common, args: MoveArgs) -> Result<(), Failure> {
    let settings = settings(common, Vec::new())?;
    let from = url("--from", args.from, args.from_file.as_deref())?;
    let from = from.unwrap_or(settings.database.url);
    let to = url("--to", args.to, args.to_file.as_deref())?
        .ok_or_else(|| Failure::new("name the database to move to with --to or --to-file"))?;

    let mut moving = Move::begin(&from, &to, BATCH).await?;
    let mut meter = Meter::new("moving", moving.rows(), moving.done());
    while let Some(progress) = moving.step().await? {
        meter.tell(&progress);
    }
    drop(meter);
    let mut meter = Meter::new("comparing", moving.rows(), 0);
    let compared = moving.conclude(&mut |progress| meter.tell(&progress)).await?;
    drop(meter);

    let report = Report::new(&from, &to, compared);
    output::print(common.output, &report, Report::text)?;
    if report.equal {
        Ok(())
    } else {
        Err(Failure::new(
            "the target is not what the source is, and cannot be served: make it anew, empty, and move again",
        ))
    }
}

/// The URL that an option gives, or its file.
fn url(option: &str, given: Option<String>, file: Option<&Path>) -> Result<Option<DatabaseUrl>, Failure> {
    let (text, from) = match (given, file) {
        (Some(text), _) => (Zeroizing::new(text), option.to_owned()),
        (None, Some(path)) if path == Path::new("-") => {
            let text = io::read_to_string(io::stdin())?;
            (Zeroizing::new(text), format!("{option}-file"))
        }
        (None, Some(path)) => {
            let text = fs::read_to_string(path).map_err(|error| {
                Failure::new(format!(
                    "{option}-file: {} cannot be read: {error}",
                    path.display()
                ))
            })?;
            (Zeroizing::new(text), format!("{option}-file"))
        }
        (None, None) => return Ok(None),
    };
    let url = text.trim_end().parse();
    url.map(Some)
        .map_err(|error| Failure::new(format!("{from} {error}")))
}

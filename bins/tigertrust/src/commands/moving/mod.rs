//! `tigertrust move`.

mod meter;

use std::{fs, io, path::Path};

use serde::Serialize;
use tigertrust_credentials::SystemClock;
use tigertrust_model::Clock as _;
use tigertrust_storage::{
    DatabaseUrl,
    moving::{self, BATCH, Compared, Conclusion, Move, MoveError, Tally},
};
use zeroize::Zeroizing;

use self::meter::Meter;
use super::{serve::StopSignals, settings};
use crate::{
    cli::{Common, MoveArgs},
    failure::Failure,
    output,
};

/// What nobody may overlook.
const REOPENED: &str = "\
WHAT WAS DONE IN THE OTHER DATABASE SINCE THE MOVE IS NOT IN THIS ONE: keys that were revoked there ARE VALID HERE, and keys that were
made there are unknown. Let no server run over the other one. Servers and clients that followed the changes will forget all they
remember. Run `tigertrust audit verify`.";

#[derive(Serialize)]
struct Report {
    from: String,
    to: String,
    rows: u64,
    equal: bool,
    /// Whether the source bears a mark by which no program works on it any longer.
    marked: bool,
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
    fn new(from: &DatabaseUrl, to: &DatabaseUrl, conclusion: Conclusion) -> Self {
        let equal = conclusion.is_equal();
        Self {
            from: from.to_string(),
            to: to.to_string(),
            rows: conclusion.tables.iter().map(|table| table.target.rows).sum(),
            equal,
            marked: equal && conclusion.unmarked.is_none(),
            tables: conclusion.tables.into_iter().map(TableReport::from).collect(),
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
        let old = if self.marked {
            "The old database bears a mark now, and no program works on it any longer; `tigertrust move --reopen` takes the mark away."
        } else {
            "The old database is as it was: let no server run over it."
        };
        format!(
            "{table}\n\nMoved {} rows from {} to {}, read back from both, and found them alike.\nSet database.url to the new \
             database, run `tigertrust audit verify`, and start the servers.\n{old}",
            self.rows, self.from, self.to
        )
    }
}

pub async fn run(common: &Common, args: MoveArgs) -> Result<(), Failure> {
    let settings = settings(common, Vec::new())?;
    let named = url("--from", args.from, args.from_file.as_deref())?;
    let is_named = named.is_some();
    let from = named.unwrap_or(settings.database.url);
    if args.reopen {
        return reopen(common, &from).await;
    }
    let to = url("--to", args.to, args.to_file.as_deref())?.ok_or_else(|| {
        Failure::new(format!(
            "name the database that {from} is moved into: --to-file FILE, with a file that holds its URL, or --to URL"
        ))
    })?;
    let mut signals = StopSignals::catch()?;
    tokio::select! {
        moved = move_all(common, &from, &to) => moved.map_err(|refused| match refused {
            Refused::Move(MoveError::SameEngine) => of_one_engine(&from, &to, is_named),
            Refused::Move(error) => error.into(),
            Refused::Other(failure) => failure,
        }),
        // What was stored stays, and what was being stored is as if it had not begun.
        () = signals.received() => Err(Failure::new(
            "stopped before the end: run the same command again, which goes on from here, and let no server run meanwhile",
        )),
    }
}

/// Why an instance was not moved.
enum Refused {
    Move(MoveError),
    Other(Failure),
}

impl From<MoveError> for Refused {
    fn from(error: MoveError) -> Self {
        Self::Move(error)
    }
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self::Other(failure)
    }
}

/// Most often the settings name the target already.
fn of_one_engine(from: &DatabaseUrl, to: &DatabaseUrl, is_named: bool) -> Failure {
    let what = if from == to {
        format!("source and target are one database, {from}")
    } else {
        format!("{}: {from} and {to}", MoveError::SameEngine)
    };
    let hint = if is_named {
        ""
    } else {
        ". The source is the one that database.url names: name the one that is to be moved with --from"
    };
    Failure::new(format!("{what}{hint}"))
}

async fn reopen(common: &Common, url: &DatabaseUrl) -> Result<(), Failure> {
    let number = moving::reopen(url, SystemClock::new().now()).await?;
    eprintln!("{REOPENED}");
    output::print(common.output, &number, |number| {
        format!("{url} can be served again. Changes are numbered from {number} on.")
    })
}

async fn move_all(common: &Common, from: &DatabaseUrl, to: &DatabaseUrl) -> Result<(), Refused> {
    let mut moving = Move::begin(from, to, BATCH).await?;
    let mut meter = Meter::new("moving", moving.rows(), moving.done());
    while let Some(progress) = moving.step().await? {
        meter.tell(&progress);
    }
    drop(meter);
    let mut meter = Meter::new("comparing", moving.rows(), 0);
    let concluded = moving.conclude(&mut |progress| meter.tell(&progress)).await?;
    drop(meter);

    if let Some(error) = &concluded.unmarked {
        tracing::warn!(%error, "the old database takes no mark, so that nothing keeps a server from running over it");
    }
    let report = Report::new(from, to, concluded);
    output::print(common.output, &report, Report::text)?;
    if report.equal {
        Ok(())
    } else {
        Err(Refused::Other(Failure::new(
            "the target is not what the source is, and cannot be served: make it anew, empty, and move again",
        )))
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

//! Whether an older program may go on working once a migration has run.
//!
//! The older program does not know the migration, so the database has to tell. It remembers a migration by its version, and that is
//! what stands in the name of its folder before the first `_`, without the dashes. So the kind is a part of it:
//! `2026-12-01-000018-expand_colours` is remembered as `20261201000018expand`, in the one row that also says that it ran. There is
//! no second place that could say something else, and whatever bears no mark is taken for the kind that stops an older program.

use serde::Serialize;

/// What a version ends in whose migration is of the kind [`MigrationKind::Expand`].
const EXPAND: &str = "expand";
/// The last version from before the marks. Up to there all migrations only add, and every program that reads marks knows them.
const LAST_WITHOUT_MARK: &str = "20261126000017";

/// Whether an older program may go on working once a migration has run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MigrationKind {
    /// It only adds what an older program does not miss and need not fill in, which goes on working.
    Expand,
    /// It takes away or changes what an older program uses, which must not run any longer.
    Contract,
}

impl MigrationKind {
    /// The word that stands in names.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expand => EXPAND,
            Self::Contract => "contract",
        }
    }

    /// The kind of a migration that this program knows.
    pub(crate) fn of_known(version: &str) -> Self {
        if version <= LAST_WITHOUT_MARK {
            return Self::Expand;
        }
        Self::of_unknown(version)
    }

    /// The kind of a migration of which this program knows no more than what the database remembers.
    pub(crate) fn of_unknown(version: &str) -> Self {
        if version.ends_with(EXPAND) {
            Self::Expand
        } else {
            Self::Contract
        }
    }
}

#[cfg(all(test, feature = "postgres", feature = "sqlite"))]
mod tests {
    use super::*;
    use crate::migrations::texts;

    /// What an older program would miss, or would have to fill in.
    fn is_breaking(statement: &str) -> bool {
        let words: Vec<&str> = statement.split_whitespace().collect();
        let has = |wanted: &[&str]| words.windows(wanted.len()).any(|window| window == wanted);
        let adds_a_duty = has(&["ADD", "COLUMN"]) && has(&["NOT", "NULL"]) && !has(&["DEFAULT"]);
        adds_a_duty
            || [
                &["DROP"][..],
                &["RENAME"],
                &["ALTER", "COLUMN"],
                &["ADD", "CONSTRAINT"],
                &["ADD", "CHECK"],
                &["CREATE", "TRIGGER"],
                &["DELETE"],
                &["UPDATE"],
            ]
            .iter()
            .any(|wanted| has(wanted))
    }

    fn statements(sql: &str) -> Vec<String> {
        let lines = sql.lines().filter(|line| !line.trim_start().starts_with("--"));
        let text = lines.collect::<Vec<_>>().join("\n").to_uppercase();
        text.split(';').map(str::to_owned).collect()
    }

    #[test]
    fn every_migration_says_its_kind_and_is_of_it() {
        for engine in texts::ALL {
            for (name, sql) in engine.iter().copied() {
                let version = name.split('_').next().unwrap().replace('-', "");
                let is_marked = version.ends_with(EXPAND) || version.ends_with("contract");
                assert!(
                    is_marked || version.as_str() <= LAST_WITHOUT_MARK,
                    "{name}: say -expand or -contract before the first _"
                );
                if MigrationKind::of_known(&version) == MigrationKind::Expand {
                    let breaking: Vec<String> = statements(sql)
                        .into_iter()
                        .filter(|one| is_breaking(one))
                        .collect();
                    assert!(breaking.is_empty(), "{name} breaks older programs: {breaking:?}");
                }
            }
        }
    }

    #[test]
    fn what_breaks_an_older_program_is_seen() {
        for sql in [
            "ALTER TABLE users\n  DROP COLUMN name",
            "alter table users rename to people",
            "ALTER TABLE users ADD COLUMN age integer NOT NULL",
            "ALTER TABLE users ALTER COLUMN name SET NOT NULL",
        ] {
            assert!(statements(sql).iter().any(|one| is_breaking(one)), "{sql}");
        }
    }

    #[test]
    fn what_bears_no_mark_stops_an_older_program() {
        for (version, kind) in [
            ("20261201000018expand", MigrationKind::Expand),
            ("20261201000018contract", MigrationKind::Contract),
            ("20261201000018", MigrationKind::Contract),
            ("", MigrationKind::Contract),
        ] {
            assert_eq!(MigrationKind::of_unknown(version), kind, "{version}");
        }
    }
}

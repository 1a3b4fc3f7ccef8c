//! `tigertrust migrate`.

use serde::Serialize;
use tigertrust_storage::migrations::{self, MigrationKind, Plan, Planned};

use super::settings;
use crate::{
    cli::{Common, Migrate},
    failure::Failure,
    instance, output,
};

#[derive(Serialize)]
struct Migration {
    name: String,
    applied: bool,
}

/// What would run.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    creates_database: bool,
    migrations: Vec<ShownMigration>,
    newer: Vec<String>,
}

#[derive(Serialize)]
struct ShownMigration {
    name: String,
    kind: MigrationKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    sql: Option<&'static str>,
}

impl Shown {
    fn new(plan: Plan, with_sql: bool) -> Self {
        let shown = |Planned { name, kind, sql }| ShownMigration {
            name,
            kind,
            sql: with_sql.then_some(sql),
        };
        Self {
            creates_database: plan.makes_database,
            migrations: plan.migrations.into_iter().map(shown).collect(),
            newer: plan.newer,
        }
    }

    fn text(&self) -> String {
        let mut parts = Vec::new();
        if self.creates_database {
            parts.push("There is no database yet: `tigertrust migrate run` makes it.".to_owned());
        }
        if !self.newer.is_empty() {
            parts.push(format!(
                "A newer program has added {} to the schema: this one works on without it.",
                self.newer.join(", ")
            ));
        }
        if self.migrations.is_empty() {
            parts.push("The schema is up to date.".to_owned());
            return parts.join("\n");
        }
        let rows = self.migrations.iter();
        let rows = rows.map(|one| [one.name.clone(), one.kind.as_str().to_owned()]);
        parts.push(output::table(["MIGRATION", "KIND"], rows));
        for migration in &self.migrations {
            if let Some(sql) = migration.sql {
                let (name, kind) = (&migration.name, migration.kind.as_str());
                parts.push(format!("\n-- {name} ({kind})\n{}", sql.trim_end()));
            }
        }
        let contracts = self
            .migrations
            .iter()
            .any(|one| one.kind == MigrationKind::Contract);
        parts.push(
            if contracts {
                "\nServers of an older version must be stopped before this runs: `contract` takes away what they use."
            } else {
                "\nServers of an older version may go on while this runs and after it."
            }
            .to_owned(),
        );
        parts.join("\n")
    }
}

pub async fn run(common: &Common, verb: &Migrate) -> Result<(), Failure> {
    let settings = settings(common, Vec::new())?;
    let url = &settings.database.url;
    match verb {
        Migrate::Run => {
            let ran = instance::migrate(&settings).await?;
            output::print(common.output, &ran, |ran| match ran.as_slice() {
                [] => "The schema is up to date.".to_owned(),
                ran => format!("Ran {}. The schema is up to date.", ran.join(", ")),
            })
        }
        Migrate::Plan { sql } => {
            let shown = Shown::new(migrations::plan(url).await?, *sql);
            output::print(common.output, &shown, Shown::text)
        }
        Migrate::Status => {
            let status = migrations::status(url).await?;
            let status: Vec<Migration> = status
                .into_iter()
                .map(|(name, applied)| Migration { name, applied })
                .collect();
            output::print(common.output, &status, |status| {
                let rows = status.iter().map(|known| {
                    [
                        known.name.clone(),
                        if known.applied { "applied" } else { "pending" }.to_owned(),
                    ]
                });
                output::table(["MIGRATION", "STATE"], rows)
            })
        }
        Migrate::Revert {
            allow_data_loss: false,
        } => Err(Failure::new(
            "reverting a migration drops what it added, with the data in it: pass --allow-data-loss if that is meant",
        )),
        Migrate::Revert {
            allow_data_loss: true,
        } => {
            let reverted = migrations::revert_last(url).await?;
            output::print(common.output, &reverted, |reverted| match reverted {
                Some(name) => format!("Reverted {name}."),
                None => "There is nothing to revert.".to_owned(),
            })
        }
    }
}

//! `tigertrust migrate`.

use serde::Serialize;
use tigertrust_storage::migrations;

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

//! `tigertrust config`.

use serde::Serialize;

use super::source;
use crate::{
    cli::{Common, ConfigCommand},
    config::Settings,
    failure::Failure,
    output,
};

#[derive(Serialize)]
struct Origin {
    key: String,
    source: String,
}

pub fn run(common: &Common, verb: &ConfigCommand) -> Result<(), Failure> {
    match verb {
        ConfigCommand::Check => check(common),
    }
}

fn check(common: &Common) -> Result<(), Failure> {
    let settings = Settings::load(&source(common, Vec::new())?, &common.data)?;
    let origins: Vec<Origin> = settings
        .origins
        .into_iter()
        .map(|(key, source)| Origin { key, source })
        .collect();
    output::print(common.output, &origins, |origins| {
        let rows = origins
            .iter()
            .map(|origin| [origin.key.clone(), origin.source.clone()]);
        let ring = if settings.keyring.is_some() {
            ""
        } else {
            "\nThere is no key ring, so `serve` will not start: `tigertrust secrets create FILE` makes one; set keyring_file to it."
        };
        format!(
            "{}\nThe configuration is valid.{ring}",
            output::table(["SETTING", "SOURCE"], rows)
        )
    })
}

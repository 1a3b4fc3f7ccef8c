//! `tigertrust config`.

use serde::Serialize;

use super::source;
use crate::{
    cli::{Common, ConfigCommand},
    config::{Asked, Settings},
    failure::Failure,
    output,
};

/// A setting as it counts.
#[derive(Serialize)]
struct Shown {
    key: String,
    /// None where there is none, and of a secret.
    value: Option<String>,
    secret: bool,
    source: String,
}

impl From<Asked> for Shown {
    fn from(asked: Asked) -> Self {
        Self {
            value: asked.value().map(str::to_owned),
            key: asked.key,
            secret: asked.is_secret,
            source: asked.source,
        }
    }
}

impl Shown {
    fn text(&self) -> String {
        match &self.value {
            Some(value) => value.clone(),
            None if self.secret && self.source != "default" => "(secret)".to_owned(),
            None => String::new(),
        }
    }
}

pub fn run(common: &Common, verb: &ConfigCommand) -> Result<(), Failure> {
    match verb {
        ConfigCommand::Check => check(common),
    }
}

fn check(common: &Common) -> Result<(), Failure> {
    let settings = Settings::load(&source(common, Vec::new())?, &common.data)?;
    let all: Vec<Shown> = settings.asked.into_iter().map(Into::into).collect();
    output::print(common.output, &all, |all| {
        let rows = all
            .iter()
            .map(|shown| [shown.key.clone(), shown.source.clone(), shown.text()]);
        let ring = if settings.keyring.is_some() {
            ""
        } else {
            "\nThere is no key ring, so `serve` will not start: `tigertrust secrets create FILE` makes one; set keyring_file to it."
        };
        format!(
            "{}\nThe configuration is valid.{ring}",
            output::table(["SETTING", "SOURCE", "VALUE"], rows)
        )
    })
}

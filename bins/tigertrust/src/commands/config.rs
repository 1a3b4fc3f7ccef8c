//! `tigertrust config`.

use serde::Serialize;

use super::source;
use crate::{
    cli::{Common, ConfigCommand, OutputFormat},
    config::{Asked, Settings, place_of},
    failure::Failure,
    output,
};

/// What is wrong with the settings.
#[derive(Serialize)]
struct Mistakes<'a> {
    errors: &'a [String],
}

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
    let settings = match Settings::load(&source(common, Vec::new())?, &common.data) {
        Ok(settings) => settings,
        Err(errors) => {
            if common.output == OutputFormat::Json {
                output::print(common.output, &Mistakes { errors: &errors.0 }, |_| String::new())?;
            }
            return Err(errors.into());
        }
    };
    let mut asked = settings.asked;
    // As in the handbook.
    asked.sort_by_key(|asked| place_of(&asked.key));
    let all: Vec<Shown> = asked.into_iter().map(Into::into).collect();
    output::print(common.output, &all, |all| {
        let rows = all
            .iter()
            .map(|shown| [shown.key.clone(), shown.source.clone(), shown.text()]);
        let table = output::table(["SETTING", "SOURCE", "VALUE"], rows);
        match settings.keyring {
            Some(_) => format!("{table}\nThe configuration is valid."),
            None => table,
        }
    })?;
    if settings.keyring.is_none() {
        return Err(Failure::new(format!(
            "there is no key ring, so `serve` will not start: {} is not there and nothing else is set. `tigertrust secrets create FILE` makes \
             one; set keyring_file to it",
            common.data.join("keyring.toml").display()
        )));
    }
    Ok(())
}

//! One file a noun.

pub mod audit;
mod backup;
mod clock;
mod completions;
mod config;
mod doctor;
mod import;
mod key;
mod key_report;
pub mod man;
mod member;
mod migrate;
mod moving;
mod quickstart;
mod reload;
mod secrets;
mod serve;
mod session;
mod sso;
mod trust_rule;
mod user;
mod webhook;
mod workspace;

use std::env;

use listenfd::ListenFd;
use tigertrust::TigerTrust;

use crate::{
    cli::{Cli, Command, Common, Import},
    config::{Flag, Settings, Source},
    failure::Failure,
    logging::{self, LogFilter},
    traces::Traces,
};

/// Does what the command line says.
pub async fn run(cli: Cli, handed: ListenFd) -> Result<(), Failure> {
    let Cli { common, command } = cli;
    match command {
        Command::Quickstart(args) => quickstart::run(&common, args, handed).await,
        Command::Serve(args) => serve::run(&common, args, handed).await,
        Command::Migrate(verb) => migrate::run(&common, &verb).await,
        Command::Backup { file } => backup::backup(&common, &file).await,
        Command::Restore(args) => backup::restore(&common, &args).await,
        Command::Move(args) => moving::run(&common, args).await,
        Command::User(verb) => user::run(&common, verb).await,
        Command::Session(verb) => session::run(&common, verb).await,
        Command::Workspace(verb) => workspace::run(&common, verb).await,
        Command::Member(verb) => member::run(&common, verb).await,
        Command::Import(Import::Keys(args)) => import::run(&common, *args).await,
        Command::Key(verb) => key::run(&common, verb).await,
        Command::Sso(verb) => sso::run(&common, verb).await,
        Command::Audit(verb) => audit::run(&common, verb).await,
        Command::Webhook(verb) => webhook::run(&common, verb).await,
        Command::TrustRule(verb) => trust_rule::run(&common, verb).await,
        Command::Doctor(args) => doctor::run(&common, &args).await,
        Command::Completions { shell } => completions::run(&common, shell),
        Command::Man { folder } => man::run(&common, &folder),
        Command::Clock(verb) => clock::run(&common, &verb).await,
        Command::Config(verb) => config::run(&common, &verb),
        Command::Secrets(verb) => secrets::run(&common, verb).await,
    }
}

/// Where settings come from for the command, and the settings; logging starts with them.
fn settings(common: &Common, flags: Vec<Flag>) -> Result<Settings, Failure> {
    let settings = Settings::load(&source(common, flags)?, &common.data)?;
    drop(logging::start(&settings.log, None));
    Ok(settings)
}

/// As [`settings`], for a command that serves: traces start too.
fn settings_and_traces(
    common: &Common,
    flags: Vec<Flag>,
) -> Result<(Settings, Option<Traces>, LogFilter), Failure> {
    let mut settings = Settings::load(&source(common, flags)?, &common.data)?;
    let mut traces = Traces::start(&settings.traces)?;
    let log = logging::start(&settings.log, traces.as_mut().and_then(Traces::take_layer));
    settings.app.traces = traces.as_ref().map(|traces| traces.context);
    if let Some(url) = &settings.traces.url {
        tracing::info!(%url, sample = settings.traces.sample, "sending traces");
    }
    Ok((settings, traces, log))
}

fn source(common: &Common, flags: Vec<Flag>) -> Result<Source, Failure> {
    let file = match &common.config {
        Some(path) if !path.is_file() => {
            return Err(Failure::new(format!(
                "there is no configuration file {}",
                path.display()
            )));
        }
        Some(path) => Some(path.clone()),
        None => Some(common.data.join("config.toml")).filter(|path| path.is_file()),
    };
    // A variable that is not UTF-8 cannot be one of ours.
    let environment = env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    Ok(Source {
        file,
        environment: environment.collect(),
        flags,
    })
}

/// The instance that a command works on.
async fn instance(common: &Common) -> Result<TigerTrust, Failure> {
    Ok(instance_and_settings(common).await?.0)
}

async fn instance_and_settings(common: &Common) -> Result<(TigerTrust, Settings), Failure> {
    let settings = settings(common, Vec::new())?;
    if settings.keyring.is_none() && common.config.is_none() && !common.data.is_dir() {
        return Err(Failure::new(format!(
            "there is no {} here and no configuration: run `tigertrust quickstart`, or name a file with --config",
            common.data.display()
        )));
    }
    let instance = crate::instance::open_for_servers(&settings).await?;
    Ok((instance, settings))
}

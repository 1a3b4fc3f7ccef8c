//! `tigertrust quickstart`: from nothing to a served API with a first account.

use std::{
    fs::{self, DirBuilder, Permissions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
    str::FromStr,
};

use listenfd::ListenFd;
use serde::Serialize;
use tempfile::TempDir;
use tigertrust::{TigerTrust, mail::PublicUrl};
use tigertrust_accounts::{Bootstrapped, ports::Page};
use tigertrust_credentials::{OsRandom, Password};
use tigertrust_storage::DatabaseUrl;

use super::{reload::Reload, secrets::write_private, serve, settings_and_traces};
use crate::{
    cli::{Common, OutputFormat, Quickstart},
    config::{Asked, Flag, Keyring, Listen, Settings},
    failure::Failure,
    instance,
    listener::Listeners,
    mail,
    own_ring::ensure_own,
};

/// What is printed; the secrets only by the run that made them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Announcement<'a> {
    base_url: &'a str,
    email: Option<String>,
    password: Option<&'a str>,
    user_id: Option<String>,
    workspace_id: Option<String>,
    agent_key: Option<&'a str>,
    public_key: Option<&'a str>,
}

pub async fn run(common: &Common, args: Quickstart, mut handed: ListenFd) -> Result<(), Failure> {
    // Dropped, and with it removed, when the server has stopped.
    let ephemeral = if args.ephemeral {
        Some(
            tempfile::Builder::new()
                .prefix("tigertrust-")
                .permissions(Permissions::from_mode(0o700))
                .tempdir()?,
        )
    } else {
        None
    };
    let data = ephemeral.as_ref().map_or(common.data.as_path(), TempDir::path);
    let common = &Common {
        config: common.config.clone(),
        data: data.to_owned(),
        output: common.output,
    };
    let database = args.database.as_deref().map(DatabaseUrl::from_str).transpose();
    let database = database.map_err(|error| Failure::new(format!("--database: {error}")))?;

    let signals = serve::StopSignals::catch()?;
    let mut flags = serve::listen_flag(args.listen.clone());
    flags.extend(args.database.map(|value| Flag {
        name: "--database",
        key: "database.url",
        value,
    }));
    let before = Settings::load(&super::source(common, flags.clone())?, &common.data)?;
    ensure_no_other_database(common, &before, args.ephemeral, database.is_some())?;
    // The port first: a taken one must leave nothing behind.
    let listeners = Listeners::bind(&before, &mut handed)?;
    let config = database
        .as_ref()
        .map(|url| DatabaseConfig::new(&common.data, url))
        .transpose()?;
    let made_ring = prepare_folder(&common.data, before.keyring.is_none())?;
    let (mut settings, traces, log) = settings_and_traces(common, flags.clone())?;
    let reload = Reload::new(common, flags, &settings, log)?;
    instance::migrate(&settings).await?;
    let base_url = listeners.at.local_url(settings.tls.is_some());
    let found_at: PublicUrl = base_url
        .parse()
        .map_err(|_| Failure::new(format!("{base_url} is no address")))?;
    if settings.mail.public_url.is_none() {
        // It is called what it announces, and nobody has to be told what that means elsewhere.
        serve::call_itself(&mut settings.app, &base_url);
        settings.mail.public_url = Some(found_at.clone());
    }
    let mails =
        mail::over_smtp(&settings.mail)?.unwrap_or_else(|| mail::to_the_log(&settings.mail, found_at));
    let instance = instance::open(&settings, Some(mails))?;
    instance.take_up_time().await?;

    ensure_nothing_is_left_behind(&instance, &common.data, &settings.database.url).await?;
    let password = Password::generate(&OsRandom)?;
    let shown = zeroize::Zeroizing::new(password.reveal().to_owned());
    let first = instance.bootstrap(args.email, password).await?;
    if let (None, Some(ring)) = (&first, made_ring) {
        fs::remove_file(ring)?;
        return Err(Failure::new(format!(
            "{} has accounts already, and keys that only the key ring they were made under can verify: \
             set keyring_file to that ring, or name another database",
            settings.database.url
        )));
    }
    ensure_own(instance.storage(), settings.keyring.as_ref()).await?;
    if let Some(config) = config {
        config.write()?;
    }
    announce(
        common,
        ephemeral.is_some(),
        &base_url,
        &listeners.at,
        &settings,
        first.as_ref(),
        &shown,
    )?;
    drop(first);
    serve::serve_until_stopped(instance, listeners, signals, reload, &settings, traces).await
}

/// Refuses what would be about another database than the user thinks.
fn ensure_no_other_database(
    common: &Common,
    settings: &Settings,
    ephemeral: bool,
    named: bool,
) -> Result<(), Failure> {
    let set = |asked: &&Asked| asked.key.starts_with("database.url") && asked.is_set();
    match (settings.asked.iter().find(set), &common.config) {
        (Some(Asked { key, source, .. }), _) if ephemeral => Err(Failure::new(format!(
            "--ephemeral uses a database of its own, but {key} is set ({source}): take one of them away"
        ))),
        // Later commands read the file, and would not know of the flag.
        (_, Some(file)) if named => Err(Failure::new(format!(
            "--database is written to the data folder, which --config replaces: set database.url in {}",
            file.display()
        ))),
        _ => Ok(()),
    }
}

/// Refuses to make an instance where another one, in the data folder, is most likely meant to go on.
async fn ensure_nothing_is_left_behind(
    instance: &TigerTrust,
    data: &Path,
    url: &DatabaseUrl,
) -> Result<(), Failure> {
    let file = data.join("tigertrust.db");
    if !url.reveal().starts_with("postgres") || !file.exists() {
        return Ok(());
    }
    let one = Page {
        after: None,
        limit: 1,
    };
    if !instance.users().list(one).await?.is_empty() {
        return Ok(());
    }
    let file = file.display();
    Err(Failure::new(format!(
        "{file} holds an instance, and {url} holds none. To take it there, put the URL of the new database into a file, run \
         `tigertrust move --from sqlite://{file} --to-file FILE`, and then this again. To begin anew, choose another folder with --data"
    )))
}

/// The file in the data folder by which later commands know of a database that was named once.
struct DatabaseConfig {
    path: PathBuf,
    text: String,
}

impl DatabaseConfig {
    /// Refuses a file that says something else.
    fn new(data: &Path, url: &DatabaseUrl) -> Result<Self, Failure> {
        let path = data.join("config.toml");
        let text = format!(
            "# Written by `tigertrust quickstart`; every command reads it.\n[database]\nurl = {:?}\n",
            url.reveal()
        );
        if path.exists() && fs::read_to_string(&path)? != text {
            return Err(Failure::new(format!(
                "{} is there and names another database, or none. To use that one leave --database out; to use \
                 this one change or remove the file, or choose another folder with --data",
                path.display()
            )));
        }
        Ok(Self { path, text })
    }

    /// Writes the file, once the database is known to work.
    fn write(&self) -> Result<(), Failure> {
        if self.path.exists() {
            return Ok(());
        }
        write_private(&self.path, &self.text)
            .map_err(|error| Failure::new(format!("{} cannot be made: {error}", self.path.display())))
    }
}

/// Makes the data folder with its secrets, where they are missing. Returns the key ring if it was made.
fn prepare_folder(data: &Path, needs_ring: bool) -> Result<Option<PathBuf>, Failure> {
    let failed =
        |what: &Path, error: &io::Error| Failure::new(format!("{} cannot be made: {error}", what.display()));
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data)
        .map_err(|error| failed(data, &error))?;
    if !needs_ring {
        return Ok(None);
    }
    let ring = data.join("keyring.toml");
    if data.join("tigertrust.db").exists() {
        return Err(Failure::new(format!(
            "{} is missing, but the database that needs it is there: put it back, or choose another folder with --data",
            ring.display()
        )));
    }
    write_private(&ring, &Keyring::generate(&OsRandom)?).map_err(|error| failed(&ring, &error))?;
    Ok(Some(ring))
}

fn announce(
    common: &Common,
    ephemeral: bool,
    base_url: &str,
    at: &Listen,
    settings: &Settings,
    first: Option<&Bootstrapped>,
    password: &str,
) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match common.output {
        OutputFormat::Json => {
            let announcement = Announcement {
                base_url,
                email: first.map(|first| first.user.email.to_string()),
                password: first.map(|_| password),
                user_id: first.map(|first| first.user.id.to_string()),
                workspace_id: first.map(|first| first.workspace.id.to_string()),
                agent_key: first.map(|first| first.agent.secret.reveal()),
                public_key: first.map(|first| first.public.secret.reveal()),
            };
            serde_json::to_writer(&mut out, &announcement)?;
            writeln!(out)?;
        }
        OutputFormat::Text => {
            let kept = if ephemeral {
                "nothing is kept".to_owned()
            } else {
                format!("data in {}", common.data.display())
            };
            let served = match at {
                Listen::Tcp(_) => base_url.to_owned(),
                Listen::Unix(_) => at.to_string(),
            };
            writeln!(out, "\nTigerTrust serves {served}   ({kept})\n")?;
            let curl = curl(at, settings.tls.is_some());
            write_text(&mut out, &common.data, base_url, &curl, first, password)?;
            if settings.mail.smtp.is_none() {
                writeln!(
                    out,
                    "  Mails are not sent, since no mail server is set: the log shows them, below."
                )?;
            }
            writeln!(
                out,
                "  Dashboard: {base_url}/   API documentation: {base_url}/docs/   Stop with Ctrl-C.\n"
            )?;
        }
    }
    out.flush()?;
    Ok(())
}

/// One word for a shell, whatever it holds.
fn shell_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// The program `curl`, told where to call. A certificate is of the name by which others call the server, most often not of this
/// machine's own address, and who calls there needs no proof of who answers.
fn curl(at: &Listen, tls: bool) -> String {
    match at {
        Listen::Tcp(_) if tls => "curl -k".to_owned(),
        Listen::Tcp(_) => "curl".to_owned(),
        Listen::Unix(path) => format!("curl --unix-socket {}", shell_quoted(&path.display().to_string())),
    }
}

fn write_text(
    out: &mut impl Write,
    data: &Path,
    base_url: &str,
    curl: &str,
    first: Option<&Bootstrapped>,
    password: &str,
) -> io::Result<()> {
    // As the user called it: it need not be on the path.
    let program = std::env::args().next().unwrap_or_else(|| "tigertrust".to_owned());
    let folder = if data == Path::new("./tigertrust-data") {
        String::new()
    } else {
        format!(" --data {}", data.display())
    };
    match first {
        None => {
            writeln!(
                out,
                "  The account and keys that were made earlier are still there; their secrets are not shown again."
            )?;
            writeln!(
                out,
                "  A new key:  {program} key create{folder} --name NAME --scope certificates:read\n"
            )?;
        }
        Some(first) => {
            let scope = first.public.key.scopes.iter().next().map(ToString::to_string);
            let (agent, public) = (first.agent.secret.reveal(), first.public.secret.reveal());
            writeln!(out, "  Shown once, so store them now:\n")?;
            writeln!(out, "    Owner       {}", first.user.email)?;
            writeln!(out, "    Password    {password}")?;
            writeln!(
                out,
                "    Workspace   {}   plan {}",
                first.workspace.id, first.workspace.plan
            )?;
            writeln!(out, "    Agent key   {agent}   every scope")?;
            writeln!(
                out,
                "    Public key  {public}   {}\n",
                scope.as_deref().unwrap_or("no scope")
            )?;
            if base_url.starts_with("https://") {
                writeln!(
                    out,
                    "  With -k curl does not ask whose certificate it is: it may be of another name than this address.\n"
                )?;
            }
            writeln!(out, "  Who is the agent key?\n")?;
            writeln!(
                out,
                "    {curl} -i {base_url}/api/auth/me -H \"X-Agent-API-Key: {agent}\"\n"
            )?;
            let query = scope.map_or_else(String::new, |scope| format!("?scope={scope}"));
            let login = serde_json::json!({"email": first.user.email.as_str(), "password": password});
            let login = shell_quoted(&login.to_string());
            let curl_as = format!("{curl} -i -b cookies.txt -c cookies.txt");
            writeln!(out, "  Sign in as the owner, and then act as it:\n")?;
            writeln!(
                out,
                "    {curl_as} {base_url}/api/auth/login -H \"Content-Type: application/json\" -d {login}"
            )?;
            writeln!(out, "    {curl_as} {base_url}/api/auth/me\n")?;
            writeln!(out, "  May the public key pass?\n")?;
            writeln!(
                out,
                "    {curl} -i \"{base_url}/api/auth/check{query}\" -H \"Authorization: Bearer {public}\"\n"
            )?;
        }
    }
    Ok(())
}

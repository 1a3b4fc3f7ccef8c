//! From settings to an instance.

use tigertrust::{TigerTrust, webhooks::WebhookSettings};
use tigertrust_storage::{Options, SchemaState, migrations};

use crate::{
    config::{Keyring, SecretKind, Settings},
    failure::Failure,
    mail::Mails,
    servers::{self, Servers},
};

/// Makes the database where it is missing and brings its schema up to date. Returns the migrations that ran.
pub async fn migrate(settings: &Settings) -> Result<Vec<String>, Failure> {
    let url = &settings.database.url;
    migrations::create_database_if_missing(url).await?;
    Ok(migrations::run(url).await?)
}

/// Opens the instance, with a way for mails if there is one. The database need not be reachable yet.
pub fn open(settings: &Settings, mails: Option<Mails>) -> Result<TigerTrust, Failure> {
    let keyring = settings.keyring.clone().ok_or_else(|| {
        Failure::new(
            "there is no key ring: set keyring_file to one (`tigertrust secrets create FILE` makes it), \
             or run `tigertrust quickstart` for a first try",
        )
    })?;
    let database = &settings.database;
    let webhooks = WebhookSettings {
        encryption: keyring.encryption,
        allow_private_addresses: settings.allow_private_webhooks,
        traceparent: settings.app.traces.map(|traces| traces.current),
    };
    let mut builder = TigerTrust::builder();
    if let Some((letterhead, transport)) = mails {
        builder = builder.mail(letterhead, transport);
    }
    if let Some(shared) = &settings.shared_limits {
        builder = builder.share_limits(shared.clone());
    }
    Ok(builder
        .limits(settings.limits.clone())
        .password_cost(settings.password_cost)
        .usage_retention(settings.usage)
        .hygiene(settings.hygiene)
        .name(servers::own_name())
        .database_url(database.url.clone())
        .storage_options(Options {
            pool_size: database.pool_size,
            acquire_timeout: database.acquire_timeout,
            statement_timeout: database.statement_timeout,
            ..Options::default()
        })
        .peppers(keyring.peppers)
        .webhooks(webhooks)
        .catalog(settings.catalog.clone())
        .key_formats(settings.key_formats.clone())
        .cache(settings.cache)
        .max_staleness(settings.max_staleness)
        .open()?)
}

/// Opens the instance for a command that needs its database at once, with the schema that this program knows. It sends no
/// mail.
pub async fn open_ready(settings: &Settings) -> Result<TigerTrust, Failure> {
    let instance = open(settings, None)?;
    if let Some(failure) = schema_failure(&instance.storage().schema_state().await?) {
        return Err(failure);
    }
    instance.take_up_time().await?;
    Ok(instance)
}

/// As [`open_ready`], for a command that makes what servers have to understand: with secrets that all of them know.
pub async fn open_for_servers(settings: &Settings) -> Result<TigerTrust, Failure> {
    let instance = open_ready(settings).await?;
    if let Some(ring) = &settings.keyring {
        let servers = Servers::read(instance.storage(), instance.clock().now()).await?;
        // Tokens are signed by servers alone.
        for kind in [SecretKind::Pepper, SecretKind::Encryption] {
            prefer_known(ring, &servers, kind)?;
        }
    }
    Ok(instance)
}

/// As [`open_for_servers`], for a server: the others have to understand what it makes, the seals of the audit log above all. It works all
/// the same where they cannot, and goes on with what it uses where nobody can know. Who ended a moment ago without a word counts, too:
/// it cannot be told from one that runs.
///
/// # Errors
/// What the operator has to know.
pub async fn prefer_known_to_others(instance: &TigerTrust, ring: &Keyring) -> Result<(), Failure> {
    let servers = Servers::read(instance.storage(), instance.clock().now()).await;
    let servers = servers
        .map_err(|error| {
            Failure::new(format!(
                "it is not known which secrets the other servers have: {error}"
            ))
        })?
        .without(instance.node());
    let failures = SecretKind::ALL
        .into_iter()
        .filter_map(|kind| prefer_known(ring, &servers, kind).err());
    let failures: Vec<String> = failures.map(|failure| failure.to_string()).collect();
    if failures.is_empty() {
        Ok(())
    } else {
        Err(Failure::new(failures.join("; ")))
    }
}

/// Has what is new made with the newest secret that all servers know. Between a rotation and SIGHUP that is not the first one, and a key
/// under that would be refused.
fn prefer_known(ring: &Keyring, servers: &Servers, kind: SecretKind) -> Result<(), Failure> {
    let Some(current) = ring.ids(kind).next() else {
        return Ok(());
    };
    match servers.first_known_to_all(kind, ring.ids(kind)) {
        Some(known) if ring.in_use(kind).as_deref() == Some(known) => {}
        Some(known) => {
            ring.prefer(kind, known);
            if known == current {
                tracing::info!(%kind, id = current, "all servers know the current secret now");
            } else {
                let unaware = servers.standing(kind, current).lacking.join(", ");
                tracing::warn!(
                    %kind,
                    current,
                    used = known,
                    unaware,
                    "not all servers know the current secret, so that an earlier one is used until they do: bring the ring there, and send \
                     them SIGHUP"
                );
            }
        }
        None => {
            return Err(Failure::new(format!(
                "the servers that run share no {} with this key ring, and would not understand what is made here: set keyring_file to the \
                 ring that they run with; `tigertrust secrets status` shows its ids",
                kind.name()
            )));
        }
    }
    Ok(())
}

/// Why the database's schema cannot be worked on, if so.
pub fn schema_failure(state: &SchemaState) -> Option<Failure> {
    match state {
        SchemaState::Current | SchemaState::Expanded(_) => None,
        SchemaState::Pending(missing) => Some(Failure::new(format!(
            "the database's schema is behind this program by {}: run `tigertrust migrate run`",
            count(missing.len())
        ))),
        SchemaState::Newer(unknown) => Some(Failure::new(format!(
            "the database's schema is ahead of this program by {} ({}): use the newer program that made it",
            count(unknown.len()),
            unknown.join(", ")
        ))),
        SchemaState::HalfMoved => Some(Failure::new(
            "an instance was being moved into this database, and not all of it is there: run the same `tigertrust move` again, \
             which goes on, or begin anew with an empty database",
        )),
        SchemaState::MovedAway => Some(Failure::new(
            "the instance in this database was moved into another one, and goes on there: set database.url to the new one; to stay \
             with this one, run `tigertrust move --reopen`",
        )),
    }
}

fn count(migrations: usize) -> String {
    if migrations == 1 {
        "1 migration".to_owned()
    } else {
        format!("{migrations} migrations")
    }
}

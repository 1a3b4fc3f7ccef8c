//! What each setting means. The handbook's reference is written from this, and a setting that is missing here fails a test.

use super::sso::provider_fields;

/// What SIGHUP does about a setting that has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnReload {
    /// Nothing: that needs a restart.
    Restart,
    /// It is taken up.
    TakenUp,
    /// What is in the file is taken up; another path needs a restart.
    File,
}

/// What is said of a setting.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    not(test),
    expect(
        dead_code,
        reason = "meanings are for the handbook, which a test compares with them"
    )
)]
pub struct Documented {
    /// Its name; of a provider's table the name of the field alone.
    pub key: &'static str,
    /// What it means, as Markdown.
    pub meaning: &'static str,
    /// What counts where nothing sets it, in words: where that is no fixed value, or nothing.
    pub default: Option<&'static str>,
    /// What SIGHUP does about it.
    pub reload: OnReload,
}

impl Documented {
    pub(super) const fn by_default(self, words: &'static str) -> Self {
        Self {
            default: Some(words),
            ..self
        }
    }

    const fn reload(self, reload: OnReload) -> Self {
        Self { reload, ..self }
    }
}

/// What is said of a setting; none of one that does not exist.
pub fn documented(key: &str) -> Option<&'static Documented> {
    let of_provider = key.strip_prefix("sso.").and_then(|rest| rest.split_once('.'));
    let (table, key) = match of_provider {
        Some((_, field)) => (
            provider_fields::FIELDS,
            field.rsplit_once('.').map_or(field, |(_, field)| field),
        ),
        None => (SETTINGS, key),
    };
    table.iter().find(|known| known.key == key)
}

/// Everything of which something is said.
#[cfg(test)]
pub fn catalogued() -> impl Iterator<Item = &'static Documented> {
    SETTINGS.iter().chain(provider_fields::FIELDS)
}

/// A setting with its meaning; what is special about it follows.
pub(super) const fn setting(key: &'static str, meaning: &'static str) -> Documented {
    Documented {
        key,
        meaning,
        default: None,
        reload: OnReload::Restart,
    }
}

const CORES: &str = "the number of CPU cores";

const SETTINGS: &[Documented] = &[
    setting(
        "server.listen",
        "Where to listen. Without `server.tls` it is plain HTTP. A socket that systemd hands over comes before this setting.",
    ),
    setting(
        "server.socket_mode",
        "The mode of the Unix socket's file: whoever may write to the file may connect. In TOML it is written in quotes.",
    ),
    setting("server.workers", "Threads that serve requests.").by_default(CORES),
    setting("server.max_connections", "The most connections at once, for each worker."),
    setting(
        "server.request_timeout",
        "How long a client may take to send the head of a request.",
    ),
    setting(
        "server.keep_alive",
        "How long a connection may stay idle between two requests. Let it be longer than that of the proxy in front.",
    ),
    setting(
        "server.shutdown_timeout",
        "How long running requests may go on once the server is told to stop. It counts in whole seconds; a rest is dropped.",
    ),
    setting(
        "server.tls.certificate_file",
        "The server's certificate, with those between it and the root behind it. With this and `server.tls.key_file` the server speaks TLS by itself.",
    )
    .by_default("none: plain HTTP")
    .reload(OnReload::File),
    setting("server.tls.key_file", "The private key of the certificate.").reload(OnReload::File),
    setting(
        "server.tls.check_every",
        "How often it is looked whether these two files have changed.",
    ),
    setting(
        "metrics.listen",
        "Where `GET /metrics` shows figures for Prometheus, and nothing else. It needs no key: whoever reaches the address may read.",
    )
    .by_default("none: nothing is shown"),
    setting(
        "passwords.hashing_threads",
        "How many passwords are hashed at once, on threads of their own. Each takes `passwords.memory_kib` of memory.",
    )
    .by_default(CORES),
    setting(
        "passwords.hashing_queue",
        "How many more passwords may wait to be hashed. What comes beyond is answered 503 with `Retry-After`.",
    ),
    setting(
        "passwords.memory_kib",
        "How much work the hash of a password is: the memory of Argon2id, in KiB. When it is raised, the hash of each person is made anew at the next login.",
    ),
    setting(
        "passwords.passes",
        "How much work the hash of a password is: the passes of Argon2id over that memory.",
    ),
    setting(
        "server.trusted_proxies",
        "The reverse proxies whose `X-Forwarded-For` is believed; `unix` is whoever connects to the Unix socket. Whoever calls from these networks chooses the client's address.",
    )
    .by_default("none: the client is who connects"),
    setting(
        "server.allowed_origins",
        "The origins, beside the server's own, whose pages may change something with a session. It adds no CORS headers.",
    ),
    setting(
        "server.public_url",
        "The address that people find this server at. Links in mails begin with it, single sign-on sends people back to it, and it is the issuer of short-lived tokens.",
    )
    .by_default("none; single sign-on and tokens have `http://` and `server.listen`"),
    setting(
        "keys.leaked_agent_keys",
        "What happens to an agent key that is reported as leaked: it is marked and goes on, or is revoked at once. A workspace may say otherwise for its own.",
    ),
    setting(
        "keys.leaked_public_keys",
        "What happens to a public key that is reported as leaked. All who have the client that it is in can report it.",
    ),
    setting(
        "keys.formats",
        "How keys are written that were made elsewhere, so that they can be imported. In the environment `id=prefix:length:type`, several with commas.",
    ),
    setting(
        "sessions.cookie_name",
        "What the cookie of a session is called. Another name signs everybody out.",
    ),
    setting(
        "sessions.lifetime",
        "How long a session lives from the sign-in on, whatever happens. Sessions that have begun keep the end that they have.",
    ),
    setting(
        "sessions.idle_timeout",
        "How long a session may go unused before it ends, to a minute. It counts for sessions that have begun too.",
    )
    .by_default("none: it may for all its life"),
    setting(
        "sessions.issuer",
        "What authenticator apps call this server. Apps that were added keep the name that they have.",
    ),
    setting(
        "mail.smtp_url",
        "The server that takes mails. With it, `mail.from` and `server.public_url` must be set too.",
    )
    .by_default("none: no mail is sent"),
    setting("mail.smtp_url_file", "The same from a file."),
    setting("mail.from", "Whom mails come from."),
    setting("mail.service_name", "What mails call this service.").by_default("`sessions.issuer`"),
    setting(
        "passkeys.rp_id",
        "The domain that passkeys are bound to. Choose it once: with another one, no passkey that exists can be used.",
    )
    .by_default("the domain of `server.public_url`, else `localhost`"),
    setting("passkeys.origins", "The origins whose pages may use passkeys.")
        .by_default("`https://` and the id; for `localhost` every port, with `http://` too"),
    setting(
        "sso.return_origins",
        "Where people may be sent on to once a provider has signed them in, beside the server's own pages.",
    ),
    setting(
        "sso.allow_private_addresses",
        "Whether identity providers may be at addresses that are not public, and on this machine by plain HTTP too. Whoever may connect a workspace names addresses that this server then asks.",
    ),
    setting("database.url", "Where the database is.")
        .by_default("`sqlite://` and the path of `tigertrust.db` in the data folder"),
    setting("database.url_file", "The same from a file."),
    setting(
        "database.pool_size",
        "Connections to PostgreSQL for requests, for each server.",
    ),
    setting(
        "database.acquire_timeout",
        "How long a request waits for a connection before it is answered 503.",
    ),
    setting(
        "database.statement_timeout",
        "How long PostgreSQL may work on a statement.",
    ),
    setting(
        "database.migrate_on_start",
        "Whether `serve` brings the schema up to date first, as `serve --migrate` does.",
    ),
    setting(
        "keyring",
        "The key ring: the secrets that all else is protected with. `serve` does not start without one.",
    )
    .reload(OnReload::TakenUp),
    setting("keyring_file", "The same from a file.")
        .by_default("`keyring.toml` in the data folder, if it is there")
        .reload(OnReload::TakenUp),
    setting(
        "keyring_command",
        "The same from a program, which is started without a shell, has 10 seconds, and prints the ring.",
    )
    .reload(OnReload::TakenUp),
    setting(
        "cache.max_keys",
        "How many keys a server remembers. 0 asks the database for each request.",
    ),
    setting(
        "cache.max_workspaces",
        "How many workspaces a server remembers, for instance keys.",
    ),
    setting(
        "cache.max_staleness",
        "How long the feed of changes may be silent before nothing remembered is trusted: for so long a server that is cut off from its database accepts a key that was revoked elsewhere.",
    ),
    setting(
        "rate_limit.plans",
        "What plans allow each of their keys. What is set is added to the default, or takes the place of the plan with the same name. In the environment it is written as the default is here, with `:shadow` at the end of a plan that refuses nobody.",
    ),
    setting("rate_limit.instance", "What each instance key may do."),
    setting("rate_limit.verify", "How often each key may call `POST /api/keys/verify`."),
    setting("rate_limit.sessions", "How many requests each session may make."),
    setting(
        "rate_limit.failures",
        "How many credentials that are no good a client network may present before it is slowed.",
    ),
    setting(
        "rate_limit.url",
        "A Valkey or Redis in which all servers count together. `?cluster=true` at the end of a single URL says that it is of a cluster.",
    )
    .by_default("none: each server counts for itself"),
    setting("rate_limit.url_file", "The same from a file."),
    setting(
        "rate_limit.deadline",
        "How long a request waits for that store before its server decides alone.",
    ),
    setting(
        "usage.keep_minutes",
        "How long counts of usage by the minute are kept.",
    ),
    setting("usage.keep_hours", "How long counts of usage by the hour are kept."),
    setting(
        "usage.keep_days",
        "How long counts of usage by the day are kept, and when scopes were last used.",
    ),
    setting(
        "hygiene.unused_for",
        "A key is worth a look that was not used for so long, and is older than that.",
    ),
    setting("hygiene.expires_within", "A key is worth a look that expires so soon."),
    setting("hygiene.urgent_within", "A key that expires so soon is urgent."),
    setting(
        "hygiene.scope_unused_for",
        "A key is worth a look that was used within this time, while none of the checks in it asked for a scope that it holds.",
    ),
    setting(
        "hygiene.watched_for",
        "The scopes of a key are judged once its calls have been counted, and it was not edited, for so long.",
    ),
    setting(
        "hygiene.older_than",
        "A key is worth a look whose newest secret was made so long ago.",
    ),
    setting(
        "webhooks.allow_private_addresses",
        "Whether webhooks may lead to addresses that are not public, and there by plain HTTP too. Whoever may make a webhook names addresses that this server then posts to.",
    ),
    setting(
        "scopes",
        "Which application scopes exist, each with the types of key that may hold it. What is set takes the place of the default. It cannot be set in the environment.",
    ),
    setting(
        "audit.checkpoint_file",
        "The file that `serve` appends signed checkpoints of the audit log to. Put it where nobody writes who has the database.",
    )
    .by_default("none: nobody keeps them"),
    setting("audit.checkpoint_every", "How often it does so."),
    setting(
        "log.format",
        "Lines for people, or one JSON object a line. Logs go to standard error in both.",
    ),
    setting(
        "log.filter",
        "What is logged. Parts of the program are named by their Rust path; the directive with the longest path that fits counts.",
    )
    .reload(OnReload::TakenUp),
    setting(
        "traces.url",
        "The collector that traces are sent to by OTLP over HTTP: to `/v1/traces` below it, if it does not end with that. Without TLS it must not be at a public address.",
    )
    .by_default("none: nothing is recorded or sent"),
    setting(
        "traces.headers",
        "What every request to the collector bears, such as the key that a hosted one asks for.",
    ),
    setting("traces.headers_file", "The same from a file."),
    setting("traces.sample", "Which share of the requests is recorded."),
    setting(
        "traces.follow_callers",
        "Whether a request whose `traceparent` says so is recorded, or is not, whatever `traces.sample` says. Set it only where all callers are your own.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_a_provider_is_found_in_each_of_its_tables() {
        for key in ["sso.google.issuer", "sso.oidc.acme.issuer"] {
            assert_eq!(documented(key).unwrap().key, "issuer");
        }
        assert_eq!(
            documented("sso.return_origins").unwrap().key,
            "sso.return_origins"
        );
        assert!(documented("sso.google.nothing").is_none());
    }
}

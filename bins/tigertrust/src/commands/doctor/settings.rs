//! Settings that are allowed, and weak.

use std::time::Duration;

use super::finding::Finding;
use crate::{config::Settings, duration};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Sessions that live longer outlive what people remember of them.
const LONG_SESSION: Duration = DAY.saturating_mul(30);
/// A server that is cut off from its database lets revoked keys in for so long.
const LONG_STALENESS: Duration = Duration::from_secs(30);

pub fn look(settings: &Settings) -> Vec<Finding> {
    let findings = [
        addresses(settings),
        public_url(settings),
        weak_times(settings),
        private_addresses(settings),
        records(settings),
    ];
    findings.concat()
}

fn is_set(settings: &Settings, key: &str) -> bool {
    settings
        .asked
        .iter()
        .any(|asked| asked.key == key && asked.is_set())
}

fn addresses(settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    let has_proxy = is_set(settings, "server.trusted_proxies");
    let is_local = settings.listen.is_local();
    if !is_local && !has_proxy && settings.tls.is_none() {
        findings.push(Finding::warning(
            "server.listen",
            format!(
                "{} is reached from other machines by plain HTTP, and no proxy is named",
                settings.listen
            ),
            "Set server.tls, or listen on 127.0.0.1 behind a proxy with TLS and name it in server.trusted_proxies.",
        ));
    } else {
        findings.push(Finding::ok("server.listen", settings.listen.to_string()));
    }
    if settings.proxies_believe_everybody {
        findings.push(Finding::error(
            "server.trusted_proxies",
            "holds a network of all addresses: every client chooses its own address",
            "Name the addresses of your proxies alone.",
        ));
    }
    if let Some(metrics) = settings.metrics_listen
        && !metrics.ip().is_loopback()
    {
        findings.push(Finding::warning(
            "metrics.listen",
            format!("{metrics} shows the figures to whoever reaches it"),
            "Listen on 127.0.0.1, or on an address that only your monitoring reaches.",
        ));
    }
    findings
}

fn public_url(settings: &Settings) -> Vec<Finding> {
    let about = "server.public_url";
    let is_local = settings.listen.is_local();
    vec![match &settings.mail.public_url {
        None => Finding::note(
            about,
            "is not set: no mail, and single sign-on sends people back to where the server listens",
            "Set it to the address that people find this server at.",
        ),
        Some(url) if url.as_str().starts_with("https://") => Finding::ok(
            about,
            format!(
                "{} is reached over TLS, and answers say so to browsers (HSTS)",
                url.as_str()
            ),
        ),
        Some(url) if is_local && url.domain() == Some("localhost") => {
            Finding::ok(about, url.as_str().to_owned())
        }
        Some(url) => Finding::warning(
            about,
            format!(
                "{} is plain HTTP: passwords and sessions can be read on their way",
                url.as_str()
            ),
            "Put a proxy with TLS in front, or set server.tls, and set it to the https:// address.",
        ),
    }]
}

fn weak_times(settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    let lifetime = settings.app.sessions.lifetime;
    if lifetime > LONG_SESSION {
        findings.push(Finding::warning(
            "sessions.lifetime",
            format!("{}: a stolen session is good for long", duration::show(lifetime)),
            "Set it to 30d or less.",
        ));
    }
    if settings.max_staleness > LONG_STALENESS {
        findings.push(Finding::warning(
            "cache.max_staleness",
            format!(
                "{}: a server that is cut off from its database admits revoked keys for so long",
                duration::show(settings.max_staleness)
            ),
            "Set it to 30s or less.",
        ));
    }
    findings
}

fn private_addresses(settings: &Settings) -> Vec<Finding> {
    let sso = settings.app.sso.as_ref();
    let named = [
        (
            "webhooks.allow_private_addresses",
            settings.allow_private_webhooks,
        ),
        (
            "sso.allow_private_addresses",
            sso.is_some_and(|sso| sso.allows_private_addresses),
        ),
    ];
    let allowed = named.into_iter().filter(|(_, is_allowed)| *is_allowed);
    let finding = |(about, _): (&str, bool)| {
        Finding::warning(
            about,
            "whoever manages a workspace has this server ask addresses of your own network",
            "Set it to false, unless all of them may reach what this server reaches.",
        )
    };
    allowed.map(finding).collect()
}

fn records(settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    if settings.audit.checkpoint_file.is_none() {
        findings.push(Finding::note(
            "audit.checkpoint_file",
            "is not set: whoever has the database and the key ring can cut off the end of the audit log unnoticed",
            "Set it to a file on another machine or disk, or store `tigertrust audit checkpoint` elsewhere.",
        ));
    }
    if settings.metrics_listen.is_none() {
        findings.push(Finding::note(
            "metrics.listen",
            "is not set: nothing watches this server from within",
            "Set it to an address such as 127.0.0.1:9464, and have Prometheus read it.",
        ));
    }
    findings
}

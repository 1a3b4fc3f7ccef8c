//! What depends on the secrets of a key ring, and which servers run with them.

use std::{fs, time::Duration};

use serde::Serialize;
use tigertrust_model::Timestamp;

use super::{super::settings, edit::ring_of};
use crate::{
    cli::Common,
    config::{Keyring, KeyringSource, SecretKind, Settings},
    dependents::{Counts, Dependents, described},
    failure::Failure,
    instance, output,
    own_ring::ensure_own,
    servers::{self, Servers, Standing},
};

/// How long a token is good at the most: `http` refuses to sign one for longer.
const LONGEST_TOKEN: Duration = Duration::from_secs(15 * 60);

/// A secret of the ring, or one that is missing there.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// What it is for.
    pub kind: SecretKind,
    /// Its id.
    pub id: String,
    state: State,
    /// How many rows depend on it, by what they are.
    dependents: Counts,
    /// Until when tokens may be under way that it has signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens_until: Option<String>,
    /// The servers that run, by what it is to them.
    servers: Standing,
    removable: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum State {
    /// What is new is made with it.
    Current,
    /// It was put behind that in use, to be used later.
    Next,
    /// What is there may need it.
    Earlier,
    /// Nothing needs it: it may be from before that in use, or to be used later.
    Unused,
    /// Something needs it, and the ring does not hold it.
    Missing,
}

impl State {
    /// That of a secret of a ring which is not the first of its kind. Where that cannot be told from an id which somebody chose, nobody
    /// is told that the secret is from before: it may have been put there a moment ago.
    fn behind(kind: SecretKind, id: &str, current: &str, is_needed: bool) -> Self {
        match (kind.number(id), kind.number(current)) {
            _ if is_needed => Self::Earlier,
            (Some(own), Some(current)) if own > current => Self::Next,
            (Some(_), Some(_)) => Self::Earlier,
            _ => Self::Unused,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Current => "in use",
            Self::Next => "next",
            Self::Earlier => "earlier",
            Self::Unused => "unused",
            Self::Missing => "MISSING",
        }
    }
}

impl Usage {
    /// Why it cannot be taken out without loss; none if it can, even where it was put there to be used later.
    pub fn stays_because(&self) -> Option<String> {
        if self.state == State::Current {
            return Some("it is the one in use".to_owned());
        }
        // A server that merely holds it is no reason: it seals nothing with it, so that nothing can come to depend on it, and forgets it
        // when it next takes the ring up.
        let by_servers = in_use_by(&self.servers);
        let by_rows =
            (!self.dependents.is_empty()).then(|| format!("{} depend on it", described(&self.dependents)));
        let by_tokens = self
            .tokens_until
            .as_ref()
            .map(|until| format!("tokens that it may have signed are good until {until}"));
        let reasons: Vec<String> = [by_servers, by_rows, by_tokens].into_iter().flatten().collect();
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }

    fn advice(&self) -> String {
        match (self.state, self.stays_because()) {
            (State::Missing, _) => "put it back into the ring".to_owned(),
            (State::Current, _) => "no: in use".to_owned(),
            (State::Next, _) => "no: to be promoted".to_owned(),
            (_, Some(_)) if !self.dependents.is_empty() => "no: not while those are there".to_owned(),
            (_, Some(reason)) => format!("no: {reason}"),
            (State::Unused, None) => "yes, unless it is to be promoted".to_owned(),
            (State::Earlier, None) => "yes".to_owned(),
        }
    }
}

/// Why a secret may not be taken out by what servers do with it.
fn in_use_by(servers: &Standing) -> Option<String> {
    if !servers.using.is_empty() {
        return Some(format!(
            "in use for what is new by {}: send SIGHUP, so that the ring is taken up there",
            servers.using.join(", ")
        ));
    }
    (!servers.unknown.is_empty()).then(|| {
        format!(
            "it is not known whether {} use it, of an older release: upgrade or stop them first",
            servers.unknown.join(", ")
        )
    })
}

/// Prints what depends on which secret.
pub async fn status(common: &Common) -> Result<(), Failure> {
    let settings = settings(common, Vec::new())?;
    let (usages, servers) = usages(&settings).await?;
    output::print(common.output, &usages, |usages| {
        let dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
        let rows = usages.iter().map(|usage| {
            [
                usage.kind.to_string(),
                usage.id.clone(),
                usage.state.name().to_owned(),
                dash(described(&usage.dependents)),
                dash(counted(&usage.servers)),
                usage.advice(),
            ]
        });
        let headings = ["KIND", "ID", "STATE", "DEPENDENTS", "SERVERS", "CAN BE TAKEN OUT"];
        let secrets = output::table(headings, rows);
        if servers.iter().next().is_none() {
            return format!("{secrets}\n\nNo server runs.");
        }
        let rows = servers.iter().map(|node| {
            let ids = |kind| match servers::ids_on(node, kind) {
                None => "unknown".to_owned(),
                Some(ids) => dash(ids.join(", ")),
            };
            let [pepper, encryption, signing] = SecretKind::ALL.map(ids);
            [servers::name(node), pepper, encryption, signing]
        });
        let servers = output::table(["SERVER", "PEPPERS", "ENCRYPTION", "SIGNING"], rows);
        format!(
            "{secrets}\n\n{servers}\nThe first secret of each kind is the one that the server makes what is new with."
        )
    })
}

/// How many servers there are of each standing.
fn counted(standing: &Standing) -> String {
    let parts = [
        (standing.using.len(), "use it", "uses it"),
        (standing.holding.len(), "hold it", "holds it"),
        (standing.lacking.len(), "lack it", "lacks it"),
        (standing.unknown.len(), "unknown", "unknown"),
    ];
    let parts = parts.iter().filter(|(count, ..)| *count > 0);
    parts
        .map(|(count, many, one)| format!("{count} {}", if *count == 1 { one } else { many }))
        .collect::<Vec<_>>()
        .join(", ")
}

/// All secrets of the ring, those that something depends on and the ring does not hold, and the servers that run.
pub async fn usages(settings: &Settings) -> Result<(Vec<Usage>, Servers), Failure> {
    let (ring, source) = ring_of(settings)?;
    let instance = instance::open_ready(settings).await?;
    ensure_own(instance.storage(), Some(ring)).await?;
    let now = instance.clock().now();
    // The servers first: what one has made with a secret that it no longer uses is counted then.
    let servers = Servers::read_surely(instance.storage(), now).await?;
    let dependents = Dependents::read(instance.storage()).await?;
    let tokens_until = tokens_until(source, &servers, now);
    let mut usages = Vec::new();
    for kind in SecretKind::ALL {
        usages.extend(held(ring, kind, &dependents, &servers, tokens_until));
        usages.extend(missing(ring, kind, &dependents, &servers));
    }
    Ok((usages, servers))
}

fn held(
    ring: &Keyring,
    kind: SecretKind,
    dependents: &Dependents,
    servers: &Servers,
    tokens_until: Option<Timestamp>,
) -> Vec<Usage> {
    let current = ring.ids(kind).next().unwrap_or_default();
    let usage = |(index, id): (usize, &str)| {
        let dependents = dependents.on(kind, id);
        let standing = servers.standing(kind, id);
        let state = if index == 0 {
            State::Current
        } else {
            let is_needed = !dependents.is_empty() || !standing.using.is_empty();
            State::behind(kind, id, current, is_needed)
        };
        let tokens_until = tokens_until.filter(|_| kind == SecretKind::Signing && state != State::Current);
        let mut usage = Usage {
            kind,
            id: id.to_owned(),
            state,
            dependents,
            tokens_until: tokens_until.map(tigertrust_wire::format_rfc3339),
            servers: standing,
            removable: false,
        };
        usage.removable = state != State::Next && usage.stays_because().is_none();
        usage
    };
    ring.ids(kind).enumerate().map(usage).collect()
}

fn missing(ring: &Keyring, kind: SecretKind, dependents: &Dependents, servers: &Servers) -> Vec<Usage> {
    let mut ids = dependents.missing_in(ring, kind);
    ids.extend(
        servers
            .in_use(kind)
            .filter(|id| !ring.ids(kind).any(|held| held == *id)),
    );
    ids.sort_unstable();
    ids.dedup();
    let usage = |id: &str| Usage {
        kind,
        id: id.to_owned(),
        state: State::Missing,
        dependents: dependents.on(kind, id),
        tokens_until: None,
        servers: servers.standing(kind, id),
        removable: false,
    };
    ids.into_iter().map(usage).collect()
}

/// Until when tokens of a key may be under way that is no longer in front: nobody knows since when it is not, but no longer than the ring
/// has been as it is, and no longer than the last server to take it up has had it. None where that is past.
fn tokens_until(source: &KeyringSource, servers: &Servers, now: Timestamp) -> Option<Timestamp> {
    let since = file_changed(source).max(servers.latest_change())?;
    let until = since.saturating_add(LONGEST_TOKEN);
    (now < until).then_some(until)
}

/// When the ring was changed, if it comes from a file.
fn file_changed(source: &KeyringSource) -> Option<Timestamp> {
    let KeyringSource::File(path) = source else {
        return None;
    };
    let changed = fs::metadata(path).and_then(|file| file.modified()).ok()?;
    let changed = changed.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(Timestamp::from_unix_micros(
        i64::try_from(changed.as_micros()).ok()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_behind_is_not_taken_for_what_was_in_front() {
        let state = |id, current, needed| State::behind(SecretKind::Pepper, id, current, needed);
        assert_eq!(state("p2", "p1", false), State::Next);
        assert_eq!(state("p2", "p1", true), State::Earlier);
        assert_eq!(state("p1", "p2", false), State::Earlier);
        assert_eq!(state("autumn", "spring", false), State::Unused);
        assert_eq!(state("autumn", "spring", true), State::Earlier);
    }
}

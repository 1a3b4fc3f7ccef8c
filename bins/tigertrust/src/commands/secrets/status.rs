//! What depends on the secrets of a key ring.

use std::{collections::BTreeMap, fs, time::Duration};

use serde::Serialize;
use tigertrust_credentials::SystemClock;
use tigertrust_model::{Clock, Timestamp};
use tigertrust_storage::{Dependent, SecretUse};

use super::{super::settings, edit::ring_of};
use crate::{
    cli::Common,
    config::{Keyring, KeyringSource, SecretKind, Settings},
    failure::Failure,
    instance, output,
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
    dependents: BTreeMap<&'static str, u64>,
    /// Until when tokens may be under way that it has signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens_until: Option<String>,
    removable: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum State {
    /// What is new is made with it.
    Current,
    /// What is there may need it.
    Earlier,
    /// Something needs it, and the ring does not hold it.
    Missing,
}

impl Usage {
    /// Why it cannot be taken out; none if it can.
    pub fn stays_because(&self) -> Option<String> {
        if self.removable {
            return None;
        }
        Some(match (self.state, &self.tokens_until) {
            (State::Current, _) => "it is the one in use".to_owned(),
            (_, Some(until)) => format!("tokens that it has signed are good until {until}"),
            _ => format!("{} depend on it", self.described()),
        })
    }

    fn described(&self) -> String {
        let parts = self.dependents.iter();
        parts
            .map(|(name, count)| format!("{count} {name}"))
            .collect::<Vec<_>>()
            .join(", ")
    }

    fn advice(&self) -> String {
        match (self.state, self.stays_because()) {
            (State::Missing, _) => "put it back into the ring".to_owned(),
            (_, None) => "yes".to_owned(),
            (State::Earlier, Some(reason)) if self.kind == SecretKind::Signing => format!("no: {reason}"),
            (State::Current, Some(_)) => "no: in use".to_owned(),
            (State::Earlier, Some(_)) => "no: not while those are there".to_owned(),
        }
    }
}

/// Prints what depends on which secret.
pub async fn status(common: &Common) -> Result<(), Failure> {
    let settings = settings(common, Vec::new())?;
    let usages = usages(&settings).await?;
    output::print(common.output, &usages, |usages| {
        let rows = usages.iter().map(|usage| {
            let state = match usage.state {
                State::Current => "in use",
                State::Earlier => "earlier",
                State::Missing => "MISSING",
            };
            let dependents = usage.described();
            [
                usage.kind.to_string(),
                usage.id.clone(),
                state.to_owned(),
                if dependents.is_empty() {
                    "-".to_owned()
                } else {
                    dependents
                },
                usage.advice(),
            ]
        });
        output::table(["KIND", "ID", "STATE", "DEPENDENTS", "CAN BE TAKEN OUT"], rows)
    })
}

/// All secrets of the ring, and those that something depends on and the ring does not hold.
pub async fn usages(settings: &Settings) -> Result<Vec<Usage>, Failure> {
    let (ring, source) = ring_of(settings)?;
    let instance = instance::open_ready(settings).await?;
    let uses = instance.storage().secret_uses().await?;
    let tokens_until = tokens_until(source);
    let mut usages = Vec::new();
    for kind in SecretKind::ALL {
        usages.extend(held(ring, kind, &uses, tokens_until));
        usages.extend(missing(ring, kind, &uses));
    }
    Ok(usages)
}

fn held(ring: &Keyring, kind: SecretKind, uses: &[SecretUse], tokens_until: Option<Timestamp>) -> Vec<Usage> {
    let usage = |(index, id): (usize, &str)| {
        let state = if index == 0 {
            State::Current
        } else {
            State::Earlier
        };
        let dependents = dependents(kind, id, uses);
        let tokens_until = tokens_until.filter(|_| kind == SecretKind::Signing && state == State::Earlier);
        Usage {
            removable: state == State::Earlier && dependents.is_empty() && tokens_until.is_none(),
            kind,
            id: id.to_owned(),
            state,
            dependents,
            tokens_until: tokens_until.map(tigertrust_wire::format_rfc3339),
        }
    };
    ring.ids(kind).enumerate().map(usage).collect()
}

fn missing(ring: &Keyring, kind: SecretKind, uses: &[SecretUse]) -> Vec<Usage> {
    let of_kind = uses.iter().filter(|used| described(used.dependent).0 == kind);
    let mut ids: Vec<&str> = of_kind.map(|used| used.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    ids.retain(|id| !ring.ids(kind).any(|held| held == *id));
    let usage = |id: &str| Usage {
        kind,
        id: id.to_owned(),
        state: State::Missing,
        dependents: dependents(kind, id, uses),
        tokens_until: None,
        removable: false,
    };
    ids.into_iter().map(usage).collect()
}

fn dependents(kind: SecretKind, id: &str, uses: &[SecretUse]) -> BTreeMap<&'static str, u64> {
    let mut counts = BTreeMap::new();
    for used in uses {
        let (of, name) = described(used.dependent);
        if of == kind && used.id == id && used.count > 0 {
            *counts.entry(name).or_default() += used.count;
        }
    }
    counts
}

/// Which kind of secret something depends on, and what it is called.
const fn described(dependent: Dependent) -> (SecretKind, &'static str) {
    match dependent {
        Dependent::ApiKey => (SecretKind::Pepper, "keySecrets"),
        Dependent::AuditEvent => (SecretKind::Pepper, "auditEvents"),
        Dependent::AuditHead => (SecretKind::Pepper, "auditChains"),
        Dependent::AuthenticatorApp => (SecretKind::Encryption, "authenticatorApps"),
        Dependent::Connection => (SecretKind::Encryption, "connections"),
        Dependent::Webhook => (SecretKind::Encryption, "webhookSecrets"),
        Dependent::PasskeyChallenge => (SecretKind::Encryption, "passkeyChallenges"),
    }
}

/// Until when tokens of a key may be under way that is no longer in front: nobody knows since when it is not, but no longer than the ring
/// has been as it is. None where that is past, or where the ring does not come from a file.
fn tokens_until(source: &KeyringSource) -> Option<Timestamp> {
    let KeyringSource::File(path) = source else {
        return None;
    };
    let changed = fs::metadata(path).and_then(|file| file.modified()).ok()?;
    let changed = changed.duration_since(std::time::UNIX_EPOCH).ok()?;
    let until = changed.checked_add(LONGEST_TOKEN)?;
    let until = Timestamp::from_unix_micros(i64::try_from(until.as_micros()).ok()?);
    (SystemClock::new().now() < until).then_some(until)
}

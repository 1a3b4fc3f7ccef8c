//! What the database and the servers that run need of the key ring.

use std::time::Duration;

use tigertrust_credentials::RunningNode;
use tigertrust_model::Timestamp;
use tigertrust_storage::Storage;
use tokio::time::timeout;

use super::{finding::Finding, line};
use crate::{
    config::{Keyring, SecretKind},
    dependents::{Dependents, described},
    own_ring::{OtherSecret, other_encryption_key},
    servers::{self, Servers},
};

const ABOUT: &str = "key ring";
const SERVERS: &str = "servers";

/// Looks at all of it, within the time.
pub async fn look(storage: &Storage, ring: &Keyring, now: Timestamp, limit: Duration) -> Vec<Finding> {
    let mut findings = match timeout(limit, Dependents::read(storage)).await {
        Ok(Ok(dependents)) => missing(ring, &dependents),
        Ok(Err(error)) => vec![Finding::warning(
            ABOUT,
            format!("it could not be looked what depends on it: {}", line(&error)),
            "See what the database's log says.",
        )],
        Err(_) => vec![Finding::note(
            ABOUT,
            "there was no time to look whether a secret is missing, since all that depends on one is counted",
            "Pass a longer --timeout, or run `tigertrust secrets status`.",
        )],
    };
    match other_encryption_key(storage, ring).await {
        Ok(other) => findings.extend(other.as_ref().map(not_its_own)),
        Err(error) => findings.push(Finding::warning(
            ABOUT,
            format!(
                "it could not be looked whether it is the database's own: {}",
                line(&error)
            ),
            "See what the database's log says.",
        )),
    }
    match Servers::read(storage, now).await {
        Ok(servers) => findings.extend(running(ring, &servers)),
        Err(error) => findings.push(Finding::warning(
            SERVERS,
            line(&error),
            "See what the database's log says.",
        )),
    }
    findings
}

/// That the ring is another database's.
pub fn not_its_own(other: &OtherSecret) -> Finding {
    Finding::error(
        ABOUT,
        other.to_string(),
        "Put the ring in place that belongs to this database. If it is the right one, somebody has changed the database by hand: see `tigertrust \
         audit verify`. If the right one is lost, so is what it has sealed: see the handbook on a lost key ring.",
    )
}

fn missing(ring: &Keyring, dependents: &Dependents) -> Vec<Finding> {
    let of_kind = |kind| {
        let ids = dependents.missing_in(ring, kind).into_iter();
        ids.map(move |id| {
            let needed_by = described(&dependents.on(kind, id));
            Finding::error(
                ABOUT,
                format!("{kind} {id} is MISSING: {needed_by} depend on it"),
                "Put it back from a copy of the ring, and send the servers SIGHUP.",
            )
        })
    };
    SecretKind::ALL.into_iter().flat_map(of_kind).collect()
}

fn running(ring: &Keyring, servers: &Servers) -> Vec<Finding> {
    let findings: Vec<Finding> = servers.iter().filter_map(|node| one(ring, node)).collect();
    let count = servers.iter().count();
    if findings.is_empty() && count > 0 {
        let plural = if count == 1 { " runs" } else { "s run" };
        return vec![Finding::ok(
            SERVERS,
            format!("{count} server{plural}, whose secrets have the ids of this key ring"),
        )];
    }
    findings
}

/// What is wrong with the secrets that a server runs with.
fn one(ring: &Keyring, node: &RunningNode) -> Option<Finding> {
    let name = servers::name(node);
    let mut differences = Vec::new();
    let mut spare = Vec::new();
    let mut is_lost = false;
    for kind in SecretKind::ALL {
        let Some(running) = servers::ids_on(node, kind) else {
            return Some(Finding::note(
                SERVERS,
                format!("{name} does not say which secrets it runs with"),
                "Upgrade it, so that `tigertrust secrets` knows when a secret may be taken out.",
            ));
        };
        // A kind that it began without is taken up by a restart alone, and told by the server itself.
        let Some(current) = running.first() else { continue };
        let held: Vec<&str> = ring.ids(kind).collect();
        if !held.contains(&current.as_str()) {
            is_lost = true;
            differences.push(format!(
                "makes what is new with {kind} {current}, which is not in this key ring"
            ));
        } else if held.first() != Some(&current.as_str()) {
            differences.push(format!("makes what is new with {kind} {current} still"));
        }
        let lacking = held.iter().filter(|id| !running.iter().any(|own| own == *id));
        differences.extend(lacking.map(|id| format!("does not know {kind} {id}")));
        let more = running.iter().skip(1).filter(|id| !held.contains(&id.as_str()));
        spare.extend(more.map(|id| format!("holds {kind} {id}, which is not in this key ring")));
    }
    if differences.is_empty() {
        return (!spare.is_empty()).then(|| {
            Finding::note(
                SERVERS,
                format!("{name} {}", spare.join(", ")),
                "Bring it this key ring and send it SIGHUP, so that it forgets what nothing needs; what is MISSING it keeps until that is back.",
            )
        });
    }
    differences.extend(spare);
    let finding = format!("{name} {}", differences.join(", "));
    Some(if is_lost {
        Finding::error(
            SERVERS,
            finding,
            "Put that secret into this key ring before the server ends, or what it has sealed is lost.",
        )
    } else {
        Finding::warning(
            SERVERS,
            finding,
            "Bring it this key ring, send it SIGHUP, and see in its log that it has read its settings again.",
        )
    })
}

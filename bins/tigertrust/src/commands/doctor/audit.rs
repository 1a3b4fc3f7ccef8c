//! Whether the chains of the audit log end as they were written, and with that whether the key ring is the database's own.

use std::time::Duration;

use tigertrust_accounts::audit::chain;
use tigertrust_credentials::AuditRing;
use tigertrust_model::ChainHead;
use tigertrust_storage::Storage;
use tokio::time::timeout;

use super::{finding::Finding, line};
use crate::config::Keyring;

const ABOUT: &str = "audit log";

/// Looks at the heads of all chains, within the time.
pub async fn look(storage: &Storage, ring: &Keyring, limit: Duration) -> Vec<Finding> {
    let ring = AuditRing::new(ring.peppers.clone());
    match timeout(limit, storage.audit().chain_heads()).await {
        Ok(Ok(heads)) => judge(&ring, &heads),
        Ok(Err(error)) => vec![Finding::warning(
            ABOUT,
            line(&error),
            "See what the database's log says.",
        )],
        Err(_) => vec![Finding::note(
            ABOUT,
            "there was no time to look how its chains end",
            "Pass a longer --timeout, or run `tigertrust audit verify`.",
        )],
    }
}

/// What the heads say. Those under a pepper that is missing are no matter here: that it is missing is told elsewhere.
fn judge(ring: &AuditRing, heads: &[ChainHead]) -> Vec<Finding> {
    let (mut whole, mut broken): (Vec<&ChainHead>, Vec<&ChainHead>) = (Vec::new(), Vec::new());
    for head in heads {
        match chain::seal_of(ring, head) {
            Some(seal) if seal == head.seal => whole.push(head),
            Some(_) => broken.push(head),
            None => {}
        }
    }
    let Some(first) = broken.first() else {
        let finding = format!(
            "its {} end as they were written",
            super::counted(whole.len(), "chain")
        );
        return vec![Finding::ok(ABOUT, finding)];
    };
    // Nobody seals so many anew without the pepper; somebody who has put another ring in place has broken all at once.
    let none_holds = |id: &str| whole.iter().all(|head| head.key != id);
    if broken.iter().all(|head| none_holds(&head.key)) {
        return vec![Finding::error(
            "key ring",
            format!(
                "the pepper {} in it is not the {} that this database was written with, so that no key is known and nothing is logged",
                first.key, first.key
            ),
            "Put the ring in place that belongs to this database. If it is the right one, see `tigertrust audit verify`: somebody has changed the log.",
        )];
    }
    vec![Finding::error(
        ABOUT,
        format!(
            "{} of it end otherwise than they were written: somebody has changed the database by hand",
            super::counted(broken.len(), "chain")
        ),
        "See `tigertrust audit verify`, and `tigertrust audit restart` to go on.",
    )]
}

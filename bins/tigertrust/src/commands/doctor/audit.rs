//! Whether the chains of the audit log end as they were written, and with that whether the key ring is the database's own.

use std::time::Duration;

use tigertrust_credentials::AuditRing;
use tigertrust_model::ChainHead;
use tigertrust_storage::Storage;
use tokio::time::timeout;

use super::{finding::Finding, line, secrets::not_its_own};
use crate::{
    config::Keyring,
    own_ring::{other_pepper, seal_is},
};

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
    let count = |whole| {
        heads
            .iter()
            .filter(|head| seal_is(ring, head) == Some(whole))
            .count()
    };
    if let Some(other) = other_pepper(ring, heads) {
        return vec![not_its_own(&other)];
    }
    let broken = count(false);
    if broken == 0 {
        let finding = format!(
            "its {} end as they were written",
            super::counted(count(true), "chain")
        );
        return vec![Finding::ok(ABOUT, finding)];
    }
    vec![Finding::error(
        ABOUT,
        format!(
            "{} of it end otherwise than they were written: somebody has changed the database by hand",
            super::counted(broken, "chain")
        ),
        "See `tigertrust audit verify`, and `tigertrust audit restart` to go on.",
    )]
}

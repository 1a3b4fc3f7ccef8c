//! Whether a key ring is the one that a database was written with. The secrets of another ring may have the same ids.

use std::fmt;

use tigertrust_accounts::audit::chain;
use tigertrust_credentials::{AuditRing, ports::StoreError};
use tigertrust_model::{Chain, ChainHead};
use tigertrust_storage::Storage;

use crate::{
    config::{Keyring, SecretKind},
    failure::Failure,
};

/// A secret of a ring that is another than the one of its id that the database was written with.
#[derive(Debug, PartialEq, Eq)]
pub struct OtherSecret {
    kind: SecretKind,
    id: String,
    /// Where one value alone says so, somebody may have changed that by hand.
    is_sure: bool,
}

impl fmt::Display for OtherSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, id, .. } = self;
        write!(
            f,
            "the {kind} {id} in it is not the {id} that this database was written with, "
        )?;
        f.write_str(match kind {
            SecretKind::Pepper => "so that no key is known and nothing is logged",
            SecretKind::Encryption | SecretKind::Signing => {
                "so that what it has sealed cannot be read, and what it would seal could not be read with the right one"
            }
        })
    }
}

/// Refuses to go on with the key ring of another database: every key would be unknown, and what would be sealed nobody could read with the
/// right one.
///
/// # Errors
/// It is another database's, without doubt.
pub async fn ensure_own(storage: &Storage, ring: Option<&Keyring>) -> Result<(), Failure> {
    let Some(ring) = ring else { return Ok(()) };
    match other_secret(storage, ring).await {
        Ok(None) => Ok(()),
        Ok(Some(other)) if other.is_sure => Err(Failure::new(format!(
            "the key ring belongs to another database: {other}. Put the right one in place; if it is this one, or the right one is lost, \
             see `tigertrust doctor`"
        ))),
        Ok(Some(other)) => {
            tracing::error!(
                "the key ring may belong to another database, or somebody has changed this one by hand: {other}"
            );
            Ok(())
        }
        // Nothing is answered from a database that is away, and a server that waits for it must not have to be started by hand.
        Err(error) => {
            tracing::debug!(%error, "it could not be looked whether the key ring is the database's own");
            Ok(())
        }
    }
}

/// What is not the database's own, as far as it can be seen. It takes little: all chains of the audit log are looked at only where that of
/// the instance does not end as the ring would have it.
async fn other_secret(storage: &Storage, ring: &Keyring) -> Result<Option<OtherSecret>, StoreError> {
    let audit_ring = AuditRing::new(ring.peppers.clone());
    let audit = storage.audit();
    if let Some(head) = audit.chain_head(Chain::Instance).await?
        && seal_is(&audit_ring, &head) == Some(false)
        && let Some(other) = other_pepper(&audit_ring, &audit.chain_heads().await?)
    {
        return Ok(Some(other));
    }
    other_encryption_key(storage, ring).await
}

/// The pepper of another database, if the ends of chains show that it is one. Nobody seals so many anew without the pepper: somebody who has
/// changed the log has broken some of them, and somebody who has put another ring in place all at once.
pub fn other_pepper(ring: &AuditRing, heads: &[ChainHead]) -> Option<OtherSecret> {
    let of = |whole| {
        let heads = heads.iter();
        heads.filter(move |head| seal_is(ring, head) == Some(whole))
    };
    let first = of(false).next()?;
    let holds = |id: &str| of(true).any(|head| head.key == id);
    of(false).all(|head| !holds(&head.key)).then(|| OtherSecret {
        kind: SecretKind::Pepper,
        id: first.key.clone(),
        is_sure: of(true).next().is_none() || of(false).count() > 1,
    })
}

/// Whether the end of a chain is sealed as the ring would seal it; `None` where the pepper is missing, which is told elsewhere.
pub fn seal_is(ring: &AuditRing, head: &ChainHead) -> Option<bool> {
    chain::seal_of(ring, head).map(|seal| seal == head.seal)
}

/// The encryption key that opens nothing of what was sealed under its id.
///
/// # Errors
/// [`StoreError`].
pub async fn other_encryption_key(
    storage: &Storage,
    ring: &Keyring,
) -> Result<Option<OtherSecret>, StoreError> {
    let Some(encryption) = &ring.encryption else {
        return Ok(None);
    };
    for id in ring.ids(SecretKind::Encryption) {
        let samples = storage.sealed_under(id).await?;
        if !samples.is_empty() && !samples.iter().any(|sample| sample.opens_with(encryption)) {
            return Ok(Some(OtherSecret {
                kind: SecretKind::Encryption,
                id: id.to_owned(),
                is_sure: samples.len() > 1,
            }));
        }
    }
    Ok(None)
}

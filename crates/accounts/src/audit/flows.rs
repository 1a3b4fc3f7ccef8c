//! Reading the log, and looking whether it is whole.

use std::{fmt, sync::Arc};

use tigertrust_credentials::AuditRing;
use tigertrust_model::{
    Act, AuditAction, AuditCursor, AuditEntry, AuditEvent, AuditFilter, Chain, ChainHead, Clock, FieldChange,
    Timestamp,
};

use super::{AuditStore, Finding, MAX_PAGE, Segment, Verified, Verifier, verification::ensure_sealed};
use crate::{Actor, FlowError};

/// A page of events, and where the next one begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditPage {
    /// The events, newest first.
    pub events: Vec<AuditEvent>,
    /// What to ask for the next page with; none at the end.
    pub next: Option<AuditCursor>,
}

/// An event that was seen outside of the database: that of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Landmark {
    /// Its place.
    pub seq: u64,
    /// Its MAC.
    pub mac: [u8; 32],
}

/// Lists, exports, verifies and archives the log.
#[derive(Clone)]
pub struct AuditFlows {
    store: Arc<dyn AuditStore>,
    ring: AuditRing,
    clock: Arc<dyn Clock>,
}

impl AuditFlows {
    /// Flows over the store.
    #[must_use]
    pub fn new(store: Arc<dyn AuditStore>, ring: AuditRing, clock: Arc<dyn Clock>) -> Self {
        Self { store, ring, clock }
    }

    /// What the log is held together with.
    #[must_use]
    pub const fn ring(&self) -> &AuditRing {
        &self.ring
    }

    /// What time it is.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The chain that an actor reads: that of the workspace that it acts in, or the instance's for who acts in none.
    ///
    /// # Errors
    /// [`FlowError::WorkspaceDenied`] for somebody who is of the instance in no way.
    pub fn chain_of(actor: &Actor) -> Result<Chain, FlowError> {
        match actor.workspace() {
            Some(workspace) => Ok(Chain::Workspace(workspace.id)),
            None if actor.is_of_instance() => Ok(Chain::Instance),
            None => Err(FlowError::WorkspaceDenied(Vec::new())),
        }
    }

    /// A page of events.
    ///
    /// # Errors
    /// [`FlowError::Store`].
    pub async fn list(
        &self,
        chain: Chain,
        filter: AuditFilter,
        after: Option<AuditCursor>,
        limit: u16,
    ) -> Result<AuditPage, FlowError> {
        let limit = limit.clamp(1, MAX_PAGE);
        let events = self.store.list_audit(chain, filter, after, limit).await?;
        let is_full = events.len() == usize::from(limit);
        let next = events.last().filter(|_| is_full).map(|last| AuditCursor {
            at: last.at,
            seq: last.seq,
        });
        Ok(AuditPage { events, next })
    }

    /// Logs that the log is handed out, before it is.
    ///
    /// # Errors
    /// [`FlowError::Store`]: nothing may be handed out then.
    pub async fn note_export(&self, act: &Act, chain: Chain, format: &str) -> Result<(), FlowError> {
        let entry = AuditEntry::new(AuditAction::AuditExported, chain, act)
            .changing([FieldChange::set("format", format)]);
        Ok(self.store.append_audit(vec![entry]).await?)
    }

    /// The heads of all chains, that of the instance first.
    ///
    /// # Errors
    /// [`FlowError::Store`].
    pub async fn heads(&self) -> Result<Vec<ChainHead>, FlowError> {
        Ok(self.store.chain_heads().await?)
    }

    /// The head of a chain, if it is as it was written.
    ///
    /// # Errors
    /// [`FlowError::Store`], and what is wrong with the head.
    pub async fn head(&self, chain: Chain) -> Result<Result<ChainHead, Finding>, FlowError> {
        let head = self.store.chain_head(chain).await?;
        let head = head.unwrap_or_else(|| super::chain::beginning(&self.ring, chain));
        Ok(ensure_sealed(&self.ring, &head).map(|()| head))
    }

    /// Whether the whole of a chain that is in the database is as it was written, and holds the landmark if there is one.
    ///
    /// # Errors
    /// [`FlowError::Store`], and what is wrong.
    pub async fn verify(
        &self,
        chain: Chain,
        landmark: Option<Landmark>,
    ) -> Result<Result<Verified, Finding>, FlowError> {
        // Read first: what is appended meanwhile comes after it.
        let Some(head) = self.store.chain_head(chain).await? else {
            return Ok(Err(Finding::NoChain));
        };
        let mut verifier = match Verifier::after_archive(self.ring.clone(), &head) {
            Ok(verifier) => verifier,
            Err(finding) => return Ok(Err(finding)),
        };
        // What is archived is in files; the checkpoint is compared with what is here.
        let mut awaited = landmark.filter(|landmark| landmark.seq > head.archived);
        while verifier.seq() < head.seq {
            let events = self.store.read_chain(chain, verifier.seq(), MAX_PAGE).await?;
            if events.is_empty() {
                break;
            }
            for event in events.iter().take_while(|event| event.seq <= head.seq) {
                if let Err(finding) = verifier.next(event) {
                    return Ok(Err(finding));
                }
                if let Some(landmark) = awaited.take_if(|landmark| landmark.seq == event.seq)
                    && landmark.mac != event.mac
                {
                    return Ok(Err(Finding::NotAsInCheckpoint { seq: landmark.seq }));
                }
            }
        }
        let verified = verifier.end(&head);
        Ok(match (verified, awaited) {
            (Ok(_), Some(landmark)) => Err(Finding::NotAsInCheckpoint { seq: landmark.seq }),
            (verified, _) => verified,
        })
    }

    /// The events of a chain after a place, in its order.
    ///
    /// # Errors
    /// [`FlowError::Store`].
    pub async fn read(&self, chain: Chain, after: u64) -> Result<Vec<AuditEvent>, FlowError> {
        Ok(self.store.read_chain(chain, after, MAX_PAGE).await?)
    }

    /// Removes the beginning of a chain, which is in a file now.
    ///
    /// # Errors
    /// [`FlowError`].
    pub async fn drop_archived(&self, act: Act, segment: Segment) -> Result<(), FlowError> {
        self.store.drop_archived(act, segment).await
    }
}

impl fmt::Debug for AuditFlows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditFlows")
            .field("ring", &self.ring)
            .finish_non_exhaustive()
    }
}

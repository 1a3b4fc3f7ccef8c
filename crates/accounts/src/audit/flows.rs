//! Reading the log, and looking whether it is whole.

use std::{fmt, sync::Arc};

use tigertrust_credentials::{AuditRing, ports::StoreError};
use tigertrust_model::{
    Act, AuditAction, AuditCursor, AuditEntry, AuditEvent, AuditFilter, Chain, ChainHead, Clock, FieldChange,
    Origin, Timestamp,
};

use super::{
    AuditStore, Finding, IssuedToken, Landmark, MAX_PAGE, Segment, Verified, Verifier, changes::beginnings,
    verification::ensure_sealed,
};
use crate::{Actor, FlowError, format_rfc3339};

/// A page of events, and where the next one begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditPage {
    /// The events, newest first.
    pub events: Vec<AuditEvent>,
    /// What to ask for the next page with; none at the end.
    pub next: Option<AuditCursor>,
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
    pub async fn note_export(
        &self,
        act: &Act,
        chain: Chain,
        format: &str,
        filter: &AuditFilter,
    ) -> Result<(), FlowError> {
        let actions = filter.actions.as_deref().map(|actions| {
            let names: Vec<&str> = actions.iter().map(|action| action.as_str()).collect();
            names.join(" ")
        });
        let conditions = [
            ("action", actions),
            (
                "outcome",
                filter.outcome.map(|outcome| outcome.as_str().to_owned()),
            ),
            ("from", filter.from.map(format_rfc3339)),
            ("to", filter.until.map(format_rfc3339)),
        ];
        let mut entry = AuditEntry::new(AuditAction::AuditExported, chain, act)
            .changing([FieldChange::set("format", format)])
            .changing(beginnings(conditions));
        // Anything can be typed there, somebody else's address too, which nobody would look for here when that person is erased.
        for (name, value) in [("actor", &filter.actor), ("target", &filter.target)] {
            match value {
                Some(value) if value.contains('@') => entry = entry.about(name, "[an address]"),
                Some(value) => entry = entry.about(name, value),
                None => {}
            }
        }
        Ok(self.store.append_audit(vec![entry]).await?)
    }

    /// Logs that a token was given out, before it is.
    ///
    /// # Errors
    /// [`FlowError::Store`]: it may not be given out then.
    pub async fn note_token(&self, token: &IssuedToken, from: Origin) -> Result<(), FlowError> {
        Ok(self.store.append_audit(vec![token.entry(from)]).await?)
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

    /// Whether the whole of a chain that is in the database is as it was written, and holds the landmarks. Those within what is
    /// archived are not looked at.
    ///
    /// # Errors
    /// [`FlowError::Store`], and what is wrong.
    pub async fn verify(
        &self,
        chain: Chain,
        landmarks: &[Landmark],
    ) -> Result<Result<Verified, Finding>, FlowError> {
        match self.look_at(chain, landmarks).await {
            // What cannot be read is no outage, but a finding.
            Err(FlowError::Store(why @ StoreError::Corrupt { .. })) => {
                Ok(Err(Finding::Unreadable { why: why.to_string() }))
            }
            looked_at => looked_at,
        }
    }

    async fn look_at(
        &self,
        chain: Chain,
        landmarks: &[Landmark],
    ) -> Result<Result<Verified, Finding>, FlowError> {
        // Read first: what is appended meanwhile comes after it.
        let Some(head) = self.store.chain_head(chain).await? else {
            return Ok(Err(Finding::NoChain));
        };
        let mut verifier = match Verifier::after_archive(self.ring.clone(), &head) {
            Ok(verifier) => verifier.held_to(landmarks),
            Err(finding) => return Ok(Err(finding)),
        };
        for landmark in landmarks {
            let is_archive_s_end = landmark.seq == head.archived && landmark.seq > 0;
            if is_archive_s_end && landmark.mac != head.archived_mac {
                return Ok(Err(Finding::NotAsInCheckpoint { seq: landmark.seq }));
            }
            if landmark.seq > head.seq {
                return Ok(Err(Finding::EndsBeforeCheckpoint {
                    end: head.seq,
                    seq: landmark.seq,
                }));
            }
        }
        if let Some(seq) = self.stray(&head).await? {
            return Ok(Err(Finding::Stray { seq }));
        }
        while verifier.seq() < head.seq {
            let events = self.store.read_chain(chain, verifier.seq(), MAX_PAGE).await?;
            if events.is_empty() {
                break;
            }
            for event in events.iter().take_while(|event| event.seq <= head.seq) {
                if let Err(finding) = verifier.next(event) {
                    return Ok(Err(finding));
                }
            }
        }
        Ok(verifier.end(&head))
    }

    /// An event that is not between the beginning and the end of its chain.
    async fn stray(&self, head: &ChainHead) -> Result<Option<u64>, FlowError> {
        let first = self.store.read_chain(head.chain, 0, 1).await?;
        if let Some(first) = first.first().filter(|first| first.seq <= head.archived) {
            return Ok(Some(first.seq));
        }
        let mut end = head.seq;
        loop {
            let after = self.store.read_chain(head.chain, end, 1).await?;
            let Some(after) = after.first() else {
                return Ok(None);
            };
            // The chain may have grown meanwhile.
            match self.store.chain_head(head.chain).await? {
                Some(now) if after.seq <= now.seq => end = now.seq,
                _ => return Ok(Some(after.seq)),
            }
        }
    }

    /// Every chain of which anything is stored.
    ///
    /// # Errors
    /// [`FlowError::Store`].
    pub async fn stored_chains(&self) -> Result<Vec<Chain>, FlowError> {
        Ok(self.store.stored_chains().await?)
    }

    /// Whether a chain still begins with the making of its workspace, as each does that was begun since there is a log, unless
    /// that is archived.
    ///
    /// # Errors
    /// [`FlowError::Store`].
    pub async fn begins_with_its_making(&self, chain: Chain) -> Result<bool, FlowError> {
        let head = self.store.chain_head(chain).await?;
        Ok(head.is_some_and(|head| head.archived > 0) || self.first_is_its_making(chain).await?)
    }

    /// Whether the first event of a chain is the making of its workspace, and there.
    ///
    /// # Errors
    /// [`FlowError::Store`].
    pub async fn first_is_its_making(&self, chain: Chain) -> Result<bool, FlowError> {
        let first = self.store.read_chain(chain, 0, 1).await?;
        let is_making =
            |first: &AuditEvent| first.seq == 1 && first.action == AuditAction::WorkspaceCreated.as_str();
        Ok(first.first().is_some_and(is_making))
    }

    /// Lets a chain go on after its last event, whatever its head says.
    ///
    /// # Errors
    /// [`FlowError`].
    pub async fn restart(&self, act: Act, chain: Chain) -> Result<(), FlowError> {
        self.store.restart_chain(act, chain).await
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

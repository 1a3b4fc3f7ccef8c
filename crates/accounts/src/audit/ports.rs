//! What the audit log needs of storage.

use async_trait::async_trait;
use tigertrust_credentials::ports::StoreError;
use tigertrust_model::{Act, AuditCursor, AuditEntry, AuditEvent, AuditFilter, Chain, ChainHead};

use crate::FlowError;

/// How many events are read at once at the most.
pub const MAX_PAGE: u16 = 1000;

/// The beginning of a chain, up to and with an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The chain.
    pub chain: Chain,
    /// The place of its last event.
    pub seq: u64,
    /// The MAC of that.
    pub mac: [u8; 32],
}

/// The audit log. Acts are not written here, but by the ports that do them, in their transactions.
#[async_trait]
pub trait AuditStore: Send + Sync {
    /// Appends what is no act of another port: refusals, and what is read.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was appended then.
    async fn append_audit(&self, entries: Vec<AuditEntry>) -> Result<(), StoreError>;

    /// A page of the events of a chain that fulfil the filter, newest first: [`MAX_PAGE`] at the most.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn list_audit(
        &self,
        chain: Chain,
        filter: AuditFilter,
        after: Option<AuditCursor>,
        limit: u16,
    ) -> Result<Vec<AuditEvent>, StoreError>;

    /// The events of a chain after a place, in its order: [`MAX_PAGE`] at the most.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn read_chain(&self, chain: Chain, after: u64, limit: u16) -> Result<Vec<AuditEvent>, StoreError>;

    /// The head of a chain; none for one in which nothing has happened.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn chain_head(&self, chain: Chain) -> Result<Option<ChainHead>, StoreError>;

    /// The heads of all chains, that of the instance first.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn chain_heads(&self) -> Result<Vec<ChainHead>, StoreError>;

    /// Every chain of which anything is stored, be it a head or an event.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn stored_chains(&self) -> Result<Vec<Chain>, StoreError>;

    /// Lets a chain go on after its last event, whatever its head says, and logs that. What is broken before stays to be seen.
    ///
    /// # Errors
    /// [`FlowError::Store`].
    async fn restart_chain(&self, act: Act, chain: Chain) -> Result<(), FlowError>;

    /// Removes the beginning of a chain, which is in a file now, and logs that.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] if the chain does not hold the event, or not any more, and [`FlowError::Store`].
    async fn drop_archived(&self, act: Act, segment: Segment) -> Result<(), FlowError>;

    /// Seals the heads of all chains under the current key, so that none is left that needs an earlier one.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn reseal_heads(&self) -> Result<(), StoreError>;
}

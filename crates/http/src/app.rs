//! What every handler works with.

use std::sync::Arc;

use tigertrust_accounts::{KeyFlows, WorkspaceFlows};
use tigertrust_credentials::{Admission, ChangeTracker};
use tigertrust_model::{Clock, ScopeCatalog};

use crate::{client_address::TrustedProxies, outage::OutageLog};

/// What every handler works with. One for all workers of a server; two servers in one process share nothing.
pub struct App {
    pub(crate) admission: Arc<Admission>,
    pub(crate) keys: KeyFlows,
    pub(crate) workspaces: WorkspaceFlows,
    pub(crate) catalog: Arc<ScopeCatalog>,
    pub(crate) tracker: Arc<ChangeTracker>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) proxies: TrustedProxies,
    pub(crate) outages: OutageLog,
    pub(crate) request_ids: crate::respond::RequestIds,
}

/// What an [`App`] is put together from.
pub struct Parts {
    /// Decides who gets in.
    pub admission: Arc<Admission>,
    /// Keys.
    pub keys: KeyFlows,
    /// Workspaces.
    pub workspaces: WorkspaceFlows,
    /// Which scopes exist.
    pub catalog: Arc<ScopeCatalog>,
    /// What vouches for the caches of `admission`.
    pub tracker: Arc<ChangeTracker>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Whose word on a client's address counts.
    pub proxies: TrustedProxies,
    /// Random: tells the request ids of servers apart.
    pub instance: [u8; 8],
}

impl App {
    /// An application out of its parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self {
            admission: parts.admission,
            keys: parts.keys,
            workspaces: parts.workspaces,
            catalog: parts.catalog,
            tracker: parts.tracker,
            outages: OutageLog::new(Arc::clone(&parts.clock)),
            clock: parts.clock,
            proxies: parts.proxies,
            request_ids: crate::respond::RequestIds::new(parts.instance),
        }
    }
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App")
            .field("admission", &self.admission)
            .finish_non_exhaustive()
    }
}

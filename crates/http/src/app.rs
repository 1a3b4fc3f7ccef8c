//! What every handler works with.

use std::sync::Arc;

use tigertrust_accounts::{KeyFlows, WorkspaceFlows};
use tigertrust_credentials::{Admission, ChangeTracker};
use tigertrust_model::{Clock, ScopeCatalog};

use crate::outage::OutageLog;

/// What every handler works with. One for all workers of a server; two servers in one process share nothing.
pub struct App {
    pub(crate) admission: Admission,
    pub(crate) keys: KeyFlows,
    pub(crate) workspaces: WorkspaceFlows,
    pub(crate) catalog: Arc<ScopeCatalog>,
    pub(crate) tracker: Arc<ChangeTracker>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) outages: OutageLog,
    pub(crate) request_ids: crate::respond::RequestIds,
}

impl App {
    /// An application over the given flows. `instance` is random and tells the request ids of servers apart.
    pub fn new(
        admission: Admission,
        keys: KeyFlows,
        workspaces: WorkspaceFlows,
        catalog: Arc<ScopeCatalog>,
        tracker: Arc<ChangeTracker>,
        clock: Arc<dyn Clock>,
        instance: [u8; 8],
    ) -> Self {
        Self {
            admission,
            keys,
            workspaces,
            catalog,
            tracker,
            outages: OutageLog::new(Arc::clone(&clock)),
            clock,
            request_ids: crate::respond::RequestIds::new(instance),
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

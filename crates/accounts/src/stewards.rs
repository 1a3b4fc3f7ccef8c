//! Those who look after a workspace, its owners and admins, and how they are told what they can do something about.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tigertrust_credentials::ports::StoreError;
use tigertrust_model::{Role, Timestamp, UserId, WorkspaceId};

use crate::{
    Notice, Notifier,
    ports::{AccountStore, Member, MemberStore, Page},
};

/// How many members are read at once.
const PAGE: u16 = 200;
/// For how long a workspace hears no more of what can happen over and over, such as that a webhook was disabled.
const QUIET: Duration = Duration::from_secs(60 * 60);

/// Tells the owners and admins of workspaces.
#[derive(Clone)]
pub struct Stewards {
    accounts: Arc<dyn AccountStore>,
    members: Arc<dyn MemberStore>,
    notifier: Arc<dyn Notifier>,
    /// Who was told of such things lately, and when.
    told: Arc<Mutex<HashMap<WorkspaceId, Timestamp>>>,
}

impl Stewards {
    /// Those of the workspaces in the stores.
    #[must_use]
    pub fn new(
        accounts: Arc<dyn AccountStore>,
        members: Arc<dyn MemberStore>,
        notifier: Arc<dyn Notifier>,
    ) -> Self {
        Self {
            accounts,
            members,
            notifier,
            told: Arc::default(),
        }
    }

    /// Whether a workspace may be told of what can happen over and over: not, if it was within the last hour.
    pub(crate) fn may_be_told(&self, workspace: WorkspaceId, now: Timestamp) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|_, at| now < at.saturating_add(QUIET));
        let is_quiet = told.contains_key(&workspace);
        if !is_quiet {
            told.insert(workspace, now);
        }
        !is_quiet
    }

    /// Tells each of them; the notice is made from the workspace's name.
    pub(crate) async fn tell(
        &self,
        workspace: WorkspaceId,
        notice: impl Fn(String) -> Notice + Send,
    ) -> Result<(), StoreError> {
        let Some(found) = self.accounts.get_workspace(workspace).await? else {
            return Ok(());
        };
        let mut after: Option<UserId> = None;
        loop {
            let page = Page { after, limit: PAGE };
            let members = self.members.list_members(workspace, page).await?;
            for Member { user, role, .. } in &members {
                let cares = matches!(role, Role::Owner | Role::Admin);
                // Nothing is sent to an address of which nobody knows whose it is.
                if cares && user.disabled_at.is_none() && user.email_verified_at.is_some() {
                    self.notifier.tell(user.email.clone(), notice(found.name.clone()));
                }
            }
            after = members.last().map(|last| last.user.id);
            if members.len() < usize::from(PAGE) {
                return Ok(());
            }
        }
    }
}

impl fmt::Debug for Stewards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stewards").finish_non_exhaustive()
    }
}

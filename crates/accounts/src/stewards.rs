//! Those who look after a workspace, its owners and admins, and how they are told what they can do something about.

use std::{fmt, sync::Arc};

use tigertrust_credentials::ports::StoreError;
use tigertrust_model::{Role, UserId, WorkspaceId};

use crate::{
    Notice, Notifier,
    ports::{AccountStore, Member, MemberStore, Page},
};

/// How many members are read at once.
const PAGE: u16 = 200;

/// Tells the owners and admins of workspaces.
#[derive(Clone)]
pub struct Stewards {
    accounts: Arc<dyn AccountStore>,
    members: Arc<dyn MemberStore>,
    notifier: Arc<dyn Notifier>,
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
        }
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

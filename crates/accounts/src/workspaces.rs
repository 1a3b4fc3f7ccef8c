//! Workspaces and the first account.

use std::sync::Arc;

use tigertrust_credentials::Password;
use tigertrust_model::{
    Clock, Email, KeyReach, KeyType, Plan, RandomSource, ScopeCatalog, ScopeSet, User, UserId, Workspace,
    WorkspaceId,
};

use crate::{
    Actor, FlowError, IssuedKey, KeyFlows, NewKey, NewUser, ReachRequest, UserFlows, Violation,
    new_key::Checked,
    ports::{AccountStore, Bootstrap, Page},
    validation::Validation,
};

const MAX_NAME: usize = 100;

/// Makes, lists and changes workspaces.
#[derive(Clone)]
pub struct WorkspaceFlows {
    accounts: Arc<dyn AccountStore>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn RandomSource>,
}

/// The first account of an instance, with the secrets that are shown once.
#[derive(Debug)]
pub struct Bootstrapped {
    /// The owner.
    pub user: User,
    /// The owner's workspace.
    pub workspace: Workspace,
    /// An agent key that holds every scope.
    pub agent: IssuedKey,
    /// A public key that may read certificates or, where that scope does not exist, holds the first that it may.
    pub public: IssuedKey,
}

impl WorkspaceFlows {
    /// Flows over the given store.
    pub fn new(
        accounts: Arc<dyn AccountStore>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn RandomSource>,
    ) -> Self {
        Self {
            accounts,
            clock,
            random,
        }
    }

    /// Makes a workspace with its first member, who owns it.
    ///
    /// # Errors
    /// [`FlowError::Invalid`], [`FlowError::NotFound`] if there is no such person, [`FlowError::Store`] and
    /// [`FlowError::Random`].
    pub async fn create(&self, name: String, plan: Plan, owner: UserId) -> Result<Workspace, FlowError> {
        let mut validation = Validation::default();
        validation.line("/name", &name, MAX_NAME);
        validation.finish()?;
        ensure_known(&plan)?;
        let workspace = self.prepare(name, plan)?;
        self.accounts.insert_workspace(workspace.clone(), owner).await?;
        Ok(workspace)
    }

    /// The workspaces that the actor can see: a workspace's key sees those that it names, in that order; an instance
    /// key and the operator see a page of all, newest first.
    ///
    /// # Errors
    /// [`FlowError::Store`].
    pub async fn list(&self, actor: &Actor, page: Page<WorkspaceId>) -> Result<Vec<Workspace>, FlowError> {
        match actor {
            Actor::Caller(permit) if permit.key().home().is_some() => Ok(permit
                .key()
                .workspaces
                .iter()
                .filter(|workspace| workspace.deleted_at.is_none())
                .skip_while(|workspace| page.after.is_some_and(|after| after != workspace.id))
                .skip(usize::from(page.after.is_some()))
                .take(usize::from(page.limit))
                .cloned()
                .collect()),
            Actor::Person(permit) => Ok(permit
                .record()
                .memberships
                .iter()
                .map(|(workspace, _)| workspace)
                .skip_while(|workspace| page.after.is_some_and(|after| after != workspace.id))
                .skip(usize::from(page.after.is_some()))
                .take(usize::from(page.limit))
                .cloned()
                .collect()),
            Actor::Caller(_) | Actor::Operator => Ok(self.accounts.list_workspaces(page).await?),
        }
    }

    /// Puts a workspace on a plan. It acts on every node within a second.
    ///
    /// # Errors
    /// [`FlowError::Invalid`] for a plan that does not exist, [`FlowError::NotFound`] and [`FlowError::Store`].
    pub async fn set_plan(&self, id: WorkspaceId, plan: Plan) -> Result<Workspace, FlowError> {
        ensure_known(&plan)?;
        self.accounts.set_plan(id, plan).await
    }

    /// Makes the first account of an instance: an owner with the password, a workspace on plan Free and two keys, all
    /// or nothing. `None` if there is an account already.
    ///
    /// # Errors
    /// [`FlowError::Store`] and [`FlowError::Random`].
    pub async fn bootstrap(
        &self,
        users: &UserFlows,
        keys: &KeyFlows,
        catalog: &ScopeCatalog,
        email: Email,
        password: Password,
    ) -> Result<Option<Bootstrapped>, FlowError> {
        let (user, hash) = users.prepare(NewUser {
            email,
            name: None,
            password,
        })?;
        let workspace = self.prepare("Default".to_owned(), Plan::free())?;
        let first_key = |name: &str, kind, scopes: ScopeSet| {
            let reach = ReachRequest::Workspace {
                home: workspace.id,
                others: Vec::new(),
            };
            let checked = Checked {
                scopes,
                allowed_cidrs: Vec::new(),
                reach: KeyReach::workspaces(workspace.id, []),
                owner: None,
            };
            keys.issue(&Actor::Operator, NewKey::new(name, kind, reach), checked)
        };
        let holdable = catalog.all_for(KeyType::Public);
        let certificates = holdable
            .iter()
            .find(|scope| scope.as_str() == "certificates:read");
        let readable = certificates
            .or_else(|| holdable.iter().next())
            .cloned()
            .into_iter()
            .collect();
        let agent = first_key("First agent key", KeyType::Agent, catalog.all_for(KeyType::Agent))?;
        let public = first_key("First public key", KeyType::Public, readable)?;
        let first = Bootstrap {
            user: user.clone(),
            password: hash,
            workspace: workspace.clone(),
            keys: [&agent, &public]
                .map(|issued| (issued.key.clone(), keys.stored(&issued.secret)))
                .to_vec(),
        };
        let stored = self.accounts.bootstrap(first, self.clock.now()).await?;
        Ok(stored.then_some(Bootstrapped {
            user,
            workspace,
            agent,
            public,
        }))
    }

    fn prepare(&self, name: String, plan: Plan) -> Result<Workspace, FlowError> {
        let now = self.clock.now();
        Ok(Workspace {
            id: WorkspaceId::new(now, &*self.random)?,
            name,
            plan,
            created_at: now,
            deleted_at: None,
        })
    }
}

fn ensure_known(plan: &Plan) -> Result<(), FlowError> {
    if Plan::SHIPPED.contains(&plan.as_str()) {
        return Ok(());
    }
    let detail = format!("must be one of {}", Plan::SHIPPED.join(", "));
    Err(FlowError::Invalid(vec![Violation::new("/plan", detail)]))
}

impl std::fmt::Debug for WorkspaceFlows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorkspaceFlows").finish_non_exhaustive()
    }
}

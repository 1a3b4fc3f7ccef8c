//! Workspaces and the first account.

use std::sync::Arc;

use tigertrust_credentials::Password;
use tigertrust_credentials::rate_limit::{PlanLimits, Plans};
use tigertrust_model::{
    Act, Clock, Email, KeyReach, KeyType, LeakResponse, Plan, RandomSource, Role, ScopeCatalog, ScopeSet,
    User, UserId, Workspace, WorkspaceId, management,
};

use crate::{
    Actor, FlowError, IssuedKey, KeyFlows, NewKey, NewUser, ReachRequest, UserFlows,
    actor::Standing,
    new_key::Checked,
    ports::{AccountStore, Bootstrap, Page},
    validation::Validation,
};

const MAX_NAME: usize = 100;

/// Makes, lists and changes workspaces.
#[derive(Clone)]
pub struct WorkspaceFlows {
    accounts: Arc<dyn AccountStore>,
    plans: Arc<Plans>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn RandomSource>,
}

/// What a new workspace is to be.
#[derive(Clone, Debug)]
pub struct NewWorkspace {
    /// What people call it.
    pub name: String,
    /// The plan that its keys are on, if it is not Free: for the operator and instance keys to say.
    pub plan: Option<Plan>,
    /// Who owns it: for the operator and instance keys to say.
    pub owner: Option<UserId>,
}

/// What is to change of a workspace; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct WorkspaceChanges {
    /// Another name.
    pub name: Option<String>,
    /// Another plan: for the operator and instance keys to say.
    pub plan: Option<Plan>,
    /// Whether its members act there only with a second factor.
    pub requires_second_factor: Option<bool>,
    /// What happens to its agent keys that are reported as leaked, or what the server says.
    pub leak_response: Option<Option<LeakResponse>>,
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
        plans: Plans,
        clock: Arc<dyn Clock>,
        random: Arc<dyn RandomSource>,
    ) -> Self {
        Self {
            accounts,
            plans: Arc::new(plans),
            clock,
            random,
        }
    }

    /// Makes a workspace with its first member, who owns it. A person makes it for itself; the operator and instance keys
    /// name the owner.
    ///
    /// # Errors
    /// [`FlowError::Invalid`], also if there is no such person, [`FlowError::Forbidden`] for a key that belongs to nobody and
    /// for what is not the actor's to say, [`FlowError::Store`] and [`FlowError::Random`].
    pub async fn create_as(&self, actor: &Actor, new: NewWorkspace) -> Result<Workspace, FlowError> {
        let mut validation = Validation::default();
        validation.line("/name", &new.name, MAX_NAME);
        validation.finish()?;
        let plan = match new.plan {
            None => Plan::free(),
            Some(plan) => {
                ensure_sets_plans(actor)?;
                self.ensure_known(&plan)?;
                plan
            }
        };
        let owner = owner(actor, new.owner)?;
        let workspace = self.prepare(new.name, plan)?;
        self.accounts
            .insert_workspace(actor.act(), workspace.clone(), owner)
            .await
            .map_err(|error| match error {
                FlowError::NotFound => FlowError::invalid("/owner", "no such user"),
                other => other,
            })?;
        Ok(workspace)
    }

    /// Makes a workspace, as the operator: the short way for what [`create_as`](Self::create_as) does.
    ///
    /// # Errors
    /// As [`create_as`](Self::create_as).
    pub async fn create(&self, name: String, plan: Plan, owner: UserId) -> Result<Workspace, FlowError> {
        let new = NewWorkspace {
            name,
            plan: Some(plan),
            owner: Some(owner),
        };
        self.create_as(&Actor::operator(), new).await
    }

    /// The workspace with the id, if the actor acts in it.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] and [`FlowError::Store`].
    pub async fn get(&self, actor: &Actor, id: WorkspaceId) -> Result<Workspace, FlowError> {
        match actor.acts_in(id)? {
            // Admission has just vouched for it.
            Some(workspace) => Ok(workspace.clone()),
            None => self.accounts.get_workspace(id).await?.ok_or(FlowError::NotFound),
        }
    }

    /// The workspaces that the actor can see: a workspace's or a person's key sees those that it may act in, its home first; an instance
    /// key and the operator see a page of all, newest first.
    ///
    /// # Errors
    /// [`FlowError::Store`].
    pub async fn list(&self, actor: &Actor, page: Page<WorkspaceId>) -> Result<Vec<Workspace>, FlowError> {
        match actor.own_workspaces() {
            Some(own) => Ok(page_of(own.into_iter(), page)),
            None => Ok(self.accounts.list_workspaces(page).await?),
        }
    }

    /// What a plan allows each key whose home is on it.
    #[must_use]
    pub fn limits_of(&self, plan: &Plan) -> PlanLimits {
        *self.plans.limits_of(plan)
    }

    /// Changes a workspace's name, plan or demand for a second factor. It acts on every node within a second.
    ///
    /// # Errors
    /// [`FlowError::Invalid`], [`FlowError::Forbidden`] for what is not the actor's to set, [`FlowError::NotFound`]
    /// and [`FlowError::Store`].
    pub async fn edit(
        &self,
        actor: &Actor,
        id: WorkspaceId,
        changes: WorkspaceChanges,
    ) -> Result<Workspace, FlowError> {
        actor.acts_in(id)?;
        if let Some(name) = &changes.name {
            let mut validation = Validation::default();
            validation.line("/name", name, MAX_NAME);
            validation.finish()?;
        }
        if let Some(plan) = &changes.plan {
            ensure_sets_plans(actor)?;
            self.ensure_known(plan)?;
        }
        // Nobody shuts itself out.
        if changes.requires_second_factor == Some(true) && !actor.has_second_factor() {
            let detail = "only who has proved a second factor may demand one: add one, or prove yours, first";
            return Err(FlowError::forbidden("/requireSecondFactor", detail));
        }
        let standing = actor.standing();
        // Nor lets a key of a workspace in who is shut out.
        if changes.requires_second_factor == Some(false) && matches!(standing, Standing::OfMaker(_)) {
            let detail = "only people and instance keys may end the demand for a second factor";
            return Err(FlowError::forbidden("/requireSecondFactor", detail));
        }
        let edit = move |workspace: &mut Workspace, present: Option<Role>| {
            if !standing.role(present)?.permits(&management::WORKSPACE_WRITE) {
                return Err(FlowError::forbidden("", "this needs the role admin or owner"));
            }
            if let Some(name) = changes.name {
                workspace.name = name;
            }
            if let Some(plan) = changes.plan {
                workspace.plan = plan;
            }
            if let Some(required) = changes.requires_second_factor {
                workspace.requires_second_factor = required;
            }
            if let Some(response) = changes.leak_response {
                workspace.leak_response = response;
            }
            Ok(())
        };
        self.accounts
            .edit_workspace(actor.act(), id, standing.asker(), Box::new(edit))
            .await
    }

    /// Puts a workspace on a plan, as the operator: the short way for what [`edit`](Self::edit) does.
    ///
    /// # Errors
    /// As [`edit`](Self::edit).
    pub async fn set_plan(&self, id: WorkspaceId, plan: Plan) -> Result<Workspace, FlowError> {
        let changes = WorkspaceChanges {
            plan: Some(plan),
            ..WorkspaceChanges::default()
        };
        self.edit(&Actor::operator(), id, changes).await
    }

    /// Deletes a workspace for good: its keys are refused from now on, on every node within a second, and nobody acts in it
    /// any more. A key of the workspace that belongs to no person cannot.
    ///
    /// # Errors
    /// [`FlowError::Forbidden`], [`FlowError::NotFound`] and [`FlowError::Store`].
    pub async fn delete(&self, actor: &Actor, id: WorkspaceId) -> Result<Workspace, FlowError> {
        actor.acts_in(id)?;
        let (standing, now) = (actor.standing(), self.clock.now());
        let edit = move |workspace: &mut Workspace, present: Option<Role>| {
            if standing.role(present)?.deletes_workspace() {
                workspace.deleted_at = Some(now);
                Ok(())
            } else {
                let detail = "only an owner, by a personal key, or an instance key deletes a workspace";
                Err(FlowError::forbidden("", detail))
            }
        };
        self.accounts
            .edit_workspace(actor.act(), id, standing.asker(), Box::new(edit))
            .await
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
            keys.issue(&Actor::operator(), NewKey::new(name, kind, reach), checked)
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
        let stored = self
            .accounts
            .bootstrap(Act::of_operator(), first, self.clock.now())
            .await?;
        Ok(stored.then_some(Bootstrapped {
            user,
            workspace,
            agent,
            public,
        }))
    }

    fn ensure_known(&self, plan: &Plan) -> Result<(), FlowError> {
        if self.plans.knows(plan) {
            return Ok(());
        }
        let names: Vec<&str> = self.plans.names().collect();
        Err(FlowError::invalid(
            "/plan",
            format!("must be one of {}", names.join(", ")),
        ))
    }

    fn prepare(&self, name: String, plan: Plan) -> Result<Workspace, FlowError> {
        let now = self.clock.now();
        Ok(Workspace {
            id: WorkspaceId::new(now, &*self.random)?,
            name,
            plan,
            requires_second_factor: false,
            leak_response: None,
            created_at: now,
            deleted_at: None,
        })
    }
}

/// Who is to own a workspace that the actor makes.
fn owner(actor: &Actor, named: Option<UserId>) -> Result<UserId, FlowError> {
    match (actor.person(), named) {
        (Some(person), named) if named.is_none_or(|named| named == person) => Ok(person),
        (Some(_), _) => Err(FlowError::forbidden(
            "/owner",
            "a person makes workspaces of its own alone",
        )),
        (None, _) if !actor.is_of_instance() => Err(FlowError::forbidden(
            "",
            "the key belongs to no person who could own a workspace: use a personal key, or an instance key",
        )),
        (None, Some(named)) => Ok(named),
        (None, None) => Err(FlowError::invalid(
            "/owner",
            "an instance key is no person: name the user who is to own it",
        )),
    }
}

/// A page of what is at hand already, in its order.
fn page_of<'a>(workspaces: impl Iterator<Item = &'a Workspace>, page: Page<WorkspaceId>) -> Vec<Workspace> {
    workspaces
        .skip_while(|workspace| page.after.is_some_and(|after| after != workspace.id))
        .skip(usize::from(page.after.is_some()))
        .take(usize::from(page.limit))
        .cloned()
        .collect()
}

fn ensure_sets_plans(actor: &Actor) -> Result<(), FlowError> {
    if actor.is_of_instance() {
        Ok(())
    } else {
        Err(FlowError::forbidden("/plan", "only an instance key sets plans"))
    }
}

impl std::fmt::Debug for WorkspaceFlows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorkspaceFlows").finish_non_exhaustive()
    }
}

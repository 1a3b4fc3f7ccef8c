//! Domains of workspaces: claimed, verified by DNS, and bound to a connection.

use tigertrust_credentials::{Token, TokenKind};
use tigertrust_model::{ConnectionId, Role, UserId, WorkspaceId};

use super::{
    connections::by,
    domain::{Domain, normalize_domain},
    error::SsoError,
    flows::SsoFlows,
};
use crate::{Actor, Conflict, FlowError};

/// What is to be another way with a domain. What is not named stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DomainChanges {
    /// Where its people sign in.
    pub connection: Option<Option<ConnectionId>>,
    /// Whether they sign in there alone: who does not have to, or nobody to end it.
    pub enforced: Option<Option<UserId>>,
    /// What people become who sign in by a provider of the whole server.
    pub join_role: Option<Option<Role>>,
}

impl SsoFlows {
    /// The domains of a workspace.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] for a workspace that the actor does not act in, and [`FlowError::Store`].
    pub async fn list_domains(&self, actor: &Actor, workspace: WorkspaceId) -> Result<Vec<Domain>, SsoError> {
        actor.acts_in(workspace)?;
        Ok(self.0.store.list_domains(workspace).await?)
    }

    /// Claims a domain: nothing goes by it until it is verified. One that is claimed already keeps its challenge.
    ///
    /// # Errors
    /// [`FlowError::Invalid`] and others.
    pub async fn claim_domain(
        &self,
        actor: &Actor,
        workspace: WorkspaceId,
        domain: &str,
    ) -> Result<Domain, SsoError> {
        self.ensure_may(actor, workspace)?;
        let Some(domain) = normalize_domain(domain) else {
            let detail =
                "must be a domain such as example.com; one of other letters in its ASCII form, xn--…";
            return Err(FlowError::invalid("/domain", detail).into());
        };
        let parts = &*self.0;
        // Unguessable, so that nobody can publish it before it was asked for; but no secret, since it is published then.
        let token = Token::generate(TokenKind::SsoState, &*parts.random)?;
        let challenge: String = token.reveal().chars().skip(7).take(32).collect();
        let claimed = Domain {
            workspace,
            domain,
            challenge,
            created_at: parts.clock.now(),
            verified_at: None,
            connection: None,
            enforced: None,
            join_role: None,
        };
        Ok(parts.store.claim_domain(actor.act(), claimed, by(actor)).await?)
    }

    /// Looks whether the domain's TXT record says that it is the workspace's, and notes when. A domain that was verified stays so when
    /// the record is gone.
    ///
    /// # Errors
    /// [`Conflict::DomainNotVerified`] where the record does not say so, [`Conflict::DomainTaken`], and others.
    pub async fn verify_domain(
        &self,
        actor: &Actor,
        workspace: WorkspaceId,
        domain: &str,
    ) -> Result<Domain, SsoError> {
        self.ensure_may(actor, workspace)?;
        let known = self.domain(workspace, domain).await?;
        let records = self.0.records.txt(&known.record_name()).await?;
        let wanted = known.record_value();
        if !records.iter().any(|record| record.trim() == wanted) {
            return Err(FlowError::from(Conflict::DomainNotVerified).into());
        }
        self.mark_verified(actor, &known).await
    }

    /// What the TXT records say in which the challenge of a domain is looked for: for whoever wonders why it is not verified.
    ///
    /// # Errors
    /// As [`verify_domain`](Self::verify_domain).
    pub async fn found_records(
        &self,
        actor: &Actor,
        workspace: WorkspaceId,
        domain: &str,
    ) -> Result<Vec<String>, SsoError> {
        self.ensure_may(actor, workspace)?;
        let known = self.domain(workspace, domain).await?;
        Ok(self.0.records.txt(&known.record_name()).await?)
    }

    /// Takes a domain as verified on the operator's word, who knows whose it is: for networks whose DNS this server does not see.
    ///
    /// # Errors
    /// [`FlowError::Forbidden`] for anybody else, and as [`verify_domain`](Self::verify_domain).
    pub async fn vouch_for_domain(
        &self,
        actor: &Actor,
        workspace: WorkspaceId,
        domain: &str,
    ) -> Result<Domain, SsoError> {
        if !actor.is_operator() {
            return Err(FlowError::forbidden("", "is the operator's to do").into());
        }
        let known = self.domain(workspace, domain).await?;
        self.mark_verified(actor, &known).await
    }

    async fn mark_verified(&self, actor: &Actor, known: &Domain) -> Result<Domain, SsoError> {
        let now = self.0.clock.now();
        let edit = Box::new(move |domain: &mut Domain| {
            domain.verified_at = Some(now);
            Ok(())
        });
        let store = &self.0.store;
        let verified = store.edit_domain(actor.act(), known.workspace, &known.domain, by(actor), edit);
        Ok(verified.await?)
    }

    /// Says where people of a domain sign in, and whether there alone.
    ///
    /// # Errors
    /// [`Conflict::DomainNotVerified`], [`FlowError::Invalid`], and others.
    pub async fn update_domain(
        &self,
        actor: &Actor,
        workspace: WorkspaceId,
        domain: &str,
        changes: DomainChanges,
    ) -> Result<Domain, SsoError> {
        self.ensure_may(actor, workspace)?;
        let known = self.domain(workspace, domain).await?;
        let edit = Box::new(move |domain: &mut Domain| apply(domain, changes));
        let store = &self.0.store;
        let updated = store.edit_domain(actor.act(), workspace, &known.domain, by(actor), edit);
        Ok(updated.await?)
    }

    /// Gives a domain up.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] and others.
    pub async fn remove_domain(
        &self,
        actor: &Actor,
        workspace: WorkspaceId,
        domain: &str,
    ) -> Result<(), SsoError> {
        self.ensure_may(actor, workspace)?;
        let domain = normalize_domain(domain).ok_or(FlowError::NotFound)?;
        let store = &self.0.store;
        Ok(store
            .remove_domain(actor.act(), workspace, &domain, by(actor))
            .await?)
    }

    async fn domain(&self, workspace: WorkspaceId, domain: &str) -> Result<Domain, SsoError> {
        let domain = normalize_domain(domain).ok_or(FlowError::NotFound)?;
        let known = self.0.store.list_domains(workspace).await?;
        let known = known.into_iter().find(|known| known.domain == domain);
        Ok(known.ok_or(FlowError::NotFound)?)
    }
}

fn apply(domain: &mut Domain, changes: DomainChanges) -> Result<(), FlowError> {
    if let Some(connection) = changes.connection {
        domain.connection = connection;
    }
    if let Some(enforced) = changes.enforced {
        domain.enforced = enforced;
    }
    if let Some(role) = changes.join_role {
        if role == Some(Role::Owner) {
            let detail = "must be admin, member or viewer: owners are made by owners";
            return Err(FlowError::invalid("/joinRole", detail));
        }
        domain.join_role = role;
    }
    let is_used = domain.connection.is_some() || domain.enforced.is_some() || domain.join_role.is_some();
    if is_used && domain.verified_at.is_none() {
        return Err(Conflict::DomainNotVerified.into());
    }
    if domain.enforced.is_some() && domain.connection.is_none() {
        return Err(FlowError::invalid(
            "/connectionId",
            "is asked for where the domain has to sign in by it",
        ));
    }
    Ok(())
}

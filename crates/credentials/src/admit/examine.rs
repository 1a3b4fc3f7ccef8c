//! The checks that a known key has to pass, in their order.

use std::net::IpAddr;

use tigertrust_model::{Timestamp, WorkspaceId};
use tigertrust_rate_limit::Decision;

use super::{Admission, permit::PermitWorkspace};
use crate::{
    AuthError, HeaderValues, Need, Presented, Refusal, WorkspaceNeed, access_token::AccessGrant,
    known_key::KnownKey, limits::Spent,
};

/// What a key is used for, from where, and by which token of it if not by itself.
#[derive(Clone, Copy)]
pub(super) struct Attempt<'a> {
    pub(super) client: Option<IpAddr>,
    pub(super) workspace: HeaderValues<'a>,
    pub(super) token: Option<&'a AccessGrant>,
}

impl<'a> Attempt<'a> {
    pub(super) fn of(presented: &Presented<'a>, token: Option<&'a AccessGrant>) -> Self {
        Self {
            client: presented.client,
            workspace: presented.workspace,
            token,
        }
    }

    /// The workspace that it names: a token's own, if it has one.
    pub(super) fn named(&self) -> HeaderValues<'a> {
        match self.token.and_then(AccessGrant::workspace) {
            Some(own) => self.workspace.agreeing_with(own),
            None => self.workspace,
        }
    }
}

/// What a key that passed all checks may do.
pub(super) struct Passed {
    pub(super) workspace: PermitWorkspace,
    pub(super) limits: Option<Decision>,
    /// Which of its scopes was asked for, by its place.
    pub(super) scope: Option<usize>,
}

impl Admission {
    /// The checks of a known key, from its state on, and how its limits stand if they were asked.
    pub(super) async fn examine(
        &self,
        record: &KnownKey,
        now: Timestamp,
        cost: Option<u32>,
        attempt: Attempt<'_>,
        need: &Need,
    ) -> Result<Passed, Refusal> {
        // 4–6. It is not revoked, not expired, active, and its workspace and owner are there.
        record.check_state(now)?;
        if attempt.token.is_some_and(|token| !token.is_current(now)) {
            return Err(AuthError::TokenExpired.into());
        }
        // 7. It has not called too often.
        let limits = match cost {
            None => None,
            Some(cost) => match self.limits.spend(record, need.charge, cost).await {
                Spent::Admitted(decision) => Some(decision),
                Spent::Refused(decision) => return Err(Refusal::over_limit(decision)),
            },
        };
        match self.examine_use(record, attempt, need).await {
            Ok((workspace, scope)) => Ok(Passed {
                workspace,
                limits,
                scope,
            }),
            Err(why) => Err(Refusal::new(why, limits)),
        }
    }

    /// The checks of what a key that is good is used for. Answers with where it acts, and which of its scopes was asked for, by its place.
    async fn examine_use(
        &self,
        record: &KnownKey,
        attempt: Attempt<'_>,
        need: &Need,
    ) -> Result<(PermitWorkspace, Option<usize>), AuthError> {
        check_caller(record, attempt, need)?;
        // 10. It may act in the workspace that was named, or in its own, and meets its demand.
        let workspace = match own_workspace(record, attempt.named(), need.workspace)? {
            ActsIn::Own(workspace) => workspace,
            ActsIn::Elsewhere(id) => self.named_workspace(id).await?,
        };
        let scope = check_rights(record, &workspace, attempt, need)?;
        Ok((workspace, scope))
    }

    /// A workspace that an instance key names.
    async fn named_workspace(&self, id: WorkspaceId) -> Result<PermitWorkspace, AuthError> {
        let found = self.workspaces.get(id, || self.store.find_workspace(id)).await?;
        found
            .filter(|workspace| workspace.deleted_at.is_none())
            .map(PermitWorkspace::Named)
            .ok_or(AuthError::WorkspaceAccessDenied)
    }
}

/// The checks of who calls, and from where.
pub(super) fn check_caller(record: &KnownKey, attempt: Attempt<'_>, need: &Need) -> Result<(), AuthError> {
    // 8. It may be used from where the client is.
    if record.is_bound && !record.key.allows_address(attempt.client) {
        return Err(AuthError::AddressNotAllowed);
    }
    // 9. Its type may call here.
    if !need.types.contains(record.kind) {
        return Err(AuthError::WrongType { allowed: need.types });
    }
    Ok(())
}

/// Where a key acts, as far as the key says.
pub(super) enum ActsIn {
    Own(PermitWorkspace),
    /// In one that has to be looked up.
    Elsewhere(WorkspaceId),
}

pub(super) fn own_workspace(
    record: &KnownKey,
    named: HeaderValues<'_>,
    need: WorkspaceNeed,
) -> Result<ActsIn, AuthError> {
    let named = match named {
        HeaderValues::Absent if record.has_home => return Ok(ActsIn::Own(PermitWorkspace::Of(0))),
        HeaderValues::Absent if need != WorkspaceNeed::Required => {
            return Ok(ActsIn::Own(PermitWorkspace::Open));
        }
        HeaderValues::Absent => return Err(AuthError::WorkspaceMissing),
        HeaderValues::Repeated => return Err(AuthError::WorkspaceAccessDenied),
        HeaderValues::One(value) => value,
    };
    let id: WorkspaceId = std::str::from_utf8(named)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or(AuthError::WorkspaceAccessDenied)?;
    if !record.has_home {
        return Ok(ActsIn::Elsewhere(id));
    }
    record
        .workspaces
        .iter()
        .position(|workspace| workspace.id == id && record.may_enter(workspace))
        .map(|place| ActsIn::Own(PermitWorkspace::Of(place)))
        .ok_or(AuthError::WorkspaceAccessDenied)
}

/// The checks of what the key may do where it acts. Answers with which of its scopes was asked for, by its place.
pub(super) fn check_rights(
    record: &KnownKey,
    workspace: &PermitWorkspace,
    attempt: Attempt<'_>,
    need: &Need,
) -> Result<Option<usize>, AuthError> {
    let keeps_out = |workspace| record.lacks_second_factor(workspace);
    if record.is_personal && !need.workspace.is_own_account() && workspace.of(record).is_some_and(keeps_out) {
        return Err(AuthError::SecondFactorMissing);
    }
    // 11. It holds the scope, and so does its owner if it is personal.
    let Some(scope) = &need.scope else {
        return Ok(None);
    };
    if attempt
        .token
        .is_some_and(|token| !token.claims.scopes.grants(scope))
    {
        return Err(AuthError::MissingScope(scope.clone()));
    }
    let acts_in = workspace.of(record).map(|workspace| workspace.id);
    record
        .granting_in(acts_in, scope)
        .map(Some)
        .ok_or_else(|| AuthError::MissingScope(scope.clone()))
}

//! Domains that workspaces have proved to be their own, and where their people sign in.

use async_trait::async_trait;
use diesel::{
    BoolExpressionMethods, ExpressionMethods, Insertable, JoinOnDsl, NullableExpressionMethods,
    OptionalExtension, QueryDsl, Queryable, Selectable, SelectableHelper, TextExpressionMethods,
    dsl::{exists, select},
};
use diesel_async::RunQueryDsl;
use tigertrust_accounts::{
    Conflict, FlowError, Violation, audit,
    sso::{Domain, DomainEdit, DomainSignIn, DomainStore, MAX_DOMAINS},
};
use tigertrust_credentials::ports::StoreError;
use tigertrust_model::{
    Act, AuditAction, AuditEntry, AuditTarget, ConnectionId, Creator, Email, Role, UserId, WorkspaceId,
};

use super::{
    super::Connection,
    Store, Written, factors,
    members::role_in,
    rows::Corrupt,
    schema::{
        sessions, sign_in_challenges as challenges, sso_connections as connections, sso_domains as domains,
        users, workspaces,
    },
    sso_connections::{self, ConnectionRow, hold},
};
use crate::{
    error::OrUnavailable,
    types::{StoredId, StoredTime},
};

/// A domain.
#[derive(Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = domains)]
struct DomainRow {
    workspace_id: StoredId,
    domain: String,
    challenge: String,
    created_at: StoredTime,
    verified_at: Option<StoredTime>,
    connection_id: Option<StoredId>,
    enforced: bool,
    break_glass_user_id: Option<StoredId>,
    join_role: Option<String>,
}

impl From<&Domain> for DomainRow {
    fn from(domain: &Domain) -> Self {
        Self {
            workspace_id: StoredId::new(domain.workspace.as_uuid()),
            domain: domain.domain.clone(),
            challenge: domain.challenge.clone(),
            created_at: StoredTime::new(domain.created_at),
            verified_at: domain.verified_at.map(StoredTime::new),
            connection_id: domain.connection.map(|id| StoredId::new(id.as_uuid())),
            enforced: domain.enforced.is_some(),
            break_glass_user_id: domain.enforced.map(|user| StoredId::new(user.as_uuid())),
            join_role: domain.join_role.map(|role| role.as_str().to_owned()),
        }
    }
}

impl DomainRow {
    fn read(self) -> Result<Domain, StoreError> {
        let corrupt = Corrupt::new("sso_domains", Some(self.domain.clone()));
        let workspace = self.workspace_id.read().map(WorkspaceId::from_uuid);
        let connection = self.connection_id.map(|id| {
            let id = id.read().map(ConnectionId::from_uuid);
            id.ok_or_else(|| corrupt.at("connection_id"))
        });
        let exempt = self.break_glass_user_id.filter(|_| self.enforced).map(|id| {
            let id = id.read().map(UserId::from_uuid);
            id.ok_or_else(|| corrupt.at("break_glass_user_id"))
        });
        let join_role = self.join_role.map(|role| role.parse());
        Ok(Domain {
            workspace: workspace.ok_or_else(|| corrupt.at("workspace_id"))?,
            challenge: self.challenge,
            created_at: corrupt.time(self.created_at, "created_at")?,
            verified_at: corrupt.optional_time(self.verified_at, "verified_at")?,
            connection: connection.transpose()?,
            enforced: exempt.transpose()?,
            join_role: join_role.transpose().map_err(|_| corrupt.at("join_role"))?,
            domain: self.domain,
        })
    }
}

/// The people whose address is of a domain, which holds neither `%` nor `_`.
macro_rules! people_of {
    ($domain:expr) => {
        users::table.filter(users::email_canonical.like(format!("%@{}", $domain)))
    };
}

#[async_trait]
impl DomainStore for Store {
    async fn claim_domain(&self, act: Act, domain: Domain, by: Option<Creator>) -> Result<Domain, FlowError> {
        self.write(move |transaction| {
            Box::pin(async move {
                let workspace = domain.workspace;
                hold(transaction, workspace, by).await?;
                if let Some(known) = find(transaction, workspace, &domain.domain).await? {
                    return Ok(Written::quietly(known));
                }
                let others: i64 = domains::table
                    .filter(domains::workspace_id.eq(StoredId::new(workspace.as_uuid())))
                    .count()
                    .get_result(transaction)
                    .await
                    .or_unavailable()?;
                if usize::try_from(others).unwrap_or(usize::MAX) >= MAX_DOMAINS {
                    return Err(Conflict::TooManyDomains.into());
                }
                diesel::insert_into(domains::table)
                    .values(DomainRow::from(&domain))
                    .execute(transaction)
                    .await
                    .or_unavailable()?;
                let entry = AuditEntry::new(AuditAction::DomainClaimed, Some(workspace), &act)
                    .on(AuditTarget::new("domain", domain.domain.clone()));
                Ok(Written::quietly(domain).logging([entry]))
            })
        })
        .await
    }

    async fn list_domains(&self, workspace: WorkspaceId) -> Result<Vec<Domain>, StoreError> {
        let rows: Vec<DomainRow> = self
            .read(move |connection| {
                Box::pin(async move {
                    domains::table
                        .filter(domains::workspace_id.eq(StoredId::new(workspace.as_uuid())))
                        .order(domains::domain.asc())
                        .select(DomainRow::as_select())
                        .load(connection)
                        .await
                        .or_unavailable()
                })
            })
            .await?;
        rows.into_iter().map(DomainRow::read).collect()
    }

    async fn edit_domain(
        &self,
        act: Act,
        workspace: WorkspaceId,
        domain: &str,
        by: Option<Creator>,
        edit: DomainEdit,
    ) -> Result<Domain, FlowError> {
        let name = domain.to_owned();
        self.write(move |transaction| {
            Box::pin(async move {
                hold(transaction, workspace, by).await?;
                let found = find(transaction, workspace, &name).await?;
                let before = found.ok_or(FlowError::NotFound)?;
                let mut after = before.clone();
                edit(&mut after)?;
                if after.verified_at.is_some() && before.verified_at.is_none() {
                    ensure_free(transaction, &after).await?;
                }
                if after.connection != before.connection || after.enforced != before.enforced {
                    ensure_connection(transaction, &after).await?;
                    ensure_exempt(transaction, &after).await?;
                }
                let row = DomainRow::from(&after);
                diesel::update(domains::table.find((row.workspace_id, name)))
                    .set((
                        domains::verified_at.eq(row.verified_at),
                        domains::connection_id.eq(row.connection_id),
                        domains::enforced.eq(row.enforced),
                        domains::break_glass_user_id.eq(row.break_glass_user_id),
                        domains::join_role.eq(row.join_role),
                    ))
                    .execute(transaction)
                    .await
                    .or_unavailable()?;
                if before.enforced != after.enforced
                    && let Some(exempt) = after.enforced
                {
                    end_other_sessions(transaction, &after, exempt).await?;
                }
                let action = match (before.verified_at, after.verified_at) {
                    (None, Some(_)) => AuditAction::DomainVerified,
                    _ => AuditAction::DomainUpdated,
                };
                let changes = audit::of_domain(&before, &after);
                let entry = AuditEntry::new(action, Some(workspace), &act)
                    .on(AuditTarget::new("domain", after.domain.clone()));
                let entry = (!changes.is_empty()).then(|| entry.changing(changes));
                Ok(Written::quietly(after).logging(entry))
            })
        })
        .await
    }

    async fn remove_domain(
        &self,
        act: Act,
        workspace: WorkspaceId,
        domain: &str,
        by: Option<Creator>,
    ) -> Result<(), FlowError> {
        let name = domain.to_owned();
        self.write(move |transaction| {
            Box::pin(async move {
                hold(transaction, workspace, by).await?;
                end_whole_sessions(transaction, workspace, &name).await?;
                let entry = AuditEntry::new(AuditAction::DomainRemoved, Some(workspace), &act)
                    .on(AuditTarget::new("domain", name.clone()));
                let key = (StoredId::new(workspace.as_uuid()), name);
                let removed = diesel::delete(domains::table.find(key))
                    .execute(transaction)
                    .await
                    .or_unavailable()?;
                if removed == 0 {
                    return Err(FlowError::NotFound);
                }
                Ok(Written::quietly(()).logging([entry]))
            })
        })
        .await
    }

    async fn domain_sign_in(&self, domain: &str) -> Result<Option<DomainSignIn>, StoreError> {
        let domain = domain.to_owned();
        let row: Option<(ConnectionRow, Option<Vec<u8>>, bool)> = self
            .read(move |connection| {
                Box::pin(async move {
                    domains::table
                        .inner_join(
                            connections::table.on(domains::connection_id.eq(connections::id.nullable())),
                        )
                        .inner_join(workspaces::table.on(workspaces::id.eq(domains::workspace_id)))
                        .filter(workspaces::deleted_at.is_null())
                        .filter(connections::enabled.eq(true))
                        .filter(domains::domain.eq(domain))
                        .filter(domains::verified_at.is_not_null())
                        .select((
                            ConnectionRow::as_select(),
                            connections::scim_token,
                            domains::enforced,
                        ))
                        .first(connection)
                        .await
                        .optional()
                        .or_unavailable()
                })
            })
            .await?;
        row.map(|(row, token, enforced)| {
            Ok(DomainSignIn {
                connection: sso_connections::read((row, token))?,
                enforced,
            })
        })
        .transpose()
    }
}

async fn find(
    connection: &mut Connection,
    workspace: WorkspaceId,
    domain: &str,
) -> Result<Option<Domain>, StoreError> {
    let row: Option<DomainRow> = domains::table
        .find((StoredId::new(workspace.as_uuid()), domain.to_owned()))
        .select(DomainRow::as_select())
        .first(connection)
        .await
        .optional()
        .or_unavailable()?;
    row.map(DomainRow::read).transpose()
}

/// The workspace that has verified the domain, and what people who come by a provider of the whole server become there.
pub(super) async fn verified(
    connection: &mut Connection,
    domain: &str,
) -> Result<Option<(WorkspaceId, Option<Role>)>, StoreError> {
    let row: Option<DomainRow> = domains::table
        .inner_join(workspaces::table.on(workspaces::id.eq(domains::workspace_id)))
        .filter(workspaces::deleted_at.is_null())
        .filter(domains::domain.eq(domain.to_owned()))
        .filter(domains::verified_at.is_not_null())
        .select(DomainRow::as_select())
        .first(connection)
        .await
        .optional()
        .or_unavailable()?;
    let domain = row.map(DomainRow::read).transpose()?;
    Ok(domain.map(|domain| (domain.workspace, domain.join_role)))
}

/// Whether people of the domain have to sign in with its provider, and this one is not exempt.
pub(super) async fn is_enforced_for(
    connection: &mut Connection,
    user: UserId,
    domain: &str,
) -> Result<bool, StoreError> {
    Ok(enforced_by(connection, user, domain).await?.is_some())
}

/// The workspace by whose provider people of the domain have to sign in, if this one is not exempt. Who was exempt and is no owner any
/// more is so no longer.
async fn enforced_by(
    connection: &mut Connection,
    user: UserId,
    domain: &str,
) -> Result<Option<WorkspaceId>, StoreError> {
    let row: Option<(StoredId, Option<StoredId>)> = domains::table
        .inner_join(workspaces::table.on(workspaces::id.eq(domains::workspace_id)))
        .filter(workspaces::deleted_at.is_null())
        .filter(domains::domain.eq(domain.to_owned()))
        .filter(domains::verified_at.is_not_null())
        .filter(domains::enforced.eq(true))
        .select((domains::workspace_id, domains::break_glass_user_id))
        .first(connection)
        .await
        .optional()
        .or_unavailable()?;
    let Some((workspace, exempt)) = row else {
        return Ok(None);
    };
    let workspace = workspace.read().map(WorkspaceId::from_uuid);
    let workspace = workspace.ok_or_else(|| Corrupt::new("sso_domains", Some(domain)).at("workspace_id"))?;
    let is_exempt = exempt.and_then(StoredId::read) == Some(user.as_uuid())
        && role_in(connection, workspace, user).await? == Some(Role::Owner);
    Ok(Some(workspace).filter(|_| !is_exempt))
}

/// Whether a session may begin that is begun by a connection of that workspace, or by none: where the person's domain has to sign in
/// by its provider, no other will do.
pub(super) async fn lets_in(
    connection: &mut Connection,
    user: UserId,
    by: Option<WorkspaceId>,
) -> Result<bool, StoreError> {
    let email: Option<String> = users::table
        .find(StoredId::new(user.as_uuid()))
        .select(users::email)
        .first(connection)
        .await
        .optional()
        .or_unavailable()?;
    let domain = email.and_then(|email| email.parse::<Email>().ok());
    let domain = domain.map(|email| email.domain()).unwrap_or_default();
    let only = enforced_by(connection, user, &domain).await?;
    Ok(only.is_none_or(|only| by == Some(only)))
}

async fn ensure_free(connection: &mut Connection, domain: &Domain) -> Result<(), FlowError> {
    let others = domains::table
        .filter(domains::domain.eq(domain.domain.clone()))
        .filter(domains::verified_at.is_not_null())
        .filter(domains::workspace_id.ne(StoredId::new(domain.workspace.as_uuid())));
    let is_taken: bool = select(exists(others))
        .get_result(connection)
        .await
        .or_unavailable()?;
    if is_taken {
        return Err(Conflict::DomainTaken.into());
    }
    Ok(())
}

async fn ensure_connection(connection: &mut Connection, domain: &Domain) -> Result<(), FlowError> {
    let Some(id) = domain.connection else {
        return Ok(());
    };
    let own = connections::table
        .filter(connections::id.eq(StoredId::new(id.as_uuid())))
        .filter(connections::workspace_id.eq(StoredId::new(domain.workspace.as_uuid())))
        .filter(connections::enabled.eq(true));
    let is_own: bool = select(exists(own))
        .get_result(connection)
        .await
        .or_unavailable()?;
    if is_own {
        return Ok(());
    }
    let detail = "the workspace has no enabled connection with this id";
    Err(FlowError::Invalid(vec![Violation::new("/connectionId", detail)]))
}

/// Who is exempt must be able to come in when the provider is down.
async fn ensure_exempt(connection: &mut Connection, domain: &Domain) -> Result<(), FlowError> {
    let Some(user) = domain.enforced else {
        return Ok(());
    };
    let is_owner = role_in(connection, domain.workspace, user).await? == Some(Role::Owner);
    let usable = users::table
        .filter(users::id.eq(StoredId::new(user.as_uuid())))
        .filter(users::disabled_at.is_null())
        .filter(users::password_hash.is_not_null());
    let has_password: bool = select(exists(usable))
        .get_result(connection)
        .await
        .or_unavailable()?;
    if is_owner && has_password && factors::of(connection, user).await?.is_enrolled() {
        return Ok(());
    }
    let detail = "must be an owner of the workspace with a password and a second factor, to come in when the provider \
                  does not answer";
    Err(FlowError::Invalid(vec![Violation::new(
        "/breakGlassUserId",
        detail,
    )]))
}

/// Ends the sessions of the domain's people that were begun in another way than by the workspace's provider, but for one person's.
async fn end_other_sessions(
    connection: &mut Connection,
    domain: &Domain,
    exempt: UserId,
) -> Result<(), FlowError> {
    let people = people_of!(&domain.domain).filter(users::id.ne(StoredId::new(exempt.as_uuid())));
    let own = StoredId::new(domain.workspace.as_uuid());
    let begun_otherwise = sessions::sso_workspace_id
        .is_null()
        .or(sessions::sso_workspace_id.ne(own));
    diesel::delete(sessions::table)
        .filter(sessions::user_id.eq_any(people.select(users::id)))
        .filter(begun_otherwise)
        .execute(connection)
        .await
        .or_unavailable()?;
    Ok(())
}

/// Ends the sessions of the domain's people that reach further than the workspace since the domain was its own.
async fn end_whole_sessions(
    connection: &mut Connection,
    workspace: WorkspaceId,
    domain: &str,
) -> Result<(), FlowError> {
    let begun = sessions::table
        .filter(sessions::sso_workspace_id.eq(StoredId::new(workspace.as_uuid())))
        .filter(sessions::sso_confined.eq(false))
        .filter(sessions::user_id.eq_any(people_of!(domain).select(users::id)));
    diesel::delete(begun).execute(connection).await.or_unavailable()?;
    let waiting =
        challenges::table.filter(challenges::sso_workspace_id.eq(StoredId::new(workspace.as_uuid())));
    diesel::delete(waiting)
        .execute(connection)
        .await
        .or_unavailable()?;
    Ok(())
}

/// Gives up what a workspace that is deleted has claimed, for others to claim.
pub(super) async fn remove_all(connection: &mut Connection, workspace: WorkspaceId) -> Result<(), FlowError> {
    let own = domains::table.filter(domains::workspace_id.eq(StoredId::new(workspace.as_uuid())));
    diesel::delete(own).execute(connection).await.or_unavailable()?;
    Ok(())
}

//! People and workspaces.

use async_trait::async_trait;
use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, SelectableHelper,
    dsl::{exists, select},
};
use diesel_async::RunQueryDsl;
use tigertrust_accounts::{
    Conflict, FlowError, audit,
    ports::{AccountStore, Bootstrap, Page, WorkspaceEdit},
};
use tigertrust_credentials::{PasswordHash, ports::StoreError};
use tigertrust_model::{
    Act, AuditAction, AuditEntry, Chain, Creator, Entity, LeakResponse, Role, Timestamp, User, UserId,
    Workspace, WorkspaceId,
};

use super::{
    super::{Connection, lock_accounts, lock_workspace},
    Store, Written,
    audit_entries::{key_created, user_created, workspace_created},
    keys,
    members::lock_person,
    rows::{UserRow, WorkspaceRow},
    schema::{memberships, users, workspaces},
    sign_in, sso_connections, standing,
};
use crate::{
    error::OrUnavailable,
    types::{StoredId, StoredTime},
};

#[async_trait]
impl AccountStore for Store {
    async fn insert_user(&self, act: Act, user: User, password: PasswordHash) -> Result<(), FlowError> {
        self.write(move |connection| {
            Box::pin(async move {
                if insert_user(connection, &user, Some(&password))
                    .await
                    .or_unavailable()?
                {
                    Ok(Written::quietly(()).logging([user_created(&act, &user)]))
                } else {
                    Err(Conflict::EmailTaken.into())
                }
            })
        })
        .await
    }

    async fn find_user_by_email(&self, canonical: &str) -> Result<Option<User>, StoreError> {
        let canonical = canonical.to_owned();
        let row = self
            .read(move |connection| {
                Box::pin(async move {
                    users::table
                        .filter(users::email_canonical.eq(canonical))
                        .filter(users::erased_at.is_null())
                        .select(UserRow::as_select())
                        .first(connection)
                        .await
                        .optional()
                        .or_unavailable()
                })
            })
            .await?;
        row.map(UserRow::read).transpose()
    }

    async fn get_user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        let row = self
            .read(move |connection| {
                Box::pin(async move {
                    users::table
                        .find(StoredId::new(id.as_uuid()))
                        .filter(users::erased_at.is_null())
                        .select(UserRow::as_select())
                        .first(connection)
                        .await
                        .optional()
                        .or_unavailable()
                })
            })
            .await?;
        row.map(UserRow::read).transpose()
    }

    async fn list_users(&self, page: Page<UserId>) -> Result<Vec<User>, StoreError> {
        let rows: Vec<UserRow> = self
            .read(move |connection| {
                Box::pin(async move {
                    let mut query = users::table
                        .filter(users::erased_at.is_null())
                        .select(UserRow::as_select())
                        .order(users::id.desc())
                        .limit(i64::from(page.limit))
                        .into_boxed();
                    if let Some(after) = page.after {
                        query = query.filter(users::id.lt(StoredId::new(after.as_uuid())));
                    }
                    query.load(connection).await.or_unavailable()
                })
            })
            .await?;
        rows.into_iter().map(UserRow::read).collect()
    }

    async fn set_disabled(&self, act: Act, user: UserId, at: Option<Timestamp>) -> Result<User, FlowError> {
        self.write(move |connection| {
            Box::pin(async move {
                let id = StoredId::new(user.as_uuid());
                let row = diesel::update(users::table.find(id).filter(users::erased_at.is_null()))
                    .set(users::disabled_at.eq(at.map(StoredTime::new)))
                    .returning(UserRow::as_returning())
                    .get_result(connection)
                    .await
                    .optional()
                    .or_unavailable()?
                    .ok_or(FlowError::NotFound)?;
                // Who is enabled again has to sign in again.
                if at.is_some() {
                    sign_in::sign_out(connection, user, None).await.or_unavailable()?;
                }
                let action = match at {
                    Some(_) => AuditAction::UserDisabled,
                    None => AuditAction::UserEnabled,
                };
                let entry = AuditEntry::new(action, Chain::Instance, &act).on(user);
                Ok(Written::telling(everywhere(connection, user).await?, row.read()?).logging([entry]))
            })
        })
        .await
    }

    async fn insert_workspace(&self, act: Act, workspace: Workspace, owner: UserId) -> Result<(), FlowError> {
        self.write(move |connection| {
            Box::pin(async move {
                if !lock_person(connection, owner).await? {
                    return Err(FlowError::NotFound);
                }
                insert_workspace(connection, &workspace, owner, workspace.created_at)
                    .await
                    .or_unavailable()?;
                // The workspace is new to everybody, but the person is not.
                let logged = workspace_created(&act, &workspace, owner);
                Ok(Written::changing(Entity::User(owner), Some(workspace.id), ()).logging(logged))
            })
        })
        .await
    }

    async fn list_workspaces(&self, page: Page<WorkspaceId>) -> Result<Vec<Workspace>, StoreError> {
        let rows: Vec<WorkspaceRow> = self
            .read(move |connection| {
                Box::pin(async move {
                    let mut query = workspaces::table
                        .filter(workspaces::deleted_at.is_null())
                        .select(WorkspaceRow::as_select())
                        .order(workspaces::id.desc())
                        .limit(i64::from(page.limit))
                        .into_boxed();
                    if let Some(after) = page.after {
                        query = query.filter(workspaces::id.lt(StoredId::new(after.as_uuid())));
                    }
                    query.load(connection).await.or_unavailable()
                })
            })
            .await?;
        rows.into_iter().map(WorkspaceRow::read).collect()
    }

    async fn get_workspace(&self, id: WorkspaceId) -> Result<Option<Workspace>, StoreError> {
        self.read(move |connection| Box::pin(find_workspace(connection, id)))
            .await
    }

    async fn edit_workspace(
        &self,
        act: Act,
        id: WorkspaceId,
        by: Option<Creator>,
        edit: WorkspaceEdit,
    ) -> Result<Workspace, FlowError> {
        self.write(move |connection| {
            Box::pin(async move {
                let stored = StoredId::new(id.as_uuid());
                lock_workspace(connection, stored).await.or_unavailable()?;
                let found = find_workspace(connection, id).await?;
                let before = found.ok_or(FlowError::NotFound)?;
                let role = standing::of(connection, id, by).await?;
                let mut workspace = before.clone();
                edit(&mut workspace, role)?;
                if workspace == before {
                    return Ok(Written::quietly(before));
                }
                if workspace.deleted_at.is_some() {
                    sso_connections::remove_all(connection, id).await?;
                }
                diesel::update(workspaces::table.find(stored))
                    .set((
                        workspaces::name.eq(workspace.name.clone()),
                        workspaces::plan.eq(workspace.plan.to_string()),
                        workspaces::deleted_at.eq(workspace.deleted_at.map(StoredTime::new)),
                        workspaces::require_second_factor.eq(workspace.requires_second_factor),
                        workspaces::leak_response.eq(workspace.leak_response.map(LeakResponse::as_str)),
                    ))
                    .execute(connection)
                    .await
                    .or_unavailable()?;
                let entry = audit::of_workspace(&before, &workspace).map(|(action, changes)| {
                    AuditEntry::new(action, Some(id), &act).on(id).changing(changes)
                });
                Ok(Written::changing(Entity::Workspace(id), Some(id), workspace).logging(entry))
            })
        })
        .await
    }

    async fn bootstrap(&self, act: Act, first: Bootstrap, at: Timestamp) -> Result<bool, FlowError> {
        self.write(move |connection| {
            Box::pin(async move {
                lock_accounts(connection).await.or_unavailable()?;
                let begun: bool = select(exists(users::table.select(users::id)))
                    .get_result(connection)
                    .await
                    .or_unavailable()?;
                if begun {
                    return Ok(Written::quietly(false));
                }
                store_first(connection, &first, at).await.or_unavailable()?;
                let keys = first.keys.iter().map(|(key, _)| key_created(&act, key));
                let logged = workspace_created(&act, &first.workspace, first.user.id);
                let logged = logged
                    .into_iter()
                    .chain([user_created(&act, &first.user)])
                    .chain(keys);
                Ok(Written::quietly(true).logging(logged))
            })
        })
        .await
    }
}

/// A change of the person, as the business of each of its workspaces; and once more of nobody's: whoever belongs to none may be
/// known here all the same.
pub(super) async fn everywhere(
    connection: &mut Connection,
    user: UserId,
) -> Result<Vec<(Entity, Option<WorkspaceId>)>, StoreError> {
    let member_of: Vec<StoredId> = memberships::table
        .filter(memberships::user_id.eq(StoredId::new(user.as_uuid())))
        .select(memberships::workspace_id)
        .load(connection)
        .await
        .or_unavailable()?;
    let concerned = member_of
        .into_iter()
        .filter_map(|id| id.read().map(WorkspaceId::from_uuid))
        .map(|workspace| (Entity::User(user), Some(workspace)));
    Ok(concerned.chain([(Entity::User(user), None)]).collect())
}

async fn find_workspace(
    connection: &mut Connection,
    id: WorkspaceId,
) -> Result<Option<Workspace>, StoreError> {
    let row: Option<WorkspaceRow> = workspaces::table
        .find(StoredId::new(id.as_uuid()))
        .filter(workspaces::deleted_at.is_null())
        .select(WorkspaceRow::as_select())
        .first(connection)
        .await
        .optional()
        .or_unavailable()?;
    row.map(WorkspaceRow::read).transpose()
}

async fn store_first(connection: &mut Connection, first: &Bootstrap, at: Timestamp) -> QueryResult<()> {
    insert_user(connection, &first.user, Some(&first.password)).await?;
    insert_workspace(connection, &first.workspace, first.user.id, at).await?;
    for (key, secret) in &first.keys {
        keys::insert(connection, key, secret).await?;
    }
    Ok(())
}

/// Stores a person, with a password or without one, unless the address is taken. Returns whether it was not.
pub(super) async fn insert_user(
    connection: &mut Connection,
    user: &User,
    password: Option<&PasswordHash>,
) -> QueryResult<bool> {
    let inserted = diesel::insert_into(users::table)
        .values((
            users::id.eq(StoredId::new(user.id.as_uuid())),
            users::email.eq(user.email.as_str().to_owned()),
            users::email_canonical.eq(user.email.canonical()),
            users::email_verified_at.eq(user.email_verified_at.map(StoredTime::new)),
            users::name.eq(user.name.clone()),
            users::password_hash.eq(password.map(|password| password.as_phc().to_owned())),
            users::disabled_at.eq(user.disabled_at.map(StoredTime::new)),
            users::created_at.eq(StoredTime::new(user.created_at)),
        ))
        .on_conflict(users::email_canonical)
        .do_nothing()
        .execute(connection)
        .await?;
    Ok(inserted == 1)
}

async fn insert_workspace(
    connection: &mut Connection,
    workspace: &Workspace,
    owner: UserId,
    at: Timestamp,
) -> QueryResult<()> {
    diesel::insert_into(workspaces::table)
        .values(WorkspaceRow::from(workspace))
        .execute(connection)
        .await?;
    diesel::insert_into(memberships::table)
        .values((
            memberships::workspace_id.eq(StoredId::new(workspace.id.as_uuid())),
            memberships::user_id.eq(StoredId::new(owner.as_uuid())),
            memberships::role.eq(Role::Owner.as_str()),
            memberships::created_at.eq(StoredTime::new(at)),
        ))
        .execute(connection)
        .await?;
    Ok(())
}

//! Who is a member of which workspace.

use async_trait::async_trait;
use diesel::{ExpressionMethods, JoinOnDsl, OptionalExtension, QueryDsl, SelectableHelper};
use diesel_async::RunQueryDsl;
use tigertrust_accounts::{
    Conflict, FlowError,
    ports::{Member, MemberEdit, MemberStore, Membership, Page, PresentRoles},
};
use tigertrust_credentials::ports::StoreError;
use tigertrust_model::{Act, Creator, Entity, KeyId, Role, Timestamp, UserId, WorkspaceId};

use super::{
    super::{Connection, lock_workspace},
    Store, Written,
    audit_entries::{member_changed, member_left},
    rows::{Corrupt, UserRow},
    schema::{api_keys as keys, memberships, users, workspaces},
    standing,
};
use crate::{
    error::OrUnavailable,
    types::{StoredId, StoredTime},
};

/// Why the personal keys of a member who is removed are revoked.
pub(super) const REASON: &str = "the owner left the workspace";

#[async_trait]
impl MemberStore for Store {
    async fn role_in(&self, workspace: WorkspaceId, user: UserId) -> Result<Option<Role>, StoreError> {
        self.read(move |connection| Box::pin(role_in(connection, workspace, user)))
            .await
    }

    async fn get_member(&self, workspace: WorkspaceId, user: UserId) -> Result<Option<Member>, StoreError> {
        self.read(move |connection| Box::pin(find(connection, workspace, user)))
            .await
    }

    async fn list_members(
        &self,
        workspace: WorkspaceId,
        page: Page<UserId>,
    ) -> Result<Vec<Member>, StoreError> {
        let rows: Vec<MemberRow> = self
            .read(move |connection| {
                Box::pin(async move {
                    let mut query = memberships::table
                        .inner_join(users::table.on(users::id.eq(memberships::user_id)))
                        .filter(memberships::workspace_id.eq(StoredId::new(workspace.as_uuid())))
                        .select((UserRow::as_select(), memberships::role, memberships::created_at))
                        .order(memberships::user_id.desc())
                        .limit(i64::from(page.limit))
                        .into_boxed();
                    if let Some(after) = page.after {
                        query = query.filter(memberships::user_id.lt(StoredId::new(after.as_uuid())));
                    }
                    query.load(connection).await.or_unavailable()
                })
            })
            .await?;
        rows.into_iter().map(|row| read(workspace, row)).collect()
    }

    async fn edit_member(
        &self,
        act: Act,
        of: Membership,
        by: Option<Creator>,
        at: Timestamp,
        edit: MemberEdit,
    ) -> Result<Option<Member>, FlowError> {
        let Membership { workspace, user } = of;
        self.write(move |connection| {
            Box::pin(async move {
                lock_workspace(connection, StoredId::new(workspace.as_uuid()))
                    .await
                    .or_unavailable()?;
                ensure_open(connection, workspace).await?;
                let before = role_in(connection, workspace, user).await?;
                let present = PresentRoles {
                    member: before,
                    by: standing::of(connection, workspace, by).await?,
                };
                let role = edit(present)?;
                if before == role && role.is_some() {
                    let member = find(connection, workspace, user).await?;
                    return Ok(Written::quietly(member));
                }
                if before == Some(Role::Owner) {
                    ensure_another_owner(connection, workspace, user).await?;
                }
                let logged = match role {
                    Some(role) => {
                        put(connection, workspace, user, role, at).await?;
                        member_changed(&act, of, before, Some(role)).into_iter().collect()
                    }
                    None if before.is_none() => return Err(FlowError::NotFound),
                    None => {
                        let ended = remove(connection, workspace, user, at).await?;
                        member_left(&act, of, before, ended, REASON)
                    }
                };
                let member = find(connection, workspace, user).await?;
                Ok(Written::changing(Entity::User(user), Some(workspace), member).logging(logged))
            })
        })
        .await
    }
}

/// A person, the role, and since when.
type MemberRow = (UserRow, String, StoredTime);

fn read(workspace: WorkspaceId, (user, role, since): MemberRow) -> Result<Member, StoreError> {
    let user = user.read()?;
    let corrupt = corrupt(workspace, user.id);
    Ok(Member {
        role: role.parse().map_err(|_| corrupt.at("role"))?,
        since: since.read().ok_or_else(|| corrupt.at("created_at"))?,
        user,
    })
}

async fn find(
    connection: &mut Connection,
    workspace: WorkspaceId,
    user: UserId,
) -> Result<Option<Member>, StoreError> {
    let row: Option<MemberRow> = memberships::table
        .inner_join(users::table.on(users::id.eq(memberships::user_id)))
        .filter(memberships::workspace_id.eq(StoredId::new(workspace.as_uuid())))
        .filter(memberships::user_id.eq(StoredId::new(user.as_uuid())))
        .select((UserRow::as_select(), memberships::role, memberships::created_at))
        .first(connection)
        .await
        .optional()
        .or_unavailable()?;
    row.map(|row| read(workspace, row)).transpose()
}

pub(super) fn corrupt(workspace: WorkspaceId, user: UserId) -> Corrupt {
    Corrupt::new("memberships", Some(format!("{workspace}, {user}")))
}

const fn key_of(workspace: WorkspaceId, user: UserId) -> (StoredId, StoredId) {
    (StoredId::new(workspace.as_uuid()), StoredId::new(user.as_uuid()))
}

pub(super) async fn role_in(
    connection: &mut Connection,
    workspace: WorkspaceId,
    user: UserId,
) -> Result<Option<Role>, StoreError> {
    let role: Option<String> = memberships::table
        .find(key_of(workspace, user))
        .select(memberships::role)
        .first(connection)
        .await
        .optional()
        .or_unavailable()?;
    let role = role.map(|role| role.parse());
    role.transpose().map_err(|_| corrupt(workspace, user).at("role"))
}

/// Disabled owners do not count: nobody could act for them.
pub(super) async fn ensure_another_owner(
    connection: &mut Connection,
    workspace: WorkspaceId,
    user: UserId,
) -> Result<(), FlowError> {
    let others: i64 = memberships::table
        .inner_join(users::table.on(users::id.eq(memberships::user_id)))
        .filter(users::disabled_at.is_null())
        .filter(memberships::workspace_id.eq(StoredId::new(workspace.as_uuid())))
        .filter(memberships::role.eq(Role::Owner.as_str()))
        .filter(memberships::user_id.ne(StoredId::new(user.as_uuid())))
        .count()
        .get_result(connection)
        .await
        .or_unavailable()?;
    if others == 0 {
        return Err(Conflict::LastOwner.into());
    }
    Ok(())
}

pub(super) async fn ensure_open(
    connection: &mut Connection,
    workspace: WorkspaceId,
) -> Result<(), FlowError> {
    let open: Option<StoredId> = workspaces::table
        .find(StoredId::new(workspace.as_uuid()))
        .filter(workspaces::deleted_at.is_null())
        .select(workspaces::id)
        .first(connection)
        .await
        .optional()
        .or_unavailable()?;
    open.map(|_| ()).ok_or(FlowError::NotFound)
}

pub(super) async fn put(
    connection: &mut Connection,
    workspace: WorkspaceId,
    user: UserId,
    role: Role,
    at: Timestamp,
) -> Result<(), FlowError> {
    let (workspace_id, user_id) = key_of(workspace, user);
    if !lock_person(connection, user).await? {
        return Err(FlowError::NotFound);
    }
    let updated = diesel::update(memberships::table.find((workspace_id, user_id)))
        .set(memberships::role.eq(role.as_str()))
        .execute(connection)
        .await
        .or_unavailable()?;
    if updated == 0 {
        diesel::insert_into(memberships::table)
            .values((
                memberships::workspace_id.eq(workspace_id),
                memberships::user_id.eq(user_id),
                memberships::role.eq(role.as_str()),
                memberships::created_at.eq(StoredTime::new(at)),
            ))
            .execute(connection)
            .await
            .or_unavailable()?;
    }
    Ok(())
}

/// Locks a person until the transaction ends, so that it is not erased meanwhile. Returns whether there is one.
pub(super) async fn lock_person(connection: &mut Connection, user: UserId) -> Result<bool, StoreError> {
    let person = users::table
        .filter(users::id.eq(StoredId::new(user.as_uuid())))
        .filter(users::erased_at.is_null());
    let locked = diesel::update(person)
        .set(users::id.eq(users::id))
        .execute(connection)
        .await
        .or_unavailable()?;
    Ok(locked == 1)
}

/// Removes a member. The personal keys go for good: who is invited again must not find old ones alive. Returns those that were
/// not revoked before.
pub(super) async fn remove(
    connection: &mut Connection,
    workspace: WorkspaceId,
    user: UserId,
    at: Timestamp,
) -> Result<Vec<KeyId>, FlowError> {
    let (workspace_id, user_id) = key_of(workspace, user);
    diesel::delete(memberships::table.find((workspace_id, user_id)))
        .execute(connection)
        .await
        .or_unavailable()?;
    let chose_it = users::table
        .filter(users::id.eq(user_id))
        .filter(users::default_workspace_id.eq(workspace_id));
    diesel::update(chose_it)
        .set(users::default_workspace_id.eq(None::<StoredId>))
        .execute(connection)
        .await
        .or_unavailable()?;
    let personal = keys::table
        .filter(keys::owner_id.eq(user_id))
        .filter(keys::home_workspace_id.eq(workspace_id))
        .filter(keys::state.ne("revoked"));
    let ended: Vec<StoredId> = diesel::update(personal)
        .set((
            keys::state.eq("revoked"),
            keys::revoked_at.eq(Some(StoredTime::new(at))),
            keys::revocation_reason.eq(Some(REASON)),
            keys::updated_at.eq(StoredTime::new(at)),
        ))
        .returning(keys::id)
        .get_results(connection)
        .await
        .or_unavailable()?;
    Ok(ended
        .into_iter()
        .filter_map(|id| id.read().map(KeyId::from_uuid))
        .collect())
}

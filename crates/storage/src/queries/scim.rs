//! People as identity providers write them (SCIM 2.0).

use async_trait::async_trait;
use diesel::{
    ExpressionMethods, JoinOnDsl, OptionalExtension, QueryDsl, Queryable, Selectable, SelectableHelper,
};
use diesel_async::RunQueryDsl;
use tigertrust_accounts::{
    Conflict, FlowError, Violation,
    ports::Membership,
    sso::{ScimEdit, ScimFilter, ScimStore, ScimUser},
};
use tigertrust_credentials::ports::StoreError;
use tigertrust_model::{
    Act, AuditAction, AuditEntry, ConnectionId, ConnectionRef, Entity, FieldChange, Role, UserId, WorkspaceId,
};

use super::{
    super::{Connection, lock_workspace},
    Store, Written,
    accounts::insert_user,
    audit_entries::{member_changed, member_left, user_created},
    members::{REASON as LEFT, ensure_another_owner, ensure_open, lock_person, put, remove, role_in},
    rows::{Corrupt, UserRow},
    schema::{scim_users as people, sessions, sign_in_challenges as challenges, users},
    sign_in::sign_out,
    sso_domains,
};
use crate::{
    error::OrUnavailable,
    types::{StoredId, StoredTime},
};

/// What the provider wrote.
#[derive(Clone, Queryable, Selectable)]
#[diesel(table_name = people)]
struct ScimRow {
    user_name: String,
    external_id: Option<String>,
    active: bool,
    created_at: StoredTime,
    updated_at: StoredTime,
}

fn read((row, user): (ScimRow, UserRow)) -> Result<ScimUser, StoreError> {
    let user = user.read()?;
    let corrupt = Corrupt::new("scim_users", Some(user.id));
    Ok(ScimUser {
        user,
        user_name: row.user_name,
        external_id: row.external_id,
        active: row.active,
        created_at: corrupt.time(row.created_at, "created_at")?,
        updated_at: corrupt.time(row.updated_at, "updated_at")?,
    })
}

#[async_trait]
impl ScimStore for Store {
    async fn insert_scim_user(
        &self,
        act: Act,
        connection: ConnectionId,
        workspace: WorkspaceId,
        new: ScimUser,
        role: Role,
    ) -> Result<ScimUser, FlowError> {
        self.write(move |transaction| {
            Box::pin(async move {
                hold(transaction, workspace).await?;
                ensure_own_address(transaction, workspace, &new).await?;
                insert_user(transaction, &new.user, None).await.or_unavailable()?;
                let row: Option<UserRow> = users::table
                    .filter(users::email_canonical.eq(new.user.email.canonical()))
                    .filter(users::erased_at.is_null())
                    .select(UserRow::as_select())
                    .first(transaction)
                    .await
                    .optional()
                    .or_unavailable()?;
                let user = row.ok_or(FlowError::NotFound)?.read()?;
                let inserted = diesel::insert_into(people::table)
                    .values((
                        people::connection_id.eq(StoredId::new(connection.as_uuid())),
                        people::user_id.eq(StoredId::new(user.id.as_uuid())),
                        people::user_name.eq(new.user_name.clone()),
                        people::user_name_canonical.eq(new.user_name.to_lowercase()),
                        people::external_id.eq(new.external_id.clone()),
                        people::active.eq(new.active),
                        people::created_at.eq(StoredTime::new(new.created_at)),
                        people::updated_at.eq(StoredTime::new(new.updated_at)),
                    ))
                    .on_conflict_do_nothing()
                    .execute(transaction)
                    .await
                    .or_unavailable()?;
                if inserted == 0 {
                    return Err(Conflict::EmailTaken.into());
                }
                let is_new = user.id == new.user.id;
                let stored = ScimUser { user, ..new };
                let id = stored.user.id;
                let of = Membership { workspace, user: id };
                let mut log = vec![provisioning(AuditAction::ProvisioningCreated, &act, of)];
                log.extend(is_new.then(|| user_created(&act, &stored.user)));
                if !stored.active {
                    log.extend(leave(transaction, &act, connection, workspace, &stored).await?);
                } else if role_in(transaction, workspace, id).await?.is_none() {
                    put(transaction, workspace, id, role, stored.updated_at).await?;
                    log.extend(member_changed(&act, of, None, Some(role)));
                }
                Ok(Written::changing(Entity::User(id), Some(workspace), stored).logging(log))
            })
        })
        .await
    }

    async fn get_scim_user(
        &self,
        connection: ConnectionId,
        user: UserId,
    ) -> Result<Option<ScimUser>, StoreError> {
        self.read(move |transaction| Box::pin(find(transaction, connection, user)))
            .await
    }

    async fn list_scim_users(
        &self,
        connection: ConnectionId,
        filter: ScimFilter,
        offset: u32,
        limit: u16,
    ) -> Result<(Vec<ScimUser>, u64), StoreError> {
        let (rows, total): (Vec<(ScimRow, UserRow)>, i64) = self
            .read(move |transaction| {
                Box::pin(async move {
                    let id = StoredId::new(connection.as_uuid());
                    let wanted = || {
                        let mut wanted = people::table
                            .inner_join(users::table.on(users::id.eq(people::user_id)))
                            .filter(people::connection_id.eq(id))
                            .into_boxed();
                        if let Some(name) = filter.user_name.clone() {
                            wanted = wanted.filter(people::user_name_canonical.eq(name));
                        }
                        if let Some(external) = filter.external_id.clone() {
                            wanted = wanted.filter(people::external_id.eq(external));
                        }
                        wanted
                    };
                    let total = wanted().count().get_result(transaction).await.or_unavailable()?;
                    let rows = wanted()
                        .order(people::user_id.asc())
                        .offset(i64::from(offset))
                        .limit(i64::from(limit))
                        .select((ScimRow::as_select(), UserRow::as_select()))
                        .load(transaction)
                        .await
                        .or_unavailable()?;
                    Ok((rows, total))
                })
            })
            .await?;
        let people = rows.into_iter().map(read).collect::<Result<_, _>>()?;
        Ok((people, u64::try_from(total).unwrap_or(0)))
    }

    async fn edit_scim_user(
        &self,
        act: Act,
        connection: ConnectionId,
        workspace: WorkspaceId,
        user: UserId,
        role: Role,
        edit: ScimEdit,
    ) -> Result<ScimUser, FlowError> {
        self.write(move |transaction| {
            Box::pin(async move {
                hold(transaction, workspace).await?;
                if !lock_person(transaction, user).await? {
                    return Err(FlowError::NotFound);
                }
                let found = find(transaction, connection, user).await?;
                let before = found.ok_or(FlowError::NotFound)?;
                let mut after = before.clone();
                edit(&mut after)?;
                let own = people::table.find(key_of(connection, user));
                diesel::update(own)
                    .set((
                        people::user_name.eq(after.user_name.clone()),
                        people::user_name_canonical.eq(after.user_name.to_lowercase()),
                        people::external_id.eq(after.external_id.clone()),
                        people::active.eq(after.active),
                        people::updated_at.eq(StoredTime::new(after.updated_at)),
                    ))
                    .execute(transaction)
                    .await
                    .or_unavailable()?;
                if after.user.name != before.user.name {
                    ensure_own_address(transaction, workspace, &after).await?;
                    diesel::update(users::table.find(StoredId::new(user.as_uuid())))
                        .set(users::name.eq(after.user.name.clone()))
                        .execute(transaction)
                        .await
                        .or_unavailable()?;
                }
                let of = Membership { workspace, user };
                let action = match (before.active, after.active) {
                    (true, false) => AuditAction::ProvisioningDeactivated,
                    _ => AuditAction::ProvisioningUpdated,
                };
                let active = |person: &ScimUser| Some(person.active.to_string());
                let change = FieldChange::between("active", active(&before), active(&after));
                let mut log = vec![provisioning(action, &act, of).changing(change)];
                match (before.active, after.active) {
                    // Said again, it is meant again: somebody may have been invited back meanwhile.
                    (_, false) => log.extend(leave(transaction, &act, connection, workspace, &after).await?),
                    (false, true) => {
                        ensure_own_address(transaction, workspace, &after).await?;
                        if role_in(transaction, workspace, user).await?.is_none() {
                            put(transaction, workspace, user, role, after.updated_at).await?;
                            log.extend(member_changed(&act, of, None, Some(role)));
                        }
                    }
                    _ => {}
                }
                Ok(Written::changing(Entity::User(user), Some(workspace), after).logging(log))
            })
        })
        .await
    }

    async fn remove_scim_user(
        &self,
        act: Act,
        connection: ConnectionId,
        workspace: WorkspaceId,
        user: UserId,
    ) -> Result<(), FlowError> {
        let now = self.clock.now();
        self.write(move |transaction| {
            Box::pin(async move {
                hold(transaction, workspace).await?;
                let found = find(transaction, connection, user).await?;
                let mut known = found.ok_or(FlowError::NotFound)?;
                known.updated_at = now;
                let of = Membership { workspace, user };
                let mut log = vec![provisioning(AuditAction::ProvisioningDeactivated, &act, of)];
                log.extend(leave(transaction, &act, connection, workspace, &known).await?);
                diesel::delete(people::table.find(key_of(connection, user)))
                    .execute(transaction)
                    .await
                    .or_unavailable()?;
                Ok(Written::changing(Entity::User(user), Some(workspace), ()).logging(log))
            })
        })
        .await
    }
}

const fn key_of(connection: ConnectionId, user: UserId) -> (StoredId, StoredId) {
    (StoredId::new(connection.as_uuid()), StoredId::new(user.as_uuid()))
}

async fn hold(transaction: &mut Connection, workspace: WorkspaceId) -> Result<(), FlowError> {
    lock_workspace(transaction, StoredId::new(workspace.as_uuid()))
        .await
        .or_unavailable()?;
    ensure_open(transaction, workspace).await
}

async fn find(
    transaction: &mut Connection,
    connection: ConnectionId,
    user: UserId,
) -> Result<Option<ScimUser>, StoreError> {
    let row: Option<(ScimRow, UserRow)> = people::table
        .inner_join(users::table.on(users::id.eq(people::user_id)))
        .filter(people::connection_id.eq(StoredId::new(connection.as_uuid())))
        .filter(people::user_id.eq(StoredId::new(user.as_uuid())))
        .select((ScimRow::as_select(), UserRow::as_select()))
        .first(transaction)
        .await
        .optional()
        .or_unavailable()?;
    row.map(read).transpose()
}

/// A provider writes the people of the domains that its workspace has verified, and nobody else's.
async fn ensure_own_address(
    transaction: &mut Connection,
    workspace: WorkspaceId,
    person: &ScimUser,
) -> Result<(), FlowError> {
    let verified = sso_domains::verified(transaction, &person.user.email.domain()).await?;
    if verified.is_some_and(|(own, _)| own == workspace) {
        return Ok(());
    }
    let detail = "is no address of a domain that the workspace has verified";
    Err(FlowError::Invalid(vec![Violation::new("/userName", detail)]))
}

/// What a provider did with a person, as the log says it.
fn provisioning(action: AuditAction, act: &Act, of: Membership) -> AuditEntry {
    AuditEntry::new(action, Some(of.workspace), act).on(of.user)
}

/// Takes the person out of the workspace, and returns what the log has to say of that: the membership, the personal keys and the
/// sessions. Where the address is of a domain
/// of the workspace, that is every session; else those that were begun by the connection.
async fn leave(
    transaction: &mut Connection,
    act: &Act,
    connection: ConnectionId,
    workspace: WorkspaceId,
    person: &ScimUser,
) -> Result<Vec<AuditEntry>, FlowError> {
    let user = person.user.id;
    let role = role_in(transaction, workspace, user).await?;
    if role == Some(Role::Owner) {
        ensure_another_owner(transaction, workspace, user).await?;
    }
    let log = if role.is_some() {
        let keys = remove(transaction, workspace, user, person.updated_at).await?;
        member_left(act, Membership { workspace, user }, role, keys, LEFT)
    } else {
        Vec::new()
    };
    let verified = sso_domains::verified(transaction, &person.user.email.domain()).await?;
    if verified.is_some_and(|(own, _)| own == workspace) {
        sign_out(transaction, user, None).await.or_unavailable()?;
        return Ok(log);
    }
    let begun = sessions::table
        .filter(sessions::user_id.eq(StoredId::new(user.as_uuid())))
        .filter(sessions::sso_connection.eq(ConnectionRef::Stored(connection).to_string()));
    diesel::delete(begun)
        .execute(transaction)
        .await
        .or_unavailable()?;
    let waiting = challenges::table
        .filter(challenges::user_id.eq(StoredId::new(user.as_uuid())))
        .filter(challenges::sso_connection.eq(ConnectionRef::Stored(connection).to_string()));
    diesel::delete(waiting)
        .execute(transaction)
        .await
        .or_unavailable()?;
    Ok(log)
}

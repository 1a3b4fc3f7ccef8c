//! People's own accounts: edited, exported, erased.

use async_trait::async_trait;
use diesel::{ExpressionMethods, JoinOnDsl, OptionalExtension, QueryDsl, SelectableHelper};
use diesel_async::RunQueryDsl;
use tigertrust_accounts::{
    FlowError, ProfileChanges, Violation,
    ports::{Budget, EXPORTED_USAGE, HeldOnPerson, Membership, ProfileStore},
};
use tigertrust_credentials::{TokenDigest, ports::StoreError};
use tigertrust_model::{
    Act, AuditAction, AuditEntry, Chain, FieldChange, Invitation, KeyId, Origin, Principal, Role, Session,
    Timestamp, User, UserId, Workspace, WorkspaceId,
};

use super::{
    super::{Connection, forget_log, lock_workspace},
    Store, Written,
    accounts::everywhere,
    audit_entries::{key_ended, member_changed},
    audit_of_person, factors,
    invitations::InvitationRow,
    keys,
    members::{corrupt, ensure_another_owner, lock_person},
    passkeys,
    rows::{SessionRow, UserRow, WorkspaceRow},
    schema::{
        api_key_secrets as secrets, api_keys, devices, invitations, memberships, proof_budgets as budgets,
        scim_users, sessions as sessions_table, sso_identities, users, workspaces,
    },
    sign_in::sign_out,
    sso_sign_in::identities_of,
    trust_rules, usage_history,
};
use crate::{
    error::OrUnavailable,
    types::{StoredId, StoredJson, StoredTime},
};

/// Why the personal keys of somebody who is erased are revoked.
const REASON: &str = "the owner's account was erased";
/// What they are called then.
const NAMELESS: &str = "erased";

#[async_trait]
impl ProfileStore for Store {
    async fn edit_profile(&self, act: Act, user: UserId, changes: ProfileChanges) -> Result<(), FlowError> {
        self.write(move |connection| {
            Box::pin(async move {
                let id = StoredId::new(user.as_uuid());
                if let Some(Some(workspace)) = changes.default_workspace
                    && !is_in(connection, user, workspace).await?
                {
                    return Err(FlowError::WorkspaceDenied(vec![Violation::new(
                        "/defaultWorkspaceId",
                        "no such workspace, or not one of yours",
                    )]));
                }
                let person = users::table.find(id).filter(users::erased_at.is_null());
                let logged: Vec<FieldChange> = [
                    changes.name.is_some().then(|| FieldChange::hidden("name")),
                    changes.default_workspace.map(|chosen| FieldChange {
                        field: "defaultWorkspaceId".to_owned(),
                        before: None,
                        after: chosen.map(|workspace| workspace.to_string()),
                    }),
                ]
                .into_iter()
                .flatten()
                .collect();
                let chosen = changes
                    .default_workspace
                    .map(|chosen| chosen.map(|workspace| StoredId::new(workspace.as_uuid())));
                let edited = diesel::update(person)
                    .set((
                        users::id.eq(id),
                        changes.name.map(|name| users::name.eq(name)),
                        chosen.map(|chosen| users::default_workspace_id.eq(chosen)),
                    ))
                    .execute(connection)
                    .await
                    .or_unavailable()?;
                if edited == 1 {
                    let entry = AuditEntry::new(AuditAction::UserUpdated, Chain::Instance, &act);
                    Ok(Written::quietly(()).logging([entry.on(user).changing(logged)]))
                } else {
                    Err(FlowError::NotFound)
                }
            })
        })
        .await
    }

    async fn export_person(&self, user: UserId, at: Timestamp) -> Result<Option<HeldOnPerson>, StoreError> {
        self.read(move |connection| Box::pin(held_on(connection, user, at)))
            .await
    }

    async fn erase_person(&self, act: Act, user: UserId, at: Timestamp) -> Result<(), FlowError> {
        let ring = self.auditor.ring.clone();
        self.write(move |connection| {
            Box::pin(async move {
                let member_of = memberships_of(connection, user).await?;
                for (workspace, _, _) in &member_of {
                    lock_workspace(connection, StoredId::new(workspace.id.as_uuid()))
                        .await
                        .or_unavailable()?;
                }
                if !lock_person(connection, user).await? {
                    return Err(FlowError::NotFound);
                }
                // A workspace that was joined while the locks were waited for is not among those that are locked.
                if memberships_of(connection, user).await? != member_of {
                    let changed = "the memberships changed while the account was erased: try again";
                    return Err(StoreError::unavailable(changed).into());
                }
                ensure_none_is_left_alone(connection, user, &member_of).await?;
                let changed = everywhere(connection, user).await?;
                let traces = audit_of_person::traces(connection, &ring, user).await?;
                let ended = erase(connection, user, at).await?;
                // Nothing of where the person was: that would be the first thing held on it again.
                let by = match &act.by {
                    Principal::User { id, .. } if *id == user => Act {
                        from: Origin::default(),
                        ..act
                    },
                    _ => act,
                };
                let entry = AuditEntry::new(AuditAction::UserErased, Chain::Instance, &by).on(user);
                let left = member_of.iter().filter_map(|(workspace, role, _)| {
                    let workspace = workspace.id;
                    member_changed(&by, Membership { workspace, user }, Some(*role), None)
                });
                let ended = ended
                    .into_iter()
                    .map(|(key, home)| key_ended(&by, key, home, REASON));
                let logged: Vec<AuditEntry> = left.chain(ended).chain([entry]).collect();
                audit_of_person::forget(connection, traces, logged.iter().map(|entry| entry.chain)).await?;
                Ok(Written::telling(changed, ()).logging(logged))
            })
        })
        .await?;
        // What is erased is erased, whether its traces go now or with the next writes.
        let _ = self
            .write_alone(|connection| Box::pin(async move { forget_log(connection).await.or_unavailable() }))
            .await;
        Ok(())
    }
}

async fn is_in(
    connection: &mut Connection,
    user: UserId,
    workspace: WorkspaceId,
) -> Result<bool, StoreError> {
    let member_of = memberships_of(connection, user).await?;
    Ok(member_of.iter().any(|(own, _, _)| own.id == workspace))
}

/// The workspaces that have the person as a member, by id; deleted ones are left out.
async fn memberships_of(
    connection: &mut Connection,
    user: UserId,
) -> Result<Vec<(Workspace, Role, Timestamp)>, StoreError> {
    let rows: Vec<(WorkspaceRow, String, StoredTime)> = memberships::table
        .inner_join(workspaces::table.on(workspaces::id.eq(memberships::workspace_id)))
        .filter(memberships::user_id.eq(StoredId::new(user.as_uuid())))
        .filter(workspaces::deleted_at.is_null())
        .order(workspaces::id.asc())
        .select((
            WorkspaceRow::as_select(),
            memberships::role,
            memberships::created_at,
        ))
        .load(connection)
        .await
        .or_unavailable()?;
    let read = |(workspace, role, since): (WorkspaceRow, String, StoredTime)| {
        let workspace = workspace.read()?;
        let corrupt = corrupt(workspace.id, user);
        let role = role.parse().map_err(|_| corrupt.at("role"))?;
        let since = since.read().ok_or_else(|| corrupt.at("created_at"))?;
        Ok((workspace, role, since))
    };
    rows.into_iter().map(read).collect()
}

async fn ensure_none_is_left_alone(
    connection: &mut Connection,
    user: UserId,
    member_of: &[(Workspace, Role, Timestamp)],
) -> Result<(), FlowError> {
    let mut alone = Vec::new();
    for (workspace, role, _) in member_of {
        if *role != Role::Owner {
            continue;
        }
        match ensure_another_owner(connection, workspace.id, user).await {
            Err(FlowError::Conflict(_)) => alone.push(workspace.id),
            other => other?,
        }
    }
    if alone.is_empty() {
        Ok(())
    } else {
        Err(FlowError::OwnsAlone(alone))
    }
}

async fn held_on(
    connection: &mut Connection,
    user: UserId,
    at: Timestamp,
) -> Result<Option<HeldOnPerson>, StoreError> {
    let id = StoredId::new(user.as_uuid());
    let row: Option<(UserRow, Option<StoredId>, Option<String>, String)> = users::table
        .find(id)
        .filter(users::erased_at.is_null())
        .select((
            UserRow::as_select(),
            users::default_workspace_id,
            users::password_hash,
            users::email_canonical,
        ))
        .first(connection)
        .await
        .optional()
        .or_unavailable()?;
    let Some((row, chosen, password, canonical)) = row else {
        return Ok(None);
    };
    let person: User = row.read()?;
    let session_rows: Vec<SessionRow> = sessions_table::table
        .filter(sessions_table::user_id.eq(id))
        .order(sessions_table::id.desc())
        .select(SessionRow::as_select())
        .load(connection)
        .await
        .or_unavailable()?;
    let sessions: Result<Vec<Session>, StoreError> = session_rows.into_iter().map(SessionRow::read).collect();
    let known_since: Vec<StoredTime> = devices::table
        .filter(devices::user_id.eq(id))
        .order(devices::created_at.desc())
        .select(devices::created_at)
        .load(connection)
        .await
        .or_unavailable()?;
    let factors = factors::of(connection, user).await?;
    let (events, events_truncated) = audit_of_person::events(connection, user).await?;
    Ok(Some(HeldOnPerson {
        chosen_workspace: chosen.and_then(StoredId::read).map(WorkspaceId::from_uuid),
        has_password: password.is_some(),
        memberships: memberships_of(connection, user).await?,
        sessions: sessions?,
        keys: keys::of_person(connection, user).await?,
        totp_added_at: factors.totp.and_then(|totp| totp.confirmed_at),
        passkeys: factors.passkeys,
        recovery_codes: factors.recovery_codes.len(),
        devices: known_since.into_iter().filter_map(StoredTime::read).collect(),
        invitations: invitations_to(connection, canonical).await?,
        identities: identities_of(connection, user).await?,
        key_usage: usage_history::of_person(connection, user, at.saturating_sub(EXPORTED_USAGE)).await?,
        events,
        events_truncated,
        user: person,
    }))
}

async fn invitations_to(
    connection: &mut Connection,
    canonical: String,
) -> Result<Vec<(String, Invitation)>, StoreError> {
    let rows: Vec<(String, InvitationRow)> = invitations::table
        .inner_join(workspaces::table.on(workspaces::id.eq(invitations::workspace_id)))
        .filter(invitations::email_canonical.eq(canonical))
        .order(invitations::id.desc())
        .select((workspaces::name, InvitationRow::as_select()))
        .load(connection)
        .await
        .or_unavailable()?;
    rows.into_iter()
        .map(|(name, row)| Ok((name, row.read()?)))
        .collect()
}

/// A key, and where its home is.
type KeyAndHome = (KeyId, Option<WorkspaceId>);

/// Takes away all that is held on a person, and leaves the id, under which others may still name it. Returns the keys that have
/// ended by that.
async fn erase(
    connection: &mut Connection,
    user: UserId,
    at: Timestamp,
) -> Result<Vec<KeyAndHome>, StoreError> {
    let id = StoredId::new(user.as_uuid());
    forget_ways_in(connection, user).await?;
    let canonical: String = users::table
        .find(id)
        .select(users::email_canonical)
        .first(connection)
        .await
        .or_unavailable()?;
    diesel::delete(invitations::table.filter(invitations::email_canonical.eq(canonical)))
        .execute(connection)
        .await
        .or_unavailable()?;
    let ended = revoke_keys(connection, id, at).await?;
    trust_rules::forget_of_person(connection, user).await?;
    diesel::delete(memberships::table.filter(memberships::user_id.eq(id)))
        .execute(connection)
        .await
        .or_unavailable()?;
    // An address under which no mail arrives anywhere (RFC 2606 §2), unique since the id is.
    let nowhere = format!("{user}@erased.invalid");
    let at = StoredTime::new(at);
    diesel::update(users::table.find(id))
        .set((
            users::email.eq(nowhere.clone()),
            users::email_canonical.eq(nowhere),
            users::name.eq(None::<String>),
            users::password_hash.eq(None::<String>),
            users::default_workspace_id.eq(None::<StoredId>),
            users::email_verified_at.eq(None::<StoredTime>),
            users::disabled_at.eq(Some(at)),
            users::erased_at.eq(Some(at)),
        ))
        .execute(connection)
        .await
        .or_unavailable()?;
    Ok(ended)
}

/// Everything that the person signs in with, and what is counted about that.
async fn forget_ways_in(connection: &mut Connection, user: UserId) -> Result<(), StoreError> {
    let id = StoredId::new(user.as_uuid());
    // Who comes with an identity of a provider again is somebody new.
    diesel::delete(sso_identities::table.filter(sso_identities::user_id.eq(id)))
        .execute(connection)
        .await
        .or_unavailable()?;
    diesel::delete(scim_users::table.filter(scim_users::user_id.eq(id)))
        .execute(connection)
        .await
        .or_unavailable()?;
    let known: Vec<Vec<u8>> = devices::table
        .filter(devices::user_id.eq(id))
        .select(devices::token)
        .load(connection)
        .await
        .or_unavailable()?;
    let subjects: Vec<String> = known
        .into_iter()
        .filter_map(|token| token.try_into().ok().map(TokenDigest::from_bytes))
        .map(Budget::subject_of_device)
        .chain([Budget::subject_of(user)])
        .collect();
    diesel::delete(budgets::table.filter(budgets::subject.eq_any(subjects)))
        .execute(connection)
        .await
        .or_unavailable()?;
    sign_out(connection, user, None).await.or_unavailable()?;
    passkeys::remove_all(connection, user).await.or_unavailable()?;
    factors::remove(connection, user).await.map(|_| ())
}

/// The records of keys stay, as those of all revoked keys do, without what the person wrote there and how it used them. What
/// is left of their last use is a time that nothing noted before comes after: see [`super::uses`].
async fn revoke_keys(
    connection: &mut Connection,
    owner: StoredId,
    at: Timestamp,
) -> Result<Vec<KeyAndHome>, StoreError> {
    let own = api_keys::table.filter(api_keys::owner_id.eq(owner));
    let ids: Vec<StoredId> = own.select(api_keys::id).load(connection).await.or_unavailable()?;
    let ended: Vec<(StoredId, Option<StoredId>)> = diesel::update(own.filter(api_keys::state.ne("revoked")))
        .set((
            api_keys::state.eq("revoked"),
            api_keys::revoked_at.eq(Some(StoredTime::new(at))),
            api_keys::revocation_reason.eq(Some(REASON)),
            api_keys::updated_at.eq(StoredTime::new(at)),
        ))
        .returning((api_keys::id, api_keys::home_workspace_id))
        .get_results(connection)
        .await
        .or_unavailable()?;
    diesel::update(own)
        .set((
            api_keys::name.eq(NAMELESS),
            api_keys::external_id.eq(None::<String>),
            api_keys::metadata.eq("{}"),
            api_keys::allowed_cidrs.eq(StoredJson("[]".to_owned())),
        ))
        .execute(connection)
        .await
        .or_unavailable()?;
    diesel::update(secrets::table.filter(secrets::key_id.eq_any(ids)))
        .set((
            secrets::last_used_at.eq(Some(StoredTime::new(at))),
            secrets::last_used_address.eq(None::<String>),
            secrets::last_used_user_agent.eq(None::<String>),
        ))
        .execute(connection)
        .await
        .or_unavailable()?;
    let home = |home: Option<StoredId>| home.and_then(StoredId::read).map(WorkspaceId::from_uuid);
    Ok(ended
        .into_iter()
        .filter_map(|(id, of)| Some((KeyId::from_uuid(id.read()?), home(of))))
        .collect())
}

//! Invitations into workspaces.

use async_trait::async_trait;
use diesel::{
    ExpressionMethods, Insertable, JoinOnDsl, OptionalExtension, QueryDsl, Queryable, Selectable,
    SelectableHelper,
    dsl::{exists, select},
};
use diesel_async::RunQueryDsl;
use tigertrust_accounts::{
    Conflict, FlowError,
    ports::{
        FoundInvitation, InvitationCheck, InvitationStore, Joining, Membership, OpenInvitations, Page,
        PresentInvitation,
    },
};
use tigertrust_credentials::{TokenDigest, ports::StoreError};
use tigertrust_model::{
    Act, AuditAction, AuditEntry, Creator, Entity, FieldChange, Invitation, InvitationId, Timestamp, UserId,
    WorkspaceId,
};

use super::{
    super::{Connection, lock_workspace},
    Store, Written,
    accounts::insert_user,
    audit_entries::{member_changed, session_started, user_created},
    members::{ensure_open, lock_person, put, role_in},
    rows::Corrupt,
    schema::{api_keys as keys, invitations, memberships, users, workspaces},
    sessions, standing,
};
use crate::{
    error::OrUnavailable,
    types::{StoredId, StoredTime},
};

/// An invitation, without its token.
#[derive(Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = invitations)]
pub(super) struct InvitationRow {
    id: StoredId,
    workspace_id: StoredId,
    email: String,
    role: String,
    invited_by: String,
    invited_at: StoredTime,
    expires_at: StoredTime,
}

impl From<&Invitation> for InvitationRow {
    fn from(invitation: &Invitation) -> Self {
        Self {
            id: StoredId::new(invitation.id.as_uuid()),
            workspace_id: StoredId::new(invitation.workspace.as_uuid()),
            email: invitation.email.as_str().to_owned(),
            role: invitation.role.as_str().to_owned(),
            invited_by: invitation.invited_by.to_string(),
            invited_at: StoredTime::new(invitation.invited_at),
            expires_at: StoredTime::new(invitation.expires_at),
        }
    }
}

impl InvitationRow {
    pub(super) fn read(self) -> Result<Invitation, StoreError> {
        let id = self.id.read().map(InvitationId::from_uuid);
        let corrupt = Corrupt::new("invitations", id);
        let workspace = self.workspace_id.read().map(WorkspaceId::from_uuid);
        Ok(Invitation {
            id: id.ok_or_else(|| corrupt.at("id"))?,
            workspace: workspace.ok_or_else(|| corrupt.at("workspace_id"))?,
            email: self.email.parse().map_err(|_| corrupt.at("email"))?,
            role: self.role.parse().map_err(|_| corrupt.at("role"))?,
            invited_by: self.invited_by.parse().map_err(|_| corrupt.at("invited_by"))?,
            invited_at: self.invited_at.read().ok_or_else(|| corrupt.at("invited_at"))?,
            expires_at: self.expires_at.read().ok_or_else(|| corrupt.at("expires_at"))?,
        })
    }
}

#[async_trait]
impl InvitationStore for Store {
    async fn put_invitation(
        &self,
        act: Act,
        invitation: Invitation,
        token: TokenDigest,
        most: OpenInvitations,
        by: Option<Creator>,
        check: InvitationCheck,
    ) -> Result<(Invitation, bool), FlowError> {
        self.write(move |connection| {
            Box::pin(async move {
                let workspace = invitation.workspace;
                lock_workspace(connection, StoredId::new(workspace.as_uuid()))
                    .await
                    .or_unavailable()?;
                ensure_open(connection, workspace).await?;
                let canonical = invitation.email.canonical();
                let earlier = find(connection, workspace, &canonical).await?;
                let role = earlier.as_ref().map(|earlier| earlier.role);
                let by = standing::of(connection, workspace, by).await?;
                check(PresentInvitation { role, by })?;
                if is_member(connection, workspace, &canonical).await? {
                    return Err(Conflict::AlreadyMember.into());
                }
                let is_open = |earlier: &Invitation| !earlier.is_expired(invitation.invited_at);
                if !earlier.as_ref().is_some_and(is_open) {
                    ensure_fewer_open(connection, &invitation, most).await?;
                }
                let invitation = Invitation {
                    id: earlier.as_ref().map_or(invitation.id, |earlier| earlier.id),
                    ..invitation
                };
                store(connection, &invitation, token, earlier.is_some()).await?;
                let action = match &earlier {
                    Some(_) => AuditAction::InvitationUpdated,
                    None => AuditAction::InvitationCreated,
                };
                let before = role.map(|role| role.to_string());
                let entry = AuditEntry::new(action, Some(workspace), &act)
                    .on(invitation.id)
                    .about("email", invitation.email.as_str())
                    .changing(FieldChange::between(
                        "role",
                        before,
                        Some(invitation.role.to_string()),
                    ));
                Ok(Written::quietly((invitation, earlier.is_none())).logging([entry]))
            })
        })
        .await
    }

    async fn list_invitations(
        &self,
        workspace: WorkspaceId,
        page: Page<InvitationId>,
    ) -> Result<Vec<Invitation>, StoreError> {
        let rows: Vec<InvitationRow> = self
            .read(move |connection| {
                Box::pin(async move {
                    let mut query = invitations::table
                        .filter(invitations::workspace_id.eq(StoredId::new(workspace.as_uuid())))
                        .select(InvitationRow::as_select())
                        .order(invitations::id.desc())
                        .limit(i64::from(page.limit))
                        .into_boxed();
                    if let Some(after) = page.after {
                        query = query.filter(invitations::id.lt(StoredId::new(after.as_uuid())));
                    }
                    query.load(connection).await.or_unavailable()
                })
            })
            .await?;
        rows.into_iter().map(InvitationRow::read).collect()
    }

    async fn remove_invitation(
        &self,
        act: Act,
        workspace: WorkspaceId,
        id: InvitationId,
        by: Option<Creator>,
        check: InvitationCheck,
    ) -> Result<(), FlowError> {
        self.write(move |connection| {
            Box::pin(async move {
                lock_workspace(connection, StoredId::new(workspace.as_uuid()))
                    .await
                    .or_unavailable()?;
                let own = invitations::table
                    .filter(invitations::id.eq(StoredId::new(id.as_uuid())))
                    .filter(invitations::workspace_id.eq(StoredId::new(workspace.as_uuid())));
                let row: Option<InvitationRow> = own
                    .select(InvitationRow::as_select())
                    .first(connection)
                    .await
                    .optional()
                    .or_unavailable()?;
                let invitation = row.ok_or(FlowError::NotFound)?.read()?;
                let by = standing::of(connection, workspace, by).await?;
                check(PresentInvitation {
                    role: Some(invitation.role),
                    by,
                })?;
                diesel::delete(own).execute(connection).await.or_unavailable()?;
                let entry = AuditEntry::new(AuditAction::InvitationRevoked, Some(workspace), &act)
                    .on(id)
                    .about("email", invitation.email.as_str());
                Ok(Written::quietly(()).logging([entry]))
            })
        })
        .await
    }

    async fn find_invitation(&self, token: TokenDigest) -> Result<Option<FoundInvitation>, StoreError> {
        let found: Option<(InvitationRow, Option<StoredTime>, bool)> = self
            .read(move |connection| {
                Box::pin(async move {
                    invitations::table
                        .inner_join(workspaces::table.on(workspaces::id.eq(invitations::workspace_id)))
                        .filter(invitations::token.eq(token.as_bytes().to_vec()))
                        .select((
                            InvitationRow::as_select(),
                            workspaces::deleted_at,
                            exists(
                                users::table.filter(users::email_canonical.eq(invitations::email_canonical)),
                            ),
                        ))
                        .first(connection)
                        .await
                        .optional()
                        .or_unavailable()
                })
            })
            .await?;
        found
            .map(|(row, deleted_at, has_account)| {
                Ok(FoundInvitation {
                    invitation: row.read()?,
                    is_open: deleted_at.is_none(),
                    has_account,
                })
            })
            .transpose()
    }

    async fn accept_invitation(
        &self,
        act: Act,
        workspace: WorkspaceId,
        token: TokenDigest,
        joining: Joining,
        at: Timestamp,
    ) -> Result<Invitation, FlowError> {
        self.write(move |connection| {
            Box::pin(async move {
                lock_workspace(connection, StoredId::new(workspace.as_uuid()))
                    .await
                    .or_unavailable()?;
                ensure_open(connection, workspace).await?;
                // The person before the invitation, as where somebody is erased: of two that wait for each other, neither ends.
                if let Joining::Person(user) = &joining
                    && !lock_person(connection, *user).await?
                {
                    return Err(FlowError::NotFound);
                }
                // Whoever comes second finds nothing to take.
                let row: Option<InvitationRow> = diesel::delete(invitations::table)
                    .filter(invitations::token.eq(token.as_bytes().to_vec()))
                    .filter(invitations::workspace_id.eq(StoredId::new(workspace.as_uuid())))
                    .returning(InvitationRow::as_returning())
                    .get_result(connection)
                    .await
                    .optional()
                    .or_unavailable()?;
                let invitation = row.ok_or(FlowError::NotFound)?.read()?;
                ensure_inviter_may(connection, &invitation, at).await?;
                let (user, mut logged) = join(connection, &act, &invitation, joining, at).await?;
                let act = Act::of_person(user, None, act.from);
                logged.push(
                    AuditEntry::new(AuditAction::InvitationAccepted, Some(workspace), &act)
                        .on(invitation.id)
                        .about("email", invitation.email.as_str()),
                );
                let of = Membership { workspace, user };
                logged.extend(member_changed(&act, of, None, Some(invitation.role)));
                let changed = Entity::User(user);
                Ok(Written::changing(changed, Some(workspace), invitation).logging(logged))
            })
        })
        .await
    }
}

async fn find(
    connection: &mut Connection,
    workspace: WorkspaceId,
    canonical: &str,
) -> Result<Option<Invitation>, StoreError> {
    let row: Option<InvitationRow> = invitations::table
        .filter(invitations::workspace_id.eq(StoredId::new(workspace.as_uuid())))
        .filter(invitations::email_canonical.eq(canonical.to_owned()))
        .select(InvitationRow::as_select())
        .first(connection)
        .await
        .optional()
        .or_unavailable()?;
    row.map(InvitationRow::read).transpose()
}

async fn is_member(
    connection: &mut Connection,
    workspace: WorkspaceId,
    canonical: &str,
) -> Result<bool, StoreError> {
    let member = memberships::table
        .inner_join(users::table.on(users::id.eq(memberships::user_id)))
        .filter(memberships::workspace_id.eq(StoredId::new(workspace.as_uuid())))
        .filter(users::email_canonical.eq(canonical.to_owned()));
    select(exists(member))
        .get_result(connection)
        .await
        .or_unavailable()
}

async fn ensure_fewer_open(
    connection: &mut Connection,
    new: &Invitation,
    most: OpenInvitations,
) -> Result<(), FlowError> {
    let open = invitations::table.filter(invitations::expires_at.gt(StoredTime::new(new.invited_at)));
    let in_workspace: i64 = open
        .filter(invitations::workspace_id.eq(StoredId::new(new.workspace.as_uuid())))
        .count()
        .get_result(connection)
        .await
        .or_unavailable()?;
    let mut is_full = in_workspace >= i64::from(most.in_workspace);
    if let Some(of_maker) = most.of_maker {
        // Those that are made at the same time in other workspaces are not waited for: the bound is no exact one.
        let made: i64 = open
            .filter(invitations::invited_by.eq(new.invited_by.to_string()))
            .count()
            .get_result(connection)
            .await
            .or_unavailable()?;
        is_full |= made >= i64::from(of_maker);
    }
    if is_full {
        Err(Conflict::TooManyInvitations.into())
    } else {
        Ok(())
    }
}

async fn store(
    connection: &mut Connection,
    invitation: &Invitation,
    token: TokenDigest,
    is_there: bool,
) -> Result<(), StoreError> {
    let token = token.as_bytes().to_vec();
    if is_there {
        diesel::update(invitations::table.find(StoredId::new(invitation.id.as_uuid())))
            .set((
                invitations::email.eq(invitation.email.as_str().to_owned()),
                invitations::role.eq(invitation.role.as_str()),
                invitations::token.eq(token),
                invitations::invited_by.eq(invitation.invited_by.to_string()),
                invitations::invited_at.eq(StoredTime::new(invitation.invited_at)),
                invitations::expires_at.eq(StoredTime::new(invitation.expires_at)),
            ))
            .execute(connection)
            .await
            .or_unavailable()
            .map(|_| ())
    } else {
        diesel::insert_into(invitations::table)
            .values((
                InvitationRow::from(invitation),
                invitations::email_canonical.eq(invitation.email.canonical()),
                invitations::token.eq(token),
            ))
            .execute(connection)
            .await
            .or_unavailable()
            .map(|_| ())
    }
}

/// Who has lost the right to invite since has lost it for what is not accepted yet, too.
async fn ensure_inviter_may(
    connection: &mut Connection,
    invitation: &Invitation,
    at: Timestamp,
) -> Result<(), FlowError> {
    if let Creator::Key(key) = invitation.invited_by {
        let row: Option<(String, Option<StoredTime>)> = keys::table
            .find(StoredId::new(key.as_uuid()))
            .select((keys::state, keys::expires_at))
            .first(connection)
            .await
            .optional()
            .or_unavailable()?;
        let is_active = row.is_some_and(|(state, expires_at)| {
            let expires_at = expires_at.and_then(StoredTime::read);
            state == "active" && expires_at.is_none_or(|expiry| at < expiry)
        });
        if !is_active {
            return Err(FlowError::Forbidden(Vec::new()));
        }
    }
    let standing = standing::of(connection, invitation.workspace, Some(invitation.invited_by)).await?;
    if standing.is_some_and(|role| role.may_turn(None, Some(invitation.role))) {
        Ok(())
    } else {
        Err(FlowError::Forbidden(Vec::new()))
    }
}

/// Makes whoever accepts a member, and returns who that is, and what there is to say of a new account.
async fn join(
    connection: &mut Connection,
    act: &Act,
    invitation: &Invitation,
    joining: Joining,
    at: Timestamp,
) -> Result<(UserId, Vec<AuditEntry>), FlowError> {
    let workspace = invitation.workspace;
    match joining {
        Joining::Person(user) => {
            if role_in(connection, workspace, user).await?.is_some() {
                return Err(Conflict::AlreadyMember.into());
            }
            put(connection, workspace, user, invitation.role, at).await?;
            // Asked once the account is locked: the address may have been changed meanwhile.
            let proved = diesel::update(users::table.find(StoredId::new(user.as_uuid())))
                .filter(users::disabled_at.is_null())
                .filter(users::email_canonical.eq(invitation.email.canonical()))
                .set((
                    users::id.eq(users::id),
                    invitation
                        .went_by_mail()
                        .then(|| users::email_verified_at.eq(Some(StoredTime::new(at)))),
                ))
                .execute(connection)
                .await
                .or_unavailable()?;
            if proved == 1 {
                Ok((user, Vec::new()))
            } else {
                Err(FlowError::Forbidden(Vec::new()))
            }
        }
        Joining::NewAccount {
            user,
            password,
            session,
        } => {
            if !insert_user(connection, &user, Some(&password))
                .await
                .or_unavailable()?
            {
                return Err(Conflict::EmailTaken.into());
            }
            put(connection, workspace, user.id, invitation.role, at).await?;
            // Whose domain has to sign in with its provider gets its account there.
            if !sessions::begin(connection, &session).await? {
                return Err(Conflict::EmailTaken.into());
            }
            let logged = vec![user_created(act, &user), session_started(&session, "invitation")];
            Ok((user.id, logged))
        }
    }
}

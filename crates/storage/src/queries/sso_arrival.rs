//! Somebody comes from an identity provider: which account that is, and whether it comes in.

use diesel::{
    ExpressionMethods, JoinOnDsl, OptionalExtension, QueryDsl, SelectableHelper,
    dsl::{exists, select},
};
use diesel_async::RunQueryDsl;
use tigertrust_accounts::{
    Conflict, FlowError,
    ports::Membership,
    sso::{AddressCounts, Arrival, ArrivalRefusal, Arrived, Assigned, TakenOnce},
};
use tigertrust_credentials::ports::StoreError;
use tigertrust_model::{
    Act, AuditAction, AuditEntry, AuditTarget, ConnectionRef, Email, Entity, FieldChange, Principal, Role,
    SessionId, SsoSession, UserId, WorkspaceId,
};

use super::{
    super::{Connection, lock_workspace},
    Written,
    accounts::insert_user,
    audit_entries::{member_changed, member_left, session_started, user_created},
    members::{REASON as LEFT, ensure_open, put, remove, role_in},
    rows::UserRow,
    schema::{
        scim_users, sessions as sessions_table, sso_connections, sso_identities as identities,
        sso_replays as replays, users,
    },
    sessions,
    sign_in::{complete, insert_challenge, lock_user},
    sso_domains,
};
use crate::{
    error::OrUnavailable,
    types::{StoredId, StoredTime},
};

/// Who it is.
enum Who {
    /// Somebody who has an account, connected with the identity before or now.
    Known(UserId),
    /// Nobody who comes in.
    Nobody(ArrivalRefusal),
}

pub(super) async fn arrive(
    connection: &mut Connection,
    arrival: Arrival,
) -> Result<Written<Arrived>, FlowError> {
    if !take_once(connection, &arrival.taken).await? {
        return Ok(refused(ArrivalRefusal::Replayed));
    }
    // The workspace before the person, as everywhere.
    let workspaces = arrival.membership.iter().map(|(workspace, _)| *workspace);
    for workspace in workspaces {
        lock_workspace(connection, StoredId::new(workspace.as_uuid()))
            .await
            .or_unavailable()?;
        if ensure_open(connection, workspace).await.is_err() {
            return Ok(refused(ArrivalRefusal::NotConnected));
        }
    }
    // It may have been switched off while the provider was asked.
    if !is_enabled(connection, &arrival.connection).await? {
        return Ok(refused(ArrivalRefusal::NotConnected));
    }
    if let Some(session) = arrival.link {
        return link(connection, &arrival, session).await;
    }
    let mut log = Vec::new();
    let user = match who(connection, &arrival, &mut log).await? {
        Who::Nobody(why) => return Ok(refused(why)),
        Who::Known(user) => user,
    };
    if !lock_user(connection, user, None).await? {
        return Ok(refused(ArrivalRefusal::Barred).logging(log));
    }
    if let Some(workspace) = arrival.workspace
        && is_deactivated(connection, workspace, user).await?
    {
        return Ok(refused(ArrivalRefusal::Deactivated).logging(log));
    }
    let changed = match membership(connection, &arrival, user, &mut log).await? {
        Ok(changed) => changed,
        // What was taken of the membership stays taken.
        Err((why, changed)) => {
            return Ok(Written::telling(changed, Arrived::Refused(why)).logging(log));
        }
    };
    let value = begin(connection, arrival, user, &mut log).await?;
    Ok(Written::telling(changed, value).logging(log))
}

/// What the provider does, as the log says it.
fn act_of(arrival: &Arrival) -> Act {
    Act {
        by: Principal::Provider(arrival.connection.to_string()),
        from: arrival.session.session.origin.clone(),
    }
}

/// An identity is connected with an account from now on, as the log says it.
fn identity_connected(arrival: &Arrival, act: &Act) -> AuditEntry {
    AuditEntry::new(AuditAction::IdentityConnected, arrival.workspace, act)
        .on(AuditTarget::new("identity", arrival.identity.to_string()))
        .changing([FieldChange::set("connection", &arrival.connection)])
}

fn refused(why: ArrivalRefusal) -> Written<Arrived> {
    Written::quietly(Arrived::Refused(why))
}

/// Notes what is taken once. Returns whether all of it was new; of several at the same time one succeeds.
pub(super) async fn take_once(connection: &mut Connection, taken: &TakenOnce) -> Result<bool, StoreError> {
    for id in &taken.ids {
        let inserted = diesel::insert_into(replays::table)
            .values((
                replays::id.eq(id.to_vec()),
                replays::expires_at.eq(StoredTime::new(taken.until)),
            ))
            .on_conflict(replays::id)
            .do_nothing()
            .execute(connection)
            .await
            .or_unavailable()?;
        if inserted == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn is_enabled(connection: &mut Connection, by: &ConnectionRef) -> Result<bool, StoreError> {
    let ConnectionRef::Stored(id) = by else {
        return Ok(true);
    };
    let own = sso_connections::table
        .filter(sso_connections::id.eq(StoredId::new(id.as_uuid())))
        .filter(sso_connections::enabled.eq(true));
    select(exists(own)).get_result(connection).await.or_unavailable()
}

/// Connects the identity with the account of a session that goes on.
async fn link(
    connection: &mut Connection,
    arrival: &Arrival,
    session: SessionId,
) -> Result<Written<Arrived>, FlowError> {
    let owner: Option<StoredId> = sessions_table::table
        .find(StoredId::new(session.as_uuid()))
        .filter(sessions_table::expires_at.gt(StoredTime::new(arrival.session.session.created_at)))
        .select(sessions_table::user_id)
        .first(connection)
        .await
        .optional()
        .or_unavailable()?;
    let Some(user) = owner.and_then(StoredId::read).map(UserId::from_uuid) else {
        return Ok(refused(ArrivalRefusal::Barred));
    };
    if !lock_user(connection, user, None).await? {
        return Ok(refused(ArrivalRefusal::Barred));
    }
    match connected(connection, arrival).await? {
        Some(other) if other != user => return Err(Conflict::IdentityTaken.into()),
        Some(_) => note_use(connection, arrival).await?,
        None => {
            connect(connection, arrival, user).await?;
            let act = Act::of_person(user, Some(session), arrival.session.session.origin.clone());
            let entry = identity_connected(arrival, &act);
            return Ok(Written::quietly(Arrived::Linked(user)).logging([entry]));
        }
    }
    Ok(Written::quietly(Arrived::Linked(user)))
}

/// Whose the identity is: by what is connected, or else by the address, as far as that counts.
async fn who(
    connection: &mut Connection,
    arrival: &Arrival,
    log: &mut Vec<AuditEntry>,
) -> Result<Who, FlowError> {
    if let Some(user) = connected(connection, arrival).await? {
        note_use(connection, arrival).await?;
        return Ok(Who::Known(user));
    }
    let nobody = Who::Nobody(ArrivalRefusal::NotConnected);
    let Some(new) = &arrival.account else {
        return Ok(nobody);
    };
    let verified = sso_domains::verified(connection, &new.email.domain()).await?;
    let (may_connect, may_make) = match (arrival.address_counts, verified) {
        (AddressCounts::Always, _) => (arrival.email_verified, true),
        (AddressCounts::InDomainsOf(workspace), Some((own, _))) if own == workspace => {
            (arrival.email_verified, true)
        }
        (AddressCounts::InDomainsOf(_), _) => return Ok(nobody),
        (AddressCounts::WhereWelcome { .. }, Some((_, Some(_)))) => {
            (arrival.email_verified, arrival.email_verified)
        }
        (AddressCounts::WhereWelcome { or_as_new }, _) => (false, or_as_new && arrival.email_verified),
    };
    if may_make && lets_new_people_in(arrival) {
        if insert_user(connection, new, None).await.or_unavailable()? {
            connect(connection, arrival, new.id).await?;
            let act = act_of(arrival);
            log.push(user_created(&act, new));
            log.push(identity_connected(
                arrival,
                &Act::of_person(new.id, None, act.from),
            ));
            return Ok(Who::Known(new.id));
        }
        // Somebody may have come in by the same identity just now.
        if let Some(user) = connected(connection, arrival).await? {
            return Ok(Who::Known(user));
        }
    }
    if !may_connect {
        return Ok(nobody);
    }
    let row: Option<UserRow> = users::table
        .filter(users::email_canonical.eq(new.email.canonical()))
        .filter(users::erased_at.is_null())
        .select(UserRow::as_select())
        .first(connection)
        .await
        .optional()
        .or_unavailable()?;
    let Some(user) = row.map(UserRow::read).transpose()? else {
        return Ok(nobody);
    };
    // Somebody else came by the same connection and was given this account: two people must not share one.
    let others = identities::table
        .filter(identities::connection.eq(arrival.connection.to_string()))
        .filter(identities::user_id.eq(StoredId::new(user.id.as_uuid())));
    let is_shared: bool = select(exists(others))
        .get_result(connection)
        .await
        .or_unavailable()?;
    if is_shared {
        return Ok(nobody);
    }
    // Whoever runs the connection must not become an owner by it: owners connect themselves.
    if let Some(workspace) = arrival.workspace
        && role_in(connection, workspace, user.id).await? == Some(Role::Owner)
    {
        return Ok(nobody);
    }
    connect(connection, arrival, user.id).await?;
    let by = Act::of_person(user.id, None, arrival.session.session.origin.clone());
    log.push(identity_connected(arrival, &by));
    Ok(Who::Known(user.id))
}

/// Whether somebody without an account gets one.
fn lets_new_people_in(arrival: &Arrival) -> bool {
    match arrival.membership {
        // Of the whole server: what the address is worth was looked at.
        _ if arrival.workspace.is_none() => true,
        Some((_, Assigned::Role(_) | Assigned::IfNew(_))) => true,
        _ => false,
    }
}

async fn connected(connection: &mut Connection, arrival: &Arrival) -> Result<Option<UserId>, StoreError> {
    let row: Option<StoredId> = identities::table
        .filter(identities::connection.eq(arrival.connection.to_string()))
        .filter(identities::issuer.eq(arrival.issuer.clone()))
        .filter(identities::subject.eq(arrival.subject.clone()))
        .select(identities::user_id)
        .first(connection)
        .await
        .optional()
        .or_unavailable()?;
    Ok(row.and_then(StoredId::read).map(UserId::from_uuid))
}

async fn connect(connection: &mut Connection, arrival: &Arrival, user: UserId) -> Result<(), StoreError> {
    let at = StoredTime::new(arrival.session.session.created_at);
    diesel::insert_into(identities::table)
        .values((
            identities::id.eq(StoredId::new(arrival.identity.as_uuid())),
            identities::connection.eq(arrival.connection.to_string()),
            identities::issuer.eq(arrival.issuer.clone()),
            identities::subject.eq(arrival.subject.clone()),
            identities::user_id.eq(StoredId::new(user.as_uuid())),
            identities::email.eq(email_of(arrival)),
            identities::created_at.eq(at),
            identities::last_used_at.eq(at),
        ))
        // Of two who connect the same at once, the other was first.
        .on_conflict_do_nothing()
        .execute(connection)
        .await
        .or_unavailable()
        .map(|_| ())
}

async fn note_use(connection: &mut Connection, arrival: &Arrival) -> Result<(), StoreError> {
    let own = identities::table
        .filter(identities::connection.eq(arrival.connection.to_string()))
        .filter(identities::issuer.eq(arrival.issuer.clone()))
        .filter(identities::subject.eq(arrival.subject.clone()));
    diesel::update(own)
        .set((
            identities::email.eq(email_of(arrival)),
            identities::last_used_at.eq(StoredTime::new(arrival.session.session.created_at)),
        ))
        .execute(connection)
        .await
        .or_unavailable()
        .map(|_| ())
}

fn email_of(arrival: &Arrival) -> Option<String> {
    let account = arrival.account.as_ref();
    account.map(|account| account.email.as_str().to_owned())
}

/// Whether a provider of the workspace has written that the person is not active: no other way in undoes that.
async fn is_deactivated(
    connection: &mut Connection,
    workspace: WorkspaceId,
    user: UserId,
) -> Result<bool, StoreError> {
    let written = scim_users::table
        .inner_join(sso_connections::table.on(sso_connections::id.eq(scim_users::connection_id)))
        .filter(sso_connections::workspace_id.eq(StoredId::new(workspace.as_uuid())))
        .filter(scim_users::user_id.eq(StoredId::new(user.as_uuid())))
        .filter(scim_users::active.eq(false));
    select(exists(written))
        .get_result(connection)
        .await
        .or_unavailable()
}

type Changed = Vec<(Entity, Option<WorkspaceId>)>;

/// Makes the person a member as the connection says, and returns what has changed; or why the person does not come in.
async fn membership(
    connection: &mut Connection,
    arrival: &Arrival,
    user: UserId,
    log: &mut Vec<AuditEntry>,
) -> Result<Result<Changed, (ArrivalRefusal, Changed)>, FlowError> {
    let at = arrival.session.session.created_at;
    let wanted = match arrival.membership {
        Some(wanted) => Some(wanted),
        None if arrival.workspace.is_none() => of_domain(connection, user).await?,
        None => None,
    };
    let Some((workspace, assigned)) = wanted else {
        return Ok(Ok(Vec::new()));
    };
    let present = role_in(connection, workspace, user).await?;
    let assigned = if is_deactivated(connection, workspace, user).await? {
        Assigned::Unchanged
    } else {
        assigned
    };
    let becomes = match (assigned, present) {
        // Owners are made by people, and unmade by people.
        (_, Some(Role::Owner)) => present,
        (Assigned::Role(role), _) | (Assigned::IfNew(role), None) => Some(role),
        (Assigned::IfNew(_) | Assigned::Unchanged, present) => present,
        (Assigned::Removed, _) => None,
    };
    if becomes != present {
        let (act, of) = (act_of(arrival), Membership { workspace, user });
        match becomes {
            Some(role) => {
                put(connection, workspace, user, role, at).await?;
                log.extend(member_changed(&act, of, present, becomes));
            }
            None => {
                let keys = remove(connection, workspace, user, at).await?;
                log.extend(member_left(&act, of, present, keys, LEFT));
            }
        }
    }
    let changed = if becomes == present {
        Vec::new()
    } else {
        vec![(Entity::User(user), Some(workspace))]
    };
    // One of the whole server also lets people in who are no members.
    if becomes.is_none() && arrival.workspace.is_some() {
        return Ok(Err((ArrivalRefusal::NoMember, changed)));
    }
    Ok(Ok(changed))
}

/// What the workspace makes of somebody that has verified the domain of the person's address.
async fn of_domain(
    connection: &mut Connection,
    user: UserId,
) -> Result<Option<(WorkspaceId, Assigned)>, StoreError> {
    let domain = domain_of(connection, user).await?;
    let verified = sso_domains::verified(connection, &domain).await?;
    Ok(verified.and_then(|(workspace, role)| Some((workspace, Assigned::IfNew(role?)))))
}

async fn domain_of(connection: &mut Connection, user: UserId) -> Result<String, StoreError> {
    let email: Option<String> = users::table
        .find(StoredId::new(user.as_uuid()))
        .select(users::email)
        .first(connection)
        .await
        .optional()
        .or_unavailable()?;
    let email = email.and_then(|email| email.parse::<Email>().ok());
    Ok(email.map(|email| email.domain()).unwrap_or_default())
}

/// Begins the session, or the second step where the account has a factor of its own and the provider's word does not stand for it.
async fn begin(
    connection: &mut Connection,
    arrival: Arrival,
    user: UserId,
    log: &mut Vec<AuditEntry>,
) -> Result<Arrived, FlowError> {
    let row = users::table
        .find(StoredId::new(user.as_uuid()))
        .select((UserRow::as_select(), users::password_hash))
        .first(connection)
        .await
        .optional()
        .or_unavailable()?;
    let Some(account) = complete(connection, row, arrival.device).await? else {
        return Ok(Arrived::Refused(ArrivalRefusal::Barred));
    };
    let is_enrolled = account.factors.is_enrolled();
    // Whoever has verified the domain of the account's address reads its mail, and so could come in by that.
    let speaks_for = match arrival.workspace {
        None => true,
        Some(workspace) => {
            let verified = sso_domains::verified(connection, &account.user.email.domain()).await?;
            verified.is_some_and(|(own, _)| own == workspace)
        }
    };
    let mut sso = SsoSession {
        connection: arrival.connection,
        workspace: arrival.workspace,
        provider_session: arrival.provider_session,
        confined: !speaks_for,
        second_factor: arrival.second_factor,
    };
    let device = arrival.device.filter(|_| account.is_known_device);
    if is_enrolled && !arrival.second_factor {
        let (token, mut challenge) = arrival.challenge;
        challenge.user = user;
        challenge.device = device;
        challenge.sso = Some(sso);
        insert_challenge(connection, token, &challenge)
            .await
            .or_unavailable()?;
        return Ok(Arrived::SecondFactor(account.factors.methods()));
    }
    // The word of a workspace's provider stands for the person's own factor there, and nowhere else.
    sso.confined |= is_enrolled && sso.workspace.is_some();
    let mut session = arrival.session;
    session.session.user = user;
    session.session.sso = Some(sso);
    if !sessions::begin(connection, &session).await? {
        return Ok(Arrived::Refused(ArrivalRefusal::Barred));
    }
    log.push(session_started(&session, "sso"));
    Ok(Arrived::SignedIn(session.session))
}

//! Sessions: looked up, begun, ended.

use async_trait::async_trait;
use diesel::{
    ExpressionMethods, JoinOnDsl, NullableExpressionMethods, OptionalExtension, QueryDsl, QueryResult,
    SelectableHelper,
    dsl::{exists, select},
};
use diesel_async::RunQueryDsl;
use tigertrust_accounts::ports::{EndSessions, NewSession};
use tigertrust_credentials::{
    PasswordHash, TokenDigest,
    ports::{SessionRecord, SessionStore, StoreError},
};
use tigertrust_model::{Role, Session, SessionId, Timestamp, UserId, Workspace, WorkspaceId};

use super::{
    super::{Connection, lock_session},
    Store,
    rows::{Corrupt, SessionRow, UserRow, WorkspaceRow},
    schema::{devices, memberships, proof_budgets as budgets, sessions, users, workspaces},
    sso_domains,
};
use crate::{
    error::OrUnavailable,
    types::{StoredId, StoredTime},
};

/// How many devices of one person are known; the oldest are forgotten.
const MAX_DEVICES: i64 = 50;

/// One row for each workspace of the person, or a single one.
type FoundSession = (
    SessionRow,
    UserRow,
    Option<StoredId>,
    Option<WorkspaceRow>,
    Option<String>,
);

#[async_trait]
impl SessionStore for Store {
    async fn find_session(&self, token: TokenDigest) -> Result<Option<SessionRecord>, StoreError> {
        let token = token.as_bytes().to_vec();
        let rows: Vec<FoundSession> = self
            .read(move |connection| {
                Box::pin(async move {
                    sessions::table
                        .inner_join(users::table.on(users::id.eq(sessions::user_id)))
                        .left_join(memberships::table.on(memberships::user_id.eq(sessions::user_id)))
                        .left_join(workspaces::table.on(workspaces::id.eq(memberships::workspace_id)))
                        .filter(sessions::token.eq(token))
                        .order((memberships::created_at.asc(), memberships::workspace_id.asc()))
                        .select((
                            SessionRow::as_select(),
                            UserRow::as_select(),
                            users::default_workspace_id,
                            Option::<WorkspaceRow>::as_select(),
                            memberships::role.nullable(),
                        ))
                        .load(connection)
                        .await
                        .or_unavailable()
                })
            })
            .await?;
        record(rows)
    }

    async fn note_seen(&self, session: SessionId, at: Timestamp) -> Result<(), StoreError> {
        self.write_alone(move |connection| {
            Box::pin(async move {
                diesel::update(sessions::table.find(StoredId::new(session.as_uuid())))
                    .set(sessions::last_seen_at.eq(StoredTime::new(at)))
                    .execute(connection)
                    .await
                    .or_unavailable()
                    .map(|_| ())
            })
        })
        .await
    }
}

fn record(rows: Vec<FoundSession>) -> Result<Option<SessionRecord>, StoreError> {
    let mut memberships: Vec<(Workspace, Role)> = Vec::with_capacity(rows.len());
    let mut found = None;
    for (session, user, chosen, workspace, role) in rows {
        if let Some((workspace, role)) = workspace.zip(role) {
            let workspace = workspace.read()?;
            let corrupt = Corrupt::new("memberships", Some(workspace.id));
            let role = role.parse().map_err(|_| corrupt.at("role"))?;
            if workspace.deleted_at.is_none() {
                memberships.push((workspace, role));
            }
        }
        found.get_or_insert((session, user, chosen));
    }
    let Some((session, user, chosen)) = found else {
        return Ok(None);
    };
    Ok(Some(SessionRecord {
        session: session.read()?,
        user: user.read()?,
        memberships,
        chosen_workspace: chosen.and_then(StoredId::read).map(WorkspaceId::from_uuid),
    }))
}

/// Begins a session, with all that a completed sign-in brings. Returns whether it has begun: not in another way than by the
/// provider that the person's domain has to sign in by, which may have been decided a moment ago.
pub(super) async fn begin(connection: &mut Connection, new: &NewSession) -> Result<bool, StoreError> {
    let by = new.session.sso.as_ref().and_then(|sso| sso.workspace);
    if !sso_domains::lets_in(connection, new.session.user, by).await? {
        return Ok(false);
    }
    insert(connection, new).await.or_unavailable()?;
    // The cleared before the refunded, in the order in which an attempt takes them.
    if let Some((subjects, at)) = &new.refunded {
        super::budgets::refund(connection, subjects.clone(), *at).await?;
    }
    Ok(true)
}

async fn insert(connection: &mut Connection, new: &NewSession) -> QueryResult<()> {
    let user = StoredId::new(new.session.user.as_uuid());
    diesel::insert_into(sessions::table)
        .values((
            SessionRow::from(&new.session),
            sessions::token.eq(new.token.as_bytes().to_vec()),
        ))
        .execute(connection)
        .await?;
    if let Some(device) = new.device {
        diesel::insert_into(devices::table)
            .values((
                devices::token.eq(device.as_bytes().to_vec()),
                devices::user_id.eq(user),
                devices::created_at.eq(StoredTime::new(new.session.created_at)),
            ))
            .execute(connection)
            .await?;
        let surplus: Vec<Vec<u8>> = devices::table
            .filter(devices::user_id.eq(user))
            .order((devices::created_at.desc(), devices::token.desc()))
            .select(devices::token)
            .limit(i64::MAX)
            .offset(MAX_DEVICES)
            .load(connection)
            .await?;
        if !surplus.is_empty() {
            diesel::delete(devices::table.filter(devices::token.eq_any(surplus)))
                .execute(connection)
                .await?;
        }
    }
    if let Some(rehash) = &new.rehash {
        put_hash(connection, user, rehash).await?;
    }
    diesel::delete(budgets::table.filter(budgets::subject.eq_any(new.cleared.clone())))
        .execute(connection)
        .await
        .map(|_| ())
}

/// Stores the hash of a password: of another one, or another of the same.
pub(super) async fn put_hash(
    connection: &mut Connection,
    user: StoredId,
    hash: &PasswordHash,
) -> QueryResult<()> {
    diesel::update(users::table.find(user))
        .set(users::password_hash.eq(hash.as_phc().to_owned()))
        .execute(connection)
        .await
        .map(|_| ())
}

/// Lets a session go on under another token; one that has been ended stays so. Returns whether it goes on.
pub(super) async fn renew(
    connection: &mut Connection,
    session: SessionId,
    token: TokenDigest,
) -> QueryResult<bool> {
    let renewed = diesel::update(sessions::table.find(StoredId::new(session.as_uuid())))
        .set(sessions::token.eq(token.as_bytes().to_vec()))
        .execute(connection)
        .await?;
    Ok(renewed == 1)
}

/// Holds a session until the transaction ends. Returns whether it is still there.
pub(super) async fn lock(connection: &mut Connection, session: SessionId) -> QueryResult<bool> {
    let id = StoredId::new(session.as_uuid());
    lock_session(connection, id).await?;
    select(exists(sessions::table.find(id)))
        .get_result(connection)
        .await
}

pub(super) async fn end(connection: &mut Connection, user: UserId, which: EndSessions) -> QueryResult<usize> {
    let own = sessions::table.filter(sessions::user_id.eq(StoredId::new(user.as_uuid())));
    match which {
        EndSessions::All => diesel::delete(own).execute(connection).await,
        EndSessions::One(id) => {
            diesel::delete(own.filter(sessions::id.eq(StoredId::new(id.as_uuid()))))
                .execute(connection)
                .await
        }
        EndSessions::AllBut(id) => {
            diesel::delete(own.filter(sessions::id.ne(StoredId::new(id.as_uuid()))))
                .execute(connection)
                .await
        }
    }
}

/// Notes that a second factor was used in a session.
pub(super) async fn with_second_factor(connection: &mut Connection, session: SessionId) -> QueryResult<()> {
    diesel::update(sessions::table.find(StoredId::new(session.as_uuid())))
        .set(sessions::second_factor.eq(true))
        .execute(connection)
        .await
        .map(|_| ())
}

/// Notes that nothing is left that a second factor was proved with.
pub(super) async fn without_second_factor(connection: &mut Connection, user: UserId) -> QueryResult<()> {
    diesel::update(sessions::table.filter(sessions::user_id.eq(StoredId::new(user.as_uuid()))))
        .set(sessions::second_factor.eq(false))
        .execute(connection)
        .await
        .map(|_| ())
}

/// Forgets the devices on which a person signed in before, but for one.
pub(super) async fn forget_devices(
    connection: &mut Connection,
    user: UserId,
    but: Option<TokenDigest>,
) -> QueryResult<()> {
    let kept: Vec<Vec<u8>> = but.iter().map(|device| device.as_bytes().to_vec()).collect();
    let of_person = devices::table.filter(devices::user_id.eq(StoredId::new(user.as_uuid())));
    diesel::delete(of_person.filter(devices::token.ne_all(kept)))
        .execute(connection)
        .await
        .map(|_| ())
}

/// The sessions of a person that are not past their life, newest first.
pub(super) async fn list(
    connection: &mut Connection,
    user: UserId,
    at: Timestamp,
) -> Result<Vec<Session>, StoreError> {
    let rows: Vec<SessionRow> = sessions::table
        .filter(sessions::user_id.eq(StoredId::new(user.as_uuid())))
        .filter(sessions::expires_at.gt(StoredTime::new(at)))
        .order(sessions::id.desc())
        .select(SessionRow::as_select())
        .load(connection)
        .await
        .or_unavailable()?;
    rows.into_iter().map(SessionRow::read).collect()
}

/// Whether the person signed in on the device before.
pub(super) async fn is_known_device(
    connection: &mut Connection,
    user: StoredId,
    device: Option<TokenDigest>,
) -> QueryResult<bool> {
    let Some(device) = device else {
        return Ok(false);
    };
    let known: Option<StoredId> = devices::table
        .find(device.as_bytes().to_vec())
        .filter(devices::user_id.eq(user))
        .select(devices::user_id)
        .first(connection)
        .await
        .optional()?;
    Ok(known.is_some())
}

/// Whether any device of the person is known.
pub(super) async fn has_devices(connection: &mut Connection, user: StoredId) -> QueryResult<bool> {
    select(exists(devices::table.filter(devices::user_id.eq(user))))
        .get_result(connection)
        .await
}

//! Passkeys, and the challenges that wait for one.

use async_trait::async_trait;
use diesel::{
    ExpressionMethods, Insertable, OptionalExtension, QueryDsl, QueryResult, Queryable, Selectable,
    SelectableHelper,
};
use diesel_async::RunQueryDsl;
use tigertrust_accounts::{
    Conflict, FlowError,
    passkeys::{Backup, ChallengeDigest, Passkey, PasskeyCredential, PasskeyUse},
    ports::{Account, FactorAdded, MAX_PASSKEYS, NewSession, PasskeyChallenge, PasskeyStore},
};
use tigertrust_credentials::{RecoveryCodeDigest, TokenDigest, ports::StoreError};
use tigertrust_model::{Act, AuditAction, AuditEntry, Chain, FieldChange, PasskeyId, Session, UserId};

use super::{
    super::Connection,
    Store, Written,
    accounts::everywhere,
    factors,
    rows::{Corrupt, UserRow},
    schema::{passkey_challenges as challenges, passkeys, users},
    sessions, sign_in,
};
use crate::{
    error::OrUnavailable,
    types::{StoredId, StoredTime},
};

/// A passkey.
#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = passkeys)]
struct PasskeyRow {
    id: StoredId,
    user_id: StoredId,
    name: String,
    credential_id: Vec<u8>,
    public_key: Vec<u8>,
    transports: i16,
    sign_count: i64,
    backup: String,
    created_at: StoredTime,
    last_used_at: Option<StoredTime>,
}

impl From<Passkey> for PasskeyRow {
    fn from(passkey: Passkey) -> Self {
        let credential = passkey.credential;
        Self {
            id: StoredId::new(passkey.id.as_uuid()),
            user_id: StoredId::new(passkey.user.as_uuid()),
            name: passkey.name,
            credential_id: credential.credential_id,
            public_key: credential.public_key,
            transports: credential.transports.into(),
            sign_count: credential.sign_count.into(),
            backup: credential.backup.as_str().to_owned(),
            created_at: StoredTime::new(passkey.created_at),
            last_used_at: passkey.last_used_at.map(StoredTime::new),
        }
    }
}

impl PasskeyRow {
    fn read(self) -> Result<Passkey, StoreError> {
        let id = self.id.read().map(PasskeyId::from_uuid);
        let corrupt = Corrupt::new("passkeys", id);
        let user = self.user_id.read().map(UserId::from_uuid);
        let backup = Backup::ALL
            .into_iter()
            .find(|backup| backup.as_str() == self.backup);
        Ok(Passkey {
            id: id.ok_or_else(|| corrupt.at("id"))?,
            user: user.ok_or_else(|| corrupt.at("user_id"))?,
            name: self.name,
            created_at: corrupt.time(self.created_at, "created_at")?,
            last_used_at: corrupt.optional_time(self.last_used_at, "last_used_at")?,
            credential: PasskeyCredential {
                credential_id: self.credential_id,
                public_key: self.public_key,
                transports: self.transports.try_into().map_err(|_| corrupt.at("transports"))?,
                sign_count: self.sign_count.try_into().map_err(|_| corrupt.at("sign_count"))?,
                backup: backup.ok_or_else(|| corrupt.at("backup"))?,
            },
        })
    }
}

/// The passkeys of a person, oldest first.
pub(super) async fn of(connection: &mut Connection, user: UserId) -> Result<Vec<Passkey>, StoreError> {
    let rows: Vec<PasskeyRow> = passkeys::table
        .filter(passkeys::user_id.eq(StoredId::new(user.as_uuid())))
        .order(passkeys::id.asc())
        .select(PasskeyRow::as_select())
        .load(connection)
        .await
        .or_unavailable()?;
    rows.into_iter().map(PasskeyRow::read).collect()
}

/// Notes that a passkey has signed. Returns whether it is the person's, and has not signed since the check looked at it.
pub(super) async fn note_use(
    connection: &mut Connection,
    user: UserId,
    used: &PasskeyUse,
) -> Result<bool, StoreError> {
    // Compared and set: of two that were checked against one count, the second changes no row.
    let unchanged = passkeys::table
        .find(StoredId::new(used.passkey.as_uuid()))
        .filter(passkeys::user_id.eq(StoredId::new(user.as_uuid())))
        .filter(passkeys::sign_count.eq(i64::from(used.counted_before)));
    let noted = diesel::update(unchanged)
        .set((
            passkeys::sign_count.eq(i64::from(used.sign_count)),
            passkeys::backup.eq(used.backup.as_str()),
            passkeys::last_used_at.eq(Some(StoredTime::new(used.at))),
        ))
        .execute(connection)
        .await
        .or_unavailable()?;
    Ok(noted == 1)
}

/// Takes every passkey of a person away. Returns whether there was one.
pub(super) async fn remove_all(connection: &mut Connection, user: UserId) -> QueryResult<bool> {
    let own = passkeys::table.filter(passkeys::user_id.eq(StoredId::new(user.as_uuid())));
    Ok(diesel::delete(own).execute(connection).await? > 0)
}

#[async_trait]
impl PasskeyStore for Store {
    async fn keep_challenge(
        &self,
        challenge: ChallengeDigest,
        waiting: PasskeyChallenge,
    ) -> Result<(), StoreError> {
        self.write_alone(move |connection| {
            Box::pin(async move {
                diesel::insert_into(challenges::table)
                    .values((
                        challenges::challenge.eq(challenge.as_bytes().to_vec()),
                        challenges::subject.eq(waiting.subject),
                        challenges::state.eq(waiting.state.to_text()),
                        challenges::expires_at.eq(StoredTime::new(waiting.expires_at)),
                    ))
                    .execute(connection)
                    .await
                    .or_unavailable()
                    .map(|_| ())
            })
        })
        .await
    }

    async fn take_challenge(
        &self,
        challenge: ChallengeDigest,
    ) -> Result<Option<PasskeyChallenge>, StoreError> {
        let taken: Option<(String, String, StoredTime)> = self
            .write_unheard(move |connection| {
                Box::pin(async move {
                    diesel::delete(challenges::table.find(challenge.as_bytes().to_vec()))
                        .returning((challenges::subject, challenges::state, challenges::expires_at))
                        .get_result(connection)
                        .await
                        .optional()
                        .or_unavailable()
                })
            })
            .await?;
        let Some((subject, state, expires_at)) = taken else {
            return Ok(None);
        };
        let corrupt = Corrupt::new("passkey_challenges", Some(challenge));
        Ok(Some(PasskeyChallenge {
            subject,
            state: state.parse().map_err(|_| corrupt.at("state"))?,
            expires_at: corrupt.time(expires_at, "expires_at")?,
        }))
    }

    async fn account_by_credential(
        &self,
        credential_id: &[u8],
        device: Option<TokenDigest>,
    ) -> Result<Option<Account>, StoreError> {
        let credential_id = credential_id.to_vec();
        self.read(move |connection| {
            Box::pin(async move {
                let owner: Option<StoredId> = passkeys::table
                    .filter(passkeys::credential_id.eq(credential_id))
                    .select(passkeys::user_id)
                    .first(connection)
                    .await
                    .optional()
                    .or_unavailable()?;
                let row = match owner {
                    None => None,
                    Some(owner) => users::table
                        .find(owner)
                        .select((UserRow::as_select(), users::password_hash))
                        .first(connection)
                        .await
                        .optional()
                        .or_unavailable()?,
                };
                sign_in::complete(connection, row, device).await
            })
        })
        .await
    }

    async fn begin_session_by_passkey(&self, new: NewSession, used: PasskeyUse) -> Result<bool, StoreError> {
        self.write_undecided(move |connection| {
            Box::pin(async move {
                let user = new.session.user;
                if !sign_in::lock_user(connection, user, None).await?
                    || !note_use(connection, user, &used).await?
                {
                    return Ok(Written::quietly(false));
                }
                sign_in::begin(connection, &new, "passkey").await
            })
        })
        .await
    }

    async fn add_passkey(
        &self,
        act: Act,
        session: &Session,
        token: TokenDigest,
        passkey: Passkey,
        recovery_codes: Vec<RecoveryCodeDigest>,
    ) -> Result<Option<FactorAdded>, FlowError> {
        let (id, user, added_id) = (session.id, session.user, passkey.id);
        self.write(move |connection| {
            Box::pin(async move {
                // Others that are added at the same time wait here, and so does a login with the password alone.
                if !sign_in::lock_user(connection, user, None).await?
                    || !sessions::renew(connection, id, token).await.or_unavailable()?
                {
                    return Ok(Written::quietly(None));
                }
                let before = factors::of(connection, user).await?;
                if before.passkeys.len() >= MAX_PASSKEYS {
                    return Err(Conflict::TooManyPasskeys.into());
                }
                let inserted = diesel::insert_into(passkeys::table)
                    .values(PasskeyRow::from(passkey))
                    .on_conflict_do_nothing()
                    .execute(connection)
                    .await
                    .or_unavailable()?;
                if inserted == 0 {
                    return Err(Conflict::PasskeyKnown.into());
                }
                let added = factors::note_added(connection, user, &before, &recovery_codes).await?;
                // The passkey was used, but is no proof of the factors before it: the session gets no fresher.
                sessions::with_second_factor(connection, id)
                    .await
                    .or_unavailable()?;
                let entry = AuditEntry::new(AuditAction::FactorAdded, Chain::Instance, &act)
                    .on(added_id)
                    .changing([FieldChange::set("factor", "passkey")]);
                // What is remembered of the person's keys says whether there is a factor.
                let changed = everywhere(connection, user).await?;
                Ok(Written::telling(changed, Some(added)).logging([entry]))
            })
        })
        .await
    }

    async fn rename_passkey(
        &self,
        user: UserId,
        passkey: PasskeyId,
        name: String,
    ) -> Result<Option<Passkey>, StoreError> {
        self.write_unheard(move |connection| {
            Box::pin(async move {
                let own = passkeys::table
                    .find(StoredId::new(passkey.as_uuid()))
                    .filter(passkeys::user_id.eq(StoredId::new(user.as_uuid())));
                let row: Option<PasskeyRow> = diesel::update(own)
                    .set(passkeys::name.eq(name))
                    .returning(PasskeyRow::as_returning())
                    .get_result(connection)
                    .await
                    .optional()
                    .or_unavailable()?;
                row.map(PasskeyRow::read).transpose()
            })
        })
        .await
    }

    async fn remove_passkey(
        &self,
        act: Act,
        session: &Session,
        token: TokenDigest,
        passkey: PasskeyId,
    ) -> Result<(), FlowError> {
        let (id, user) = (session.id, session.user);
        self.write(move |connection| {
            Box::pin(async move {
                sign_in::lock_user(connection, user, None).await?;
                let own = passkeys::table
                    .find(StoredId::new(passkey.as_uuid()))
                    .filter(passkeys::user_id.eq(StoredId::new(user.as_uuid())));
                let removed = diesel::delete(own).execute(connection).await.or_unavailable()?;
                if removed == 0 || !sessions::renew(connection, id, token).await.or_unavailable()? {
                    return Err(FlowError::NotFound);
                }
                factors::note_removed(connection, user).await?;
                let entry = sign_in::factor_removed(&act, user, "passkey").on(passkey);
                Ok(Written::telling(everywhere(connection, user).await?, ()).logging([entry]))
            })
        })
        .await
    }
}

//! Signing in: one unit of work each.

use async_trait::async_trait;
use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, SelectableHelper};
use diesel_async::RunQueryDsl;
use tigertrust_accounts::{
    Conflict, FlowError,
    ports::{
        Account, Budget, Challenge, CodeCheck, EndSessions, FactorAdded, KeptSession, NewSession,
        SignInStore, TotpFactor,
    },
};
use tigertrust_credentials::{PasswordHash, RecoveryCodeDigest, TokenDigest, ports::StoreError};
use tigertrust_model::{
    Act, AuditAction, AuditEntry, Chain, FieldChange, Session, SessionId, Timestamp, UserId,
};
use uuid::Uuid;

use super::{
    super::Connection,
    Store, Written,
    accounts::everywhere,
    audit_entries::{chain_of, session_started},
    budgets, factors, mail_tokens, passkeys,
    rows::{ChallengeSsoColumns, Corrupt, UserRow},
    schema::{proof_budgets, sessions as sessions_table, sign_in_challenges as challenges, users},
    sessions, sso_domains,
};
use crate::{
    error::OrUnavailable,
    types::{StoredId, StoredTime},
};

#[async_trait]
impl SignInStore for Store {
    async fn account_by_email(
        &self,
        canonical: &str,
        device: Option<TokenDigest>,
    ) -> Result<Option<Account>, StoreError> {
        let canonical = canonical.to_owned();
        self.read(move |connection| {
            Box::pin(async move {
                let row = users::table
                    .filter(users::email_canonical.eq(canonical))
                    .select((UserRow::as_select(), users::password_hash))
                    .first(connection)
                    .await
                    .optional()
                    .or_unavailable()?;
                complete(connection, row, device).await
            })
        })
        .await
    }

    async fn forgive(&self, act: Act, user: UserId) -> Result<(), StoreError> {
        self.write_undecided(move |connection| {
            Box::pin(async move {
                diesel::delete(proof_budgets::table.find(Budget::subject_of(user)))
                    .execute(connection)
                    .await
                    .or_unavailable()?;
                let entry = AuditEntry::new(AuditAction::UserUnlocked, Chain::Instance, &act).on(user);
                Ok(Written::quietly(()).logging([entry]))
            })
        })
        .await
    }

    async fn account(
        &self,
        user: UserId,
        device: Option<TokenDigest>,
    ) -> Result<Option<Account>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let row = users::table
                    .find(StoredId::new(user.as_uuid()))
                    .select((UserRow::as_select(), users::password_hash))
                    .first(connection)
                    .await
                    .optional()
                    .or_unavailable()?;
                complete(connection, row, device).await
            })
        })
        .await
    }

    async fn spend(&self, wanted: Vec<Budget>, at: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        self.write_unheard(move |connection| Box::pin(budgets::spend(connection, wanted, at)))
            .await
    }

    async fn refund(&self, subjects: Vec<String>, at: Timestamp) -> Result<(), StoreError> {
        self.write_unheard(move |connection| Box::pin(budgets::refund(connection, subjects, at)))
            .await
    }

    async fn begin_session(&self, new: NewSession) -> Result<bool, StoreError> {
        self.write_undecided(move |connection| {
            Box::pin(async move {
                let user = new.session.user;
                if !lock_user(connection, user, new.verified.as_ref()).await?
                    || factors::of(connection, user).await?.is_enrolled()
                {
                    return Ok(Written::quietly(false));
                }
                begin(connection, &new, "password").await
            })
        })
        .await
    }

    async fn begin_challenge(
        &self,
        token: TokenDigest,
        challenge: Challenge,
        verified: PasswordHash,
        rehash: Option<PasswordHash>,
    ) -> Result<bool, StoreError> {
        self.write_unheard(move |connection| {
            Box::pin(async move {
                if !lock_user(connection, challenge.user, Some(&verified)).await? {
                    return Ok(false);
                }
                if let Some(rehash) = rehash {
                    let user = StoredId::new(challenge.user.as_uuid());
                    sessions::put_hash(connection, user, &rehash)
                        .await
                        .or_unavailable()?;
                }
                insert_challenge(connection, token, &challenge)
                    .await
                    .or_unavailable()?;
                Ok(true)
            })
        })
        .await
    }

    async fn find_challenge(&self, token: TokenDigest) -> Result<Option<Challenge>, StoreError> {
        let row: Option<(StoredId, Option<Vec<u8>>, StoredTime, ChallengeSsoColumns)> = self
            .read(move |connection| {
                Box::pin(async move {
                    challenges::table
                        .find(token.as_bytes().to_vec())
                        .select((
                            challenges::user_id,
                            challenges::device,
                            challenges::expires_at,
                            ChallengeSsoColumns::as_select(),
                        ))
                        .first(connection)
                        .await
                        .optional()
                        .or_unavailable()
                })
            })
            .await?;
        let Some((user, device, expires_at, sso)) = row else {
            return Ok(None);
        };
        let corrupt = Corrupt::new("sign_in_challenges", None::<String>);
        let device = device.map(|device| device.try_into().map(TokenDigest::from_bytes));
        Ok(Some(Challenge {
            user: user
                .read()
                .map(UserId::from_uuid)
                .ok_or_else(|| corrupt.at("user_id"))?,
            expires_at: expires_at.read().ok_or_else(|| corrupt.at("expires_at"))?,
            device: device.transpose().map_err(|_| corrupt.at("device"))?,
            sso: sso.read(&corrupt)?,
        }))
    }

    async fn answer_challenge(
        &self,
        token: TokenDigest,
        max_tries: u16,
        check: CodeCheck,
        new: NewSession,
    ) -> Result<bool, StoreError> {
        self.write_undecided(move |connection| {
            Box::pin(async move {
                // The account first, as everywhere: who disables it, or sets its password, waits for this or is waited for.
                if !lock_user(connection, new.session.user, None).await? {
                    return Ok(Written::quietly(false));
                }
                let waiting = challenges::table.find(token.as_bytes().to_vec());
                // Counted before anything is looked at, so that answers at the same time wait for each other here.
                let tries: Option<i16> = diesel::update(waiting.clone())
                    .set(challenges::tries.eq(challenges::tries + 1))
                    .returning(challenges::tries)
                    .get_result(connection)
                    .await
                    .optional()
                    .or_unavailable()?;
                let within = |tries| u16::try_from(tries).is_ok_and(|tries| tries <= max_tries);
                // That it was tried stays, whatever comes of it.
                if !tries.is_some_and(within)
                    || !factors::spend_code(connection, new.session.user, check).await?
                {
                    return Ok(Written::quietly(false));
                }
                diesel::delete(waiting)
                    .execute(connection)
                    .await
                    .or_unavailable()?;
                let method = if new.session.sso.is_some() {
                    "sso"
                } else {
                    "password"
                };
                begin(connection, &new, method).await
            })
        })
        .await
    }

    async fn note_proof(
        &self,
        act: Act,
        session: &Session,
        token: TokenDigest,
        check: Option<CodeCheck>,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let (id, user, chain) = (session.id, session.user, chain_of(session));
        self.write_undecided(move |connection| {
            Box::pin(async move {
                let second_factor = check.is_some();
                if let Some(check) = check
                    && !factors::spend_code(connection, user, check).await?
                {
                    return Ok(Written::quietly(false));
                }
                let proved = prove(connection, id, token, second_factor, at).await?;
                let entry = AuditEntry::new(AuditAction::SessionProved, chain, &act)
                    .on(id)
                    .changing([FieldChange::set("secondFactor", second_factor)]);
                Ok(Written::quietly(proved).logging(proved.then_some(entry)))
            })
        })
        .await
    }

    async fn set_password(
        &self,
        act: Act,
        user: UserId,
        password: PasswordHash,
        verified: Option<PasswordHash>,
        keep: Option<KeptSession>,
    ) -> Result<bool, StoreError> {
        self.write_undecided(move |connection| {
            Box::pin(async move {
                let id = StoredId::new(user.as_uuid());
                if verified.is_some() && !lock_user(connection, user, verified.as_ref()).await? {
                    return Ok(Written::quietly(false));
                }
                if let Some(kept) = keep
                    && !sessions::renew(connection, kept.id, kept.token)
                        .await
                        .or_unavailable()?
                {
                    return Ok(Written::quietly(false));
                }
                sessions::put_hash(connection, id, &password)
                    .await
                    .or_unavailable()?;
                sign_out(connection, user, keep).await.or_unavailable()?;
                let entry = AuditEntry::new(AuditAction::PasswordChanged, Chain::Instance, &act).on(user);
                Ok(Written::quietly(true).logging([entry]))
            })
        })
        .await
    }

    async fn put_totp(&self, user: UserId, factor: TotpFactor) -> Result<(), FlowError> {
        self.write(move |connection| {
            Box::pin(async move {
                if factors::put(connection, user, &factor).await.or_unavailable()? {
                    Ok(Written::quietly(()))
                } else {
                    Err(Conflict::FactorEnrolled.into())
                }
            })
        })
        .await
    }

    async fn confirm_totp(
        &self,
        act: Act,
        session: &Session,
        token: TokenDigest,
        check: CodeCheck,
        recovery_codes: Vec<RecoveryCodeDigest>,
        at: Timestamp,
    ) -> Result<Option<FactorAdded>, StoreError> {
        let (id, user) = (session.id, session.user);
        self.write_undecided(move |connection| {
            Box::pin(async move {
                // A login with the password alone that is under way waits here, and then finds the factor.
                lock_user(connection, user, None).await?;
                let before = factors::of(connection, user).await?;
                // A session that has ended meanwhile confirms nothing: whoever it was taken from has ended it.
                if !sessions::lock(connection, id).await.or_unavailable()?
                    || before.has_totp()
                    || !factors::spend_code(connection, user, check).await?
                    || !factors::confirm(connection, user, at).await.or_unavailable()?
                {
                    return Ok(Written::quietly(None));
                }
                let added = factors::note_added(connection, user, &before, &recovery_codes).await?;
                let goes_on = prove(connection, id, token, true, at).await?;
                let entry = AuditEntry::new(AuditAction::FactorAdded, Chain::Instance, &act)
                    .on(user)
                    .changing([FieldChange::set("factor", "totp")]);
                // What is remembered of the person's keys says whether there is a factor.
                let changed = everywhere(connection, user).await?;
                Ok(Written::telling(changed, goes_on.then_some(added)).logging([entry]))
            })
        })
        .await
    }

    async fn remove_totp(&self, act: Act, user: UserId) -> Result<bool, StoreError> {
        self.write_undecided(move |connection| {
            Box::pin(async move {
                lock_user(connection, user, None).await?;
                let removed = factors::remove(connection, user).await?;
                let changed = everywhere(connection, user).await?;
                let entry = removed.then(|| factor_removed(&act, user, "totp"));
                Ok(Written::telling(changed, removed).logging(entry))
            })
        })
        .await
    }

    async fn remove_factors(&self, act: Act, user: UserId) -> Result<bool, StoreError> {
        self.write_undecided(move |connection| {
            Box::pin(async move {
                lock_user(connection, user, None).await?;
                let passkeys = passkeys::remove_all(connection, user).await.or_unavailable()?;
                let removed = factors::remove(connection, user).await? || passkeys;
                let changed = everywhere(connection, user).await?;
                let entry = removed.then(|| factor_removed(&act, user, "all"));
                Ok(Written::telling(changed, removed).logging(entry))
            })
        })
        .await
    }

    async fn replace_recovery_codes(
        &self,
        act: Act,
        user: UserId,
        codes: Vec<RecoveryCodeDigest>,
    ) -> Result<(), StoreError> {
        self.write_undecided(move |connection| {
            Box::pin(async move {
                factors::replace_codes(connection, user, &codes)
                    .await
                    .or_unavailable()?;
                let entry =
                    AuditEntry::new(AuditAction::RecoveryCodesRenewed, Chain::Instance, &act).on(user);
                Ok(Written::quietly(()).logging([entry]))
            })
        })
        .await
    }

    async fn list_sessions(&self, user: UserId, at: Timestamp) -> Result<Vec<Session>, StoreError> {
        self.read(move |connection| Box::pin(sessions::list(connection, user, at)))
            .await
    }

    async fn end_sessions(&self, act: Act, user: UserId, which: EndSessions) -> Result<u64, StoreError> {
        let ended = self
            .write_undecided(move |connection| {
                Box::pin(async move {
                    let ended = sessions::end(connection, user, which).await.or_unavailable()?;
                    let entry = AuditEntry::new(AuditAction::SessionEnded, Chain::Instance, &act);
                    let entry = match which {
                        EndSessions::One(id) => entry.on(id),
                        EndSessions::AllBut(_) | EndSessions::All => entry.on(user),
                    };
                    let entry = entry.changing([FieldChange::set("sessions", ended)]);
                    Ok(Written::quietly(ended).logging((ended > 0).then_some(entry)))
                })
            })
            .await?;
        Ok(u64::try_from(ended).unwrap_or(u64::MAX))
    }
}

/// Begins a session, and has it logged by what somebody signed in.
pub(super) async fn begin(
    connection: &mut Connection,
    new: &NewSession,
    method: &str,
) -> Result<Written<bool>, StoreError> {
    let begun = sessions::begin(connection, new).await?;
    let entry = begun.then(|| session_started(new, method));
    Ok(Written::quietly(begun).logging(entry))
}

/// A second factor is a person's no more, as the log says it.
pub(super) fn factor_removed(act: &Act, user: UserId, factor: &str) -> AuditEntry {
    AuditEntry::new(AuditAction::FactorRemoved, Chain::Instance, act)
        .on(user)
        .changing([FieldChange {
            field: "factor".to_owned(),
            before: Some(factor.to_owned()),
            after: None,
        }])
}

/// Stores a login that waits for its second factor.
pub(super) async fn insert_challenge(
    connection: &mut Connection,
    token: TokenDigest,
    challenge: &Challenge,
) -> QueryResult<()> {
    diesel::insert_into(challenges::table)
        .values((
            challenges::token.eq(token.as_bytes().to_vec()),
            challenges::user_id.eq(StoredId::new(challenge.user.as_uuid())),
            challenges::device.eq(challenge.device.map(|device| device.as_bytes().to_vec())),
            challenges::tries.eq(0),
            challenges::expires_at.eq(StoredTime::new(challenge.expires_at)),
            ChallengeSsoColumns::from(challenge.sso.as_ref()),
        ))
        .execute(connection)
        .await
        .map(|_| ())
}

/// Adds what proves that an account is somebody's.
pub(super) async fn complete(
    connection: &mut Connection,
    row: Option<(UserRow, Option<String>)>,
    device: Option<TokenDigest>,
) -> Result<Option<Account>, StoreError> {
    let Some((user, password)) = row else {
        // The same questions about nobody, so that the time tells nothing of who has an account.
        let nobody = UserId::from_uuid(Uuid::nil());
        factors::of(connection, nobody).await?;
        sessions::is_known_device(connection, StoredId::new(Uuid::nil()), device)
            .await
            .or_unavailable()?;
        sessions::has_devices(connection, StoredId::new(Uuid::nil()))
            .await
            .or_unavailable()?;
        sso_domains::is_enforced_for(connection, nobody, "").await?;
        return Ok(None);
    };
    let user = user.read()?;
    let id = StoredId::new(user.id.as_uuid());
    Ok(Some(Account {
        password: password.map(PasswordHash::from_phc),
        factors: factors::of(connection, user.id).await?,
        is_known_device: sessions::is_known_device(connection, id, device)
            .await
            .or_unavailable()?,
        has_devices: sessions::has_devices(connection, id).await.or_unavailable()?,
        sso_only: sso_domains::is_enforced_for(connection, user.id, &user.email.domain()).await?,
        user,
    }))
}

/// Locks the account until the transaction ends, if it is not disabled and still has that password. Returns whether it is so.
pub(super) async fn lock_user(
    connection: &mut Connection,
    user: UserId,
    password: Option<&PasswordHash>,
) -> Result<bool, StoreError> {
    let mut account = diesel::update(users::table)
        .filter(users::id.eq(StoredId::new(user.as_uuid())))
        .filter(users::disabled_at.is_null())
        .set(users::id.eq(users::id))
        .into_boxed();
    if let Some(password) = password {
        account = account.filter(users::password_hash.eq(password.as_phc().to_owned()));
    }
    let locked = account.execute(connection).await.or_unavailable()?;
    Ok(locked == 1)
}

/// Ends what another password ends: sessions but the one to keep, logins that wait, links in mails; and all devices are
/// forgotten but that one's.
pub(super) async fn sign_out(
    connection: &mut Connection,
    user: UserId,
    keep: Option<KeptSession>,
) -> QueryResult<()> {
    let id = StoredId::new(user.as_uuid());
    diesel::delete(challenges::table.filter(challenges::user_id.eq(id)))
        .execute(connection)
        .await?;
    mail_tokens::end(connection, user).await?;
    let which = keep.map_or(EndSessions::All, |kept| EndSessions::AllBut(kept.id));
    sessions::end(connection, user, which).await?;
    sessions::forget_devices(connection, user, keep.and_then(|kept| kept.device)).await
}

/// Notes a proof of a session, of a second factor too if it was one, which goes on under another token. Returns whether it
/// does.
async fn prove(
    connection: &mut Connection,
    session: SessionId,
    token: TokenDigest,
    second_factor: bool,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let proved = diesel::update(sessions_table::table.find(StoredId::new(session.as_uuid())))
        .set((
            sessions_table::proved_at.eq(StoredTime::new(at)),
            second_factor.then_some(sessions_table::second_factor.eq(true)),
            sessions_table::token.eq(token.as_bytes().to_vec()),
        ))
        .execute(connection)
        .await
        .or_unavailable()?;
    Ok(proved == 1)
}

//! Links in mails.

use async_trait::async_trait;
use diesel::{
    ExpressionMethods, NullableExpressionMethods, OptionalExtension, QueryDsl, QueryResult,
    dsl::{exists, select},
    result::{DatabaseErrorKind, Error as DieselError},
};
use diesel_async::RunQueryDsl;
use tigertrust_accounts::{
    Conflict, FlowError,
    ports::{MailToken, MailTokenStore},
};
use tigertrust_credentials::{PasswordHash, TokenDigest, ports::StoreError};
use tigertrust_model::{Act, AuditAction, AuditEntry, Chain, Email, SessionId, Timestamp, UserId};

use super::{
    super::Connection,
    Store, Written,
    rows::Corrupt,
    schema::{mail_tokens as tokens, sessions, users},
    sign_in::{lock_user, sign_out},
};
use crate::{
    error::OrUnavailable,
    types::{StoredId, StoredTime},
};

type TokenRow = (Option<StoredId>, Option<String>, StoredTime);

#[async_trait]
impl MailTokenStore for Store {
    async fn put_mail_token(
        &self,
        token: TokenDigest,
        of: Option<(UserId, Email)>,
        asked_by: Option<SessionId>,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        let (user, email) = of.unzip();
        self.write_alone(move |connection| {
            Box::pin(async move {
                let asked_by = asked_by.map(|session| StoredId::new(session.as_uuid()));
                diesel::insert_into(tokens::table)
                    .values((
                        tokens::token.eq(token.as_bytes().to_vec()),
                        tokens::user_id.eq(user.map(|user| StoredId::new(user.as_uuid()))),
                        tokens::session_id.eq(asked_by),
                        tokens::email.eq(email.map(|email| email.as_str().to_owned())),
                        tokens::expires_at.eq(StoredTime::new(expires_at)),
                    ))
                    .execute(connection)
                    .await
                    .or_unavailable()
                    .map(|_| ())
            })
        })
        .await
    }

    async fn find_mail_token(&self, token: TokenDigest) -> Result<Option<MailToken>, StoreError> {
        let row: Option<TokenRow> = self
            .read(move |connection| {
                Box::pin(async move {
                    tokens::table
                        .find(token.as_bytes().to_vec())
                        .select((tokens::user_id, tokens::email, tokens::expires_at))
                        .first(connection)
                        .await
                        .optional()
                        .or_unavailable()
                })
            })
            .await?;
        let Some((Some(user), Some(email), expires_at)) = row else {
            return Ok(None);
        };
        let user = user.read().map(UserId::from_uuid);
        let corrupt = Corrupt::new("mail_tokens", user);
        Ok(Some(MailToken {
            user: user.ok_or_else(|| corrupt.at("user_id"))?,
            email: email.parse().map_err(|_| corrupt.at("email"))?,
            expires_at: expires_at.read().ok_or_else(|| corrupt.at("expires_at"))?,
        }))
    }

    async fn reset_password(
        &self,
        act: Act,
        token: TokenDigest,
        user: UserId,
        password: PasswordHash,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.write_undecided(move |connection| {
            Box::pin(async move {
                let Some((email, _)) = use_up(connection, token, user, at).await? else {
                    return Ok(Written::quietly(false));
                };
                let set = diesel::update(users::table.find(StoredId::new(user.as_uuid())))
                    .filter(users::email_canonical.eq(email.canonical()))
                    .set((
                        users::password_hash.eq(password.as_phc().to_owned()),
                        users::email_verified_at.eq(Some(StoredTime::new(at))),
                    ))
                    .execute(connection)
                    .await
                    .or_unavailable()?;
                if set == 0 {
                    return Ok(Written::quietly(false));
                }
                sign_out(connection, user, None).await.or_unavailable()?;
                let entry = AuditEntry::new(AuditAction::PasswordReset, Chain::Instance, &act).on(user);
                Ok(Written::quietly(true).logging([entry]))
            })
        })
        .await
    }

    async fn verify_email(
        &self,
        act: Act,
        token: TokenDigest,
        user: UserId,
        at: Timestamp,
    ) -> Result<Option<Email>, FlowError> {
        self.write(move |connection| {
            Box::pin(async move {
                let Some((email, asked_by)) = use_up(connection, token, user, at).await? else {
                    return Ok(Written::quietly(None));
                };
                let id = StoredId::new(user.as_uuid());
                let asking = sessions::table
                    .filter(sessions::id.nullable().eq(asked_by))
                    .filter(sessions::user_id.eq(id));
                let goes_on: bool = select(exists(asking))
                    .get_result(connection)
                    .await
                    .or_unavailable()?;
                if !goes_on {
                    return Ok(Written::quietly(None));
                }
                let others = users::table
                    .filter(users::email_canonical.eq(email.canonical()))
                    .filter(users::id.ne(id));
                let is_taken: bool = select(exists(others))
                    .get_result(connection)
                    .await
                    .or_unavailable()?;
                if is_taken {
                    return Err(Conflict::EmailTaken.into());
                }
                let old: String = users::table
                    .find(id)
                    .select(users::email)
                    .first(connection)
                    .await
                    .or_unavailable()?;
                diesel::update(users::table.find(id))
                    .set((
                        users::email.eq(email.as_str().to_owned()),
                        users::email_canonical.eq(email.canonical()),
                        users::email_verified_at.eq(Some(StoredTime::new(at))),
                    ))
                    .execute(connection)
                    .await
                    .map_err(taken_meanwhile)?;
                end(connection, user).await.or_unavailable()?;
                let corrupt = Corrupt::new("users", Some(user));
                let old = old.parse().map_err(|_| corrupt.at("email"))?;
                let entry = AuditEntry::new(AuditAction::EmailVerified, Chain::Instance, &act)
                    .on(user)
                    .about("email", email.as_str());
                Ok(Written::quietly(Some(old)).logging([entry]))
            })
        })
        .await
    }
}

/// On PostgreSQL another account may take the address between the look at it and the update, which waits for that one.
fn taken_meanwhile(error: DieselError) -> FlowError {
    match error {
        DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => Conflict::EmailTaken.into(),
        other => StoreError::unavailable(other).into(),
    }
}

/// Takes a link that is good, and returns the address that it went to, and the session that asked for it. The account is
/// locked first, as everywhere: of those that use one link at the same time, the first takes it.
async fn use_up(
    connection: &mut Connection,
    token: TokenDigest,
    user: UserId,
    at: Timestamp,
) -> Result<Option<(Email, Option<StoredId>)>, StoreError> {
    if !lock_user(connection, user, None).await? {
        return Ok(None);
    }
    let good = tokens::table
        .find(token.as_bytes().to_vec())
        .filter(tokens::user_id.eq(StoredId::new(user.as_uuid())))
        .filter(tokens::expires_at.gt(StoredTime::new(at)));
    let used: Option<(Option<String>, Option<StoredId>)> = diesel::delete(good)
        .returning((tokens::email, tokens::session_id))
        .get_result(connection)
        .await
        .optional()
        .or_unavailable()?;
    let corrupt = Corrupt::new("mail_tokens", Some(user));
    used.and_then(|(email, asked_by)| Some((email?, asked_by)))
        .map(|(email, asked_by)| Ok((email.parse().map_err(|_| corrupt.at("email"))?, asked_by)))
        .transpose()
}

/// Ends all links that a person was sent.
pub(super) async fn end(connection: &mut Connection, user: UserId) -> QueryResult<()> {
    diesel::delete(tokens::table.filter(tokens::user_id.eq(StoredId::new(user.as_uuid()))))
        .execute(connection)
        .await
        .map(|_| ())
}

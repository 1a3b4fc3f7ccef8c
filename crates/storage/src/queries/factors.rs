//! Second factors.

use diesel::{BoolExpressionMethods, ExpressionMethods, OptionalExtension, QueryDsl, QueryResult};
use diesel_async::RunQueryDsl;
use tigertrust_accounts::ports::{AcceptedCode, CodeCheck, FactorAdded, Factors, TotpFactor};
use tigertrust_credentials::{RecoveryCodeDigest, TotpStep, ports::StoreError};
use tigertrust_model::{Timestamp, UserId};

use super::{
    super::Connection,
    passkeys,
    rows::Corrupt,
    schema::{recovery_codes as codes, totp_factors as totp},
    sessions,
};
use crate::{
    error::OrUnavailable,
    types::{StoredId, StoredTime},
};

type TotpRow = (String, Option<StoredTime>, Option<i64>);

/// The second factors of a person.
pub(super) async fn of(connection: &mut Connection, user: UserId) -> Result<Factors, StoreError> {
    let id = StoredId::new(user.as_uuid());
    let app: Option<TotpRow> = totp::table
        .find(id)
        .select((totp::secret, totp::confirmed_at, totp::last_step))
        .first(connection)
        .await
        .optional()
        .or_unavailable()?;
    let digests: Vec<Vec<u8>> = codes::table
        .filter(codes::user_id.eq(id))
        .select(codes::digest)
        .load(connection)
        .await
        .or_unavailable()?;
    let corrupt = Corrupt::new("totp_factors", Some(user));
    let app = match app {
        None => None,
        Some((secret, confirmed_at, last_step)) => Some(TotpFactor {
            secret: secret.parse().map_err(|_| corrupt.at("secret"))?,
            confirmed_at: corrupt.optional_time(confirmed_at, "confirmed_at")?,
            last_step: last_step.map(TotpStep::from_number),
        }),
    };
    let corrupt = Corrupt::new("recovery_codes", Some(user));
    let read = |digest: Vec<u8>| digest.try_into().ok().map(RecoveryCodeDigest::from_bytes);
    let recovery_codes = digests.into_iter().map(read).collect::<Option<_>>();
    Ok(Factors {
        totp: app,
        passkeys: passkeys::of(connection, user).await?,
        recovery_codes: recovery_codes.ok_or_else(|| corrupt.at("digest"))?,
    })
}

/// Lets `check` decide on a code, and spends the one that it accepts. Returns whether one was.
pub(super) async fn spend_code(
    connection: &mut Connection,
    user: UserId,
    check: CodeCheck,
) -> Result<bool, StoreError> {
    let factors = of(connection, user).await?;
    let id = StoredId::new(user.as_uuid());
    let spent = match check(&factors) {
        None => 0,
        // Compared and set: of two that have the same code, whoever comes second changes no row.
        Some(AcceptedCode::Totp(step)) => {
            let earlier = totp::last_step.is_null().or(totp::last_step.lt(step.number()));
            diesel::update(totp::table.find(id).filter(earlier))
                .set(totp::last_step.eq(Some(step.number())))
                .execute(connection)
                .await
                .or_unavailable()?
        }
        Some(AcceptedCode::Recovery(digest)) => {
            diesel::delete(codes::table.find((id, digest.as_bytes().to_vec())))
                .execute(connection)
                .await
                .or_unavailable()?
        }
        Some(AcceptedCode::Passkey(used)) => usize::from(passkeys::note_use(connection, user, &used).await?),
    };
    Ok(spent == 1)
}

/// Stores an app that is about to be added. Returns whether none was confirmed.
pub(super) async fn put(connection: &mut Connection, user: UserId, factor: &TotpFactor) -> QueryResult<bool> {
    let id = StoredId::new(user.as_uuid());
    diesel::delete(totp::table.find(id).filter(totp::confirmed_at.is_null()))
        .execute(connection)
        .await?;
    let inserted = diesel::insert_into(totp::table)
        .values((totp::user_id.eq(id), totp::secret.eq(factor.secret.to_text())))
        .on_conflict_do_nothing()
        .execute(connection)
        .await?;
    Ok(inserted == 1)
}

/// Confirms the app. Returns whether there was one to confirm.
pub(super) async fn confirm(connection: &mut Connection, user: UserId, at: Timestamp) -> QueryResult<bool> {
    let unconfirmed = totp::table
        .find(StoredId::new(user.as_uuid()))
        .filter(totp::confirmed_at.is_null());
    let confirmed = diesel::update(unconfirmed)
        .set(totp::confirmed_at.eq(Some(StoredTime::new(at))))
        .execute(connection)
        .await?;
    Ok(confirmed == 1)
}

/// Takes the app away. Returns whether there was one.
pub(super) async fn remove(connection: &mut Connection, user: UserId) -> Result<bool, StoreError> {
    let id = StoredId::new(user.as_uuid());
    let removed = diesel::delete(totp::table.find(id))
        .execute(connection)
        .await
        .or_unavailable()?;
    note_removed(connection, user).await?;
    Ok(removed == 1)
}

/// Without a second factor left, takes the recovery codes away, and no session counts as begun with one any more.
pub(super) async fn note_removed(connection: &mut Connection, user: UserId) -> Result<(), StoreError> {
    if of(connection, user).await?.is_enrolled() {
        return Ok(());
    }
    replace_codes(connection, user, &[]).await.or_unavailable()?;
    sessions::without_second_factor(connection, user)
        .await
        .or_unavailable()
}

/// Gives the person the recovery codes, if the second factor that is being added is the first.
pub(super) async fn note_added(
    connection: &mut Connection,
    user: UserId,
    before: &Factors,
    digests: &[RecoveryCodeDigest],
) -> Result<FactorAdded, StoreError> {
    if before.is_enrolled() {
        return Ok(FactorAdded::Another);
    }
    replace_codes(connection, user, digests).await.or_unavailable()?;
    Ok(FactorAdded::First)
}

/// Gives the person these recovery codes and no others.
pub(super) async fn replace_codes(
    connection: &mut Connection,
    user: UserId,
    digests: &[RecoveryCodeDigest],
) -> QueryResult<()> {
    let id = StoredId::new(user.as_uuid());
    diesel::delete(codes::table.filter(codes::user_id.eq(id)))
        .execute(connection)
        .await?;
    // One by one: on SQLite, diesel knows no batch.
    for digest in digests {
        diesel::insert_into(codes::table)
            .values((
                codes::user_id.eq(id),
                codes::digest.eq(digest.as_bytes().to_vec()),
            ))
            .execute(connection)
            .await?;
    }
    Ok(())
}

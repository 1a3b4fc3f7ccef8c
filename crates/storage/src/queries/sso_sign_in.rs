//! Signing in by an identity provider: what waits, who arrives, and what the provider ends.

use async_trait::async_trait;
use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl,
    dsl::{exists, select},
};
use diesel_async::RunQueryDsl;
use tigertrust_accounts::{
    Conflict, FlowError,
    sso::{Arrival, Arrived, Identity, ProviderLogout, SsoRequest, SsoSignInStore},
};
use tigertrust_credentials::{TokenDigest, ports::StoreError};
use tigertrust_model::{
    Act, AuditAction, AuditEntry, AuditTarget, Chain, ConnectionRef, FieldChange, IdentityId, SessionId,
    UserId,
};

use super::{
    super::Connection,
    Store, Written,
    accounts::everywhere,
    rows::Corrupt,
    schema::{
        passkeys, sessions, sign_in_challenges as challenges, sso_connections as connections,
        sso_identities as identities, sso_requests as requests, users,
    },
    sign_in::lock_user,
    sso_arrival::{self, take_once},
    sso_connections::target,
};
use crate::{
    error::OrUnavailable,
    types::{StoredId, StoredTime},
};

type RequestRow = (Vec<u8>, String, String, Option<StoredId>, StoredTime);
type IdentityRow = (
    StoredId,
    String,
    String,
    String,
    Option<String>,
    StoredTime,
    StoredTime,
);

#[async_trait]
impl SsoSignInStore for Store {
    async fn keep_request(&self, request: SsoRequest) -> Result<(), StoreError> {
        self.write_alone(move |connection| {
            Box::pin(async move {
                diesel::insert_into(requests::table)
                    .values((
                        requests::state.eq(request.state.as_bytes().to_vec()),
                        requests::browser.eq(request.browser.as_bytes().to_vec()),
                        requests::connection.eq(request.connection.to_string()),
                        requests::return_to.eq(request.return_to),
                        requests::link_session_id.eq(request.link.map(|id| StoredId::new(id.as_uuid()))),
                        requests::expires_at.eq(StoredTime::new(request.expires_at)),
                    ))
                    .execute(connection)
                    .await
                    .or_unavailable()
                    .map(|_| ())
            })
        })
        .await
    }

    async fn take_request(
        &self,
        state: TokenDigest,
        browsers: Vec<TokenDigest>,
    ) -> Result<Option<SsoRequest>, StoreError> {
        let browsers: Vec<Vec<u8>> = browsers.iter().map(|token| token.as_bytes().to_vec()).collect();
        let row: Option<RequestRow> = self
            .write_alone(move |connection| {
                Box::pin(async move {
                    let own = requests::table
                        .filter(requests::state.eq(state.as_bytes().to_vec()))
                        .filter(requests::browser.eq_any(browsers));
                    diesel::delete(own)
                        .returning((
                            requests::browser,
                            requests::connection,
                            requests::return_to,
                            requests::link_session_id,
                            requests::expires_at,
                        ))
                        .get_result(connection)
                        .await
                        .optional()
                        .or_unavailable()
                })
            })
            .await?;
        let Some((browser, connection, return_to, link, expires_at)) = row else {
            return Ok(None);
        };
        let corrupt = Corrupt::new("sso_requests", None::<String>);
        let browser = browser.try_into().map_err(|_| corrupt.at("browser"))?;
        let link = link.map(|id| {
            let id = id.read().map(SessionId::from_uuid);
            id.ok_or_else(|| corrupt.at("link_session_id"))
        });
        Ok(Some(SsoRequest {
            state,
            browser: TokenDigest::from_bytes(browser),
            connection: connection.parse().map_err(|_| corrupt.at("connection"))?,
            return_to,
            link: link.transpose()?,
            expires_at: corrupt.time(expires_at, "expires_at")?,
        }))
    }

    async fn arrive(&self, arrival: Arrival) -> Result<Arrived, FlowError> {
        self.write(move |connection| Box::pin(sso_arrival::arrive(connection, arrival)))
            .await
    }

    async fn end_provider_sessions(
        &self,
        act: Act,
        logout: ProviderLogout,
    ) -> Result<Option<u64>, StoreError> {
        self.write_undecided(move |connection| {
            Box::pin(async move {
                if !take_once(connection, &logout.taken).await? {
                    return Ok(Written::quietly(None));
                }
                let entry = AuditEntry::new(AuditAction::SessionEnded, logout.workspace, &act)
                    .on(target(&logout.connection));
                let name = logout.connection.to_string();
                let mut ended = diesel::delete(sessions::table)
                    .filter(sessions::sso_connection.eq(name.clone()))
                    .into_boxed();
                if let Some(subject) = logout.subject {
                    let people: Vec<StoredId> = identities::table
                        .filter(identities::connection.eq(name))
                        .filter(identities::issuer.eq(logout.issuer))
                        .filter(identities::subject.eq(subject))
                        .select(identities::user_id)
                        .load(connection)
                        .await
                        .or_unavailable()?;
                    ended = ended.filter(sessions::user_id.eq_any(people));
                }
                if let Some(session) = logout.provider_session {
                    ended = ended.filter(sessions::sso_provider_session.eq(session));
                }
                let ended = ended.execute(connection).await.or_unavailable()?;
                // Who has not taken the second step yet begins anew: which of these it is, is not worth telling apart.
                diesel::delete(
                    challenges::table.filter(challenges::sso_connection.eq(logout.connection.to_string())),
                )
                .execute(connection)
                .await
                .or_unavailable()?;
                let entry = entry.changing([FieldChange::set("sessions", ended)]);
                let ended = Some(u64::try_from(ended).unwrap_or(u64::MAX));
                Ok(Written::quietly(ended).logging([entry]))
            })
        })
        .await
    }

    async fn list_identities(&self, user: UserId) -> Result<Vec<Identity>, StoreError> {
        self.read(move |connection| Box::pin(identities_of(connection, user)))
            .await
    }

    async fn remove_identity(&self, act: Act, user: UserId, id: IdentityId) -> Result<(), FlowError> {
        self.write(move |connection| {
            Box::pin(async move {
                lock_user(connection, user, None).await?;
                let owner = StoredId::new(user.as_uuid());
                let own = identities::table.filter(identities::user_id.eq(owner));
                let by: Option<String> =
                    diesel::delete(own.filter(identities::id.eq(StoredId::new(id.as_uuid()))))
                        .returning(identities::connection)
                        .get_result(connection)
                        .await
                        .optional()
                        .or_unavailable()?;
                let by = by.ok_or(FlowError::NotFound)?;
                let others: bool = select(exists(own))
                    .get_result(connection)
                    .await
                    .or_unavailable()?;
                let password: Option<Option<String>> = users::table
                    .find(owner)
                    .select(users::password_hash)
                    .first(connection)
                    .await
                    .optional()
                    .or_unavailable()?;
                let passkeys: bool = select(exists(passkeys::table.filter(passkeys::user_id.eq(owner))))
                    .get_result(connection)
                    .await
                    .or_unavailable()?;
                if !others && !passkeys && password.flatten().is_none() {
                    return Err(Conflict::LastWayIn.into());
                }
                let begun = sessions::table
                    .filter(sessions::user_id.eq(owner))
                    .filter(sessions::sso_connection.eq(by.clone()));
                diesel::delete(begun).execute(connection).await.or_unavailable()?;
                let waiting = challenges::table
                    .filter(challenges::user_id.eq(owner))
                    .filter(challenges::sso_connection.eq(by));
                diesel::delete(waiting)
                    .execute(connection)
                    .await
                    .or_unavailable()?;
                let entry = AuditEntry::new(AuditAction::IdentityRemoved, Chain::Instance, &act)
                    .on(AuditTarget::new("identity", id.to_string()));
                Ok(Written::telling(everywhere(connection, user).await?, ()).logging([entry]))
            })
        })
        .await
    }
}

/// The identities that an account is connected with, newest first.
pub(super) async fn identities_of(
    connection: &mut Connection,
    user: UserId,
) -> Result<Vec<Identity>, StoreError> {
    let rows = identities::table
        .filter(identities::user_id.eq(StoredId::new(user.as_uuid())))
        .order(identities::id.desc())
        .select((
            identities::id,
            identities::connection,
            identities::issuer,
            identities::subject,
            identities::email,
            identities::created_at,
            identities::last_used_at,
        ))
        .load::<IdentityRow>(connection)
        .await
        .or_unavailable()?;
    let stored: Vec<StoredId> = rows
        .iter()
        .filter_map(|(_, name, ..)| match name.parse() {
            Ok(ConnectionRef::Stored(id)) => Some(StoredId::new(id.as_uuid())),
            _ => None,
        })
        .collect();
    let names: Vec<(StoredId, String)> = connections::table
        .filter(connections::id.eq_any(stored))
        .select((connections::id, connections::name))
        .load(connection)
        .await
        .or_unavailable()?;
    rows.into_iter()
        .map(|(id, by, issuer, subject, email, created_at, last_used_at)| {
            let id = id.read().map(IdentityId::from_uuid);
            let corrupt = Corrupt::new("sso_identities", id);
            let by: ConnectionRef = by.parse().map_err(|_| corrupt.at("connection"))?;
            let name = names.iter().find(|(known, _)| match by {
                ConnectionRef::Stored(id) => known.read() == Some(id.as_uuid()),
                ConnectionRef::Configured(_) => false,
            });
            Ok(Identity {
                id: id.ok_or_else(|| corrupt.at("id"))?,
                name: name.map(|(_, name)| name.clone()),
                connection: by,
                issuer,
                subject,
                email,
                created_at: corrupt.time(created_at, "created_at")?,
                last_used_at: corrupt.time(last_used_at, "last_used_at")?,
            })
        })
        .collect()
}

//! The identities of providers that an account is connected with, and what providers end.

use tigertrust_credentials::PersonPermit;
use tigertrust_model::{Act, IdentityId, Origin, Principal, UserId};

use super::{
    connection::Connection,
    error::SsoError,
    flows::{OpenedProvider, SsoFlows},
    ports::{Identity, ProviderLogout, TakenOnce},
    sign_in::{SsoRoute, replay_id},
};
use crate::{actor::act_of, sign_in::ensure_fresh};

impl SsoFlows {
    /// The identities that a person's account is connected with, newest first.
    ///
    /// # Errors
    /// [`SsoError`].
    pub async fn identities(&self, user: UserId) -> Result<Vec<Identity>, SsoError> {
        Ok(self.0.store.list_identities(user).await?)
    }

    /// Disconnects one; the sessions that were begun by it end.
    ///
    /// # Errors
    /// [`SsoError`]; it needs a fresh proof, and the last way into an account stays.
    pub async fn disconnect(
        &self,
        person: &PersonPermit,
        id: IdentityId,
        origin: &Origin,
    ) -> Result<(), SsoError> {
        ensure_fresh(person, &*self.0.clock)?;
        let act = act_of(person, origin);
        Ok(self.0.store.remove_identity(act, person.user().id, id).await?)
    }

    /// Ends the sessions that a provider says are over (OpenID Connect Back-Channel Logout 1.0), and returns how many.
    ///
    /// # Errors
    /// [`SsoError`].
    pub async fn end_by_provider(
        &self,
        route: SsoRoute<'_>,
        token: &str,
        origin: Origin,
    ) -> Result<u64, SsoError> {
        let parts = &*self.0;
        let opened = self.opened(route).await?;
        let OpenedProvider::Oidc(settings) = &opened.provider else {
            return Err(SsoError::UnknownConnection);
        };
        let now = parts.clock.now();
        let token = parts.oidc.read_logout_token(settings, token, now).await?;
        let logout = ProviderLogout {
            connection: opened.connection.id.clone(),
            workspace: opened.connection.workspace,
            taken: TakenOnce {
                ids: vec![replay_id(&opened.connection, &token.id)],
                until: token.remembered_until,
            },
            issuer: token.issuer,
            subject: token.subject,
            provider_session: token.provider_session,
        };
        let act = Act {
            by: Principal::Provider(opened.connection.id.to_string()),
            from: origin,
        };
        let ended = parts.store.end_provider_sessions(act, logout).await?;
        ended.ok_or(SsoError::NothingWaits)
    }

    /// What a SAML provider is given of us.
    ///
    /// # Errors
    /// [`SsoError`].
    pub async fn saml_metadata(&self, route: SsoRoute<'_>) -> Result<String, SsoError> {
        let opened = self.opened(route).await?;
        match &opened.provider {
            OpenedProvider::Saml(settings, _) => Ok(self.0.saml.metadata(settings)?),
            OpenedProvider::Oidc(_) => Err(SsoError::UnknownConnection),
        }
    }

    /// Where the browser comes back to from a connection's provider: what is registered there.
    #[must_use]
    pub fn return_address(&self, connection: &Connection) -> String {
        let end = match connection.provider.protocol() {
            super::connection::Protocol::Oidc => "callback",
            super::connection::Protocol::Saml => "acs",
        };
        self.address(connection, end)
    }
}

//! The relying party of OpenID Connect.

mod claims;
mod discovery;
mod id_token;
mod identity;
mod issuer;
mod job_token;
mod jws;
mod logout_token;
mod published;
mod token;

use std::{borrow::Cow, sync::Arc};

use async_trait::async_trait;
use openidconnect::{
    AccessToken, AuthType, AuthorizationCode, ClientId, ClientSecret, CsrfToken, LoginHint, Nonce,
    OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope,
    SubjectIdentifier, TokenResponse, UserInfoError,
    core::{CoreAuthenticationFlow, CoreClientAuthMethod, CoreErrorResponseType, CoreRequestTokenError},
};
use tigertrust_accounts::sso::{
    LogoutToken, OidcCallback, OidcPreset, OidcRelyingParty, OidcRequest, OidcSettings, ProviderError,
    VerifiedIdentity,
};
use tigertrust_model::{Clock, Timestamp};

pub use self::job_token::JobTokenVerifier;
use self::{
    claims::{RegisteredClient, TokenAnswer, UserInfo},
    discovery::{Discovery, Provider},
    token::TokenError,
};
use crate::http::ProviderHttp;

/// The relying party of OpenID Connect: the authorization code flow with PKCE, and back-channel logout.
pub struct RelyingParty {
    discovery: Discovery,
}

impl RelyingParty {
    /// One that speaks with providers through `http`, and takes what they publish for true for an hour of `clock`.
    #[must_use]
    pub fn new(http: ProviderHttp, clock: Arc<dyn Clock>) -> Self {
        Self {
            discovery: Discovery::new(http, clock),
        }
    }

    /// Redeems the code.
    async fn redeem(
        &self,
        client: &RegisteredClient,
        request: &OidcRequest,
        code: &str,
    ) -> Result<TokenAnswer, ProviderError> {
        client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .map_err(|_| unreadable())?
            .set_redirect_uri(Cow::Owned(redirect_url(request)?))
            .set_pkce_verifier(PkceCodeVerifier::new(request.code_verifier.to_string()))
            .request_async(self.discovery.http())
            .await
            .map_err(not_redeemed)
    }

    /// What the userinfo endpoint says, if there is one that does.
    async fn details(
        &self,
        client: &RegisteredClient,
        access_token: &AccessToken,
        subject: &SubjectIdentifier,
    ) -> Result<Option<UserInfo>, ProviderError> {
        let Ok(request) = client.user_info(access_token.clone(), Some(subject.clone())) else {
            return Ok(None);
        };
        let details = request.request_async(self.discovery.http()).await;
        match details {
            Ok(details) => Ok(Some(details)),
            Err(UserInfoError::Request(error)) => Err(error),
            Err(UserInfoError::ClaimsVerification(_)) => Err(ProviderError::Refused(
                "the userinfo endpoint speaks of somebody else".to_owned(),
            )),
            // Access tokens may be for something else: who somebody is, the ID token has said.
            Err(_) => {
                tracing::warn!("the userinfo endpoint does not tell more about who signs in");
                Ok(None)
            }
        }
    }

    /// Checks a token by the keys that are known, and by those of the moment if it names another.
    async fn check<T>(
        &self,
        settings: &OidcSettings,
        provider: &Provider,
        check: impl Fn(&Provider) -> Result<T, TokenError>,
    ) -> Result<T, ProviderError> {
        match check(provider) {
            Err(TokenError::UnknownKey) => {
                Ok(check(&*self.discovery.provider_with_new_keys(settings).await?)?)
            }
            checked => Ok(checked?),
        }
    }
}

#[async_trait]
impl OidcRelyingParty for RelyingParty {
    async fn begin(&self, settings: &OidcSettings, request: &OidcRequest) -> Result<String, ProviderError> {
        let provider = self.discovery.provider(settings).await?;
        let client = client(&provider, settings)?;
        let state = CsrfToken::new(request.state.to_string());
        let nonce = Nonce::new(request.nonce.to_string());
        let mut authorization = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                move || state,
                move || nonce,
            )
            .set_redirect_uri(Cow::Owned(redirect_url(request)?))
            .set_pkce_challenge(code_challenge(request)?)
            .add_scopes(
                settings
                    .scopes
                    .iter()
                    .filter(|scope| *scope != "openid")
                    .cloned()
                    .map(Scope::new),
            );
        if let Some(hint) = &request.login_hint {
            authorization = authorization.set_login_hint(LoginHint::new(hint.clone()));
        }
        if settings.preset == OidcPreset::Google {
            // Which accounts Google offers; what is signed in is checked by the token.
            let domain = match settings.allowed_domains.as_slice() {
                [domain] => domain,
                _ => "*",
            };
            authorization = authorization.add_extra_param("hd", domain);
        }
        let (url, _, _) = authorization.url();
        Ok(url.into())
    }

    async fn finish(
        &self,
        settings: &OidcSettings,
        request: &OidcRequest,
        callback: &OidcCallback,
        now: Timestamp,
    ) -> Result<VerifiedIdentity, ProviderError> {
        let provider = self.discovery.provider(settings).await?;
        check_sender(&provider, settings, callback)?;
        let client = client(&provider, settings)?;
        let answer = self.redeem(&client, request, &callback.code).await?;
        let token = answer
            .id_token()
            .ok_or_else(|| ProviderError::Refused("the provider sent no ID token".to_owned()))?;
        let claims = self
            .check(settings, &provider, |provider| {
                id_token::check(token, provider, settings, &request.nonce, now)
            })
            .await?;

        let details = if identity::is_incomplete(settings, claims) {
            self.details(&client, answer.access_token(), claims.subject())
                .await?
        } else {
            None
        };
        Ok(identity::identity(
            settings,
            &provider.issuer,
            claims,
            details.as_ref(),
        )?)
    }

    async fn read_logout_token(
        &self,
        settings: &OidcSettings,
        token: &str,
        now: Timestamp,
    ) -> Result<LogoutToken, ProviderError> {
        let provider = self.discovery.provider(settings).await?;
        self.check(settings, &provider, |provider| {
            logout_token::check(token, provider, settings, now)
        })
        .await
    }

    async fn probe(&self, settings: &OidcSettings) -> Result<(), ProviderError> {
        let provider = self.discovery.provider_as_it_is(settings).await?;
        client(&provider, settings)?;
        let signs = provider.metadata.id_token_signing_alg_values_supported();
        if !signs
            .iter()
            .any(|algorithm| token::ALGORITHMS.contains(algorithm))
        {
            return Err(ProviderError::Settings(
                "the provider signs by no algorithm that is accepted".to_owned(),
            ));
        }
        if provider.metadata.jwks().keys().is_empty() {
            return Err(ProviderError::Unavailable(
                "the provider publishes no keys".to_owned(),
            ));
        }
        Ok(())
    }
}

/// Whether it is the provider that sent the browser, as far as it says so (RFC 9207 §2.4): before another could get the code.
fn check_sender(
    provider: &Provider,
    settings: &OidcSettings,
    callback: &OidcCallback,
) -> Result<(), ProviderError> {
    let says_so = provider
        .metadata
        .additional_metadata()
        .authorization_response_iss_parameter_supported;
    match &callback.issuer {
        Some(issuer) if !provider.issuer.is(issuer, settings) => Err(ProviderError::Refused(
            "the browser comes from another provider".to_owned(),
        )),
        None if says_so => Err(ProviderError::Refused(
            "the browser does not say from which provider it comes".to_owned(),
        )),
        _ => Ok(()),
    }
}

/// The client that the settings describe, if they can work with what the provider publishes.
fn client(provider: &Provider, settings: &OidcSettings) -> Result<RegisteredClient, ProviderError> {
    provider.issuer.check(settings)?;
    let metadata = &provider.metadata;
    let secret = settings.client_secret.as_ref();
    let client = RegisteredClient::from_provider_metadata(
        metadata.clone(),
        ClientId::new(settings.client_id.clone()),
        secret.map(|secret| ClientSecret::new(secret.expose().to_owned())),
    );
    // Where the metadata is silent, it is the first (OpenID Connect Discovery 1.0 §3).
    let methods = metadata.token_endpoint_auth_methods_supported();
    let takes = |method| methods.is_none_or(|methods| methods.contains(&method));
    if takes(CoreClientAuthMethod::ClientSecretBasic) || secret.is_none() {
        Ok(client.set_auth_type(AuthType::BasicAuth))
    } else if takes(CoreClientAuthMethod::ClientSecretPost) {
        Ok(client.set_auth_type(AuthType::RequestBody))
    } else {
        Err(ProviderError::Settings(
            "the provider takes no client secrets".to_owned(),
        ))
    }
}

fn redirect_url(request: &OidcRequest) -> Result<RedirectUrl, ProviderError> {
    RedirectUrl::new(request.redirect_uri.clone())
        .map_err(|_| ProviderError::Settings("the address to come back to is not a URL".to_owned()))
}

fn code_challenge(request: &OidcRequest) -> Result<PkceCodeChallenge, ProviderError> {
    // The bounds of RFC 7636 §4.1, which the library takes for granted.
    if !(43..=128).contains(&request.code_verifier.len()) {
        return Err(ProviderError::Settings(
            "the code verifier is not of the right length".to_owned(),
        ));
    }
    let verifier = PkceCodeVerifier::new(request.code_verifier.to_string());
    Ok(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
}

fn unreadable() -> ProviderError {
    ProviderError::Refused("the provider's answer to the code cannot be read".to_owned())
}

fn not_redeemed(error: CoreRequestTokenError<ProviderError>) -> ProviderError {
    match error {
        RequestTokenError::Request(error) => error,
        RequestTokenError::ServerResponse(answer) => match answer.error() {
            CoreErrorResponseType::InvalidClient | CoreErrorResponseType::UnauthorizedClient => {
                ProviderError::Settings("the provider does not accept the client id or its secret".to_owned())
            }
            CoreErrorResponseType::InvalidGrant => {
                ProviderError::Refused("the provider does not accept the code".to_owned())
            }
            _ => ProviderError::Refused("the provider does not redeem the code".to_owned()),
        },
        _ => unreadable(),
    }
}

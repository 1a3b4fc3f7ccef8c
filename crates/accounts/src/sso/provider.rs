//! What the flows need of whoever speaks with identity providers.

use std::fmt;

use async_trait::async_trait;
use tigertrust_model::{RandomSource, Timestamp};
use zeroize::Zeroizing;

use super::VerifiedIdentity;

/// Why a provider's answer was not accepted, or none was got. The texts are for whoever runs the server or the connection; they hold
/// neither a credential nor a word of what a stranger sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// What came is not acceptable.
    #[error("{0}")]
    Refused(String),
    /// The connection's settings cannot work.
    #[error("{0}")]
    Settings(String),
    /// The provider did not answer, or not with what it has to.
    #[error("{0}")]
    Unavailable(String),
}

/// What a provider was registered with, to prove that it is us who asks.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientSecret(Zeroizing<String>);

impl ClientSecret {
    /// The secret.
    #[must_use]
    pub fn new(secret: impl Into<String>) -> Self {
        Self(Zeroizing::new(secret.into()))
    }

    /// The secret, to send or to seal.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSecret(…)")
    }
}

/// Providers that have ways of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OidcPreset {
    /// Google Workspace: the domain in `hd` is asked for and checked.
    Google,
    /// Microsoft Entra ID, once Azure AD: a person is known by `tid` and `oid`.
    Azure,
    /// Okta.
    Okta,
    /// Any other.
    Custom,
}

impl OidcPreset {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Google, Self::Azure, Self::Okta, Self::Custom];

    /// As it is stored and written in configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Google => "google",
            Self::Azure => "azure",
            Self::Okta => "okta",
            Self::Custom => "custom",
        }
    }

    /// The one with the name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.as_str() == name)
    }

    /// The issuer, where everybody's is the same.
    #[must_use]
    pub const fn issuer(self) -> Option<&'static str> {
        match self {
            Self::Google => Some("https://accounts.google.com"),
            Self::Azure | Self::Okta | Self::Custom => None,
        }
    }
}

/// How an OpenID provider is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OidcSettings {
    /// Which one it is.
    pub preset: OidcPreset,
    /// Its issuer, exactly as it writes it itself.
    pub issuer: String,
    /// The client id that it knows us by.
    pub client_id: String,
    /// The secret that goes with it; none for a public client.
    pub client_secret: Option<ClientSecret>,
    /// The scopes to ask for beside `openid`.
    pub scopes: Vec<String>,
    /// Google: the domains of which `hd` must be one. Others: what follows the `@` of the address must be one. All if empty,
    /// except for Google, where `hd` must be there all the same.
    pub allowed_domains: Vec<String>,
    /// Azure: the ids of the tenants that may sign in. Needed where the issuer is that of `common` or `organizations`.
    pub tenants: Vec<String>,
    /// The claim with the person's groups.
    pub groups_claim: Option<String>,
}

impl OidcSettings {
    /// The scopes that are asked for where nobody says which: those that say who the person is.
    pub const USUAL_SCOPES: [&str; 2] = ["email", "profile"];
}

/// What one sign-in is bound by. All of it is derived from one secret of the browser, so that nothing has to be stored but digests.
pub struct OidcRequest {
    /// Where the provider sends the browser back to, exactly as registered.
    pub redirect_uri: String,
    /// Comes back with the browser.
    pub state: Zeroizing<String>,
    /// Comes back in the ID token.
    pub nonce: Zeroizing<String>,
    /// What the code is redeemed with (RFC 7636): 64 letters and digits.
    pub code_verifier: Zeroizing<String>,
    /// Who is about to sign in, as far as that is known: to spare the person typing it again.
    pub login_hint: Option<String>,
}

impl fmt::Debug for OidcRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OidcRequest")
            .field("redirect_uri", &self.redirect_uri)
            .finish_non_exhaustive()
    }
}

/// What the browser brought back, after its state was found to be that of a request of this browser.
pub struct OidcCallback {
    /// The code to redeem.
    pub code: Zeroizing<String>,
    /// Who says that it sent the browser (RFC 9207).
    pub issuer: Option<String>,
}

/// What a provider says when it ends sessions (OpenID Connect Back-Channel Logout 1.0 §2.4), checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogoutToken {
    /// As [`VerifiedIdentity::issuer`].
    pub issuer: String,
    /// Whose sessions end; none where one session is named alone.
    pub subject: Option<String>,
    /// Which session ends; none for all of the subject.
    pub provider_session: Option<String>,
    /// The token's own id, which is taken once.
    pub id: String,
    /// Until when its id must be remembered.
    pub remembered_until: Timestamp,
}

/// The relying party of OpenID Connect.
#[async_trait]
pub trait OidcRelyingParty: Send + Sync {
    /// Where to send the browser.
    ///
    /// # Errors
    /// [`ProviderError::Settings`] and [`ProviderError::Unavailable`].
    async fn begin(&self, settings: &OidcSettings, request: &OidcRequest) -> Result<String, ProviderError>;

    /// Redeems the code and checks the ID token.
    ///
    /// # Errors
    /// [`ProviderError`].
    async fn finish(
        &self,
        settings: &OidcSettings,
        request: &OidcRequest,
        callback: &OidcCallback,
        now: Timestamp,
    ) -> Result<VerifiedIdentity, ProviderError>;

    /// Checks a logout token.
    ///
    /// # Errors
    /// [`ProviderError`].
    async fn read_logout_token(
        &self,
        settings: &OidcSettings,
        token: &str,
        now: Timestamp,
    ) -> Result<LogoutToken, ProviderError>;

    /// Asks the provider for its metadata and keys, whether or not they are known already, and says what is wrong with them or the
    /// settings.
    ///
    /// # Errors
    /// [`ProviderError::Settings`] and [`ProviderError::Unavailable`].
    async fn probe(&self, settings: &OidcSettings) -> Result<(), ProviderError>;
}

/// A certificate that an identity provider may sign with. Only its key counts; when it ends is told to people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SamlCertificate {
    /// The certificate, in DER.
    pub der: Vec<u8>,
    /// When it says that it ends.
    pub not_after: Timestamp,
    /// SHA-256 of the DER, in lower-case hexadecimal.
    pub fingerprint: String,
}

/// A SAML identity provider, as its metadata describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SamlIdentityProvider {
    /// Its entity id.
    pub entity_id: String,
    /// Where the browser is sent (binding HTTP-Redirect).
    pub sso_url: String,
    /// What it may sign with: one or more, never none.
    pub certificates: Vec<SamlCertificate>,
}

/// The names of the attributes that say who somebody is; where none is set, the usual names are tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SamlAttributes {
    /// By what the person is known, in place of the NameID.
    pub subject: Option<String>,
    /// The address.
    pub email: Option<String>,
    /// The name.
    pub name: Option<String>,
    /// The groups.
    pub groups: Option<String>,
}

/// What AuthnRequests are signed with.
#[derive(Clone, PartialEq, Eq)]
pub struct SamlSigningKey {
    /// The private key, in PKCS #8.
    pub pkcs8: Zeroizing<Vec<u8>>,
    /// A certificate of its public key, in DER, for the metadata.
    pub certificate: Vec<u8>,
}

impl fmt::Debug for SamlSigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SamlSigningKey(…)")
    }
}

/// How one SAML connection is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SamlSettings {
    /// The identity provider.
    pub provider: SamlIdentityProvider,
    /// Our entity id for this connection: where its metadata is.
    pub entity_id: String,
    /// Where responses are posted to.
    pub acs_url: String,
    /// What requests are signed with; none for requests that are not signed.
    pub signing_key: Option<SamlSigningKey>,
    /// The attributes.
    pub attributes: SamlAttributes,
}

/// What a SAML response says, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SamlAssertion {
    /// Who it is about.
    pub identity: VerifiedIdentity,
    /// The ids of the response and of the assertion. Each is taken once: whoever begins the session stores them.
    pub replay_ids: Vec<String>,
    /// Until when they must be remembered: until they are over, and the skew of clocks.
    pub remembered_until: Timestamp,
}

/// The service provider of SAML 2.0 (Web Browser SSO). It speaks with nobody: the browser carries everything.
pub trait SamlServiceProvider: Send + Sync {
    /// Reads an identity provider's metadata. `entity_id` names the one that is meant; without it there must be one alone.
    ///
    /// # Errors
    /// [`ProviderError::Settings`], which says what is wrong.
    fn read_metadata(
        &self,
        document: &[u8],
        entity_id: Option<&str>,
    ) -> Result<SamlIdentityProvider, ProviderError>;

    /// Where to send the browser: the AuthnRequest by the binding HTTP-Redirect.
    ///
    /// # Errors
    /// [`ProviderError::Settings`].
    fn begin(
        &self,
        settings: &SamlSettings,
        request_id: &str,
        relay_state: &str,
        now: Timestamp,
    ) -> Result<String, ProviderError>;

    /// Checks a response, as the form field `SAMLResponse` brought it. Without the id of a request only a response that
    /// answers none is accepted, and with one only that which answers it.
    ///
    /// # Errors
    /// [`ProviderError::Refused`].
    fn finish(
        &self,
        settings: &SamlSettings,
        response: &str,
        request_id: Option<&str>,
        now: Timestamp,
    ) -> Result<SamlAssertion, ProviderError>;

    /// The metadata that the identity provider is given.
    ///
    /// # Errors
    /// [`ProviderError::Settings`].
    fn metadata(&self, settings: &SamlSettings) -> Result<String, ProviderError>;

    /// Makes a key to sign requests with, and a certificate for it that ends in ten years.
    ///
    /// # Errors
    /// [`ProviderError::Unavailable`] where there is no randomness.
    fn new_signing_key(
        &self,
        common_name: &str,
        random: &dyn RandomSource,
        now: Timestamp,
    ) -> Result<SamlSigningKey, ProviderError>;
}

/// Fetches documents that providers publish.
#[async_trait]
pub trait ProviderDocuments: Send + Sync {
    /// Fetches a document of at most 256 KiB: by https, and neither from an address that is not public nor by way of a redirection.
    ///
    /// # Errors
    /// [`ProviderError::Settings`] for a URL that is not fetched, [`ProviderError::Unavailable`].
    async fn fetch(&self, url: &str) -> Result<Vec<u8>, ProviderError>;
}

/// Looks up what a domain says of itself.
#[async_trait]
pub trait DomainRecords: Send + Sync {
    /// The TXT records of a name, each put together; none where the name has none or does not exist.
    ///
    /// # Errors
    /// [`ProviderError::Unavailable`].
    async fn txt(&self, name: &str) -> Result<Vec<String>, ProviderError>;
}

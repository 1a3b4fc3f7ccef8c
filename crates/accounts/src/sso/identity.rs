//! Who a provider says somebody is.

use std::fmt;

/// Who a provider says somebody is, after everything that can be checked about it was checked. OpenID Connect and SAML both end
/// here, and nothing after this knows which of them it was.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifiedIdentity {
    /// Who says so: the issuer (OpenID Connect; for Azure AD that of the tenant) or the entity id (SAML). With the subject it is the
    /// person's identity; the address never is.
    pub issuer: String,
    /// By what the provider knows the person, the same at every sign-in.
    pub subject: String,
    /// The person's mail address, as the provider wrote it.
    pub email: Option<String>,
    /// Whether the provider says that it has seen that the address is the person's.
    pub email_verified: bool,
    /// What the person is called.
    pub name: Option<String>,
    /// The groups of the provider that the person is in.
    pub groups: Vec<String>,
    /// Whether the provider says that the person proved a second factor (`amr` of RFC 8176, or an authentication context).
    pub second_factor: bool,
    /// The provider's name for this sign-in, by which it may end it: `sid` of OpenID Connect, or `SessionIndex`.
    pub provider_session: Option<String>,
}

/// Personal data stays out of logs.
impl fmt::Debug for VerifiedIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedIdentity")
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

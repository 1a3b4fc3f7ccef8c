//! Single sign-on: people who sign in with what their company has.

mod identity;
mod provider;

pub use self::{
    identity::VerifiedIdentity,
    provider::{
        ClientSecret, DomainRecords, LogoutToken, OidcCallback, OidcPreset, OidcRelyingParty, OidcRequest,
        OidcSettings, ProviderDocuments, ProviderError, SamlAssertion, SamlAttributes, SamlCertificate,
        SamlIdentityProvider, SamlServiceProvider, SamlSettings, SamlSigningKey,
    },
};

//! Single sign-on: the relying party of OpenID Connect and the service provider of SAML.
//!
//! Both end in one [`VerifiedIdentity`](tigertrust_accounts::sso::VerifiedIdentity). They stand behind the ports of
//! [`tigertrust_accounts::sso`] and apart from the flows, so that programs without single sign-on do not build the libraries that
//! they are made of.

pub mod dns;
pub mod http;
pub mod oidc;
pub mod saml;

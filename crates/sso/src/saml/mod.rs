//! The service provider of SAML 2.0.

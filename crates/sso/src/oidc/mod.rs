//! The relying party of OpenID Connect.

//! The service provider of SAML, against responses that other programs signed.

mod attacks;
mod corpus;
mod exchange;
mod identity;
mod metadata;
mod mutations;
mod wrappings;

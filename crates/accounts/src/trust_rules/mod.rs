//! Trust rules: jobs without a key get a short-lived token of one, on the word of whoever runs them.
//!
//! A rule says which issuer's word is taken, and for which jobs. [`TrustRuleFlows::exchange`] finds out whether the token of a job
//! (OpenID Connect Core 1.0 §2) is the issuer's and fulfils a rule; the token that the job then gets is somebody else's to make.

mod error;
mod exchange;
mod flows;
mod ports;
mod well_known;

pub use self::{
    error::{ExchangeError, TokenRefusal},
    exchange::Exchanged,
    flows::{NewTrustRule, TrustRuleFlows, TrustRuleParts},
    ports::{JobTokenError, JobTokens, KeyCheck, MAX_TRUST_RULES, TrustRuleStore, TrustedKey},
};

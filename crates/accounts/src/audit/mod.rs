//! The audit log: who did what, and that nobody has touched it since.

pub mod chain;
mod changes;
#[cfg(feature = "checkpoints")]
mod checkpoint;
mod flows;
mod ports;
mod refusals;
mod tokens;
mod verification;

pub use changes::{
    of_connection, of_domain, of_key, of_new_key, of_new_webhook, of_new_workspace, of_webhook, of_workspace,
};
#[cfg(feature = "checkpoints")]
pub use checkpoint::Checkpoint;
pub use flows::{AuditFlows, AuditPage};
pub use ports::{AuditStore, MAX_PAGE, Segment};
pub use refusals::{LoggedUsage, RefusalLog, RefusedRequest};
pub(crate) use tokens::shortened;
pub use tokens::{IssuedToken, JobOfToken, trust_rule_created, trust_rule_deleted};
pub use verification::{Finding, Landmark, Verified, Verifier};

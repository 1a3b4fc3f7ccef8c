//! The vocabulary of TigerTrust: typed ids, times, API keys, scopes, workspaces, roles and plans.
//!
//! Everything here is a pure value: no I/O, no async, no HTTP, no serialisation. Time and randomness come
//! in through [`Clock`] and [`RandomSource`], so that whoever holds a value also decides what "now" means.

mod api_key;
mod audit;
mod change;
mod clock;
mod id;
mod invitation;
mod key_filter;
mod key_type;
mod permission;
mod random;
mod scope;
mod session;
mod sso;
mod timestamp;
mod trust_rule;
mod usage;
mod user;
mod workspace;

pub use api_key::{
    ApiKey, Creator, KeyDisplay, KeyLimits, KeyReach, KeyState, LastUse, Lifecycle, Metadata, SecretInfo,
    StateError, UnknownCreator, UnknownKeyState,
};
pub use audit::{
    Act, AuditAction, AuditCursor, AuditEntry, AuditEvent, AuditFilter, AuditOutcome, AuditTarget, Chain,
    ChainHead, FieldChange, PersonalFields, Principal, UnknownAction, UnknownAuditOutcome, UnknownChain,
    UnknownCursor,
};
pub use change::{Change, Entity};
pub use clock::{Clock, Moment};
pub use id::{
    ConnectionId, EventId, IdError, IdentityId, InvitationId, KeyId, NodeId, PasskeyId, SessionId, TokenId,
    TrustRuleId, UserId, WebhookId, WorkspaceId,
};
pub use invitation::Invitation;
pub use key_filter::KeyFilter;
pub use key_type::{KeyType, KeyTypes, UnknownKeyType};
pub use random::{RandomError, RandomSource};
pub use scope::{CatalogError, Scope, ScopeCatalog, ScopeDefinition, ScopeError, ScopeSet, management};
pub use session::{Origin, Session};
pub use sso::{ConnectionRef, SsoSession, UnknownConnection};
pub use timestamp::Timestamp;
pub use trust_rule::{
    ClaimConditions, ClaimConditionsError, ClaimPattern, ClaimPatternError, Job, JobClaims, TrustMismatch,
    TrustRule,
};
pub use usage::{Granularity, Outcome, UnknownGranularity, UnknownOutcome};
pub use user::{Email, EmailError, User};
pub use workspace::{LeakResponse, Plan, PlanError, Role, UnknownLeakResponse, UnknownRole, Workspace};

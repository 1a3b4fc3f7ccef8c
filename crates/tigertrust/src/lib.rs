#![doc = include_str!("guide.md")]

#[cfg(feature = "actix")]
pub mod actix;
mod background;
mod builder;
mod error;
mod instance;
mod limits;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "webhooks")]
pub mod webhooks;

pub use builder::Builder;
pub use error::BuildError;
pub use instance::TigerTrust;

/// Single sign-on: connections with identity providers, and the domains whose people they vouch for.
#[cfg(feature = "sso")]
pub use tigertrust_accounts::sso;
pub use tigertrust_accounts::{
    Actor, Bootstrapped, Conflict, CreatedOnce, Finding, FlowError, ForeignKey, HygieneFlows, HygieneReport,
    HygieneSettings, IdempotencyKey, ImportInto, Imported, IssuedKey, KeyChanges, KeyFinding, KeyFlows,
    KeyUsage, LeakPolicy, LeakResponse, MemberFlows, NewKey, NewMember, NewUser, NewWorkspace, OwnerRequest,
    PersonRef, ReachRequest, RotatedKey, Usage, UsageBucket, UsageByKey, UsageFlows, UsageRange,
    UsageRangeError, UsageRetention, UserFlows, Violation, WorkspaceChanges, WorkspaceFlows,
    ports::{KeyDetails, Member, Page},
};
pub use tigertrust_credentials::{
    AuthError, CacheSettings, Charge, HeaderValues, KeyFormat, KeyFormatError, KeyFormats, KeyLength,
    KeySecret, Need, OsRandom, Password, PasswordCost, PasswordCostError, PasswordPolicy,
    PasswordPolicyError, Pepper, PepperError, PepperRing, Permit, Presented, RateLimits, Refusal,
    SystemClock, Unauthorized, Verdict, Verification, WorkspaceNeed,
    ports::{KeyOwner, KeyRecord, StoreError},
};
/// Keys, scopes, workspaces and people, as values: those that the interface of this crate is made of, and the others.
pub use tigertrust_model as model;
pub use tigertrust_model::{
    ApiKey, Clock, Email, Granularity, KeyFilter, KeyId, KeyReach, KeyState, KeyType, KeyTypes, LastUse,
    Metadata, Outcome, Plan, RandomError, RandomSource, Role, Scope, ScopeCatalog, ScopeDefinition, ScopeSet,
    SecretInfo, Timestamp, User, UserId, Workspace, WorkspaceId,
};
/// Mail to people: what it says, and the ways it goes.
pub use tigertrust_notify as mail;
/// How often keys may be used.
pub use tigertrust_rate_limit as rate_limit;
pub use tigertrust_storage::{DatabaseUrl, DatabaseUrlError, Options, SchemaState, Storage, migrations};

#![doc = include_str!("guide.md")]

#[cfg(feature = "actix")]
pub mod actix;
#[cfg(feature = "answers")]
mod admitted;
#[cfg(feature = "storage")]
mod background;
#[cfg(feature = "storage")]
mod builder;
mod error;
mod gate;
#[cfg(feature = "answers")]
mod guard;
#[cfg(feature = "storage")]
mod instance;
#[cfg(feature = "storage")]
mod key_uses;
#[cfg(feature = "storage")]
mod limits;
mod needs;
#[cfg(any(feature = "actix", feature = "axum"))]
mod permitted;
#[cfg(feature = "storage")]
mod presence;
#[cfg(feature = "answers")]
mod rejection;
#[cfg(feature = "server")]
pub mod server;
mod settings;
#[cfg(feature = "tower")]
pub mod tower;
#[cfg(feature = "webhooks")]
pub mod webhooks;

#[cfg(feature = "storage")]
pub use builder::Builder;
pub use error::BuildError;
pub use gate::{Changes, Gate, GateBuilder};
#[cfg(feature = "storage")]
pub use instance::TigerTrust;
pub use needs::Needs;
#[doc(hidden)]
pub use needs::{is_scope, need_in_workspace, need_of_scope};
pub use settings::generate_pepper;
#[cfg(feature = "answers")]
pub use {admitted::Admitted, rejection::Rejection};

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
    SteadyClock, SystemClock, Unauthorized, Verdict, Verification, WorkspaceNeed,
    ports::{KeyOwner, KeyRecord, StoreError},
};
/// What the checks need of a store: implement [`CredentialStore`](ports::CredentialStore) to bring one of your own to [`Gate::over`].
pub mod ports {
    pub use async_trait::async_trait;
    pub use tigertrust_credentials::{
        KeyDigest,
        ports::{
            CredentialStore, KeyOwner, KeyRecord, ScopeUse, StoreError, UsageBatch, UsageCount, UsageStore,
            UseStore,
        },
    };
}
/// Keys, scopes, workspaces and people, as values: those that the interface of this crate is made of, and the others.
pub use tigertrust_model as model;
pub use tigertrust_model::{
    ApiKey, Clock, Email, Entity, Granularity, KeyFilter, KeyId, KeyReach, KeyState, KeyType, KeyTypes,
    LastUse, Metadata, Outcome, Plan, RandomError, RandomSource, Role, Scope, ScopeCatalog, ScopeDefinition,
    ScopeSet, SecretInfo, Timestamp, User, UserId, Workspace, WorkspaceId,
};
/// Mail to people: what it says, and the ways it goes.
#[cfg(feature = "mail")]
pub use tigertrust_notify as mail;
/// How often keys may be used.
pub use tigertrust_rate_limit as rate_limit;
#[cfg(feature = "storage")]
pub use tigertrust_storage::{DatabaseUrl, DatabaseUrlError, Options, SchemaState, Storage, migrations};

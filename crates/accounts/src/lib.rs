//! What changes: the life-cycle of keys, workspaces and people.
//!
//! Each flow is one unit of work: it checks what it was given, decides on pure values of the model, and hands the
//! result to a port that stores it in one transaction together with its change number. Flows know neither HTTP nor
//! SQL; [`ports`] is what they need of storage.

mod actor;
pub mod audit;
mod error;
mod hex;
mod hygiene;
mod hygiene_review;
mod idempotency;
mod import;
mod invitations;
mod key_edit;
mod keys;
mod leaks;
mod members;
mod new_key;
mod notice;
pub mod passkeys;
pub mod ports;
mod profile;
mod rfc3339;
mod sign_in;
pub mod sso;
mod stewards;
pub mod trust_rules;
mod usage;
mod users;
mod validation;
pub mod webhooks;
mod workspaces;

pub use actor::Actor;
pub use error::{Conflict, FlowError, Violation};
pub use hex::{from_hex, to_hex};
pub use hygiene::{Finding, HygieneFlows, HygieneReport, HygieneSettings, KeyFinding};
pub use hygiene_review::{HygieneReviews, HygieneTally};
pub use idempotency::{Earlier, IdempotencyKey, KEPT, MalformedIdempotencyKey, OnceOnly};
pub use import::{ForeignKey, ImportInto, Imported, MAX_IMPORT};
pub use invitations::{
    Acceptance, Accepted, AccountToMake, INVITATION_LIVES, InvitationError, InvitationFlows,
    IssuedInvitation, NewInvitation,
};
pub use keys::{CreatedOnce, IssuedKey, KeyFlows, RotatedKey};
pub use leaks::LeakPolicy;
pub use members::{MemberFlows, NewMember, PersonRef};
pub use new_key::{KeyChanges, NewKey, OwnerRequest, ReachRequest};
pub use notice::{Circumstances, Notice, Notifier, RemainingFactors, TellsNobody};
pub use profile::{ProfileChanges, ProfileFlows};
pub use rfc3339::{format_rfc3339, parse_rfc3339};
pub use sign_in::{
    BegunSession, FAILURES_COUNT_FOR, From, HeldFactors, LoggedIn, Login, NewTotp, RecoveryCodes,
    RenewedSession, SecondFactorMethods, SessionSettings, SignInError, SignInFlows, SignInParts,
};
pub use stewards::Stewards;
pub use tigertrust_model::LeakResponse;
pub use usage::{
    KeyUsage, LastScopeUse, MAX_USAGE_BUCKETS, Outcomes, Usage, UsageBucket, UsageByKey, UsageFlows,
    UsageRange, UsageRangeError, UsageRetention,
};
pub use users::{NewUser, UserFlows};
pub use workspaces::{Bootstrapped, NewWorkspace, WorkspaceChanges, WorkspaceFlows};

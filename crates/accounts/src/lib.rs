//! What changes: the life-cycle of keys, workspaces and people.
//!
//! Each flow is one unit of work: it checks what it was given, decides on pure values of the model, and hands the
//! result to a port that stores it in one transaction together with its change number. Flows know neither HTTP nor
//! SQL; [`ports`] is what they need of storage.

mod actor;
mod error;
mod idempotency;
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
mod sign_in;
pub mod sso;
mod users;
mod validation;
pub mod webhooks;
mod workspaces;

pub use actor::Actor;
pub use error::{Conflict, FlowError, Violation};
pub use idempotency::{Earlier, IdempotencyKey, KEPT, MalformedIdempotencyKey, OnceOnly};
pub use invitations::{
    Acceptance, Accepted, AccountToMake, INVITATION_LIVES, InvitationError, InvitationFlows,
    IssuedInvitation, NewInvitation,
};
pub use keys::{CreatedOnce, IssuedKey, KeyFlows, RotatedKey};
pub use leaks::{LeakPolicy, LeakResponse};
pub use members::{MemberFlows, NewMember, PersonRef};
pub use new_key::{KeyChanges, NewKey, OwnerRequest, ReachRequest};
pub use notice::{Circumstances, Notice, Notifier, RemainingFactors, TellsNobody};
pub use profile::{ProfileChanges, ProfileFlows};
pub use sign_in::{
    BegunSession, FAILURES_COUNT_FOR, From, LoggedIn, Login, NewTotp, RecoveryCodes, RenewedSession,
    SecondFactorMethods, SessionSettings, SignInError, SignInFlows, SignInParts,
};
pub use users::{NewUser, UserFlows};
pub use workspaces::{Bootstrapped, NewWorkspace, WorkspaceChanges, WorkspaceFlows};

//! What changes: the life-cycle of keys, workspaces and people.
//!
//! Each flow is one unit of work: it checks what it was given, decides on pure values of the model, and hands the
//! result to a port that stores it in one transaction together with its change number. Flows know neither HTTP nor
//! SQL; [`ports`] is what they need of storage.

mod actor;
mod error;
mod key_edit;
mod keys;
pub mod ports;
mod users;
mod validation;
mod workspaces;

pub use actor::Actor;
pub use error::{Conflict, FlowError, Violation};
pub use keys::{IssuedKey, KeyChanges, KeyFlows, NewKey, ReachRequest, RotatedKey};
pub use users::{NewUser, UserFlows};
pub use workspaces::{Bootstrapped, WorkspaceFlows};

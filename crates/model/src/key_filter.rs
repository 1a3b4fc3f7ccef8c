//! Which keys of a list are wanted.

use crate::{KeyState, KeyType, Timestamp};

/// Which keys of a list are wanted: those that fulfil all that is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyFilter {
    /// In this state, at the given time.
    pub state: Option<(KeyState, Timestamp)>,
    /// Of this type.
    pub kind: Option<KeyType>,
    /// Whose name holds the text (the case of ASCII letters aside), or whose secret begins with it.
    pub text: Option<String>,
    /// With this external id.
    pub external_id: Option<String>,
    /// Made before this time, and not used since.
    pub unused_since: Option<Timestamp>,
}

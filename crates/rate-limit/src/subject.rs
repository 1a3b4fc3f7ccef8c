//! Whose spends are counted together.

use std::fmt;

use tigertrust_model::{KeyId, SessionId};
use uuid::Uuid;

/// Whose spends are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A key: both secrets of a rotation, and whatever is edited.
    Key(KeyId),
    /// A key as the caller of `verify`, which has a quota of its own.
    Verifier(KeyId),
    /// Somebody's session.
    Session(SessionId),
}

impl Subject {
    pub(crate) fn bytes(self) -> [u8; 17] {
        let (kind, id) = match self {
            Self::Key(key) => (1, key.as_uuid()),
            Self::Verifier(key) => (2, key.as_uuid()),
            Self::Session(session) => (3, session.as_uuid()),
        };
        let mut bytes = [kind; 17];
        for (place, byte) in bytes.iter_mut().skip(1).zip(id.into_bytes()) {
            *place = byte;
        }
        bytes
    }

    pub(crate) fn from_bytes(bytes: [u8; 17]) -> Option<Self> {
        let [kind, id @ ..] = bytes;
        match kind {
            1 => Some(Self::Key(KeyId::from_uuid(Uuid::from_bytes(id)))),
            2 => Some(Self::Verifier(KeyId::from_uuid(Uuid::from_bytes(id)))),
            3 => Some(Self::Session(SessionId::from_uuid(Uuid::from_bytes(id)))),
            _ => None,
        }
    }
}

/// What the subject is called where nodes share limits.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => write!(f, "{key}"),
            Self::Verifier(key) => write!(f, "{key}/verify"),
            Self::Session(session) => write!(f, "{session}"),
        }
    }
}

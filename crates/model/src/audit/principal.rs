//! Who does something, and from where.

use crate::{Creator, KeyId, Origin, SessionId, UserId};

/// Who does something, and with what credential.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Principal {
    /// Nobody who is known.
    #[default]
    Anonymous,
    /// The server itself, by the clock.
    System,
    /// Whoever has the command line of the server.
    Operator,
    /// A person, in a session.
    User {
        /// Who.
        id: UserId,
        /// The session; none where it has not begun.
        session: Option<SessionId>,
    },
    /// A key.
    Key {
        /// The key.
        id: KeyId,
        /// Whose it is; none for a key of a workspace or of the instance.
        owner: Option<UserId>,
    },
    /// A provider: by SCIM, or where it ends sessions.
    Provider(String),
}

impl Principal {
    /// What kind of principal it is: `anonymous`, `system`, `operator`, `user`, `key` or `provider`. A personal key acts as its
    /// person.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::System => "system",
            Self::Operator => "operator",
            Self::User { .. } | Self::Key { owner: Some(_), .. } => "user",
            Self::Key { owner: None, .. } => "key",
            Self::Provider(_) => "provider",
        }
    }

    /// Its id; none for those who have none.
    #[must_use]
    pub fn id(&self) -> Option<String> {
        match self {
            Self::Anonymous | Self::System | Self::Operator => None,
            Self::User { id, .. } => Some(id.to_string()),
            Self::Key {
                owner: Some(owner), ..
            } => Some(owner.to_string()),
            Self::Key { id, owner: None } => Some(id.to_string()),
            Self::Provider(name) => Some(name.clone()),
        }
    }

    /// The id of the session or key that it presented.
    #[must_use]
    pub fn credential(&self) -> Option<String> {
        match self {
            Self::User { session, .. } => session.map(|session| session.to_string()),
            Self::Key { id, .. } => Some(id.to_string()),
            Self::Anonymous | Self::System | Self::Operator | Self::Provider(_) => None,
        }
    }
}

/// Who does something, and from where: what every act is told to the audit log with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Act {
    /// Who.
    pub by: Principal,
    /// From where.
    pub from: Origin,
}

impl Act {
    /// An act of whoever has the command line.
    #[must_use]
    pub fn of_operator() -> Self {
        Self {
            by: Principal::Operator,
            from: Origin::default(),
        }
    }

    /// An act of the server itself.
    #[must_use]
    pub fn of_system() -> Self {
        Self {
            by: Principal::System,
            from: Origin::default(),
        }
    }

    /// An act of nobody who is known.
    #[must_use]
    pub const fn of_anybody(from: Origin) -> Self {
        Self {
            by: Principal::Anonymous,
            from,
        }
    }

    /// An act of a person.
    #[must_use]
    pub const fn of_person(id: UserId, session: Option<SessionId>, from: Origin) -> Self {
        Self {
            by: Principal::User { id, session },
            from,
        }
    }
}

impl From<Creator> for Principal {
    fn from(creator: Creator) -> Self {
        match creator {
            Creator::Key(id) => Self::Key { id, owner: None },
            Creator::User(id) => Self::User { id, session: None },
            Creator::Operator => Self::Operator,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_personal_key_acts_as_its_person() {
        let (id, owner) = (
            KeyId::from_uuid(uuid::Uuid::nil()),
            UserId::from_uuid(uuid::Uuid::nil()),
        );
        let personal = Principal::Key {
            id,
            owner: Some(owner),
        };
        assert_eq!(
            (personal.kind(), personal.id()),
            ("user", Some(owner.to_string()))
        );
        assert_eq!(personal.credential(), Some(id.to_string()));
    }
}

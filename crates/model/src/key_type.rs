//! The two types of API key.

use std::{fmt, str::FromStr};

/// What kind of caller a key is for. The type is fixed at creation and visible in the key's prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyType {
    /// `ak_…`: agents, services and CI. May hold management scopes.
    Agent,
    /// `ck_…`: clients that cannot keep a secret well. Holds only scopes that allow it.
    Public,
}

impl KeyType {
    /// Both types.
    pub const ALL: [Self; 2] = [Self::Agent, Self::Public];

    /// The name on the wire and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Public => "public",
        }
    }

    /// What a key of this type begins with.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Agent => "ak_",
            Self::Public => "ck_",
        }
    }
}

impl fmt::Display for KeyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no key type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be agent or public")]
pub struct UnknownKeyType;

impl FromStr for KeyType {
    type Err = UnknownKeyType;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or(UnknownKeyType)
    }
}

/// A set of key types: which ones a scope or a route accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyTypes {
    agent: bool,
    public: bool,
}

impl KeyTypes {
    /// Agent keys only.
    pub const AGENT: Self = Self {
        agent: true,
        public: false,
    };
    /// Public keys only.
    pub const PUBLIC: Self = Self {
        agent: false,
        public: true,
    };
    /// Keys of every type.
    pub const ANY: Self = Self {
        agent: true,
        public: true,
    };

    /// The set of exactly one type.
    #[must_use]
    pub const fn only(kind: KeyType) -> Self {
        match kind {
            KeyType::Agent => Self::AGENT,
            KeyType::Public => Self::PUBLIC,
        }
    }

    /// Whether the type is in the set.
    #[must_use]
    pub const fn contains(self, kind: KeyType) -> bool {
        match kind {
            KeyType::Agent => self.agent,
            KeyType::Public => self.public,
        }
    }

    /// The types in the set.
    pub fn iter(self) -> impl Iterator<Item = KeyType> {
        KeyType::ALL.into_iter().filter(move |kind| self.contains(*kind))
    }
}

impl FromIterator<KeyType> for KeyTypes {
    fn from_iter<I: IntoIterator<Item = KeyType>>(kinds: I) -> Self {
        kinds.into_iter().fold(
            Self {
                agent: false,
                public: false,
            },
            |set, kind| Self {
                agent: set.agent || kind == KeyType::Agent,
                public: set.public || kind == KeyType::Public,
            },
        )
    }
}

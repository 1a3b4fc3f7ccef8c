//! API keys: the record, never the secret.

use std::{fmt, net::IpAddr, str::FromStr};

use ipnet::IpNet;

use crate::{KeyId, KeyType, ScopeSet, Timestamp, UserId, WorkspaceId};

/// Where a key may act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyReach {
    /// In its home workspace, which is its default, and in some others.
    Workspaces {
        /// The workspace that owns the key and whose plan it is on.
        home: WorkspaceId,
        /// The other workspaces, in the order of their ids, without the home.
        others: Vec<WorkspaceId>,
    },
    /// In the workspace that each request names: an instance key, for the backend of a platform.
    Instance,
}

impl KeyReach {
    /// A reach with its others sorted, each once, without the home.
    #[must_use]
    pub fn workspaces(home: WorkspaceId, others: impl IntoIterator<Item = WorkspaceId>) -> Self {
        let mut others: Vec<WorkspaceId> = others.into_iter().filter(|id| *id != home).collect();
        others.sort_unstable();
        others.dedup();
        Self::Workspaces { home, others }
    }

    /// The home workspace; none for an instance key.
    #[must_use]
    pub const fn home(&self) -> Option<WorkspaceId> {
        match self {
            Self::Workspaces { home, .. } => Some(*home),
            Self::Instance => None,
        }
    }

    /// Every workspace that the key names, its home first; none for an instance key.
    pub fn named(&self) -> impl Iterator<Item = WorkspaceId> + '_ {
        let others: &[WorkspaceId] = match self {
            Self::Workspaces { others, .. } => others,
            Self::Instance => &[],
        };
        self.home().into_iter().chain(others.iter().copied())
    }
}

/// Who made a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Creator {
    /// Another key.
    Key(KeyId),
    /// A person.
    User(UserId),
    /// Whoever has the command line of the server.
    Operator,
}

impl fmt::Display for Creator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(id) => id.fmt(f),
            Self::User(id) => id.fmt(f),
            Self::Operator => f.write_str("operator"),
        }
    }
}

/// The text names no creator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a key's id, a user's id or operator")]
pub struct UnknownCreator;

impl FromStr for Creator {
    type Err = UnknownCreator;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let key = || text.parse().map(Self::Key);
        let user = || text.parse().map(Self::User);
        if text == "operator" {
            Ok(Self::Operator)
        } else {
            key().or_else(|_| user()).map_err(|_| UnknownCreator)
        }
    }
}

/// What the application that owns the key wants kept with it: a JSON object as text, not looked into here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata(String);

impl Metadata {
    /// Takes a JSON object; whoever reads it off the wire or a row has checked that it is one.
    #[must_use]
    pub const fn from_json_object(text: String) -> Self {
        Self(text)
    }

    /// The JSON object.
    #[must_use]
    pub fn as_json(&self) -> &str {
        &self.0
    }
}

impl Default for Metadata {
    fn default() -> Self {
        Self("{}".to_owned())
    }
}

/// Limits of a key's own, below those of its plan. One that is higher changes nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyLimits {
    /// Calls in the plan's short window.
    pub minute: Option<u32>,
    /// Calls in the plan's long window.
    pub hour: Option<u32>,
}

/// The parts of a secret that may be shown, so that its owner recognises it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyDisplay {
    /// The first 8 characters, prefix included; of an imported key what the export knew of its beginning, at least its prefix,
    /// which may be empty.
    pub start: String,
    /// The last 4 characters; empty where nobody knows them.
    pub last_four: String,
}

impl KeyDisplay {
    /// Whether anything of the secret is known.
    #[must_use]
    pub fn is_known(&self) -> bool {
        !self.start.is_empty() || !self.last_four.is_empty()
    }
}

/// As people read it: the parts with an ellipsis between, or that they are not known.
impl fmt::Display for KeyDisplay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_known() {
            write!(f, "{}…{}", self.start, self.last_four)
        } else {
            f.write_str("not known")
        }
    }
}

/// When a secret was last used, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastUse {
    /// When, to about a second.
    pub at: Timestamp,
    /// The client's address.
    pub address: Option<IpAddr>,
    /// The client's `User-Agent`, cut to 200 characters.
    pub user_agent: Option<String>,
}

/// What is kept of one secret of a key, its digest aside. A key has one, or more while a rotation overlaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretInfo {
    /// What may be shown of it.
    pub display: KeyDisplay,
    /// The id of the format that it is written in.
    pub format: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is refused because another has taken its place.
    pub ends_at: Option<Timestamp>,
    /// When it was last used.
    pub last_use: Option<LastUse>,
}

/// What was decided about a key. Time passes by itself: see [`ApiKey::state`] for expiry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lifecycle {
    /// In use.
    Active,
    /// Switched off, may be switched on again.
    Deactivated,
    /// Ended for good.
    Revoked {
        /// When.
        at: Timestamp,
        /// Why, in the words of whoever did it.
        reason: Option<String>,
    },
}

/// What a key is at a given time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyState {
    /// Accepted.
    Active,
    /// Switched off.
    Deactivated,
    /// Past its expiry.
    Expired,
    /// Ended for good; wins over every other state.
    Revoked,
}

impl KeyState {
    /// All states.
    pub const ALL: [Self; 4] = [Self::Active, Self::Deactivated, Self::Expired, Self::Revoked];

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Deactivated => "deactivated",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

/// The text names no state of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be active, deactivated, expired or revoked")]
pub struct UnknownKeyState;

impl FromStr for KeyState {
    type Err = UnknownKeyState;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or(UnknownKeyState)
    }
}

/// A transition that a key's life does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// Revocation is final.
    #[error("the key is revoked, which is final")]
    Revoked,
}

/// An API key as it is kept: everything but its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// The key's id; it outlives every rotation of the secret.
    pub id: KeyId,
    /// Agent or public; fixed at creation.
    pub kind: KeyType,
    /// What people call it.
    pub name: String,
    /// Where it may act.
    pub reach: KeyReach,
    /// The person that it belongs to: it may never do more than its owner, and ends with the owner's account or membership.
    /// None for a key of the workspace.
    pub owner: Option<UserId>,
    /// What it may do.
    pub scopes: ScopeSet,
    /// What was decided about it.
    pub lifecycle: Lifecycle,
    /// From when on it is refused.
    pub expires_at: Option<Timestamp>,
    /// The networks that it may be used from; everywhere if there is none.
    pub allowed_cidrs: Vec<IpNet>,
    /// Its own limits, where they are lower than its plan's.
    pub limits: KeyLimits,
    /// The name that the owning application knows it by.
    pub external_id: Option<String>,
    /// What the owning application keeps with it.
    pub metadata: Metadata,
    /// What may be shown of its newest secret.
    pub display: KeyDisplay,
    /// Who made it.
    pub created_by: Creator,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last edited.
    pub updated_at: Timestamp,
    /// When somebody first reported that it had leaked.
    pub leak_reported_at: Option<Timestamp>,
}

impl ApiKey {
    /// What the key is at `now`. The expiry itself is already too late.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> KeyState {
        match self.lifecycle {
            Lifecycle::Revoked { .. } => KeyState::Revoked,
            _ if self.expires_at.is_some_and(|expiry| expiry <= now) => KeyState::Expired,
            Lifecycle::Deactivated => KeyState::Deactivated,
            Lifecycle::Active => KeyState::Active,
        }
    }

    /// Whether the key may be used from an address. One that nobody knows is in no network.
    #[must_use]
    pub fn allows_address(&self, client: Option<IpAddr>) -> bool {
        self.allowed_cidrs.is_empty()
            || client
                .map(|address| address.to_canonical())
                .is_some_and(|address| {
                    self.allowed_cidrs
                        .iter()
                        .any(|network| network.contains(&address))
                })
    }

    /// Whether the key may be edited at all.
    ///
    /// # Errors
    /// [`StateError::Revoked`].
    pub const fn ensure_editable(&self) -> Result<(), StateError> {
        match self.lifecycle {
            Lifecycle::Revoked { .. } => Err(StateError::Revoked),
            Lifecycle::Active | Lifecycle::Deactivated => Ok(()),
        }
    }

    /// Switches the key on.
    ///
    /// # Errors
    /// [`StateError::Revoked`].
    pub fn activate(&mut self) -> Result<(), StateError> {
        self.ensure_editable()?;
        self.lifecycle = Lifecycle::Active;
        Ok(())
    }

    /// Switches the key off.
    ///
    /// # Errors
    /// [`StateError::Revoked`].
    pub fn deactivate(&mut self) -> Result<(), StateError> {
        self.ensure_editable()?;
        self.lifecycle = Lifecycle::Deactivated;
        Ok(())
    }

    /// Ends the key for good.
    ///
    /// # Errors
    /// [`StateError::Revoked`] when it has been: the first time and reason stand.
    pub fn revoke(&mut self, at: Timestamp, reason: Option<String>) -> Result<(), StateError> {
        self.ensure_editable()?;
        self.lifecycle = Lifecycle::Revoked { at, reason };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_micros(1_000_000);

    fn key() -> ApiKey {
        ApiKey {
            id: KeyId::from_uuid(Uuid::nil()),
            kind: KeyType::Agent,
            name: "ci".to_owned(),
            reach: KeyReach::Instance,
            owner: None,
            scopes: ScopeSet::default(),
            lifecycle: Lifecycle::Active,
            expires_at: None,
            allowed_cidrs: Vec::new(),
            limits: KeyLimits::default(),
            external_id: None,
            metadata: Metadata::default(),
            display: KeyDisplay {
                start: "ak_00000".to_owned(),
                last_four: "0000".to_owned(),
            },
            created_by: Creator::Operator,
            created_at: NOW,
            updated_at: NOW,
            leak_reported_at: None,
        }
    }

    #[test]
    fn revocation_is_final_and_keeps_its_first_reason() {
        let mut key = key();
        key.revoke(NOW, Some("leaked".to_owned())).unwrap();
        let revoked = key.clone();
        assert_eq!(key.activate(), Err(StateError::Revoked));
        assert_eq!(key.deactivate(), Err(StateError::Revoked));
        assert_eq!(
            key.revoke(NOW.saturating_add(std::time::Duration::from_secs(1)), None),
            Err(StateError::Revoked)
        );
        assert_eq!(key, revoked);
        assert_eq!(key.state(NOW), KeyState::Revoked);
    }

    #[test]
    fn a_key_is_expired_from_its_expiry_on() {
        let mut key = key();
        key.expires_at = Some(NOW);
        assert_eq!(
            key.state(Timestamp::from_unix_micros(NOW.unix_micros() - 1)),
            KeyState::Active
        );
        assert_eq!(key.state(NOW), KeyState::Expired);
        key.deactivate().unwrap();
        assert_eq!(key.state(NOW), KeyState::Expired);
        key.revoke(NOW, None).unwrap();
        assert_eq!(key.state(NOW), KeyState::Revoked);
    }

    #[test]
    fn a_key_with_networks_may_be_used_from_them_alone() {
        let mut key = key();
        assert!(key.allows_address(None));
        key.allowed_cidrs = vec!["192.0.2.0/24".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
        for (address, allowed) in [
            ("192.0.2.255", true),
            ("192.0.3.0", false),
            ("2001:db8::1", true),
            ("::1", false),
        ] {
            assert_eq!(
                key.allows_address(Some(address.parse().unwrap())),
                allowed,
                "{address}"
            );
        }
        assert!(!key.allows_address(None));
    }

    #[test]
    fn a_deactivated_key_can_be_switched_on_again() {
        let mut key = key();
        key.deactivate().unwrap();
        assert_eq!(key.state(NOW), KeyState::Deactivated);
        key.activate().unwrap();
        assert_eq!(key.state(NOW), KeyState::Active);
    }

    #[test]
    fn a_reach_names_each_workspace_once_and_its_home_first() {
        let [a, b, c] = [1_u128, 2, 3].map(|value| WorkspaceId::from_uuid(Uuid::from_u128(value)));
        let reach = KeyReach::workspaces(b, [c, b, a, c]);
        assert_eq!(reach.named().collect::<Vec<_>>(), [b, a, c]);
        assert_eq!(KeyReach::Instance.named().count(), 0);
    }
}

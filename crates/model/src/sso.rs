//! Single sign-on, as far as a session has to know of it.

use std::{fmt, str::FromStr};

use crate::{ConnectionId, WorkspaceId};

/// A connection with an identity provider.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ConnectionRef {
    /// One that a workspace has made.
    Stored(ConnectionId),
    /// One of the whole server, out of its configuration: by its slug.
    Configured(String),
}

/// What is put before the slug of a connection of the server, so that it is never taken for an id.
const CONFIGURED: &str = "server:";

/// The text names no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be the id of a connection, con_…, or server: and a slug")]
pub struct UnknownConnection;

/// As it is stored.
impl fmt::Display for ConnectionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stored(id) => id.fmt(f),
            Self::Configured(slug) => write!(f, "{CONFIGURED}{slug}"),
        }
    }
}

impl FromStr for ConnectionRef {
    type Err = UnknownConnection;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix(CONFIGURED) {
            Some(slug) if !slug.is_empty() => Ok(Self::Configured(slug.to_owned())),
            Some(_) => Err(UnknownConnection),
            None => text.parse().map(Self::Stored).map_err(|_| UnknownConnection),
        }
    }
}

/// What an identity provider has to do with a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SsoSession {
    /// By which connection the person came in.
    pub connection: ConnectionRef,
    /// Whose connection it is; none for one of the whole server.
    pub workspace: Option<WorkspaceId>,
    /// What the provider calls the sign-in, by which it may end it.
    pub provider_session: Option<String>,
    /// Whether the session reaches no more than the workspace: whoever runs a workspace says who its provider is, and must not
    /// come into other workspaces by that.
    pub confined: bool,
    /// Whether a second factor was proved to the provider, and the connection takes its word.
    pub second_factor: bool,
}

impl SsoSession {
    /// The only workspace that the session reaches, if there is one such.
    #[must_use]
    pub fn confined_to(&self) -> Option<WorkspaceId> {
        self.workspace.filter(|_| self.confined)
    }

    /// Whether the provider's word for a second factor counts in a workspace. That of a workspace's own provider counts nowhere else.
    #[must_use]
    pub fn proves_second_factor_in(&self, workspace: WorkspaceId) -> bool {
        self.second_factor && self.workspace.is_none_or(|own| own == workspace)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_connection_reads_as_it_is_written() {
        let stored = ConnectionRef::Stored(ConnectionId::from_uuid(Uuid::from_u128(7)));
        for connection in [stored, ConnectionRef::Configured("google".to_owned())] {
            assert_eq!(connection.to_string().parse(), Ok(connection));
        }
        for text in ["", "google", "server:", "con_x", "ws_00000000000000000000000007"] {
            assert_eq!(text.parse::<ConnectionRef>(), Err(UnknownConnection), "{text}");
        }
    }

    #[test]
    fn what_a_workspace_s_provider_says_of_a_second_factor_counts_there_alone() {
        let workspace = |number| WorkspaceId::from_uuid(Uuid::from_u128(number));
        let sso = |workspace, second_factor| SsoSession {
            connection: ConnectionRef::Configured("google".to_owned()),
            workspace,
            provider_session: None,
            confined: true,
            second_factor,
        };
        let own = sso(Some(workspace(1)), true);
        assert!(own.proves_second_factor_in(workspace(1)));
        assert!(!own.proves_second_factor_in(workspace(2)));
        assert_eq!(own.confined_to(), Some(workspace(1)));
        assert!(sso(None, true).proves_second_factor_in(workspace(2)));
        assert_eq!(sso(None, true).confined_to(), None);
        assert!(!sso(None, false).proves_second_factor_in(workspace(2)));
    }
}

//! Sessions: people who are signed in.

use std::{net::IpAddr, time::Duration};

use crate::{SessionId, SsoSession, Timestamp, UserId, Workspace};

/// How long a proof of the password or a second factor counts as fresh.
const FRESH_FOR: Duration = Duration::from_secs(10 * 60);

/// Where a request comes from, as far as that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The address.
    pub address: Option<IpAddr>,
    /// `User-Agent`, cut to 200 characters.
    pub user_agent: Option<String>,
    /// The id of the request; a session does not remember it.
    pub request_id: Option<String>,
}

/// One person, signed in on one device. Its token is kept as a digest alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The session's id, by which it is listed and ended; it opens nothing.
    pub id: SessionId,
    /// Who is signed in.
    pub user: UserId,
    /// When the person signed in.
    pub created_at: Timestamp,
    /// When it ends, whatever happens.
    pub expires_at: Timestamp,
    /// When it was last used, to a minute.
    pub last_seen_at: Timestamp,
    /// When the person last proved who it is: at sign-in, or since.
    pub proved_at: Timestamp,
    /// Whether a second factor was proved: at sign-in, or since.
    pub second_factor: bool,
    /// Where the person signed in from.
    pub origin: Origin,
    /// What an identity provider had to do with it, if the person came in by one.
    pub sso: Option<SsoSession>,
}

impl Session {
    /// Whether a workspace demands a second factor that was not proved: neither to us nor to a provider whose word counts there.
    #[must_use]
    pub fn lacks_second_factor(&self, workspace: &Workspace) -> bool {
        let vouched = || {
            self.sso
                .as_ref()
                .is_some_and(|sso| sso.proves_second_factor_in(workspace.id))
        };
        workspace.requires_second_factor && !self.second_factor && !vouched()
    }

    /// Whether it reaches all that is its person's: the account itself, and each of its workspaces.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.sso.as_ref().is_none_or(|sso| sso.confined_to().is_none())
    }

    /// Whether it is over: past its life, or not used for longer than `idle_timeout`.
    #[must_use]
    pub fn is_over(&self, now: Timestamp, idle_timeout: Option<Duration>) -> bool {
        self.expires_at <= now
            || idle_timeout.is_some_and(|idle| self.last_seen_at.saturating_add(idle) <= now)
    }

    /// Whether the latest proof is fresh enough for an act that asks for one.
    #[must_use]
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        now < self.proved_at.saturating_add(FRESH_FOR)
    }
}

//! A caller who was let in.

use std::{fmt, net::IpAddr, ops::Deref, sync::Arc};

use tigertrust_accounts::Actor;
use tigertrust_credentials::{AuthError, Permit};
use tigertrust_model::{Origin, Workspace};
use tigertrust_wire::RateLimitHeaders;

use crate::{Gate, Rejection};

/// A caller who was let in: the [`Permit`], and what an adapter knows beside it.
#[derive(Clone)]
pub struct Admitted {
    permit: Arc<Permit>,
    client: Option<IpAddr>,
    gate: Gate,
}

impl Admitted {
    pub(crate) fn new(permit: Permit, client: Option<IpAddr>, gate: Gate) -> Self {
        Self {
            permit: Arc::new(permit),
            client,
            gate,
        }
    }

    /// The workspace that the request acts in.
    ///
    /// # Errors
    /// A 400 for an instance key that named none, on a route that needs none ([`WorkspaceNeed::Optional`]); never
    /// elsewhere.
    ///
    /// [`WorkspaceNeed::Optional`]: crate::WorkspaceNeed::Optional
    pub fn in_workspace(&self) -> Result<&Workspace, Rejection> {
        self.permit
            .workspace()
            .ok_or_else(|| AuthError::WorkspaceMissing.into())
    }

    /// How the caller's limits stand, as headers for the answer: what the server's own API tells on each. None where they were
    /// not asked.
    #[must_use]
    pub fn limit_headers(&self) -> Option<RateLimitHeaders> {
        let limits = self.permit.limits()?;
        Some(RateLimitHeaders::new(limits, self.gate.clock().now()))
    }

    /// The address of the client, if it is known.
    #[must_use]
    pub const fn client(&self) -> Option<IpAddr> {
        self.client
    }

    /// The caller as flows know it: [`KeyFlows`](crate::KeyFlows) then allow what the key allows.
    #[must_use]
    pub fn actor(&self) -> Actor {
        let from = Origin {
            address: self.client,
            ..Origin::default()
        };
        Actor::key(Arc::clone(&self.permit), from)
    }
}

impl Deref for Admitted {
    type Target = Permit;

    fn deref(&self) -> &Permit {
        &self.permit
    }
}

impl fmt::Debug for Admitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Admitted").field(&self.permit).finish()
    }
}

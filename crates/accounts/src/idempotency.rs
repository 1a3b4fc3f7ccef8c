//! Requests that may be sent twice and are acted upon once (draft-ietf-httpapi-idempotency-key-header).

use std::{fmt, time::Duration};

use sha2::{Digest, Sha256};
use tigertrust_model::{Creator, KeyId, Timestamp};

use crate::{Actor, FlowError};

/// How long a request is remembered.
pub const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// The longest name of a request, in bytes.
const MAX_NAME: usize = 255;

/// What a caller names a request by, and what the request asked for.
#[derive(Clone)]
pub struct IdempotencyKey {
    name: String,
    request: Vec<u8>,
}

/// The name cannot be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {MAX_NAME} visible characters of ASCII")]
pub struct MalformedIdempotencyKey;

impl IdempotencyKey {
    /// A name, and the content of the request in a form in which two that ask for the same are equal.
    ///
    /// # Errors
    /// [`MalformedIdempotencyKey`].
    pub fn new(name: &[u8], request: Vec<u8>) -> Result<Self, MalformedIdempotencyKey> {
        let visible = (1..=MAX_NAME).contains(&name.len()) && name.iter().all(u8::is_ascii_graphic);
        let name = String::from_utf8(name.to_vec()).ok().filter(|_| visible);
        Ok(Self {
            name: name.ok_or(MalformedIdempotencyKey)?,
            request,
        })
    }

    /// What is remembered of the request: names are the caller's own, and the workspace belongs to what it asks for.
    pub(crate) fn of(&self, actor: &Actor, at: Timestamp) -> Result<OnceOnly, FlowError> {
        let mut digest = Sha256::new();
        let workspace = actor.view()?.workspace();
        digest.update(workspace.map_or_else(String::new, |id| id.to_string()));
        digest.update(&self.request);
        Ok(OnceOnly {
            caller: actor.creator(),
            name: self.name.clone(),
            request: digest.finalize().into(),
            at,
        })
    }
}

// The request may hold anything.
impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdempotencyKey")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A request as it is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnceOnly {
    /// Who made it.
    pub caller: Creator,
    /// What the caller names it by.
    pub name: String,
    /// SHA-256 of what it asked for.
    pub request: [u8; 32],
    /// When it came in.
    pub at: Timestamp,
}

/// A request of the same caller and name that was acted upon before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Earlier {
    /// SHA-256 of what it asked for.
    pub request: [u8; 32],
    /// The key that was made.
    pub key: KeyId,
}

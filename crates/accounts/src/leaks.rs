//! Keys that somebody found where they should not be.

use tigertrust_credentials::ParsedKey;
use tigertrust_model::{Act, ApiKey, KeyId, KeyType, LeakResponse, Origin};

use crate::{FlowError, KeyFlows, ports::KeyView};

/// What happens to leaked keys, by their type, where their workspace does not say otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeakPolicy {
    /// To agent keys.
    pub agent: LeakResponse,
    /// To public keys.
    pub public: LeakResponse,
}

/// Public keys are found in clients: that is where they are meant to be.
impl Default for LeakPolicy {
    fn default() -> Self {
        Self {
            agent: LeakResponse::Revoke,
            public: LeakResponse::Notify,
        }
    }
}

impl LeakPolicy {
    const fn of(self, kind: KeyType) -> LeakResponse {
        match kind {
            KeyType::Agent => self.agent,
            KeyType::Public => self.public,
        }
    }
}

/// Why a leaked key is revoked.
const REASON: &str = "reported as leaked";

impl KeyFlows {
    /// Acts upon the report that a key has leaked: whoever holds it may report it. Returns the key that was acted upon;
    /// none for one that nobody knows, that is revoked, or that was reported before and is to go on.
    ///
    /// # Errors
    /// [`FlowError::Store`].
    pub async fn report_leak(
        &self,
        key: &str,
        policy: LeakPolicy,
        origin: Origin,
    ) -> Result<Option<(KeyId, LeakResponse)>, FlowError> {
        let Some(Ok(secret)) = ParsedKey::read(key.as_bytes(), &self.formats) else {
            return Ok(None);
        };
        let digests = self.peppers.digests(&secret);
        let Some(record) = self.credentials.find_key(&digests).await? else {
            return Ok(None);
        };
        let now = self.clock.now();
        let ended = record.secret_ends_at.is_some_and(|end| end <= now);
        let of_workspace = record
            .home()
            .and_then(|home| home.leak_response)
            // Public keys are found in clients, where whoever looks could end them.
            .filter(|_| record.key.kind == KeyType::Agent);
        let response = of_workspace.unwrap_or_else(|| policy.of(record.key.kind));
        let acted_upon = record.key.leak_reported_at.is_some() && response == LeakResponse::Notify;
        if ended || acted_upon || record.key.ensure_editable().is_err() {
            return Ok(None);
        }
        let edit = move |key: &mut ApiKey| {
            key.leak_reported_at.get_or_insert(now);
            key.updated_at = now;
            if response == LeakResponse::Revoke {
                key.revoke(now, Some(REASON.to_owned()))?;
            }
            Ok(())
        };
        match self
            .keys
            .edit_key(
                Act::of_anybody(origin),
                KeyView::Everything,
                record.key.id,
                Box::new(edit),
            )
            .await
        {
            Ok(_) => Ok(Some((record.key.id, response))),
            // Somebody was faster.
            Err(FlowError::NotFound | FlowError::Conflict(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

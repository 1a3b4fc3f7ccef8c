//! Taking turns at looking whether audit logs are whole.

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tigertrust_model::Chain;
use tigertrust_wire::{Code, Problem};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::error::ApiError;

/// A long log takes a while to be read: one at a time, and none twice in the queue, so that whoever asks for it again and again
/// makes nobody else wait longer.
pub(crate) struct Verifications {
    turns: Semaphore,
    chains: Mutex<HashSet<Chain>>,
}

/// The turn of a chain; the next one's comes when this is dropped.
#[must_use]
pub struct VerificationTurn<'a> {
    // Gone before the turn is, so that who is told to wait need not wait for others.
    _place: Place<'a>,
    _turn: SemaphorePermit<'a>,
}

/// A chain that is in the queue.
struct Place<'a> {
    of: &'a Verifications,
    chain: Chain,
}

impl Default for Verifications {
    fn default() -> Self {
        Self {
            turns: Semaphore::new(1),
            chains: Mutex::default(),
        }
    }
}

impl Verifications {
    /// Waits for the turn of a chain.
    ///
    /// # Errors
    /// 429 `RATE_LIMITED` if the chain is in the queue already.
    pub(crate) async fn turn(&self, chain: Chain) -> Result<VerificationTurn<'_>, ApiError> {
        if !self.chains().insert(chain) {
            let detail = "This log is being verified already. Wait until that has ended.";
            return Err(Problem::new(Code::RateLimited, detail).into());
        }
        let place = Place { of: self, chain };
        let turn = self.turns.acquire().await;
        Ok(VerificationTurn {
            _place: place,
            // It is never closed.
            _turn: turn.map_err(|_| Problem::unavailable())?,
        })
    }

    fn chains(&self) -> MutexGuard<'_, HashSet<Chain>> {
        self.chains.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.of.chains().remove(&self.chain);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::poll;
    use tigertrust_model::WorkspaceId;

    use super::*;

    #[tokio::test]
    async fn chains_wait_for_each_other_and_none_twice() {
        let verifications = Verifications::default();
        let other = Chain::Workspace(WorkspaceId::from_uuid(uuid::Uuid::nil()));
        let first = verifications.turn(Chain::Instance).await.unwrap();
        let mut second = pin!(verifications.turn(other));
        assert!(poll!(&mut second).is_pending());
        for chain in [Chain::Instance, other] {
            let refused = verifications.turn(chain).await.err().map(|error| error.code());
            assert_eq!(refused, Some(Code::RateLimited));
        }
        drop(first);
        let second = second.await.unwrap();
        drop(second);
        // Whoever goes away while waiting is in the queue no longer.
        let held = verifications.turn(other).await.unwrap();
        {
            let mut waiting = pin!(verifications.turn(Chain::Instance));
            assert!(poll!(&mut waiting).is_pending());
        }
        drop(held);
        drop(verifications.turn(Chain::Instance).await.unwrap());
    }
}

//! That this process runs, and with which secrets: what the others over its database are told.

#[cfg(feature = "server")]
use std::sync::OnceLock;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

#[cfg(feature = "valkey")]
use tigertrust_credentials::RateLimits;
use tigertrust_credentials::{
    EncryptionRing, NODE_LIVES_FOR, NodeNote, PepperRing, RunningRing,
    ports::{SpendStore, StoreError},
};
use tigertrust_model::{Clock, NodeId, Timestamp};

/// How often a process says that it runs.
pub(crate) const BEAT_EVERY: Duration = Duration::from_secs(2);

/// What the API over an instance has of the key ring beside the instance.
#[cfg(feature = "server")]
pub(crate) struct AppRings {
    pub(crate) encryption: Option<EncryptionRing>,
    pub(crate) signing: Option<crate::server::SigningRing>,
}

/// What one process tells of itself. It looks at the secrets that are really in use: they may be replaced at any time.
pub(crate) struct Presence {
    pub(crate) store: Arc<dyn SpendStore>,
    #[cfg(feature = "valkey")]
    pub(crate) limits: Arc<RateLimits>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) node: NodeId,
    pub(crate) name: Option<String>,
    pub(crate) peppers: PepperRing,
    /// What secrets of webhooks are sealed under.
    pub(crate) encryption: Option<EncryptionRing>,
    #[cfg(feature = "server")]
    pub(crate) app: OnceLock<AppRings>,
    /// What was told last, and since when that is so.
    pub(crate) told: Mutex<Option<(RunningRing, Timestamp)>>,
}

impl Presence {
    /// Says that this process runs, and hears how many do.
    pub(crate) async fn beat(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let note = self.note(now);
        let dead_before = now.saturating_sub(NODE_LIVES_FOR);
        // While the database is away the last count stands.
        let alive = self.store.beat(self.node, note, now, dead_before).await?;
        #[cfg(feature = "valkey")]
        self.limits.limiter().set_nodes(alive);
        #[cfg(not(feature = "valkey"))]
        let _ = alive;
        Ok(())
    }

    fn note(&self, now: Timestamp) -> NodeNote {
        let ring = self.ring();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let since = match &*told {
            Some((before, since)) if *before == ring => *since,
            _ => now,
        };
        *told = Some((ring.clone(), since));
        NodeNote {
            name: self.name.clone(),
            ring,
            ring_since: since,
        }
    }

    fn ring(&self) -> RunningRing {
        let encryption = self.encryption.as_ref();
        #[cfg(feature = "server")]
        let encryption = encryption.or_else(|| self.app.get()?.encryption.as_ref());
        #[cfg(feature = "server")]
        let signing_keys = self.app.get().and_then(|app| Some(app.signing.as_ref()?.ids()));
        #[cfg(not(feature = "server"))]
        let signing_keys: Option<Vec<String>> = None;
        RunningRing {
            peppers: self.peppers.ids(),
            encryption_keys: encryption.map(EncryptionRing::ids).unwrap_or_default(),
            signing_keys: signing_keys.unwrap_or_default(),
        }
    }
}

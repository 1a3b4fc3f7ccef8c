//! What lets requests in, whatever the keys are kept in.

mod changes;
mod own_store;

use std::{any::Any, fmt, sync::Arc};

use tigertrust_credentials::{
    Admission, ChangeTracker, HeaderValues, KeyDigest, KeySecret, Need, PepperRing, Permit, Presented,
    RateLimits, Refusal, Verdict, Verification, ports::StoreError,
};
use tigertrust_model::{Clock, KeyType, RandomError, RandomSource, ScopeCatalog};

pub use changes::Changes;
pub use own_store::GateBuilder;

use own_store::Upkeep;

/// What lets requests in: the checks of keys, without what makes and changes them. Every adapter takes one.
///
/// [`TigerTrust::gate`](crate::TigerTrust) has that of an instance, which then lives as long as the gate. [`Gate::over`] makes one over a store
/// of your own, with no database of TigerTrust's. A clone is another handle to the same gate.
#[derive(Clone)]
pub struct Gate {
    parts: Arc<GateParts>,
    /// What the gate belongs to: it lives as long.
    _whole: Option<Arc<dyn Any + Send + Sync>>,
}

/// What a gate is made of.
pub(crate) struct GateParts {
    pub(crate) admission: Arc<Admission>,
    pub(crate) limits: Arc<RateLimits>,
    pub(crate) tracker: Arc<ChangeTracker>,
    pub(crate) catalog: Arc<ScopeCatalog>,
    pub(crate) peppers: PepperRing,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn RandomSource>,
    #[cfg(feature = "answers")]
    pub(crate) outages: tigertrust_credentials::OutageLog,
    /// What has to be done beside the requests, where no instance does it.
    pub(crate) upkeep: Option<Upkeep>,
}

impl Gate {
    fn alone(parts: GateParts) -> Self {
        Self {
            parts: Arc::new(parts),
            _whole: None,
        }
    }

    #[cfg(feature = "storage")]
    pub(crate) fn of(parts: Arc<GateParts>, whole: Arc<dyn Any + Send + Sync>) -> Self {
        Self {
            parts,
            _whole: Some(whole),
        }
    }

    /// Checks what a request presents against what its route needs. A key that is known costs no look-up.
    ///
    /// # Errors
    /// [`Refusal`]: why the caller does not get in, or that the store does not answer.
    pub async fn admit(&self, presented: &Presented<'_>, need: &Need) -> Result<Permit, Refusal> {
        self.parts.admission.admit(presented, need).await
    }

    /// [`admit`](Self::admit) for a caller who presents nothing but a key.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn admit_key(&self, key: &str, need: &Need) -> Result<Permit, Refusal> {
        let presented = Presented {
            agent_api_key: HeaderValues::One(key.as_bytes()),
            ..Presented::default()
        };
        self.admit(&presented, need).await
    }

    /// Says what a key is worth that somebody presented elsewhere, with the reason where it is refused.
    ///
    /// # Errors
    /// [`StoreError`]: a key is neither valid nor not while the store does not answer.
    pub async fn verify(&self, asked: &Verification<'_>) -> Result<Verdict, StoreError> {
        self.parts.admission.verify(asked).await
    }

    /// A new secret, out of 256 random bits, and the digest to store it under: what [`CredentialStore::find_key`] will be asked for. Show
    /// the secret once and do not keep it.
    ///
    /// # Errors
    /// [`RandomError`] when there are no random bytes.
    ///
    /// [`CredentialStore::find_key`]: crate::ports::CredentialStore::find_key
    pub fn new_secret(&self, kind: KeyType) -> Result<(KeySecret, KeyDigest), RandomError> {
        let secret = KeySecret::generate(kind, &*self.parts.random)?;
        let digest = self.parts.peppers.current().digest(&secret.parsed());
        Ok((secret, digest))
    }

    /// The limits of rates, and what has been spent of them.
    #[must_use]
    pub fn limits(&self) -> &RateLimits {
        &self.parts.limits
    }

    /// Which scopes exist.
    #[must_use]
    pub fn catalog(&self) -> &ScopeCatalog {
        &self.parts.catalog
    }

    /// Where its time comes from.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.parts.clock
    }

    /// Whether what is remembered may be trusted. Otherwise every request asks the store.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.parts.tracker.is_fresh()
    }

    /// Stops what runs beside the requests, and stores what waits of how keys were used. For the gate of an instance this does nothing:
    /// the instance is closed.
    pub async fn close(&self) {
        if let Some(upkeep) = &self.parts.upkeep {
            upkeep.close(&self.parts.admission).await;
        }
    }

    #[cfg(feature = "answers")]
    pub(crate) fn parts(&self) -> &GateParts {
        &self.parts
    }
}

impl From<&Self> for Gate {
    fn from(gate: &Self) -> Self {
        gate.clone()
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("admission", &self.parts.admission)
            .finish_non_exhaustive()
    }
}

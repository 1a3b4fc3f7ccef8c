//! What in the database depends on which secret of the key ring.

use std::collections::BTreeMap;

use tigertrust_credentials::ports::StoreError;
use tigertrust_storage::{Dependent, SecretUse, Storage};

use crate::config::{Keyring, SecretKind};

/// What depends on secrets, as it was when it was counted.
pub struct Dependents(Vec<SecretUse>);

/// How many rows depend on one secret, by what they are.
pub type Counts = BTreeMap<&'static str, u64>;

impl Dependents {
    /// Counts rows one by one: for operators, and not for requests.
    pub async fn read(storage: &Storage) -> Result<Self, StoreError> {
        storage.secret_uses().await.map(Self)
    }

    /// The same, where a ring lacks a secret that requests may need; `None` where it lacks none, which takes less to find out.
    pub async fn read_if_missing_in(ring: &Keyring, storage: &Storage) -> Result<Option<Self>, StoreError> {
        let in_use = storage.secrets_in_use().await?;
        let holds = |(dependent, id): &(Dependent, String)| {
            let (kind, _) = named(*dependent);
            ring.ids(kind).any(|held| held == id)
        };
        if in_use.iter().all(holds) {
            return Ok(None);
        }
        Self::read(storage).await.map(Some)
    }

    /// What depends on a secret.
    pub fn on(&self, kind: SecretKind, id: &str) -> Counts {
        let mut counts = Counts::new();
        for used in &self.0 {
            let (of, name) = named(used.dependent);
            if of == kind && used.id == id && used.count > 0 {
                *counts.entry(name).or_default() += used.count;
            }
        }
        counts
    }

    /// The secrets of a kind that something depends on and that a ring does not hold.
    pub fn missing_in(&self, ring: &Keyring, kind: SecretKind) -> Vec<&str> {
        let of_kind = self.0.iter().filter(|used| named(used.dependent).0 == kind);
        let mut ids: Vec<&str> = of_kind
            .filter(|used| used.count > 0)
            .map(|used| used.id.as_str())
            .collect();
        ids.sort_unstable();
        ids.dedup();
        ids.retain(|id| !ring.ids(kind).any(|held| held == *id));
        ids
    }
}

/// Counts in words.
pub fn described(counts: &Counts) -> String {
    let parts = counts.iter().map(|(name, count)| format!("{count} {name}"));
    parts.collect::<Vec<_>>().join(", ")
}

/// Which kind of secret something depends on, and what it is called.
const fn named(dependent: Dependent) -> (SecretKind, &'static str) {
    match dependent {
        Dependent::ApiKey => (SecretKind::Pepper, "keySecrets"),
        Dependent::AuditEvent => (SecretKind::Pepper, "auditEvents"),
        Dependent::AuditHead => (SecretKind::Pepper, "auditChains"),
        Dependent::AuthenticatorApp => (SecretKind::Encryption, "authenticatorApps"),
        Dependent::Connection => (SecretKind::Encryption, "connections"),
        Dependent::Webhook => (SecretKind::Encryption, "webhookSecrets"),
        Dependent::PasskeyChallenge => (SecretKind::Encryption, "passkeyChallenges"),
    }
}

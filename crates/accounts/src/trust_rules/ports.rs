//! What trust rules need of storage, and of whatever verifies the tokens of jobs.

use async_trait::async_trait;
use tigertrust_credentials::{KeyDigest, ports::StoreError};
use tigertrust_model::{Act, ApiKey, Job, KeyId, Timestamp, TrustRule, TrustRuleId, WorkspaceId};

use super::TokenRefusal;
use crate::{FlowError, ports::KeyView};

/// How many rules a key may have.
pub const MAX_TRUST_RULES: usize = 20;

/// Decides inside the transaction, by the key as it is then; an error stores nothing.
pub type KeyCheck = Box<dyn FnOnce(&ApiKey) -> Result<(), FlowError> + Send>;

/// A key that has rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedKey {
    /// Its home; none for a key of the instance.
    pub home: Option<WorkspaceId>,
    /// What its present secret is stored as: what the key is looked up by.
    pub digest: KeyDigest,
    /// Its rules, newest first; never none.
    pub rules: Vec<TrustRule>,
}

/// Trust rules.
#[async_trait]
pub trait TrustRuleStore: Send + Sync {
    /// Stores a rule if `check` agrees with the key.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] if the view does not hold the key, what `check` answers,
    /// [`Conflict::TooManyTrustRules`](crate::Conflict::TooManyTrustRules) and [`FlowError::Store`].
    async fn insert_trust_rule(
        &self,
        act: Act,
        view: KeyView,
        rule: TrustRule,
        check: KeyCheck,
    ) -> Result<(), FlowError>;

    /// The rules of a key, newest first; none where the view does not hold the key.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn list_trust_rules(&self, view: KeyView, key: KeyId)
    -> Result<Option<Vec<TrustRule>>, StoreError>;

    /// Removes a rule of a key, or of whichever key has it, and returns it.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] if the view does not hold its key, or the key has no such rule; and [`FlowError::Store`].
    async fn remove_trust_rule(
        &self,
        act: Act,
        view: KeyView,
        key: Option<KeyId>,
        id: TrustRuleId,
    ) -> Result<TrustRule, FlowError>;

    /// The rules of a key, whoever asks, and what the key is looked up by: one query. None for a key that has none, or that does
    /// not exist.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn find_trusted_key(&self, key: KeyId) -> Result<Option<TrustedKey>, StoreError>;
}

/// Why a token of a job was not verified.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JobTokenError {
    /// It is no good.
    #[error(transparent)]
    Refused(#[from] TokenRefusal),
    /// The issuer's keys are not to be had at present: why, in words for the operator.
    #[error("{0}")]
    Unavailable(String),
}

/// Verifies the tokens of jobs by the keys that their issuers publish.
#[async_trait]
pub trait JobTokens: Send + Sync {
    /// Whether the issuer may be asked, as far as its text shows.
    ///
    /// # Errors
    /// What is wrong with it, in a sentence.
    fn check_issuer(&self, issuer: &str) -> Result<(), String>;

    /// The issuer that a token names. Nothing of it is verified; none for what is no token.
    fn claimed_issuer(&self, token: &str) -> Option<String>;

    /// What a token says, if the issuer has signed it and its time is right. For whom it is, and what job it is of, is not
    /// looked at.
    ///
    /// # Errors
    /// [`JobTokenError`].
    async fn verify(&self, issuer: &str, token: &str, now: Timestamp) -> Result<Job, JobTokenError>;
}

//! Where randomness comes from.

/// A source of cryptographically strong random bytes.
pub trait RandomSource: Send + Sync {
    /// Fills `bytes` with random bytes.
    ///
    /// # Errors
    /// [`RandomError`] when the operating system gives none. The content of `bytes` must not be used then.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError>;
}

/// The operating system gave no random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no random bytes")]
pub struct RandomError;

//! What links in mails need of storage.

use async_trait::async_trait;
use tigertrust_credentials::{PasswordHash, TokenDigest, ports::StoreError};
use tigertrust_model::{Act, Email, SessionId, Timestamp, UserId};

use crate::FlowError;

/// A link that was sent by mail and not used yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailToken {
    /// Whose account it is about.
    pub user: UserId,
    /// The address that it went to, which whoever has it can read the mail of.
    pub email: Email,
    /// From when on it is refused.
    pub expires_at: Timestamp,
}

/// Links in mails. What a token is for is part of its digest.
#[async_trait]
pub trait MailTokenStore: Send + Sync {
    /// Keeps a link, which is dead without the session that asked for it, if there was one. Where there is nobody to have one,
    /// `None` writes as much, so that the time tells nothing; it is never found.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn put_mail_token(
        &self,
        token: TokenDigest,
        of: Option<(UserId, Email)>,
        asked_by: Option<SessionId>,
        expires_at: Timestamp,
    ) -> Result<(), StoreError>;

    /// The link with the token, also one that is past its expiry.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn find_mail_token(&self, token: TokenDigest) -> Result<Option<MailToken>, StoreError>;

    /// Uses up a link to give the account that password. Every session ends, and so do logins that wait and all other
    /// links; devices are forgotten, and the address is proved. Returns whether it was set: not if the link was used up
    /// meanwhile, is past its expiry or went to another address than the account has, or the account is disabled. Of many
    /// at the same time one is.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn reset_password(
        &self,
        act: Act,
        token: TokenDigest,
        user: UserId,
        password: PasswordHash,
        at: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Uses up a link to make the address that it went to the account's, and proved. All other links end. Returns the
    /// address that the account had; none if it did not happen: as for [`reset_password`](Self::reset_password), or because
    /// the session that asked for the link is over: whoever ends the session of a thief ends what the thief began.
    ///
    /// # Errors
    /// [`Conflict::EmailTaken`](crate::Conflict::EmailTaken) where another account has the address, of two that prove it at the
    /// same time for the second; and [`FlowError::Store`].
    async fn verify_email(
        &self,
        act: Act,
        token: TokenDigest,
        user: UserId,
        at: Timestamp,
    ) -> Result<Option<Email>, FlowError>;
}

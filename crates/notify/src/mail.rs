//! A mail, and the port through which mails leave.

use std::fmt;

use async_trait::async_trait;
use tigertrust_model::Email;
use zeroize::Zeroizing;

use crate::harmless;

/// Longer subjects are cut by what shows them.
const MAX_SUBJECT: usize = 78;

/// A mail to one person, in plain text. It may hold a link that lets its reader in: zeroised on drop, and `Debug` shows
/// the subject only.
#[derive(Clone, PartialEq, Eq)]
pub struct Mail {
    to: Email,
    subject: String,
    text: Zeroizing<String>,
}

impl Mail {
    /// A mail. The subject becomes one line.
    #[must_use]
    pub fn new(to: Email, subject: &str, text: Zeroizing<String>) -> Self {
        Self {
            to,
            subject: harmless::one_line(subject, MAX_SUBJECT),
            text,
        }
    }

    /// Whom it goes to.
    #[must_use]
    pub const fn to(&self) -> &Email {
        &self.to
    }

    /// What it is about, in one line.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// What it says.
    #[must_use]
    pub fn reveal_text(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mail({:?})", self.subject)
    }
}

/// Why a mail was not sent. The reason is for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// It will never be accepted: the address does not exist, say. To try again is of no use.
    #[error("the mail was refused: {reason}")]
    Refused {
        /// What the server said.
        reason: String,
    },
    /// The server could not be reached, did not answer in time, does not know us, or asked to come again.
    #[error("the mail server did not take the mail: {reason}")]
    Unavailable {
        /// What went wrong.
        reason: String,
    },
}

/// A way for mails to go.
#[async_trait]
pub trait MailTransport: Send + Sync {
    /// Sends a mail: hands it to a server that answers for it from then on.
    ///
    /// # Errors
    /// [`MailError`].
    async fn send(&self, mail: &Mail) -> Result<(), MailError>;
}

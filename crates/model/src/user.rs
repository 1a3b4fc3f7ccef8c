//! People.

use std::{fmt, str::FromStr};

use crate::{Timestamp, UserId};

/// An e-mail address as its owner wrote it, white space around it and dots at its end removed.
///
/// Only the shape is checked (one `@`, something on both sides, no white space or control characters, at
/// most 254 bytes as RFC 5321 §4.5.3.1.3 allows): whether mail arrives is known only by sending one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email(String);

/// The text is not an e-mail address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an e-mail address such as jo@example.com, of at most 254 bytes")]
pub struct EmailError;

impl Email {
    /// The address as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What follows the `@`, in lower case.
    #[must_use]
    pub fn domain(&self) -> String {
        let domain = self.0.rsplit_once('@').map_or("", |(_, domain)| domain);
        domain.to_lowercase()
    }

    /// The form in which two spellings of one address are equal: lower case throughout. Accounts are unique
    /// by it.
    #[must_use]
    pub fn canonical(&self) -> String {
        self.0.to_lowercase()
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Email {
    type Err = EmailError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Where DNS lets a domain end with a dot, mail does not (RFC 5321 §4.1.2): with one it would be another address.
        let text = text.trim().trim_end_matches('.');
        let shaped = text
            .rsplit_once('@')
            .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !local.contains('@'));
        let clean = !text
            .chars()
            .any(|letter| letter.is_whitespace() || letter.is_control());
        if shaped && clean && text.len() <= 254 {
            Ok(Self(text.to_owned()))
        } else {
            Err(EmailError)
        }
    }
}

/// A person with an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The account's id.
    pub id: UserId,
    /// The address that the person signs in with.
    pub email: Email,
    /// When mail to that address was last proved to arrive; none if it never was.
    pub email_verified_at: Option<Timestamp>,
    /// How the person wants to be called.
    pub name: Option<String>,
    /// When the account was disabled, if it was.
    pub disabled_at: Option<Timestamp>,
    /// When the account was made.
    pub created_at: Timestamp,
}

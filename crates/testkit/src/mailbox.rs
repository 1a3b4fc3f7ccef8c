//! What people are told, kept for a test to look at.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

use tigertrust_accounts::{Notice, Notifier};
use tigertrust_model::Email;
use tigertrust_notify::{Letterhead, Mail};

/// Writes down what people are told, and keeps it: nothing is sent, and nothing takes time.
pub struct Mailbox {
    letterhead: Letterhead,
    mails: Mutex<Vec<Mail>>,
}

impl Default for Mailbox {
    fn default() -> Self {
        Self {
            letterhead: Letterhead::new("TigerTrust", "https://auth.example.com".parse().expect("a URL")),
            mails: Mutex::default(),
        }
    }
}

impl Mailbox {
    /// Takes out what was written to an address, however it is spelled, oldest first.
    #[must_use]
    pub fn take(&self, address: &str) -> Vec<Mail> {
        let mut mails = self.mails.lock().unwrap_or_else(PoisonError::into_inner);
        let canonical = address.to_lowercase();
        mails
            .extract_if(.., |mail| mail.to().canonical() == canonical)
            .collect()
    }

    /// Takes out the only mail to the address since the last look.
    ///
    /// # Panics
    /// If it is not the only one.
    #[must_use]
    pub fn only(&self, address: &str) -> Mail {
        let mut mails = self.take(address);
        assert_eq!(mails.len(), 1, "mails to {address}: {mails:?}");
        mails.remove(0)
    }

    /// The token of the only mail to the address since the last look.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn token(&self, address: &str) -> String {
        let mail = self.only(address);
        let (_, rest) = mail.reveal_text().split_once("#token=").expect("a link");
        rest.split_whitespace().next().expect("a token").to_owned()
    }
}

impl Notifier for Mailbox {
    fn tell(&self, to: Email, notice: Notice) {
        let mail = self.letterhead.write(&to, &notice);
        self.mails
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(mail);
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mailbox")
    }
}

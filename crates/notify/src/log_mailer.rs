//! Mails that go nowhere, for who tries things out.

use std::fmt;

use async_trait::async_trait;

use crate::{Mail, MailError, MailTransport};

/// Hands mails to a function instead of sending them: one that prints them, say. What they hold lets their reader in, so
/// this is for trying things out alone.
pub struct LogMailer(Box<dyn Fn(&Mail) + Send + Sync>);

impl LogMailer {
    /// A transport that hands every mail to `show`.
    pub fn new(show: impl Fn(&Mail) + Send + Sync + 'static) -> Self {
        Self(Box::new(show))
    }
}

#[async_trait]
impl MailTransport for LogMailer {
    async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        (self.0)(mail);
        Ok(())
    }
}

impl fmt::Debug for LogMailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogMailer")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use zeroize::Zeroizing;

    use super::*;

    #[tokio::test]
    async fn every_mail_is_shown() {
        let shown = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&shown);
        let mailer = LogMailer::new(move |mail| sink.lock().unwrap().push(mail.clone()));
        let text = Zeroizing::new("Hello".to_owned());
        let mail = Mail::new("jo@example.com".parse().unwrap(), "Subject", text);
        mailer.send(&mail).await.unwrap();
        assert_eq!(*shown.lock().unwrap(), [mail]);
    }
}

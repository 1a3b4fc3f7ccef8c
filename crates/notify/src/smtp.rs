//! Mails over SMTP (RFC 5321).

use std::{
    error::Error,
    fmt::{self, Write as _},
    str::FromStr,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use async_trait::async_trait;
use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{
        Mailbox,
        header::{ContentType, Header, HeaderName, HeaderValue},
    },
    transport::smtp::{
        authentication::Credentials,
        client::{Tls, TlsParameters},
        extension::ClientId,
    },
};
use tigertrust_model::{Clock, RandomSource};

use crate::{Mail, MailError, MailTransport, SmtpUrl, smtp_url::Protection};

/// Whom mails come from: an address, with a name before it or without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender(Mailbox);

/// The text is not a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an address such as no-reply@example.com or TigerTrust <no-reply@example.com>")]
pub struct SenderError;

impl FromStr for Sender {
    type Err = SenderError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.chars().any(char::is_control) {
            return Err(SenderError);
        }
        text.parse().map(Self).map_err(|_| SenderError)
    }
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// What mails are sent with.
#[derive(Clone, Debug)]
pub struct SmtpSettings {
    /// The server.
    pub url: SmtpUrl,
    /// Whom mails come from.
    pub from: Sender,
    /// How long sending one mail may take.
    pub timeout: Duration,
}

/// TLS cannot be set up: the server's name is none that a certificate could have, or the system has no certificates.
#[derive(Debug, thiserror::Error)]
#[error("TLS to the mail server cannot be set up: {0}")]
pub struct SmtpSetupError(String);

/// Sends mails over SMTP, a connection for each. Certificates are checked against those of the operating system.
pub struct SmtpMailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    timeout: Duration,
    clock: Arc<dyn Clock>,
    random: Arc<dyn RandomSource>,
}

impl SmtpMailer {
    /// A mailer. No connection is made yet.
    ///
    /// # Errors
    /// [`SmtpSetupError`].
    pub fn new(
        settings: SmtpSettings,
        clock: Arc<dyn Clock>,
        random: Arc<dyn RandomSource>,
    ) -> Result<Self, SmtpSetupError> {
        let SmtpSettings { url, from, timeout } = settings;
        let tls = || TlsParameters::new(url.host.clone()).map_err(|error| SmtpSetupError(reason(&error)));
        let tls = match url.protection {
            Protection::Tls => Tls::Wrapper(tls()?),
            Protection::StartTls => Tls::Required(tls()?),
            Protection::None => Tls::None,
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(url.host.as_str())
            .port(url.port)
            .tls(tls)
            .timeout(Some(timeout))
            .hello_name(ClientId::Domain(from.0.email.domain().to_owned()));
        if let Some((user, password)) = url.login {
            builder = builder.credentials(Credentials::new(user, password.as_str().to_owned()));
        }
        Ok(Self {
            transport: builder.build(),
            from: from.0,
            timeout,
            clock,
            random,
        })
    }

    /// Connects with the server as for a mail, TLS and sign-in included, and sends nothing.
    ///
    /// # Errors
    /// [`MailError::Unavailable`], with the reason.
    pub async fn reach(&self) -> Result<(), MailError> {
        let unavailable = |reason| MailError::Unavailable { reason };
        match tokio::time::timeout(self.timeout, self.transport.test_connection()).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err(unavailable("the server does not answer NOOP".to_owned())),
            Ok(Err(error)) => Err(unavailable(reason(&error))),
            Err(_) => Err(unavailable(format!(
                "no answer within {} s",
                self.timeout.as_secs()
            ))),
        }
    }

    fn message(&self, mail: &Mail) -> Result<Message, MailError> {
        let refused = |error: &dyn Error| MailError::Refused {
            reason: reason(error),
        };
        let to: Address = mail.to().as_str().parse().map_err(|error| refused(&error))?;
        let now = u64::try_from(self.clock.now().unix_micros()).unwrap_or(0);
        let mut id = [0; 16];
        self.random
            .fill(&mut id)
            .map_err(|error| MailError::Unavailable {
                reason: reason(&error),
            })?;
        let id = format!("<{:032x}@{}>", u128::from_be_bytes(id), self.from.email.domain());
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(mail.subject())
            .date(UNIX_EPOCH + Duration::from_micros(now))
            .message_id(Some(id))
            .header(AutoSubmitted)
            .header(ContentType::TEXT_PLAIN)
            .body(mail.reveal_text().to_owned())
            .map_err(|error| refused(&error))
    }
}

#[async_trait]
impl MailTransport for SmtpMailer {
    async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        let message = self.message(mail)?;
        // The transport's own limit is for each command.
        match tokio::time::timeout(self.timeout, self.transport.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) if is_final(&error) => Err(MailError::Refused {
                reason: reason(&error),
            }),
            Ok(Err(error)) => Err(MailError::Unavailable {
                reason: reason(&error),
            }),
            Err(_) => Err(MailError::Unavailable {
                reason: format!("no answer within {} s", self.timeout.as_secs()),
            }),
        }
    }
}

impl fmt::Debug for SmtpMailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpMailer")
            .field("from", &self.from)
            .finish_non_exhaustive()
    }
}

/// Replies 530 to 538 (RFC 4954 §6) are about our login, which the operator can mend; the mail itself is not refused.
fn is_final(error: &lettre::transport::smtp::Error) -> bool {
    let about_login = error
        .status()
        .is_some_and(|code| code.to_string().starts_with("53"));
    error.is_permanent() && !about_login
}

/// The error with what caused it, on one line: a server may say anything.
fn reason(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing to a string cannot fail.
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text.chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .take(500)
        .collect()
}

/// `Auto-Submitted: auto-generated` (RFC 3834 §5): no out-of-office note is sent in answer.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_may_have_a_name() {
        for text in ["no-reply@example.com", "TigerTrust <no-reply@example.com>"] {
            assert_eq!(text.parse::<Sender>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "TigerTrust",
            "a@b@c",
            "T\r\nBcc: x@example.com <a@example.com>",
        ] {
            assert_eq!(text.parse::<Sender>(), Err(SenderError), "{text:?}");
        }
    }
}

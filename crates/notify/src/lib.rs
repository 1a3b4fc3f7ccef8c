//! Mail to people: what it says, and the ways it goes.
//!
//! A [`Letterhead`] writes a [`Notice`] into a [`Mail`], a pure function; a [`MailTransport`] sends it: [`SmtpMailer`] over
//! SMTP, [`LogMailer`] to whatever shows a developer what would have been sent.

mod harmless;
mod letterhead;
mod log_mailer;
mod mail;
mod notice;
mod public_url;
mod smtp;
mod smtp_url;
mod wording;

pub use letterhead::Letterhead;
pub use log_mailer::LogMailer;
pub use mail::{Mail, MailError, MailTransport};
pub use notice::{Circumstances, Notice};
pub use public_url::{PublicUrl, PublicUrlError};
pub use smtp::{Sender, SenderError, SmtpMailer, SmtpSettings, SmtpSetupError};
pub use smtp_url::{SmtpUrl, SmtpUrlError};

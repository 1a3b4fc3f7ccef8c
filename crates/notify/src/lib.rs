//! Mail to people: what it says, and the ways it goes.
//!
//! A [`Letterhead`] writes a [`Notice`](tigertrust_accounts::Notice) into a [`Mail`], a pure function; a [`MailTransport`]
//! sends it: `SmtpMailer` over SMTP, [`LogMailer`] to whatever shows a developer what would have been sent. A [`Postman`]
//! does both beside the requests, and tries again where a transport fails.
//!
//! [`webhooks`] are for programs what mail is for people; they come out of an outbox, so that none is lost.

mod harmless;
mod letterhead;
mod log_mailer;
mod mail;
mod postman;
mod public_url;
#[cfg(feature = "smtp")]
mod smtp;
#[cfg(feature = "smtp")]
mod smtp_url;
#[cfg(feature = "webhooks")]
pub mod webhooks;
mod wording;

pub use letterhead::Letterhead;
pub use log_mailer::LogMailer;
pub use mail::{Mail, MailError, MailTransport};
pub use postman::Postman;
pub use public_url::{PublicUrl, PublicUrlError};
#[cfg(feature = "smtp")]
pub use smtp::{Sender, SenderError, SmtpMailer, SmtpSettings, SmtpSetupError};
#[cfg(feature = "smtp")]
pub use smtp_url::{SmtpUrl, SmtpUrlError};

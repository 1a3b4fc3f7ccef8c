//! Settings of mail.

use std::str::FromStr;

use tigertrust::mail::{PublicUrl, Sender, SmtpUrl};

use super::{forms::secret, reader::Reader};

/// What mail is sent with, and what it says of this server.
#[derive(Clone, Debug)]
pub struct MailSettings {
    /// The server of mail, and whom mails come from; none if none are sent.
    pub smtp: Option<(SmtpUrl, Sender)>,
    /// Where people find this service; always there with `smtp`.
    pub public_url: Option<PublicUrl>,
    /// What people know this service as.
    pub service_name: String,
}

impl MailSettings {
    /// Reads them; `issuer` is what authenticator apps call this server.
    pub(super) fn read(reader: &mut Reader, issuer: &str) -> Self {
        let url = secret(
            reader,
            ["mail.smtp_url", "mail.smtp_url_file"],
            "an smtps:// or smtp:// URL",
            SmtpUrl::from_str,
        );
        let from = reader.read(
            "mail.from",
            "an address such as no-reply@example.com or TigerTrust <no-reply@example.com>",
            |text| text.parse().ok(),
        );
        let public_url = reader.read(
            "server.public_url",
            "an address such as https://auth.example.com, with no user, query or fragment",
            |text| text.parse().ok(),
        );
        let service_name = reader.read_or(
            "mail.service_name",
            "1 to 50 characters on one line",
            issuer.to_owned(),
            |text| {
                let named = (1..=50).contains(&text.chars().count()) && !text.chars().any(char::is_control);
                named.then(|| text.to_owned())
            },
        );
        if reader.is_set("mail.smtp_url") || reader.is_set("mail.smtp_url_file") {
            if !reader.is_set("mail.from") {
                let detail = "is needed where mail is sent: set the address that mails come from";
                reader.refuse("mail.from", "default", detail);
            }
            if !reader.is_set("server.public_url") {
                let detail = "is needed where mail is sent: set the address that people find this server at";
                reader.refuse("server.public_url", "default", detail);
            }
        }
        Self {
            smtp: url.zip(from),
            public_url,
            service_name,
        }
    }
}

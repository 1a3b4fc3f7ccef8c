//! From settings to the way that mails go.

use std::{sync::Arc, time::Duration};

use tigertrust::mail::{Letterhead, LogMailer, MailTransport, PublicUrl, SmtpMailer, SmtpSettings};
use tigertrust_credentials::{OsRandom, SystemClock};

use crate::{config::MailSettings, failure::Failure};

/// How long sending one mail may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What mails are written on, and the way that they go.
pub type Mails = (Letterhead, Arc<dyn MailTransport>);

/// Mail over SMTP, where that is set.
pub fn over_smtp(settings: &MailSettings) -> Result<Option<Mails>, Failure> {
    let (Some((url, from)), Some(public_url)) = (&settings.smtp, &settings.public_url) else {
        return Ok(None);
    };
    let smtp = SmtpSettings {
        url: url.clone(),
        from: from.clone(),
        timeout: PATIENCE,
    };
    let mailer = SmtpMailer::new(smtp, Arc::new(SystemClock::new()), Arc::new(OsRandom))
        .map_err(|error| Failure::new(error.to_string()))?;
    let letterhead = Letterhead::new(&settings.service_name, public_url.clone());
    Ok(Some((letterhead, Arc::new(mailer))))
}

/// Mail that is shown in the log instead of being sent: its links let whoever reads them in.
pub fn to_the_log(settings: &MailSettings, found_at: PublicUrl) -> Mails {
    let url = settings.public_url.clone().unwrap_or(found_at);
    let mailer = LogMailer::new(|mail| {
        tracing::info!(
            to = %mail.to(),
            subject = mail.subject(),
            "a mail, which is not sent since mail.smtp_url is not set:\n\n{}",
            mail.reveal_text()
        );
    });
    (Letterhead::new(&settings.service_name, url), Arc::new(mailer))
}

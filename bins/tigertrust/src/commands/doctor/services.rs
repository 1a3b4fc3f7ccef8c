//! What the server speaks with beside its database.

use std::{sync::Arc, time::Duration};

use tigertrust::mail::{MailError, SmtpMailer, SmtpSettings};
use tigertrust_credentials::{OsRandom, SystemClock};

use super::{finding::Finding, line};
use crate::config::Settings;

pub async fn look_at_limits(settings: &Settings) -> Vec<Finding> {
    let about = "rate_limit.url";
    let Some(shared) = &settings.shared_limits else {
        let mend = "Set it to a Valkey or Redis if more than one server runs.";
        return vec![Finding::note(
            about,
            "is not set: each server counts for itself",
            mend,
        )];
    };
    vec![match shared.reach(Arc::new(SystemClock::new())).await {
        Ok(()) => Finding::ok(about, "the store of rate limits answers"),
        Err(why) => Finding::error(
            about,
            format!("the store of rate limits cannot be used: {}", line(&why)),
            "See that it runs, can be reached from here, and takes the user and password of the URL.",
        ),
    }]
}

pub async fn look_at_mail(settings: &Settings, limit: Duration) -> Vec<Finding> {
    let about = "mail.smtp_url";
    let Some((url, from)) = &settings.mail.smtp else {
        return vec![Finding::note(
            about,
            "is not set: nobody can set a forgotten password, prove an address or be invited by mail",
            "Set it, mail.from and server.public_url.",
        )];
    };
    let smtp = SmtpSettings {
        url: url.clone(),
        from: from.clone(),
        timeout: limit,
    };
    let reached = match SmtpMailer::new(smtp, Arc::new(SystemClock::new()), Arc::new(OsRandom)) {
        Ok(mailer) => mailer.reach().await.map_err(|error| match error {
            MailError::Refused { reason } | MailError::Unavailable { reason } => reason,
        }),
        Err(error) => Err(line(&error)),
    };
    vec![match reached {
        Ok(()) => Finding::ok(about, "the mail server takes a connection as for a mail"),
        Err(why) => Finding::error(
            about,
            format!("the mail server cannot be used: {why}"),
            "See that it runs, speaks TLS with a valid certificate, and takes the user and password of the URL.",
        ),
    }]
}

//! Mails over real SMTP.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at once")]

use std::{sync::Arc, time::Duration};

use tigertrust_accounts::Notice;
use tigertrust_credentials::{OsRandom, Token, TokenKind};
use tigertrust_model::{Email, RandomSource};
use tigertrust_notify::{Letterhead, Mail, MailError, MailTransport, SmtpMailer, SmtpSettings};
use tigertrust_testkit::{TestClock, TestMailServer};
use zeroize::Zeroizing;

fn mailer(url: &str, timeout: Duration) -> SmtpMailer {
    let settings = SmtpSettings {
        url: url.parse().unwrap(),
        from: "TigerTrust <no-reply@auth.example.com>".parse().unwrap(),
        timeout,
    };
    SmtpMailer::new(settings, Arc::new(TestClock::default()), Arc::new(OsRandom)).unwrap()
}

/// An address that no other test has.
fn address() -> Email {
    let mut bytes = [0; 8];
    OsRandom.fill(&mut bytes).unwrap();
    format!("jo-{:016x}@example.com", u64::from_be_bytes(bytes))
        .parse()
        .unwrap()
}

const PLENTY: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_mail_arrives_as_it_was_written() {
    let server = TestMailServer::from_environment();
    let to = address();
    let letterhead = Letterhead::new("TigerTrust", "https://auth.example.com".parse().unwrap());
    let mail = letterhead.write(
        &to,
        &Notice::Invitation {
            workspace: "Größe\r\nBcc: all@example.com".to_owned(),
            inviter: Some("Łukasz".to_owned()),
            token: Token::generate(TokenKind::Invitation, &OsRandom).unwrap(),
            valid_for: Duration::from_secs(3600),
        },
    );
    mailer(server.url(), PLENTY).send(&mail).await.unwrap();

    let received = server.mails_to(to.as_str());
    let [received] = received.as_slice() else {
        panic!("{received:?}");
    };
    assert_eq!(received.text.trim_end(), mail.reveal_text().trim_end());
    for line in [
        "From: TigerTrust <no-reply@auth.example.com>".to_owned(),
        format!("To: {to}"),
        "Date: Fri, 15 Jan 2027 08:00:00 +0000".to_owned(),
        "Auto-Submitted: auto-generated".to_owned(),
        "Content-Type: text/plain; charset=utf-8".to_owned(),
    ] {
        assert!(
            received.header.lines().any(|other| other == line),
            "{line}\n{}",
            received.header
        );
    }
    assert!(!received.header.contains("\nBcc:"), "{}", received.header);
    assert!(
        received.header.contains("@auth.example.com>"),
        "{}",
        received.header
    );
}

#[tokio::test]
async fn a_server_without_tls_gets_no_mail_unless_the_operator_said_so() {
    let server = TestMailServer::from_environment();
    let to = address();
    let mail = Mail::new(to.clone(), "Subject", Zeroizing::new("Text".to_owned()));
    let demands_tls = server.url().replace("?tls=none", "");
    let outcome = mailer(&demands_tls, PLENTY).send(&mail).await;
    assert!(
        matches!(outcome, Err(MailError::Unavailable { .. })),
        "{outcome:?}"
    );
    assert!(server.mails_to(to.as_str()).is_empty());
}

#[tokio::test]
async fn an_address_that_smtp_cannot_carry_is_refused_for_good() {
    let server = TestMailServer::from_environment();
    let to: Email = "a@https://evil.example/x".parse().unwrap();
    let mail = Mail::new(to, "Subject", Zeroizing::new("Text".to_owned()));
    let outcome = mailer(server.url(), PLENTY).send(&mail).await;
    assert!(matches!(outcome, Err(MailError::Refused { .. })), "{outcome:?}");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    // It takes connections and never greets.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("smtp://{}?tls=none", silent.local_addr().unwrap());
    let mail = Mail::new(address(), "Subject", Zeroizing::new("Text".to_owned()));
    let outcome = mailer(&url, Duration::from_millis(200)).send(&mail).await;
    assert!(
        matches!(outcome, Err(MailError::Unavailable { .. })),
        "{outcome:?}"
    );
}

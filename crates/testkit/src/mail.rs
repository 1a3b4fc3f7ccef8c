//! The mail server of the tests.

use std::{env, fs, path::PathBuf};

/// The environment variable with the URL of a mail server that delivers nothing.
const SERVER: &str = "TIGERTRUST_TEST_SMTP";
/// The environment variable with the Maildir in which that server puts what it took.
const MAILDIR: &str = "TIGERTRUST_TEST_MAILDIR";

/// A mail server that all tests share, and that delivers nothing. A test tells its own mails by an address of its own.
#[derive(Debug)]
pub struct TestMailServer {
    url: String,
    maildir: PathBuf,
}

/// A mail that the server took.
#[derive(Debug)]
pub struct ReceivedMail {
    /// The header, as it was sent.
    pub header: String,
    /// The text, decoded, its lines ending in `\n`.
    pub text: String,
}

impl TestMailServer {
    /// The server that the environment names.
    #[must_use]
    pub fn from_environment() -> Self {
        let variable = |name| {
            env::var(name).unwrap_or_else(|_| panic!("set {SERVER} and {MAILDIR} or run ./scripts/test"))
        };
        Self {
            url: variable(SERVER),
            maildir: variable(MAILDIR).into(),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it has taken for the address, in no order. A mail is here before its sender is told that it was taken.
    #[must_use]
    pub fn mails_to(&self, address: &str) -> Vec<ReceivedMail> {
        let Ok(files) = fs::read_dir(self.maildir.join("new")) else {
            return Vec::new(); // nothing was taken yet
        };
        files
            .map(|file| fs::read_to_string(file.expect("a file").path()).expect("a mail"))
            .map(|mail| ReceivedMail::read(&mail.replace("\r\n", "\n")))
            .filter(|mail| {
                mail.header
                    .lines()
                    .any(|line| line == format!("X-RcptTo: {address}"))
            })
            .collect()
    }
}

impl ReceivedMail {
    fn read(mail: &str) -> Self {
        let (header, body) = mail.split_once("\n\n").expect("a header and a text");
        let quoted = header.contains("Content-Transfer-Encoding: quoted-printable");
        Self {
            header: header.to_owned(),
            text: if quoted { unquoted(body) } else { body.to_owned() },
        }
    }
}

/// Quoted-printable (RFC 2045 §6.7) read back.
fn unquoted(text: &str) -> String {
    let joined = text.replace("=\n", "");
    let mut parts = joined.split('=');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (code, rest) = part.split_at(2);
        bytes.push(u8::from_str_radix(code, 16).expect("two hexadecimal digits"));
        bytes.extend(rest.as_bytes());
    }
    String::from_utf8(bytes).expect("UTF-8")
}

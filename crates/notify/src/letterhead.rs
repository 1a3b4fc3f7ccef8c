//! What mails say.
//!
//! Plain text alone: it is read by every program, hides no address behind a link, and nothing of it is fetched.

use std::{fmt::Write as _, time::Duration};

use tigertrust_accounts::{Circumstances, HygieneTally, Notice, RemainingFactors, webhooks::DisabledBecause};
use tigertrust_model::Email;
use zeroize::Zeroizing;

use crate::{
    Mail, PublicUrl, harmless,
    wording::{in_words, masked, written},
};

const MAX_NAME: usize = 60;
const MAX_DEVICE: usize = 120;
/// When so few recovery codes are left, their owner is asked to make new ones.
const FEW_CODES: usize = 3;

/// What every mail has in common: the name of the service and where it is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letterhead {
    service: String,
    url: PublicUrl,
}

impl Letterhead {
    /// The pages that links lead to, below the public address, each with the token in its fragment, which no request
    /// carries and no log of one holds: a new password, a verified address, an accepted invitation.
    pub const PASSWORD_RESET_PAGE: [&str; 2] = ["password", "reset"];
    /// See [`PASSWORD_RESET_PAGE`](Self::PASSWORD_RESET_PAGE).
    pub const EMAIL_VERIFICATION_PAGE: [&str; 2] = ["email", "verify"];
    /// See [`PASSWORD_RESET_PAGE`](Self::PASSWORD_RESET_PAGE).
    pub const INVITATION_PAGE: [&str; 2] = ["invitations", "accept"];

    /// The letterhead of a service that people know by this name and find at this address.
    #[must_use]
    pub fn new(service: &str, url: PublicUrl) -> Self {
        Self {
            service: harmless::one_line(service, MAX_NAME),
            url,
        }
    }

    /// Writes a notice to a person.
    #[must_use]
    pub fn write(&self, to: &Email, notice: &Notice) -> Mail {
        let (subject, body) = self.content(to, notice);
        let text = format!(
            "Hello,\n\n{}\n\nThis mail was written by {} at\n{}\n",
            body.trim_end(),
            self.service,
            self.url
        );
        Mail::new(to.clone(), &subject, Zeroizing::new(text))
    }

    fn content(&self, to: &Email, notice: &Notice) -> (String, Zeroizing<String>) {
        let service = &self.service;
        match notice {
            Notice::PasswordReset { token, valid_for } => (
                format!("Set a new password for {service}"),
                self.with_link(
                    &format!(
                        "Somebody, probably you, asked for a new password for the {service} account\n{to}."
                    ),
                    "To set one, follow this link",
                    &Self::PASSWORD_RESET_PAGE,
                    token.reveal(),
                    *valid_for,
                    "If it was not you, there is nothing to do: your password stays as it is.",
                ),
            ),
            Notice::EmailVerification { token, valid_for } => (
                format!("Confirm your e-mail address for {service}"),
                self.with_link(
                    &format!("Somebody, probably you, gave this address to {service}:\n{to}."),
                    "To confirm that it is yours, follow this link",
                    &Self::EMAIL_VERIFICATION_PAGE,
                    token.reveal(),
                    *valid_for,
                    "If it was not you, there is nothing to do: without the link the address is not used.",
                ),
            ),
            Notice::Invitation {
                workspace,
                inviter,
                token,
                valid_for,
            } => {
                let workspace = harmless::name(workspace, MAX_NAME);
                let inviter = inviter
                    .as_deref()
                    .map(|name| harmless::name(name, MAX_NAME))
                    .unwrap_or_default();
                let inviter = if inviter.is_empty() {
                    "You are invited".to_owned()
                } else {
                    format!("{inviter} invites you")
                };
                (
                    format!("Invitation to {workspace} on {service}"),
                    self.with_link(
                        &format!("{inviter} to the workspace \"{workspace}\"\non {service}."),
                        "To join it, follow this link",
                        &Self::INVITATION_PAGE,
                        token.reveal(),
                        *valid_for,
                        "If you do not know who invites you, there is nothing to do.",
                    ),
                )
            }
            Notice::EmailChangeAsked { new, by } => (
                format!("Another e-mail address for your {service} account was asked for"),
                warning(
                    &format!(
                        "Somebody, signed in to your {service} account {to},\nasked for {} in place of this address. \
                         It takes its place\nonce the link that went there is followed.",
                        masked(new)
                    ),
                    by,
                    "If it was not you, end all other sessions at once, which makes that link useless, and\n\
                     set a new password.",
                ),
            ),
            Notice::EmailChanged { new, by } => (
                format!("Your {service} account has another e-mail address"),
                warning(
                    &format!(
                        "Your {service} account now has the address {}\nand no longer this one, {to}.",
                        masked(new)
                    ),
                    by,
                    "If it was not you, somebody else has your account: ask whoever runs this service\n\
                     to give it back to you, and to end all of its sessions.",
                ),
            ),
            Notice::NewDevice { by } => (
                format!("New sign-in to {service}"),
                warning(
                    &format!(
                        "Somebody signed in to your {service} account {to}\non a device that was not seen before."
                    ),
                    by,
                    "If it was not you, set a new password and end all other sessions: somebody else\n\
                     knows your password.",
                ),
            ),
            Notice::PasswordChanged { remaining, by } => (
                format!("Your {service} password was changed"),
                warning(
                    &format!(
                        "The password of your {service} account {to}\nis another one now, and all other sessions have ended.{}",
                        still_there(remaining)
                    ),
                    by,
                    "If it was not you, set a new password at once with \"forgot password\" on the\n\
                     sign-in page.",
                ),
            ),
            Notice::FactorAdded { factor, by } => {
                let factor = harmless::name(factor, MAX_NAME);
                (
                    format!("A second factor was added to your {service} account"),
                    warning(
                        &format!("Your {service} account {to}\ncan now be signed in to with {factor}, too."),
                        by,
                        "If it was not you, remove it, set a new password, and end all other sessions.",
                    ),
                )
            }
            Notice::FactorRemoved { factor, by } => {
                let factor = harmless::name(factor, MAX_NAME);
                (
                    format!("A second factor was removed from your {service} account"),
                    warning(
                        &format!("Your {service} account {to}\ncan no longer be signed in to with {factor}."),
                        by,
                        "If it was not you, set a new password, end all other sessions, and add a second\n\
                         factor again.",
                    ),
                )
            }
            Notice::RecoveryCodesRenewed { by } => (
                format!("Your {service} recovery codes were replaced"),
                warning(
                    &format!(
                        "The recovery codes of your {service} account {to}\nare other ones now, and the old ones count no longer."
                    ),
                    by,
                    "If it was not you, set a new password, make new recovery codes, and end all other\n\
                     sessions.",
                ),
            ),
            Notice::AccountErased { by } => (
                format!("Your {service} account was erased"),
                warning(
                    &format!(
                        "Your {service} account {to}\nis erased for good: all of its sessions have ended, and its keys are revoked."
                    ),
                    by,
                    "If it was not you, ask whoever runs this service what was done.",
                ),
            ),
            Notice::KeysToReview { workspace, tally } => {
                let workspace = harmless::name(workspace, MAX_NAME);
                (
                    format!("API keys of {workspace} to look at"),
                    Zeroizing::new(format!(
                        "Some API keys of the {service} workspace {workspace} are worth a look:\n\n{}\n\
                         GET /api/keys/hygiene, or \"tigertrust key report\", says which ones they are and what\n\
                         to do about each. You get this mail as an owner or admin, and again only when\n\
                         there are more.\n",
                        tallied(*tally)
                    )),
                )
            }
            Notice::WebhookDisabled {
                workspace,
                webhook,
                host,
                because,
            } => {
                let workspace = harmless::name(workspace, MAX_NAME);
                let why = match because {
                    DisabledBecause::Gone => {
                        "its receiver has answered 410, which says that it wants no more"
                    }
                    DisabledBecause::Failing => "for five days nothing has come through to it",
                    DisabledBecause::Asked => "somebody has switched it off",
                };
                (
                    format!("A webhook of {workspace} was disabled"),
                    Zeroizing::new(format!(
                        "A webhook of the {service} workspace {workspace} is disabled now, since\n{why}:\n\n    \
                         {webhook}\n    at {}\n\n\
                         Nothing is kept for it as long as that lasts. \"tigertrust webhook deliveries\", or\n\
                         GET \u{2026}/webhooks/{webhook}/deliveries,\n\
                         says what went wrong. Once the receiver works, enable the webhook again: then it is\n\
                         sent what has waited. You get this mail as an owner or admin.\n",
                        harmless::one_line(host, MAX_DEVICE)
                    )),
                )
            }
            Notice::RecoveryCodeUsed { remaining, by } => {
                let left = match remaining {
                    0 => "None is left: make new ones now, or you cannot sign in without your second factor.",
                    1..=FEW_CODES => "Few are left: make new ones soon.",
                    _ => "Each can be used once.",
                };
                (
                    format!("A recovery code for {service} was used"),
                    warning(
                        &format!(
                            "A recovery code of your {service} account {to}\nwas used in place of a second factor. \
                             Codes left: {remaining}.\n{left}"
                        ),
                        by,
                        "If it was not you, set a new password, make new recovery codes, and end all other\n\
                         sessions.",
                    ),
                )
            }
        }
    }

    fn with_link(
        &self,
        what: &str,
        invitation: &str,
        page: &[&str],
        token: &str,
        valid_for: Duration,
        otherwise: &str,
    ) -> Zeroizing<String> {
        Zeroizing::new(format!(
            "{what}\n\n{invitation} within {}:\n\n{}\n\n{otherwise}",
            in_words(valid_for),
            *Zeroizing::new(self.url.link(page, token))
        ))
    }
}

/// What may be somebody else's, and is not ended by another password; nothing where there is nothing.
/// How many keys there are of each kind, a line each.
fn tallied(tally: HygieneTally) -> String {
    let expiring = match tally.urgent {
        0 => "expire soon".to_owned(),
        urgent => format!("expire soon, {urgent} of them very soon"),
    };
    let lines = [
        (tally.leaked, "were reported as leaked"),
        (tally.expiring, expiring.as_str()),
        (tally.unused, "have not been used for a long time"),
        (tally.over_scoped, "may do more than they are used for"),
        (tally.old, "have an old secret"),
    ];
    lines
        .iter()
        .filter(|(count, _)| *count > 0)
        .fold(String::new(), |mut text, (count, what)| {
            let _ = writeln!(text, "  {count:>5}  {what}");
            text
        })
}

/// What is left beside a password.
fn still_there(remaining: &RemainingFactors) -> String {
    let app = remaining.app.then(|| "an authenticator app".to_owned());
    let passkeys = remaining.passkeys.iter().map(|name| {
        let name = harmless::name(name, MAX_NAME);
        format!("the passkey \"{name}\"")
    });
    let factors: Vec<String> = app.into_iter().chain(passkeys).collect();
    if factors.is_empty() {
        return String::new();
    }
    format!(
        "\nUnchanged beside it:\n\n    {}\n\nRemove what is not yours.",
        factors.join("\n    ")
    )
}

fn warning(what: &str, by: &Circumstances, otherwise: &str) -> Zeroizing<String> {
    let mut text = Zeroizing::new(format!("{what}\n\n    Time     {}\n", written(by.at)));
    // Writing to a string cannot fail.
    if let Some(address) = by.origin.address {
        let _ = writeln!(text, "    Address  {}", address.to_canonical());
    }
    let device = by
        .origin
        .user_agent
        .as_deref()
        .map(|device| harmless::name(device, MAX_DEVICE))
        .unwrap_or_default();
    if !device.is_empty() {
        let _ = writeln!(text, "    Device   {device}");
    }
    let _ = write!(text, "\nIf that was you, there is nothing to do.\n{otherwise}");
    text
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use proptest::prelude::*;
    use tigertrust_credentials::{Token, TokenKind};
    use tigertrust_model::{Origin, RandomError, RandomSource, Timestamp};

    use super::*;

    struct Zeros;

    impl RandomSource for Zeros {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
            bytes.fill(0);
            Ok(())
        }
    }

    fn token(kind: TokenKind) -> Token {
        Token::generate(kind, &Zeros).unwrap()
    }

    const HOUR: Duration = Duration::from_secs(3600);

    fn letterhead() -> Letterhead {
        Letterhead::new("TigerTrust", "https://auth.example.com".parse().unwrap())
    }

    fn by() -> Circumstances {
        let user_agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0)\r\nGecko/20100101 Firefox/140.0";
        Circumstances {
            at: Timestamp::from_unix_micros(1_800_000_000_000_000),
            origin: Origin {
                address: Some("::ffff:192.0.2.7".parse().unwrap()),
                user_agent: Some(user_agent.to_owned()),
                ..Origin::default()
            },
        }
    }

    fn written_out(notice: &Notice) -> String {
        let mail = letterhead().write(&"jo@example.com".parse().unwrap(), notice);
        format!(
            "To: {}\nSubject: {}\n\n{}",
            mail.to(),
            mail.subject(),
            mail.reveal_text()
        )
    }

    #[test]
    fn password_reset() {
        assert_snapshot!(written_out(&Notice::PasswordReset {
            token: token(TokenKind::PasswordReset),
            valid_for: HOUR / 2,
        }));
    }

    #[test]
    fn email_verification() {
        assert_snapshot!(written_out(&Notice::EmailVerification {
            token: token(TokenKind::EmailVerification),
            valid_for: HOUR * 24,
        }));
    }

    #[test]
    fn email_changed() {
        assert_snapshot!(written_out(&Notice::EmailChanged {
            new: "joan.of.arc@example.org".parse().unwrap(),
            by: by(),
        }));
    }

    #[test]
    fn invitation() {
        assert_snapshot!(written_out(&Notice::Invitation {
            workspace: "Acme Inc.".to_owned(),
            inviter: Some("Al".to_owned()),
            token: token(TokenKind::Invitation),
            valid_for: HOUR * 24 * 7,
        }));
    }

    #[test]
    fn an_invitation_with_hostile_names() {
        assert_snapshot!(written_out(&Notice::Invitation {
            workspace: "x\r\nBcc: all@example.com\r\n\r\nPay at https://evil.example \u{202e}now".to_owned(),
            inviter: Some("\u{200b}\n".to_owned()),
            token: token(TokenKind::Invitation),
            valid_for: HOUR,
        }));
    }

    #[test]
    fn new_device() {
        assert_snapshot!(written_out(&Notice::NewDevice { by: by() }));
    }

    #[test]
    fn password_changed() {
        let by = Circumstances {
            origin: Origin::default(),
            ..by()
        };
        let remaining = RemainingFactors::default();
        assert_snapshot!(written_out(&Notice::PasswordChanged { remaining, by }));
    }

    #[test]
    fn password_changed_beside_other_factors() {
        let remaining = RemainingFactors {
            app: true,
            passkeys: vec!["Laptop".to_owned(), "x\r\nhttps://evil.example".to_owned()],
        };
        assert_snapshot!(written_out(&Notice::PasswordChanged { remaining, by: by() }));
    }

    #[test]
    fn email_change_asked() {
        assert_snapshot!(written_out(&Notice::EmailChangeAsked {
            new: "joan.of.arc@example.org".parse().unwrap(),
            by: by(),
        }));
    }

    #[test]
    fn recovery_codes_renewed() {
        assert_snapshot!(written_out(&Notice::RecoveryCodesRenewed { by: by() }));
    }

    #[test]
    fn keys_to_review() {
        let tally = HygieneTally {
            leaked: 0,
            unused: 12,
            expiring: 3,
            urgent: 1,
            over_scoped: 0,
            old: 1,
        };
        let workspace = "Acme".to_owned();
        assert_snapshot!(written_out(&Notice::KeysToReview { workspace, tally }));
    }

    #[test]
    fn webhook_disabled() {
        assert_snapshot!(written_out(&Notice::WebhookDisabled {
            workspace: "Acme".to_owned(),
            webhook: "wh_01m86e81hve32sj3vjxvs95yam".parse().unwrap(),
            host: "app.example.com".to_owned(),
            because: DisabledBecause::Failing,
        }));
    }

    #[test]
    fn account_erased() {
        assert_snapshot!(written_out(&Notice::AccountErased { by: by() }));
    }

    #[test]
    fn factor_added() {
        let factor = "an authenticator app".to_owned();
        assert_snapshot!(written_out(&Notice::FactorAdded { factor, by: by() }));
    }

    #[test]
    fn factor_removed() {
        let factor = "an authenticator app".to_owned();
        assert_snapshot!(written_out(&Notice::FactorRemoved { factor, by: by() }));
    }

    #[test]
    fn recovery_codes_many_few_none() {
        let texts = [9, 3, 0].map(|remaining| written_out(&Notice::RecoveryCodeUsed { remaining, by: by() }));
        assert_snapshot!(texts.join("\n=====\n"));
    }

    #[test]
    fn a_mail_s_debug_text_shows_no_link() {
        let notice = Notice::PasswordReset {
            token: token(TokenKind::PasswordReset),
            valid_for: HOUR,
        };
        let mail = letterhead().write(&"jo@example.com".parse().unwrap(), &notice);
        assert_eq!(format!("{mail:?}"), "Mail(\"Set a new password for TigerTrust\")");
    }

    proptest! {
        /// CVE-2025-64101: whoever writes a name or sends a header chooses no link.
        #[test]
        fn no_name_makes_a_header_or_a_link(workspace: String, inviter: String, device: String, factor: String) {
            let to = "jo@example.com".parse().unwrap();
            let origin = Origin { user_agent: Some(device.clone()), ..by().origin };
            let by = Circumstances { origin, ..by() };
            let new = format!("x@{}", device.replace(|letter: char| letter.is_whitespace() || letter.is_control(), ""));
            let new: Email = new.parse().unwrap_or_else(|_| "a@https://evil.example/x".parse().unwrap());
            let remaining = RemainingFactors { app: true, passkeys: vec![factor.clone()] };
            let notices = [
                Notice::EmailChangeAsked { new: new.clone(), by: by.clone() },
                Notice::PasswordChanged { remaining, by: by.clone() },
                Notice::EmailChanged { new, by: by.clone() },
                Notice::Invitation {
                    workspace,
                    inviter: Some(inviter),
                    token: token(TokenKind::Invitation),
                    valid_for: HOUR,
                },
                Notice::NewDevice { by: by.clone() },
                Notice::FactorAdded { factor, by },
            ];
            for notice in &notices {
                let mail = letterhead().write(&to, notice);
                prop_assert!(!mail.subject().chars().any(char::is_control));
                prop_assert!(!mail.reveal_text().chars().any(|letter| letter.is_control() && letter != '\n'));
                let (mut rest, mut before) = (mail.reveal_text(), "");
                while let Some((head, tail)) = rest.split_once("://") {
                    before = head;
                    prop_assert!(before.ends_with("\nhttps") && tail.starts_with("auth.example.com/"), "{head}");
                    rest = tail;
                }
                prop_assert!(!before.is_empty());
            }
        }
    }
}

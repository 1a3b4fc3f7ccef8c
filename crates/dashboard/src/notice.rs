//! What a page says after something was done. Addresses name it by a word, so that a link can make a page say nothing else.

use crate::pages::{audit, members, profile, security, sso, trust_rules, webhooks, workspaces};

/// The words, and what they mean.
const NOTICES: &[(&str, &str)] = &[
    (
        "sent-before",
        "This form was sent before, and nothing was done again. What was shown then cannot be shown again: if it is lost, send the form once more.",
    ),
    (
        "key-shown",
        "This form was sent before: here is the key that it made. Its secret was shown then, and cannot be shown again: if you have not copied it, rotate the key.",
    ),
    (
        "key-saved",
        "The key is saved. Every node knows it within a second.",
    ),
    (
        "key-revoked",
        "The key is revoked. It is refused everywhere within a second.",
    ),
    (
        "key-deactivated",
        "The key is switched off. It is refused until it is switched on again.",
    ),
    ("key-activated", "The key is switched on."),
    ("signed-out", "You are signed out."),
    ("password-reset", "Your password is set. Sign in with it now."),
    ("email-verified", "Your address is confirmed."),
    (
        "mail-sent",
        "If there is an account with this address, a mail with a link is on its way. The link is good for 30 minutes.",
    ),
    ("joined", "Welcome: you are a member of this workspace now."),
];

/// What a word means; nothing for any other.
pub(crate) fn text(word: &str) -> Option<&'static str> {
    let all = [
        NOTICES,
        audit::NOTICES,
        members::NOTICES,
        profile::NOTICES,
        security::NOTICES,
        sso::NOTICES,
        trust_rules::NOTICES,
        webhooks::NOTICES,
        workspaces::NOTICES,
    ];
    let mut notices = all.into_iter().flatten();
    notices.find(|(own, _)| *own == word).map(|(_, text)| *text)
}

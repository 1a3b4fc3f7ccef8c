//! What people are told, and the port through which flows tell it.

use std::time::Duration;

use tigertrust_credentials::Token;
use tigertrust_model::{Email, Origin, Timestamp, WebhookId};

use crate::{HygieneTally, webhooks::DisabledBecause};

/// When, from where and with what something was done: what lets an owner tell their own doing from somebody else's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Circumstances {
    /// When.
    pub at: Timestamp,
    /// From where and with what, as far as that is known.
    pub origin: Origin,
}

/// What an account can be signed in to with, beside its password.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RemainingFactors {
    /// Whether there is an authenticator app.
    pub app: bool,
    /// What the passkeys are called.
    pub passkeys: Vec<String>,
}

/// What a person is told. Names and devices may be anything: whoever writes it down sees to it that they do no harm.
#[derive(Debug)]
pub enum Notice {
    /// A link to set a new password.
    PasswordReset {
        /// What the link proves itself with.
        token: Token,
        /// How long the link is good.
        valid_for: Duration,
    },
    /// A link to prove that mail to this address arrives.
    EmailVerification {
        /// What the link proves itself with.
        token: Token,
        /// How long the link is good.
        valid_for: Duration,
    },
    /// To the present address: somebody has asked for another one, and nothing has changed yet.
    EmailChangeAsked {
        /// The address that was asked for.
        new: Email,
        /// When and from where.
        by: Circumstances,
    },
    /// To the old address: the account has another one now.
    EmailChanged {
        /// The new address.
        new: Email,
        /// When and from where.
        by: Circumstances,
    },
    /// A link into a workspace.
    Invitation {
        /// The workspace's name.
        workspace: String,
        /// Who invites, by name or address; none for the operator.
        inviter: Option<String>,
        /// What the link proves itself with.
        token: Token,
        /// How long the link is good.
        valid_for: Duration,
    },
    /// Somebody signed in on a device that was not seen before.
    NewDevice {
        /// When and from where.
        by: Circumstances,
    },
    /// The password is another one now.
    PasswordChanged {
        /// What is there beside it, and may be somebody else's.
        remaining: RemainingFactors,
        /// When and from where.
        by: Circumstances,
    },
    /// There is one more way to prove oneself.
    FactorAdded {
        /// Which, such as "an authenticator app".
        factor: String,
        /// When and from where.
        by: Circumstances,
    },
    /// There is one way less to prove oneself.
    FactorRemoved {
        /// Which, such as "an authenticator app".
        factor: String,
        /// When and from where.
        by: Circumstances,
    },
    /// There are other recovery codes, and the old ones count no longer.
    RecoveryCodesRenewed {
        /// When and from where.
        by: Circumstances,
    },
    /// The account is erased: the last that its person hears.
    AccountErased {
        /// When and from where.
        by: Circumstances,
    },
    /// The daily look at the keys of a workspace has found more than before.
    KeysToReview {
        /// The workspace's name.
        workspace: String,
        /// What was found.
        tally: HygieneTally,
    },
    /// A webhook of a workspace was disabled by what became of its deliveries.
    WebhookDisabled {
        /// The workspace's name.
        workspace: String,
        /// Which webhook.
        webhook: WebhookId,
        /// Where it leads to.
        host: String,
        /// Why.
        because: DisabledBecause,
    },
    /// A recovery code was used in place of another second factor.
    RecoveryCodeUsed {
        /// How many are left.
        remaining: usize,
        /// When and from where.
        by: Circumstances,
    },
}

impl Notice {
    /// Whether it goes to all who look after a workspace, and nobody waits for it: there can be many of these at once.
    #[must_use]
    pub const fn is_for_stewards(&self) -> bool {
        matches!(self, Self::KeysToReview { .. } | Self::WebhookDisabled { .. })
    }

    /// What kind it is, for logs: nothing of its content.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::PasswordReset { .. } => "password reset",
            Self::EmailVerification { .. } => "e-mail verification",
            Self::EmailChangeAsked { .. } => "e-mail change asked for",
            Self::EmailChanged { .. } => "e-mail changed",
            Self::Invitation { .. } => "invitation",
            Self::NewDevice { .. } => "new device",
            Self::PasswordChanged { .. } => "password changed",
            Self::FactorAdded { .. } => "factor added",
            Self::FactorRemoved { .. } => "factor removed",
            Self::RecoveryCodesRenewed { .. } => "recovery codes renewed",
            Self::AccountErased { .. } => "account erased",
            Self::KeysToReview { .. } => "keys to review",
            Self::WebhookDisabled { .. } => "webhook disabled",
            Self::RecoveryCodeUsed { .. } => "recovery code used",
        }
    }
}

/// The way to people's ears. What is told may be lost: whatever it enables can be asked for again.
pub trait Notifier: Send + Sync {
    /// Takes a notice on its way, without waiting for anything: an act neither fails nor takes longer because of it.
    fn tell(&self, to: Email, notice: Notice);

    /// Whether there is such a way at all.
    fn reaches_people(&self) -> bool {
        true
    }
}

/// Tells nobody anything: where there is no mail.
#[derive(Clone, Copy, Debug, Default)]
pub struct TellsNobody;

impl Notifier for TellsNobody {
    fn tell(&self, _: Email, _: Notice) {}

    fn reaches_people(&self) -> bool {
        false
    }
}

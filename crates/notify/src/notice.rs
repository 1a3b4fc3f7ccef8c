//! What people are told by mail.

use std::{net::IpAddr, time::Duration};

use tigertrust_model::{Email, Timestamp};

/// When, from where and with what something was done: what lets an owner tell their own doing from somebody else's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Circumstances<'a> {
    /// When.
    pub at: Timestamp,
    /// The client's address, if it is known.
    pub address: Option<IpAddr>,
    /// The client's `User-Agent`, if it sent one. It is shown as one line.
    pub device: Option<&'a str>,
}

/// What a person is told. Names and devices are shown as one line that makes no link.
///
/// Tokens let their holder in, so `Debug` is not derived.
#[derive(Clone, Copy)]
pub enum Notice<'a> {
    /// A link to set a new password.
    PasswordReset {
        /// What the link proves itself with.
        token: &'a str,
        /// How long the link is good.
        valid_for: Duration,
    },
    /// A link to prove that mail to this address arrives.
    EmailVerification {
        /// What the link proves itself with.
        token: &'a str,
        /// How long the link is good.
        valid_for: Duration,
    },
    /// To the old address: the account has another one now.
    EmailChanged {
        /// The new address. Most of it is left out.
        new: &'a Email,
        /// When and from where.
        by: Circumstances<'a>,
    },
    /// A link into a workspace.
    Invitation {
        /// The workspace's name.
        workspace: &'a str,
        /// Who invites, by name or address; none for the operator.
        inviter: Option<&'a str>,
        /// What the link proves itself with.
        token: &'a str,
        /// How long the link is good.
        valid_for: Duration,
    },
    /// Somebody signed in on a device that was not seen before.
    NewDevice {
        /// When and from where.
        by: Circumstances<'a>,
    },
    /// The password is another one now.
    PasswordChanged {
        /// When and from where.
        by: Circumstances<'a>,
    },
    /// There is one more way to prove oneself.
    FactorAdded {
        /// Which, such as "an authenticator app".
        factor: &'a str,
        /// When and from where.
        by: Circumstances<'a>,
    },
    /// There is one way less to prove oneself.
    FactorRemoved {
        /// Which, such as "an authenticator app".
        factor: &'a str,
        /// When and from where.
        by: Circumstances<'a>,
    },
    /// A recovery code was used in place of another second factor.
    RecoveryCodeUsed {
        /// How many are left.
        remaining: usize,
        /// When and from where.
        by: Circumstances<'a>,
    },
}

//! What people are told of what happened to their accounts, so that they notice what was not their doing.

use tigertrust_credentials::OneTimeCode;
use tigertrust_model::{Email, Origin};

use super::{Account, BegunSession, SignInFlows};
use crate::{Circumstances, Notice, RemainingFactors};

impl SignInFlows {
    /// That something happens now, and where it comes from.
    pub(super) fn circumstances(&self, origin: &Origin) -> Circumstances {
        Circumstances {
            at: self.0.clock.now(),
            origin: origin.clone(),
        }
    }

    /// That an account has another password, and what it has beside it.
    pub(super) fn tell_of_password(&self, account: &Account, origin: &Origin) {
        let remaining = RemainingFactors {
            app: account.factors.has_totp(),
            passkeys: account
                .factors
                .passkeys
                .iter()
                .map(|passkey| passkey.name.clone())
                .collect(),
        };
        let by = self.circumstances(origin);
        self.tell(&account.user.email, Notice::PasswordChanged { remaining, by });
    }

    /// Whether people get mails, such as the link that sets a forgotten password.
    #[must_use]
    pub fn sends_mail(&self) -> bool {
        self.0.notifier.reaches_people()
    }

    pub(super) fn tell(&self, to: &Email, notice: Notice) {
        self.0.notifier.tell(to.clone(), notice);
    }

    /// Tells of a sign-in on a device that was not seen before, unless it is the first device of all.
    pub(super) fn tell_of_new_device(&self, account: &Account, begun: &BegunSession) {
        if begun.device.is_some() && account.has_devices {
            let by = self.circumstances(&begun.session.origin);
            self.tell(&account.user.email, Notice::NewDevice { by });
        }
    }

    /// Tells that a code was accepted, if it was one of the recovery codes that the account had before.
    pub(super) fn tell_of_code(&self, account: &Account, code: &str, origin: &Origin) {
        if let Some(OneTimeCode::Recovery(_)) = OneTimeCode::read(code) {
            let remaining = account.factors.recovery_codes.len().saturating_sub(1);
            let by = self.circumstances(origin);
            self.tell(&account.user.email, Notice::RecoveryCodeUsed { remaining, by });
        }
    }
}

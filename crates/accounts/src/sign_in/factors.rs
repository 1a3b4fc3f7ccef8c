//! Second factors: added, proved, removed.

use tigertrust_credentials::{PersonPermit, RecoveryCode, SealedPlace, Token, TokenKind, TotpSecret};
use tigertrust_model::{Clock, Timestamp};
use zeroize::Zeroizing;

use super::{
    AppState, From, Passkey, RenewedSession, SignInError, SignInFlows, SignInParts, TotpFactor,
    ports::{Account, FactorAdded},
};
use crate::{Conflict, FlowError, Notice, actor::act_of};

/// What people are told that was added to their account, or removed.
const APP: &str = "an authenticator app";

/// Where an app's secret is kept.
pub(super) const fn totp_place(user: &str) -> SealedPlace<'_> {
    SealedPlace {
        column: "totp_factors.secret",
        row: user,
    }
}

/// An app that is about to be added: shown once.
pub struct NewTotp {
    /// The secret in base 32, for who types it.
    pub secret: Zeroizing<String>,
    /// The URI that apps take it from.
    pub uri: Zeroizing<String>,
    /// The URI as a QR code in SVG.
    pub qr_svg: Zeroizing<String>,
}

/// Recovery codes: shown once.
pub struct RecoveryCodes(pub Vec<Zeroizing<String>>);

/// What an account proves with whose it is, as its person may see it: no secret is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldFactors {
    /// Whether there is a password.
    pub has_password: bool,
    /// When the authenticator app was added; none where there is no app, or one that was not confirmed.
    pub totp_since: Option<Timestamp>,
    /// The passkeys, oldest first.
    pub passkeys: Vec<Passkey>,
    /// How many recovery codes are left.
    pub recovery_codes: usize,
    /// Whether the person's domain has to sign in with its provider: none of these will do then.
    pub sso_only: bool,
}

impl HeldFactors {
    /// Whether signing in with a password asks for a second factor.
    #[must_use]
    pub fn has_second_factor(&self) -> bool {
        self.totp_since.is_some() || !self.passkeys.is_empty()
    }

    fn of(account: Account) -> Self {
        let factors = account.factors;
        Self {
            has_password: account.password.is_some(),
            totp_since: factors.totp.and_then(|totp| totp.confirmed_at),
            passkeys: factors.passkeys,
            recovery_codes: factors.recovery_codes.len(),
            sso_only: account.sso_only,
        }
    }
}

impl SignInFlows {
    /// What the person has to prove with who it is.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] where the account is gone, and [`FlowError::Store`].
    pub async fn factors(&self, person: &PersonPermit) -> Result<HeldFactors, FlowError> {
        let account = self.0.store.account(person.user().id, None).await?;
        Ok(HeldFactors::of(account.ok_or(FlowError::NotFound)?))
    }

    /// Makes the secret for an authenticator app. It counts once [`confirm_totp`](Self::confirm_totp) has seen a code.
    ///
    /// # Errors
    /// [`SignInError::StepUpRequired`], [`Conflict::FactorEnrolled`] where there is an app already,
    /// [`SignInError::NoEncryptionKey`], and others.
    pub async fn add_totp(&self, person: &PersonPermit) -> Result<NewTotp, SignInError> {
        self.ensure_fresh(person)?;
        let SignInParts {
            store,
            random,
            encryption,
            issuer,
            ..
        } = &self.0;
        let encryption = encryption.as_ref().ok_or(SignInError::NoEncryptionKey)?;
        let user = person.user();
        let secret = TotpSecret::generate(&**random)?;
        let row = user.id.to_string();
        let sealed = encryption.seal(secret.as_bytes(), totp_place(&row), &**random)?;
        let factor = TotpFactor {
            secret: sealed,
            confirmed_at: None,
            last_step: None,
        };
        store.put_totp(user.id, factor).await?;
        let account = user.email.as_str();
        Ok(NewTotp {
            secret: secret.reveal(),
            uri: secret.otpauth_uri(issuer, account),
            qr_svg: secret.otpauth_qr(issuer, account).unwrap_or_default(),
        })
    }

    /// Adds the app, given one of its codes. The session goes on under another token. Recovery codes come with the first second
    /// factor; beside a passkey there are none new.
    ///
    /// # Errors
    /// [`SignInError::Refused`] for a wrong code, [`SignInError::StepUpRequired`], and others.
    pub async fn confirm_totp(
        &self,
        person: &PersonPermit,
        code: &str,
        from: &From,
    ) -> Result<(RecoveryCodes, RenewedSession), SignInError> {
        self.ensure_fresh(person)?;
        let SignInParts {
            store, clock, random, ..
        } = &self.0;
        let now = clock.now();
        let account = store.account(person.user().id, from.device).await?;
        let account = account.ok_or(FlowError::NotFound)?;
        match &account.factors.totp {
            None => return Err(FlowError::Conflict(Conflict::NothingToConfirm).into()),
            Some(factor) if factor.confirmed_at.is_some() => {
                return Err(FlowError::Conflict(Conflict::FactorEnrolled).into());
            }
            Some(_) => self.ensure_openable(&account, code)?,
        }
        let budgets = from.budgets(&account);
        self.spend(&budgets, now).await?;
        let codes = RecoveryCode::generate_set(&**random)?;
        let digests = codes.iter().map(RecoveryCode::digest).collect();
        let token = Token::generate(TokenKind::Session, &**random)?;
        let check = self.code_check(person.user().id, code, AppState::Pending);
        let confirmed = store
            .confirm_totp(
                act_of(person, &from.origin),
                person.session(),
                token.digest(),
                check,
                digests,
                now,
            )
            .await?;
        let shown = match confirmed.ok_or(SignInError::Refused)? {
            FactorAdded::First => codes.iter().map(RecoveryCode::reveal).collect(),
            FactorAdded::Another => Vec::new(),
        };
        store.refund(budgets.subjects(), now).await?;
        let (factor, by) = (APP.to_owned(), self.circumstances(&from.origin));
        self.tell(&account.user.email, Notice::FactorAdded { factor, by });
        Ok((RecoveryCodes(shown), RenewedSession(token)))
    }

    /// Takes the app away, and with the last second factor the recovery codes.
    ///
    /// # Errors
    /// [`SignInError::StepUpRequired`], [`FlowError::NotFound`] where there is none, and others.
    pub async fn remove_totp(&self, person: &PersonPermit, from: &From) -> Result<(), SignInError> {
        self.ensure_fresh(person)?;
        let act = act_of(person, &from.origin);
        if !self.0.store.remove_totp(act, person.user().id).await? {
            return Err(FlowError::NotFound.into());
        }
        let (factor, by) = (APP.to_owned(), self.circumstances(&from.origin));
        self.tell(&person.user().email, Notice::FactorRemoved { factor, by });
        Ok(())
    }

    /// Makes other recovery codes; the old ones count no longer.
    ///
    /// # Errors
    /// [`SignInError::StepUpRequired`], [`Conflict::NoFactor`] where there is no second factor, and others.
    pub async fn renew_recovery_codes(
        &self,
        person: &PersonPermit,
        from: &From,
    ) -> Result<RecoveryCodes, SignInError> {
        self.ensure_fresh(person)?;
        let SignInParts { store, random, .. } = &self.0;
        let account = store
            .account(person.user().id, None)
            .await?
            .ok_or(FlowError::NotFound)?;
        if !account.factors.is_enrolled() {
            return Err(FlowError::Conflict(Conflict::NoFactor).into());
        }
        let codes = RecoveryCode::generate_set(&**random)?;
        let digests = codes.iter().map(RecoveryCode::digest).collect();
        let act = act_of(person, &from.origin);
        store
            .replace_recovery_codes(act, person.user().id, digests)
            .await?;
        let by = self.circumstances(&from.origin);
        self.tell(&account.user.email, Notice::RecoveryCodesRenewed { by });
        Ok(RecoveryCodes(codes.iter().map(RecoveryCode::reveal).collect()))
    }

    pub(super) fn ensure_fresh(&self, person: &PersonPermit) -> Result<(), SignInError> {
        ensure_fresh(person, &*self.0.clock)
    }
}

/// What an act asks for that only the person itself may do.
pub(crate) fn ensure_fresh(person: &PersonPermit, clock: &dyn Clock) -> Result<(), SignInError> {
    if person.session().is_fresh(clock.now()) {
        Ok(())
    } else {
        Err(SignInError::StepUpRequired)
    }
}

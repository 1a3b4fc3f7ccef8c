//! Signing in: password, second factor, sessions.

mod budget;
mod ceremony;
mod error;
mod factors;
mod links;
mod notices;
mod passkey_login;
mod passkey_ports;
mod passkeys;
mod ports;
mod refused;
mod sessions;
mod tokens;

use std::{fmt, sync::Arc, time::Duration};

use tigertrust_credentials::{
    EncryptionRing, HashingLoad, HashingPool, OneTimeCode, Password, PasswordHash, Token, TokenDigest,
    TokenKind, TotpSecret,
};
use tigertrust_model::{
    Clock, Email, Origin, RandomSource, Session, SessionId, SsoSession, Timestamp, UserId,
};

pub(crate) use self::budget::Budgets;
pub(crate) use self::factors::ensure_fresh;
use self::factors::totp_place;
pub(crate) use self::refused::Attempt;
pub use self::{
    budget::{Budget, FAILURES_COUNT_FOR},
    ceremony::{
        Backup, Ceremony, CeremonyError, CeremonyKind, ChallengeDigest, Passkey, PasskeyCredential,
        PasskeyUse, RelyingParty, RelyingPartySettings, UncheckedAnswer,
    },
    error::SignInError,
    factors::{HeldFactors, NewTotp, RecoveryCodes},
    passkey_ports::{ChallengeSubject, MAX_PASSKEYS, PasskeyChallenge, PasskeyStore},
    passkeys::AddedPasskey,
    ports::{
        AcceptedCode, Account, Challenge, CodeCheck, EndSessions, FactorAdded, Factors, KeptSession,
        NewSession, SecondFactorMethods, SignInStore, TotpFactor,
    },
    sessions::{From, RenewedSession},
    tokens::{MailToken, MailTokenStore},
};
use crate::{Notifier, audit::RefusalLog};

/// How long a login may wait for its second factor.
const CHALLENGE_LIVES: Duration = Duration::from_secs(5 * 60);
/// How many codes may be tried for one login.
const MAX_TRIES: u16 = 5;

/// How sessions are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionSettings {
    /// How long a session lives, whatever happens.
    pub lifetime: Duration,
    /// After how long without a request it ends; none for never.
    pub idle_timeout: Option<Duration>,
}

impl Default for SessionSettings {
    fn default() -> Self {
        Self {
            lifetime: Duration::from_secs(7 * 24 * 60 * 60),
            idle_timeout: None,
        }
    }
}

/// Who signs in, with what and from where.
pub struct Login<'a> {
    /// The address as it was typed.
    pub email: &'a str,
    /// The password as it was typed.
    pub password: &'a str,
    /// The device's token, where it presented one.
    pub device: Option<TokenDigest>,
    /// Where the request comes from.
    pub origin: Origin,
}

/// What came of a login.
#[derive(Debug)]
pub enum LoggedIn {
    /// The person is signed in.
    Session(Box<BegunSession>),
    /// A second factor is asked for.
    SecondFactor {
        /// What the second step is asked with.
        token: Token,
        /// What will do.
        methods: SecondFactorMethods,
    },
}

/// A session that has begun, with the tokens that are handed out once.
#[derive(Debug)]
pub struct BegunSession {
    /// The session.
    pub session: Session,
    /// What opens it.
    pub token: Token,
    /// What tells the device from others at the next login; none for one that is known already.
    pub device: Option<Token>,
}

/// Which app a code may be of: one that is not confirmed proves nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum AppState {
    Confirmed,
    Pending,
}

/// What [`SignInFlows`] stand on.
#[derive(Clone)]
pub struct SignInParts {
    /// Accounts and sessions.
    pub store: Arc<dyn SignInStore>,
    /// Links in mails.
    pub links: Arc<dyn MailTokenStore>,
    /// How people are told what happened to their accounts.
    pub notifier: Arc<dyn Notifier>,
    /// Passkeys.
    pub passkeys: Arc<dyn PasskeyStore>,
    /// What asks for passkeys, and checks them.
    pub relying_party: Arc<dyn RelyingParty>,
    /// Where passwords are hashed.
    pub hashing: HashingPool,
    /// What secrets are sealed under; without it no second factor can be added.
    pub encryption: Option<EncryptionRing>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn RandomSource>,
    /// Where refusals are logged.
    pub refusals: RefusalLog,
    /// How sessions are.
    pub sessions: SessionSettings,
    /// What authenticator apps call this server.
    pub issuer: String,
}

/// Lets a session know by which provider it was begun, if it was.
fn by_provider(
    sso: Option<SsoSession>,
    mut begun: BegunSession,
    mut new: NewSession,
) -> (BegunSession, NewSession) {
    begun.session.sso.clone_from(&sso);
    new.session.sso = sso;
    (begun, new)
}

/// Signs people in and out, and keeps their factors.
#[derive(Clone)]
pub struct SignInFlows(SignInParts);

impl SignInFlows {
    /// Flows over the parts.
    #[must_use]
    pub const fn new(parts: SignInParts) -> Self {
        Self(parts)
    }

    /// Checks an address and a password. Whether the account does not exist, is disabled or has no password, or the password
    /// is wrong, the answer and the work are the same.
    ///
    /// # Errors
    /// [`SignInError`].
    pub async fn login(&self, login: Login<'_>) -> Result<LoggedIn, SignInError> {
        let mut attempt = Attempt::new("password", login.origin.clone());
        let done = self.try_login(login, &mut attempt).await;
        self.logged(&attempt, done).await
    }

    async fn try_login(&self, login: Login<'_>, attempt: &mut Attempt) -> Result<LoggedIn, SignInError> {
        let SignInParts { store, clock, .. } = &self.0;
        // What is no address is no account's either.
        let canonical = login
            .email
            .parse()
            .map_or_else(|_| login.email.to_lowercase(), |email: Email| email.canonical());
        let account = store.account_by_email(&canonical, login.device).await?;
        attempt.user = account.as_ref().map(|account| account.user.id);
        let device = login
            .device
            .filter(|_| account.as_ref().is_some_and(|account| account.is_known_device));
        let budgets = match &account {
            Some(account) => Budgets::of(account.user.id, device, login.origin.address),
            None => Budgets::of_unknown(&canonical, login.origin.address),
        };
        let now = clock.now();
        self.spend(&budgets, now).await?;
        let account = account.filter(Account::takes_own_proofs);
        let hash = account.as_ref().and_then(|account| account.password.clone());
        let verified = self
            .0
            .hashing
            .verify(Password::presented(login.password), hash)
            .await;
        let verified = match verified {
            Ok(verified) => verified,
            Err(error) => {
                // Nothing was tried.
                store.refund(budgets.subjects(), now).await?;
                return Err(error.into());
            }
        };
        let account = account.filter(|_| verified.matches).ok_or(SignInError::Refused)?;
        let hash = account.password.clone().ok_or(SignInError::Refused)?;
        if account.factors.is_enrolled() {
            store.refund(budgets.subjects(), now).await?;
            let token = Token::generate(TokenKind::SecondFactor, &*self.0.random)?;
            let challenge = Challenge {
                user: account.user.id,
                expires_at: now.saturating_add(CHALLENGE_LIVES),
                device,
                sso: None,
            };
            if !store
                .begin_challenge(token.digest(), challenge, hash, verified.rehash)
                .await?
            {
                return Err(SignInError::Refused);
            }
            return Ok(LoggedIn::SecondFactor {
                token,
                methods: account.factors.methods(),
            });
        }
        let (begun, new) = self.prepare(
            account.user.id,
            false,
            device.is_some(),
            login.origin,
            &budgets,
            verified.rehash,
        )?;
        let new = NewSession {
            // In one transaction with the session: each is a wait for the disk.
            refunded: Some((budgets.kept(), now)),
            verified: Some(hash),
            ..new
        };
        // The password may have been changed, or a factor added, while this one was hashed.
        if !store.begin_session(new).await? {
            return Err(SignInError::Refused);
        }
        self.tell_of_new_device(&account, &begun);
        Ok(LoggedIn::Session(Box::new(begun)))
    }

    /// Completes a login with a code of the app, or a recovery code.
    ///
    /// # Errors
    /// [`SignInError`]; after five wrong codes the token is spent.
    pub async fn verify_second_factor(
        &self,
        token: &str,
        code: &str,
        origin: Origin,
    ) -> Result<BegunSession, SignInError> {
        let mut attempt = Attempt::new("second-factor", origin.clone());
        let done = self.try_second_factor(token, code, origin, &mut attempt).await;
        self.logged(&attempt, done).await
    }

    async fn try_second_factor(
        &self,
        token: &str,
        code: &str,
        origin: Origin,
        attempt: &mut Attempt,
    ) -> Result<BegunSession, SignInError> {
        let SignInParts { store, clock, .. } = &self.0;
        let now = clock.now();
        let (token, challenge) = self.waiting(token, now).await?;
        attempt.user = Some(challenge.user);
        let account = store
            .account(challenge.user, None)
            .await?
            .ok_or(SignInError::Refused)?;
        self.ensure_openable(&account, code)?;
        let budgets = Budgets::of(challenge.user, challenge.device, origin.address);
        self.spend(&budgets, now).await?;
        let check = self.code_check(challenge.user, code, AppState::Confirmed);
        let (begun, new) = self.prepare(
            challenge.user,
            true,
            challenge.device.is_some(),
            origin,
            &budgets,
            None,
        )?;
        let (begun, new) = by_provider(challenge.sso, begun, new);
        if store.answer_challenge(token, MAX_TRIES, check, new).await? {
            // The session has begun: that one failure too many is counted is no reason to refuse it.
            let _ = store.refund(budgets.subjects(), now).await;
            self.tell_of_code(&account, code, &begun.session.origin);
            self.tell_of_new_device(&account, &begun);
            Ok(begun)
        } else {
            Err(SignInError::Refused)
        }
    }

    /// The login that waits under a token.
    async fn waiting(&self, token: &str, now: Timestamp) -> Result<(TokenDigest, Challenge), SignInError> {
        let Some(Ok(token)) = TokenDigest::read(TokenKind::SecondFactor, token.as_bytes()) else {
            return Err(SignInError::Refused);
        };
        let challenge = self.0.store.find_challenge(token).await?;
        let challenge = challenge.ok_or(SignInError::Refused)?;
        if challenge.expires_at <= now {
            return Err(SignInError::Expired);
        }
        Ok((token, challenge))
    }

    pub(crate) async fn spend(&self, budgets: &Budgets, now: Timestamp) -> Result<(), SignInError> {
        match self.0.store.spend(budgets.all(), now).await? {
            None => Ok(()),
            Some(until) => Err(SignInError::throttled(until, now)),
        }
    }

    /// What the threads that hash passwords have to do.
    #[must_use]
    pub fn hashing_load(&self) -> HashingLoad {
        self.0.hashing.load()
    }

    /// Hashes the password of a new account.
    pub(crate) async fn hash(&self, password: Password) -> Result<PasswordHash, SignInError> {
        Ok(self.0.hashing.hash(password).await?)
    }

    /// The session of somebody whose account is made with it.
    pub(crate) fn first_session(
        &self,
        user: UserId,
        origin: Origin,
    ) -> Result<(BegunSession, NewSession), SignInError> {
        let budgets = Budgets::of_account(user, origin.address);
        self.prepare(user, false, false, origin, &budgets, None)
    }

    /// The session of somebody whom a provider vouches for. Whose it is, storage fills in.
    pub(crate) fn provider_session(&self, origin: Origin) -> Result<(BegunSession, NewSession), SignInError> {
        let (begun, new) = self.first_session(self.nobody()?, origin)?;
        // Its cookie would not come back from the provider's site, so that each sign-in would be one on a new device.
        let begun = BegunSession {
            device: None,
            ..begun
        };
        let new = NewSession {
            cleared: Vec::new(),
            device: None,
            ..new
        };
        Ok((begun, new))
    }

    /// The second step of such a sign-in, should there be one.
    pub(crate) fn provider_challenge(&self, now: Timestamp) -> Result<(Token, Challenge), SignInError> {
        let challenge = Challenge {
            user: self.nobody()?,
            expires_at: now.saturating_add(CHALLENGE_LIVES),
            device: None,
            sso: None,
        };
        let token = Token::generate(TokenKind::SecondFactor, &*self.0.random)?;
        Ok((token, challenge))
    }

    /// An id that no account has.
    fn nobody(&self) -> Result<UserId, SignInError> {
        Ok(UserId::new(self.0.clock.now(), &*self.0.random)?)
    }

    /// Says so where the secret of an app cannot be read: its codes would all look wrong, and use up the budget.
    fn ensure_openable(&self, account: &Account, code: &str) -> Result<(), SignInError> {
        let factor = match (&account.factors.totp, OneTimeCode::read(code)) {
            (Some(factor), Some(OneTimeCode::Totp(_))) => factor,
            _ => return Ok(()),
        };
        let ring = self.0.encryption.as_ref().ok_or(SignInError::NoEncryptionKey)?;
        let row = account.user.id.to_string();
        match ring.open(&factor.secret, totp_place(&row)) {
            Ok(_) => Ok(()),
            Err(error) => Err(SignInError::Sealed(error)),
        }
    }

    /// A check of a code against an account's factors: of an app that was confirmed, or of the one to confirm.
    fn code_check(&self, user: UserId, code: &str, of: AppState) -> CodeCheck {
        let code = OneTimeCode::read(code);
        let (encryption, now) = (self.0.encryption.clone(), self.0.clock.now());
        Box::new(move |factors| match code? {
            OneTimeCode::Recovery(code) => {
                let digest = code.digest();
                let known = factors.recovery_codes.contains(&digest);
                known.then_some(AcceptedCode::Recovery(digest))
            }
            OneTimeCode::Totp(code) => {
                let factor = factors.totp.as_ref()?;
                if factor.confirmed_at.is_some() != (of == AppState::Confirmed) {
                    return None;
                }
                let row = user.to_string();
                let secret = encryption?.open(&factor.secret, totp_place(&row)).ok()?;
                let step = TotpSecret::from_bytes(&secret)?.check(&code, now, factor.last_step)?;
                Some(AcceptedCode::Totp(step))
            }
        })
    }

    fn prepare(
        &self,
        user: UserId,
        second_factor: bool,
        is_known_device: bool,
        origin: Origin,
        budgets: &Budgets,
        rehash: Option<PasswordHash>,
    ) -> Result<(BegunSession, NewSession), SignInError> {
        let SignInParts { clock, random, .. } = &self.0;
        let now = clock.now();
        let begun = BegunSession {
            session: Session {
                id: SessionId::new(now, &**random)?,
                user,
                created_at: now,
                expires_at: now.saturating_add(self.0.sessions.lifetime),
                last_seen_at: now,
                proved_at: now,
                second_factor,
                origin,
                sso: None,
            },
            token: Token::generate(TokenKind::Session, &**random)?,
            device: if is_known_device {
                None
            } else {
                Some(Token::generate(TokenKind::Device, &**random)?)
            },
        };
        let new = NewSession {
            session: begun.session.clone(),
            token: begun.token.digest(),
            device: begun.device.as_ref().map(Token::digest),
            cleared: budgets.cleared(),
            refunded: None,
            verified: None,
            rehash,
        };
        Ok((begun, new))
    }
}

impl fmt::Debug for SignInFlows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignInFlows")
            .field("hashing", &self.0.hashing)
            .field("sessions", &self.0.sessions)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Login<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

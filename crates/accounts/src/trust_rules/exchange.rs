//! What the token of a job is worth.

use tigertrust_credentials::ports::KeyRecord;
use tigertrust_model::{
    Act, AuditAction, AuditEntry, Job, KeyId, KeyState, Origin, Timestamp, TrustMismatch, TrustRule,
};

use super::{ExchangeError, JobTokenError, JobTokens, TokenRefusal, TrustRuleFlows, TrustedKey};
use crate::audit::{JobOfToken, shortened};

/// A job that is let in.
#[derive(Clone, Debug)]
pub struct Exchanged {
    /// The key that it may have a token of, as it was found by its present secret. It was good at that moment.
    pub record: KeyRecord,
    /// What the audit log says of the job.
    pub job: JobOfToken,
}

/// What is told of a job that was refused: as far as its issuer has vouched for it.
struct Refused {
    why: TokenRefusal,
    job: Option<Job>,
}

impl From<TokenRefusal> for Refused {
    fn from(why: TokenRefusal) -> Self {
        Self { why, job: None }
    }
}

enum Failure {
    Refused(Refused),
    Other(ExchangeError),
}

impl<E: Into<Refused>> From<E> for Failure {
    fn from(refused: E) -> Self {
        Self::Refused(refused.into())
    }
}

impl TrustRuleFlows {
    /// Finds out whether a job is let in by a rule of the key, by the token that its runner has given it. Refusals are counted in
    /// the log of the key's workspace, if the key has rules.
    ///
    /// # Errors
    /// [`ExchangeError`].
    pub async fn exchange(
        &self,
        key_id: &str,
        oidc_token: &str,
        origin: Origin,
        now: Timestamp,
    ) -> Result<Exchanged, ExchangeError> {
        let tokens = self.0.tokens.as_deref().ok_or(ExchangeError::NotSupported)?;
        let id: KeyId = key_id.parse().map_err(|_| TokenRefusal::UnknownKey)?;
        let trusted = self.0.store.find_trusted_key(id).await?;
        let trusted = trusted.ok_or(TokenRefusal::UnknownKey)?;
        match self.let_in(tokens, &trusted, oidc_token, now).await {
            Ok(exchanged) => Ok(exchanged),
            Err(Failure::Other(error)) => Err(error),
            Err(Failure::Refused(refused)) => {
                self.0.refusals.count(entry(id, &trusted, &refused, origin));
                Err(refused.why.into())
            }
        }
    }

    async fn let_in(
        &self,
        tokens: &dyn JobTokens,
        trusted: &TrustedKey,
        token: &str,
        now: Timestamp,
    ) -> Result<Exchanged, Failure> {
        // What the token says unverified chooses among the issuers that the rules name, and no other is asked for anything.
        let claimed = tokens.claimed_issuer(token).ok_or(TokenRefusal::Malformed)?;
        if !trusted.rules.iter().any(|rule| rule.issuer == claimed) {
            return Err(TokenRefusal::Issuer.into());
        }
        let job = tokens
            .verify(&claimed, token, now)
            .await
            .map_err(|error| match error {
                JobTokenError::Refused(why) => Failure::from(why),
                JobTokenError::Unavailable(why) => Failure::Other(ExchangeError::IssuerUnavailable(why)),
            })?;
        let rule = match fulfilled(&trusted.rules, &job) {
            Ok(rule) => rule.id,
            Err(why) => {
                return Err(Refused { why, job: Some(job) }.into());
            }
        };
        // Asking the issuer may have taken a while: the key counts as it is now.
        let found = self.0.credentials.find_key(&[trusted.digest]).await;
        let record = found
            .map_err(|error| Failure::Other(error.into()))?
            .filter(|record| is_good(record, now));
        match record {
            None => Err(Refused {
                why: TokenRefusal::KeyNotGood,
                job: Some(job),
            }
            .into()),
            Some(record) => Ok(Exchanged {
                record,
                job: JobOfToken {
                    issuer: job.issuer,
                    subject: job.subject,
                    rule,
                },
            }),
        }
    }
}

/// The first rule that the job fulfils; else what it lacks of the one that it came closest to.
fn fulfilled<'a>(rules: &'a [TrustRule], job: &Job) -> Result<&'a TrustRule, TokenRefusal> {
    let mut closest = TrustMismatch::Issuer;
    for rule in rules {
        match rule.accepts(job) {
            Ok(()) => return Ok(rule),
            Err(mismatch) => closest = closest.max(mismatch),
        }
    }
    Err(match closest {
        TrustMismatch::Issuer => TokenRefusal::Issuer,
        TrustMismatch::Audience => TokenRefusal::Audience,
        TrustMismatch::Claim(claim) => TokenRefusal::Claim(claim),
    })
}

/// Whether the key would be admitted: there is no point in a token of one that is not.
fn is_good(record: &KeyRecord, now: Timestamp) -> bool {
    let home = record.home();
    let is_owned = record.owner.as_ref().is_none_or(|owner| {
        owner.disabled_at.is_none() && home.is_some_and(|home| owner.role_in(home.id).is_some())
    });
    record.key.state(now) == KeyState::Active
        && record.secret_ends_at.is_none_or(|end| now < end)
        && home.is_none_or(|home| home.deleted_at.is_none())
        && is_owned
}

fn entry(key: KeyId, trusted: &TrustedKey, refused: &Refused, origin: Origin) -> AuditEntry {
    let mut entry = AuditEntry::new(AuditAction::TokenRefused, trusted.home, &Act::of_anybody(origin))
        .on(key)
        .refused(refused.why.code());
    if let Some((name, text)) = refused.why.detail() {
        entry = entry.about(name, text);
    }
    // Of a job that nobody has vouched for, anything may be said.
    if let Some(job) = &refused.job {
        entry = entry.about("issuer", job.issuer.as_str());
        if let Some(subject) = &job.subject {
            entry = entry.about("subject", shortened(subject));
        }
    }
    entry
}

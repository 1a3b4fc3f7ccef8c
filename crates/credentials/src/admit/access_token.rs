//! Tokens in place of keys: exchanging one for the other, and admitting by them.

use std::{borrow::Cow, net::IpAddr, sync::Arc, time::Duration};

use tigertrust_model::{RandomError, RandomSource, Scope, ScopeSet, Timestamp, TokenId};

use super::{Admission, Permit};
use crate::{
    AccessClaims, AccessTokenSigner, AuthError, Need, ParsedAccessToken, Presented, Refusal, Unauthorized,
    access_token::{AccessGrant, AccessTokens, digest_of},
    cache::Remembered,
    known_key::KnownKey,
    ports::KeyRecord,
};

/// What a token is to be good for.
#[derive(Clone, Debug)]
pub struct AccessTokenRequest {
    /// What it may do; by default all that the caller may do.
    pub scopes: Option<ScopeSet>,
    /// How long it lives, unless its key is over before.
    pub life: Duration,
    /// The number of the last change that was known before the caller was admitted.
    pub change: u64,
}

/// A token that was issued.
#[derive(Clone, Debug)]
pub struct IssuedAccessToken {
    /// The token in plain, for the one answer that shows it.
    pub text: zeroize::Zeroizing<String>,
    /// What it says.
    pub claims: AccessClaims,
}

/// Why no token is issued.
#[derive(Clone, Debug, thiserror::Error)]
pub enum IssueTokenError {
    /// Nobody has said how tokens are signed.
    #[error("there is no key to sign tokens with")]
    NoSigner,
    /// The caller presented a token itself: what it is exchanged for would outlive it.
    #[error("a token cannot be exchanged for another one")]
    FromToken,
    /// The caller does not hold a scope itself.
    #[error("the scope {0} is not the caller's")]
    Beyond(Scope),
    /// There is no randomness for its id.
    #[error(transparent)]
    Random(#[from] RandomError),
}

impl Admission {
    /// Says how tokens are signed. Without it there are none. What was said first stands.
    pub fn accept_access_tokens(&self, signer: Arc<dyn AccessTokenSigner>) {
        let _ = self.tokens.set(AccessTokens::new(signer));
    }

    /// Issues a token to a caller, for the workspace that it acts in.
    ///
    /// # Errors
    /// [`IssueTokenError`].
    pub fn issue_access_token(
        &self,
        permit: &Permit,
        asked: &AccessTokenRequest,
        random: &dyn RandomSource,
    ) -> Result<IssuedAccessToken, IssueTokenError> {
        let tokens = self.tokens.get().ok_or(IssueTokenError::NoSigner)?;
        if permit.token.is_some() {
            return Err(IssueTokenError::FromToken);
        }
        let own = permit.scopes();
        let scopes = asked.scopes.as_ref().unwrap_or(&own);
        if let Some(beyond) = scopes.iter().find(|scope| !permit.grants(scope)) {
            return Err(IssueTokenError::Beyond(beyond.clone()));
        }
        let now = self.clock.now();
        let record: &KeyRecord = &permit.record;
        let end = now.saturating_add(asked.life);
        let claims = AccessClaims {
            id: TokenId::new(now, random)?,
            key: record.key.id,
            secret: record.secret_digest,
            issued_at: whole_seconds(now),
            expires_at: whole_seconds(record.expires_at().map_or(end, |own| own.min(end))),
            scopes: scopes.clone(),
            workspace: permit.workspace().map(|workspace| workspace.id),
        };
        let text = tokens.signer().write(&claims, record, asked.change);
        let text = text.ok_or(IssueTokenError::NoSigner)?.into();
        Ok(IssuedAccessToken { text, claims })
    }

    /// Admits a key that proved who it is by something else than its secret. The checks and their order are those of
    /// [`admit`](Self::admit), from the key's state on.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn admit_vouched(
        &self,
        record: KeyRecord,
        presented: &Presented<'_>,
        need: &Need,
    ) -> Result<Permit, Refusal> {
        let record = Arc::new(Remembered::of_the_moment(KnownKey::new(record)));
        self.permit(record, None, Some(1), presented, need).await
    }

    /// Does what may find a credential of a client to be no good, as look-ups of keys are done: within the budget of failures that
    /// the client's network has. `is_failure` says which errors count.
    ///
    /// # Errors
    /// [`AuthError::RateLimited`] where the network has failed too often: then nothing is attempted, or what it came to is not told.
    pub async fn attempt<T, E>(
        &self,
        client: Option<IpAddr>,
        attempt: impl Future<Output = Result<T, E>>,
        is_failure: impl FnOnce(&E) -> bool,
    ) -> Result<Result<T, E>, AuthError> {
        // Whoever has failed too often waits for a turn, but holds up nobody for as long as the attempt takes: others may have to be
        // asked for it, and others look keys up meanwhile.
        drop(self.limits.failures.enter(client).await?);
        let answered = attempt.await;
        if answered.as_ref().is_err_and(is_failure) {
            let look_up = self.limits.failures.enter(client).await?;
            let refused = AuthError::Unauthorized(Unauthorized::TokenInvalid);
            if let limited @ AuthError::RateLimited { .. } = look_up.failed(refused) {
                return Err(limited);
            }
        }
        Ok(answered)
    }

    pub(super) async fn admit_token(
        &self,
        cost: Option<u32>,
        presented: &Presented<'_>,
        token: ParsedAccessToken<'_>,
        need: &Need,
    ) -> Result<Permit, Refusal> {
        let refused = |why| {
            if cost.is_some() {
                self.checks.refused(&why);
            }
            why
        };
        let digest = digest_of(token);
        let grant = match self.tokens.get().and_then(|tokens| tokens.known(token, &digest)) {
            Some(grant) => grant,
            None => {
                // 2. A signature takes its time, as a look-up does.
                let look_up = self
                    .limits
                    .failures
                    .enter(presented.client)
                    .await
                    .map_err(refused)?;
                let read = self.read_token(token, digest);
                read.map_err(|why| refused(look_up.failed(why)))?
            }
        };
        let secret = grant.claims.secret;
        let record = match self.keys.known(&secret) {
            Some(record) => record,
            None => self
                .find(cost, presented, secret, &|| vec![secret])
                .await
                .map_err(refused)?,
        };
        own_record(&grant, &record).map_err(refused)?;
        self.permit(record, Some(grant), cost, presented, need).await
    }

    /// The key of a token that somebody was shown.
    pub(super) async fn find_by_token(
        &self,
        value: &[u8],
    ) -> Result<(Arc<Remembered<KnownKey>>, Option<Arc<AccessGrant>>), AuthError> {
        let Some(Ok(token)) = ParsedAccessToken::read(value) else {
            return Err(AuthError::Unauthorized(Unauthorized::Malformed));
        };
        let digest = digest_of(token);
        let grant = match self.tokens.get().and_then(|tokens| tokens.known(token, &digest)) {
            Some(grant) => grant,
            None => self.read_token(token, digest)?,
        };
        let secret = grant.claims.secret;
        let record = self.look_up(secret, &|| vec![secret]).await?;
        own_record(&grant, &record)?;
        Ok((record, Some(grant)))
    }

    fn read_token(
        &self,
        token: ParsedAccessToken<'_>,
        digest: [u8; 32],
    ) -> Result<Arc<AccessGrant>, AuthError> {
        self.tokens
            .get()
            .and_then(|tokens| tokens.read(token, digest, self.clock.now()))
            .ok_or(AuthError::Unauthorized(Unauthorized::TokenInvalid))
    }
}

impl Permit {
    /// What the token says that was presented in place of the key, if one was.
    #[must_use]
    pub fn token(&self) -> Option<&AccessClaims> {
        self.token.as_ref().map(|token| &token.claims)
    }

    /// From when on what was presented is refused: see [`KeyRecord::expires_at`]; for a token its own end at the latest.
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        earlier(self.record.expires_at(), self.token.as_deref())
    }

    /// The workspaces that the caller may enter, those of an instance key aside: of the key's own, or the token's alone.
    pub fn enterable(&self) -> impl Iterator<Item = &tigertrust_model::Workspace> {
        let own = self.record.workspaces.iter();
        own.filter(|workspace| {
            let is_confined = self.token.as_ref().and_then(|token| token.claims.workspace);
            self.record.may_enter(workspace) && is_confined.is_none_or(|only| only == workspace.id)
        })
    }

    /// Whether the caller works for the whole instance: an instance key, or a token of one that names no workspace.
    #[must_use]
    pub fn is_of_instance(&self) -> bool {
        let is_confined = self.token().is_some_and(|token| token.workspace.is_some());
        self.record.home().is_none() && !is_confined
    }
}

impl super::Verdict {
    /// From when on what was presented is refused: as [`Permit::expires_at`].
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        let own = self.record.as_ref().and_then(|record| record.expires_at());
        earlier(own, self.token.as_deref())
    }
}

/// What remains of a key's scopes for a token of it.
pub(super) fn narrowed<'a>(own: Cow<'a, ScopeSet>, token: Option<&AccessGrant>) -> Cow<'a, ScopeSet> {
    let Some(token) = token else { return own };
    let granted = &token.claims.scopes;
    // Of `a:*` and `a:read` that is `a:read`, whichever of the two has which.
    let of_token = granted.iter().filter(|scope| own.grants(scope));
    let of_key = own.iter().filter(|scope| granted.grants(scope));
    Cow::Owned(of_token.chain(of_key).cloned().collect())
}

fn earlier(own: Option<Timestamp>, token: Option<&AccessGrant>) -> Option<Timestamp> {
    let ends = [own, token.map(|token| token.claims.expires_at)];
    ends.into_iter().flatten().min()
}

/// A secret's digest has one key, for good; a token that says otherwise was not written by us.
fn own_record(grant: &AccessGrant, record: &KnownKey) -> Result<(), AuthError> {
    if record.key.id == grant.claims.key {
        Ok(())
    } else {
        Err(AuthError::Unauthorized(Unauthorized::TokenInvalid))
    }
}

const fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_unix_micros(at.unix_micros() - at.unix_micros().rem_euclid(1_000_000))
}

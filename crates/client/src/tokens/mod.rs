//! Verifies short-lived tokens without asking, where that can be done: see the handbook, "How a token is decided upon".

mod claims;
mod key_set;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest as _, Sha256};
use tigertrust_model::Scope;

use self::{claims::Claims, key_set::KeySet};
use crate::{
    Code, Question, RefusedVerdict, ValidVerdict, Verdict,
    changes::Issued,
    core::Core,
    lock::lock,
    lru::Lru,
    question::Digest,
    reach::Reach,
    refusal::grants,
    token_format::{self, Token},
};

/// By how much the clocks of machines may differ, in seconds.
const SKEW: i64 = 60;
/// No token is issued for longer, in seconds.
const LONGEST_LIFE: i64 = 900;
const MICROS: i64 = 1_000_000;

const NOT_SIGNED: &str = "The token was not issued by this server, or has been tampered with.";
const EXPIRED: &str = "The API key, or the token of it, is past its expiry.";
const WORKSPACES: &str = "The workspace in X-Workspace-ID does not exist or is not one of the caller's.";

/// What is known of tokens and of the keys that sign them.
pub(crate) struct TokenVerifier {
    keys: KeySet,
    /// Tokens whose signature was good, by their SHA-256. One lock is enough: a hash of the token takes longer than what is done
    /// under it.
    signed: Mutex<Lru<Digest, Option<Signed>>>,
    /// Whether the operator was told that tokens come from somebody else than expected.
    has_warned: AtomicBool,
}

/// A token whose signature was good, and under which key.
#[derive(Clone)]
struct Signed {
    // The same name is not proof of the same key.
    by: VerifyingKey,
    /// `None` if they are not such as are known here.
    claims: Option<Arc<Claims>>,
}

impl TokenVerifier {
    pub(crate) fn new(cache_size: usize) -> Self {
        Self {
            keys: KeySet::default(),
            signed: Mutex::new(Lru::new(cache_size)),
            has_warned: AtomicBool::new(false),
        }
    }

    /// The token, if it is signed with this key.
    fn signed(&self, key: &VerifyingKey, token: &Token<'_>, presented: &str) -> Option<Signed> {
        let digest: Digest = Sha256::digest(presented).into();
        let known = lock(&self.signed).get_mut(&digest).cloned().flatten();
        if let Some(known) = known.filter(|known| known.by == *key) {
            return Some(known);
        }
        let signature = URL_SAFE_NO_PAD.decode(token.signature).ok()?;
        let signature = Signature::from_slice(&signature).ok()?;
        key.verify_strict(token.signed.as_bytes(), &signature).ok()?;
        let signed = Signed {
            by: *key,
            claims: Claims::read(token.payload).map(Arc::new),
        };
        lock(&self.signed).insert(digest, Some(signed.clone()));
        Some(signed)
    }
}

impl Core {
    /// What a token is worth; `None` where the server has to be asked.
    pub(crate) async fn decide(
        self: &Arc<Self>,
        presented: &str,
        question: &Question<'_>,
        until: Duration,
    ) -> Option<Verdict> {
        let token = token_format::read(presented.as_bytes())?;
        let mut key = self.tokens.keys.known(&token.kid, self.now());
        if key.is_none() {
            key_set::refresh(self, until).await;
            key = self.tokens.keys.known(&token.kid, self.now());
        }
        let Some(signed) = self.tokens.signed(&key?, &token, presented) else {
            return Some(Verdict::unnamed(NOT_SIGNED));
        };
        let claims = signed.claims?;
        let wall = self.settings.clock.now().unix_micros();
        if !self.is_timely(&claims, wall) {
            return None;
        }
        if claims.expires_at.saturating_mul(MICROS) <= wall {
            return Some(refused(&claims.verdict, Code::TokenExpired, EXPIRED));
        }
        if !self.is_known(&claims, wall, until) {
            return None;
        }
        answer(&claims.verdict, question)
    }

    /// Whether this server says that it issued the token, and when that can have been.
    fn is_timely(&self, claims: &Claims, wall: i64) -> bool {
        let issuer = &self.settings.issuer;
        if claims.issuer != *issuer && !self.tokens.has_warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "tokens are issued by {}, and this client expects {issuer}: set TIGERTRUST_ISSUER to the former, or the server is \
                 asked about each of them",
                claims.issuer
            );
        }
        let life = claims.expires_at - claims.issued_at;
        claims.issuer == *issuer
            && claims.audience == *issuer
            && (claims.issued_at - SKEW).saturating_mul(MICROS) <= wall
            && (1..=LONGEST_LIFE).contains(&life)
    }

    /// Whether the client knows all that the server would.
    fn is_known(self: &Arc<Self>, claims: &Claims, wall: i64, until: Duration) -> bool {
        let now = self.now();
        if claims.is_online || !self.status.is_fresh(now) || !self.hears_of(&claims.verdict, until) {
            return false;
        }
        let issued = Issued {
            change: claims.change,
            age: wall.saturating_sub(claims.issued_at.saturating_mul(MICROS)),
            skew: SKEW * MICROS,
        };
        self.changes.have_left_alone(&claims.depends_on, issued, now)
    }

    /// Whether the feed tells of all that the token depends on.
    fn hears_of(self: &Arc<Self>, verdict: &ValidVerdict, until: Duration) -> bool {
        match self.reach(until) {
            Some(Reach::Everything) => true,
            Some(Reach::Home(home)) => {
                verdict.home_workspace_id == Some(home) && verdict.workspace_id == Some(home)
            }
            Some(Reach::Nothing) | None => false,
        }
    }
}

/// What the token is worth for the question; `None` where the question is for the server to judge.
fn answer(verdict: &Arc<ValidVerdict>, question: &Question<'_>) -> Option<Verdict> {
    if question.workspace_id.is_some() && verdict.workspace_id.is_none() {
        return None;
    }
    if let Some(scope) = question.scope
        && !scope.parse().is_ok_and(|scope: Scope| !scope.is_wildcard())
    {
        return None;
    }
    if let Some(key_type) = question.key_type.filter(|kind| *kind != verdict.key_type) {
        let detail = format!("This needs an API key of type {}.", key_type.as_str());
        return Some(refused(verdict, Code::Forbidden, &detail));
    }
    if question.workspace_id.is_some()
        && question.workspace_id != verdict.workspace_id.map(|id| id.to_string()).as_deref()
    {
        return Some(refused(verdict, Code::WorkspaceAccessDenied, WORKSPACES));
    }
    if let Some(scope) = question.scope.filter(|scope| !grants(&verdict.scopes, scope)) {
        let detail = format!("This needs the scope {scope}.");
        return Some(refused(verdict, Code::Forbidden, &detail));
    }
    Some(Verdict::Valid(Arc::clone(verdict)))
}

fn refused(verdict: &ValidVerdict, code: Code, detail: &str) -> Verdict {
    Verdict::Refused(Arc::new(RefusedVerdict {
        code,
        detail: detail.to_owned(),
        key_id: Some(verdict.key_id),
        owner_id: verdict.owner_id,
        home_workspace_id: verdict.home_workspace_id,
        scopes: verdict.scopes.clone(),
        rate_limits: Vec::new(),
        violated_policies: Vec::new(),
        retry_after_seconds: None,
    }))
}

//! Access tokens: what a key is exchanged for, signed, and good for minutes (JSON Web Tokens, RFC 7519, in the profile of
//! RFC 9068).
//!
//! A token names its key by the digest of the secret, so that it is looked up, limited and refused as the key itself is. How it is
//! signed stands behind [`AccessTokenSigner`], so that programs without tokens do not build what it is made of.

#[cfg(feature = "access-tokens")]
mod ring;
#[cfg(feature = "access-tokens")]
mod signer;

use std::{fmt, sync::Arc, time::Duration};

use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};
use tigertrust_model::{KeyId, ScopeSet, Timestamp, TokenId, WorkspaceId};

use crate::{KeyDigest, digest_hasher::HashesDigests, ports::KeyRecord};

#[cfg(feature = "access-tokens")]
pub use self::{
    ring::{SigningKey, SigningKeyError, SigningRing},
    signer::RingSigner,
};

/// What each token begins with: its header up to the part of the key's id that differs.
pub const ACCESS_TOKEN_PREFIX: &str = "eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCIsImtpZCI6InRpZ2VydHJ1c3Qt";
/// No token is longer; one with all scopes that a catalog may have stays far below.
const MAX_LENGTH: usize = 8 * 1024;
/// How many tokens are remembered whose signature was right.
const REMEMBERED: usize = 10_000;
/// How far another server's clock may be ahead.
const LEEWAY: Duration = Duration::from_secs(60);

/// Begins as a token does and yet is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the token is malformed")]
pub struct MalformedAccessToken;

/// A value that is written as a token is. Whether we have signed it is another question. `Debug` shows nothing of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ParsedAccessToken<'a>(&'a str);

impl<'a> ParsedAccessToken<'a> {
    /// Reads a token; `None` when the value does not begin as ours do: the token of another issuer, say.
    ///
    /// # Errors
    /// [`MalformedAccessToken`].
    pub fn read(value: &'a [u8]) -> Option<Result<Self, MalformedAccessToken>> {
        value
            .starts_with(ACCESS_TOKEN_PREFIX.as_bytes())
            .then(|| Self::check(value))
    }

    fn check(value: &'a [u8]) -> Result<Self, MalformedAccessToken> {
        let is_base64url = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let mut parts = value.split(|byte| *byte == b'.');
        let three = [parts.next(), parts.next(), parts.next()];
        let are_parts = three
            .iter()
            .all(|part| part.is_some_and(|part| !part.is_empty() && part.iter().all(is_base64url)));
        if value.len() > MAX_LENGTH || !are_parts || parts.next().is_some() {
            return Err(MalformedAccessToken);
        }
        std::str::from_utf8(value)
            .map(Self)
            .map_err(|_| MalformedAccessToken)
    }

    /// The token in plain.
    #[must_use]
    pub const fn as_str(&self) -> &'a str {
        self.0
    }
}

impl fmt::Debug for ParsedAccessToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ParsedAccessToken(…)")
    }
}

/// What a token is verified with: an Ed25519 key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicSigningKey {
    /// The id that tokens name it by: `tigertrust-` and the beginning of its thumbprint (RFC 7638).
    pub kid: String,
    /// The public key, in base64url without padding (RFC 8037).
    pub x: String,
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessClaims {
    /// The token's id.
    pub id: TokenId,
    /// The key that it acts as.
    pub key: KeyId,
    /// The digest under which the secret is stored that it was exchanged for.
    pub secret: KeyDigest,
    /// When it was issued: whole seconds.
    pub issued_at: Timestamp,
    /// From when on it is refused: whole seconds.
    pub expires_at: Timestamp,
    /// What it may do, where the key may too.
    pub scopes: ScopeSet,
    /// The workspace that it acts in; none for that of an instance key which named none.
    pub workspace: Option<WorkspaceId>,
}

/// Reads and writes tokens.
pub trait AccessTokenSigner: Send + Sync {
    /// What a token of this issuer says; `None` where the signature or a claim is wrong. Its time is not looked at.
    fn read(&self, token: ParsedAccessToken<'_>) -> Option<AccessClaims>;

    /// Whether the token names a key to verify it with that is there still, so that one which was read before is good no longer than
    /// that key.
    fn holds_key_of(&self, token: ParsedAccessToken<'_>) -> bool;

    /// The token of a key, which others are told of it too. `change` is the number of the last change that was known.
    fn write(&self, claims: &AccessClaims, key: &KeyRecord, change: u64) -> Option<String>;
}

/// A token whose signature was right.
#[derive(Debug)]
pub(crate) struct AccessGrant {
    pub(crate) claims: AccessClaims,
    /// The workspace as a header names it.
    workspace: Option<String>,
}

impl AccessGrant {
    /// The workspace that it acts in, as a header would name it.
    pub(crate) fn workspace(&self) -> Option<&[u8]> {
        self.workspace.as_deref().map(str::as_bytes)
    }

    /// Whether it is good at that time.
    pub(crate) fn is_current(&self, now: Timestamp) -> bool {
        now < self.claims.expires_at
    }
}

/// What an admission has to know of tokens.
pub(crate) struct AccessTokens {
    signer: Arc<dyn AccessTokenSigner>,
    /// By the SHA-256 of the token: a signature takes longer to check than all the rest.
    known: Cache<[u8; 32], Arc<AccessGrant>, quick_cache::UnitWeighter, HashesDigests>,
}

impl AccessTokens {
    pub(crate) fn new(signer: Arc<dyn AccessTokenSigner>) -> Self {
        Self {
            signer,
            known: Cache::with(
                REMEMBERED,
                REMEMBERED as u64,
                quick_cache::UnitWeighter,
                HashesDigests::default(),
                quick_cache::sync::DefaultLifecycle::default(),
            ),
        }
    }

    pub(crate) fn signer(&self) -> &dyn AccessTokenSigner {
        &*self.signer
    }

    /// A token that was seen before, by its digest. What its key has signed ends with the key: that may have leaked.
    pub(crate) fn known(&self, token: ParsedAccessToken<'_>, digest: &[u8; 32]) -> Option<Arc<AccessGrant>> {
        self.known.get(digest).filter(|_| self.signer.holds_key_of(token))
    }

    /// A token that was not; `None` where we have not signed it, or not yet.
    pub(crate) fn read(
        &self,
        token: ParsedAccessToken<'_>,
        digest: [u8; 32],
        now: Timestamp,
    ) -> Option<Arc<AccessGrant>> {
        let claims = self.signer.read(token)?;
        if claims.issued_at > now.saturating_add(LEEWAY) {
            return None;
        }
        let grant = Arc::new(AccessGrant {
            workspace: claims.workspace.map(|id| id.to_string()),
            claims,
        });
        if grant.is_current(now) {
            self.known.insert(digest, Arc::clone(&grant));
        }
        Some(grant)
    }
}

/// What a token is remembered by.
pub(crate) fn digest_of(token: ParsedAccessToken<'_>) -> [u8; 32] {
    Sha256::digest(token.as_str()).into()
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_prefix_is_the_header_up_to_the_key_s_id() {
        let header = br#"{"alg":"EdDSA","typ":"at+jwt","kid":"tigertrust-"#;
        assert_eq!(URL_SAFE_NO_PAD.encode(header), ACCESS_TOKEN_PREFIX);
    }

    #[test]
    fn what_others_have_issued_is_not_ours() {
        for value in [
            "",
            "eyJhbGciOiJub25lIn0.e30.",
            "eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCIsImtpZCI6ImsxIn0.e30.AAAA",
        ] {
            assert_eq!(ParsedAccessToken::read(value.as_bytes()), None, "{value}");
        }
    }

    #[test]
    fn what_begins_as_ours_has_three_parts_of_base64url() {
        for rest in [
            "",
            ".",
            "..",
            "AA.AA",
            "AA.AA.",
            "AA.A=.AA",
            "AA.AA.AA.AA",
            "A A.AA.AA",
            "é.AA.AA",
        ] {
            let value = format!("{ACCESS_TOKEN_PREFIX}{rest}");
            assert_eq!(
                ParsedAccessToken::read(value.as_bytes()),
                Some(Err(MalformedAccessToken)),
                "{rest}"
            );
        }
        let value = format!("{ACCESS_TOKEN_PREFIX}AA.A-._A");
        assert!(ParsedAccessToken::read(value.as_bytes()).unwrap().is_ok());
        let value = format!("{ACCESS_TOKEN_PREFIX}AA.{}.AA", "A".repeat(MAX_LENGTH));
        assert!(ParsedAccessToken::read(value.as_bytes()).unwrap().is_err());
    }

    proptest! {
        #[test]
        fn no_input_makes_the_reader_panic(rest in proptest::collection::vec(any::<u8>(), 0..200)) {
            let value = [ACCESS_TOKEN_PREFIX.as_bytes(), &rest].concat();
            if let Some(Ok(token)) = ParsedAccessToken::read(&value) {
                prop_assert_eq!(token.as_str().as_bytes(), value.as_slice());
            }
        }
    }
}

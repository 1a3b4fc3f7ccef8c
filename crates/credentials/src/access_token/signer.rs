//! Tokens as text: RFC 7515 in its compact form, with the claims of RFC 9068 and our own.

use std::{fmt, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use tigertrust_model::{Scope, Timestamp};

use super::{AccessClaims, AccessTokenSigner, ParsedAccessToken, PublicSigningKey, SigningKey, SigningRing};
use crate::{KeyDigest, ports::KeyRecord};

/// Signs tokens as one issuer, with the keys of a ring.
pub struct RingSigner {
    ring: SigningRing,
    issuer: String,
}

/// What a token says, as JSON. What is absent is not written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    #[serde(rename = "client_id")]
    client: &'a str,
    jti: String,
    iat: i64,
    exp: i64,
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    workspace_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    home_workspace_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner_id: Option<String>,
    key_type: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<&'a str>,
    change: u64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    online: bool,
    secret: String,
}

/// What we read of it ourselves.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Read {
    iss: String,
    aud: String,
    sub: String,
    jti: String,
    iat: i64,
    exp: i64,
    scope: String,
    workspace_id: Option<String>,
    secret: String,
}

impl RingSigner {
    /// A signer whose tokens name `issuer` as issuer and audience: where the server is reached, without a slash at the end.
    #[must_use]
    pub fn new(ring: SigningRing, issuer: &str) -> Self {
        Self {
            ring,
            issuer: issuer.trim_end_matches('/').to_owned(),
        }
    }

    /// What its tokens are verified with, those of the current key first.
    #[must_use]
    pub fn public_keys(&self) -> Vec<PublicSigningKey> {
        let keys = self.ring.load();
        keys.all().map(SigningKey::public).cloned().collect()
    }

    /// Who its tokens say has issued them.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    fn claims(&self, token: ParsedAccessToken<'_>) -> Option<Read> {
        let (message, signature) = token.as_str().rsplit_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let signature: &[u8; 64] = signature.as_slice().try_into().ok()?;
        // The whole header must be one that we write: nothing in it is the token's to choose.
        let keys = self.ring.load();
        let (key, payload) = keys
            .all()
            .find_map(|key| Some((key, message.strip_prefix(key.header())?)))?;
        if !key.has_signed(message.as_bytes(), signature) {
            return None;
        }
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
    }
}

impl AccessTokenSigner for RingSigner {
    fn read(&self, token: ParsedAccessToken<'_>) -> Option<AccessClaims> {
        let read = self.claims(token)?;
        if read.iss != self.issuer || read.aud != self.issuer {
            return None;
        }
        let secret = URL_SAFE_NO_PAD.decode(read.secret).ok()?;
        let scopes = read.scope.split(' ').filter(|scope| !scope.is_empty());
        Some(AccessClaims {
            id: read.jti.parse().ok()?,
            key: read.sub.parse().ok()?,
            secret: KeyDigest::from_bytes(secret.try_into().ok()?),
            issued_at: time(read.iat)?,
            expires_at: time(read.exp)?,
            scopes: scopes
                .map(|scope| scope.parse::<Scope>().ok())
                .collect::<Option<_>>()?,
            workspace: read.workspace_id.map(|id| id.parse()).transpose().ok()?,
        })
    }

    fn holds_key_of(&self, token: ParsedAccessToken<'_>) -> bool {
        let keys = self.ring.load();
        keys.all().any(|key| token.as_str().starts_with(key.header()))
    }

    fn write(&self, claims: &AccessClaims, record: &KeyRecord, change: u64) -> Option<String> {
        let key = &record.key;
        let id = key.id.to_string();
        let scopes: Vec<&str> = claims.scopes.iter().map(Scope::as_str).collect();
        let written = Written {
            iss: &self.issuer,
            aud: &self.issuer,
            sub: &id,
            client: &id,
            jti: claims.id.to_string(),
            iat: seconds(claims.issued_at),
            exp: seconds(claims.expires_at),
            scope: scopes.join(" "),
            workspace_id: claims.workspace.map(|id| id.to_string()),
            home_workspace_id: record.home().map(|home| home.id.to_string()),
            owner_id: key.owner.map(|id| id.to_string()),
            key_type: key.kind.as_str(),
            name: &key.name,
            external_id: key.external_id.as_deref(),
            plan: record.home().map(|home| home.plan.as_str()),
            change,
            online: !key.allowed_cidrs.is_empty(),
            secret: URL_SAFE_NO_PAD.encode(claims.secret.as_bytes()),
        };
        let signing = self.ring.current();
        let mut token = signing.header().to_owned();
        URL_SAFE_NO_PAD.encode_string(serde_json::to_vec(&written).ok()?, &mut token);
        let signature = signing.sign(token.as_bytes());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Some(token)
    }
}

impl fmt::Debug for RingSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RingSigner")
            .field("issuer", &self.issuer)
            .field("ring", &self.ring)
            .finish_non_exhaustive()
    }
}

const fn seconds(at: Timestamp) -> i64 {
    at.unix_micros().div_euclid(1_000_000)
}

/// The time so many seconds after the epoch.
fn time(seconds: i64) -> Option<Timestamp> {
    let since = Duration::from_secs(u64::try_from(seconds).ok()?);
    Some(Timestamp::from_unix_micros(0).saturating_add(since))
}

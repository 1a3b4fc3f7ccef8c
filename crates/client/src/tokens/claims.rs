//! What a token says.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Deserializer, de};
use tigertrust_model::{Entity, Timestamp};

use crate::{ValidVerdict, Verdict};

/// The greatest whole number that every language reads exactly.
const GREATEST_NUMBER: i64 = (1 << 53) - 1;
const MICROS: i64 = 1_000_000;

/// What a token says, as far as it is asked about here.
#[derive(Debug)]
pub(super) struct Claims {
    pub(super) issuer: String,
    pub(super) audience: String,
    /// In seconds since 1970.
    pub(super) issued_at: i64,
    /// From when on it is refused, in seconds since 1970.
    pub(super) expires_at: i64,
    /// The last change that was known when it was issued.
    pub(super) change: u64,
    /// Whether the server is to be asked each time.
    pub(super) is_online: bool,
    /// What it is worth.
    pub(super) verdict: Arc<ValidVerdict>,
    pub(super) depends_on: Vec<Entity>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    iss: String,
    aud: String,
    sub: String,
    iat: i64,
    exp: i64,
    scope: String,
    #[serde(default, deserialize_with = "present")]
    workspace_id: Option<String>,
    #[serde(default, deserialize_with = "present")]
    home_workspace_id: Option<String>,
    #[serde(default, deserialize_with = "present")]
    owner_id: Option<String>,
    key_type: String,
    name: String,
    #[serde(default, deserialize_with = "present")]
    external_id: Option<String>,
    #[serde(default, deserialize_with = "present")]
    plan: Option<String>,
    change: i64,
    #[serde(default, deserialize_with = "present_and_true")]
    online: bool,
    // These must be there, and are of no use here.
    #[serde(rename = "jti")]
    _id: String,
    #[serde(rename = "client_id")]
    _client_id: String,
    #[serde(rename = "secret")]
    _secret: String,
}

impl Claims {
    /// Reads the claims of a token whose signature is good; `None` if one is missing or not of its type.
    pub(super) fn read(payload: &str) -> Option<Self> {
        let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
        // A list would do for a structure as well.
        if !payload.starts_with(b"{") {
            return None;
        }
        let written: Written = serde_json::from_slice(&payload).ok()?;
        let numbers = [written.iat, written.exp, written.change];
        if !numbers
            .iter()
            .all(|number| (0..=GREATEST_NUMBER).contains(number))
        {
            return None;
        }
        let verdict = Arc::new(ValidVerdict {
            key_id: written.sub.parse().ok()?,
            key_type: written.key_type.parse().ok()?,
            name: written.name,
            external_id: written.external_id,
            metadata: serde_json::Map::new(),
            owner_id: written.owner_id.map(|id| id.parse()).transpose().ok()?,
            home_workspace_id: written.home_workspace_id.map(|id| id.parse()).transpose().ok()?,
            workspace_id: written.workspace_id.map(|id| id.parse()).transpose().ok()?,
            expires_at: Some(Timestamp::from_unix_micros(written.exp.saturating_mul(MICROS))),
            scopes: written.scope.split_terminator(' ').map(str::to_owned).collect(),
            plan: written.plan,
            rate_limits: Vec::new(),
        });
        Some(Self {
            issuer: written.iss,
            audience: written.aud,
            issued_at: written.iat,
            expires_at: written.exp,
            change: u64::try_from(written.change).ok()?,
            is_online: written.online,
            depends_on: Verdict::Valid(Arc::clone(&verdict)).depends_on(),
            verdict,
        })
    }
}

/// What is there must not be null.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    String::deserialize(deserializer).map(Some)
}

fn present_and_true<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    if bool::deserialize(deserializer)? {
        Ok(true)
    } else {
        Err(de::Error::custom("not true"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn written() -> Value {
        json!({
            "iss": "https://auth.example.com", "aud": "https://auth.example.com",
            "sub": "key_01m86fcna0fx895jfx2prsm665", "client_id": "key_01m86fcna0fx895jfx2prsm665",
            "jti": "tok_01m86fcna0fx895jfx2prsm665", "iat": 1_800_000_000, "exp": 1_800_000_600,
            "scope": "certificates:read orders:*", "keyType": "agent", "name": "a job", "change": 7, "secret": "x",
        })
    }

    fn read(claims: &Value) -> Option<Claims> {
        Claims::read(&URL_SAFE_NO_PAD.encode(claims.to_string()))
    }

    #[test]
    fn a_verdict_is_made_of_the_claims() {
        let few = read(&written()).unwrap();
        assert_eq!(
            (few.issued_at, few.expires_at, few.change),
            (1_800_000_000, 1_800_000_600, 7)
        );
        assert!(!few.is_online);
        assert_eq!(few.verdict.scopes, ["certificates:read", "orders:*"]);
        assert_eq!(
            few.verdict.expires_at.unwrap().unix_micros(),
            1_800_000_600_000_000
        );
        assert_eq!((few.verdict.workspace_id, few.depends_on.len()), (None, 1));

        let mut all = written();
        let more = json!({
            "workspaceId": "ws_01m86e81hve32sj3vjxvs95yam", "homeWorkspaceId": "ws_01m86e81hve32sj3vjxvs95yam",
            "ownerId": "usr_01m86e81hvfe1863dw5f5bmcn9", "externalId": "customer-42", "plan": "free",
            "online": true, "scope": "",
        });
        all.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let all = read(&all).unwrap();
        assert!(all.is_online && all.verdict.scopes.is_empty());
        assert_eq!(all.verdict.external_id.as_deref(), Some("customer-42"));
        assert_eq!(all.depends_on.len(), 3);
    }

    #[test]
    fn a_claim_that_is_missing_or_not_of_its_type_spoils_all() {
        for name in written().as_object().unwrap().keys() {
            let mut cut = written();
            cut.as_object_mut().unwrap().remove(name);
            assert!(read(&cut).is_none(), "{name}");
        }
        for (name, value) in [
            ("online", json!(false)),
            ("online", json!(null)),
            ("change", json!("1")),
            ("change", json!(1.5)),
            ("change", json!(-1)),
            ("change", json!(1_u64 << 53)),
            ("aud", json!(["https://auth.example.com"])),
            ("iat", json!("1800000000")),
            ("jti", json!(7)),
            ("scope", json!(null)),
            ("scope", json!(["certificates:read"])),
            ("keyType", json!("other")),
            ("sub", json!("ws_01m86e81hve32sj3vjxvs95yam")),
            ("workspaceId", json!(null)),
            ("ownerId", json!(null)),
            ("plan", json!(7)),
        ] {
            let mut changed = written();
            changed[name] = value;
            assert!(read(&changed).is_none(), "{changed}");
        }
        assert!(read(&json!([])).is_none() && read(&json!("text")).is_none());
        assert!(Claims::read("A").is_none());
    }
}

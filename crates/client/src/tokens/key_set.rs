//! The keys that tokens are verified with (RFC 7517), as the server tells them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::VerifyingKey;
use serde_json::Value;
use tokio::{sync::watch, time::timeout};

use crate::{core::Core, lock::lock};

/// A fetched set is used for as long.
const KEPT: Duration = Duration::from_secs(300);
/// From the beginning of one fetch to that of the next, at the least.
const BETWEEN: Duration = Duration::from_secs(10);

/// The keys that tokens are verified with. Times are those of the monotonic clock.
#[derive(Debug, Default)]
pub(super) struct KeySet(Mutex<Fetched>);

#[derive(Debug, Default)]
struct Fetched {
    keys: HashMap<String, VerifyingKey>,
    /// When they were asked for.
    asked_at: Option<Duration>,
    /// When a fetch was begun last.
    begun_at: Option<Duration>,
    /// Ends with the fetch that is under way.
    under_way: Option<watch::Receiver<()>>,
}

/// What somebody is to do who lacks a key.
enum Lacking {
    /// It was tried a moment ago.
    Nothing,
    Wait(watch::Receiver<()>),
    Fetch(watch::Sender<()>, watch::Receiver<()>),
}

impl KeySet {
    /// The key of that name, if it is known.
    pub(super) fn known(&self, kid: &str, now: Duration) -> Option<VerifyingKey> {
        let fetched = lock(&self.0);
        let is_young = fetched
            .asked_at
            .is_some_and(|asked_at| now.saturating_sub(asked_at) < KEPT);
        is_young.then(|| fetched.keys.get(kid).copied()).flatten()
    }

    fn lack(&self, now: Duration) -> Lacking {
        let mut fetched = lock(&self.0);
        if let Some(under_way) = &fetched.under_way {
            return Lacking::Wait(under_way.clone());
        }
        let was_tried = fetched
            .begun_at
            .is_some_and(|begun_at| now.saturating_sub(begun_at) < BETWEEN);
        if was_tried {
            return Lacking::Nothing;
        }
        let (done, under_way) = watch::channel(());
        fetched.begun_at = Some(now);
        fetched.under_way = Some(under_way.clone());
        Lacking::Fetch(done, under_way)
    }

    /// Takes what was fetched, if it is a set.
    fn take(&self, answer: &[u8], asked_at: Duration) {
        if let Some(keys) = read(answer) {
            let mut fetched = lock(&self.0);
            fetched.keys = keys;
            fetched.asked_at = Some(asked_at);
        }
    }
}

/// Fetches the keys, unless that was tried a moment ago. Takes half of the time that is left at the most.
pub(super) async fn refresh(core: &Arc<Core>, until: Duration) {
    let now = core.now();
    let half = until.saturating_sub(now) / 2;
    let mut under_way = match core.tokens.keys.lack(now) {
        Lacking::Nothing => return,
        Lacking::Wait(under_way) => under_way,
        Lacking::Fetch(done, under_way) => {
            let fetch = Fetch {
                core: Arc::clone(core),
                _done: done,
            };
            core.tasks.spawn(async move {
                if let Some(answer) = fetch.core.api.key_set(half).await {
                    fetch.core.tokens.keys.take(&answer, now);
                }
            });
            under_way
        }
    };
    // Nothing is ever sent: it ends when the other side is dropped.
    let _ = timeout(half, under_way.changed()).await;
}

/// A fetch that is under way. However it ends, the next one can begin.
struct Fetch {
    core: Arc<Core>,
    _done: watch::Sender<()>,
}

impl Drop for Fetch {
    fn drop(&mut self) {
        lock(&self.core.tokens.keys.0).under_way = None;
    }
}

/// The keys of a set that count. Others are passed over, as RFC 7517 §5 says.
fn read(answer: &[u8]) -> Option<HashMap<String, VerifyingKey>> {
    let set: Value = serde_json::from_slice(answer).ok()?;
    let listed = set.get("keys")?.as_array()?;
    Some(listed.iter().filter_map(key_of).collect())
}

fn key_of(entry: &Value) -> Option<(String, VerifyingKey)> {
    let text = |name: &str| entry.get(name).and_then(Value::as_str);
    let counts = text("kty") == Some("OKP")
        && text("crv") == Some("Ed25519")
        && text("alg") == Some("EdDSA")
        && entry.get("use").is_none_or(|r#use| r#use == "sig");
    if !counts {
        return None;
    }
    let x = URL_SAFE_NO_PAD.decode(text("x")?).ok()?.try_into().ok()?;
    let key = VerifyingKey::from_bytes(&x).ok()?;
    Some((text("kid")?.to_owned(), key))
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;
    use serde_json::json;

    use super::*;

    fn key(number: u8) -> VerifyingKey {
        SigningKey::from_bytes(&[number; 32]).verifying_key()
    }

    fn entry(number: u8) -> Value {
        let x = URL_SAFE_NO_PAD.encode(key(number).as_bytes());
        json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": format!("kid-{number}"), "x": x})
    }

    fn with(name: &str, value: Value) -> Value {
        let mut entry = entry(9);
        entry[name] = value;
        entry
    }

    fn set(entries: &[Value]) -> Vec<u8> {
        json!({ "keys": entries }).to_string().into_bytes()
    }

    #[test]
    fn keys_that_do_not_count_are_passed_over() {
        let mut without_use = entry(2);
        without_use.as_object_mut().unwrap().remove("use");
        let mut without_alg = entry(3);
        without_alg.as_object_mut().unwrap().remove("alg");
        let entries = [
            json!(null),
            json!(7),
            without_alg,
            with("use", json!("enc")),
            with("use", json!(null)),
            with("kty", json!("EC")),
            with("crv", json!("Ed448")),
            with("kid", json!(7)),
            with("x", json!("AAAA")),
            with("x", json!(7)),
            entry(1),
            without_use,
        ];
        let keys = read(&set(&entries)).unwrap();
        assert_eq!(keys.len(), 2);
        assert_eq!(keys.get("kid-1"), Some(&key(1)));
        assert_eq!(keys.get("kid-2"), Some(&key(2)));
        for none in ["no JSON", "[]", "{}", r#"{"keys":{}}"#] {
            assert!(read(none.as_bytes()).is_none(), "{none}");
        }
    }

    #[test]
    fn a_set_is_used_for_five_minutes_and_fetched_once_in_ten_seconds() {
        let at = Duration::from_millis;
        let keys = KeySet::default();
        let begins = |now| match keys.lack(now) {
            Lacking::Fetch(..) => {
                lock(&keys.0).under_way = None;
                true
            }
            Lacking::Wait(_) | Lacking::Nothing => false,
        };
        assert!(begins(at(1_000)));
        assert!(!begins(at(10_999)));
        assert!(begins(at(11_000)));
        keys.take(&set(&[entry(1)]), at(11_000));
        assert_eq!(keys.known("kid-1", at(11_000)), Some(key(1)));
        assert_eq!(keys.known("kid-2", at(11_000)), None);
        keys.take(b"no set", at(20_000));
        assert_eq!(keys.known("kid-1", at(310_999)), Some(key(1)));
        assert_eq!(keys.known("kid-1", at(311_000)), None);
        keys.take(&set(&[entry(2)]), at(311_000));
        assert_eq!(keys.known("kid-1", at(311_000)), None);
        assert_eq!(keys.known("kid-2", at(311_000)), Some(key(2)));
    }

    #[test]
    fn one_fetch_serves_all() {
        let keys = KeySet::default();
        assert!(matches!(keys.lack(Duration::ZERO), Lacking::Fetch(..)));
        assert!(matches!(keys.lack(Duration::from_secs(60)), Lacking::Wait(_)));
    }
}

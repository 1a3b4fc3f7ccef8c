//! What the audit log is held together with.

use std::fmt;

use zeroize::Zeroizing;

use crate::PepperRing;

/// What every message begins with that is about the log: no API key does, so that the two uses of a pepper are apart.
const LOG: &[u8] = b"TigerTrust audit log v1\0";
/// The same for the seed of signatures.
const SIGNING: &[u8] = b"TigerTrust audit checkpoints v1\0";

/// The same for addresses that events speak of.
const MENTIONS: &[u8] = b"TigerTrust audit mentions v1\0";

/// The keys that the audit log is held together with: the peppers. The current one seals what is new; the others still verify
/// what they have sealed. Whoever takes a pepper away can verify no event of its time any more.
#[derive(Clone)]
pub struct AuditRing(PepperRing);

impl AuditRing {
    /// The log under the peppers.
    #[must_use]
    pub const fn new(peppers: PepperRing) -> Self {
        Self(peppers)
    }

    /// The id of the key that seals what is new.
    #[must_use]
    pub fn current(&self) -> String {
        self.0.current().id().to_owned()
    }

    /// HMAC-SHA-256 (RFC 2104) of a message under a key; none if the ring does not have it.
    #[must_use]
    pub fn mac(&self, key: &str, message: &[u8]) -> Option<[u8; 32]> {
        self.0.mac_under(key, LOG, message)
    }

    /// What stands for an address that a new event speaks of, so that the event is found when the person is erased.
    #[must_use]
    pub fn mention(&self, address: &str) -> [u8; 32] {
        self.0.current().mac(MENTIONS, address.as_bytes())
    }

    /// What stands for the address in events, under each of the keys.
    #[must_use]
    pub fn mentions(&self, address: &str) -> Vec<[u8; 32]> {
        self.0.macs(MENTIONS, address.as_bytes())
    }

    /// The current key, and the seed of what checkpoints are signed with under it.
    #[must_use]
    pub fn signing(&self) -> (String, Zeroizing<[u8; 32]>) {
        let pepper = self.0.current();
        (pepper.id().to_owned(), Zeroizing::new(pepper.mac(SIGNING, &[])))
    }

    /// The seed of what checkpoints are signed with under another key; none if the ring does not have it.
    #[must_use]
    pub fn signing_seed_of(&self, key: &str) -> Option<Zeroizing<[u8; 32]>> {
        self.0.mac_under(key, SIGNING, &[]).map(Zeroizing::new)
    }
}

impl fmt::Debug for AuditRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuditRing({})", self.current())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Pepper;

    fn ring(ids: &[&str]) -> AuditRing {
        let secret = |id: &str| if id == "p1" { "A" } else { "E" }.repeat(43);
        let peppers = ids.iter().map(|id| Pepper::new(id, &secret(id)).unwrap());
        AuditRing::new(PepperRing::new(peppers.collect()).unwrap())
    }

    #[test]
    fn an_earlier_pepper_still_verifies() {
        let sealed = ring(&["p1"]).mac("p1", b"event").unwrap();
        let rotated = ring(&["p2", "p1"]);
        assert_eq!(rotated.current(), "p2");
        assert_eq!(rotated.mac("p1", b"event"), Some(sealed));
        assert_ne!(rotated.mac("p2", b"event"), Some(sealed));
        assert_eq!(ring(&["p2"]).mac("p1", b"event"), None);
    }

    #[test]
    fn what_was_mentioned_under_an_earlier_pepper_is_found() {
        let before = ring(&["p1"]).mention("jo@example.com");
        let rotated = ring(&["p2", "p1"]);
        assert!(rotated.mentions("jo@example.com").contains(&before));
        assert_ne!(rotated.mention("jo@example.com"), before);
        assert_ne!(Some(before), rotated.mac("p1", b"jo@example.com"));
    }

    #[test]
    fn each_pepper_signs_with_a_key_of_its_own() {
        let ring = ring(&["p2", "p1"]);
        let [first, second] = ["p1", "p2"].map(|key| ring.signing_seed_of(key).unwrap());
        assert_ne!(first, second);
        assert_ne!(Some(*first), ring.mac("p1", b""));
    }

    #[test]
    fn peppers_are_replaced_for_all_that_share_them() {
        let running = ring(&["p1"]);
        let sealed = running.mac("p1", b"event");
        let shared = running.clone();
        running.0.replace(&ring(&["p2", "p1"]).0);
        assert_eq!(shared.current(), "p2");
        assert_eq!(shared.mac("p1", b"event"), sealed);
    }
}

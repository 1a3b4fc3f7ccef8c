//! Checkpoints: how far a chain had come, signed, so that it can be kept where nobody reaches who has the database.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use tigertrust_credentials::AuditRing;
use tigertrust_model::{Chain, ChainHead, Timestamp};

use super::{Landmark, chain::Encoding};

/// How far a chain had come at a time, signed with Ed25519 (RFC 8032).
///
/// What is signed is, in the encoding of [`chain`](super::chain): `checkpoint`, chain, place, MAC, time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The chain.
    pub chain: Chain,
    /// The last event, and its MAC; the place 0 and zeros where there was none.
    pub landmark: Landmark,
    /// When.
    pub at: Timestamp,
    /// The pepper that the key of the signature is derived from.
    pub key: String,
    /// What the signature is verified with.
    pub public_key: [u8; 32],
    /// The signature.
    pub signature: [u8; 64],
}

impl Checkpoint {
    /// Signs the head of a chain.
    #[must_use]
    pub fn sign(ring: &AuditRing, head: &ChainHead, at: Timestamp) -> Self {
        let landmark = Landmark {
            seq: head.seq,
            mac: head.mac,
        };
        let (current, seed) = ring.signing();
        let key = SigningKey::from_bytes(&seed);
        Self {
            chain: head.chain,
            landmark,
            at,
            key: current,
            public_key: key.verifying_key().to_bytes(),
            signature: key.sign(&message(head.chain, landmark, at)).to_bytes(),
        }
    }

    /// Whether the signature is right, and that of the key: `public_key` must be known from elsewhere, since whoever forges a
    /// checkpoint brings a key of its own.
    #[must_use]
    pub fn is_signed_by(&self, public_key: &[u8; 32]) -> bool {
        let Ok(key) = VerifyingKey::from_bytes(public_key) else {
            return false;
        };
        let message = message(self.chain, self.landmark, self.at);
        let signature = Signature::from_bytes(&self.signature);
        *public_key == self.public_key && key.verify_strict(&message, &signature).is_ok()
    }

    /// What checkpoints under the ring's pepper are verified with; none if the ring does not have it.
    #[must_use]
    pub fn public_key(ring: &AuditRing, key: &str) -> Option<[u8; 32]> {
        let seed = ring.signing_seed_of(key)?;
        Some(SigningKey::from_bytes(&seed).verifying_key().to_bytes())
    }
}

fn message(chain: Chain, landmark: Landmark, at: Timestamp) -> Vec<u8> {
    Encoding::of("checkpoint")
        .chain(chain)
        .number(landmark.seq)
        .bytes(&landmark.mac)
        .time(at)
        .into_bytes()
}

#[cfg(test)]
mod tests {
    use tigertrust_credentials::{Pepper, PepperRing};

    use super::{super::chain::beginning, *};

    fn ring(secret: &str) -> AuditRing {
        let pepper = Pepper::new("p1", &secret.repeat(43)).unwrap();
        AuditRing::new(PepperRing::new(vec![pepper]).unwrap())
    }

    #[test]
    fn a_checkpoint_is_good_under_its_own_key_alone() {
        let own = ring("A");
        let signed = Checkpoint::sign(
            &own,
            &beginning(&own, Chain::Instance),
            Timestamp::from_unix_micros(5),
        );
        let known = Checkpoint::public_key(&own, "p1").unwrap();
        assert!(signed.is_signed_by(&known));
        let forged = Checkpoint::sign(&ring("E"), &beginning(&own, Chain::Instance), signed.at);
        assert!(!forged.is_signed_by(&known));
        for changed in [
            Checkpoint {
                at: Timestamp::from_unix_micros(6),
                ..signed.clone()
            },
            Checkpoint {
                landmark: Landmark {
                    seq: 1,
                    ..signed.landmark
                },
                ..signed.clone()
            },
            Checkpoint {
                landmark: Landmark {
                    mac: [1; 32],
                    ..signed.landmark
                },
                ..signed.clone()
            },
        ] {
            assert!(!changed.is_signed_by(&known), "{changed:?}");
        }
    }
}

//! Whether a chain is as it was written.

use std::{collections::BTreeSet, fmt};

use tigertrust_credentials::AuditRing;
use tigertrust_model::{AuditAction, AuditEvent, Chain, ChainHead};

use super::chain::{self, mac_of, seal_of};

/// What is wrong with a chain, and where that is seen first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// An event is not there, or not in its place.
    Missing {
        /// The place.
        seq: u64,
        /// The place of the event that stands there instead; none at the end of the chain.
        found: Option<u64>,
    },
    /// An event, or the one before it, is not as it was written.
    Changed {
        /// Its place.
        seq: u64,
    },
    /// The personal fields of an event are not as they were written.
    PersonalChanged {
        /// Its place.
        seq: u64,
    },
    /// The head is not as it was written.
    HeadChanged,
    /// The head names another event than the last.
    HeadElsewhere {
        /// The place that it names.
        seq: u64,
    },
    /// A chain that must be there is not.
    NoChain,
    /// An event stands outside of the chain: before its beginning, or after its end.
    Stray {
        /// The place that it claims.
        seq: u64,
    },
    /// The chain does not begin as it did.
    BegunAnew,
    /// What is stored cannot be read as an event.
    Unreadable {
        /// What is wrong.
        why: String,
    },
    /// The chain ends before an event that a checkpoint knows.
    EndsBeforeCheckpoint {
        /// Where it ends.
        end: u64,
        /// What the checkpoint knows.
        seq: u64,
    },
    /// The chain does not hold what a checkpoint says that it held.
    NotAsInCheckpoint {
        /// The place in the chain.
        seq: u64,
    },
    /// The key is not in the ring: the pepper was taken away.
    UnknownKey {
        /// The place; none for the head.
        seq: Option<u64>,
        /// The key.
        key: String,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing {
                seq,
                found: Some(found),
            } => {
                write!(f, "event {seq} is missing: event {found} stands in its place")
            }
            Self::Missing { seq, found: None } => write!(f, "event {seq} is missing at the end"),
            Self::Changed { seq } => write!(f, "event {seq} was changed, or the one before it"),
            Self::PersonalChanged { seq } => {
                write!(
                    f,
                    "the address, user agent or details of event {seq} were changed"
                )
            }
            Self::HeadChanged => f.write_str("the head of the chain was changed"),
            Self::HeadElsewhere { seq } => write!(
                f,
                "the head of the chain names event {seq}, which is not the last"
            ),
            Self::NoChain => f.write_str("the whole chain is missing"),
            Self::Stray { seq } => write!(f, "event {seq} stands outside of the chain: it was put there"),
            Self::BegunAnew => f.write_str("the beginning is missing: the chain was begun anew"),
            Self::Unreadable { why } => f.write_str(why),
            Self::EndsBeforeCheckpoint { end, seq } => {
                write!(f, "it ends at event {end}, and the checkpoint knows event {seq}")
            }
            Self::NotAsInCheckpoint { seq } => write!(f, "event {seq} is not the one of the checkpoint"),
            Self::UnknownKey { seq: Some(seq), key } => {
                write!(
                    f,
                    "event {seq} was sealed under pepper {key:?}, which the key ring does not have"
                )
            }
            Self::UnknownKey { seq: None, key } => {
                write!(
                    f,
                    "the head was sealed under pepper {key:?}, which the key ring does not have"
                )
            }
        }
    }
}

/// An event that was seen outside of the database: that of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Landmark {
    /// Its place.
    pub seq: u64,
    /// Its MAC.
    pub mac: [u8; 32],
}

/// What a chain came to that is as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The chain.
    pub chain: Chain,
    /// How many events were looked at.
    pub events: u64,
    /// Of how many of them the personal fields are erased.
    pub erased: u64,
    /// How often the chain was restarted: what its head said before was not to be trusted.
    pub restarted: u64,
    /// The place of the last.
    pub seq: u64,
    /// Its MAC.
    pub mac: [u8; 32],
}

/// Looks at the events of a chain one after the other.
#[derive(Clone, Debug)]
pub struct Verifier {
    ring: AuditRing,
    /// Place and MAC, so that a year of checkpoints costs an event no more than one does.
    landmarks: BTreeSet<(u64, [u8; 32])>,
    verified: Verified,
}

impl Verifier {
    /// Begins where the archived part of the chain ends.
    ///
    /// # Errors
    /// [`Finding::HeadChanged`] and [`Finding::UnknownKey`]: what a head says counts only under its seal.
    pub fn after_archive(ring: AuditRing, head: &ChainHead) -> Result<Self, Finding> {
        ensure_sealed(&ring, head)?;
        Ok(Self::after(ring, head.chain, head.archived, head.archived_mac))
    }

    /// Begins after the event with that place and MAC: zeros for the beginning.
    #[must_use]
    pub const fn after(ring: AuditRing, chain: Chain, seq: u64, mac: [u8; 32]) -> Self {
        Self {
            ring,
            landmarks: BTreeSet::new(),
            verified: Verified {
                chain,
                events: 0,
                erased: 0,
                restarted: 0,
                seq,
                mac,
            },
        }
    }

    /// Has the events agree with what was seen before; what is seen of places that are not looked at does not matter.
    #[must_use]
    pub fn held_to(mut self, landmarks: &[Landmark]) -> Self {
        let places = landmarks.iter().map(|landmark| (landmark.seq, landmark.mac));
        self.landmarks.extend(places);
        self
    }

    /// The place of the last event that was looked at.
    #[must_use]
    pub const fn seq(&self) -> u64 {
        self.verified.seq
    }

    /// Looks at the next event.
    ///
    /// # Errors
    /// [`Finding`]: what is wrong with it.
    pub fn next(&mut self, event: &AuditEvent) -> Result<(), Finding> {
        let seq = self.verified.seq + 1;
        if event.seq != seq || event.chain != self.verified.chain {
            return Err(Finding::Missing {
                seq,
                found: Some(event.seq),
            });
        }
        let mac = mac_of(&self.ring, event, &self.verified.mac).ok_or_else(|| Finding::UnknownKey {
            seq: Some(seq),
            key: event.key.clone(),
        })?;
        // Who can time this has the database, and with it all that there is to guess.
        if mac != event.mac {
            return Err(Finding::Changed { seq });
        }
        match &event.personal {
            Some(personal) if chain::personal_digest(personal) != event.personal_digest => {
                return Err(Finding::PersonalChanged { seq });
            }
            Some(_) => {}
            None => self.verified.erased += 1,
        }
        let mut seen = self.landmarks.range((seq, [u8::MIN; 32])..=(seq, [u8::MAX; 32]));
        if seen.any(|(_, seen)| *seen != mac) {
            return Err(Finding::NotAsInCheckpoint { seq });
        }
        if event.action == AuditAction::AuditRestarted.as_str() {
            self.verified.restarted += 1;
        }
        self.verified.events += 1;
        self.verified.seq = seq;
        self.verified.mac = mac;
        Ok(())
    }

    /// Ends where the head of the chain says that it ends.
    ///
    /// # Errors
    /// [`Finding`]: what is missing at the end, or wrong with the head.
    pub fn end(self, head: &ChainHead) -> Result<Verified, Finding> {
        ensure_sealed(&self.ring, head)?;
        let last = self.verified.seq;
        if head.seq > last {
            return Err(Finding::Missing {
                seq: last + 1,
                found: None,
            });
        }
        if head.seq != last || head.mac != self.verified.mac {
            return Err(Finding::HeadElsewhere { seq: head.seq });
        }
        Ok(self.verified)
    }

    /// Ends here, whatever comes after: for a part of a chain.
    #[must_use]
    pub fn end_here(self) -> Verified {
        self.verified
    }
}

/// Whether a head is as it was written.
///
/// # Errors
/// [`Finding::HeadChanged`] and [`Finding::UnknownKey`].
pub(super) fn ensure_sealed(ring: &AuditRing, head: &ChainHead) -> Result<(), Finding> {
    let seal = seal_of(ring, head).ok_or_else(|| Finding::UnknownKey {
        seq: None,
        key: head.key.clone(),
    })?;
    if seal == head.seal {
        Ok(())
    } else {
        Err(Finding::HeadChanged)
    }
}

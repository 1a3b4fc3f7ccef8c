//! How events are held together in a chain.
//!
//! Each event bears the MAC of itself and of the event before it, and the head of the chain bears the place and the MAC of
//! the last one under a MAC of its own. All are HMAC-SHA-256 under a key that the database does not hold, so that whoever
//! has the database alone can neither change, take out, put in, move nor cut off an event without it being seen.
//!
//! The encoding is the concatenation of fields. A field is its length as 32 bits, big-endian, and its bytes; one that is
//! not there is the length `ffffffff` and nothing. Numbers are 64 bits, big-endian; times are microseconds since 1970 in UTC,
//! in two's complement; ids of events and chains are the 16 bytes of their UUIDs, zeros for the instance's chain; texts are
//! UTF-8. A list is the number of its elements, and then their fields.
//!
//! - What is personal: `personal`, salt, address, user agent, list of (name, value). Its SHA-256 takes its place in the event.
//! - An event: `event`, chain, place, MAC of the event before (32 zeros for the first), id, time, action, outcome, code, kind,
//!   id and credential of who did it, kind and id of what it was done on, count, request id, list of (field, before, after),
//!   digest of what is personal.
//! - A head: `head`, chain, archived events, MAC of the last of them, place of the last event, its MAC.

use sha2::{Digest, Sha256};
use tigertrust_credentials::AuditRing;
use tigertrust_model::{
    AuditEntry, AuditEvent, AuditTarget, Chain, ChainHead, EventId, FieldChange, PersonalFields, Timestamp,
};

use crate::validation::is_deceptive;

/// The MAC before the first event.
pub const BEGINNING: [u8; 32] = [0; 32];

/// Fields one after the other.
#[derive(Default)]
pub(super) struct Encoding(Vec<u8>);

impl Encoding {
    pub(super) fn of(kind: &str) -> Self {
        Self::default().text(kind)
    }

    pub(super) fn bytes(mut self, bytes: &[u8]) -> Self {
        // No field is so long; should one be, it is cut off by its length, and the MAC still covers all of it.
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX - 1);
        self.0.extend(length.to_be_bytes());
        self.0.extend(bytes);
        self
    }

    #[cfg(feature = "checkpoints")]
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    fn optional(mut self, text: Option<&str>) -> Self {
        if let Some(text) = text {
            return self.text(text);
        }
        self.0.extend(u32::MAX.to_be_bytes());
        self
    }

    pub(super) fn number(self, number: u64) -> Self {
        self.bytes(&number.to_be_bytes())
    }

    fn length(self, list: usize) -> Self {
        self.number(u64::try_from(list).unwrap_or(u64::MAX))
    }

    pub(super) fn time(self, time: Timestamp) -> Self {
        self.bytes(&time.unix_micros().to_be_bytes())
    }

    pub(super) fn chain(self, chain: Chain) -> Self {
        let id = chain.workspace().map_or([0; 16], |id| *id.as_uuid().as_bytes());
        self.bytes(&id)
    }
}

/// What takes the place of personal fields in an event.
#[must_use]
pub fn personal_digest(personal: &PersonalFields) -> [u8; 32] {
    let PersonalFields {
        salt,
        address,
        user_agent,
        details,
    } = personal;
    let head = Encoding::of("personal")
        .bytes(salt)
        .optional(address.as_deref())
        .optional(user_agent.as_deref())
        .length(details.len());
    let encoding = details
        .iter()
        .fold(head, |encoding, (name, value)| encoding.text(name).text(value));
    Sha256::digest(encoding.0).into()
}

/// The MAC that an event must have after another one; none if its key is not in the ring.
#[must_use]
pub fn mac_of(ring: &AuditRing, event: &AuditEvent, before: &[u8; 32]) -> Option<[u8; 32]> {
    let (kind, target) = match &event.target {
        Some(target) => (Some(target.kind.as_str()), Some(target.id.as_str())),
        None => (None, None),
    };
    let head = Encoding::of("event")
        .chain(event.chain)
        .number(event.seq)
        .bytes(before)
        .bytes(event.id.as_uuid().as_bytes())
        .time(event.at)
        .text(&event.action)
        .text(&event.outcome)
        .optional(event.code.as_deref())
        .text(&event.actor_kind)
        .optional(event.actor.as_deref())
        .optional(event.credential.as_deref())
        .optional(kind)
        .optional(target)
        .number(event.count)
        .optional(event.request_id.as_deref())
        .length(event.changes.len());
    let encoding = event.changes.iter().fold(head, |encoding, change| {
        encoding
            .text(&change.field)
            .optional(change.before.as_deref())
            .optional(change.after.as_deref())
    });
    ring.mac(&event.key, &encoding.bytes(&event.personal_digest).0)
}

/// The seal that a head must have; none if its key is not in the ring.
#[must_use]
pub fn seal_of(ring: &AuditRing, head: &ChainHead) -> Option<[u8; 32]> {
    let encoding = Encoding::of("head")
        .chain(head.chain)
        .number(head.archived)
        .bytes(&head.archived_mac)
        .number(head.seq)
        .bytes(&head.mac);
    ring.mac(&head.key, &encoding.0)
}

/// The head of a chain in which nothing has happened yet.
#[must_use]
pub fn beginning(ring: &AuditRing, chain: Chain) -> ChainHead {
    sealed(
        ring,
        ChainHead {
            chain,
            archived: 0,
            archived_mac: BEGINNING,
            seq: 0,
            mac: BEGINNING,
            key: String::new(),
            seal: BEGINNING,
        },
    )
}

/// The head under a seal of the current key.
#[must_use]
pub fn sealed(ring: &AuditRing, head: ChainHead) -> ChainHead {
    let mut head = ChainHead {
        key: ring.current(),
        ..head
    };
    // The current key is in the ring.
    head.seal = seal_of(ring, &head).unwrap_or(BEGINNING);
    head
}

/// What an event is given beside what is said of it.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Its id.
    pub id: EventId,
    /// When it happened.
    pub at: Timestamp,
    /// What its personal fields are digested with: random.
    pub salt: [u8; 16],
}

/// A text as it may stand in a log: it cannot forge a line, colour a terminal, nor turn or hide what stands beside it.
fn clean(text: &str) -> String {
    let harmless = |letter: char| {
        if letter.is_control() || is_deceptive(letter) {
            '\u{fffd}'
        } else {
            letter
        }
    };
    text.chars().map(harmless).collect()
}

fn clean_optional(text: Option<String>) -> Option<String> {
    text.map(|text| clean(&text))
}

/// The next event of a chain, and the head of the chain with it.
#[must_use]
pub fn append(ring: &AuditRing, head: ChainHead, entry: AuditEntry, place: Place) -> (AuditEvent, ChainHead) {
    let personal = PersonalFields {
        salt: place.salt,
        address: entry.act.from.address.map(|address| address.to_string()),
        user_agent: clean_optional(entry.act.from.user_agent),
        details: entry
            .personal
            .into_iter()
            .map(|(name, value)| (name, clean(&value)))
            .collect(),
    };
    let mut event = AuditEvent {
        id: place.id,
        chain: head.chain,
        seq: head.seq + 1,
        at: place.at,
        action: entry.action.as_str().to_owned(),
        outcome: entry.outcome.as_str().to_owned(),
        code: entry.code,
        actor_kind: entry.act.by.kind().to_owned(),
        actor: clean_optional(entry.act.by.id()),
        credential: entry.act.by.credential(),
        target: entry.target.map(|target| AuditTarget {
            id: clean(&target.id),
            ..target
        }),
        changes: entry
            .changes
            .into_iter()
            .map(|change| FieldChange {
                before: clean_optional(change.before),
                after: clean_optional(change.after),
                ..change
            })
            .collect(),
        count: entry.count,
        request_id: clean_optional(entry.act.from.request_id),
        personal_digest: personal_digest(&personal),
        personal: Some(personal),
        key: ring.current(),
        mac: BEGINNING,
    };
    event.mac = mac_of(ring, &event, &head.mac).unwrap_or(BEGINNING);
    let head = ChainHead {
        seq: event.seq,
        mac: event.mac,
        ..head
    };
    (event, sealed(ring, head))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_a_stranger_chose_neither_turns_nor_hides_what_stands_beside_it() {
        assert_eq!(
            clean("curl\n\u{1b}[31m \u{202e}nimda\u{200b} é"),
            "curl\u{fffd}\u{fffd}[31m \u{fffd}nimda\u{fffd} é"
        );
    }
}

//! Typed ids: a prefix and a UUIDv7 in base 32 (TypeID specification 0.3).

use std::{fmt, str::FromStr};

use uuid::Uuid;

use crate::{RandomError, RandomSource, Timestamp};

/// The alphabet of Crockford's base 32, in lower case as TypeID demands.
const ALPHABET: [u8; 32] = *b"0123456789abcdefghjkmnpqrstvwxyz";
/// 128 bits at 5 bits a character.
const SUFFIX_LENGTH: usize = 26;
/// No prefix is longer than five letters.
const MAX_LENGTH: usize = 6 + SUFFIX_LENGTH;

/// The text is not an id of the expected kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an id such as {prefix}_01jk3m0v9pe8ztr4c2aq6hxn5w")]
pub struct IdError {
    prefix: &'static str,
}

fn new_uuid(now: Timestamp, random: &dyn RandomSource) -> Result<Uuid, RandomError> {
    let mut bytes = [0; 10];
    random.fill(&mut bytes)?;
    Ok(uuid::Builder::from_unix_timestamp_millis(now.unix_millis(), &bytes).into_uuid())
}

/// Writes an id in one piece: `prefix` with its underscore, and the number.
fn write_id(prefix: &str, uuid: Uuid, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut text = [b'0'; MAX_LENGTH];
    let text = text.get_mut(..prefix.len() + SUFFIX_LENGTH).ok_or(fmt::Error)?;
    for (place, byte) in text.iter_mut().zip(prefix.bytes()) {
        *place = byte;
    }
    let mut value = uuid.as_u128();
    for place in text.iter_mut().rev().take(SUFFIX_LENGTH) {
        let digit = usize::try_from(value & 31).map_err(|_| fmt::Error)?;
        *place = ALPHABET.get(digit).copied().ok_or(fmt::Error)?;
        value >>= 5;
    }
    f.write_str(std::str::from_utf8(text).map_err(|_| fmt::Error)?)
}

fn parse_base32(text: &str) -> Option<Uuid> {
    // 26 characters hold 130 bits: a first character above 7 would overflow.
    let fits = text.len() == SUFFIX_LENGTH && text.as_bytes().first().is_some_and(|byte| *byte <= b'7');
    if !fits {
        return None;
    }
    text.bytes()
        .try_fold(0_u128, |value, byte| {
            let digit = ALPHABET.iter().position(|letter| *letter == byte)?;
            Some((value << 5) | u128::try_from(digit).ok()?)
        })
        .map(Uuid::from_u128)
}

macro_rules! typed_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// What ids of this kind begin with, without the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// A new id, later in order than those of earlier milliseconds.
            ///
            /// # Errors
            /// [`RandomError`] when the random source gives nothing.
            pub fn new(now: Timestamp, random: &dyn RandomSource) -> Result<Self, RandomError> {
                new_uuid(now, random).map(Self)
            }

            /// The id that a database row holds.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// What a database row holds of this id.
            #[must_use]
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_id(concat!($prefix, "_"), self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.strip_prefix(concat!($prefix, "_"))
                    .and_then(parse_base32)
                    .map(Self)
                    .ok_or(IdError { prefix: $prefix })
            }
        }
    };
}

typed_id!(
    /// A workspace: `ws_…`.
    WorkspaceId, "ws"
);
typed_id!(
    /// A person: `usr_…`.
    UserId, "usr"
);
typed_id!(
    /// A session: `ses_…`. It opens nothing; its token does.
    SessionId, "ses"
);
typed_id!(
    /// An invitation into a workspace: `inv_…`. It opens nothing; its token does.
    InvitationId, "inv"
);
typed_id!(
    /// A passkey: `pky_…`. It is the record's id, and not the credential id by which authenticators know it.
    PasskeyId, "pky"
);
typed_id!(
    /// A webhook of a workspace: `wh_…`.
    WebhookId, "wh"
);
typed_id!(
    /// Something that happened: `evt_…`.
    EventId, "evt"
);
typed_id!(
    /// A connection with an identity provider: `con_…`.
    ConnectionId, "con"
);
typed_id!(
    /// That an identity of a provider is a person's: `idn_…`.
    IdentityId, "idn"
);
typed_id!(
    /// A running server: `node_…`.
    NodeId, "node"
);
typed_id!(
    /// An API key (the record, never the secret): `key_…`.
    KeyId, "key"
);
typed_id!(
    /// A short-lived token: `tok_…`. It opens nothing; the token does.
    TokenId, "tok"
);
typed_id!(
    /// A trust rule of a key: `tru_…`.
    TrustRuleId, "tru"
);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_specification_s_example_round_trips() {
        let id = WorkspaceId::from_uuid(Uuid::from_u128(0x0188_bac7_4afa_78aa_bc3b_bd1e_ef28_d881));
        assert_eq!(id.to_string(), "ws_01h2xcejqtf2nbrexx3vqjhp41");
    }

    #[test]
    fn what_is_not_an_id_of_the_kind_is_refused() {
        for text in [
            "",
            "ws_",
            "ws01h2xcejqtf2nbrexx3vqjhp41",
            "usr_01h2xcejqtf2nbrexx3vqjhp41",
            "ws_01H2XCEJQTF2NBREXX3VQJHP41",
            "ws_81h2xcejqtf2nbrexx3vqjhp41",
            "ws_01h2xcejqtf2nbrexx3vqjhp4",
            "ws_01h2xcejqtf2nbrexx3vqjhp411",
            "ws_01h2xcejqtf2nbrexx3vqjhpil",
            "ws_é1h2xcejqtf2nbrexx3vqjhp4",
        ] {
            assert!(text.parse::<WorkspaceId>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn text_and_value_agree(value: u128) {
            let id = KeyId::from_uuid(Uuid::from_u128(value));
            prop_assert_eq!(id.to_string().parse::<KeyId>(), Ok(id));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "(key_)?\\PC{0,40}") {
            if let Ok(id) = text.parse::<KeyId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}

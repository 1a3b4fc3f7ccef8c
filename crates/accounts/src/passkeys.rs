//! What passkeys are made of, and what checks them. Implemented by `tigertrust-passkeys`; bring your own if you like.

pub use crate::sign_in::{
    AddedPasskey, Backup, Ceremony, CeremonyError, CeremonyKind, ChallengeDigest, Passkey, PasskeyCredential,
    PasskeyUse, RelyingParty, RelyingPartySettings, UncheckedAnswer,
};

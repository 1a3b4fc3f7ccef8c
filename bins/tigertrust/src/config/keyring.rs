//! The key ring: the secrets that everything stored depends on, in one TOML text.
//!
//! ```toml
//! [[peppers]]        # the first one digests new keys, the others still verify older ones
//! id = "p1"
//! secret = "…"       # base64url of 32 bytes or more
//!
//! [[encryption_keys]]  # the first one seals new secrets, the others still open older ones
//! id = "e1"
//! secret = "…"       # base64url of 32 bytes
//!
//! [[signing_keys]]     # the first one signs new tokens, the tokens of the others are still good
//! id = "s1"
//! secret = "…"       # base64url of 32 bytes
//! ```

use std::{fmt, str::FromStr};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tigertrust_credentials::{EncryptionKey, EncryptionRing, Pepper, PepperRing, SigningKey, SigningRing};
use tigertrust_model::{RandomError, RandomSource};
use zeroize::Zeroizing;

/// The secrets of an instance. `Debug` shows their ids only. Clones share them, also when they are replaced.
#[derive(Clone, Debug)]
pub struct Keyring {
    /// What key digests are computed under.
    pub peppers: PepperRing,
    /// What secrets are sealed under; none in a ring that was made before there were any.
    pub encryption: Option<EncryptionRing>,
    /// What tokens are signed with; none in a ring that was made before there were any.
    pub signing: Option<SigningRing>,
    /// What it holds, kind by kind, the current one of each first.
    entries: Vec<Entry>,
}

/// A secret of a ring, without the secret.
#[derive(Clone)]
struct Entry {
    kind: SecretKind,
    id: String,
    /// Tells secrets apart that have one id.
    fingerprint: [u8; 32],
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.id)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyringFile {
    peppers: Vec<SecretEntry>,
    #[serde(default)]
    encryption_keys: Vec<SecretEntry>,
    #[serde(default)]
    signing_keys: Vec<SecretEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SecretEntry {
    id: String,
    secret: String,
}

/// Why a text is no key ring. It shows nothing of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyringError(String);

impl fmt::Display for KeyringError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a secret of the ring is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "camelCase")]
pub enum SecretKind {
    /// Digests keys and seals the audit log.
    Pepper,
    /// Seals secrets, such as those of authenticator apps.
    Encryption,
    /// Signs short-lived tokens.
    Signing,
}

impl fmt::Display for SecretKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pepper => "pepper",
            Self::Encryption => "encryption",
            Self::Signing => "signing",
        })
    }
}

impl SecretKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Pepper, Self::Encryption, Self::Signing];

    /// What people call one.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pepper => "pepper",
            Self::Encryption => "encryption key",
            Self::Signing => "signing key",
        }
    }

    /// The table that it stands in.
    pub const fn table(self) -> &'static str {
        match self {
            Self::Pepper => "peppers",
            Self::Encryption => "encryption_keys",
            Self::Signing => "signing_keys",
        }
    }

    /// What ids begin with where nobody chooses another.
    const fn letter(self) -> char {
        match self {
            Self::Pepper => 'p',
            Self::Encryption => 'e',
            Self::Signing => 's',
        }
    }

    /// The number of an id that nobody chose: a later one was made later.
    pub fn number(self, id: &str) -> Option<u32> {
        u32::from_str(id.strip_prefix(self.letter())?).ok()
    }

    /// A new secret as it stands in a key ring.
    pub fn entry(self, id: &str, random: &dyn RandomSource) -> Result<Zeroizing<String>, RandomError> {
        let secret = match self {
            Self::Pepper => Pepper::generate_secret(random),
            Self::Encryption => EncryptionKey::generate_secret(random),
            Self::Signing => SigningKey::generate_secret(random),
        }?;
        let table = self.table();
        Ok(format!("[[{table}]]\nid = \"{id}\"\nsecret = \"{}\"\n", *secret).into())
    }
}

impl Keyring {
    /// Whether the text can be the id of a secret.
    pub fn is_id(text: &str) -> bool {
        // All kinds have the same rule.
        Pepper::new(text, &"A".repeat(43)).is_ok()
    }

    /// Reads a key ring.
    pub fn parse(text: &str) -> Result<Self, KeyringError> {
        // The parser's own message quotes the line, and with it the secret.
        let file: KeyringFile = toml::from_str(text).map_err(|error| {
            let line = error
                .span()
                .and_then(|span| text.get(..span.start))
                .map_or(1, |before| before.lines().count().max(1));
            KeyringError(format!(
                "line {line} is not what a key ring holds: [[peppers]], [[encryption_keys]] and [[signing_keys]], each with id and secret"
            ))
        })?;
        let tables = [
            (SecretKind::Pepper, &file.peppers),
            (SecretKind::Encryption, &file.encryption_keys),
            (SecretKind::Signing, &file.signing_keys),
        ];
        let entries = tables.into_iter().flat_map(|(kind, secrets)| {
            secrets.iter().map(move |entry| Entry {
                kind,
                id: entry.id.clone(),
                fingerprint: Sha256::digest(&entry.secret).into(),
            })
        });
        let entries = entries.collect();
        let peppers = file
            .peppers
            .iter()
            .map(|entry| {
                Pepper::new(&entry.id, &entry.secret)
                    .map_err(|error| KeyringError(format!("pepper {:?}: {error}", entry.id)))
            })
            .collect::<Result<_, _>>()?;
        let peppers = PepperRing::new(peppers).map_err(|error| KeyringError(error.to_string()))?;
        let keys = file
            .encryption_keys
            .iter()
            .map(|entry| {
                EncryptionKey::new(&entry.id, &entry.secret)
                    .map_err(|error| KeyringError(format!("encryption key {:?}: {error}", entry.id)))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let encryption = (!keys.is_empty()).then(|| EncryptionRing::new(keys)).transpose();
        let keys = file
            .signing_keys
            .iter()
            .map(|entry| {
                SigningKey::new(&entry.id, &entry.secret)
                    .map_err(|error| KeyringError(format!("signing key {:?}: {error}", entry.id)))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let signing = (!keys.is_empty()).then(|| SigningRing::new(keys)).transpose();
        Ok(Self {
            peppers,
            encryption: encryption.map_err(|error| KeyringError(error.to_string()))?,
            signing: signing.map_err(|error| KeyringError(error.to_string()))?,
            entries,
        })
    }

    /// The ids of a kind, the current one first.
    pub fn ids(&self, kind: SecretKind) -> impl Iterator<Item = &str> {
        let of_kind = self.entries.iter().filter(move |entry| entry.kind == kind);
        of_kind.map(|entry| entry.id.as_str())
    }

    /// An id that neither the ring has yet nor is among those: one more than the highest of the usual form.
    pub fn next_id(&self, kind: SecretKind, taken: &[String]) -> String {
        let taken = taken.iter().map(String::as_str);
        let numbers = self.ids(kind).chain(taken).filter_map(|id| kind.number(id));
        let next = numbers.max().unwrap_or_default().saturating_add(1);
        format!("{}{next}", kind.letter())
    }

    /// The secrets of this ring that another does not hold, or has something else in the place of, by kind and id.
    pub fn lost_in(&self, other: &Self) -> Vec<(SecretKind, &str)> {
        let lost = self.entries.iter().filter(|entry| {
            !other.entries.iter().any(|held| {
                (held.kind, &held.id, held.fingerprint) == (entry.kind, &entry.id, entry.fingerprint)
            })
        });
        lost.map(|entry| (entry.kind, entry.id.as_str())).collect()
    }

    /// Whether both hold the same in the same order.
    pub fn is_same(&self, other: &Self) -> bool {
        let all = |ring: &Self| -> Vec<(SecretKind, String, [u8; 32])> {
            let entries = ring.entries.iter();
            entries
                .map(|entry| (entry.kind, entry.id.clone(), entry.fingerprint))
                .collect()
        };
        all(self) == all(other)
    }

    /// Takes the secrets of another ring, for all that share this one, and keeps some of its own behind them, by kind and id. The kinds of
    /// which this one holds none at all stay without: those are returned.
    pub fn replace(&mut self, other: &Self, kept: &[(SecretKind, String)]) -> Vec<SecretKind> {
        let kept_of = |wanted| -> Vec<&str> {
            let of_kind = kept.iter().filter(|(kind, _)| *kind == wanted);
            of_kind.map(|(_, id)| id.as_str()).collect()
        };
        let mut left = Vec::new();
        let peppers = kept_of(SecretKind::Pepper);
        self.peppers.replace_but_keep(&other.peppers, &peppers);
        match (&self.encryption, &other.encryption) {
            (Some(running), Some(new)) => running.replace_but_keep(new, &kept_of(SecretKind::Encryption)),
            (None, Some(_)) => left.push(SecretKind::Encryption),
            (_, None) => {}
        }
        match (&self.signing, &other.signing) {
            (Some(running), Some(new)) => running.replace_but_keep(new, &kept_of(SecretKind::Signing)),
            (None, Some(_)) => left.push(SecretKind::Signing),
            (_, None) => {}
        }
        let is_kept = |entry: &Entry| kept_of(entry.kind).contains(&entry.id.as_str());
        let own = self.entries.iter().filter(|entry| is_kept(entry));
        let new = other.entries.iter().filter(|entry| !left.contains(&entry.kind));
        self.entries = new.chain(own).cloned().collect();
        left
    }

    /// The id of the secret of a kind that what is new is made with: the first, unless [`prefer`](Self::prefer) said otherwise.
    pub fn in_use(&self, kind: SecretKind) -> Option<String> {
        match kind {
            SecretKind::Pepper => Some(self.peppers.current().id().to_owned()),
            SecretKind::Encryption => Some(self.encryption.as_ref()?.current().id().to_owned()),
            SecretKind::Signing => Some(self.signing.as_ref()?.current().id().to_owned()),
        }
    }

    /// Makes what is new with another secret of a kind than the first, for all that share this ring.
    pub fn prefer(&self, kind: SecretKind, id: &str) {
        match kind {
            SecretKind::Pepper => self.peppers.prefer(id),
            SecretKind::Encryption => self.encryption.iter().for_each(|ring| ring.prefer(id)),
            SecretKind::Signing => self.signing.iter().for_each(|ring| ring.prefer(id)),
        }
    }

    /// The text of a new key ring with one random secret of each kind.
    pub fn generate(random: &dyn RandomSource) -> Result<String, RandomError> {
        let [pepper, encryption, signing] = [SecretKind::Pepper, SecretKind::Encryption, SecretKind::Signing]
            .map(|kind| kind.entry(&format!("{}1", kind.letter()), random));
        Ok(format!(
            "# The key ring. Whoever has it and the database can test guesses of keys; without it no key can be verified.\n\
             # Keep it apart from the database, and keep a copy.\n\n\
             # The first pepper digests new keys; the others still verify older ones.\n\
             {}\n\
             # The first encryption key seals new secrets, such as those of authenticator apps; the others still open older ones.\n\
             {}\n\
             # The first signing key signs new tokens; tokens of the others are still good.\n\
             {}",
            *pepper?, *encryption?, *signing?
        ))
    }
}

#[cfg(test)]
mod tests {
    use tigertrust_credentials::OsRandom;

    use super::*;

    #[test]
    fn a_generated_ring_is_read_back() {
        let text = Keyring::generate(&OsRandom).unwrap();
        let ring = Keyring::parse(&text).unwrap();
        assert_eq!(ring.peppers.current().id(), "p1");
        assert_eq!(ring.encryption.unwrap().current().id(), "e1");
        assert_eq!(ring.signing.unwrap().current().id(), "s1");
    }

    #[test]
    fn a_ring_from_before_there_were_encryption_keys_is_read() {
        let text = Keyring::generate(&OsRandom).unwrap();
        let (old, _) = text.split_once("# The first encryption key").unwrap();
        assert!(Keyring::parse(old).unwrap().encryption.is_none());
        let (old, _) = text.split_once("# The first signing key").unwrap();
        assert!(Keyring::parse(old).unwrap().signing.is_none());
    }

    #[test]
    fn a_ring_is_replaced_for_all_that_share_it() {
        let first = Keyring::generate(&OsRandom).unwrap();
        let mut running = Keyring::parse(&first).unwrap();
        let shared = running.clone();
        let more = SecretKind::Pepper.entry("p2", &OsRandom).unwrap();
        let rotated = Keyring::parse(&format!("{}{first}", *more)).unwrap();
        assert!(running.lost_in(&rotated).is_empty());
        assert_eq!(rotated.lost_in(&running), [(SecretKind::Pepper, "p2")]);
        assert_eq!(running.replace(&rotated, &[]), []);
        assert_eq!(shared.peppers.current().id(), "p2");
        assert!(running.is_same(&rotated));
        assert_eq!(running.next_id(SecretKind::Pepper, &[]), "p3");
        assert_eq!(running.next_id(SecretKind::Signing, &[]), "s2");
        let taken = ["p7".to_owned(), "p1".to_owned()];
        assert_eq!(running.next_id(SecretKind::Pepper, &taken), "p8");
    }

    #[test]
    fn a_secret_that_another_ring_lacks_may_be_kept_behind_its_own() {
        let first = Keyring::generate(&OsRandom).unwrap();
        let more = SecretKind::Pepper.entry("p2", &OsRandom).unwrap();
        let mut running = Keyring::parse(&format!("{}{first}", *more)).unwrap();
        let shared = running.clone();
        let removed = Keyring::parse(&format!(
            "{}{}",
            *more,
            first.replacen("[[peppers]]\nid = \"p1\"", "[[peppers]]\nid = \"p3\"", 1)
        ));
        let removed = removed.unwrap();
        let kept = [(SecretKind::Pepper, "p1".to_owned())];
        assert_eq!(running.replace(&removed, &kept), []);
        assert_eq!(shared.peppers.ids(), ["p2", "p3", "p1"]);
        assert_eq!(running.lost_in(&removed), [(SecretKind::Pepper, "p1")]);
        running.replace(&removed, &[]);
        assert_eq!(shared.peppers.ids(), ["p2", "p3"]);
        running.prefer(SecretKind::Pepper, "p3");
        assert_eq!(shared.peppers.ids(), ["p3", "p2"]);
    }

    #[test]
    fn another_secret_of_the_same_id_counts_as_lost() {
        let [one, other] = [(); 2].map(|()| Keyring::parse(&Keyring::generate(&OsRandom).unwrap()).unwrap());
        assert_eq!(one.lost_in(&other).len(), 3);
        assert!(!one.is_same(&other));
    }

    #[test]
    fn an_error_shows_nothing_of_the_secret() {
        let secret = "CANARY";
        for text in [
            format!("[[peppers]]\nid = \"p1\"\nsecret = \"{secret}\""),
            format!("[[peppers]]\nid = \"p1\"\nsecret = {secret}"),
            format!("[[peppers]]\nid = \"p1\"\nsecrets = \"{secret}\""),
        ] {
            let error = Keyring::parse(&text).unwrap_err().to_string();
            assert!(!error.contains(secret), "{error}");
        }
    }
}

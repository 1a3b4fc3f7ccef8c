//! Passwords: in plain, hashed, and how the one becomes and proves the other.

use std::fmt;

use argon2::{Algorithm, Argon2, Block, Params, PasswordHasher as _, Version};
use tigertrust_model::{RandomError, RandomSource};
use unicode_normalization::UnicodeNormalization;
use zeroize::{Zeroize, Zeroizing};

use crate::{PasswordPolicy, PasswordPolicyError, key_format::BASE62};

/// A password in plain. Zeroised on drop; `Debug` shows nothing.
///
/// It is held in Unicode's normalization form KC, as NIST SP 800-63B-4 §3.1.1.2 advises: the same password typed on
/// another keyboard or system may arrive as other code points, and would be refused.
pub struct Password(Zeroizing<String>);

impl Password {
    /// A password that somebody chooses.
    ///
    /// # Errors
    /// [`PasswordPolicyError`].
    pub fn chosen(text: &str, policy: &PasswordPolicy<'_>) -> Result<Self, PasswordPolicyError> {
        policy.check(text)?;
        Ok(Self::presented(text))
    }

    /// A password that somebody claims to be theirs. No policy is applied: it may be older than the policy.
    #[must_use]
    pub fn presented(text: &str) -> Self {
        // Room for what one character may become at the most would be 18 times as much. What almost every text
        // needs is enough: `String` copies the rest without zeroising, and of such texts only.
        let mut normal = Zeroizing::new(String::with_capacity(text.len().saturating_mul(2)));
        normal.extend(text.nfkc());
        Self(normal)
    }

    /// A random password of 24 letters and digits: more than 128 bits.
    ///
    /// # Errors
    /// [`RandomError`] when the random source gives nothing.
    pub fn generate(random: &dyn RandomSource) -> Result<Self, RandomError> {
        let mut text = Zeroizing::new(String::with_capacity(24));
        let mut byte = Zeroizing::new([0]);
        while text.len() < 24 {
            random.fill(&mut *byte)?;
            // 6 bits; the two values without a letter are drawn again, so that each letter is as likely.
            let index = usize::from(byte.iter().copied().sum::<u8>() & 63);
            text.extend(BASE62.get(index).map(|letter| char::from(*letter)));
        }
        Ok(Self(text))
    }

    /// The password in plain, for the one line that shows a generated one.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

/// A password as it is kept: an Argon2id hash with its salt and parameters, in the PHC string format.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// The hash that a row holds.
    #[must_use]
    pub const fn from_phc(text: String) -> Self {
        Self(text)
    }

    /// The PHC string to store.
    #[must_use]
    pub fn as_phc(&self) -> &str {
        &self.0
    }

    fn parsed(&self) -> Option<argon2::PasswordHash> {
        argon2::PasswordHash::new(&self.0).ok()
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash")
    }
}

/// How much work an Argon2id hash is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordCost {
    /// Memory, in KiB (`m`).
    pub memory_kib: u32,
    /// Passes over it (`t`).
    pub passes: u32,
    /// Lanes (`p`). They are computed one after the other.
    pub lanes: u32,
}

impl PasswordCost {
    /// The least that is accepted, and the default: 19 MiB, 2 passes, 1 lane (OWASP Password Storage Cheat Sheet).
    pub const MIN: Self = Self {
        memory_kib: 19 * 1024,
        passes: 2,
        lanes: 1,
    };
    /// The most memory that is accepted: 4 GiB.
    pub const MAX_MEMORY_KIB: u32 = 4 * 1024 * 1024;

    fn params(self) -> Result<Params, PasswordCostError> {
        let enough = self.memory_kib >= Self::MIN.memory_kib && self.passes >= Self::MIN.passes;
        if !enough || self.memory_kib > Self::MAX_MEMORY_KIB {
            return Err(PasswordCostError);
        }
        Params::new(self.memory_kib, self.passes, self.lanes, None).map_err(|_| PasswordCostError)
    }
}

/// The cost is less than what keeps passwords safe, or more than Argon2 can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 19 MiB (19456 KiB) to 4 GiB of memory, 2 passes or more, and 1 lane or more")]
pub struct PasswordCostError;

/// Hashes passwords with Argon2id (RFC 9106). It takes 19 MiB or more and tens of milliseconds: keep it off async
/// threads, as [`HashingPool`](crate::HashingPool) does.
#[derive(Debug, Clone)]
pub struct PasswordHasher(Argon2<'static>);

impl PasswordHasher {
    /// A hasher with the least cost that is accepted: m = 19 MiB, t = 2, p = 1.
    #[must_use]
    pub fn new() -> Self {
        Self::of(Params::DEFAULT)
    }

    /// A hasher with a cost of the operator's choice.
    ///
    /// # Errors
    /// [`PasswordCostError`].
    pub fn with_cost(cost: PasswordCost) -> Result<Self, PasswordCostError> {
        cost.params().map(Self::of)
    }

    fn of(params: Params) -> Self {
        Self(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
    }

    /// Hashes a password under a fresh salt.
    ///
    /// # Errors
    /// [`RandomError`] when the random source gives nothing.
    pub fn hash(&self, password: &Password, random: &dyn RandomSource) -> Result<PasswordHash, RandomError> {
        let mut salt = [0; 16];
        random.fill(&mut salt)?;
        // With these parameters, this salt and a bounded password the function has no way to fail.
        let hash = self
            .0
            .hash_password_with_salt(password.0.as_bytes(), &salt)
            .map_err(|_| RandomError)?;
        salt.zeroize();
        Ok(PasswordHash(hash.to_string()))
    }

    /// Whether the hash is that of the password. The work is that of the hash's own parameters, whatever the answer;
    /// where no hash can be read it is that of [`refuse`](Self::refuse), and the answer no.
    #[must_use]
    pub fn verify(&self, password: &Password, hash: &PasswordHash, memory: &mut HashingMemory) -> bool {
        self.fits(password, hash, memory)
            .unwrap_or_else(|| self.refuse(password, memory))
    }

    /// Whether the hash is that of the password; `None` for what cannot be read.
    fn fits(&self, password: &Password, hash: &PasswordHash, memory: &mut HashingMemory) -> Option<bool> {
        let stored = hash.parsed()?;
        let (salt, expected) = (stored.salt?, stored.hash?);
        let argon2 = Argon2::new(
            Algorithm::try_from(stored.algorithm.as_str()).ok()?,
            stored
                .version
                .map_or(Ok(Version::default()), Version::try_from)
                .ok()?,
            Params::try_from(&stored).ok()?,
        );
        let mut computed = Zeroizing::new(vec![0; expected.len()]);
        memory.compute(&argon2, password, &salt, &mut computed).ok()?;
        // Compared in constant time.
        Some(computed.as_slice().try_into() == Ok(expected))
    }

    /// Does the work of [`verify`](Self::verify) for an account that does not exist or has no password, so that the
    /// time of an answer does not tell. Always no.
    #[must_use]
    pub fn refuse(&self, password: &Password, memory: &mut HashingMemory) -> bool {
        let mut output = Zeroizing::new([0; Params::DEFAULT_OUTPUT_LEN]);
        let _ = memory.compute(&self.0, password, &[0; 16], &mut *output);
        // The optimiser must not see that nobody reads the result.
        std::hint::black_box(&output);
        false
    }

    /// Whether a hash is of another kind than this hasher makes, or of less cost. Only who holds the password can mend
    /// it, so this is asked when it has just been verified.
    #[must_use]
    pub fn needs_rehash(&self, hash: &PasswordHash) -> bool {
        let Some(stored) = hash.parsed() else {
            return true;
        };
        let Ok(params) = Params::try_from(&stored) else {
            return true;
        };
        let wanted = self.0.params();
        stored.algorithm != Algorithm::Argon2id.ident()
            || stored.version != Some(Version::V0x13.into())
            || params.m_cost() < wanted.m_cost()
            || params.t_cost() < wanted.t_cost()
            || params.p_cost() < wanted.p_cost()
    }
}

/// The memory that a thread checks passwords in, kept from one to the next: the operating system hands out nineteen
/// mebibytes page by page, which takes a quarter of the time that the hash itself does.
#[derive(Default)]
pub struct HashingMemory(Vec<Block>);

impl HashingMemory {
    /// Gives it back.
    pub fn release(&mut self) {
        self.0 = Vec::new();
    }

    fn compute(
        &mut self,
        argon2: &Argon2<'_>,
        password: &Password,
        salt: &[u8],
        output: &mut [u8],
    ) -> argon2::Result<()> {
        let blocks = argon2.params().block_count();
        // Never more than the hash at hand needs, so that one dear hash does not hold its memory for ever.
        if self.0.len() != blocks {
            self.0 = vec![Block::new(); blocks];
        }
        argon2.hash_password_into_with_memory(password.0.as_bytes(), salt, output, &mut self.0)
    }
}

impl fmt::Debug for HashingMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashingMemory")
    }
}

impl Default for PasswordHasher {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OsRandom;

    const REFERENCE: &str =
        "$argon2id$v=19$m=20480,t=3,p=2$MDEyMzQ1Njc4OWFiY2RlZg$vY9Zhg1gqssQBPGZrNEknTyc+NTAi4ZX4mEllZpWXh0";

    const DEARER: PasswordCost = PasswordCost {
        memory_kib: 20 * 1024,
        ..PasswordCost::MIN
    };

    #[test]
    fn a_hash_names_its_parameters_and_fits_only_its_password() {
        let password = Password::generate(&OsRandom).unwrap();
        assert_eq!(password.reveal().len(), 24);
        let hasher = PasswordHasher::new();
        let hash = hasher.hash(&password, &OsRandom).unwrap();
        assert!(
            hash.as_phc().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{}",
            hash.as_phc()
        );
        assert!(hasher.verify(&password, &hash, &mut HashingMemory::default()));
        assert!(!hasher.verify(
            &Password::presented("another password"),
            &hash,
            &mut HashingMemory::default()
        ));
    }

    /// Computed with the reference implementation (`argon2-cffi`).
    #[test]
    fn a_hash_of_another_implementation_is_verified_by_its_own_parameters() {
        let hash = PasswordHash::from_phc(REFERENCE.to_owned());
        assert!(PasswordHasher::new().verify(
            &Password::presented("correct horse battery staple"),
            &hash,
            &mut HashingMemory::default()
        ));
        assert!(!PasswordHasher::new().verify(
            &Password::presented("correct horse battery stapl"),
            &hash,
            &mut HashingMemory::default()
        ));
    }

    #[test]
    fn memory_that_was_used_before_changes_no_answer() {
        let (hasher, mut memory) = (PasswordHasher::new(), HashingMemory::default());
        let password = Password::generate(&OsRandom).unwrap();
        let hash = hasher.hash(&password, &OsRandom).unwrap();
        let reference = PasswordHash::from_phc(REFERENCE.to_owned());
        for _ in 0..2 {
            assert!(hasher.verify(&password, &hash, &mut memory));
            assert!(!hasher.verify(&password, &reference, &mut memory));
            assert!(!hasher.refuse(&password, &mut memory));
        }
        memory.release();
        assert!(hasher.verify(&password, &hash, &mut memory));
    }

    #[test]
    fn all_256_characters_count() {
        let long = "k".repeat(256);
        let hasher = PasswordHasher::new();
        let hash = hasher.hash(&Password::presented(&long), &OsRandom).unwrap();
        assert!(!hasher.verify(
            &Password::presented(&format!("{}x", "k".repeat(255))),
            &hash,
            &mut HashingMemory::default()
        ));
    }

    #[test]
    fn a_password_fits_however_its_characters_are_composed() {
        let hasher = PasswordHasher::new();
        let hash = hasher
            .hash(&Password::presented("caf\u{e9} \u{fb01}ve"), &OsRandom)
            .unwrap();
        assert!(hasher.verify(
            &Password::presented("cafe\u{301} five"),
            &hash,
            &mut HashingMemory::default()
        ));
        assert!(!hasher.verify(
            &Password::presented("cafe five"),
            &hash,
            &mut HashingMemory::default()
        ));
    }

    #[test]
    fn a_hash_is_renewed_once_the_cost_has_risen() {
        let cheap = PasswordHasher::new();
        let dear = PasswordHasher::with_cost(DEARER).unwrap();
        let password = Password::generate(&OsRandom).unwrap();
        let hash = cheap.hash(&password, &OsRandom).unwrap();
        assert!(!cheap.needs_rehash(&hash));
        assert!(dear.needs_rehash(&hash));
        assert!(dear.verify(&password, &hash, &mut HashingMemory::default()));
        let renewed = dear.hash(&password, &OsRandom).unwrap();
        assert!(!dear.needs_rehash(&renewed));
        assert!(!cheap.needs_rehash(&renewed));
        let other_kind = PasswordHash::from_phc(hash.as_phc().replace("argon2id", "argon2i"));
        assert!(cheap.needs_rehash(&other_kind));
    }

    #[test]
    fn what_is_no_hash_fits_nothing() {
        let (hasher, mut memory) = (PasswordHasher::new(), HashingMemory::default());
        for text in [
            "",
            "plain",
            "$argon2id$v=19$m=19456,t=2,p=1$",
            "$2b$12$abcdefghijklmnopqrstuv",
        ] {
            let hash = PasswordHash::from_phc(text.to_owned());
            assert!(!hasher.verify(&Password::presented(text), &hash, &mut memory));
            assert!(hasher.needs_rehash(&hash));
        }
    }

    #[test]
    fn a_cost_below_the_least_is_refused() {
        let refused = |cost| PasswordHasher::with_cost(cost).is_err();
        let min = PasswordCost::MIN;
        assert!(!refused(min));
        assert!(refused(PasswordCost {
            memory_kib: 19_455,
            ..min
        }));
        assert!(refused(PasswordCost { passes: 1, ..min }));
        assert!(refused(PasswordCost { lanes: 0, ..min }));
        assert!(refused(PasswordCost {
            memory_kib: u32::MAX,
            ..min
        }));
    }

    #[test]
    fn nothing_of_a_password_is_in_debug_text() {
        let password = Password::generate(&OsRandom).unwrap();
        let hash = PasswordHasher::new().hash(&password, &OsRandom).unwrap();
        assert_eq!(format!("{password:?} {hash:?}"), "Password PasswordHash");
    }
}

//! Passwords: what is accepted, and how they are kept.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, Version};
use tigertrust_model::{RandomError, RandomSource};
use zeroize::{Zeroize, Zeroizing};

use crate::key_format::BASE62;

/// Why a password is not accepted (NIST SP 800-63B-4 §3.1.1: length counts, composition does not).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordPolicyError {
    /// Fewer than 15 characters.
    #[error("must have 15 characters or more")]
    TooShort,
    /// More than 256 characters.
    #[error("must have 256 characters or fewer")]
    TooLong,
}

/// A password in plain. Zeroised on drop; `Debug` shows nothing.
pub struct Password(Zeroizing<String>);

impl Password {
    /// The fewest characters accepted.
    pub const MIN_LENGTH: usize = 15;
    /// The most characters accepted; every one of them counts.
    pub const MAX_LENGTH: usize = 256;

    /// A password that somebody chose.
    ///
    /// # Errors
    /// [`PasswordPolicyError`].
    pub fn chosen(text: Zeroizing<String>) -> Result<Self, PasswordPolicyError> {
        match text.chars().count() {
            length if length < Self::MIN_LENGTH => Err(PasswordPolicyError::TooShort),
            length if length > Self::MAX_LENGTH => Err(PasswordPolicyError::TooLong),
            _ => Ok(Self(text)),
        }
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
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash")
    }
}

/// Hashes passwords with Argon2id (RFC 9106). It takes 19 MiB and tens of milliseconds: keep it off async threads.
#[derive(Debug, Clone)]
pub struct PasswordHasher(Argon2<'static>);

impl PasswordHasher {
    /// A hasher with the product's parameters: m = 19 MiB, t = 2, p = 1.
    #[must_use]
    pub fn new() -> Self {
        Self(Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::DEFAULT))
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
}

impl Default for PasswordHasher {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use argon2::PasswordVerifier;

    use super::*;
    use crate::OsRandom;

    fn chosen(text: &str) -> Result<Password, PasswordPolicyError> {
        Password::chosen(Zeroizing::new(text.to_owned()))
    }

    #[test]
    fn length_is_counted_in_characters() {
        assert_eq!(chosen(&"é".repeat(14)).err(), Some(PasswordPolicyError::TooShort));
        assert!(chosen(&"é".repeat(15)).is_ok());
        assert!(chosen(&"é".repeat(256)).is_ok());
        assert_eq!(chosen(&"é".repeat(257)).err(), Some(PasswordPolicyError::TooLong));
    }

    #[test]
    fn a_hash_names_its_parameters_and_fits_only_its_password() {
        let password = Password::generate(&OsRandom).unwrap();
        assert_eq!(password.reveal().len(), 24);
        let hash = PasswordHasher::new().hash(&password, &OsRandom).unwrap();
        assert!(
            hash.as_phc().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{}",
            hash.as_phc()
        );
        let parsed = argon2::PasswordHash::new(hash.as_phc()).unwrap();
        assert!(
            Argon2::default()
                .verify_password(password.reveal().as_bytes(), &parsed)
                .is_ok()
        );
        assert!(
            Argon2::default()
                .verify_password(b"another password", &parsed)
                .is_err()
        );
    }

    #[test]
    fn nothing_of_a_password_is_in_debug_text() {
        let password = Password::generate(&OsRandom).unwrap();
        let hash = PasswordHasher::new().hash(&password, &OsRandom).unwrap();
        assert_eq!(format!("{password:?} {hash:?}"), "Password PasswordHash");
    }
}

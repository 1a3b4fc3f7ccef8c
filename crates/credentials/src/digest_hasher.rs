//! Hashing of what is a digest already.

use std::hash::{BuildHasherDefault, Hasher};

/// Hashes digests that nobody can choose: for maps whose keys they are.
pub(crate) type HashesDigests = BuildHasherDefault<DigestHasher>;

/// A digest is as random as a hash gets, and nobody without the pepper can choose it: eight of its bytes will do.
#[derive(Clone, Copy, Default)]
pub(crate) struct DigestHasher(u64);

impl Hasher for DigestHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(chunk) = bytes.first_chunk::<8>() {
            self.0 = u64::from_ne_bytes(*chunk);
        }
    }

    // The length that a slice writes before its bytes says nothing.
    fn write_usize(&mut self, _: usize) {}
}

//! What the secrets of a key ring have in common, whatever they are for.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use tigertrust_model::{RandomError, RandomSource};
use zeroize::Zeroizing;

/// The bytes of a new secret.
pub(crate) const LENGTH: usize = 32;

/// Whether the text can be the id that stored values name a secret by.
pub(crate) fn is_id(id: &str) -> bool {
    (1..=32).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// A new secret, in base64url without padding.
///
/// # Errors
/// [`RandomError`] when the random source gives nothing.
pub(crate) fn generate(random: &dyn RandomSource) -> Result<Zeroizing<String>, RandomError> {
    let mut bytes = Zeroizing::new([0; LENGTH]);
    random.fill(&mut *bytes)?;
    Ok(Zeroizing::new(URL_SAFE_NO_PAD.encode(*bytes)))
}

//! What webhooks are signed with.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use tigertrust_model::{RandomError, RandomSource};
use zeroize::Zeroizing;

const PREFIX: &str = "whsec_";
const LENGTH: usize = 32;
/// What Standard Webhooks lets secrets be.
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;

/// The secret of a webhook: 32 random bytes, shared with whoever receives it. `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookSecret(Zeroizing<Vec<u8>>);

/// The text is no secret of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be whsec_ and 24 to 64 bytes in base64")]
pub struct MalformedWebhookSecret;

impl WebhookSecret {
    /// A new secret.
    ///
    /// # Errors
    /// [`RandomError`] when the random source gives nothing.
    pub fn generate(random: &dyn RandomSource) -> Result<Self, RandomError> {
        let mut bytes = Zeroizing::new(vec![0; LENGTH]);
        random.fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// The secret of these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }

    /// The key of the signature.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The secret as whoever receives is given it: `whsec_…`.
    #[must_use]
    pub fn reveal(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + self.0.len().div_ceil(3) * 4));
        text.push_str(PREFIX);
        STANDARD.encode_string(self.0.as_slice(), &mut text);
        text
    }
}

impl FromStr for WebhookSecret {
    type Err = MalformedWebhookSecret;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = text
            .strip_prefix(PREFIX)
            .and_then(|encoded| STANDARD.decode(encoded).ok())
            .map(Zeroizing::new);
        bytes
            .filter(|bytes| LENGTHS.contains(&bytes.len()))
            .map(Self)
            .ok_or(MalformedWebhookSecret)
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret")
    }
}

#[cfg(test)]
mod tests {
    use tigertrust_credentials::OsRandom;

    use super::*;

    #[test]
    fn a_secret_is_read_as_it_is_shown_and_debug_hides_it() {
        let secret = WebhookSecret::generate(&OsRandom).unwrap();
        let shown = secret.reveal();
        assert!(shown.starts_with("whsec_") && shown.len() == 50);
        assert!(shown.parse() == Ok(secret.clone()));
        assert_eq!(format!("{secret:?}"), "WebhookSecret");
        for wrong in [
            "",
            "whsec_",
            "whsec_AAEC",
            "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
            "whsec_!",
        ] {
            assert!(wrong.parse::<WebhookSecret>().is_err(), "{wrong}");
        }
    }
}

//! The service provider of SAML 2.0: Web Browser SSO, by HTTP-Redirect there and HTTP-POST back.
//!
//! A response is read twice. First by us, who take from it only what stands where it has to and refuse a document that holds
//! anything a reader could mistake for it; then by `saml-rs`, which verifies the signatures and checks everything anew with other
//! parsers. Both have to come to the same. In doubt a response is refused.

mod assertion;
mod certificate;
mod identity;
mod instant;
mod metadata;
mod request;
mod response;
mod signature;
mod verification;
mod xml;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use tigertrust_accounts::sso::{
    ProviderError, SamlAssertion, SamlIdentityProvider, SamlServiceProvider, SamlSettings, SamlSigningKey,
};
use tigertrust_model::{RandomSource, Timestamp};

pub use self::certificate::read_signing_key;
use self::response::Expected;

/// The service provider. It keeps nothing: the settings, the time and the request are handed in.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServiceProvider;

impl SamlServiceProvider for ServiceProvider {
    fn read_metadata(
        &self,
        document: &[u8],
        entity_id: Option<&str>,
    ) -> Result<SamlIdentityProvider, ProviderError> {
        metadata::read(document, entity_id).map_err(unsuitable)
    }

    fn begin(
        &self,
        settings: &SamlSettings,
        request_id: &str,
        relay_state: &str,
        now: Timestamp,
    ) -> Result<String, ProviderError> {
        metadata::check_sso_url(&settings.provider.sso_url).map_err(unsuitable)?;
        request::redirect(settings, request_id, relay_state, now).map_err(unsuitable)
    }

    fn finish(
        &self,
        settings: &SamlSettings,
        response: &str,
        request_id: Option<&str>,
        now: Timestamp,
    ) -> Result<SamlAssertion, ProviderError> {
        let expected = Expected {
            settings,
            request_id,
            now,
        };
        accept(response, &expected).map_err(|reason| ProviderError::Refused(reason.to_owned()))
    }

    fn metadata(&self, settings: &SamlSettings) -> Result<String, ProviderError> {
        Ok(metadata::write(settings))
    }

    fn new_signing_key(
        &self,
        common_name: &str,
        random: &dyn RandomSource,
        now: Timestamp,
    ) -> Result<SamlSigningKey, ProviderError> {
        certificate::new_signing_key(common_name, random, now)
    }
}

fn unsuitable(reason: &'static str) -> ProviderError {
    ProviderError::Settings(reason.to_owned())
}

fn accept(encoded: &str, expected: &Expected<'_>) -> Result<SamlAssertion, &'static str> {
    if expected.settings.provider.certificates.is_empty() {
        return Err("The provider has no certificate, so nothing it says can be verified.");
    }
    let text = decode(encoded)?;
    let document = xml::parse(&text)?;
    let response = response::read(&document, expected)?;
    verification::verify(&text, &response, expected)?;
    Ok(SamlAssertion {
        identity: identity::read(&response.assertion, expected.settings)?,
        replay_ids: vec![response.id, response.assertion.id],
        remembered_until: response.assertion.remembered_until,
    })
}

/// Base64, in which browsers may have put line breaks.
fn decode(encoded: &str) -> Result<String, &'static str> {
    // A third more than the text, and as much again for line breaks.
    if encoded.len() > xml::MAX_BYTES * 3 / 2 {
        return Err("The response is too large.");
    }
    let encoded: String = encoded.chars().filter(|one| !one.is_ascii_whitespace()).collect();
    let bytes = STANDARD
        .decode(encoded)
        .map_err(|_| "The response is not base64.")?;
    String::from_utf8(bytes).map_err(|_| "The response is not text in UTF-8.")
}

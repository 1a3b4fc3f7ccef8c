//! The request: AuthnRequest by the binding HTTP-Redirect (SAML Bindings §3.4).

use std::io::Write as _;

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::{Compression, write::DeflateEncoder};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tigertrust_accounts::sso::{SamlSettings, SamlSigningKey};
use tigertrust_model::Timestamp;

use super::{
    instant,
    xml::{ASSERTION, PROTOCOL, escape, is_id},
};

const RSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
const HTTP_POST: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST";
/// SAML Bindings §3.4.3.
const MAX_RELAY_STATE: usize = 80;
/// What is never encoded (RFC 3986 §2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The URL to send the browser to.
///
/// # Errors
/// What is wrong with the settings, in words of our own.
pub(super) fn redirect(
    settings: &SamlSettings,
    request_id: &str,
    relay_state: &str,
    now: Timestamp,
) -> Result<String, &'static str> {
    if !is_id(request_id) {
        return Err("The id of the request is not one.");
    }
    if relay_state.is_empty() || relay_state.len() > MAX_RELAY_STATE {
        return Err("The relay state is empty or too long.");
    }
    let request = authn_request(settings, request_id, now).ok_or("The clock is wrong.")?;
    let mut query = format!(
        "SAMLRequest={}&RelayState={}",
        encode(&deflate(&request)?),
        encode(relay_state)
    );
    if let Some(key) = &settings.signing_key {
        query = format!("{query}&SigAlg={}", encode(RSA_SHA256));
        let signature = sign(key, query.as_bytes())?;
        query = format!("{query}&Signature={}", encode(&signature));
    }
    let url = &settings.provider.sso_url;
    let separator = if url.contains('?') { '&' } else { '?' };
    Ok(format!("{url}{separator}{query}"))
}

fn authn_request(settings: &SamlSettings, request_id: &str, now: Timestamp) -> Option<String> {
    Some(format!(
        "<samlp:AuthnRequest xmlns:samlp=\"{PROTOCOL}\" xmlns:saml=\"{ASSERTION}\" ID=\"{request_id}\" Version=\"2.0\" \
         IssueInstant=\"{}\" Destination=\"{}\" AssertionConsumerServiceURL=\"{}\" ProtocolBinding=\"{HTTP_POST}\">\
         <saml:Issuer>{}</saml:Issuer><samlp:NameIDPolicy AllowCreate=\"true\"/></samlp:AuthnRequest>",
        instant::format(now)?,
        escape(&settings.provider.sso_url),
        escape(&settings.acs_url),
        escape(&settings.entity_id),
    ))
}

fn deflate(text: &str) -> Result<String, &'static str> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    let compressed = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish());
    Ok(STANDARD.encode(compressed.map_err(|_| "The request could not be written.")?))
}

fn encode(value: &str) -> String {
    utf8_percent_encode(value, RESERVED).to_string()
}

fn sign(key: &SamlSigningKey, message: &[u8]) -> Result<String, &'static str> {
    let unusable = "The key that requests are signed with cannot be used.";
    let key = RsaKeyPair::from_pkcs8(&key.pkcs8).map_err(|_| unusable)?;
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
        .map_err(|_| unusable)?;
    Ok(STANDARD.encode(signature))
}

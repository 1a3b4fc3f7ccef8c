//! The request, and the key that signs it.

use std::io::Read as _;

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::read::DeflateDecoder;
use tigertrust_accounts::sso::{ProviderError, SamlServiceProvider, SamlSettings};
use tigertrust_model::Timestamp;
use tigertrust_sso::saml::ServiceProvider;
use url::Url;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{corpus::Corpus, metadata::Sevens};

/// 2026-08-01T12:00:00.5Z.
const NOON: Timestamp = Timestamp::from_unix_micros(1_785_585_600_500_000);

fn begin(settings: &SamlSettings, request_id: &str, relay_state: &str) -> Result<String, ProviderError> {
    ServiceProvider.begin(settings, request_id, relay_state, NOON)
}

fn parameter(url: &str, name: &str) -> Option<String> {
    let url = Url::parse(url).expect("a URL");
    let mut all = url.query_pairs().filter(|(key, _)| key == name);
    all.next().map(|(_, value)| value.into_owned())
}

fn inflated(url: &str) -> String {
    let compressed = STANDARD
        .decode(parameter(url, "SAMLRequest").expect("a request"))
        .expect("base64");
    let mut text = String::new();
    DeflateDecoder::new(compressed.as_slice())
        .read_to_string(&mut text)
        .expect("deflated");
    text
}

#[test]
fn a_request_says_who_asks_and_where_to_answer() {
    let mut settings = Corpus::get().settings(&["provider"]);
    settings.provider.sso_url = "https://idp.example.com/sso?tenant=a&b".to_owned();
    let url = begin(&settings, "_r1", "opaque & more").expect("a URL");
    assert!(
        url.starts_with("https://idp.example.com/sso?tenant=a&b&SAMLRequest="),
        "{url}"
    );
    assert_eq!(parameter(&url, "RelayState").as_deref(), Some("opaque & more"));
    assert_eq!(parameter(&url, "Signature"), None);

    let request = inflated(&url);
    let document = roxmltree::Document::parse(&request).expect("XML");
    let root = document.root_element();
    assert!(root.has_tag_name(("urn:oasis:names:tc:SAML:2.0:protocol", "AuthnRequest")));
    for (name, value) in [
        ("ID", "_r1"),
        ("Version", "2.0"),
        ("IssueInstant", "2026-08-01T12:00:00Z"),
        ("Destination", "https://idp.example.com/sso?tenant=a&b"),
        ("AssertionConsumerServiceURL", settings.acs_url.as_str()),
        (
            "ProtocolBinding",
            "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST",
        ),
    ] {
        assert_eq!(root.attribute(name), Some(value), "{name}");
    }
    assert_eq!(
        root.first_element_child().and_then(|issuer| issuer.text()),
        Some(settings.entity_id.as_str())
    );
}

#[test]
fn a_request_is_signed_with_the_key_of_the_certificate() {
    let mut settings = Corpus::get().settings(&["provider"]);
    let key = ServiceProvider
        .new_signing_key("TigerTrust: acme", &Sevens, NOON)
        .expect("a key");
    let der = key.certificate.clone();
    settings.signing_key = Some(key);
    let url = begin(&settings, "_r1", "state").expect("a URL");

    let (_, query) = url.split_once('?').expect("a query");
    let (signed, _) = query.split_once("&Signature=").expect("a signature");
    assert_eq!(
        parameter(&url, "SigAlg").as_deref(),
        Some("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256")
    );
    let signature = STANDARD
        .decode(parameter(&url, "Signature").expect("a signature"))
        .expect("base64");
    let (_, certificate) = X509Certificate::from_der(&der).expect("a certificate");
    let public = &certificate.public_key().subject_public_key.data;
    let verified =
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public).verify(signed.as_bytes(), &signature);
    verified.expect("a good signature");

    assert_eq!(certificate.subject().to_string(), "CN=TigerTrust: acme");
    assert_eq!(
        certificate.validity().not_before.timestamp(),
        NOON.unix_micros() / 1_000_000
    );
    // Ten years, of which two are leap years.
    assert_eq!(
        certificate.validity().not_after.timestamp() - NOON.unix_micros() / 1_000_000,
        (3650 + 3) * 86_400
    );
    assert!(!format!("{:?}", settings.signing_key).contains("pkcs8"));
}

#[test]
fn what_would_break_the_request_is_refused() {
    let settings = Corpus::get().settings(&["provider"]);
    for id in ["", "1", "_a\" x=\"", "_a b", "<"] {
        begin(&settings, id, "state").expect_err(id);
    }
    for state in [String::new(), "x".repeat(81)] {
        begin(&settings, "_r1", &state).expect_err(&state);
    }
    let mut insecure = settings;
    insecure.provider.sso_url = "http://idp.example.com/sso".to_owned();
    begin(&insecure, "_r1", "state").expect_err("not https");
}

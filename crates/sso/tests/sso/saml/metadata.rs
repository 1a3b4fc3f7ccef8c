//! Metadata, of providers and ours.

use super::corpus::Corpus;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use tigertrust_accounts::sso::{ProviderError, SamlIdentityProvider, SamlServiceProvider};
use tigertrust_model::{RandomSource, Timestamp};
use tigertrust_sso::saml::ServiceProvider;

const REDIRECT: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect";

fn certificate(name: &str) -> String {
    STANDARD.encode(&Corpus::get().settings(&[name]).provider.certificates[0].der)
}

fn key(of: &str, certificate: &str) -> String {
    format!(
        "<md:KeyDescriptor{of}><ds:KeyInfo><ds:X509Data><ds:X509Certificate>\n{certificate}\n</ds:X509Certificate></ds:X509Data>\
         </ds:KeyInfo></md:KeyDescriptor>"
    )
}

fn entity(id: &str, keys: &str, location: &str) -> String {
    format!(
        "<md:EntityDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\" xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\" \
         entityID=\"{id}\"><md:IDPSSODescriptor protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:2.0:protocol\">{keys}\
         <md:SingleSignOnService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST\" Location=\"https://idp/post\"/>\
         <md:SingleSignOnService Binding=\"{REDIRECT}\" Location=\"{location}\"/></md:IDPSSODescriptor></md:EntityDescriptor>"
    )
}

fn read(document: &str) -> Result<SamlIdentityProvider, String> {
    read_one(document, None)
}

fn read_one(document: &str, entity_id: Option<&str>) -> Result<SamlIdentityProvider, String> {
    ServiceProvider
        .read_metadata(document.as_bytes(), entity_id)
        .map_err(|error| match error {
            ProviderError::Settings(reason) => reason,
            other => panic!("{other}"),
        })
}

#[test]
fn a_provider_is_read_with_all_that_it_signs_with() {
    let (first, second) = (certificate("provider"), certificate("next"));
    let keys = [
        key(" use=\"signing\"", &first),
        key("", &second),
        key(" use=\"encryption\"", &certificate("other")),
        key(" use=\"signing\"", &first),
        // Of no use to us, and no reason to refuse the others.
        key(" use=\"signing\"", &certificate("curve")),
        key(" use=\"signing\"", &certificate("short")),
    ];
    let document = format!(
        "\u{feff}<?xml version=\"1.0\"?>\n{}",
        entity("https://idp", &keys.concat(), "https://idp/sso?a=b&amp;c")
    );
    let provider = read(&document).expect("a provider");
    assert_eq!(provider.entity_id, "https://idp");
    assert_eq!(provider.sso_url, "https://idp/sso?a=b&c");
    let found: Vec<String> = provider
        .certificates
        .iter()
        .map(|one| STANDARD.encode(&one.der))
        .collect();
    assert_eq!(found, [first, second]);
    let days =
        |instant: Timestamp| (instant.unix_micros() - Corpus::get().now().unix_micros()) / 86_400_000_000;
    assert!(provider.certificates.iter().all(|one| days(one.not_after) == 365));
    assert!(
        provider
            .certificates
            .iter()
            .all(|one| one.fingerprint.len() == 64)
    );
    assert_ne!(
        provider.certificates[0].fingerprint,
        provider.certificates[1].fingerprint
    );
}

#[test]
fn one_of_many_is_named() {
    let keys = key("", &certificate("provider"));
    let (a, b) = (
        entity("https://a", &keys, "https://a/sso"),
        entity("https://b", &keys, "https://b/sso"),
    );
    let many = |all: &str| {
        format!(
            "<md:EntitiesDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\">{all}</md:EntitiesDescriptor>"
        )
    };
    assert_eq!(read(&many(&a)).expect("one").entity_id, "https://a");
    assert_eq!(
        read_one(&many(&format!("{a}{b}")), Some("https://b"))
            .expect("b")
            .sso_url,
        "https://b/sso"
    );
    assert_eq!(
        read_one(&many(&many(&format!("{a}{b}"))), Some("https://a"))
            .expect("a")
            .sso_url,
        "https://a/sso"
    );
    for (document, id, reason) in [
        (many(&format!("{a}{b}")), None, "several identity providers"),
        (
            many(&format!("{a}{b}")),
            Some("https://c"),
            "no identity provider with that entity id",
        ),
        (many(&format!("{a}{a}")), Some("https://a"), "more than once"),
        (many(""), None, "no identity provider"),
        (a, Some("https://b"), "no identity provider with that entity id"),
    ] {
        let refused = read_one(&document, id).expect_err(reason);
        assert!(refused.contains(reason), "{refused}");
    }
}

#[test]
fn what_cannot_work_is_refused() {
    let keys = key("", &certificate("provider"));
    let with = |location: &str| entity("https://idp", &keys, location);
    for location in [
        "http://127.0.0.1:8080/sso",
        "http://localhost/sso",
        "http://[::1]/sso",
        "https://idp.example.com/sso",
    ] {
        assert_eq!(read(&with(location)).expect(location).sso_url, location);
    }
    for location in [
        "http://idp.example.com/sso",
        "http://127.0.0.1.example.com/sso",
        "http://localhost.example.com/sso",
        "javascript:alert(1)",
        "ftp://idp/sso",
        "//idp/sso",
        "/sso",
        "",
        "https://user@idp/sso",
        "https://idp/sso#x",
    ] {
        read(&with(location)).expect_err(location);
    }
    let good = with("https://idp/sso");
    for document in [
        "",
        "hello",
        &format!("<!DOCTYPE x>{good}"),
        &format!("<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>{good}"),
        &good.replace("IDPSSODescriptor", "SPSSODescriptor"),
        &good.replace("SAML:2.0:protocol", "SAML:1.1:protocol"),
        &good.replace("SAML:2.0:metadata", "SAML:1.1:metadata"),
        &good.replace(REDIRECT, "urn:x"),
        &good.replace("entityID=\"https://idp\"", ""),
        &good.replace("entityID=\"https://idp\"", "entityID=\"\""),
        &entity("https://idp", "", "https://idp/sso"),
        &entity(
            "https://idp",
            &key(" use=\"encryption\"", &certificate("provider")),
            "https://idp/sso",
        ),
        &entity("https://idp", &key("", &certificate("curve")), "https://idp/sso"),
        &entity("https://idp", &key("", &certificate("short")), "https://idp/sso"),
        &entity("https://idp", &key("", "AAAA"), "https://idp/sso"),
        &entity("https://idp", &key("", "%"), "https://idp/sso"),
        &good.replace(
            "<md:IDPSSODescriptor",
            &format!("<!--{}--><md:IDPSSODescriptor", "x".repeat(300_000)),
        ),
    ] {
        read(document).expect_err(document);
    }
}

/// Randomness that a test can count on.
pub(crate) struct Sevens;

impl RandomSource for Sevens {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), tigertrust_model::RandomError> {
        bytes.fill(7);
        Ok(())
    }
}

#[test]
fn ours_tells_where_and_with_what() {
    let corpus = Corpus::get();
    let mut settings = corpus.settings(&["provider"]);
    settings.entity_id = "https://auth.example.com/sso?a=1&b=<2>".to_owned();
    let unsigned = ServiceProvider.metadata(&settings).expect("metadata");
    assert!(unsigned.contains("AuthnRequestsSigned=\"false\""));
    assert!(!unsigned.contains("KeyDescriptor"));

    let key = ServiceProvider
        .new_signing_key("acme", &Sevens, corpus.now())
        .expect("a key");
    let certificate = STANDARD.encode(&key.certificate);
    settings.signing_key = Some(key);
    let document = ServiceProvider.metadata(&settings).expect("metadata");
    let document = roxmltree::Document::parse(&document).expect("XML");
    let find = |name: &str| {
        document
            .descendants()
            .find(|node| node.tag_name().name() == name)
            .expect("an element")
    };
    assert_eq!(
        document.root_element().attribute("entityID"),
        Some(settings.entity_id.as_str())
    );
    assert_eq!(
        find("SPSSODescriptor").attribute("AuthnRequestsSigned"),
        Some("true")
    );
    assert_eq!(
        find("SPSSODescriptor").attribute("WantAssertionsSigned"),
        Some("true")
    );
    assert_eq!(find("X509Certificate").text(), Some(certificate.as_str()));
    assert_eq!(
        find("AssertionConsumerService").attribute("Location"),
        Some(settings.acs_url.as_str())
    );
}

//! Who is told of an accepted response.

use std::time::Duration;

use tigertrust_accounts::sso::{ProviderError, SamlAttributes, SamlServiceProvider};
use tigertrust_sso::saml::ServiceProvider;

use super::corpus::Corpus;

#[test]
fn the_usual_attributes_are_found() {
    let corpus = Corpus::get();
    let accepted = corpus
        .finish(corpus.case("xmlsec1-assertion-signed"))
        .expect("genuine");
    let identity = accepted.identity;
    assert_eq!(identity.issuer, "https://idp.example.com/saml/metadata");
    assert_eq!(identity.subject, "alice-0815");
    assert_eq!(identity.email.as_deref(), Some("alice@example.com"));
    assert!(identity.email_verified);
    assert_eq!(identity.name.as_deref(), Some("Alice"));
    assert_eq!(identity.groups, ["staff", "admins"]);
    assert_eq!(identity.provider_session.as_deref(), Some("_session-1"));
    assert!(!identity.second_factor);

    let identity = corpus.finish(corpus.case("unicode")).expect("genuine").identity;
    assert_eq!(identity.email.as_deref(), Some("müller@example.com"));
    assert_eq!(identity.name.as_deref(), Some("Ä & <Ö>"));
    assert!(identity.groups.is_empty());

    let identity = corpus
        .finish(corpus.case("name-only-in-parts"))
        .expect("genuine")
        .identity;
    assert_eq!(identity.name.as_deref(), Some("Alice Liddell"));
    assert_eq!(identity.email, None);
    assert!(!identity.email_verified);

    let identity = corpus
        .finish(corpus.case("email-in-name-id-alone"))
        .expect("genuine")
        .identity;
    assert_eq!(identity.email.as_deref(), Some("alice@example.com"));
}

#[test]
fn ids_are_given_to_be_remembered_as_long_as_the_assertion_lives() {
    let corpus = Corpus::get();
    let accepted = corpus
        .finish(corpus.case("xmlsec1-both-signed"))
        .expect("genuine");
    assert_eq!(accepted.replay_ids, ["_response-1", "_assertion-1"]);
    let minutes = |count: u64| Duration::from_secs(count * 60);
    assert_eq!(
        accepted.remembered_until,
        corpus.now().saturating_add(minutes(5 + 3))
    );

    // A provider that lets assertions live for ever does not make us remember them for ever.
    let accepted = corpus.finish(corpus.case("lives-for-years")).expect("genuine");
    assert_eq!(
        accepted.remembered_until,
        corpus.now().saturating_add(minutes(24 * 60 + 3))
    );
}

#[test]
fn a_second_factor_is_one_only_where_the_provider_says_so() {
    let corpus = Corpus::get();
    for (name, expected) in [
        ("context-refeds-mfa", true),
        ("context-multipleauthn", true),
        ("context-smartcard-pki", true),
        ("methods-multipleauthn", true),
        ("context-time-sync-token", false),
        ("context-x509", false),
        ("methods-password", false),
        ("methods-in-another-attribute", false),
    ] {
        let identity = corpus.finish(corpus.case(name)).expect(name).identity;
        assert_eq!(identity.second_factor, expected, "{name}");
    }
}

#[test]
fn attributes_can_be_named() {
    let corpus = Corpus::get();
    let named = |subject: Option<&str>| {
        let mut settings = corpus.settings(&["provider"]);
        settings.attributes = SamlAttributes {
            subject: subject.map(str::to_owned),
            email: Some("contact".to_owned()),
            name: Some("called".to_owned()),
            groups: Some("teams".to_owned()),
        };
        let response = &corpus.case("other-attributes").response;
        ServiceProvider.finish(&settings, response, Some(&corpus.request), corpus.now())
    };
    let identity = named(Some("employee")).expect("genuine").identity;
    assert_eq!(identity.subject, "4711");
    assert_eq!(identity.email.as_deref(), Some("al@example.com"));
    assert_eq!(identity.name.as_deref(), Some("Al"));
    assert_eq!(identity.groups, ["red", "blue"]);

    // The NameID is transient: without an attribute nobody can be known by it.
    let refused = named(None).expect_err("transient");
    assert!(matches!(refused, ProviderError::Refused(reason) if reason.contains("transient")));
    for attribute in ["absent", "teams"] {
        let refused = named(Some(attribute)).expect_err(attribute);
        assert!(
            matches!(refused, ProviderError::Refused(reason) if reason.contains("attribute with the subject"))
        );
    }
}

#[test]
fn another_tenants_provider_is_nobody_here() {
    let corpus = Corpus::get();
    let theirs = &corpus.case("another-tenants-provider-both-signed").response;
    let finish = |settings| ServiceProvider.finish(&settings, theirs, Some(&corpus.request), corpus.now());
    // It is good where it belongs.
    assert_eq!(
        finish(corpus.other_settings()).expect("theirs").identity.issuer,
        "https://idp.other.example/saml/metadata"
    );
    finish(corpus.settings(&["provider"])).expect_err("ours");
}

//! Signatures, and a second opinion on everything else: `saml-rs` reads the response anew, with two XML parsers of its own.

use std::time::{Duration, SystemTime};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use saml_rs::{
    AcsEndpoint, AssertionSignaturePolicy, AudienceValidationPolicy, AuthnRequestSigningPolicy, AuthnSession,
    BrowserInput, ClockSkew, EntityId, FormField, IdpDescriptor, LogoutPolicy, LogoutSignaturePolicy,
    MessageId, MetadataTrustPolicy, NameIdCreationPolicy, PendingAuthnRequest, RelayStateParam, ReplayPolicy,
    ResponseSignaturePolicy, Saml, SamlError, SamlValidationContext, Sp, SpConfig, SpValidationPolicy,
    SsoResponse, SsoResponseBinding, SsoSession, VerifiedXmlSignatureCoverage, XmlEncryptionPolicy,
    XmlPolicy, XmlSignatureProfile, xml::XmlLimits,
};
use tigertrust_accounts::sso::{SamlIdentityProvider, SamlSettings};
use tigertrust_model::Timestamp;

use super::{
    assertion::{Attribute, is_plain},
    instant::SKEW,
    response::{Expected, Response},
    xml::{self, escape},
};

const DISAGREED: &str = "The response can be read in two ways.";

/// Verifies the signatures of a response with the keys of its provider, and has everything read a second time.
///
/// # Errors
/// What is wrong with it, in words of our own.
pub(super) fn verify(text: &str, response: &Response, expected: &Expected<'_>) -> Result<(), &'static str> {
    let session = finish(text, expected).map_err(|error| reason(&error))?;
    check_coverage(&session, response)?;
    check_agreement(&session, response)
}

fn finish(text: &str, expected: &Expected<'_>) -> Result<SsoSession, SamlError> {
    let settings = expected.settings;
    let provider = IdpDescriptor::from_metadata_xml_for(
        EntityId::try_new(settings.provider.entity_id.as_str())?,
        &describe(&settings.provider),
        // Written by ourselves, a moment ago.
        MetadataTrustPolicy::UnsignedForCompatibility,
    )?;
    let fields = vec![FormField::new("SAMLResponse", STANDARD.encode(text))];
    let input = BrowserInput::<SsoResponse>::post(fields);
    // Ids are stored by whoever begins the session, in its transaction.
    let skew = i64::try_from(SKEW.as_millis()).unwrap_or(0);
    let context =
        SamlValidationContext::new(system_time(expected.now), ReplayPolicy::DisabledForCompatibility)
            .with_clock_skew(ClockSkew::from_millis(-skew, skew));
    let service_provider = service_provider(settings)?;
    let Some(request_id) = expected.request_id else {
        return service_provider.accept_unsolicited_sso(&provider, input, context);
    };
    let pending = PendingAuthnRequest::try_new(
        MessageId::try_new(request_id)?,
        RelayStateParam::absent(),
        AcsEndpoint::post(settings.acs_url.as_str())?,
        SsoResponseBinding::Post,
        EntityId::try_new(settings.provider.entity_id.as_str())?,
    )?;
    service_provider.finish_sso(&provider, &pending, input, context)
}

/// Every policy is written out: the presets let SHA-1, a missing audience and more pass.
fn service_provider(settings: &SamlSettings) -> Result<Saml<Sp>, SamlError> {
    let skew = i64::try_from(SKEW.as_millis()).unwrap_or(0);
    let config = SpConfig::builder(EntityId::try_new(settings.entity_id.as_str())?)
        .acs_endpoint(AcsEndpoint::post(settings.acs_url.as_str())?)
        .validation(SpValidationPolicy {
            // Either signature will do; that one is there is certain by now.
            assertions: AssertionSignaturePolicy::AllowUnsignedForCompatibility,
            responses: ResponseSignaturePolicy::RequireForEncryptedCbc,
            xml_signatures: XmlSignatureProfile::StrictRsaSha2,
            authn_requests: AuthnRequestSigningPolicy::DoNotSignForCompatibility,
            audience: AudienceValidationPolicy::Validate,
            name_id_creation: NameIdCreationPolicy::DoNotAllowCreate,
            logout: LogoutPolicy {
                requests: LogoutSignaturePolicy::RequireSigned,
                responses: LogoutSignaturePolicy::RequireSigned,
            },
        })
        .xml(XmlPolicy {
            clock_drifts: (-skew, skew),
            redirect_inflate_max_bytes: xml::MAX_BYTES,
            limits: XmlLimits {
                max_bytes: xml::MAX_BYTES,
                max_depth: xml::MAX_DEPTH,
                max_nodes: 10_000,
                max_attributes_per_element: xml::MAX_ATTRIBUTES,
                max_attribute_value_bytes: 16 * 1024,
                max_text_bytes: xml::MAX_BYTES,
            },
            encryption: XmlEncryptionPolicy::default(),
        })
        .build()?;
    Saml::sp(config)
}

/// The provider, as the library takes it.
fn describe(provider: &SamlIdentityProvider) -> String {
    let keys: String = provider
        .certificates
        .iter()
        .map(|certificate| {
            format!(
                "<KeyDescriptor use=\"signing\"><KeyInfo xmlns=\"{}\"><X509Data><X509Certificate>{}</X509Certificate>\
                 </X509Data></KeyInfo></KeyDescriptor>",
                xml::DSIG,
                STANDARD.encode(&certificate.der)
            )
        })
        .collect();
    format!(
        "<EntityDescriptor xmlns=\"{}\" entityID=\"{}\"><IDPSSODescriptor protocolSupportEnumeration=\"{}\">{keys}\
         <SingleSignOnService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect\" Location=\"{}\"/>\
         </IDPSSODescriptor></EntityDescriptor>",
        xml::METADATA,
        escape(&provider.entity_id),
        xml::PROTOCOL,
        escape(&provider.sso_url),
    )
}

/// Each signature that is there has to be good, and about the element that it stands in.
fn check_coverage(session: &SsoSession, response: &Response) -> Result<(), &'static str> {
    let covered: Vec<_> = session
        .verified_xml_signatures()
        .iter()
        .map(|one| one.coverage())
        .collect();
    let mut expected = Vec::new();
    if response.signed {
        expected.push(VerifiedXmlSignatureCoverage::ResponseRoot);
    }
    if response.assertion.signed {
        expected.push(VerifiedXmlSignatureCoverage::ConsumedAssertion);
    }
    let is_same = covered.len() == expected.len() && expected.iter().all(|one| covered.contains(one));
    if is_same {
        Ok(())
    } else {
        Err("A signature of the response is not good.")
    }
}

/// Whoever counts on two parsers seeing two things is found out here.
fn check_agreement(session: &SsoSession, response: &Response) -> Result<(), &'static str> {
    let assertion = &response.assertion;
    let is_same = session.response_id().as_str() == response.id
        && session.assertion_id().as_str() == assertion.id
        && session.name_id().value() == assertion.name_id.value
        && session.name_id().format().map(|format| format.as_uri()) == assertion.name_id.format.as_deref()
        && assertion
            .session_index
            .as_deref()
            .is_none_or(|ours| knows_session(session, ours))
        && assertion
            .attributes
            .iter()
            .all(|ours| knows_attribute(session, ours, &assertion.attributes));
    if is_same { Ok(()) } else { Err(DISAGREED) }
}

fn knows_session(session: &SsoSession, index: &str) -> bool {
    let mut indexes = session
        .authn_sessions()
        .iter()
        .filter_map(AuthnSession::session_index);
    indexes.any(|theirs| theirs.as_str() == index)
}

/// Of attributes that have the same name the library keeps one.
fn knows_attribute(session: &SsoSession, ours: &Attribute, all: &[Attribute]) -> bool {
    let theirs = session
        .attributes()
        .get(&ours.name)
        .map_or(&[][..], |attribute| attribute.values());
    let is_known = |value: &String| theirs.iter().any(|one| one.as_str() == value);
    all.iter().filter(|other| other.name == ours.name).count() > 1
        || ours
            .values
            .iter()
            .filter(|value| !value.is_empty() && is_plain(value))
            .all(is_known)
}

fn system_time(instant: Timestamp) -> SystemTime {
    let micros = Duration::from_micros(instant.unix_micros().unsigned_abs());
    if instant.unix_micros() < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(micros)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(micros)
    }
    .unwrap_or(SystemTime::UNIX_EPOCH)
}

/// The library's errors quote the document; what is told is our own.
fn reason(error: &SamlError) -> &'static str {
    match error {
        SamlError::SignatureMissing | SamlError::SignatureVerification { .. } => {
            "The signature is not good, or not made with a key of the provider."
        }
        SamlError::CertificateMismatch => {
            "The response names a certificate that is not one of the provider's."
        }
        SamlError::NoTrustedCertificate | SamlError::Crypto(_) => {
            "The signature could not be checked with the certificates of the provider."
        }
        SamlError::AlgorithmUnsupported => "The signature is made in a way that is not accepted.",
        _ => DISAGREED,
    }
}

//! What a SAML provider publishes, and keys.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use tigertrust_accounts::sso::{SamlServiceProvider, SamlSigningKey};
use tigertrust_credentials::OsRandom;
use tigertrust_model::Clock;
use tigertrust_sso::saml::ServiceProvider;
use tigertrust_testkit::TestClock;

/// A new key with its certificate.
pub fn signing_key() -> SamlSigningKey {
    let now = TestClock::default().now();
    ServiceProvider.new_signing_key("tests", &OsRandom, now).unwrap()
}

/// The metadata of a provider that signs with the key of the certificate.
pub fn metadata(certificate: &[u8]) -> String {
    format!(
        r#"<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://idp.example.com">
<md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
<md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data>
<ds:X509Certificate>{}</ds:X509Certificate>
</ds:X509Data></ds:KeyInfo></md:KeyDescriptor>
<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.example.com/sso"/>
</md:IDPSSODescriptor></md:EntityDescriptor>"#,
        STANDARD.encode(certificate)
    )
}

/// In PEM.
pub fn pem(label: &str, der: &[u8]) -> String {
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        STANDARD.encode(der)
    )
}

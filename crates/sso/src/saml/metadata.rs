//! Metadata: what is read of a provider's, and what is told of ours.

use std::net::{Ipv4Addr, Ipv6Addr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use roxmltree::Node;
use tigertrust_accounts::sso::{SamlCertificate, SamlIdentityProvider, SamlSettings};
use url::{Host, Url};

use super::{
    certificate,
    xml::{self, DSIG, METADATA, PROTOCOL, escape},
};

const HTTP_REDIRECT: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect";
const HTTP_POST: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST";
const NAME_ID_FORMATS: [&str; 3] = [
    "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
    "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",
    "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified",
];
/// Providers publish one or two certificates, and keep a few old ones at most.
const MAX_CERTIFICATES: usize = 16;

/// Reads a provider's metadata. Whoever hands it in vouches for it: a signature in it is not looked at, nor is `validUntil`.
///
/// # Errors
/// What is wrong with it, in words of our own.
pub(super) fn read(document: &[u8], entity_id: Option<&str>) -> Result<SamlIdentityProvider, &'static str> {
    let text = str::from_utf8(document).map_err(|_| "The metadata is not text in UTF-8.")?;
    let document = xml::parse(text.strip_prefix('\u{feff}').unwrap_or(text))?;
    let entity = find(document.root_element(), entity_id)?;
    let entity_id = entity.attribute("entityID").unwrap_or_default();
    if entity_id.is_empty() || entity_id.len() > 1024 || entity_id.trim() != entity_id {
        return Err("The provider's entity id is empty, too long, or has white space around it.");
    }
    let role = role(entity).ok_or("The metadata is not that of an identity provider of SAML 2.0.")?;
    Ok(SamlIdentityProvider {
        entity_id: entity_id.to_owned(),
        sso_url: sso_url(role)?,
        certificates: certificates(role)?,
    })
}

/// The one entity that is meant.
fn find<'a, 'input>(
    root: Node<'a, 'input>,
    entity_id: Option<&str>,
) -> Result<Node<'a, 'input>, &'static str> {
    if !root.has_tag_name((METADATA, "EntityDescriptor"))
        && !root.has_tag_name((METADATA, "EntitiesDescriptor"))
    {
        return Err("The document is not metadata of SAML 2.0.");
    }
    let mut found = root.descendants().filter(|node| {
        let is_meant = entity_id.is_none_or(|id| node.attribute("entityID") == Some(id));
        node.has_tag_name((METADATA, "EntityDescriptor")) && role(*node).is_some() && is_meant
    });
    match (found.next(), found.next(), entity_id) {
        (Some(one), None, _) => Ok(one),
        (Some(_), Some(_), None) => {
            Err("The metadata has several identity providers: say which one is meant by its entity id.")
        }
        (Some(_), Some(_), Some(_)) => Err("The metadata has that entity id more than once."),
        (None, _, Some(_)) => Err("The metadata has no identity provider with that entity id."),
        (None, _, None) => Err("The metadata has no identity provider."),
    }
}

fn role<'a, 'input>(entity: Node<'a, 'input>) -> Option<Node<'a, 'input>> {
    xml::children(entity, METADATA, "IDPSSODescriptor").find(|role| {
        let protocols = role.attribute("protocolSupportEnumeration").unwrap_or_default();
        protocols
            .split_ascii_whitespace()
            .any(|protocol| protocol == PROTOCOL)
    })
}

fn sso_url(role: Node<'_, '_>) -> Result<String, &'static str> {
    let location = xml::children(role, METADATA, "SingleSignOnService")
        .find(|service| service.attribute("Binding") == Some(HTTP_REDIRECT))
        .and_then(|service| service.attribute("Location"))
        .ok_or("The provider has no single sign-on service with the binding HTTP-Redirect.")?;
    check_sso_url(location)?;
    Ok(location.to_owned())
}

/// Whether browsers may be sent there.
pub(super) fn check_sso_url(location: &str) -> Result<(), &'static str> {
    let url = Url::parse(location).map_err(|_| "The URL of the provider's single sign-on is not one.")?;
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address == Ipv4Addr::LOCALHOST,
        Some(Host::Ipv6(address)) => address == Ipv6Addr::LOCALHOST,
        None => false,
    };
    let is_secure = url.scheme() == "https" || (url.scheme() == "http" && is_loopback);
    if !is_secure {
        return Err("The URL of the provider's single sign-on must begin with https.");
    }
    if url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        return Err("The URL of the provider's single sign-on must have neither a fragment nor a user.");
    }
    Ok(())
}

/// The certificates to verify with. One with a key that is of no use to us is passed over as long as there is another.
fn certificates(role: Node<'_, '_>) -> Result<Vec<SamlCertificate>, &'static str> {
    let signing = xml::children(role, METADATA, "KeyDescriptor")
        .filter(|key| key.attribute("use").is_none_or(|of| of == "signing"));
    let encoded = signing
        .flat_map(|key| key.descendants())
        .filter(|node| node.has_tag_name((DSIG, "X509Certificate")));

    let mut certificates: Vec<SamlCertificate> = Vec::new();
    let mut unusable = "The provider has no certificate to sign with.";
    for node in encoded.take(MAX_CERTIFICATES) {
        let mut text = xml::text(node).unwrap_or_default();
        text.retain(|one| !one.is_ascii_whitespace());
        let der = STANDARD
            .decode(text)
            .map_err(|_| "A certificate of the provider cannot be read.")?;
        match certificate::read(der) {
            Ok(one) if certificates.iter().any(|other| other.der == one.der) => {}
            Ok(one) => certificates.push(one),
            Err(error) => unusable = error,
        }
    }
    if certificates.is_empty() {
        Err(unusable)
    } else {
        Ok(certificates)
    }
}

/// The metadata that a provider is given.
pub(super) fn write(settings: &SamlSettings) -> String {
    let key = settings.signing_key.as_ref().map_or_else(String::new, |key| {
        format!(
            "<md:KeyDescriptor use=\"signing\"><ds:KeyInfo xmlns:ds=\"{DSIG}\"><ds:X509Data><ds:X509Certificate>{}\
             </ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>",
            STANDARD.encode(&key.certificate)
        )
    });
    let formats: String = NAME_ID_FORMATS
        .iter()
        .map(|format| format!("<md:NameIDFormat>{format}</md:NameIDFormat>"))
        .collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<md:EntityDescriptor xmlns:md=\"{METADATA}\" entityID=\"{}\">\
         <md:SPSSODescriptor AuthnRequestsSigned=\"{}\" WantAssertionsSigned=\"true\" \
         protocolSupportEnumeration=\"{PROTOCOL}\">{key}{formats}<md:AssertionConsumerService Binding=\"{HTTP_POST}\" \
         Location=\"{}\" index=\"0\" isDefault=\"true\"/></md:SPSSODescriptor></md:EntityDescriptor>\n",
        escape(&settings.entity_id),
        settings.signing_key.is_some(),
        escape(&settings.acs_url),
    )
}

//! What a signature has to look like before anybody computes anything: XML signatures can say more than SAML allows, and most
//! attacks lie there.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use roxmltree::Node;

use super::xml::{DSIG, text};

const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
const METHODS: [&str; 3] = [
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384",
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
];
const DIGESTS: [(&str, usize); 3] = [
    ("http://www.w3.org/2001/04/xmlenc#sha256", 32),
    ("http://www.w3.org/2001/04/xmldsig-more#sha384", 48),
    ("http://www.w3.org/2001/04/xmlenc#sha512", 64),
];
/// RSA of 2048 bits.
const MIN_SIGNATURE: usize = 256;
/// What says which key it was. It is not believed; what would have to be fetched or computed is refused.
const KEY_INFO: [&str; 12] = [
    "KeyName",
    "KeyValue",
    "RSAKeyValue",
    "Modulus",
    "Exponent",
    "X509Data",
    "X509Certificate",
    "X509IssuerSerial",
    "X509IssuerName",
    "X509SerialNumber",
    "X509SubjectName",
    "X509SKI",
];

const SHAPE: &str = "A signature is not of the shape that SAML prescribes.";

/// Checks a signature that stands in the element that it signs.
///
/// # Errors
/// What is wrong with it, in words of our own.
pub(super) fn check_shape(signature: Node<'_, '_>) -> Result<(), &'static str> {
    if signature.descendants().any(|node| node.is_comment()) {
        return Err("A signature holds a comment.");
    }
    let id = signature
        .parent_element()
        .and_then(|signed| signed.attribute("ID"));
    let (signed_info, value, key_info) = match elements(signature).as_slice() {
        [signed_info, value] => (*signed_info, *value, None),
        [signed_info, value, key_info] => (*signed_info, *value, Some(*key_info)),
        _ => return Err(SHAPE),
    };
    named(signed_info, "SignedInfo")?;
    named(value, "SignatureValue")?;
    check_signed_info(signed_info, id.ok_or(SHAPE)?)?;
    if decoded(value)?.len() < MIN_SIGNATURE {
        return Err("A signature is too short.");
    }
    key_info.map_or(Ok(()), check_key_info)
}

fn check_signed_info(signed_info: Node<'_, '_>, id: &str) -> Result<(), &'static str> {
    let parts = elements(signed_info);
    let [canonicalization, method, reference] = parts.as_slice() else {
        return Err(SHAPE);
    };
    named(*canonicalization, "CanonicalizationMethod")?;
    named(*method, "SignatureMethod")?;
    named(*reference, "Reference")?;
    if algorithm(*canonicalization)? != EXCLUSIVE {
        return Err("A signature is canonicalised in a way that is not accepted.");
    }
    check_prefixes(*canonicalization)?;
    if !METHODS.contains(&algorithm(*method)?) || !elements(*method).is_empty() {
        return Err(
            "A signature is made in a way that is not accepted: RSA with SHA-256, SHA-384 or SHA-512 is.",
        );
    }
    check_reference(*reference, id)
}

fn check_reference(reference: Node<'_, '_>, id: &str) -> Result<(), &'static str> {
    let uri = reference.attribute("URI").and_then(|uri| uri.strip_prefix('#'));
    if uri != Some(id) || reference.attributes().len() != 1 {
        return Err("A signature is not about the element that it stands in.");
    }
    let parts = elements(reference);
    let [transforms, digest, value] = parts.as_slice() else {
        return Err(SHAPE);
    };
    named(*transforms, "Transforms")?;
    named(*digest, "DigestMethod")?;
    named(*value, "DigestValue")?;

    let steps = elements(*transforms);
    let [enveloped, exclusive] = steps.as_slice() else {
        return Err("A signature transforms what it signs in a way that is not accepted.");
    };
    named(*enveloped, "Transform")?;
    named(*exclusive, "Transform")?;
    if algorithm(*enveloped)? != ENVELOPED
        || !elements(*enveloped).is_empty()
        || algorithm(*exclusive)? != EXCLUSIVE
    {
        return Err("A signature transforms what it signs in a way that is not accepted.");
    }
    check_prefixes(*exclusive)?;

    let method = algorithm(*digest)?;
    let length = DIGESTS
        .iter()
        .find(|(name, _)| *name == method)
        .map(|(_, length)| *length);
    let Some(length) = length.filter(|_| elements(*digest).is_empty()) else {
        return Err(
            "A signature is made over a digest that is not accepted: SHA-256, SHA-384 and SHA-512 are.",
        );
    };
    if decoded(*value)?.len() != length {
        return Err("The digest in a signature is not one.");
    }
    Ok(())
}

/// Exclusive canonicalisation may be told prefixes to keep.
fn check_prefixes(method: Node<'_, '_>) -> Result<(), &'static str> {
    match elements(method).as_slice() {
        [] => Ok(()),
        [prefixes]
            if prefixes.has_tag_name((EXCLUSIVE, "InclusiveNamespaces"))
                && elements(*prefixes).is_empty() =>
        {
            Ok(())
        }
        _ => Err(SHAPE),
    }
}

fn check_key_info(key_info: Node<'_, '_>) -> Result<(), &'static str> {
    named(key_info, "KeyInfo")?;
    let known = |node: &Node<'_, '_>| {
        node.tag_name().namespace() == Some(DSIG) && KEY_INFO.contains(&node.tag_name().name())
    };
    let mut beneath = key_info.descendants().skip(1).filter(Node::is_element);
    if beneath.all(|node| known(&node)) {
        Ok(())
    } else {
        Err("A signature names its key in a way that is not accepted.")
    }
}

fn named(node: Node<'_, '_>, name: &str) -> Result<(), &'static str> {
    if node.has_tag_name((DSIG, name)) {
        Ok(())
    } else {
        Err(SHAPE)
    }
}

fn algorithm<'a>(node: Node<'a, '_>) -> Result<&'a str, &'static str> {
    node.attribute("Algorithm")
        .filter(|_| node.attributes().len() == 1)
        .ok_or(SHAPE)
}

fn decoded(node: Node<'_, '_>) -> Result<Vec<u8>, &'static str> {
    let mut encoded = text(node).ok_or(SHAPE)?;
    encoded.retain(|one| !one.is_ascii_whitespace());
    STANDARD.decode(encoded).map_err(|_| SHAPE)
}

/// The elements beneath one, where nothing but white space may stand beside them; else what is not an element is missed by whoever
/// counts elements.
fn elements<'a, 'input>(parent: Node<'a, 'input>) -> Vec<Node<'a, 'input>> {
    parent.children().filter(|child| !is_blank(child)).collect()
}

fn is_blank(node: &Node<'_, '_>) -> bool {
    node.is_text() && node.text().is_some_and(|text| text.trim().is_empty())
}

//! The response: what may stand in it, and where.

use roxmltree::{Document, Node};
use tigertrust_accounts::sso::SamlSettings;
use tigertrust_model::Timestamp;

use super::{
    assertion::{self, Assertion},
    instant, signature,
    xml::{self, ASSERTION, DSIG, PROTOCOL},
};

const SUCCESS: &str = "urn:oasis:names:tc:SAML:2.0:status:Success";
const ENTITY: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity";

/// What a response has to fit.
pub(super) struct Expected<'a> {
    pub(super) settings: &'a SamlSettings,
    pub(super) request_id: Option<&'a str>,
    pub(super) now: Timestamp,
}

impl Expected<'_> {
    /// Whether an `InResponseTo` is that of the request, or is absent as the request is.
    pub(super) fn is_answered_by(&self, in_response_to: Option<&str>) -> bool {
        self.request_id == in_response_to
    }
}

/// A response in which everything is in its place. Whether its signatures are good is not known yet.
pub(super) struct Response {
    pub(super) id: String,
    /// Whether the response itself carries a signature.
    pub(super) signed: bool,
    pub(super) assertion: Assertion,
}

/// Reads a response that holds what is expected, where it is expected, and nothing else that a reader could take for it.
///
/// # Errors
/// What is wrong with it, in words of our own.
pub(super) fn read(document: &Document<'_>, expected: &Expected<'_>) -> Result<Response, &'static str> {
    let root = document.root_element();
    if !root.has_tag_name((PROTOCOL, "Response")) {
        return Err("What came is not a response of SAML 2.0.");
    }
    xml::check_ids(document)?;
    check_instants(document)?;

    let id = check_head(root, expected)?;
    check_status(root)?;
    if xml::children(root, ASSERTION, "EncryptedAssertion")
        .next()
        .is_some()
    {
        return Err("The assertion is encrypted, which is not supported; the provider must not encrypt it.");
    }
    let only_one = "There must be exactly one assertion.";
    let assertion = xml::only(root, ASSERTION, "Assertion").ok_or(only_one)?;
    check_places(document, root, assertion)?;
    check_children(root, |child| {
        child.has_tag_name((ASSERTION, "Issuer"))
            || child.has_tag_name((ASSERTION, "Assertion"))
            || child.has_tag_name((DSIG, "Signature"))
            || child.has_tag_name((PROTOCOL, "Extensions"))
            || child.has_tag_name((PROTOCOL, "Status"))
    })?;

    let signed = has_signature(root)?;
    let assertion_signed = has_signature(assertion)?;
    if !signed && !assertion_signed {
        return Err("Neither the response nor the assertion is signed.");
    }
    let assertion = assertion::read(assertion, assertion_signed, expected)?;
    Ok(Response {
        id,
        signed,
        assertion,
    })
}

fn check_head(root: Node<'_, '_>, expected: &Expected<'_>) -> Result<String, &'static str> {
    let id = check_message(root, expected)?;
    if root.attribute("Destination") != Some(expected.settings.acs_url.as_str()) {
        return Err("The response is destined for somewhere else.");
    }
    if !expected.is_answered_by(root.attribute("InResponseTo")) {
        return Err("The response does not answer this request.");
    }
    Ok(id)
}

/// Checks what a response and an assertion have in common, and gives its id.
pub(super) fn check_message(node: Node<'_, '_>, expected: &Expected<'_>) -> Result<String, &'static str> {
    if node.attribute("Version") != Some("2.0") {
        return Err("What came is not of SAML 2.0.");
    }
    let id = node
        .attribute("ID")
        .ok_or("The response or the assertion has no id.")?;
    let issued = node
        .attribute("IssueInstant")
        .and_then(instant::parse)
        .ok_or("The response or the assertion does not say when it was made.")?;
    if !instant::has_come(issued, expected.now) {
        return Err("The response is of the future; the clock of the provider or ours is wrong.");
    }
    let issuer = xml::only(node, ASSERTION, "Issuer").ok_or("There must be exactly one issuer.")?;
    let issuer_is_entity = issuer.attribute("Format").is_none_or(|format| format == ENTITY);
    if !issuer_is_entity
        || xml::text(issuer).as_deref() != Some(expected.settings.provider.entity_id.as_str())
    {
        return Err("The response is of another provider.");
    }
    Ok(id.to_owned())
}

fn check_status(root: Node<'_, '_>) -> Result<(), &'static str> {
    let status = xml::only(root, PROTOCOL, "Status").ok_or("There must be exactly one status.")?;
    let code = xml::only(status, PROTOCOL, "StatusCode").ok_or("There must be exactly one status.")?;
    if code.attribute("Value") == Some(SUCCESS) {
        Ok(())
    } else {
        Err("The provider says that the person could not be signed in.")
    }
}

/// Refuses an assertion, a response or a signature anywhere but in its one place, in whatever namespace, and parts of an assertion
/// outside of it: a wrapped copy is what somebody might read in place of what is signed.
fn check_places(
    document: &Document<'_>,
    root: Node<'_, '_>,
    assertion: Node<'_, '_>,
) -> Result<(), &'static str> {
    for node in document.descendants().filter(Node::is_element) {
        let parent = node.parent_element();
        let is_right = match node.tag_name().name() {
            "Response" => node == root,
            "Assertion" => node == assertion,
            "Signature" => {
                node.tag_name().namespace() == Some(DSIG)
                    && (parent == Some(root) || parent == Some(assertion))
            }
            "SignedInfo" => parent.is_some_and(|parent| parent.has_tag_name((DSIG, "Signature"))),
            "EncryptedAssertion" | "EncryptedID" | "EncryptedAttribute" | "EncryptedData" => {
                return Err("The response holds something encrypted, which is not supported.");
            }
            "Issuer" if parent == Some(root) => true,
            _ => {
                node.tag_name().namespace() != Some(ASSERTION)
                    || node.ancestors().any(|ancestor| ancestor == assertion)
            }
        };
        if !is_right {
            return Err("The response holds an assertion or a signature where none belongs.");
        }
    }
    Ok(())
}

/// Refuses an instant that is none, wherever it stands.
fn check_instants(document: &Document<'_>) -> Result<(), &'static str> {
    let names = [
        "IssueInstant",
        "NotBefore",
        "NotOnOrAfter",
        "AuthnInstant",
        "SessionNotOnOrAfter",
    ];
    let mut attributes = document.descendants().flat_map(|node| node.attributes());
    if attributes.all(|one| !names.contains(&one.name()) || instant::parse(one.value()).is_some()) {
        Ok(())
    } else {
        Err("A time of the response is not one in UTC.")
    }
}

/// Refuses elements that do not belong, and text.
pub(super) fn check_children(
    parent: Node<'_, '_>,
    belongs: impl Fn(&Node<'_, '_>) -> bool,
) -> Result<(), &'static str> {
    for child in parent.children() {
        let is_right = if child.is_element() {
            belongs(&child)
        } else {
            child.is_comment() || child.text().is_some_and(|text| text.trim().is_empty())
        };
        if !is_right {
            return Err("The response holds something that does not belong there.");
        }
    }
    Ok(())
}

/// Whether an element carries a signature, which then has the right shape.
fn has_signature(parent: Node<'_, '_>) -> Result<bool, &'static str> {
    let mut signatures = xml::children(parent, DSIG, "Signature");
    let Some(first) = signatures.next() else {
        return Ok(false);
    };
    if signatures.next().is_some() {
        return Err("There is more than one signature in one place.");
    }
    signature::check_shape(first)?;
    Ok(true)
}

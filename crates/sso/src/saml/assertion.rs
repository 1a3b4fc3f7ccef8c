//! The assertion: whom it is about, for whom it is, and until when.

use std::time::Duration;

use roxmltree::Node;
use tigertrust_model::Timestamp;

use super::{
    instant,
    response::{Expected, check_children, check_message},
    xml::{self, ASSERTION, DSIG},
};

const BEARER: &str = "urn:oasis:names:tc:SAML:2.0:cm:bearer";
/// However long a provider lets an assertion live: its id has to be remembered as long.
const MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// What an assertion says.
pub(super) struct Assertion {
    pub(super) id: String,
    /// Whether the assertion itself carries a signature.
    pub(super) signed: bool,
    pub(super) name_id: NameId,
    pub(super) attributes: Vec<Attribute>,
    /// How the person proved who they are, in the words of the provider (`AuthnContextClassRef`).
    pub(super) contexts: Vec<String>,
    pub(super) session_index: Option<String>,
    pub(super) remembered_until: Timestamp,
}

/// The name of the person.
pub(super) struct NameId {
    pub(super) value: String,
    pub(super) format: Option<String>,
}

/// Something about the person. Values that are elements are left out.
pub(super) struct Attribute {
    pub(super) name: String,
    pub(super) values: Vec<String>,
}

/// Reads an assertion that is for us, now, from this provider.
///
/// # Errors
/// What is wrong with it, in words of our own.
pub(super) fn read(
    assertion: Node<'_, '_>,
    signed: bool,
    expected: &Expected<'_>,
) -> Result<Assertion, &'static str> {
    check_children(assertion, |child| {
        let known = [
            "Issuer",
            "Subject",
            "Conditions",
            "Advice",
            "AuthnStatement",
            "AttributeStatement",
            "AuthzDecisionStatement",
        ];
        child.has_tag_name((DSIG, "Signature"))
            || known.iter().any(|name| child.has_tag_name((ASSERTION, *name)))
    })?;
    let id = check_message(assertion, expected)?;
    let remembered_until = check_age(assertion, expected)?;

    let subject = xml::only(assertion, ASSERTION, "Subject").ok_or("There must be exactly one subject.")?;
    let name_id = read_name_id(subject, expected)?;
    let confirmed_until = check_confirmation(subject, expected)?;
    check_conditions(assertion, expected)?;
    let (contexts, session_index) = read_authentication(assertion, expected)?;

    Ok(Assertion {
        id,
        signed,
        name_id,
        attributes: read_attributes(assertion)?,
        contexts,
        session_index,
        remembered_until: remembered_until
            .min(confirmed_until)
            .saturating_add(instant::SKEW),
    })
}

/// When the assertion is too old, whatever else it says.
fn check_age(assertion: Node<'_, '_>, expected: &Expected<'_>) -> Result<Timestamp, &'static str> {
    let issued = assertion.attribute("IssueInstant").and_then(instant::parse);
    let end = issued
        .ok_or("The assertion does not say when it was made.")?
        .saturating_add(MAX_AGE);
    if instant::is_past(end, expected.now) {
        return Err("The assertion is over.");
    }
    Ok(end)
}

fn read_name_id(subject: Node<'_, '_>, expected: &Expected<'_>) -> Result<NameId, &'static str> {
    check_children(subject, |child| {
        child.has_tag_name((ASSERTION, "NameID")) || child.has_tag_name((ASSERTION, "SubjectConfirmation"))
    })?;
    let name_id = xml::only(subject, ASSERTION, "NameID").ok_or("There must be exactly one NameID.")?;
    let qualified_by = |name, expected: &str| name_id.attribute(name).is_none_or(|by| by == expected);
    if !qualified_by("NameQualifier", &expected.settings.provider.entity_id)
        || !qualified_by("SPNameQualifier", &expected.settings.entity_id)
    {
        return Err("The NameID is not one between this provider and us.");
    }
    let value = xml::text(name_id).ok_or("The NameID is not a text.")?;
    if value.is_empty() || !is_plain(&value) {
        return Err("The NameID is empty, too long, or not a plain text.");
    }
    let format = name_id.attribute("Format").map(str::to_owned);
    Ok(NameId { value, format })
}

/// Whether nobody could read it as something else: no white space around it, no control characters.
pub(super) fn is_plain(value: &str) -> bool {
    value.len() <= 1024 && value.trim() == value && !value.chars().any(char::is_control)
}

/// Checks that whoever brings the assertion is whom it is about (`bearer`), and gives until when.
fn check_confirmation(subject: Node<'_, '_>, expected: &Expected<'_>) -> Result<Timestamp, &'static str> {
    let confirmation = xml::only(subject, ASSERTION, "SubjectConfirmation")
        .ok_or("There must be exactly one confirmation of the subject.")?;
    if confirmation.attribute("Method") != Some(BEARER) {
        return Err("The subject is confirmed in a way that is not accepted: bearer is.");
    }
    check_children(confirmation, |child| {
        child.has_tag_name((ASSERTION, "SubjectConfirmationData"))
    })?;
    let data = xml::only(confirmation, ASSERTION, "SubjectConfirmationData")
        .ok_or("The confirmation of the subject is empty.")?;
    check_children(data, |_| false)?;
    if data.attribute("Recipient") != Some(expected.settings.acs_url.as_str()) {
        return Err("The assertion is meant for another recipient.");
    }
    if !expected.is_answered_by(data.attribute("InResponseTo")) {
        return Err("The assertion does not answer this request.");
    }
    check_not_before(data, expected)?;
    let end = data
        .attribute("NotOnOrAfter")
        .and_then(instant::parse)
        .ok_or("The confirmation of the subject does not say when it ends.")?;
    if instant::is_past(end, expected.now) {
        return Err("The assertion is over.");
    }
    Ok(end)
}

fn check_conditions(assertion: Node<'_, '_>, expected: &Expected<'_>) -> Result<(), &'static str> {
    let conditions =
        xml::only(assertion, ASSERTION, "Conditions").ok_or("The assertion must have conditions, once.")?;
    check_children(conditions, |child| {
        let known = ["AudienceRestriction", "OneTimeUse", "ProxyRestriction"];
        known.iter().any(|name| child.has_tag_name((ASSERTION, *name)))
    })?;
    check_not_before(conditions, expected)?;
    let end = conditions.attribute("NotOnOrAfter").and_then(instant::parse);
    if end.is_some_and(|end| instant::is_past(end, expected.now)) {
        return Err("The assertion is over.");
    }

    let mut restricted = false;
    for restriction in xml::children(conditions, ASSERTION, "AudienceRestriction") {
        restricted = true;
        let ours = Some(expected.settings.entity_id.as_str());
        let mut audiences = xml::children(restriction, ASSERTION, "Audience");
        if !audiences.any(|audience| xml::text(audience).as_deref() == ours) {
            return Err("The assertion is meant for another audience.");
        }
    }
    if restricted {
        Ok(())
    } else {
        Err("The assertion does not say which audience it is meant for.")
    }
}

fn check_not_before(node: Node<'_, '_>, expected: &Expected<'_>) -> Result<(), &'static str> {
    let begin = node.attribute("NotBefore").and_then(instant::parse);
    if begin.is_some_and(|begin| !instant::has_come(begin, expected.now)) {
        return Err("The assertion does not hold yet; the clock of the provider or ours is wrong.");
    }
    Ok(())
}

/// How the person was authenticated, and the provider's name for its session.
fn read_authentication(
    assertion: Node<'_, '_>,
    expected: &Expected<'_>,
) -> Result<(Vec<String>, Option<String>), &'static str> {
    let mut contexts = Vec::new();
    let mut session_index = None;
    let mut is_there = false;
    for statement in xml::children(assertion, ASSERTION, "AuthnStatement") {
        is_there = true;
        let begin = statement
            .attribute("AuthnInstant")
            .and_then(instant::parse)
            .ok_or("The assertion does not say when the person signed in.")?;
        if !instant::has_come(begin, expected.now) {
            return Err("The sign-in is of the future; the clock of the provider or ours is wrong.");
        }
        let end = statement
            .attribute("SessionNotOnOrAfter")
            .and_then(instant::parse);
        if end.is_some_and(|end| instant::is_past(end, expected.now)) {
            return Err("The provider's session is over.");
        }
        let index = statement
            .attribute("SessionIndex")
            .filter(|index| !index.is_empty() && is_plain(index));
        session_index = session_index.or_else(|| index.map(str::to_owned));
        let context = xml::only(statement, ASSERTION, "AuthnContext");
        let class = context.and_then(|context| xml::only(context, ASSERTION, "AuthnContextClassRef"));
        contexts.extend(class.and_then(xml::text));
    }
    if is_there {
        Ok((contexts, session_index))
    } else {
        Err("The assertion does not say that anybody signed in.")
    }
}

fn read_attributes(assertion: Node<'_, '_>) -> Result<Vec<Attribute>, &'static str> {
    let mut attributes = Vec::new();
    for statement in xml::children(assertion, ASSERTION, "AttributeStatement") {
        check_children(statement, |child| child.has_tag_name((ASSERTION, "Attribute")))?;
        for attribute in xml::children(statement, ASSERTION, "Attribute") {
            let name = attribute.attribute("Name").ok_or("An attribute has no name.")?;
            let values = xml::children(attribute, ASSERTION, "AttributeValue").filter_map(xml::text);
            attributes.push(Attribute {
                name: name.to_owned(),
                values: values.collect(),
            });
        }
    }
    Ok(attributes)
}

//! Who an assertion says that somebody is.

use tigertrust_accounts::sso::{SamlAttributes, SamlSettings, VerifiedIdentity};

use super::assertion::{Assertion, Attribute, is_plain};

const TRANSIENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient";
const EMAIL_ADDRESS: &str = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress";

const EMAIL: [&str; 6] = [
    "mail",
    "email",
    "emailAddress",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
    "urn:oid:0.9.2342.19200300.100.1.3",
    "urn:oid:1.2.840.113549.1.9.1",
];
const NAME: [&str; 6] = [
    "displayName",
    "http://schemas.microsoft.com/identity/claims/displayname",
    "urn:oid:2.16.840.1.113730.3.1.241",
    "name",
    "cn",
    "urn:oid:2.5.4.3",
];
const GIVEN_NAME: [&str; 5] = [
    "givenName",
    "firstName",
    "given_name",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname",
    "urn:oid:2.5.4.42",
];
const SURNAME: [&str; 6] = [
    "sn",
    "surname",
    "lastName",
    "family_name",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname",
    "urn:oid:2.5.4.4",
];
const GROUPS: [&str; 8] = [
    "groups",
    "group",
    "memberOf",
    "isMemberOf",
    "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups",
    "http://schemas.xmlsoap.org/claims/Group",
    "urn:oid:1.2.840.113556.1.2.102",
    "urn:oid:1.3.6.1.4.1.5923.1.5.1.1",
];

/// The contexts that are of two factors by their definition: the profile of REFEDS, Microsoft's claim, and the classes of SAML
/// (Authentication Context §3.4) that are so in their text. Others, such as a code that changes with time, a certificate or a card
/// without a PIN, may be a first factor alone.
const TWO_FACTORS: [&str; 5] = [
    "https://refeds.org/profile/mfa",
    "http://schemas.microsoft.com/claims/multipleauthn",
    "urn:oasis:names:tc:SAML:2.0:ac:classes:MobileTwoFactorContract",
    "urn:oasis:names:tc:SAML:2.0:ac:classes:MobileTwoFactorUnregistered",
    "urn:oasis:names:tc:SAML:2.0:ac:classes:SmartcardPKI",
];
/// Microsoft Entra ID names the methods in an attribute, and one alone in the context.
const METHODS: &str = "http://schemas.microsoft.com/claims/authnmethodsreferences";

/// Who it is.
///
/// # Errors
/// Why nobody can be known by it, in words of our own.
pub(super) fn read(assertion: &Assertion, settings: &SamlSettings) -> Result<VerifiedIdentity, &'static str> {
    let SamlAttributes {
        subject,
        email,
        name,
        groups,
    } = &settings.attributes;
    let all = &assertion.attributes;
    let name_id = &assertion.name_id;
    let is_of_format = |format| name_id.format.as_deref() == Some(format);

    let subject = match subject {
        Some(attribute) => the_value(all, attribute)?,
        None if is_of_format(TRANSIENT) => {
            return Err(
                "The NameID is transient: it is another one at every sign-in. The provider must send a \
                        lasting one, or the connection name an attribute with the subject.",
            );
        }
        None => name_id.value.clone(),
    };
    let email = match email {
        Some(attribute) => first(all, &[attribute.as_str()]),
        None => first(all, &EMAIL).or_else(|| is_of_format(EMAIL_ADDRESS).then(|| name_id.value.clone())),
    };
    let name = match name {
        Some(attribute) => first(all, &[attribute.as_str()]),
        None => first(all, &NAME).or_else(|| full_name(all)),
    };
    let groups = match groups {
        Some(attribute) => values(all, &[attribute.as_str()]),
        None => values(all, &GROUPS),
    };
    Ok(VerifiedIdentity {
        issuer: settings.provider.entity_id.clone(),
        subject,
        // Who signs assertions answers for what is in them; linking asks for a verified domain all the same.
        email_verified: email.is_some(),
        email,
        name,
        groups,
        second_factor: has_second_factor(assertion),
        provider_session: assertion.session_index.clone(),
    })
}

fn has_second_factor(assertion: &Assertion) -> bool {
    let methods = assertion
        .attributes
        .iter()
        .filter(|attribute| attribute.name == METHODS);
    let methods = methods.flat_map(|attribute| &attribute.values);
    assertion
        .contexts
        .iter()
        .chain(methods)
        .any(|one| TWO_FACTORS.contains(&one.as_str()))
}

/// The one value that an attribute has.
fn the_value(all: &[Attribute], name: &str) -> Result<String, &'static str> {
    match values(all, &[name]).as_slice() {
        [one] => Ok(one.clone()),
        _ => Err("The attribute with the subject is not there, or has more than one value."),
    }
}

fn full_name(all: &[Attribute]) -> Option<String> {
    let given = first(all, &GIVEN_NAME)?;
    Some(first(all, &SURNAME).map_or_else(|| given.clone(), |surname| format!("{given} {surname}")))
}

fn first(all: &[Attribute], names: &[&str]) -> Option<String> {
    values(all, names).into_iter().next()
}

/// The values of the attribute that is named first among those that have any.
fn values(all: &[Attribute], names: &[&str]) -> Vec<String> {
    for name in names {
        let same = all.iter().filter(|attribute| attribute.name == *name);
        let values = same
            .flat_map(|attribute| &attribute.values)
            .filter(|value| !value.is_empty() && is_plain(value));
        let values: Vec<String> = values.cloned().collect();
        if !values.is_empty() {
            return values;
        }
    }
    Vec::new()
}

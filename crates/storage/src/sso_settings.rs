//! What `sso_connections.settings` holds: how a provider is asked and what its word is worth, as JSON. A member that is not known
//! was written by a newer program, which this one must not undo: the row cannot be read then.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use tigertrust_accounts::sso::{
    GroupRole, OidcPreset, OidcSettings, ProviderSettings, SamlAttributes, SamlCertificate, SamlConnection,
    SamlIdentityProvider, SsoPolicy,
};
use tigertrust_model::Timestamp;

/// The whole document.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    provider: Provider,
    default_role: Option<String>,
    group_roles: Vec<(String, String)>,
    trusts_second_factor: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
enum Provider {
    Oidc(Oidc),
    Saml(Saml),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Oidc {
    preset: String,
    issuer: String,
    client_id: String,
    scopes: Vec<String>,
    allowed_domains: Vec<String>,
    tenants: Vec<String>,
    groups_claim: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saml {
    entity_id: String,
    sso_url: String,
    certificates: Vec<Certificate>,
    metadata_url: Option<String>,
    subject_attribute: Option<String>,
    email_attribute: Option<String>,
    name_attribute: Option<String>,
    groups_attribute: Option<String>,
    allows_unsolicited: bool,
    signing_certificate: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Certificate {
    der: String,
    /// Microseconds since 1970.
    not_after: i64,
    fingerprint: String,
}

/// The document to store.
pub(crate) fn write(provider: &ProviderSettings, policy: &SsoPolicy) -> String {
    let document = Document {
        provider: match provider {
            ProviderSettings::Oidc(oidc) => Provider::Oidc(write_oidc(oidc)),
            ProviderSettings::Saml(saml) => Provider::Saml(write_saml(saml)),
        },
        default_role: policy.default_role.map(|role| role.as_str().to_owned()),
        group_roles: policy
            .group_roles
            .iter()
            .map(|rule| (rule.group.clone(), rule.role.as_str().to_owned()))
            .collect(),
        trusts_second_factor: policy.trusts_second_factor,
    };
    serde_json::to_value(document).unwrap_or_default().to_string()
}

/// What a document says; none if it cannot be read.
pub(crate) fn read(text: &str) -> Option<(ProviderSettings, SsoPolicy)> {
    let document: Document = serde_json::from_str(text).ok()?;
    let provider = match document.provider {
        Provider::Oidc(oidc) => ProviderSettings::Oidc(read_oidc(oidc)?),
        Provider::Saml(saml) => ProviderSettings::Saml(read_saml(saml)?),
    };
    let rule = |(group, role): (String, String)| {
        let role = role.parse().ok()?;
        Some(GroupRole { group, role })
    };
    let policy = SsoPolicy {
        default_role: document.default_role.map(|role| role.parse()).transpose().ok()?,
        group_roles: document
            .group_roles
            .into_iter()
            .map(rule)
            .collect::<Option<_>>()?,
        trusts_second_factor: document.trusts_second_factor,
    };
    Some((provider, policy))
}

fn write_oidc(oidc: &OidcSettings) -> Oidc {
    Oidc {
        preset: oidc.preset.as_str().to_owned(),
        issuer: oidc.issuer.clone(),
        client_id: oidc.client_id.clone(),
        scopes: oidc.scopes.clone(),
        allowed_domains: oidc.allowed_domains.clone(),
        tenants: oidc.tenants.clone(),
        groups_claim: oidc.groups_claim.clone(),
    }
}

fn read_oidc(oidc: Oidc) -> Option<OidcSettings> {
    Some(OidcSettings {
        preset: OidcPreset::from_name(&oidc.preset)?,
        issuer: oidc.issuer,
        client_id: oidc.client_id,
        client_secret: None,
        scopes: oidc.scopes,
        allowed_domains: oidc.allowed_domains,
        tenants: oidc.tenants,
        groups_claim: oidc.groups_claim,
    })
}

fn write_saml(saml: &SamlConnection) -> Saml {
    let certificate = |certificate: &SamlCertificate| Certificate {
        der: STANDARD.encode(&certificate.der),
        not_after: certificate.not_after.unix_micros(),
        fingerprint: certificate.fingerprint.clone(),
    };
    Saml {
        entity_id: saml.provider.entity_id.clone(),
        sso_url: saml.provider.sso_url.clone(),
        certificates: saml.provider.certificates.iter().map(certificate).collect(),
        metadata_url: saml.metadata_url.clone(),
        subject_attribute: saml.attributes.subject.clone(),
        email_attribute: saml.attributes.email.clone(),
        name_attribute: saml.attributes.name.clone(),
        groups_attribute: saml.attributes.groups.clone(),
        allows_unsolicited: saml.allows_unsolicited,
        signing_certificate: saml.signing_certificate.as_ref().map(|der| STANDARD.encode(der)),
    }
}

fn read_saml(saml: Saml) -> Option<SamlConnection> {
    let certificate = |certificate: Certificate| {
        Some(SamlCertificate {
            der: STANDARD.decode(certificate.der).ok()?,
            not_after: Timestamp::from_unix_micros(certificate.not_after),
            fingerprint: certificate.fingerprint,
        })
    };
    let signing_certificate = saml.signing_certificate.map(|der| STANDARD.decode(der));
    Some(SamlConnection {
        provider: SamlIdentityProvider {
            entity_id: saml.entity_id,
            sso_url: saml.sso_url,
            certificates: saml
                .certificates
                .into_iter()
                .map(certificate)
                .collect::<Option<_>>()?,
        },
        metadata_url: saml.metadata_url,
        attributes: SamlAttributes {
            subject: saml.subject_attribute,
            email: saml.email_attribute,
            name: saml.name_attribute,
            groups: saml.groups_attribute,
        },
        allows_unsolicited: saml.allows_unsolicited,
        signing_certificate: signing_certificate.transpose().ok()?,
    })
}

//! Single sign-on: connections, domains and identities.

mod domain;
mod identity;
mod settings;

use serde::{Deserialize, Serialize};
use tigertrust_accounts::sso::{
    Connection, OidcSettings, ProbeReport, Protocol, ProviderSettings, SamlConnection,
};
use tigertrust_credentials::Token;
use tigertrust_model::Timestamp;
use utoipa::ToSchema;

pub use self::{
    domain::{ClaimDomain, Domain, UpdateDomain},
    identity::{ConnectIdentity, Identities, Identity},
    settings::{CreateSsoConnection, ProviderMistake, UpdateSsoConnection},
};
use crate::{RoleName, timestamp};

/// A way to sign in that everybody is offered.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SsoProvider)]
pub struct Provider {
    /// What stands for it in addresses.
    #[schema(examples("google"))]
    pub slug: String,
    /// What it is called.
    #[schema(examples("Google"))]
    pub name: String,
    /// By what protocol it is asked: `oidc` or `saml`.
    #[schema(examples("oidc"))]
    pub protocol: &'static str,
    /// Where signing in begins: a browser is sent there.
    #[schema(examples("/api/auth/google"))]
    pub url: String,
}

impl From<&Connection> for Provider {
    fn from(connection: &Connection) -> Self {
        Self {
            slug: connection.slug.clone(),
            name: connection.name.clone(),
            protocol: connection.provider.protocol().as_str(),
            url: connection.path(),
        }
    }
}

/// The ways to sign in that everybody is offered.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SsoProviders)]
pub struct Providers {
    /// The ways.
    pub providers: Vec<Provider>,
}

/// What a group becomes.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = SsoGroupRole)]
pub struct GroupRoleDto {
    /// The group, exactly as the provider writes it.
    #[schema(examples("engineering"))]
    pub group: String,
    /// What its people are: `admin`, `member` or `viewer`.
    pub role: RoleName,
}

/// A certificate that a SAML provider may sign with.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SsoCertificate)]
pub struct Certificate {
    /// SHA-256 of the certificate, in hexadecimal.
    pub fingerprint: String,
    /// When it ends. It is taken all the same: its key counts.
    #[serde(serialize_with = "timestamp::serialize")]
    #[schema(value_type = String, format = DateTime)]
    pub not_after: Timestamp,
}

/// A connection with an identity provider. Its secrets are not shown.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SsoConnection {
    /// Its id.
    #[schema(examples("con_01h2xcejqtf2nbrexx3vqjhp41"))]
    pub id: String,
    /// Whose it is.
    pub workspace_id: Option<String>,
    /// What stands for it in addresses.
    #[schema(examples("acme"))]
    pub slug: String,
    /// What people are shown.
    pub name: String,
    /// `oidc` or `saml`.
    pub protocol: &'static str,
    /// Whether anybody can sign in by it.
    pub enabled: bool,
    /// Where signing in begins.
    #[schema(examples("https://auth.example.com/api/auth/oidc/acme"))]
    pub url: String,
    /// OpenID Connect: what is registered at the provider as redirect URI. SAML: the assertion consumer service.
    pub return_url: String,
    /// SAML: our entity id, where our metadata is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata_url: Option<String>,
    /// How an OpenID provider is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oidc: Option<Oidc>,
    /// How a SAML provider is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub saml: Option<Saml>,
    /// What somebody becomes who signs in for the first time; null where nobody does who is no member.
    pub default_role: Option<RoleName>,
    /// What groups become, at each sign-in anew.
    pub group_roles: Vec<GroupRoleDto>,
    /// Whether the provider's word counts for a second factor.
    pub trusts_second_factor: bool,
    /// Whether the provider writes people (SCIM).
    pub scim: bool,
    /// Who made it: the id of a person or of a key, or `operator`.
    pub created_by: String,
    /// When it was made.
    #[serde(serialize_with = "timestamp::serialize")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[serde(serialize_with = "timestamp::serialize")]
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// How an OpenID provider is asked, without the client secret.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SsoOidc)]
pub struct Oidc {
    /// `google`, `azure`, `okta` or `custom`.
    #[schema(examples("okta"))]
    pub preset: &'static str,
    /// The issuer, exactly as the provider writes it.
    #[schema(examples("https://acme.okta.com"))]
    pub issuer: String,
    /// The client id that the provider knows us by.
    pub client_id: String,
    /// The scopes that are asked for beside `openid`.
    pub scopes: Vec<String>,
    /// The domains whose people may sign in; all if empty.
    pub allowed_domains: Vec<String>,
    /// Azure: the ids of the tenants whose people may sign in.
    pub tenants: Vec<String>,
    /// The claim with the person's groups.
    pub groups_claim: Option<String>,
}

/// How a SAML provider is asked.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SsoSaml)]
pub struct Saml {
    /// The provider's entity id.
    pub entity_id: String,
    /// Where browsers are sent.
    pub sso_url: String,
    /// What it may sign with.
    pub certificates: Vec<Certificate>,
    /// Where its metadata was fetched.
    pub metadata_url: Option<String>,
    /// The names of the attributes that say who somebody is.
    pub attributes: Attributes,
    /// Whether a response is accepted that answers no request.
    pub allow_unsolicited: bool,
    /// Whether requests are signed.
    pub sign_requests: bool,
}

/// The names of SAML attributes; where one is null, the usual names are tried.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schema(as = SsoAttributes)]
pub struct Attributes {
    /// By what the person is known, in place of the NameID.
    pub subject: Option<String>,
    /// The address.
    pub email: Option<String>,
    /// The name.
    pub name: Option<String>,
    /// The groups.
    pub groups: Option<String>,
}

impl SsoConnection {
    /// The connection, with the address that people come back to.
    #[must_use]
    pub fn new(connection: &Connection, public_url: &str, return_url: String) -> Self {
        let (oidc, saml) = match &connection.provider {
            ProviderSettings::Oidc(oidc) => (Some(Oidc::from(oidc)), None),
            ProviderSettings::Saml(saml) => (None, Some(Saml::from(saml))),
        };
        let url = format!("{public_url}{}", connection.path());
        let is_saml = connection.provider.protocol() == Protocol::Saml;
        Self {
            id: connection.id.to_string(),
            workspace_id: connection.workspace.map(|workspace| workspace.to_string()),
            slug: connection.slug.clone(),
            name: connection.name.clone(),
            protocol: connection.provider.protocol().as_str(),
            enabled: connection.enabled,
            metadata_url: is_saml.then(|| format!("{url}/metadata")),
            url,
            return_url,
            oidc,
            saml,
            default_role: connection.policy.default_role.map(RoleName::from),
            group_roles: connection
                .policy
                .group_roles
                .iter()
                .map(|rule| GroupRoleDto {
                    group: rule.group.clone(),
                    role: rule.role.into(),
                })
                .collect(),
            trusts_second_factor: connection.policy.trusts_second_factor,
            scim: connection.has_scim,
            created_by: connection.created_by.to_string(),
            created_at: connection.created_at,
            updated_at: connection.updated_at,
        }
    }
}

impl From<&OidcSettings> for Oidc {
    fn from(oidc: &OidcSettings) -> Self {
        Self {
            preset: oidc.preset.as_str(),
            issuer: oidc.issuer.clone(),
            client_id: oidc.client_id.clone(),
            scopes: oidc.scopes.clone(),
            allowed_domains: oidc.allowed_domains.clone(),
            tenants: oidc.tenants.clone(),
            groups_claim: oidc.groups_claim.clone(),
        }
    }
}

impl From<&SamlConnection> for Saml {
    fn from(saml: &SamlConnection) -> Self {
        Self {
            entity_id: saml.provider.entity_id.clone(),
            sso_url: saml.provider.sso_url.clone(),
            certificates: saml
                .provider
                .certificates
                .iter()
                .map(|certificate| Certificate {
                    fingerprint: certificate.fingerprint.clone(),
                    not_after: certificate.not_after,
                })
                .collect(),
            metadata_url: saml.metadata_url.clone(),
            attributes: Attributes {
                subject: saml.attributes.subject.clone(),
                email: saml.attributes.email.clone(),
                name: saml.attributes.name.clone(),
                groups: saml.attributes.groups.clone(),
            },
            allow_unsolicited: saml.allows_unsolicited,
            sign_requests: saml.signing_certificate.is_some(),
        }
    }
}

/// What is known of a provider once it was asked.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SsoTestReport)]
pub struct TestReport {
    /// Whether people could sign in, as far as that can be told without one.
    pub ok: bool,
    /// What is wrong, or about to be.
    pub findings: Vec<String>,
}

impl From<ProbeReport> for TestReport {
    fn from(report: ProbeReport) -> Self {
        Self {
            ok: report.ok,
            findings: report.findings,
        }
    }
}

/// A token by which a provider writes people; shown once.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScimToken {
    /// Where the provider writes to.
    #[schema(examples("https://auth.example.com/api/scim/v2"))]
    pub base_url: String,
    /// What it presents as `Authorization: Bearer`.
    pub token: String,
}

impl ScimToken {
    /// The token, for the server at that address.
    #[must_use]
    pub fn new(token: &Token, public_url: &str) -> Self {
        Self {
            base_url: format!("{public_url}/api/scim/v2"),
            token: token.reveal().to_owned(),
        }
    }
}

/// Where to send the browser.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SsoRedirect)]
pub struct Redirect {
    /// The provider's address.
    pub redirect_url: String,
}

silent!(ScimToken, Redirect);

//! Single sign-on: connections, domains and identities.

use std::fmt;

use serde::{Deserialize, Serialize};
use tigertrust_accounts::sso::{
    ClientSecret, Connection, ConnectionChanges, Domain as Claimed, DomainChanges, GroupRole,
    Identity as Connected, MetadataSource, NewConnection, NewProvider, NewSaml, OidcPreset, OidcSettings,
    ProbeReport, Protocol, ProviderSettings, SamlAttributes, SamlConnection, SsoPolicy,
};
use tigertrust_credentials::Token;
use tigertrust_model::Timestamp;
use utoipa::ToSchema;
use zeroize::Zeroizing;

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

/// How an OpenID provider is to be asked.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetOidc {
    /// `google`, `azure`, `okta` or `custom`.
    #[serde(default)]
    pub preset: PresetName,
    /// The issuer, exactly as the provider writes it; for Google it is known.
    #[serde(default)]
    pub issuer: Option<String>,
    /// The client id that the provider knows us by.
    pub client_id: String,
    /// The secret that goes with it. Absent or null: none, or in a change the present one.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password)]
    pub client_secret: Option<Zeroizing<String>>,
    /// The scopes to ask for beside `openid`; `email` and `profile` if absent.
    #[serde(default)]
    pub scopes: Option<Vec<String>>,
    /// The domains whose people may sign in.
    #[serde(default)]
    pub allowed_domains: Vec<String>,
    /// Azure: the ids of the tenants whose people may sign in.
    #[serde(default)]
    pub tenants: Vec<String>,
    /// The claim with the person's groups.
    #[serde(default)]
    pub groups_claim: Option<String>,
}

/// Providers that have ways of their own.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = SsoPreset)]
pub enum PresetName {
    /// Google Workspace.
    Google,
    /// Microsoft Entra ID.
    Azure,
    /// Okta.
    Okta,
    /// Any other OpenID provider.
    #[default]
    Custom,
}

impl From<PresetName> for OidcPreset {
    fn from(name: PresetName) -> Self {
        match name {
            PresetName::Google => Self::Google,
            PresetName::Azure => Self::Azure,
            PresetName::Okta => Self::Okta,
            PresetName::Custom => Self::Custom,
        }
    }
}

/// How a SAML provider is to be asked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetSaml {
    /// The provider's metadata; or `metadataUrl`.
    #[serde(default)]
    pub metadata: Option<String>,
    /// Where the metadata is published, by https.
    #[serde(default)]
    pub metadata_url: Option<String>,
    /// Which provider of the metadata is meant, where it describes several.
    #[serde(default)]
    pub entity_id: Option<String>,
    /// The names of the attributes.
    #[serde(default)]
    pub attributes: Attributes,
    /// Whether a response is accepted that answers no request.
    #[serde(default)]
    pub allow_unsolicited: bool,
    /// Whether requests are signed.
    #[serde(default = "yes")]
    pub sign_requests: bool,
}

const fn yes() -> bool {
    true
}

/// A connection to make: with `oidc` or `saml`.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateSsoConnection {
    /// What is to stand for it in addresses: 2 to 40 small letters, digits and hyphens, unique over the whole server.
    #[schema(examples("acme"))]
    pub slug: String,
    /// What people are shown.
    #[schema(examples("Acme Okta"))]
    pub name: String,
    /// How an OpenID provider is asked.
    #[serde(default)]
    pub oidc: Option<SetOidc>,
    /// How a SAML provider is asked.
    #[serde(default)]
    pub saml: Option<SetSaml>,
    /// What somebody becomes who signs in for the first time: `admin`, `member` or `viewer`. Absent or null: nobody signs in who is no
    /// member.
    #[serde(default)]
    pub default_role: Option<RoleName>,
    /// What groups become.
    #[serde(default)]
    pub group_roles: Vec<GroupRoleDto>,
    /// Whether the provider's word counts for a second factor.
    #[serde(default)]
    pub trusts_second_factor: bool,
}

/// What is to be another way; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateSsoConnection {
    /// What people are shown.
    #[serde(default)]
    pub name: Option<String>,
    /// Whether anybody can sign in by it.
    #[serde(default)]
    pub enabled: Option<bool>,
    /// How an OpenID provider is asked: as a whole, but for the client secret.
    #[serde(default)]
    pub oidc: Option<SetOidc>,
    /// How a SAML provider is asked: as a whole.
    #[serde(default)]
    pub saml: Option<SetSaml>,
    /// What its word is worth: as a whole.
    #[serde(default)]
    pub policy: Option<SetPolicy>,
}

/// What the word of a provider is worth.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = SsoPolicy)]
pub struct SetPolicy {
    /// What somebody becomes who signs in for the first time; null for nobody.
    #[serde(default)]
    pub default_role: Option<RoleName>,
    /// What groups become.
    #[serde(default)]
    pub group_roles: Vec<GroupRoleDto>,
    /// Whether the provider's word counts for a second factor.
    #[serde(default)]
    pub trusts_second_factor: bool,
}

/// A body names a provider in a way that makes no sense: where, and what is wrong.
pub type ProviderMistake = (&'static str, &'static str);

impl SetOidc {
    fn read(self) -> Result<OidcSettings, ProviderMistake> {
        let preset = OidcPreset::from(self.preset);
        let issuer = self.issuer.or_else(|| preset.issuer().map(str::to_owned));
        let usual = || OidcSettings::USUAL_SCOPES.map(str::to_owned).to_vec();
        Ok(OidcSettings {
            preset,
            issuer: issuer.ok_or(("/oidc/issuer", "is asked for"))?,
            client_id: self.client_id,
            client_secret: self
                .client_secret
                .map(|secret| ClientSecret::new(secret.as_str())),
            scopes: self.scopes.unwrap_or_else(usual),
            allowed_domains: self.allowed_domains,
            tenants: self.tenants,
            groups_claim: self.groups_claim,
        })
    }
}

impl SetSaml {
    fn read(self) -> Result<NewSaml, ProviderMistake> {
        let metadata = match (self.metadata, self.metadata_url) {
            (Some(document), None) => MetadataSource::Document(document),
            (None, Some(url)) => MetadataSource::Url(url),
            _ => return Err(("/saml", "must hold either metadata or metadataUrl")),
        };
        Ok(NewSaml {
            metadata,
            entity_id: self.entity_id,
            attributes: SamlAttributes {
                subject: self.attributes.subject,
                email: self.attributes.email,
                name: self.attributes.name,
                groups: self.attributes.groups,
            },
            allows_unsolicited: self.allow_unsolicited,
            signs_requests: self.sign_requests,
        })
    }
}

fn read_provider(
    oidc: Option<SetOidc>,
    saml: Option<SetSaml>,
) -> Result<Option<NewProvider>, ProviderMistake> {
    match (oidc, saml) {
        (Some(oidc), None) => Ok(Some(NewProvider::Oidc(oidc.read()?))),
        (None, Some(saml)) => Ok(Some(NewProvider::Saml(saml.read()?))),
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(("", "must hold oidc or saml, and not both")),
    }
}

fn read_policy(
    default_role: Option<RoleName>,
    group_roles: Vec<GroupRoleDto>,
    trusts_second_factor: bool,
) -> SsoPolicy {
    let rule = |rule: GroupRoleDto| GroupRole {
        group: rule.group,
        role: rule.role.into(),
    };
    SsoPolicy {
        default_role: default_role.map(Into::into),
        group_roles: group_roles.into_iter().map(rule).collect(),
        trusts_second_factor,
    }
}

impl CreateSsoConnection {
    /// What is asked for.
    ///
    /// # Errors
    /// Where the body makes no sense.
    pub fn read(self) -> Result<NewConnection, ProviderMistake> {
        let provider = read_provider(self.oidc, self.saml)?;
        Ok(NewConnection {
            slug: self.slug,
            name: self.name,
            provider: provider.ok_or(("", "must hold oidc or saml"))?,
            policy: read_policy(self.default_role, self.group_roles, self.trusts_second_factor),
        })
    }
}

impl UpdateSsoConnection {
    /// What is asked for.
    ///
    /// # Errors
    /// Where the body makes no sense.
    pub fn read(self) -> Result<ConnectionChanges, ProviderMistake> {
        let policy =
            |set: SetPolicy| read_policy(set.default_role, set.group_roles, set.trusts_second_factor);
        Ok(ConnectionChanges {
            name: self.name,
            enabled: self.enabled,
            provider: read_provider(self.oidc, self.saml)?,
            policy: self.policy.map(policy),
        })
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

/// A domain that a workspace claims.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SsoDomain)]
pub struct Domain {
    /// The domain.
    #[schema(examples("example.com"))]
    pub domain: String,
    /// Whether it was seen that the domain is the workspace's.
    pub verified: bool,
    /// When that was last seen.
    #[serde(serialize_with = "timestamp::serialize_option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub verified_at: Option<Timestamp>,
    /// The name of the TXT record that proves it.
    #[schema(examples("_tigertrust-challenge.example.com"))]
    pub record_name: String,
    /// What the record must say.
    pub record_value: String,
    /// The connection that its people sign in by.
    pub connection_id: Option<String>,
    /// Whether they sign in by it alone.
    pub enforced: bool,
    /// The owner who does not have to.
    pub break_glass_user_id: Option<String>,
    /// What its people become who sign in by a provider of the whole server.
    pub join_role: Option<RoleName>,
}

impl From<&Claimed> for Domain {
    fn from(domain: &Claimed) -> Self {
        Self {
            verified: domain.verified_at.is_some(),
            verified_at: domain.verified_at,
            record_name: domain.record_name(),
            record_value: domain.record_value(),
            connection_id: domain.connection.map(|id| id.to_string()),
            enforced: domain.enforced.is_some(),
            break_glass_user_id: domain.enforced.map(|id| id.to_string()),
            join_role: domain.join_role.map(RoleName::from),
            domain: domain.domain.clone(),
        }
    }
}

/// A domain to claim.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClaimDomain {
    /// The domain.
    #[schema(examples("example.com"))]
    pub domain: String,
}

/// What is to be another way with a domain; what is absent stays, and null takes away.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateDomain {
    /// The connection that its people sign in by.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub connection_id: Option<Option<String>>,
    /// Whether they sign in by it alone. With true, `breakGlassUserId` is asked for.
    #[serde(default)]
    pub enforced: Option<bool>,
    /// An owner with a password and a second factor, who does not have to.
    #[serde(default)]
    pub break_glass_user_id: Option<String>,
    /// What its people become who sign in by a provider of the whole server.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<RoleName>)]
    pub join_role: Option<Option<RoleName>>,
}

/// Tells a null from nothing.
fn present<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: serde::Deserializer<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

impl UpdateDomain {
    /// What is asked for.
    ///
    /// # Errors
    /// Where the body makes no sense.
    pub fn read(self) -> Result<DomainChanges, ProviderMistake> {
        let connection = match self.connection_id {
            None => None,
            Some(None) => Some(None),
            Some(Some(text)) => {
                let id = text
                    .parse()
                    .map_err(|_| ("/connectionId", "must be the id of a connection"))?;
                Some(Some(id))
            }
        };
        let enforced = match (self.enforced, self.break_glass_user_id) {
            (None, None) => None,
            (Some(false), None) => Some(None),
            (Some(true) | None, Some(text)) => {
                let id = text
                    .parse()
                    .map_err(|_| ("/breakGlassUserId", "must be the id of a person"))?;
                Some(Some(id))
            }
            (Some(true), None) => {
                return Err((
                    "/breakGlassUserId",
                    "is asked for: an owner who can come in when the provider does not answer",
                ));
            }
            (Some(false), Some(_)) => {
                return Err(("/breakGlassUserId", "makes no sense where nobody has to"));
            }
        };
        Ok(DomainChanges {
            connection,
            enforced,
            join_role: self.join_role.map(|role| role.map(Into::into)),
        })
    }
}

/// An identity of a provider that the account is connected with.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SsoIdentity)]
pub struct Identity {
    /// Its id.
    #[schema(examples("idn_01h2xcejqtf2nbrexx3vqjhp41"))]
    pub id: String,
    /// The connection.
    pub connection: String,
    /// What the connection is called.
    pub name: Option<String>,
    /// Who says who it is.
    pub issuer: String,
    /// What it calls the person.
    pub subject: String,
    /// The address that the provider named last.
    pub email: Option<String>,
    /// Since when it is connected.
    #[serde(serialize_with = "timestamp::serialize")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When the person last signed in by it.
    #[serde(serialize_with = "timestamp::serialize")]
    #[schema(value_type = String, format = DateTime)]
    pub last_used_at: Timestamp,
}

impl From<&Connected> for Identity {
    fn from(identity: &Connected) -> Self {
        Self {
            id: identity.id.to_string(),
            connection: identity.connection.to_string(),
            name: identity.name.clone(),
            issuer: identity.issuer.clone(),
            subject: identity.subject.clone(),
            email: identity.email.clone(),
            created_at: identity.created_at,
            last_used_at: identity.last_used_at,
        }
    }
}

/// The identities that the account is connected with.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SsoIdentities)]
pub struct Identities {
    /// The identities, newest first.
    pub items: Vec<Identity>,
}

/// An identity to connect the account with.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConnectIdentity {
    /// Where signing in by the connection begins.
    #[schema(examples("/api/auth/google"))]
    pub url: String,
    /// Where to go on then; `/` if absent.
    #[serde(default)]
    pub return_to: Option<String>,
}

/// Where to send the browser.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SsoRedirect)]
pub struct Redirect {
    /// The provider's address.
    pub redirect_url: String,
}

macro_rules! silent {
    ($($name:ident),+) => {
        $(impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($name))
            }
        })+
    };
}

silent!(
    SetOidc,
    CreateSsoConnection,
    UpdateSsoConnection,
    ScimToken,
    Redirect
);

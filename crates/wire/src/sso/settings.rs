//! What somebody asks of a connection: to be made, or to be another way.

use serde::Deserialize;
use tigertrust_accounts::sso::{
    ClientSecret, ConnectionChanges, GroupRole, MetadataSource, NewConnection, NewProvider, NewSaml,
    OidcPreset, OidcSettings, SamlAttributes, SsoPolicy,
};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::{Attributes, GroupRoleDto};
use crate::RoleName;

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

silent!(SetOidc, CreateSsoConnection, UpdateSsoConnection);

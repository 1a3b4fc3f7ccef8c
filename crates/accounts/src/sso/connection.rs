//! Connections with identity providers: how one is asked, and what its word is worth.

use tigertrust_credentials::Sealed;
use tigertrust_model::{ConnectionId, ConnectionRef, Creator, Role, Timestamp, WorkspaceId};

use super::provider::{OidcPreset, OidcSettings, SamlAttributes, SamlIdentityProvider};

/// How a SAML provider is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SamlConnection {
    /// The provider.
    pub provider: SamlIdentityProvider,
    /// Where its metadata is fetched anew, if it was given by a URL.
    pub metadata_url: Option<String>,
    /// The attributes.
    pub attributes: SamlAttributes,
    /// Whether a response is accepted that answers no request. Whoever has one may sign somebody else's browser in.
    pub allows_unsolicited: bool,
    /// The certificate of the key that requests are signed with, in DER; none for requests that are not signed.
    pub signing_certificate: Option<Vec<u8>>,
}

/// How a provider is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProviderSettings {
    /// By OpenID Connect. The client secret is not here when it comes from storage, but sealed beside it.
    Oidc(OidcSettings),
    /// By SAML 2.0.
    Saml(SamlConnection),
}

impl ProviderSettings {
    /// What stands in addresses for connections of the kind.
    #[must_use]
    pub const fn protocol(&self) -> Protocol {
        match self {
            Self::Oidc(_) => Protocol::Oidc,
            Self::Saml(_) => Protocol::Saml,
        }
    }
}

/// By what a provider is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// OpenID Connect.
    Oidc,
    /// SAML 2.0.
    Saml,
}

impl Protocol {
    /// As it is stored, and stands in addresses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Oidc => "oidc",
            Self::Saml => "saml",
        }
    }
}

/// What a group of the provider becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRole {
    /// The group, exactly as the provider writes it.
    pub group: String,
    /// What its people are in the workspace; never an owner, since those are made by people.
    pub role: Role,
}

/// What the word of a provider is worth.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SsoPolicy {
    /// What somebody becomes who signs in for the first time, and is in none of the groups; without it nobody does.
    pub default_role: Option<Role>,
    /// What groups become. Where there are any, the role is set anew at each sign-in.
    pub group_roles: Vec<GroupRole>,
    /// Whether the provider's word counts for a second factor.
    pub trusts_second_factor: bool,
}

/// What a sign-in makes of a membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assigned {
    /// It is this, whatever it was.
    Role(Role),
    /// It is this if there was none.
    IfNew(Role),
    /// It stays as it is; who is no member does not come in.
    Unchanged,
    /// There is none any more.
    Removed,
}

impl SsoPolicy {
    /// What the groups of a person make of it: the most that one of them becomes.
    #[must_use]
    pub fn assign(&self, groups: &[String]) -> Assigned {
        let of_groups = self
            .group_roles
            .iter()
            .filter(|rule| groups.contains(&rule.group))
            .map(|rule| rule.role.at_most_admin())
            .min_by_key(|role| Role::ALL.iter().position(|other| other == role));
        match (of_groups, self.default_role.map(Role::at_most_admin)) {
            (Some(role), _) => Assigned::Role(role),
            (None, Some(role)) if self.group_roles.is_empty() => Assigned::IfNew(role),
            // Who has left all of the groups must not stay what they made of it.
            (None, Some(role)) => Assigned::Role(role),
            (None, None) if self.group_roles.is_empty() => Assigned::Unchanged,
            (None, None) => Assigned::Removed,
        }
    }
}

/// A connection with an identity provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Which one it is.
    pub id: ConnectionRef,
    /// Whose it is; none for one of the whole server.
    pub workspace: Option<WorkspaceId>,
    /// What stands for it in addresses: small letters, digits and hyphens.
    pub slug: String,
    /// What people are shown.
    pub name: String,
    /// Whether anybody can sign in by it.
    pub enabled: bool,
    /// How the provider is asked.
    pub provider: ProviderSettings,
    /// What its word is worth.
    pub policy: SsoPolicy,
    /// For one of the whole server: the domains whose addresses it speaks for, and the workspace that its people join.
    pub server: ServerScope,
    /// Whether the provider writes people (SCIM).
    pub has_scim: bool,
    /// Who made it.
    pub created_by: Creator,
    /// When.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// What only connections of the whole server have: they are the operator's word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerScope {
    /// The domains whose addresses the provider speaks for: an account with such an address is its person's.
    pub domains: Vec<String>,
    /// The workspace that people join with the default role; none for that which has verified the person's domain.
    pub joins: Option<WorkspaceId>,
    /// Whether anybody gets an account whose address the provider has verified.
    pub signs_up: bool,
}

impl Connection {
    /// Where signing in begins.
    #[must_use]
    pub fn path(&self) -> String {
        if self.is_the_preset() {
            format!("/api/auth/{}", self.slug)
        } else {
            format!("/api/auth/{}/{}", self.provider.protocol().as_str(), self.slug)
        }
    }

    /// Whether it is the one that `/api/auth/google` and the like stand for: of the whole server, and called as its preset.
    #[must_use]
    pub fn is_the_preset(&self) -> bool {
        let named = self.preset().filter(|preset| *preset != OidcPreset::Custom);
        self.stored_id().is_none() && named.is_some_and(|preset| preset.as_str() == self.slug)
    }

    /// The id, of one that a workspace has made.
    #[must_use]
    pub const fn stored_id(&self) -> Option<ConnectionId> {
        match self.id {
            ConnectionRef::Stored(id) => Some(id),
            ConnectionRef::Configured(_) => None,
        }
    }

    /// What the provider is called that has ways of its own.
    #[must_use]
    pub const fn preset(&self) -> Option<OidcPreset> {
        match &self.provider {
            ProviderSettings::Oidc(oidc) => Some(oidc.preset),
            ProviderSettings::Saml(_) => None,
        }
    }
}

/// A connection as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredConnection {
    /// The connection, without its secret.
    pub connection: Connection,
    /// The client secret, or the key that requests are signed with.
    pub secret: Option<Sealed>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(default_role: Option<Role>, groups: &[(&str, Role)]) -> SsoPolicy {
        SsoPolicy {
            default_role,
            group_roles: groups
                .iter()
                .map(|(group, role)| GroupRole {
                    group: (*group).to_owned(),
                    role: *role,
                })
                .collect(),
            trusts_second_factor: false,
        }
    }

    #[test]
    fn the_most_that_a_group_becomes_counts_and_nobody_becomes_an_owner() {
        let groups = [
            ("staff", Role::Member),
            ("it", Role::Admin),
            ("boss", Role::Owner),
        ];
        let with_default = policy(Some(Role::Viewer), &groups);
        let of = |policy: &SsoPolicy, groups: &[&str]| {
            let groups: Vec<String> = groups.iter().map(ToString::to_string).collect();
            policy.assign(&groups)
        };
        assert_eq!(of(&with_default, &["staff", "it"]), Assigned::Role(Role::Admin));
        assert_eq!(of(&with_default, &["it", "staff"]), Assigned::Role(Role::Admin));
        assert_eq!(of(&with_default, &["boss"]), Assigned::Role(Role::Admin));
        assert_eq!(of(&with_default, &["Staff"]), Assigned::Role(Role::Viewer));
        assert_eq!(of(&with_default, &[]), Assigned::Role(Role::Viewer));
        assert_eq!(of(&policy(None, &groups), &[]), Assigned::Removed);
        assert_eq!(
            of(&policy(Some(Role::Member), &[]), &["staff"]),
            Assigned::IfNew(Role::Member)
        );
        assert_eq!(of(&policy(None, &[]), &["staff"]), Assigned::Unchanged);
    }
}

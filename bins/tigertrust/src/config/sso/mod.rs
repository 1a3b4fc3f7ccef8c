//! Single sign-on: where providers send people back to, and the providers that all people of this server are offered.

mod oidc;
pub(super) mod provider_fields;
mod saml;
mod table;

use tigertrust::{mail::PublicUrl, server::SsoSettings};
use tigertrust_accounts::{
    FlowError,
    sso::{
        ConfiguredConnection, Connection, GroupRole, OidcPreset, ProviderSettings, SamlSigningKey,
        ServerScope, SsoPolicy, normalize_domain,
    },
};
use tigertrust_model::{ConnectionRef, Creator, Role, Timestamp, WorkspaceId};

use self::table::Table;
use super::{
    forms::{flag, origins},
    reader::Reader,
};

/// How a provider is asked, and the key that requests to it are signed with.
type Provider = (ProviderSettings, Option<SamlSigningKey>);

/// Reads it. Where nothing says where people find this service, it is where it listens.
pub(super) fn read(reader: &mut Reader, public_url: Option<&PublicUrl>, local: &str) -> SsoSettings {
    let found_at = public_url.map(|url| url.as_str().trim_end_matches('/').to_owned());
    SsoSettings {
        public_url: found_at.unwrap_or_else(|| local.to_owned()),
        return_origins: origins(reader, "sso.return_origins"),
        allows_private_addresses: flag(reader, "sso.allow_private_addresses"),
        connections: connections(reader),
    }
}

fn connections(reader: &mut Reader) -> Vec<ConfiguredConnection> {
    let mut connections = Vec::new();
    let tables = reader.tables("sso");
    for preset in [OidcPreset::Google, OidcPreset::Azure, OidcPreset::Okta] {
        let slug = preset.as_str();
        if let Some(origin) = tables.get(slug) {
            let mut table = Table::new(reader, format!("sso.{slug}"), origin.clone());
            let provider = oidc::read(&mut table, preset);
            connections.extend(connection(&mut table, slug, name_of(preset), provider));
        }
    }
    let custom = reader.tables("sso.oidc");
    for (slug, origin) in &custom {
        let mut table = Table::new(reader, format!("sso.oidc.{slug}"), origin.clone());
        let provider = oidc::read(&mut table, OidcPreset::Custom);
        connections.extend(connection(&mut table, slug, slug, provider));
    }
    for (slug, origin) in reader.tables("sso.saml") {
        let mut table = Table::new(reader, format!("sso.saml.{slug}"), origin);
        if custom.contains_key(&slug) {
            table.refuse_all(&format!(
                "there is sso.oidc.{slug} too: give one of them another name"
            ));
        }
        let provider = saml::read(&mut table);
        connections.extend(connection(&mut table, &slug, &slug, provider));
    }
    connections
}

const fn name_of(preset: OidcPreset) -> &'static str {
    match preset {
        OidcPreset::Google => "Google",
        OidcPreset::Azure => "Microsoft",
        OidcPreset::Okta => "Okta",
        OidcPreset::Custom => "",
    }
}

/// What all connections have. All of it is read whatever is wrong with the provider, so that all mistakes are told at once.
fn connection(
    table: &mut Table<'_>,
    slug: &str,
    usual_name: &str,
    provider: Option<Provider>,
) -> Option<ConfiguredConnection> {
    let name = table.text("name").unwrap_or_else(|| usual_name.to_owned());
    let policy = policy(table);
    let server = ServerScope {
        domains: domains(table),
        joins: table.read("workspace", "the id of a workspace, ws_…", |text| {
            text.parse::<WorkspaceId>().ok()
        }),
        signs_up: table.flag("sign_up"),
    };
    for field in ["default_role", "group_roles"] {
        if table.is_set(field) && !table.is_set("workspace") {
            table.refuse(
                field,
                "says what people become in a workspace: set workspace to it",
            );
        }
    }
    let (provider, signing_key) = provider?;
    // Such connections are not listed by who made them, or when.
    let never = Timestamp::from_unix_micros(0);
    let configured = ConfiguredConnection {
        connection: Connection {
            id: ConnectionRef::Configured(slug.to_owned()),
            workspace: None,
            slug: slug.to_owned(),
            name,
            enabled: true,
            provider,
            policy,
            server,
            has_scim: false,
            created_by: Creator::Operator,
            created_at: never,
            updated_at: never,
        },
        signing_key,
    };
    if let Err(FlowError::Invalid(violations)) = configured.check() {
        for violation in violations {
            match field(&violation.pointer).as_str() {
                "slug" => table.refuse_all(&format!("the name of the table {}", violation.detail)),
                field => table.refuse(field, &violation.detail),
            }
        }
    }
    Some(configured)
}

/// The field that holds what stands there in a request.
fn field(pointer: &str) -> String {
    let place = ["/oidc", "/saml"]
        .into_iter()
        .find_map(|at| pointer.strip_prefix(at));
    let place = place.unwrap_or(pointer);
    let mut parts = place.split('/').skip(1);
    match (parts.next(), parts.next()) {
        (Some("attributes"), Some(name)) => format!("{name}_attribute"),
        (Some(name), _) => snake_case(name),
        (None, _) => String::new(),
    }
}

fn snake_case(camel_case: &str) -> String {
    let mut snake_case = String::with_capacity(camel_case.len() + 2);
    for letter in camel_case.chars() {
        if letter.is_ascii_uppercase() {
            snake_case.push('_');
        }
        snake_case.push(letter.to_ascii_lowercase());
    }
    snake_case
}

fn policy(table: &mut Table<'_>) -> SsoPolicy {
    let default_role = table.read("default_role", "admin, member or viewer", |text| {
        text.parse::<Role>().ok().filter(|role| *role != Role::Owner)
    });
    let rules = table.list("group_roles");
    let group_roles: Option<Vec<GroupRole>> = rules.iter().map(|rule| group_role(rule).ok()).collect();
    if group_roles.is_none() {
        table.refuse(
            "group_roles",
            &format!("must be rules, each of them {GROUP_ROLE}"),
        );
    }
    SsoPolicy {
        default_role,
        group_roles: group_roles.unwrap_or_default(),
        trusts_second_factor: table.flag("trusts_second_factor"),
    }
}

const GROUP_ROLE: &str =
    "a group and what its people become, such as engineering=member, out of admin, member and viewer";

/// Reads `group=role`. What a group is called may hold an `=`.
pub fn group_role(text: &str) -> Result<GroupRole, String> {
    let rule = text.rsplit_once('=').and_then(|(group, role)| {
        let role = role.trim().parse::<Role>().ok();
        let group = group.trim().to_owned();
        Some(GroupRole {
            role: role.filter(|role| *role != Role::Owner)?,
            group: Some(group).filter(|group| !group.is_empty())?,
        })
    });
    rule.ok_or_else(|| format!("must be {GROUP_ROLE}"))
}

fn domains(table: &mut Table<'_>) -> Vec<String> {
    let texts = table.list("domains");
    let domains: Option<Vec<String>> = texts.iter().map(|text| normalize_domain(text)).collect();
    if domains.is_none() {
        let detail = "must be domains such as example.com; one of other letters in its ASCII form, xn--…";
        table.refuse("domains", detail);
    }
    domains.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_for_a_group_is_read_from_its_end() {
        let rule = |group: &str, role| {
            Ok(GroupRole {
                group: group.to_owned(),
                role,
            })
        };
        assert_eq!(group_role("staff=member"), rule("staff", Role::Member));
        assert_eq!(
            group_role("CN=IT,O=Acme = admin"),
            rule("CN=IT,O=Acme", Role::Admin)
        );
        for wrong in ["", "staff", "=member", "staff=", "staff=owner", "staff=king"] {
            assert!(group_role(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_place_in_a_request_is_a_setting() {
        for (pointer, expected) in [
            ("/slug", "slug"),
            ("/groupRoles/3/group", "group_roles"),
            ("/oidc/clientSecret", "client_secret"),
            ("/oidc/allowedDomains/0", "allowed_domains"),
            ("/saml/attributes/subject", "subject_attribute"),
        ] {
            assert_eq!(field(pointer), expected);
        }
    }
}

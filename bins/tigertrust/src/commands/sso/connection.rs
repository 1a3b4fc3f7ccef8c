//! Connections of workspaces.

use std::{
    fs,
    io::{self, Read},
    path::Path,
};

use tigertrust_accounts::{
    Actor,
    sso::{
        ClientSecret, Connection, ConnectionChanges, MetadataSource, NewConnection, NewProvider, NewSaml,
        OidcPreset, OidcSettings, SamlAttributes, SsoError, SsoPolicy,
    },
};
use tigertrust_model::{ConnectionId, Role, WorkspaceId};
use tigertrust_wire::{Page, ScimToken, SsoConnection, TestReport, format_rfc3339};
use zeroize::Zeroizing;

use super::{Desk, missing, no_workspace};
use crate::{
    cli::{AddConnection, AddOidc, AddSaml, ConnectionArgs, InWorkspace, NewConnectionArgs},
    failure::Failure,
    output,
};

impl Desk<'_> {
    pub(super) async fn add(&self, what: AddConnection) -> Result<(), Failure> {
        let (common, provider) = match what {
            AddConnection::Oidc(args) => oidc(*args)?,
            AddConnection::Saml(args) => saml(*args)?,
        };
        let workspace = self.workspace(common.within).await?;
        let new = NewConnection {
            slug: common.slug,
            name: common.name,
            provider,
            policy: SsoPolicy {
                default_role: common.default_role,
                group_roles: common.group_roles,
                trusts_second_factor: common.trust_second_factor,
            },
        };
        let made = self.flows.create(&Actor::operator(), workspace, new).await;
        self.print(&made.map_err(|error| no_workspace(workspace, error))?)
    }

    pub(super) async fn list(&self, within: InWorkspace) -> Result<(), Failure> {
        let workspace = self.workspace(within).await?;
        let connections = self.flows.list(&Actor::operator(), workspace).await?;
        let body = Page::whole(
            connections
                .iter()
                .map(|connection| self.body(connection))
                .collect(),
        );
        output::print(self.output, &body, |body| {
            let rows = body.items.iter().map(|connection| {
                [
                    connection.id.clone(),
                    connection.protocol.to_owned(),
                    state(connection).to_owned(),
                    connection.slug.clone(),
                    connection.name.clone(),
                ]
            });
            output::table(["ID", "PROTOCOL", "STATE", "SLUG", "NAME"], rows)
        })
    }

    pub(super) async fn show(&self, args: ConnectionArgs) -> Result<(), Failure> {
        let (workspace, id) = (self.workspace(args.within).await?, args.id);
        let found = self.flows.get(&Actor::operator(), workspace, id).await;
        self.print(&found.map_err(|error| unknown(workspace, id, error))?)
    }

    pub(super) async fn test(&self, args: ConnectionArgs) -> Result<(), Failure> {
        let (workspace, id) = (self.workspace(args.within).await?, args.id);
        let report = self.flows.probe(&Actor::operator(), workspace, id).await;
        let report = TestReport::from(report.map_err(|error| unknown(workspace, id, error))?);
        output::print(self.output, &report, |report| {
            let mut lines = report.findings.clone();
            if report.ok {
                lines.push("The provider answers as it should.".to_owned());
            }
            lines.join("\n")
        })?;
        if report.ok {
            Ok(())
        } else {
            Err(Failure::new(format!("nobody can sign in by {id} as it is")))
        }
    }

    pub(super) async fn set_enabled(&self, args: ConnectionArgs, enabled: bool) -> Result<(), Failure> {
        let (workspace, id) = (self.workspace(args.within).await?, args.id);
        let changes = ConnectionChanges {
            enabled: Some(enabled),
            ..ConnectionChanges::default()
        };
        let changed = self
            .flows
            .update(&Actor::operator(), workspace, id, changes)
            .await;
        self.print(&changed.map_err(|error| unknown(workspace, id, error))?)
    }

    pub(super) async fn remove(&self, args: ConnectionArgs, yes: bool) -> Result<(), Failure> {
        let (workspace, id) = (self.workspace(args.within).await?, args.id);
        let found = self.flows.get(&Actor::operator(), workspace, id).await;
        let name = found.map_err(|error| unknown(workspace, id, error))?.name;
        if !yes {
            return Err(Failure::new(format!(
                "this would remove the connection {id}, {name:?}, for good: the sessions that were begun by it end, and who has no \
                 other way in has none. Add --yes to do it"
            )));
        }
        let removed = self.flows.remove(&Actor::operator(), workspace, id).await;
        removed.map_err(|error| unknown(workspace, id, error))?;
        output::print(self.output, &(), |()| {
            format!("Removed {id}, {name:?}. The sessions that were begun by it have ended.")
        })
    }

    pub(super) async fn scim_token(&self, args: ConnectionArgs, revoke: bool) -> Result<(), Failure> {
        let (workspace, id) = (self.workspace(args.within).await?, args.id);
        if revoke {
            let revoked = self
                .flows
                .remove_scim_token(&Actor::operator(), workspace, id)
                .await;
            revoked.map_err(|error| unknown(workspace, id, error))?;
            return output::print(self.output, &(), |()| {
                format!("The provider of {id} writes nobody any more.")
            });
        }
        let made = self.flows.new_scim_token(&Actor::operator(), workspace, id).await;
        let token = made.map_err(|error| unknown(workspace, id, error))?;
        let body = ScimToken::new(&token, self.flows.public_url());
        output::print(self.output, &body, |body| {
            format!(
                "Base URL  {}\nToken     {}   (shown once: store it now)",
                body.base_url, body.token
            )
        })
    }

    fn body(&self, connection: &Connection) -> SsoConnection {
        let return_url = self.flows.return_address(connection);
        SsoConnection::new(connection, self.flows.public_url(), return_url)
    }

    fn print(&self, connection: &Connection) -> Result<(), Failure> {
        output::print(self.output, &self.body(connection), describe)
    }
}

fn oidc(args: AddOidc) -> Result<(NewConnectionArgs, NewProvider), Failure> {
    let client_secret = match &args.client_secret_file {
        Some(path) => {
            let text = Zeroizing::new(read(path, "the client secret")?);
            // A line break at the end is the editor's.
            Some(ClientSecret::new(text.trim_end()))
        }
        None => None,
    };
    let preset = OidcPreset::from(args.preset);
    let issuer = args.issuer.or_else(|| preset.issuer().map(str::to_owned));
    let settings = OidcSettings {
        preset,
        issuer: issuer.ok_or_else(|| Failure::new("name the provider's issuer with --issuer"))?,
        client_id: args.client_id,
        client_secret,
        scopes: args.scopes,
        allowed_domains: args.allowed_domains,
        tenants: args.tenants,
        groups_claim: args.groups_claim,
    };
    Ok((args.common, NewProvider::Oidc(settings)))
}

fn saml(args: AddSaml) -> Result<(NewConnectionArgs, NewProvider), Failure> {
    let metadata = match (args.metadata_url, &args.metadata_file) {
        (Some(url), _) => MetadataSource::Url(url),
        (None, Some(path)) => MetadataSource::Document(read(path, "the metadata")?),
        (None, None) => {
            return Err(Failure::new(
                "name the metadata with --metadata-file or --metadata-url",
            ));
        }
    };
    let new = NewSaml {
        metadata,
        entity_id: args.entity_id,
        attributes: SamlAttributes {
            subject: args.subject_attribute,
            email: args.email_attribute,
            name: args.name_attribute,
            groups: args.groups_attribute,
        },
        allows_unsolicited: args.allow_unsolicited,
        signs_requests: !args.unsigned_requests,
    };
    Ok((args.common, NewProvider::Saml(new)))
}

/// The text of the file, or of standard input for `-`.
fn read(path: &Path, what: &str) -> Result<String, Failure> {
    let mut text = String::new();
    let read = if path == Path::new("-") {
        io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(path)
    };
    read.map_err(|error| Failure::new(format!("{what} cannot be read from {}: {error}", path.display())))
}

const fn state(connection: &SsoConnection) -> &'static str {
    if connection.enabled { "enabled" } else { "disabled" }
}

fn describe(connection: &SsoConnection) -> String {
    let mut lines = vec![
        ("Connection", connection.id.clone()),
        ("Name", connection.name.clone()),
        ("Slug", connection.slug.clone()),
        ("State", state(connection).to_owned()),
    ];
    if let Some(oidc) = &connection.oidc {
        lines.push(("Provider", format!("OpenID Connect, {}", oidc.issuer)));
        lines.push(("Client id", oidc.client_id.clone()));
    }
    if let Some(saml) = &connection.saml {
        lines.push(("Provider", format!("SAML, {}", saml.entity_id)));
        for certificate in &saml.certificates {
            let ends = format_rfc3339(certificate.not_after);
            lines.push(("Certificate", format!("{} ends {ends}", certificate.fingerprint)));
        }
    }
    let role = connection.default_role.map(|role| Role::from(role).to_string());
    lines.push(("New people", role.unwrap_or_else(|| "do not come in".to_owned())));
    for rule in &connection.group_roles {
        lines.push((
            "Group",
            format!("{} becomes {}", rule.group, Role::from(rule.role)),
        ));
    }
    lines.push(("Sign in at", connection.url.clone()));
    lines.push(("Return URL", connection.return_url.clone()));
    if let Some(url) = &connection.metadata_url {
        lines.push(("Metadata", url.clone()));
    }
    let line = |(label, value): &(&str, String)| format!("{label:<11}  {value}");
    lines.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn unknown(workspace: WorkspaceId, id: ConnectionId, error: SsoError) -> Failure {
    missing(error, || {
        format!(
            "there is no connection {id} of a workspace {workspace}: `tigertrust sso list --workspace {workspace}` shows all"
        )
    })
}

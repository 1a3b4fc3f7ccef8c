//! `tigertrust sso`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use tigertrust_accounts::sso::{GroupRole, OidcPreset, OidcSettings};
use tigertrust_model::{ConnectionId, Role, WorkspaceId};

use super::parse;
use crate::config::group_role;

/// Single sign-on.
#[derive(Debug, Subcommand)]
pub enum Sso {
    /// Connect a workspace with an identity provider
    #[command(subcommand)]
    Add(AddConnection),
    /// List the connections of a workspace, newest first
    List(InWorkspace),
    /// Show a connection, and what the provider has to be told
    Show(ConnectionArgs),
    /// Ask the provider of a connection whether people could sign in by it
    Test(ConnectionArgs),
    /// Let people sign in by a connection again
    Enable(ConnectionArgs),
    /// Let nobody sign in by a connection, and end the sessions that were begun by it
    Disable(ConnectionArgs),
    /// Remove a connection for good, and end the sessions that were begun by it
    Remove {
        /// Which one
        #[command(flatten)]
        connection: ConnectionArgs,
        /// Confirm that its people may lose their way in
        #[arg(long)]
        yes: bool,
    },
    /// Make a token by which the provider of a connection writes people (SCIM), and show it, once; an earlier one is dead
    ScimToken {
        /// Which one
        #[command(flatten)]
        connection: ConnectionArgs,
        /// Only take the token away that there is
        #[arg(long)]
        revoke: bool,
    },
    /// Domains whose people a workspace vouches for
    #[command(subcommand)]
    Domain(SsoDomain),
}

/// Of which workspace.
#[derive(Clone, Copy, Debug, Args)]
pub struct InWorkspace {
    /// The workspace [default: the only one there is]
    #[arg(long, value_parser = parse::<WorkspaceId>)]
    pub workspace: Option<WorkspaceId>,
}

/// Which connection.
#[derive(Clone, Copy, Debug, Args)]
pub struct ConnectionArgs {
    /// The connection's id, con_…
    #[arg(value_parser = parse::<ConnectionId>)]
    pub id: ConnectionId,
    /// Of which workspace
    #[command(flatten)]
    pub within: InWorkspace,
}

/// Connect a workspace with an identity provider.
#[derive(Debug, Subcommand)]
pub enum AddConnection {
    /// By OpenID Connect
    Oidc(Box<AddOidc>),
    /// By SAML 2.0
    Saml(Box<AddSaml>),
}

/// What connections of all kinds have.
#[derive(Debug, Args)]
pub struct NewConnectionArgs {
    /// Of which workspace
    #[command(flatten)]
    pub within: InWorkspace,
    /// What stands for it in addresses: 2 to 40 small letters, digits and hyphens, unique over the whole server
    #[arg(long)]
    pub slug: String,
    /// What people are shown
    #[arg(long)]
    pub name: String,
    /// What somebody becomes who signs in for the first time: admin, member or viewer [default: nobody does who is no member]
    #[arg(long, value_name = "ROLE", value_parser = parse::<Role>)]
    pub default_role: Option<Role>,
    /// What a group becomes at each sign-in, such as engineering=member, the role being what follows the last =; may be given
    /// more than once
    #[arg(long = "group-role", value_name = "GROUP=ROLE", value_parser = group_role)]
    pub group_roles: Vec<GroupRole>,
    /// Take the provider's word for a second factor
    #[arg(long)]
    pub trust_second_factor: bool,
}

/// Providers that have ways of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Preset {
    /// Google Workspace
    Google,
    /// Microsoft Entra ID
    Azure,
    /// Okta
    Okta,
    /// Any other
    Custom,
}

impl From<Preset> for OidcPreset {
    fn from(preset: Preset) -> Self {
        match preset {
            Preset::Google => Self::Google,
            Preset::Azure => Self::Azure,
            Preset::Okta => Self::Okta,
            Preset::Custom => Self::Custom,
        }
    }
}

/// By OpenID Connect.
#[derive(Debug, Args)]
pub struct AddOidc {
    /// What connections of all kinds have
    #[command(flatten)]
    pub common: NewConnectionArgs,
    /// A provider that has ways of its own
    #[arg(long, value_enum, default_value = "custom")]
    pub preset: Preset,
    /// The issuer, exactly as the provider writes it; for Google it is known
    #[arg(long, value_name = "URL")]
    pub issuer: Option<String>,
    /// The client id that the provider knows this server by
    #[arg(long, value_name = "ID")]
    pub client_id: String,
    /// A file that holds the client secret, - for standard input [default: none, for a public client]
    #[arg(long, value_name = "FILE")]
    pub client_secret_file: Option<PathBuf>,
    /// A scope to ask for beside openid; may be given more than once, or several with commas
    #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',', default_values = OidcSettings::USUAL_SCOPES)]
    pub scopes: Vec<String>,
    /// A domain whose people may sign in; may be given more than once, or several with commas [default: all]
    #[arg(long = "allowed-domain", value_name = "DOMAIN", value_delimiter = ',')]
    pub allowed_domains: Vec<String>,
    /// Azure: the id of a tenant whose people may sign in; may be given more than once, or several with commas
    #[arg(long = "tenant", value_name = "ID", value_delimiter = ',')]
    pub tenants: Vec<String>,
    /// The claim with the person's groups
    #[arg(long, value_name = "CLAIM")]
    pub groups_claim: Option<String>,
}

/// By SAML 2.0.
#[derive(Debug, Args)]
pub struct AddSaml {
    /// What connections of all kinds have
    #[command(flatten)]
    pub common: NewConnectionArgs,
    /// A file that holds the provider's metadata, - for standard input
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "metadata_url",
        conflicts_with = "metadata_url"
    )]
    pub metadata_file: Option<PathBuf>,
    /// Where the provider publishes its metadata, by https
    #[arg(long, value_name = "URL")]
    pub metadata_url: Option<String>,
    /// The provider that is meant, where the metadata describes several
    #[arg(long, value_name = "ID")]
    pub entity_id: Option<String>,
    /// The attribute by which the person is known [default: the NameID]
    #[arg(long, value_name = "NAME")]
    pub subject_attribute: Option<String>,
    /// The attribute with the address [default: the usual ones]
    #[arg(long, value_name = "NAME")]
    pub email_attribute: Option<String>,
    /// The attribute with the name [default: the usual ones]
    #[arg(long, value_name = "NAME")]
    pub name_attribute: Option<String>,
    /// The attribute with the groups [default: the usual ones]
    #[arg(long, value_name = "NAME")]
    pub groups_attribute: Option<String>,
    /// Accept responses that answer no request: whoever has one may sign somebody else's browser in
    #[arg(long)]
    pub allow_unsolicited: bool,
    /// Do not sign requests; otherwise a key for that is made, and encrypted under the key ring
    #[arg(long)]
    pub unsigned_requests: bool,
}

/// Domains whose people a workspace vouches for.
#[derive(Debug, Subcommand)]
pub enum SsoDomain {
    /// Claim a domain, and print the DNS record that proves it
    Add(DomainArgs),
    /// List the domains of a workspace
    List(InWorkspace),
    /// Look for the DNS record that proves that a domain is the workspace's
    Verify {
        /// Which one
        #[command(flatten)]
        domain: DomainArgs,
        /// Take it as proved, since you know whose it is
        #[arg(long)]
        trust: bool,
    },
    /// Say where people of a domain sign in
    Set {
        /// Which one
        #[command(flatten)]
        domain: DomainArgs,
        /// What is to be another way
        #[command(flatten)]
        changes: DomainChangesArgs,
    },
    /// Give a domain up
    Remove {
        /// Which one
        #[command(flatten)]
        domain: DomainArgs,
        /// Confirm that its people may sign in without its provider again, if they may not now
        #[arg(long)]
        yes: bool,
    },
}

/// Which domain.
#[derive(Clone, Debug, Args)]
pub struct DomainArgs {
    /// The domain, such as example.com
    pub domain: String,
    /// Of which workspace
    #[command(flatten)]
    pub within: InWorkspace,
}

/// What is to be another way with a domain; what is not named stays.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub struct DomainChangesArgs {
    /// The connection that its people sign in by, con_…
    #[arg(long, value_name = "ID", value_parser = parse::<ConnectionId>)]
    pub connection: Option<ConnectionId>,
    /// Its people sign in by no connection in particular
    #[arg(long, conflicts_with = "connection")]
    pub no_connection: bool,
    /// Let its people sign in by the connection alone; sessions that were begun in another way end
    #[arg(long, requires = "break_glass")]
    pub enforce: bool,
    /// The owner who may sign in otherwise, with a password and a second factor: an e-mail address or a user's id
    #[arg(long, value_name = "USER", requires = "enforce")]
    pub break_glass: Option<String>,
    /// Let its people sign in as they like
    #[arg(long, conflicts_with = "enforce")]
    pub no_enforce: bool,
    /// What its people become who sign in by a provider of the whole server: admin, member or viewer
    #[arg(long, value_name = "ROLE", value_parser = parse::<Role>)]
    pub join_role: Option<Role>,
    /// Its people become nothing who sign in by a provider of the whole server
    #[arg(long, conflicts_with = "join_role")]
    pub no_join_role: bool,
}

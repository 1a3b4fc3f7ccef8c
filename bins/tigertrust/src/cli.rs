//! The command line: `tigertrust <noun> <verb> [ID] [--flags]`.

mod audit;
mod clock;
mod import;
mod moving;
mod sso;
mod trust_rule;
mod webhook;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tigertrust_model::{
    Email, KeyId, KeyState, KeyType, Plan, Role, SessionId, Timestamp, UserId, WorkspaceId,
};

pub use self::audit::{Audit, ExportFormat, WantedEvents};
pub use self::clock::ClockCommand;
pub use self::import::{Export, Import, ImportKeys};
pub use self::moving::MoveArgs;
pub use self::sso::{
    AddConnection, AddOidc, AddSaml, ConnectionArgs, DomainChangesArgs, InWorkspace, NewConnectionArgs, Sso,
    SsoDomain,
};
pub use self::trust_rule::{CreateTrustRule, TrustRule};
pub use self::webhook::{AddWebhook, UpdateWebhookArgs, Webhook, WebhookArgs};
use crate::{
    config::SecretKind,
    duration,
    since::{self, Since},
};

/// Self-hosted authentication for API platforms.
#[derive(Debug, Parser)]
#[command(name = "tigertrust", version, arg_required_else_help = true)]
pub struct Cli {
    /// What all commands take.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What all commands take.
#[derive(Clone, Debug, Args)]
pub struct Common {
    /// A TOML file with settings [default: config.toml in the data folder, if it is there]
    #[arg(long, global = true, env = "TIGERTRUST_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The folder that holds the database and the secrets where no setting says otherwise
    #[arg(
        long,
        global = true,
        env = "TIGERTRUST_DATA",
        value_name = "DIR",
        default_value = "./tigertrust-data"
    )]
    pub data: PathBuf,
    /// How to print results
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    pub output: OutputFormat,
}

/// How to print results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// For people
    Text,
    /// What the API answers
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a first account and first keys in ./tigertrust-data, and serve
    Quickstart(Quickstart),
    /// Serve the API
    Serve(Serve),
    /// Bring the database's schema up to date, or look at it
    #[command(subcommand)]
    Migrate(Migrate),
    /// Write a copy of the database into a new file, also while servers run (SQLite)
    Backup {
        /// The file to write, which must not exist
        file: PathBuf,
    },
    /// Put a backup in the place of the database (SQLite)
    Restore(Restore),
    /// Move the whole instance into a database of the other engine, from SQLite to PostgreSQL or back; no server may run meanwhile
    Move(MoveArgs),
    /// People
    #[command(subcommand)]
    User(User),
    /// People who are signed in
    #[command(subcommand)]
    Session(Session),
    /// Workspaces
    #[command(subcommand)]
    Workspace(Workspace),
    /// Who is what in a workspace
    #[command(subcommand)]
    Member(Member),
    /// API keys
    #[command(subcommand)]
    Key(Key),
    /// What was made elsewhere, and goes on here
    #[command(subcommand)]
    Import(Import),
    /// Single sign-on
    #[command(subcommand)]
    Sso(Sso),
    /// Who did what
    #[command(subcommand)]
    Audit(Audit),
    /// Programs that are told what happens in a workspace
    #[command(subcommand)]
    Webhook(Webhook),
    /// Which jobs get tokens of a key without the key
    #[command(subcommand)]
    TrustRule(TrustRule),
    /// Look for what is wrong with the settings and with what they name; change nothing, show no secret
    Doctor(Doctor),
    /// Print the completions of a shell
    Completions {
        /// Which shell
        shell: CompletionShell,
    },
    /// Write the manual pages
    Man {
        /// The folder that they are written to; it is made if it is missing
        folder: PathBuf,
    },
    /// The time that servers go by
    #[command(subcommand)]
    Clock(ClockCommand),
    /// Settings
    #[command(subcommand)]
    Config(ConfigCommand),
    /// The key ring
    #[command(subcommand)]
    Secrets(Secrets),
}

/// Look for what is wrong.
#[derive(Debug, Args)]
pub struct Doctor {
    /// Where the server listens that is looked at, if it was started with this flag too
    #[arg(long, value_name = "ADDRESS:PORT|unix:PATH")]
    pub listen: Option<String>,
    /// How long each look may take
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, default_value = "5s")]
    pub timeout: std::time::Duration,
}

/// A shell that can complete commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CompletionShell {
    /// To be sourced, or put into the folder of bash-completion
    Bash,
    /// To be put into a folder of fpath as _tigertrust
    Zsh,
    /// To be put into ~/.config/fish/completions as tigertrust.fish
    Fish,
}

/// Make a first account and first keys, and serve.
#[derive(Debug, Args)]
pub struct Quickstart {
    /// The owner's e-mail address
    #[arg(long, default_value = "owner@example.com", value_parser = parse::<Email>)]
    pub email: Email,
    /// Where to listen
    #[arg(long, value_name = "ADDRESS:PORT|unix:PATH")]
    pub listen: Option<String>,
    /// A PostgreSQL database to use instead of SQLite; it is made if it is missing
    #[arg(long, value_name = "URL", conflicts_with = "ephemeral")]
    pub database: Option<String>,
    /// Keep nothing: all data is gone when the server stops
    #[arg(long)]
    pub ephemeral: bool,
}

/// Serve the API.
#[derive(Debug, Args)]
pub struct Serve {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS:PORT|unix:PATH")]
    pub listen: Option<String>,
    /// Bring the database's schema up to date first
    #[arg(long)]
    pub migrate: bool,
}

/// The database's schema.
#[derive(Debug, Subcommand)]
pub enum Migrate {
    /// Run the migrations that have not run
    Run,
    /// Show what `migrate run` would do, and change nothing
    Plan {
        /// Show what each migration does, in SQL
        #[arg(long)]
        sql: bool,
    },
    /// Show which migrations have run
    Status,
    /// Undo the last migration; what it had added is lost
    Revert {
        /// Confirm that data may be lost
        #[arg(long)]
        allow_data_loss: bool,
    },
}

/// Put a backup in the place of the database.
#[derive(Debug, Args)]
pub struct Restore {
    /// What `tigertrust backup` wrote
    #[arg(required_unless_present = "mark_only")]
    pub file: Option<PathBuf>,
    /// The database was restored with other programs already: only make servers and clients forget what they remember
    #[arg(long, conflicts_with = "file")]
    pub mark_only: bool,
}

/// People.
#[derive(Debug, Subcommand)]
pub enum User {
    /// Make an account
    Create {
        /// The person's e-mail address; two spellings that differ in case are one account
        #[arg(value_parser = parse::<Email>)]
        email: Email,
        /// How the person wants to be called, 1 to 100 characters
        #[arg(long)]
        name: Option<String>,
        /// A file whose first line is the password, 15 to 256 characters, - for standard input [default: a random one, printed once]
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
    /// List accounts, newest first
    List(PageArgs<UserId>),
    /// Disable an account: its sessions end, and running servers refuse its personal keys within a second
    Disable {
        /// An e-mail address or a user's id
        user: String,
    },
    /// Enable an account that was disabled
    Enable {
        /// An e-mail address or a user's id
        user: String,
    },
    /// Erase an account for good: its sessions, factors, memberships and personal fields; its personal keys are revoked
    Erase {
        /// An e-mail address or a user's id
        user: String,
        /// Confirm that nothing brings it back
        #[arg(long)]
        yes: bool,
    },
    /// Give an account another password, and end its sessions
    ResetPassword {
        /// An e-mail address or a user's id
        user: String,
        /// A file that holds the password, - for standard input [default: a random one, printed once]
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
    /// Take an account's authenticator app, passkeys and recovery codes away, and end its sessions
    #[command(name = "reset-2fa")]
    Reset2fa {
        /// An e-mail address or a user's id
        user: String,
    },
}

/// Sessions.
#[derive(Debug, Subcommand)]
pub enum Session {
    /// List a person's sessions, newest first
    List {
        /// An e-mail address or a user's id
        user: String,
    },
    /// End a session of a person, or all of them; running servers refuse it at once
    Revoke {
        /// An e-mail address or a user's id
        user: String,
        /// The session's id
        #[arg(value_parser = parse::<SessionId>, required_unless_present = "all")]
        id: Option<SessionId>,
        /// Every session of the person
        #[arg(long, conflicts_with = "id")]
        all: bool,
    },
}

/// Workspaces.
#[derive(Debug, Subcommand)]
pub enum Workspace {
    /// Make a workspace
    Create {
        /// What people call it, 1 to 100 characters
        name: String,
        /// Who owns it: an e-mail address or a user's id
        #[arg(long)]
        owner: String,
        /// The plan that its keys are on: free, pro, enterprise, or one of the settings'
        #[arg(long, default_value = "free", value_parser = parse::<Plan>)]
        plan: Plan,
    },
    /// List workspaces, newest first
    List(PageArgs<WorkspaceId>),
    /// Give a workspace another name
    Rename {
        /// The workspace
        #[arg(value_parser = parse::<WorkspaceId>)]
        id: WorkspaceId,
        /// What people call it from now on
        name: String,
    },
    /// Delete a workspace for good; running servers refuse its keys within a second
    Delete {
        /// The workspace
        #[arg(value_parser = parse::<WorkspaceId>)]
        id: WorkspaceId,
        /// Confirm that its keys and members may lose it for good
        #[arg(long)]
        yes: bool,
    },
    /// Put a workspace on a plan; running servers follow within a second
    SetPlan {
        /// The workspace
        #[arg(value_parser = parse::<WorkspaceId>)]
        id: WorkspaceId,
        /// The plan
        #[arg(value_parser = parse::<Plan>)]
        plan: Plan,
    },
    /// Say what happens to agent keys of a workspace that are reported as leaked
    SetLeakResponse {
        /// The workspace
        #[arg(value_parser = parse::<WorkspaceId>)]
        id: WorkspaceId,
        /// What
        response: LeakResponseArg,
    },
}

/// What happens to an agent key that is reported as leaked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LeakResponseArg {
    /// It is marked, and goes on
    Notify,
    /// It is revoked at once
    Revoke,
    /// What the server's settings say
    Default,
}

/// Who is what in a workspace.
#[derive(Debug, Subcommand)]
pub enum Member {
    /// Make somebody who has an account a member
    Add {
        /// The workspace
        #[arg(value_parser = parse::<WorkspaceId>)]
        workspace: WorkspaceId,
        /// An e-mail address or a user's id
        user: String,
        /// owner, admin, member or viewer
        #[arg(long, value_parser = parse::<Role>)]
        role: Role,
    },
    /// Invite somebody, with an account or without, and print what the invitation is accepted with; no mail is sent
    Invite {
        /// The workspace
        #[arg(value_parser = parse::<WorkspaceId>)]
        workspace: WorkspaceId,
        /// The person's e-mail address
        #[arg(value_parser = parse::<Email>)]
        email: Email,
        /// owner, admin, member or viewer
        #[arg(long, value_parser = parse::<Role>)]
        role: Role,
    },
    /// List the members, the newest accounts first
    List {
        /// The workspace
        #[arg(value_parser = parse::<WorkspaceId>)]
        workspace: WorkspaceId,
        /// Which page
        #[command(flatten)]
        page: PageArgs<UserId>,
    },
    /// Give a member another role; running servers follow within a second
    SetRole {
        /// The workspace
        #[arg(value_parser = parse::<WorkspaceId>)]
        workspace: WorkspaceId,
        /// An e-mail address or a user's id
        user: String,
        /// owner, admin, member or viewer
        #[arg(value_parser = parse::<Role>)]
        role: Role,
    },
    /// Take somebody out of a workspace, and revoke the personal keys that have their home there
    Remove {
        /// The workspace
        #[arg(value_parser = parse::<WorkspaceId>)]
        workspace: WorkspaceId,
        /// An e-mail address or a user's id
        user: String,
    },
}

/// Which page of a list.
#[derive(Debug, Args)]
pub struct PageArgs<Id: Clone + Send + Sync + std::str::FromStr + 'static>
where
    Id::Err: std::fmt::Display,
{
    /// How many at the most
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=200))]
    pub limit: u16,
    /// The cursor that the page before ended with
    #[arg(long, value_parser = parse::<Id>)]
    pub cursor: Option<Id>,
}

impl<Id: Copy + Send + Sync + std::str::FromStr + 'static> PageArgs<Id>
where
    Id::Err: std::fmt::Display,
{
    /// The page to ask for: one entry more is read, to know of a next page.
    pub fn request(&self) -> tigertrust_accounts::ports::Page<Id> {
        tigertrust_accounts::ports::Page {
            after: self.cursor,
            limit: self.limit + 1,
        }
    }
}

/// API keys.
#[derive(Debug, Subcommand)]
pub enum Key {
    /// Make a key and show its secret, once
    Create(Box<CreateKey>),
    /// List keys, newest first
    List {
        /// Only those of one workspace
        #[arg(long, value_parser = parse::<WorkspaceId>)]
        workspace: Option<WorkspaceId>,
        /// Only those in this state: active, deactivated, expired or revoked
        #[arg(long, value_parser = parse::<KeyState>)]
        state: Option<KeyState>,
        /// Only those of this type: agent or public
        #[arg(long = "type", value_name = "TYPE", value_parser = parse::<KeyType>)]
        kind: Option<KeyType>,
        /// Only those whose name holds this text, the case of the letters A to Z aside, or whose newest secret begins with its
        /// first 8 characters
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
        /// Only those with this external id
        #[arg(long)]
        external_id: Option<String>,
        /// Only those that are older than this and have not been used since, such as 90d, a date
        /// such as 2027-01-31 (its beginning in UTC), or a time
        #[arg(long, value_name = "TIME", value_parser = since::parse)]
        unused_since: Option<Since>,
        /// Which page
        #[command(flatten)]
        page: PageArgs<KeyId>,
    },
    /// Give a key another secret under the same id, and show it, once
    Rotate {
        /// The key's id, key_…
        id: String,
        /// For how long the old secret goes on, such as 1h
        #[arg(long, value_name = "DURATION", value_parser = duration::parse, default_value = "0s")]
        overlap: std::time::Duration,
    },
    /// Show a key
    Show {
        /// The key's id, key_…
        id: String,
    },
    /// Find active keys that are unused, about to expire, old, or allowed more than they are used for
    Report {
        /// Only those of one workspace
        #[arg(long, value_parser = parse::<WorkspaceId>)]
        workspace: Option<WorkspaceId>,
    },
    /// Revoke a key for good; running servers refuse it within a second
    Revoke {
        /// The key's id, key_…
        id: String,
        /// Why
        #[arg(long)]
        reason: Option<String>,
    },
}

/// Make a key.
#[derive(Debug, Args)]
pub struct CreateKey {
    /// What people call it, 1 to 100 characters
    #[arg(long)]
    pub name: String,
    /// agent or public
    #[arg(long = "type", value_name = "TYPE", value_parser = parse::<KeyType>, default_value = "agent")]
    pub kind: KeyType,
    /// A scope, such as certificates:read; may be given more than once, or several with commas
    #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',')]
    pub scopes: Vec<String>,
    /// The workspace that owns it [default: the only one there is]
    #[arg(long, value_parser = parse::<WorkspaceId>, conflicts_with = "instance")]
    pub workspace: Option<WorkspaceId>,
    /// Another workspace that it may act in; may be given more than once
    #[arg(long, value_name = "WORKSPACE", conflicts_with = "instance")]
    pub also_in: Vec<String>,
    /// An instance key: it acts in the workspace that each request names
    #[arg(long)]
    pub instance: bool,
    /// A personal key of a member: an e-mail address or a user's id [default: a key of the workspace]
    #[arg(long, conflicts_with = "instance")]
    pub owner: Option<String>,
    /// When it expires, such as 2027-01-31T12:00:00Z [default: never]
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with = "expires_in")]
    pub expires_at: Option<Timestamp>,
    /// After how long it expires, such as 90d
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    pub expires_in: Option<std::time::Duration>,
    /// A network that it may be used from, such as 192.0.2.0/24; may be given more than once, or several with
    /// commas [default: everywhere]
    #[arg(long, value_name = "NETWORK", value_delimiter = ',')]
    pub allow_from: Vec<String>,
    /// How often it may be used in the plan's short window, if less than the plan allows: 1 to 50000000
    #[arg(long, value_name = "CALLS")]
    pub limit_minute: Option<u32>,
    /// How often it may be used in the plan's long window, if less than the plan allows: 1 to 50000000
    #[arg(long, value_name = "CALLS")]
    pub limit_hour: Option<u32>,
    /// The name that the owning application knows it by
    #[arg(long)]
    pub external_id: Option<String>,
    /// A JSON object that is kept with it
    #[arg(long, value_name = "JSON")]
    pub metadata: Option<String>,
}

/// Settings.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check the settings, and show what each is and where that comes from; no secret is shown
    Check,
}

/// The key ring.
#[derive(Debug, Subcommand)]
pub enum Secrets {
    /// Write a new key ring with random secrets to a file that does not exist yet
    Create {
        /// The file
        file: PathBuf,
    },
    /// Print a new random secret as it stands in a key ring, to be added to one
    Generate {
        /// What it is for
        kind: SecretKind,
        /// What stored values and the log name it by: another one than those in the ring
        id: String,
    },
    /// Put a new random secret in front of the others of its kind in the key ring's file; the others go on for what is there
    Rotate {
        /// What it is for
        kind: SecretKind,
        /// What stored values and the log name it by [default: the next number]
        #[arg(long)]
        id: Option<String>,
        /// Put it behind the one in use: for several servers, until all of them know it
        #[arg(long)]
        behind: bool,
        /// Say what would be done, and do nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Put a secret that the key ring's file holds in front of the others of its kind
    Promote {
        /// What it is for
        kind: SecretKind,
        /// Its id
        id: String,
        /// Say what would be done, and do nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Show what depends on each secret of the key ring, and which of them can be taken out; no secret is shown
    Status,
    /// Take a secret out of the key ring's file that nothing depends on
    Remove {
        /// What it is for
        kind: SecretKind,
        /// Its id
        id: String,
        /// Take it out although something depends on it, which is lost
        #[arg(long)]
        allow_loss: bool,
        /// Say what would be done, and do nothing
        #[arg(long)]
        dry_run: bool,
    },
}

fn parse<T: std::str::FromStr>(text: &str) -> Result<T, String>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| error.to_string())
}

fn time(text: &str) -> Result<Timestamp, String> {
    tigertrust_wire::parse_rfc3339(text).map_err(str::to_owned)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}

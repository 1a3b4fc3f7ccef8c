//! `tigertrust import`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use tigertrust_model::WorkspaceId;

use super::parse;

/// What was made elsewhere, and goes on here.
#[derive(Debug, Subcommand)]
pub enum Import {
    /// Import keys by their SHA-256, so that their users go on with the keys that they have; may be run again
    Keys(Box<ImportKeys>),
}

/// Import keys.
#[derive(Debug, Args)]
pub struct ImportKeys {
    /// The export, - for standard input
    pub file: PathBuf,
    /// What it is an export of
    #[arg(long, value_name = "EXPORT")]
    pub format: Export,
    /// The workspace that owns the keys from now on [default: the only one there is]
    #[arg(long, value_parser = parse::<WorkspaceId>)]
    pub workspace: Option<WorkspaceId>,
    /// The format of the keys, by its id in keys.formats [default: the only one there is, or by how a key begins]
    #[arg(long, value_name = "ID")]
    pub key_format: Option<String>,
    /// A scope that each of the keys gets; may be given more than once, or several with commas
    #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',')]
    pub scopes: Vec<String>,
    /// The scope that a permission or role of theirs becomes, those of Better Auth being called resource:action; may be
    /// given more than once
    #[arg(long = "map-scope", value_name = "THEIRS=SCOPE", value_parser = pair)]
    pub scope_map: Vec<(String, String)>,
    /// The name that a field has in the export, such as hash=key_digest; may be given more than once
    #[arg(long = "map", value_name = "FIELD=THEIRS", value_parser = pair)]
    pub field_map: Vec<(String, String)>,
    /// Check everything and store nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// What an export is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Export {
    /// The table `keys` of Unkey, as JSON or CSV
    Unkey,
    /// The table `apikey` of Better Auth, as JSON or CSV
    BetterAuth,
    /// Records with the fields of POST /api/keys/import: JSON lines, or one JSON array
    Ndjson,
    /// The same as CSV, with the names of the fields in its first line
    Csv,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.rsplit_once('=') {
        Some((left, right)) if !left.is_empty() && !right.is_empty() => {
            Ok((left.to_owned(), right.to_owned()))
        }
        _ => Err("must be two names with = between".to_owned()),
    }
}

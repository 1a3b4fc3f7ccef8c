//! `tigertrust move`.

use std::path::PathBuf;

use clap::Args;

/// Move an instance into a database of the other engine.
#[derive(Debug, Args)]
pub struct MoveArgs {
    /// The database that is moved [default: the one that the settings name]
    #[arg(long, value_name = "URL", conflicts_with = "from_file")]
    pub from: Option<String>,
    /// A file that holds this URL, - for standard input: so that a password is seen by nobody who may list processes
    #[arg(long, value_name = "FILE")]
    pub from_file: Option<PathBuf>,
    /// The database that it is moved into, which must be empty; it is made if it is missing
    #[arg(long, value_name = "URL", conflicts_with = "to_file")]
    pub to: Option<String>,
    /// A file that holds this URL, - for standard input
    #[arg(long, value_name = "FILE")]
    pub to_file: Option<PathBuf>,
    /// Move nothing: take away the mark that a move has left in its source, so that servers run over it again; what was done in the
    /// other database since is not in it
    #[arg(long, conflicts_with_all = ["to", "to_file"])]
    pub reopen: bool,
}

//! `tigertrust secrets`.

mod edit;
mod status;

use std::{
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use tigertrust_credentials::OsRandom;

use crate::{
    cli::{Common, Secrets},
    config::Keyring,
    failure::Failure,
    output,
};

pub async fn run(common: &Common, verb: Secrets) -> Result<(), Failure> {
    match verb {
        Secrets::Create { file } => {
            write_private(&file, &Keyring::generate(&OsRandom)?)
                .map_err(|error| Failure::new(format!("{} cannot be made: {error}", file.display())))?;
            let made = serde_json::json!({ "file": file });
            output::print(common.output, &made, |_| {
                format!(
                    "{} holds a new key ring. Keep a copy apart from the database.",
                    file.display()
                )
            })
        }
        Secrets::Generate { kind, id } => {
            let entry = kind.entry(&id, &OsRandom)?;
            ensure_id(&id)?;
            let made = serde_json::json!({ "entry": *entry });
            output::print(common.output, &made, |_| entry.trim_end().to_owned())
        }
        Secrets::Rotate {
            kind,
            id,
            behind,
            dry_run,
        } => edit::rotate(common, kind, id.as_deref(), behind, dry_run).await,
        Secrets::Promote { kind, id, dry_run } => edit::promote(common, kind, &id, dry_run).await,
        Secrets::Status => status::status(common).await,
        Secrets::Remove {
            kind,
            id,
            allow_loss,
            dry_run,
        } => edit::remove(common, kind, &id, allow_loss, dry_run).await,
    }
}

/// Nobody is to find out at the next start that the ring cannot be read.
fn ensure_id(id: &str) -> Result<(), Failure> {
    if Keyring::is_id(id) {
        return Ok(());
    }
    Err(Failure::new(
        "the id must be 1 to 32 characters out of a-z, A-Z, 0-9, - and _",
    ))
}

/// Writes a file that only its owner may read. It must not exist.
pub fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

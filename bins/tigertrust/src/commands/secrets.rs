//! `tigertrust secrets`.

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

pub fn run(common: &Common, verb: &Secrets) -> Result<(), Failure> {
    match verb {
        Secrets::Create { file } => {
            write_private(file, &Keyring::generate(&OsRandom)?)
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
            let entry = kind.entry(id, &OsRandom)?;
            // Nobody is to find out at the next start that the ring cannot be read.
            if !Keyring::is_id(id) {
                return Err(Failure::new(
                    "the id must be 1 to 32 characters out of a-z, A-Z, 0-9, - and _",
                ));
            }
            let made = serde_json::json!({ "entry": *entry });
            output::print(common.output, &made, |_| entry.trim_end().to_owned())
        }
    }
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

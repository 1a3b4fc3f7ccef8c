//! `tigertrust secrets`.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use tigertrust_credentials::OsRandom;

use crate::{cli::Secrets, config::Keyring, failure::Failure};

pub fn run(verb: &Secrets) -> Result<(), Failure> {
    match verb {
        Secrets::Create { file } => {
            write_private(file, &Keyring::generate(&OsRandom)?)
                .map_err(|error| Failure::new(format!("{} cannot be made: {error}", file.display())))?;
            println!(
                "{} holds a new key ring. Keep a copy apart from the database.",
                file.display()
            );
            Ok(())
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

//! The key ring, and who else may read it.

use std::{fs, os::unix::fs::PermissionsExt};

use super::finding::Finding;
use crate::config::{KeyringSource, Settings};

const ABOUT: &str = "key ring";
/// Bits of a file's mode that let others than the owner and its group read or write.
const OTHERS: u32 = 0o006;
/// Those that let its group write.
const GROUP_WRITES: u32 = 0o020;

pub fn look(settings: &Settings) -> Vec<Finding> {
    let Some(ring) = &settings.keyring else {
        return vec![Finding::error(
            ABOUT,
            "there is none, so that nothing can be served",
            "If there was one, put it back from a copy: another one is no good for a database that has keys. Otherwise make one with \
             `tigertrust secrets create FILE` and set keyring_file to it.",
        )];
    };
    let mut findings = Vec::new();
    if ring.encryption.is_none() {
        findings.push(Finding::warning(
            ABOUT,
            "holds no encryption key: no authenticator apps, passkeys and webhooks",
            "Add what `tigertrust secrets generate encryption e1` prints.",
        ));
    }
    if ring.signing.is_none() {
        findings.push(Finding::warning(
            ABOUT,
            "holds no signing key: no short-lived tokens",
            "Add what `tigertrust secrets generate signing s1` prints.",
        ));
    }
    if let Some(KeyringSource::File(file)) = &settings.keyring_source {
        let mode = fs::metadata(file).map(|file| file.permissions().mode());
        if let Ok(mode) = mode
            && mode & (OTHERS | GROUP_WRITES) != 0
        {
            findings.push(Finding::error(
                ABOUT,
                format!("{} is open to others (mode {:03o})", file.display(), mode & 0o777),
                "Run `chmod 600` on it, and consider its secrets known if others have accounts on this machine.",
            ));
        }
    }
    if findings.is_empty() {
        findings.push(Finding::ok(ABOUT, "holds secrets of every kind"));
    }
    findings
}

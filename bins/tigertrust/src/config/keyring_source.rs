//! Where the key ring comes from: a setting, a file, or what a command prints.

use std::{
    fs,
    io::{ErrorKind, Read},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use super::{
    Keyring,
    forms::{list, read_file},
    reader::Reader,
};

/// How long the command may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// How often it is looked in that time whether a command that has closed its output has ended.
const LOOKS: u32 = 200;
/// No ring is larger.
const LONGEST: u64 = 1024 * 1024;
/// As much of what the command writes to standard error is shown.
const SHOWN: u64 = 2 * 1024;

const COMMAND: &str = "a program and its arguments, such as [\"/usr/local/bin/ring\", \"--production\"]";

/// Where the key ring comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyringSource {
    /// The text stands in the settings; this is where.
    Setting(String),
    /// A file.
    File(PathBuf),
    /// What a command prints; this is the program.
    Command(String),
}

/// Reads the ring from the one source that is set, else from the default file if that is there.
pub(super) fn read(reader: &mut Reader, default: &Path) -> Option<(Keyring, KeyringSource)> {
    let text = reader.take_secret("keyring", "the text of a key ring, or base64 of it");
    let file = reader.take_any("keyring_file", "the path of a key ring");
    let command = reader.take_secret("keyring_command", COMMAND);
    let set: Vec<&str> = [
        ("keyring", text.is_some()),
        ("keyring_file", file.is_some()),
        ("keyring_command", command.is_some()),
    ]
    .into_iter()
    .filter_map(|(key, is_set)| is_set.then_some(key))
    .collect();
    if let [first, .., last] = set.as_slice() {
        let detail = format!("{first} is set too: keep one of them");
        let origin = reader.origin_of(last);
        reader.refuse(last, &origin, &detail);
        return None;
    }
    let (key, origin, found) = if let Some((value, origin)) = text {
        let found = value.into_string().map_err(|_| "must be text".to_owned());
        let source = KeyringSource::Setting(origin.clone());
        ("keyring", origin, found.map(|text| (plain(&text), source)))
    } else if let Some((value, origin)) = file {
        let found = value
            .into_string()
            .map_err(|_| "must be the path of a file".to_owned())
            .and_then(|path| {
                let text = read_file(&path)?;
                Ok((Zeroizing::new(text), KeyringSource::File(path.into())))
            });
        ("keyring_file", origin, found)
    } else if let Some((value, origin)) = command {
        let parts = list(value).filter(|parts| parts.first().is_some_and(|program| !program.is_empty()));
        let found = parts
            .ok_or_else(|| format!("must be {COMMAND}"))
            .and_then(|parts| {
                let program = parts.first().cloned().unwrap_or_default();
                Ok((printed_by(&parts)?, KeyringSource::Command(program)))
            });
        ("keyring_command", origin, found)
    } else {
        let origin = default.display().to_string();
        if default.exists() {
            reader.default_is("keyring_file", &origin);
        }
        let found = match fs::read_to_string(default) {
            Err(error) if error.kind() == ErrorKind::NotFound => return None,
            Err(error) => Err(format!("cannot be read: {error}")),
            Ok(text) => Ok((Zeroizing::new(text), KeyringSource::File(default.to_owned()))),
        };
        ("keyring_file", origin, found)
    };
    let read = found.and_then(|(text, source)| {
        let ring = Keyring::parse(&text).map_err(|error| match &source {
            KeyringSource::File(path) => format!("{path:?}: {error}"),
            KeyringSource::Setting(_) | KeyringSource::Command(_) => error.to_string(),
        })?;
        Ok((ring, source))
    });
    read.map_err(|detail| reader.refuse(key, &origin, &detail)).ok()
}

/// The text of a ring that may be in base64, since some environments take no text of several lines.
fn plain(text: &str) -> Zeroizing<String> {
    let letters: Zeroizing<String> = Zeroizing::new(text.split_ascii_whitespace().collect());
    let decoded = STANDARD.decode(letters.as_bytes()).map(Zeroizing::new);
    let decoded = decoded.ok().and_then(|bytes| {
        let text = std::str::from_utf8(&bytes).ok()?;
        Some(Zeroizing::new(text.to_owned()))
    });
    decoded.unwrap_or_else(|| Zeroizing::new(text.to_owned()))
}

/// What a program prints, started without a shell. Nothing of that appears in an error.
fn printed_by(parts: &[String]) -> Result<Zeroizing<String>, String> {
    let (program, arguments) = parts.split_first().ok_or("must name a program")?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| {
            // A whole command in one text may hold a secret.
            if program.contains(char::is_whitespace) {
                "the program and each of its arguments must be entries of their own".to_owned()
            } else {
                format!("{program:?} cannot be started: {error}")
            }
        })?;
    let (out, printed) = mpsc::channel();
    if let Some(mut stdout) = child.stdout.take() {
        thread::spawn(move || {
            let mut text = Zeroizing::new(String::new());
            let read = stdout.by_ref().take(LONGEST).read_to_string(&mut text).is_ok();
            // Who waited may have given up.
            drop(out.send(read.then_some(text)));
        });
    }
    let (out, complaint) = mpsc::channel();
    if let Some(mut stderr) = child.stderr.take() {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            drop(stderr.by_ref().take(SHOWN).read_to_end(&mut bytes));
            drop(out.send(String::from_utf8_lossy(&bytes).trim().to_owned()));
        });
    }
    let Ok(text) = printed.recv_timeout(DEADLINE) else {
        drop(child.kill());
        drop(child.wait());
        return Err(format!(
            "{program:?} was not done after {} seconds, and was ended",
            DEADLINE.as_secs()
        ));
    };
    let status = wait(&mut child).map_err(|error| error.to_string())?;
    match status {
        Some(status) if status.success() => {
            text.ok_or_else(|| format!("{program:?} printed what is no text, or too much of it"))
        }
        Some(status) => {
            let complaint = complaint.recv_timeout(DEADLINE).unwrap_or_default();
            Err(format!("{program:?} ended with {status}: {complaint}"))
        }
        None => Err(format!(
            "{program:?} closed its output and did not end, and was ended"
        )),
    }
}

/// The end of a program that has closed its output. One that does not come in time is brought about.
#[allow(
    clippy::disallowed_methods,
    reason = "the standard library cannot wait for a program for so long and no longer"
)]
fn wait(child: &mut Child) -> std::io::Result<Option<ExitStatus>> {
    for _ in 0..LOOKS {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        thread::sleep(DEADLINE / LOOKS);
    }
    drop(child.kill());
    child.wait()?;
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Result<Zeroizing<String>, String> {
        printed_by(&["sh", "-c", script].map(str::to_owned))
    }

    #[test]
    fn what_a_command_prints_is_read_and_what_it_says_is_shown_if_it_fails() {
        assert_eq!(*sh("printf ring").unwrap(), "ring");
        let error = sh("echo CANARY; echo no access >&2; exit 3").unwrap_err();
        assert!(error.contains("no access") && error.contains('3'), "{error}");
        assert!(!error.contains("CANARY"), "{error}");
        assert!(
            printed_by(&["./nowhere".to_owned()])
                .unwrap_err()
                .contains("cannot be started")
        );
    }

    #[test]
    fn a_ring_may_be_in_base64() {
        assert_eq!(*plain(&STANDARD.encode("[[peppers]]")), "[[peppers]]");
        assert_eq!(*plain("[[peppers]]\n"), "[[peppers]]\n");
    }
}

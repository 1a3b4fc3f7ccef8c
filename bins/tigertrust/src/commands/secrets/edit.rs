//! Changes to the file of a key ring.

use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::{MetadataExt, PermissionsExt, fchown},
    path::{Path, PathBuf},
};

use serde::Serialize;
use tempfile::NamedTempFile;
use tigertrust_credentials::OsRandom;
use zeroize::Zeroizing;

use super::{super::settings, status::usages};
use crate::{
    cli::Common,
    config::{Keyring, KeyringSource, KeyringText, NotOurForm, SecretKind, Settings},
    dependents::Dependents,
    failure::Failure,
    instance, output,
    servers::{Servers, ids_on},
};

/// What was done.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Edited<'a> {
    file: &'a Path,
    kind: SecretKind,
    id: &'a str,
    /// The ids of the kind, the current one first.
    ids: Vec<String>,
    dry_run: bool,
}

/// Puts a new secret in front of the others of its kind, or behind the one in use.
pub async fn rotate(
    common: &Common,
    kind: SecretKind,
    id: Option<&str>,
    behind: bool,
    dry_run: bool,
) -> Result<(), Failure> {
    let settings = settings(common, Vec::new())?;
    let (ring, source) = ring_of(&settings)?;
    // What servers hold and rows name is taken, too: under the same id they would not notice that it is another secret.
    let taken = taken_ids(&settings, ring, kind).await;
    let id = id.map_or_else(|| ring.next_id(kind, &taken), str::to_owned);
    super::ensure_id(&id)?;
    if taken.contains(&id) && !ring.ids(kind).any(|held| held == id) {
        return Err(Failure::new(format!(
            "there was a {kind} {id} before, which servers hold or rows name: choose another --id"
        )));
    }
    if ring.ids(kind).any(|held| held == id) {
        return Err(Failure::new(format!(
            "the ring has a {kind} {id} already: choose another --id"
        )));
    }
    if !behind {
        ensure_one_server(&settings, kind).await?;
    }
    let KeyringSource::File(path) = source else {
        let place = if behind {
            "behind the first of"
        } else {
            "in front of"
        };
        return Err(Failure::new(format!(
            "the key ring does not come from a file, but from {}: put there what `tigertrust secrets generate {kind} {id}` prints, {place} \
             the other [[{}]]",
            named(source),
            kind.table()
        )));
    };
    let entry = kind.entry(&id, &OsRandom)?;
    let file = RingFile::open(path)?;
    let text = file
        .read()?
        .with(kind, &id, &entry, behind)
        .map_err(|form| not_ours(path, form))?;
    let place = if behind {
        "behind the one in use"
    } else {
        "in front"
    };
    file.finish(common, &text, (kind, &id), dry_run, |verb| {
        format!("{} {verb} a new {} {id} {place}.", path.display(), kind.name())
    })
}

/// Puts a secret that is there in front.
pub async fn promote(common: &Common, kind: SecretKind, id: &str, dry_run: bool) -> Result<(), Failure> {
    let settings = settings(common, Vec::new())?;
    let (ring, source) = ring_of(&settings)?;
    ensure_there(ring, kind, id)?;
    let path = file_of(source)?;
    ensure_known(&settings, kind, id).await?;
    let file = RingFile::open(path)?;
    let text = file
        .read()?
        .promoted(kind, id)
        .map_err(|form| not_ours(path, form))?;
    file.finish(common, &text, (kind, id), dry_run, |verb| {
        format!("{} {verb} the {} {id} in front.", path.display(), kind.name())
    })
}

/// Takes a secret out that nothing depends on.
pub async fn remove(
    common: &Common,
    kind: SecretKind,
    id: &str,
    allow_loss: bool,
    dry_run: bool,
) -> Result<(), Failure> {
    let settings = settings(common, Vec::new())?;
    let (ring, source) = ring_of(&settings)?;
    ensure_there(ring, kind, id)?;
    let path = file_of(source)?;
    if ring.ids(kind).next() == Some(id) {
        return Err(Failure::new(format!(
            "{kind} {id} is the one in use: run `tigertrust secrets rotate {kind}` first"
        )));
    }
    if !allow_loss {
        let (usages, _) = usages(&settings).await?;
        let reason = usages
            .into_iter()
            .find(|usage| usage.kind == kind && usage.id == id)
            .and_then(|usage| usage.stays_because());
        if let Some(reason) = reason {
            return Err(Failure::new(format!(
                "{kind} {id} has to stay: {reason}. --allow-loss takes it out regardless, and what depends on it is lost"
            )));
        }
    }
    let file = RingFile::open(path)?;
    let (text, _) = file
        .read()?
        .without(kind, id)
        .map_err(|form| not_ours(path, form))?;
    file.finish(common, &text, (kind, id), dry_run, |verb| {
        format!("{} {verb} no {} {id} any more.", path.display(), kind.name())
    })
}

/// With one server nothing is amiss between its taking a ring up and another's.
async fn ensure_one_server(settings: &Settings, kind: SecretKind) -> Result<(), Failure> {
    let Some(servers) = servers(settings).await else {
        return Ok(());
    };
    match servers.concerned(kind) {
        0 | 1 => Ok(()),
        count => Err(Failure::new(format!(
            "{count} servers run, and until all have taken the ring up some would not know the {} that others use: run `tigertrust secrets \
             rotate {kind} --behind`, bring the ring to all, send them SIGHUP, and then run `tigertrust secrets promote {kind} ID`",
            kind.name()
        ))),
    }
}

/// What is made with a secret has to be understood by all.
async fn ensure_known(settings: &Settings, kind: SecretKind, id: &str) -> Result<(), Failure> {
    let Some(servers) = servers(settings).await else {
        return Ok(());
    };
    let standing = servers.standing(kind, id);
    if !standing.lacking.is_empty() {
        return Err(Failure::new(format!(
            "{kind} {id} is not known yet to {}: bring the ring there and send SIGHUP; `tigertrust secrets status` shows what each server \
             runs with, and one that was killed is counted for ten seconds more",
            standing.lacking.join(", ")
        )));
    }
    if !standing.unknown.is_empty() {
        return Err(Failure::new(format!(
            "it is not known whether {} know {kind} {id}, of an older release: upgrade or stop them first",
            standing.unknown.join(", ")
        )));
    }
    Ok(())
}

/// The servers that run. Where the database does not answer, nobody can know, and the ring may be changed all the same: nothing is lost by a
/// secret that is new.
async fn servers(settings: &Settings) -> Option<Servers> {
    let read = async {
        let instance = instance::open_ready(settings).await?;
        let servers = Servers::read_surely(instance.storage(), instance.clock().now()).await;
        servers.map_err(Failure::from)
    };
    match read.await {
        Ok(servers) => Some(servers),
        Err(failure) => {
            tracing::warn!(%failure, "it is not known which servers run: see to it yourself that all of them know the new secret first");
            None
        }
    }
}

/// The ids that servers hold, or rows name that the ring does not have.
async fn taken_ids(settings: &Settings, ring: &Keyring, kind: SecretKind) -> Vec<String> {
    let read = async {
        let instance = instance::open_ready(settings).await?;
        let servers = Servers::read(instance.storage(), instance.clock().now()).await?;
        let dependents = Dependents::read(instance.storage()).await?;
        let held = servers.iter().filter_map(|node| ids_on(node, kind)).flatten();
        let named = dependents.missing_in(ring, kind);
        let named = named.into_iter().map(str::to_owned);
        Ok::<Vec<String>, Failure>(held.cloned().chain(named).collect())
    };
    // Where the database does not answer, the ring is all there is to go by.
    read.await.unwrap_or_default()
}

/// The ring and where it comes from.
pub fn ring_of(settings: &Settings) -> Result<(&Keyring, &KeyringSource), Failure> {
    settings
        .keyring
        .as_ref()
        .zip(settings.keyring_source.as_ref())
        .ok_or_else(|| {
            Failure::new(
                "there is no key ring: `tigertrust secrets create FILE` makes one; set keyring_file to it",
            )
        })
}

fn ensure_there(ring: &Keyring, kind: SecretKind, id: &str) -> Result<(), Failure> {
    if ring.ids(kind).any(|held| held == id) {
        return Ok(());
    }
    Err(Failure::new(format!(
        "the ring has no {kind} {id}: `tigertrust secrets status` shows which there are"
    )))
}

fn file_of(source: &KeyringSource) -> Result<&Path, Failure> {
    match source {
        KeyringSource::File(path) => Ok(path),
        other => Err(Failure::new(format!(
            "the key ring does not come from a file, but from {}: change it there",
            named(other)
        ))),
    }
}

fn named(source: &KeyringSource) -> String {
    match source {
        KeyringSource::Setting(origin) => origin.clone(),
        KeyringSource::File(path) => path.display().to_string(),
        KeyringSource::Command(program) => format!("the command {program}"),
    }
}

fn not_ours(path: &Path, NotOurForm: NotOurForm) -> Failure {
    Failure::new(format!(
        "{} is not written as `tigertrust secrets create` writes a ring, each secret under a heading of its own: change it by hand",
        path.display()
    ))
}

/// The file of a ring, which nobody else of us changes meanwhile.
struct RingFile {
    /// Where it is, whatever links lead there.
    path: PathBuf,
    /// Locked: the file itself is replaced, so its folder is what is held.
    _folder: File,
}

impl RingFile {
    fn open(path: &Path) -> Result<Self, Failure> {
        let failed = |error| Failure::new(format!("{} cannot be changed: {error}", path.display()));
        let found = fs::canonicalize(path).map_err(failed)?;
        let folder = found.parent().unwrap_or(Path::new("/"));
        let folder = File::open(folder).map_err(failed)?;
        folder.lock().map_err(failed)?;
        Ok(Self {
            path: found,
            _folder: folder,
        })
    }

    /// What it says now that it is locked.
    fn read(&self) -> Result<KeyringText, Failure> {
        let text = fs::read_to_string(&self.path)
            .map(Zeroizing::new)
            .map_err(|error| Failure::new(format!("{} cannot be read: {error}", self.path.display())))?;
        let ring = Keyring::parse(&text)
            .map_err(|error| Failure::new(format!("{}: {error}", self.path.display())))?;
        Ok(KeyringText::new(text, ring))
    }

    /// Writes the text in place of the one that is there, unless nothing is to be done, and says so.
    fn finish(
        &self,
        common: &Common,
        text: &str,
        (kind, id): (SecretKind, &str),
        dry_run: bool,
        sentence: impl FnOnce(&str) -> String,
    ) -> Result<(), Failure> {
        let ring = Keyring::parse(text).map_err(|error| Failure::new(error.to_string()))?;
        if !dry_run {
            self.write(text).map_err(|error| {
                Failure::new(format!("{} cannot be replaced: {error}", self.path.display()))
            })?;
        }
        let edited = Edited {
            file: &self.path,
            kind,
            id,
            ids: ring.ids(kind).map(str::to_owned).collect(),
            dry_run,
        };
        output::print(common.output, &edited, |_| {
            if dry_run {
                sentence("would hold")
            } else {
                let tell = if ring.ids(kind).any(|held| held == id) {
                    "Send the servers SIGHUP, so that they take it up. Keep a copy of the ring apart from the database."
                } else {
                    "Send the servers SIGHUP, so that they forget it. What still depends on it they keep until they are restarted."
                };
                format!("{} {tell}", sentence("holds"))
            }
        })
    }

    /// All or nothing: a new file beside it takes its place. It is its owner's alone, but for a group that could read it before: servers
    /// may run in that.
    fn write(&self, text: &str) -> std::io::Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        let before = fs::metadata(&self.path)?;
        let mut new = NamedTempFile::with_prefix_in(".keyring-", folder)?;
        let made = new.as_file().metadata()?;
        if (made.uid(), made.gid()) != (before.uid(), before.gid()) {
            fchown(new.as_file(), Some(before.uid()), Some(before.gid()))?;
        }
        let mode = before.permissions().mode() & 0o640 | 0o600;
        new.as_file().set_permissions(fs::Permissions::from_mode(mode))?;
        new.write_all(text.as_bytes())?;
        new.as_file().sync_all()?;
        new.persist(&self.path).map_err(|error| error.error)?;
        File::open(folder)?.sync_all()
    }
}

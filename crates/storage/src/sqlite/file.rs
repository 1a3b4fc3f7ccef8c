//! The file that holds the database.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io,
    path::Path,
};

use crate::{error::OpenError, url::DatabaseUrl};

/// The file that holds the database.
#[derive(Clone)]
pub(super) struct DatabaseFile {
    path: String,
}

/// Which file it is, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileId(u64, u64);

impl FileId {
    #[cfg(unix)]
    fn of(metadata: &fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        Self(metadata.dev(), metadata.ino())
    }

    #[cfg(not(unix))]
    fn of(_: &fs::Metadata) -> Self {
        Self(0, 0)
    }
}

impl DatabaseFile {
    /// The file of a SQLite URL.
    pub(super) fn of(url: &DatabaseUrl) -> Self {
        Self {
            path: url.path().unwrap_or_default().to_owned(),
        }
    }

    /// A file, by its path.
    pub(super) fn at(path: &str) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        Path::new(&self.path)
    }

    /// What SQLite opens: never a new file, since that would be readable by everybody.
    pub(super) fn uri(&self) -> String {
        // Three characters mean something in SQLite's URIs (RFC 3986 as its manual restricts it).
        let path = self
            .path
            .replace('%', "%25")
            .replace('?', "%3f")
            .replace('#', "%23");
        // Two slashes at the beginning would be followed by a host.
        let root = if path.starts_with("//") { "//" } else { "" };
        format!("file:{root}{path}?mode=rw")
    }

    /// Makes an empty file for the owner's eyes only, and the folder that it lies in where only that is missing. SQLite gives the
    /// same permissions to the files beside it. Returns whether there was none.
    pub(super) fn create_if_missing(&self) -> Result<bool, OpenError> {
        self.make_folder()?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.open(&self.path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(self.unusable(error)),
        }
    }

    /// Makes the folder that it lies in, where only that is missing.
    pub(super) fn make_folder(&self) -> Result<(), OpenError> {
        let folder = Path::new(&self.path).parent();
        if let Some(folder) = folder.filter(|folder| !folder.as_os_str().is_empty() && !folder.exists()) {
            let mut builder = DirBuilder::new();
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            builder.create(folder).map_err(|error| self.unusable(error))?;
        }
        Ok(())
    }

    /// Which file it is, if there is one.
    pub(super) fn ensure_there(&self) -> Result<FileId, OpenError> {
        match fs::metadata(&self.path) {
            Ok(metadata) if metadata.is_file() => Ok(FileId::of(&metadata)),
            Ok(_) => Err(self.unusable(io::Error::other("it is not a file"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(OpenError::NoFile {
                path: self.path.clone(),
            }),
            Err(error) => Err(self.unusable(error)),
        }
    }

    /// Fails if the file is no longer there or is another one. SQLite itself would go on with what it has open, and a
    /// second connection with the other file.
    pub(super) fn ensure_same(&self, opened: FileId) -> Result<(), OpenError> {
        if self.ensure_there()? == opened {
            return Ok(());
        }
        let problem = "it is another file than the one that was opened; a restart takes it";
        Err(self.unusable(io::Error::other(problem)))
    }

    fn unusable(&self, source: io::Error) -> OpenError {
        OpenError::File {
            path: self.path.clone(),
            source,
        }
    }
}

//! Where the server is called: ports and sockets, bound by itself or handed over by whoever started it.

use std::{
    fs,
    io::{self, ErrorKind},
    net::{SocketAddr, TcpListener},
    os::unix::{
        fs::{FileTypeExt, MetadataExt, PermissionsExt},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
};

use listenfd::ListenFd;

use crate::{
    config::{Listen, Settings},
    failure::Failure,
};

/// What a server is called on.
pub struct Listeners {
    /// Of the API.
    pub api: Api,
    /// Where that is.
    pub at: Listen,
    /// Of the figures.
    pub metrics: Option<TcpListener>,
    /// The file of the socket, if it is ours to remove.
    pub file: Option<SocketFile>,
}

/// What the API is called on.
pub enum Api {
    /// A port.
    Tcp(TcpListener),
    /// A socket in the file system.
    Unix(UnixListener),
}

impl Listeners {
    /// Takes what was handed over, else what the settings name, before anything else is done.
    pub fn bind(settings: &Settings, handed: &mut ListenFd) -> Result<Self, Failure> {
        let (api, at, file) = match handed_over(handed)? {
            Some((api, at)) => {
                tracing::info!(address = %at, "listening on the socket that was handed over; server.listen is not used");
                (api, at, None)
            }
            None => own(settings)?,
        };
        if matches!(api, Api::Unix(_)) && settings.tls.is_some() {
            return Err(Failure::new(format!(
                "there is no TLS over {at}: take server.tls away, or listen on an address and a port"
            )));
        }
        let metrics = settings
            .metrics_listen
            .map(|address| bind(address, "metrics.listen = "));
        Ok(Self {
            api,
            at,
            metrics: metrics.transpose()?,
            file,
        })
    }
}

fn own(settings: &Settings) -> Result<(Api, Listen, Option<SocketFile>), Failure> {
    match &settings.listen {
        Listen::Tcp(address) => {
            let listener = bind(*address, "--listen ")?;
            let at = Listen::Tcp(listener.local_addr()?);
            Ok((Api::Tcp(listener), at, None))
        }
        Listen::Unix(path) => {
            let (listener, file) = bind_unix(path, settings.socket_mode).map_err(|error| match error.kind() {
                ErrorKind::AddrInUse => Failure::new(format!(
                    "{} is taken: another program answers there. Choose another path, or end that program",
                    path.display()
                )),
                _ => Failure::new(format!("{} cannot be listened on: {error}", path.display())),
            })?;
            Ok((Api::Unix(listener), settings.listen.clone(), Some(file)))
        }
    }
}

/// The one socket that the service manager has bound for us (`LISTEN_FDS`).
fn handed_over(handed: &mut ListenFd) -> Result<Option<(Api, Listen)>, Failure> {
    if handed.len() > 1 {
        return Err(Failure::new(format!(
            "{} sockets were handed over, and one is expected: the API's",
            handed.len()
        )));
    }
    if handed.len() == 0 {
        return Ok(None);
    }
    if let Ok(Some(listener)) = handed.take_tcp_listener(0) {
        listener.set_nonblocking(true)?;
        let at = Listen::Tcp(listener.local_addr()?);
        return Ok(Some((Api::Tcp(listener), at)));
    }
    match handed.take_unix_listener(0) {
        Ok(Some(listener)) => {
            listener.set_nonblocking(true)?;
            let path = listener.local_addr()?.as_pathname().map(Path::to_owned);
            let at = Listen::Unix(path.unwrap_or_default());
            Ok(Some((Api::Unix(listener), at)))
        }
        _ => Err(Failure::new(
            "what was handed over is neither a TCP port nor a Unix stream socket that listens: use ListenStream",
        )),
    }
}

fn bind(address: SocketAddr, setting: &str) -> Result<TcpListener, Failure> {
    let listener = TcpListener::bind(address).map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => Failure::new(format!(
            "{address} is taken: another program listens there. Choose another port, such as {setting}{}:{}",
            address.ip(),
            address.port().checked_add(1).unwrap_or(8080)
        )),
        _ => Failure::new(format!("{address} cannot be listened on: {error}")),
    })?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// A socket's file that this process has made.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl SocketFile {
    /// Removes the file, unless somebody has put another one there.
    pub fn remove(self) {
        let found = fs::symlink_metadata(&self.path);
        if found.is_ok_and(|found| (found.dev(), found.ino()) == (self.device, self.inode))
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(%error, path = %self.path.display(), "the socket could not be removed");
        }
    }
}

/// Listens on a socket in the file system. One that is left there is replaced, if nobody answers on it.
fn bind_unix(path: &Path, mode: u32) -> io::Result<(UnixListener, SocketFile)> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(io::Error::new(
                ErrorKind::AlreadyExists,
                "something else than a socket is there",
            ));
        }
        Ok(_) => match UnixStream::connect(path) {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
            Err(error) => return Err(error),
            Ok(_) => return Err(ErrorKind::AddrInUse.into()),
        },
    }
    // It gets its name once its mode is right, so that nobody else connects in between.
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let making = path.with_file_name(format!(".{name}.{}", std::process::id()));
    // Left behind by one that was killed in between: in a container each has the same number.
    match fs::remove_file(&making) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&making)?;
    let made = fs::set_permissions(&making, fs::Permissions::from_mode(mode))
        .and_then(|()| fs::rename(&making, path))
        .and_then(|()| fs::symlink_metadata(path));
    let made = made.inspect_err(|_| drop(fs::remove_file(&making)))?;
    listener.set_nonblocking(true)?;
    let file = SocketFile {
        path: path.to_owned(),
        device: made.dev(),
        inode: made.ino(),
    };
    Ok((listener, file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_that_nobody_answers_on_is_replaced_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("api.sock");
        let (running, file) = bind_unix(&path, 0o600).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(bind_unix(&path, 0o600).unwrap_err().kind(), ErrorKind::AddrInUse);
        drop(running);
        let (_running, second) = bind_unix(&path, 0o660).unwrap();
        // Whoever made the first one leaves the second alone.
        file.remove();
        assert!(path.exists());
        second.remove();
        assert!(!path.exists());
        fs::write(&path, "a file").unwrap();
        assert_eq!(
            bind_unix(&path, 0o600).unwrap_err().kind(),
            ErrorKind::AlreadyExists
        );
    }
}

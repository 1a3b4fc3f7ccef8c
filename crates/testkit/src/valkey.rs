//! A throwaway Valkey or Redis.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use crate::signal;

/// What the program is called, where it is installed.
const PROGRAMS: [&str; 2] = ["valkey-server", "redis-server"];

/// A Valkey, or Redis, of a test's own on a socket of its own. It keeps nothing, and is gone when this is dropped.
pub struct ThrowawayValkey {
    folder: TempDir,
    server: Option<Child>,
}

impl ThrowawayValkey {
    /// One that answers.
    ///
    /// # Panics
    /// If none is installed.
    #[must_use]
    pub fn start() -> Self {
        let mut valkey = Self {
            folder: tempfile::tempdir().expect("a folder"),
            server: None,
        };
        valkey.start_again();
        valkey
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// Ends it as a crash would: what it held is gone.
    pub fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().expect("it ends");
            server.wait().expect("it has ended");
        }
    }

    /// Starts it at the same place, with nothing in it.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_again(&mut self) {
        self.kill();
        let mut server = PROGRAMS
            .iter()
            .find_map(|program| {
                Command::new(program)
                    .args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"])
                    .arg(self.socket())
                    .arg("--dir")
                    .arg(self.folder.path())
                    .stdout(Stdio::piped())
                    .spawn()
                    .ok()
            })
            .expect("install valkey-server or redis-server, or run ./scripts/test");
        let mut lines = BufReader::new(server.stdout.take().expect("it is piped")).lines();
        let is_ready = lines
            .any(|line| line.is_ok_and(|line| line.to_lowercase().contains("ready to accept connections")));
        assert!(is_ready, "the server ended before it was ready");
        // It must not wait for somebody to read what it says.
        std::thread::spawn(move || lines.for_each(drop));
        self.server = Some(server);
    }

    /// Stops it in its tracks: it takes what is sent and answers nothing. See [`go_on`](Self::go_on).
    pub fn pause(&self) {
        self.signal("STOP");
    }

    /// Lets it go on after a [`pause`](Self::pause).
    pub fn go_on(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let pid = self.server.as_ref().expect("it runs").id();
        assert!(signal(name, pid), "{name}");
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("valkey.sock")
    }
}

impl Drop for ThrowawayValkey {
    fn drop(&mut self) {
        self.kill();
    }
}

//! A PostgreSQL of a scenario's own, that can be killed, started again, followed and promoted.

use std::{
    fs,
    net::SocketAddr,
    os::unix::{fs::MetadataExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;

use super::until;
use crate::free_port;
use crate::signal;

/// The numbers of an account and its group.
type Account = (u32, u32);

/// A cluster on a loopback port. What it commits is on the disk: it runs with `fsync` and `synchronous_commit`.
pub(super) struct Cluster {
    folder: TempDir,
    programs: PathBuf,
    account: Option<Account>,
    port: u16,
    server: Option<Child>,
}

impl Cluster {
    /// A new one, not started yet.
    pub(super) fn make() -> Self {
        let cluster = Self::placed();
        let mut initdb = cluster.program("initdb");
        initdb.args([
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
        ]);
        finish(initdb.arg("--nosync").arg("--pgdata").arg(cluster.data()));
        cluster
    }

    /// A copy that follows this one, not started yet.
    pub(super) fn replica(&self) -> Self {
        let replica = Self::placed();
        let mut copy = replica.program("pg_basebackup");
        copy.args([
            "--write-recovery-conf",
            "--checkpoint=fast",
            "--no-sync",
            "--pgdata",
        ]);
        finish(copy.arg(replica.data()).arg("--dbname").arg(self.url("postgres")));
        replica
    }

    fn placed() -> Self {
        let programs = programs().expect("install postgresql, or run ./scripts/faults");
        // The account that PostgreSQL runs under must be able to get there, and TMPDIR may be private.
        let folder = tempfile::Builder::new()
            .prefix("tigertrust-faults-")
            .tempdir_in("/tmp")
            .expect("a folder");
        let is_root = fs::metadata(folder.path()).expect("a folder").uid() == 0;
        // PostgreSQL refuses to run as root.
        let account = is_root.then(account);
        if let Some((user, group)) = account {
            std::os::unix::fs::chown(folder.path(), Some(user), Some(group)).expect("its owner");
        }
        Self {
            folder,
            programs,
            account,
            port: free_port(),
            server: None,
        }
    }

    /// Starts it, and waits until it takes connections. With `synchronous` it commits nothing that no replica has.
    pub(super) async fn start(&mut self, synchronous: bool) {
        let standbys = if synchronous { "*" } else { "" };
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))
            .expect("a log");
        let mut server = self.program("postgres");
        server.arg("-D").arg(self.data());
        for setting in [
            format!("port={}", self.port),
            "listen_addresses=127.0.0.1".to_owned(),
            "unix_socket_directories=".to_owned(),
            format!("synchronous_standby_names={standbys}"),
            "wal_level=replica".to_owned(),
            "timezone=UTC".to_owned(),
        ] {
            server.args(["-c", &setting]);
        }
        let server = server
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.server = Some(server.expect("postgres starts"));
        until(
            "PostgreSQL takes connections",
            Duration::from_secs(60),
            async || self.try_sql("SELECT 1").is_some(),
        )
        .await;
    }

    /// Kills the server and all processes of it, as a crash of the machine's would, but for what the system still holds of its files.
    pub(super) fn kill(&mut self) {
        let Some(mut server) = self.server.take() else {
            return;
        };
        let pid = server.id();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        drop(server.kill());
        for child in children.split_whitespace() {
            // It may have noticed, and gone by itself.
            signal("KILL", child);
        }
        drop(server.wait());
        // Who was killed leaves it, and the number may have gone to another process.
        drop(fs::remove_file(self.data().join("postmaster.pid")));
    }

    /// Makes a replica take writes.
    pub(super) fn promote(&self) {
        let mut promote = self.program("pg_ctl");
        finish(promote.args(["promote", "--wait", "--pgdata"]).arg(self.data()));
    }

    /// Whether a replica has what was committed, and says so.
    pub(super) fn is_followed(&self) -> bool {
        self.try_sql("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'")
            .is_some_and(|answer| answer.contains('1'))
    }

    pub(super) fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    pub(super) fn url(&self, database: &str) -> String {
        url(self.address(), database)
    }

    /// What a statement yields, or nothing where it fails.
    pub(super) fn try_sql(&self, statement: &str) -> Option<String> {
        let output = self.psql("postgres", statement).output().expect("psql runs");
        output
            .status
            .success()
            .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// A session that runs a statement.
    pub(super) fn psql(&self, database: &str, statement: &str) -> Command {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.arg(self.url(database))
            .args(["-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement])
            .env("PGCONNECT_TIMEOUT", "2")
            .stdin(Stdio::null())
            .stderr(Stdio::null());
        psql
    }

    /// What is installed.
    pub(super) fn version() -> String {
        let told = programs().and_then(|folder| {
            Command::new(folder.join("postgres"))
                .arg("--version")
                .output()
                .ok()
        });
        let told = told.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
        told.unwrap_or_default()
            .replace("postgres (PostgreSQL)", "PostgreSQL")
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        if let Some((user, group)) = self.account {
            command.uid(user).gid(group);
        }
        command.current_dir(self.folder.path()).env("LC_ALL", "C");
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The URL of a database behind an address.
pub(super) fn url(address: SocketAddr, database: &str) -> String {
    format!("postgres://postgres@{address}/{database}")
}

/// Runs a command that must succeed.
fn finish(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().expect("it runs");
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Where the programs of the server are. `pg_config` alone does not tell: it also comes with the client's headers.
fn programs() -> Option<PathBuf> {
    let told = Command::new("pg_config").arg("--bindir").output().ok();
    let told = told.map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut installed: Vec<PathBuf> = installed.flatten().map(|entry| entry.path()).collect();
    let version = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    installed.sort_by_key(|path| std::cmp::Reverse(version(path)));
    let path = std::env::var_os("PATH").unwrap_or_default();
    told.into_iter()
        .chain(installed.into_iter().map(|path| path.join("bin")))
        .chain(std::env::split_paths(&path))
        .find(|folder| folder.join("initdb").is_file() && folder.join("postgres").is_file())
}

/// Who runs PostgreSQL in root's place.
fn account() -> Account {
    let number = |flag: &str, name: &str| {
        let output = Command::new("id").args([flag, name]).output().expect("id runs");
        String::from_utf8_lossy(&output.stdout).trim().parse().ok()
    };
    ["postgres", "nobody"]
        .iter()
        .find_map(|name| Some((number("-u", name)?, number("-g", name)?)))
        .expect("an account that is not root's")
}

//! Runs the program in a folder of its own.

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, ChildStderr, Command, Output, Stdio},
};

use diesel::{Connection, SqliteConnection, connection::SimpleConnection};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;
use tempfile::TempDir;
use tigertrust_testkit::{Engine, ThrowawayDatabase, signal};

/// A folder to work in, and for PostgreSQL a name that no database has yet.
pub struct Folder {
    folder: TempDir,
    database: Option<ThrowawayDatabase>,
}

impl Folder {
    /// A new folder.
    pub async fn new(engine: Engine) -> Self {
        let database = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(ThrowawayDatabase::unmade(engine).await),
        };
        Self {
            folder: tempfile::tempdir().unwrap(),
            database,
        }
    }

    /// The URL of its database.
    pub fn database_url(&self) -> String {
        match &self.database {
            Some(database) => database.url().reveal().to_owned(),
            None => "sqlite://./tigertrust.db".to_owned(),
        }
    }

    /// What the database of the quickstart holds, as text or as the bytes of its files. The server has to be stopped.
    pub fn dump(&self) -> String {
        match &self.database {
            Some(database) => database.dump(),
            None => {
                let file = |name| std::fs::read(self.path().join("tigertrust-data").join(name));
                let mut bytes = file("tigertrust.db").unwrap();
                // What a server wrote that was told to stop while it started may be in the log still.
                bytes.extend(file("tigertrust.db-wal").unwrap_or_default());
                String::from_utf8_lossy(&bytes).into_owned()
            }
        }
    }

    /// Changes the database of the quickstart, as somebody does who has it.
    pub fn sql(&self, statement: &str) {
        match &self.database {
            Some(database) => {
                let psql = ["-X", "-v", "ON_ERROR_STOP=1", "-c", statement];
                let output = Command::new("psql")
                    .arg(database.url().reveal())
                    .args(psql)
                    .output();
                assert!(output.unwrap().status.success(), "{statement}");
            }
            None => {
                let path = self.path().join("tigertrust-data/tigertrust.db");
                let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
                connection.batch_execute("PRAGMA busy_timeout = 5000").unwrap();
                connection.batch_execute(statement).unwrap();
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The program, to be given arguments: nothing of this process's environment reaches it but the path.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tigertrust"));
        command
            .args(arguments)
            .current_dir(self.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap());
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).stdin(Stdio::null()).output().unwrap()
    }

    /// Runs a command that must succeed, and reads the JSON that it prints.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--output", "json"]].concat());
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Runs a command that must fail, and returns its message.
    pub fn failure(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(!output.status.success(), "{arguments:?} succeeded");
        assert!(output.stdout.is_empty(), "{arguments:?} printed a result");
        String::from_utf8(output.stderr).unwrap()
    }

    /// Makes a key ring where programs look for one.
    pub fn make_ring(&self) {
        std::fs::create_dir_all(self.path().join("tigertrust-data")).unwrap();
        self.json(&["secrets", "create", "tigertrust-data/keyring.toml"]);
    }

    /// Starts the quickstart on a free port, and reads what it announces.
    pub fn quickstart(&self, more: &[&str]) -> Served {
        self.quickstart_in(&[], more)
    }

    /// As [`quickstart`](Self::quickstart), with variables in its environment.
    pub fn quickstart_in(&self, environment: &[(&str, &str)], more: &[&str]) -> Served {
        let mut arguments = vec!["quickstart", "--output", "json", "--listen", "127.0.0.1:0"];
        arguments.extend(more);
        let database = self
            .database
            .as_ref()
            .map(|database| database.url().reveal().to_owned());
        if let Some(url) = &database {
            arguments.extend(["--database", url]);
        }
        let mut command = self.command(&arguments);
        command.envs(environment.iter().copied());
        Served::start(command)
    }
}

/// A server that was started by the test, and is ended with it.
pub struct Served {
    child: Child,
    /// What it logs, from where it was last read.
    log: BufReader<ChildStderr>,
    /// What the first line on standard output says.
    pub announced: Value,
    client: Client,
    base_url: String,
}

impl Served {
    /// Starts a program that announces itself in JSON.
    pub fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        if line.is_empty() {
            let mut message = String::new();
            log.read_to_string(&mut message).unwrap();
            panic!("the program ended: {message}");
        }
        let announced: Value = serde_json::from_str(&line).unwrap();
        let base_url = announced["baseUrl"].as_str().unwrap().to_owned();
        Self {
            child,
            log,
            announced,
            client: Client::builder().no_proxy().build().unwrap(),
            base_url,
        }
    }

    /// A string of the announcement.
    pub fn text(&self, field: &str) -> &str {
        self.announced[field]
            .as_str()
            .unwrap_or_else(|| panic!("{field} is missing"))
    }

    /// A request, to be completed and sent.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base_url))
    }

    /// The status of a check of the key.
    pub async fn check(&self, key: &str) -> u16 {
        let request = self.request(Method::GET, "/api/auth/check").bearer_auth(key);
        request.send().await.unwrap().status().as_u16()
    }

    /// The next line of the log that holds a text; what comes before is passed over.
    pub fn logged(&mut self, text: &str) -> String {
        let mut lines = self.log.by_ref().lines().map(Result::unwrap);
        lines.find(|line| line.contains(text)).unwrap()
    }

    /// Sends the server a signal, such as `HUP`.
    pub fn signal(&self, name: &str) {
        assert!(signal(name, self.child.id()), "{name}");
    }

    /// Tells the server to stop, waits for its end, and returns what it logged.
    pub fn stop(mut self) -> String {
        self.signal("TERM");
        let mut log = String::new();
        self.log.read_to_string(&mut log).unwrap();
        assert!(self.child.wait().unwrap().success(), "{log}");
        log
    }

    /// Ends the server without warning, while others still speak with it.
    pub fn kill_now(&self) {
        self.signal("KILL");
    }

    /// Ends the server without warning.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Emits each named test once for every engine; a test takes a [`Folder`].
macro_rules! in_a_folder_for_each_engine {
    ($($test:ident),+ $(,)?) => {
        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    super::$test(crate::program::Folder::new(tigertrust_testkit::Engine::Postgres).await).await;
                }
            )+
        }
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    super::$test(crate::program::Folder::new(tigertrust_testkit::Engine::Sqlite).await).await;
                }
            )+
        }
    };
}
pub(crate) use in_a_folder_for_each_engine;

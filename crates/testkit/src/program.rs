//! The programs for Node.js that tests start: identity providers, and a browser.

use std::{
    env,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use reqwest::Client;
use serde_json::{Value, json};

use crate::TestClock;

/// The environment variable with the folder of the programs and what they are made of.
const FOLDER: &str = "TIGERTRUST_TEST_PROVIDERS";

/// How long a program may take to say where it listens. A test that waits forever says nothing, and holds up all others.
const PATIENCE: Duration = Duration::from_secs(120);

/// A program on a loopback port of its own, that is gone when this is dropped. Its clock begins where [`TestClock`] does, and goes on.
pub(crate) struct Program {
    origin: String,
    process: Child,
    controls: Client,
}

impl Program {
    /// Starts the program of that name in the folder.
    pub(crate) fn run(name: &str, settings: &Value) -> Self {
        let mut settings = settings.clone();
        let host = settings["host"].as_str().unwrap_or("127.0.0.1").to_owned();
        if settings["time"].is_null() {
            settings["time"] = json!(TestClock::START.unix_millis());
        }
        let folder = env::var(FOLDER).unwrap_or_else(|_| panic!("set {FOLDER} or run ./scripts/test"));
        let folder = PathBuf::from(folder);
        let mut process = Command::new(folder.join("node"))
            // The programs are links into this folder, from which their packages are found.
            .args(["--preserve-symlinks", "--preserve-symlinks-main"])
            .arg(folder.join(name))
            .arg(settings.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node runs");
        let port = port_said_by(process.stdout.take().expect("it is piped")).recv_timeout(PATIENCE);
        let mut program = Self {
            origin: String::new(),
            process,
            controls: Client::builder()
                .no_proxy()
                .timeout(PATIENCE + PATIENCE)
                .build()
                .expect("a client"),
        };
        let port = port.unwrap_or_else(|error| panic!("{name} does not say where it listens: {error}"));
        program.origin = format!("http://{host}:{port}");
        program
    }

    /// Where it is: scheme, host and port.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// Has it do one of the things that are described in it.
    pub(crate) async fn control(&self, name: &str, argument: &Value) -> Value {
        let request = self.controls.post(format!("{}/_test/{name}", self.origin));
        let answer = request.json(argument).send().await.expect("it answers");
        if !answer.status().is_success() {
            panic!("{name}: {}", answer.text().await.expect("a reason"));
        }
        answer.json().await.expect("JSON")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Not asked to end, which Node.js now and then never gets done with. What it has started ends when its pipes close.
        self.process.kill().expect("it ends");
        self.process.wait().expect("it has ended");
    }
}

/// The port, once the program says it. Reads on after that: the program must not wait for somebody to read what it says.
fn port_said_by(output: ChildStdout) -> mpsc::Receiver<u16> {
    let (said, port) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if let Some(Ok(port)) = line.strip_prefix("listening on ").map(str::parse) {
                // Whoever asked may have lost patience.
                let _ = said.send(port);
            }
        }
    });
    port
}

//! The programs for Node.js that tests start: identity providers, and a browser.

use std::{
    env,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use reqwest::Client;
use serde_json::{Value, json};

use crate::TestClock;

/// The environment variable with the folder of the programs and what they are made of.
const FOLDER: &str = "TIGERTRUST_TEST_PROVIDERS";

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
        let mut lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        let port = lines
            .find_map(|line| line.ok()?.strip_prefix("listening on ")?.parse::<u16>().ok())
            .expect("the program says where it listens");
        // It must not wait for somebody to read what it says.
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            origin: format!("http://{host}:{port}"),
            process,
            controls: Client::builder().no_proxy().build().expect("a client"),
        }
    }

    /// Where it is: scheme, host and port.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// Has it do one of the things that are described in it.
    pub(crate) async fn control(&self, name: &str, argument: &Value) -> Value {
        let request = self.controls.post(format!("{}/_test/{name}", self.origin));
        let answer = request.json(argument).send().await.expect("it answers");
        assert!(answer.status().is_success(), "{name}: {}", answer.status());
        answer.json().await.expect("JSON")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It ends by itself then, and with it what it has started.
        drop(self.process.stdin.take());
        self.process.wait().expect("it has ended");
    }
}

//! A shell that a guide is typed into.

use std::{
    env,
    ffi::OsString,
    fs,
    io::{BufRead, BufReader, Lines, Write},
    os::unix::{fs::symlink, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use tempfile::TempDir;

/// A session of bash in a scratch folder. Whatever it started ends with it, also if the test is killed.
pub struct Session {
    bash: Child,
    input: Option<ChildStdin>,
    statuses: Lines<BufReader<ChildStdout>>,
    /// Where the guide works.
    folder: TempDir,
    /// What was typed and printed, by step.
    log: TempDir,
    steps: usize,
}

/// What became of a step.
pub struct Step {
    /// Its status; `None` if the shell ended over it.
    pub status: Option<i32>,
    /// What it has printed.
    pub printed: String,
}

impl Session {
    /// A session in which `tigertrust` is the program that this test was built with.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = tempfile::tempdir().unwrap();
        symlink(env!("CARGO_BIN_EXE_tigertrust"), log.path().join("tigertrust")).unwrap();
        // To a terminal curl shows no meter either.
        fs::write(log.path().join(".curlrc"), "silent\nshow-error\n").unwrap();
        let mut path = OsString::from(log.path());
        path.push(":");
        path.push(env::var_os("PATH").unwrap());
        path.push(":/usr/local/sbin:/usr/sbin:/sbin");
        let mut command = Command::new("bash");
        command
            .args(["--noprofile", "--norc"])
            .current_dir(folder.path())
            .env("PATH", path)
            .env("CURL_HOME", log.path())
            .env("PYTHONUNBUFFERED", "1")
            .env("LC_ALL", "C.UTF-8")
            .envs(["no_proxy", "NO_PROXY"].map(|name| (name, "127.0.0.1,localhost")))
            // All that it starts is in its group, by which it is ended.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        // A reader has none of the settings of a test.
        for (name, _) in env::vars_os() {
            if name.to_string_lossy().starts_with("TIGERTRUST") {
                command.env_remove(name);
            }
        }
        let mut bash = command.spawn().expect("bash runs");
        let mut input = bash.stdin.take().unwrap();
        // The shell ends when nobody can type any more, and takes its group along.
        writeln!(input, "trap 'kill -s KILL 0' EXIT").unwrap();
        let statuses = BufReader::new(bash.stdout.take().unwrap()).lines();
        Self {
            bash,
            input: Some(input),
            statuses,
            folder,
            log,
            steps: 0,
        }
    }

    /// Where the guide works.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs commands, each of which must succeed.
    pub fn run(&mut self, commands: &str) -> Step {
        self.step(
            commands,
            "set -e -o pipefail; source \"$typed\"; set +e +o pipefail",
        )
    }

    /// Runs a command, which may fail.
    pub fn try_to_run(&mut self, command: &str) -> Step {
        self.step(command, "source \"$typed\"")
    }

    /// Starts commands and waits until they have printed the text.
    pub fn run_until(&mut self, commands: &str, text: &str) -> Step {
        let text = text.replace('\'', r"'\''");
        let script = format!(
            "source \"$typed\" & grep -q -F -m 1 -e '{text}' <(exec tail -q -f -n +1 --pid=$! \"$printed\" 2>/dev/null)"
        );
        self.step(commands, &script)
    }

    fn step(&mut self, typed: &str, script: &str) -> Step {
        self.steps += 1;
        let file = |name| self.log.path().join(format!("{}.{name}", self.steps));
        let (input, output) = (file("typed"), file("printed"));
        fs::write(&input, typed).unwrap();
        fs::write(&output, "").unwrap();
        let line = format!(
            "typed={} printed={}; {{ {script}; }} >>\"$printed\" 2>&1 </dev/null; echo $? >&1",
            input.display(),
            output.display()
        );
        // A shell that has ended says so by what can be read.
        let _ = writeln!(self.input.as_mut().unwrap(), "{line}");
        let status = self.statuses.next().map(|line| line.unwrap().parse().unwrap());
        Step {
            status,
            printed: fs::read_to_string(&output).unwrap(),
        }
    }

    /// All that was printed up to now, also by what runs in the background.
    pub fn printed(&self) -> String {
        let files = (1..=self.steps).map(|step| self.log.path().join(format!("{step}.printed")));
        files
            .map(|file: PathBuf| fs::read_to_string(file).unwrap())
            .collect()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.input = None;
        // Its own end is that of its group.
        drop(self.bash.wait());
    }
}

#[test]
fn a_session_keeps_what_it_was_told_and_ends_what_it_started() {
    let mut session = Session::start();
    assert_eq!(session.run("word=one\ncd /").status, Some(0));
    let step = session.run("echo $word; pwd");
    assert_eq!((step.status, step.printed.as_str()), (Some(0), "one\n/\n"));
    let step = session.run_until("echo begun; echo $BASHPID; sleep 1000", "begun");
    assert_eq!(step.status, Some(0));
    let step = session.run_until("echo gone", "never");
    assert_ne!(step.status, Some(0), "it ended without a word");
    assert_eq!(session.try_to_run("false").status, Some(1));
    let begun = session.printed();
    let pid: u32 = begun.lines().nth(3).unwrap().parse().unwrap();
    let is_there = || {
        Path::new("/proc")
            .join(pid.to_string())
            .join("exe")
            .read_link()
            .is_ok()
    };
    assert!(is_there());
    assert_eq!(session.run("false\ntrue").status, None, "the shell ends");
    drop(session);
    assert!(!is_there());
}

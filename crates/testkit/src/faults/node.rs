//! One `tigertrust serve`, that can be killed, paused, stopped and started again at the same address.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use reqwest::{Client, Method, RequestBuilder};
use tokio::sync::watch;

use crate::Gate;
use crate::signal;

/// A span of time that may not have ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) from: Instant,
    pub(super) to: Option<Instant>,
}

impl Span {
    fn touches(&self, from: Instant, to: Instant) -> bool {
        self.from <= to && self.to.is_none_or(|end| end >= from)
    }
}

/// When something was so, each time that it was.
#[derive(Default)]
struct Spans(Mutex<Vec<Span>>);

impl Spans {
    fn begin(&self, at: Instant) {
        self.lock().push(Span { from: at, to: None });
    }

    fn end(&self, at: Instant) {
        if let Some(span) = self.lock().last_mut() {
            span.to.get_or_insert(at);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Span>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A node, and what a client knows of when it was well.
pub(super) struct Node {
    number: usize,
    address: SocketAddr,
    command: Box<dyn Fn() -> Command + Send + Sync>,
    log: PathBuf,
    process: Mutex<Option<Child>>,
    client: Client,
    /// Between it and its database.
    pub(super) gate: Option<Gate>,
    paused: Spans,
    impaired: Spans,
    last_up: Mutex<Instant>,
    /// Wakes who waits for it to be there.
    running: watch::Sender<bool>,
}

impl Node {
    /// A node that is started by the command, not started yet.
    pub(super) fn new(
        number: usize,
        address: SocketAddr,
        folder: &Path,
        gate: Option<Gate>,
        command: impl Fn() -> Command + Send + Sync + 'static,
    ) -> Self {
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(60));
        Self {
            number,
            address,
            command: Box::new(command),
            log: folder.join(format!("node-{number}.log")),
            process: Mutex::new(None),
            client: client.build().expect("a client"),
            gate,
            paused: Spans::default(),
            impaired: Spans::default(),
            last_up: Mutex::new(Instant::now()),
            running: watch::Sender::new(false),
        }
    }

    pub(super) fn start(&self) {
        let log = fs::File::options().create(true).append(true).open(&self.log);
        let log = log.expect("a log");
        let mut command = (self.command)();
        let process = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        *self.process() = Some(process.expect("the program starts"));
        self.is_up();
        self.running.send_replace(true);
    }

    /// `kill -9`.
    pub(super) fn kill(&self) {
        self.running.send_replace(false);
        if let Some(mut process) = self.process().take() {
            drop(process.kill());
            drop(process.wait());
        }
    }

    /// Asks it to stop, and waits until it has.
    pub(super) async fn stop(&self) {
        let Some(mut process) = self.process().take() else {
            return;
        };
        signal("TERM", process.id());
        let ended = tokio::task::spawn_blocking(move || process.wait()).await;
        self.running.send_replace(false);
        let status = ended.expect("it is waited for").expect("it ends");
        assert!(status.success(), "node {}: {status}: {}", self.number, self.log());
    }

    /// Stops it in its tracks.
    pub(super) fn pause(&self) {
        signal("STOP", self.pid());
        self.paused.begin(Instant::now());
    }

    /// Lets it go on.
    pub(super) fn wake(&self) {
        // Before it wakes: what is answered after that was decided after that.
        self.paused.end(Instant::now());
        self.is_up();
        signal("CONT", self.pid());
    }

    /// From now on it cannot hear of changes as it should.
    pub(super) fn impair(&self) {
        self.impaired.begin(Instant::now());
    }

    /// From now on, and a second of catching up, it hears again.
    pub(super) fn repair(&self) {
        self.impaired.end(Instant::now() + Duration::from_secs(1));
    }

    /// Whether it was impaired in that span.
    pub(super) fn was_impaired(&self, from: Instant, to: Instant) -> bool {
        self.impaired.lock().iter().any(|span| span.touches(from, to))
    }

    /// The earliest moment at which an answer can have been decided that was asked for then: a paused node decides nothing.
    pub(super) fn decided(&self, asked: Instant) -> Instant {
        let paused = self.paused.lock();
        let at_the_time = paused.iter().filter(|span| span.from <= asked);
        let woken = at_the_time.filter_map(|span| span.to).max();
        woken.map_or(asked, |woken| woken.max(asked))
    }

    /// Since when it runs without a pause.
    pub(super) fn up_since(&self) -> Instant {
        *self.last_up.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until its process is there.
    pub(super) async fn running(&self) {
        // The sender is here.
        drop(self.running.subscribe().wait_for(|running| *running).await);
    }

    /// A request, to be completed and sent.
    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("http://{}{path}", self.address))
    }

    /// Whether it says that it is ready.
    pub(super) async fn is_ready(&self) -> bool {
        let asked = self
            .request(Method::GET, "/readyz")
            .timeout(Duration::from_secs(10));
        asked.send().await.is_ok_and(|answer| answer.status() == 200)
    }

    pub(super) fn number(&self) -> usize {
        self.number
    }

    /// What it has logged.
    pub(super) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn pid(&self) -> String {
        self.process().as_ref().expect("it runs").id().to_string()
    }

    fn is_up(&self) {
        *self.last_up.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn process(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

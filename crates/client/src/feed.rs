//! The feed of the server's changes.

use std::{sync::Arc, time::Duration};

use reqwest::{Response, StatusCode};
use serde::Deserialize;
use tigertrust_model::Entity;
use tokio::time::{sleep, timeout};

use crate::{
    Change, State,
    api::{failure_of, retry_after},
    backoff::pause,
    changes::NO_NUMBER,
    core::Core,
    event_stream::{Block, EventStream},
};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The longest number of a change, in digits.
const LONGEST_ID: usize = 20;
/// The greatest number that every language reads exactly.
const GREATEST_NUMBER: u64 = (1 << 53) - 1;

/// Follows the changes until it is dropped, and says how it stands with that.
pub(crate) async fn follow(running: Running) {
    let core = &*running.0;
    core.status
        .become_state(State::Connecting, "the feed is being opened");
    let mut follower = Follower {
        core,
        last_id: None,
        attempts: 0,
    };
    loop {
        let at_least = match follower.follow().await {
            Ok(at_least) => at_least,
            Err(why) => {
                core.status.become_state(State::Connecting, &why);
                Duration::ZERO
            }
        };
        let pause = pause(
            &*core.settings.random,
            follower.attempts,
            FIRST_PAUSE,
            LONGEST_PAUSE,
        );
        follower.attempts = follower.attempts.saturating_add(1);
        sleep(at_least.saturating_add(pause)).await;
    }
}

/// Is there while the feed is followed. It goes with the task, also when its runtime ends: the next `verify` has to begin anew then.
pub(crate) struct Running(Arc<Core>);

impl Running {
    /// `None` where the feed is followed already.
    pub(crate) fn begin(core: &Arc<Core>) -> Option<Self> {
        core.status.begin_run().then(|| Self(Arc::clone(core)))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.status.end_run();
    }
}

struct Follower<'a> {
    core: &'a Core,
    last_id: Option<String>,
    /// How often the feed was tried since it last did.
    attempts: u32,
}

/// What is known of one connection.
struct Reading {
    resumes: bool,
    signs: u32,
    stream: EventStream,
}

impl Follower<'_> {
    /// One connection, to its end. Tells how long to wait at the least before the next, or why it broke.
    async fn follow(&mut self) -> Result<Duration, String> {
        let core = self.core;
        let opening = core.api.open_feed(self.last_id.as_deref());
        let response = timeout(core.settings.deadline, opening)
            .await
            .map_err(|_| "the feed was not opened within the deadline")?
            .map_err(|error| broken(&error))?;
        if response.status() != StatusCode::OK {
            return Ok(self.refused(&response));
        }
        let reading = Reading {
            resumes: self.last_id.is_some(),
            signs: 0,
            stream: EventStream::default(),
        };
        core.status.hear(core.now());
        core.status.become_state(State::CatchingUp, "the feed has begun");
        self.read(response, reading).await?;
        core.status.become_state(State::Connecting, "the feed has ended");
        Ok(Duration::ZERO)
    }

    async fn read(&mut self, mut response: Response, mut reading: Reading) -> Result<(), String> {
        let status = &self.core.status;
        loop {
            let left = self
                .core
                .settings
                .staleness
                .saturating_sub(status.silence(self.core.now()));
            let piece = timeout(left, response.chunk())
                .await
                .map_err(|_| "the feed was silent for too long")?
                .map_err(|error| broken(&error))?;
            let Some(piece) = piece else { return Ok(()) };
            let now = self.core.now();
            // Who has not read for so long cannot know how old this is.
            if !status.was_heard(now) {
                return Err("the feed was not read for too long".to_owned());
            }
            let read = reading
                .stream
                .push(&piece)
                .map_err(|_| "a line or block of the feed is too long")?;
            for block in read.blocks {
                self.take(&block, &mut reading, now);
            }
            // Only now: who sees that the feed was heard has to see what it said.
            if read.lines > 0 {
                status.hear(now);
            }
        }
    }

    fn take(&mut self, block: &Block, reading: &mut Reading, now: Duration) {
        let core = self.core;
        let number = number_of(block.id.as_deref());
        if block.event.is_none() && block.data.is_empty() {
            if block.id.is_none() {
                return;
            }
            reading.signs = reading.signs.saturating_add(1);
            // The first block tells where the feed begins; the next sign of life, that all until then has been told.
            if reading.signs == 1 && !reading.resumes {
                core.changes.begin(now, number);
                core.status.follow_from(now.saturating_add(core.settings.settle));
            } else {
                core.changes.are_known_up_to(number);
            }
            if reading.signs == 2 {
                self.attempts = 0;
                core.status
                    .become_state(State::Following, "all changes are known");
            }
        } else {
            let change = change_in(block);
            match change {
                Change::Of(entity) => core.changes.note(entity, now, number),
                Change::Everything => core.changes.reset(now, number),
            }
            core.settings.listeners.tell_change(change);
        }
        // Only now: what was not taken in has to be told again.
        let id = block.id.as_ref().filter(|id| is_number(id));
        if let Some(id) = id {
            self.last_id = Some(id.clone());
        }
    }

    fn refused(&mut self, response: &Response) -> Duration {
        let core = self.core;
        let status = response.status();
        let forgets = [
            StatusCode::BAD_REQUEST,
            StatusCode::UNAUTHORIZED,
            StatusCode::FORBIDDEN,
        ];
        if forgets.contains(&status) {
            core.changes.reset(core.now(), NO_NUMBER);
            self.last_id = None;
        }
        let why = format!("the feed was refused with {}", status.as_u16());
        core.status.become_state(State::Connecting, &why);
        retry_after(response).unwrap_or_default()
    }
}

fn broken(error: &reqwest::Error) -> String {
    format!("the feed broke ({})", failure_of(error))
}

fn is_number(id: &str) -> bool {
    (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit())
}

/// The number of a block.
fn number_of(id: Option<&str>) -> u64 {
    let number = id.filter(|id| is_number(id)).and_then(|id| id.parse().ok());
    number
        .filter(|number| *number <= GREATEST_NUMBER)
        .unwrap_or(NO_NUMBER)
}

/// What an event tells. One that cannot be read may be about anything.
fn change_in(block: &Block) -> Change {
    #[derive(Deserialize)]
    struct Data {
        id: String,
    }
    let entity = || {
        let Data { id } = serde_json::from_str(&block.data).ok()?;
        match block.event.as_deref()? {
            "key" => id.parse().ok().map(Entity::Key),
            "user" => id.parse().ok().map(Entity::User),
            "workspace" => id.parse().ok().map(Entity::Workspace),
            _ => None,
        }
    };
    entity().map_or(Change::Everything, Change::Of)
}

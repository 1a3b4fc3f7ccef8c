//! `/api/changes`: the feed of changes as server-sent events (WHATWG HTML §9.2), for caches elsewhere.

use std::{fmt::Write as _, pin::pin, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, header::HeaderValue},
    web::{self, Bytes},
};
use futures_util::{
    future::{Either, select},
    stream,
};
use tigertrust_credentials::{After, ports::StoreError};
use tigertrust_model::{Change, Entity, WorkspaceId};
use tigertrust_wire::Problem;
use tokio::{
    sync::watch,
    time::{Interval, MissedTickBehavior, interval},
};

use crate::{App, error::ApiError, followers::Seat, permit::Admitted, query};

/// How often a quiet feed says that it is there.
const SIGN_OF_LIFE_EVERY: Duration = Duration::from_secs(1);
/// How long ago the node must have heard of its database to say so.
const HEARD_WITHIN: Duration = Duration::from_secs(2);
/// How many changes are read from the database at once.
const PAGE: u16 = 500;

/// Tells of every change from now on, or from after `Last-Event-ID` on. `id` is the number of the change, `event` is `key`,
/// `user`, `workspace`, or `reset` where older numbers are gone and caches must be dropped; the data names what changed. A
/// comment every second tells a quiet feed from a broken one. A workspace's key hears of its own workspace alone.
#[utoipa::path(
    get, path = "/api/changes", tag = "changes", operation_id = "followChanges",
    params(("Last-Event-ID" = Option<u64>, Header, description = "The number of the last change that was heard of")),
    responses((status = 200, description = "A stream of events", content_type = "text/event-stream", body = String)),
)]
pub(crate) async fn follow(
    caller: Admitted,
    app: web::Data<App>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let last = last_event(&request)?;
    // The answer to HEAD has no content, and must take nobody's seat.
    if request.method() == Method::HEAD {
        return Ok(HttpResponse::Ok().content_type("text/event-stream").finish());
    }
    let head = app.recent.head();
    let now = *head.borrow();
    // Who cannot be told of changes must not take the silence for quiet.
    let (Some(now), true) = (now, app.tracker.is_fresh()) else {
        return Err(Problem::unavailable().into());
    };
    let seat = app
        .followers
        .take(caller.name())
        .ok_or_else(Problem::unavailable)?;
    let mut ticks = interval(SIGN_OF_LIFE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.reset();
    let follower = Follower {
        only: caller.workspace().map(|workspace| workspace.id),
        caller,
        app,
        position: last.unwrap_or(now),
        head,
        ticks,
        is_greeted: false,
        _seat: seat,
    };
    let events = stream::unfold(follower, |mut follower| async move {
        let text = follower.next().await?;
        Some((Ok::<_, actix_web::Error>(Bytes::from(text)), follower))
    });
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        // For nginx, which would otherwise hold events back until it has a bufferful.
        .insert_header(("x-accel-buffering", "no"))
        .streaming(events))
}

/// The number in `Last-Event-ID`. An empty one is what a client sends that has heard of none.
fn last_event(request: &HttpRequest) -> Result<Option<u64>, ApiError> {
    const NAME: &str = "last-event-id";
    let mut values = request.headers().get_all(NAME);
    let value = values.next().map(HeaderValue::as_bytes).unwrap_or_default();
    if value.is_empty() {
        return Ok(None);
    }
    let number = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
    match number {
        Some(number) if values.next().is_none() => Ok(Some(number)),
        _ => Err(query::invalid_header(
            "Last-Event-ID",
            "must be the number of a change",
        )),
    }
}

/// One client on its way through the changes.
struct Follower {
    caller: Admitted,
    app: web::Data<App>,
    /// The workspace whose changes it may hear of; `None` for all.
    only: Option<WorkspaceId>,
    /// The number of the last change that was told, or passed over as another's.
    position: u64,
    head: watch::Receiver<Option<u64>>,
    ticks: Interval,
    is_greeted: bool,
    _seat: Seat,
}

impl Follower {
    /// What is to be sent next; `None` at the end.
    async fn next(&mut self) -> Option<String> {
        if !self.is_greeted {
            self.is_greeted = true;
            // A client that loses the connection before the first change can resume from here.
            return Some(format!("id: {}\n: following\n\n", self.position));
        }
        loop {
            self.head.borrow_and_update();
            // Before anything is told: the key may have been revoked, and the stream outlives its request.
            self.caller.renew().await.ok()?;
            // Who is no member there any more acts elsewhere by default, and must not hear of what it follows.
            if self.caller.workspace().map(|workspace| workspace.id) != self.only {
                return None;
            }
            let news = self.news().await.ok()?;
            if !news.is_empty() {
                return Some(news);
            }
            let changed = match select(pin!(self.head.changed()), pin!(self.ticks.tick())).await {
                Either::Left((moved, _)) => Some(moved),
                Either::Right(_) => None,
            };
            if self.app.recent.is_closed() || !self.app.tracker.is_fresh() {
                return None;
            }
            match changed {
                Some(moved) => moved.ok()?,
                None if self.app.tracker.was_heard_within(HEARD_WITHIN) => {
                    return Some(format!("id: {}\n:\n\n", self.position));
                }
                // Whoever hears nothing must think the worst.
                None => {}
            }
        }
    }

    /// The changes since, as events.
    async fn news(&mut self) -> Result<String, StoreError> {
        let mut text = String::new();
        while text.is_empty() {
            let changes = match self.app.recent.after(self.position) {
                After::Changes(changes) => Some(changes),
                After::Older => self.app.log.changes_after(self.position, PAGE).await?,
                After::Unheard => None,
            };
            let Some(changes) = changes else {
                if let Some(head) = *self.head.borrow() {
                    self.position = head;
                    let _ = write!(text, "id: {head}\nevent: reset\ndata: {{}}\n\n");
                }
                break;
            };
            let Some(last) = changes.last() else { break };
            self.position = last.seq;
            for change in &changes {
                self.tell(change, &mut text);
            }
        }
        Ok(text)
    }

    fn tell(&self, change: &Change, text: &mut String) {
        if self.only.is_some() && change.workspace != self.only {
            return;
        }
        let (event, id) = match change.entity {
            Entity::Key(id) => ("key", id.to_string()),
            Entity::User(id) => ("user", id.to_string()),
            Entity::Workspace(id) => ("workspace", id.to_string()),
        };
        let workspace = change.workspace.map(|id| id.to_string());
        let data = serde_json::json!({"id": id, "workspaceId": workspace});
        let _ = write!(text, "id: {}\nevent: {event}\ndata: {data}\n\n", change.seq);
    }
}

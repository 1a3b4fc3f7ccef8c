//! `tigertrust session`.

use serde::Serialize;
use tigertrust_accounts::ports::EndSessions;
use tigertrust_model::Act;
use tigertrust_wire::{Page, Session as Body, format_rfc3339};

use super::{instance, user::find_person};
use crate::{
    cli::{Common, Session},
    failure::Failure,
    output,
};

#[derive(Serialize)]
struct Ended {
    ended: u64,
}

pub async fn run(common: &Common, verb: Session) -> Result<(), Failure> {
    let instance = instance(common).await?;
    let store = instance.storage().sign_ins();
    let done = match verb {
        Session::List { user } => {
            let id = find_person(&instance, &user).await?;
            let sessions = store.list_sessions(id, instance.clock().now()).await?;
            let body = Page {
                // Nobody's session asks here.
                items: sessions.iter().map(|session| Body::new(session, None)).collect(),
                next_cursor: None,
            };
            output::print(common.output, &body, describe)
        }
        Session::Revoke { user, id, .. } => {
            let person = find_person(&instance, &user).await?;
            let which = id.map_or(EndSessions::All, EndSessions::One);
            let ended = store.end_sessions(Act::of_operator(), person, which).await?;
            match id {
                Some(id) if ended == 0 => Err(Failure::new(format!("{user} has no session {id}"))),
                _ => output::print(common.output, &Ended { ended }, |Ended { ended }| {
                    let sessions = if *ended == 1 { "session" } else { "sessions" };
                    format!("Ended {ended} {sessions} of {user}.")
                }),
            }
        }
    };
    instance.close().await;
    done
}

fn describe(body: &Page<Body>) -> String {
    let rows = body.items.iter().map(|session| {
        [
            session.id.clone(),
            format_rfc3339(session.created_at),
            format_rfc3339(session.last_seen_at),
            session.address.clone().unwrap_or_default(),
            session.user_agent.clone().unwrap_or_default(),
        ]
    });
    output::table(["ID", "BEGAN", "LAST SEEN", "ADDRESS", "USER AGENT"], rows)
}

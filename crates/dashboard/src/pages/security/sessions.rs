//! Where somebody is signed in.

use actix_web::http::Method;
use maud::{Markup, html};
use tigertrust_accounts::FlowError;
use tigertrust_http::{ApiError, page};
use tigertrust_model::{Session, SessionId, Timestamp};

use super::{HOME, device, framed};
use crate::{
    components::{Confirm, badge, confirm},
    form::{Fields, Filled},
    instant, layout,
    routes::{PathPages, asked},
    visitor::{PageResult, Visitor, see_other},
};

pub(super) fn routes() -> Vec<PathPages> {
    vec![
        asked(
            "/account/security/sessions/end-others",
            (Method::DELETE, "/api/auth/sessions"),
            ask_end_others,
            end_others,
        ),
        asked(
            "/account/security/sessions/{sessionId}/end",
            (Method::DELETE, "/api/auth/sessions/{id}"),
            ask_end,
            end,
        ),
    ]
}

/// The sessions of the person.
pub(super) fn card(visitor: &Visitor, sessions: &[Session], now: Timestamp) -> Markup {
    let own = visitor.session().id;
    html! {
        section.card.tight {
            div.card-head {
                h2 { "Sessions" }
                @if sessions.len() > 1 { a.button.danger href={ (HOME) "/sessions/end-others" } { "End all others" } }
            }
            div.scroll {
                table.stacking {
                    thead {
                        tr {
                            th scope="col" { "Device" }
                            th scope="col" { "Address" }
                            th scope="col" { "Since" }
                            th scope="col" { "Last seen" }
                            th scope="col" { span.visually-hidden { "What to do" } }
                        }
                    }
                    tbody {
                        @for session in sessions {
                            @let name = name(session);
                            tr {
                                th scope="row" data-label="Device" {
                                    span {
                                        span title=[session.origin.user_agent.as_deref()] { (name) }
                                        @if session.id == own { " " (badge("good", "this one")) }
                                        @if session.sso.is_some() { " " (badge("", "by single sign-on")) }
                                    }
                                }
                                td data-label="Address" { (address(session)) }
                                td data-label="Since" { (instant::from_now(session.created_at, now)) }
                                td data-label="Last seen" { (instant::from_now(session.last_seen_at, now)) }
                                td.actions-cell {
                                    @if session.id != own {
                                        a.button.small href={ (HOME) "/sessions/" (session.id) "/end" }
                                            aria-label={ "End the session of " (name) ", " (instant::distance(session.created_at, now)) } { "End" }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn name(session: &Session) -> String {
    device::in_words(session.origin.user_agent.as_deref().unwrap_or_default())
}

fn address(session: &Session) -> Markup {
    html! { @match session.origin.address { Some(address) => code { (address) }, None => span.quiet { "unknown" } } }
}

/// Asks whether a session is to be ended.
pub(crate) async fn ask_end(visitor: Visitor) -> PageResult {
    let id: SessionId = visitor.id("sessionId")?;
    let sessions = visitor.app().sign_in.sessions(&visitor).await?;
    let found = sessions.iter().find(|session| session.id == id);
    let session = found.ok_or_else(|| ApiError::from(FlowError::NotFound))?;
    let now = visitor.now();
    let content = confirm(
        &visitor,
        &Filled::empty(),
        &Confirm {
            title: "End the session?",
            content: html! {
                p {
                    @if id == visitor.session().id { "It is the one that you are using: you are signed out." }
                    @else { "Whoever has it is signed out at once." }
                }
                dl.facts {
                    dt { "Device" } dd { (name(session)) }
                    dt { "Address" } dd { (address(session)) }
                    dt { "Since" } dd { (instant::at(session.created_at)) }
                    dt { "Last seen" } dd { (instant::from_now(session.last_seen_at, now)) }
                }
                p.quiet { "If you do not know it, change your password too." }
            },
            fields: html! {},
            button: "End the session",
            back: HOME,
        },
    );
    Ok(layout::respond(framed(&visitor, "End the session", &content)))
}

/// Ends it. The one that asks is as good as signed out.
pub(crate) async fn end(visitor: Visitor, _: Fields) -> PageResult {
    let id: SessionId = visitor.id("sessionId")?;
    let app = visitor.app();
    app.sign_in.end_session(&visitor, id, &visitor.origin()).await?;
    tracing::info!(user = %visitor.user().id, session = %id, "session ended");
    if id != visitor.session().id {
        return Ok(see_other("/account/security?done=session-ended"));
    }
    let mut response = see_other("/sign-in?done=signed-out");
    page::take_back(app, &mut response);
    Ok(response)
}

/// Asks whether all others are to be ended.
pub(crate) async fn ask_end_others(visitor: Visitor) -> PageResult {
    let content = confirm(
        &visitor,
        &Filled::empty(),
        &Confirm {
            title: "End all other sessions?",
            content: html! {
                p { "Wherever else you are signed in, you are signed out at once. This session goes on." }
            },
            fields: html! {},
            button: "End all others",
            back: HOME,
        },
    );
    Ok(layout::respond(framed(
        &visitor,
        "End all other sessions",
        &content,
    )))
}

/// Ends them.
pub(crate) async fn end_others(visitor: Visitor, _: Fields) -> PageResult {
    let sign_in = &visitor.app().sign_in;
    sign_in.end_other_sessions(&visitor, &visitor.origin()).await?;
    tracing::info!(user = %visitor.user().id, "other sessions ended");
    Ok(see_other("/account/security?done=sessions-ended"))
}

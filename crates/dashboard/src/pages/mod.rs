//! The pages, one file a subject.

pub(crate) mod audit;
pub(crate) mod key;
pub(crate) mod keys;
pub(crate) mod links;
pub(crate) mod members;
pub(crate) mod overview;
pub(crate) mod profile;
pub(crate) mod proof;
pub(crate) mod security;
pub(crate) mod sign_in;
pub(crate) mod sso;
pub(crate) mod trust_rules;
pub(crate) mod webhooks;
pub(crate) mod workspaces;

use maud::{Markup, html};
use tigertrust_model::{AuditEvent, Timestamp};

use self::audit::names::Names;
use crate::{
    components::{badge, empty},
    instant,
    visitor::Visitor,
};

/// What happened to one thing, newest first.
pub(crate) fn audit_trail(visitor: &Visitor, events: &[AuditEvent], names: &Names, now: Timestamp) -> Markup {
    html! {
        @if events.is_empty() {
            (empty("Nothing yet", "What is done here is listed as it happens.", None))
        } @else {
            div.scroll {
                table.stacking {
                    thead {
                        tr {
                            th scope="col" { "When" }
                            th scope="col" { "What" }
                            th scope="col" { "Who" }
                            th scope="col" { "Changed" }
                        }
                    }
                    tbody {
                        @for event in events {
                            tr {
                                td data-label="When" { (instant::from_now(event.at, now)) }
                                th scope="row" data-label="What" {
                                    a href=(visitor.path(&audit::event_path(event))) { (audit::label(&event.action)) }
                                    @if event.outcome != "success" { " " (badge("bad", &event.outcome)) }
                                }
                                td data-label="Who" { (audit::who(event, names)) }
                                td data-label="Changed" { (event.changes.iter().map(|change| change.field.as_str()).collect::<Vec<_>>().join(", ")) }
                            }
                        }
                    }
                }
            }
        }
    }
}

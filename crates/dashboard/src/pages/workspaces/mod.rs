//! The workspaces of a person, a new one, and the settings of one.

mod delete;
mod settings;

use actix_web::{HttpResponse, http::Method};
use maud::{Markup, html};
use serde_json::json;
use tigertrust_accounts::NewWorkspace;
use tigertrust_http::{ApiError, page};
use tigertrust_model::{Role, Workspace, WorkspaceId};
use tigertrust_wire::CreateWorkspace;

use super::{keys::is_of_form, members::role_name};
use crate::{
    components::{Input, badge, empty, input, submit, summary, token, warning},
    form::{Fields, Filled},
    instant,
    layout::{self, Place},
    routes::{PathPages, asked, get, post, shown},
    visitor::{PageResult, Visitor, see_other},
};

/// What a page says after something was done: see [`notice`](crate::notice).
pub(crate) const NOTICES: &[(&str, &str)] = &[
    (
        "workspace-created",
        "The workspace is there, and you own it. Create a key, or invite colleagues.",
    ),
    ("workspace-saved", "The settings are saved."),
    (
        "workspace-deleted",
        "The workspace is deleted. Its keys are refused everywhere within a second.",
    ),
    (
        "left",
        "You have left the workspace, and your personal keys that had their home there are revoked.",
    ),
];

/// Every path with its pages.
pub(crate) fn routes() -> Vec<PathPages> {
    let read = (Method::GET, "/api/workspaces/{id}");
    let write = (Method::PATCH, "/api/workspaces/{id}");
    vec![
        shown("/workspaces", (Method::GET, "/api/workspaces"), list),
        asked("/workspaces/new", (Method::POST, "/api/workspaces"), new, create),
        (
            "/w/{id}/settings",
            vec![
                page::Page::like(Method::GET, read, get(settings::show)),
                page::Page::like(Method::POST, write, post(settings::save)),
            ],
        ),
        asked(
            "/w/{id}/delete",
            (Method::DELETE, "/api/workspaces/{id}"),
            delete::ask,
            delete::delete,
        ),
    ]
}

/// The workspaces of the person.
pub(crate) async fn list(visitor: Visitor) -> PageResult {
    let memberships = &visitor.record().memberships;
    let closed = memberships
        .iter()
        .any(|(workspace, _)| visitor.record().lacks_second_factor(workspace));
    let content = html! {
        div.page-head {
            div {
                h1 { "Workspaces" }
                p.quiet { "What you are a member of. Each has its own keys, members and settings." }
            }
            @if !memberships.is_empty() { a.button.primary href="/workspaces/new" { "New workspace" } }
        }
        @if closed {
            (warning(&html! {
                p {
                    "A workspace that is marked demands a second factor, which was not proved in this session. "
                    a href="/account/security" { "Add one under Security" } ", or " a href="/step-up?return=/workspaces" { "prove the one that you have" } "."
                }
            }))
        }
        section.card.tight {
            @if memberships.is_empty() {
                (empty(
                    "You are in no workspace",
                    "Make one of your own, or ask a colleague to invite you into theirs.",
                    Some(("/workspaces/new", "Create a workspace")),
                ))
            } @else {
                (table(&visitor, memberships))
            }
        }
    };
    Ok(layout::respond(layout::framed(
        &visitor,
        Place::Workspaces,
        "Workspaces",
        &content,
    )))
}

fn table(visitor: &Visitor, memberships: &[(Workspace, Role)]) -> Markup {
    let now = visitor.now();
    let default = visitor.record().default_workspace();
    html! {
        div.scroll {
            table.stacking {
                thead {
                    tr {
                        th scope="col" { "Name" }
                        th scope="col" { "Your role" }
                        th scope="col" { "Plan" }
                        th scope="col" { "Created" }
                        th scope="col" { span.visually-hidden { "What to do" } }
                    }
                }
                tbody {
                    @for (workspace, role) in memberships {
                        @let is_closed = visitor.record().lacks_second_factor(workspace);
                        tr {
                            th scope="row" data-label="Name" {
                                span.tags {
                                    a href={ "/w/" (workspace.id) } { (workspace.name) }
                                    @if default == Some(workspace.id) { (badge("", "default")) }
                                    @if is_closed { (badge("warn", "second factor needed")) }
                                }
                            }
                            td data-label="Your role" { (role_name(*role)) }
                            td data-label="Plan" { (workspace.plan) }
                            td data-label="Created" { (instant::from_now(workspace.created_at, now)) }
                            td.actions-cell { (action(visitor, workspace.id, &workspace.name, is_closed)) }
                        }
                    }
                }
            }
        }
    }
}

/// Whom a demand shuts out can leave; everybody else does that in the settings.
fn action(visitor: &Visitor, id: WorkspaceId, name: &str, is_closed: bool) -> Markup {
    html! {
        @if is_closed {
            a.button.small href={ "/w/" (id) "/members/" (visitor.user().id) "/remove" } aria-label={ "Leave " (name) } { "Leave" }
        } @else {
            a.button.small href={ "/w/" (id) "/settings" } aria-label={ "Settings of " (name) } { "Settings" }
        }
    }
}

/// Where a workspace is made.
pub(crate) async fn new(visitor: Visitor) -> PageResult {
    Ok(new_page(&visitor, &Filled::empty(), None))
}

fn new_page(visitor: &Visitor, form: &Filled, refused: Option<&ApiError>) -> HttpResponse {
    let content = html! {
        section.card.narrow {
            h1 { "New workspace" }
            (summary(form, &["name"]))
            p { "It has its own keys, members and settings, and begins on plan Free. You own it." }
            form method="post" action="/workspaces/new" {
                (token(visitor))
                (input(form, &Input {
                    name: "name", label: "Name", hint: "Such as the team’s or the product’s. It can be changed.", required: true, ..Input::default()
                }))
                div.actions { (submit("Create workspace")) a.button.quiet href="/workspaces" { "Cancel" } }
            }
        }
    };
    layout::answer(
        layout::framed(visitor, Place::Workspaces, "New workspace", &content),
        refused,
    )
}

/// Makes the workspace.
pub(crate) async fn create(visitor: Visitor, fields: Fields) -> PageResult {
    match try_create(&visitor, &fields).await {
        Ok(id) => Ok(see_other(&format!("/w/{id}?done=workspace-created"))),
        Err(error) if is_of_form(&error) => Ok(new_page(
            &visitor,
            &Filled::refused(&fields, &error),
            Some(&error),
        )),
        Err(error) => Err(error),
    }
}

async fn try_create(visitor: &Visitor, fields: &Fields) -> Result<WorkspaceId, ApiError> {
    let body = page::read::<CreateWorkspace>(&json!({ "name": fields.or_empty("name") }))?;
    let new = NewWorkspace {
        name: body.name,
        plan: None,
        owner: None,
    };
    let flows = &visitor.app().workspaces;
    let workspace = flows.create_as(&visitor.actor(), new).await?;
    tracing::info!(workspace = %workspace.id, by = %visitor.user().id, "workspace created");
    Ok(workspace.id)
}

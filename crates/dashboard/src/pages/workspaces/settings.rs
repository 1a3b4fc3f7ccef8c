//! The settings of a workspace.

use std::time::Duration;

use actix_web::HttpResponse;
use maud::{Markup, html};
use serde_json::{Map, Value, json};
use tigertrust_accounts::WorkspaceChanges;
use tigertrust_credentials::rate_limit::PlanLimits;
use tigertrust_http::{ApiError, page};
use tigertrust_model::{LeakResponse, Role, Workspace, management};
use tigertrust_wire::UpdateWorkspace;

use super::is_of_form;
use crate::{
    components::{Input, checkbox, choices, copyable, input, radio, submit, summary, token},
    form::{Fields, Filled},
    instant,
    layout::{self, Place},
    visitor::{PageResult, Visitor, see_other},
};

/// What the form has for a response to leaks that is the server's to say.
const AS_SERVER: &str = "server";

/// The settings; whoever may change them has them as a form.
pub(super) async fn show(visitor: Visitor) -> PageResult {
    let flows = &visitor.app().workspaces;
    let workspace = flows.get(&visitor.actor(), visitor.workspace_id()?).await?;
    Ok(settings_page(&visitor, &workspace, &Filled::empty(), None))
}

fn settings_page(
    visitor: &Visitor,
    workspace: &Workspace,
    form: &Filled,
    refused: Option<&ApiError>,
) -> HttpResponse {
    let may_write = visitor.may(&management::WORKSPACE_WRITE);
    let limits = visitor.app().workspaces.limits_of(&workspace.plan);
    let content = html! {
        div.page-head {
            div {
                h1 { "Workspace" }
                p.quiet { (workspace.name) ", created " (instant::from_now(workspace.created_at, visitor.now())) }
            }
        }
        @if may_write { (form_of(visitor, workspace, form)) } @else { (facts_of(visitor, workspace)) }
        div.grid {
            section.card {
                h2 { "Plan" }
                (plan(workspace, &limits))
            }
            section.card {
                h2 { "Id" }
                p { "What programs call the workspace: in " code { "X-Workspace-ID" } ", and on the command line." }
                (copyable("workspace-id", &workspace.id.to_string(), "the id of the workspace"))
            }
        }
        section.card.danger {
            h2 { "Danger zone" }
            ul.list {
                li {
                    div {
                        p { strong { "Leave the workspace" } }
                        p.quiet { "Your access ends, and your personal keys that have their home here are revoked." }
                    }
                    a.button.danger href=(visitor.path(&format!("members/{}/remove", visitor.user().id))) { "Leave" }
                }
                @if visitor.role().is_some_and(Role::deletes_workspace) {
                    li {
                        div {
                            p { strong { "Delete the workspace" } }
                            p.quiet { "All of its keys are refused at once, and nobody acts in it any more." }
                        }
                        a.button.danger href=(visitor.path("delete")) { "Delete" }
                    }
                }
            }
        }
    };
    layout::answer(
        layout::framed(visitor, Place::Settings, "Workspace", &content),
        refused,
    )
}

fn form_of(visitor: &Visitor, workspace: &Workspace, form: &Filled) -> Markup {
    let was_sent = form.fields.raw("name").is_some();
    let demands = match was_sent {
        true => form.fields.is_checked("requireSecondFactor"),
        false => workspace.requires_second_factor,
    };
    html! {
        (summary(form, &["name", "requireSecondFactor", "leakResponse"]))
        form.card method="post" action=(visitor.path("settings")) {
            (token(visitor))
            h2 { "Settings" }
            (input(form, &Input { name: "name", label: "Name", value: &workspace.name, required: true, ..Input::default() }))
            (choices(form, "requireSecondFactor", "Second factor", "", &html! {
                (checkbox(
                    "requireSecondFactor", "yes", "Members need a second factor",
                    "An authenticator app or a passkey. Members who have none are refused here until they add one, and so are their personal \
                     keys. Their accounts and other workspaces are not concerned.",
                    demands,
                ))
                @if !workspace.requires_second_factor && !visitor.session().second_factor {
                    p.hint { "To demand it you must have proved one yourself: see " a href="/account/security" { "Security" } "." }
                }
            }))
            (choices(form, "leakResponse", "Leaked agent keys", "What happens to one that somebody reports as leaked.", &leak_choices(
                form.fields.text("leakResponse").unwrap_or_else(|| word_of(workspace.leak_response)),
                visitor.app().leaks.agent,
            )))
            div.actions { (submit("Save settings")) }
        }
    }
}

fn leak_choices(chosen: &str, of_server: LeakResponse) -> Markup {
    let of_server = format!("At present that is “{}”.", name_of(of_server));
    html! {
        (radio("leakResponse", AS_SERVER, "As the server is set up", &of_server, chosen == AS_SERVER))
        @for response in [LeakResponse::Notify, LeakResponse::Revoke] {
            @let word = response.as_str();
            (radio("leakResponse", word, name_of(response), meaning_of(response), chosen == word))
        }
    }
}

fn word_of(response: Option<LeakResponse>) -> &'static str {
    response.map_or(AS_SERVER, LeakResponse::as_str)
}

const fn name_of(response: LeakResponse) -> &'static str {
    match response {
        LeakResponse::Notify => "Notify",
        LeakResponse::Revoke => "Revoke",
    }
}

const fn meaning_of(response: LeakResponse) -> &'static str {
    match response {
        LeakResponse::Notify => "It is marked, and goes on until somebody decides.",
        LeakResponse::Revoke => "It is revoked at once.",
    }
}

fn facts_of(visitor: &Visitor, workspace: &Workspace) -> Markup {
    let response = workspace.leak_response.unwrap_or(visitor.app().leaks.agent);
    html! {
        section.card {
            h2 { "Settings" }
            dl.facts {
                dt { "Name" } dd { (workspace.name) }
                dt { "Second factor" } dd { @if workspace.requires_second_factor { "Members need one" } @else { "Members need none" } }
                dt { "A leaked agent key" } dd { (meaning_of(response)) }
            }
            p.quiet { "An owner or an admin changes them." }
        }
    }
}

fn plan(workspace: &Workspace, limits: &PlanLimits) -> Markup {
    let quotas = [Some(limits.quotas.minute), limits.quotas.hour];
    html! {
        dl.facts {
            dt { "Plan" } dd { (workspace.plan) }
            dt { "Each key" }
            dd {
                @for (index, quota) in quotas.into_iter().flatten().enumerate() {
                    @if index > 0 { ", " }
                    (quota.limit()) " calls " (each(quota.window()))
                }
                @if limits.shadow { "; what is over is admitted, and only counted" }
            }
        }
        p.quiet { "The operator changes it: " code { "tigertrust workspace set-plan " (workspace.id) " PLAN" } }
    }
}

/// A length of time as what something is within it.
fn each(window: Duration) -> String {
    match window.as_secs() {
        60 => "a minute".to_owned(),
        3_600 => "an hour".to_owned(),
        86_400 => "a day".to_owned(),
        _ => format!("in {window:?}"),
    }
}

/// Saves what was changed.
pub(super) async fn save(visitor: Visitor, fields: Fields) -> PageResult {
    match try_save(&visitor, &fields).await {
        Ok(()) => Ok(see_other(&visitor.path("settings?done=workspace-saved"))),
        Err(error) if is_of_form(&error) => Ok(settings_page(
            &visitor,
            visitor.workspace()?,
            &Filled::refused(&fields, &error),
            Some(&error),
        )),
        Err(error) => Err(error),
    }
}

/// Only what differs is asked for: not everybody who may do the one may do the other.
async fn try_save(visitor: &Visitor, fields: &Fields) -> Result<(), ApiError> {
    let workspace = visitor.workspace()?;
    let mut body = Map::new();
    if fields.or_empty("name") != workspace.name {
        body.insert("name".to_owned(), json!(fields.or_empty("name")));
    }
    let demands = fields.is_checked("requireSecondFactor");
    if demands != workspace.requires_second_factor {
        body.insert("requireSecondFactor".to_owned(), json!(demands));
    }
    let response = fields.text("leakResponse");
    if let Some(word) = response.filter(|word| *word != word_of(workspace.leak_response)) {
        let response = Some(word).filter(|word| *word != AS_SERVER);
        body.insert("leakResponse".to_owned(), json!(response));
    }
    if body.is_empty() {
        return Ok(());
    }
    let body = page::read::<UpdateWorkspace>(&Value::Object(body))?;
    let changes = WorkspaceChanges {
        name: body.name,
        plan: None,
        requires_second_factor: body.require_second_factor,
        leak_response: body.leak_response.map(|response| response.map(Into::into)),
    };
    let (id, flows) = (workspace.id, &visitor.app().workspaces);
    flows.edit(&visitor.actor(), id, changes).await?;
    tracing::info!(workspace = %id, by = %visitor.user().id, "workspace edited");
    Ok(())
}

//! Somebody's own account: name, address, default workspace; providers; export and erasure.

mod data;
mod email;
mod identities;

use actix_web::{HttpResponse, http::Method};
use maud::{Markup, html};
use serde_json::{Map, Value, json};
use tigertrust_accounts::{FlowError, ProfileChanges, Violation};
use tigertrust_http::{ApiError, page};
use tigertrust_wire::{Code, UpdateMe};

use super::keys;
use crate::{
    components::{Input, input, select, submit, summary, token},
    form::{Fields, Filled},
    instant,
    layout::{self, Place},
    routes::{PathPages, asked},
    visitor::{PageResult, Visitor, see_other},
};

/// Where the account is.
const HOME: &str = "/account";

/// What a page says after something was done: see [`notice`](crate::notice).
pub(crate) const NOTICES: &[(&str, &str)] = &[
    ("profile-saved", "Your profile is saved."),
    (
        "email-asked",
        "A mail is on its way to the address, if it is free. The address is yours once you follow the link in it, within half an hour.",
    ),
    (
        "identity-connected",
        "Your account is connected: you can sign in by the provider.",
    ),
    (
        "identity-disconnected",
        "Your account is disconnected. The sessions that were begun by the provider have ended.",
    ),
];

/// Every path with its pages.
pub(crate) fn routes() -> Vec<PathPages> {
    let own = asked(HOME, (Method::PATCH, "/api/auth/me"), show, save);
    [vec![own], email::routes(), identities::routes(), data::routes()]
        .into_iter()
        .flatten()
        .collect()
}

/// The account.
pub(crate) async fn show(visitor: Visitor) -> PageResult {
    form_page(&visitor, &Filled::empty(), None).await
}

async fn form_page(visitor: &Visitor, form: &Filled, refused: Option<&ApiError>) -> PageResult {
    let identities = identities::card(visitor).await?;
    let content = html! {
        div.page-head {
            div {
                h1 { "Profile" }
                p.quiet { "Your account, made " (instant::at(visitor.user().created_at)) "." }
            }
        }
        div.grid {
            section.card { h2 { "About you" } (about(visitor, form)) }
            (email::card(visitor))
        }
        @if let Some(identities) = identities { (identities) }
        (data::card())
    };
    Ok(answered(visitor, "Profile", &content, refused))
}

fn about(visitor: &Visitor, form: &Filled) -> Markup {
    let record = visitor.record();
    let chosen = record
        .chosen_workspace
        .map(|id| id.to_string())
        .unwrap_or_default();
    let workspaces: Vec<(String, &str)> = record
        .memberships
        .iter()
        .map(|(workspace, _)| (workspace.id.to_string(), workspace.name.as_str()))
        .collect();
    let mut options = vec![("", "The one that I joined first")];
    options.extend(workspaces.iter().map(|(id, name)| (id.as_str(), *name)));
    html! {
        (summary(form, &["name", "defaultWorkspaceId"]))
        form method="post" action=(HOME) {
            (token(visitor))
            (input(form, &Input {
                name: "name", label: "Name", hint: "How you want to be called. May be left out.", autocomplete: "name",
                value: visitor.user().name.as_deref().unwrap_or_default(), ..Input::default()
            }))
            @if !workspaces.is_empty() {
                (select(form, &Input {
                    name: "defaultWorkspaceId", label: "Default workspace",
                    hint: "Where you begin, and where the API acts if it is told no workspace.", value: &chosen, ..Input::default()
                }, &options))
            }
            div.actions { (submit("Save")) }
        }
    }
}

/// Saves what was edited.
pub(crate) async fn save(visitor: Visitor, fields: Fields) -> PageResult {
    match try_save(&visitor, &fields).await {
        Ok(()) => Ok(see_other("/account?done=profile-saved")),
        Err(error) if is_of_form(&error) => {
            form_page(&visitor, &Filled::refused(&fields, &error), Some(&error)).await
        }
        Err(error) => Err(error),
    }
}

async fn try_save(visitor: &Visitor, fields: &Fields) -> Result<(), ApiError> {
    let mut body = Map::new();
    body.insert("name".to_owned(), json!(fields.text("name")));
    if fields.raw("defaultWorkspaceId").is_some() {
        let chosen = json!(fields.text("defaultWorkspaceId"));
        body.insert("defaultWorkspaceId".to_owned(), chosen);
    }
    let body = page::read::<UpdateMe>(&Value::Object(body))?;
    let chosen = body
        .default_workspace_id
        .map(|id| id.map(|id| id.parse()).transpose());
    let no_such_workspace = |_| {
        let detail = "no such workspace, or not one of yours";
        FlowError::WorkspaceDenied(vec![Violation::new("/defaultWorkspaceId", detail)])
    };
    let changes = ProfileChanges {
        name: body.name,
        default_workspace: chosen.transpose().map_err(no_such_workspace)?,
    };
    let profiles = &visitor.app().profiles;
    profiles.edit(visitor, changes, &visitor.origin()).await?;
    tracing::info!(user = %visitor.user().id, "profile edited");
    Ok(())
}

/// Whether a mistake is shown on the form: also a workspace that is none of the person's any more.
fn is_of_form(error: &ApiError) -> bool {
    keys::is_of_form(error) || error.problem().code == Code::WorkspaceAccessDenied
}

/// A page of this subject.
fn framed(visitor: &Visitor, title: &str, content: &Markup) -> Markup {
    layout::framed(visitor, Place::Profile, title, content)
}

/// A page of this subject, with the status of what was refused.
fn answered(visitor: &Visitor, title: &str, content: &Markup, refused: Option<&ApiError>) -> HttpResponse {
    layout::answer(framed(visitor, title, content), refused)
}

/// The way back above a heading.
fn up() -> Markup {
    html! { p { a href=(HOME) { "Profile" } } }
}

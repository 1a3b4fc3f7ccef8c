//! The end of a workspace.

use actix_web::HttpResponse;
use maud::html;
use tigertrust_accounts::{FlowError, Violation};
use tigertrust_http::ApiError;
use tigertrust_model::Workspace;

use super::is_of_form;
use crate::{
    components::{Input, input, submit_danger, summary, token},
    form::{Fields, Filled},
    layout::{self, Place},
    visitor::{PageResult, Visitor, see_other},
};

/// Asks whether the workspace is to be deleted, and for its name.
pub(super) async fn ask(visitor: Visitor) -> PageResult {
    Ok(delete_page(
        &visitor,
        visitor.workspace()?,
        &Filled::empty(),
        None,
    ))
}

fn delete_page(
    visitor: &Visitor,
    workspace: &Workspace,
    form: &Filled,
    refused: Option<&ApiError>,
) -> HttpResponse {
    let content = html! {
        section.card.narrow.danger {
            h1 { "Delete " (workspace.name) "?" }
            (summary(form, &["name"]))
            div.prose {
                ul {
                    li { "All of its keys are refused everywhere within a second: whoever uses one stops working." }
                    li { "Nobody acts in it any more, you neither. Open invitations are dead, and webhooks are sent no more." }
                    li { "Nobody signs in through its identity providers any more." }
                }
            }
            p { strong { "It cannot be undone." } }
            form method="post" action=(visitor.path("delete")) {
                (token(visitor))
                (input(form, &Input { name: "name", label: "Name of the workspace", hint: &format!("Type “{}” to say that you mean it.", workspace.name), required: true, ..Input::default() }))
                div.actions { (submit_danger("Delete workspace")) a.button.quiet href=(visitor.path("settings")) { "Cancel" } }
            }
        }
    };
    layout::answer(
        layout::framed(visitor, Place::Settings, "Delete workspace", &content),
        refused,
    )
}

/// Deletes it, if its name was typed.
pub(super) async fn delete(visitor: Visitor, fields: Fields) -> PageResult {
    match try_delete(&visitor, &fields).await {
        Ok(()) => Ok(see_other("/workspaces?done=workspace-deleted")),
        Err(error) if is_of_form(&error) => Ok(delete_page(
            &visitor,
            visitor.workspace()?,
            &Filled::refused(&fields, &error),
            Some(&error),
        )),
        Err(error) => Err(error),
    }
}

async fn try_delete(visitor: &Visitor, fields: &Fields) -> Result<(), ApiError> {
    let workspace = visitor.workspace()?;
    // What cannot be undone is not done by a hand that slipped.
    if fields.or_empty("name") != workspace.name.trim() {
        let detail = "is not the name of this workspace";
        return Err(FlowError::Invalid(vec![Violation::new("/name", detail)]).into());
    }
    let id = workspace.id;
    visitor.app().workspaces.delete(&visitor.actor(), id).await?;
    tracing::info!(workspace = %id, by = %visitor.user().id, "workspace deleted");
    Ok(())
}

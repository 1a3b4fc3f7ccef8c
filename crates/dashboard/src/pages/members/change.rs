//! Another role for a member, and taking one out; also oneself, which is to leave.

use actix_web::HttpResponse;
use maud::{Markup, html};
use serde_json::json;
use tigertrust_accounts::ports::Member;
use tigertrust_http::{ApiError, page};
use tigertrust_model::{Role, UserId};
use tigertrust_wire::UpdateMember;

use super::{called, role_choices, role_name, roles_to_give};
use crate::{
    components::{Confirm, choices, confirm, submit, summary, token},
    form::{Fields, Filled},
    layout::{self, Place},
    pages::keys::is_of_form,
    visitor::{PageResult, Visitor, see_other},
};

async fn found(visitor: &Visitor) -> Result<Member, ApiError> {
    let (workspace, user) = (visitor.workspace_id()?, visitor.id("userId")?);
    let members = &visitor.app().members;
    Ok(members.get(&visitor.actor(), workspace, user).await?)
}

/// Asks which role the member is to have.
pub(super) async fn ask_role(visitor: Visitor) -> PageResult {
    let member = found(&visitor).await?;
    Ok(role_page(&visitor, &member, &Filled::empty(), None))
}

fn role_page(visitor: &Visitor, member: &Member, form: &Filled, refused: Option<&ApiError>) -> HttpResponse {
    let chosen = form.fields.text("role").unwrap_or(member.role.as_str());
    let roles: Vec<Role> = roles_to_give(visitor, Some(member.role)).collect();
    let is_oneself = member.user.id == visitor.user().id;
    let content = html! {
        section.card.narrow {
            h1 { "Change the role of " (called(&member.user)) }
            @if member.user.name.is_some() { p.quiet { (member.user.email) } }
            (summary(form, &["role"]))
            p {
                @if is_oneself { "Your" } @else { "The" } " present role is " strong { (role_name(member.role).to_lowercase()) }
                ". Another one acts on the next request, on those of personal keys too."
            }
            @if roles.is_empty() {
                p { "Only an owner changes what an owner is." }
                div.actions { a.button href=(visitor.path("members")) { "To the members" } }
            } @else {
                form method="post" action=(visitor.request().uri().path()) {
                    (token(visitor))
                    (choices(form, "role", "Role", "", &role_choices(roles.into_iter(), chosen)))
                    @if is_oneself { p.quiet { "You cannot give yourself back what you give away: somebody else has to." } }
                    div.actions { (submit("Change role")) a.button.quiet href=(visitor.path("members")) { "Cancel" } }
                }
            }
        }
    };
    layout::answer(
        layout::framed(visitor, Place::Members, "Change role", &content),
        refused,
    )
}

/// Gives the member another role.
pub(super) async fn set_role(visitor: Visitor, fields: Fields) -> PageResult {
    match try_set_role(&visitor, &fields).await {
        Ok(()) => Ok(see_other(&visitor.path("members?done=role-changed"))),
        Err(error) if is_of_form(&error) => {
            let (member, form) = (found(&visitor).await?, Filled::refused(&fields, &error));
            Ok(role_page(&visitor, &member, &form, Some(&error)))
        }
        Err(error) => Err(error),
    }
}

async fn try_set_role(visitor: &Visitor, fields: &Fields) -> Result<(), ApiError> {
    let (workspace, user): (_, UserId) = (visitor.workspace_id()?, visitor.id("userId")?);
    let body = page::read::<UpdateMember>(&json!({ "role": fields.or_empty("role") }))?;
    let role: Role = body.role.into();
    let members = &visitor.app().members;
    members.set_role(&visitor.actor(), workspace, user, role).await?;
    tracing::info!(%workspace, %user, %role, by = %visitor.user().id, "role set");
    Ok(())
}

/// Asks whether the member is to go.
pub(super) async fn ask_remove(visitor: Visitor) -> PageResult {
    let member = found(&visitor).await?;
    remove_page(&visitor, &member, &Filled::empty(), None)
}

fn remove_page(visitor: &Visitor, member: &Member, form: &Filled, refused: Option<&ApiError>) -> PageResult {
    let workspace = visitor.workspace()?;
    let is_oneself = member.user.id == visitor.user().id;
    // Whom the demand for a second factor shuts out cannot see the members, but may leave.
    let back = match visitor.record().lacks_second_factor(workspace) {
        true => "/workspaces".to_owned(),
        false => visitor.path("members"),
    };
    let name = called(&member.user);
    let (title, content, button) = match is_oneself {
        true => (
            format!("Leave {}?", workspace.name),
            what_leaving_ends(),
            "Leave the workspace",
        ),
        false => (
            format!("Remove {name}?"),
            what_removal_ends(member, &workspace.name),
            "Remove member",
        ),
    };
    let content = confirm(
        visitor,
        form,
        &Confirm {
            title: &title,
            content,
            fields: html! {},
            button,
            back: &back,
        },
    );
    Ok(layout::answer(
        layout::framed(visitor, Place::Members, button, &content),
        refused,
    ))
}

fn what_removal_ends(member: &Member, workspace: &str) -> Markup {
    html! {
        p { strong { (member.user.email) } " has the role " (role_name(member.role).to_lowercase()) " in " strong { (workspace) } "." }
        div.prose {
            ul {
                li { "Access to the workspace ends at once, in all sessions." }
                li { "The personal keys that have their home here are revoked for good: whoever uses one is refused within a second." }
                li { "Keys of the workspace go on, whoever made them." }
            }
        }
        p.quiet { "The account stays, and so does what it is in other workspaces. You can invite the person again." }
    }
}

fn what_leaving_ends() -> Markup {
    html! {
        div.prose {
            ul {
                li { "Your access to the workspace ends at once, in all of your sessions." }
                li { "Your personal keys that have their home here are revoked for good: whoever uses one is refused within a second." }
                li { "You come back only if somebody invites you." }
            }
        }
        p.quiet { "Your account stays, and so does what you are in other workspaces." }
    }
}

/// Takes the member out.
pub(super) async fn remove(visitor: Visitor, fields: Fields) -> PageResult {
    let (workspace, user): (_, UserId) = (visitor.workspace_id()?, visitor.id("userId")?);
    let members = &visitor.app().members;
    match members.remove(&visitor.actor(), workspace, user).await {
        Ok(()) => {
            tracing::info!(%workspace, %user, by = %visitor.user().id, "member removed");
            Ok(match user == visitor.user().id {
                true => see_other("/workspaces?done=left"),
                false => see_other(&visitor.path("members?done=member-removed")),
            })
        }
        Err(error) => {
            let error = ApiError::from(error);
            if !is_of_form(&error) {
                return Err(error);
            }
            let (member, form) = (found(&visitor).await?, Filled::refused(&fields, &error));
            remove_page(&visitor, &member, &form, Some(&error))
        }
    }
}

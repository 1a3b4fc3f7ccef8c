//! What is held on somebody: handed out, and erased.

use actix_web::{
    HttpResponse,
    http::{Method, header},
};
use maud::{Markup, html};
use tigertrust_accounts::{FlowError, SignInError};
use tigertrust_http::{ApiError, page};
use tigertrust_model::WorkspaceId;
use tigertrust_wire::Code;

use super::{HOME, answered, framed, up};
use crate::{
    components::{Confirm, confirm, warning},
    form::{Fields, Filled},
    layout,
    routes::{Like, PathPages, asked, shown},
    visitor::{PageResult, Visitor, see_other},
};

const EXPORT: &str = "/account/export";
const FILE: &str = "/account/export/account.json";
const ERASE: &str = "/account/delete";

pub(super) fn routes() -> Vec<PathPages> {
    let export: Like = (Method::GET, "/api/auth/me/export");
    vec![
        shown(EXPORT, export.clone(), explain),
        shown(FILE, export, hand_out),
        asked(ERASE, (Method::DELETE, "/api/auth/me"), ask_erase, erase),
    ]
}

/// The ways to both.
pub(super) fn card() -> Markup {
    html! {
        div.grid {
            section.card {
                h2 { "Your data" }
                p { "Everything that is held on you, in one file: your profile, memberships, sessions, keys, factors, and what the audit log says of you. No secret is in it." }
                div.actions { a.button href=(FILE) { "Download your data" } }
            }
            section.card.danger {
                h2 { "Delete your account" }
                p { "For good. You are told first what is lost by it." }
                div.actions { a.button.danger href=(ERASE) { "Delete your account" } }
            }
        }
    }
}

/// Says what the file is: where somebody is after a fresh proof was asked for.
pub(crate) async fn explain(visitor: Visitor) -> PageResult {
    let content = html! {
        section.card.narrow {
            (up())
            h1 { "Your data" }
            p { "The file is in JSON, and holds everything that is held on you but secrets. Keep it as you would keep a letter: it says where you are signed in from." }
            div.actions { a.button.primary href=(FILE) { "Download your data" } a.button.quiet href=(HOME) { "Back" } }
        }
    };
    Ok(layout::respond(framed(&visitor, "Your data", &content)))
}

/// The file. To ask what it is like hands nothing out, nor is it logged that something was.
pub(crate) async fn hand_out(visitor: Visitor) -> PageResult {
    // What is logged in somebody's name is not done by a link of somebody else's.
    if !page::comes_from_here(visitor.request()) {
        return Ok(see_other(EXPORT));
    }
    if visitor.request().method() == Method::HEAD {
        let mut response = HttpResponse::Ok();
        response.insert_header((header::CONTENT_TYPE, "application/json"));
        return Ok(response.finish());
    }
    match page::exported(visitor.person(), visitor.app()).await {
        // A form that hands out a file would stay where it is, and not say that it is done.
        Err(error) if error.problem().code == Code::StepUpRequired => {
            Ok(see_other("/step-up?return=/account/export"))
        }
        answer => answer,
    }
}

/// Asks whether the account is to be erased.
pub(crate) async fn ask_erase(visitor: Visitor) -> PageResult {
    Ok(erase_page(&visitor, &[], None))
}

fn erase_page(visitor: &Visitor, alone: &[WorkspaceId], refused: Option<&ApiError>) -> HttpResponse {
    let content = confirm(
        visitor,
        &Filled::empty(),
        &Confirm {
            title: "Delete your account?",
            content: html! {
                @if !alone.is_empty() { (owned_alone(visitor, alone)) }
                div.prose {
                    p { "The account of " strong { (visitor.user().email) } " is erased for good:" }
                    ul {
                        li { "You are signed out everywhere, and cannot sign in again." }
                        li { "Your memberships end, and your personal keys are revoked: what uses them stops working." }
                        li { "Your name, your address, your password, your passkeys and your app are gone. Audit logs keep an id that names nobody." }
                    }
                    p { "Keys that belong to a workspace stay, and so does the workspace: one that nobody else owns has to be given to somebody, or deleted, first." }
                    p { a href=(FILE) { "Download your data" } " while you can." }
                }
            },
            fields: html! {},
            button: "Delete my account for good",
            back: HOME,
        },
    );
    answered(visitor, "Delete your account", &content, refused)
}

/// What stands against it.
fn owned_alone(visitor: &Visitor, alone: &[WorkspaceId]) -> Markup {
    let memberships = &visitor.record().memberships;
    let name = |id: &WorkspaceId| {
        let found = memberships.iter().find(|(workspace, _)| workspace.id == *id);
        found.map_or_else(|| id.to_string(), |(workspace, _)| workspace.name.clone())
    };
    let last = alone.len().saturating_sub(1);
    warning(&html! {
        p role="alert" {
            "Nobody else owns "
            @for (index, id) in alone.iter().enumerate() {
                @if index > 0 { @if index == last { " and " } @else { ", " } }
                a href={ "/w/" (id) "/members" } { (name(id)) }
            }
            ": make somebody else an owner, or delete the workspace, first. Nothing was deleted."
        }
    })
}

/// Erases it, and says goodbye.
pub(crate) async fn erase(visitor: Visitor, _: Fields) -> PageResult {
    let app = visitor.app();
    let origin = page::origin_of(app, visitor.request());
    match app.profiles.erase(&visitor, &origin).await {
        Ok(()) => {
            tracing::info!(user = %visitor.user().id, "account erased");
            let mut response = layout::respond(goodbye());
            page::take_all_back(app, &mut response);
            Ok(response)
        }
        Err(SignInError::Flow(FlowError::OwnsAlone(alone))) => {
            let refused = ApiError::from(FlowError::OwnsAlone(alone.clone()));
            Ok(erase_page(&visitor, &alone, Some(&refused)))
        }
        Err(error) => Err(error.into()),
    }
}

fn goodbye() -> Markup {
    layout::plain(
        "Goodbye",
        &html! {
            section.card {
                h1 { "Goodbye" }
                p { "Your account is deleted, and nothing on this device knows it any more. A last mail tells you so." }
                p { a href="/sign-in" { "To sign in" } }
            }
        },
    )
}

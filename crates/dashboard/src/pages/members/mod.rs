//! Members: who they are, what each may do, and how they come and go.

mod change;
mod invitations;

use actix_web::http::Method;
use maud::{Markup, html};
use tigertrust_accounts::ports::{Member, Page};
use tigertrust_model::{Email, Role, Timestamp, User, UserId, management};

use crate::{
    components::{badge, next_page, radio},
    instant,
    layout::{self, Place},
    routes::{PathPages, asked, shown},
    visitor::{PageResult, Visitor},
};

/// How many members a page lists.
const PAGE: u16 = 50;

/// What a page says after something was done: see [`notice`](crate::notice).
pub(crate) const NOTICES: &[(&str, &str)] = &[
    (
        "invited",
        "The invitation is on its way. Its link is good once, and for seven days.",
    ),
    (
        "invited-again",
        "Another link is on its way. The one that was sent before is dead.",
    ),
    (
        "invitation-revoked",
        "The invitation is revoked. Its link is dead.",
    ),
    (
        "role-changed",
        "The role is changed. It acts on the next request.",
    ),
    (
        "member-removed",
        "The member is removed, and the personal keys that had their home here are revoked.",
    ),
];

/// Every path with its pages.
pub(crate) fn routes() -> Vec<PathPages> {
    vec![
        shown(
            "/w/{id}/members",
            (Method::GET, "/api/workspaces/{id}/members"),
            list,
        ),
        asked(
            "/w/{id}/members/invite",
            (Method::POST, "/api/workspaces/{id}/invitations"),
            invitations::new,
            invitations::invite,
        ),
        asked(
            "/w/{id}/members/{userId}/role",
            (Method::PATCH, "/api/workspaces/{id}/members/{userId}"),
            change::ask_role,
            change::set_role,
        ),
        asked(
            "/w/{id}/members/{userId}/remove",
            (Method::DELETE, "/api/workspaces/{id}/members/{userId}"),
            change::ask_remove,
            change::remove,
        ),
        shown(
            "/w/{id}/invitations",
            (Method::GET, "/api/workspaces/{id}/invitations"),
            invitations::list,
        ),
        asked(
            "/w/{id}/invitations/{invitationId}/revoke",
            (Method::DELETE, "/api/workspaces/{id}/invitations/{invitationId}"),
            invitations::ask_revoke,
            invitations::revoke,
        ),
    ]
}

/// The members of the workspace, and on the first page who is invited.
pub(crate) async fn list(visitor: Visitor) -> PageResult {
    let query = visitor.query();
    let after = query.text("cursor").and_then(|text| text.parse::<UserId>().ok());
    let page = Page {
        after,
        limit: PAGE + 1,
    };
    let (workspace, flows) = (visitor.workspace_id()?, &visitor.app().members);
    let mut members = flows.list(&visitor.actor(), workspace, page).await?;
    let more = members.len() > usize::from(PAGE);
    members.truncate(usize::from(PAGE));
    let next = members
        .last()
        .filter(|_| more)
        .map(|last| visitor.path(&format!("members?cursor={}", last.user.id)));
    let invitations = match after {
        None => Some(invitations::latest(&visitor).await?),
        Some(_) => None,
    };
    let content = html! {
        div.page-head {
            div {
                h1 { "Members" }
                p.quiet { "The people of this workspace, and what each may do here." }
            }
            @if visitor.may(&management::MEMBERS_WRITE) {
                a.button.primary href=(visitor.path("members/invite")) { "Invite a colleague" }
            }
        }
        section.card.tight {
            (table(&visitor, &members, visitor.now()))
            (next_page(next))
        }
        @if let Some(invitations) = invitations { (invitations) }
        section.card {
            details {
                summary { "What each role may do" }
                dl.facts {
                    @for role in Role::ALL { dt { (role_name(role)) } dd { (role_meaning(role)) } }
                }
            }
        }
    };
    Ok(layout::respond(layout::framed(
        &visitor,
        Place::Members,
        "Members",
        &content,
    )))
}

fn table(visitor: &Visitor, members: &[Member], now: Timestamp) -> Markup {
    html! {
        div.scroll {
            table.stacking {
                thead {
                    tr {
                        th scope="col" { "Name" }
                        th scope="col" { "E-mail address" }
                        th scope="col" { "Role" }
                        th scope="col" { "Member since" }
                        th scope="col" { span.visually-hidden { "What to do" } }
                    }
                }
                tbody {
                    @for member in members {
                        tr {
                            th scope="row" data-label="Name" {
                                span.tags {
                                    @match &member.user.name { Some(name) => (name), None => span.quiet { "no name" } }
                                    @if member.user.id == visitor.user().id { (badge("", "you")) }
                                    @if member.user.disabled_at.is_some() { (badge("bad", "account disabled")) }
                                }
                            }
                            td data-label="E-mail address" { (address(&member.user.email)) }
                            td data-label="Role" { (badge("", role_name(member.role))) }
                            td data-label="Member since" { (instant::from_now(member.since, now)) }
                            td.actions-cell { (actions(visitor, member)) }
                        }
                    }
                }
            }
        }
    }
}

fn actions(visitor: &Visitor, member: &Member) -> Markup {
    let email = &member.user.email;
    let path = |below: &str| visitor.path(&format!("members/{}/{below}", member.user.id));
    let may_remove = visitor
        .role()
        .is_some_and(|own| own.may_turn(Some(member.role), None));
    html! {
        @if roles_to_give(visitor, Some(member.role)).any(|role| role != member.role) {
            a.button.small href=(path("role")) aria-label={ "Change role of " (email) } { "Change role" } " "
        }
        @if member.user.id == visitor.user().id {
            a.button.small href=(path("remove")) { "Leave" }
        } @else if may_remove {
            a.button.small href=(path("remove")) aria-label={ "Remove " (email) } { "Remove" }
        }
    }
}

/// What the person may make somebody who has the role, or none.
fn roles_to_give(visitor: &Visitor, from: Option<Role>) -> impl Iterator<Item = Role> {
    let own = visitor.role();
    let may = move |to: &Role| own.is_some_and(|own| own.may_turn(from, Some(*to)));
    Role::ALL.into_iter().filter(may)
}

/// A choice of roles, each with what it may do.
fn role_choices(roles: impl Iterator<Item = Role>, chosen: &str) -> Markup {
    html! {
        @for role in roles {
            (radio("role", role.as_str(), role_name(role), role_meaning(role), role.as_str() == chosen))
        }
    }
}

/// An address that goes on in another line where it has a seam.
fn address(email: &Email) -> Markup {
    html! { @for part in email.as_str().split_inclusive(['.', '@']) { (part) wbr; } }
}

/// A person as colleagues know it.
fn called(user: &User) -> String {
    user.name.clone().unwrap_or_else(|| user.email.to_string())
}

/// The name of a role, for people.
pub(super) const fn role_name(role: Role) -> &'static str {
    match role {
        Role::Owner => "Owner",
        Role::Admin => "Admin",
        Role::Member => "Member",
        Role::Viewer => "Viewer",
    }
}

const fn role_meaning(role: Role) -> &'static str {
    match role {
        Role::Owner => {
            "May do everything: also set up single sign-on, make other owners, and delete the workspace."
        }
        Role::Admin => {
            "Manages members, all keys, webhooks and settings, and reads the audit log. Does not touch owners or single sign-on."
        }
        Role::Member => {
            "Uses the applications, and makes keys of their own. Sees the members, and how much those keys are used."
        }
        Role::Viewer => {
            "Only looks: at the applications and the members, and at how much keys of their own are used, if there are any. Makes no keys."
        }
    }
}

//! Invitations: who is asked to become a member, asking somebody, and taking that back.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use maud::{Markup, html};
use serde_json::json;
use tigertrust_accounts::{FlowError, NewInvitation, Violation, ports::Page};
use tigertrust_http::{ApiError, page};
use tigertrust_model::{Creator, EmailError, Invitation, InvitationId, Role, UserId, management};
use tigertrust_wire::Invite;

use super::{address, called, role_choices, role_name, roles_to_give};
use crate::{
    components::{Confirm, Input, badge, choices, confirm, empty, input, next_page, submit, summary, token},
    form::{Fields, Filled},
    instant,
    layout::{self, Place},
    pages::keys::is_of_form,
    visitor::{PageResult, Visitor, see_other},
};

/// How many invitations a page lists.
const PAGE: u16 = 50;
/// How many of them stand below the members.
const LATEST: u16 = 10;

/// The latest invitations, for the page of the members.
pub(super) async fn latest(visitor: &Visitor) -> Result<Markup, ApiError> {
    let (invitations, more) = after(visitor, None, LATEST).await?;
    if invitations.is_empty() {
        return Ok(html! {});
    }
    let table = table(visitor, &invitations).await?;
    Ok(html! {
        section.card.tight {
            h2 { "Invitations" }
            (table)
            @if more { p.pager { a.button href=(visitor.path("invitations")) { "All invitations" } } }
        }
    })
}

/// All invitations into the workspace.
pub(super) async fn list(visitor: Visitor) -> PageResult {
    let query = visitor.query();
    let cursor = query.text("cursor").and_then(|text| text.parse().ok());
    let (invitations, more) = after(&visitor, cursor, PAGE).await?;
    let next = invitations
        .last()
        .filter(|_| more)
        .map(|last| visitor.path(&format!("invitations?cursor={}", last.id)));
    let invite = visitor.path("members/invite");
    let may_invite = visitor.may(&management::MEMBERS_WRITE);
    let content = html! {
        div.page-head {
            div {
                p { a href=(visitor.path("members")) { "Members" } }
                h1 { "Invitations" }
                p.quiet { "Those that are open, and for thirty days those that have expired." }
            }
            @if may_invite { a.button.primary href=(invite) { "Invite a colleague" } }
        }
        section.card.tight {
            @if invitations.is_empty() {
                (empty(
                    "Nobody is invited",
                    "Who is invited gets a mail with a link, and is a member once it was accepted.",
                    may_invite.then_some((invite.as_str(), "Invite somebody")),
                ))
            } @else {
                (table(&visitor, &invitations).await?)
                (next_page(next))
            }
        }
    };
    Ok(layout::respond(layout::framed(
        &visitor,
        Place::Members,
        "Invitations",
        &content,
    )))
}

/// A page of the invitations, newest first, and whether there are more.
async fn after(
    visitor: &Visitor,
    after: Option<InvitationId>,
    most: u16,
) -> Result<(Vec<Invitation>, bool), ApiError> {
    let page = Page {
        after,
        limit: most + 1,
    };
    let flows = &visitor.app().invitations;
    let mut found = flows
        .list(&visitor.actor(), visitor.workspace_id()?, page)
        .await?;
    let more = found.len() > usize::from(most);
    found.truncate(usize::from(most));
    Ok((found, more))
}

async fn table(visitor: &Visitor, invitations: &[Invitation]) -> Result<Markup, ApiError> {
    let names = names_of(visitor, invitations).await?;
    let now = visitor.now();
    Ok(html! {
        div.scroll {
            table.stacking {
                thead {
                    tr {
                        th scope="col" { "E-mail address" }
                        th scope="col" { "Role" }
                        th scope="col" { "Invited" }
                        th scope="col" { "By" }
                        th scope="col" { "Expires" }
                        th scope="col" { span.visually-hidden { "What to do" } }
                    }
                }
                tbody {
                    @for invitation in invitations {
                        tr {
                            th scope="row" data-label="E-mail address" { (address(&invitation.email)) }
                            td data-label="Role" { (badge("", role_name(invitation.role))) }
                            td data-label="Invited" { (instant::from_now(invitation.invited_at, now)) }
                            td data-label="By" { (inviter(visitor, invitation.invited_by, &names)) }
                            td data-label="Expires" {
                                @if invitation.is_expired(now) { (badge("bad", "expired")) } @else { (instant::from_now(invitation.expires_at, now)) }
                            }
                            td.actions-cell { (actions(visitor, invitation)) }
                        }
                    }
                }
            }
        }
    })
}

/// Whoever invited and is a member still, by name.
async fn names_of(
    visitor: &Visitor,
    invitations: &[Invitation],
) -> Result<BTreeMap<UserId, String>, ApiError> {
    let mut names = BTreeMap::new();
    for invitation in invitations {
        let Creator::User(user) = invitation.invited_by else {
            continue;
        };
        if names.contains_key(&user) {
            continue;
        }
        let flows = &visitor.app().members;
        let name = match flows.get(&visitor.actor(), invitation.workspace, user).await {
            Ok(member) => called(&member.user),
            Err(FlowError::NotFound) => "somebody who has left".to_owned(),
            Err(error) => return Err(error.into()),
        };
        names.insert(user, name);
    }
    Ok(names)
}

fn inviter(visitor: &Visitor, by: Creator, names: &BTreeMap<UserId, String>) -> Markup {
    html! {
        @match by {
            Creator::User(user) => (names.get(&user).map(String::as_str).unwrap_or_default()),
            Creator::Key(key) => a href=(visitor.path(&format!("keys/{key}"))) { "a key" },
            Creator::Operator => "the operator",
        }
    }
}

fn actions(visitor: &Visitor, invitation: &Invitation) -> Markup {
    let (email, role) = (&invitation.email, invitation.role);
    let own = visitor.role();
    let may = |to: Option<Role>| own.is_some_and(|own| own.may_turn(Some(role), to));
    html! {
        @if may(Some(role)) {
            form.inline method="post" action=(visitor.path("members/invite")) {
                (token(visitor))
                input type="hidden" name="email" value=(email);
                input type="hidden" name="role" value=(role);
                button.button.small type="submit" aria-label={ "Send again to " (email) } { "Send again" }
            } " "
        }
        @if may(None) {
            a.button.small href=(visitor.path(&format!("invitations/{}/revoke", invitation.id))) aria-label={ "Revoke invitation of " (email) } { "Revoke" }
        }
    }
}

/// Where somebody is invited.
pub(super) async fn new(visitor: Visitor) -> PageResult {
    Ok(new_page(&visitor, &Filled::empty(), None))
}

fn new_page(visitor: &Visitor, form: &Filled, refused: Option<&ApiError>) -> HttpResponse {
    let chosen = form.fields.text("role").unwrap_or(Role::Member.as_str());
    let content = html! {
        section.card.narrow {
            h1 { "Invite a colleague" }
            (summary(form, &["email", "role"]))
            @if visitor.app().sign_in.sends_mail() {
                p { "A mail with a link goes to the address. The link is good once, for seven days, and for nobody else." }
                form method="post" action=(visitor.path("members/invite")) {
                    (token(visitor))
                    (input(form, &Input { name: "email", label: "E-mail address", kind: "email", required: true, ..Input::default() }))
                    (choices(form, "role", "Role", "", &role_choices(roles_to_give(visitor, None), chosen)))
                    p.quiet { "An address that is invited already gets another link; the one before is dead then." }
                    div.actions { (submit("Send invitation")) a.button.quiet href=(visitor.path("members")) { "Cancel" } }
                }
            } @else {
                @let workspace = visitor.workspace_of_page().map(|workspace| workspace.id.to_string()).unwrap_or_default();
                p { "This server sends no mail. Whoever runs it makes the link:" }
                pre { "tigertrust member invite " (workspace) " colleague@example.com --role member" }
                div.actions { a.button href=(visitor.path("members")) { "To the members" } }
            }
        }
    };
    layout::answer(
        layout::framed(visitor, Place::Members, "Invite a colleague", &content),
        refused,
    )
}

/// Invites somebody, or anew.
pub(super) async fn invite(visitor: Visitor, fields: Fields) -> PageResult {
    match try_invite(&visitor, &fields).await {
        Ok(true) => Ok(see_other(&visitor.path("members?done=invited"))),
        Ok(false) => Ok(see_other(&visitor.path("members?done=invited-again"))),
        Err(error) if is_of_form(&error) => Ok(new_page(
            &visitor,
            &Filled::refused(&fields, &error),
            Some(&error),
        )),
        Err(error) => Err(error),
    }
}

async fn try_invite(visitor: &Visitor, fields: &Fields) -> Result<bool, ApiError> {
    let workspace = visitor.workspace_id()?;
    let body = page::read::<Invite>(&json!({
        "email": fields.or_empty("email"),
        "role": fields.or_empty("role"),
    }))?;
    let refuse = |error: EmailError| FlowError::Invalid(vec![Violation::new("/email", error.to_string())]);
    let new = NewInvitation {
        email: body.email.parse().map_err(refuse)?,
        role: body.role.into(),
    };
    let (role, flows) = (new.role, &visitor.app().invitations);
    let (invitation, is_new) = flows.invite_by_mail(&visitor.actor(), workspace, new).await?;
    tracing::info!(%workspace, invitation = %invitation.id, %role, by = %visitor.user().id, "invited");
    Ok(is_new)
}

/// Asks whether the invitation is to be revoked.
pub(super) async fn ask_revoke(visitor: Visitor) -> PageResult {
    let invitation = found(&visitor).await?;
    Ok(revoke_page(&visitor, &invitation, &Filled::empty(), None))
}

/// The invitation that the path names, looked for among all: newest first, as their ids are.
async fn found(visitor: &Visitor) -> Result<Invitation, ApiError> {
    let id: InvitationId = visitor.id("invitationId")?;
    let mut cursor = None;
    loop {
        let (invitations, more) = after(visitor, cursor, PAGE).await?;
        cursor = invitations.last().map(|last| last.id);
        let found = invitations.into_iter().find(|invitation| invitation.id == id);
        match found {
            Some(invitation) => return Ok(invitation),
            None if more && cursor > Some(id) => {}
            None => return Err(FlowError::NotFound.into()),
        }
    }
}

fn revoke_page(
    visitor: &Visitor,
    invitation: &Invitation,
    form: &Filled,
    refused: Option<&ApiError>,
) -> HttpResponse {
    let content = confirm(
        visitor,
        form,
        &Confirm {
            title: "Revoke the invitation?",
            content: html! {
                p {
                    strong { (invitation.email) } " is invited as " (role_name(invitation.role).to_lowercase())
                    ". The link in the mail is dead at once."
                }
                p.quiet { "You can invite the address again." }
            },
            fields: html! {},
            button: "Revoke invitation",
            back: &visitor.path("members"),
        },
    );
    layout::answer(
        layout::framed(visitor, Place::Members, "Revoke invitation", &content),
        refused,
    )
}

/// Revokes the invitation.
pub(super) async fn revoke(visitor: Visitor, fields: Fields) -> PageResult {
    let (workspace, id): (_, InvitationId) = (visitor.workspace_id()?, visitor.id("invitationId")?);
    let flows = &visitor.app().invitations;
    match flows.revoke(&visitor.actor(), workspace, id).await {
        Ok(()) => {
            tracing::info!(%workspace, invitation = %id, by = %visitor.user().id, "invitation revoked");
            Ok(see_other(&visitor.path("members?done=invitation-revoked")))
        }
        Err(error) => {
            let error = ApiError::from(error);
            if !is_of_form(&error) {
                return Err(error);
            }
            let (invitation, form) = (found(&visitor).await?, Filled::refused(&fields, &error));
            Ok(revoke_page(&visitor, &invitation, &form, Some(&error)))
        }
    }
}

//! `tigertrust member`.

use serde::Serialize;
use tigertrust::{TigerTrust, mail::Letterhead};
use tigertrust_accounts::{
    Actor, FlowError, InvitationError, NewInvitation, NewMember, PersonRef, SignInError,
};
use tigertrust_model::{Role, UserId, WorkspaceId};
use tigertrust_wire::{Invitation, Member as Body, Page, format_rfc3339};
use zeroize::Zeroizing;

use super::{instance, key::with_cursor, settings, user::find_person, workspace::unknown};
use crate::{
    cli::{Common, Member, PageArgs},
    failure::Failure,
    output,
};

pub async fn run(common: &Common, verb: Member) -> Result<(), Failure> {
    let instance = instance(common).await?;
    let done = match verb {
        Member::Add {
            workspace,
            user,
            role,
        } => {
            let person = PersonRef::Id(find_person(&instance, &user).await?);
            let new = NewMember { person, role };
            let added = instance.members().add(&Actor::operator(), workspace, new).await;
            let member = added.map_err(|error| unknown(workspace, error))?;
            output::print(common.output, &Body::from(&member), describe)
        }
        Member::Invite {
            workspace,
            email,
            role,
        } => invite(common, &instance, workspace, NewInvitation { email, role }).await,
        Member::List { workspace, page } => list(common, &instance, workspace, &page).await,
        Member::SetRole {
            workspace,
            user,
            role,
        } => {
            let (members, person) = (instance.members(), find_person(&instance, &user).await?);
            let set = members
                .set_role(&Actor::operator(), workspace, person, role)
                .await;
            let member = set.map_err(|error| no_member(workspace, &user, error))?;
            output::print(common.output, &Body::from(&member), describe)
        }
        Member::Remove { workspace, user } => {
            let (members, person) = (instance.members(), find_person(&instance, &user).await?);
            let removed = members.remove(&Actor::operator(), workspace, person).await;
            removed.map_err(|error| no_member(workspace, &user, error))?;
            output::print(common.output, &(), |()| {
                format!(
                    "{user} is no member of {workspace} any more. Personal keys of that home are revoked."
                )
            })
        }
    };
    instance.close().await;
    done
}

/// An invitation, for the operator to hand over.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Issued<'a> {
    #[serde(flatten)]
    invitation: Invitation,
    token: &'a str,
    /// Where people find this service, that is, if its address is set.
    link: Option<&'a str>,
}

async fn invite(
    common: &Common,
    instance: &TigerTrust,
    workspace: WorkspaceId,
    new: NewInvitation,
) -> Result<(), Failure> {
    let invited = instance
        .invitations()
        .invite(&Actor::operator(), workspace, new)
        .await;
    let issued = invited.map_err(|error| match error {
        InvitationError::SignIn(SignInError::Flow(error)) => unknown(workspace, error),
        other => Failure::new(other.to_string()),
    })?;
    let token = issued.token.reveal();
    let found_at = settings(common, Vec::new())?.mail.public_url;
    let link = found_at.map(|url| Zeroizing::new(url.link(&Letterhead::INVITATION_PAGE, token)));
    let body = Issued {
        invitation: Invitation::new(&issued.invitation, instance.clock().now()),
        token,
        link: link.as_ref().map(|link| link.as_str()),
    };
    output::print(common.output, &body, |body| {
        let link = body.link.map_or_else(
            || {
                let page = Letterhead::INVITATION_PAGE.join("/");
                format!("\nGoes into   the field of the page /{page} of this server")
            },
            |link| format!("\nLink        {link}"),
        );
        format!(
            "Invitation  {}\nE-mail      {}\nRole        {}\nExpires     {}\nToken       {}{link}\n\
             Hand it over: whoever has it becomes a member. It is shown once, and good once.",
            body.invitation.id,
            body.invitation.email,
            Role::from(body.invitation.role),
            format_rfc3339(body.invitation.expires_at),
            body.token,
        )
    })
}

async fn list(
    common: &Common,
    instance: &TigerTrust,
    workspace: WorkspaceId,
    page: &PageArgs<UserId>,
) -> Result<(), Failure> {
    let members = instance.members();
    let found = members.list(&Actor::operator(), workspace, page.request()).await;
    let body = Page::of(
        found.map_err(|error| unknown(workspace, error))?,
        page.limit,
        |member| member.user.id.to_string(),
        |member| Body::from(member),
    );
    output::print(common.output, &body, |body| {
        let rows = body.items.iter().map(|member| {
            let disabled = if member.disabled { " (disabled)" } else { "" };
            [
                member.user_id.clone(),
                Role::from(member.role).to_string(),
                format_rfc3339(member.since),
                format!("{}{disabled}", member.email),
            ]
        });
        let table = output::table(["USER", "ROLE", "SINCE", "E-MAIL"], rows);
        with_cursor(table, body.next_cursor.as_deref())
    })
}

fn describe(member: &Body) -> String {
    format!(
        "User    {}\nE-mail  {}\nRole    {}",
        member.user_id,
        member.email,
        Role::from(member.role)
    )
}

fn no_member(workspace: WorkspaceId, user: &str, error: FlowError) -> Failure {
    match error {
        FlowError::NotFound => Failure::new(format!(
            "there is no member {user} of a workspace {workspace}: `tigertrust member list {workspace}` shows all"
        )),
        other => other.into(),
    }
}

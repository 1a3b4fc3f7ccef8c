//! `/api/workspaces/{id}/invitations` and `/api/invitations/accept`.

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use tigertrust_accounts::{Acceptance, AccountToMake, FlowError, NewInvitation};
use tigertrust_credentials::{AuthError, HeaderValues, Need, PersonPermit, Presented, Unauthorized};
use tigertrust_model::InvitationId;
use tigertrust_wire::{AcceptInvitation, Invitation, Invite, Page, Problem, SignedIn};

use crate::{
    App,
    auth::{login::signed_in, refusals::note_refusal},
    body::Body,
    error::ApiError,
    origin::origin,
    permit::{Admitted, presented, session_token},
    query::{self, PageQuery},
    respond::json,
    same_site,
    workspaces::{invalid, parse_id},
};

/// Lists the invitations into a workspace, newest first. Expired ones are shown for thirty days.
#[utoipa::path(
    get, path = "/api/workspaces/{id}/invitations", tag = "invitations", operation_id = "listInvitations",
    params(("id" = String, Path, description = "The workspace's id", example = "ws_01h2xcejqtf2nbrexx3vqjhp41"), PageQuery),
    responses((status = 200, description = "A page of invitations", body = Page<Invitation>)),
)]
pub(crate) async fn list(
    caller: Admitted,
    app: web::Data<App>,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let workspace = parse_id(&id)?;
    let (page, limit) = query::parse::<PageQuery>(&request)?.page::<InvitationId>()?;
    let found = app.invitations.list(&caller.actor(), workspace, page).await?;
    let now = app.clock.now();
    Ok(HttpResponse::Ok().json(Page::of(
        found,
        limit,
        |invitation| invitation.id.to_string(),
        |invitation| Invitation::new(invitation, now),
    )))
}

/// Invites somebody into a workspace by mail, with a link that is good once and for seven days. An address that is invited
/// already gets another link, and the old one is dead. Nobody invites to more than it may make others itself.
#[utoipa::path(
    post, path = "/api/workspaces/{id}/invitations", tag = "invitations", operation_id = "invite",
    request_body = Invite,
    params(("id" = String, Path, description = "The workspace's id", example = "ws_01h2xcejqtf2nbrexx3vqjhp41")),
    responses(
        (status = 201, description = "The invitation", body = Invitation),
        (status = 200, description = "The invitation, with another link than before", body = Invitation),
        (status = 409, description = "The person is a member already, there are too many open invitations, or the server sends no mail", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many invitations have been sent", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn invite(
    mut caller: Admitted,
    app: web::Data<App>,
    id: web::Path<String>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let workspace = parse_id(&id)?;
    let body = body.json::<Invite>(&mut caller).await?;
    let refuse = |error: tigertrust_model::EmailError| invalid("/email", error.to_string());
    let new = NewInvitation {
        email: body.email.parse().map_err(refuse)?,
        role: body.role.into(),
    };
    let (role, actor) = (new.role, caller.actor());
    let invited = app.invitations.invite_by_mail(&actor, workspace, new);
    let (invitation, is_new) = invited.await?;
    tracing::info!(%workspace, invitation = %invitation.id, %role, by = %caller.name(), "invited");
    let body = Invitation::new(&invitation, app.clock.now());
    Ok(if is_new {
        let place = format!("/api/workspaces/{workspace}/invitations/{}", invitation.id);
        HttpResponse::Created()
            .insert_header((header::LOCATION, place))
            .json(body)
    } else {
        HttpResponse::Ok().json(body)
    })
}

/// Revokes an invitation: its link is dead.
#[utoipa::path(
    delete, path = "/api/workspaces/{id}/invitations/{invitationId}", tag = "invitations", operation_id = "revokeInvitation",
    params(
        ("id" = String, Path, description = "The workspace's id", example = "ws_01h2xcejqtf2nbrexx3vqjhp41"),
        ("invitationId" = String, Path, description = "The invitation's id", example = "inv_01h2xcejqtf2nbrexx3vqjhp41"),
    ),
    responses((status = 204, description = "It is revoked")),
)]
pub(crate) async fn revoke(
    caller: Admitted,
    app: web::Data<App>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (workspace, invitation) = path.into_inner();
    let workspace = parse_id(&workspace)?;
    let invitation = invitation.parse().map_err(|_| FlowError::NotFound)?;
    app.invitations
        .revoke(&caller.actor(), workspace, invitation)
        .await?;
    tracing::info!(%workspace, %invitation, by = %caller.name(), "invitation revoked");
    Ok(HttpResponse::NoContent().finish())
}

/// Accepts an invitation, for whoever has its link. Who is signed in with the address that is invited becomes a member. Who
/// has no account gets one, with `name` and `password`, and is signed in. Who has one and is not signed in signs in first.
#[utoipa::path(
    post, path = "/api/invitations/accept", tag = "invitations", operation_id = "acceptInvitation",
    request_body = AcceptInvitation,
    responses(
        (status = 200, description = "The person is a member, and signed in", body = SignedIn),
        (status = 400, description = "The body is malformed, or the password is not accepted", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "The invitation is unknown, spent, revoked or expired; or the address has an account that is to sign in first", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Somebody else is signed in, or whoever invited may not do so any more", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The person is a member already", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many attempts", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn accept(
    request: HttpRequest,
    app: web::Data<App>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let body = body.json_of_anybody::<AcceptInvitation>().await?;
    let person = person(&app, &request).await?;
    let acceptance = Acceptance {
        token: &body.token,
        person: person.as_ref(),
        account: AccountToMake {
            name: body.name.clone(),
            password: body.password.as_ref().map(|password| password.as_str()),
        },
        origin: origin(&app, &request),
    };
    let accepted = match app.invitations.accept(&app.sign_in, acceptance).await {
        Ok(accepted) => accepted,
        Err(error) => {
            note_refusal(&app, &request, "invitation refused", &error);
            return Err(error.into());
        }
    };
    let (workspace, role) = (accepted.invitation.workspace, accepted.invitation.role);
    tracing::info!(user = %accepted.user, %workspace, %role, "invitation accepted");
    match accepted.begun {
        Some(begun) => signed_in(&app, *begun).await,
        None => match self::person(&app, &request).await? {
            Some(person) => Ok(json(&SignedIn::from(person.record()))),
            None => Err(AuthError::Unauthorized(Unauthorized::SessionUnknown).into()),
        },
    }
}

/// Who is signed in, if somebody is: a session that is over is none.
pub(crate) async fn person(app: &App, request: &HttpRequest) -> Result<Option<PersonPermit>, ApiError> {
    let presented = Presented {
        workspace: HeaderValues::Absent,
        ..presented(app, request.head())
    };
    let Some(token) = session_token(app, request, &presented)? else {
        return Ok(None);
    };
    same_site::ensure(request, request.method(), &app.origins)?;
    let need = Need::whole_account();
    // Asked twice for one request, and anybody may make it: what is guessed at here has limits of its own.
    match app.sessions.admit_uncounted(token, &presented, &need).await {
        Ok(permit) => Ok(Some(permit)),
        Err(refusal) => match refusal.why {
            AuthError::SessionOver | AuthError::Unauthorized(Unauthorized::SessionUnknown) => Ok(None),
            why => Err(why.into()),
        },
    }
}

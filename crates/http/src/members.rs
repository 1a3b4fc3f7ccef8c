//! `/api/workspaces/{id}/members`.

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use tigertrust_accounts::{FlowError, NewMember, PersonRef};
use tigertrust_model::{UserId, WorkspaceId};
use tigertrust_wire::{AddMember, Member, Page, Problem, UpdateMember};

use crate::{
    App,
    body::Body,
    error::ApiError,
    permit::Admitted,
    query::{self, PageQuery},
    workspaces::{invalid, parse_id},
};

/// Lists the members of a workspace, the newest accounts first.
#[utoipa::path(
    get, path = "/api/workspaces/{id}/members", tag = "members", operation_id = "listMembers",
    params(("id" = String, Path, description = "The workspace's id", example = "ws_01h2xcejqtf2nbrexx3vqjhp41"), PageQuery),
    responses((status = 200, description = "A page of members", body = Page<Member>)),
)]
pub(crate) async fn list(
    caller: Admitted,
    app: web::Data<App>,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let workspace = parse_id(&id)?;
    let (page, limit) = query::parse::<PageQuery>(&request)?.page::<UserId>()?;
    let members = app.members.list(&caller.actor(), workspace, page).await?;
    Ok(HttpResponse::Ok().json(Page::of(
        members,
        limit,
        |member| member.user.id.to_string(),
        |member| Member::from(member),
    )))
}

/// Makes somebody who has an account a member, without being asked. Only instance keys may do it.
#[utoipa::path(
    post, path = "/api/workspaces/{id}/members", tag = "members", operation_id = "addMember",
    request_body = AddMember,
    params(("id" = String, Path, description = "The workspace's id", example = "ws_01h2xcejqtf2nbrexx3vqjhp41")),
    responses(
        (status = 201, description = "The member", body = Member),
        (status = 409, description = "The person is a member already", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn add(
    mut caller: Admitted,
    app: web::Data<App>,
    id: web::Path<String>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let workspace = parse_id(&id)?;
    let body = body.json::<AddMember>(&mut caller).await?;
    let new = NewMember {
        role: body.role.into(),
        person: person(body)?,
    };
    let member = app.members.add(&caller.actor(), workspace, new).await?;
    let user = member.user.id;
    tracing::info!(%workspace, %user, by = %caller.name(), "member added");
    Ok(HttpResponse::Created()
        .insert_header((
            header::LOCATION,
            format!("/api/workspaces/{workspace}/members/{user}"),
        ))
        .json(Member::from(&member)))
}

fn person(body: AddMember) -> Result<PersonRef, FlowError> {
    match (body.user_id, body.email) {
        (Some(id), None) => id
            .parse()
            .map(PersonRef::Id)
            // What names nobody and who is not there are the same.
            .map_err(|_| invalid("/userId", "no such user")),
        (None, Some(email)) => email
            .parse()
            .map(PersonRef::Email)
            .map_err(|error: tigertrust_model::EmailError| invalid("/email", error.to_string())),
        _ => Err(invalid("", "must hold either userId or email")),
    }
}

/// Shows a member.
#[utoipa::path(
    get, path = "/api/workspaces/{id}/members/{userId}", tag = "members", operation_id = "getMember",
    params(
        ("id" = String, Path, description = "The workspace's id", example = "ws_01h2xcejqtf2nbrexx3vqjhp41"),
        ("userId" = String, Path, description = "The person's id", example = "usr_01h2xcejqtf2nbrexx3vqjhp41"),
    ),
    responses((status = 200, description = "The member", body = Member)),
)]
pub(crate) async fn show(
    caller: Admitted,
    app: web::Data<App>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (workspace, user) = parse_ids(&path)?;
    let member = app.members.get(&caller.actor(), workspace, user).await?;
    Ok(HttpResponse::Ok().json(Member::from(&member)))
}

/// Gives a member another role. It acts on the member's next request. Owners are the business of owners, and a workspace
/// is never without one.
#[utoipa::path(
    patch, path = "/api/workspaces/{id}/members/{userId}", tag = "members", operation_id = "updateMember",
    request_body = UpdateMember,
    params(
        ("id" = String, Path, description = "The workspace's id", example = "ws_01h2xcejqtf2nbrexx3vqjhp41"),
        ("userId" = String, Path, description = "The person's id", example = "usr_01h2xcejqtf2nbrexx3vqjhp41"),
    ),
    responses(
        (status = 200, description = "The member as it is now", body = Member),
        (status = 409, description = "The workspace would be left without an owner", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn update(
    mut caller: Admitted,
    app: web::Data<App>,
    path: web::Path<(String, String)>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let (workspace, user) = parse_ids(&path)?;
    let role = body.json::<UpdateMember>(&mut caller).await?.role.into();
    let actor = caller.actor();
    let member = app.members.set_role(&actor, workspace, user, role).await?;
    tracing::info!(%workspace, %user, %role, by = %caller.name(), "role set");
    Ok(HttpResponse::Ok().json(Member::from(&member)))
}

/// Takes somebody out of a workspace, and revokes the personal keys that have their home there. Everybody may leave, with a
/// personal key that holds the scope.
#[utoipa::path(
    delete, path = "/api/workspaces/{id}/members/{userId}", tag = "members", operation_id = "removeMember",
    params(
        ("id" = String, Path, description = "The workspace's id", example = "ws_01h2xcejqtf2nbrexx3vqjhp41"),
        ("userId" = String, Path, description = "The person's id", example = "usr_01h2xcejqtf2nbrexx3vqjhp41"),
    ),
    responses(
        (status = 204, description = "The person is no member any more"),
        (status = 409, description = "The workspace would be left without an owner", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn remove(
    caller: Admitted,
    app: web::Data<App>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (workspace, user) = parse_ids(&path)?;
    app.members.remove(&caller.actor(), workspace, user).await?;
    tracing::info!(%workspace, %user, by = %caller.name(), "member removed");
    Ok(HttpResponse::NoContent().finish())
}

/// Ids that are none name nothing.
fn parse_ids((workspace, user): &(String, String)) -> Result<(WorkspaceId, UserId), ApiError> {
    let user = user.parse().map_err(|_| FlowError::NotFound)?;
    Ok((parse_id(workspace)?, user))
}

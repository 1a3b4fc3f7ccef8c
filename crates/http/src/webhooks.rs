//! `/api/workspaces/{id}/webhooks`.

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use serde::Deserialize;
use tigertrust_accounts::{FlowError, webhooks::DeliveryState};
use tigertrust_model::{EventId, WebhookId, WorkspaceId};
use tigertrust_wire::{
    CreateWebhook, IssuedWebhook, Page, Problem, RotateWebhookSecret, UpdateWebhook, Webhook, WebhookDelivery,
};
use utoipa::IntoParams;

use crate::{
    App,
    body::Body,
    error::ApiError,
    permit::Admitted,
    query::{self, page},
    respond::json,
    workspaces::parse_id,
};

fn ids(path: &(String, String)) -> Result<(WorkspaceId, WebhookId), ApiError> {
    let webhook = path.1.parse().map_err(|_| FlowError::NotFound)?;
    Ok((parse_id(&path.0)?, webhook))
}

/// Lists the webhooks of a workspace, newest first. There are at most 20.
#[utoipa::path(
    get, path = "/api/workspaces/{id}/webhooks", tag = "webhooks", operation_id = "listWebhooks",
    params(("id" = String, Path, description = "The workspace's id", example = "ws_01h2xcejqtf2nbrexx3vqjhp41")),
    responses((status = 200, description = "The webhooks", body = Page<Webhook>)),
)]
pub(crate) async fn list(
    caller: Admitted,
    app: web::Data<App>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let found = app.webhooks.list(&caller.actor(), parse_id(&id)?).await?;
    let now = app.clock.now();
    let items = found.iter().map(|webhook| Webhook::new(webhook, now)).collect();
    Ok(json(&Page::whole(items)))
}

/// Makes a webhook, and shows the secret that it is signed with, once. What happens in the workspace from now on is sent to it, in
/// the form of Standard Webhooks.
#[utoipa::path(
    post, path = "/api/workspaces/{id}/webhooks", tag = "webhooks", operation_id = "createWebhook",
    request_body = CreateWebhook,
    params(("id" = String, Path, description = "The workspace's id", example = "ws_01h2xcejqtf2nbrexx3vqjhp41")),
    responses(
        (status = 201, description = "The webhook with its secret", body = IssuedWebhook),
        (status = 409, description = "There are too many", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The server has no encryption key for the secret", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn create(
    mut caller: Admitted,
    app: web::Data<App>,
    id: web::Path<String>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let workspace = parse_id(&id)?;
    let new = body.json::<CreateWebhook>(&mut caller).await?.into();
    let issued = app.webhooks.create(&caller.actor(), workspace, new).await?;
    let id = issued.webhook.id;
    tracing::info!(%workspace, webhook = %id, by = %caller.name(), "webhook made");
    let place = format!("/api/workspaces/{workspace}/webhooks/{id}");
    Ok(HttpResponse::Created()
        .insert_header((header::LOCATION, place))
        .json(IssuedWebhook::new(&issued, app.clock.now())))
}

/// Shows a webhook.
#[utoipa::path(
    get, path = "/api/workspaces/{id}/webhooks/{webhookId}", tag = "webhooks", operation_id = "getWebhook",
    params(
        ("id" = String, Path, description = "The workspace's id", example = "ws_01h2xcejqtf2nbrexx3vqjhp41"),
        ("webhookId" = String, Path, description = "The webhook's id", example = "wh_01h2xcejqtf2nbrexx3vqjhp41"),
    ),
    responses((status = 200, description = "The webhook", body = Webhook)),
)]
pub(crate) async fn show(
    caller: Admitted,
    app: web::Data<App>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (workspace, id) = ids(&path)?;
    let webhook = app.webhooks.get(&caller.actor(), workspace, id).await?;
    Ok(json(&Webhook::new(&webhook, app.clock.now())))
}

/// Changes a webhook; what is absent from the body stays. While it is not enabled nothing is kept for it; what waited before is
/// sent once it is enabled again.
#[utoipa::path(
    patch, path = "/api/workspaces/{id}/webhooks/{webhookId}", tag = "webhooks", operation_id = "updateWebhook",
    request_body = UpdateWebhook,
    params(
        ("id" = String, Path, description = "The workspace's id", example = "ws_01h2xcejqtf2nbrexx3vqjhp41"),
        ("webhookId" = String, Path, description = "The webhook's id", example = "wh_01h2xcejqtf2nbrexx3vqjhp41"),
    ),
    responses((status = 200, description = "The webhook as it is now", body = Webhook)),
)]
pub(crate) async fn update(
    mut caller: Admitted,
    app: web::Data<App>,
    path: web::Path<(String, String)>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let (workspace, id) = ids(&path)?;
    let changes = body.json::<UpdateWebhook>(&mut caller).await?.into();
    let webhook = app
        .webhooks
        .update(&caller.actor(), workspace, id, changes)
        .await?;
    tracing::info!(%workspace, webhook = %id, by = %caller.name(), "webhook edited");
    Ok(json(&Webhook::new(&webhook, app.clock.now())))
}

/// Removes a webhook, with what waits to be sent to it.
#[utoipa::path(
    delete, path = "/api/workspaces/{id}/webhooks/{webhookId}", tag = "webhooks", operation_id = "deleteWebhook",
    params(
        ("id" = String, Path, description = "The workspace's id", example = "ws_01h2xcejqtf2nbrexx3vqjhp41"),
        ("webhookId" = String, Path, description = "The webhook's id", example = "wh_01h2xcejqtf2nbrexx3vqjhp41"),
    ),
    responses((status = 204, description = "It is removed")),
)]
pub(crate) async fn remove(
    caller: Admitted,
    app: web::Data<App>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (workspace, id) = ids(&path)?;
    app.webhooks.remove(&caller.actor(), workspace, id).await?;
    tracing::info!(%workspace, webhook = %id, by = %caller.name(), "webhook removed");
    Ok(HttpResponse::NoContent().finish())
}

/// Gives a webhook another secret, and shows it, once. For the overlap it is signed with both.
#[utoipa::path(
    post, path = "/api/workspaces/{id}/webhooks/{webhookId}/rotate-secret", tag = "webhooks", operation_id = "rotateWebhookSecret",
    request_body(content = RotateWebhookSecret, description = "May be missing"),
    params(
        ("id" = String, Path, description = "The workspace's id", example = "ws_01h2xcejqtf2nbrexx3vqjhp41"),
        ("webhookId" = String, Path, description = "The webhook's id", example = "wh_01h2xcejqtf2nbrexx3vqjhp41"),
    ),
    responses((status = 200, description = "The webhook with its new secret", body = IssuedWebhook)),
)]
pub(crate) async fn rotate_secret(
    mut caller: Admitted,
    app: web::Data<App>,
    path: web::Path<(String, String)>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let (workspace, id) = ids(&path)?;
    let body = body.json_or_default::<RotateWebhookSecret>(&mut caller).await?;
    let rotated = app
        .webhooks
        .rotate_secret(&caller.actor(), workspace, id, body.overlap())
        .await?;
    tracing::info!(%workspace, webhook = %id, by = %caller.name(), "secret of a webhook rotated");
    Ok(HttpResponse::Ok().json(IssuedWebhook::new(&rotated, app.clock.now())))
}

/// Sends the event `webhook.test` to a webhook, whatever it wants to hear of. Its deliveries show what came of it.
#[utoipa::path(
    post, path = "/api/workspaces/{id}/webhooks/{webhookId}/test", tag = "webhooks", operation_id = "testWebhook",
    params(
        ("id" = String, Path, description = "The workspace's id", example = "ws_01h2xcejqtf2nbrexx3vqjhp41"),
        ("webhookId" = String, Path, description = "The webhook's id", example = "wh_01h2xcejqtf2nbrexx3vqjhp41"),
    ),
    responses(
        (status = 202, description = "It is to be sent", body = WebhookDelivery),
        (status = 409, description = "The webhook is disabled", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn test(
    caller: Admitted,
    app: web::Data<App>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (workspace, id) = ids(&path)?;
    let delivery = app.webhooks.test(&caller.actor(), workspace, id).await?;
    Ok(HttpResponse::Accepted().json(WebhookDelivery::from(&delivery)))
}

/// Which deliveries to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeliveryQuery {
    /// Only those in this state.
    #[param(value_type = Option<String>, example = "dead")]
    state: Option<String>,
    /// How many entries at the most.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200, default = 50)]
    limit: Option<String>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
}

/// Lists what was, or is to be, sent to a webhook, the newest events first. What was delivered is kept for seven days, what was not
/// for thirty.
#[utoipa::path(
    get, path = "/api/workspaces/{id}/webhooks/{webhookId}/deliveries", tag = "webhooks", operation_id = "listWebhookDeliveries",
    params(
        ("id" = String, Path, description = "The workspace's id", example = "ws_01h2xcejqtf2nbrexx3vqjhp41"),
        ("webhookId" = String, Path, description = "The webhook's id", example = "wh_01h2xcejqtf2nbrexx3vqjhp41"),
        DeliveryQuery,
    ),
    responses((status = 200, description = "A page of deliveries", body = Page<WebhookDelivery>)),
)]
pub(crate) async fn deliveries(
    caller: Admitted,
    app: web::Data<App>,
    path: web::Path<(String, String)>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (workspace, id) = ids(&path)?;
    let query = query::parse::<DeliveryQuery>(&request)?;
    let (page, limit) = page::<EventId>(query.limit.as_deref(), query.cursor.as_deref())?;
    let state = query.state.map(|state| state.parse::<DeliveryState>());
    let state = state
        .transpose()
        .map_err(|error| query::invalid("state", error.to_string()))?;
    let found = app
        .webhooks
        .deliveries(&caller.actor(), workspace, id, state, page)
        .await?;
    Ok(json(&Page::of(
        found,
        limit,
        |delivery| delivery.event.id.to_string(),
        |delivery| WebhookDelivery::from(delivery),
    )))
}

/// Sends what was given up, or delivered, once more and at once, under the id that it had.
#[utoipa::path(
    post, path = "/api/workspaces/{id}/webhooks/{webhookId}/deliveries/{deliveryId}/redeliver", tag = "webhooks", operation_id = "redeliverWebhook",
    params(
        ("id" = String, Path, description = "The workspace's id", example = "ws_01h2xcejqtf2nbrexx3vqjhp41"),
        ("webhookId" = String, Path, description = "The webhook's id", example = "wh_01h2xcejqtf2nbrexx3vqjhp41"),
        ("deliveryId" = String, Path, description = "The delivery's id, which is the event's", example = "evt_01h2xcejqtf2nbrexx3vqjhp41"),
    ),
    responses(
        (status = 202, description = "It is to be sent", body = WebhookDelivery),
        (status = 409, description = "The webhook is disabled", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn redeliver(
    caller: Admitted,
    app: web::Data<App>,
    path: web::Path<(String, String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (workspace, webhook, event) = path.into_inner();
    let event = event.parse().map_err(|_| FlowError::NotFound)?;
    let (workspace, id) = ids(&(workspace, webhook))?;
    let delivery = app
        .webhooks
        .redeliver(&caller.actor(), workspace, id, event)
        .await?;
    tracing::info!(%workspace, webhook = %id, %event, by = %caller.name(), "webhook sent again");
    Ok(HttpResponse::Accepted().json(WebhookDelivery::from(&delivery)))
}

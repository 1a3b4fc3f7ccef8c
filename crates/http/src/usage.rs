//! `/api/usage`, and `/api/keys/{id}/usage`.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use tigertrust_accounts::{UsageRange, UsageRangeError};
use tigertrust_model::Granularity;
use tigertrust_wire::{Problem, Usage, UsageByKey};
use utoipa::{IntoParams, ToSchema};

use crate::{App, error::ApiError, keys::parse_id, permit::Admitted, query};

/// Which calls of a key.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct KeyUsageQuery {
    /// From when on; an hour back for minutes, a day for hours, thirty days for days if nobody says.
    #[param(format = DateTime, example = "2027-01-31T12:00:00Z")]
    from: Option<String>,
    /// Until when; now if nobody says.
    #[param(format = DateTime, example = "2027-02-01T12:00:00Z")]
    to: Option<String>,
    /// How long each bucket is: `minute`, `hour` (if nobody says) or `day`.
    #[param(example = "hour")]
    granularity: Option<String>,
}

/// Which calls of a workspace, and how they are put together.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct UsageQuery {
    /// From when on; an hour back for minutes, a day for hours, thirty days for days if nobody says.
    #[param(format = DateTime, example = "2027-01-31T12:00:00Z")]
    from: Option<String>,
    /// Until when; now if nobody says.
    #[param(format = DateTime, example = "2027-02-01T12:00:00Z")]
    to: Option<String>,
    /// How long each bucket is: `minute`, `hour` (if nobody says) or `day`.
    #[param(example = "hour")]
    granularity: Option<String>,
    /// `outcome` (if nobody says) for all keys together, bucket by bucket; `key` for the keys that were used most.
    #[param(example = "key")]
    group_by: Option<String>,
    /// With `groupBy=key`: how many keys at the most.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200, default = 50)]
    limit: Option<String>,
}

/// The answer, as it was grouped.
#[derive(ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "it stands in the OpenAPI document only")]
pub(crate) enum GroupedUsage {
    ByOutcome(Usage),
    ByKey(UsageByKey),
}

/// Shows how often a key was used, by what became of the calls. Calls of about the last second may be missing.
#[utoipa::path(
    get, path = "/api/keys/{id}/usage", tag = "usage", operation_id = "getKeyUsage",
    params(("id" = String, Path, description = "The key's id", example = "key_01h2xcejqtf2nbrexx3vqjhp41"), KeyUsageQuery),
    responses(
        (status = 200, description = "How often the key was used", body = Usage),
        (status = 404, description = "No such key in this workspace", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn of_key(
    caller: Admitted,
    app: web::Data<App>,
    request: HttpRequest,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let query = query::parse::<KeyUsageQuery>(&request)?;
    let range = range(&app, query.from, query.to, query.granularity)?;
    let usage = app.usage.of_key(&caller.actor(), parse_id(&id)?, range).await?;
    Ok(HttpResponse::Ok().json(Usage::from(&usage)))
}

/// Shows how often the workspace's keys were used, all together or each. Calls of about the last second may be missing.
#[utoipa::path(
    get, path = "/api/usage", tag = "usage", operation_id = "getUsage", params(UsageQuery),
    responses((status = 200, description = "How often keys were used", body = inline(GroupedUsage))),
)]
pub(crate) async fn of_all(
    caller: Admitted,
    app: web::Data<App>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let query = query::parse::<UsageQuery>(&request)?;
    let range = range(&app, query.from, query.to, query.granularity)?;
    match query.group_by.as_deref() {
        None | Some("outcome") if query.limit.is_some() => {
            Err(query::invalid("limit", "is for groupBy=key alone"))
        }
        None | Some("outcome") => {
            let usage = app.usage.of_all(&caller.actor(), range).await?;
            Ok(HttpResponse::Ok().json(Usage::from(&usage)))
        }
        Some("key") => {
            let limit = query::limit(query.limit.as_deref())?;
            let usage = app.usage.by_key(&caller.actor(), range, limit).await?;
            Ok(HttpResponse::Ok().json(UsageByKey::from(&usage)))
        }
        Some(_) => Err(query::invalid("groupBy", "must be key or outcome")),
    }
}

fn range(
    app: &App,
    from: Option<String>,
    to: Option<String>,
    granularity: Option<String>,
) -> Result<UsageRange, ApiError> {
    let granularity = granularity.map(|text| text.parse::<Granularity>()).transpose();
    let granularity = granularity.map_err(|error| query::invalid("granularity", error.to_string()))?;
    let (from, to) = (
        query::time("from", from.as_deref())?,
        query::time("to", to.as_deref())?,
    );
    UsageRange::new(from, to, granularity, app.clock.now())
        .map_err(|error: UsageRangeError| query::invalid("from", error.to_string()))
}

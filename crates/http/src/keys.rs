//! `/api/keys`.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use serde::Deserialize;
use tigertrust_accounts::{CreatedOnce, FlowError, IdempotencyKey, ImportInto, LeakResponse, Violation};
use tigertrust_credentials::{
    AuthError, Need, Verdict, Verification,
    rate_limit::{Decision, Quota},
};
use tigertrust_model::{
    KeyFilter, KeyId, KeyState, KeyType, KeyTypes, Lifecycle, Scope, Timestamp, WorkspaceId,
};
use tigertrust_wire::{
    CreateKey, ImportKeys, ImportReport, IssuedKey, Key, KeyVerdict, Page, Problem, ReportLeak, RevokeKey,
    RotateKey, UpdateKey, VerifyKey, add_rate_limits,
};
use utoipa::IntoParams;

use crate::{
    App,
    body::Body,
    error::ApiError,
    origin::origin,
    permit::Admitted,
    query,
    respond::{json, json_text},
};

/// Creates a key and shows its secret, once. With `Idempotency-Key` a request may be sent again for 24 hours: it answers
/// with the key that it made the first time, without the secret.
#[utoipa::path(
    post, path = "/api/keys", tag = "keys", operation_id = "createKey", request_body = CreateKey,
    params(("Idempotency-Key" = Option<String>, Header, description = "What the caller names this request by: 1 to 255 visible characters of ASCII")),
    responses(
        (status = 201, description = "The key with its secret", body = IssuedKey),
        (status = 200, description = "The key that this request made before, without its secret", body = Key),
        (status = 409, description = "The idempotency key was used for another request", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn create(
    mut caller: Admitted,
    app: web::Data<App>,
    request: HttpRequest,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let (new, content) = body.json_and_content::<CreateKey>(&mut caller).await?;
    let actor = caller.actor();
    let issued = match idempotency_key(&request, content)? {
        None => app.keys.create(&actor, new.into()).await?,
        Some(request) => match app.keys.create_once(&actor, new.into(), &request).await? {
            CreatedOnce::Issued(issued) => issued,
            CreatedOnce::Before(key) => {
                return Ok(HttpResponse::Ok().json(Key::new(&key, app.clock.now())));
            }
        },
    };
    tracing::info!(key = %issued.key.id, by = %issued.key.created_by, "key created");
    Ok(HttpResponse::Created()
        .insert_header((header::LOCATION, format!("/api/keys/{}", issued.key.id)))
        .json(IssuedKey::new(&issued.details(), &issued.secret, app.clock.now())))
}

fn idempotency_key(request: &HttpRequest, content: Vec<u8>) -> Result<Option<IdempotencyKey>, ApiError> {
    const NAME: &str = "Idempotency-Key";
    let mut values = request.headers().get_all("idempotency-key");
    let Some(name) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(query::invalid_header(NAME, "must be there once"));
    }
    IdempotencyKey::new(name.as_bytes(), content)
        .map(Some)
        .map_err(|error| query::invalid_header(NAME, error.to_string()))
}

/// Imports keys that were made elsewhere, by their SHA-256: their users go on with the keys that they have. Each key is told of by
/// itself; one that is there already stays as it is, so that an import may be sent again. The formats of such keys are
/// configuration.
#[utoipa::path(
    post, path = "/api/keys/import", tag = "keys", operation_id = "importKeys", request_body = ImportKeys,
    responses((status = 200, description = "What became of each key, in the order of the request", body = ImportReport)),
)]
pub(crate) async fn import(
    mut caller: Admitted,
    app: web::Data<App>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let asked = body.json::<ImportKeys>(&mut caller).await?;
    let is_trial = asked.dry_run;
    let records = asked.into_records();
    let imported = app
        .keys
        .import(&caller.actor(), ImportInto::Caller, records, is_trial)
        .await?;
    let report = ImportReport::new(is_trial, imported);
    if !is_trial && report.created > 0 {
        tracing::info!(keys = report.created, by = %caller.name(), "keys imported");
    }
    Ok(json(&report))
}

/// Lists the workspace's keys, newest first.
#[utoipa::path(
    get, path = "/api/keys", tag = "keys", operation_id = "listKeys", params(ListQuery),
    responses((status = 200, description = "A page of keys", body = Page<Key>)),
)]
pub(crate) async fn list(
    caller: Admitted,
    app: web::Data<App>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let now = app.clock.now();
    let query = query::parse::<ListQuery>(&request)?;
    let (page, limit) = query::page::<KeyId>(query.limit.as_deref(), query.cursor.as_deref())?;
    let keys = app
        .keys
        .list(&caller.actor(), None, query.filter(now)?, page)
        .await?;
    Ok(HttpResponse::Ok().json(Page::of(
        keys,
        limit,
        |details| details.key.id.to_string(),
        |details| Key::new(details, now),
    )))
}

/// Which keys to list. Filters add up.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Only those in this state: `active`, `deactivated`, `expired` or `revoked`.
    #[param(example = "active")]
    state: Option<String>,
    /// Only those of this type: `agent` or `public`.
    #[param(example = "agent")]
    r#type: Option<String>,
    /// Only those whose name holds this text, or whose secret begins with it (8 characters are enough).
    q: Option<String>,
    /// Only those with this external id.
    external_id: Option<String>,
    /// Only those that were made before this time and have not been used since.
    #[param(format = DateTime, example = "2027-01-31T12:00:00Z")]
    unused_since: Option<String>,
    /// How many entries at the most.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200, default = 50)]
    limit: Option<String>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
}

/// The longest text to search for, in characters.
const MAX_SEARCH: usize = 100;

impl ListQuery {
    fn filter(self, now: Timestamp) -> Result<KeyFilter, ApiError> {
        let state = self.state.map(|text| text.parse::<KeyState>()).transpose();
        let kind = self.r#type.map(|text| text.parse::<KeyType>()).transpose();
        let too_long = |text: &String| text.chars().count() > MAX_SEARCH || text.contains('\0');
        if self.q.as_ref().is_some_and(too_long) {
            return Err(query::invalid(
                "q",
                format!("must have {MAX_SEARCH} characters or fewer, none of them U+0000"),
            ));
        }
        if self.external_id.as_ref().is_some_and(|text| text.contains('\0')) {
            return Err(query::invalid("externalId", "must not hold the character U+0000"));
        }
        Ok(KeyFilter {
            state: state
                .map_err(|error| query::invalid("state", error.to_string()))?
                .map(|state| (state, now)),
            kind: kind.map_err(|error| query::invalid("type", error.to_string()))?,
            text: self.q.filter(|text| !text.is_empty()),
            external_id: self.external_id,
            unused_since: query::time("unusedSince", self.unused_since.as_deref())?,
        })
    }
}

/// Shows a key.
#[utoipa::path(
    get, path = "/api/keys/{id}", tag = "keys", operation_id = "getKey",
    params(("id" = String, Path, description = "The key's id", example = "key_01h2xcejqtf2nbrexx3vqjhp41")),
    responses(
        (status = 200, description = "The key", body = Key),
        (status = 404, description = "No such key in this workspace", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn show(
    caller: Admitted,
    app: web::Data<App>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let key = app.keys.get(&caller.actor(), parse_id(&id)?).await?;
    Ok(HttpResponse::Ok().json(Key::new(&key, app.clock.now())))
}

/// Edits a key; what is absent from the body stays as it is.
#[utoipa::path(
    patch, path = "/api/keys/{id}", tag = "keys", operation_id = "updateKey", request_body = UpdateKey,
    params(("id" = String, Path, description = "The key's id", example = "key_01h2xcejqtf2nbrexx3vqjhp41")),
    responses(
        (status = 200, description = "The key as it is now", body = Key),
        (status = 404, description = "No such key in this workspace", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The key is revoked, which is final", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn update(
    mut caller: Admitted,
    app: web::Data<App>,
    id: web::Path<String>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let id = parse_id(&id)?;
    let changes = body.json::<UpdateKey>(&mut caller).await?.into();
    let key = app.keys.edit(&caller.actor(), id, changes).await?;
    tracing::info!(key = %id, by = %caller.name(), "key edited");
    Ok(HttpResponse::Ok().json(Key::new(&key, app.clock.now())))
}

/// Gives a key another secret under the same id, and shows it, once. The old secret goes on for the overlap; from then on
/// it is refused with `KEY_REVOKED`.
#[utoipa::path(
    post, path = "/api/keys/{id}/rotate", tag = "keys", operation_id = "rotateKey",
    request_body(content = RotateKey, description = "May be missing"),
    params(("id" = String, Path, description = "The key's id", example = "key_01h2xcejqtf2nbrexx3vqjhp41")),
    responses(
        (status = 200, description = "The key with its new secret", body = IssuedKey),
        (status = 404, description = "No such key in this workspace", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The key is revoked, which is final", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn rotate(
    mut caller: Admitted,
    app: web::Data<App>,
    id: web::Path<String>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let id = parse_id(&id)?;
    let overlap = Duration::from_secs(
        body.json_or_default::<RotateKey>(&mut caller)
            .await?
            .overlap_seconds,
    );
    let rotated = app.keys.rotate(&caller.actor(), id, overlap).await?;
    tracing::info!(key = %id, by = %caller.name(), "key rotated");
    Ok(HttpResponse::Ok().json(IssuedKey::new(&rotated.details, &rotated.secret, app.clock.now())))
}

/// Revokes a key for good. This node refuses it before this answer, every other within a second. Revoking it again
/// changes nothing. A key may always revoke itself.
#[utoipa::path(
    post, path = "/api/keys/{id}/revoke", tag = "keys", operation_id = "revokeKey",
    request_body(content = RevokeKey, description = "May be missing"),
    params(("id" = String, Path, description = "The key's id", example = "key_01h2xcejqtf2nbrexx3vqjhp41")),
    responses(
        (status = 200, description = "The revoked key", body = Key),
        (status = 404, description = "No such key in this workspace", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn revoke(
    mut caller: Admitted,
    app: web::Data<App>,
    id: web::Path<String>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let id = parse_id(&id)?;
    let before = app.clock.now();
    // Over its limit a key may revoke itself, and nothing else: no body that is wrong makes it a free call.
    let reason = if caller.is_over_limit() {
        None
    } else {
        body.json_or_default::<RevokeKey>(&mut caller).await?.reason
    };
    let key = app.keys.revoke(&caller.actor(), id, reason).await?;
    // Revoking a key again is no event.
    if matches!(&key.key.lifecycle, Lifecycle::Revoked { at, .. } if *at >= before) {
        tracing::info!(key = %id, by = %caller.name(), "key revoked");
    }
    Ok(HttpResponse::Ok().json(Key::new(&key, app.clock.now())))
}

/// Says what a key is worth that somebody presented to the caller, with the reason where it is refused. A workspace's key
/// learns only of the keys of its workspace.
#[utoipa::path(
    post, path = "/api/keys/verify", tag = "keys", operation_id = "verifyKey", request_body = VerifyKey,
    responses((status = 200, description = "What the key is worth", body = KeyVerdict)),
)]
pub(crate) async fn verify(
    mut caller: Admitted,
    app: web::Data<App>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let asked = body.json::<VerifyKey>(&mut caller).await?;
    let home = caller.workspace().map(|workspace| workspace.id);
    let verdict = app
        .admission
        .verify(&verification(&app, &asked, home)?)
        .await
        .map_err(AuthError::Unavailable)?;
    Ok(tell(&verdict))
}

/// What is asked about a key, by whoever may know of the keys of that home.
pub(crate) fn verification<'a>(
    app: &App,
    asked: &'a VerifyKey,
    home: Option<WorkspaceId>,
) -> Result<Verification<'a>, ApiError> {
    let mut need = Need::any_caller();
    if let Some(kind) = asked.r#type {
        need.types = KeyTypes::only(kind.into());
    }
    need.scope = asked
        .scope
        .as_deref()
        .map(|text| known_scope(app, text))
        .transpose()?;
    if asked.cost > Quota::MAX_LIMIT {
        let detail = format!("must be 0 to {}", Quota::MAX_LIMIT);
        return Err(FlowError::Invalid(vec![Violation::new("/cost", detail)]).into());
    }
    Ok(Verification {
        key: &asked.key,
        need,
        workspace: asked.workspace_id.as_deref(),
        client: asked.client_address,
        home,
        cost: asked.cost,
    })
}

/// What whoever asked is told.
pub(crate) fn tell(verdict: &Verdict) -> HttpResponse {
    // The same for every good use of the key in its home, so that it is written once.
    let kept =
        verdict.written(|verdict| serde_json::to_string(&KeyVerdict::from(verdict).without_limits()).ok());
    let written = kept
        .zip(verdict.limits())
        .and_then(|(text, limits)| with_limits(text, limits));
    match written {
        Some(text) => json_text(Some(text.into())),
        None => json(&KeyVerdict::from(verdict)),
    }
}

/// A verdict that was written without its limits, with them.
fn with_limits(verdict: &str, limits: &Decision) -> Option<String> {
    let members = verdict.strip_suffix('}')?;
    let mut text = String::with_capacity(members.len() + 256);
    text.push_str(members);
    text.push_str(r#","rateLimits":"#);
    add_rate_limits(&mut text, limits);
    text.push('}');
    Some(text)
}

/// Takes a report that a key has leaked; whoever holds the key may make it. By the server's policy the key is revoked or
/// marked. The answer is the same whether the key is known or not.
#[utoipa::path(
    post, path = "/api/keys/report-leak", tag = "keys", operation_id = "reportLeak", request_body = ReportLeak,
    responses((status = 202, description = "The report is taken")),
)]
pub(crate) async fn report_leak(
    request: HttpRequest,
    app: web::Data<App>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let report = body.json_of_anybody::<ReportLeak>().await?;
    let origin = origin(&app, &request);
    let reported = app.keys.report_leak(&report.key, app.leaks, origin).await?;
    if let Some((key, response)) = reported {
        let revoked = response == LeakResponse::Revoke;
        tracing::warn!(%key, revoked, "key reported as leaked");
    }
    Ok(HttpResponse::Accepted().finish())
}

/// A scope that exists: a mistyped one must be noticed, and not refuse every key.
fn known_scope(app: &App, text: &str) -> Result<Scope, ApiError> {
    let scope = text
        .parse::<Scope>()
        .ok()
        .filter(|scope| app.catalog.knows(scope));
    scope.ok_or_else(|| FlowError::Invalid(vec![Violation::new("/scope", "no such scope")]).into())
}

/// An id that is none names nothing.
pub(crate) fn parse_id(text: &str) -> Result<KeyId, ApiError> {
    text.parse().map_err(|_| FlowError::NotFound.into())
}

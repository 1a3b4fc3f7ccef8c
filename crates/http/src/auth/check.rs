//! `/api/auth/check`: forward-auth for reverse proxies.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        Method, StatusCode,
        header::{HeaderName, HeaderValue},
    },
    web::{self, Bytes},
};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Deserialize;
use tigertrust_credentials::{AuthError, Need, Permit, PersonPermit, Presented, TokenDigest};
use tigertrust_model::{KeyType, KeyTypes, Role, Scope, WorkspaceId};
use utoipa::IntoParams;

use crate::{
    App,
    error::ApiError,
    permit::{presented, session_token},
    query, rate_limit, same_site,
};

const CODE: HeaderName = HeaderName::from_static("x-auth-code");
const NOTHING: HeaderValue = HeaderValue::from_static("");
const API_KEY: HeaderValue = HeaderValue::from_static("apiKey");
const TYPE: HeaderName = HeaderName::from_static("x-auth-type");
pub(crate) const KEY_ID: HeaderName = HeaderName::from_static("x-auth-key-id");
const KEY_TYPE: HeaderName = HeaderName::from_static("x-auth-key-type");
const SCOPES: HeaderName = HeaderName::from_static("x-auth-scopes");
pub(crate) const WORKSPACE_ID: HeaderName = HeaderName::from_static("x-auth-workspace-id");
pub(crate) const USER_ID: HeaderName = HeaderName::from_static("x-auth-user-id");
const ROLE: HeaderName = HeaderName::from_static("x-auth-role");
const FORWARDED_METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");
const ORIGINAL_METHOD: HeaderName = HeaderName::from_static("x-original-method");
const EXTERNAL_ID: HeaderName = HeaderName::from_static("x-auth-external-id");

/// What stands in a header as it is: visible ASCII but the per cent sign.
const ENCODED: AsciiSet = CONTROLS.add(b'%').add(b' ');

/// What the proxy asks for. Without parameters any valid caller will do.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct CheckQuery {
    /// The type of key that may pass: `agent` or `public`.
    #[param(example = "agent")]
    r#type: Option<String>,
    /// The scope that the caller must hold.
    #[param(example = "certificates:read")]
    scope: Option<String>,
    /// The workspace that the caller must be in, in place of `X-Workspace-ID`.
    #[param(example = "ws_01h2xcejqtf2nbrexx3vqjhp41")]
    workspace: Option<String>,
    /// `403` for proxies that pass on no other refusal than 401 and 403: a 429 becomes a 403, and `X-Auth-Code` says
    /// what it was.
    #[param(example = "403")]
    deny_as: Option<String>,
}

/// Answers 200 to a caller that may pass, with who it is in `X-Auth-*` headers, or the refusal. Every method will do.
#[utoipa::path(
    get, path = "/api/auth/check", tag = "auth", operation_id = "check", params(CheckQuery),
    responses((status = 200, description = "The caller may pass", headers(
        ("X-Auth-Type" = String, description = "`apiKey` or `user`"),
        ("X-Auth-Key-Id" = String, description = "The key's id; empty for a person"),
        ("X-Auth-Key-Type" = String, description = "`agent` or `public`; empty for a person"),
        ("X-Auth-Scopes" = String, description = "What the key may do, separated by spaces; empty for a person"),
        ("X-Auth-User-Id" = String, description = "The person, or the owner of a personal key; empty otherwise"),
        ("X-Auth-Role" = String, description = "What the person is in the workspace; empty for a key"),
        ("X-Auth-Workspace-Id" = String, description = "The workspace that the request acts in; empty for an instance key that named none"),
        ("X-Auth-External-Id" = String, description = "The key's external id, percent-encoded; empty if it has none"),
    ))),
)]
pub(crate) async fn check(request: HttpRequest, app: web::Data<App>) -> HttpResponse {
    use actix_web::ResponseError as _;
    match pass(&request, &app).await {
        Ok(response) => response,
        Err((error, deny_as)) => {
            let refusal = error.error_response();
            let mut response = match deny_as {
                Some(status) if refusal.status() == StatusCode::TOO_MANY_REQUESTS => {
                    error.response_as(status)
                }
                _ => refusal,
            };
            response
                .headers_mut()
                .insert(CODE, HeaderValue::from_static(error.code().as_str()));
            response
        }
    }
}

async fn pass(request: &HttpRequest, app: &App) -> Result<HttpResponse, (ApiError, Option<StatusCode>)> {
    let mut presented = presented(app, request.head());
    let asked = query::parse::<CheckQuery>(request).and_then(|query| Ok((read(&query, app)?, query)));
    let ((need, deny_as), query) = match asked {
        Ok(asked) => asked,
        Err(invalid) => {
            // What is wrong with the question is told to nobody who could not ask one.
            let known = admit(request, app, &presented, &Need::any_caller()).await;
            if let Ok(Passed::Key(permit)) = &known {
                rate_limit::tell_limits(request, permit.limits());
            }
            return Err((known.map_or_else(|refusal| refusal, |_| invalid), None));
        }
    };
    if let Some(workspace) = &query.workspace {
        presented.workspace = presented.workspace.agreeing_with(workspace.as_bytes());
    }
    match admit(request, app, &presented, &need).await {
        Ok(Passed::Key(permit)) => {
            let mut response = answer(&permit);
            if let Some(limits) = permit.limits() {
                rate_limit::add_to(response.headers_mut(), limits, app.clock.now());
            }
            Ok(response)
        }
        Ok(Passed::Person(permit)) => Ok(answer_person(&permit)),
        Err(error) => Err((error, deny_as)),
    }
}

/// Who may pass.
enum Passed {
    Key(Permit),
    Person(PersonPermit),
}

async fn admit(
    request: &HttpRequest,
    app: &App,
    presented: &Presented<'_>,
    need: &Need,
) -> Result<Passed, ApiError> {
    let Some(token) = session_token(app, request, presented)? else {
        let admitted = app.admission.admit(presented, need).await;
        // Who may pass is told beside the rest of the answer.
        rate_limit::tell(request, &admitted, |_| None);
        return Ok(Passed::Key(admitted?));
    };
    // Boxed, so that keys do not carry it about.
    Box::pin(admit_person(request, app, token, presented, need)).await
}

async fn admit_person(
    request: &HttpRequest,
    app: &App,
    token: TokenDigest,
    presented: &Presented<'_>,
    need: &Need,
) -> Result<Passed, ApiError> {
    // What the proxy was asked for; where it does not say, or two headers disagree, it may have been anything.
    let headers = request.headers();
    let (forwarded, original) = (
        headers.get_all(&FORWARDED_METHOD),
        headers.get_all(&ORIGINAL_METHOD),
    );
    let mut named = forwarded.chain(original).map(HeaderValue::as_bytes);
    let original = named.next().filter(|first| named.all(|other| other == *first));
    let original = original.and_then(|name| Method::from_bytes(name).ok());
    same_site::ensure(request, &original.unwrap_or(Method::POST), &app.origins)?;
    let admitted = app.sessions.admit(token, presented, need).await;
    rate_limit::tell(request, &admitted, PersonPermit::limits);
    let permit = admitted?;
    if need.types == KeyTypes::ANY {
        Ok(Passed::Person(permit))
    } else {
        Err(AuthError::WrongType { allowed: need.types }.into())
    }
}

fn read(query: &CheckQuery, app: &App) -> Result<(Need, Option<StatusCode>), ApiError> {
    let mut need = Need::any_caller();
    if let Some(kind) = &query.r#type {
        let kind: KeyType = kind
            .parse()
            .map_err(|error| query::invalid("type", format!("{error}")))?;
        need.types = KeyTypes::only(kind);
    }
    if let Some(scope) = &query.scope {
        let scope: Scope = scope
            .parse()
            .map_err(|error| query::invalid("scope", format!("{error}")))?;
        if !app.catalog.knows(&scope) {
            return Err(query::invalid("scope", "no such scope"));
        }
        need.scope = Some(scope);
    }
    if let Some(workspace) = &query.workspace {
        workspace
            .parse::<WorkspaceId>()
            .map_err(|error| query::invalid("workspace", error.to_string()))?;
    }
    let deny_as = match query.deny_as.as_deref() {
        None => None,
        Some("403") => Some(StatusCode::FORBIDDEN),
        Some(_) => return Err(query::invalid("denyAs", "must be 403")),
    };
    Ok((need, deny_as))
}

/// Who the caller is, as header values.
struct Identity {
    key_id: HeaderValue,
    key_type: HeaderValue,
    owner_id: HeaderValue,
    scopes: HeaderValue,
    workspace_id: HeaderValue,
    external_id: HeaderValue,
}

impl Identity {
    fn of(permit: &Permit) -> Self {
        let key = &permit.key().key;
        let workspace = permit.workspace().map(|workspace| workspace.id.to_string());
        let external_id = key
            .external_id
            .as_deref()
            .map(|id| utf8_percent_encode(id, &ENCODED).to_string());
        let scopes = permit.scopes();
        let scopes: Vec<&str> = scopes.iter().map(Scope::as_str).collect();
        let texts = [
            key.id.to_string(),
            key.owner.map(|id| id.to_string()).unwrap_or_default(),
            scopes.join(" "),
            workspace.unwrap_or_default(),
            external_id.unwrap_or_default(),
        ];
        // Side by side, since there are some of these for each key.
        let mut all = Bytes::from(texts.concat());
        let [key_id, owner_id, scopes, workspace_id, external_id] =
            texts.map(|text| value(all.split_to(text.len())));
        Self {
            key_id,
            key_type: HeaderValue::from_static(key.kind.as_str()),
            owner_id,
            scopes,
            workspace_id,
            external_id,
        }
    }
}

/// What a key that may pass is answered.
pub(crate) fn answer(permit: &Permit) -> HttpResponse {
    let made;
    let identity = match permit.derived(Identity::of) {
        Some(identity) => identity,
        None => {
            made = Identity::of(permit);
            &made
        }
    };
    let mut response = HttpResponse::new(StatusCode::OK);
    let headers = response.headers_mut();
    // To append costs less than to insert, and there is nothing to replace yet.
    // All of them, always: a proxy that copies them must not let the client's own through where there is nothing to copy.
    headers.append(TYPE, API_KEY);
    headers.append(KEY_ID, identity.key_id.clone());
    headers.append(KEY_TYPE, identity.key_type.clone());
    headers.append(SCOPES, identity.scopes.clone());
    headers.append(USER_ID, identity.owner_id.clone());
    headers.append(ROLE, NOTHING);
    headers.append(WORKSPACE_ID, identity.workspace_id.clone());
    headers.append(EXTERNAL_ID, identity.external_id.clone());
    response
}

fn answer_person(permit: &PersonPermit) -> HttpResponse {
    let mut response = HttpResponse::new(StatusCode::OK);
    let headers = response.headers_mut();
    let workspace = permit.workspace().map(|workspace| workspace.id.to_string());
    headers.insert(TYPE, HeaderValue::from_static("user"));
    headers.insert(USER_ID, value(permit.user().id.to_string()));
    headers.insert(
        ROLE,
        HeaderValue::from_static(permit.role().map_or("", Role::as_str)),
    );
    headers.insert(WORKSPACE_ID, value(workspace.unwrap_or_default()));
    for name in [KEY_ID, KEY_TYPE, SCOPES, EXTERNAL_ID] {
        headers.insert(name, NOTHING);
    }
    response
}

/// Ids, scopes and what is percent-encoded are visible ASCII, so that the fallback is never taken.
fn value(text: impl Into<Bytes>) -> HeaderValue {
    HeaderValue::from_maybe_shared(text.into()).unwrap_or(NOTHING)
}

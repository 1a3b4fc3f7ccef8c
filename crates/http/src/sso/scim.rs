//! `/api/scim/v2`: people as identity providers write them (SCIM 2.0, RFC 7644).

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::{
        StatusCode,
        header::{self, HeaderValue},
    },
    web,
};
use serde::{Deserialize, Serialize};
use tigertrust_accounts::{
    Conflict, FlowError, SignInError,
    sso::{ScimFilter, ScimWriter, SsoError, SsoFlows},
};
use tigertrust_model::UserId;
use tigertrust_wire::{
    ScimError, ScimList, ScimPatch, ScimUser, scim_configuration, scim_resource_types, scim_schemas,
};
use utoipa::IntoParams;

use crate::{App, body::Body, error::ApiError, origin::origin};

const MEDIA_TYPE: &str = "application/scim+json";
const MAX_COUNT: u16 = 200;

/// Who writes, or why nobody does.
struct Scim<'a> {
    sso: &'a SsoFlows,
    writer: ScimWriter,
}

type Answer = Result<HttpResponse, ScimFailure>;

/// Why there is no other answer.
enum ScimFailure {
    Scim(ScimError),
    /// What every part of the API answers in the same way.
    Api(ApiError),
}

impl From<ScimError> for ScimFailure {
    fn from(error: ScimError) -> Self {
        Self::Scim(error)
    }
}

impl From<ApiError> for ScimFailure {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

impl From<SsoError> for ScimFailure {
    fn from(error: SsoError) -> Self {
        let SsoError::SignIn(SignInError::Flow(flow)) = &error else {
            return Self::Api(error.into());
        };
        Self::Scim(match flow {
            FlowError::NotFound => ScimError::new(404, None, "There is no such person."),
            FlowError::Invalid(violations) => {
                let details: Vec<String> = violations
                    .iter()
                    .map(|violation| {
                        format!(
                            "{} {}",
                            violation.pointer.trim_start_matches('/'),
                            violation.detail
                        )
                    })
                    .collect();
                ScimError::new(400, Some("invalidValue"), details.join("; "))
            }
            FlowError::Conflict(conflict @ Conflict::EmailTaken) => {
                ScimError::new(409, Some("uniqueness"), conflict.to_string())
            }
            FlowError::Conflict(conflict) => ScimError::new(409, None, conflict.to_string()),
            _ => return Self::Api(error.into()),
        })
    }
}

/// The answer, with what SCIM says where something is wrong.
fn answer(outcome: Answer) -> HttpResponse {
    use actix_web::ResponseError as _;
    match outcome {
        Ok(response) => response,
        Err(ScimFailure::Scim(error)) => {
            let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST);
            let mut response = scim(HttpResponseBuilder::new(status), &error);
            if status == StatusCode::UNAUTHORIZED {
                let challenge = HeaderValue::from_static(r#"Bearer realm="tigertrust""#);
                response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
            }
            response
        }
        Err(ScimFailure::Api(error)) => error.error_response(),
    }
}

fn scim(mut response: HttpResponseBuilder, body: &impl Serialize) -> HttpResponse {
    match serde_json::to_vec(body) {
        Ok(text) => response.content_type(MEDIA_TYPE).body(text),
        Err(_) => HttpResponse::InternalServerError().finish(),
    }
}

/// Whoever presents the token of a connection.
async fn writer<'a>(request: &HttpRequest, app: &'a App) -> Result<Scim<'a>, ScimFailure> {
    let refused = || ScimError::new(401, None, "The token is missing, unknown or was replaced.");
    let mut headers = request.headers().get_all(header::AUTHORIZATION);
    let (Some(value), None) = (headers.next(), headers.next()) else {
        return Err(refused().into());
    };
    let text = value.to_str().unwrap_or_default();
    let token = text
        .split_once(' ')
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim());
    let sso = app.sso()?;
    match sso
        .scim_writer(token.unwrap_or_default(), origin(app, request))
        .await?
    {
        Ok(writer) => Ok(Scim { sso, writer }),
        Err(why) => {
            let client = app
                .proxies
                .client(request.head())
                .map(|address| address.to_string());
            tracing::info!(client, %why, "token for SCIM refused");
            Err(refused().into())
        }
    }
}

fn id(text: &str) -> Result<UserId, ScimError> {
    text.parse()
        .map_err(|_| ScimError::new(404, None, "There is no such person."))
}

/// Which part of the list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// `userName eq "…"` or `externalId eq "…"`.
    #[param(example = r#"userName eq "jo@example.com""#)]
    filter: Option<String>,
    /// The number of the first person to show, beginning with 1.
    start_index: Option<String>,
    /// How many people at the most: up to 200.
    count: Option<String>,
}

/// Lists the people that the provider has written.
#[utoipa::path(
    get, path = "/api/scim/v2/Users", tag = "scim", operation_id = "scimListUsers", params(ListQuery),
    responses((status = 200, description = "A part of the list", body = ScimList, content_type = "application/scim+json")),
)]
pub(crate) async fn list(request: HttpRequest, app: web::Data<App>) -> HttpResponse {
    let outcome = async {
        let by = writer(&request, &app).await?;
        let query: ListQuery = serde_urlencoded::from_str(request.query_string())
            .map_err(|_| ScimError::invalid("invalidSyntax", "the query string is not valid"))?;
        let filter = query.filter.as_deref().map(read_filter).transpose()?;
        let start = number(query.start_index.as_deref(), 1)?.max(1);
        let count = number(query.count.as_deref(), u32::from(MAX_COUNT))?;
        let count = u16::try_from(count).unwrap_or(MAX_COUNT).min(MAX_COUNT);
        let listed = by
            .sso
            .scim_list(&by.writer, filter.unwrap_or_default(), start - 1, count);
        let (people, total) = listed.await?;
        let people: Vec<ScimUser> = people
            .iter()
            .map(|person| ScimUser::new(person, by.sso.public_url()))
            .collect();
        Ok(scim(HttpResponse::Ok(), &ScimList::new(&people, total, start)))
    };
    answer(outcome.await)
}

fn number(text: Option<&str>, default: u32) -> Result<u32, ScimError> {
    match text {
        None => Ok(default),
        // RFC 7644 §3.4.2.4: what is below zero counts as zero.
        Some(text) if text.starts_with('-') => Ok(0),
        Some(text) => text
            .parse()
            .map_err(|_| ScimError::invalid("invalidValue", "startIndex and count must be numbers")),
    }
}

/// Reads the filters that providers use to find somebody (RFC 7644 §3.4.2.2).
fn read_filter(text: &str) -> Result<ScimFilter, ScimError> {
    let invalid = || {
        ScimError::invalid(
            "invalidFilter",
            "only userName eq \"…\" and externalId eq \"…\" are known",
        )
    };
    let mut words = text.trim().splitn(3, ' ');
    let (Some(attribute), Some(operator), Some(value)) = (words.next(), words.next(), words.next()) else {
        return Err(invalid());
    };
    if !operator.eq_ignore_ascii_case("eq") {
        return Err(invalid());
    }
    let value: String = serde_json::from_str(value.trim()).map_err(|_| invalid())?;
    if attribute.eq_ignore_ascii_case("userName") {
        Ok(ScimFilter {
            user_name: Some(value.to_lowercase()),
            external_id: None,
        })
    } else if attribute.eq_ignore_ascii_case("externalId") {
        Ok(ScimFilter {
            user_name: None,
            external_id: Some(value),
        })
    } else {
        Err(invalid())
    }
}

/// Makes a person known: a member of the connection's workspace, with an account, made now if the address has none. The address must be
/// of a domain that the workspace has verified.
#[utoipa::path(
    post, path = "/api/scim/v2/Users", tag = "scim", operation_id = "scimCreateUser",
    request_body(content = ScimUser, content_type = "application/scim+json"),
    responses(
        (status = 201, description = "The person", body = ScimUser, content_type = "application/scim+json"),
        (status = 409, description = "The person is known already", body = ScimError, content_type = "application/scim+json"),
    ),
)]
pub(crate) async fn create(request: HttpRequest, app: web::Data<App>, body: Body) -> HttpResponse {
    let outcome = async {
        let by = writer(&request, &app).await?;
        let body = body.scim::<ScimUser>().await?;
        let person = by.sso.scim_create(&by.writer, body.whole()).await?;
        let shown = ScimUser::new(&person, by.sso.public_url());
        tracing::info!(user = %person.user.id, active = person.active, "person written by a provider");
        let mut response = HttpResponse::Created();
        response.insert_header((
            header::LOCATION,
            by.sso.absolute(&format!("/api/scim/v2/Users/{}", person.user.id)),
        ));
        Ok(scim(response, &shown))
    };
    answer(outcome.await)
}

/// Shows a person.
#[utoipa::path(
    get, path = "/api/scim/v2/Users/{id}", tag = "scim", operation_id = "scimGetUser",
    params(("id" = String, Path, description = "The person's id", example = "usr_01h2xcejqtf2nbrexx3vqjhp41")),
    responses((status = 200, description = "The person", body = ScimUser, content_type = "application/scim+json")),
)]
pub(crate) async fn show(request: HttpRequest, app: web::Data<App>, path: web::Path<String>) -> HttpResponse {
    let outcome = async {
        let by = writer(&request, &app).await?;
        let person = by.sso.scim_get(&by.writer, id(&path)?).await?;
        Ok(scim(
            HttpResponse::Ok(),
            &ScimUser::new(&person, by.sso.public_url()),
        ))
    };
    answer(outcome.await)
}

/// Writes a person anew. Who is not active any more is out at the next request: no member, without personal keys and sessions.
#[utoipa::path(
    put, path = "/api/scim/v2/Users/{id}", tag = "scim", operation_id = "scimReplaceUser",
    request_body(content = ScimUser, content_type = "application/scim+json"),
    params(("id" = String, Path, description = "The person's id", example = "usr_01h2xcejqtf2nbrexx3vqjhp41")),
    responses((status = 200, description = "The person as it is now", body = ScimUser, content_type = "application/scim+json")),
)]
pub(crate) async fn replace(
    request: HttpRequest,
    app: web::Data<App>,
    path: web::Path<String>,
    body: Body,
) -> HttpResponse {
    let outcome = async {
        let by = writer(&request, &app).await?;
        let body = body.scim::<ScimUser>().await?;
        let person = by.sso.scim_update(&by.writer, id(&path)?, body.whole()).await?;
        tracing::info!(user = %person.user.id, active = person.active, "person written by a provider");
        Ok(scim(
            HttpResponse::Ok(),
            &ScimUser::new(&person, by.sso.public_url()),
        ))
    };
    answer(outcome.await)
}

/// Changes a part of what is known of a person. Who is not active any more is out at the next request.
#[utoipa::path(
    patch, path = "/api/scim/v2/Users/{id}", tag = "scim", operation_id = "scimPatchUser",
    request_body(content = ScimPatch, content_type = "application/scim+json"),
    params(("id" = String, Path, description = "The person's id", example = "usr_01h2xcejqtf2nbrexx3vqjhp41")),
    responses((status = 200, description = "The person as it is now", body = ScimUser, content_type = "application/scim+json")),
)]
pub(crate) async fn patch(
    request: HttpRequest,
    app: web::Data<App>,
    path: web::Path<String>,
    body: Body,
) -> HttpResponse {
    let outcome = async {
        let by = writer(&request, &app).await?;
        let changes = body.scim::<ScimPatch>().await?.read()?;
        let person = by.sso.scim_update(&by.writer, id(&path)?, changes).await?;
        tracing::info!(user = %person.user.id, active = person.active, "person written by a provider");
        Ok(scim(
            HttpResponse::Ok(),
            &ScimUser::new(&person, by.sso.public_url()),
        ))
    };
    answer(outcome.await)
}

/// Forgets a person, who is out at the next request. The account stays.
#[utoipa::path(
    delete, path = "/api/scim/v2/Users/{id}", tag = "scim", operation_id = "scimDeleteUser",
    params(("id" = String, Path, description = "The person's id", example = "usr_01h2xcejqtf2nbrexx3vqjhp41")),
    responses((status = 204, description = "The person is forgotten")),
)]
pub(crate) async fn remove(
    request: HttpRequest,
    app: web::Data<App>,
    path: web::Path<String>,
) -> HttpResponse {
    let outcome = async {
        let by = writer(&request, &app).await?;
        let user = id(&path)?;
        by.sso.scim_remove(&by.writer, user).await?;
        tracing::info!(%user, "person forgotten by a provider");
        Ok(HttpResponse::NoContent().finish())
    };
    answer(outcome.await)
}

/// What this server can do (RFC 7644 §4).
#[utoipa::path(
    get, path = "/api/scim/v2/ServiceProviderConfig", tag = "scim", operation_id = "scimConfiguration",
    responses((status = 200, description = "What it can do", content_type = "application/scim+json")),
)]
pub(crate) async fn configuration(app: web::Data<App>) -> HttpResponse {
    let outcome = async {
        Ok(scim(
            HttpResponse::Ok(),
            &scim_configuration(app.sso()?.public_url()),
        ))
    };
    answer(outcome.await)
}

/// What there is (RFC 7644 §4).
#[utoipa::path(
    get, path = "/api/scim/v2/ResourceTypes", tag = "scim", operation_id = "scimResourceTypes",
    responses((status = 200, description = "What there is", body = ScimList, content_type = "application/scim+json")),
)]
pub(crate) async fn resource_types(app: web::Data<App>) -> HttpResponse {
    let outcome = async {
        Ok(scim(
            HttpResponse::Ok(),
            &scim_resource_types(app.sso()?.public_url()),
        ))
    };
    answer(outcome.await)
}

/// What is kept of it (RFC 7644 §4).
#[utoipa::path(
    get, path = "/api/scim/v2/Schemas", tag = "scim", operation_id = "scimSchemas",
    responses((status = 200, description = "What is kept", body = ScimList, content_type = "application/scim+json")),
)]
pub(crate) async fn schemas(app: web::Data<App>) -> HttpResponse {
    let outcome = async { Ok(scim(HttpResponse::Ok(), &scim_schemas(app.sso()?.public_url()))) };
    answer(outcome.await)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_that_providers_use_are_read() {
        let filter = read_filter(r#"userName eq "Jo@Example.com""#).unwrap();
        assert_eq!(filter.user_name.as_deref(), Some("jo@example.com"));
        let filter = read_filter(r#"externalId EQ "a \"b\" c""#).unwrap();
        assert_eq!(filter.external_id.as_deref(), Some("a \"b\" c"));
        for text in [
            "",
            "userName",
            "userName eq",
            "userName eq jo",
            "userName sw \"j\"",
            "password eq \"x\"",
            "userName eq \"a\" or x",
        ] {
            assert!(read_filter(text).is_err(), "{text}");
        }
    }
}

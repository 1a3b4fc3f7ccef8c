//! `/api/auth/google`, `/azure`, `/okta`, `/oidc/{slug}` and `/saml/{slug}`: there and back.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{self, HeaderValue},
    },
    web,
};
use serde::Deserialize;
use tigertrust_accounts::sso::{BegunSso, Protocol, SsoAnswer, SsoError, SsoReturn, SsoSignedIn};
use tigertrust_credentials::{TokenDigest, TokenKind};
use tigertrust_wire::{Discover, Discovered, Problem, Provider, Providers};
use utoipa::IntoParams;
use zeroize::Zeroizing;

use super::route;
use crate::{
    App,
    auth::{
        login::{from, session_cookies},
        refusals::note_refusal,
    },
    body::Body,
    cookies,
    error::ApiError,
    origin::origin,
    page::{Pages, wants_page},
    pages, query,
    respond::json,
};

/// The largest form: a response of 256 KiB in base64, and what stands beside it.
const MAX_FORM: usize = 400 * 1024;

/// The ways to sign in that everybody is offered: those of the whole server. A workspace's own are found by the domain of an
/// address.
#[utoipa::path(
    get, path = "/api/auth/providers", tag = "sso", operation_id = "listSsoProviders",
    responses((status = 200, description = "The ways", body = Providers)),
)]
pub(crate) async fn providers(app: web::Data<App>) -> HttpResponse {
    let providers = match &app.sso {
        Some(sso) => sso.configured().map(Provider::from).collect(),
        None => Vec::new(),
    };
    json(&Providers { providers })
}

/// Says how people of an address's domain sign in. Whether there is such an account has no part in it.
#[utoipa::path(
    post, path = "/api/auth/discover", tag = "auth", operation_id = "discover", request_body = Discover,
    responses((status = 200, description = "The ways there are", body = Discovered)),
)]
pub(crate) async fn discover(app: web::Data<App>, body: Body) -> Result<HttpResponse, ApiError> {
    let body = body.json_of_anybody::<Discover>().await?;
    let Some(sso) = &app.sso else {
        return Ok(json(&Discovered {
            methods: vec!["password"],
            sso_url: None,
        }));
    };
    let found = sso.discover(&body.email).await?;
    let password = found.password.then_some("password");
    let by_provider = found.sso_path.is_some().then_some("sso");
    Ok(json(&Discovered {
        methods: password.into_iter().chain(by_provider).collect(),
        sso_url: found.sso_path.map(|path| sso.absolute(&path)),
    }))
}

/// Where to go on, and who is about to sign in.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct BeginQuery {
    /// Where the person goes on then: a path of this server, or an address of an origin that is configured. `/` if absent.
    #[param(example = "/settings")]
    return_to: Option<String>,
    /// The address of who is about to sign in, to spare typing it again.
    login_hint: Option<String>,
}

/// Sends the browser to the identity provider. It comes back to `callback`, or to `acs`, within ten minutes.
#[utoipa::path(
    get, path = "/api/auth/oidc/{slug}", tag = "sso", operation_id = "beginSso",
    params(("slug" = String, Path, description = "What stands for the connection", example = "acme"), BeginQuery),
    responses(
        (status = 302, description = "To the provider"),
        (status = 404, description = "There is no such way to sign in", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The provider does not answer", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn begin(request: HttpRequest, app: web::Data<App>) -> HttpResponse {
    let begun = try_begin(&request, &app).await;
    begun.unwrap_or_else(|error| refused(&request, &error))
}

async fn try_begin(request: &HttpRequest, app: &App) -> Result<HttpResponse, ApiError> {
    let wanted = query::parse::<BeginQuery>(request)?;
    let origin = origin(app, request);
    let begun = app.sso()?.begin(
        route(request)?,
        wanted.return_to.as_deref(),
        wanted.login_hint.as_deref(),
        &origin,
    );
    match begun.await {
        Ok(begun) => {
            let mut response = HttpResponse::Found();
            response.append_header((header::LOCATION, begun.redirect.as_str()));
            response.append_header((header::SET_COOKIE, waiting_cookie(&begun)?));
            Ok(response.finish())
        }
        Err(error) => {
            note_sso_refusal(app, request, "sign-in by a provider not begun", &error);
            Err(error.into())
        }
    }
}

/// The cookie by which the browser is known that began.
pub(crate) fn waiting_cookie(begun: &BegunSso) -> Result<HeaderValue, ApiError> {
    // What SAML posts comes from another site, and brings no other cookie.
    let same_site = match begun.protocol {
        Protocol::Oidc => "Lax",
        Protocol::Saml => "None",
    };
    let cookie = cookies::sso_request(begun.state, begun.browser.reveal(), same_site);
    Ok(cookie.ok_or_else(Problem::unavailable)?)
}

/// What an OpenID provider sends back. Others than these are passed over, as RFC 6749 §4.1.2 wants.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct CallbackQuery {
    /// What to redeem.
    code: Option<String>,
    /// What was sent there.
    state: Option<String>,
    /// Who sends it (RFC 9207).
    iss: Option<String>,
    /// That it refuses.
    error: Option<String>,
}

/// Takes what an OpenID provider has sent the browser back with. The answer is a page that goes on by itself, since no cookie of
/// ours could be set on the way from another site that is sent along to the next page.
#[utoipa::path(
    get, path = "/api/auth/oidc/{slug}/callback", tag = "sso", operation_id = "finishSso",
    params(("slug" = String, Path, description = "What stands for the connection", example = "acme"), CallbackQuery),
    responses(
        (status = 200, description = "The person is signed in, and the session is in the cookie; the page goes on by itself", content_type = "text/html"),
        (status = 401, description = "What came was not accepted", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The identity is right, and has no account here", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn callback(request: HttpRequest, app: web::Data<App>) -> HttpResponse {
    let finished = async {
        let query = query::parse::<CallbackQuery>(&request)?;
        let answer = match (&query.code, &query.error) {
            (_, Some(error)) => SsoAnswer::Error(error),
            (Some(code), None) => SsoAnswer::Code {
                code,
                issuer: query.iss.as_deref(),
            },
            (None, None) => return Err(SsoError::NothingWaits.into()),
        };
        finish(&request, &app, query.state.as_deref(), answer).await
    };
    finished.await.unwrap_or_else(|error| refused(&request, &error))
}

/// What a SAML provider lets the browser post.
#[derive(Deserialize)]
struct AcsForm {
    #[serde(rename = "SAMLResponse")]
    response: Zeroizing<String>,
    #[serde(rename = "RelayState")]
    relay_state: Option<String>,
}

/// Takes the response that a SAML provider lets the browser post: the assertion consumer service.
#[utoipa::path(
    post, path = "/api/auth/saml/{slug}/acs", tag = "sso", operation_id = "finishSaml",
    params(("slug" = String, Path, description = "What stands for the connection", example = "acme")),
    request_body(content = String, content_type = "application/x-www-form-urlencoded", description = "`SAMLResponse` and `RelayState`"),
    responses(
        (status = 200, description = "The person is signed in, and the session is in the cookie; the page goes on by itself", content_type = "text/html"),
        (status = 401, description = "The response was not accepted", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The identity is right, and has no account here", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn acs(request: HttpRequest, app: web::Data<App>, body: Body) -> HttpResponse {
    let finished = async {
        let form = body.form::<AcsForm>(MAX_FORM).await?;
        let answer = SsoAnswer::Response(&form.response);
        finish(&request, &app, form.relay_state.as_deref(), answer).await
    };
    finished.await.unwrap_or_else(|error| refused(&request, &error))
}

async fn finish(
    request: &HttpRequest,
    app: &App,
    state: Option<&str>,
    answer: SsoAnswer<'_>,
) -> Result<HttpResponse, ApiError> {
    let digest = state.and_then(|state| TokenDigest::read(TokenKind::SsoState, state.as_bytes())?.ok());
    let browsers = digest.map(|digest| cookies::sso_requests(request, digest));
    let back = SsoReturn {
        route: route(request)?,
        state,
        browsers: browsers.unwrap_or_default(),
        answer,
        from: from(app, request),
    };
    let mut response = match app.sso()?.finish(back).await {
        Ok(SsoSignedIn::Session { begun, return_to }) => {
            let (user, session) = (begun.session.user, begun.session.id);
            let connection = begun.session.sso.as_ref().map(|sso| sso.connection.to_string());
            tracing::info!(%user, %session, connection, "signed in by a provider");
            let mut response = pages::go_on("Signed in", &return_to);
            for cookie in session_cookies(app, &begun)? {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
            response
        }
        Ok(SsoSignedIn::SecondFactor { token, return_to, .. }) => {
            pages::go_on("One more step", &pages::second_step(token.reveal(), &return_to))
        }
        Ok(SsoSignedIn::Linked { user, return_to }) => {
            tracing::info!(%user, "identity connected");
            pages::go_on("Connected", &return_to)
        }
        Err(error) => {
            note_sso_refusal(app, request, "sign-in by a provider refused", &error);
            return Err(error.into());
        }
    };
    if let Some(cookie) = digest.and_then(cookies::no_sso_request) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// Who comes with a browser is told in a page.
fn refused(request: &HttpRequest, error: &ApiError) -> HttpResponse {
    use actix_web::ResponseError as _;
    match request.app_data::<Pages>() {
        _ if !wants_page(request) => error.error_response(),
        Some(pages) => (pages.refused)(error),
        None => pages::refused(error),
    }
}

/// As [`note_refusal`], for what a provider has to do with.
pub fn note_sso_refusal(app: &App, request: &HttpRequest, what: &str, error: &SsoError) {
    match error {
        SsoError::SignIn(error) => note_refusal(app, request, what, error),
        error => {
            let client = app
                .proxies
                .client(request.head())
                .map(|address| address.to_string());
            tracing::info!(client, path = request.path(), why = %error, "{what}");
        }
    }
}

/// What a SAML provider is given of this connection: the metadata of the service provider.
#[utoipa::path(
    get, path = "/api/auth/saml/{slug}/metadata", tag = "sso", operation_id = "samlMetadata",
    params(("slug" = String, Path, description = "What stands for the connection", example = "acme")),
    responses((status = 200, description = "The metadata", content_type = "application/samlmetadata+xml")),
)]
pub(crate) async fn metadata(request: HttpRequest, app: web::Data<App>) -> Result<HttpResponse, ApiError> {
    let document = app.sso()?.saml_metadata(route(&request)?).await?;
    Ok(HttpResponse::Ok()
        .content_type("application/samlmetadata+xml")
        .body(document))
}

/// What an OpenID provider posts when a session is over there.
#[derive(Deserialize)]
struct LogoutForm {
    logout_token: Zeroizing<String>,
}

/// Ends the sessions that an OpenID provider says are over (OpenID Connect Back-Channel Logout 1.0).
#[utoipa::path(
    post, path = "/api/auth/oidc/{slug}/backchannel-logout", tag = "sso", operation_id = "backchannelLogout",
    params(("slug" = String, Path, description = "What stands for the connection", example = "acme")),
    request_body(content = String, content_type = "application/x-www-form-urlencoded", description = "`logout_token`"),
    responses(
        (status = 200, description = "The sessions have ended"),
        (status = 400, description = "The token was not accepted", content_type = "application/json"),
    ),
)]
pub(crate) async fn backchannel_logout(
    request: HttpRequest,
    app: web::Data<App>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let form = body.form::<LogoutForm>(MAX_FORM).await?;
    match app
        .sso()?
        .end_by_provider(route(&request)?, &form.logout_token, origin(&app, &request))
        .await
    {
        Ok(ended) => {
            tracing::info!(path = request.path(), ended, "sessions ended by a provider");
            Ok(HttpResponse::Ok().finish())
        }
        // §2.8: 400, with the reason as OAuth gives it.
        Err(
            error @ (SsoError::Provider(tigertrust_accounts::sso::ProviderError::Refused(_))
            | SsoError::NothingWaits),
        ) => {
            note_sso_refusal(&app, &request, "logout by a provider refused", &error);
            let reason = serde_json::json!({"error": "invalid_request", "error_description": "the logout token was not accepted"});
            let mut response = json(&reason);
            *response.status_mut() = StatusCode::BAD_REQUEST;
            Ok(response)
        }
        Err(error) => Err(error.into()),
    }
}

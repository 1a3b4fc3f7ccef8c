//! Signing in and out.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{self, HeaderValue},
    web,
};
use tigertrust_accounts::{BegunSession, From, LoggedIn, Login, RenewedSession};
use tigertrust_credentials::{Need, Presented, ports::SessionRecord};
use tigertrust_model::{Session, Timestamp};
use tigertrust_wire::{LogIn, Problem, SecondFactorRequired, SignedIn, VerifySecondFactor};
use utoipa::ToSchema;

use super::refusals::note_refusal;
use crate::{App, body::Body, cookies, error::ApiError, origin::origin, permit::Person, respond::json};

/// What a login answers.
#[derive(ToSchema)]
#[schema(as = LoginAnswer)]
#[serde(untagged)]
#[allow(
    dead_code,
    reason = "it stands in the document for the two answers that there are"
)]
enum LoginAnswer<'a> {
    SignedIn(SignedIn),
    SecondFactor(SecondFactorRequired<'a>),
}

/// Signs a person in with an e-mail address and a password. Where a second factor is enrolled, the answer is `requires2FA` and
/// a token for `POST /api/auth/verify-2fa`, and no cookie. Whatever is wrong, the refusal is the same.
#[utoipa::path(
    post, path = "/api/auth/login", tag = "auth", operation_id = "login", request_body = LogIn,
    responses(
        (status = 200, description = "The person is signed in, and the session is in the cookie; or a second factor is asked for", body = LoginAnswer),
        (status = 401, description = "The address or the password is not right", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many attempts", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Too many passwords are being checked", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn login(
    request: HttpRequest,
    app: web::Data<App>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let body = body.json_of_anybody::<LogIn>().await?;
    let logged_in = app
        .sign_in
        .login(Login {
            email: &body.email,
            password: &body.password,
            device: cookies::device(&request),
            origin: origin(&app, &request),
        })
        .await;
    match logged_in {
        Ok(LoggedIn::Session(begun)) => signed_in(&app, *begun).await,
        Ok(LoggedIn::SecondFactor { token, methods }) => {
            Ok(json(&SecondFactorRequired::new(&token, methods)))
        }
        Err(error) => {
            note_refusal(&app, &request, "login refused", &error);
            Err(error.into())
        }
    }
}

/// Completes a login with a code of the authenticator app or a recovery code. The token is good for five minutes and five
/// codes.
#[utoipa::path(
    post, path = "/api/auth/verify-2fa", tag = "auth", operation_id = "verifySecondFactor",
    request_body = VerifySecondFactor,
    responses(
        (status = 200, description = "The person is signed in, and the session is in the cookie", body = SignedIn),
        (status = 401, description = "The code is not right, or the token is spent or too old", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many attempts", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn verify_second_factor(
    request: HttpRequest,
    app: web::Data<App>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let body = body.json_of_anybody::<VerifySecondFactor>().await?;
    let begun = app
        .sign_in
        .verify_second_factor(&body.token, &body.code, origin(&app, &request))
        .await;
    match begun {
        Ok(begun) => signed_in(&app, begun).await,
        Err(error) => {
            note_refusal(&app, &request, "second factor refused", &error);
            Err(error.into())
        }
    }
}

/// Signs the person out: the session ends, and its cookie is taken away.
#[utoipa::path(
    post, path = "/api/auth/logout", tag = "auth", operation_id = "logout",
    responses((status = 204, description = "The session has ended")),
)]
pub(crate) async fn logout(person: Person, app: web::Data<App>) -> Result<HttpResponse, ApiError> {
    app.sign_in.logout(&person, &person.origin()).await?;
    tracing::info!(user = %person.user().id, session = %person.session().id, "signed out");
    let mut response = HttpResponse::NoContent();
    if let Some(cookie) = cookies::no_session(&app.cookie_name) {
        response.append_header((header::SET_COOKIE, cookie));
    }
    Ok(response.finish())
}

/// Where a proof comes from.
#[must_use]
pub fn from(app: &App, request: &HttpRequest) -> From {
    From {
        origin: origin(app, request),
        device: cookies::device(request),
    }
}

/// Hands a session out, with what a login answers.
pub(crate) async fn signed_in(app: &App, begun: BegunSession) -> Result<HttpResponse, ApiError> {
    tracing::info!(user = %begun.session.user, session = %begun.session.id, "signed in");
    let need = Need::own_account();
    let permit = app
        .sessions
        .admit_uncounted(begun.token.digest(), &Presented::default(), &need)
        .await?;
    let record: &SessionRecord = permit.record();
    let mut response = json(&SignedIn::from(record));
    for cookie in session_cookies(app, &begun)? {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// The cookies that a session is handed out with.
pub(crate) fn session_cookies(app: &App, begun: &BegunSession) -> Result<Vec<HeaderValue>, ApiError> {
    let lifetime = seconds_left(&begun.session, app.clock.now());
    let session = cookies::session(&app.cookie_name, begun.token.reveal(), lifetime);
    let device = begun
        .device
        .as_ref()
        .and_then(|device| cookies::known_device(device.reveal()));
    let session = session.ok_or_else(Problem::unavailable)?;
    Ok([session].into_iter().chain(device).collect())
}

/// An answer that lets the session go on under another token.
pub(crate) fn renewed(
    app: &App,
    session: &Session,
    renewed: &RenewedSession,
    mut response: HttpResponse,
) -> Result<HttpResponse, ApiError> {
    let lifetime = seconds_left(session, app.clock.now());
    let cookie = cookies::session(&app.cookie_name, renewed.0.reveal(), lifetime);
    let cookie = cookie.ok_or_else(Problem::unavailable)?;
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}

fn seconds_left(session: &Session, now: Timestamp) -> u64 {
    let micros = session.expires_at.unix_micros() - now.unix_micros();
    // Rounded up: a session that has just begun has all of its life before it.
    u64::try_from(micros).unwrap_or(0).div_ceil(1_000_000)
}

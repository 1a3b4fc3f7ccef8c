//! What people do with their sessions, password and second factors.

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use tigertrust_accounts::FlowError;
use tigertrust_wire::{
    ChangePassword, ConfirmTotp, Page, Problem, RecoveryCodes, Session, StepUp, TotpEnrolment,
};

use super::{
    login::{from, renewed},
    passkeys,
    refusals::note_refusal,
};
use crate::{App, body::Body, cookies, error::ApiError, permit::Person, respond::json};

/// Lists the caller's sessions, newest first.
#[utoipa::path(
    get, path = "/api/auth/sessions", tag = "auth", operation_id = "listSessions",
    responses((status = 200, description = "All of them", body = Page<Session>)),
)]
pub(crate) async fn list(person: Person, app: web::Data<App>) -> Result<HttpResponse, ApiError> {
    let sessions = app.sign_in.sessions(&person).await?;
    let current = Some(person.session().id);
    Ok(json(&Page {
        items: sessions
            .iter()
            .map(|session| Session::new(session, current))
            .collect(),
        next_cursor: None,
    }))
}

/// Ends one of the caller's sessions, at once and everywhere.
#[utoipa::path(
    delete, path = "/api/auth/sessions/{id}", tag = "auth", operation_id = "endSession",
    params(("id" = String, Path, description = "The session's id", example = "ses_01h2xcejqtf2nbrexx3vqjhp41")),
    responses(
        (status = 204, description = "It has ended"),
        (status = 404, description = "The caller has no such session", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn end(
    person: Person,
    app: web::Data<App>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let id = id.parse().map_err(|_| FlowError::NotFound)?;
    app.sign_in.end_session(&person, id, &person.origin()).await?;
    tracing::info!(user = %person.user().id, session = %id, "session ended");
    let mut response = HttpResponse::NoContent();
    // The one that asks is as good as a logout.
    if id == person.session().id
        && let Some(cookie) = cookies::no_session(&app.cookie_name)
    {
        response.append_header((header::SET_COOKIE, cookie));
    }
    Ok(response.finish())
}

/// Ends all of the caller's sessions but the one that asks.
#[utoipa::path(
    delete, path = "/api/auth/sessions", tag = "auth", operation_id = "endOtherSessions",
    responses((status = 204, description = "They have ended")),
)]
pub(crate) async fn end_others(person: Person, app: web::Data<App>) -> Result<HttpResponse, ApiError> {
    app.sign_in.end_other_sessions(&person, &person.origin()).await?;
    tracing::info!(user = %person.user().id, "other sessions ended");
    Ok(HttpResponse::NoContent().finish())
}

/// Takes a fresh proof of all that the account has, or by a passkey alone, which counts for ten minutes. The session goes on under
/// another token.
#[utoipa::path(
    post, path = "/api/auth/step-up", tag = "auth", operation_id = "stepUp", request_body = StepUp,
    responses(
        (status = 204, description = "The proof is fresh"),
        (status = 429, description = "Too many attempts", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn step_up(
    mut person: Person,
    request: HttpRequest,
    app: web::Data<App>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let body = body.json::<StepUp>(person.admitted()).await?;
    let from = from(&app, &request);
    if let Some(passkey) = &body.passkey {
        let fresh = app
            .sign_in
            .step_up_by_passkey(&person, &passkeys::bytes(passkey), &from)
            .await
            .inspect_err(|error| note_refusal(&app, &request, "fresh proof by a passkey refused", error))?;
        return renewed(&app, person.session(), &fresh, HttpResponse::NoContent().finish());
    }
    let password = body.password.as_ref().map(|password| password.as_str());
    let code = body.code.as_ref().map(|code| code.as_str());
    let fresh = app
        .sign_in
        .step_up(&person, password, code, &from)
        .await
        .inspect_err(|error| note_refusal(&app, &request, "fresh proof refused", error))?;
    renewed(&app, person.session(), &fresh, HttpResponse::NoContent().finish())
}

/// Changes the password. All other sessions end, and this one goes on under another token.
#[utoipa::path(
    put, path = "/api/auth/password", tag = "auth", operation_id = "changePassword", request_body = ChangePassword,
    responses(
        (status = 204, description = "It is changed"),
        (status = 429, description = "Too many attempts", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn change_password(
    mut person: Person,
    request: HttpRequest,
    app: web::Data<App>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let body = body.json::<ChangePassword>(person.admitted()).await?;
    let (current, new) = (&body.current_password, &body.new_password);
    let changed = app
        .sign_in
        .change_password(&person, current, new, &from(&app, &request))
        .await
        .inspect_err(|error| note_refusal(&app, &request, "password not changed", error))?;
    tracing::info!(user = %person.user().id, "password changed");
    renewed(
        &app,
        person.session(),
        &changed,
        HttpResponse::NoContent().finish(),
    )
}

/// Makes the secret of an authenticator app, which counts once a code of it is confirmed. Needs a fresh proof.
#[utoipa::path(
    post, path = "/api/auth/2fa/totp", tag = "auth", operation_id = "addTotp",
    responses(
        (status = 200, description = "The secret, shown once", body = TotpEnrolment),
        (status = 409, description = "There is an app already", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn add_totp(person: Person, app: web::Data<App>) -> Result<HttpResponse, ApiError> {
    let new = app.sign_in.add_totp(&person).await?;
    Ok(json(&TotpEnrolment::from(&new)))
}

/// Adds the authenticator app, given one of its codes, and shows ten recovery codes, once; none where a passkey was there before. The
/// session goes on under another token. Needs a fresh proof.
#[utoipa::path(
    post, path = "/api/auth/2fa/totp/confirm", tag = "auth", operation_id = "confirmTotp", request_body = ConfirmTotp,
    responses((status = 200, description = "The recovery codes, shown once", body = RecoveryCodes)),
)]
pub(crate) async fn confirm_totp(
    mut person: Person,
    request: HttpRequest,
    app: web::Data<App>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let body = body.json::<ConfirmTotp>(person.admitted()).await?;
    let (codes, session) = app
        .sign_in
        .confirm_totp(&person, &body.code, &from(&app, &request))
        .await
        .inspect_err(|error| note_refusal(&app, &request, "authenticator app not added", error))?;
    tracing::info!(user = %person.user().id, "authenticator app added");
    renewed(
        &app,
        person.session(),
        &session,
        json(&RecoveryCodes::from(&codes)),
    )
}

/// Removes the authenticator app, and with the last second factor the recovery codes. Needs a fresh proof.
#[utoipa::path(
    delete, path = "/api/auth/2fa/totp", tag = "auth", operation_id = "removeTotp",
    responses(
        (status = 204, description = "It is removed"),
        (status = 404, description = "There is none", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn remove_totp(
    person: Person,
    request: HttpRequest,
    app: web::Data<App>,
) -> Result<HttpResponse, ApiError> {
    app.sign_in.remove_totp(&person, &from(&app, &request)).await?;
    tracing::info!(user = %person.user().id, "authenticator app removed");
    Ok(HttpResponse::NoContent().finish())
}

/// Makes ten other recovery codes and shows them, once; the old ones count no longer. Needs a fresh proof.
#[utoipa::path(
    post, path = "/api/auth/2fa/recovery-codes", tag = "auth", operation_id = "renewRecoveryCodes",
    responses(
        (status = 200, description = "The recovery codes, shown once", body = RecoveryCodes),
        (status = 409, description = "There is no second factor", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn renew_recovery_codes(
    person: Person,
    request: HttpRequest,
    app: web::Data<App>,
) -> Result<HttpResponse, ApiError> {
    let codes = app
        .sign_in
        .renew_recovery_codes(&person, &from(&app, &request))
        .await?;
    tracing::info!(user = %person.user().id, "recovery codes renewed");
    Ok(json(&RecoveryCodes::from(&codes)))
}

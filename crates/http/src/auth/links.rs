//! What people do by links in mails.

use actix_web::{HttpRequest, HttpResponse, web};
use tigertrust_wire::{ChangeEmail, ForgotPassword, Problem, ResetPassword, VerifyEmail};

use super::refusals::note_refusal;
use crate::{App, body::Body, error::ApiError, origin::origin, permit::Person};

/// Sends a mail with a link to set a new password, if there is such an account and it may sign in with one. Whether there is, and
/// whether too many mails were asked for, the answer is the same.
#[utoipa::path(
    post, path = "/api/auth/password/forgot", tag = "auth", operation_id = "forgotPassword",
    request_body = ForgotPassword,
    responses((status = 202, description = "If there is such an account, a mail is on its way")),
)]
pub(crate) async fn forgot_password(
    request: HttpRequest,
    app: web::Data<App>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let body = body.json_of_anybody::<ForgotPassword>().await?;
    app.sign_in
        .forgot_password(&body.email, &origin(&app, &request))
        .await?;
    Ok(HttpResponse::Accepted().finish())
}

/// Sets a new password, given the token of a link in a mail. All sessions of the account end, and so do all other links. Nobody
/// is signed in by it, and a second factor stays in force.
#[utoipa::path(
    post, path = "/api/auth/password/reset", tag = "auth", operation_id = "resetPassword", request_body = ResetPassword,
    responses(
        (status = 204, description = "It is set"),
        (status = 400, description = "The password is not accepted; the link is still good", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "The link was used, has ended or is too old", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many attempts", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Too many passwords are being checked", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn reset_password(
    request: HttpRequest,
    app: web::Data<App>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let body = body.json_of_anybody::<ResetPassword>().await?;
    let reset = app
        .sign_in
        .reset_password(&body.token, &body.new_password, &origin(&app, &request))
        .await;
    match reset {
        Ok(user) => {
            tracing::info!(%user, "password reset");
            Ok(HttpResponse::NoContent().finish())
        }
        Err(error) => {
            note_refusal(&app, &request, "password reset refused", &error);
            Err(error.into())
        }
    }
}

/// Sends a mail with a link to another address; who follows it makes that the account's. With the present address, it proves
/// that mail to it arrives. If another account has the address no mail is sent, and the answer is the same. Needs a fresh
/// proof.
#[utoipa::path(
    post, path = "/api/auth/email/change", tag = "auth", operation_id = "changeEmail", request_body = ChangeEmail,
    responses(
        (status = 202, description = "A mail is on its way to the address, if it is free"),
        (status = 429, description = "Too many mails to the address, or from this network, were asked for", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn change_email(
    mut person: Person,
    request: HttpRequest,
    app: web::Data<App>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let body = body.json::<ChangeEmail>(person.admitted()).await?;
    app.sign_in
        .change_email(&person, &body.new_email, &origin(&app, &request))
        .await?;
    Ok(HttpResponse::Accepted().finish())
}

/// Makes the address that a link in a mail went to the account's, and proved. To have the link is the proof.
#[utoipa::path(
    post, path = "/api/auth/email/verify", tag = "auth", operation_id = "verifyEmail", request_body = VerifyEmail,
    responses(
        (status = 204, description = "The address is the account's, and proved"),
        (status = 401, description = "The link was used, has ended or is too old", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Another account has the address by now", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many attempts", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn verify_email(
    request: HttpRequest,
    app: web::Data<App>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let body = body.json_of_anybody::<VerifyEmail>().await?;
    let verified = app
        .sign_in
        .verify_email(&body.token, &origin(&app, &request))
        .await;
    match verified {
        Ok(user) => {
            tracing::info!(%user, "e-mail address proved");
            Ok(HttpResponse::NoContent().finish())
        }
        Err(error) => {
            note_refusal(&app, &request, "proof of an e-mail address refused", &error);
            Err(error.into())
        }
    }
}

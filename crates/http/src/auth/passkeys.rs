//! Passkeys: what people do with theirs, and how they sign in with them.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::Value;
use tigertrust_accounts::FlowError;
use tigertrust_wire::{
    AddedPasskey, FinishPasskey, FinishPasskeyLogin, Page, Passkey, PasskeyOptions, Problem, RenamePasskey,
    SignedIn, StartPasskeyLogin,
};

use super::{
    login::{from, renewed, signed_in},
    refusals::note_refusal,
};
use crate::{App, body::Body, error::ApiError, permit::Person, respond::json};

/// Lists the caller's passkeys, oldest first.
#[utoipa::path(
    get, path = "/api/auth/passkeys", tag = "auth", operation_id = "listPasskeys",
    responses((status = 200, description = "All of them", body = Page<Passkey>)),
)]
pub(crate) async fn list(person: Person, app: web::Data<App>) -> Result<HttpResponse, ApiError> {
    let passkeys = app.sign_in.passkeys(&person).await?;
    Ok(json(&Page {
        items: passkeys.iter().map(Passkey::from).collect(),
        next_cursor: None,
    }))
}

/// Begins to add a passkey. Needs a fresh proof.
#[utoipa::path(
    post, path = "/api/auth/passkeys/register/start", tag = "auth", operation_id = "startPasskeyRegistration",
    responses(
        (status = 200, description = "What to ask the browser for; the answer is awaited for five minutes", body = PasskeyOptions),
        (status = 409, description = "There are as many passkeys as there may be", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn start_registration(
    request: HttpRequest,
    person: Person,
    app: web::Data<App>,
) -> Result<HttpResponse, ApiError> {
    let options = app.sign_in.start_passkey(&person, &from(&app, &request)).await?;
    Ok(json(&PasskeyOptions::new(&options)))
}

/// Adds the passkey that the browser has made. Where it is the first second factor of the account, ten recovery codes are shown,
/// once. The session goes on under another token. Needs a fresh proof.
#[utoipa::path(
    post, path = "/api/auth/passkeys/register/finish", tag = "auth", operation_id = "finishPasskeyRegistration",
    request_body = FinishPasskey,
    responses(
        (status = 200, description = "It is added", body = AddedPasskey),
        (status = 409, description = "It was added before, or there are as many passkeys as there may be", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn finish_registration(
    mut person: Person,
    request: HttpRequest,
    app: web::Data<App>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let body = body.json::<FinishPasskey>(person.admitted()).await?;
    let added = app
        .sign_in
        .add_passkey(
            &person,
            body.name.as_deref(),
            &bytes(&body.credential),
            &from(&app, &request),
        )
        .await
        .inspect_err(|error| note_refusal(&app, &request, "passkey not added", error))?;
    tracing::info!(user = %person.user().id, passkey = %added.passkey.id, "passkey added");
    let answer = json(&AddedPasskey::new(&added.passkey, &added.recovery_codes));
    renewed(&app, person.session(), &added.session, answer)
}

/// Gives a passkey of the caller's another name.
#[utoipa::path(
    patch, path = "/api/auth/passkeys/{id}", tag = "auth", operation_id = "renamePasskey", request_body = RenamePasskey,
    params(("id" = String, Path, description = "The passkey's id", example = "pky_01h2xcejqtf2nbrexx3vqjhp41")),
    responses(
        (status = 200, description = "The passkey as it is now", body = Passkey),
        (status = 404, description = "The caller has no such passkey", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn rename(
    mut person: Person,
    app: web::Data<App>,
    id: web::Path<String>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let body = body.json::<RenamePasskey>(person.admitted()).await?;
    let id = id.parse().map_err(|_| FlowError::NotFound)?;
    let passkey = app.sign_in.rename_passkey(&person, id, body.name).await?;
    Ok(json(&Passkey::from(&passkey)))
}

/// Removes a passkey of the caller's, and with the last second factor the recovery codes. The session goes on under another token.
/// Needs a fresh proof.
#[utoipa::path(
    delete, path = "/api/auth/passkeys/{id}", tag = "auth", operation_id = "removePasskey",
    params(("id" = String, Path, description = "The passkey's id", example = "pky_01h2xcejqtf2nbrexx3vqjhp41")),
    responses(
        (status = 204, description = "It is removed"),
        (status = 404, description = "The caller has no such passkey", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn remove(
    request: HttpRequest,
    person: Person,
    app: web::Data<App>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let id = id.parse().map_err(|_| FlowError::NotFound)?;
    let session = app
        .sign_in
        .remove_passkey(&person, id, &from(&app, &request))
        .await?;
    tracing::info!(user = %person.user().id, passkey = %id, "passkey removed");
    renewed(
        &app,
        person.session(),
        &session,
        HttpResponse::NoContent().finish(),
    )
}

/// Begins a login by a passkey: alone, which tells nothing about any account; or, with the token of a login that waits, as its second
/// step. A fresh proof by a passkey begins like a login by it alone.
#[utoipa::path(
    post, path = "/api/auth/passkeys/login/start", tag = "auth", operation_id = "startPasskeyLogin",
    request_body = StartPasskeyLogin,
    responses(
        (status = 200, description = "What to ask the browser for; the answer is awaited for five minutes", body = PasskeyOptions),
        (status = 401, description = "The token is spent, too old, or of an account without passkeys", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many logins have begun", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn start_login(
    request: HttpRequest,
    app: web::Data<App>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let body = body.json_of_anybody::<StartPasskeyLogin>().await?;
    let token = body.token.as_ref().map(|token| token.as_str());
    let options = app
        .sign_in
        .start_passkey_login(token, &from(&app, &request))
        .await?;
    Ok(json(&PasskeyOptions::new(&options)))
}

/// Signs a person in with a passkey: alone, or, with the token of a login that waits, as its second step. Whatever is wrong, the refusal
/// is the same.
#[utoipa::path(
    post, path = "/api/auth/passkeys/login/finish", tag = "auth", operation_id = "finishPasskeyLogin",
    request_body = FinishPasskeyLogin,
    responses(
        (status = 200, description = "The person is signed in, and the session is in the cookie", body = SignedIn),
        (status = 401, description = "The passkey or its answer is not right, or too late", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many attempts", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn finish_login(
    request: HttpRequest,
    app: web::Data<App>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let body = body.json_of_anybody::<FinishPasskeyLogin>().await?;
    let (answer, from) = (bytes(&body.credential), from(&app, &request));
    let begun = match &body.token {
        None => app.sign_in.login_by_passkey(&answer, &from).await,
        Some(token) => app.sign_in.verify_passkey(token, &answer, &from).await,
    };
    let begun =
        begun.inspect_err(|error| note_refusal(&app, &request, "login by a passkey refused", error))?;
    signed_in(&app, begun).await
}

/// What the relying party reads. A value can always be written.
pub(super) fn bytes(credential: &Value) -> Vec<u8> {
    credential.to_string().into_bytes()
}

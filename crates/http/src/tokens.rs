//! `/api/tokens`: short-lived tokens in place of keys, and what they are verified with.

use std::time::Duration;

use actix_web::{
    FromRequest as _, HttpRequest, HttpResponse,
    dev::Payload,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, HeaderValue},
    },
    web,
};
use tigertrust_accounts::{
    FlowError, Violation,
    audit::{IssuedToken as Logged, JobOfToken},
    trust_rules::ExchangeError,
};
use tigertrust_credentials::{
    AccessTokenRequest, AuthError, Charge, IssueTokenError, IssuedAccessToken, Need, Permit, Unauthorized,
    WorkspaceNeed,
};
use tigertrust_model::{KeyType, KeyTypes, Scope, ScopeSet};
use tigertrust_wire::{Code, ExchangeForToken, IssuedToken, JsonWebKeySet, Problem};

use crate::{
    App,
    body::Body,
    error::ApiError,
    origin::origin,
    permit::{Admitted, Caller, presented, session_token},
    rate_limit,
    respond::json,
};

/// How long a token is good: at least, at most, and where nobody says.
const SHORTEST: u64 = 300;
const LONGEST: u64 = 900;
const USUAL: u64 = 600;
/// How long the key set may be kept. A key that is to sign has to be in it for longer before it does.
const KEY_SET_IS_GOOD_FOR: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// What a key must fulfil to be exchanged.
pub(crate) fn exchanges() -> Need {
    Need {
        types: KeyTypes::AGENT,
        scope: None,
        workspace: WorkspaceNeed::Optional,
        charge: Charge::Plan,
    }
}

/// Exchanges a key for a token that is good for 5 to 15 minutes, for some of the key's scopes in one workspace. A job that a trust
/// rule lets in shows its issuer's token in place of the key, as `oidcToken`, and names the key.
#[utoipa::path(
    post, path = "/api/tokens", tag = "tokens", operation_id = "exchangeForToken",
    request_body(content = ExchangeForToken, description = "May be missing beside a key"),
    responses((status = 201, description = "The token", body = IssuedToken)),
)]
pub(crate) async fn exchange(
    request: HttpRequest,
    app: web::Data<App>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    // Before anything is known of the caller, so that nothing that changes during it is missed.
    let change = *app.recent.head().borrow();
    let shown = presented(&app, request.head());
    let is_somebody =
        shown.has_key(app.admission.formats()) || session_token(&app, &request, &shown)?.is_some();
    let exchanged = if is_somebody {
        by_key(&request, body, &app).await?
    } else {
        vouched(&request, body, &app).await?
    };
    let Exchanged { permit, asked, job } = exchanged;
    let asked = AccessTokenRequest {
        scopes: asked.scopes,
        life: asked.life,
        change: change.ok_or_else(Problem::unavailable)?,
    };
    let issued = app.admission.issue_access_token(&permit, &asked, &*app.random);
    let issued = issued.map_err(refused)?;
    log(&app, &request, &permit, &issued, job).await?;
    tracing::info!(key = %issued.claims.key, token = %issued.claims.id, "token issued");
    let mut response = json(&IssuedToken::from(&issued));
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

/// Who is given a token, and what it is to be good for.
struct Exchanged {
    permit: Permit,
    asked: Asked,
    job: Option<JobOfToken>,
}

/// What was asked for, as values.
struct Asked {
    scopes: Option<ScopeSet>,
    workspace: Option<String>,
    life: Duration,
}

async fn by_key(request: &HttpRequest, body: Body, app: &App) -> Result<Exchanged, ApiError> {
    let mut caller = Admitted::from_request(request, &mut Payload::None).await?;
    let Caller::Key(_) = caller.caller() else {
        let detail = "A session cannot be exchanged for a token: make a key.";
        return Err(Problem::new(Code::Forbidden, detail).into());
    };
    let body = body.json_or_default::<ExchangeForToken>(&mut caller).await?;
    let beside = |field| Violation::new(field, "is for whoever presents no key");
    let mut wrong: Vec<Violation> = Vec::new();
    wrong.extend(body.oidc_token.as_ref().map(|_| beside("/oidcToken")));
    wrong.extend(body.key_id.as_ref().map(|_| beside("/keyId")));
    let asked = read(app, &body, wrong)?;
    let Caller::Key(permit) = caller.caller() else {
        return Err(Problem::unavailable().into());
    };
    let permit = match &asked.workspace {
        None => Permit::clone(permit),
        Some(named) => {
            let mut shown = presented(app, request.head());
            shown.workspace = shown.workspace.agreeing_with(named.as_bytes());
            app.admission.admit_again(permit, &shown, &exchanges()).await?
        }
    };
    Ok(Exchanged {
        permit,
        asked,
        job: None,
    })
}

async fn vouched(request: &HttpRequest, body: Body, app: &App) -> Result<Exchanged, ApiError> {
    let nobody = || AuthError::Unauthorized(Unauthorized::NotPresented);
    // A stranger learns nothing about the body's shape.
    let body = body
        .json_of_anybody::<ExchangeForToken>()
        .await
        .map_err(|_| nobody())?;
    let (Some(token), Some(key)) = (&body.oidc_token, &body.key_id) else {
        return Err(nobody().into());
    };
    let mut shown = presented(app, request.head());
    let attempt = app
        .trust_rules
        .exchange(key, token, origin(app, request), app.clock.now());
    let is_failure = |error: &ExchangeError| matches!(error, ExchangeError::Refused(_));
    let exchanged = app.admission.attempt(shown.client, attempt, is_failure).await??;
    // What is wrong with what is asked for is told to nobody who may ask for nothing.
    let asked = read(app, &body, Vec::new())?;
    if let Some(named) = &asked.workspace {
        shown.workspace = shown.workspace.agreeing_with(named.as_bytes());
    }
    let admitted = app
        .admission
        .admit_vouched(exchanged.record, &shown, &exchanges())
        .await;
    rate_limit::tell(request, &admitted, Permit::limits);
    Ok(Exchanged {
        permit: admitted?,
        asked,
        job: Some(exchanged.job),
    })
}

fn read(app: &App, body: &ExchangeForToken, mut wrong: Vec<Violation>) -> Result<Asked, ApiError> {
    let seconds = body.expires_in_seconds.unwrap_or(USUAL);
    if !(SHORTEST..=LONGEST).contains(&seconds) {
        let detail = format!("must be {SHORTEST} to {LONGEST}");
        wrong.push(Violation::new("/expiresInSeconds", detail));
    }
    let mut scopes = body.scopes.as_ref().map(|_| Vec::new());
    for (place, text) in body.scopes.iter().flatten().enumerate() {
        let scope = text.parse::<Scope>().ok();
        match scope.filter(|scope| app.catalog.check(scope, KeyType::Agent).is_ok()) {
            Some(scope) => scopes.iter_mut().for_each(|known| known.push(scope.clone())),
            None => wrong.push(Violation::new(format!("/scopes/{place}"), "no such scope")),
        }
    }
    if wrong.is_empty() {
        Ok(Asked {
            scopes: scopes.map(ScopeSet::from_iter),
            workspace: body.workspace_id.clone(),
            life: Duration::from_secs(seconds),
        })
    } else {
        Err(FlowError::Invalid(wrong).into())
    }
}

async fn log(
    app: &App,
    request: &HttpRequest,
    permit: &Permit,
    issued: &IssuedAccessToken,
    job: Option<JobOfToken>,
) -> Result<(), ApiError> {
    let claims = &issued.claims;
    let key = &permit.key().key;
    let token = Logged {
        id: claims.id,
        key: claims.key,
        owner: key.owner,
        home: key.reach.home(),
        workspace: claims.workspace,
        scopes: claims.scopes.clone(),
        expires_at: claims.expires_at,
        job,
    };
    Ok(app.audit.note_token(&token, origin(app, request)).await?)
}

fn refused(error: IssueTokenError) -> ApiError {
    match error {
        IssueTokenError::NoSigner => {
            tracing::warn!("no token can be issued: the key ring holds no signing key");
            let detail = "This server issues no tokens: its operator has to add a signing key.";
            Problem::new(Code::ServiceUnavailable, detail).into()
        }
        IssueTokenError::FromToken => Problem::new(Code::Forbidden, format!("{error}.")).into(),
        IssueTokenError::Beyond(scope) => AuthError::MissingScope(scope).into(),
        IssueTokenError::Random(error) => FlowError::Random(error).into(),
    }
}

/// The keys that tokens are verified with (RFC 7517). It may be kept for five minutes.
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "tokens", operation_id = "tokenKeySet",
    responses((status = 200, description = "The keys, that which signs new tokens first; none where no tokens are issued", body = JsonWebKeySet)),
)]
pub(crate) async fn key_set(app: web::Data<App>) -> HttpResponse {
    let keys = app.token_signer.as_ref().map(|signer| signer.public_keys());
    let mut response = json(&JsonWebKeySet::from_iter(keys.iter().flatten()));
    response.headers_mut().insert(CACHE_CONTROL, KEY_SET_IS_GOOD_FOR);
    response
}

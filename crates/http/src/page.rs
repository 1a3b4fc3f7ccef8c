//! What pages of people are made with: the flows of [`App`] behind the same admission as the API's operations, and the
//! cookies that sessions are handed out with. The dashboard is built upon it.

use actix_web::{
    Handler, HttpRequest, HttpResponse, Resource, Responder, Route, guard,
    http::{
        Method,
        header::{self, HeaderValue},
    },
    web::{self, ServiceConfig},
};
use serde::de::DeserializeOwned;
use tigertrust_accounts::{BegunSession, RenewedSession, sso::BegunSso};
use tigertrust_credentials::{PersonPermit, TokenDigest, TokenKind};
use tigertrust_model::{Chain, Origin, Session, SessionId};
use tigertrust_wire::Problem;

use crate::{
    ApiError, App, Operation, Person,
    access::{MethodNeed, Needs},
    body::parse,
    cookies, invitations,
    mount::{allowed, method_not_allowed},
    origin::origin,
    same_site,
    sso::sign_in::waiting_cookie,
};
pub use crate::{
    audit::{checkpoint_of, filter_of},
    auth::{login::from, profile::exported, refusals::note_refusal},
    body::Body,
    pages::go_on,
    sso::{identities::begin_to_connect, mistake, sign_in::note_sso_refusal},
    verifications::VerificationTurn,
};

/// The pages of a server beside its API.
#[derive(Clone, Copy)]
pub struct Pages {
    /// Mounts them, after the API and before the pages that stand in their place where there are none.
    pub mount: fn(&mut ServiceConfig),
    /// Says what went wrong, to somebody who reads.
    pub refused: fn(&ApiError) -> HttpResponse,
}

/// What a page does with one method.
pub struct Page {
    method: Method,
    /// The operation of the API whose need it has; none for pages that anybody may see.
    like: Option<(Method, &'static str)>,
    route: Route,
}

impl Page {
    /// The method.
    #[must_use]
    pub const fn method(&self) -> &Method {
        &self.method
    }

    /// The operation of the API whose need it has; none for pages that anybody may see.
    #[must_use]
    pub const fn operation(&self) -> Option<&(Method, &'static str)> {
        self.like.as_ref()
    }

    /// For whoever may call an operation of the API.
    pub fn like<F, Args>(method: Method, like: (Method, &'static str), handler: F) -> Self
    where
        F: Handler<Args>,
        Args: actix_web::FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let like = Some(like);
        let route = route(&method, handler);
        Self { method, like, route }
    }

    /// For anybody.
    pub fn open<F, Args>(method: Method, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: actix_web::FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let route = route(&method, handler);
        Self {
            method,
            like: None,
            route,
        }
    }
}

fn route<F, Args>(method: &Method, handler: F) -> Route
where
    F: Handler<Args>,
    Args: actix_web::FromRequest + 'static,
    F::Output: Responder + 'static,
{
    let guarded = match method {
        &Method::GET => web::route().guard(guard::Any(guard::Get()).or(guard::Head())),
        _ => web::method(method.clone()),
    };
    guarded.to(handler)
}

/// A page at a path. One that has `{id}` acts in the workspace that it names. What each method needs is looked up in the table of
/// `operations`, so that a page can do no more than the API; a page that is like no operation lets nobody in who must be known.
pub fn page(path: &str, operations: &[Operation], pages: Vec<Page>) -> Resource {
    let is_in_workspace = path.contains("{id}");
    let needs = pages.iter().filter_map(|page| {
        let (method, like) = page.like.as_ref()?;
        let operation = operations
            .iter()
            .find(|operation| operation.path == *like && operation.method.as_ref() == Some(method))?;
        MethodNeed::of(Some(&page.method), &operation.access, is_in_workspace)
    });
    let needs = Needs::new(needs.collect());
    let methods: Vec<Method> = pages.iter().map(|page| page.method.clone()).collect();
    let allow = allowed(|method| {
        methods.contains(method) || (*method == Method::HEAD && methods.contains(&Method::GET))
    });
    pages
        .into_iter()
        .fold(web::resource(path).app_data(needs), |resource, page| {
            resource.route(page.route)
        })
        .default_service(web::to(move |request| method_not_allowed(request, allow.clone())))
}

/// Refuses a form that a page of another site has sent, or whose browser does not say which page did: every browser says so of forms
/// in `Origin` or `Sec-Fetch-Site`.
///
/// # Errors
/// 403 `FORBIDDEN`.
pub fn ensure_own_form(app: &App, request: &HttpRequest) -> Result<(), ApiError> {
    same_site::ensure_told(request, &app.origins)
}

/// Whether a request for a page comes from another site and brings no session for that reason alone: `SameSite=Strict` keeps it back.
/// What is asked for again by a page of ours brings it.
#[must_use]
pub fn comes_from_elsewhere(app: &App, request: &HttpRequest) -> bool {
    let header = |name| request.headers().get(name).map(HeaderValue::as_bytes);
    let site = header("sec-fetch-site");
    let is_navigation = header("sec-fetch-mode") == Some(b"navigate");
    let brings_none = cookies::values(request, &app.cookie_name).next().is_none();
    is_navigation && brings_none && matches!(site, Some(b"cross-site" | b"same-site"))
}

/// Whether a request comes from a page of ours, or was typed in: for what leaves a trace though it is asked for by GET.
#[must_use]
pub fn comes_from_here(request: &HttpRequest) -> bool {
    let site = request.headers().get("sec-fetch-site").map(HeaderValue::as_bytes);
    matches!(site, None | Some(b"same-origin" | b"none"))
}

/// Whether a page of another site has a page of ours loaded as a part of it, be it as a picture.
#[must_use]
pub fn is_part_of_elsewhere(request: &HttpRequest) -> bool {
    let mode = request.headers().get("sec-fetch-mode").map(HeaderValue::as_bytes);
    !comes_from_here(request) && mode != Some(b"navigate")
}

/// Who is signed in, if somebody is: a session that is over is none.
///
/// # Errors
/// The request presents something that is no session of ours, or it cannot be looked up.
pub async fn visitor(app: &App, request: &HttpRequest) -> Result<Option<PersonPermit>, ApiError> {
    invitations::person(app, request).await
}

/// Reads what a page puts together in JSON as the body of an operation is read: what is wrong is said of the same fields.
///
/// # Errors
/// 400 `VALIDATION_ERROR`.
pub fn read<T: DeserializeOwned>(body: &serde_json::Value) -> Result<T, ApiError> {
    parse(body.to_string().as_bytes())
}

/// Where a request comes from.
#[must_use]
pub fn origin_of(app: &App, request: &HttpRequest) -> Origin {
    origin(app, request)
}

/// The session's token, which every form of a page is bound to. Other applications may have cookies of the same name.
#[must_use]
pub fn session_cookie<'a>(app: &'a App, request: &'a HttpRequest) -> Option<&'a [u8]> {
    let is_session = |value: &&[u8]| matches!(TokenDigest::read(TokenKind::Session, value), Some(Ok(_)));
    cookies::values(request, &app.cookie_name).find(is_session)
}

/// Hands a session out with an answer.
///
/// # Errors
/// The session's token fits into no cookie, which does not happen.
pub fn hand_out(
    app: &App,
    begun: &BegunSession,
    mut response: HttpResponse,
) -> Result<HttpResponse, ApiError> {
    tracing::info!(user = %begun.session.user, session = %begun.session.id, "signed in");
    for cookie in crate::auth::login::session_cookies(app, begun)? {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// Lets a session go on under another token.
///
/// # Errors
/// The token fits into no cookie, which does not happen.
pub fn renew(
    app: &App,
    session: &Session,
    renewed: &RenewedSession,
    response: HttpResponse,
) -> Result<HttpResponse, ApiError> {
    // What ends the session has the last word about its cookie.
    let taken_back = cookies::no_session(&app.cookie_name);
    if response
        .headers()
        .get_all(header::SET_COOKIE)
        .any(|cookie| Some(cookie) == taken_back.as_ref())
    {
        return Ok(response);
    }
    crate::auth::login::renewed(app, session, renewed, response)
}

/// Sends the browser to a provider, by a page that goes on by itself: the policy on forms would keep a redirection to another site
/// back. The cookie by which the browser is known comes along.
///
/// # Errors
/// The browser's token fits into no cookie, which does not happen.
pub fn go_to_provider(begun: &BegunSso) -> Result<HttpResponse, ApiError> {
    let mut response = go_on("To the provider", &begun.redirect);
    let cookie = waiting_cookie(begun)?;
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}

/// Takes the session's cookie away.
pub fn take_back(app: &App, response: &mut HttpResponse) {
    if let Some(cookie) = cookies::no_session(&app.cookie_name) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

/// Takes away all that a browser knows an account by: the session's cookie, and the device's.
pub fn take_all_back(app: &App, response: &mut HttpResponse) {
    take_back(app, response);
    if let Some(cookie) = cookies::no_known_device() {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

/// Whether whoever asks would rather read a page than JSON.
#[must_use]
pub fn wants_page(request: &HttpRequest) -> bool {
    let accepts = request.headers().get(header::ACCEPT).map(HeaderValue::as_bytes);
    accepts.is_some_and(|accepts| accepts.windows(9).any(|part| part == b"text/html"))
}

/// Hands out the audit log of the workspace that a page is about as `GET /api/audit/export` does, by the query of the page's request.
///
/// # Errors
/// Those of the operation.
pub async fn export_audit(person: &Person, request: &HttpRequest) -> Result<HttpResponse, ApiError> {
    let app = request.app_data::<web::Data<App>>().cloned();
    let app = app.ok_or_else(Problem::unavailable)?;
    crate::audit::export(person.clone().admitted().clone(), app, request.clone()).await
}

/// A name by which a form is told from others.
#[must_use]
pub fn form_name(app: &App) -> String {
    app.sent_forms.name(app.clock.now())
}

/// Whether a form of a session comes for the first time, by the name that its page gave it. Servers do not tell each other.
#[must_use]
pub fn is_first(app: &App, session: SessionId, name: &str) -> bool {
    app.sent_forms.is_first(session, name)
}

/// Waits until it is a chain's turn to be looked at whether it is whole.
///
/// # Errors
/// 429 `RATE_LIMITED` if the chain is looked at already, or waits for that.
pub async fn turn_to_verify(app: &App, chain: Chain) -> Result<VerificationTurn<'_>, ApiError> {
    app.verifications.turn(chain).await
}

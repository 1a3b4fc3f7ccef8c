//! The extractor of a [`Permit`]: a handler that takes one cannot be reached without it.

use std::{future::Future, ops::Deref, pin::Pin, sync::Arc};

use actix_web::{
    FromRequest, HttpMessage as _, HttpRequest,
    dev::{Payload, RequestHead},
    http::header::{AUTHORIZATION, COOKIE, HeaderName, HeaderValue, USER_AGENT},
    web,
};
use tigertrust_accounts::{Actor, FlowError};
use tigertrust_credentials::{
    AuthError, Charge, HeaderValues, Need, Permit, PersonPermit, Presented, SessionAdmission, TokenDigest,
    Unauthorized,
};
use tigertrust_model::{Creator, Origin, Principal, Scope, Workspace};
use tigertrust_wire::{Code, Problem};

use crate::{
    App,
    access::{Exception, MethodNeed, Needs},
    cookies,
    error::ApiError,
    origin::origin,
    rate_limit, refused, same_site, trace,
};

// A name as text would be parsed for each request.
const AGENT_API_KEY: HeaderName = HeaderName::from_static("x-agent-api-key");
const WORKSPACE_ID: HeaderName = HeaderName::from_static("x-workspace-id");
const VERIFY: &str = "/api/keys/verify";

/// A caller that was admitted to the route.
#[derive(Clone, Debug)]
pub(crate) struct Admitted {
    caller: Caller,
    request: HttpRequest,
}

/// Who calls.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    Key(Arc<Permit>),
    Person(Arc<PersonPermit>),
}

impl Admitted {
    /// The caller as flows know it.
    pub(crate) fn actor(&self) -> Actor {
        self.actor_from(self.origin())
    }

    fn actor_from(&self, from: Origin) -> Actor {
        match &self.caller {
            Caller::Key(permit) => Actor::key(Arc::clone(permit), from),
            Caller::Person(permit) => Actor::signed_in(Arc::clone(permit), from),
        }
    }

    /// Where the request comes from.
    pub(crate) fn origin(&self) -> Origin {
        // No caller was admitted without an application.
        let app = self.request.app_data::<web::Data<App>>();
        app.map(|app| origin(app, &self.request)).unwrap_or_default()
    }

    pub(crate) const fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The caller as logs name it.
    pub(crate) fn name(&self) -> Creator {
        match &self.caller {
            Caller::Key(permit) => Creator::Key(permit.key().key.id),
            Caller::Person(permit) => Creator::User(permit.user().id),
        }
    }

    /// The workspace that the request acts in.
    pub(crate) fn workspace(&self) -> Option<&Workspace> {
        match &self.caller {
            Caller::Key(permit) => permit.workspace(),
            Caller::Person(permit) => permit.workspace(),
        }
    }

    /// Whether the caller was let in over its limit, for the one thing that it may do then.
    pub(crate) fn is_over_limit(&self) -> bool {
        rate_limit::is_over(&self.request)
    }

    /// Asks for the caller again, after something that took its time.
    pub(crate) async fn renew(&mut self) -> Result<(), ApiError> {
        if let Caller::Key(permit) = &self.caller
            && let Some(app) = self.request.app_data::<web::Data<App>>()
            && app.admission.vouches_for(permit)
        {
            return Ok(());
        }
        self.caller = admit(&self.request, Some(&self.caller)).await?;
        Ok(())
    }
}

/// A person who is signed in: for what only people do.
#[derive(Clone, Debug)]
pub struct Person {
    admitted: Admitted,
    permit: Arc<PersonPermit>,
}

impl Person {
    /// The caller, to be asked for again once the body is there.
    pub(crate) const fn admitted(&mut self) -> &mut Admitted {
        &mut self.admitted
    }

    /// Where the request comes from.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.admitted.origin()
    }

    /// The person as flows know it.
    #[must_use]
    pub fn actor(&self) -> Actor {
        self.admitted.actor()
    }

    /// Asks for the person again, after something that took its time.
    ///
    /// # Errors
    /// The person is signed in no longer, or may not do this any more.
    pub async fn renew(&mut self) -> Result<(), ApiError> {
        self.renew_by(None).await
    }

    /// As [`renew`](Self::renew), in a session that has another token by now than the request presents.
    ///
    /// # Errors
    /// The person is signed in no longer, or may not do this any more.
    pub async fn renew_under(&mut self, token: TokenDigest) -> Result<(), ApiError> {
        self.renew_by(Some(token)).await
    }

    async fn renew_by(&mut self, token: Option<TokenDigest>) -> Result<(), ApiError> {
        let caller = admit_by(&self.admitted.request, token, Some(&self.admitted.caller)).await?;
        if let Caller::Person(permit) = &caller {
            self.permit = Arc::clone(permit);
        }
        self.admitted.caller = caller;
        Ok(())
    }
}

impl Deref for Person {
    type Target = PersonPermit;

    fn deref(&self) -> &PersonPermit {
        &self.permit
    }
}

impl FromRequest for Person {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let admitted = Admitted::from_request(request, payload);
        Box::pin(async move {
            let admitted = admitted.await?;
            match &admitted.caller {
                Caller::Person(permit) => Ok(Self {
                    permit: Arc::clone(permit),
                    admitted,
                }),
                Caller::Key(_) => Err(Problem::new(
                    Code::Forbidden,
                    "This is for people who are signed in, not for API keys.",
                )
                .into()),
            }
        })
    }
}

/// A caller that was admitted to the route before the router had the request: what it spent is spent.
pub(crate) struct AdmittedAtOnce(pub(crate) Permit);

/// Admits the caller of a request to its route, or does so again.
async fn admit(request: &HttpRequest, earlier: Option<&Caller>) -> Result<Caller, ApiError> {
    admit_by(request, None, earlier).await
}

/// As [`admit`], in a session that has another token by now than the request presents.
async fn admit_by(
    request: &HttpRequest,
    token: Option<TokenDigest>,
    earlier: Option<&Caller>,
) -> Result<Caller, ApiError> {
    // A route without an application or a need of its own lets nobody in.
    let app = request
        .app_data::<web::Data<App>>()
        .ok_or_else(Problem::unavailable)?;
    let needs = request
        .app_data::<Needs>()
        .and_then(|needs| needs.of(request.method()));
    let own = needs.ok_or_else(Problem::unavailable)?;
    let mut presented = presented(app, request.head());
    // The path says where, and needs no header beside it. Should there be one that says otherwise, no flow acts upon it.
    let is_named = own.is_in_workspace && matches!(presented.workspace, HeaderValues::Absent);
    if is_named && let Some(id) = request.match_info().get("id") {
        presented.workspace = HeaderValues::One(id.as_bytes());
    }
    let token = match token {
        Some(token) => Some(token),
        None => session_token(app, request, &presented)?,
    };
    let admitted = match token {
        Some(token) => {
            same_site::ensure(request, request.method(), &app.origins)?;
            // Boxed, so that keys do not carry it about.
            Box::pin(admit_person(
                app,
                request,
                token,
                &presented,
                own,
                earlier.is_some(),
            ))
            .await
        }
        None => admit_key(app, request, &presented, own, earlier).await,
    };
    match admitted {
        // What the path names and the caller does not act in is not there.
        Err(AuthError::WorkspaceAccessDenied) if is_named => Err(FlowError::NotFound.into()),
        admitted => {
            let caller = admitted?;
            if app.traces.is_some() {
                trace::admitted(&caller);
            }
            Ok(caller)
        }
    }
}

async fn admit_person(
    app: &App,
    request: &HttpRequest,
    token: TokenDigest,
    presented: &Presented<'_>,
    own: &MethodNeed,
    was_counted: bool,
) -> Result<Caller, AuthError> {
    let own_account = Need::own_account();
    let whole_account = Need::whole_account();
    let need = match own.exception {
        Exception::AnyPerson => &whole_account,
        _ => &own.need,
    };
    let first = if was_counted || own.exception == Exception::Uncounted {
        app.sessions.admit_uncounted(token, presented, need).await
    } else {
        app.sessions.admit(token, presented, need).await
    };
    rate_limit::tell(request, &first, PersonPermit::limits);
    // The request was counted; what is asked beyond is asked about the same one.
    let admit = async |need: &Need| {
        app.sessions
            .admit_uncounted(token, presented, need)
            .await
            .map_err(|refusal| refusal.why)
    };
    let permit = match (first.map_err(|refusal| refusal.why), own.exception) {
        // Whose role does not reach to keys sees and revokes its own all the same, and flows show it no others.
        (Err(AuthError::RoleForbids(_)), Exception::Itself | Exception::OwnKeys) => {
            let need = Need {
                scope: None,
                ..own.need.clone()
            };
            admit(&need).await
        }
        (Err(refusal @ (AuthError::RoleForbids(_) | AuthError::SecondFactorMissing)), Exception::Oneself) => {
            let permit = admit(&own_account).await?;
            let person = permit.user().id.to_string();
            let is_oneself = request.match_info().get("userId") == Some(person.as_str());
            is_oneself.then_some(permit).ok_or(refusal)
        }
        (admitted, _) => admitted,
    };
    match permit {
        Ok(permit) => Ok(Caller::Person(Arc::new(permit))),
        Err(refusal) => {
            // Who may not do this is somebody all the same, and that it was tried is worth a word.
            if refused::is_change(request)
                && let Ok(known) = admit(&own_account).await
            {
                let by = Principal::User {
                    id: known.user().id,
                    session: Some(known.session().id),
                };
                refused::remember(request, known.workspace(), by);
            }
            Err(refusal)
        }
    }
}

async fn admit_key(
    app: &App,
    request: &HttpRequest,
    presented: &Presented<'_>,
    own: &MethodNeed,
    earlier: Option<&Caller>,
) -> Result<Caller, AuthError> {
    let path = request.match_info();
    let at_once = request.extensions_mut().remove::<AdmittedAtOnce>();
    let admitted = match (earlier, at_once) {
        (Some(Caller::Key(earlier)), _) => app.admission.admit_again(earlier, presented, &own.need).await,
        (_, Some(AdmittedAtOnce(permit))) => Ok(permit),
        _ => app.admission.admit(presented, &own.need).await,
    };
    rate_limit::tell(request, &admitted, Permit::limits);
    // A token is lent for minutes: a key, a rule or a member that it made would stay.
    let changes = own.need.charge == Charge::Plan
        && own.need.scope.as_ref().is_some_and(Scope::is_management)
        && refused::is_change(request);
    if changes && admitted.as_ref().is_ok_and(|permit| permit.token().is_some()) {
        return Err(AuthError::TokenChangesNothing);
    }
    let own_account = async || {
        let admitted = app
            .admission
            .admit_uncounted(presented, &Need::own_account())
            .await;
        admitted.map_err(|refusal| refusal.why)
    };
    // What a key may do without any right it may do itself alone: a token of it was given to somebody for something.
    let exception = match own.exception {
        Exception::Nobody => Exception::Nobody,
        _ if presented.has_token() => Exception::Nobody,
        exception => exception,
    };
    let permit = match (admitted.map_err(|refusal| refusal.why), exception) {
        (
            Err(
                refusal @ (AuthError::WrongType { .. }
                | AuthError::MissingScope(_)
                | AuthError::SecondFactorMissing
                // Whoever has lost a key must be able to end it, however busy others keep it.
                | AuthError::RateLimited { .. }),
            ),
            Exception::Itself,
        ) if !matches!(refusal, AuthError::RateLimited { policies: ["failures"], .. }) => {
            let permit = own_account().await?;
            let is_itself = path.get("id") == Some(permit.key().key.id.to_string().as_str());
            is_itself.then_some(permit).ok_or(refusal)
        }
        (
            Err(refusal @ (AuthError::MissingScope(_) | AuthError::SecondFactorMissing)),
            Exception::Oneself,
        ) => {
            let permit = own_account().await?;
            let key = &permit.key().key;
            let person = key.owner.map(|owner| owner.to_string());
            let is_oneself = person
                .as_deref()
                .is_some_and(|person| path.get("userId") == Some(person));
            let holds = |scope| key.scopes.grants(scope);
            let may_leave =
                is_oneself && own.need.types.contains(key.kind) && own.need.scope.as_ref().is_some_and(holds);
            may_leave.then_some(permit).ok_or(refusal)
        }
        (admitted, _) => admitted,
    };
    Ok(Caller::Key(Arc::new(permit?)))
}

/// The session that the request presents, and nothing beside it: of a key and a session neither is chosen.
///
/// # Errors
/// 401 `UNAUTHORIZED`.
pub(crate) fn session_token(
    app: &App,
    request: &HttpRequest,
    presented: &Presented<'_>,
) -> Result<Option<TokenDigest>, ApiError> {
    if !request.headers().contains_key(COOKIE) {
        return Ok(None);
    }
    let token = SessionAdmission::read(cookies::values(request, &app.cookie_name))?;
    match token {
        Some(_) if presented.has_key(app.admission.formats()) => {
            Err(AuthError::Unauthorized(Unauthorized::Malformed).into())
        }
        token => Ok(token),
    }
}

/// What the request presents.
pub(crate) fn presented<'a>(app: &App, request: &'a RequestHead) -> Presented<'a> {
    Presented {
        agent_api_key: values(request, &AGENT_API_KEY),
        authorization: values(request, &AUTHORIZATION),
        client: app.proxies.client(request),
        user_agent: request.headers.get(&USER_AGENT).map(HeaderValue::as_bytes),
        workspace: values(request, &WORKSPACE_ID),
    }
}

fn values<'a>(request: &'a RequestHead, name: &HeaderName) -> HeaderValues<'a> {
    request.headers.get_all(name).map(HeaderValue::as_bytes).collect()
}

impl FromRequest for Admitted {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let admitted = Self {
                caller: admit(&request, None).await?,
                request,
            };
            // Should it be refused, be it for its body before a flow hears of it, it is logged whom. Checks of other keys are too
            // many to be remembered.
            if refused::is_change(&admitted.request) && admitted.request.path() != VERIFY {
                let by = admitted.actor_from(Origin::default()).act().by;
                refused::remember(&admitted.request, admitted.workspace(), by);
            }
            Ok(admitted)
        })
    }
}

//! Who looks at a page: a person who was admitted to it, or who is sent to sign in.

use std::{cell::RefCell, fmt, future::Future, ops::Deref, pin::Pin, rc::Rc};

use actix_web::{
    FromRequest, HttpRequest, HttpResponse, ResponseError,
    dev::Payload,
    http::{StatusCode, header},
    web,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tigertrust_accounts::RenewedSession;
use tigertrust_http::{ApiError, App, Person, page};
use tigertrust_model::{Role, Scope, Timestamp, Workspace, WorkspaceId};
use tigertrust_wire::{Code, Problem};

use crate::{form, refusal};

/// What a handler of a page answers.
pub(crate) type PageResult = Result<HttpResponse, ApiError>;

/// A person who was admitted to the page. Cheap to clone; a page that sets a session on goes on under the new token.
#[derive(Clone)]
pub(crate) struct Visitor {
    person: Person,
    app: web::Data<App>,
    request: HttpRequest,
    renewed: Rc<RefCell<Option<RenewedSession>>>,
}

/// Somebody who may not see the page, and what is answered instead.
pub(crate) struct Away {
    error: ApiError,
    request: HttpRequest,
}

impl Visitor {
    /// The server.
    pub(crate) fn app(&self) -> &App {
        &self.app
    }

    /// The request.
    pub(crate) const fn request(&self) -> &HttpRequest {
        &self.request
    }

    /// Who it is.
    pub(crate) const fn person(&self) -> &Person {
        &self.person
    }

    /// What time it is.
    pub(crate) fn now(&self) -> Timestamp {
        self.app.clock.now()
    }

    /// The workspace that the page is about.
    ///
    /// # Errors
    /// There is none: such a page has no `{id}` in its path.
    pub(crate) fn workspace(&self) -> Result<&Workspace, ApiError> {
        let missing = || ApiError::from(Problem::new(Code::NotFound, "There is no such workspace."));
        self.person.workspace().ok_or_else(missing)
    }

    /// The workspace that the page is about, on a page that is about one: those of one's own account are about none.
    pub(crate) fn workspace_of_page(&self) -> Option<&Workspace> {
        self.request.match_info().get("id")?;
        self.person.workspace()
    }

    /// The id of that workspace.
    ///
    /// # Errors
    /// As [`workspace`](Self::workspace).
    pub(crate) fn workspace_id(&self) -> Result<WorkspaceId, ApiError> {
        Ok(self.workspace()?.id)
    }

    /// A path below the workspace that the page is about: `keys` is `/w/ws_…/keys`.
    pub(crate) fn path(&self, below: &str) -> String {
        let id = self.person.workspace().map(|workspace| workspace.id.to_string());
        let id = id.unwrap_or_default();
        match below {
            "" => format!("/w/{id}"),
            below => format!("/w/{id}/{below}"),
        }
    }

    /// Whether the person's role in the workspace permits what the scope says.
    pub(crate) fn may(&self, scope: &Scope) -> bool {
        self.person.permits(scope)
    }

    /// What the person is in the workspace.
    pub(crate) fn role(&self) -> Option<Role> {
        self.person.role()
    }

    /// A part of the path, as an id.
    ///
    /// # Errors
    /// What is no id names nothing.
    pub(crate) fn id<T: std::str::FromStr>(&self, name: &str) -> Result<T, ApiError> {
        let text = self.request.match_info().get(name).unwrap_or_default();
        text.parse()
            .map_err(|_| Problem::new(Code::NotFound, "There is no such thing, or not any more.").into())
    }

    /// Where people and programs find this server.
    pub(crate) fn base_url(&self) -> String {
        match &self.app.sso {
            Some(sso) => sso.public_url().to_owned(),
            None => {
                let host = self.request.headers().get(header::HOST);
                let host = host.and_then(|host| host.to_str().ok()).unwrap_or("localhost");
                format!("https://{host}")
            }
        }
    }

    /// What the address asks for.
    pub(crate) fn query(&self) -> form::Fields {
        form::Fields::of_query(&self.request)
    }

    /// To where somebody proves afresh who it is, and back, unless that is done: before a form in which a secret is typed, since that is
    /// not repeated on the page that asks for the proof.
    pub(crate) fn proof_first(&self) -> Option<HttpResponse> {
        let is_fresh = self.person.session().is_fresh(self.now());
        let back = asked_for(&self.request);
        (!is_fresh).then(|| {
            let back = utf8_percent_encode(&back, NON_ALPHANUMERIC);
            see_other(&format!("/step-up?return={back}"))
        })
    }

    /// The value that every form of the session bears.
    pub(crate) fn form_token(&self) -> String {
        match self.renewed.borrow().as_ref() {
            Some(renewed) => form::token(renewed.0.reveal().as_bytes()),
            None => form::token(page::session_cookie(&self.app, &self.request).unwrap_or_default()),
        }
    }

    /// The session goes on under another token, which the answer will hand out.
    ///
    /// # Errors
    /// The person may not do this any more.
    pub(crate) async fn goes_on_under(&mut self, renewed: RenewedSession) -> Result<(), ApiError> {
        let token = renewed.0.digest();
        // The old token is dead: whatever comes of it, the new one is handed out.
        *self.renewed.borrow_mut() = Some(renewed);
        self.person.renew_under(token).await
    }

    /// As [`goes_on_under`](Self::goes_on_under), where nothing more is asked of the person: the answer hands the token out.
    pub(crate) fn hand_out(&self, renewed: RenewedSession) {
        *self.renewed.borrow_mut() = Some(renewed);
    }

    /// Asks for the person again, after the form has come.
    ///
    /// # Errors
    /// The person may not do this any more.
    pub(crate) async fn renew(&mut self) -> Result<(), ApiError> {
        self.person.renew().await
    }

    /// Completes the answer: hands out the session's new token, if it has one.
    ///
    /// # Errors
    /// The token fits into no cookie, which does not happen.
    pub(crate) fn finish(&self, response: HttpResponse) -> PageResult {
        match self.renewed.borrow().as_ref() {
            None => Ok(response),
            Some(renewed) => page::renew(&self.app, self.person.session(), renewed, response),
        }
    }

    /// Says why there is no other answer, in the frame of the page.
    pub(crate) fn refused(&self, error: &ApiError) -> HttpResponse {
        match error.problem().code {
            Code::Unauthorized | Code::TokenExpired => to_sign_in(&self.request),
            _ => refusal::page(error, Some(self)),
        }
    }
}

impl Deref for Visitor {
    type Target = Person;

    fn deref(&self) -> &Person {
        &self.person
    }
}

impl FromRequest for Visitor {
    type Error = Away;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Away>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let person = Person::from_request(request, payload);
        let request = request.clone();
        Box::pin(async move {
            if page::is_part_of_elsewhere(&request) {
                let error = Problem::new(
                    Code::Forbidden,
                    "A page of another site cannot have this one within it.",
                );
                return Err(Away {
                    error: error.into(),
                    request,
                });
            }
            let app = request.app_data::<web::Data<App>>().cloned();
            match (person.await, app) {
                (Ok(person), Some(app)) => Ok(Self {
                    person,
                    app,
                    request,
                    renewed: Rc::default(),
                }),
                (Err(error), _) => Err(Away { error, request }),
                (_, None) => Err(Away {
                    error: Problem::unavailable().into(),
                    request,
                }),
            }
        })
    }
}

impl ResponseError for Away {
    fn status_code(&self) -> StatusCode {
        self.error.status_code()
    }

    fn error_response(&self) -> HttpResponse {
        let app = self.request.app_data::<web::Data<App>>();
        match self.error.problem().code {
            Code::Unauthorized | Code::TokenExpired => match app {
                // A link in a mail, say: the cookie comes along once a page of ours asks.
                Some(app) if page::comes_from_elsewhere(app, &self.request) => go_on(&self.request),
                _ => to_sign_in(&self.request),
            },
            _ => refusal::page(&self.error, None),
        }
    }
}

impl fmt::Debug for Away {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl fmt::Display for Away {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

/// A page that asks for the same once more, from here; for a file, the page that offers it.
pub(crate) fn go_on(request: &HttpRequest) -> HttpResponse {
    let path = request.path();
    let offers = path
        .strip_suffix("/export")
        .or_else(|| path.strip_suffix("/account.json"));
    match offers {
        Some(page) if request.match_pattern().is_some_and(|pattern| is_file(&pattern)) => {
            page::go_on("One moment", page)
        }
        _ => page::go_on("One moment", &asked_for(request)),
    }
}

fn is_file(pattern: &str) -> bool {
    matches!(pattern, "/w/{id}/audit/export" | "/account/export/account.json")
}

fn asked_for(request: &HttpRequest) -> String {
    let uri = request.uri();
    uri.path_and_query()
        .map_or_else(|| uri.path().to_owned(), ToString::to_string)
}

/// To where people sign in, and back.
fn to_sign_in(request: &HttpRequest) -> HttpResponse {
    let asked_for = asked_for(request);
    let to = match asked_for.as_str() {
        "/" => "/sign-in".to_owned(),
        path => format!("/sign-in?return={}", utf8_percent_encode(path, NON_ALPHANUMERIC)),
    };
    // htmx would put the page where a part of this one was.
    if request.headers().contains_key("hx-request") {
        return HttpResponse::Unauthorized()
            .insert_header(("HX-Redirect", to))
            .finish();
    }
    see_other(&to)
}

/// On to another page, by GET.
pub(crate) fn see_other(to: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, to))
        .finish()
}

/// A path of this server to go on to: what a stranger's link names may be no other.
pub(crate) fn local_path(text: Option<&str>) -> &str {
    let is_local = |text: &&str| {
        text.starts_with('/')
            && !text.starts_with("//")
            && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
    };
    text.filter(is_local).unwrap_or("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_elsewhere() {
        for path in ["/", "/w/ws_1/keys?state=active", "/a//b"] {
            assert_eq!(local_path(Some(path)), path);
        }
        for other in [
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "",
            "w",
            "/a\nb",
            "/\t/evil.example",
        ] {
            assert_eq!(local_path(Some(other)), "/", "{other:?}");
        }
    }
}

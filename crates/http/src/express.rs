//! The express lane: most checks and verifications are answered at once, before the web framework's router has the request.
//!
//! What can be answered out of memory, and lets somebody in, is answered here. Everything else takes the ordinary way as if nothing had
//! happened, and nothing has: each refusal is made there, each look-up, and whatever a request has about it that is unusual. So there is
//! one place that refuses, and what it says is no business of this one.

use std::{
    future::Future,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use actix_http::{BoxedPayloadStream, Payload, Request, Response, error::PayloadError};
use actix_service::{IntoServiceFactory, Service, ServiceFactory};
use actix_web::{
    Error, HttpMessage as _, HttpResponse,
    body::BoxBody,
    dev::{AppConfig, RequestHead},
    http::{
        Version,
        header::{CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HeaderName, HeaderValue},
    },
    web::{self, Bytes},
};
use futures_util::{StreamExt as _, future::LocalBoxFuture, poll, stream};
use tigertrust_credentials::{Need, Permit};
use tigertrust_model::Moment;
use tigertrust_wire::VerifyKey;
use tokio::task::yield_now;

use crate::{
    App,
    auth::check,
    body, keys,
    metrics::Busiest,
    permit::{AdmittedAtOnce, presented},
    rate_limit,
    respond::{append_common, request_id},
    routes,
};

/// The longest body that is read here, in bytes: larger than what asks about one key, and small enough for anybody to send.
const MAX_BODY: usize = 2048;

/// Puts the lane in front of an application.
pub(crate) fn express<F, S>(app: web::Data<App>, routed: F) -> ExpressFactory<S>
where
    F: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig>,
{
    ExpressFactory {
        app,
        routed: routed.into_factory(),
    }
}

/// Makes an [`Express`] for each thread that serves.
pub(crate) struct ExpressFactory<S> {
    app: web::Data<App>,
    routed: S,
}

impl<S> ServiceFactory<Request> for ExpressFactory<S>
where
    S: ServiceFactory<Request, Config = AppConfig, Error = Error> + 'static,
    S::Response: Into<Response<BoxBody>>,
    S::Service: 'static,
    <S::Service as Service<Request>>::Future: 'static,
{
    type Response = Response<BoxBody>;
    type Error = Error;
    type Config = AppConfig;
    type Service = Express<S::Service>;
    type InitError = S::InitError;
    type Future = LocalBoxFuture<'static, Result<Self::Service, Self::InitError>>;

    fn new_service(&self, config: AppConfig) -> Self::Future {
        let app = self.app.clone();
        let routed = self.routed.new_service(config);
        Box::pin(async move {
            let routed = routed.await?;
            let verifies = routes::verifies();
            Ok(Express(Rc::new(Lane {
                app,
                verifies,
                routed,
            })))
        })
    }
}

/// The lane of one thread.
pub(crate) struct Express<S>(Rc<Lane<S>>);

struct Lane<S> {
    app: web::Data<App>,
    /// What whoever verifies must fulfil.
    verifies: Need,
    routed: S,
}

impl<S> Service<Request> for Express<S>
where
    S: Service<Request, Error = Error> + 'static,
    S::Response: Into<Response<BoxBody>>,
{
    type Response = Response<BoxBody>;
    type Error = Error;
    type Future = Answering;

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.0.routed.poll_ready(context)
    }

    fn call(&self, request: Request) -> Self::Future {
        let lane = &self.0;
        match lane.takes(&request) {
            Some(Busiest::Check) => {
                if let Some(response) = lane.check(request.head()) {
                    return Answering::AtOnce(Some(response));
                }
            }
            Some(Busiest::Verify) => return Answering::InTime(Box::pin(verify(Rc::clone(lane), request))),
            None => {}
        }
        let answer = lane.routed.call(request);
        Answering::InTime(Box::pin(async move { answer.await.map(Into::into) }))
    }
}

impl<S> Lane<S> {
    /// Whether a request is one that may be answered here. People are not, and where there are traces each request is to be in one.
    fn takes(&self, request: &Request) -> Option<Busiest> {
        let head = request.head();
        if head.uri.query().is_some() || self.app.traces.is_some() || head.headers.contains_key(COOKIE) {
            return None;
        }
        Busiest::of(&head.method, head.uri.path()).filter(|busiest| match busiest {
            Busiest::Check => true,
            Busiest::Verify => is_short_json(head),
        })
    }

    fn check(&self, head: &RequestHead) -> Option<Response<BoxBody>> {
        let app = self.app.get_ref();
        let moment = app.clock.moment();
        let permit = app
            .admission
            .admit_at_once(&presented(app, head), &Need::any_caller(), moment)?;
        Some(self.respond(Busiest::Check, head, check::answer(&permit), &permit, moment))
    }

    fn verify(&self, request: &Request, body: &Bytes) -> Option<Response<BoxBody>> {
        let app = self.app.get_ref();
        let asked = body::parse::<VerifyKey>(body).ok()?;
        let head = request.head();
        let moment = app.clock.moment();
        let permit = app
            .admission
            .admit_at_once(&presented(app, head), &self.verifies, moment)?;
        let home = permit.workspace().map(|workspace| workspace.id);
        let verdict = keys::verification(app, &asked, home)
            .ok()
            .and_then(|verification| app.admission.verify_at_once(&verification, moment));
        let Some(verdict) = verdict else {
            // What the caller has spent is spent, and not asked for again.
            request.extensions_mut().insert(AdmittedAtOnce(permit));
            return None;
        };
        Some(self.respond(Busiest::Verify, head, keys::tell(&verdict), &permit, moment))
    }

    /// Adds what every answer bears, and counts it.
    fn respond(
        &self,
        busiest: Busiest,
        head: &RequestHead,
        answer: HttpResponse,
        caller: &Permit,
        since: Moment,
    ) -> Response<BoxBody> {
        let app = self.app.get_ref();
        let mut response = Response::from(answer);
        let headers = response.headers_mut();
        if let Some(limits) = caller.limits() {
            rate_limit::add_to(headers, limits, since.now);
        }
        append_common(
            headers,
            request_id(&head.headers, app.admission.formats()).unwrap_or_else(|| app.request_ids.next()),
        );
        let took = app.clock.monotonic().saturating_sub(since.monotonic);
        app.metrics.busiest_answered(busiest, response.status(), took);
        response
    }
}

/// Whether a request over HTTP/1 has a body in JSON that is short. Over HTTP/2 a body never comes with its head.
fn is_short_json(head: &RequestHead) -> bool {
    if head.version > Version::HTTP_11 {
        return false;
    }
    let the_one = |name: &HeaderName| {
        let mut values = head.headers.get_all(name);
        values.next().filter(|_| values.next().is_none())
    };
    let length = the_one(&CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let length = length.and_then(|text| text.parse::<usize>().ok());
    length.is_some_and(|length| length <= MAX_BODY)
        && the_one(&CONTENT_TYPE).is_some_and(|value| value == HeaderValue::from_static("application/json"))
}

/// Answers a verification, once its body is there.
async fn verify<S>(lane: Rc<Lane<S>>, request: Request) -> Result<Response<BoxBody>, Error>
where
    S: Service<Request, Error = Error>,
    S::Response: Into<Response<BoxBody>>,
{
    let (mut request, mut payload) = request.replace_payload(Payload::None);
    let payload = match read(&mut payload).await {
        Ok(body) => match lane.verify(&request, &body) {
            Some(response) => return Ok(response),
            None => Payload::from(body),
        },
        Err(read) => {
            let whole: BoxedPayloadStream = Box::pin(stream::iter(read).chain(payload));
            Payload::from(whole)
        }
    };
    *request.payload() = payload;
    lane.routed.call(request).await.map(Into::into)
}

/// Reads a body that is there, in one piece. A body that came with its head is there when it is looked for a second time; others are
/// waited for the ordinary way, where there is a limit to that.
///
/// # Errors
/// What was read until then.
async fn read(payload: &mut Payload) -> Result<Bytes, Vec<Result<Bytes, PayloadError>>> {
    let mut body = Bytes::new();
    let mut was_missing = false;
    loop {
        match poll!(payload.next()) {
            Poll::Ready(Some(Ok(chunk))) if body.is_empty() => body = chunk,
            Poll::Ready(Some(next)) => return Err(vec![Ok(body), next]),
            Poll::Ready(None) => return Ok(body),
            Poll::Pending if was_missing => return Err(vec![Ok(body)]),
            Poll::Pending => {
                was_missing = true;
                // It wakes this task itself: who has sent nothing more wakes nobody, and is to be refused all the same.
                yield_now().await;
            }
        }
    }
}

/// An answer.
pub(crate) enum Answering {
    /// It is there.
    AtOnce(Option<Response<BoxBody>>),
    /// It is under way.
    InTime(LocalBoxFuture<'static, Result<Response<BoxBody>, Error>>),
}

impl Future for Answering {
    type Output = Result<Response<BoxBody>, Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            // Nobody asks again for what was had.
            Self::AtOnce(response) => response
                .take()
                .map_or(Poll::Pending, |response| Poll::Ready(Ok(response))),
            Self::InTime(answer) => answer.as_mut().poll(context),
        }
    }
}

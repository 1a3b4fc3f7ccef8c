//! How a service behaves that TigerTrust protects, whatever it is made with: one suite for the adapters of actix, axum and tonic, those
//! that embed and those that ask a server.
//!
//! A test builds a service with the four [`Route`]s, says how it is called ([`Caller`]), what stands behind it ([`Instance`]) and in
//! what its adapter differs ([`Adapter`]), and then calls [`run`]:
//!
//! | route | over HTTP | what it needs |
//! |---|---|---|
//! | [`Route::Anyone`] | `GET /anyone` | any valid key; a workspace may be left open |
//! | [`Route::Read`] | `GET /read` | a key of any type with `certificates:read`, in a workspace |
//! | [`Route::Write`] | `POST /write` | an agent key with `certificates:write`, in a workspace |
//! | [`Route::Seen`] | `GET /seen` | a key of any type, in a workspace |
//!
//! Each answers with status 200 and what its handler saw of the permit, as JSON: `key`, the key's id; `type`, `agent` or `public`;
//! `workspace`, the id of the workspace that the request acts in, or `null`; `scopes`, what the key may do there, sorted. The service has
//! to learn the address of its clients from the connection, and must not believe `X-Forwarded-For`.

mod cases;
mod check;

use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Client, Method, header::HeaderMap};
use serde_json::Value;
use tigertrust_accounts::{Actor, KeyFlows, NewKey, ReachRequest};
use tigertrust_model::{KeyId, KeyLimits, KeyType, Timestamp, WorkspaceId};

use crate::server::send;

/// A route of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// Any valid key; a workspace may be left open.
    Anyone,
    /// A key of any type with `certificates:read`, in a workspace.
    Read,
    /// An agent key with `certificates:write`, in a workspace.
    Write,
    /// A key of any type, in a workspace.
    Seen,
}

impl Route {
    /// All routes.
    pub const ALL: [Self; 4] = [Self::Anyone, Self::Read, Self::Write, Self::Seen];

    /// The path over HTTP.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Anyone => "/anyone",
            Self::Read => "/read",
            Self::Write => "/write",
            Self::Seen => "/seen",
        }
    }

    /// The method over HTTP.
    #[must_use]
    pub const fn method(self) -> Method {
        match self {
            Self::Write => Method::POST,
            Self::Anyone | Self::Read | Self::Seen => Method::GET,
        }
    }
}

/// One call of the service.
#[derive(Clone, Debug)]
pub struct Call {
    /// Where to.
    pub route: Route,
    /// With which headers or metadata, in this order; a name may come twice.
    pub headers: Vec<(&'static str, String)>,
    /// What stands in the query, over HTTP alone.
    pub query: Option<String>,
}

impl Call {
    /// A call that presents nothing.
    #[must_use]
    pub const fn to(route: Route) -> Self {
        Self {
            route,
            headers: Vec::new(),
            query: None,
        }
    }

    /// The same with one more header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// What the service answered.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The status over HTTP, which gRPC too has.
    pub status: u16,
    /// The headers. Over gRPC the metadata, with `grpc-status` and `grpc-message` (its escapes undone) among them where the call failed.
    pub headers: HeaderMap,
    /// The body: JSON, or null where there is none.
    pub body: Value,
}

/// How the service is called.
#[async_trait]
pub trait Caller: Send + Sync {
    /// Calls it. Every call comes from 127.0.0.1.
    async fn call(&self, call: &Call) -> Answered;
}

/// Calls over HTTP.
#[derive(Debug)]
pub struct HttpCaller {
    base_url: String,
    client: Client,
}

impl HttpCaller {
    /// Calls the service at a URL: `http://127.0.0.1:8080`.
    #[must_use]
    pub fn new(base_url: impl Into<String>) -> Self {
        Self {
            base_url: base_url.into(),
            client: Client::builder().no_proxy().build().expect("a client"),
        }
    }
}

#[async_trait]
impl Caller for HttpCaller {
    async fn call(&self, call: &Call) -> Answered {
        let query = call.query.as_ref().map(|query| format!("?{query}"));
        let url = format!(
            "{}{}{}",
            self.base_url,
            call.route.path(),
            query.unwrap_or_default()
        );
        let request = self.client.request(call.route.method(), url);
        let request = call
            .headers
            .iter()
            .fold(request, |request, (name, value)| request.header(*name, value));
        let answer = send(request).await;
        Answered {
            status: answer.status.as_u16(),
            headers: answer.headers,
            body: answer.body,
        }
    }
}

/// A key that the suite asks for, of the workspace [`Instance::home`].
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Agent or public.
    pub kind: KeyType,
    /// What it may do.
    pub scopes: &'static [&'static str],
    /// The network that it may be used from; everywhere if there is none.
    pub cidr: Option<&'static str>,
    /// How often it may be used in a minute, where that is less than its plan has.
    pub per_minute: Option<u32>,
    /// After what time it expires.
    pub lives_for: Option<Duration>,
}

/// A key that was made for the suite.
#[derive(Clone, Debug)]
pub struct Issued {
    /// Its id.
    pub id: KeyId,
    /// Its secret, in plain.
    pub secret: String,
}

impl Wanted {
    /// An agent key with scopes.
    #[must_use]
    pub const fn agent(scopes: &'static [&'static str]) -> Self {
        Self {
            kind: KeyType::Agent,
            scopes,
            cidr: None,
            per_minute: None,
            lives_for: None,
        }
    }

    /// Makes it through the flows of an instance, whose time it is.
    pub async fn issue(&self, flows: &KeyFlows, home: WorkspaceId, now: Timestamp) -> Issued {
        let reach = ReachRequest::Workspace {
            home,
            others: Vec::new(),
        };
        let new = NewKey {
            scopes: self.scopes.iter().map(ToString::to_string).collect(),
            allowed_cidrs: self.cidr.iter().map(ToString::to_string).collect(),
            limits: KeyLimits {
                minute: self.per_minute,
                hour: None,
            },
            expires_at: self.lives_for.map(|time| now.saturating_add(time)),
            ..NewKey::new("protected", self.kind, reach)
        };
        let issued = flows.create(&Actor::operator(), new).await.expect("a key");
        Issued {
            id: issued.key.id,
            secret: issued.secret.reveal().to_owned(),
        }
    }
}

/// What stands behind the service: who makes keys, and whom the adapter asks. Plans have to let a key through 200 times a minute, and a
/// network fail as often.
#[async_trait]
pub trait Instance: Send + Sync {
    /// The workspace of the keys.
    fn home(&self) -> WorkspaceId;

    /// A workspace that is there and is not theirs.
    fn elsewhere(&self) -> WorkspaceId;

    /// Makes a key, which the service knows once this answers.
    async fn issue(&self, wanted: Wanted) -> Issued;

    /// Revokes a key. Once this answers, the service must refuse it.
    async fn revoke(&self, key: &Issued);

    /// Lets time pass for keys, limits and what the adapter remembers.
    async fn pass(&self, time: Duration);

    /// Takes away from the adapter whom it asks. Keys that it has not seen cannot be looked up any more; those that it has seen, not
    /// once the time of [`Adapter::remembers_for`] has [passed](Self::pass).
    async fn stop(&self);
}

/// What a service speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Refusals are problem documents.
    Http,
    /// Refusals are trailers-only answers.
    Grpc,
}

/// In what one adapter differs from another.
#[derive(Clone, Copy, Debug)]
pub struct Adapter {
    /// What it speaks.
    pub protocol: Protocol,
    /// Whether its calls count against the limits of keys.
    pub counts: bool,
    /// Whether its answers tell how the limits stand, where it has counted.
    pub tells_limits: bool,
    /// Whether an answer repeats the `X-Request-Id` of the request, as a header.
    pub repeats_request_id: bool,
    /// How long what it remembers may be used after it was last true.
    pub remembers_for: Duration,
}

impl Adapter {
    /// One that does all of it, and remembers for 5 seconds.
    #[must_use]
    pub const fn of(protocol: Protocol) -> Self {
        Self {
            protocol,
            counts: true,
            tells_limits: true,
            repeats_request_id: true,
            remembers_for: Duration::from_secs(5),
        }
    }
}

/// Runs the whole suite. The instance is stopped in the end.
///
/// # Panics
/// With everything that is not as it should be.
pub async fn run(caller: &dyn Caller, instance: &dyn Instance, adapter: &Adapter) {
    let keys = cases::Keys::issue(instance).await;
    let mut found = check::Found::new(adapter);
    for case in cases::table(&keys, instance, adapter) {
        found.compare(case.name, &case.expected, &caller.call(&case.call).await);
    }
    permit_is_seen(caller, instance, &keys, &mut found).await;
    request_id_is_repeated(caller, &mut found).await;
    revoked_at_once(caller, instance, &keys, &mut found).await;
    limited(caller, instance, adapter, &mut found).await;
    expired(caller, instance, &keys, &mut found).await;
    nothing_to_ask(caller, instance, adapter, &keys, &mut found).await;
    found.finish();
}

async fn permit_is_seen(
    caller: &dyn Caller,
    instance: &dyn Instance,
    keys: &cases::Keys,
    found: &mut check::Found<'_>,
) {
    for (name, key, kind, scopes) in [
        (
            "what a handler sees of an agent key",
            &keys.agent,
            "agent",
            cases::BOTH,
        ),
        (
            "what a handler sees of a public key",
            &keys.public,
            "public",
            cases::READ,
        ),
    ] {
        let call = Call::to(Route::Seen).with(cases::KEY, &key.secret);
        let answer = caller.call(&call).await;
        let expected = serde_json::json!({
            "key": key.id.to_string(),
            "type": kind,
            "workspace": instance.home().to_string(),
            "scopes": scopes,
        });
        found.that(name, answer.body == expected, || {
            format!("{} instead of {expected}", answer.body)
        });
    }
}

async fn request_id_is_repeated(caller: &dyn Caller, found: &mut check::Found<'_>) {
    let call = Call::to(Route::Read).with("x-request-id", "suite-1");
    found.request_id("suite-1", &caller.call(&call).await);
}

async fn revoked_at_once(
    caller: &dyn Caller,
    instance: &dyn Instance,
    keys: &cases::Keys,
    found: &mut check::Found<'_>,
) {
    let call = Call::to(Route::Read).with(cases::KEY, &keys.leaked.secret);
    found.compare(
        "a key before it is revoked",
        &check::PASSES,
        &caller.call(&call).await,
    );
    instance.revoke(&keys.leaked).await;
    let revoked = check::refused(401, "KEY_REVOKED");
    found.compare("a revoked key, at once", &revoked, &caller.call(&call).await);
}

async fn limited(
    caller: &dyn Caller,
    instance: &dyn Instance,
    adapter: &Adapter,
    found: &mut check::Found<'_>,
) {
    let wanted = Wanted {
        per_minute: Some(2),
        ..Wanted::agent(cases::READ)
    };
    let key = instance.issue(wanted).await;
    let call = Call::to(Route::Read).with(cases::KEY, &key.secret);
    for remaining in ["1", "0"] {
        let answer = caller.call(&call).await;
        found.compare("a key within its limits", &check::PASSES, &answer);
        found.limits_are_told(remaining, &answer);
    }
    if !adapter.counts {
        return;
    }
    let answer = caller.call(&call).await;
    found.compare(
        "a key over its limits",
        &check::refused(429, "RATE_LIMITED"),
        &answer,
    );
    found.limits_are_told("0", &answer);
    let wait = found.retry_after(1..=60, &answer);
    instance.pass(Duration::from_secs(wait)).await;
    let answer = caller.call(&call).await;
    found.compare("a key after Retry-After", &check::PASSES, &answer);
}

async fn expired(
    caller: &dyn Caller,
    instance: &dyn Instance,
    keys: &cases::Keys,
    found: &mut check::Found<'_>,
) {
    let call = Call::to(Route::Read).with(cases::KEY, &keys.passing.secret);
    found.compare(
        "a key before its expiry",
        &check::PASSES,
        &caller.call(&call).await,
    );
    instance.pass(cases::LIFE).await;
    let expired = check::refused(401, "TOKEN_EXPIRED");
    found.compare("a key at its expiry", &expired, &caller.call(&call).await);
}

/// Where nobody can be asked nobody gets in, but for who was let in just before.
async fn nothing_to_ask(
    caller: &dyn Caller,
    instance: &dyn Instance,
    adapter: &Adapter,
    keys: &cases::Keys,
    found: &mut check::Found<'_>,
) {
    let unseen = instance.issue(Wanted::agent(cases::READ)).await;
    instance.stop().await;
    let down = check::refused(503, "SERVICE_UNAVAILABLE");
    let answer = caller
        .call(&Call::to(Route::Read).with(cases::KEY, &unseen.secret))
        .await;
    found.compare("an unseen key while nobody can be asked", &down, &answer);
    found.retry_after(1..=60, &answer);
    let answer = caller.call(&Call::to(Route::Read).with(cases::KEY, "ak_1")).await;
    let malformed = check::refused(401, "UNAUTHORIZED");
    found.compare("a malformed key while nobody can be asked", &malformed, &answer);
    instance
        .pass(adapter.remembers_for + Duration::from_millis(1))
        .await;
    for (name, key) in [
        ("a known key when nothing is remembered any more", &keys.agent),
        ("a revoked key when nothing is remembered any more", &keys.leaked),
    ] {
        let answer = caller
            .call(&Call::to(Route::Read).with(cases::KEY, &key.secret))
            .await;
        found.compare(name, &down, &answer);
    }
}

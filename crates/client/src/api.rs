//! The server's API, as far as a client needs it. Times are those of the monotonic clock.

use std::{error::Error, io, sync::Arc, time::Duration};

use reqwest::{
    Method, Response, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER},
    redirect,
};
use serde::Deserialize;
use serde_json::Value;
use tigertrust_model::{Clock, RandomSource};
use tokio::time::{sleep, timeout};
use zeroize::Zeroizing;

use crate::{
    BuildError, NotAvailable, Reason, Verdict,
    backoff::{pause, random_part},
    error::Said,
    question::Asked,
    reach::Reach,
    settings::Settings,
};

/// How often a call is made at the most that gets no answer.
const TRIES: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// What is added to a `Retry-After`, at the most.
const SPREAD: Duration = Duration::from_millis(250);
/// More than any answer has, in bytes.
const LONGEST_ANSWER: usize = 1 << 20;
/// The same for the set of signing keys.
#[cfg(feature = "tokens")]
const LONGEST_KEY_SET: usize = 65_536;
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const POINTERS: [&str; 6] = [
    "/key",
    "/type",
    "/scope",
    "/workspaceId",
    "/clientAddress",
    "/cost",
];

/// Makes calls, each within its deadline.
pub(crate) struct Api {
    http: reqwest::Client,
    /// The service's own key. It is shown by no `Debug`.
    authorization: HeaderValue,
    url: String,
    clock: Arc<dyn Clock>,
    random: Arc<dyn RandomSource>,
}

/// A call without an answer that is of use.
struct Failed {
    reason: Reason,
    what: String,
    said: Said,
    again: Again,
}

/// Whether a call can be made again.
enum Again {
    Never,
    Soon,
    After(Duration),
}

impl Api {
    pub(crate) fn new(settings: &Settings) -> Result<Self, BuildError> {
        let bearer = Zeroizing::new(format!("Bearer {}", settings.api_key.reveal()));
        let mut authorization = HeaderValue::from_str(&bearer).map_err(|_| BuildError::ApiKey)?;
        authorization.set_sensitive(true);
        let is_https = settings.url.starts_with("https:");
        let http = reqwest::Client::builder()
            .user_agent(concat!("tigertrust-client/", env!("CARGO_PKG_VERSION")))
            // A redirect would take the keys to somebody else, and so would a proxy that the environment happens to name.
            .redirect(redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .https_only(is_https)
            .tls_backend_rustls();
        // By plain HTTP there is no certificate to check: nothing is trusted, and nothing need be.
        let http = if is_https { http } else { http.tls_certs_only([]) };
        let http = http.build().map_err(|_| BuildError::Tls)?;
        Ok(Self {
            http,
            authorization,
            url: settings.url.clone(),
            clock: Arc::clone(&settings.clock),
            random: Arc::clone(&settings.random),
        })
    }

    /// Asks what a key is worth, for so many uses.
    pub(crate) async fn verify(
        &self,
        asked: &Asked,
        cost: u32,
        until: Duration,
    ) -> Result<Verdict, NotAvailable> {
        let body = asked
            .body(cost)
            .map_err(|_| NotAvailable::new(Reason::Answer, "the question cannot be written"))?;
        let body = Zeroizing::new(body);
        let answer = self
            .call(Method::POST, "/api/keys/verify", Some(&body), until)
            .await?;
        Verdict::read(&answer).ok_or_else(|| NotAvailable::new(Reason::Answer, "the answer is no verdict"))
    }

    /// What the service's own key hears of.
    pub(crate) async fn reach(&self, until: Duration) -> Result<Reach, NotAvailable> {
        let answer = self.call(Method::GET, "/api/auth/me", None, until).await?;
        let me: Option<Value> = serde_json::from_slice(&answer).ok();
        Ok(match me.as_ref().and_then(|me| me.get("homeWorkspaceId")) {
            Some(Value::Null) => Reach::Everything,
            Some(Value::String(id)) => id.parse().map_or(Reach::Nothing, Reach::Home),
            _ => Reach::Nothing,
        })
    }

    /// The keys that tokens are verified with, as the server tells them to everybody: the service's own key is not sent, and
    /// nothing is repeated. `None` if it does not.
    #[cfg(feature = "tokens")]
    pub(crate) async fn key_set(&self, within: Duration) -> Option<Vec<u8>> {
        let fetching = async {
            let request = self
                .http
                .get(format!("{}/.well-known/jwks.json", self.url))
                .header(ACCEPT, "application/json");
            let response = request.send().await.ok()?;
            if response.status() != StatusCode::OK {
                return None;
            }
            whole(response, LONGEST_KEY_SET).await.ok()
        };
        timeout(within, fetching).await.ok().flatten()
    }

    /// Opens the feed of changes, from after the given number on.
    pub(crate) async fn open_feed(&self, last_id: Option<&str>) -> Result<Response, reqwest::Error> {
        let mut request = self
            .http
            .get(format!("{}/api/changes", self.url))
            .header(AUTHORIZATION, self.authorization.clone())
            .header(ACCEPT, "text/event-stream");
        if let Some(last_id) = last_id {
            request = request.header(LAST_EVENT_ID, last_id);
        }
        request.send().await
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&[u8]>,
        until: Duration,
    ) -> Result<Vec<u8>, NotAvailable> {
        let mut attempt = 0;
        loop {
            let left = until.saturating_sub(self.clock.monotonic());
            let tried = timeout(left, self.attempt(method.clone(), path, body)).await;
            let failed = match tried {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(failed)) => failed,
                Err(_) => return Err(NotAvailable::late()),
            };
            let wait = match failed.again {
                Again::Never => None,
                Again::Soon => Some(pause(&*self.random, attempt, FIRST_PAUSE, LONGEST_PAUSE)),
                Again::After(least) => Some(least.saturating_add(random_part(&*self.random, SPREAD))),
            };
            attempt += 1;
            let left = until.saturating_sub(self.clock.monotonic());
            match wait.filter(|wait| attempt < TRIES && *wait < left) {
                Some(wait) => sleep(wait).await,
                None => return Err(NotAvailable::told(failed.reason, failed.what, failed.said)),
            }
        }
    }

    async fn attempt(&self, method: Method, path: &str, body: Option<&[u8]>) -> Result<Vec<u8>, Failed> {
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.url))
            .header(AUTHORIZATION, self.authorization.clone())
            .header(ACCEPT, "application/json");
        if let Some(body) = body {
            request = request
                .header(CONTENT_TYPE, "application/json")
                .body(body.to_vec());
        }
        let response = request.send().await.map_err(|error| Failed::broken(&error))?;
        let (status, retry_after) = (response.status(), retry_after(&response));
        let answer = whole(response, LONGEST_ANSWER).await?;
        if status == StatusCode::OK {
            return Ok(answer);
        }
        Err(Failed::refused(status, retry_after, &answer))
    }
}

/// The whole of an answer, unless it is longer than any of the server's, which is so many bytes.
async fn whole(mut response: Response, longest: usize) -> Result<Vec<u8>, Failed> {
    let mut answer = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|error| Failed::broken(&error))? {
        if answer.len() + piece.len() > longest {
            return Err(Failed {
                reason: Reason::Answer,
                what: "the answer is too long".to_owned(),
                said: Said::default(),
                again: Again::Never,
            });
        }
        answer.extend_from_slice(&piece);
    }
    Ok(answer)
}

impl Failed {
    fn broken(error: &reqwest::Error) -> Self {
        Self {
            reason: Reason::Network,
            what: format!("no answer ({})", failure_of(error)),
            said: Said::default(),
            again: Again::Soon,
        }
    }

    fn refused(status: StatusCode, retry_after: Option<Duration>, answer: &[u8]) -> Self {
        let problem = Problem::read(answer);
        let said = Said {
            status: Some(status.as_u16()),
            code: problem.code.filter(|code| is_code(code)),
            request_id: problem.request_id.filter(|id| is_request_id(id)),
            pointers: problem.pointers,
            retry_after,
        };
        let mut what = format!("it answered {}", status.as_u16());
        if let Some(code) = &said.code {
            what.push(' ');
            what.push_str(code);
        }
        if !said.pointers.is_empty() {
            what.push_str(" at ");
            what.push_str(&said.pointers.join(", "));
        }
        // Whoever reads this looks at the key that was presented, and it is not that one.
        what.push_str(match status {
            StatusCode::UNAUTHORIZED => {
                " to the service's own key (TIGERTRUST_API_KEY): is it revoked, expired or another server's?"
            }
            StatusCode::FORBIDDEN => {
                " to the service's own key (TIGERTRUST_API_KEY): is it an agent key that holds keys:verify?"
            }
            StatusCode::BAD_REQUEST if !said.pointers.is_empty() => {
                ": it does not know what the service asks for there"
            }
            _ => "",
        });
        let again = match retry_after {
            Some(after) if status == StatusCode::SERVICE_UNAVAILABLE => Again::After(after),
            _ => Again::Never,
        };
        Self {
            reason: Reason::Refused,
            what,
            said,
            again,
        }
    }
}

/// What failed, in a word: a whole error could show more than is good.
pub(crate) fn failure_of(error: &reqwest::Error) -> String {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return match error.kind() {
                // An error of TLS comes in the clothes of one.
                io::ErrorKind::InvalidData => "no TLS with a certificate that is trusted".to_owned(),
                kind => format!("{kind:?}"),
            };
        }
        cause = error.source();
    }
    let what = if error.is_connect() {
        "the connection could not be made"
    } else {
        "the connection failed"
    };
    what.to_owned()
}

/// The seconds in `Retry-After`. A date there is none of TigerTrust's.
pub(crate) fn retry_after(response: &Response) -> Option<Duration> {
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    let is_seconds = (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = is_seconds.then(|| text.parse().ok()).flatten()?;
    Some(Duration::from_secs(seconds))
}

/// The parts of a problem that can hold nothing but what they should, once they were looked at.
#[derive(Default)]
struct Problem {
    code: Option<String>,
    request_id: Option<String>,
    pointers: Vec<&'static str>,
}

impl Problem {
    fn read(answer: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Raw {
            #[serde(default)]
            code: Value,
            #[serde(default, rename = "requestId")]
            request_id: Value,
            #[serde(default)]
            errors: Value,
        }
        let Ok(raw) = serde_json::from_slice::<Raw>(answer) else {
            return Self::default();
        };
        let errors = raw.errors.as_array().map(Vec::as_slice).unwrap_or_default();
        let pointers = errors
            .iter()
            .filter_map(|error| error.get("pointer")?.as_str())
            .filter_map(|pointer| POINTERS.into_iter().find(|known| *known == pointer))
            .take(3)
            .collect();
        Self {
            code: raw.code.as_str().map(str::to_owned),
            request_id: raw.request_id.as_str().map(str::to_owned),
            pointers,
        }
    }
}

fn is_code(text: &str) -> bool {
    (1..=40).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

fn is_request_id(text: &str) -> bool {
    text.strip_prefix("req_").is_some_and(|number| {
        (16..=32).contains(&number.len())
            && number
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

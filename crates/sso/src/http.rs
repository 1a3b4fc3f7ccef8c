//! How this server speaks with providers: by the guarded client, since whoever sets up a connection names the addresses.

use std::{pin::Pin, time::Duration};

use async_trait::async_trait;
use openidconnect::{
    AsyncHttpClient, HttpRequest, HttpResponse,
    http::{Request, StatusCode},
};
use tigertrust_accounts::sso::{ProviderDocuments, ProviderError};
use tigertrust_outbound::{OutboundError, OutboundHttp, OutboundSettings, Traceparent};

/// What the client may do.
#[derive(Clone, Copy, Debug)]
pub struct ProviderHttpSettings {
    /// Whether providers may be at addresses of private networks: for those in a network of one's own.
    pub allow_private: bool,
    /// Whether providers may be on this machine, by plain http too: for development and tests.
    pub allow_loopback: bool,
    /// Until when an answer must be there, from the look-up of the name on.
    pub deadline: Duration,
    /// How providers are told of the trace that a request belongs to, if they are.
    pub traceparent: Option<Traceparent>,
}

impl Default for ProviderHttpSettings {
    fn default() -> Self {
        let usual = OutboundSettings::default();
        Self {
            allow_private: usual.allow_private,
            allow_loopback: usual.allow_loopback,
            deadline: usual.deadline,
            traceparent: usual.traceparent,
        }
    }
}

/// The client for everything that providers publish and answer.
#[derive(Clone, Debug)]
pub struct ProviderHttp(OutboundHttp);

impl ProviderHttp {
    /// A client that trusts the certificates that the system trusts.
    ///
    /// # Errors
    /// [`ProviderError::Settings`] if there can be none on this system.
    pub fn new(settings: ProviderHttpSettings) -> Result<Self, ProviderError> {
        let settings = OutboundSettings {
            allow_private: settings.allow_private,
            allow_loopback: settings.allow_loopback,
            deadline: settings.deadline,
            traceparent: settings.traceparent,
            ..OutboundSettings::default()
        };
        OutboundHttp::new(settings).map(Self).map_err(of_provider)
    }

    /// Whether the URL is one that may be spoken to, as far as its text shows.
    pub(crate) fn check(&self, url: &str) -> Result<(), ProviderError> {
        self.0.check(url).map(drop).map_err(of_provider)
    }

    /// Sends a request and reads the answer, whatever its status.
    pub(crate) async fn send(&self, request: HttpRequest) -> Result<HttpResponse, ProviderError> {
        self.0.send(request).await.map_err(of_provider)
    }
}

impl<'c> AsyncHttpClient<'c> for ProviderHttp {
    type Error = ProviderError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, ProviderError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

#[async_trait]
impl ProviderDocuments for ProviderHttp {
    async fn fetch(&self, url: &str) -> Result<Vec<u8>, ProviderError> {
        let url = self.0.check(url).map_err(of_provider)?;
        let request = Request::get(url.as_str()).body(Vec::new());
        let request = request.map_err(|_| of_provider(OutboundError::NoUrl))?;
        let response = self.send(request).await?;
        let status = response.status();
        if status.is_redirection() {
            return Err(unavailable(
                "the provider answered with a redirection, which is not followed",
            ));
        }
        if status != StatusCode::OK {
            return Err(unavailable(&format!(
                "the provider answered with status {}",
                status.as_u16()
            )));
        }
        Ok(response.into_body())
    }
}

/// What a provider did wrong, or whoever named its address.
fn of_provider(error: OutboundError) -> ProviderError {
    let settings = |why: &str| ProviderError::Settings(why.to_owned());
    match error {
        OutboundError::NoUrl => settings("an address of the provider is not a URL"),
        OutboundError::Credentials => {
            settings("an address of the provider has a user name or a password in it")
        }
        OutboundError::NoHost => settings("an address of the provider names no host"),
        OutboundError::NoTls => settings("the provider has to be spoken to by https"),
        OutboundError::NotPublic => settings("the provider is at an address that is not public"),
        OutboundError::NoTlsVersion => settings("no version of TLS can be spoken"),
        OutboundError::Unreachable => unavailable("the provider cannot be reached"),
        OutboundError::TooSlow => unavailable("the provider did not answer in time"),
        OutboundError::TooLong => unavailable("the provider's answer is longer than 256 KiB"),
        OutboundError::BrokenOff => unavailable("the provider's answer broke off"),
    }
}

fn unavailable(why: &str) -> ProviderError {
    ProviderError::Unavailable(why.to_owned())
}

//! Webhooks over HTTP, by the guarded client.

use std::time::Duration;

use async_trait::async_trait;
use tigertrust_accounts::webhooks::{SendError, WebhookMessage, WebhookSender};
use tigertrust_outbound::{OutboundError, OutboundHttp, OutboundSettings, PlainHttp, Traceparent};

use super::signature;

/// Until when a receiver must have answered.
const DEADLINE: Duration = Duration::from_secs(15);

/// There is no way to send webhooks on this system.
#[derive(Debug, thiserror::Error)]
#[error("webhooks cannot be sent on this system: {0}")]
pub struct WebhookHttpError(#[from] OutboundError);

/// Sends webhooks over HTTP: by https and to public addresses alone, unless the operator allows more.
#[derive(Clone, Debug)]
pub struct WebhookHttp(OutboundHttp);

impl WebhookHttp {
    /// A sender. Where private addresses are allowed, receivers may be on this machine and in networks of one's own, there by
    /// plain http too. Where `traceparent` is given, receivers are told of the trace that a webhook belongs to.
    ///
    /// # Errors
    /// [`WebhookHttpError`].
    pub fn new(
        allow_private_addresses: bool,
        traceparent: Option<Traceparent>,
    ) -> Result<Self, WebhookHttpError> {
        Ok(Self(OutboundHttp::new(OutboundSettings {
            allow_private: allow_private_addresses,
            allow_loopback: allow_private_addresses,
            plain: PlainHttp::NotPublic,
            deadline: DEADLINE,
            traceparent,
            ..OutboundSettings::default()
        })?))
    }
}

#[async_trait]
impl WebhookSender for WebhookHttp {
    fn check(&self, url: &str) -> Result<String, &'static str> {
        match self.0.check(url) {
            Ok(url) if url.fragment().is_some() => Err("a URL without a fragment"),
            Ok(url) => Ok(url.into()),
            Err(OutboundError::NoTls) => Err("a URL that begins with https://"),
            Err(OutboundError::Credentials) => Err("a URL without a user name or password"),
            Err(OutboundError::NotPublic) => Err("a URL of a public address"),
            Err(_) => Err("a URL such as https://app.example.com/webhooks"),
        }
    }

    async fn send(&self, message: &WebhookMessage) -> Result<u16, SendError> {
        let id = message.event.id.to_string();
        let seconds = message.at.unix_micros().div_euclid(1_000_000);
        let body = signature::body(&message.event);
        let signatures = signature::signatures(&id, seconds, &body, &message.secrets);
        let headers = [
            ("content-type", "application/json"),
            ("webhook-id", &id),
            ("webhook-timestamp", &seconds.to_string()),
            ("webhook-signature", &signatures),
        ];
        let sent = self.0.post(&message.url, &headers, body.into_bytes()).await;
        sent.map_err(|error| SendError(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_refused_with_what_they_must_be() {
        let (public, own) = (
            WebhookHttp::new(false, None).unwrap(),
            WebhookHttp::new(true, None).unwrap(),
        );
        for (url, by_public, by_own) in [
            ("https://app.example.com:8443/hooks?x=1", None, None),
            (
                "http://app.example.com/",
                Some("a URL that begins with https://"),
                None,
            ),
            ("https://10.0.0.1/", Some("a URL of a public address"), None),
            (
                "http://127.0.0.1:8080/",
                Some("a URL that begins with https://"),
                None,
            ),
            (
                "https://169.254.169.254/",
                Some("a URL of a public address"),
                Some("a URL of a public address"),
            ),
            (
                "https://user:pass@app.example.com/",
                Some("a URL without a user name or password"),
                Some("a URL without a user name or password"),
            ),
            (
                "https://app.example.com/#here",
                Some("a URL without a fragment"),
                Some("a URL without a fragment"),
            ),
            (
                "app.example.com",
                Some("a URL such as https://app.example.com/webhooks"),
                Some("a URL such as https://app.example.com/webhooks"),
            ),
        ] {
            assert_eq!(public.check(url).err(), by_public, "{url}");
            assert_eq!(own.check(url).err(), by_own, "{url}");
        }
    }
}

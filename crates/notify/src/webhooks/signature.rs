//! What is said, and how it is signed.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tigertrust_accounts::webhooks::{OutgoingEvent, WebhookSecret};
use tigertrust_model::Timestamp;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// The body: the same, byte for byte, however often it is sent.
pub(super) fn body(event: &OutgoingEvent) -> String {
    // A kind is of small letters, digits, dots and the like, and the data are JSON already.
    format!(
        r#"{{"type":"{}","timestamp":"{}","data":{}}}"#,
        event.kind,
        rfc3339(event.at),
        event.data
    )
}

/// The signatures of `id.seconds.body`, one a secret, as the header has them.
pub(super) fn signatures(id: &str, seconds: i64, body: &str, secrets: &[WebhookSecret]) -> String {
    let content = format!("{id}.{seconds}.{body}");
    let signatures: Vec<String> = secrets
        .iter()
        .filter_map(|secret| {
            // HMAC takes keys of every length.
            let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
            mac.update(content.as_bytes());
            Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
        })
        .collect();
    signatures.join(" ")
}

fn rfc3339(time: Timestamp) -> String {
    // A Timestamp is held within the years that RFC 3339 can write, so that neither step can fail.
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(time.unix_micros()) * 1000)
        .ok()
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use tigertrust_credentials::OsRandom;
    use tigertrust_model::EventId;

    use super::*;

    /// The example of the specification, and of its libraries.
    #[test]
    fn the_published_example_is_signed_as_published() {
        let secret: WebhookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
        let signed = |secrets: &[WebhookSecret]| {
            let body = r#"{"test": 2432232314}"#;
            signatures("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body, secrets)
        };
        let published = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(signed(std::slice::from_ref(&secret)), published);
        let other = WebhookSecret::generate(&OsRandom).unwrap();
        let both = signed(&[other, secret]);
        assert_eq!(both.split(' ').count(), 2);
        assert!(both.ends_with(published));
    }

    #[test]
    fn a_body_says_what_happened_and_when() {
        let at = Timestamp::from_unix_micros(1_800_000_000_500_000);
        let event = OutgoingEvent {
            id: EventId::new(at, &OsRandom).unwrap(),
            kind: "key.revoked".to_owned(),
            at,
            data: r#"{"keyId":"key_1"}"#.to_owned(),
        };
        assert_eq!(
            body(&event),
            r#"{"type":"key.revoked","timestamp":"2027-01-15T08:00:00.5Z","data":{"keyId":"key_1"}}"#
        );
    }
}

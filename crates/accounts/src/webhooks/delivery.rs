//! What is to be delivered, and when.

use std::{fmt, str::FromStr, time::Duration};

use tigertrust_model::{EventId, Timestamp, WebhookId};

/// The kind of the event that a webhook is tried with.
pub const TEST_KIND: &str = "webhook.test";

/// How long a delivery that has come through is kept.
pub const DELIVERED_KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How long one is kept that has not: dead, or waiting for a webhook that is disabled.
pub const UNDELIVERED_KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// For how long nothing comes through to a webhook until it is disabled.
pub const FAILING_FOR: Duration = Duration::from_secs(5 * 24 * 60 * 60);

/// The pauses between one try and the next, in seconds: three days in all.
const PAUSES: [u64; 10] = [
    5,
    30,
    2 * 60,
    10 * 60,
    60 * 60,
    5 * 60 * 60,
    10 * 60 * 60,
    14 * 60 * 60,
    20 * 60 * 60,
    24 * 60 * 60,
];

/// The pause after so many tries that have failed; none if it is not tried again. `chance` makes it longer by up to a fifth, so
/// that what has failed together does not come back together.
#[must_use]
pub fn retry_after(tries: u32, chance: u16) -> Option<Duration> {
    let index = usize::try_from(tries).ok()?.checked_sub(1)?;
    let pause = Duration::from_secs(*PAUSES.get(index)?);
    Some(pause + pause.mul_f64(0.2 * f64::from(chance) / f64::from(u16::MAX)))
}

/// An event that webhooks are to be told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingEvent {
    /// Which one it is: receivers know by it what they have had already.
    pub id: EventId,
    /// What happened, such as `key.revoked`: words of small letters, digits, `-` and `_`, parted by dots.
    pub kind: String,
    /// When it happened.
    pub at: Timestamp,
    /// What there is to say of it: a JSON object, without secrets.
    pub data: String,
}

/// How far a delivery has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// It is to be sent, for the first time or again.
    Pending,
    /// The receiver has taken it.
    Delivered,
    /// It was tried often enough.
    Dead,
}

impl DeliveryState {
    /// As it is stored, and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }
}

impl fmt::Display for DeliveryState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is none of the states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be pending, delivered or dead")]
pub struct UnknownDeliveryState;

impl FromStr for DeliveryState {
    type Err = UnknownDeliveryState;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "pending" => Ok(Self::Pending),
            "delivered" => Ok(Self::Delivered),
            "dead" => Ok(Self::Dead),
            _ => Err(UnknownDeliveryState),
        }
    }
}

/// One event on its way to one webhook. A webhook has one delivery of an event, so that the event's id says which one it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// To which webhook.
    pub webhook: WebhookId,
    /// What is told.
    pub event: OutgoingEvent,
    /// How far it has come.
    pub state: DeliveryState,
    /// How often it was tried since it was last to be sent.
    pub tries: u32,
    /// When it is sent next, while it is pending. One that is being sent shows when it would be taken up again.
    pub due_at: Option<Timestamp>,
    /// When it was last tried.
    pub last_try_at: Option<Timestamp>,
    /// With which status the receiver answered then.
    pub last_status: Option<u16>,
    /// What was wrong then.
    pub last_error: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_three_days_in_all_and_vary_by_a_fifth() {
        let total = |chance| {
            (1..=10)
                .map(|tries| retry_after(tries, chance).unwrap())
                .sum::<Duration>()
        };
        let hours = |duration: Duration| duration.as_secs() / 3600;
        assert_eq!(hours(total(0)), 74);
        assert_eq!(hours(total(u16::MAX)), 89);
        assert_eq!(retry_after(1, 0), Some(Duration::from_secs(5)));
        assert_eq!(retry_after(1, u16::MAX), Some(Duration::from_secs(6)));
        assert_eq!((retry_after(0, 0), retry_after(11, 0)), (None, None));
    }
}

//! Webhooks: how they are signed ([Standard Webhooks](https://www.standardwebhooks.com)) and sent, and the courier that brings them
//! out of the outbox.

mod courier;
mod lanes;
mod sender;
mod signature;

pub use self::{
    courier::Courier,
    sender::{WebhookHttp, WebhookHttpError},
};
pub use tigertrust_outbound::Traceparent;

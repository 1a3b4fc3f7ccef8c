//! `tigertrust webhook`.

use clap::{Args, Subcommand};
use tigertrust_accounts::webhooks::DeliveryState;
use tigertrust_model::{EventId, WebhookId};

use super::{InWorkspace, PageArgs, parse};
use crate::duration;

/// Programs that are told what happens in a workspace.
#[derive(Debug, Subcommand)]
pub enum Webhook {
    /// Make a webhook and show the secret that it is signed with, once
    Add(AddWebhook),
    /// List the webhooks of a workspace, newest first
    List(InWorkspace),
    /// Show a webhook
    Show(WebhookArgs),
    /// Change a webhook; what is not named stays
    Update(UpdateWebhookArgs),
    /// Remove a webhook for good, with what waits to be sent to it
    Remove {
        /// Which one
        #[command(flatten)]
        webhook: WebhookArgs,
        /// Confirm that nothing more is sent to it
        #[arg(long)]
        yes: bool,
    },
    /// Give a webhook another secret, and show it, once
    RotateSecret {
        /// Which one
        #[command(flatten)]
        webhook: WebhookArgs,
        /// For how long it is signed with the old secret, too, such as 1h
        #[arg(long, value_name = "DURATION", value_parser = duration::parse, default_value = "24h")]
        overlap: std::time::Duration,
    },
    /// Have a running server send the event webhook.test to a webhook
    Test(WebhookArgs),
    /// List what was, or is to be, sent to a webhook, the newest events first
    Deliveries {
        /// Which one
        #[command(flatten)]
        webhook: WebhookArgs,
        /// Only those in this state: pending, delivered or dead
        #[arg(long, value_parser = parse::<DeliveryState>)]
        state: Option<DeliveryState>,
        /// Which page
        #[command(flatten)]
        page: PageArgs<EventId>,
    },
    /// Have a running server send what was given up, or delivered, once more
    Redeliver {
        /// The webhook's id, wh_…
        #[arg(value_parser = parse::<WebhookId>)]
        id: WebhookId,
        /// The delivery's id, evt_…
        #[arg(value_parser = parse::<EventId>)]
        delivery: EventId,
        /// Of which workspace
        #[command(flatten)]
        within: InWorkspace,
    },
}

/// Which webhook.
#[derive(Clone, Copy, Debug, Args)]
pub struct WebhookArgs {
    /// The webhook's id, wh_…
    #[arg(value_parser = parse::<WebhookId>)]
    pub id: WebhookId,
    /// Of which workspace
    #[command(flatten)]
    pub within: InWorkspace,
}

/// Make a webhook.
#[derive(Debug, Args)]
pub struct AddWebhook {
    /// Where it is sent to, such as https://app.example.com/webhooks
    pub url: String,
    /// Of which workspace
    #[command(flatten)]
    pub within: InWorkspace,
    /// An event that it wants to hear of, such as key.revoked, or key.* for a family; may be given more than once, or several
    /// with commas
    #[arg(
        long = "event",
        value_name = "EVENT",
        value_delimiter = ',',
        default_value = "*"
    )]
    pub events: Vec<String>,
    /// What people call it
    #[arg(long)]
    pub description: Option<String>,
}

/// Change a webhook.
#[derive(Debug, Args)]
pub struct UpdateWebhookArgs {
    /// Which one
    #[command(flatten)]
    pub webhook: WebhookArgs,
    /// What is to be another way
    #[command(flatten)]
    pub changes: WebhookChangesArgs,
}

/// What is to be another way with a webhook.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub struct WebhookChangesArgs {
    /// Where it is sent to
    #[arg(long)]
    pub url: Option<String>,
    /// An event that it wants to hear of, in place of all before; may be given more than once, or several with commas
    #[arg(long = "event", value_name = "EVENT", value_delimiter = ',')]
    pub events: Vec<String>,
    /// What people call it
    #[arg(long)]
    pub description: Option<String>,
    /// Have people call it nothing
    #[arg(long, conflicts_with = "description")]
    pub no_description: bool,
    /// Send to it again, what has waited first
    #[arg(long)]
    pub enable: bool,
    /// Send nothing to it
    #[arg(long, conflicts_with = "enable")]
    pub disable: bool,
}

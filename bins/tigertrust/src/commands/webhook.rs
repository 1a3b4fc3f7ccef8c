//! `tigertrust webhook`.

use std::time::Duration;

use tigertrust::{TigerTrust, webhooks::WebhookFlows};
use tigertrust_accounts::{
    Actor, FlowError,
    webhooks::{DeliveryState, NewWebhook, WebhookChanges, WebhookError},
};
use tigertrust_model::{EventId, WebhookId, WorkspaceId};
use tigertrust_wire::{IssuedWebhook, Page, Webhook as Body, WebhookDelivery, format_rfc3339};

use super::{instance_and_settings, key::only_workspace};
use crate::{
    cli::{AddWebhook, Common, InWorkspace, OutputFormat, PageArgs, UpdateWebhookArgs, Webhook, WebhookArgs},
    failure::Failure,
    output,
    own_ring::ensure_own,
};

pub async fn run(common: &Common, verb: Webhook) -> Result<(), Failure> {
    let (instance, settings) = instance_and_settings(common).await?;
    ensure_own(instance.storage(), settings.keyring.as_ref()).await?;
    let desk = Desk {
        output: common.output,
        instance: &instance,
        flows: instance.webhooks(),
    };
    let done = match verb {
        Webhook::Add(args) => desk.add(args).await,
        Webhook::List(within) => desk.list(within).await,
        Webhook::Show(args) => desk.show(args).await,
        Webhook::Update(args) => desk.update(args).await,
        Webhook::Remove { webhook, yes } => desk.remove(webhook, yes).await,
        Webhook::RotateSecret { webhook, overlap } => desk.rotate_secret(webhook, overlap).await,
        Webhook::Test(args) => desk.test(args).await,
        Webhook::Deliveries { webhook, state, page } => desk.deliveries(webhook, state, &page).await,
        Webhook::Redeliver { id, delivery, within } => {
            desk.redeliver(WebhookArgs { id, within }, delivery).await
        }
    };
    instance.close().await;
    done
}

/// What every command here works with.
struct Desk<'a> {
    output: OutputFormat,
    instance: &'a TigerTrust,
    flows: &'a WebhookFlows,
}

impl Desk<'_> {
    async fn workspace(&self, within: InWorkspace) -> Result<WorkspaceId, Failure> {
        match within.workspace {
            Some(workspace) => Ok(workspace),
            None => only_workspace(self.instance).await,
        }
    }

    async fn add(&self, args: AddWebhook) -> Result<(), Failure> {
        let workspace = self.workspace(args.within).await?;
        let new = NewWebhook {
            url: args.url,
            description: args.description,
            events: args.events,
        };
        let issued = self.flows.create(&Actor::operator(), workspace, new).await;
        let issued =
            issued.map_err(|error| missing(error, || format!("there is no workspace {workspace}")))?;
        self.print_issued(&IssuedWebhook::new(&issued, self.instance.clock().now()))
    }

    async fn list(&self, within: InWorkspace) -> Result<(), Failure> {
        let workspace = self.workspace(within).await?;
        let found = self.flows.list(&Actor::operator(), workspace).await?;
        let now = self.instance.clock().now();
        let body = Page::whole(found.iter().map(|webhook| Body::new(webhook, now)).collect());
        output::print(self.output, &body, |body| {
            let rows = body.items.iter().map(|webhook| {
                [
                    webhook.id.clone(),
                    state(webhook),
                    webhook.events.join(","),
                    webhook.url.clone(),
                ]
            });
            output::table(["ID", "STATE", "EVENTS", "URL"], rows)
        })
    }

    async fn show(&self, args: WebhookArgs) -> Result<(), Failure> {
        let (workspace, id) = (self.workspace(args.within).await?, args.id);
        let found = self.flows.get(&Actor::operator(), workspace, id).await;
        let found = found.map_err(|error| unknown(workspace, id, error))?;
        self.print(&Body::new(&found, self.instance.clock().now()))
    }

    async fn update(&self, args: UpdateWebhookArgs) -> Result<(), Failure> {
        let (workspace, id) = (self.workspace(args.webhook.within).await?, args.webhook.id);
        let changes = args.changes;
        let changes = WebhookChanges {
            url: changes.url,
            description: match changes.description {
                Some(description) => Some(Some(description)),
                None => changes.no_description.then_some(None),
            },
            events: Some(changes.events).filter(|events| !events.is_empty()),
            enabled: (changes.enable || changes.disable).then_some(changes.enable),
        };
        let changed = self
            .flows
            .update(&Actor::operator(), workspace, id, changes)
            .await;
        let changed = changed.map_err(|error| unknown(workspace, id, error))?;
        self.print(&Body::new(&changed, self.instance.clock().now()))
    }

    async fn remove(&self, args: WebhookArgs, yes: bool) -> Result<(), Failure> {
        let (workspace, id) = (self.workspace(args.within).await?, args.id);
        let found = self.flows.get(&Actor::operator(), workspace, id).await;
        let url = found.map_err(|error| unknown(workspace, id, error))?.url;
        if !yes {
            return Err(Failure::new(format!(
                "this would remove the webhook {id} to {url} for good, with what waits to be sent to it. Add --yes to do it"
            )));
        }
        let removed = self.flows.remove(&Actor::operator(), workspace, id).await;
        removed.map_err(|error| unknown(workspace, id, error))?;
        output::print(self.output, &(), |()| {
            format!("Removed {id}. Nothing more is sent to {url}.")
        })
    }

    async fn rotate_secret(&self, args: WebhookArgs, overlap: Duration) -> Result<(), Failure> {
        let (workspace, id) = (self.workspace(args.within).await?, args.id);
        let rotated = self
            .flows
            .rotate_secret(&Actor::operator(), workspace, id, overlap)
            .await;
        let rotated = rotated.map_err(|error| unknown(workspace, id, error))?;
        self.print_issued(&IssuedWebhook::new(&rotated, self.instance.clock().now()))
    }

    async fn test(&self, args: WebhookArgs) -> Result<(), Failure> {
        let (workspace, id) = (self.workspace(args.within).await?, args.id);
        let sent = self.flows.test(&Actor::operator(), workspace, id).await;
        let sent = sent.map_err(|error| unknown(workspace, id, error))?;
        self.print_sent(&WebhookDelivery::from(&sent))
    }

    async fn deliveries(
        &self,
        args: WebhookArgs,
        state: Option<DeliveryState>,
        page: &PageArgs<EventId>,
    ) -> Result<(), Failure> {
        let (workspace, id) = (self.workspace(args.within).await?, args.id);
        let found = self
            .flows
            .deliveries(&Actor::operator(), workspace, id, state, page.request())
            .await;
        let body = Page::of(
            found.map_err(|error| unknown(workspace, id, error))?,
            page.limit,
            |delivery| delivery.event.id.to_string(),
            |delivery| WebhookDelivery::from(delivery),
        );
        output::print(self.output, &body, |body| {
            let rows = body.items.iter().map(|delivery| {
                [
                    delivery.id.clone(),
                    delivery.r#type.clone(),
                    delivery.state.to_owned(),
                    delivery.attempts.to_string(),
                    delivery.next_attempt_at.map_or_else(String::new, format_rfc3339),
                    delivery.last_error.clone().unwrap_or_default(),
                ]
            });
            let table = output::table(["ID", "EVENT", "STATE", "TRIES", "NEXT", "LAST ERROR"], rows);
            super::key::with_cursor(table, body.next_cursor.as_deref())
        })
    }

    async fn redeliver(&self, args: WebhookArgs, event: EventId) -> Result<(), Failure> {
        let (workspace, id) = (self.workspace(args.within).await?, args.id);
        let sent = self
            .flows
            .redeliver(&Actor::operator(), workspace, id, event)
            .await;
        let sent = sent.map_err(|error| {
            missing(error, || {
                format!(
                    "there is no delivery {event} of the webhook {id} in {workspace}: `tigertrust webhook deliveries {id}` shows all"
                )
            })
        })?;
        self.print_sent(&WebhookDelivery::from(&sent))
    }

    fn print(&self, body: &Body) -> Result<(), Failure> {
        output::print(self.output, body, describe)
    }

    fn print_issued(&self, body: &IssuedWebhook) -> Result<(), Failure> {
        output::print(self.output, body, |body| {
            format!(
                "{}\nSecret       {}   (shown once: store it now)",
                describe(&body.webhook),
                *body.secret
            )
        })
    }

    fn print_sent(&self, body: &WebhookDelivery) -> Result<(), Failure> {
        output::print(self.output, body, |body| {
            format!(
                "A running server sends {} within a second: `tigertrust webhook deliveries {}` shows what came of it.",
                body.id, body.webhook_id
            )
        })
    }
}

fn state(webhook: &Body) -> String {
    webhook
        .disabled_reason
        .map_or_else(|| "enabled".to_owned(), |why| format!("disabled ({why})"))
}

fn describe(webhook: &Body) -> String {
    let mut lines = vec![
        ("Webhook", webhook.id.clone()),
        ("URL", webhook.url.clone()),
        ("Events", webhook.events.join(", ")),
        ("State", state(webhook)),
    ];
    if let Some(description) = &webhook.description {
        lines.push(("Description", description.clone()));
    }
    for (label, time) in [
        ("Disabled", webhook.disabled_at),
        ("Fails since", webhook.failing_since),
        ("Old secret", webhook.previous_secret_until),
    ] {
        lines.extend(time.map(|time| (label, format_rfc3339(time))));
    }
    let line = |(label, value): &(&str, String)| format!("{label:<11}  {value}");
    lines.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The failure, with these words for what is not there.
fn missing(error: WebhookError, what: impl FnOnce() -> String) -> Failure {
    match error {
        WebhookError::Flow(FlowError::NotFound) => Failure::new(what()),
        other => other.into(),
    }
}

fn unknown(workspace: WorkspaceId, id: WebhookId, error: WebhookError) -> Failure {
    missing(error, || {
        format!(
            "there is no webhook {id} of a workspace {workspace}: `tigertrust webhook list --workspace {workspace}` shows all"
        )
    })
}

//! Webhooks: who may write what at the same time.

use diesel_async::SimpleAsyncConnection as _;
use tigertrust_accounts::webhooks::{DisabledBecause, StoredWebhook, Webhook};
use tigertrust_credentials::OsRandom;
use tigertrust_model::{Act, Creator, WebhookId};
use tigertrust_testkit::Engine;

use crate::support::{NOW, World, hex, on_both_engines};

on_both_engines!(an_edit_leaves_what_was_noted_meanwhile,);

async fn an_edit_leaves_what_was_noted_meanwhile(engine: Engine) {
    // SQLite has one writer.
    if engine != Engine::Postgres {
        return;
    }
    let world = World::new(engine).await;
    let home = world.workspace("home").await;
    let id = WebhookId::new(NOW, &OsRandom).unwrap();
    let stored = StoredWebhook {
        webhook: Webhook {
            id,
            workspace: home.id,
            url: "https://app.example.com/".to_owned(),
            description: None,
            events: vec!["*".parse().unwrap()],
            disabled: None,
            failing_since: None,
            previous_secret_until: None,
            created_by: Creator::Operator,
            created_at: NOW,
            updated_at: NOW,
        },
        secret: format!("x1.e1.{}", "A".repeat(64)).parse().unwrap(),
        previous_secret: None,
    };
    let webhooks = world.node.storage.webhooks();
    let made = webhooks.insert_webhook(Act::of_operator(), stored, None, Box::new(|_| Ok(())));
    made.await.unwrap();
    // As whoever notes that the receiver wants no more.
    let mut noting = world.postgres().await;
    let (webhook, _) = hex(id.as_uuid());
    noting
        .batch_execute(&format!(
            "BEGIN; UPDATE webhooks SET disabled_at = now(), disabled_because = 'gone' WHERE id = {webhook}"
        ))
        .await
        .unwrap();
    let edit = Box::new(|stored: &mut StoredWebhook, _| {
        stored.webhook.description = Some("Ours".to_owned());
        Ok(())
    });
    let editing = tokio::spawn(async move {
        webhooks
            .edit_webhook(Act::of_operator(), home.id, id, None, edit)
            .await
    });
    world.until_somebody_waits().await;
    noting.batch_execute("COMMIT").await.unwrap();
    let edited = editing.await.unwrap().unwrap().webhook;
    assert_eq!(edited.description.as_deref(), Some("Ours"));
    assert_eq!(edited.disabled.map(|(_, why)| why), Some(DisabledBecause::Gone));
}

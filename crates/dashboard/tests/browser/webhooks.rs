//! Webhooks: made, tried, changed and deleted, and what comes in where they lead.

use serde_json::json;
use tigertrust_accounts::IssuedKey;
use tigertrust_model::{KeyType, Role};
use tigertrust_testkit::{Engine, Receiver, Tab, TabSettings};

use crate::common::{NO_SCRIPT, PHONE, Site, faults, whereabouts};

/// The secret that is shown.
async fn secret(tab: &Tab) -> String {
    let secret = tab
        .evaluate("document.getElementById('secret').textContent")
        .await;
    let secret = secret.as_str().unwrap().to_owned();
    assert!(secret.starts_with("whsec_") && secret.len() == 50, "a secret");
    secret
}

/// A webhook that was made over the API: its path below the workspace.
async fn made(site: &Site, admin: &IssuedKey, url: &str) -> String {
    let all = format!("/api/workspaces/{}/webhooks", site.workspace.id);
    let body = json!({"url": url, "description": "The shop", "events": ["key.*"]});
    let made = site.server.post(&all, admin, &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    format!("/webhooks/{}", made.body["id"].as_str().unwrap())
}

async fn a_webhook_from_its_beginning_to_its_end(engine: Engine) {
    let (site, receiver) = (Site::open(engine).await, Receiver::start());
    let (_, tab) = site.signed_in(Role::Admin, TabSettings::default()).await;
    tab.press("Webhooks").await;
    assert!(tab.text().await.contains("There are no webhooks yet"));
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.press("Create your first webhook").await;
    tab.fill("URL", &receiver.url("/hook")).await;
    tab.fill("Description", "The shop").await;
    tab.check("API keys").await;
    tab.fill("Single events", "member.removed").await;
    tab.press("Create webhook").await;
    let first = secret(&tab).await;
    tab.press("Copy the secret").await;
    assert_eq!(tab.clipboard().await, first);
    assert!(tab.text().await.contains("standardwebhooks"));
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.press("I have copied it").await;
    let home = tab.url().await;
    let text = tab.text().await;
    assert!(
        !text.contains(&first) && text.contains("Nothing was sent yet"),
        "{text}"
    );

    // It reaches the receiver, signed.
    tab.press("Send a test event").await;
    tab.press("Send a test event").await;
    assert!(tab.text().await.contains("A test event is on its way."));
    site.server.send_webhooks().await;
    tab.goto(&home).await;
    let text = tab.text().await;
    assert!(
        text.contains("webhook.test") && text.contains("delivered") && text.contains("answered 204"),
        "{text}"
    );
    let received = receiver.received();
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].json()["type"], "webhook.test");
    assert!(received[0].is_signed_with(&first));

    // What happens is told, what fails is shown, and the event leads to the log.
    receiver.answer("/hook", &[500]);
    site.server.key(&site.workspace, KeyType::Public, &[]).await;
    site.server.send_webhooks().await;
    tab.goto(&home).await;
    let text = tab.text().await;
    assert!(
        text.contains("failing") && text.contains("answered 500") && text.contains("pending"),
        "{text}"
    );
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.press("Delivered").await;
    assert!(!tab.text().await.contains("key.created"));
    tab.press("Pending").await;
    tab.press("API key created").await;
    assert!(tab.url().await.contains("/audit/"), "{}", tab.url().await);
    assert!(tab.text().await.contains("Place in the chain"));

    // What was delivered is sent once more on demand, under the id that it had.
    tab.goto(&home).await;
    tab.press_near("webhook.test", "Send again").await;
    assert!(tab.text().await.contains("The event is sent once more."));
    assert_eq!(whereabouts(&tab).await, home);
    site.server.send_webhooks().await;
    let ids: Vec<String> = receiver.received().into_iter().map(|one| one.id).collect();
    assert_eq!((ids.len(), &ids[0]), (3, &ids[2]));

    // Another secret; for a while it is signed with both.
    tab.press("New secret").await;
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.fill("The old secret goes on", "For an hour").await;
    tab.press("Make a new secret").await;
    let second = secret(&tab).await;
    assert_ne!(first, second);
    tab.press("Send a test event").await;
    tab.press("Send a test event").await;
    assert!(tab.text().await.contains("The one before goes on until"));
    site.server.send_webhooks().await;
    let received = receiver.received();
    let last = received.last().unwrap();
    assert!(last.is_signed_with(&first) && last.is_signed_with(&second));

    tab.press("Edit").await;
    assert_eq!(
        (tab.value("API keys").await, tab.value("Single events").await),
        ("checked".to_owned(), "member.removed".to_owned())
    );
    tab.fill("Description", "").await;
    tab.fill("Single events", "").await;
    tab.press("Save").await;
    let text = tab.text().await;
    assert!(
        text.contains("The webhook is saved.")
            && !text.contains("The shop")
            && !text.contains("member.removed"),
        "{text}"
    );

    tab.press("Disable").await;
    tab.press("Disable webhook").await;
    let text = tab.text().await;
    assert!(
        text.contains("Somebody switched it off") && !text.contains("Send a test event"),
        "{text}"
    );
    // Whoever has the page from before is told why not.
    tab.goto(&format!("{home}/test")).await;
    tab.press("Send a test event").await;
    assert_eq!(tab.status().await, 409);
    assert!(tab.text().await.contains("disabled"), "{}", tab.text().await);
    tab.press("Cancel").await;
    tab.press("Enable").await;
    tab.press("Enable webhook").await;
    assert!(tab.text().await.contains("enabled"));

    tab.press("Delete").await;
    assert!(tab.text().await.contains("What waits to be sent to it"));
    tab.press("Delete webhook").await;
    let text = tab.text().await;
    assert!(
        text.contains("The webhook is deleted.") && text.contains("There are no webhooks yet"),
        "{text}"
    );
    tab.goto(&home).await;
    assert_eq!(tab.status().await, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhooks_from_their_beginning_to_their_end_on_sqlite() {
    a_webhook_from_its_beginning_to_its_end(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhooks_from_their_beginning_to_their_end_on_postgres() {
    a_webhook_from_its_beginning_to_its_end(Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhooks_are_refused_beside_the_field_without_javascript() {
    let (site, receiver) = (Site::open(Engine::Sqlite).await, Receiver::start());
    let (_, tab) = site.signed_in(Role::Owner, NO_SCRIPT).await;
    tab.goto(&site.within("/webhooks/new")).await;
    // The metadata of a cloud, which no setting allows.
    tab.fill("URL", "https://169.254.169.254/latest").await;
    tab.fill("Single events", "key.revoked\nkey.mistyped").await;
    tab.press("Create webhook").await;
    assert_eq!(tab.status().await, 400);
    let text = tab.text().await;
    assert!(text.contains("must be a URL of a public address"), "{text}");
    assert!(
        text.contains("key.mistyped names nothing that happens") && !text.contains("key.revoked names"),
        "{text}"
    );
    assert_eq!(tab.value("URL").await, "https://169.254.169.254/latest");
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.fill("URL", &receiver.url("/hook")).await;
    tab.fill("Single events", "").await;
    tab.press("Create webhook").await;
    assert!(
        tab.text().await.contains("must have 1 to 50 entries"),
        "{}",
        tab.text().await
    );
    // Everything beside something is most likely not what is meant.
    tab.check("Everything that happens").await;
    tab.check("API keys").await;
    tab.press("Create webhook").await;
    assert_eq!(tab.status().await, 400);
    assert!(tab.text().await.contains("choose either it alone"));
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.uncheck("API keys").await;
    tab.press("Create webhook").await;
    secret(&tab).await;
    tab.press("I have copied it").await;
    assert!(tab.text().await.contains("everything"));
    // So does a change, and nothing is changed.
    tab.press("Edit").await;
    tab.fill("URL", "https://user:password@app.example.com/").await;
    tab.press("Save").await;
    assert_eq!(tab.status().await, 400);
    assert!(tab.text().await.contains("without a user name or password"));
    tab.press("Cancel").await;
    assert!(tab.text().await.contains(&receiver.url("/hook")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhooks_fit_a_phone() {
    let (site, receiver) = (Site::open(Engine::Sqlite).await, Receiver::start());
    let admin = site.server.admin(&site.workspace).await;
    let path = made(&site, &admin, &receiver.url("/hook")).await;
    site.server.key(&site.workspace, KeyType::Public, &[]).await;
    site.server.send_webhooks().await;
    let event = receiver.received()[0].id.clone();
    let (_, tab) = site.signed_in(Role::Owner, PHONE).await;
    for below in [
        "",
        "/edit",
        "/enabled",
        "/secret",
        "/test",
        "/delete",
        &format!("/deliveries/{event}/redeliver"),
    ] {
        tab.goto(&site.within(&format!("{path}{below}"))).await;
        assert_eq!(tab.status().await, 200, "{below}");
        assert_eq!(faults(&tab).await, [""; 0], "{below}");
    }
    tab.press("Send again").await;
    assert!(tab.text().await.contains("The event is sent once more."));
    tab.press("Menu").await;
    tab.press("Webhooks").await;
    assert!(tab.text().await.contains("The shop"));
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.press("Create webhook").await;
    assert_eq!(faults(&tab).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhooks_are_for_who_may_change_the_workspace() {
    let (site, receiver) = (Site::open(Engine::Sqlite).await, Receiver::start());
    let admin = site.server.admin(&site.workspace).await;
    let path = made(&site, &admin, &receiver.url("/hook")).await;
    let (_, tab) = site.signed_in(Role::Member, TabSettings::default()).await;
    assert!(!tab.text().await.contains("Webhooks"));
    for path in ["/webhooks", "/webhooks/new", &path, &format!("{path}/delete")] {
        tab.goto(&site.within(path)).await;
        assert_eq!(tab.status().await, 403, "{path}");
    }
    // One of another workspace is not there.
    let other = site.server.workspace("Other").await;
    let stranger = site.server.member(&other, Role::Owner).await;
    let tab = site.tab(TabSettings::default()).await;
    site.sign_in(&tab, &site.server.email(stranger).await).await;
    tab.goto(&site.at(&format!("/w/{}{path}", other.id))).await;
    assert_eq!(tab.status().await, 404);
}

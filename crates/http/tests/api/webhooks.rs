//! Webhooks: made, changed, and what comes in where they lead.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};
use tigertrust_accounts::{
    Actor, FlowError, IssuedKey,
    webhooks::{NewWebhook, WebhookError, WebhookFlows, WebhookParts},
};
use tigertrust_credentials::{EncryptionKey, EncryptionRing, OsRandom};
use tigertrust_model::{Clock, KeyType, Plan, Role, UserId, WebhookId, Workspace, management};
use tigertrust_notify::webhooks::{Courier, WebhookHttp};
use tigertrust_testkit::{Receiver, TestServer, eventually, on_both_engines, send};
use tokio::runtime::Handle;

use crate::people::Browser;

on_both_engines!(
    what_happens_is_told_and_signed,
    what_the_audit_log_says_is_told,
    a_webhook_hears_of_what_it_wants_and_of_its_own_workspace,
    a_test_goes_to_one_webhook_whatever_it_wants,
    what_fails_is_tried_again_by_the_clock_then_given_up_and_sent_again_on_demand,
    a_rotated_secret_goes_on_for_the_overlap,
    a_redirection_is_not_followed,
    a_receiver_that_wants_no_more_gets_no_more,
    a_webhook_that_is_in_vain_for_five_days_is_disabled,
    what_waits_is_sent_once_it_is_enabled_again,
    a_slow_receiver_holds_nobody_up,
    nobody_has_so_many_receivers_that_others_wait,
    slow_receivers_wait_for_each_other_alone,
    two_nodes_send_once,
    what_a_crash_interrupts_is_sent_again,
    what_is_over_is_forgotten,
    what_makes_no_sense_is_refused_where_it_stands,
    what_is_absent_stays,
    pages_of_deliveries_follow_each_other,
    s_a_secret_is_shown_once_and_nowhere_in_plain,
    s_an_address_inside_the_network_is_not_sent_to,
    s_a_webhook_of_another_workspace_is_not_found,
    s_a_key_that_may_not_read_the_log_has_it_sent_nowhere,
    without_an_encryption_key_there_is_no_webhook,
);

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A workspace with a webhook.
struct Hooked {
    workspace: Workspace,
    admin: IssuedKey,
    path: String,
    id: String,
    secret: String,
}

impl Hooked {
    async fn new(server: &TestServer, url: &str, events: &[&str]) -> Self {
        let workspace = server.workspace("Acme").await;
        let admin = server.admin(&workspace).await;
        let body = json!({"url": url, "events": events});
        let made = server.post(&all(&workspace), &admin, &body).await;
        assert_eq!(made.status, 201, "{made:?}");
        let id = made.body["id"].as_str().unwrap().to_owned();
        let path = format!("{}/{id}", all(&workspace));
        assert_eq!(made.header("location"), path);
        Self {
            secret: made.body["secret"].as_str().unwrap().to_owned(),
            workspace,
            admin,
            path,
            id,
        }
    }

    async fn announce(&self, server: &TestServer, kind: &str) -> String {
        let data = json!({"keyId": "key_1"});
        server.announce(&self.workspace, kind, &data).await.to_string()
    }

    async fn show(&self, server: &TestServer) -> Value {
        server.get(&self.path, &self.admin).await.body
    }

    async fn deliveries(&self, server: &TestServer, query: &str) -> Vec<Value> {
        let listed = server
            .get(&format!("{}/deliveries{query}", self.path), &self.admin)
            .await;
        assert_eq!(listed.status, 200, "{listed:?}");
        listed.body["items"].as_array().unwrap().clone()
    }

    async fn redeliver(&self, server: &TestServer, event: &str) -> (u16, Value) {
        let path = format!("{}/deliveries/{event}/redeliver", self.path);
        let answer = server.post(&path, &self.admin, &json!({})).await;
        (answer.status.as_u16(), answer.body)
    }
}

fn all(workspace: &Workspace) -> String {
    format!("/api/workspaces/{}/webhooks", workspace.id)
}

/// Flows over the database of a server, which send to public addresses alone.
fn guarded(server: &TestServer, encryption: Option<EncryptionRing>) -> WebhookFlows {
    WebhookFlows::new(WebhookParts {
        store: server.storage.webhooks(),
        sender: Arc::new(WebhookHttp::new(false).unwrap()),
        stewards: server.stewards(),
        encryption,
        clock: Arc::clone(&server.clock) as Arc<dyn Clock>,
        random: Arc::new(OsRandom),
    })
}

fn ring() -> EncryptionRing {
    let key = EncryptionKey::new("e1", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8").unwrap();
    EncryptionRing::new(vec![key]).unwrap()
}

async fn what_happens_is_told_and_signed(server: TestServer) {
    let receiver = Receiver::start();
    let hooked = Hooked::new(&server, &receiver.url("/hook"), &["*"]).await;
    let event = hooked.announce(&server, "key.revoked").await;
    server.clock.advance(Duration::from_secs(2));
    assert_eq!(server.send_webhooks().await, 1);
    let received = receiver.received();
    let [webhook] = received.as_slice() else {
        panic!("{received:?}")
    };
    assert_eq!(webhook.path, "/hook");
    assert_eq!(webhook.id, event);
    assert_eq!(webhook.timestamp, 1_800_000_002);
    assert_eq!(
        webhook.body,
        r#"{"type":"key.revoked","timestamp":"2027-01-15T08:00:00Z","data":{"keyId":"key_1"}}"#
    );
    assert!(webhook.is_signed_with(&hooked.secret));
    assert_eq!(
        hooked.deliveries(&server, "").await,
        [json!({
            "id": event, "webhookId": hooked.id, "type": "key.revoked", "timestamp": "2027-01-15T08:00:00Z",
            "state": "delivered", "attempts": 1, "nextAttemptAt": null, "lastAttemptAt": "2027-01-15T08:00:02Z",
            "lastStatus": 204, "lastError": null,
        })]
    );
    assert_eq!(server.send_webhooks().await, 0);
}

async fn what_the_audit_log_says_is_told(server: TestServer) {
    let receiver = Receiver::start();
    let hooked = Hooked::new(&server, &receiver.url("/hook"), &["key.*", "webhook.*"]).await;
    let body =
        json!({"name": "ci", "type": "agent", "scopes": ["keys:read"], "metadata": {"secret": "CANARY"}});
    let request = server
        .request(Method::POST, "/api/keys")
        .header("X-Agent-API-Key", hooked.admin.secret.reveal())
        .header("User-Agent", "a browser of somebody")
        .json(&body);
    let made = send(request).await;
    assert_eq!(made.status, 201, "{made:?}");
    // What does not happen is not told, and a webhook is not told of itself.
    let refused = server
        .post("/api/keys", &hooked.admin, &json!({"name": "", "type": "agent"}))
        .await;
    assert!(refused.status.is_client_error());
    let renamed = server
        .patch(&hooked.path, &hooked.admin, &json!({"description": "mine"}))
        .await;
    assert_eq!(renamed.status, 200, "{renamed:?}");
    assert_eq!(server.send_webhooks().await, 1);
    let told = receiver.received();
    let body = told[0].json();
    assert_eq!(body["type"], "key.created");
    assert_eq!(
        body["data"]["target"],
        json!({"type": "key", "id": made.body["id"]})
    );
    assert_eq!(body["data"]["actor"]["id"], hooked.admin.key.id.to_string());
    assert_eq!(body["data"]["workspaceId"], hooked.workspace.id.to_string());
    // It bears the id that it has in the log, no secret, and nothing that could not be taken back.
    let log = server
        .get("/api/audit/events?action=key.created&limit=1", &hooked.admin)
        .await;
    assert_eq!(log.body["items"][0]["id"], told[0].id);
    let text = body.to_string();
    for absent in [
        made.body["key"].as_str().unwrap(),
        "CANARY",
        "a browser of somebody",
        "127.0.0.1",
    ] {
        assert!(!text.contains(absent), "{absent} in {text}");
    }
    // Others are told of it.
    let other = json!({"url": receiver.url("/other"), "events": ["member.*"]});
    let made = server.post(&all(&hooked.workspace), &hooked.admin, &other).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(server.send_webhooks().await, 1);
    let told = receiver.received().last().unwrap().json();
    assert_eq!(told["type"], "webhook.created");
    assert_eq!(told["data"]["target"]["id"], made.body["id"]);
}

async fn a_webhook_hears_of_what_it_wants_and_of_its_own_workspace(server: TestServer) {
    let receiver = Receiver::start();
    let hooked = Hooked::new(&server, &receiver.url("/keys"), &["key.*", "member.removed"]).await;
    let other = Hooked::new(&server, &receiver.url("/other"), &["*"]).await;
    for kind in [
        "key.created",
        "key.revoked",
        "keys.x",
        "member.added",
        "member.removed",
    ] {
        hooked.announce(&server, kind).await;
    }
    other.announce(&server, "sso.connection.created").await;
    server.send_webhooks().await;
    let kinds = |path: &str| -> BTreeSet<String> {
        let received = receiver.received().into_iter().filter(|one| one.path == path);
        received
            .map(|one| one.json()["type"].as_str().unwrap().to_owned())
            .collect()
    };
    let expected = ["key.created", "key.revoked", "member.removed"].map(str::to_owned);
    assert_eq!(kinds("/keys"), BTreeSet::from(expected));
    assert_eq!(
        kinds("/other"),
        BTreeSet::from(["sso.connection.created".to_owned()])
    );
}

async fn a_test_goes_to_one_webhook_whatever_it_wants(server: TestServer) {
    let receiver = Receiver::start();
    let hooked = Hooked::new(&server, &receiver.url("/one"), &["key.*"]).await;
    let body = json!({"url": receiver.url("/two")});
    server.post(&all(&hooked.workspace), &hooked.admin, &body).await;
    let sent = server
        .post(&format!("{}/test", hooked.path), &hooked.admin, &json!({}))
        .await;
    assert_eq!(
        (sent.status.as_u16(), &sent.body["state"]),
        (202, &json!("pending"))
    );
    server.send_webhooks().await;
    let received = receiver.received();
    // Others hear that it was tried.
    let others: Vec<Value> = received
        .iter()
        .filter(|one| one.path == "/two")
        .map(|one| one.json()["type"].clone())
        .collect();
    assert_eq!(others, ["webhook.tested"]);
    let received: Vec<_> = received.into_iter().filter(|one| one.path != "/two").collect();
    let [webhook] = received.as_slice() else {
        panic!("{received:?}")
    };
    let log = server
        .get("/api/audit/events?action=webhook.tested", &hooked.admin)
        .await;
    let logged = &log.body["items"][0];
    assert_eq!(logged["target"]["id"], hooked.id);
    assert_eq!(
        logged["changes"],
        json!([{"field": "eventId", "before": null, "after": webhook.id}])
    );
    assert_eq!(
        (webhook.path.as_str(), webhook.id.as_str()),
        ("/one", sent.body["id"].as_str().unwrap())
    );
    assert_eq!(webhook.json()["type"], "webhook.test");
    assert_eq!(webhook.json()["data"]["webhookId"], hooked.id);
    assert!(webhook.is_signed_with(&hooked.secret));
}

async fn what_fails_is_tried_again_by_the_clock_then_given_up_and_sent_again_on_demand(server: TestServer) {
    let receiver = Receiver::start();
    receiver.answer("/hook", &[500; 11]);
    let hooked = Hooked::new(&server, &receiver.url("/hook"), &["*"]).await;
    let event = hooked.announce(&server, "key.revoked").await;
    assert_eq!(server.send_webhooks().await, 1);
    let [pending] = hooked
        .deliveries(&server, "?state=pending")
        .await
        .try_into()
        .unwrap();
    assert_eq!(
        (
            &pending["attempts"],
            &pending["lastStatus"],
            &pending["lastError"]
        ),
        (
            &json!(1),
            &json!(500),
            &json!("the receiver answered with status 500")
        )
    );
    // Not before its time.
    server.clock.advance(Duration::from_secs(4));
    assert_eq!(server.send_webhooks().await, 0);
    for pause in [2, 37, 145, 721, 4_321, 21_601, 43_201, 60_481, 86_401, 103_681] {
        server.clock.advance(Duration::from_secs(pause));
        assert_eq!(server.send_webhooks().await, 1, "{pause}");
    }
    server.clock.advance(2 * DAY);
    assert_eq!(server.send_webhooks().await, 0);
    let [dead] = hooked
        .deliveries(&server, "?state=dead")
        .await
        .try_into()
        .unwrap();
    assert_eq!(
        (&dead["id"], &dead["attempts"], &dead["nextAttemptAt"]),
        (&json!(event), &json!(11), &Value::Null)
    );
    assert!(hooked.show(&server).await["failingSince"].is_string());

    let (status, again) = hooked.redeliver(&server, &event).await;
    assert_eq!((status, &again["attempts"]), (202, &json!(0)));
    let log = server
        .get("/api/audit/events?action=webhook.redelivered", &hooked.admin)
        .await;
    assert_eq!(log.body["items"][0]["changes"][0]["after"], json!(event));
    assert_eq!(server.send_webhooks().await, 1);
    let received = receiver.received();
    assert_eq!(received.len(), 12);
    assert!(
        received
            .iter()
            .all(|one| one.id == event && one.body == received[0].body)
    );
    assert!(received.iter().all(|one| one.is_signed_with(&hooked.secret)));
    assert!(received[11].timestamp > received[0].timestamp);
    let [delivered] = hooked.deliveries(&server, "").await.try_into().unwrap();
    assert_eq!(
        (&delivered["state"], &delivered["lastError"]),
        (&json!("delivered"), &Value::Null)
    );
    assert_eq!(hooked.show(&server).await["failingSince"], Value::Null);
    let unknown = hooked.redeliver(&server, "evt_00000000000000000000000000").await;
    assert_eq!(unknown.0, 404);
}

async fn a_rotated_secret_goes_on_for_the_overlap(server: TestServer) {
    let receiver = Receiver::start();
    let hooked = Hooked::new(&server, &receiver.url("/hook"), &["*"]).await;
    let rotate = async |body: Value| {
        let path = format!("{}/rotate-secret", hooked.path);
        let rotated = server.post(&path, &hooked.admin, &body).await;
        assert_eq!(rotated.status, 200, "{rotated:?}");
        rotated.body
    };
    let told = async || {
        hooked.announce(&server, "key.revoked").await;
        server.send_webhooks().await;
        receiver.received().pop().unwrap()
    };
    let second = rotate(Value::Null).await;
    let (first, second) = (
        hooked.secret.clone(),
        second["secret"].as_str().unwrap().to_owned(),
    );
    assert_eq!(
        hooked.show(&server).await["previousSecretUntil"],
        "2027-01-16T08:00:00Z"
    );
    let both = told().await;
    assert_eq!(both.signatures.split(' ').count(), 2);
    assert!(both.is_signed_with(&first) && both.is_signed_with(&second));
    server.clock.advance(DAY);
    let one = told().await;
    assert_eq!(one.signatures.split(' ').count(), 1);
    assert!(!one.is_signed_with(&first) && one.is_signed_with(&second));
    assert_eq!(hooked.show(&server).await["previousSecretUntil"], Value::Null);
    let third = rotate(json!({"overlapSeconds": 0})).await["secret"]
        .as_str()
        .unwrap()
        .to_owned();
    let one = told().await;
    assert!(!one.is_signed_with(&second) && one.is_signed_with(&third));
    let path = format!("{}/rotate-secret", hooked.path);
    let too_long = server
        .post(&path, &hooked.admin, &json!({"overlapSeconds": 2_592_001}))
        .await;
    assert_eq!(
        (too_long.status.as_u16(), too_long.pointers()),
        (400, vec!["/overlapSeconds"])
    );
}

async fn a_redirection_is_not_followed(server: TestServer) {
    let receiver = Receiver::start();
    receiver.answer("/hook", &[302, 307]);
    let hooked = Hooked::new(&server, &receiver.url("/hook"), &["*"]).await;
    hooked.announce(&server, "key.revoked").await;
    server.send_webhooks().await;
    server.clock.advance(HOUR);
    server.send_webhooks().await;
    assert!(receiver.received().iter().all(|one| one.path == "/hook"));
    let [pending] = hooked.deliveries(&server, "").await.try_into().unwrap();
    assert_eq!(
        pending["lastError"],
        "the receiver answered with status 307: redirections are not followed"
    );
}

async fn a_receiver_that_wants_no_more_gets_no_more(server: TestServer) {
    let receiver = Receiver::start();
    receiver.answer("/hook", &[410]);
    let hooked = Hooked::new(&server, &receiver.url("/hook"), &["*"]).await;
    hooked.announce(&server, "key.revoked").await;
    server.send_webhooks().await;
    let shown = hooked.show(&server).await;
    assert_eq!(
        (&shown["enabled"], &shown["disabledReason"], &shown["disabledAt"]),
        (&json!(false), &json!("gone"), &json!("2027-01-15T08:00:00Z"))
    );
    let [dead] = hooked.deliveries(&server, "").await.try_into().unwrap();
    assert_eq!(
        (&dead["state"], &dead["lastStatus"]),
        (&json!("dead"), &json!(410))
    );
    hooked.announce(&server, "key.created").await;
    assert_eq!(server.send_webhooks().await, 0);
    let event = dead["id"].as_str().unwrap();
    assert_eq!(hooked.redeliver(&server, event).await.0, 409);
    let test = server
        .post(&format!("{}/test", hooked.path), &hooked.admin, &json!({}))
        .await;
    assert_eq!(test.problem(), (409, "CONFLICT"));
    let enabled = server
        .patch(&hooked.path, &hooked.admin, &json!({"enabled": true}))
        .await;
    assert_eq!(enabled.body["disabledReason"], Value::Null);
    assert_eq!(hooked.redeliver(&server, event).await.0, 202);
    assert_eq!(server.send_webhooks().await, 1);
}

async fn a_webhook_that_is_in_vain_for_five_days_is_disabled(server: TestServer) {
    let receiver = Receiver::start();
    receiver.answer("/hook", &[503; 200]);
    let hooked = Hooked::new(&server, &receiver.url("/hook"), &["webhook.*", "key.*"]).await;
    let admin = server.member(&hooked.workspace, Role::Admin).await;
    let viewer = server.member(&hooked.workspace, Role::Viewer).await;
    let (email, of_viewer) = (server.email(admin).await, server.email(viewer).await);
    for (person, email) in [(admin, &email), (viewer, &of_viewer)] {
        Browser::signed_in(&server, person)
            .await
            .prove_address(&server, email)
            .await;
        drop(server.mails.take(email));
    }
    for _ in 0..5 {
        hooked.announce(&server, "key.revoked").await;
        server.send_webhooks().await;
        assert_eq!(hooked.show(&server).await["enabled"], true);
        server.clock.advance(DAY);
    }
    server.send_webhooks().await;
    let shown = hooked.show(&server).await;
    assert_eq!(
        (&shown["disabledReason"], &shown["failingSince"]),
        (&json!("failing"), &json!("2027-01-15T08:00:00Z"))
    );
    // Those who look after the workspace are told, once.
    let told = server.mails.only(&email);
    assert_eq!(told.subject(), "A webhook of Acme was disabled");
    assert!(told.reveal_text().contains(&hooked.id), "{told:?}");
    let address = receiver.url("/hook");
    let (_, shown) = address.split_once("//").unwrap();
    assert!(!told.reveal_text().contains(shown), "{told:?}");
    assert!(server.mails.take(&of_viewer).is_empty());
    server.clock.advance(DAY);
    assert_eq!(server.send_webhooks().await, 0);
}

async fn what_waits_is_sent_once_it_is_enabled_again(server: TestServer) {
    let receiver = Receiver::start();
    let hooked = Hooked::new(&server, &receiver.url("/hook"), &["*"]).await;
    hooked.announce(&server, "key.created").await;
    let set = async |enabled: bool| {
        let body = json!({"enabled": enabled});
        server.patch(&hooked.path, &hooked.admin, &body).await.body
    };
    assert_eq!(set(false).await["disabledReason"], "asked");
    hooked.announce(&server, "key.revoked").await;
    assert_eq!(server.send_webhooks().await, 0);
    set(true).await;
    assert_eq!(server.send_webhooks().await, 1);
    assert_eq!(receiver.received()[0].json()["type"], "key.created");
}

async fn a_slow_receiver_holds_nobody_up(server: TestServer) {
    let receiver = Receiver::start();
    let slow = Hooked::new(&server, &receiver.url(Receiver::SILENT), &["*"]).await;
    let quick = Hooked::new(&server, &receiver.url("/quick"), &["*"]).await;
    for _ in 0..20 {
        slow.announce(&server, "key.revoked").await;
    }
    quick.announce(&server, "key.revoked").await;
    server.courier.take_up().await;
    let came = |path: &str| receiver.received().iter().filter(|one| one.path == path).count();
    eventually((4, 1), async || (came(Receiver::SILENT), came("/quick"))).await;
    // It is not asked more at once, and others go on meanwhile.
    quick.announce(&server, "key.created").await;
    server.courier.take_up().await;
    eventually((4, 2), async || (came(Receiver::SILENT), came("/quick"))).await;
    // What is under way then is in the outbox still.
    server.courier.close(Duration::ZERO).await;
    assert_eq!(slow.deliveries(&server, "?state=pending").await.len(), 20);
}

/// A workspace of somebody, with so many webhooks that are each to be told of so many events.
async fn crowd(server: &TestServer, owner: UserId, url: &str, webhooks: usize, events: usize) -> Workspace {
    let made = server
        .workspaces
        .create("Crowd".to_owned(), Plan::free(), owner)
        .await;
    let workspace = made.unwrap();
    for _ in 0..webhooks {
        let new = NewWebhook {
            url: url.to_owned(),
            description: None,
            events: vec!["key.*".to_owned()],
        };
        let made = server
            .webhooks
            .create(&Actor::operator(), workspace.id, new)
            .await;
        made.unwrap();
    }
    for _ in 0..events {
        server.announce(&workspace, "key.revoked", &json!({})).await;
    }
    workspace
}

async fn nobody_has_so_many_receivers_that_others_wait(server: TestServer) {
    let receiver = Receiver::start();
    let came = |path: &str| receiver.received().iter().filter(|one| one.path == path).count();
    let silent = receiver.url(Receiver::SILENT);
    let home = server.workspace("Home").await;
    let (greedy, other) = (
        server.member(&home, Role::Admin).await,
        server.member(&home, Role::Admin).await,
    );
    // Of a workspace with many receivers that do not answer, a share alone is under way.
    crowd(&server, greedy, &silent, 20, 5).await;
    assert_eq!(server.courier.take_up().await, 16);
    eventually(16, async || came(Receiver::SILENT)).await;
    // Nor do more workspaces help whoever owns them.
    for _ in 0..4 {
        crowd(&server, greedy, &silent, 20, 5).await;
    }
    crowd(&server, other, &receiver.url("/quick"), 1, 1).await;
    assert_eq!(server.courier.take_up().await, 17);
    eventually((32, 1), async || (came(Receiver::SILENT), came("/quick"))).await;
    server.courier.close(Duration::ZERO).await;
}

async fn slow_receivers_wait_for_each_other_alone(server: TestServer) {
    let receiver = Receiver::start();
    let came = |path: &str| receiver.received().iter().filter(|one| one.path == path).count();
    let silent = receiver.url(Receiver::SILENT);
    let slow = crowd(&server, server.owner, &silent, 6, 10).await;
    assert_eq!(server.courier.take_up().await, 16);
    eventually(16, async || came(Receiver::SILENT)).await;
    // An answer that comes late makes a receiver slow, whatever it says.
    server.clock.advance(Duration::from_secs(6));
    receiver.release();
    server.courier.rest().await;
    let taken = server.courier.take_up().await;
    // Four of the six webhooks had lanes; the other two are not known to be slow.
    assert_eq!(taken, 4 + 2 * 4);
    // The owner's other workspaces do not wait.
    crowd(&server, server.owner, &receiver.url("/quick"), 2, 4).await;
    assert_eq!(server.courier.take_up().await, 8);
    eventually((28, 8), async || (came(Receiver::SILENT), came("/quick"))).await;
    server.clock.advance(Duration::from_secs(6));
    receiver.release();
    server.courier.rest().await;
    // All six are slow by now, and have the share of slow ones of a workspace. One that answers at once is quick again.
    assert_eq!(server.courier.take_up().await, 4);
    eventually(32, async || came(Receiver::SILENT)).await;
    receiver.release();
    server.courier.rest().await;
    assert_eq!(server.courier.take_up().await, 16 + 2);
    eventually(50, async || came(Receiver::SILENT)).await;
    assert_eq!(
        server
            .webhooks
            .list(&Actor::operator(), slow.id)
            .await
            .unwrap()
            .len(),
        6
    );
    server.courier.close(Duration::ZERO).await;
}

async fn two_nodes_send_once(server: TestServer) {
    let other = server.second().await;
    let receiver = Receiver::start();
    let hooked = Hooked::new(&server, &receiver.url("/hook"), &["*"]).await;
    for _ in 0..40 {
        hooked.announce(&server, "key.revoked").await;
    }
    let (here, there) = tokio::join!(server.send_webhooks(), other.send_webhooks());
    assert_eq!(here + there, 40);
    let received = receiver.received();
    let ids: BTreeSet<&str> = received.iter().map(|one| one.id.as_str()).collect();
    assert_eq!((received.len(), ids.len()), (40, 40));
    assert_eq!(hooked.deliveries(&server, "?state=delivered").await.len(), 40);
}

async fn what_a_crash_interrupts_is_sent_again(server: TestServer) {
    let receiver = Receiver::start();
    let hooked = Hooked::new(&server, &receiver.url("/hook"), &["*"]).await;
    let event = hooked.announce(&server, "key.revoked").await;
    let id: WebhookId = hooked.id.parse().unwrap();
    let outbox = server.webhooks.outbox();
    let [late] = outbox.claim(id, 4).await.unwrap().try_into().unwrap();
    let tried = outbox.send(&late).await;
    // It was sent, and before that is noted there is nobody any more to note it.
    server.clock.advance(Duration::from_secs(119));
    assert_eq!(server.send_webhooks().await, 0);
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(server.send_webhooks().await, 1);
    let ids: Vec<String> = receiver.received().into_iter().map(|one| one.id).collect();
    assert_eq!(ids, [event.clone(), event]);
    // A word that comes too late changes nothing.
    assert_eq!(outbox.note(late, tried).await.unwrap(), None);
    let [delivered] = hooked.deliveries(&server, "").await.try_into().unwrap();
    assert_eq!(delivered["attempts"], 1);
}

async fn what_is_over_is_forgotten(server: TestServer) {
    let receiver = Receiver::start();
    receiver.answer("/hook", &[204, 410]);
    let hooked = Hooked::new(&server, &receiver.url("/hook"), &["*"]).await;
    hooked.announce(&server, "key.created").await;
    server.send_webhooks().await;
    hooked.announce(&server, "key.revoked").await;
    server.send_webhooks().await;
    let webhooks = server.storage.webhooks();
    for (pass, left) in [(7 * DAY - HOUR, 2), (HOUR, 1), (22 * DAY, 1), (DAY, 0)] {
        server.clock.advance(pass);
        webhooks.forget_deliveries(server.clock.now(), 100).await.unwrap();
        assert_eq!(hooked.deliveries(&server, "").await.len(), left, "{pass:?}");
    }
    // Of a workspace that is no more the last is told, and then its webhooks are forgotten.
    let id = hooked.workspace.id;
    server.workspaces.delete(&Actor::operator(), id).await.unwrap();
    webhooks.forget_deliveries(server.clock.now(), 100).await.unwrap();
    assert_eq!(webhooks.list_webhooks(id).await.unwrap().len(), 1);
    server.clock.advance(30 * DAY);
    webhooks.forget_deliveries(server.clock.now(), 100).await.unwrap();
    assert_eq!(webhooks.list_webhooks(id).await.unwrap().len(), 0);
}

async fn what_makes_no_sense_is_refused_where_it_stands(server: TestServer) {
    let workspace = server.workspace("Acme").await;
    let admin = server.admin(&workspace).await;
    let path = all(&workspace);
    let good = json!({"url": "https://app.example.com/hooks", "description": "Ours", "events": ["key.*"]});
    for (pointer, name, value) in [
        ("/url", "url", json!("app.example.com")),
        ("/url", "url", json!("http://8.8.8.8/")),
        ("/url", "url", json!("https://user:secret@app.example.com/")),
        ("/url", "url", json!("https://app.example.com/#x")),
        ("/url", "url", json!("https://169.254.169.254/latest")),
        ("/url", "url", json!("ftp://app.example.com/")),
        (
            "/url",
            "url",
            json!(format!("https://app.example.com/{}", "x".repeat(1000))),
        ),
        ("/description", "description", json!("")),
        ("/description", "description", json!("a\u{202e}b")),
        ("/events", "events", json!([])),
        ("/events", "events", json!(vec!["key.*"; 51])),
        ("/events/1", "events", json!(["key.*", "key"])),
        ("/events/0", "events", json!(["*.revoked"])),
    ] {
        let mut body = good.clone();
        body[name] = value;
        let refused = server.post(&path, &admin, &body).await;
        assert_eq!(
            (refused.problem(), refused.pointers()),
            ((400, "VALIDATION_ERROR"), vec![pointer]),
            "{body}"
        );
    }
    assert_eq!(
        server
            .post(&path, &admin, &json!({"url": "https://a.example", "x": 1}))
            .await
            .status,
        400
    );
    for _ in 0..20 {
        assert_eq!(server.post(&path, &admin, &good).await.status, 201);
    }
    assert_eq!(
        server.post(&path, &admin, &good).await.problem(),
        (409, "CONFLICT")
    );
    let listed = server.get(&path, &admin).await;
    assert_eq!(listed.body["items"].as_array().unwrap().len(), 20);
    let first = listed.body["items"][0]["id"].as_str().unwrap();
    let own = format!("{path}/{first}");
    assert_eq!(server.delete(&own, &admin).await.status, 204);
    assert_eq!(server.delete(&own, &admin).await.status, 404);
    assert_eq!(server.post(&path, &admin, &good).await.status, 201);
    let query = server.get(&format!("{own}/deliveries?state=lost"), &admin).await;
    assert_eq!((query.status.as_u16(), query.pointers()), (400, vec!["/state"]));
}

async fn what_is_absent_stays(server: TestServer) {
    let workspace = server.workspace("Acme").await;
    let admin = server.admin(&workspace).await;
    let body = json!({"url": "https://app.example.com/hooks", "description": "Ours"});
    let made = server.post(&all(&workspace), &admin, &body).await;
    assert_eq!(made.body["events"], json!(["*"]));
    let path = made.header("location").to_owned();
    server.clock.advance(HOUR);
    let changed = server
        .patch(
            &path,
            &admin,
            &json!({"events": ["member.*", "key.revoked", "key.revoked"]}),
        )
        .await;
    assert_eq!(changed.status, 200, "{changed:?}");
    assert_eq!(changed.body["events"], json!(["key.revoked", "member.*"]));
    assert_eq!(changed.body["description"], "Ours");
    assert_eq!(changed.body["updatedAt"], "2027-01-15T09:00:00Z");
    let changed = server
        .patch(
            &path,
            &admin,
            &json!({"description": null, "url": "https://b.example/"}),
        )
        .await;
    assert_eq!(
        (&changed.body["description"], &changed.body["url"]),
        (&Value::Null, &json!("https://b.example/"))
    );
    let refused = server.patch(&path, &admin, &json!({"url": null})).await;
    assert_eq!(refused.problem(), (400, "VALIDATION_ERROR"));
    assert_eq!(server.get(&path, &admin).await.body, changed.body);
}

async fn pages_of_deliveries_follow_each_other(server: TestServer) {
    let hooked = Hooked::new(&server, "https://app.example.com/", &["*"]).await;
    let mut events = Vec::new();
    for _ in 0..5 {
        server.clock.advance(Duration::from_secs(1));
        events.push(hooked.announce(&server, "key.revoked").await);
    }
    events.reverse();
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("{}/deliveries?limit=2{cursor}", hooked.path);
        let page = server.get(&path, &hooked.admin).await;
        let items = page.body["items"].as_array().unwrap();
        seen.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        match page.body["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, events);
}

async fn s_a_secret_is_shown_once_and_nowhere_in_plain(server: TestServer) {
    let hooked = Hooked::new(&server, "https://app.example.com/", &["*"]).await;
    assert!(hooked.secret.starts_with("whsec_"));
    let rotated = server
        .post(
            &format!("{}/rotate-secret", hooked.path),
            &hooked.admin,
            &json!({}),
        )
        .await;
    let bare = hooked.secret.strip_prefix("whsec_").unwrap();
    for path in [
        &hooked.path,
        &all(&hooked.workspace),
        &format!("{}/deliveries", hooked.path),
    ] {
        let shown = server.get(path, &hooked.admin).await.body.to_string();
        assert!(
            !shown.contains("whsec_") && !shown.contains("\"secret\""),
            "{shown}"
        );
    }
    let dump = server.dump().await;
    assert!(
        dump.contains(&hooked.path.rsplit('/').next().unwrap().to_owned())
            || dump.contains("app.example.com")
    );
    for secret in [
        bare,
        rotated.body["secret"]
            .as_str()
            .unwrap()
            .strip_prefix("whsec_")
            .unwrap(),
    ] {
        assert!(!dump.contains(secret));
    }
    let new = NewWebhook {
        url: "https://app.example.com/".to_owned(),
        description: None,
        events: vec!["*".to_owned()],
    };
    let issued = server
        .webhooks
        .create(&Actor::operator(), hooked.workspace.id, new)
        .await
        .unwrap();
    let shown = format!(
        "{issued:?} {:?}",
        tigertrust_wire::IssuedWebhook::new(&issued, server.clock.now())
    );
    assert!(
        !shown.contains("whsec_") && !shown.contains(issued.secret.reveal().strip_prefix("whsec_").unwrap())
    );
}

async fn s_an_address_inside_the_network_is_not_sent_to(server: TestServer) {
    let receiver = Receiver::start();
    let port = receiver.url("").rsplit_once(':').unwrap().1.to_owned();
    let guarded = guarded(&server, Some(ring()));
    let workspace = server.workspace("Guarded").await;
    for url in [
        format!("http://127.0.0.1:{port}/"),
        format!("https://127.0.0.1:{port}/"),
        "https://10.0.0.1/".to_owned(),
        "https://[::1]/".to_owned(),
        "https://[::ffff:192.168.0.1]/".to_owned(),
        "https://2130706433/".to_owned(),
        "https://169.254.169.254/".to_owned(),
        format!("http://localhost:{port}/"),
    ] {
        let new = NewWebhook {
            url: url.clone(),
            description: None,
            events: vec!["*".to_owned()],
        };
        let refused = guarded.create(&Actor::operator(), workspace.id, new).await;
        assert!(
            matches!(&refused, Err(WebhookError::Flow(FlowError::Invalid(wrong))) if wrong[0].pointer == "/url"),
            "{url}: {refused:?}"
        );
    }
    // What a name stands for is looked at as it is sent, and so is what was allowed once.
    let courier = Courier::new(guarded.outbox(), Handle::current());
    for url in [
        format!("https://localhost:{port}/"),
        format!("http://127.0.0.1:{port}/"),
    ] {
        let hooked = Hooked::new(&server, &url, &["*"]).await;
        hooked.announce(&server, "key.revoked").await;
        courier.take_up().await;
        courier.rest().await;
        let [failed] = hooked.deliveries(&server, "").await.try_into().unwrap();
        let why = failed["lastError"].as_str().unwrap();
        assert!(
            [
                "the address is not public",
                "the address has to be spoken to by https"
            ]
            .contains(&why),
            "{url}: {why}"
        );
    }
    assert_eq!(receiver.received().len(), 0);
}

async fn s_a_webhook_of_another_workspace_is_not_found(server: TestServer) {
    let hooked = Hooked::new(&server, "https://app.example.com/", &["*"]).await;
    let event = hooked.announce(&server, "key.revoked").await;
    let foreign = server.workspace("Foreign").await;
    let stranger = server.admin(&foreign).await;
    // By the stranger's own workspace, and by the webhook's.
    for path in [format!("{}/{}", all(&foreign), hooked.id), hooked.path.clone()] {
        for (method, end) in [
            (Method::GET, ""),
            (Method::PATCH, ""),
            (Method::DELETE, ""),
            (Method::POST, "/rotate-secret"),
            (Method::POST, "/test"),
            (Method::GET, "/deliveries"),
            (Method::POST, &format!("/deliveries/{event}/redeliver")),
        ] {
            let request = server
                .request(method.clone(), &format!("{path}{end}"))
                .header("X-Agent-API-Key", stranger.secret.reveal());
            let request = if method == Method::GET {
                request
            } else {
                request.json(&json!({}))
            };
            let hidden = send(request).await;
            assert_eq!(hidden.problem(), (404, "NOT_FOUND"), "{method} {path}{end}");
        }
    }
    assert_eq!(hooked.show(&server).await["enabled"], true);
    // Nor may a key that reads the workspace, but does not change it.
    let reader = server
        .key(
            &hooked.workspace,
            KeyType::Agent,
            &[management::WORKSPACE_READ.as_str()],
        )
        .await;
    assert_eq!(
        server.get(&hooked.path, &reader).await.problem(),
        (403, "FORBIDDEN")
    );
}

async fn s_a_key_that_may_not_read_the_log_has_it_sent_nowhere(server: TestServer) {
    let hooked = Hooked::new(&server, "https://app.example.com/", &["key.*"]).await;
    let (write, read) = (management::WORKSPACE_WRITE, management::AUDIT_READ);
    let writer = server
        .key(&hooked.workspace, KeyType::Agent, &[write.as_str()])
        .await;
    let reader = server
        .key(
            &hooked.workspace,
            KeyType::Agent,
            &[write.as_str(), read.as_str()],
        )
        .await;
    let new = json!({"url": "https://evil.example/"});
    let refused = server.post(&all(&hooked.workspace), &writer, &new).await;
    assert_eq!(refused.problem(), (403, "FORBIDDEN"));
    assert_eq!(
        server.post(&all(&hooked.workspace), &reader, &new).await.status,
        201
    );
    for change in [new, json!({"events": ["*"]})] {
        let refused = server.patch(&hooked.path, &writer, &change).await;
        assert_eq!(refused.problem(), (403, "FORBIDDEN"));
        assert_eq!(server.patch(&hooked.path, &reader, &change).await.status, 200);
    }
    // What leads nowhere else is no matter of the log.
    let named = json!({"description": "Ours", "enabled": false});
    assert_eq!(server.patch(&hooked.path, &writer, &named).await.status, 200);
}

async fn without_an_encryption_key_there_is_no_webhook(server: TestServer) {
    let workspace = server.workspace("Acme").await;
    let new = NewWebhook {
        url: "https://app.example.com/".to_owned(),
        description: None,
        events: vec!["*".to_owned()],
    };
    let keyless = guarded(&server, None);
    let refused = keyless.create(&Actor::operator(), workspace.id, new).await;
    assert!(matches!(refused, Err(WebhookError::NoEncryptionKey)));
    // What is there already waits until the key is back.
    let receiver = Receiver::start();
    let hooked = Hooked::new(&server, &receiver.url("/hook"), &["*"]).await;
    hooked.announce(&server, "key.revoked").await;
    let courier = Courier::new(keyless.outbox(), Handle::current());
    courier.take_up().await;
    courier.rest().await;
    let [pending] = hooked.deliveries(&server, "").await.try_into().unwrap();
    assert_eq!(
        (&pending["state"], &pending["lastError"]),
        (
            &json!("pending"),
            &json!("the server's key ring lacks the key of the webhook's secret")
        )
    );
    server.clock.advance(HOUR);
    assert_eq!(server.send_webhooks().await, 1);
    assert_eq!(receiver.received().len(), 1);
}

//! Webhooks from the command line, beside a running server that sends them.

use serde_json::{Value, json};
use tigertrust_testkit::{Receiver, eventually};

use crate::program::{Folder, in_a_folder_for_each_engine};

in_a_folder_for_each_engine!(
    a_webhook_is_made_sent_to_and_removed,
    what_stands_against_it_is_named
);

const PRIVATE: (&str, &str) = ("TIGERTRUST__WEBHOOKS__ALLOW_PRIVATE_ADDRESSES", "true");

/// The JSON that a command prints which may name addresses that are not public.
fn allowed(folder: &Folder, arguments: &[&str]) -> Value {
    let mut command = folder.command(&[arguments, &["--output", "json"]].concat());
    let output = command.env(PRIVATE.0, PRIVATE.1).output().unwrap();
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

fn text(folder: &Folder, arguments: &[&str]) -> String {
    let output = folder.run(arguments);
    assert!(output.status.success(), "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

async fn a_webhook_is_made_sent_to_and_removed(folder: Folder) {
    let served = folder.quickstart_in(&[PRIVATE], &[]);
    let receiver = Receiver::start();
    let url = receiver.url("/hook");
    let made = allowed(
        &folder,
        &["webhook", "add", &url, "--event", "key.*,member.removed"],
    );
    let (id, secret) = (made["id"].as_str().unwrap(), made["secret"].as_str().unwrap());
    assert_eq!(
        (&made["workspaceId"], &made["events"]),
        (
            &json!(served.text("workspaceId")),
            &json!(["key.*", "member.removed"])
        )
    );
    let shown = folder.json(&["webhook", "show", id]);
    assert_eq!((&shown["url"], &shown["secret"]), (&json!(url), &Value::Null));
    assert_eq!(folder.json(&["webhook", "list"])["items"], json!([shown]));

    let sent = folder.json(&["webhook", "test", id]);
    eventually(1, async || receiver.received().len()).await;
    let webhook = receiver.received().remove(0);
    assert!(webhook.is_signed_with(secret));
    assert_eq!(
        (json!(webhook.id), &webhook.json()["type"]),
        (sent["id"].clone(), &json!("webhook.test"))
    );
    let state = async || folder.json(&["webhook", "deliveries", id])["items"][0]["state"].clone();
    eventually(json!("delivered"), state).await;
    folder.json(&["webhook", "redeliver", id, &webhook.id]);
    eventually(2, async || receiver.received().len()).await;
    let listed = text(&folder, &["webhook", "deliveries", id]);
    assert!(
        listed.starts_with("ID ") && listed.contains("webhook.test"),
        "{listed}"
    );

    let rotated = folder.json(&["webhook", "rotate-secret", id, "--overlap", "1h"]);
    assert_ne!(rotated["secret"], made["secret"]);
    folder.json(&["webhook", "test", id]);
    eventually(3, async || receiver.received().len()).await;
    let webhook = receiver.received().remove(2);
    assert!(webhook.is_signed_with(secret) && webhook.is_signed_with(rotated["secret"].as_str().unwrap()));

    let changed = folder.json(&[
        "webhook",
        "update",
        id,
        "--event",
        "*",
        "--description",
        "Ours",
        "--disable",
    ]);
    assert_eq!(
        (
            &changed["events"],
            &changed["description"],
            &changed["disabledReason"]
        ),
        (&json!(["*"]), &json!("Ours"), &json!("asked"))
    );
    assert!(text(&folder, &["webhook", "show", id]).contains("disabled (asked)"));
    let disabled = folder.failure(&["webhook", "test", id]);
    assert!(disabled.contains("the webhook is disabled"), "{disabled}");
    let not_yet = folder.failure(&["webhook", "remove", id]);
    assert!(not_yet.contains("--yes"), "{not_yet}");
    folder.json(&["webhook", "remove", id, "--yes"]);
    assert_eq!(folder.json(&["webhook", "list"])["items"], json!([]));

    let log = served.stop();
    let dump = folder.dump();
    for secret in [&made["secret"], &rotated["secret"]] {
        let bare = secret.as_str().unwrap().strip_prefix("whsec_").unwrap();
        assert!(!log.contains(bare) && !dump.contains(bare));
    }
}

async fn what_stands_against_it_is_named(folder: Folder) {
    let _served = folder.quickstart(&[]);
    for (url, why) in [
        (
            "http://app.example.com/",
            "url: must be a URL that begins with https://",
        ),
        ("https://127.0.0.1/", "url: must be a URL of a public address"),
    ] {
        let refused = folder.failure(&["webhook", "add", url]);
        assert!(refused.contains(why), "{refused}");
    }
    let refused = folder.failure(&["webhook", "add", "https://app.example.com/", "--event", "key"]);
    assert!(
        refused.contains("events/0: must be an event such as key.revoked"),
        "{refused}"
    );
    let unknown = folder.failure(&["webhook", "show", "wh_00000000000000000000000000"]);
    assert!(
        unknown.contains("there is no webhook wh_00000000000000000000000000"),
        "{unknown}"
    );
    // A ring from before there were encryption keys.
    let ring = folder.path().join("tigertrust-data/keyring.toml");
    let text = std::fs::read_to_string(&ring).unwrap();
    std::fs::write(&ring, text.split("[[encryption_keys]]").next().unwrap()).unwrap();
    let keyless = folder.failure(&["webhook", "add", "https://app.example.com/"]);
    assert!(keyless.contains("holds no encryption key"), "{keyless}");
}

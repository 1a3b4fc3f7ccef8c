//! The audit log: searched, read, handed out, and proven.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tigertrust_accounts::IssuedKey;
use tigertrust_model::{Act, AuditAction, AuditEntry, Chain, Role};
use tigertrust_testkit::{Answer, Engine, Tab, TabSettings, eventually, send};

use crate::common::{NO_SCRIPT, PHONE, Site, faults};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The names of the events that are listed.
async fn listed(tab: &Tab) -> Vec<String> {
    let names = "[...document.querySelectorAll('#events tbody th code')].map((name) => name.textContent)";
    serde_json::from_value(tab.evaluate(names).await).unwrap()
}

/// A key that an administrator has made and revoked, a day after the workspace was made.
async fn revoked_key(site: &Site, admin: &IssuedKey) -> String {
    let server = &site.server;
    server.clock.advance(DAY);
    let body = json!({"name": "deploy job", "type": "agent", "scopes": ["certificates:read"], "metadata": {"secret": "CANARY"}});
    let made = server.post("/api/keys", admin, &body).await;
    let id = made.body["id"].as_str().unwrap().to_owned();
    let path = format!("/api/keys/{id}");
    server
        .patch(&path, admin, &json!({"metadata": {"secret": "CANARY 2"}}))
        .await;
    let revoked = server
        .post(&format!("{path}/revoke"), admin, &json!({"reason": "spent"}))
        .await;
    assert_eq!(revoked.status, 200, "{revoked:?}");
    id
}

async fn exported(site: &Site, admin: &IssuedKey, query: &str) -> Answer {
    site.server
        .get(&format!("/api/audit/export?{query}"), admin)
        .await
}

async fn the_log_is_searched_and_read(engine: Engine) {
    let site = Site::open(engine).await;
    let admin = site.server.admin(&site.workspace).await;
    let key = revoked_key(&site, &admin).await;
    let (jo, tab) = site.signed_in(Role::Admin, TabSettings::default()).await;
    let email = site.server.email(jo).await;

    tab.press("Audit log").await;
    assert_eq!(tab.url().await, site.within("/audit"));
    assert_eq!(
        listed(&tab).await,
        [
            "member.added",
            "key.revoked",
            "key.updated",
            "key.created",
            "key.created",
            "workspace.created"
        ]
    );
    // People and keys have names.
    let text = tab.text().await;
    assert!(
        text.contains(&email) && text.contains("API key deploy job"),
        "{text}"
    );
    assert_eq!(faults(&tab).await, [""; 0]);

    tab.fill("What", "API key revoked").await;
    eventually(vec!["key.revoked".to_owned()], || listed(&tab)).await;
    assert!(
        tab.url().await.contains("action=key.revoked"),
        "{}",
        tab.url().await
    );
    tab.fill("What", "All: API keys").await;
    eventually(4, async || listed(&tab).await.len()).await;
    tab.fill("Outcome", "Refused").await;
    tab.wait_for_text("No event is like that").await;
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.press("Show all events").await;
    assert_eq!(listed(&tab).await.len(), 6);
    // A member goes by the address, anything by its id, and both days are looked at.
    tab.fill("On what", &email).await;
    eventually(vec!["member.added".to_owned()], || listed(&tab)).await;
    tab.fill("On what", &key).await;
    eventually(3, async || listed(&tab).await.len()).await;
    tab.fill("Who", &email).await;
    tab.wait_for_text("No event is like that").await;
    tab.goto(&site.within("/audit")).await;
    tab.fill("To", "2027-01-15").await;
    eventually(
        vec!["key.created".to_owned(), "workspace.created".to_owned()],
        || listed(&tab),
    )
    .await;
    tab.goto(&site.within("/audit?from=2027-01-16&to=2027-01-16&actor=nobody"))
        .await;
    assert_eq!(listed(&tab).await, [""; 0]);
    assert_eq!(
        (tab.value("From").await, tab.value("Who").await),
        ("2027-01-16".to_owned(), "nobody".to_owned())
    );

    // htmx puts nothing in place that is refused: what was found before must not stay there.
    let part = format!(
        "fetch('/w/{}/audit?from=yesterday', {{ headers: {{ 'HX-Request': 'true' }} }})",
        site.workspace.id
    );
    let part = tab
        .evaluate(&format!(
            "{part}.then(async (answer) => [answer.status, await answer.text()])"
        ))
        .await;
    assert_eq!(part[0], 200, "{part}");
    assert!(
        part[1]
            .as_str()
            .unwrap()
            .contains("from must be an RFC 3339 time"),
        "{part}"
    );

    // One event in full.
    tab.goto(&site.within("/audit?from=2027-01-16&action=key.*"))
        .await;
    tab.press("API key changed").await;
    let text = tab.text().await;
    for part in [
        "key.updated",
        "metadata",
        "changed, not shown",
        "127.0.0.1",
        "req_",
        "2027-01-16T08:00:00Z",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains("CANARY"), "{text}");
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.press("All that was done on it").await;
    assert_eq!(listed(&tab).await, ["key.revoked", "key.updated", "key.created"]);
    tab.press("API key revoked").await;
    let events = site
        .server
        .get("/api/audit/events?action=key.revoked", &admin)
        .await;
    let event = &events.body["items"][0];
    let text = tab.text().await;
    for part in [
        "active",
        "revoked",
        "revocationReason",
        "spent",
        event["id"].as_str().unwrap(),
        event["mac"].as_str().unwrap(),
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    tab.press("Go to it, as it is now").await;
    assert_eq!(tab.url().await, site.within(&format!("/keys/{key}")));
    // What the history of a key names is found there.
    tab.press("API key revoked").await;
    assert!(tab.text().await.contains("revocationReason"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn audit_log_is_searched_and_read_on_sqlite() {
    the_log_is_searched_and_read(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn audit_log_is_searched_and_read_on_postgres() {
    the_log_is_searched_and_read(Engine::Postgres).await;
}

/// What a page that a link leads to is, asked for by the page itself.
async fn fetched(tab: &Tab, link: &str, method: &str) -> Value {
    let ask = format!(
        "fetch([...document.querySelectorAll('main a')].find((link) => link.textContent === '{link}').href, {{ method: '{method}' }})
            .then(async (answer) => ({{
                status: answer.status, text: await answer.text(), kind: answer.headers.get('content-type'),
                disposition: answer.headers.get('content-disposition'),
            }}))"
    );
    tab.evaluate(&ask).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn audit_exports_are_those_of_the_api() {
    let site = Site::open(Engine::Sqlite).await;
    let admin = site.server.admin(&site.workspace).await;
    let key = revoked_key(&site, &admin).await;
    let (_, tab) = site.signed_in(Role::Owner, TabSettings::default()).await;
    tab.goto(&site.within(&format!("/audit?target={key}&from=2027-01-16")))
        .await;
    for (link, format) in [("Export as CSV", "csv"), ("Export as NDJSON", "ndjson")] {
        let own = fetched(&tab, link, "GET").await;
        let query = format!("format={format}&target={key}&from=2027-01-16T00:00:00Z");
        let api = exported(&site, &admin, &query).await;
        assert_eq!(own["status"], 200, "{own}");
        assert_eq!(own["text"], api.body, "{format}");
        assert_eq!(own["text"].as_str().unwrap().matches("key.revoked").count(), 1);
        assert_eq!(own["kind"], api.header("content-type"));
        assert_eq!(own["disposition"], api.header("content-disposition"));
    }
    // All of them were logged, and who asks for the headers alone is handed out nothing.
    let head = fetched(&tab, "Export as CSV", "HEAD").await;
    assert_eq!((&head["status"], &head["text"]), (&json!(200), &json!("")));
    tab.goto(&site.within("/audit?action=audit.exported")).await;
    assert_eq!(listed(&tab).await.len(), 4);
    let wrong = tab
        .evaluate(&format!(
            "fetch('/w/{}/audit/export?format=xml').then((answer) => answer.status)",
            site.workspace.id
        ))
        .await;
    assert_eq!(wrong, 400);
    // A link to it is followed to a file, not to a page.
    assert_eq!(tab.troubles().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn audit_log_is_paged_and_searched_without_javascript() {
    let site = Site::open(Engine::Sqlite).await;
    let entry = |number: u64| {
        AuditEntry::new(
            AuditAction::KeyUpdated,
            Chain::Workspace(site.workspace.id),
            &Act::of_system(),
        )
        .times(number)
    };
    let audit = site.server.storage.audit();
    audit.append_audit((1..=55).map(entry).collect()).await.unwrap();
    let (_, tab) = site.signed_in(Role::Owner, NO_SCRIPT).await;
    tab.goto(&site.within("/audit")).await;
    tab.fill("What", "API key changed").await;
    tab.press("Filter").await;
    assert_eq!(listed(&tab).await.len(), 50);
    assert!(tab.text().await.contains("55 times"));
    tab.press("Next page").await;
    assert_eq!(listed(&tab).await.len(), 5);
    let text = tab.text().await;
    assert!(text.contains("5 times") && !text.contains("55 times"), "{text}");
    assert_eq!(tab.value("What").await, "API key changed");
    tab.press_near("4 times", "API key changed").await;
    assert!(tab.text().await.contains("4 times within a minute"));
    assert_eq!(faults(&tab).await, [""; 0]);
    // What is no day is said beside the field, and finds nothing.
    tab.goto(&site.within("/audit?from=yesterday")).await;
    assert_eq!(tab.status().await, 400);
    let text = tab.text().await;
    assert!(
        text.contains("must be an RFC 3339 time") && text.contains("Nothing was looked for"),
        "{text}"
    );
    // Nor is what is typed wrong in an address something that never happened.
    for path in ["/audit?action=key.mistyped", "/audit?outcome=maybe"] {
        tab.goto(&site.within(path)).await;
        assert_eq!((tab.status().await, listed(&tab).await.len()), (400, 0), "{path}");
    }
    for path in [
        "/audit/1.1",
        "/audit/nothing",
        "/audit/-9223372036854775808.18446744073709551615",
    ] {
        tab.goto(&site.within(path)).await;
        assert_eq!(tab.status().await, 404, "{path}");
    }
}

async fn the_log_is_whole_until_somebody_changes_it(engine: Engine) {
    let site = Site::open(engine).await;
    let admin = site.server.admin(&site.workspace).await;
    revoked_key(&site, &admin).await;
    let (_, tab) = site.signed_in(Role::Admin, TabSettings::default()).await;
    tab.goto(&site.within("/audit")).await;
    tab.press("Verify the log").await;
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.press("Copy the checkpoint").await;
    let checkpoint = tab.clipboard().await;
    assert_eq!(serde_json::from_str::<Value>(&checkpoint).unwrap()["sequence"], 6);
    tab.press("Verify").await;
    let text = tab.text().await;
    assert!(
        text.contains("The log is whole.") && text.contains("6 events, from number 1 to 6"),
        "{text}"
    );
    assert_eq!(faults(&tab).await, [""; 0]);

    // A checkpoint that was kept holds, and what is none, or none of this server's, says nothing.
    tab.fill("Checkpoints to compare it with", &checkpoint).await;
    tab.press("Verify").await;
    assert!(tab.text().await.contains("It agrees with the checkpoint."));
    for (text, wrong) in [
        ("{}".to_owned(), "number 1: this is no checkpoint"),
        (
            checkpoint.replace("\"sequence\":6", "\"sequence\":5"),
            "number 1: the signature is wrong",
        ),
    ] {
        tab.fill("Checkpoints to compare it with", &text).await;
        tab.press("Verify").await;
        assert_eq!(tab.status().await, 400);
        let shown = tab.text().await;
        assert!(
            shown.contains(wrong) && !shown.contains("The log is whole."),
            "{shown}"
        );
        assert_eq!(tab.value("Checkpoints to compare it with").await, text);
    }

    // The last event is not hidden without the head saying so; what was changed is named.
    let change = "UPDATE audit_events SET target_id = 'key_another' WHERE action = 'key.revoked'";
    site.server.sql(change).await;
    tab.goto(&site.within("/audit/verify")).await;
    tab.press("Verify").await;
    let text = tab.text().await;
    assert!(
        text.contains("The log is not as it was written.") && text.contains("event 5 was changed"),
        "{text}"
    );
    assert_eq!(tab.status().await, 200);
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.press("Look at event 5").await;
    let text = tab.text().await;
    assert!(
        text.contains("key.revoked") && text.contains("key_another"),
        "{text}"
    );

    // A head that was changed has no checkpoint.
    site.server.sql("UPDATE audit_heads SET seq = seq - 1").await;
    tab.goto(&site.within("/audit/verify")).await;
    let text = tab.text().await;
    assert!(text.contains("The audit log needs its operator."), "{text}");
    tab.press("Verify").await;
    let text = tab.text().await;
    assert!(text.contains("the head of the chain was changed"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn audit_log_is_whole_until_somebody_changes_it_on_sqlite() {
    the_log_is_whole_until_somebody_changes_it(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn audit_log_is_whole_until_somebody_changes_it_on_postgres() {
    the_log_is_whole_until_somebody_changes_it(Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn audit_log_that_was_begun_anew_is_not_whole() {
    let site = Site::open(Engine::Sqlite).await;
    let chain = "chain_id <> zeroblob(16)";
    site.server
        .sql(&format!(
            "DELETE FROM audit_events WHERE {chain}; DELETE FROM audit_heads WHERE {chain}"
        ))
        .await;
    let (_, tab) = site.signed_in(Role::Owner, NO_SCRIPT).await;
    tab.goto(&site.within("/audit/verify")).await;
    tab.press("Verify").await;
    let text = tab.text().await;
    assert!(text.contains("the beginning is missing"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn audit_log_says_what_was_erased_and_refused() {
    let site = Site::open(Engine::Sqlite).await;
    let (kim, tab) = site.signed_in(Role::Admin, TabSettings::default()).await;
    // Whoever may not do it tries in vain, and that is in the log.
    tab.goto(&site.within("/keys/new")).await;
    tab.evaluate("document.querySelector('main form').noValidate = true")
        .await;
    tab.press("Create key").await;
    assert_eq!(tab.status().await, 400);
    site.server.flush_refusals().await;
    let (_, owner) = site.signed_in(Role::Owner, TabSettings::default()).await;
    owner.goto(&site.within("/audit?outcome=refused")).await;
    assert_eq!(listed(&owner).await, ["request.refused"]);
    owner.press("Request refused").await;
    let text = owner.text().await;
    assert!(
        text.contains("VALIDATION_ERROR") && text.contains("127.0.0.1"),
        "{text}"
    );
    let event = owner.url().await;
    site.server.profiles.erase_as_operator(kim).await.unwrap();
    owner.goto(&event).await;
    let text = owner.text().await;
    assert!(text.contains("erased") && !text.contains("127.0.0.1"), "{text}");
    owner.goto(&site.within("/audit/verify")).await;
    owner.press("Verify").await;
    let text = owner.text().await;
    assert!(
        text.contains("The log is whole.") && text.contains("address and user agent are gone"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn audit_log_fits_a_phone() {
    let site = Site::open(Engine::Sqlite).await;
    let admin = site.server.admin(&site.workspace).await;
    revoked_key(&site, &admin).await;
    let (_, tab) = site.signed_in(Role::Owner, PHONE).await;
    tab.press("Menu").await;
    tab.press("Audit log").await;
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.press("API key revoked").await;
    assert_eq!(faults(&tab).await, [""; 0]);
    tab.goto(&site.within("/audit/verify")).await;
    tab.press("Verify").await;
    assert!(tab.text().await.contains("The log is whole."));
    assert_eq!(faults(&tab).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn audit_log_is_for_who_may_read_it() {
    let site = Site::open(Engine::Sqlite).await;
    let (_, tab) = site.signed_in(Role::Member, TabSettings::default()).await;
    let text = tab.text().await;
    assert!(
        !text.contains("Audit log") && !text.contains("Webhooks"),
        "{text}"
    );
    for path in ["/audit", "/audit/verify", "/audit/export", "/audit/1.1"] {
        tab.goto(&site.within(path)).await;
        assert_eq!(tab.status().await, 403, "{path}");
        assert!(tab.text().await.contains("Not allowed"), "{path}");
    }
    // Nor does anybody read the log of another workspace.
    let other = site.server.workspace("Other").await;
    let (_, owner) = site.signed_in(Role::Owner, TabSettings::default()).await;
    for path in ["audit", "audit/verify", "audit/export"] {
        owner.goto(&site.at(&format!("/w/{}/{path}", other.id))).await;
        assert_eq!(owner.status().await, 404, "{path}");
    }
    // The export of a stranger is no file.
    let export = site
        .server
        .request(Method::GET, &format!("/w/{}/audit/export", site.workspace.id));
    assert_eq!(send(export).await.status, 303);
}

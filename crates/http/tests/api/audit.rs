//! The audit log over HTTP: what is in it, for whom, and how it is handed out.

use reqwest::Method;
use serde_json::{Value, json};
use tigertrust_accounts::{
    IssuedKey, ReachRequest,
    audit::{Checkpoint as Signed, Landmark},
};
use tigertrust_model::{Chain, KeyType, Role, Workspace};
use tigertrust_testkit::{Answer, PASSWORD, TestServer, on_both_engines, send};
use tigertrust_wire::Checkpoint;

use crate::people::Browser;

on_both_engines!(
    s27_an_act_says_who_did_what_from_where,
    s27_the_life_of_a_key_is_in_the_log,
    s27_members_and_invitations_are_in_the_log,
    s27_sign_ins_and_their_refusals_are_in_the_log_of_the_instance,
    s27_what_was_refused_is_counted,
    s27_calls_with_a_key_that_is_no_good_any_more_are_counted,
    s27_what_people_do_with_their_accounts_is_in_the_log,
    s20_no_secret_is_in_the_log,
    a_workspace_reads_its_own_log_alone,
    the_log_is_filtered_and_paged,
    what_cannot_be_looked_for_is_refused,
    s29_an_export_is_whole_and_harmless_in_a_spreadsheet,
    an_export_of_many_pages_is_whole,
    a_checkpoint_is_signed_and_holds,
);

/// A key that reads the log of its workspace, and one of the instance.
async fn reader(server: &TestServer, home: &Workspace) -> IssuedKey {
    server.key(home, KeyType::Agent, &["audit:read"]).await
}

async fn of_instance(server: &TestServer) -> IssuedKey {
    server
        .issue(KeyType::Agent, &["audit:read"], ReachRequest::Instance)
        .await
}

async fn events(server: &TestServer, reader: &IssuedKey, query: &str) -> Vec<Value> {
    let answer = server
        .get(&format!("/api/audit/events?limit=200&{query}"), reader)
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["items"].as_array().unwrap().clone()
}

fn actions(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .map(|event| event["action"].as_str().unwrap())
        .collect()
}

fn change<'a>(event: &'a Value, field: &str) -> &'a Value {
    let changes = event["changes"].as_array().unwrap();
    changes
        .iter()
        .find(|change| change["field"] == field)
        .unwrap_or_else(|| panic!("no {field} in {event}"))
}

async fn s27_an_act_says_who_did_what_from_where(server: TestServer) {
    let home = server.workspace("Home").await;
    let jo = server.member(&home, Role::Admin).await;
    let mut browser = Browser::signed_in(&server, jo).await;
    let request = server
        .request(Method::POST, "/api/keys")
        .header("User-Agent", "Jo's browser")
        .header("X-Forwarded-For", "203.0.113.7")
        .json(&json!({"name": "ci", "type": "agent", "scopes": ["keys:read"]}));
    let made = browser.send(request).await;
    assert_eq!(made.status, 201, "{made:?}");
    let found = events(&server, &reader(&server, &home).await, "action=key.created").await;
    // The reader's own key is the newest.
    let event = &found[1];
    assert_eq!(event["actor"]["type"], "user");
    assert_eq!(event["actor"]["id"], jo.to_string());
    let sessions = browser.get(&server, "/api/auth/sessions").await;
    assert_eq!(event["actor"]["credentialId"], sessions.body["items"][0]["id"]);
    assert_eq!(event["target"], json!({"type": "key", "id": made.body["id"]}));
    assert_eq!(
        event["origin"],
        json!({"address": "203.0.113.7", "userAgent": "Jo's browser"})
    );
    assert_eq!(event["requestId"], made.header("x-request-id"));
    assert_eq!(event["outcome"], "success");
    assert_eq!(event["chain"], home.id.to_string());
    assert_eq!(change(event, "scopes")["after"], "keys:read");
    assert_eq!(change(event, "name")["after"], "ci");
}

async fn s27_the_life_of_a_key_is_in_the_log(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let body = json!({"name": "ci", "type": "agent", "scopes": ["keys:read"]});
    let made = server.post("/api/keys", &admin, &body).await;
    let path = format!("/api/keys/{}", made.body["id"].as_str().unwrap());
    for body in [
        json!({"name": "build", "metadata": {"secret": "CANARY"}}),
        json!({"active": false}),
        json!({"active": true}),
        // Nothing comes of nothing.
        json!({"active": true}),
    ] {
        assert_eq!(server.patch(&path, &admin, &body).await.status, 200);
    }
    server
        .post(&format!("{path}/rotate"), &admin, &json!({"overlapSeconds": 60}))
        .await;
    server
        .post(&format!("{path}/revoke"), &admin, &json!({"reason": "spent"}))
        .await;
    let of_key = format!("target={}", made.body["id"].as_str().unwrap());
    let found = events(&server, &admin, &of_key).await;
    let expected = [
        "key.revoked",
        "key.rotated",
        "key.activated",
        "key.deactivated",
        "key.updated",
        "key.created",
    ];
    assert_eq!(actions(&found), expected);
    assert_eq!(change(&found[0], "state")["before"], "active");
    assert_eq!(change(&found[0], "revocationReason")["after"], "spent");
    assert_eq!(
        *change(&found[4], "name"),
        json!({"field": "name", "before": "ci", "after": "build"})
    );
    // That it was changed, and not to what.
    assert_eq!(
        *change(&found[4], "metadata"),
        json!({"field": "metadata", "before": null, "after": null})
    );
    for event in &found {
        assert_eq!(event["actor"]["id"], admin.key.id.to_string());
        assert_eq!(event["actor"]["type"], "key");
    }
}

async fn s27_members_and_invitations_are_in_the_log(server: TestServer) {
    let home = server.workspace("Home").await;
    let owner = server.member(&home, Role::Owner).await;
    let kim = server.member(&home, Role::Member).await;
    let key = server.personal(&home, kim, &["keys:read"]).await;
    let mut browser = Browser::signed_in(&server, owner).await;
    let members = format!("/api/workspaces/{}/members", home.id);
    let invitations = format!("/api/workspaces/{}/invitations", home.id);
    let invited = browser
        .post(
            &server,
            &invitations,
            &json!({"email": "new@example.com", "role": "viewer"}),
        )
        .await;
    assert_eq!(invited.status, 201, "{invited:?}");
    let changed = browser
        .patch(&server, &format!("{members}/{kim}"), &json!({"role": "viewer"}))
        .await;
    assert_eq!(changed.status, 200, "{changed:?}");
    let removed = browser.delete(&server, &format!("{members}/{kim}")).await;
    assert_eq!(removed.status, 204, "{removed:?}");
    let found = events(&server, &reader(&server, &home).await, &format!("actor={owner}")).await;
    let expected = [
        "key.revoked",
        "member.removed",
        "member.updated",
        "invitation.created",
    ];
    assert_eq!(actions(&found), expected);
    assert_eq!(found[0]["target"]["id"], key.key.id.to_string());
    assert_eq!(found[1]["target"]["id"], kim.to_string());
    assert_eq!(change(&found[2], "role")["before"], "member");
    assert_eq!(found[3]["details"], json!({"email": "new@example.com"}));
}

async fn s27_sign_ins_and_their_refusals_are_in_the_log_of_the_instance(server: TestServer) {
    let home = server.workspace("Home").await;
    let jo = server.member(&home, Role::Owner).await;
    let email = server.email(jo).await;
    let mut browser = Browser::default();
    browser.login(&server, &email, "not the password").await;
    browser
        .login(&server, "nobody@example.com", "a password in the wrong field")
        .await;
    assert_eq!(browser.login(&server, &email, PASSWORD).await.status, 200);
    browser.post(&server, "/api/auth/logout", &json!({})).await;
    let found = events(&server, &of_instance(&server).await, "action=session.*").await;
    assert_eq!(
        actions(&found),
        [
            "session.ended",
            "session.started",
            "session.started",
            "session.started"
        ]
    );
    let (begun, nobody, wrong) = (&found[1], &found[2], &found[3]);
    assert_eq!(begun["actor"]["id"], jo.to_string());
    assert_eq!(begun["target"]["id"], begun["actor"]["credentialId"]);
    assert_eq!(change(begun, "method")["after"], "password");
    for (refused, target) in [
        (nobody, Value::Null),
        (wrong, json!({"type": "user", "id": jo.to_string()})),
    ] {
        assert_eq!(refused["outcome"], "refused");
        assert_eq!(refused["code"], "UNAUTHORIZED");
        assert_eq!(refused["actor"]["type"], "anonymous");
        assert_eq!(refused["target"], target);
        assert_eq!(refused["origin"]["address"], "127.0.0.1");
    }
    // What was typed is nowhere: it may be anything.
    assert!(!server.dump().await.contains("nobody@example.com"));
    // Of throttled ones there is one entry.
    for _ in 0..30 {
        browser.login(&server, &email, "not the password").await;
    }
    server.flush_refusals().await;
    let throttled = events(&server, &of_instance(&server).await, "outcome=refused").await;
    let throttled: Vec<&Value> = throttled
        .iter()
        .filter(|event| event["code"] == "RATE_LIMITED")
        .collect();
    let counts: Vec<u64> = throttled
        .iter()
        .map(|event| event["count"].as_u64().unwrap())
        .collect();
    assert!(counts.len() == 1 && counts[0] >= 19, "{counts:?}");
}

async fn s27_what_was_refused_is_counted(server: TestServer) {
    let home = server.workspace("Home").await;
    let viewer = server.member(&home, Role::Viewer).await;
    let mut browser = Browser::signed_in(&server, viewer).await;
    let members = format!("/api/workspaces/{}/members/{}", home.id, server.owner);
    for _ in 0..3 {
        let refused = browser.patch(&server, &members, &json!({"role": "viewer"})).await;
        assert_eq!(refused.status, 403, "{refused:?}");
    }
    let admin = server.admin(&home).await;
    let unknown = "/api/keys/key_01h2xcejqtf2nbrexx3vqjhp41";
    assert_eq!(
        server.patch(unknown, &admin, &json!({"name": "x"})).await.status,
        404
    );
    server.flush_refusals().await;
    let found = events(&server, &admin, "action=request.refused").await;
    let told: Vec<(&str, &str, &str, u64)> = found
        .iter()
        .map(|event| {
            let text = |value: &'static str| event.pointer(value).and_then(Value::as_str).unwrap();
            (
                text("/actor/id"),
                text("/target/id"),
                text("/code"),
                event["count"].as_u64().unwrap(),
            )
        })
        .collect();
    let (viewer, key) = (viewer.to_string(), admin.key.id.to_string());
    let operation = "PATCH /api/workspaces/{id}/members/{userId}";
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.contains(&(&viewer, operation, "FORBIDDEN", 3)), "{told:?}");
    assert!(
        told.contains(&(&key, "PATCH /api/keys/{id}", "NOT_FOUND", 1)),
        "{told:?}"
    );
}

async fn s27_calls_with_a_key_that_is_no_good_any_more_are_counted(server: TestServer) {
    let home = server.workspace("Home").await;
    let (admin, key) = (
        server.admin(&home).await,
        server.key(&home, KeyType::Agent, &[]).await,
    );
    assert_eq!(server.get("/api/auth/me", &key).await.status, 200);
    let path = format!("/api/keys/{}/revoke", key.key.id);
    assert_eq!(server.post(&path, &admin, &json!({})).await.status, 200);
    for _ in 0..3 {
        assert_eq!(server.get("/api/auth/me", &key).await.code(), "KEY_REVOKED");
    }
    server.flush_usage().await;
    server.flush_refusals().await;
    let found = events(&server, &admin, "action=key.refused").await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["target"]["id"], key.key.id.to_string());
    assert_eq!(
        (&found[0]["code"], &found[0]["count"]),
        (&json!("KEY_REVOKED"), &json!(3))
    );
}

async fn s27_what_people_do_with_their_accounts_is_in_the_log(server: TestServer) {
    let home = server.workspace("Home").await;
    let jo = server.member(&home, Role::Member).await;
    let mut browser = Browser::signed_in(&server, jo).await;
    browser
        .patch(&server, "/api/auth/me", &json!({"name": "Jo"}))
        .await;
    let body = json!({"currentPassword": PASSWORD, "newPassword": "another correct horse battery"});
    let changed = browser
        .send(server.request(Method::PUT, "/api/auth/password").json(&body))
        .await;
    assert_eq!(changed.status, 204, "{changed:?}");
    crate::factors::enrol(&server, &mut browser).await;
    let exported = browser.get(&server, "/api/auth/me/export").await;
    assert_eq!(exported.status, 200, "{exported:?}");
    let found = events(&server, &of_instance(&server).await, &format!("actor={jo}")).await;
    let mut done = actions(&found);
    done.retain(|action| *action != "session.proved");
    assert_eq!(
        done,
        [
            "user.exported",
            "factor.added",
            "password.changed",
            "user.updated",
            "session.started"
        ]
    );
}

async fn s20_no_secret_is_in_the_log(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let body =
        json!({"name": "ci", "type": "agent", "scopes": ["keys:read"], "metadata": {"token": "CANARY"}});
    let made = server.post("/api/keys", &admin, &body).await;
    let secret = made.body["key"].as_str().unwrap().to_owned();
    let path = format!("/api/keys/{}/rotate", made.body["id"].as_str().unwrap());
    let rotated = server.post(&path, &admin, &json!({})).await;
    let exported = server.get("/api/audit/export", &admin).await;
    let text = format!(
        "{}{}",
        exported.body,
        server.get("/api/audit/export?format=csv", &admin).await.body
    );
    for canary in [
        &secret,
        rotated.body["key"].as_str().unwrap(),
        admin.secret.reveal(),
        "CANARY",
    ] {
        assert!(!text.contains(canary));
    }
    assert!(text.contains("key.rotated"));
}

async fn a_workspace_reads_its_own_log_alone(server: TestServer) {
    let (home, other) = (server.workspace("Home").await, server.workspace("Other").await);
    let (own, foreign) = (reader(&server, &home).await, reader(&server, &other).await);
    let seen = events(&server, &foreign, "").await;
    assert!(seen.iter().all(|event| event["chain"] == other.id.to_string()));
    let target = format!("target={}", own.key.id);
    assert_eq!(events(&server, &foreign, &target).await, [] as [Value; 0]);
    assert_eq!(events(&server, &own, &target).await.len(), 1);
    // Who may not read the log does not, whatever else it may do.
    let keys = server.key(&home, KeyType::Agent, &["keys:*"]).await;
    for path in ["/api/audit/events", "/api/audit/export", "/api/audit/checkpoint"] {
        assert_eq!(server.get(path, &keys).await.status, 403, "{path}");
    }
    let member = server.member(&home, Role::Member).await;
    let mut browser = Browser::signed_in(&server, member).await;
    assert_eq!(browser.get(&server, "/api/audit/events").await.status, 403);
    let admin = server.member(&home, Role::Admin).await;
    let mut browser = Browser::signed_in(&server, admin).await;
    let read = browser.get(&server, "/api/audit/events").await;
    assert_eq!(read.body["items"][0]["chain"], home.id.to_string());
    // An instance key reads that of the instance, and of each workspace that it names.
    let instance = of_instance(&server).await;
    let all = events(&server, &instance, "").await;
    assert!(all.iter().all(|event| event["chain"] == "instance"));
    let named = server
        .request(Method::GET, "/api/audit/events")
        .header("X-Agent-API-Key", instance.secret.reveal())
        .header("X-Workspace-ID", home.id.to_string());
    assert_eq!(send(named).await.body["items"][0]["chain"], home.id.to_string());
}

async fn the_log_is_filtered_and_paged(server: TestServer) {
    let home = server.workspace("Home").await;
    let reader = reader(&server, &home).await;
    for _ in 0..5 {
        server.clock.advance(std::time::Duration::from_secs(1));
        server.key(&home, KeyType::Public, &[]).await;
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server
            .get(
                &format!("/api/audit/events?limit=2&action=key.created{cursor}"),
                &reader,
            )
            .await;
        seen.extend(page.body["items"].as_array().unwrap().clone());
        match page.body["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let sequences: Vec<u64> = seen
        .iter()
        .map(|event| event["sequence"].as_u64().unwrap())
        .collect();
    assert_eq!(sequences, [7, 6, 5, 4, 3, 2]);
    let at = |index: usize| seen[index]["at"].as_str().unwrap().to_owned();
    let between = events(&server, &reader, &format!("from={}&to={}", at(3), at(1))).await;
    assert_eq!(between.len(), 2);
}

async fn what_cannot_be_looked_for_is_refused(server: TestServer) {
    let home = server.workspace("Home").await;
    let reader = reader(&server, &home).await;
    for query in [
        "action=key.mistyped",
        "action=*",
        "outcome=maybe",
        "from=yesterday",
        "cursor=1",
        "limit=0",
        "acton=key.created",
        "actor=%00",
    ] {
        let answer = server.get(&format!("/api/audit/events?{query}"), &reader).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (400, "VALIDATION_ERROR"),
            "{query}"
        );
    }
    let answer = server.get("/api/audit/export?format=xml", &reader).await;
    assert_eq!(answer.status, 400);
}

fn lines(answer: &Answer) -> Vec<String> {
    let text = answer.body.as_str().unwrap();
    text.lines().map(str::to_owned).collect()
}

async fn s29_an_export_is_whole_and_harmless_in_a_spreadsheet(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let request = server
        .request(Method::POST, "/api/keys")
        .header("X-Agent-API-Key", admin.secret.reveal())
        .header("User-Agent", "=HYPERLINK(\"http://evil.example\")")
        .json(&json!({"name": "=1+1", "type": "public", "scopes": []}));
    assert_eq!(send(request).await.status, 201);
    let csv = server.get("/api/audit/export?format=csv", &admin).await;
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    assert!(
        csv.header("content-disposition")
            .starts_with("attachment; filename=\"audit-ws_")
    );
    let csv = lines(&csv);
    assert!(csv[0].starts_with("id,sequence,at,chain,action,"));
    let own = csv.iter().find(|line| line.contains("HYPERLINK")).unwrap();
    assert!(own.contains(",\"'=HYPERLINK("), "{own}");
    let ndjson = lines(&server.get("/api/audit/export?format=ndjson", &admin).await);
    let read: Vec<Value> = ndjson
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    // That it was handed out as CSV is in it, and that it is handed out now.
    assert_eq!(actions(&read)[..2], ["audit.exported", "audit.exported"]);
    assert_eq!(change(&read[0], "format")["after"], "ndjson");
    assert_eq!(read.len(), csv.len());
    // The same in a filter.
    let some = lines(&server.get("/api/audit/export?action=key.created", &admin).await);
    assert_eq!(some.len(), 2);
    // By which filters it was handed out is in the log, too.
    let path = "/api/audit/export?action=key.created&actor=somebody@example.com&from=2027-01-01T00:00:00Z";
    assert_eq!(server.get(path, &admin).await.status, 200);
    let logged = &events(&server, &admin, "action=audit.exported").await[0];
    assert_eq!(change(logged, "action")["after"], "key.created");
    assert_eq!(change(logged, "from")["after"], "2027-01-01T00:00:00Z");
    // An address would stay when its person is erased.
    assert_eq!(logged["details"], json!({"actor": "[an address]"}));
    let path = "/api/audit/export?actor=usr_1";
    assert_eq!(server.get(path, &admin).await.status, 200);
    let logged = &events(&server, &admin, "action=audit.exported").await[0];
    assert_eq!(logged["details"], json!({"actor": "usr_1"}));
    // Whoever asks for the headers alone is handed out nothing.
    let head = server
        .request(Method::HEAD, "/api/audit/export")
        .header("X-Agent-API-Key", admin.secret.reveal());
    assert_eq!(send(head).await.status, 200);
    assert_eq!(events(&server, &admin, "action=audit.exported").await.len(), 5);
}

async fn an_export_of_many_pages_is_whole(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let entry = |number: u64| {
        let act = tigertrust_model::Act::of_system();
        tigertrust_model::AuditEntry::new(
            tigertrust_model::AuditAction::KeyUpdated,
            Chain::Workspace(home.id),
            &act,
        )
        .times(number)
    };
    let audit = server.storage.audit();
    // As many in one transaction as a machine that has much else to do writes within its deadline.
    for hundred in 0..25 {
        let entries = (hundred * 100 + 1..=(hundred + 1) * 100).map(entry);
        audit.append_audit(entries.collect()).await.unwrap();
    }
    let answer = server.get("/api/audit/export?action=key.updated", &admin).await;
    let exported = lines(&answer);
    assert_eq!(exported.len(), 2_500);
    let counts: Vec<u64> = exported
        .iter()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["count"]
                .as_u64()
                .unwrap()
        })
        .collect();
    assert!(counts.iter().rev().copied().eq(1..=2_500));
}

async fn a_checkpoint_is_signed_and_holds(server: TestServer) {
    let home = server.workspace("Home").await;
    let reader = reader(&server, &home).await;
    let answer = server.get("/api/audit/checkpoint", &reader).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let body: Checkpoint = serde_json::from_value(answer.body.clone()).unwrap();
    let signed = body.read().unwrap();
    let key = Signed::public_key(server.audit.ring(), &signed.key).unwrap();
    assert!(signed.is_signed_by(&key));
    assert_eq!(
        (signed.chain, signed.landmark.seq),
        (Chain::Workspace(home.id), 2)
    );
    let holds = async |landmark: Landmark| server.audit.verify(signed.chain, &[landmark]).await.unwrap();
    assert!(holds(signed.landmark).await.is_ok());
    let elsewhere = Landmark {
        mac: [1; 32],
        ..signed.landmark
    };
    assert!(holds(elsewhere).await.is_err());
}

//! Export and erasure of people.

use std::time::Duration;

use serde_json::{Value, json};
use tigertrust_accounts::{Actor, FlowError, NewInvitation};
use tigertrust_model::Role;
use tigertrust_testkit::{PASSWORD, TestServer, eventually, on_both_engines, send};

use crate::{factors::Enrolled, people::Browser};

on_both_engines!(
    an_export_holds_all_but_secrets,
    s15_export_and_erasure_need_a_fresh_proof,
    s19_who_is_erased_is_gone_on_every_node,
    nothing_personal_is_left_in_the_database,
    a_use_that_is_stored_late_leaves_no_trace_either,
    the_last_owner_cannot_be_erased,
    an_erased_address_can_have_another_account,
    who_is_erased_cannot_come_back,
);

async fn an_export_holds_all_but_secrets(server: TestServer) {
    let mut jo = Enrolled::new(&server).await;
    let me = jo.browser.get(&server, "/api/auth/me").await.body;
    let id = me["workspace"]["id"].as_str().unwrap().parse().unwrap();
    let home = server
        .storage
        .accounts()
        .get_workspace(id)
        .await
        .unwrap()
        .unwrap();
    let key = server.personal(&home, jo.user, &["certificates:read"]).await;
    let other = server.workspace("Other").await;
    let new = NewInvitation {
        email: server.email(jo.user).await.parse().unwrap(),
        role: Role::Viewer,
    };
    server
        .invitations
        .invite(&Actor::operator(), other.id, new)
        .await
        .unwrap();
    for _ in 0..2 {
        assert_eq!(server.get("/api/auth/me", &key).await.status, 200);
    }
    server.flush_usage().await;
    let export = jo.browser.get(&server, "/api/auth/me/export").await;
    assert_eq!(export.status, 200, "{export:?}");
    assert_eq!(export.header("cache-control"), "no-store");
    let body = &export.body;
    assert_eq!(body["user"], me["user"]);
    assert_eq!(body["memberships"][0]["role"], "admin");
    assert_eq!(body["memberships"][0]["since"], "2027-01-15T08:00:00Z");
    assert_eq!(body["sessions"][0]["current"], true);
    assert_eq!(body["personalKeys"][0]["id"], key.key.id.to_string());
    assert_eq!(body["totpAddedAt"], "2027-01-15T08:00:00Z");
    assert_eq!(
        (
            &body["recoveryCodesLeft"],
            &body["knownDevices"],
            &body["hasPassword"]
        ),
        (&json!(10), &json!(1), &json!(true))
    );
    assert_eq!(body["invitations"][0]["workspaceName"], "Other");
    assert_eq!(
        body["personalKeyUsage"],
        json!([{"keyId": key.key.id.to_string(), "name": "a personal key", "total": 2, "outcomes": {"VALID": 2}}])
    );
    assert_eq!(body["identities"], json!([]));
    assert_eq!(body["auditTruncated"], false);
    let events = body["auditEvents"].as_array().unwrap();
    // The newest is the export itself, from where it was asked for; of who made the key it is not shown from where.
    assert_eq!(events[0]["action"], "user.exported");
    assert_eq!(events[0]["origin"]["address"], "127.0.0.1");
    let own = jo.user.to_string();
    let has = |event: &Value| event["actor"]["id"] == own || event["target"]["id"] == own;
    assert!(events.iter().all(has), "{events:?}");
    let joined = events
        .iter()
        .find(|event| event["action"] == "member.added")
        .unwrap();
    assert_eq!(joined["actor"]["credentialId"], Value::Null);
    assert_eq!(joined["origin"], json!({"address": null, "userAgent": null}));
    let text = body.to_string();
    for secret in [
        key.secret.reveal(),
        jo.browser.session.as_ref().unwrap(),
        "argon2",
    ] {
        assert!(!text.contains(secret));
    }
}

async fn s15_export_and_erasure_need_a_fresh_proof(server: TestServer) {
    let home = server.workspace("Home").await;
    let jo = server.member(&home, Role::Member).await;
    let mut browser = Browser::signed_in(&server, jo).await;
    server.clock.advance(Duration::from_secs(10 * 60));
    let (export, erase) = (
        browser.get(&server, "/api/auth/me/export").await,
        browser.delete(&server, "/api/auth/me").await,
    );
    assert_eq!(export.problem(), (403, "STEP_UP_REQUIRED"));
    assert_eq!(erase.problem(), (403, "STEP_UP_REQUIRED"));
    let body = json!({"password": PASSWORD});
    assert_eq!(
        browser.post(&server, "/api/auth/step-up", &body).await.status,
        204
    );
    assert_eq!(browser.get(&server, "/api/auth/me/export").await.status, 200);
    assert_eq!(browser.delete(&server, "/api/auth/me").await.status, 204);
    assert_eq!(browser.session, None);
}

async fn s19_who_is_erased_is_gone_on_every_node(server: TestServer) {
    let home = server.workspace("Home").await;
    let jo = server.member(&home, Role::Admin).await;
    let key = server.personal(&home, jo, &["certificates:read"]).await;
    let mut browser = Browser::signed_in(&server, jo).await;
    let mut elsewhere = Browser::signed_in(&server, jo).await;
    let second = server.second().await;
    let me = async |node: &TestServer| node.get("/api/auth/me", &key).await.status.as_u16();
    eventually((200, 200), async || (me(&server).await, me(&second).await)).await;
    assert_eq!(browser.delete(&server, "/api/auth/me").await.status, 204);
    assert_eq!(me(&server).await, 401);
    eventually(401, async || me(&second).await).await;
    assert_eq!(elsewhere.me(&second).await, 401);
    let admin = server.admin(&home).await;
    let members = server
        .get(&format!("/api/workspaces/{}/members", home.id), &admin)
        .await;
    assert!(!members.body.to_string().contains(&jo.to_string()));
    // What others say of the person by its id holds.
    let shown = server
        .get(&format!("/api/keys/{}", key.key.id), &admin)
        .await
        .body;
    assert_eq!(
        (&shown["state"], &shown["ownerId"], &shown["revocationReason"]),
        (
            &json!("revoked"),
            &json!(jo.to_string()),
            &json!("the owner's account was erased")
        )
    );
}

async fn nothing_personal_is_left_in_the_database(server: TestServer) {
    let mut jo = Enrolled::new(&server).await;
    let me = jo.browser.get(&server, "/api/auth/me").await.body;
    let id = me["workspace"]["id"].as_str().unwrap().parse().unwrap();
    let home = server
        .storage
        .accounts()
        .get_workspace(id)
        .await
        .unwrap()
        .unwrap();
    let key = server.personal(&home, jo.user, &["certificates:read"]).await;
    let edit = json!({"name": "canary key", "externalId": "canary-id", "metadata": {"of": "canary-note"}});
    let path = format!("/api/keys/{}", key.key.id);
    assert_eq!(jo.browser.patch(&server, &path, &edit).await.status, 200);
    let name = json!({"name": "Canary Name"});
    assert_eq!(jo.browser.patch(&server, "/api/auth/me", &name).await.status, 200);
    let request = server
        .request(reqwest::Method::GET, "/api/auth/me")
        .header("X-Agent-API-Key", key.secret.reveal())
        .header("X-Forwarded-For", "203.0.113.77")
        .header("User-Agent", "canary-agent");
    assert_eq!(send(request).await.status, 200);
    server.flush_uses().await;
    let email = server.email(jo.user).await;
    let other = server.workspace("Other").await;
    let new = NewInvitation {
        email: email.parse().unwrap(),
        role: Role::Viewer,
    };
    server
        .invitations
        .invite(&Actor::operator(), other.id, new)
        .await
        .unwrap();
    let traces = [
        email.as_str(),
        "Canary Name",
        "203.0.113.77",
        "canary-agent",
        "canary key",
        "canary-id",
        "canary-note",
    ];
    let before = server.dump().await;
    for trace in traces {
        assert!(before.contains(trace), "{trace}");
    }
    assert_eq!(jo.browser.delete(&server, "/api/auth/me").await.status, 204);
    let after = server.dump().await;
    for trace in traces {
        assert!(!after.contains(trace), "{trace}");
    }
}

async fn a_use_that_is_stored_late_leaves_no_trace_either(server: TestServer) {
    let home = server.workspace("Home").await;
    let jo = server.member(&home, Role::Member).await;
    let key = server.personal(&home, jo, &["certificates:read"]).await;
    let second = server.second().await;
    // What the second node notes is later than the erasure.
    second.clock.advance(Duration::from_secs(3600));
    for node in [&server, &second] {
        let request = node
            .request(reqwest::Method::GET, "/api/auth/me")
            .header("X-Agent-API-Key", key.secret.reveal())
            .header("X-Forwarded-For", "203.0.113.77")
            .header("User-Agent", "canary-agent");
        assert_eq!(send(request).await.status, 200);
    }
    let mut browser = Browser::signed_in(&server, jo).await;
    assert_eq!(browser.delete(&server, "/api/auth/me").await.status, 204);
    server.flush_uses().await;
    second.flush_uses().await;
    let after = server.dump().await;
    for trace in ["203.0.113.77", "canary-agent"] {
        assert!(!after.contains(trace), "{trace}");
    }
}

async fn the_last_owner_cannot_be_erased(server: TestServer) {
    let (home, other) = (server.workspace("Home").await, server.workspace("Other").await);
    let jo = server.member(&home, Role::Owner).await;
    server.set_role(&other, jo, Some(Role::Owner)).await;
    for workspace in [&home, &other] {
        let first = server.owner;
        server.set_role(workspace, first, None).await;
    }
    let mut browser = Browser::signed_in(&server, jo).await;
    let refused = browser.delete(&server, "/api/auth/me").await;
    assert_eq!(refused.problem(), (409, "CONFLICT"));
    let detail = refused.body["detail"].as_str().unwrap();
    assert!(detail.contains(&home.id.to_string()) && detail.contains(&other.id.to_string()));
    // An owner who is disabled is none that could act.
    let al = server.member(&home, Role::Owner).await;
    server.users.set_disabled(al, true).await.unwrap();
    server
        .workspaces
        .delete(&Actor::operator(), other.id)
        .await
        .unwrap();
    let refused = browser.delete(&server, "/api/auth/me").await;
    assert_eq!(refused.problem(), (409, "CONFLICT"));
    let detail = refused.body["detail"].as_str().unwrap();
    assert!(detail.contains(&home.id.to_string()) && !detail.contains(&other.id.to_string()));
    assert_eq!(browser.me(&server).await, 200);
    server.users.set_disabled(al, false).await.unwrap();
    assert_eq!(browser.delete(&server, "/api/auth/me").await.status, 204);
}

async fn an_erased_address_can_have_another_account(server: TestServer) {
    let home = server.workspace("Home").await;
    let jo = server.member(&home, Role::Member).await;
    let email = server.email(jo).await;
    let mut browser = Browser::signed_in(&server, jo).await;
    assert_eq!(browser.delete(&server, "/api/auth/me").await.status, 204);
    let login = Browser::default().login(&server, &email, PASSWORD).await;
    assert_eq!(login.problem(), (401, "UNAUTHORIZED"));
    let new = NewInvitation {
        email: email.parse().unwrap(),
        role: Role::Viewer,
    };
    let issued = server
        .invitations
        .invite(&Actor::operator(), home.id, new)
        .await
        .unwrap();
    let body = json!({"token": issued.token.reveal(), "password": PASSWORD});
    let accepted = Browser::default()
        .post(&server, "/api/invitations/accept", &body)
        .await;
    assert_eq!(accepted.status, 200, "{accepted:?}");
    assert_ne!(accepted.body["user"]["id"], jo.to_string());
    assert_eq!(accepted.body["user"]["email"], email);
}

async fn who_is_erased_cannot_come_back(server: TestServer) {
    let home = server.workspace("Home").await;
    let jo = server.member(&home, Role::Member).await;
    server.profiles.erase_as_operator(jo).await.unwrap();
    let again = server.profiles.erase_as_operator(jo).await;
    assert!(matches!(again, Err(FlowError::NotFound)), "{again:?}");
    let enabled = server.users.set_disabled(jo, false).await;
    assert!(matches!(enabled, Err(FlowError::NotFound)), "{enabled:?}");
    let instance = server
        .issue(
            tigertrust_model::KeyType::Agent,
            &["members:*"],
            tigertrust_accounts::ReachRequest::Instance,
        )
        .await;
    let body = json!({"userId": jo.to_string(), "role": "member"});
    let list = format!("/api/workspaces/{}/members", home.id);
    let added = server.post(&list, &instance, &body).await;
    assert_eq!(
        (added.problem(), added.pointers()),
        ((400, "VALIDATION_ERROR"), vec!["/userId"])
    );
    let login = Browser::default()
        .login(&server, &format!("{jo}@erased.invalid"), PASSWORD)
        .await;
    assert_eq!(login.problem(), (401, "UNAUTHORIZED"));
    assert_eq!(login.body["key"], Value::Null);
}

//! Workspaces that demand a second factor of their members: `security.md` 25.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tigertrust_accounts::ReachRequest;
use tigertrust_model::{KeyType, Role, Workspace};
use tigertrust_testkit::{PASSWORD, TestServer, eventually, on_both_engines};

use crate::{factors::Enrolled, people::Browser};

on_both_engines!(
    s25_nobody_demands_a_second_factor_who_has_not_proved_one,
    s25_a_session_without_a_second_factor_is_refused_there_and_nowhere_else,
    a_second_factor_that_is_added_or_proved_opens_the_workspace,
    who_takes_the_factor_away_is_refused_again,
    s25_personal_keys_need_an_owner_with_a_second_factor,
    s25_no_key_is_let_in_by_a_session_that_is_not,
    keys_of_the_workspace_go_on,
    who_has_no_other_workspace_can_sign_in_and_add_a_factor,
);

fn path(home: &Workspace) -> String {
    format!("/api/workspaces/{}", home.id)
}

async fn demand(server: &TestServer, home: &Workspace) {
    let key = server.admin(home).await;
    let set = server
        .patch(&path(home), &key, &json!({"requireSecondFactor": true}))
        .await;
    assert_eq!(
        (set.status.as_u16(), &set.body["requireSecondFactor"]),
        (200, &json!(true)),
        "{set:?}"
    );
}

async fn s25_nobody_demands_a_second_factor_who_has_not_proved_one(server: TestServer) {
    let mut jo = Enrolled::new(&server).await;
    let home = jo.browser.get(&server, "/api/auth/me").await.body["workspace"].clone();
    let path = format!("/api/workspaces/{}", home["id"].as_str().unwrap());
    assert_eq!(home["requireSecondFactor"], false);
    let other = server.workspace("Other").await;
    let al = server.member(&other, Role::Admin).await;
    let mut without = Browser::signed_in(&server, al).await;
    let body = json!({"requireSecondFactor": true});
    let url = self::path(&other);
    let refused = without.patch(&server, &url, &body).await;
    assert_eq!(
        (refused.problem(), refused.pointers()),
        ((403, "FORBIDDEN"), vec!["/requireSecondFactor"])
    );
    let key = server.personal(&other, al, &["workspace:write"]).await;
    let refused = server.patch(&url, &key, &body).await;
    assert_eq!(refused.problem(), (403, "FORBIDDEN"));
    let null = without
        .patch(&server, &url, &json!({"requireSecondFactor": null}))
        .await;
    assert_eq!(null.problem(), (400, "VALIDATION_ERROR"));

    let set = jo.browser.patch(&server, &path, &body).await;
    assert_eq!(
        (set.status.as_u16(), &set.body["requireSecondFactor"]),
        (200, &json!(true))
    );
    let shown = jo.browser.get(&server, &path).await;
    assert_eq!(shown.body, set.body);
    let unset = jo
        .browser
        .patch(&server, &path, &json!({"requireSecondFactor": false}))
        .await;
    assert_eq!(unset.body["requireSecondFactor"], false);
}

async fn s25_a_session_without_a_second_factor_is_refused_there_and_nowhere_else(server: TestServer) {
    let (home, other) = (server.workspace("Home").await, server.workspace("Other").await);
    let jo = server.member(&home, Role::Admin).await;
    server.set_role(&other, jo, Some(Role::Admin)).await;
    let mut browser = Browser::signed_in(&server, jo).await;
    // The default workspace is the one that was joined first: give both one time, and the order is that of the ids.
    let chosen = json!({"defaultWorkspaceId": home.id.to_string()});
    assert_eq!(browser.patch(&server, "/api/auth/me", &chosen).await.status, 200);
    demand(&server, &home).await;
    let second = server.second().await;
    let refused = [
        (Method::GET, "/api/keys".to_owned()),
        (Method::GET, path(&home)),
        (Method::PATCH, path(&home)),
        (Method::GET, format!("{}/members", path(&home))),
        (Method::GET, "/api/auth/check".to_owned()),
        (Method::GET, "/api/auth/check?scope=certificates:read".to_owned()),
        (Method::GET, format!("/api/auth/check?workspace={}", home.id)),
    ];
    for (method, path) in refused {
        for node in [&server, &second] {
            let request = node
                .request(method.clone(), &path)
                .header("X-Forwarded-Method", "GET");
            let answer = browser.send(request).await;
            assert_eq!(answer.problem(), (403, "FORBIDDEN"), "{method} {path}");
            let detail = answer.body["detail"].as_str().unwrap();
            assert!(detail.contains("second factor"), "{detail}");
        }
    }
    // What is about the person goes on, and so does every other workspace.
    let me = browser.get(&server, "/api/auth/me").await;
    assert_eq!(
        (me.status.as_u16(), &me.body["workspace"]["requireSecondFactor"]),
        (200, &json!(true))
    );
    for path in ["/api/auth/sessions", "/api/workspaces"] {
        assert_eq!(browser.get(&server, path).await.status, 200, "{path}");
    }
    let named = |request: reqwest::RequestBuilder| request.header("X-Workspace-ID", other.id.to_string());
    let keys = browser
        .send(named(server.request(Method::GET, "/api/keys")))
        .await;
    assert_eq!(keys.status, 200);
    let chosen = json!({"defaultWorkspaceId": other.id.to_string()});
    assert_eq!(browser.patch(&server, "/api/auth/me", &chosen).await.status, 200);
    assert_eq!(browser.get(&server, "/api/keys").await.status, 200);
    // Nor is anybody kept from leaving.
    let of = |user| format!("{}/members/{user}", path(&home));
    let al = server.member(&home, Role::Viewer).await;
    assert_eq!(
        browser.delete(&server, &of(al)).await.problem(),
        (403, "FORBIDDEN")
    );
    assert_eq!(browser.delete(&server, &of(jo)).await.status, 204);
    assert_eq!(
        browser.get(&server, &path(&home)).await.problem(),
        (404, "NOT_FOUND")
    );
}

async fn a_second_factor_that_is_added_or_proved_opens_the_workspace(server: TestServer) {
    let mut jo = Enrolled::new(&server).await;
    // The session in which the app was added has proved it.
    let me = jo.browser.get(&server, "/api/auth/me").await;
    assert_eq!(me.body["session"]["secondFactor"], true);
    let home = me.body["workspace"]["id"].as_str().unwrap().to_owned();
    let url = format!("/api/workspaces/{home}");
    let body = json!({"requireSecondFactor": true});
    assert_eq!(jo.browser.patch(&server, &url, &body).await.status, 200);
    assert_eq!(jo.browser.get(&server, &url).await.status, 200);

    // So has one that began before and has proved it since.
    let other = server.workspace("Other").await;
    let al = server.member(&other, Role::Admin).await;
    let mut early = Browser::signed_in(&server, al).await;
    let mut late = Browser::signed_in(&server, al).await;
    let new = late.post(&server, "/api/auth/2fa/totp", &Value::Null).await;
    assert_eq!(new.status, 200);
    demand(&server, &other).await;
    assert_eq!(
        early.get(&server, &path(&other)).await.problem(),
        (403, "FORBIDDEN")
    );
    let secret = crate::factors::base32(new.body["secret"].as_str().unwrap());
    let code = || {
        use tigertrust_model::Clock as _;
        let step = tigertrust_credentials::TotpStep::at(server.clock.now());
        secret.code(step).to_string()
    };
    let body = json!({"code": code()});
    let confirmed = late.post(&server, "/api/auth/2fa/totp/confirm", &body).await;
    assert_eq!(confirmed.status, 200);
    assert_eq!(late.get(&server, &path(&other)).await.status, 200);
    assert_eq!(
        early.get(&server, &path(&other)).await.problem(),
        (403, "FORBIDDEN")
    );
    server.clock.advance(Duration::from_secs(60));
    let body = json!({"password": PASSWORD, "code": code()});
    assert_eq!(early.post(&server, "/api/auth/step-up", &body).await.status, 204);
    assert_eq!(early.get(&server, &path(&other)).await.status, 200);
}

async fn who_takes_the_factor_away_is_refused_again(server: TestServer) {
    let mut jo = Enrolled::new(&server).await;
    let me = jo.browser.get(&server, "/api/auth/me").await;
    let url = format!("/api/workspaces/{}", me.body["workspace"]["id"].as_str().unwrap());
    let body = json!({"requireSecondFactor": true});
    assert_eq!(jo.browser.patch(&server, &url, &body).await.status, 200);
    assert_eq!(jo.browser.delete(&server, "/api/auth/2fa/totp").await.status, 204);
    assert_eq!(jo.browser.get(&server, &url).await.problem(), (403, "FORBIDDEN"));
}

async fn s25_personal_keys_need_an_owner_with_a_second_factor(server: TestServer) {
    let mut jo = Enrolled::new(&server).await;
    let me = jo.browser.get(&server, "/api/auth/me").await;
    let id = me.body["workspace"]["id"].as_str().unwrap().parse().unwrap();
    let home = server
        .storage
        .accounts()
        .get_workspace(id)
        .await
        .unwrap()
        .unwrap();
    let al = server.member(&home, Role::Member).await;
    let scopes = ["certificates:read", "keys:write"];
    let (with, without) = (
        server.personal(&home, jo.user, &scopes).await,
        server.personal(&home, al, &scopes).await,
    );
    let second = server.second().await;
    let check = async |node: &TestServer, key| {
        node.get("/api/auth/check?scope=certificates:read", key)
            .await
            .status
            .as_u16()
    };
    for key in [&with, &without] {
        eventually(200, async || check(&second, key).await).await;
        assert_eq!(check(&server, key).await, 200);
    }
    demand(&server, &home).await;
    assert_eq!(
        (check(&server, &with).await, check(&server, &without).await),
        (200, 403)
    );
    eventually(403, async || check(&second, &without).await).await;
    assert_eq!(check(&second, &with).await, 200);
    let verifier = server.key(&home, KeyType::Agent, &["keys:verify"]).await;
    let body = json!({"key": without.secret.reveal()});
    let verdict = server.post("/api/keys/verify", &verifier, &body).await;
    assert_eq!(
        (&verdict.body["valid"], &verdict.body["code"]),
        (&json!(false), &json!("FORBIDDEN"))
    );
    // A key may always ask who it is, and revoke itself.
    assert_eq!(server.get("/api/auth/me", &without).await.status, 200);

    // Added and taken away: caches hear of it.
    assert_eq!(jo.browser.delete(&server, "/api/auth/2fa/totp").await.status, 204);
    assert_eq!(check(&server, &with).await, 403);
    eventually(403, async || check(&second, &with).await).await;
    let revoke = format!("/api/keys/{}/revoke", without.key.id);
    assert_eq!(server.post(&revoke, &without, &json!({})).await.status, 200);
}

async fn s25_no_key_is_let_in_by_a_session_that_is_not(server: TestServer) {
    let (home, other) = (server.workspace("Home").await, server.workspace("Other").await);
    let jo = server.member(&home, Role::Admin).await;
    server.set_role(&other, jo, Some(Role::Admin)).await;
    demand(&server, &other).await;
    let mut browser = Browser::signed_in(&server, jo).await;
    let body = json!({"name": "x", "type": "agent", "scopes": ["certificates:read"],
                      "workspaceIds": [other.id.to_string()]});
    let request = server
        .request(Method::POST, "/api/keys")
        .header("X-Workspace-ID", home.id.to_string());
    let refused = browser.send(request.json(&body)).await;
    assert_eq!(refused.problem(), (403, "WORKSPACE_ACCESS_DENIED"));
}

async fn keys_of_the_workspace_go_on(server: TestServer) {
    let home = server.workspace("Home").await;
    let key = server.key(&home, KeyType::Agent, &["certificates:read"]).await;
    let instance = server
        .issue(KeyType::Agent, &["workspace:*"], ReachRequest::Instance)
        .await;
    demand(&server, &home).await;
    assert_eq!(server.get("/api/auth/check", &key).await.status, 200);
    assert_eq!(server.get(&path(&home), &instance).await.status, 200);
    // They do not end the demand: who is shut out may hold one.
    let key = server.admin(&home).await;
    let ended = server
        .patch(&path(&home), &key, &json!({"requireSecondFactor": false}))
        .await;
    assert_eq!(ended.problem(), (403, "FORBIDDEN"));
}

async fn who_has_no_other_workspace_can_sign_in_and_add_a_factor(server: TestServer) {
    let home = server.workspace("Home").await;
    let jo = server.member(&home, Role::Viewer).await;
    demand(&server, &home).await;
    let mut browser = Browser::signed_in(&server, jo).await;
    let me = browser.get(&server, "/api/auth/me").await;
    assert_eq!(me.body["defaultWorkspaceId"], home.id.to_string());
    assert_eq!(
        browser.get(&server, &path(&home)).await.problem(),
        (403, "FORBIDDEN")
    );
    let new = browser.post(&server, "/api/auth/2fa/totp", &Value::Null).await;
    assert_eq!(new.status, 200, "{new:?}");
    // Somebody who is invited there gets in as far as that, too.
    let new = tigertrust_accounts::NewInvitation {
        email: "new@example.com".parse().unwrap(),
        role: Role::Viewer,
    };
    let operator = tigertrust_accounts::Actor::operator();
    let issued = server.invitations.invite(&operator, home.id, new).await.unwrap();
    let body = json!({"token": issued.token.reveal(), "password": PASSWORD});
    let mut browser = Browser::default();
    let accepted = browser.post(&server, "/api/invitations/accept", &body).await;
    assert_eq!(accepted.status, 200, "{accepted:?}");
    assert_eq!(browser.me(&server).await, 200);
    assert_eq!(
        browser.get(&server, &path(&home)).await.problem(),
        (403, "FORBIDDEN")
    );
}

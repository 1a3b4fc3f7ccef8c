//! Which account an identity is: never by its address alone.

use std::time::Duration;

use serde_json::{Value, json};
use tigertrust_model::Role;
use tigertrust_testkit::{PASSWORD, TestServer, on_both_engines};

use crate::{
    people::Browser,
    sso::{Company, accounts, at_provider, come_back, me, sign_in, verify},
};

on_both_engines!(
    cve_2026_47164_an_address_that_is_not_verified_connects_nobody,
    cve_2026_9087_another_workspace_s_provider_is_nobody_here,
    an_owner_is_connected_by_its_own_hand_alone,
    a_person_connects_an_identity_and_takes_it_away,
    an_identity_belongs_to_one_account,
    the_last_way_in_stays,
    s_a_session_by_a_workspace_s_provider_is_confined_where_it_does_not_own_the_address,
    to_connect_asks_for_a_fresh_proof,
);

async fn somebody(server: &TestServer, email: &str) -> tigertrust_model::UserId {
    let new = tigertrust_accounts::NewUser {
        email: email.parse().unwrap(),
        name: None,
        password: tigertrust_credentials::Password::presented(PASSWORD),
    };
    server.users.create(new).await.unwrap().id
}

async fn cve_2026_47164_an_address_that_is_not_verified_connects_nobody(server: TestServer) {
    let company = Company::new(&server, "acme", json!({})).await;
    let ada = somebody(&server, "ada@acme.example").await;
    // The domain is not the workspace's: anybody can run a provider that says so.
    let page = sign_in(&server, &mut Browser::default(), &company.path(), "ada").await;
    assert!(
        page.status == 403 && page.text.contains("No account is connected"),
        "{page:?}"
    );
    // Nor does it make an account for an address that has none.
    let page = sign_in(&server, &mut Browser::default(), &company.path(), "eve").await;
    assert_eq!(page.status, 403, "{page:?}");
    let company = company.verified(&server, "acme.example").await;
    somebody(&server, "max@acme.example").await;
    let changed = json!({"liar": {"sub": "9", "email": "boss@acme.example", "email_verified": false}});
    company.provider.control("accounts", &changed).await;
    let page = sign_in(&server, &mut Browser::default(), &company.path(), "liar").await;
    assert_eq!(
        page.status, 403,
        "nobody gets an account by an address that is not verified: {page:?}"
    );
    let page = sign_in(&server, &mut Browser::default(), &company.path(), "max").await;
    assert_eq!(
        page.status, 403,
        "the provider has not verified the address: {page:?}"
    );
    let mut browser = Browser::default();
    let page = sign_in(&server, &mut browser, &company.path(), "ada").await;
    assert_eq!(page.status, 200, "{page:?}");
    assert_eq!(
        me(&server, &mut browser).await.body["user"]["id"],
        ada.to_string()
    );
}

async fn cve_2026_9087_another_workspace_s_provider_is_nobody_here(server: TestServer) {
    let company = Company::new(&server, "acme", json!({})).await;
    let company = company.verified(&server, "acme.example").await;
    let mut ada = Browser::default();
    sign_in(&server, &mut ada, &company.path(), "ada").await;
    let id = me(&server, &mut ada).await.body["user"]["id"].clone();
    // Another workspace, whose provider says the very same of itself and of her.
    let evil = Company::new(&server, "evil", json!({})).await;
    let mut browser = Browser::default();
    let page = sign_in(&server, &mut browser, &evil.path(), "ada").await;
    assert_eq!(page.status, 403, "{page:?}");
    assert!(browser.session.is_none());
    // The domain cannot be had twice.
    let mut owner = evil.owner.clone();
    let path = format!("/api/workspaces/{}/domains", evil.workspace.id);
    let claimed = owner
        .post(&server, &path, &json!({"domain": "ACME.example."}))
        .await;
    let text = |name: &str| claimed.body[name].as_str().unwrap().to_owned();
    server.records.publish(&text("recordName"), &text("recordValue"));
    let taken = owner
        .post(&server, &format!("{path}/acme.example/verify"), &json!({}))
        .await;
    assert_eq!(taken.problem(), (409, "CONFLICT"));
    // What was sent back to one connection is not taken by the other.
    let redirect = crate::sso::begin(&server, &mut browser, &company.path()).await;
    let back = at_provider(&server, &redirect, "ada").await;
    let crossed = back.replace("/oidc/acme/", "/oidc/evil/");
    assert_eq!(come_back(&server, &mut browser, &crossed).await.status, 401);
    assert!(browser.session.is_none());
    assert_eq!(me(&server, &mut ada).await.body["user"]["id"], id);
}

async fn an_owner_is_connected_by_its_own_hand_alone(server: TestServer) {
    let company = Company::new(&server, "acme", json!({})).await;
    let company = company.verified(&server, "acme.example").await;
    let ada = somebody(&server, "ada@acme.example").await;
    server.set_role(&company.workspace, ada, Some(Role::Owner)).await;
    let page = sign_in(&server, &mut Browser::default(), &company.path(), "ada").await;
    assert_eq!(page.status, 403, "{page:?}");
    let mut browser = Browser::signed_in(&server, ada).await;
    connect(&server, &mut browser, &company.path(), "ada").await;
    let mut other = Browser::default();
    assert_eq!(
        sign_in(&server, &mut other, &company.path(), "ada").await.status,
        200
    );
    let me = me(&server, &mut other).await;
    assert_eq!(
        (&me.body["user"]["id"], &me.body["role"]),
        (&json!(ada.to_string()), &json!("owner"))
    );
}

/// Connects the account of whoever is signed in; returns the page that it ends with.
async fn connect(server: &TestServer, browser: &mut Browser, path: &str, login: &str) -> crate::sso::Page {
    let body = json!({"url": path, "returnTo": "/security"});
    let begun = browser.post(server, "/api/auth/identities", &body).await;
    assert_eq!(begun.status, 200, "{begun:?}");
    let redirect = begun.body["redirectUrl"].as_str().unwrap().to_owned();
    let back = at_provider(server, &redirect, login).await;
    come_back(server, browser, &back).await
}

async fn a_person_connects_an_identity_and_takes_it_away(server: TestServer) {
    let company = Company::new(&server, "acme", json!({"defaultRole": Value::Null})).await;
    let jo = server.member(&company.workspace, Role::Member).await;
    let mut browser = Browser::signed_in(&server, jo).await;
    let page = connect(&server, &mut browser, &company.path(), "eve").await;
    assert_eq!((page.status, page.goes_to()), (200, "/security"), "{page:?}");
    assert!(
        page.cookies
            .iter()
            .all(|cookie| !cookie.starts_with("connect.sid"))
    );
    let listed = browser.get(&server, "/api/auth/identities").await;
    let identity = listed.body["items"][0].clone();
    assert_eq!(
        (&identity["email"], &identity["name"]),
        (&json!("eve@other.example"), &json!("Acme"))
    );
    assert_eq!(identity["connection"], company.connection);
    let mut by_provider = Browser::default();
    let page = sign_in(&server, &mut by_provider, &company.path(), "eve").await;
    assert_eq!(page.status, 200, "{page:?}");
    assert_eq!(
        me(&server, &mut by_provider).await.body["user"]["id"],
        jo.to_string()
    );

    let path = format!("/api/auth/identities/{}", identity["id"].as_str().unwrap());
    assert_eq!(browser.delete(&server, &path).await.status, 204);
    assert_eq!(browser.delete(&server, &path).await.status, 404);
    assert_eq!(by_provider.me(&server).await, 401);
    let page = sign_in(&server, &mut by_provider, &company.path(), "eve").await;
    assert_eq!(page.status, 403, "{page:?}");
}

async fn an_identity_belongs_to_one_account(server: TestServer) {
    let company = Company::new(&server, "acme", json!({})).await;
    let jo = server.member(&company.workspace, Role::Member).await;
    let al = server.member(&company.workspace, Role::Member).await;
    let mut jo = Browser::signed_in(&server, jo).await;
    let mut al = Browser::signed_in(&server, al).await;
    assert_eq!(
        connect(&server, &mut jo, &company.path(), "eve").await.status,
        200
    );
    assert_eq!(
        connect(&server, &mut jo, &company.path(), "eve").await.status,
        200,
        "again is no harm"
    );
    let page = connect(&server, &mut al, &company.path(), "eve").await;
    assert!(
        page.status == 409 && page.text.contains("another account"),
        "{page:?}"
    );
    // Who has signed out meanwhile is not connected.
    let body = json!({"url": company.path()});
    let begun = al.post(&server, "/api/auth/identities", &body).await;
    let redirect = begun.body["redirectUrl"].as_str().unwrap().to_owned();
    let back = at_provider(&server, &redirect, "bob").await;
    al.post(&server, "/api/auth/logout", &json!({})).await;
    assert_eq!(come_back(&server, &mut al, &back).await.status, 403);
}

async fn the_last_way_in_stays(server: TestServer) {
    let company = Company::new(&server, "acme", json!({})).await;
    let company = company.verified(&server, "acme.example").await;
    let mut browser = Browser::default();
    sign_in(&server, &mut browser, &company.path(), "ada").await;
    let listed = browser.get(&server, "/api/auth/identities").await;
    let path = format!(
        "/api/auth/identities/{}",
        listed.body["items"][0]["id"].as_str().unwrap()
    );
    let kept = browser.delete(&server, &path).await;
    assert_eq!(kept.problem(), (409, "CONFLICT"));
    assert_eq!(browser.me(&server).await, 200);
    // Who has nothing of its own proves itself anew by signing in anew.
    server.clock.advance(Duration::from_secs(11 * 60));
    let stale = browser.delete(&server, &path).await;
    assert_eq!(stale.problem(), (403, "STEP_UP_REQUIRED"));
    let empty = browser.post(&server, "/api/auth/step-up", &json!({})).await;
    assert_eq!(empty.problem(), (401, "UNAUTHORIZED"));
}

async fn s_a_session_by_a_workspace_s_provider_is_confined_where_it_does_not_own_the_address(
    server: TestServer,
) {
    let company = Company::new(&server, "acme", json!({})).await;
    let jo = server.member(&company.workspace, Role::Member).await;
    let elsewhere = server.workspace("Elsewhere").await;
    server.set_role(&elsewhere, jo, Some(Role::Admin)).await;
    let mut own = Browser::signed_in(&server, jo).await;
    connect(&server, &mut own, &company.path(), "eve").await;
    let mut browser = Browser::default();
    assert_eq!(
        sign_in(&server, &mut browser, &company.path(), "eve")
            .await
            .status,
        200
    );
    // Whoever runs the workspace says who its provider is: that must open nothing else.
    let (home, other) = (company.workspace.id, elsewhere.id);
    assert_eq!(
        browser
            .get(&server, &format!("/api/workspaces/{home}"))
            .await
            .status,
        200
    );
    assert_eq!(
        browser
            .get(&server, &format!("/api/workspaces/{other}"))
            .await
            .status,
        404
    );
    let named = server
        .request(reqwest::Method::GET, "/api/keys")
        .header("X-Workspace-ID", other.to_string());
    assert_eq!(
        browser.send(named).await.problem(),
        (403, "WORKSPACE_ACCESS_DENIED")
    );
    for (method, path) in [
        ("POST", "/api/auth/2fa/totp"),
        ("PUT", "/api/auth/password"),
        ("POST", "/api/auth/email/change"),
        ("POST", "/api/auth/passkeys/register/start"),
        ("DELETE", "/api/auth/me"),
        ("GET", "/api/auth/me/export"),
        ("GET", "/api/auth/sessions"),
        ("DELETE", "/api/auth/sessions"),
        ("GET", "/api/auth/identities"),
        ("POST", "/api/workspaces"),
        ("GET", "/api/workspaces"),
    ] {
        let request = server.request(method.parse().unwrap(), path).json(&json!({}));
        let refused = browser.send(request).await;
        assert_eq!(
            refused.problem(),
            (403, "FORBIDDEN"),
            "{method} {path}: {refused:?}"
        );
    }
    assert_eq!(
        own.get(&server, &format!("/api/workspaces/{other}")).await.status,
        200
    );
    // Once the workspace has the domain of the account's own address, it reads its mail, and so could come in by that.
    let domain = server.email(jo).await.split_once('@').unwrap().1.to_owned();
    let mut owner = company.owner.clone();
    verify(&server, &mut owner, &company.workspace, &domain).await;
    sign_in(&server, &mut browser, &company.path(), "eve").await;
    assert_eq!(
        browser
            .get(&server, &format!("/api/workspaces/{other}"))
            .await
            .status,
        200
    );
    assert_eq!(
        browser.post(&server, "/api/auth/logout", &json!({})).await.status,
        204
    );
}

async fn to_connect_asks_for_a_fresh_proof(server: TestServer) {
    let company = Company::with_accounts(&server, "acme", accounts(), json!({})).await;
    let jo = server.member(&company.workspace, Role::Member).await;
    let mut browser = Browser::signed_in(&server, jo).await;
    server.clock.advance(Duration::from_secs(11 * 60));
    let body = json!({"url": company.path()});
    let stale = browser.post(&server, "/api/auth/identities", &body).await;
    assert_eq!(stale.problem(), (403, "STEP_UP_REQUIRED"));
    let unknown = browser
        .post(
            &server,
            "/api/auth/identities",
            &json!({"url": "https://evil.example/api/auth/google"}),
        )
        .await;
    assert_eq!(unknown.problem(), (404, "NOT_FOUND"));
}

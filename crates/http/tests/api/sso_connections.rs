//! Connections: made, changed, tried and removed.

use serde_json::{Value, json};
use tigertrust_model::Role;
use tigertrust_testkit::{TestServer, on_both_engines};

use crate::{
    people::Browser,
    sso::{Company, sign_in},
};

on_both_engines!(
    a_connection_is_shown_without_its_secret,
    what_makes_no_sense_is_refused_where_it_stands,
    what_is_absent_stays,
    switched_off_its_sessions_end_and_nobody_comes_in,
    a_connection_is_removed_with_what_was_connected_by_it,
    a_test_says_what_is_wrong_with_the_provider,
    s_an_admin_can_neither_see_nor_make_one,
    s_a_provider_inside_the_network_is_not_asked,
);

fn path(company: &Company) -> String {
    format!("/api/workspaces/{}/sso-connections", company.workspace.id)
}

async fn a_connection_is_shown_without_its_secret(server: TestServer) {
    let mut company = Company::new(&server, "acme", json!({"trustsSecondFactor": true})).await;
    let own = format!("{}/{}", path(&company), company.connection);
    let shown = company.owner.get(&server, &own).await;
    assert_eq!(shown.status, 200, "{shown:?}");
    assert!(shown.body["id"].as_str().unwrap().starts_with("con_"));
    assert_eq!(
        shown.body["returnUrl"],
        format!("{}{}/callback", server.base_url(), company.path())
    );
    assert_eq!(shown.body["oidc"]["scopes"], json!(["email", "profile"]));
    assert_eq!(shown.body["defaultRole"], "member");
    assert!(!shown.body.to_string().contains("canary"));
    let listed = company.owner.get(&server, &path(&company)).await;
    assert_eq!(
        listed.body,
        json!({"items": [shown.body], "nextCursor": Value::Null})
    );
    // The same slug, in another workspace.
    let other = server.workspace("Other").await;
    let owner = server.member(&other, Role::Owner).await;
    let mut owner = Browser::signed_in(&server, owner).await;
    let body =
        json!({"slug": "acme", "name": "x", "oidc": {"issuer": "https://idp.example", "clientId": "x"}});
    let taken = owner
        .post(
            &server,
            &format!("/api/workspaces/{}/sso-connections", other.id),
            &body,
        )
        .await;
    assert_eq!(taken.problem(), (409, "CONFLICT"));
    assert_eq!(owner.get(&server, &own).await.status, 404);
}

async fn what_makes_no_sense_is_refused_where_it_stands(server: TestServer) {
    let mut company = Company::new(&server, "acme", json!({})).await;
    let path = path(&company);
    let good =
        json!({"slug": "two", "name": "Two", "oidc": {"issuer": "https://idp.example", "clientId": "x"}});
    for (pointer, name, value) in [
        ("/slug", "slug", json!("Two")),
        ("/slug", "slug", json!("google")),
        ("/name", "name", json!("")),
        ("/name", "name", json!("a\u{202e}b")),
        ("/defaultRole", "defaultRole", json!("owner")),
        (
            "/groupRoles/0/role",
            "groupRoles",
            json!([{"group": "a", "role": "owner"}]),
        ),
        ("", "saml", json!({"metadata": "<x/>"})),
        ("", "oidc", Value::Null),
        (
            "/oidc/issuer",
            "oidc",
            json!({"issuer": "idp.example", "clientId": "x"}),
        ),
        ("/oidc/issuer", "oidc", json!({"clientId": "x"})),
        (
            "/oidc/clientId",
            "oidc",
            json!({"issuer": "https://idp.example", "clientId": ""}),
        ),
        (
            "/oidc/tenants",
            "oidc",
            json!({"preset": "azure", "issuer": "https://login.microsoftonline.com/common/v2.0", "clientId": "x"}),
        ),
        ("/saml", "saml", json!({})),
    ] {
        let mut body = good.clone();
        body[name] = value;
        if pointer == "/saml" {
            body.as_object_mut().unwrap().remove("oidc");
        }
        let refused = company.owner.post(&server, &path, &body).await;
        assert_eq!(
            (refused.problem(), refused.pointers()),
            ((400, "VALIDATION_ERROR"), vec![pointer]),
            "{body}: {refused:?}"
        );
    }
    let mut body = good.clone();
    body["saml"] = json!({"metadata": "<!DOCTYPE x><x/>"});
    body.as_object_mut().unwrap().remove("oidc");
    let refused = company.owner.post(&server, &path, &body).await;
    assert_eq!(
        (refused.status.as_u16(), refused.pointers()),
        (400, vec!["/saml"]),
        "{refused:?}"
    );
    assert_eq!(company.owner.post(&server, &path, &good).await.status, 201);
}

async fn what_is_absent_stays(server: TestServer) {
    let company = Company::new(&server, "acme", json!({})).await;
    let mut company = company.verified(&server, "acme.example").await;
    let own = format!("{}/{}", path(&company), company.connection);
    let oidc = json!({"issuer": company.provider.origin(), "clientId": "tigertrust"});
    let renamed = company
        .owner
        .patch(&server, &own, &json!({"name": "Acme Okta", "oidc": oidc}))
        .await;
    assert_eq!(
        (&renamed.body["name"], &renamed.body["defaultRole"]),
        (&json!("Acme Okta"), &json!("member"))
    );
    // The client secret is the one that it was.
    let page = sign_in(&server, &mut Browser::default(), &company.path(), "ada").await;
    assert_eq!(page.status, 200, "{page:?}");
    let policy = company.owner.patch(&server, &own, &json!({"policy": {}})).await;
    assert_eq!(policy.body["defaultRole"], Value::Null);
    let saml = company
        .owner
        .patch(&server, &own, &json!({"saml": {"metadata": "<x/>"}}))
        .await;
    assert_eq!((saml.status.as_u16(), saml.pointers()), (400, vec![""]));
}

async fn switched_off_its_sessions_end_and_nobody_comes_in(server: TestServer) {
    let company = Company::new(&server, "acme", json!({})).await;
    let mut company = company.verified(&server, "acme.example").await;
    let mut ada = Browser::default();
    sign_in(&server, &mut ada, &company.path(), "ada").await;
    let own = format!("{}/{}", path(&company), company.connection);
    company
        .owner
        .patch(&server, &own, &json!({"enabled": false}))
        .await;
    assert_eq!(ada.me(&server).await, 401);
    assert_eq!(ada.get(&server, &company.path()).await.status, 404);
    company
        .owner
        .patch(&server, &own, &json!({"enabled": true}))
        .await;
    assert_eq!(
        sign_in(&server, &mut ada, &company.path(), "ada").await.status,
        200
    );
}

async fn a_connection_is_removed_with_what_was_connected_by_it(server: TestServer) {
    let company = Company::new(&server, "acme", json!({})).await;
    let mut company = company.verified(&server, "acme.example").await;
    let mut ada = Browser::default();
    sign_in(&server, &mut ada, &company.path(), "ada").await;
    let own = format!("{}/{}", path(&company), company.connection);
    assert_eq!(company.owner.delete(&server, &own).await.status, 204);
    assert_eq!(company.owner.delete(&server, &own).await.status, 404);
    assert_eq!(ada.me(&server).await, 401);
    // Its slug is free, and whoever came in by it is nobody to another one.
    let again = json!({
        "slug": "acme", "name": "Again", "oidc": {"issuer": company.provider.origin(), "clientId": "tigertrust"},
    });
    assert_eq!(
        company.owner.post(&server, &path(&company), &again).await.status,
        201
    );
}

async fn a_test_says_what_is_wrong_with_the_provider(server: TestServer) {
    let mut company = Company::new(&server, "acme", json!({})).await;
    let own = format!("{}/{}", path(&company), company.connection);
    let test = format!("{own}/test");
    let good = company.owner.post(&server, &test, &json!({})).await;
    assert_eq!(good.body, json!({"ok": true, "findings": []}));
    let wrong =
        json!({"oidc": {"issuer": format!("{}/", company.provider.origin()), "clientId": "tigertrust"}});
    let refused = company.owner.patch(&server, &own, &wrong).await;
    assert_eq!(
        (refused.status.as_u16(), refused.pointers()),
        (400, vec!["/oidc/clientSecret"])
    );
    let mut wrong = wrong;
    wrong["oidc"]["clientSecret"] = json!("another");
    company.owner.patch(&server, &own, &wrong).await;
    let bad = company.owner.post(&server, &test, &json!({})).await;
    assert_eq!(
        (bad.status.as_u16(), &bad.body["ok"]),
        (200, &json!(false)),
        "{bad:?}"
    );
    assert_eq!(bad.body["findings"].as_array().unwrap().len(), 1);
    let refresh = company
        .owner
        .post(&server, &format!("{own}/refresh"), &json!({}))
        .await;
    assert_eq!(refresh.status, 400, "{refresh:?}");
}

async fn s_an_admin_can_neither_see_nor_make_one(server: TestServer) {
    let company = Company::new(&server, "acme", json!({})).await;
    let admin = server.member(&company.workspace, Role::Admin).await;
    let mut admin = Browser::signed_in(&server, admin).await;
    let own = format!("{}/{}", path(&company), company.connection);
    assert_eq!(
        admin.get(&server, &path(&company)).await.problem(),
        (403, "FORBIDDEN")
    );
    assert_eq!(admin.delete(&server, &own).await.problem(), (403, "FORBIDDEN"));
    let body =
        json!({"slug": "two", "name": "Two", "oidc": {"issuer": "https://idp.example", "clientId": "x"}});
    assert_eq!(
        admin.post(&server, &path(&company), &body).await.problem(),
        (403, "FORBIDDEN")
    );
}

async fn s_a_provider_inside_the_network_is_not_asked(server: TestServer) {
    // This server takes loopback alone, for its tests.
    let mut company = Company::new(&server, "acme", json!({})).await;
    for issuer in [
        "http://169.254.169.254",
        "https://10.0.0.1",
        "https://[fd00::1]",
        "http://idp.example",
    ] {
        let slug = format!("x{}", issuer.len());
        let body = json!({"slug": slug, "name": "x", "oidc": {"issuer": issuer, "clientId": "x"}});
        let made = company.owner.post(&server, &path(&company), &body).await;
        let own = format!(
            "{}/{}",
            path(&company),
            made.body["id"].as_str().unwrap_or_default()
        );
        let tested = company
            .owner
            .post(&server, &format!("{own}/test"), &json!({}))
            .await;
        assert_eq!(tested.body["ok"], false, "{issuer}: {tested:?}");
        let begun = Browser::default()
            .get(&server, &format!("/api/auth/oidc/{slug}"))
            .await;
        assert_eq!(begun.problem(), (503, "SERVICE_UNAVAILABLE"), "{issuer}");
    }
    let body = json!({"slug": "saml", "name": "y", "saml": {"metadataUrl": "http://169.254.169.254/latest"}});
    let refused = company.owner.post(&server, &path(&company), &body).await;
    assert_eq!(
        (refused.status.as_u16(), refused.pointers()),
        (400, vec!["/saml"]),
        "{refused:?}"
    );
}

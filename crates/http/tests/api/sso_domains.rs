//! Domains of workspaces: claimed, verified, and made to sign in by their provider.

use reqwest::Method;
use serde_json::{Value, json};
use tigertrust_accounts::NewUser;
use tigertrust_credentials::Password;
use tigertrust_model::{Role, UserId};
use tigertrust_testkit::{PASSWORD, TestServer, on_both_engines};

use crate::{
    factors::enrol,
    people::Browser,
    sso::{Company, me, sign_in},
};

on_both_engines!(
    nothing_goes_by_a_claim,
    what_is_no_domain_is_refused,
    discovery_is_by_verified_domain_alone,
    a_domain_that_has_to_sign_in_by_its_provider_takes_no_password,
    whoever_is_exempt_can_come_in_when_the_provider_is_down,
    an_invitation_makes_no_way_around_the_provider,
    domains_are_the_owners_business,
);

async fn person(server: &TestServer, email: &str) -> UserId {
    let new = NewUser {
        email: email.parse().unwrap(),
        name: None,
        password: Password::presented(PASSWORD),
    };
    server.users.create(new).await.unwrap().id
}

async fn nothing_goes_by_a_claim(server: TestServer) {
    let mut company = Company::new(&server, "acme", json!({})).await;
    let path = format!("/api/workspaces/{}/domains", company.workspace.id);
    let claimed = company
        .owner
        .post(&server, &path, &json!({"domain": "Acme.Example"}))
        .await;
    assert_eq!(claimed.status, 201, "{claimed:?}");
    assert_eq!(claimed.body["domain"], "acme.example");
    assert_eq!(claimed.body["recordName"], "_tigertrust-challenge.acme.example");
    let again = company
        .owner
        .post(&server, &path, &json!({"domain": "acme.example"}))
        .await;
    assert_eq!(again.body["recordValue"], claimed.body["recordValue"]);
    let own = format!("{path}/acme.example");
    for changes in [
        json!({"connectionId": company.connection}),
        json!({"joinRole": "member"}),
    ] {
        let refused = company.owner.patch(&server, &own, &changes).await;
        assert_eq!(refused.problem(), (409, "CONFLICT"), "{changes}");
    }
    server.records.publish(
        "_tigertrust-challenge.acme.example",
        "tigertrust-verification=another",
    );
    let refused = company
        .owner
        .post(&server, &format!("{own}/verify"), &json!({}))
        .await;
    assert_eq!(refused.problem(), (409, "CONFLICT"));
    server.records.publish(
        "_tigertrust-challenge.acme.example",
        claimed.body["recordValue"].as_str().unwrap(),
    );
    let verified = company
        .owner
        .post(&server, &format!("{own}/verify"), &json!({}))
        .await;
    assert_eq!(
        (verified.status.as_u16(), &verified.body["verified"]),
        (200, &json!(true))
    );
    let listed = company.owner.get(&server, &path).await;
    assert_eq!(listed.body["items"].as_array().unwrap().len(), 1);
    assert_eq!(company.owner.delete(&server, &own).await.status, 204);
    assert_eq!(company.owner.delete(&server, &own).await.status, 404);
}

async fn what_is_no_domain_is_refused(server: TestServer) {
    let mut company = Company::new(&server, "acme", json!({})).await;
    let path = format!("/api/workspaces/{}/domains", company.workspace.id);
    for domain in [
        "",
        "com",
        "a b.example",
        "127.0.0.1",
        "https://acme.example",
        "*.acme.example",
    ] {
        let refused = company
            .owner
            .post(&server, &path, &json!({"domain": domain}))
            .await;
        assert_eq!(
            (refused.problem(), refused.pointers()),
            ((400, "VALIDATION_ERROR"), vec!["/domain"])
        );
    }
    for domain in ["unknown.example", "x", "%2e%2e"] {
        let missing = company
            .owner
            .post(&server, &format!("{path}/{domain}/verify"), &json!({}))
            .await;
        assert_eq!(missing.problem(), (404, "NOT_FOUND"), "{domain}");
    }
}

async fn discover(server: &TestServer, email: &str) -> Value {
    let body = json!({"email": email});
    let answer = Browser::default().post(server, "/api/auth/discover", &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

async fn discovery_is_by_verified_domain_alone(server: TestServer) {
    let company = Company::new(&server, "acme", json!({})).await;
    let mut company = company.verified(&server, "acme.example").await;
    let password = json!({"methods": ["password"]});
    assert_eq!(discover(&server, "ada@acme.example").await, password);
    let path = format!("/api/workspaces/{}/domains/acme.example", company.workspace.id);
    let set = company
        .owner
        .patch(&server, &path, &json!({"connectionId": company.connection}))
        .await;
    assert_eq!(set.status, 200, "{set:?}");
    let url = format!("{}{}", server.base_url(), company.path());
    let both = json!({"methods": ["password", "sso"], "ssoUrl": url});
    // Whether there is such an account has no part in it.
    for email in ["ada@acme.example", "nobody@ACME.example"] {
        assert_eq!(discover(&server, email).await, both, "{email}");
    }
    for email in ["ada@sub.acme.example", "ada@other.example", "acme.example", ""] {
        assert_eq!(discover(&server, email).await, password, "{email}");
    }
    let connection = format!(
        "/api/workspaces/{}/sso-connections/{}",
        company.workspace.id, company.connection
    );
    let off = company
        .owner
        .patch(&server, &connection, &json!({"enabled": false}))
        .await;
    assert_eq!(off.status, 200, "{off:?}");
    assert_eq!(discover(&server, "ada@acme.example").await, password);
}

/// A company whose domain has to sign in by its provider, and the owner who does not have to.
async fn enforced(server: &TestServer) -> (Company, UserId) {
    let company = Company::new(server, "acme", json!({})).await;
    let mut company = company.verified(server, "acme.example").await;
    let exempt = person(server, "boss@acme.example").await;
    server
        .set_role(&company.workspace, exempt, Some(Role::Owner))
        .await;
    let path = format!("/api/workspaces/{}/domains/acme.example", company.workspace.id);
    let all =
        json!({"connectionId": company.connection, "enforced": true, "breakGlassUserId": exempt.to_string()});
    for lacking in [
        json!({"connectionId": company.connection, "enforced": true}),
        json!({"enforced": true, "breakGlassUserId": exempt.to_string()}),
        // No second factor.
        all.clone(),
    ] {
        let refused = company.owner.patch(server, &path, &lacking).await;
        assert_eq!(refused.problem(), (400, "VALIDATION_ERROR"), "{lacking}");
    }
    let mut browser = Browser::signed_in(server, exempt).await;
    enrol(server, &mut browser).await;
    let set = company.owner.patch(server, &path, &all).await;
    assert_eq!(
        (set.status.as_u16(), &set.body["enforced"]),
        (200, &json!(true)),
        "{set:?}"
    );
    assert_eq!(browser.me(server).await, 200, "who is exempt stays signed in");
    (company, exempt)
}

async fn a_domain_that_has_to_sign_in_by_its_provider_takes_no_password(server: TestServer) {
    let ada = person(&server, "ada@acme.example").await;
    let mut before = Browser::signed_in(&server, ada).await;
    let (mut company, _) = enforced(&server).await;
    assert_eq!(
        before.me(&server).await,
        401,
        "sessions that were begun otherwise have ended"
    );
    let refused = Browser::default()
        .login(&server, "Ada@Acme.example", PASSWORD)
        .await;
    let wrong = Browser::default()
        .login(&server, "ada@acme.example", "wrong password here")
        .await;
    assert_eq!(refused.problem(), (401, "UNAUTHORIZED"));
    assert_eq!(refused.body["detail"], wrong.body["detail"]);
    assert_eq!(
        discover(&server, "ada@acme.example").await["methods"],
        json!(["sso"])
    );
    let mut browser = Browser::default();
    assert_eq!(
        sign_in(&server, &mut browser, &company.path(), "ada")
            .await
            .status,
        200
    );
    assert_eq!(
        me(&server, &mut browser).await.body["user"]["id"],
        ada.to_string()
    );
    // Others are not concerned.
    let jo = server.member(&company.workspace, Role::Member).await;
    Browser::signed_in(&server, jo).await;
    // The connection cannot be taken away from under them.
    let connection = format!(
        "/api/workspaces/{}/sso-connections/{}",
        company.workspace.id, company.connection
    );
    let off = company
        .owner
        .patch(&server, &connection, &json!({"enabled": false}))
        .await;
    assert_eq!(off.problem(), (409, "CONFLICT"));
    assert_eq!(
        company.owner.delete(&server, &connection).await.problem(),
        (409, "CONFLICT")
    );
    let path = format!("/api/workspaces/{}/domains/acme.example", company.workspace.id);
    let lifted = company
        .owner
        .patch(&server, &path, &json!({"enforced": false}))
        .await;
    assert_eq!(lifted.status, 200, "{lifted:?}");
    Browser::signed_in(&server, ada).await;
}

async fn whoever_is_exempt_can_come_in_when_the_provider_is_down(server: TestServer) {
    let (company, exempt) = enforced(&server).await;
    let (workspace, path) = (company.workspace.clone(), company.path());
    drop(company.provider);
    let begun = Browser::default().get(&server, &path).await;
    assert!([302, 503].contains(&begun.status.as_u16()), "{begun:?}");
    let email = server.email(exempt).await;
    let step = Browser::default().login(&server, &email, PASSWORD).await;
    assert_eq!(step.body["requires2FA"], true, "{step:?}");
    // Who is an owner no more is exempt no more.
    server.set_role(&workspace, exempt, Some(Role::Member)).await;
    let refused = Browser::default().login(&server, &email, PASSWORD).await;
    assert_eq!(refused.problem(), (401, "UNAUTHORIZED"));
}

async fn an_invitation_makes_no_way_around_the_provider(server: TestServer) {
    let (_company, _) = enforced(&server).await;
    let other = server.workspace("Other").await;
    let new = tigertrust_accounts::NewInvitation {
        email: "new@acme.example".parse().unwrap(),
        role: Role::Member,
    };
    let issued = server
        .invitations
        .invite(&tigertrust_accounts::Actor::operator(), other.id, new)
        .await
        .unwrap();
    let body = json!({"token": issued.token.reveal(), "password": "correct horse battery staple"});
    let refused = Browser::default()
        .post(&server, "/api/invitations/accept", &body)
        .await;
    assert_eq!(refused.problem(), (401, "UNAUTHORIZED"), "{refused:?}");
    let found = server
        .storage
        .accounts()
        .find_user_by_email("new@acme.example")
        .await
        .unwrap();
    assert!(found.is_none());
}

async fn domains_are_the_owners_business(server: TestServer) {
    let mut company = Company::new(&server, "acme", json!({})).await;
    let path = format!("/api/workspaces/{}/domains", company.workspace.id);
    let admin = server.member(&company.workspace, Role::Admin).await;
    let mut admin = Browser::signed_in(&server, admin).await;
    let refused = admin
        .post(&server, &path, &json!({"domain": "acme.example"}))
        .await;
    assert_eq!(refused.problem(), (403, "FORBIDDEN"), "{refused:?}");
    let stranger = server.workspace("Other").await;
    let stranger = server.member(&stranger, Role::Owner).await;
    let mut stranger = Browser::signed_in(&server, stranger).await;
    assert_eq!(stranger.get(&server, &path).await.status, 404);
    // A key with the scope may, but none that an admin makes has it.
    let key = server
        .key(
            &company.workspace,
            tigertrust_model::KeyType::Agent,
            &["sso:write"],
        )
        .await;
    let request = server
        .request(Method::POST, &path)
        .header("X-Agent-API-Key", key.secret.reveal())
        .json(&json!({"domain": "acme.example"}));
    assert_eq!(tigertrust_testkit::send(request).await.status, 201);
    let body = json!({"name": "x", "type": "agent", "scopes": ["sso:write"]});
    assert_eq!(
        admin.post(&server, "/api/keys", &body).await.problem(),
        (403, "FORBIDDEN")
    );
    server.clock.advance(std::time::Duration::from_secs(11 * 60));
    let stale = company
        .owner
        .post(&server, &path, &json!({"domain": "acme.example"}))
        .await;
    assert_eq!(stale.problem(), (403, "STEP_UP_REQUIRED"));
    let verify = format!("{path}/acme.example/verify");
    let stale = company.owner.post(&server, &verify, &json!({})).await;
    assert_eq!(stale.problem(), (403, "STEP_UP_REQUIRED"));
}

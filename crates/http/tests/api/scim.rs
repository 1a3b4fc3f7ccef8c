//! People as identity providers write them: SCIM 2.0.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tigertrust_model::Role;
use tigertrust_testkit::{Answer, TestServer, on_both_engines, send};

use crate::{
    people::Browser,
    sso::{Company, me, sign_in},
};

on_both_engines!(
    a_provider_writes_reads_and_finds_people,
    deactivation_ends_sessions_and_personal_keys_at_once,
    a_provider_writes_people_of_verified_domains_alone,
    nobody_writes_people_without_the_token_of_the_connection,
    what_makes_no_sense_is_refused_in_the_way_of_scim,
    the_last_owner_stays,
    it_says_what_it_can_do,
);

const SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

struct Directory {
    company: Company,
    token: String,
}

impl Directory {
    async fn new(server: &TestServer, slug: &str, domain: &str) -> Self {
        let company = Company::new(server, slug, json!({})).await;
        let mut company = company.verified(server, domain).await;
        let path = format!(
            "/api/workspaces/{}/sso-connections/{}/scim-token",
            company.workspace.id, company.connection
        );
        let made = company.owner.post(server, &path, &json!({})).await;
        assert_eq!(made.status, 201, "{made:?}");
        assert_eq!(made.body["baseUrl"], format!("{}/api/scim/v2", server.base_url()));
        let token = made.body["token"].as_str().unwrap().to_owned();
        assert!(!server.dump().await.contains(&token));
        Self { company, token }
    }

    fn request(&self, server: &TestServer, method: Method, path: &str) -> RequestBuilder {
        server
            .request(method, &format!("/api/scim/v2{path}"))
            .bearer_auth(&self.token)
    }

    async fn send(&self, server: &TestServer, method: Method, path: &str, body: &Value) -> Answer {
        let request = self.request(server, method, path);
        send(
            request
                .header("Content-Type", "application/scim+json")
                .body(body.to_string()),
        )
        .await
    }

    async fn create(&self, server: &TestServer, user_name: &str) -> Answer {
        let body = json!({
            "schemas": [SCHEMA], "userName": user_name, "externalId": format!("ext {user_name}"),
            "name": {"givenName": "Ada", "familyName": "L"}, "emails": [{"value": user_name, "primary": true}],
            "active": true, "title": "not kept here",
        });
        self.send(server, Method::POST, "/Users", &body).await
    }

    async fn set_active(&self, server: &TestServer, id: &str, active: bool) -> Answer {
        let body =
            json!({"schemas": [PATCH], "Operations": [{"op": "replace", "path": "active", "value": active}]});
        self.send(server, Method::PATCH, &format!("/Users/{id}"), &body)
            .await
    }
}

async fn a_provider_writes_reads_and_finds_people(server: TestServer) {
    let directory = Directory::new(&server, "acme", "acme.example").await;
    let made = directory.create(&server, "Ada@acme.example").await;
    assert_eq!(made.status, 201, "{made:?}");
    assert!(made.header("content-type").starts_with("application/scim+json"));
    let id = made.body["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("usr_"));
    assert_eq!(
        made.header("location"),
        format!("{}/api/scim/v2/Users/{id}", server.base_url())
    );
    assert_eq!(
        (&made.body["displayName"], &made.body["active"]),
        (&json!("Ada L"), &json!(true))
    );
    directory.create(&server, "bob@acme.example").await;

    let find = async |query: &str| {
        let path = format!("/Users?{query}");
        send(directory.request(&server, Method::GET, &path)).await
    };
    let found = find("filter=userName%20eq%20%22ada@ACME.example%22").await;
    assert_eq!(
        (&found.body["totalResults"], &found.body["Resources"][0]["id"]),
        (&json!(1), &json!(id))
    );
    assert_eq!(
        find("filter=externalId%20eq%20%22nobody%22").await.body["totalResults"],
        0
    );
    let part = find("startIndex=2&count=1").await;
    assert_eq!(
        (
            &part.body["totalResults"],
            &part.body["itemsPerPage"],
            &part.body["startIndex"]
        ),
        (&json!(2), &json!(1), &json!(2))
    );
    let again = directory.create(&server, "ada@acme.example").await;
    assert_eq!(
        (again.status.as_u16(), &again.body["scimType"]),
        (409, &json!("uniqueness"))
    );

    let whole = json!({"schemas": [SCHEMA], "userName": "ada@acme.example", "displayName": "Ada Lovelace"});
    let replaced = directory
        .send(&server, Method::PUT, &format!("/Users/{id}"), &whole)
        .await;
    assert_eq!(replaced.body["displayName"], "Ada Lovelace", "{replaced:?}");
    assert_eq!(replaced.body["externalId"], Value::Null);
    // She signs in by the provider, and is whom it has written.
    let mut browser = Browser::default();
    assert_eq!(
        sign_in(&server, &mut browser, &directory.company.path(), "ada")
            .await
            .status,
        200
    );
    let me = me(&server, &mut browser).await;
    assert_eq!(
        (&me.body["user"]["id"], &me.body["role"]),
        (&json!(id), &json!("member"))
    );

    let gone = directory
        .send(&server, Method::DELETE, &format!("/Users/{id}"), &Value::Null)
        .await;
    assert_eq!(gone.status, 204);
    assert_eq!(browser.me(&server).await, 401);
    let missing = send(directory.request(&server, Method::GET, &format!("/Users/{id}"))).await;
    assert_eq!(
        (missing.status.as_u16(), &missing.body["status"]),
        (404, &json!("404"))
    );
}

async fn deactivation_ends_sessions_and_personal_keys_at_once(server: TestServer) {
    let directory = Directory::new(&server, "acme", "acme.example").await;
    let made = directory.create(&server, "ada@acme.example").await;
    let id = made.body["id"].as_str().unwrap();
    let user = id.parse().unwrap();
    let mut browser = Browser::default();
    sign_in(&server, &mut browser, &directory.company.path(), "ada").await;
    let key = server
        .personal(&directory.company.workspace, user, &["certificates:read"])
        .await;
    let check = async || {
        let request = server
            .request(Method::GET, "/api/auth/check")
            .header("X-Agent-API-Key", key.secret.reveal());
        send(request).await.status.as_u16()
    };
    assert_eq!(check().await, 200);
    let second = server.second().await;
    let off = directory.set_active(&server, id, false).await;
    assert_eq!(
        (off.status.as_u16(), &off.body["active"]),
        (200, &json!(false)),
        "{off:?}"
    );
    assert_eq!((browser.me(&server).await, check().await), (401, 401));
    assert_eq!(browser.clone().me(&second).await, 401);
    let page = sign_in(&server, &mut browser, &directory.company.path(), "ada").await;
    assert!(
        page.status == 403 && page.text.contains("may not sign in"),
        "{page:?}"
    );
    let on = directory.set_active(&server, id, true).await;
    assert_eq!(on.status, 200, "{on:?}");
    assert_eq!(
        sign_in(&server, &mut browser, &directory.company.path(), "ada")
            .await
            .status,
        200
    );
    assert_eq!(check().await, 401, "a revoked key stays so");
}

async fn a_provider_writes_people_of_verified_domains_alone(server: TestServer) {
    let directory = Directory::new(&server, "acme", "acme.example").await;
    let foreign = directory.create(&server, "jo@other.example").await;
    assert_eq!(
        (foreign.status.as_u16(), &foreign.body["scimType"]),
        (400, &json!("invalidValue"))
    );
    let found = server
        .storage
        .accounts()
        .find_user_by_email("jo@other.example")
        .await
        .unwrap();
    assert!(found.is_none());
    // Whom another connection has written is nobody here.
    let other = Directory::new(&server, "other", "other.example").await;
    let jo = other.create(&server, "jo@other.example").await;
    let id = jo.body["id"].as_str().unwrap();
    for method in [Method::GET, Method::DELETE] {
        let missing = directory
            .send(&server, method, &format!("/Users/{id}"), &Value::Null)
            .await;
        assert_eq!(missing.status, 404);
    }
    assert_eq!(directory.set_active(&server, id, false).await.status, 404);
    let renamed = json!({"schemas": [PATCH], "Operations": [{"op": "replace", "value": {"userName": "boss@other.example"}}]});
    let refused = other
        .send(&server, Method::PATCH, &format!("/Users/{id}"), &renamed)
        .await;
    assert_eq!(refused.status, 400, "{refused:?}");
}

async fn nobody_writes_people_without_the_token_of_the_connection(server: TestServer) {
    let mut directory = Directory::new(&server, "acme", "acme.example").await;
    let key = server.admin(&directory.company.workspace).await;
    let path = "/api/scim/v2/Users";
    let bare = send(server.request(Method::GET, path)).await;
    assert_eq!(
        (bare.status.as_u16(), bare.header("www-authenticate").is_empty()),
        (401, false)
    );
    for token in [
        key.secret.reveal().to_owned(),
        format!("{}x", directory.token),
        String::new(),
    ] {
        let refused = send(server.request(Method::GET, path).bearer_auth(&token)).await;
        assert_eq!(refused.status, 401, "{token}");
        assert_eq!(
            refused.body["schemas"],
            json!(["urn:ietf:params:scim:api:messages:2.0:Error"])
        );
    }
    let twice = server
        .request(Method::GET, path)
        .header("Authorization", format!("Bearer {}", directory.token))
        .header("Authorization", format!("Bearer {}", directory.token));
    assert_eq!(send(twice).await.status, 401);
    // The token opens nothing else.
    let elsewhere = server
        .request(Method::GET, "/api/keys")
        .bearer_auth(&directory.token);
    assert_eq!(send(elsewhere).await.status, 401);
    let own = format!(
        "/api/workspaces/{}/sso-connections/{}/scim-token",
        directory.company.workspace.id, directory.company.connection
    );
    assert_eq!(directory.company.owner.delete(&server, &own).await.status, 204);
    let dead = send(directory.request(&server, Method::GET, "/Users")).await;
    assert_eq!(dead.status, 401);
}

async fn what_makes_no_sense_is_refused_in_the_way_of_scim(server: TestServer) {
    let directory = Directory::new(&server, "acme", "acme.example").await;
    for (body, pointer) in [
        (json!({"schemas": [SCHEMA]}), "userName"),
        (json!({"schemas": [SCHEMA], "userName": "ada"}), "userName"),
        (
            json!({"schemas": [SCHEMA], "userName": "a@acme.example", "displayName": "a\u{202e}b"}),
            "displayName",
        ),
    ] {
        let refused = directory.send(&server, Method::POST, "/Users", &body).await;
        assert_eq!(refused.status, 400, "{body}: {refused:?}");
        assert!(
            refused.body["detail"].as_str().unwrap().contains(pointer),
            "{refused:?}"
        );
    }
    let filter = send(directory.request(&server, Method::GET, "/Users?filter=title%20eq%20%22x%22")).await;
    assert_eq!(
        (filter.status.as_u16(), &filter.body["scimType"]),
        (400, &json!("invalidFilter"))
    );
    let unknown = directory.set_active(&server, "usr_unknown", false).await;
    assert_eq!(unknown.status, 404);
}

async fn the_last_owner_stays(server: TestServer) {
    let directory = Directory::new(&server, "acme", "acme.example").await;
    let made = directory.create(&server, "ada@acme.example").await;
    let id = made.body["id"].as_str().unwrap();
    let (workspace, owner) = (
        &directory.company.workspace,
        me(&server, &mut directory.company.owner.clone()).await,
    );
    server
        .set_role(workspace, id.parse().unwrap(), Some(Role::Owner))
        .await;
    for other in [
        owner.body["user"]["id"].as_str().unwrap().parse().unwrap(),
        server.owner,
    ] {
        server.set_role(workspace, other, None).await;
    }
    let refused = directory.set_active(&server, id, false).await;
    assert_eq!(refused.status, 409, "{refused:?}");
    let read = send(directory.request(&server, Method::GET, &format!("/Users/{id}"))).await;
    assert_eq!(read.body["active"], true);
}

async fn it_says_what_it_can_do(server: TestServer) {
    for (path, pointer, value) in [
        ("/ServiceProviderConfig", "/patch/supported", json!(true)),
        ("/ResourceTypes", "/Resources/0/endpoint", json!("/Users")),
        ("/Schemas", "/Resources/0/id", json!(SCHEMA)),
    ] {
        let answer = send(server.request(Method::GET, &format!("/api/scim/v2{path}"))).await;
        assert_eq!(answer.body.pointer(pointer), Some(&value), "{answer:?}");
    }
}

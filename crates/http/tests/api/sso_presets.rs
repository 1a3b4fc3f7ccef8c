//! The providers of the whole server: Google, Azure AD, Okta and another one, under the addresses that are documented.

use serde_json::{Value, json};
use tigertrust_accounts::sso::{
    ClientSecret, ConfiguredConnection, Connection, OidcPreset, OidcSettings, ProviderSettings, ServerScope,
    SsoPolicy,
};
use tigertrust_model::{ConnectionRef, Creator, Role, Timestamp};
use tigertrust_testkit::{Engine, TestServer, ThrowawayProvider};

use crate::{
    people::Browser,
    sso::{Page, me, sign_in, verify},
};

/// What a connection of the whole server is, where a test says nothing else.
fn connection(preset: OidcPreset, slug: &str, issuer: String) -> Connection {
    Connection {
        id: ConnectionRef::Configured(slug.to_owned()),
        workspace: None,
        slug: slug.to_owned(),
        name: slug.to_owned(),
        enabled: true,
        provider: ProviderSettings::Oidc(OidcSettings {
            preset,
            issuer,
            client_id: "tigertrust".to_owned(),
            client_secret: Some(ClientSecret::new("secret")),
            scopes: vec!["email".to_owned(), "profile".to_owned()],
            allowed_domains: Vec::new(),
            tenants: Vec::new(),
            groups_claim: None,
        }),
        policy: SsoPolicy {
            default_role: Some(Role::Member),
            ..SsoPolicy::default()
        },
        server: ServerScope {
            domains: vec!["acme.example".to_owned()],
            ..ServerScope::default()
        },
        has_scim: false,
        created_by: Creator::Operator,
        created_at: Timestamp::from_unix_micros(0),
        updated_at: Timestamp::from_unix_micros(0),
    }
}

fn accounts() -> Value {
    json!({
        "ada": {"sub": "1", "email": "ada@acme.example", "email_verified": true, "name": "Ada", "hd": "acme.example",
            "tid": "acme", "oid": "of ada", "preferred_username": "ada@acme.example"},
        "eve": {"sub": "3", "email": "eve@evil.example", "email_verified": true, "name": "Eve", "hd": "evil.example",
            "tid": "evil", "oid": "of ada", "preferred_username": "ada@acme.example"},
    })
}

async fn start(engine: Engine, change: impl Fn(&mut Connection)) -> (TestServer, ThrowawayProvider) {
    start_at("127.0.0.1", engine, accounts(), change).await
}

/// A server with all of them at one provider, which plays each.
pub(crate) async fn start_at(
    host: &str,
    engine: Engine,
    accounts: Value,
    change: impl Fn(&mut Connection),
) -> (TestServer, ThrowawayProvider) {
    let mut started = None;
    let server = TestServer::with_providers(engine, |base_url| {
        let uris: Vec<String> = ["google", "azure", "okta", "oidc/other", "oidc/common"]
            .iter()
            .map(|name| format!("{base_url}/api/auth/{name}/callback"))
            .collect();
        let provider = ThrowawayProvider::start(&json!({
            "host": host,
            "issuers": [{}, {"path": "/acme/v2.0"}, {"path": "/common/v2.0", "tenants": true}],
            "accounts": accounts,
            "clients": [{"client_id": "tigertrust", "client_secret": "secret", "redirect_uris": uris}],
        }));
        let origin = provider.origin().to_owned();
        let mut connections = [
            connection(OidcPreset::Google, "google", origin.clone()),
            connection(OidcPreset::Azure, "azure", format!("{origin}/acme/v2.0")),
            connection(OidcPreset::Okta, "okta", origin.clone()),
            connection(OidcPreset::Custom, "other", origin.clone()),
            connection(OidcPreset::Azure, "common", format!("{origin}/common/v2.0")),
        ];
        if let ProviderSettings::Oidc(common) = &mut connections[4].provider {
            common.tenants = vec!["acme".to_owned()];
        }
        started = Some(provider);
        connections
            .into_iter()
            .map(|mut connection| {
                change(&mut connection);
                ConfiguredConnection {
                    connection,
                    signing_key: None,
                }
            })
            .collect()
    })
    .await;
    (server, started.unwrap())
}

macro_rules! on_each_engine {
    ($($test:ident),+ $(,)?) => {
        mod postgres { $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)] async fn $test() { super::$test(super::Engine::Postgres).await; })+ }
        mod sqlite { $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)] async fn $test() { super::$test(super::Engine::Sqlite).await; })+ }
    };
}

on_each_engine!(
    each_provider_signs_people_in_under_its_documented_address,
    s_identities_of_different_providers_are_different_people_s_business,
    nobody_gets_an_account_whom_nobody_welcomes,
    a_domain_s_workspace_welcomes_its_people_by_the_server_s_providers,
    whom_the_operator_lets_sign_up_gets_an_account_and_no_workspace,
);

const WAYS: [&str; 5] = [
    "/api/auth/google",
    "/api/auth/azure",
    "/api/auth/okta",
    "/api/auth/oidc/other",
    "/api/auth/oidc/common",
];

async fn each_provider_signs_people_in_under_its_documented_address(engine: Engine) {
    let (server, _provider) = start(engine, |_| {}).await;
    let mut browser = Browser::default();
    let offered = browser.get(&server, "/api/auth/providers").await;
    let urls: Vec<&str> = offered.body["providers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|provider| provider["url"].as_str().unwrap())
        .collect();
    assert_eq!(urls, WAYS);
    for way in WAYS {
        let mut browser = Browser::default();
        let page = sign_in(&server, &mut browser, way, "ada").await;
        // Azure says nothing of whether the address is hers: the account that Google's sign-in has made is not taken by it.
        let is_azure = way.ends_with("azure") || way.ends_with("common");
        assert_eq!(page.status, if is_azure { 403 } else { 200 }, "{way}: {page:?}");
        if !is_azure {
            let me = me(&server, &mut browser).await;
            assert_eq!(me.body["user"]["email"], "ada@acme.example", "{way}");
        }
        // Of a tenant or a domain that is not let in, or of nobody who is known.
        let page = sign_in(&server, &mut Browser::default(), way, "eve").await;
        assert!([401, 403].contains(&page.status), "{way}: {page:?}");
    }
}

/// CVE-2026-47164 is of this kind: who has an identity somewhere else must not become who has the same subject here.
async fn s_identities_of_different_providers_are_different_people_s_business(engine: Engine) {
    let (server, _provider) = start(engine, |connection| {
        connection.server.signs_up = true;
        connection.server.domains = Vec::new();
    })
    .await;
    let mut ada = Browser::default();
    assert_eq!(
        sign_in(&server, &mut ada, "/api/auth/google", "ada").await.status,
        200
    );
    // The same subject at another provider: not connected, and the address alone does not do.
    for way in ["/api/auth/okta", "/api/auth/oidc/other", "/api/auth/azure"] {
        let page = sign_in(&server, &mut Browser::default(), way, "ada").await;
        assert!(
            page.status == 403 && page.text.contains("No account is connected"),
            "{way}: {page:?}"
        );
    }
}

async fn nobody_gets_an_account_whom_nobody_welcomes(engine: Engine) {
    let (server, _provider) = start(engine, |connection| connection.server.domains = Vec::new()).await;
    for way in ["/api/auth/google", "/api/auth/okta"] {
        let page: Page = sign_in(&server, &mut Browser::default(), way, "ada").await;
        assert_eq!(page.status, 403, "{way}: {page:?}");
    }
    let found = server
        .storage
        .accounts()
        .find_user_by_email("ada@acme.example")
        .await
        .unwrap();
    assert!(found.is_none());
}

async fn a_domain_s_workspace_welcomes_its_people_by_the_server_s_providers(engine: Engine) {
    let (server, _provider) = start(engine, |connection| connection.server.domains = Vec::new()).await;
    let home = server.workspace("Acme").await;
    let owner = server.member(&home, Role::Owner).await;
    let mut owner = Browser::signed_in(&server, owner).await;
    verify(&server, &mut owner, &home, "acme.example").await;
    let page = sign_in(&server, &mut Browser::default(), "/api/auth/google", "ada").await;
    assert_eq!(
        page.status, 403,
        "that a domain is verified welcomes nobody: {page:?}"
    );
    let path = format!("/api/workspaces/{}/domains/acme.example", home.id);
    let welcomed = owner.patch(&server, &path, &json!({"joinRole": "viewer"})).await;
    assert_eq!(welcomed.status, 200, "{welcomed:?}");
    let mut ada = Browser::default();
    assert_eq!(
        sign_in(&server, &mut ada, "/api/auth/google", "ada").await.status,
        200
    );
    let me = me(&server, &mut ada).await;
    assert_eq!(
        (&me.body["workspace"]["id"], &me.body["role"]),
        (&json!(home.id.to_string()), &json!("viewer"))
    );
}

async fn whom_the_operator_lets_sign_up_gets_an_account_and_no_workspace(engine: Engine) {
    let (server, _provider) = start(engine, |connection| connection.server.signs_up = true).await;
    let mut ada = Browser::default();
    assert_eq!(
        sign_in(&server, &mut ada, "/api/auth/okta", "ada").await.status,
        200
    );
    let me = me(&server, &mut ada).await;
    assert_eq!((me.status.as_u16(), &me.body["workspace"]), (200, &Value::Null));
}

//! `security.md` 25: every operation refuses whom it must, from the needs that it states.

use reqwest::Method;
use serde_json::json;
use tigertrust_accounts::ReachRequest;
use tigertrust_credentials::{Need, WorkspaceNeed};
use tigertrust_http::{Access, Operation, operations};
use tigertrust_model::{KeyType, Role, ScopeCatalog, Workspace};
use tigertrust_testkit::{Answer, TestServer, on_both_engines, send};

on_both_engines!(
    s25_every_operation_refuses_anonymous_callers,
    s25_every_operation_refuses_keys_of_the_wrong_type,
    s25_every_operation_refuses_keys_without_the_scope,
    s25_every_operation_refuses_another_workspace,
    s25_every_operation_in_a_workspace_hides_those_that_are_not_the_caller_s,
    s25_every_operation_refuses_revoked_expired_and_deactivated_keys,
    s25_every_operation_admits_a_key_that_fulfils_its_need,
);

/// The operations that anybody may call. Whatever is not on this list must refuse.
const ANONYMOUS: [(&str, &str); 39] = [
    ("GET", "/.well-known/jwks.json"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/openapi.json"),
    // These ask for a proof of their own.
    ("POST", "/api/auth/login"),
    ("POST", "/api/auth/verify-2fa"),
    ("POST", "/api/auth/discover"),
    ("POST", "/api/auth/password/forgot"),
    ("POST", "/api/auth/password/reset"),
    ("POST", "/api/auth/email/verify"),
    ("POST", "/api/auth/passkeys/login/start"),
    ("POST", "/api/auth/passkeys/login/finish"),
    // Possession of the key in the body is the proof.
    ("POST", "/api/keys/report-leak"),
    // What the provider says is the proof.
    ("GET", "/api/auth/providers"),
    ("GET", "/api/auth/google"),
    ("GET", "/api/auth/google/callback"),
    ("POST", "/api/auth/google/backchannel-logout"),
    ("GET", "/api/auth/azure"),
    ("GET", "/api/auth/azure/callback"),
    ("POST", "/api/auth/azure/backchannel-logout"),
    ("GET", "/api/auth/okta"),
    ("GET", "/api/auth/okta/callback"),
    ("POST", "/api/auth/okta/backchannel-logout"),
    ("GET", "/api/auth/oidc/{slug}"),
    ("GET", "/api/auth/oidc/{slug}/callback"),
    ("POST", "/api/auth/oidc/{slug}/backchannel-logout"),
    ("GET", "/api/auth/saml/{slug}"),
    ("POST", "/api/auth/saml/{slug}/acs"),
    ("GET", "/api/auth/saml/{slug}/metadata"),
    // These ask for the token of a connection, but for what is public.
    ("GET", "/api/scim/v2/Users"),
    ("POST", "/api/scim/v2/Users"),
    ("GET", "/api/scim/v2/Users/{id}"),
    ("PUT", "/api/scim/v2/Users/{id}"),
    ("PATCH", "/api/scim/v2/Users/{id}"),
    ("DELETE", "/api/scim/v2/Users/{id}"),
    ("GET", "/api/scim/v2/ServiceProviderConfig"),
    ("GET", "/api/scim/v2/ResourceTypes"),
    ("GET", "/api/scim/v2/Schemas"),
    // Possession of the token in the body is the proof.
    ("POST", "/api/invitations/accept"),
];

/// What no key of a workspace can do that belongs to nobody, whatever its scopes.
const BEYOND_NOBODYS_KEYS: [(&str, &str); 1] = [("DELETE", "/api/workspaces/{id}")];

/// Each operation with a need, the method that it is called with, and a path that could be real in the workspace.
fn guarded(home: &Workspace) -> Vec<(Operation, Method, Need, String)> {
    let all = operations();
    let anonymous: Vec<(String, &str)> = all
        .iter()
        .filter(|operation| matches!(operation.access, Access::Anonymous))
        .map(|operation| (operation.method.as_ref().unwrap().to_string(), operation.path))
        .collect();
    assert_eq!(
        anonymous,
        ANONYMOUS.map(|(method, path)| (method.to_owned(), path))
    );
    let guarded: Vec<_> = all
        .into_iter()
        .filter_map(|operation| {
            let need = match &operation.access {
                Access::Anonymous => return None,
                Access::Asked | Access::People | Access::PeopleAnywhere | Access::PeopleUncounted => {
                    Need::any_caller()
                }
                access => access.need().unwrap().clone(),
            };
            let method = operation
                .method
                .as_ref()
                .map_or(Method::POST, |method| method.as_str().parse().unwrap());
            let id = if operation.access.is_in_workspace() {
                home.id.to_string()
            } else {
                "key_00000000000000000000000000".to_owned()
            };
            let path = operation.path.replace("{id}", &id);
            let path = path.replace("{userId}", "usr_00000000000000000000000000");
            let path = path.replace("{invitationId}", "inv_00000000000000000000000000");
            let path = path.replace("{connectionId}", "con_00000000000000000000000000");
            let path = path.replace("{ruleId}", "tru_00000000000000000000000000");
            let path = path.replace("{webhookId}", "wh_00000000000000000000000000");
            let path = path.replace("{deliveryId}", "evt_00000000000000000000000000");
            let path = path.replace("{domain}", "unknown.example");
            Some((operation, method, need, path))
        })
        .collect();
    assert!(guarded.len() >= 8, "the table has lost its rows");
    guarded
}

async fn call(
    server: &TestServer,
    method: &Method,
    path: &str,
    key: Option<&str>,
    workspace: Option<&str>,
) -> Answer {
    let mut request = server.request(method.clone(), path);
    if *method != Method::GET {
        request = request.json(&json!({}));
    }
    if let Some(key) = key {
        request = request.header("X-Agent-API-Key", key);
    }
    if let Some(workspace) = workspace {
        request = request.header("X-Workspace-ID", workspace);
    }
    send(request).await
}

fn scopes(kind: KeyType, but: &Need) -> Vec<String> {
    let all = ScopeCatalog::default().all_for(kind);
    all.iter()
        .filter(|scope| but.scope.as_ref() != Some(scope))
        .map(ToString::to_string)
        .collect()
}

fn texts(scopes: &[String]) -> Vec<&str> {
    scopes.iter().map(String::as_str).collect()
}

async fn s25_every_operation_refuses_anonymous_callers(server: TestServer) {
    let home = server.workspace("Home").await;
    for (_, method, _, path) in guarded(&home) {
        let refused = call(&server, &method, &path, None, None).await;
        assert_eq!(refused.problem(), (401, "UNAUTHORIZED"), "{method} {path}");
    }
}

async fn s25_every_operation_refuses_keys_of_the_wrong_type(server: TestServer) {
    let home = server.workspace("Home").await;
    for (_, method, need, path) in guarded(&home) {
        for kind in KeyType::ALL
            .into_iter()
            .filter(|kind| !need.types.contains(*kind))
        {
            let key = server.key(&home, kind, &texts(&scopes(kind, &need))).await;
            let refused = call(&server, &method, &path, Some(key.secret.reveal()), None).await;
            assert_eq!(refused.problem(), (403, "FORBIDDEN"), "{method} {path} {kind}");
        }
    }
}

async fn s25_every_operation_refuses_keys_without_the_scope(server: TestServer) {
    let home = server.workspace("Home").await;
    for (_, method, need, path) in guarded(&home) {
        let Some(scope) = &need.scope else { continue };
        let key = server
            .key(&home, KeyType::Agent, &texts(&scopes(KeyType::Agent, &need)))
            .await;
        let refused = call(&server, &method, &path, Some(key.secret.reveal()), None).await;
        assert_eq!(refused.problem(), (403, "FORBIDDEN"), "{method} {path}");
        assert!(
            refused.body["detail"].as_str().unwrap().contains(scope.as_str()),
            "{method} {path}"
        );
    }
}

async fn s25_every_operation_refuses_another_workspace(server: TestServer) {
    let (home, foreign) = (server.workspace("Home").await, server.workspace("Foreign").await);
    let key = server.admin(&home).await;
    for (_, method, _, path) in guarded(&home) {
        for workspace in [
            foreign.id.to_string().as_str(),
            "ws_00000000000000000000000000",
            "nonsense",
        ] {
            let refused = call(
                &server,
                &method,
                &path,
                Some(key.secret.reveal()),
                Some(workspace),
            )
            .await;
            assert_eq!(
                refused.problem(),
                (403, "WORKSPACE_ACCESS_DENIED"),
                "{method} {path} {workspace}"
            );
        }
    }
}

async fn s25_every_operation_in_a_workspace_hides_those_that_are_not_the_caller_s(server: TestServer) {
    let (home, foreign) = (server.workspace("Home").await, server.workspace("Foreign").await);
    let own = server.admin(&home).await;
    let jo = server.member(&home, Role::Owner).await;
    let scopes: Vec<String> = scopes(KeyType::Agent, &Need::any_caller());
    let personal = server.personal(&home, jo, &texts(&scopes)).await;
    let instance = server
        .issue(KeyType::Agent, &texts(&scopes), ReachRequest::Instance)
        .await;
    let in_workspace = operations()
        .into_iter()
        .filter(|operation| operation.access.is_in_workspace());
    for operation in in_workspace {
        let method: Method = operation.method.as_ref().unwrap().as_str().parse().unwrap();
        for id in [
            foreign.id.to_string().as_str(),
            "ws_00000000000000000000000000",
            "nonsense",
        ] {
            let path = operation.path.replace("{id}", id);
            let path = path.replace("{userId}", &server.owner.to_string());
            let is_there = id == foreign.id.to_string();
            let callers = [Some(&own), Some(&personal), (!is_there).then_some(&instance)];
            for key in callers.into_iter().flatten() {
                let secret = Some(key.secret.reveal());
                let hidden = call(&server, &method, &path, secret, None).await;
                assert_eq!(hidden.problem(), (404, "NOT_FOUND"), "{method} {path}");
                // Nor does a header that names one of the caller's lead there.
                let named = home.id.to_string();
                let hidden = call(&server, &method, &path, secret, Some(&named)).await;
                assert!(
                    [400, 404].contains(&hidden.status.as_u16()),
                    "{method} {path}: {hidden:?}"
                );
            }
        }
    }
    assert_eq!(
        server.get("/api/workspaces", &instance).await.body["items"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

async fn s25_every_operation_refuses_revoked_expired_and_deactivated_keys(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let (revoked, expired, deactivated) = (
        server.admin(&home).await,
        server.admin(&home).await,
        server.admin(&home).await,
    );
    let path = |key: &tigertrust_accounts::IssuedKey| format!("/api/keys/{}", key.key.id);
    server
        .post(&format!("{}/revoke", path(&revoked)), &admin, &json!({}))
        .await;
    server
        .patch(
            &path(&expired),
            &admin,
            &json!({"expiresAt": "2027-01-15T08:00:01Z"}),
        )
        .await;
    server
        .patch(&path(&deactivated), &admin, &json!({"active": false}))
        .await;
    server.clock.advance(std::time::Duration::from_secs(1));
    for (_, method, _, path) in guarded(&home) {
        for (key, code) in [
            (&revoked, "KEY_REVOKED"),
            (&expired, "TOKEN_EXPIRED"),
            (&deactivated, "UNAUTHORIZED"),
        ] {
            let refused = call(&server, &method, &path, Some(key.secret.reveal()), None).await;
            assert_eq!(refused.problem(), (401, code), "{method} {path}");
        }
    }
}

async fn s25_every_operation_admits_a_key_that_fulfils_its_need(server: TestServer) {
    let home = server.workspace("Home").await;
    for (operation, method, need, path) in guarded(&home) {
        if matches!(
            operation.access,
            Access::People | Access::PeopleAnywhere | Access::PeopleUncounted
        ) {
            let key = server.admin(&home).await;
            let refused = call(&server, &method, &path, Some(key.secret.reveal()), None).await;
            assert_eq!(refused.problem(), (403, "FORBIDDEN"), "{method} {path}");
            continue;
        }
        for kind in need.types.iter() {
            let scope: Vec<&str> = need.scope.iter().map(|scope| scope.as_str()).collect();
            let key = server.key(&home, kind, &scope).await;
            let answer = call(&server, &method, &path, Some(key.secret.reveal()), None).await;
            let past_the_door = if BEYOND_NOBODYS_KEYS.contains(&(method.as_str(), operation.path)) {
                answer.status == 403 && answer.pointers() == [""]
            } else {
                [200, 201, 400, 404].contains(&answer.status.as_u16())
            };
            assert!(past_the_door, "{method} {path} {kind}: {answer:?}");
        }
        assert!(need.scope.is_some() || need.workspace != WorkspaceNeed::Required);
    }
}

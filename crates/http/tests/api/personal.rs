//! Personal keys: never more than their owner.

use reqwest::Method;
use serde_json::json;
use tigertrust_accounts::{Actor, IssuedKey, NewKey, OwnerRequest, ReachRequest};
use tigertrust_model::{Act, KeyType, Role, Workspace};
use tigertrust_testkit::{TestServer, on_both_engines, send};

use crate::people::Browser;

on_both_engines!(
    s22_a_personal_key_shrinks_with_its_owner_s_role_on_the_next_request,
    s26_a_personal_key_ends_with_its_owner_s_membership_or_account,
    s21_the_owner_of_a_new_key_is_the_caller,
    a_member_sees_and_makes_only_keys_of_its_own,
    an_admin_may_end_another_s_personal_key_and_not_take_it,
    a_personal_key_follows_its_owner_into_other_workspaces,
    verify_names_the_owner_and_what_the_role_leaves,
    an_instance_key_cannot_be_personal,
    whatever_the_role_own_keys_are_seen_and_revoked,
);

const SCOPES: [&str; 4] = ["keys:*", "members:write", "certificates:*", "agents:report"];

async fn check(server: &TestServer, key: &IssuedKey, scope: &str) -> (u16, String) {
    let answer = server.get(&format!("/api/auth/check?scope={scope}"), key).await;
    (answer.status.as_u16(), answer.code().to_owned())
}

async fn s22_a_personal_key_shrinks_with_its_owner_s_role_on_the_next_request(server: TestServer) {
    let home = server.workspace("Home").await;
    let jo = server.member(&home, Role::Admin).await;
    let key = server.personal(&home, jo, &SCOPES).await;
    let (allowed, refused) = ((200, String::new()), (403, "FORBIDDEN".to_owned()));
    for (role, scope, expected) in [
        (Role::Admin, "members:write", &allowed),
        (Role::Admin, "certificates:write", &allowed),
        (Role::Member, "members:write", &refused),
        (Role::Member, "keys:write", &allowed),
        (Role::Member, "keys:verify", &refused),
        (Role::Member, "certificates:write", &allowed),
        (Role::Viewer, "certificates:write", &refused),
        (Role::Viewer, "agents:report", &refused),
        (Role::Viewer, "keys:read", &refused),
        (Role::Viewer, "certificates:read", &allowed),
        (Role::Owner, "members:write", &allowed),
        // A role gives nothing that the key does not hold.
        (Role::Owner, "audit:read", &refused),
    ] {
        server.set_role(&home, jo, Some(role)).await;
        assert_eq!(&check(&server, &key, scope).await, expected, "{role} {scope}");
    }
    server.set_role(&home, jo, Some(Role::Viewer)).await;
    let passed = server.get("/api/auth/check", &key).await;
    assert_eq!(passed.header("x-auth-scopes"), "certificates:read");
    let me = server.get("/api/auth/me", &key).await;
    assert_eq!(me.body["scopes"], json!(["certificates:read"]));
    assert_eq!(me.body["ownerId"], jo.to_string());
}

async fn s26_a_personal_key_ends_with_its_owner_s_membership_or_account(server: TestServer) {
    let home = server.workspace("Home").await;
    let (jo, kim) = (
        server.member(&home, Role::Member).await,
        server.member(&home, Role::Member).await,
    );
    let (of_jo, of_kim) = (
        server.personal(&home, jo, &[]).await,
        server.personal(&home, kim, &[]).await,
    );
    let shared = server.key(&home, KeyType::Agent, &[]).await;
    let me = async |key| server.get("/api/auth/me", key).await.problem().0;
    assert_eq!(
        (me(&of_jo).await, me(&of_kim).await, me(&shared).await),
        (200, 200, 200)
    );

    let accounts = server.storage.accounts();
    use tigertrust_model::Clock as _;
    accounts
        .set_disabled(Act::of_operator(), kim, Some(server.clock.now()))
        .await
        .unwrap();
    let refused = server.get("/api/auth/me", &of_kim).await;
    assert_eq!(refused.problem(), (401, "UNAUTHORIZED"));
    accounts
        .set_disabled(Act::of_operator(), kim, None)
        .await
        .unwrap();
    assert_eq!(me(&of_kim).await, 200);

    server.set_role(&home, jo, None).await;
    let refused = server.get("/api/auth/me", &of_jo).await;
    assert_eq!(refused.problem(), (401, "KEY_REVOKED"));
    // Who comes back finds no old keys alive.
    server.set_role(&home, jo, Some(Role::Owner)).await;
    assert_eq!(
        server.get("/api/auth/me", &of_jo).await.problem(),
        (401, "KEY_REVOKED")
    );
    assert_eq!(me(&shared).await, 200);
}

async fn s21_the_owner_of_a_new_key_is_the_caller(server: TestServer) {
    let home = server.workspace("Home").await;
    let jo = server.member(&home, Role::Admin).await;
    let of_jo = server.personal(&home, jo, &SCOPES).await;
    let body =
        |personal: bool| json!({"name": "x", "type": "agent", "scopes": ["keys:read"], "personal": personal});
    let personal = server.post("/api/keys", &of_jo, &body(true)).await;
    assert_eq!(
        (personal.status.as_u16(), &personal.body["ownerId"]),
        (201, &json!(jo.to_string()))
    );
    let shared = server.post("/api/keys", &of_jo, &body(false)).await;
    assert_eq!(
        (shared.status.as_u16(), &shared.body["ownerId"]),
        (201, &json!(null))
    );

    let nobodys = server.admin(&home).await;
    let refused = server.post("/api/keys", &nobodys, &body(true)).await;
    assert_eq!(refused.problem(), (400, "VALIDATION_ERROR"));
    assert_eq!(refused.pointers(), ["/personal"]);
    let mut named = body(true);
    named["ownerId"] = json!(jo.to_string());
    let refused = server.post("/api/keys", &nobodys, &named).await;
    assert_eq!(refused.pointers(), ["/ownerId"]);
}

async fn a_member_sees_and_makes_only_keys_of_its_own(server: TestServer) {
    let home = server.workspace("Home").await;
    let (jo, kim) = (
        server.member(&home, Role::Member).await,
        server.member(&home, Role::Owner).await,
    );
    let (of_jo, of_kim) = (
        server.personal(&home, jo, &SCOPES).await,
        server.personal(&home, kim, &SCOPES).await,
    );
    let shared = server.key(&home, KeyType::Agent, &[]).await;
    let seen = async |key| {
        let list = server.get("/api/keys", key).await;
        let items = list.body["items"].as_array().unwrap().clone();
        items
            .into_iter()
            .map(|item| item["id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(seen(&of_jo).await, [of_jo.key.id.to_string()]);
    assert_eq!(seen(&of_kim).await.len(), 3);
    for foreign in [&of_kim, &shared] {
        let path = format!("/api/keys/{}", foreign.key.id);
        for answer in [
            server.get(&path, &of_jo).await,
            server.patch(&path, &of_jo, &json!({"name": "mine"})).await,
            server.post(&format!("{path}/revoke"), &of_jo, &json!({})).await,
            server.post(&format!("{path}/rotate"), &of_jo, &json!({})).await,
        ] {
            assert_eq!(answer.problem(), (404, "NOT_FOUND"));
        }
    }
    let shared = json!({"name": "x", "type": "agent", "scopes": []});
    let refused = server.post("/api/keys", &of_jo, &shared).await;
    assert_eq!(refused.problem(), (403, "FORBIDDEN"));
    assert_eq!(refused.pointers(), ["/personal"]);
    // Not even with a scope that the key names and the role does not permit.
    let beyond = json!({"name": "x", "type": "agent", "scopes": ["members:write"], "personal": true});
    let refused = server.post("/api/keys", &of_jo, &beyond).await;
    assert_eq!(
        (refused.problem(), refused.pointers()),
        ((403, "FORBIDDEN"), vec!["/scopes"])
    );
    let own = json!({"name": "x", "type": "agent", "scopes": ["keys:read"], "personal": true});
    let made = server.post("/api/keys", &of_jo, &own).await;
    assert_eq!(made.status, 201);
    let path = format!("/api/keys/{}/rotate", made.body["id"].as_str().unwrap());
    assert_eq!(server.post(&path, &of_jo, &json!({})).await.status, 200);
}

async fn an_admin_may_end_another_s_personal_key_and_not_take_it(server: TestServer) {
    let home = server.workspace("Home").await;
    let (jo, kim) = (
        server.member(&home, Role::Owner).await,
        server.member(&home, Role::Admin).await,
    );
    let of_jo = server.personal(&home, jo, &["certificates:read"]).await;
    let of_kim = server.personal(&home, kim, &SCOPES).await;
    let shared = server.admin(&home).await;
    let path = format!("/api/keys/{}", of_jo.key.id);
    for other in [&of_kim, &shared] {
        for answer in [
            server.post(&format!("{path}/rotate"), other, &json!({})).await,
            server.patch(&path, other, &json!({"scopes": []})).await,
        ] {
            assert_eq!(answer.problem(), (403, "FORBIDDEN"));
        }
        let renamed = server.patch(&path, other, &json!({"name": "of jo"})).await;
        assert_eq!(renamed.status, 200);
    }
    let revoked = server.post(&format!("{path}/revoke"), &of_kim, &json!({})).await;
    assert_eq!(
        (revoked.status.as_u16(), &revoked.body["state"]),
        (200, &json!("revoked"))
    );
}

async fn a_personal_key_follows_its_owner_into_other_workspaces(server: TestServer) {
    let (home, other, foreign) = (
        server.workspace("Home").await,
        server.workspace("Other").await,
        server.workspace("Foreign").await,
    );
    let jo = server.member(&home, Role::Admin).await;
    server.set_role(&other, jo, Some(Role::Member)).await;
    let reach = |others: &[&Workspace]| ReachRequest::Workspace {
        home: home.id,
        others: others.iter().map(|workspace| workspace.id.to_string()).collect(),
    };
    let new = |reach| NewKey {
        scopes: SCOPES.map(str::to_owned).to_vec(),
        owner: OwnerRequest::Person(jo),
        ..NewKey::new("x", KeyType::Agent, reach)
    };
    assert!(
        server
            .keys
            .create(&Actor::operator(), new(reach(&[&foreign])))
            .await
            .is_err()
    );
    let key = server
        .keys
        .create(&Actor::operator(), new(reach(&[&other])))
        .await
        .unwrap();
    let act_in = async |workspace: &Workspace, scope: &str| {
        let request = server.request(Method::GET, &format!("/api/auth/check?scope={scope}"));
        let request = request.bearer_auth(key.secret.reveal());
        let answer = send(request.header("X-Workspace-ID", workspace.id.to_string())).await;
        (answer.status.as_u16(), answer.code().to_owned())
    };
    assert_eq!(act_in(&home, "members:write").await.0, 200);
    assert_eq!(
        act_in(&other, "members:write").await,
        (403, "FORBIDDEN".to_owned())
    );
    assert_eq!(act_in(&other, "certificates:write").await.0, 200);

    // A key of the workspace may be let only into workspaces where the caller manages keys.
    let body = |personal: bool| json!({"name": "x", "type": "agent", "scopes": [], "workspaceIds": [other.id.to_string()], "personal": personal});
    let refused = server.post("/api/keys", &key, &body(false)).await;
    assert_eq!(refused.problem(), (403, "WORKSPACE_ACCESS_DENIED"));
    assert_eq!(server.post("/api/keys", &key, &body(true)).await.status, 201);

    server.set_role(&other, jo, None).await;
    assert_eq!(
        act_in(&other, "certificates:read").await,
        (403, "WORKSPACE_ACCESS_DENIED".to_owned())
    );
    assert_eq!(act_in(&home, "certificates:read").await.0, 200);
}

async fn verify_names_the_owner_and_what_the_role_leaves(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let jo = server.member(&home, Role::Viewer).await;
    let key = server.personal(&home, jo, &SCOPES).await;
    let ask = async |scope: &str| {
        let asked = json!({"key": key.secret.reveal(), "scope": scope});
        let body = server.post("/api/keys/verify", &admin, &asked).await.body;
        assert_eq!(body["ownerId"], jo.to_string());
        assert_eq!(body["scopes"], json!(["certificates:read"]));
        body["code"].as_str().unwrap().to_owned()
    };
    assert_eq!(ask("certificates:read").await, "VALID");
    assert_eq!(ask("certificates:write").await, "FORBIDDEN");
}

async fn an_instance_key_cannot_be_personal(server: TestServer) {
    let home = server.workspace("Home").await;
    let jo = server.member(&home, Role::Owner).await;
    let new = NewKey {
        owner: OwnerRequest::Person(jo),
        ..NewKey::new("x", KeyType::Agent, ReachRequest::Instance)
    };
    assert!(server.keys.create(&Actor::operator(), new).await.is_err());
    let stranger = server.member(&server.workspace("Other").await, Role::Owner).await;
    let reach = ReachRequest::Workspace {
        home: home.id,
        others: Vec::new(),
    };
    let new = NewKey {
        owner: OwnerRequest::Person(stranger),
        ..NewKey::new("x", KeyType::Agent, reach)
    };
    assert!(server.keys.create(&Actor::operator(), new).await.is_err());
}

async fn whatever_the_role_own_keys_are_seen_and_revoked(server: TestServer) {
    let home = server.workspace("Home").await;
    let jo = server.member(&home, Role::Member).await;
    let own = server.personal(&home, jo, &["certificates:read"]).await;
    let of_the_workspace = server.admin(&home).await;
    server.set_role(&home, jo, Some(Role::Viewer)).await;
    let mut browser = Browser::signed_in(&server, jo).await;
    let list = browser.get(&server, "/api/keys").await;
    assert_eq!(list.status, 200, "{list:?}");
    let items = list.body["items"].as_array().unwrap();
    assert_eq!(
        (items.len(), &items[0]["id"]),
        (1, &json!(own.key.id.to_string()))
    );
    let path = |key: &IssuedKey| format!("/api/keys/{}", key.key.id);
    assert_eq!(browser.get(&server, &path(&own)).await.status, 200);
    let refused = browser.get(&server, &path(&of_the_workspace)).await;
    assert_eq!(refused.problem(), (404, "NOT_FOUND"));
    // More than that it may not do.
    let body = json!({"name": "x", "type": "agent", "scopes": ["certificates:read"], "personal": true});
    let made = browser.post(&server, "/api/keys", &body).await;
    let edited = browser.patch(&server, &path(&own), &json!({"name": "x"})).await;
    let rotate = format!("{}/rotate", path(&own));
    let rotated = browser.post(&server, &rotate, &json!({})).await;
    for refused in [made, edited, rotated] {
        assert_eq!(refused.problem(), (403, "FORBIDDEN"));
    }
    let revoke = |key: &IssuedKey| format!("{}/revoke", path(key));
    let refused = browser
        .post(&server, &revoke(&of_the_workspace), &json!({}))
        .await;
    assert_eq!(refused.problem(), (404, "NOT_FOUND"));
    assert_eq!(browser.post(&server, &revoke(&own), &json!({})).await.status, 200);
    assert_eq!(
        server.get("/api/auth/me", &own).await.problem(),
        (401, "KEY_REVOKED")
    );
    // Nor does anybody see keys without a session there.
    let other = server.workspace("Other").await;
    let request = server.request(Method::GET, "/api/keys");
    let request = request.header("X-Workspace-ID", other.id.to_string());
    assert_eq!(
        browser.send(request).await.problem(),
        (403, "WORKSPACE_ACCESS_DENIED")
    );
}

//! `/api/workspaces/{id}/members`.

use serde_json::{Value, json};
use tigertrust_accounts::{IssuedKey, ReachRequest};
use tigertrust_model::{KeyType, Role, UserId, Workspace};
use tigertrust_testkit::{TestServer, eventually, on_both_engines, send};

use crate::people::Browser;

on_both_engines!(
    members_are_listed_in_pages_and_shown,
    an_instance_key_adds_who_has_an_account,
    s25_only_an_instance_key_adds_who_was_not_asked,
    s25_roles_bound_what_each_may_do_to_members,
    s25_a_key_of_nobody_counts_as_an_admin,
    a_workspace_is_never_without_an_owner,
    s26_a_new_role_acts_on_the_next_request_on_every_node,
    s19_who_is_removed_is_refused_at_once_on_every_node,
    everybody_may_leave,
    a_disabled_owner_is_none_that_could_act,
    s22_a_key_is_worth_no_more_than_whoever_made_it,
);

const SCOPES: [&str; 2] = ["members:*", "certificates:*"];

fn path(home: &Workspace, user: UserId) -> String {
    format!("/api/workspaces/{}/members/{user}", home.id)
}

async fn instance(server: &TestServer) -> IssuedKey {
    server
        .issue(KeyType::Agent, &SCOPES, ReachRequest::Instance)
        .await
}

async fn role_of(server: &TestServer, home: &Workspace, user: UserId) -> Option<Role> {
    server.storage.members().role_in(home.id, user).await.unwrap()
}

async fn members_are_listed_in_pages_and_shown(server: TestServer) {
    let (home, other) = (server.workspace("Home").await, server.workspace("Other").await);
    server.member(&other, Role::Member).await;
    let jo = server.member(&home, Role::Viewer).await;
    let reader = server.personal(&home, jo, &["members:read"]).await;
    let list = format!("/api/workspaces/{}/members", home.id);
    let all = server.get(&list, &reader).await;
    assert_eq!(all.body["items"].as_array().unwrap().len(), 2);
    let first = server.get(&format!("{list}?limit=1"), &reader).await;
    let cursor = first.body["nextCursor"].as_str().unwrap();
    let second = server
        .get(&format!("{list}?limit=1&cursor={cursor}"), &reader)
        .await;
    assert_eq!(second.body["nextCursor"], Value::Null);
    let pages = [&first, &second].map(|page| page.body["items"][0].clone());
    assert_eq!(json!(pages), all.body["items"]);

    let shown = server.get(&path(&home, jo), &reader).await.body;
    assert!(pages.contains(&shown));
    let email = shown["email"].as_str().unwrap();
    assert!(email.starts_with("viewer-"), "{email}");
    assert_eq!(
        shown,
        json!({"userId": jo.to_string(), "email": email, "name": null, "role": "viewer",
               "since": "2027-01-15T08:00:00Z", "disabled": false})
    );
    let al = server.member(&home, Role::Member).await;
    server.users.set_disabled(al, true).await.unwrap();
    assert_eq!(server.get(&path(&home, al), &reader).await.body["disabled"], true);
    for nobody in ["usr_00000000000000000000000000", "nonsense"] {
        let missing = server.get(&format!("{list}/{nobody}"), &reader).await;
        assert_eq!(missing.problem(), (404, "NOT_FOUND"));
    }
    let refused = server.get(&format!("{list}?limit=0"), &reader).await;
    assert_eq!(refused.pointers(), ["/limit"]);
}

async fn an_instance_key_adds_who_has_an_account(server: TestServer) {
    let (home, other) = (server.workspace("Home").await, server.workspace("Other").await);
    let (jo, al) = (
        server.member(&other, Role::Viewer).await,
        server.member(&other, Role::Viewer).await,
    );
    let key = instance(&server).await;
    let list = format!("/api/workspaces/{}/members", home.id);
    let by_id = json!({"userId": jo.to_string(), "role": "owner"});
    let added = server.post(&list, &key, &by_id).await;
    assert_eq!(
        (added.status.as_u16(), &added.body["role"]),
        (201, &json!("owner"))
    );
    assert_eq!(added.header("location"), path(&home, jo));
    assert_eq!(server.get(&path(&home, jo), &key).await.body, added.body);
    let twice = server.post(&list, &key, &by_id).await;
    assert_eq!(twice.problem(), (409, "CONFLICT"));
    let email = server.get(&path(&other, al), &key).await.body["email"].clone();
    let spelt = email.as_str().unwrap().to_uppercase();
    let added = server
        .post(&list, &key, &json!({"email": spelt, "role": "member"}))
        .await;
    assert_eq!((added.status.as_u16(), &added.body["email"]), (201, &email));

    for (body, pointer) in [
        (
            json!({"userId": "usr_00000000000000000000000000", "role": "member"}),
            "/userId",
        ),
        (json!({"userId": "nonsense", "role": "member"}), "/userId"),
        (json!({"email": "no@example.com", "role": "member"}), "/email"),
        (json!({"email": "nonsense", "role": "member"}), "/email"),
        (json!({"email": "no@example.com", "role": "king"}), "/role"),
        (json!({"role": "member"}), ""),
        (
            json!({"userId": jo.to_string(), "email": "no@example.com", "role": "member"}),
            "",
        ),
    ] {
        let refused = server.post(&list, &key, &body).await;
        assert_eq!(
            (refused.problem(), refused.pointers()),
            ((400, "VALIDATION_ERROR"), vec![pointer]),
            "{body}"
        );
    }
}

async fn s25_only_an_instance_key_adds_who_was_not_asked(server: TestServer) {
    let (home, other) = (server.workspace("Home").await, server.workspace("Other").await);
    let stranger = server.member(&other, Role::Viewer).await;
    let jo = server.member(&home, Role::Owner).await;
    let list = format!("/api/workspaces/{}/members", home.id);
    for key in [
        server.admin(&home).await,
        server.personal(&home, jo, &SCOPES).await,
    ] {
        // The same answer, whether there is such a person or not.
        for user in [stranger.to_string(), "usr_00000000000000000000000000".to_owned()] {
            let body = json!({"userId": user, "role": "viewer"});
            let refused = server.post(&list, &key, &body).await;
            assert_eq!(
                (refused.problem(), refused.pointers()),
                ((403, "FORBIDDEN"), vec![""])
            );
        }
    }
    assert_eq!(role_of(&server, &home, stranger).await, None);
}

/// What a caller of each role gets for each change of a member; a scope that the role does not permit is refused before.
async fn s25_roles_bound_what_each_may_do_to_members(server: TestServer) {
    let home = server.workspace("Home").await;
    for own in Role::ALL {
        let caller = server.member(&home, own).await;
        let key = server.personal(&home, caller, &SCOPES).await;
        for from in Role::ALL {
            for to in Role::ALL.map(Some).into_iter().chain([None]) {
                let member = server.member(&home, from).await;
                let answer = match to {
                    Some(to) => {
                        let body = json!({"role": to.as_str()});
                        server.patch(&path(&home, member), &key, &body).await
                    }
                    None => server.delete(&path(&home, member), &key).await,
                };
                let now = role_of(&server, &home, member).await;
                if own.may_turn(Some(from), to) {
                    let expected = if to.is_some() { 200 } else { 204 };
                    assert_eq!(answer.status, expected, "{own}: {from} to {to:?}: {answer:?}");
                    assert_eq!(now, to);
                } else {
                    assert_eq!(answer.problem(), (403, "FORBIDDEN"), "{own}: {from} to {to:?}");
                    assert_eq!(now, Some(from));
                }
            }
        }
        // Nor does anybody lift itself.
        let raised = server
            .patch(&path(&home, caller), &key, &json!({"role": "owner"}))
            .await;
        assert_eq!(raised.status == 200, own == Role::Owner, "{own}");
    }
}

async fn s25_a_key_of_nobody_counts_as_an_admin(server: TestServer) {
    let home = server.workspace("Home").await;
    let key = server.admin(&home).await;
    let (jo, al) = (
        server.member(&home, Role::Owner).await,
        server.member(&home, Role::Viewer).await,
    );
    for (user, role, pointer) in [(jo, "admin", "/role"), (al, "owner", "/role")] {
        let refused = server
            .patch(&path(&home, user), &key, &json!({"role": role}))
            .await;
        assert_eq!(
            (refused.problem(), refused.pointers()),
            ((403, "FORBIDDEN"), vec![pointer])
        );
    }
    let refused = server.delete(&path(&home, jo), &key).await;
    assert_eq!(
        (refused.problem(), refused.pointers()),
        ((403, "FORBIDDEN"), vec![""])
    );
    let raised = server
        .patch(&path(&home, al), &key, &json!({"role": "admin"}))
        .await;
    assert_eq!(
        (raised.status.as_u16(), &raised.body["role"]),
        (200, &json!("admin"))
    );
    assert_eq!(server.delete(&path(&home, al), &key).await.status, 204);
    assert_eq!(
        server.delete(&path(&home, al), &key).await.problem(),
        (404, "NOT_FOUND")
    );
}

async fn a_workspace_is_never_without_an_owner(server: TestServer) {
    let home = server.workspace("Home").await;
    let only = server.owner;
    let (of_owner, platform) = (
        server.personal(&home, only, &SCOPES).await,
        instance(&server).await,
    );
    for key in [&of_owner, &platform] {
        let demoted = server
            .patch(&path(&home, only), key, &json!({"role": "member"}))
            .await;
        let removed = server.delete(&path(&home, only), key).await;
        for refused in [demoted, removed] {
            assert_eq!(refused.problem(), (409, "CONFLICT"));
        }
    }
    server.member(&home, Role::Owner).await;
    assert_eq!(server.delete(&path(&home, only), &of_owner).await.status, 204);
    assert_eq!(role_of(&server, &home, only).await, None);
}

async fn s26_a_new_role_acts_on_the_next_request_on_every_node(server: TestServer) {
    let home = server.workspace("Home").await;
    let jo = server.member(&home, Role::Admin).await;
    let (key, platform) = (server.personal(&home, jo, &SCOPES).await, instance(&server).await);
    let second = server.second().await;
    let may_write = async |node: &TestServer| {
        let answer = node.get("/api/auth/check?scope=members:write", &key).await;
        answer.status.as_u16()
    };
    eventually(200, async || may_write(&second).await).await;
    for (role, expected) in [("viewer", 403), ("owner", 200), ("member", 403), ("admin", 200)] {
        let set = server
            .patch(&path(&home, jo), &platform, &json!({"role": role}))
            .await;
        assert_eq!(set.status, 200, "{set:?}");
        assert_eq!(may_write(&server).await, expected, "{role}");
        eventually(expected, async || may_write(&second).await).await;
    }
}

async fn s19_who_is_removed_is_refused_at_once_on_every_node(server: TestServer) {
    let home = server.workspace("Home").await;
    let jo = server.member(&home, Role::Member).await;
    let (key, platform) = (server.personal(&home, jo, &SCOPES).await, instance(&server).await);
    let second = server.second().await;
    let me = async |node: &TestServer| node.get("/api/auth/me", &key).await.status.as_u16();
    eventually((200, 200), async || (me(&server).await, me(&second).await)).await;
    assert_eq!(server.delete(&path(&home, jo), &platform).await.status, 204);
    assert_eq!(
        server.get("/api/auth/me", &key).await.problem(),
        (401, "KEY_REVOKED")
    );
    eventually(401, async || me(&second).await).await;
}

async fn everybody_may_leave(server: TestServer) {
    let home = server.workspace("Home").await;
    for role in Role::ALL {
        let (jo, al) = (
            server.member(&home, role).await,
            server.member(&home, Role::Viewer).await,
        );
        // A key that was not given the power over members cannot take its owner out.
        let weak = server.personal(&home, jo, &["members:read"]).await;
        let refused = server.delete(&path(&home, jo), &weak).await;
        assert_eq!(refused.problem(), (403, "FORBIDDEN"), "{role}");
        let key = server.personal(&home, jo, &["members:write"]).await;
        if !role.may_turn(Some(Role::Viewer), None) {
            let refused = server.delete(&path(&home, al), &key).await;
            assert_eq!(refused.problem(), (403, "FORBIDDEN"), "{role}");
        }
        assert_eq!(server.delete(&path(&home, jo), &key).await.status, 204, "{role}");
        assert_eq!(role_of(&server, &home, jo).await, None);
        assert_eq!(
            server.get("/api/auth/me", &key).await.problem(),
            (401, "KEY_REVOKED")
        );
    }
}

async fn a_disabled_owner_is_none_that_could_act(server: TestServer) {
    let home = server.workspace("Home").await;
    let platform = instance(&server).await;
    let jo = server.member(&home, Role::Owner).await;
    server.users.set_disabled(jo, true).await.unwrap();
    let refused = server.delete(&path(&home, server.owner), &platform).await;
    assert_eq!(refused.problem(), (409, "CONFLICT"));
    // Who is disabled can be taken out all the same.
    assert_eq!(server.delete(&path(&home, jo), &platform).await.status, 204);
}

/// Also over a key that the key has made.
async fn s22_a_key_is_worth_no_more_than_whoever_made_it(server: TestServer) {
    let home = server.workspace("Home").await;
    let (jo, al) = (
        server.member(&home, Role::Admin).await,
        server.member(&home, Role::Viewer).await,
    );
    let mut admin = Browser::signed_in(&server, jo).await;
    let new = json!({"name": "k", "type": "agent", "scopes": ["members:*", "keys:*"]});
    let first = admin.post(&server, "/api/keys", &new).await.body["key"].clone();
    let first = first.as_str().unwrap().to_owned();
    let made = server
        .request(reqwest::Method::POST, "/api/keys")
        .header("X-Agent-API-Key", &first)
        .json(&new);
    let second = send(made).await.body["key"].as_str().unwrap().to_owned();
    let set = async |key: &str, user: UserId, role: &str| {
        let request = server
            .request(reqwest::Method::PATCH, &path(&home, user))
            .header("X-Agent-API-Key", key)
            .json(&json!({"role": role}));
        send(request).await.status.as_u16()
    };
    for key in [&first, &second] {
        assert_eq!(set(key, al, "admin").await, 200);
        assert_eq!(set(key, al, "viewer").await, 200);
        // An owner's key is an admin at the most.
        server.set_role(&home, jo, Some(Role::Owner)).await;
        assert_eq!(set(key, al, "owner").await, 403);
        for role in [Some(Role::Member), Some(Role::Viewer), None] {
            server.set_role(&home, jo, role).await;
            assert_eq!(set(key, al, "member").await, 403, "{role:?}");
            if role.is_some() {
                assert_eq!(set(key, jo, "admin").await, 403, "{role:?}");
            }
        }
        server.set_role(&home, jo, Some(Role::Admin)).await;
        server.users.set_disabled(jo, true).await.unwrap();
        assert_eq!(set(key, al, "member").await, 403);
        server.users.set_disabled(jo, false).await.unwrap();
        assert_eq!(set(key, al, "viewer").await, 200);
    }
}

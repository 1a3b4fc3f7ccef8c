//! `/api/workspaces`.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tigertrust_accounts::{Actor, IssuedKey, NewKey, OwnerRequest, ReachRequest};
use tigertrust_model::{KeyType, Role, UserId, Workspace};
use tigertrust_testkit::{Answer, TestServer, eventually, on_both_engines, send};

on_both_engines!(
    a_key_sees_the_workspaces_that_it_names,
    an_instance_key_sees_all_in_pages,
    a_personal_key_sees_where_its_owner_is_a_member,
    s21_a_person_makes_workspaces_of_its_own_alone,
    an_instance_key_makes_a_workspace_for_the_user_that_it_names,
    a_key_of_nobody_makes_no_workspace,
    a_workspace_is_renamed,
    only_an_instance_key_sets_plans,
    s25_the_workspace_in_the_path_decides_which_role_counts,
    s19_a_deleted_workspace_is_gone_at_once_on_every_node,
    only_owners_and_instance_keys_delete_a_workspace,
);

fn names(answer: &Answer) -> Vec<&str> {
    answer.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["name"].as_str().unwrap())
        .collect()
}

async fn a_key_sees_the_workspaces_that_it_names(server: TestServer) {
    let other = server.workspace("Other").await;
    let home = server.workspace("Home").await;
    server.workspace("Foreign").await;
    let reach = ReachRequest::Workspace {
        home: home.id,
        others: vec![other.id.to_string()],
    };
    let key = server.issue(KeyType::Agent, &["workspace:read"], reach).await;
    let listed = server.get("/api/workspaces", &key).await;
    assert_eq!(names(&listed), ["Home", "Other"]);
    assert_eq!(
        listed.body["items"][0],
        json!({"id": home.id.to_string(), "name": "Home", "plan": "free", "requireSecondFactor": false,
               "leakResponse": null, "createdAt": "2027-01-15T08:00:00Z"})
    );
    let first = server.get("/api/workspaces?limit=1", &key).await;
    assert_eq!(names(&first), ["Home"]);
    let cursor = first.body["nextCursor"].as_str().unwrap();
    let second = server
        .get(&format!("/api/workspaces?limit=1&cursor={cursor}"), &key)
        .await;
    assert_eq!(
        (names(&second), second.body["nextCursor"].is_null()),
        (vec!["Other"], true)
    );
}

async fn an_instance_key_sees_all_in_pages(server: TestServer) {
    for name in ["A", "B", "C"] {
        server.clock.advance(Duration::from_millis(2));
        server.workspace(name).await;
    }
    let key = server
        .issue(KeyType::Agent, &["workspace:read"], ReachRequest::Instance)
        .await;
    let first = server.get("/api/workspaces?limit=2", &key).await;
    assert_eq!(names(&first), ["C", "B"]);
    let cursor = first.body["nextCursor"].as_str().unwrap();
    let second = server
        .get(&format!("/api/workspaces?limit=2&cursor={cursor}"), &key)
        .await;
    assert_eq!(
        (names(&second), second.body["nextCursor"].is_null()),
        (vec!["A"], true)
    );
}

const SCOPES: [&str; 2] = ["workspace:*", "members:*"];

fn path(workspace: &Workspace) -> String {
    format!("/api/workspaces/{}", workspace.id)
}

/// A personal key that acts in two workspaces.
async fn of_both(server: &TestServer, owner: UserId, home: &Workspace, other: &Workspace) -> IssuedKey {
    let reach = ReachRequest::Workspace {
        home: home.id,
        others: vec![other.id.to_string()],
    };
    let new = NewKey {
        scopes: SCOPES.map(str::to_owned).to_vec(),
        owner: OwnerRequest::Person(owner),
        ..NewKey::new("a personal key", KeyType::Agent, reach)
    };
    server.keys.create(&Actor::operator(), new).await.unwrap()
}

async fn instance(server: &TestServer) -> IssuedKey {
    server
        .issue(KeyType::Agent, &SCOPES, ReachRequest::Instance)
        .await
}

async fn a_personal_key_sees_where_its_owner_is_a_member(server: TestServer) {
    let (home, other) = (server.workspace("Home").await, server.workspace("Other").await);
    server.workspace("Foreign").await;
    let jo = server.member(&home, Role::Viewer).await;
    server.set_role(&other, jo, Some(Role::Member)).await;
    let key = of_both(&server, jo, &home, &other).await;
    assert_eq!(
        names(&server.get("/api/workspaces", &key).await),
        ["Home", "Other"]
    );
    server.set_role(&other, jo, None).await;
    assert_eq!(names(&server.get("/api/workspaces", &key).await), ["Home"]);
}

async fn s21_a_person_makes_workspaces_of_its_own_alone(server: TestServer) {
    let home = server.workspace("Home").await;
    let jo = server.member(&home, Role::Admin).await;
    let key = server.personal(&home, jo, &SCOPES).await;
    let made = server
        .post("/api/workspaces", &key, &json!({"name": "Mine"}))
        .await;
    let id = made.body["id"].as_str().unwrap();
    assert_eq!((made.status.as_u16(), &made.body["plan"]), (201, &json!("free")));
    assert_eq!(made.header("location"), format!("/api/workspaces/{id}"));
    let members = format!("/api/workspaces/{id}/members");
    let members = server.get(&members, &instance(&server).await).await;
    let members = members.body["items"].as_array().unwrap().clone();
    assert_eq!(
        (members.len(), &members[0]["userId"], &members[0]["role"]),
        (1, &json!(jo.to_string()), &json!("owner"))
    );
    let own = json!({"name": "Mine too", "owner": jo.to_string()});
    assert_eq!(server.post("/api/workspaces", &key, &own).await.status, 201);
    let anothers = json!({"name": "Theirs", "owner": server.owner.to_string()});
    let refused = server.post("/api/workspaces", &key, &anothers).await;
    assert_eq!(
        (refused.problem(), refused.pointers()),
        ((403, "FORBIDDEN"), vec!["/owner"])
    );
    let nameless = server.post("/api/workspaces", &key, &json!({"name": " "})).await;
    assert_eq!(
        (nameless.problem(), nameless.pointers()),
        ((400, "VALIDATION_ERROR"), vec!["/name"])
    );
    let planned = server
        .post("/api/workspaces", &key, &json!({"name": "x", "plan": "pro"}))
        .await;
    assert_eq!(planned.pointers(), ["/plan"]);
}

async fn an_instance_key_makes_a_workspace_for_the_user_that_it_names(server: TestServer) {
    let home = server.workspace("Home").await;
    let jo = server.member(&home, Role::Viewer).await;
    let key = instance(&server).await;
    let body = json!({"name": "Acme", "owner": jo.to_string()});
    let made = server.post("/api/workspaces", &key, &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    let own = format!("/api/workspaces/{}", made.body["id"].as_str().unwrap());
    assert_eq!(server.get(&own, &key).await.body, made.body);
    let member = server.get(&format!("{own}/members/{jo}"), &key).await;
    assert_eq!(member.body["role"], "owner");
    for owner in [
        Value::Null,
        json!("usr_00000000000000000000000000"),
        json!("nobody"),
    ] {
        let refused = server
            .post("/api/workspaces", &key, &json!({"name": "x", "owner": owner}))
            .await;
        assert_eq!(
            (refused.problem(), refused.pointers()),
            ((400, "VALIDATION_ERROR"), vec!["/owner"])
        );
    }
}

async fn a_key_of_nobody_makes_no_workspace(server: TestServer) {
    let home = server.workspace("Home").await;
    let key = server.admin(&home).await;
    let body = json!({"name": "x", "owner": server.owner.to_string()});
    let refused = server.post("/api/workspaces", &key, &body).await;
    assert_eq!(
        (refused.problem(), refused.pointers()),
        ((403, "FORBIDDEN"), vec![""])
    );
    let detail = refused.body["errors"][0]["detail"].as_str().unwrap();
    assert!(detail.contains("personal key"), "{detail}");
}

async fn a_workspace_is_renamed(server: TestServer) {
    let home = server.workspace("Home").await;
    let (shared, jo) = (server.admin(&home).await, server.member(&home, Role::Admin).await);
    let personal = server.personal(&home, jo, &SCOPES).await;
    for (key, name) in [(&shared, "Acme"), (&personal, "Acme & Söhne")] {
        let renamed = server.patch(&path(&home), key, &json!({"name": name})).await;
        assert_eq!(
            (renamed.status.as_u16(), &renamed.body["name"]),
            (200, &json!(name))
        );
        assert_eq!(server.get(&path(&home), &shared).await.body, renamed.body);
        let me = server.get("/api/auth/me", &shared).await;
        assert_eq!(me.body["workspace"]["name"], name);
    }
    let unchanged = server.patch(&path(&home), &shared, &json!({})).await;
    assert_eq!(unchanged.body["name"], "Acme & Söhne");
    for body in [
        json!({"name": ""}),
        json!({"name": null}),
        json!({"name": "a\u{202e}b"}),
    ] {
        let refused = server.patch(&path(&home), &shared, &body).await;
        assert_eq!(
            (refused.problem(), refused.pointers()),
            ((400, "VALIDATION_ERROR"), vec!["/name"])
        );
    }
    for role in [Role::Member, Role::Viewer] {
        server.set_role(&home, jo, Some(role)).await;
        let refused = server.patch(&path(&home), &personal, &json!({"name": "x"})).await;
        assert_eq!(refused.problem(), (403, "FORBIDDEN"));
        assert_eq!(server.get(&path(&home), &personal).await.status, 200);
    }
}

async fn only_an_instance_key_sets_plans(server: TestServer) {
    let home = server.workspace("Home").await;
    let jo = server.member(&home, Role::Owner).await;
    let (shared, personal) = (
        server.admin(&home).await,
        server.personal(&home, jo, &SCOPES).await,
    );
    for key in [&shared, &personal] {
        let body = json!({"name": "never stored", "plan": "enterprise"});
        let refused = server.patch(&path(&home), key, &body).await;
        assert_eq!(
            (refused.problem(), refused.pointers()),
            ((403, "FORBIDDEN"), vec!["/plan"])
        );
    }
    let key = instance(&server).await;
    let set = server
        .patch(&path(&home), &key, &json!({"plan": "enterprise"}))
        .await;
    assert_eq!(
        (&set.body["plan"], &set.body["name"]),
        (&json!("enterprise"), &json!("Home"))
    );
    let me = server.get("/api/auth/me", &shared).await;
    assert_eq!(me.body["workspace"]["plan"], "enterprise");
    for plan in ["gold", "Not a plan"] {
        let refused = server.patch(&path(&home), &key, &json!({"plan": plan})).await;
        assert_eq!(
            (refused.problem(), refused.pointers()),
            ((400, "VALIDATION_ERROR"), vec!["/plan"])
        );
    }
}

async fn s25_the_workspace_in_the_path_decides_which_role_counts(server: TestServer) {
    let (home, other) = (server.workspace("Home").await, server.workspace("Other").await);
    let jo = server.member(&home, Role::Viewer).await;
    server.set_role(&other, jo, Some(Role::Admin)).await;
    let key = of_both(&server, jo, &home, &other).await;
    let rename = json!({"name": "x"});
    assert_eq!(server.patch(&path(&other), &key, &rename).await.status, 200);
    assert_eq!(
        server.patch(&path(&home), &key, &rename).await.problem(),
        (403, "FORBIDDEN")
    );
    // A header cannot lend the role of one workspace to another.
    let lend = |target: &Workspace, named: &Workspace| {
        let request = server.request(Method::PATCH, &path(target));
        let request = request.bearer_auth(key.secret.reveal()).json(&rename);
        send(request.header("X-Workspace-ID", named.id.to_string()))
    };
    assert_eq!(lend(&home, &other).await.problem(), (404, "NOT_FOUND"));
    assert_eq!(lend(&other, &home).await.problem(), (403, "FORBIDDEN"));
    assert_eq!(lend(&other, &other).await.status, 200);
}

async fn s19_a_deleted_workspace_is_gone_at_once_on_every_node(server: TestServer) {
    let (home, other) = (server.workspace("Home").await, server.workspace("Other").await);
    let jo = server.member(&home, Role::Owner).await;
    server.set_role(&other, jo, Some(Role::Owner)).await;
    let (shared, personal) = (
        server.admin(&home).await,
        server.personal(&home, jo, &SCOPES).await,
    );
    let guest = of_both(&server, jo, &other, &home).await;
    let platform = instance(&server).await;
    let second = server.second().await;
    let me = async |node: &TestServer, key: &IssuedKey| node.get("/api/auth/me", key).await.status.as_u16();
    eventually((200, 200), async || {
        (me(&second, &shared).await, me(&second, &personal).await)
    })
    .await;
    assert_eq!(me(&server, &shared).await, 200);
    assert_eq!(
        names(&server.get("/api/workspaces", &guest).await),
        ["Other", "Home"]
    );
    assert_eq!(server.get(&path(&home), &platform).await.status, 200);

    let deleted = server.delete(&path(&home), &personal).await;
    assert_eq!((deleted.status.as_u16(), deleted.body), (204, Value::Null));
    for key in [&shared, &personal] {
        assert_eq!(
            server.get("/api/auth/me", key).await.problem(),
            (401, "UNAUTHORIZED")
        );
    }
    for key in [&guest, &platform] {
        assert_eq!(server.get(&path(&home), key).await.problem(), (404, "NOT_FOUND"));
        assert_eq!(names(&server.get("/api/workspaces", key).await), ["Other"]);
    }
    assert_eq!(
        server.delete(&path(&home), &platform).await.problem(),
        (404, "NOT_FOUND")
    );
    eventually((401, 401), async || {
        (me(&second, &shared).await, me(&second, &personal).await)
    })
    .await;
}

async fn only_owners_and_instance_keys_delete_a_workspace(server: TestServer) {
    let home = server.workspace("Home").await;
    let jo = server.member(&home, Role::Admin).await;
    let (shared, personal) = (
        server.admin(&home).await,
        server.personal(&home, jo, &SCOPES).await,
    );
    for key in [&shared, &personal] {
        let refused = server.delete(&path(&home), key).await;
        assert_eq!(
            (refused.problem(), refused.pointers()),
            ((403, "FORBIDDEN"), vec![""])
        );
    }
    assert_eq!(server.get(&path(&home), &shared).await.status, 200);
    assert_eq!(
        server.delete(&path(&home), &instance(&server).await).await.status,
        204
    );
}

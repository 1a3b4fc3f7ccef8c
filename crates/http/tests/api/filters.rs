//! The filters of `GET /api/keys`.

use std::time::Duration;

use serde_json::json;
use tigertrust_testkit::{TestServer, on_both_engines};

on_both_engines!(
    each_filter_finds_what_it_names,
    filters_add_up_and_page,
    filters_that_make_no_sense_are_400
);

async fn filled(server: &TestServer) -> tigertrust_accounts::IssuedKey {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let make = async |name: &str, kind: &str, more: serde_json::Value| {
        let mut body = json!({"name": name, "type": kind, "scopes": []});
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let created = server.post("/api/keys", &admin, &body).await;
        assert_eq!(created.status, 201, "{:?}", created.body);
        created.body["id"].as_str().unwrap().to_owned()
    };
    make("Deploy 100%", "agent", json!({"externalId": "c/1"})).await;
    make("deploy_staging", "agent", json!({"externalId": "c/2"})).await;
    make("Web", "public", json!({"externalId": "c/1"})).await;
    make(
        "short-lived",
        "agent",
        json!({"expiresAt": "2027-01-15T08:00:01Z"}),
    )
    .await;
    let off = make("off", "agent", json!({})).await;
    server
        .patch(&format!("/api/keys/{off}"), &admin, &json!({"active": false}))
        .await;
    let gone = make("gone", "agent", json!({})).await;
    server
        .post(&format!("/api/keys/{gone}/revoke"), &admin, &json!({}))
        .await;
    server.clock.advance(Duration::from_secs(1));
    admin
}

async fn names(server: &TestServer, admin: &tigertrust_accounts::IssuedKey, query: &str) -> Vec<String> {
    let listed = server.get(&format!("/api/keys?{query}"), admin).await;
    assert_eq!(listed.status, 200, "{query}: {:?}", listed.body);
    let items = listed.body["items"].as_array().unwrap();
    let mut names: Vec<String> = items
        .iter()
        .map(|item| item["name"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

async fn each_filter_finds_what_it_names(server: TestServer) {
    let admin = filled(&server).await;
    let start = admin.key.display.start.clone();
    let begins = format!("q={start}");
    for (query, expected) in [
        (
            "",
            vec![
                "Deploy 100%",
                "Web",
                "a key",
                "deploy_staging",
                "gone",
                "off",
                "short-lived",
            ],
        ),
        (
            "state=active",
            vec!["Deploy 100%", "Web", "a key", "deploy_staging"],
        ),
        ("state=expired", vec!["short-lived"]),
        ("state=deactivated", vec!["off"]),
        ("state=revoked", vec!["gone"]),
        ("type=public", vec!["Web"]),
        ("q=DEPLOY", vec!["Deploy 100%", "deploy_staging"]),
        ("q=%25", vec!["Deploy 100%"]),
        ("q=_", vec!["deploy_staging"]),
        ("q=%5C", vec![]),
        (
            "q=",
            vec![
                "Deploy 100%",
                "Web",
                "a key",
                "deploy_staging",
                "gone",
                "off",
                "short-lived",
            ],
        ),
        (begins.as_str(), vec!["a key"]),
        ("externalId=c/1", vec!["Deploy 100%", "Web"]),
        ("externalId=c", vec![]),
        ("unusedSince=2027-01-15T08:00:00Z", vec![]),
        ("unusedSince=2027-01-15T08:00:01Z&type=public", vec!["Web"]),
    ] {
        assert_eq!(names(&server, &admin, query).await, expected, "{query}");
    }
}

async fn filters_add_up_and_page(server: TestServer) {
    let admin = filled(&server).await;
    assert_eq!(
        names(&server, &admin, "externalId=c/1&type=agent&state=active&q=deploy").await,
        ["Deploy 100%"]
    );
    let first = server.get("/api/keys?state=active&limit=3", &admin).await;
    let cursor = first.body["nextCursor"].as_str().unwrap();
    assert_eq!(
        names(&server, &admin, &format!("state=active&limit=3&cursor={cursor}"))
            .await
            .len(),
        1
    );
}

async fn filters_that_make_no_sense_are_400(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    for (query, pointer) in [
        ("state=dead", "/state"),
        ("type=Agent", "/type"),
        ("unusedSince=90d", "/unusedSince"),
        ("q=%00", "/q"),
        ("externalId=%00", "/externalId"),
        (&format!("q={}", "x".repeat(101)), "/q"),
    ] {
        let refused = server.get(&format!("/api/keys?{query}"), &admin).await;
        assert_eq!(
            (refused.problem(), refused.pointers()),
            ((400, "VALIDATION_ERROR"), vec![pointer]),
            "{query}"
        );
    }
}

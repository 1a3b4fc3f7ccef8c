//! Trust rules of keys: who makes them, and what may stand in them.

use std::{collections::BTreeMap, time::Duration};

use reqwest::StatusCode;
use serde_json::{Value, json};
use tigertrust_accounts::{Actor, FlowError, IssuedKey, trust_rules::NewTrustRule};
use tigertrust_model::{KeyType, Role, Workspace};
use tigertrust_testkit::{JobIssuer, TestServer, on_both_engines};

use crate::people::Browser;

on_both_engines!(
    a_rule_is_made_listed_and_removed,
    what_makes_no_sense_is_refused_where_it_stands,
    a_rule_by_which_everybody_would_get_in_is_refused,
    a_key_has_a_bounded_number_of_rules,
    only_a_living_agent_key_has_rules,
    s22_nobody_gains_more_by_a_rule_than_it_holds,
    s_a_personal_key_s_rules_are_its_owner_s,
    s25_another_workspace_s_key_is_not_found,
    what_is_done_to_rules_is_in_the_audit_log,
    s_an_issuer_inside_the_network_is_not_spoken_to,
);

pub(crate) const AUDIENCE: &str = "https://auth.example.com";
pub(crate) const SUBJECT: &str = "repo:acme/api:ref:refs/heads/main";

/// A key with a rule for the jobs of an issuer.
pub(crate) struct Trusted {
    pub(crate) issuer: JobIssuer,
    pub(crate) workspace: Workspace,
    pub(crate) admin: IssuedKey,
    pub(crate) key: IssuedKey,
    pub(crate) rule: String,
}

impl Trusted {
    pub(crate) async fn new(server: &TestServer) -> Self {
        let claims = json!({"owner_id": ["1234"], "sub": [SUBJECT, "repo:acme/api:ref:refs/tags/*"]});
        Self::with_claims(server, claims).await
    }

    pub(crate) async fn with_claims(server: &TestServer, claims: Value) -> Self {
        let issuer = JobIssuer::start();
        let workspace = server.workspace("Acme").await;
        let admin = server.admin(&workspace).await;
        let key = server
            .key(&workspace, KeyType::Agent, &["certificates:read"])
            .await;
        let mut body = body(issuer.issuer());
        body["claims"] = claims;
        let made = server.post(&path(&key), &admin, &body).await;
        assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
        let rule = made.body["id"].as_str().unwrap().to_owned();
        Self {
            issuer,
            workspace,
            admin,
            key,
            rule,
        }
    }
}

pub(crate) fn path(key: &IssuedKey) -> String {
    format!("/api/keys/{}/trust-rules", key.key.id)
}

fn body(issuer: &str) -> Value {
    json!({
        "name": "releases of acme/api",
        "issuer": issuer,
        "audience": AUDIENCE,
        "claims": {"sub": [SUBJECT]},
    })
}

async fn a_rule_is_made_listed_and_removed(server: TestServer) {
    let trusted = Trusted::new(&server).await;
    let all = path(&trusted.key);
    let one = format!("{all}/{}", trusted.rule);
    let shown = server.get(&one, &trusted.admin).await;
    assert_eq!(shown.status, 200);
    assert_eq!(
        shown.body,
        json!({
            "id": trusted.rule,
            "keyId": trusted.key.key.id.to_string(),
            "name": "releases of acme/api",
            "issuer": trusted.issuer.issuer(),
            "audience": AUDIENCE,
            "claims": {"owner_id": ["1234"], "sub": [SUBJECT, "repo:acme/api:ref:refs/tags/*"]},
            "createdBy": trusted.admin.key.id.to_string(),
            "createdAt": "2027-01-15T08:00:00Z",
        })
    );
    // Within a millisecond, ids are in no order.
    server.clock.advance(Duration::from_secs(1));
    let second = server
        .post(&all, &trusted.admin, &body(trusted.issuer.issuer()))
        .await;
    assert_eq!(second.status, 201);
    let place = format!("{all}/{}", second.body["id"].as_str().unwrap());
    assert_eq!(second.header("location"), place);
    let listed = server.get(&all, &trusted.admin).await;
    assert_eq!(
        listed.body,
        json!({"items": [second.body, shown.body], "nextCursor": null})
    );

    assert_eq!(server.delete(&one, &trusted.admin).await.status, 204);
    assert_eq!(
        server.delete(&one, &trusted.admin).await.problem(),
        (404, "NOT_FOUND")
    );
    assert_eq!(
        server.get(&one, &trusted.admin).await.problem(),
        (404, "NOT_FOUND")
    );
    let listed = server.get(&all, &trusted.admin).await;
    assert_eq!(listed.body["items"], json!([second.body]));
    // A rule of another key is none of this one.
    let other = server.key(&trusted.workspace, KeyType::Agent, &[]).await;
    let wrong = format!("{}/{}", path(&other), second.body["id"].as_str().unwrap());
    assert_eq!(server.get(&wrong, &trusted.admin).await.status, 404);
    assert_eq!(server.delete(&wrong, &trusted.admin).await.status, 404);
}

async fn what_makes_no_sense_is_refused_where_it_stands(server: TestServer) {
    let workspace = server.workspace("Acme").await;
    let admin = server.admin(&workspace).await;
    let key = server.key(&workspace, KeyType::Agent, &[]).await;
    let long = "x".repeat(256);
    for (field, value, pointer) in [
        ("name", json!(""), "/name"),
        ("name", json!("a\nb"), "/name"),
        ("issuer", json!("ci.example.com"), "/issuer"),
        ("issuer", json!("http://ci.example.com"), "/issuer"),
        ("issuer", json!("https://user:word@ci.example.com"), "/issuer"),
        ("issuer", json!("https://ci.example.com?a=b"), "/issuer"),
        ("issuer", json!("https://10.0.0.1"), "/issuer"),
        ("audience", json!(""), "/audience"),
        ("audience", json!(long), "/audience"),
        ("claims", json!({}), "/claims"),
        ("claims", json!({"sub": []}), "/claims/sub"),
        ("claims", json!({"sub": ["*"]}), "/claims/sub/0"),
        ("claims", json!({"sub": ["a/b/c", "repo:acme*"]}), "/claims/sub/1"),
        ("claims", json!({"a/b~c": ["*"]}), "/claims/a~1b~0c/0"),
        ("claims", json!({"aud": ["x"]}), "/claims/aud"),
        ("claims", json!({"sub": "x"}), "/claims/sub"),
        ("more", json!(1), "/more"),
    ] {
        let mut wrong = body("https://ci.example.com");
        wrong[field] = value;
        let answer = server.post(&path(&key), &admin, &wrong).await;
        assert_eq!(answer.problem(), (400, "VALIDATION_ERROR"), "{wrong}");
        assert_eq!(answer.pointers(), [pointer], "{wrong}");
    }
    assert_eq!(server.get(&path(&key), &admin).await.body["items"], json!([]));
}

async fn a_rule_by_which_everybody_would_get_in_is_refused(server: TestServer) {
    let workspace = server.workspace("Acme").await;
    let admin = server.admin(&workspace).await;
    let key = server.key(&workspace, KeyType::Agent, &[]).await;
    const GITHUB: &str = "https://token.actions.githubusercontent.com";
    for (issuer, claims, status) in [
        (GITHUB, json!({"ref": ["refs/heads/main"]}), 400),
        (GITHUB, json!({"sub": ["repo:*"]}), 400),
        (GITHUB, json!({"sub": ["repo:acme/*"]}), 201),
        ("https://gitlab.com", json!({"ref_protected": ["true"]}), 400),
        (
            "https://gitlab.com",
            json!({"project_id": ["7"], "ref_protected": ["true"]}),
            201,
        ),
    ] {
        let mut rule = body(issuer);
        rule["claims"] = claims;
        let answer = server.post(&path(&key), &admin, &rule).await;
        assert_eq!(answer.status, status, "{rule}");
        if status == 400 {
            assert_eq!(answer.pointers(), ["/claims"]);
        }
    }
}

async fn a_key_has_a_bounded_number_of_rules(server: TestServer) {
    let workspace = server.workspace("Acme").await;
    let admin = server.admin(&workspace).await;
    let key = server.key(&workspace, KeyType::Agent, &[]).await;
    let rule = body("https://ci.example.com");
    for _ in 0..20 {
        assert_eq!(server.post(&path(&key), &admin, &rule).await.status, 201);
    }
    let one_more = server.post(&path(&key), &admin, &rule).await;
    assert_eq!(one_more.problem(), (409, "CONFLICT"));
    let other = server.key(&workspace, KeyType::Agent, &[]).await;
    assert_eq!(server.post(&path(&other), &admin, &rule).await.status, 201);
}

async fn only_a_living_agent_key_has_rules(server: TestServer) {
    let workspace = server.workspace("Acme").await;
    let admin = server.admin(&workspace).await;
    let rule = body("https://ci.example.com");
    let public = server.key(&workspace, KeyType::Public, &[]).await;
    let answer = server.post(&path(&public), &admin, &rule).await;
    assert_eq!(answer.problem(), (400, "VALIDATION_ERROR"));
    let revoked = server.key(&workspace, KeyType::Agent, &[]).await;
    let revoke = format!("/api/keys/{}/revoke", revoked.key.id);
    assert_eq!(server.post(&revoke, &admin, &json!({})).await.status, 200);
    let answer = server.post(&path(&revoked), &admin, &rule).await;
    assert_eq!(answer.problem(), (409, "CONFLICT"));
}

async fn s22_nobody_gains_more_by_a_rule_than_it_holds(server: TestServer) {
    let workspace = server.workspace("Acme").await;
    let clerk = server
        .key(&workspace, KeyType::Agent, &["keys:read", "keys:write"])
        .await;
    let strong = server
        .key(&workspace, KeyType::Agent, &["certificates:write"])
        .await;
    let weak = server.key(&workspace, KeyType::Agent, &["keys:read"]).await;
    let rule = body("https://ci.example.com");
    let answer = server.post(&path(&strong), &clerk, &rule).await;
    assert_eq!(answer.problem(), (403, "FORBIDDEN"));
    assert_eq!(server.post(&path(&weak), &clerk, &rule).await.status, 201);
    // Who only reads keys makes none, and takes none away.
    let made = server.get(&path(&weak), &weak).await;
    assert_eq!(made.status, 200);
    let one = format!(
        "{}/{}",
        path(&weak),
        made.body["items"][0]["id"].as_str().unwrap()
    );
    assert_eq!(
        server.post(&path(&weak), &weak, &rule).await.problem(),
        (403, "FORBIDDEN")
    );
    assert_eq!(server.delete(&one, &weak).await.problem(), (403, "FORBIDDEN"));
    // Taking away gives nobody anything: it needs no more than the key's other ends.
    let admin = server.admin(&workspace).await;
    let made = server.post(&path(&strong), &admin, &rule).await;
    assert_eq!(made.status, 201);
    let one = format!("{}/{}", path(&strong), made.body["id"].as_str().unwrap());
    assert_eq!(server.delete(&one, &clerk).await.status, 204);
}

async fn s_a_personal_key_s_rules_are_its_owner_s(server: TestServer) {
    let workspace = server.workspace("Acme").await;
    let admin = server.admin(&workspace).await;
    let person = server.member(&workspace, Role::Member).await;
    let personal = server.personal(&workspace, person, &["certificates:read"]).await;
    let rule = body("https://ci.example.com");
    let answer = server.post(&path(&personal), &admin, &rule).await;
    assert_eq!(answer.problem(), (403, "FORBIDDEN"));
    let mut browser = Browser::signed_in(&server, person).await;
    let made = browser.post(&server, &path(&personal), &rule).await;
    assert_eq!(made.status, 201, "{made:?}");
    // A member sees no others' keys, and so none of their rules.
    let key = server.key(&workspace, KeyType::Agent, &[]).await;
    assert_eq!(browser.get(&server, &path(&key)).await.status, 404);
    assert_eq!(browser.post(&server, &path(&key), &rule).await.status, 404);
    // An admin may take them away, as it may revoke the key.
    let one = format!("{}/{}", path(&personal), made.body["id"].as_str().unwrap());
    assert_eq!(browser.get(&server, &one).await.status, 200);
    assert_eq!(server.delete(&one, &admin).await.status, 204);
    assert_eq!(browser.get(&server, &one).await.status, 404);
}

async fn s25_another_workspace_s_key_is_not_found(server: TestServer) {
    let trusted = Trusted::new(&server).await;
    let elsewhere = server.workspace("Elsewhere").await;
    let stranger = server.admin(&elsewhere).await;
    let all = path(&trusted.key);
    let one = format!("{all}/{}", trusted.rule);
    assert_eq!(server.get(&all, &stranger).await.problem(), (404, "NOT_FOUND"));
    assert_eq!(server.get(&one, &stranger).await.problem(), (404, "NOT_FOUND"));
    assert_eq!(server.delete(&one, &stranger).await.problem(), (404, "NOT_FOUND"));
    // What is wrong with the rule is told to nobody who cannot see the key.
    let wrong = json!({"name": "", "issuer": "", "audience": "", "claims": {}});
    assert_eq!(
        server.post(&all, &stranger, &wrong).await.problem(),
        (404, "NOT_FOUND")
    );
    let own = server.key(&elsewhere, KeyType::Agent, &[]).await;
    let misplaced = format!("{}/{}", path(&own), trusted.rule);
    assert_eq!(server.delete(&misplaced, &stranger).await.status, 404);
    assert_eq!(server.get(&one, &trusted.admin).await.status, 200);
}

async fn what_is_done_to_rules_is_in_the_audit_log(server: TestServer) {
    let trusted = Trusted::new(&server).await;
    let one = format!("{}/{}", path(&trusted.key), trusted.rule);
    assert_eq!(server.delete(&one, &trusted.admin).await.status, 204);
    let log = server
        .get("/api/audit/events?action=trust_rule.*", &trusted.admin)
        .await;
    let events = log.body["items"].as_array().unwrap();
    let actions: Vec<&Value> = events.iter().map(|event| &event["action"]).collect();
    assert_eq!(actions, ["trust_rule.deleted", "trust_rule.created"]);
    let key = trusted.key.key.id.to_string();
    assert!(
        events
            .iter()
            .all(|event| event["target"] == json!({"type": "key", "id": key}))
    );
    let set = |field: &str, after: &str| json!({"field": field, "before": null, "after": after});
    assert_eq!(
        events[1]["changes"],
        json!([
            set("trustRuleId", &trusted.rule),
            set("name", "releases of acme/api"),
            set("issuer", trusted.issuer.issuer()),
            set("audience", AUDIENCE),
            set("claims.owner_id", "1234"),
            set("claims.sub", &format!("{SUBJECT} repo:acme/api:ref:refs/tags/*")),
        ])
    );
}

async fn s_an_issuer_inside_the_network_is_not_spoken_to(server: TestServer) {
    let workspace = server.workspace("Acme").await;
    let key = server.key(&workspace, KeyType::Agent, &[]).await;
    for issuer in ["https://10.0.0.1", "https://[fd00::1]", "https://169.254.169.254"] {
        let rule = NewTrustRule {
            name: "inside".to_owned(),
            issuer: issuer.to_owned(),
            audience: AUDIENCE.to_owned(),
            claims: BTreeMap::from([("sub".to_owned(), vec![SUBJECT.to_owned()])]),
        };
        let made = server
            .trust_rules
            .create(&Actor::operator(), key.key.id, rule)
            .await;
        assert!(matches!(made, Err(FlowError::Invalid(_))), "{issuer}: {made:?}");
    }
}

//! Trust rules of keys: who makes them, and which jobs they let in.

use std::{collections::BTreeMap, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tigertrust_accounts::{
    Actor, FlowError, IssuedKey,
    trust_rules::{ExchangeError, Exchanged, NewTrustRule, TokenRefusal},
};
use tigertrust_model::{Clock, KeyType, Origin, Role, Workspace};
use tigertrust_testkit::{JobAlgorithm, JobIssuer, TestServer, on_both_engines};

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
    a_job_that_fulfils_a_rule_is_let_in_however_it_is_signed,
    s_a_token_that_is_not_right_lets_nobody_in,
    s_a_token_that_is_not_signed_by_the_issuer_lets_nobody_in,
    claims_are_compared_as_the_rule_has_them,
    s_unknown_keys_and_other_issuers_are_asked_for_nothing,
    a_rotated_signing_key_is_asked_for_once_and_made_up_ones_are_not,
    an_issuer_that_is_down_is_no_refusal,
    s_an_issuer_that_calls_itself_otherwise_is_not_believed,
    s_a_key_that_is_no_good_gives_no_job_a_token,
    a_removed_rule_lets_nobody_in_any_more,
    what_was_refused_is_counted_in_the_log_of_the_key_s_workspace,
    s_an_issuer_inside_the_network_is_not_spoken_to,
);

const AUDIENCE: &str = "https://auth.example.com";
const SUBJECT: &str = "repo:acme/api:ref:refs/heads/main";

/// A key with a rule for the jobs of an issuer.
struct Trusted {
    issuer: JobIssuer,
    workspace: Workspace,
    admin: IssuedKey,
    key: IssuedKey,
    rule: String,
}

impl Trusted {
    async fn new(server: &TestServer) -> Self {
        let claims = json!({"owner_id": ["1234"], "sub": [SUBJECT, "repo:acme/api:ref:refs/tags/*"]});
        Self::with_claims(server, claims).await
    }

    async fn with_claims(server: &TestServer, claims: Value) -> Self {
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

    /// What the issuer says of a job that fulfils the rule, but for what is said otherwise here.
    fn claims(&self, server: &TestServer, otherwise: &Value) -> Value {
        let now = server.clock.now().unix_micros() / 1_000_000;
        let mut claims = json!({
            "iss": self.issuer.issuer(),
            "aud": AUDIENCE,
            "sub": SUBJECT,
            "owner_id": 1234,
            "iat": now,
            "nbf": now,
            "exp": now + 300,
        });
        for (name, value) in otherwise.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
            .as_object_mut()
            .unwrap()
            .retain(|_, value| !value.is_null());
        claims
    }

    fn token(&self, server: &TestServer, otherwise: &Value) -> String {
        let claims = self.claims(server, otherwise);
        self.issuer.token(JobAlgorithm::Rs256, &claims)
    }

    async fn exchange(&self, server: &TestServer, token: &str) -> Result<Exchanged, ExchangeError> {
        let key = self.key.key.id.to_string();
        let now = server.clock.now();
        server
            .trust_rules
            .exchange(&key, token, Origin::default(), now)
            .await
    }

    /// Why a job with these claims is not let in.
    async fn refusal(&self, server: &TestServer, otherwise: Value) -> TokenRefusal {
        refusal(self.exchange(server, &self.token(server, &otherwise)).await)
    }
}

fn refusal(exchanged: Result<Exchanged, ExchangeError>) -> TokenRefusal {
    match exchanged {
        Err(ExchangeError::Refused(why)) => why,
        other => panic!("{other:?}"),
    }
}

fn path(key: &IssuedKey) -> String {
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

async fn a_job_that_fulfils_a_rule_is_let_in_however_it_is_signed(server: TestServer) {
    let trusted = Trusted::new(&server).await;
    for algorithm in [
        JobAlgorithm::Rs256,
        JobAlgorithm::Ps256,
        JobAlgorithm::Es256,
        JobAlgorithm::EdDsa,
    ] {
        let token = trusted
            .issuer
            .token(algorithm, &trusted.claims(&server, &json!({})));
        let exchanged = trusted.exchange(&server, &token).await.unwrap();
        assert_eq!(exchanged.record.key.id, trusted.key.key.id, "{algorithm:?}");
        assert_eq!(exchanged.record.secret_ends_at, None);
        assert_eq!(exchanged.job.issuer, trusted.issuer.issuer());
        assert_eq!(exchanged.job.subject.as_deref(), Some(SUBJECT));
        assert_eq!(exchanged.job.rule.to_string(), trusted.rule);
    }
    assert_eq!(trusted.issuer.asked(), 1, "keys are remembered");
    // Audiences may be a list, and the key is found by its present secret after a rotation, too.
    let rotate = format!("/api/keys/{}/rotate", trusted.key.key.id);
    let overlap = json!({"overlapSeconds": 600});
    assert_eq!(server.post(&rotate, &trusted.admin, &overlap).await.status, 200);
    let token = trusted.token(
        &server,
        &json!({"aud": ["others", AUDIENCE], "sub": "repo:acme/api:ref:refs/tags/v1"}),
    );
    let exchanged = trusted.exchange(&server, &token).await.unwrap();
    assert_eq!(exchanged.record.secret_ends_at, None);
}

async fn s_a_token_that_is_not_right_lets_nobody_in(server: TestServer) {
    let trusted = Trusted::new(&server).await;
    let now = server.clock.now().unix_micros() / 1_000_000;
    for (otherwise, expected) in [
        (json!({"iss": "https://ci.example.com"}), TokenRefusal::Issuer),
        (
            json!({"iss": format!("{}/", trusted.issuer.issuer())}),
            TokenRefusal::Issuer,
        ),
        (json!({"iss": null}), TokenRefusal::Malformed),
        (
            json!({"aud": "https://other.example.com"}),
            TokenRefusal::Audience,
        ),
        (json!({"aud": []}), TokenRefusal::Audience),
        (json!({"aud": null}), TokenRefusal::Audience),
        (
            json!({"aud": {"https://auth.example.com": true}}),
            TokenRefusal::Audience,
        ),
        (json!({"exp": now - 60}), TokenRefusal::Expired),
        (json!({"exp": null}), TokenRefusal::Malformed),
        (json!({"exp": "never"}), TokenRefusal::Malformed),
        (json!({"nbf": now + 61}), TokenRefusal::NotYetValid),
        (json!({"iat": now + 61}), TokenRefusal::NotYetValid),
        (json!({"iat": null}), TokenRefusal::Malformed),
        (
            json!({"owner_id": 12345}),
            TokenRefusal::Claim("owner_id".to_owned()),
        ),
        (
            json!({"owner_id": null}),
            TokenRefusal::Claim("owner_id".to_owned()),
        ),
        (
            json!({"sub": "repo:acme/api2:ref:refs/heads/main"}),
            TokenRefusal::Claim("sub".to_owned()),
        ),
    ] {
        assert_eq!(
            trusted.refusal(&server, otherwise.clone()).await,
            expected,
            "{otherwise}"
        );
    }
    // Clocks may differ by a minute.
    for otherwise in [
        json!({"exp": now - 59}),
        json!({"nbf": now + 60, "iat": now + 60}),
    ] {
        let token = trusted.token(&server, &otherwise);
        assert!(trusted.exchange(&server, &token).await.is_ok(), "{otherwise}");
    }
    let token = trusted.token(&server, &json!({}));
    server.clock.advance(Duration::from_secs(300 + 60));
    assert_eq!(
        refusal(trusted.exchange(&server, &token).await),
        TokenRefusal::Expired
    );
}

async fn s_a_token_that_is_not_signed_by_the_issuer_lets_nobody_in(server: TestServer) {
    let trusted = Trusted::new(&server).await;
    let claims = trusted.claims(&server, &json!({}));
    let good = trusted.issuer.token(JobAlgorithm::Es256, &claims);
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let unsigned = |alg: &str| format!("{}.{}.", encoded(&json!({"alg": alg})), encoded(&claims));
    let with = |header: Value| trusted.issuer.token_with_header(&header, &claims);
    let foreign = JobIssuer::start();
    let other_claims = trusted.claims(&server, &json!({"owner_id": "1"}));
    let other = trusted.issuer.token(JobAlgorithm::Es256, &other_claims);
    let (head, rest) = signed.split_once('.').unwrap();
    assert!(!rest.is_empty());
    let exchanged_claims = format!("{head}.{}.{signature}", other.split('.').nth(1).unwrap());
    for (token, expected) in [
        (unsigned("none"), TokenRefusal::Kind),
        (unsigned("None"), TokenRefusal::Malformed),
        (format!("{signed}."), TokenRefusal::Signature),
        (exchanged_claims, TokenRefusal::Signature),
        // By another issuer's key of the same name.
        (
            foreign.token(JobAlgorithm::Es256, &claims),
            TokenRefusal::Signature,
        ),
        (
            foreign.token(JobAlgorithm::Rs256, &claims),
            TokenRefusal::Signature,
        ),
        // A public key is no secret.
        (
            trusted.issuer.confused_token(JobAlgorithm::Rs256, &claims),
            TokenRefusal::Kind,
        ),
        (
            trusted.issuer.confused_token(JobAlgorithm::Es256, &claims),
            TokenRefusal::Kind,
        ),
        // By a key of another algorithm than the header names.
        (
            with(json!({"alg": "RS256", "kid": "ES256-1"})),
            TokenRefusal::Signature,
        ),
        (
            with(json!({"alg": "ES256", "kid": "RS256-1"})),
            TokenRefusal::Signature,
        ),
        (
            with(json!({"alg": "ES256", "kid": "ES256-9"})),
            TokenRefusal::SigningKey,
        ),
        // Of another kind.
        (
            with(json!({"alg": "ES256", "kid": "ES256-1", "typ": "at+jwt"})),
            TokenRefusal::Kind,
        ),
        (
            with(json!({"alg": "ES256", "kid": "ES256-1", "typ": "logout+jwt"})),
            TokenRefusal::Kind,
        ),
        (
            with(json!({"alg": "ES256", "kid": "ES256-1", "crit": ["x"], "x": 1})),
            TokenRefusal::Kind,
        ),
        (
            with(json!({"alg": "ES256", "kid": "ES256-1", "cty": "JWT"})),
            TokenRefusal::Kind,
        ),
        (String::new(), TokenRefusal::Malformed),
        ("a.b.c".to_owned(), TokenRefusal::Malformed),
        (format!("{good}.x"), TokenRefusal::Malformed),
        (signed.to_owned(), TokenRefusal::Malformed),
    ] {
        assert_eq!(
            refusal(trusted.exchange(&server, &token).await),
            expected,
            "{token}"
        );
    }
    assert!(trusted.exchange(&server, &good).await.is_ok());
    // A header without the name of a key is any key's, and a key that the token brings along is not looked at.
    let nameless = with(json!({"alg": "ES256", "typ": "JWT"}));
    assert!(trusted.exchange(&server, &nameless).await.is_ok());
    let brought = foreign.token_with_header(
        &json!({"alg": "ES256", "jku": format!("{}/keys", foreign.issuer())}),
        &claims,
    );
    assert_eq!(
        refusal(trusted.exchange(&server, &brought).await),
        TokenRefusal::Signature
    );
    assert_eq!(foreign.asked(), 0);
}

async fn claims_are_compared_as_the_rule_has_them(server: TestServer) {
    let claims = json!({
        "sub": ["project_path:acme/*"],
        "protected": ["true"],
        "groups": ["release", "ops"],
        "ref": ["refs/tags/v1", "refs/heads/*"],
    });
    let trusted = Trusted::with_claims(&server, claims).await;
    let good = json!({
        "sub": "project_path:acme/api", "protected": true, "groups": ["staff", "ops"], "ref": "refs/heads/x",
    });
    let token = trusted.token(&server, &good);
    assert!(trusted.exchange(&server, &token).await.is_ok());
    for (name, value, lets_in) in [
        ("protected", json!("true"), true),
        ("protected", json!(false), false),
        ("protected", json!("TRUE"), false),
        ("groups", json!("release"), true),
        ("groups", json!([]), false),
        ("groups", json!(["operations"]), false),
        ("groups", json!([["ops"]]), false),
        ("groups", json!({"ops": true}), false),
        ("ref", json!("refs/tags/v1"), true),
        ("ref", json!("refs/tags/v1.1"), false),
        ("ref", json!("refs/heads"), false),
        ("sub", json!("project_path:acme-evil/api"), false),
        ("sub", json!("project_path:acme"), false),
        ("sub", json!("PROJECT_PATH:acme/api"), false),
    ] {
        let mut claims = good.clone();
        claims[name] = value;
        let exchanged = trusted.exchange(&server, &trusted.token(&server, &claims)).await;
        assert_eq!(exchanged.is_ok(), lets_in, "{claims}");
    }
}

async fn s_unknown_keys_and_other_issuers_are_asked_for_nothing(server: TestServer) {
    let trusted = Trusted::new(&server).await;
    let token = trusted.token(&server, &json!({}));
    let without_rules = server.key(&trusted.workspace, KeyType::Agent, &[]).await;
    for key in [
        "",
        "key_",
        "key_00000000000000000000000000",
        &without_rules.key.id.to_string(),
        &trusted.rule,
    ] {
        let now = server.clock.now();
        let exchanged = server
            .trust_rules
            .exchange(key, &token, Origin::default(), now)
            .await;
        assert_eq!(refusal(exchanged), TokenRefusal::UnknownKey, "{key}");
    }
    // The key of another workspace with a rule of its own for another issuer.
    let other = Trusted::new(&server).await;
    assert_eq!(
        refusal(other.exchange(&server, &token).await),
        TokenRefusal::Issuer
    );
    assert_eq!((trusted.issuer.asked(), other.issuer.asked()), (0, 0));
}

async fn a_rotated_signing_key_is_asked_for_once_and_made_up_ones_are_not(server: TestServer) {
    let trusted = Trusted::new(&server).await;
    assert!(
        trusted
            .exchange(&server, &trusted.token(&server, &json!({})))
            .await
            .is_ok()
    );
    assert_eq!(trusted.issuer.asked(), 1);
    let old = trusted.token(
        &server,
        &json!({"exp": server.clock.now().unix_micros() / 1_000_000 + 3_000}),
    );
    server.clock.advance(Duration::from_secs(60));
    trusted.issuer.rotate();
    assert!(
        trusted
            .exchange(&server, &trusted.token(&server, &json!({})))
            .await
            .is_ok()
    );
    assert_eq!(trusted.issuer.asked(), 2);
    // What the issuer publishes no longer has ended, and is asked for once a minute at the most.
    for _ in 0..5 {
        assert_eq!(
            refusal(trusted.exchange(&server, &old).await),
            TokenRefusal::SigningKey
        );
    }
    assert_eq!(trusted.issuer.asked(), 2);
    server.clock.advance(Duration::from_secs(60));
    for _ in 0..5 {
        assert_eq!(
            refusal(trusted.exchange(&server, &old).await),
            TokenRefusal::SigningKey
        );
    }
    assert_eq!(trusted.issuer.asked(), 3);
    // After an hour all of it is asked for again.
    server.clock.advance(Duration::from_secs(60 * 60));
    assert!(
        trusted
            .exchange(&server, &trusted.token(&server, &json!({})))
            .await
            .is_ok()
    );
    assert_eq!(trusted.issuer.asked(), 4);
}

async fn an_issuer_that_is_down_is_no_refusal(server: TestServer) {
    let trusted = Trusted::new(&server).await;
    trusted.issuer.answer(500);
    let token = trusted.token(&server, &json!({}));
    for _ in 0..3 {
        let exchanged = trusted.exchange(&server, &token).await;
        assert!(
            matches!(exchanged, Err(ExchangeError::IssuerUnavailable(_))),
            "{exchanged:?}"
        );
    }
    trusted.issuer.answer(200);
    server.clock.advance(Duration::from_secs(10));
    assert!(trusted.exchange(&server, &token).await.is_ok());
    // What is known of it lasts, whether it is up or not.
    trusted.issuer.answer(500);
    assert!(trusted.exchange(&server, &token).await.is_ok());
}

async fn s_an_issuer_that_calls_itself_otherwise_is_not_believed(server: TestServer) {
    let trusted = Trusted::new(&server).await;
    trusted
        .issuer
        .call_itself("https://token.actions.githubusercontent.com");
    let token = trusted.token(&server, &json!({}));
    let why = refusal(trusted.exchange(&server, &token).await);
    assert!(matches!(why, TokenRefusal::IssuerUnusable(_)), "{why}");
}

async fn s_a_key_that_is_no_good_gives_no_job_a_token(server: TestServer) {
    let switched_off = Trusted::new(&server).await;
    let token = switched_off.token(&server, &json!({}));
    let one = format!("/api/keys/{}", switched_off.key.key.id);
    let off = json!({"active": false});
    assert_eq!(server.patch(&one, &switched_off.admin, &off).await.status, 200);
    assert_eq!(
        refusal(switched_off.exchange(&server, &token).await),
        TokenRefusal::KeyNotGood
    );
    let on = json!({"active": true});
    assert_eq!(server.patch(&one, &switched_off.admin, &on).await.status, 200);
    assert!(switched_off.exchange(&server, &token).await.is_ok());

    let revoked = Trusted::new(&server).await;
    let token = revoked.token(&server, &json!({}));
    let revoke = format!("/api/keys/{}/revoke", revoked.key.key.id);
    assert_eq!(server.post(&revoke, &revoked.admin, &json!({})).await.status, 200);
    assert_eq!(
        refusal(revoked.exchange(&server, &token).await),
        TokenRefusal::KeyNotGood
    );

    let deleted = Trusted::new(&server).await;
    let token = deleted.token(&server, &json!({}));
    let operator = Actor::operator();
    server
        .workspaces
        .delete(&operator, deleted.workspace.id)
        .await
        .unwrap();
    assert_eq!(
        refusal(deleted.exchange(&server, &token).await),
        TokenRefusal::KeyNotGood
    );
}

async fn a_removed_rule_lets_nobody_in_any_more(server: TestServer) {
    let trusted = Trusted::new(&server).await;
    let token = trusted.token(&server, &json!({}));
    assert!(trusted.exchange(&server, &token).await.is_ok());
    let one = format!("{}/{}", path(&trusted.key), trusted.rule);
    assert_eq!(server.delete(&one, &trusted.admin).await.status, 204);
    assert_eq!(
        refusal(trusted.exchange(&server, &token).await),
        TokenRefusal::UnknownKey
    );
}

async fn what_was_refused_is_counted_in_the_log_of_the_key_s_workspace(server: TestServer) {
    let trusted = Trusted::new(&server).await;
    for _ in 0..3 {
        trusted
            .refusal(&server, json!({"sub": "repo:acme/api:pull_request"}))
            .await;
    }
    let foreign = JobIssuer::start();
    let forged = foreign.token(
        JobAlgorithm::Es256,
        &trusted.claims(&server, &json!({"sub": "forged"})),
    );
    refusal(trusted.exchange(&server, &forged).await);
    server.flush_refusals().await;
    let log = server
        .get("/api/audit/events?action=token.refused", &trusted.admin)
        .await;
    let events = log.body["items"].as_array().unwrap();
    assert_eq!(events.len(), 2, "{events:?}");
    let of = |code: &str| events.iter().find(|event| event["code"] == code).unwrap();
    let claim = of("CLAIM");
    assert_eq!(claim["count"], 3);
    assert_eq!(claim["outcome"], "refused");
    assert_eq!(claim["actor"]["type"], "anonymous");
    assert_eq!(claim["target"]["id"], trusted.key.key.id.to_string());
    assert_eq!(
        claim["details"],
        json!({"claim": "sub", "issuer": trusted.issuer.issuer(), "subject": "repo:acme/api:pull_request"})
    );
    // What nobody has vouched for is not repeated.
    assert_eq!(of("SIGNATURE")["details"], json!({}));
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

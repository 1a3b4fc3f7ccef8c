//! The tokens of jobs: which of them a trust rule lets in, and what they are exchanged for.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::Method;
use serde_json::{Value, json};
use tigertrust_accounts::{
    Actor,
    trust_rules::{ExchangeError, Exchanged, TokenRefusal},
};
use tigertrust_credentials::rate_limit::{Limits, Quota};
use tigertrust_model::{Clock, KeyType, Origin};
use tigertrust_testkit::{Answer, JobAlgorithm, JobIssuer, TestServer, on_both_engines, send};

use crate::trust_rules::{AUDIENCE, SUBJECT, Trusted, path};

on_both_engines!(
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
    a_job_exchanges_its_token_for_one_of_the_key,
    s_every_refusal_is_answered_alike,
    what_is_asked_for_beyond_the_key_is_refused,
    s_refused_jobs_count_as_failed_credentials_of_their_network,
    an_issuer_that_is_down_is_503_and_no_failure,
);

impl Trusted {
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

    /// What `POST /api/tokens` answers to a job at an address.
    async fn post(&self, server: &TestServer, token: &str, asked: &Value, address: &str) -> Answer {
        let mut body = json!({"keyId": self.key.key.id.to_string(), "oidcToken": token});
        for (name, value) in asked.as_object().unwrap() {
            body[name] = value.clone();
        }
        let request = server.request(Method::POST, "/api/tokens").json(&body);
        send(request.header("x-forwarded-for", address)).await
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

const RUNNER: &str = "203.0.113.9";

async fn a_job_exchanges_its_token_for_one_of_the_key(server: TestServer) {
    let trusted = Trusted::new(&server).await;
    let oidc = trusted.token(&server, &json!({}));
    let answer = trusted
        .post(&server, &oidc, &json!({"expiresInSeconds": 300}), RUNNER)
        .await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let key = trusted.key.key.id.to_string();
    assert_eq!(answer.body["keyId"], key);
    assert_eq!(answer.body["workspaceId"], trusted.workspace.id.to_string());
    assert_eq!(answer.body["scopes"], json!(["certificates:read"]));
    assert_eq!(answer.body["expiresAt"], "2027-01-15T08:05:00Z");
    let token = answer.body["token"].as_str().unwrap();
    let me = send(server.request(Method::GET, "/api/auth/me").bearer_auth(token)).await;
    assert_eq!(
        (me.status.as_u16(), &me.body["keyId"]),
        (200, &json!(key)),
        "{me:?}"
    );

    let log = server
        .get("/api/audit/events?action=token.issued", &trusted.admin)
        .await;
    let event = &log.body["items"][0];
    assert_eq!(
        event["actor"],
        json!({"type": "provider", "id": trusted.issuer.issuer(), "credentialId": null})
    );
    assert_eq!(event["target"], json!({"type": "key", "id": key}));
    assert_eq!(event["origin"]["address"], RUNNER);
    let set = |field: &str, after: &str| json!({"field": field, "before": null, "after": after});
    assert_eq!(
        event["changes"],
        json!([
            set("tokenId", answer.body["tokenId"].as_str().unwrap()),
            set("scopes", "certificates:read"),
            set("workspaceId", &trusted.workspace.id.to_string()),
            set("expiresAt", "2027-01-15T08:05:00Z"),
            set("issuer", trusted.issuer.issuer()),
            set("subject", SUBJECT),
            set("trustRuleId", &trusted.rule),
        ])
    );
    assert!(!log.body.to_string().contains(&oidc) && !log.body.to_string().contains(token));

    // A rule that is gone gives out no more; what it gave out goes on until the key ends.
    let one = format!("{}/{}", path(&trusted.key), trusted.rule);
    assert_eq!(server.delete(&one, &trusted.admin).await.status, 204);
    let refused = trusted.post(&server, &oidc, &json!({}), RUNNER).await;
    assert_eq!(refused.problem(), (401, "UNAUTHORIZED"));
    let me = async || send(server.request(Method::GET, "/api/auth/me").bearer_auth(token)).await;
    assert_eq!(me().await.status, 200);
    let revoke = format!("/api/keys/{key}/revoke");
    assert_eq!(server.post(&revoke, &trusted.admin, &json!({})).await.status, 200);
    assert_eq!(me().await.problem(), (401, "KEY_REVOKED"));
}

async fn s_every_refusal_is_answered_alike(server: TestServer) {
    let trusted = Trusted::new(&server).await;
    let good = trusted.token(&server, &json!({}));
    let foreign = JobIssuer::start();
    let forged = foreign.token(JobAlgorithm::Rs256, &trusted.claims(&server, &json!({})));
    let gone = Trusted::new(&server).await;
    let token_of_gone = gone.token(&server, &json!({}));
    let revoke = format!("/api/keys/{}/revoke", gone.key.key.id);
    assert_eq!(server.post(&revoke, &gone.admin, &json!({})).await.status, 200);
    let without_rules = server.key(&trusted.workspace, KeyType::Agent, &[]).await;
    let asked = |key: &str| json!({"keyId": key});
    let none = json!({});
    let answers = [
        trusted
            .post(
                &server,
                &trusted.token(&server, &json!({"sub": "x"})),
                &none,
                RUNNER,
            )
            .await,
        trusted
            .post(
                &server,
                &trusted.token(&server, &json!({"aud": "x"})),
                &none,
                RUNNER,
            )
            .await,
        trusted
            .post(
                &server,
                &trusted.token(&server, &json!({"iss": "https://x.example"})),
                &none,
                RUNNER,
            )
            .await,
        trusted
            .post(
                &server,
                &trusted.token(&server, &json!({"exp": 1})),
                &none,
                RUNNER,
            )
            .await,
        trusted.post(&server, &forged, &none, RUNNER).await,
        trusted.post(&server, "nonsense", &none, RUNNER).await,
        trusted
            .post(&server, &good, &asked("key_00000000000000000000000000"), RUNNER)
            .await,
        trusted.post(&server, &good, &asked("nonsense"), RUNNER).await,
        trusted
            .post(&server, &good, &asked(&without_rules.key.id.to_string()), RUNNER)
            .await,
        trusted
            .post(&server, &good, &asked(&gone.key.key.id.to_string()), RUNNER)
            .await,
        gone.post(&server, &token_of_gone, &none, RUNNER).await,
        // What is wrong with what is asked for is told to those alone who get in.
        trusted
            .post(&server, &forged, &json!({"expiresInSeconds": 1}), RUNNER)
            .await,
    ];
    for answer in &answers {
        assert_eq!(answer.problem(), (401, "UNAUTHORIZED"), "{answer:?}");
        assert_eq!(answer.body["detail"], answers[0].body["detail"]);
        assert_eq!(
            answer.header("www-authenticate"),
            answers[0].header("www-authenticate")
        );
    }
    let told = trusted
        .post(&server, &good, &json!({"expiresInSeconds": 1}), RUNNER)
        .await;
    assert_eq!(
        (told.problem(), told.pointers()),
        ((400, "VALIDATION_ERROR"), vec!["/expiresInSeconds"])
    );
}

async fn what_is_asked_for_beyond_the_key_is_refused(server: TestServer) {
    let trusted = Trusted::new(&server).await;
    let oidc = trusted.token(&server, &json!({}));
    let beyond = json!({"scopes": ["certificates:write"]});
    assert_eq!(
        trusted.post(&server, &oidc, &beyond, RUNNER).await.problem(),
        (403, "FORBIDDEN")
    );
    let elsewhere = server.workspace("Elsewhere").await;
    let foreign = json!({"workspaceId": elsewhere.id.to_string()});
    assert_eq!(
        trusted.post(&server, &oidc, &foreign, RUNNER).await.problem(),
        (403, "WORKSPACE_ACCESS_DENIED")
    );
    // The key's networks hold for jobs, too.
    let bound = json!({"allowedCidrs": ["198.51.100.0/24"]});
    let one = format!("/api/keys/{}", trusted.key.key.id);
    assert_eq!(server.patch(&one, &trusted.admin, &bound).await.status, 200);
    assert_eq!(
        trusted.post(&server, &oidc, &json!({}), RUNNER).await.problem(),
        (403, "FORBIDDEN")
    );
    assert_eq!(
        trusted
            .post(&server, &oidc, &json!({}), "198.51.100.7")
            .await
            .status,
        201
    );
}

async fn s_refused_jobs_count_as_failed_credentials_of_their_network(server: TestServer) {
    let server = server
        .limited(Limits {
            failures: Quota::per_minute(5),
            ..Limits::default()
        })
        .await;
    let trusted = Trusted::new(&server).await;
    let wrong = trusted.token(&server, &json!({"sub": "x"}));
    for _ in 0..5 {
        let refused = trusted.post(&server, &wrong, &json!({}), RUNNER).await;
        assert_eq!(refused.problem(), (401, "UNAUTHORIZED"));
    }
    let throttled = trusted.post(&server, &wrong, &json!({}), RUNNER).await;
    assert_eq!(throttled.problem(), (429, "RATE_LIMITED"));
    assert_eq!(throttled.body["violatedPolicies"], json!(["failures"]));
    // Jobs that are let in are not kept out, and other networks are not concerned.
    let good = trusted.token(&server, &json!({}));
    assert_eq!(trusted.post(&server, &good, &json!({}), RUNNER).await.status, 201);
    let elsewhere = trusted.post(&server, &wrong, &json!({}), "198.51.100.7").await;
    assert_eq!(elsewhere.problem(), (401, "UNAUTHORIZED"));
}

async fn an_issuer_that_is_down_is_503_and_no_failure(server: TestServer) {
    let server = server
        .limited(Limits {
            failures: Quota::per_minute(2),
            ..Limits::default()
        })
        .await;
    let trusted = Trusted::new(&server).await;
    trusted.issuer.answer(503);
    let good = trusted.token(&server, &json!({}));
    for _ in 0..4 {
        let down = trusted.post(&server, &good, &json!({}), RUNNER).await;
        assert_eq!(down.problem(), (503, "SERVICE_UNAVAILABLE"));
        assert_eq!(down.header("retry-after"), "10");
    }
    trusted.issuer.answer(200);
    server.clock.advance(Duration::from_secs(10));
    assert_eq!(trusted.post(&server, &good, &json!({}), RUNNER).await.status, 201);
    // Whoever names an issuer that no rule names is no better off while it is down.
    let other = trusted.token(&server, &json!({"iss": "https://down.example"}));
    assert_eq!(
        trusted.post(&server, &other, &json!({}), RUNNER).await.problem(),
        (401, "UNAUTHORIZED")
    );
}

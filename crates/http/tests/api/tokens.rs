//! `POST /api/tokens`, what its tokens open, and when they end.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tigertrust_accounts::{IssuedKey, ReachRequest};
use tigertrust_credentials::{ACCESS_TOKEN_PREFIX, SigningKey, SigningRing};
use tigertrust_model::{KeyType, Role};
use tigertrust_testkit::{Answer, TestServer, eventually, on_both_engines, send};

on_both_engines!(
    a_token_acts_as_its_key_in_one_workspace_for_its_scopes_alone,
    a_token_says_what_the_documentation_says,
    a_token_ends_with_the_key_that_signed_it,
    a_token_ends_with_its_time_and_never_outlives_its_key,
    a_revoked_key_s_tokens_are_refused_at_once_also_elsewhere,
    a_token_ends_with_the_secret_that_it_was_exchanged_for,
    what_a_key_loses_its_tokens_lose,
    a_token_spends_its_key_s_limits,
    a_token_is_verified_for_others_as_its_key,
    a_token_gives_nothing_of_its_key_away_that_it_lacks,
    an_instance_key_s_token_is_confined_to_the_workspace_that_it_names,
    who_may_not_have_a_token_gets_none,
    what_makes_no_sense_is_400,
    a_forged_token_is_refused_whatever_it_says,
    each_token_is_in_the_audit_log,
);

async fn exchange(server: &TestServer, key: &str, body: &Value) -> Answer {
    send(
        server
            .request(Method::POST, "/api/tokens")
            .header("X-Agent-API-Key", key)
            .json(body),
    )
    .await
}

async fn token(server: &TestServer, key: &IssuedKey, body: &Value) -> String {
    let answer = exchange(server, key.secret.reveal(), body).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
    answer.body["token"].as_str().unwrap().to_owned()
}

async fn get(server: &TestServer, path: &str, token: &str) -> Answer {
    send(server.request(Method::GET, path).bearer_auth(token)).await
}

async fn post(server: &TestServer, path: &str, token: &str, body: &Value) -> Answer {
    send(server.request(Method::POST, path).bearer_auth(token).json(body)).await
}

/// The part of a token that is JSON.
fn part(token: &str, place: usize) -> Value {
    let part = token.split('.').nth(place).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

async fn a_token_acts_as_its_key_in_one_workspace_for_its_scopes_alone(server: TestServer) {
    let (home, other) = (server.workspace("Home").await, server.workspace("Other").await);
    let reach = ReachRequest::Workspace {
        home: home.id,
        others: vec![other.id.to_string()],
    };
    let key = server
        .issue(KeyType::Agent, &["certificates:*", "agents:report"], reach)
        .await;
    let body = json!({"scopes": ["certificates:read"], "workspaceId": other.id.to_string()});
    let token = token(&server, &key, &body).await;
    let me = get(&server, "/api/auth/me", &token).await;
    assert_eq!(me.status, StatusCode::OK);
    assert_eq!(me.body["keyId"], key.key.id.to_string());
    assert_eq!(me.body["workspace"]["id"], other.id.to_string());
    assert_eq!(me.body["scopes"], json!(["certificates:read"]));
    assert_eq!(me.body["expiresAt"], "2027-01-15T08:10:00Z");

    let check = |scope: &str| format!("/api/auth/check?type=agent&scope={scope}");
    let passed = get(&server, &check("certificates:read"), &token).await;
    assert_eq!(passed.status, StatusCode::OK);
    assert_eq!(passed.header("x-auth-key-id"), key.key.id.to_string());
    assert_eq!(passed.header("x-auth-scopes"), "certificates:read");
    assert_eq!(passed.header("x-auth-workspace-id"), other.id.to_string());
    for scope in ["certificates:write", "agents:report"] {
        assert_eq!(
            get(&server, &check(scope), &token).await.problem(),
            (403, "FORBIDDEN")
        );
    }
    let elsewhere = server
        .request(Method::GET, "/api/auth/me")
        .bearer_auth(&token)
        .header("X-Workspace-ID", home.id.to_string());
    assert_eq!(send(elsewhere).await.problem(), (403, "WORKSPACE_ACCESS_DENIED"));
    // The key itself is as it was.
    assert_eq!(
        server.get(&check("agents:report"), &key).await.status,
        StatusCode::OK
    );
}

async fn a_token_says_what_the_documentation_says(server: TestServer) {
    let home = server.workspace("Home").await;
    let key = server
        .key(&home, KeyType::Agent, &["certificates:read", "agents:report"])
        .await;
    let answer = exchange(&server, key.secret.reveal(), &json!({})).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let token = answer.body["token"].as_str().unwrap();
    assert!(token.starts_with(ACCESS_TOKEN_PREFIX));
    let keys = server.request(Method::GET, "/.well-known/jwks.json");
    let keys = send(keys).await;
    assert_eq!(keys.header("cache-control"), "public, max-age=300");
    let jwk = &keys.body["keys"][0];
    for (member, value) in [
        ("kty", "OKP"),
        ("crv", "Ed25519"),
        ("use", "sig"),
        ("alg", "EdDSA"),
    ] {
        assert_eq!(jwk[member], value);
    }
    assert_eq!(
        part(token, 0),
        json!({"alg": "EdDSA", "typ": "at+jwt", "kid": jwk["kid"]})
    );
    let mut claims = part(token, 1);
    let secret = claims.as_object_mut().unwrap().remove("secret").unwrap();
    assert_eq!(secret.as_str().unwrap().len(), 43);
    let change = claims.as_object_mut().unwrap().remove("change").unwrap();
    assert!(change.as_u64().unwrap() > 0);
    let id = key.key.id.to_string();
    assert_eq!(
        claims,
        json!({
            "iss": server.base_url(), "aud": server.base_url(), "sub": id, "client_id": id,
            "jti": answer.body["tokenId"], "iat": 1_800_000_000, "exp": 1_800_000_600,
            "scope": "agents:report certificates:read",
            "workspaceId": home.id.to_string(), "homeWorkspaceId": home.id.to_string(),
            "keyType": "agent", "name": key.key.name, "plan": "free",
        })
    );
    // Another implementation of the signature agrees.
    let x: [u8; 32] = URL_SAFE_NO_PAD
        .decode(jwk["x"].as_str().unwrap())
        .unwrap()
        .try_into()
        .unwrap();
    let (message, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    aws_lc_rs::signature::UnparsedPublicKey::new(&aws_lc_rs::signature::ED25519, x)
        .verify(message.as_bytes(), &signature)
        .unwrap();
}

async fn a_token_ends_with_the_key_that_signed_it(server: TestServer) {
    let home = server.workspace("Home").await;
    let key = server.key(&home, KeyType::Agent, &["certificates:read"]).await;
    let seen = token(&server, &key, &json!({})).await;
    assert_eq!(get(&server, "/api/auth/me", &seen).await.status, StatusCode::OK);
    let ring = |ids: &[&str]| {
        let keys = ids
            .iter()
            .map(|id| SigningKey::new(id, &id.repeat(22)[..43]).unwrap());
        SigningRing::new(keys.collect()).unwrap()
    };
    server.signing.replace_but_keep(&ring(&["s2"]), &["s1"]);
    assert_eq!(get(&server, "/api/auth/me", &seen).await.status, StatusCode::OK);
    // It may have leaked, so that what was remembered of its tokens says nothing either.
    server.signing.replace(&ring(&["s2"]));
    assert_eq!(get(&server, "/api/auth/me", &seen).await.problem().0, 401);
    let new = token(&server, &key, &json!({})).await;
    assert_eq!(get(&server, "/api/auth/me", &new).await.status, StatusCode::OK);
}

async fn a_token_ends_with_its_time_and_never_outlives_its_key(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let key = server.key(&home, KeyType::Agent, &["certificates:read"]).await;
    let short = token(&server, &key, &json!({"expiresInSeconds": 300})).await;
    server.clock.advance(Duration::from_secs(299));
    assert_eq!(get(&server, "/api/auth/me", &short).await.status, StatusCode::OK);
    server.clock.advance(Duration::from_secs(1));
    let over = get(&server, "/api/auth/me", &short).await;
    assert_eq!(over.problem(), (401, "TOKEN_EXPIRED"));
    assert!(over.header("www-authenticate").contains("invalid_token"));
    // One that was never seen while it was good says the same.
    let unseen = token(&server, &key, &json!({"expiresInSeconds": 300})).await;
    server.clock.advance(Duration::from_secs(301));
    assert_eq!(
        get(&server, "/api/auth/me", &unseen).await.problem(),
        (401, "TOKEN_EXPIRED")
    );

    let path = format!("/api/keys/{}", key.key.id);
    let end = json!({"expiresAt": "2027-01-15T08:11:01.500Z"});
    assert_eq!(server.patch(&path, &admin, &end).await.status, StatusCode::OK);
    let capped = exchange(&server, key.secret.reveal(), &json!({"expiresInSeconds": 900})).await;
    assert_eq!(capped.body["expiresAt"], "2027-01-15T08:11:01Z");
}

async fn a_revoked_key_s_tokens_are_refused_at_once_also_elsewhere(server: TestServer) {
    let second = server.second().await;
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let key = server.key(&home, KeyType::Agent, &["certificates:read"]).await;
    let token = token(&server, &key, &json!({})).await;
    assert_eq!(get(&second, "/api/auth/me", &token).await.status, StatusCode::OK);
    assert_eq!(get(&server, "/api/auth/me", &token).await.status, StatusCode::OK);
    let path = format!("/api/keys/{}/revoke", key.key.id);
    assert_eq!(
        server.post(&path, &admin, &json!({})).await.status,
        StatusCode::OK
    );
    assert_eq!(
        get(&server, "/api/auth/me", &token).await.problem(),
        (401, "KEY_REVOKED")
    );
    assert_eq!(
        get(&server, "/api/auth/check", &token).await.problem(),
        (401, "KEY_REVOKED")
    );
    eventually((401, "KEY_REVOKED".to_owned()), async || {
        let answer = get(&second, "/api/auth/me", &token).await;
        (answer.status.as_u16(), answer.code().to_owned())
    })
    .await;
}

async fn a_token_ends_with_the_secret_that_it_was_exchanged_for(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let key = server.key(&home, KeyType::Agent, &["certificates:read"]).await;
    let old = token(&server, &key, &json!({})).await;
    let path = format!("/api/keys/{}/rotate", key.key.id);
    let rotated = server.post(&path, &admin, &json!({"overlapSeconds": 60})).await;
    let secret = rotated.body["key"].as_str().unwrap();
    let new = exchange(&server, secret, &json!({})).await;
    let new = new.body["token"].as_str().unwrap();
    assert_eq!(get(&server, "/api/auth/me", &old).await.status, StatusCode::OK);
    // Within the overlap it lives no longer than the secret.
    let late = exchange(&server, key.secret.reveal(), &json!({})).await;
    assert_eq!(late.body["expiresAt"], "2027-01-15T08:01:00Z");
    server.clock.advance(Duration::from_secs(60));
    assert_eq!(
        get(&server, "/api/auth/me", &old).await.problem(),
        (401, "KEY_REVOKED")
    );
    assert_eq!(get(&server, "/api/auth/me", new).await.status, StatusCode::OK);
}

async fn what_a_key_loses_its_tokens_lose(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let key = server.key(&home, KeyType::Agent, &["certificates:*"]).await;
    let wide = token(&server, &key, &json!({"scopes": ["certificates:*"]})).await;
    let path = format!("/api/keys/{}", key.key.id);
    let less = json!({"scopes": ["certificates:read"]});
    assert_eq!(server.patch(&path, &admin, &less).await.status, StatusCode::OK);
    assert_eq!(
        get(&server, "/api/auth/me", &wide).await.body["scopes"],
        json!(["certificates:read"])
    );
    let check = get(&server, "/api/auth/check?scope=certificates:write", &wide).await;
    assert_eq!(check.problem(), (403, "FORBIDDEN"));
    let off = json!({"active": false});
    assert_eq!(server.patch(&path, &admin, &off).await.status, StatusCode::OK);
    assert_eq!(
        get(&server, "/api/auth/me", &wide).await.problem(),
        (401, "UNAUTHORIZED")
    );

    let person = server.member(&home, Role::Admin).await;
    let personal = server
        .personal(&home, person, &["keys:read", "certificates:read"])
        .await;
    let of_person = token(&server, &personal, &json!({})).await;
    assert_eq!(get(&server, "/api/keys", &of_person).await.status, StatusCode::OK);
    server.set_role(&home, person, Some(Role::Viewer)).await;
    assert_eq!(
        get(&server, "/api/keys", &of_person).await.problem(),
        (403, "FORBIDDEN")
    );
    server.set_role(&home, person, None).await;
    assert_eq!(
        get(&server, "/api/auth/me", &of_person).await.problem(),
        (401, "KEY_REVOKED")
    );
}

async fn a_token_spends_its_key_s_limits(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let body =
        json!({"name": "few", "type": "agent", "scopes": ["certificates:read"], "limits": {"minute": 3}});
    let made = server.post("/api/keys", &admin, &body).await;
    let secret = made.body["key"].as_str().unwrap();
    // The exchange is the first use.
    let issued = exchange(&server, secret, &json!({})).await;
    let token = issued.body["token"].as_str().unwrap();
    assert!(
        issued.header("ratelimit").contains("r=2"),
        "{}",
        issued.header("ratelimit")
    );
    let second = get(&server, "/api/auth/check", token).await;
    assert!(
        second.header("ratelimit").contains("r=1"),
        "{}",
        second.header("ratelimit")
    );
    let third = send(server.request(Method::GET, "/api/auth/check").bearer_auth(secret)).await;
    assert_eq!(third.status, StatusCode::OK);
    for credential in [token, secret] {
        let refused = send(
            server
                .request(Method::GET, "/api/auth/check")
                .bearer_auth(credential),
        )
        .await;
        assert_eq!(refused.problem(), (429, "RATE_LIMITED"));
    }
}

async fn a_token_is_verified_for_others_as_its_key(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let key = server
        .key(&home, KeyType::Agent, &["certificates:read", "agents:report"])
        .await;
    let token = token(&server, &key, &json!({"scopes": ["agents:report"]})).await;
    let verdict = server
        .post("/api/keys/verify", &admin, &json!({"key": token}))
        .await;
    assert_eq!(verdict.body["code"], "VALID");
    assert_eq!(verdict.body["keyId"], key.key.id.to_string());
    assert_eq!(verdict.body["scopes"], json!(["agents:report"]));
    assert_eq!(verdict.body["expiresAt"], "2027-01-15T08:10:00Z");
    // What was remembered of the key is not taken for the token's, nor the other way round.
    let of_key = server
        .post("/api/keys/verify", &admin, &json!({"key": key.secret.reveal()}))
        .await;
    assert_eq!(
        of_key.body["scopes"],
        json!(["agents:report", "certificates:read"])
    );
    assert_eq!(of_key.body["expiresAt"], Value::Null);
    let asked = json!({"key": token, "scope": "certificates:read"});
    let lacking = server.post("/api/keys/verify", &admin, &asked).await;
    assert_eq!(lacking.body["code"], "FORBIDDEN");
    server.clock.advance(Duration::from_secs(600));
    let over = server
        .post("/api/keys/verify", &admin, &json!({"key": token}))
        .await;
    assert_eq!(over.body["code"], "TOKEN_EXPIRED");
    assert_eq!(over.body["keyId"], key.key.id.to_string());

    let foreign = server.workspace("Foreign").await;
    let stranger = server.admin(&foreign).await;
    let unknown = server
        .post("/api/keys/verify", &stranger, &json!({"key": token}))
        .await;
    assert_eq!(unknown.body["code"], "UNAUTHORIZED");
    assert_eq!(unknown.body["keyId"], Value::Null);
}

async fn a_token_gives_nothing_of_its_key_away_that_it_lacks(server: TestServer) {
    let (home, other) = (server.workspace("Home").await, server.workspace("Other").await);
    let reach = ReachRequest::Workspace {
        home: home.id,
        others: vec![other.id.to_string()],
    };
    let scopes = [
        "keys:read",
        "keys:write",
        "certificates:read",
        "certificates:write",
    ];
    let key = server.issue(KeyType::Agent, &scopes, reach).await;
    let body = json!({"scopes": ["keys:write", "certificates:read"]});
    let token = token(&server, &key, &body).await;
    let listed = get(&server, "/api/keys", &token).await;
    assert_eq!(listed.problem(), (403, "FORBIDDEN"), "it lacks keys:read");
    // What it made would be there when it is not any more.
    let path = format!("/api/keys/{}", key.key.id);
    let new = json!({"name": "more", "type": "agent", "scopes": ["certificates:read"]});
    let rule = json!({
        "name": "mine", "issuer": "https://ci.example.com", "audience": "x", "claims": {"sub": ["me"]},
    });
    for (method, path, body) in [
        (Method::POST, "/api/keys".to_owned(), new),
        (
            Method::POST,
            format!("{path}/rotate"),
            json!({"overlapSeconds": 60}),
        ),
        (Method::POST, format!("{path}/trust-rules"), rule),
        (Method::PATCH, path, json!({"name": "another"})),
    ] {
        let request = server.request(method, &path).bearer_auth(&token).json(&body);
        let refused = send(request).await;
        assert_eq!(refused.problem(), (403, "FORBIDDEN"), "{path}");
        assert!(
            refused.body["detail"].as_str().unwrap().contains("token"),
            "{path}"
        );
    }
    // Its key may revoke itself without any scope; whoever was lent a token for something else may not.
    let narrow = exchange(&server, key.secret.reveal(), &json!({"scopes": []})).await;
    let narrow = narrow.body["token"].as_str().unwrap();
    let path = format!("/api/keys/{}/revoke", key.key.id);
    assert_eq!(
        post(&server, &path, narrow, &json!({})).await.problem(),
        (403, "FORBIDDEN")
    );
    assert_eq!(server.get("/api/auth/me", &key).await.status, StatusCode::OK);
}

async fn an_instance_key_s_token_is_confined_to_the_workspace_that_it_names(server: TestServer) {
    let (home, other) = (server.workspace("Home").await, server.workspace("Other").await);
    let scopes = ["keys:verify", "workspace:read", "workspace:write", "keys:write"];
    let instance = server
        .issue(KeyType::Agent, &scopes, ReachRequest::Instance)
        .await;
    let open = token(&server, &instance, &json!({})).await;
    let claims = part(&open, 1);
    assert_eq!(
        (claims.get("workspaceId"), claims.get("homeWorkspaceId")),
        (None, None)
    );
    let path = |id| format!("/api/workspaces/{id}");
    assert_eq!(get(&server, &path(other.id), &open).await.status, StatusCode::OK);

    let body = json!({"workspaceId": home.id.to_string()});
    let confined = token(&server, &instance, &body).await;
    assert_eq!(
        get(&server, &path(home.id), &confined).await.status,
        StatusCode::OK
    );
    assert_eq!(
        get(&server, &path(other.id), &confined).await.problem(),
        (404, "NOT_FOUND")
    );
    let listed = get(&server, "/api/workspaces", &confined).await;
    assert_eq!(listed.body["items"].as_array().unwrap().len(), 1);
    // What is for whoever works for the whole instance is not for it.
    let plan = server
        .request(Method::PATCH, &path(home.id))
        .bearer_auth(&confined)
        .json(&json!({"plan": "enterprise"}));
    assert_eq!(send(plan).await.status, StatusCode::FORBIDDEN);
    let foreign = server.key(&other, KeyType::Agent, &[]).await;
    let verdict = post(
        &server,
        "/api/keys/verify",
        &confined,
        &json!({"key": foreign.secret.reveal()}),
    )
    .await;
    assert_eq!(verdict.body["code"], "UNAUTHORIZED");
    let new = json!({"name": "n", "type": "agent", "scopes": [], "workspaceIds": [home.id.to_string(), other.id.to_string()]});
    assert_eq!(
        post(&server, "/api/keys", &confined, &new).await.status,
        StatusCode::FORBIDDEN
    );
}

async fn who_may_not_have_a_token_gets_none(server: TestServer) {
    let (home, foreign) = (server.workspace("Home").await, server.workspace("Foreign").await);
    let key = server.key(&home, KeyType::Agent, &["certificates:read"]).await;
    let public = server.key(&home, KeyType::Public, &["certificates:read"]).await;
    let refused = exchange(&server, public.secret.reveal(), &json!({})).await;
    assert_eq!(refused.problem(), (403, "FORBIDDEN"));
    let beyond = json!({"scopes": ["certificates:read", "certificates:write"]});
    let refused = exchange(&server, key.secret.reveal(), &beyond).await;
    assert_eq!(refused.problem(), (403, "FORBIDDEN"));
    let elsewhere = json!({"workspaceId": foreign.id.to_string()});
    let refused = exchange(&server, key.secret.reveal(), &elsewhere).await;
    assert_eq!(refused.problem(), (403, "WORKSPACE_ACCESS_DENIED"));
    let token = token(&server, &key, &json!({})).await;
    let refused = post(&server, "/api/tokens", &token, &json!({})).await;
    assert_eq!(refused.problem(), (403, "FORBIDDEN"));
    let anonymous = server.request(Method::POST, "/api/tokens").json(&json!({}));
    assert_eq!(send(anonymous).await.problem(), (401, "UNAUTHORIZED"));
    let nothing = server.request(Method::POST, "/api/tokens");
    assert_eq!(send(nothing).await.problem(), (401, "UNAUTHORIZED"));
    // A key in the other header does not make a token of somebody else's better.
    let both = server
        .request(Method::GET, "/api/auth/me")
        .bearer_auth(&token)
        .header("X-Agent-API-Key", key.secret.reveal());
    assert_eq!(send(both).await.problem(), (401, "UNAUTHORIZED"));
    let as_key = server
        .request(Method::GET, "/api/auth/me")
        .header("X-Agent-API-Key", &token);
    assert_eq!(send(as_key).await.problem(), (401, "UNAUTHORIZED"));
}

async fn what_makes_no_sense_is_400(server: TestServer) {
    let home = server.workspace("Home").await;
    let key = server.key(&home, KeyType::Agent, &["certificates:read"]).await;
    for (body, pointer) in [
        (json!({"expiresInSeconds": 299}), "/expiresInSeconds"),
        (json!({"expiresInSeconds": 901}), "/expiresInSeconds"),
        (json!({"scopes": ["certificates:read", "nonsense"]}), "/scopes/1"),
        (json!({"oidcToken": "x", "keyId": "key_x"}), "/oidcToken"),
        (json!({"audience": "x"}), "/audience"),
    ] {
        let refused = exchange(&server, key.secret.reveal(), &body).await;
        assert_eq!(refused.problem(), (400, "VALIDATION_ERROR"), "{body}");
        assert!(
            refused.pointers().contains(&pointer),
            "{body}: {:?}",
            refused.body
        );
    }
}

async fn a_forged_token_is_refused_whatever_it_says(server: TestServer) {
    let home = server.workspace("Home").await;
    let key = server.key(&home, KeyType::Agent, &["certificates:read"]).await;
    let token = token(&server, &key, &json!({})).await;
    let [header, claims, signature] = [0, 1, 2].map(|place| token.split('.').nth(place).unwrap().to_owned());
    let mut more = part(&token, 1);
    more["scope"] = json!("keys:write");
    let more = URL_SAFE_NO_PAD.encode(more.to_string());
    let cut = &signature[..signature.len() - 2];
    // The last character of a signature holds bits that are not used; they have to be what they are.
    let loose = format!(
        "{}{}",
        &signature[..85],
        if signature.ends_with('A') { "B" } else { "A" }
    );
    for (what, forged) in [
        ("other claims", format!("{header}.{more}.{signature}")),
        ("a short signature", format!("{header}.{claims}.{cut}")),
        ("no signature", format!("{header}.{claims}.AA")),
        (
            "a signature with loose bits",
            format!("{header}.{claims}.{loose}"),
        ),
        (
            "another key's id",
            format!("{ACCESS_TOKEN_PREFIX}AAAAAAAAAAAAAAAAIn0.{claims}.{signature}"),
        ),
        (
            "more of a header",
            format!("{header}LCJhbGciOiJub25lIn0.{claims}.{signature}"),
        ),
    ] {
        let refused = get(&server, "/api/auth/me", &forged).await;
        assert_eq!(refused.problem(), (401, "UNAUTHORIZED"), "{what}");
        assert!(!refused.body.to_string().contains(&claims), "{what}");
    }
    assert_eq!(get(&server, "/api/auth/me", &token).await.status, StatusCode::OK);
    // What begins otherwise is not ours, and somebody else's to judge.
    let foreign = get(&server, "/api/auth/check", "eyJhbGciOiJub25lIn0.e30.").await;
    assert_eq!(foreign.problem(), (401, "UNAUTHORIZED"));
    assert!(
        foreign.body["detail"]
            .as_str()
            .unwrap()
            .starts_with("No credential")
    );
}

async fn each_token_is_in_the_audit_log(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let key = server.key(&home, KeyType::Agent, &["certificates:read"]).await;
    let answer = exchange(
        &server,
        key.secret.reveal(),
        &json!({"scopes": ["certificates:read"]}),
    )
    .await;
    let events = server.get("/api/audit/events?action=token.issued", &admin).await;
    let events = events.body["items"].as_array().unwrap().clone();
    assert_eq!(events.len(), 1);
    let event = &events[0];
    assert_eq!(event["target"]["id"], key.key.id.to_string());
    let text = event.to_string();
    assert!(text.contains(answer.body["tokenId"].as_str().unwrap()), "{text}");
    let token = answer.body["token"].as_str().unwrap();
    let dump = server.dump().await;
    for piece in token.split('.').skip(1) {
        assert!(!text.contains(piece) && !dump.contains(piece));
    }
}

//! `security.md` 20: a secret stands nowhere but in the one answer that shows it.

use std::fs;

use reqwest::Method;
use serde_json::{Value, json};

use crate::program::{Folder, in_a_folder_for_each_engine};

in_a_folder_for_each_engine!(s20_no_secret_is_in_a_log_or_in_the_data);

async fn s20_no_secret_is_in_a_log_or_in_the_data(folder: Folder) {
    let served = folder.quickstart(&[]);
    let mut secrets: Vec<String> = ["password", "agentKey", "publicKey"]
        .iter()
        .map(|field| served.text(field).to_owned())
        .collect();
    let admin = served.text("agentKey").to_owned();
    let create = served.request(Method::POST, "/api/keys").bearer_auth(&admin);
    let created: Value = create
        .json(&json!({"name": "x", "type": "agent", "scopes": []}))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let secret = created["key"].as_str().unwrap().to_owned();
    // In every place where a careless client may put it.
    for path in [
        format!("/api/auth/me?api_key={secret}"),
        format!("/api/keys/{secret}"),
        format!("/{secret}"),
        format!("/api/auth/check?scope={secret}"),
    ] {
        let answer = served
            .request(Method::GET, &path)
            .bearer_auth(&admin)
            .send()
            .await
            .unwrap();
        assert!(!answer.text().await.unwrap().contains(&secret), "{path}");
    }
    let malformed = served
        .request(Method::POST, "/api/keys")
        .bearer_auth(&admin)
        .body(secret.clone());
    let answer = malformed
        .header("Content-Type", "application/json")
        .send()
        .await
        .unwrap();
    assert!(!answer.text().await.unwrap().contains(&secret));
    secrets.push(secret);
    let log = served.stop();
    for secret in &secrets {
        assert!(!log.contains(secret.as_str()), "{log}");
    }
    let data = folder.path().join("tigertrust-data");
    for entry in fs::read_dir(data).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        for secret in &secrets {
            let found = bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes());
            assert!(!found, "{}", path.display());
        }
    }
}

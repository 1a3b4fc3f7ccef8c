//! A server that is killed in the middle of what it does.

use std::{
    collections::BTreeSet,
    env,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use tigertrust_credentials::OsRandom;
use tigertrust_model::RandomSource;
use tokio::sync::Notify;

use crate::program::{Folder, Served, in_a_folder_for_each_engine};

in_a_folder_for_each_engine!(s34_no_acknowledged_act_is_lost_and_no_chain_broken);

/// How many clients write at once.
const CLIENTS: usize = 4;

/// How often the server is killed; `scripts/test --full` sets more.
fn kills() -> usize {
    env::var("TIGERTRUST_TEST_KILLS").map_or(3, |number| number.parse().unwrap())
}

/// After how many more acts the server is killed: random, so that it falls anywhere.
fn some() -> usize {
    let mut byte = [0];
    OsRandom.fill(&mut byte).unwrap();
    usize::from(byte[0] % 24) + 1
}

/// What a client does until the server is gone: it makes a key, and revokes every other one. What was answered, it notes.
async fn write(
    served: &Served,
    key: &str,
    noted: &Mutex<BTreeSet<(String, &'static str)>>,
    done: &(AtomicUsize, Notify),
) {
    let mut revokes = false;
    loop {
        let body = json!({"name": "ci", "type": "agent", "scopes": ["keys:read"]});
        let made = served
            .request(Method::POST, "/api/keys")
            .bearer_auth(key)
            .json(&body);
        let Ok(answer) = made.send().await else { return };
        if answer.status() != 201 {
            continue;
        }
        let Ok(body) = answer.json::<Value>().await else {
            return;
        };
        let id = body["id"].as_str().unwrap().to_owned();
        noted.lock().unwrap().insert((id.clone(), "key.created"));
        if revokes {
            let path = format!("/api/keys/{id}/revoke");
            let revoked = served
                .request(Method::POST, &path)
                .bearer_auth(key)
                .json(&json!({}));
            let Ok(answer) = revoked.send().await else { return };
            if answer.status() == 200 {
                noted.lock().unwrap().insert((id, "key.revoked"));
            }
        }
        revokes = !revokes;
        done.0.fetch_add(1, Ordering::SeqCst);
        done.1.notify_one();
    }
}

/// The keys that are revoked. There may be more of them than a plan lets a client ask for.
fn revoked(folder: &Folder) -> BTreeSet<String> {
    let list = ["key", "list", "--state", "revoked", "--limit", "200"];
    let (mut revoked, mut after) = (BTreeSet::new(), None);
    loop {
        let from: Vec<&str> = after
            .iter()
            .flat_map(|cursor: &String| ["--cursor", cursor])
            .collect();
        let page = folder.json(&[&list[..], &from].concat());
        let ids = page["items"].as_array().unwrap().iter();
        revoked.extend(ids.map(|key| key["id"].as_str().unwrap().to_owned()));
        match page["nextCursor"].as_str() {
            Some(cursor) => after = Some(cursor.to_owned()),
            None => return revoked,
        }
    }
}

async fn s34_no_acknowledged_act_is_lost_and_no_chain_broken(folder: Folder) {
    let mut served = Arc::new(folder.quickstart(&[]));
    let (home, key) = (
        served.text("workspaceId").to_owned(),
        served.text("agentKey").to_owned(),
    );
    let noted = Arc::new(Mutex::new(BTreeSet::new()));
    for round in 0..kills() {
        let done = Arc::new((AtomicUsize::new(0), Notify::new()));
        let clients = (0..CLIENTS).map(|_| {
            let (served, key) = (Arc::clone(&served), key.clone());
            let (noted, done) = (Arc::clone(&noted), Arc::clone(&done));
            tokio::spawn(async move { write(&served, &key, &noted, &done).await })
        });
        let clients: Vec<_> = clients.collect();
        let until = some();
        while done.0.load(Ordering::SeqCst) < until {
            done.1.notified().await;
        }
        served.kill_now();
        join_all(clients).await;
        let verified = folder.json(&["audit", "verify"]);
        let chains = verified["chains"].as_array().unwrap();
        assert!(
            chains.iter().all(|chain| chain["whole"] == true),
            "after {round} kills: {verified}"
        );
        served = Arc::new(folder.quickstart(&[]));
    }
    let exported = folder.run(&["audit", "export", "--chain", &home, "--action", "key.*"]);
    let logged: BTreeSet<(String, String)> = String::from_utf8(exported.stdout)
        .unwrap()
        .lines()
        .map(|line| {
            let event: Value = serde_json::from_str(line).unwrap();
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            (text(&event["target"]["id"]), text(&event["action"]))
        })
        .collect();
    let noted = noted.lock().unwrap().clone();
    let lost: Vec<_> = noted
        .iter()
        .filter(|(id, action)| !logged.contains(&(id.clone(), (*action).to_owned())))
        .collect();
    assert!(
        lost.is_empty(),
        "{} of {} are lost: {lost:?}",
        lost.len(),
        noted.len()
    );
    // And what is logged was done.
    let revoked = revoked(&folder);
    for (id, _) in noted.iter().filter(|(_, action)| *action == "key.revoked") {
        assert!(revoked.contains(id), "{id}");
    }
    assert!(noted.len() >= kills());
}

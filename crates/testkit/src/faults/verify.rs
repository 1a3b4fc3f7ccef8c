//! Looks at the end whether all that was acknowledged is there, on every node and in the audit log.

use std::{collections::BTreeMap, sync::Arc};

use reqwest::Method;
use serde_json::Value;

use super::{
    journal::{Acknowledged, Life},
    node::Node,
    site::{Settings, text},
    tally::Figures,
    traffic::Clients,
};

/// Completes the figures: checks every secret at every node once more, compares each key, the role and the audit log with what was
/// acknowledged, and verifies the chains.
pub(super) async fn verify(clients: &Arc<Clients>, settings: &Settings, database: &str) -> Figures {
    for number in 0..clients.journal.count() {
        if clients.journal.life(number) == Life::InDoubt {
            continue;
        }
        for node in &clients.nodes {
            clients.check(node, number).await;
        }
    }
    let mut lost = Vec::new();
    let logged = logged(settings, database, &clients.people.home).await;
    for (id, known) in clients.journal.keys() {
        let stored = show(&clients.nodes[0], &clients.people.manager, &id).await;
        lost.extend(missing(&id, &known, stored.as_ref(), &logged));
    }
    lost.extend(role(clients, settings, database, &logged).await);
    let mut figures = clients.tally.figures();
    figures.acknowledged = clients.journal.acknowledged();
    figures.lost = lost.len();
    figures.remarks.extend(lost.into_iter().take(5));
    figures.broken_chains = broken_chains(settings, database, &mut figures.remarks).await;
    figures
}

/// How often the log of the workspace has each act on each target.
type Logged = BTreeMap<(String, String), usize>;

async fn logged(settings: &Settings, database: &str, home: &str) -> Logged {
    let mut logged = Logged::new();
    let exported = settings
        .run(database, &["audit", "export", "--chain", home])
        .await;
    for line in exported.lines() {
        let event: Value = serde_json::from_str(line).expect("an event");
        if event["outcome"] == "success" {
            let target = event["target"]["id"].as_str().unwrap_or_default().to_owned();
            *logged.entry((target, text(&event["action"]))).or_default() += 1;
        }
    }
    logged
}

async fn show(node: &Node, manager: &str, id: &str) -> Option<Value> {
    let request = node.request(Method::GET, &format!("/api/keys/{id}"));
    let answer = request.bearer_auth(manager).send().await.ok()?;
    answer.error_for_status().ok()?.json().await.ok()
}

/// What of a key was acknowledged and is not there.
fn missing(id: &str, known: &Acknowledged, stored: Option<&Value>, logged: &Logged) -> Vec<String> {
    let mut missing = Vec::new();
    for (act, count) in &known.acts {
        let there = logged
            .get(&(id.to_owned(), (*act).to_owned()))
            .copied()
            .unwrap_or_default();
        if there < *count {
            missing.push(format!("{id}: {act} {count} times, logged {there} times"));
        }
    }
    let Some(stored) = stored else {
        missing.push(format!("{id} is gone"));
        return missing;
    };
    let revoked = known.acts.contains_key("key.revoked");
    let state = if revoked { "revoked" } else { "active" };
    if !known.in_doubt && stored["state"] != state || revoked && stored["state"] != "revoked" {
        missing.push(format!("{id} is {} and not {state}", stored["state"]));
    }
    if !known.in_doubt && stored["lastFour"] != known.last_four.as_str() {
        missing.push(format!("{id} has not the secret that was acknowledged last"));
    }
    missing
}

/// Whether the member has a role that it may have, and its changes are in the log.
async fn role(
    clients: &Arc<Clients>,
    settings: &Settings,
    database: &str,
    logged: &Logged,
) -> Option<String> {
    let people = &clients.people;
    let known = clients.journal.roles();
    let members = settings.json(database, &["member", "list", &people.home]).await;
    let member = members["items"].as_array().expect("a list").iter();
    let role = member
        .filter(|member| member["userId"].as_str() == Some(&people.member))
        .find_map(|member| member["role"].as_str())
        .unwrap_or_default();
    let event = (people.member.clone(), "member.updated".to_owned());
    let there = logged.get(&event).copied().unwrap_or_default();
    let is_possible = known.last == Some(role) || known.in_doubt.contains(&role);
    // A role that somebody has already is acknowledged without an event, which only one in doubt can bring about.
    let is_logged = there + known.in_doubt.len() >= known.acknowledged;
    (!is_possible || !is_logged).then(|| {
        format!(
            "the role is {role}, and {:?} was acknowledged last; {} changes were, and {there} are logged",
            known.last, known.acknowledged
        )
    })
}

async fn broken_chains(settings: &Settings, database: &str, remarks: &mut Vec<String>) -> usize {
    let mut command = settings.command(database, &["audit", "verify", "--output", "json"]);
    let running = tokio::task::spawn_blocking(move || command.output());
    let output = running.await.expect("it is waited for").expect("it runs");
    // It fails where a chain is broken, and says which in its output.
    let verified: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let chains = verified["chains"].as_array().expect("a list").iter();
    let broken: Vec<_> = chains.filter(|chain| chain["whole"] != true).collect();
    remarks.extend(broken.iter().map(|chain| chain.to_string()));
    broken.len()
}

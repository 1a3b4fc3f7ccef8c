//! Every command prints JSON, and nothing else, where it is asked to.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use serde_json::Value;
use tigertrust_testkit::Engine;

use crate::{
    program::Folder,
    saml::{metadata, signing_key},
};

/// A command that is run, in this order: its arguments, and what its answer is known as afterwards, `{name}`, by the `id` in it.
const RUN: &[(&str, &str, Option<&str>)] = &[
    ("config check", "", None),
    ("doctor", "", None),
    ("completions", "bash", None),
    ("man", "pages", None),
    ("secrets create", "ring.toml", None),
    ("secrets generate", "signing s2", None),
    ("secrets rotate", "signing --id s8 --behind", None),
    // The server does not know another one yet.
    ("secrets promote", "signing s1", None),
    ("secrets rotate", "signing --id s9 --behind", None),
    ("secrets remove", "signing s9 --allow-loss", None),
    ("secrets status", "", None),
    ("migrate run", "", None),
    ("migrate status", "", None),
    ("migrate plan", "", None),
    ("backup", "copy.db", None),
    ("clock status", "", None),
    ("clock reset", "--yes", None),
    ("user create", "jo@example.com", None),
    ("user list", "", None),
    ("user disable", "jo@example.com", None),
    ("user enable", "jo@example.com", None),
    ("user reset-password", "jo@example.com", None),
    ("session list", "jo@example.com", None),
    ("session revoke", "jo@example.com --all", None),
    ("workspace create", "Second --owner jo@example.com", Some("ws")),
    ("workspace list", "", None),
    ("workspace rename", "{ws} Third", None),
    ("workspace set-plan", "{ws} pro", None),
    ("workspace set-leak-response", "{ws} revoke", None),
    ("member invite", "{ws} kim@example.com --role viewer", None),
    ("member list", "{ws}", None),
    ("member add", "{ws} owner@example.com --role member", None),
    ("member set-role", "{ws} owner@example.com viewer", None),
    ("member remove", "{ws} owner@example.com", None),
    ("key create", "--name ci --workspace {ws}", Some("key")),
    ("key list", "", None),
    ("key show", "{key}", None),
    ("key rotate", "{key}", None),
    ("key report", "", None),
    (
        "trust-rule create",
        "{key} --name ci --issuer https://token.actions.githubusercontent.com --audience x --claim sub=repo:acme/api:x",
        Some("rule"),
    ),
    ("trust-rule list", "{key}", None),
    ("trust-rule delete", "{rule}", None),
    ("key revoke", "{key}", None),
    ("import keys", "own.ndjson --format ndjson --workspace {ws}", None),
    (
        "webhook add",
        "https://app.example.com/hook --workspace {ws}",
        Some("hook"),
    ),
    ("webhook list", "--workspace {ws}", None),
    ("webhook show", "{hook} --workspace {ws}", None),
    ("webhook update", "{hook} --workspace {ws} --description x", None),
    ("webhook rotate-secret", "{hook} --workspace {ws}", None),
    ("webhook test", "{hook} --workspace {ws}", None),
    ("webhook deliveries", "{hook} --workspace {ws}", None),
    ("webhook remove", "{hook} --workspace {ws} --yes", None),
    (
        "sso add saml",
        "--slug acme --name Acme --metadata-file idp.xml --workspace {ws}",
        Some("con"),
    ),
    ("sso list", "--workspace {ws}", None),
    ("sso show", "{con} --workspace {ws}", None),
    ("sso disable", "{con} --workspace {ws}", None),
    ("sso enable", "{con} --workspace {ws}", None),
    ("sso scim-token", "{con} --workspace {ws}", None),
    ("sso domain add", "example.org --workspace {ws}", None),
    ("sso domain list", "--workspace {ws}", None),
    ("sso domain verify", "example.org --workspace {ws} --trust", None),
    (
        "sso domain set",
        "example.org --workspace {ws} --connection {con}",
        None,
    ),
    ("sso domain remove", "example.org --workspace {ws} --yes", None),
    ("sso remove", "{con} --workspace {ws} --yes", None),
    ("audit list", "", None),
    ("audit export", "", None),
    ("audit verify", "", None),
    ("audit checkpoint", "", None),
    (
        "audit archive",
        "--chain {ws} --before 2999-01-01T00:00:00Z --to old.ndjson",
        None,
    ),
    ("workspace delete", "{ws} --yes", None),
    ("user erase", "jo@example.com --yes", None),
    ("migrate revert", "--allow-data-loss", None),
];

/// Those that are no use here, and where it is seen what they print.
const ELSEWHERE: &[(&str, &str)] = &[
    ("quickstart", "all tests read what it prints"),
    ("serve", "prints nothing"),
    ("restore", "backup.rs: no server may run over the database"),
    ("move", "moving.rs: no server may run over the database"),
    ("sso add oidc", "sso.rs: asks a provider"),
    ("sso test", "sso.rs: asks a provider"),
    (
        "user reset-2fa",
        "people.rs: somebody has to have a second factor",
    ),
    ("webhook redeliver", "webhooks.rs: something has to be delivered"),
    ("audit restart", "audit.rs: something has to be broken"),
];

/// They print JSON lines: of what there may be millions, and what is kept line by line.
const LINES: [&str; 2] = ["audit export", "audit checkpoint"];

#[tokio::test]
async fn every_command_prints_json_and_nothing_else() {
    let folder = Folder::new(Engine::Sqlite).await;
    let file = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
    file("idp.xml", metadata(&signing_key().certificate));
    let hash = "6FKHGGlWAPbHcFWD6vP2RvUDEV/vT0jnxD1rhP66Yn4=";
    file(
        "own.ndjson",
        format!("{{\"hash\":\"{hash}\",\"name\":\"own\",\"format\":\"acme-live\"}}\n"),
    );
    let served = folder.quickstart(&[]);
    let mut known: BTreeMap<&str, String> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (name, arguments, called) in RUN {
        let mut arguments = (*arguments).to_owned();
        for (name, id) in &known {
            arguments = arguments.replace(&format!("{{{name}}}"), id);
        }
        let words = name.split(' ').chain(arguments.split_whitespace());
        let words: Vec<&str> = words.chain(["--output", "json"]).collect();
        let mut command = folder.command(&words);
        command.env("TIGERTRUST__KEYS__FORMATS", "acme-live=sk_live_:29-30:agent");
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        if !output.status.success() {
            wrong.push(format!(
                "{name} failed: {}",
                String::from_utf8_lossy(&output.stderr)
            ));
            continue;
        }
        let read: Result<Vec<Value>, _> = match LINES.contains(name) {
            true => text.lines().map(serde_json::from_str).collect(),
            false => serde_json::from_str(&text).map(|value| vec![value]),
        };
        match read {
            Err(error) => wrong.push(format!("{name}: {error}: {text}")),
            Ok(values) => {
                if let (Some(called), Some(id)) = (called, values[0]["id"].as_str()) {
                    known.insert(called, id.to_owned());
                }
            }
        }
    }
    drop(served);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // The pages are the tree of the commands.
    let pages = folder.json(&["man", "pages"]);
    let names: Vec<String> = pages
        .as_array()
        .unwrap()
        .iter()
        .map(|page| page.as_str().unwrap().trim_end_matches(".1").to_owned())
        .collect();
    let is_leaf = |name: &&String| !names.iter().any(|other| other.starts_with(&format!("{name}-")));
    let leaves: BTreeSet<String> = names.iter().filter(is_leaf).cloned().collect();
    let listed = RUN
        .iter()
        .map(|(name, ..)| *name)
        .chain(ELSEWHERE.iter().map(|(name, _)| *name));
    let listed: BTreeSet<String> = listed
        .map(|name| format!("tigertrust-{}", name.replace(' ', "-")))
        .collect();
    let missing: Vec<_> = leaves.symmetric_difference(&listed).collect();
    assert!(
        missing.is_empty(),
        "give each command a line in this table: {missing:?}"
    );
}

//! The rules by which scanners find keys, against keys.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at once")]

use std::{fs, path::Path};

use regex::Regex;
use tigertrust_credentials::{KeySecret, OsRandom};
use tigertrust_model::KeyType;

/// The patterns that a file holds, those of agent keys first.
fn patterns(file: &str, before: &str, after: &str) -> Vec<Regex> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs/rules")
        .join(file);
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .filter_map(|line| line.trim().strip_prefix(before)?.strip_suffix(after))
        .map(|pattern| Regex::new(pattern).unwrap())
        .collect()
}

#[test]
fn scanners_find_every_key_and_nothing_that_is_none() {
    for rules in [
        patterns("gitleaks.toml", "regex = '''", "'''"),
        patterns("trufflehog.yaml", "key: '", "'"),
    ] {
        let [agent, public] = rules.as_slice() else {
            panic!("{} rules", rules.len());
        };
        for (rule, other, kind) in [(agent, public, KeyType::Agent), (public, agent, KeyType::Public)] {
            for _ in 0..500 {
                let secret = KeySecret::generate(kind, &OsRandom).unwrap();
                let key = secret.reveal();
                for text in [
                    key.to_owned(),
                    format!("TIGERTRUST_API_KEY={key}\n"),
                    format!("\"X-Agent-API-Key\": \"{key}\","),
                    format!("Authorization: Bearer {key}'"),
                    format!("https://example.com/?key={key}&x=1"),
                ] {
                    let found = rule.captures(&text).unwrap().get(1).unwrap();
                    assert_eq!(found.as_str(), key, "{text}");
                    assert!(!other.is_match(&text), "{text}");
                }
                for none in [
                    format!("{key}0"),
                    format!("x{key}"),
                    key.replace("k_", "k-"),
                    key.chars().take(51).collect(),
                ] {
                    assert!(!rule.is_match(&none), "{none}");
                }
            }
        }
    }
}

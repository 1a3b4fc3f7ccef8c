//! Trust rules from the command line.

use serde_json::json;

use crate::program::{Folder, in_a_folder_for_each_engine};

in_a_folder_for_each_engine!(
    a_trust_rule_is_made_listed_and_deleted,
    what_stands_against_a_trust_rule_is_named
);

const ISSUER: &str = "https://token.actions.githubusercontent.com";

async fn a_trust_rule_is_made_listed_and_deleted(folder: Folder) {
    drop(folder.quickstart_in(&[], &[]));
    let key = folder.json(&["key", "create", "--name", "releases"]);
    let key = key["id"].as_str().unwrap();
    let made = folder.json(&[
        "trust-rule",
        "create",
        key,
        "--name",
        "releases of acme/api",
        "--issuer",
        ISSUER,
        "--audience",
        "https://auth.example.com",
        "--claim",
        "repository_owner_id=1234",
        "--claim",
        "sub=repo:acme/api:ref:refs/heads/main",
        "--claim",
        "sub=repo:acme/api:ref:refs/tags/*",
    ]);
    assert_eq!(
        (&made["keyId"], &made["createdBy"], &made["claims"]),
        (
            &json!(key),
            &json!("operator"),
            &json!({
                "repository_owner_id": ["1234"],
                "sub": ["repo:acme/api:ref:refs/heads/main", "repo:acme/api:ref:refs/tags/*"],
            })
        )
    );
    let listed = folder.json(&["trust-rule", "list", key]);
    assert_eq!(listed["items"], json!([made]));
    let text = String::from_utf8(folder.run(&["trust-rule", "list", key]).stdout).unwrap();
    assert!(
        text.starts_with("ID ")
            && text.contains("sub=repo:acme/api:ref:refs/heads/main|repo:acme/api:ref:refs/tags/*"),
        "{text}"
    );
    let id = made["id"].as_str().unwrap();
    let deleted = folder.run(&["trust-rule", "delete", id]);
    assert!(
        String::from_utf8(deleted.stdout)
            .unwrap()
            .starts_with(&format!("Removed {id} from {key}."))
    );
    assert_eq!(folder.json(&["trust-rule", "list", key])["items"], json!([]));
}

async fn what_stands_against_a_trust_rule_is_named(folder: Folder) {
    drop(folder.quickstart_in(&[], &[]));
    let key = folder.json(&["key", "create", "--name", "releases"]);
    let key = key["id"].as_str().unwrap();
    let create = |issuer: &str, claim: &str| {
        let output = folder.run(&[
            "trust-rule",
            "create",
            key,
            "--name",
            "x",
            "--issuer",
            issuer,
            "--audience",
            "a",
            "--claim",
            claim,
        ]);
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    for (issuer, claim, status, named) in [
        (
            ISSUER,
            "sub=repo:*",
            1,
            "claims: repo:* would be fulfilled by every job",
        ),
        (
            ISSUER,
            "ref=refs/heads/main",
            1,
            "claims: this issuer vouches for everybody's jobs",
        ),
        (ISSUER, "sub=*", 1, "claims/sub/0: may have one *, at the end"),
        ("http://ci.example.com", "sub=x", 1, "issuer: "),
        ("https://10.0.0.1", "sub=x", 1, "issuer: "),
        (ISSUER, "sub", 2, "must be the name of a claim"),
    ] {
        let (code, message) = create(issuer, claim);
        assert_eq!(code, Some(status), "{message}");
        assert!(message.contains(named), "{named}: {message}");
    }
    let unknown = "key_00000000000000000000000000";
    let output = folder.run(&["trust-rule", "list", unknown]);
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("there is no key")
    );
    let output = folder.run(&["trust-rule", "delete", "tru_00000000000000000000000000"]);
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("there is no trust rule")
    );
}

//! `tigertrust import keys`: exports of others, as their schemas have them, and what becomes of them.

use std::{
    fs,
    io::Write,
    process::{Output, Stdio},
};

use base64::{Engine as _, engine::general_purpose::STANDARD, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::program::{Folder, Served, in_a_folder_for_each_engine};

in_a_folder_for_each_engine!(
    keys_of_unkey_go_on,
    keys_of_better_auth_go_on,
    own_tables_come_as_json_lines_or_csv,
    bad_lines_are_told_and_the_others_imported,
    a_dry_run_writes_nothing_and_an_import_may_be_run_again,
    many_keys_come_in_batches,
);

const FORMATS: (&str, &str) = (
    "TIGERTRUST__KEYS__FORMATS",
    "acme-live=sk_live_:29-30:agent, better=proj_:69:agent",
);

/// Keys as Unkey makes them: 16 bytes in base 58 behind a prefix.
const LIVE: &str = "sk_live_3ZJ7oQfHnVqz2FnUEmB2gr";
const OTHER: &str = "sk_live_8HtVgQTGsDRWJ1rFsJtQe7";
const GONE: &str = "sk_live_5KYZdUEo39z3FPrtuX2Qb";

/// One as Better Auth makes them: 64 letters behind a prefix.
fn better() -> String {
    format!("proj_{}", "aBcDeFgHiJkLmNoP".repeat(4))
}

fn unkey_hash(key: &str) -> String {
    STANDARD.encode(Sha256::digest(key))
}

fn write(folder: &Folder, name: &str, text: &str) {
    fs::write(folder.path().join(name), text).unwrap();
}

/// A server with the formats.
fn served(folder: &Folder) -> Served {
    folder.quickstart_in(&[FORMATS], &[])
}

fn import(folder: &Folder, arguments: &[&str]) -> Output {
    let mut command = folder.command(&[&["import", "keys"], arguments].concat());
    command.envs([FORMATS]).stdin(Stdio::null()).output().unwrap()
}

/// The report of an import of which some records may be refused.
fn report(folder: &Folder, arguments: &[&str]) -> Value {
    let output = import(folder, &[arguments, &["--output", "json"]].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{said}"));
    assert_eq!(output.status.success(), report["refused"] == 0, "{said}");
    report
}

fn counts(report: &Value) -> [u64; 3] {
    ["created", "existing", "refused"].map(|name| report[name].as_u64().unwrap())
}

/// What is said of the record in a line.
fn said(report: &Value, line: u64) -> String {
    let lines = report["lines"].as_array().unwrap().iter();
    lines
        .filter(|said| said["line"] == line)
        .map(ToString::to_string)
        .collect()
}

async fn keys_of_unkey_go_on(folder: Folder) {
    let served = served(&folder);
    assert_eq!(served.check(LIVE).await, 401);
    // As `SELECT *` prints it, joined with what other tables say.
    let rows = json!([
        {
            "pk": 1, "id": "key_2cGKbMxRyIzhCxo1Idjz8q", "key_auth_id": "ks_1", "hash": unkey_hash(LIVE),
            "start": "sk_live_3ZJ7", "workspace_id": "ws_unkey", "for_workspace_id": null, "name": "Acme production",
            "owner_id": "cus_42", "identity_id": null, "meta": "{\"tier\":\"gold\"}", "expires": null,
            "created_at_m": 1_767_323_045_000_i64, "updated_at_m": null, "deleted_at_m": null, "refill_day": null,
            "refill_amount": null, "last_refill_at": null, "enabled": 1, "remaining_requests": 1000,
            "ratelimit_async": null, "ratelimit_limit": 30, "ratelimit_duration": 60000, "environment": null,
            "last_used_at": 1_767_423_045_000_i64, "pending_migration_id": null,
            "permissions": ["certs.read", "certs.write"], "roles": ["auditor"],
        },
        {
            "id": "key_2", "hash": unkey_hash(OTHER), "start": "sk_live_8HtV", "name": null,
            "identity": {"externalId": "cus_43"}, "expires": "2030-01-01 00:00:00.000", "created_at_m": 1_767_323_045_000_i64,
            "enabled": true, "remaining_requests": 0, "ratelimits": [{"name": "burst", "limit": 5, "duration": 1000}],
        },
        {"id": "key_3", "hash": unkey_hash(GONE), "start": "sk_live_5KYZ", "deleted_at_m": 1_767_323_045_000_i64},
    ]);
    write(
        &folder,
        "unkey.json",
        &serde_json::to_string_pretty(&rows).unwrap(),
    );
    let arguments = [
        "unkey.json",
        "--format",
        "unkey",
        "--map-scope",
        "certs.read=certificates:read",
        "--map-scope",
        "auditor=certificates:write",
    ];
    let report = report(&folder, &arguments);
    assert_eq!(counts(&report), [2, 0, 1], "{report}");
    let left = &report["notCarriedOver"];
    for (field, count) in [
        ("pk", 1),
        ("id", 2),
        ("remaining", 1),
        ("permission certs.write", 1),
        ("last_used_at", 1),
        ("ratelimits", 1),
    ] {
        assert_eq!(left[field], count, "{field}: {report}");
    }
    assert!(report.to_string().contains("deleted"), "{report}");
    // The server that runs knows them within a second.
    tigertrust_testkit::eventually(200, async || served.check(LIVE).await).await;
    assert_eq!((served.check(OTHER).await, served.check(GONE).await), (401, 401));
    let listed = served
        .request(reqwest::Method::GET, "/api/keys?externalId=cus_42")
        .bearer_auth(served.text("agentKey"))
        .send()
        .await
        .unwrap();
    let listed: Value = listed.json().await.unwrap();
    let key = &listed["items"][0];
    for (field, expected) in [
        ("name", json!("Acme production")),
        ("start", json!("sk_live_3ZJ7")),
        ("scopes", json!(["certificates:read", "certificates:write"])),
        ("metadata", json!({"tier": "gold"})),
        ("createdAt", json!("2026-01-02T03:04:05Z")),
        ("limits", json!({"minute": 30, "hour": null})),
        ("state", json!("active")),
        ("createdBy", json!("operator")),
    ] {
        assert_eq!(key[field], expected, "{field}");
    }
    drop(served);
}

async fn keys_of_better_auth_go_on(folder: Folder) {
    let served = served(&folder);
    let key = better();
    let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(&key));
    // As SQLite prints the table with `-csv -header`.
    let csv = format!(
        "id,name,start,prefix,key,userId,refillInterval,refillAmount,lastRefillAt,enabled,rateLimitEnabled,\
         rateLimitTimeWindow,rateLimitMax,requestCount,remaining,lastRequest,expiresAt,createdAt,updatedAt,permissions,metadata\n\
         k1,CI,proj_a,proj_,{hash},user_7,,,,1,1,86400000,10,3,,2026-11-01T10:00:00.000Z,,2026-01-02T03:04:05.000Z,\
         2026-01-02T03:04:05.000Z,\"{{\"\"files\"\":[\"\"read\"\"]}}\",\"\"\"{{\\\"\"team\\\"\":\\\"\"web\\\"\"}}\"\"\"\n\
         k2,plain,proj_b,proj_,proj_stored_as_it_is,user_8,,,,1,0,,,0,,,,2026-01-02T03:04:05.000Z,2026-01-02T03:04:05.000Z,,\n"
    );
    write(&folder, "apikey.csv", &csv);
    let report = report(
        &folder,
        &[
            "apikey.csv",
            "--format",
            "better-auth",
            "--map-scope",
            "files:read=certificates:read",
            "--scope",
            "agents:report",
        ],
    );
    assert_eq!(counts(&report), [1, 0, 1], "{report}");
    assert!(said(&report, 2).contains("86400000 ms"), "{report}");
    assert!(
        said(&report, 3).contains("SHA-256") && !report.to_string().contains("stored_as_it_is"),
        "{report}"
    );
    tigertrust_testkit::eventually(200, async || served.check(&key).await).await;
    let listed = served
        .request(reqwest::Method::GET, "/api/keys?externalId=user_7")
        .bearer_auth(served.text("agentKey"))
        .send()
        .await
        .unwrap();
    let listed: Value = listed.json().await.unwrap();
    assert_eq!(
        listed["items"][0]["scopes"],
        json!(["agents:report", "certificates:read"])
    );
    assert_eq!(listed["items"][0]["metadata"], json!({"team": "web"}));
    let start = listed["items"][0]["start"].as_str().unwrap();
    assert_eq!(start, "proj_a");
    drop(served);
}

async fn own_tables_come_as_json_lines_or_csv(folder: Folder) {
    let served = served(&folder);
    let line = |key: &str, more: Value| {
        let mut record = json!({"hash": unkey_hash(key), "name": "own", "format": "acme-live"});
        record
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        record.to_string()
    };
    write(
        &folder,
        "own.ndjson",
        &format!(
            "{}\n{}\n",
            line(
                LIVE,
                json!({"scopes": ["certificates:read"], "limits": {"hour": 9}, "lastFour": "B2gr"})
            ),
            line(OTHER, json!({"active": false})),
        ),
    );
    assert_eq!(
        counts(&report(&folder, &["own.ndjson", "--format", "ndjson"])),
        [2, 0, 0]
    );
    // The columns of somebody's own table, by the names that they have there; and from standard input.
    let csv = format!(
        "digest of key,label,customer\n{},from CSV,cus_9\n",
        unkey_hash(GONE)
    );
    let mut command = folder.command(&[
        "import",
        "keys",
        "-",
        "--format",
        "csv",
        "--key-format",
        "acme-live",
        "--map",
        "hash=digest of key",
        "--map",
        "name=label",
        "--map",
        "externalId=customer",
        "--output",
        "json",
    ]);
    command.envs([FORMATS]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(csv.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(counts(&report), [1, 0, 0], "{report}");
    // No progress where nobody looks on.
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    tigertrust_testkit::eventually(200, async || served.check(GONE).await).await;
    assert_eq!((served.check(LIVE).await, served.check(OTHER).await), (200, 401));
    drop(served);
}

async fn bad_lines_are_told_and_the_others_imported(folder: Folder) {
    let served = served(&folder);
    let good = |key: &str| json!({"hash": unkey_hash(key), "name": "x", "start": "sk_live_"}).to_string();
    let lines = [
        good(LIVE),
        "{\"hash\": ".to_owned(),
        "7".to_owned(),
        json!({"name": "no hash"}).to_string(),
        json!({"hash": LIVE, "name": "a key in the wrong place", "start": "sk_live_"}).to_string(),
        json!({"hash": unkey_hash(OTHER), "name": "x", "start": "pk_live_"}).to_string(),
        json!({"hash": unkey_hash(OTHER), "name": "x", "start": "sk_live_", "scopes": ["no:such"]})
            .to_string(),
        json!({"hash": unkey_hash(OTHER), "name": "x", "start": "sk_live_", "expiresAt": "soon"}).to_string(),
        good(OTHER),
    ];
    write(&folder, "bad.ndjson", &lines.join("\n"));
    let output = import(&folder, &["bad.ndjson", "--format", "ndjson"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("7 of 9 records are refused"));
    for expected in [
        "line 2: refused: is no JSON",
        "line 3: refused: must be a JSON object",
        "line 4: refused: hash is missing",
        "line 5: refused: hash must be the SHA-256",
        "line 6: refused: format must name",
        "line 7: refused: scopes/0",
        "line 8: refused: expiresAt must be a time",
        "Created          2",
        "Refused          7",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    assert!(!text.contains(LIVE), "{text}");
    for (arguments, expected) in [
        (vec!["nowhere.csv", "--format", "csv"], "nowhere.csv"),
        (
            vec!["bad.ndjson", "--format", "ndjson", "--key-format", "none"],
            "no format none",
        ),
        (
            vec!["bad.ndjson", "--format", "ndjson", "--map", "hash"],
            "two names",
        ),
    ] {
        let failed = import(&folder, &arguments);
        assert!(!failed.status.success() && failed.stdout.is_empty());
        assert!(
            String::from_utf8_lossy(&failed.stderr).contains(expected),
            "{expected}"
        );
    }
    tigertrust_testkit::eventually(200, async || served.check(OTHER).await).await;
    drop(served);
}

async fn a_dry_run_writes_nothing_and_an_import_may_be_run_again(folder: Folder) {
    drop(served(&folder).stop());
    let line = |key: &str| json!({"hash": unkey_hash(key), "name": "x", "start": "sk_live_"}).to_string();
    write(
        &folder,
        "keys.ndjson",
        &[line(LIVE), line(OTHER), line(LIVE)].join("\n"),
    );
    let seen = || {
        let looks = [&["--output", "json", "key", "list"][..], &["audit", "verify"]];
        looks.map(|look| String::from_utf8(folder.command(look).output().unwrap().stdout).unwrap())
    };
    let before = seen();
    let trial = report(&folder, &["keys.ndjson", "--format", "ndjson", "--dry-run"]);
    assert_eq!(
        (counts(&trial), &trial["dryRun"]),
        ([2, 1, 0], &json!(true)),
        "{trial}"
    );
    assert_eq!(seen(), before);
    let done = report(&folder, &["keys.ndjson", "--format", "ndjson"]);
    assert_eq!(counts(&done), [2, 1, 0], "{done}");
    let again = report(&folder, &["keys.ndjson", "--format", "ndjson"]);
    assert_eq!(counts(&again), [0, 3, 0], "{again}");
    // Neither a key nor its SHA-256 is anywhere in the data, and the log is whole.
    let dump = folder.dump();
    for key in [LIVE, OTHER] {
        let digest = Sha256::digest(key);
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let raw = String::from_utf8_lossy(&digest).into_owned();
        for canary in [key, &unkey_hash(key), &URL_SAFE_NO_PAD.encode(digest), &hex, &raw] {
            assert!(!dump.contains(canary), "{canary}");
        }
    }
    let mut command = folder.command(&["audit", "verify"]);
    let verified = command.output().unwrap();
    assert!(
        verified.status.success(),
        "{}",
        String::from_utf8_lossy(&verified.stderr)
    );
}

async fn many_keys_come_in_batches(folder: Folder) {
    drop(served(&folder).stop());
    let count = 1_000;
    let keys: Vec<String> = (0..count).map(|place| format!("sk_live_{place:021}")).collect();
    let lines: Vec<String> = keys
        .iter()
        .map(|key| json!({"hash": unkey_hash(key), "name": "x", "start": "sk_live_"}).to_string())
        .collect();
    write(&folder, "half.ndjson", &lines[..500].join("\n"));
    write(&folder, "all.ndjson", &lines.join("\n"));
    // As after a run that was ended half way through.
    assert_eq!(
        counts(&report(&folder, &["half.ndjson", "--format", "ndjson"])),
        [500, 0, 0]
    );
    let all = report(&folder, &["all.ndjson", "--format", "ndjson"]);
    assert_eq!(counts(&all), [500, 500, 0]);
}

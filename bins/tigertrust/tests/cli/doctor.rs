//! `tigertrust doctor`, over what is really wrong.

use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt, process::Output};

use serde_json::Value;
use tigertrust_testkit::{Engine, TestMailServer, ThrowawayValkey};

use crate::program::{Folder, in_a_folder_for_each_engine};

in_a_folder_for_each_engine!(
    a_healthy_server_has_no_errors,
    a_schema_that_is_behind_and_a_mark_ahead_are_found,
    another_databases_ring_is_told_from_a_log_that_was_changed,
    nobody_serves_with_the_secrets_of_another_database,
);

fn report(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {}", String::from_utf8_lossy(&output.stderr));
    })
}

/// What the doctor says of a thing at a level; empty where it says nothing.
fn said(report: &Value, level: &str, about: &str) -> String {
    let findings = report["findings"].as_array().unwrap().iter();
    let found = findings.filter(|finding| finding["level"] == level && finding["about"] == about);
    let said = found.map(|finding| {
        assert!(finding["mend"].is_string() || level == "ok", "{finding}");
        finding["finding"].as_str().unwrap().to_owned()
    });
    said.collect::<Vec<_>>().join("\n")
}

fn doctor(folder: &Folder, environment: &[(&str, &str)]) -> Output {
    let mut command = folder.command(&["doctor", "--timeout", "2s", "--output", "json"]);
    command.envs(environment.iter().copied()).output().unwrap()
}

/// That the PostgreSQL of the tests keeps nothing over a crash of the machine is found, and is no matter here.
const NOT_KEPT: &str = "fsync is off: a crash of the machine may destroy it";

/// The errors in a report but for that one.
fn errors(report: &Value) -> Vec<&Value> {
    let findings = report["findings"].as_array().unwrap().iter();
    findings
        .filter(|finding| finding["level"] == "error" && finding["finding"] != NOT_KEPT)
        .collect()
}

async fn a_healthy_server_has_no_errors(folder: Folder) {
    let (mail, limits) = (TestMailServer::from_environment(), ThrowawayValkey::start());
    let limits_url = limits.url();
    let served = folder.quickstart(&[]);
    let environment = [
        ("TIGERTRUST__RATE_LIMIT__URL", limits_url.as_str()),
        ("TIGERTRUST__MAIL__SMTP_URL", mail.url()),
        ("TIGERTRUST__MAIL__FROM", "no-reply@example.com"),
        ("TIGERTRUST__SERVER__PUBLIC_URL", "https://auth.example.com"),
    ];
    let output = doctor(&folder, &environment);
    let report = report(&output);
    assert_eq!(errors(&report), Vec::<&Value>::new());
    for about in [
        "configuration",
        "key ring",
        "database",
        "schema",
        "clock",
        "rate_limit.url",
        "mail.smtp_url",
        "server.public_url",
    ] {
        assert_ne!(said(&report, "ok", about), "", "{about}: {report:#}");
    }
    assert!(said(&report, "ok", "database").contains("version "));
    let text = folder.run(&["doctor"]);
    let (errors, status, end) = match folder.database_url().starts_with("postgres") {
        true => (NOT_KEPT, 1, "1 error, 1 warning\n"),
        false => ("", 0, "0 errors, 0 warnings\n"),
    };
    assert_eq!(said(&report, "error", "database"), errors);
    assert_eq!(
        (output.status.code(), text.status.code()),
        (Some(status), Some(status))
    );
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(
        text.contains("ok       schema: ") && text.ends_with(end),
        "{text}"
    );
    served.stop();
}

async fn a_schema_that_is_behind_and_a_mark_ahead_are_found(folder: Folder) {
    folder.quickstart(&[]).stop();
    folder.sql("UPDATE clock_mark SET latest = '2099-01-01 00:00:00.000000+00:00'");
    let found = report(&doctor(&folder, &[]));
    assert_eq!(errors(&found), Vec::<&Value>::new());
    let ahead = said(&found, "warning", "clock");
    assert!(ahead.contains("behind the latest time"), "{ahead}");
    folder.json(&["migrate", "revert", "--allow-data-loss"]);
    let output = doctor(&folder, &[]);
    assert_eq!(output.status.code(), Some(1));
    let behind = said(&report(&output), "error", "schema");
    assert!(behind.contains("behind this program by 1 migration"), "{behind}");
}

async fn another_databases_ring_is_told_from_a_log_that_was_changed(folder: Folder) {
    folder.quickstart(&[]).stop();
    let healthy = report(&doctor(&folder, &[]));
    assert!(
        said(&healthy, "ok", "audit log").contains("end as they were written"),
        "{healthy:#}"
    );
    folder
        .sql("UPDATE audit_heads SET seq = seq + 1 WHERE chain_id IN (SELECT chain_id FROM audit_heads ORDER BY seq DESC LIMIT 1)");
    let changed = report(&doctor(&folder, &[]));
    let told = said(&changed, "error", "audit log");
    assert!(told.contains("1 chain of it end otherwise"), "{changed:#}");
    // Every new ring has the same ids.
    let ring = folder.path().join("another.toml");
    folder.run(&["secrets", "create", ring.to_str().unwrap()]);
    let found = report(&doctor(
        &folder,
        &[("TIGERTRUST__KEYRING_FILE", ring.to_str().unwrap())],
    ));
    let told = said(&found, "error", "key ring");
    assert!(
        told.contains("the pepper p1 in it is not the p1 that this database was written with"),
        "{found:#}"
    );
    assert_eq!(said(&found, "error", "audit log"), "");
}

async fn nobody_serves_with_the_secrets_of_another_database(folder: Folder) {
    folder.quickstart(&[]).stop();
    for webhook in ["https://hooks.example.com/a", "https://hooks.example.com/b"] {
        folder.json(&["webhook", "add", webhook]);
    }
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let [own, other, mixed] = [
        path("tigertrust-data/keyring.toml"),
        path("other.toml"),
        path("mixed.toml"),
    ];
    folder.run(&["secrets", "create", &other]);
    let secrets = |ring: &str| {
        let text = fs::read_to_string(ring).unwrap();
        let lines = text.lines().filter(|line| line.starts_with("secret"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    // The encryption key alone is another: of peppers, encryption keys and signing keys there is one each.
    let text = fs::read_to_string(&own).unwrap();
    let text = text.replace(&secrets(&own)[1], &secrets(&other)[1]);
    fs::write(&mixed, text).unwrap();
    for (ring, what) in [
        (&other, "the pepper p1 in it is not the p1"),
        (&mixed, "the encryption e1 in it is not the e1"),
    ] {
        let environment = [("TIGERTRUST__KEYRING_FILE", ring.as_str())];
        let mut serve = folder.command(&["serve", "--listen", "127.0.0.1:0"]);
        let output = serve.envs(environment).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{told}");
        assert!(
            told.contains("the key ring belongs to another database") && told.contains(what),
            "{told}"
        );
        let found = report(&doctor(&folder, &environment));
        assert!(said(&found, "error", "key ring").contains(what), "{found:#}");
    }
    // Nor is anything sealed that the right ring could not read.
    let mut add = folder.command(&["webhook", "add", "https://hooks.example.com/c"]);
    let refused = add.env("TIGERTRUST__KEYRING_FILE", &mixed).output().unwrap();
    assert!(String::from_utf8_lossy(&refused.stderr).contains("belongs to another database"));
    let healthy = report(&doctor(&folder, &[]));
    assert_eq!(said(&healthy, "error", "key ring"), "");
    // What one value alone says may be a value that was changed by hand: it is told, and not taken for certain.
    folder.sql("DELETE FROM webhooks WHERE url LIKE '%/b'");
    let mut list = folder.command(&["webhook", "list"]);
    let listed = list.env("TIGERTRUST__KEYRING_FILE", &mixed).output().unwrap();
    assert!(listed.status.success());
    let found = report(&doctor(&folder, &[("TIGERTRUST__KEYRING_FILE", &mixed)]));
    assert!(
        said(&found, "error", "key ring").contains("the encryption e1"),
        "{found:#}"
    );
}

#[tokio::test]
async fn what_is_away_is_named_and_no_secret_shown() {
    let folder = Folder::new(Engine::Sqlite).await;
    let output = doctor(
        &folder,
        &[
            (
                "TIGERTRUST__DATABASE__URL",
                "postgres://tt:CANARY1@127.0.0.1:1/tt",
            ),
            ("TIGERTRUST__RATE_LIMIT__URL", "redis://:CANARY2@127.0.0.1:1"),
            ("TIGERTRUST__MAIL__SMTP_URL", "smtps://tt:CANARY3@127.0.0.1:1"),
            ("TIGERTRUST__MAIL__FROM", "no-reply@example.com"),
            ("TIGERTRUST__SERVER__PUBLIC_URL", "https://auth.example.com"),
        ],
    );
    assert_eq!(output.status.code(), Some(1));
    let found = report(&output);
    for about in ["key ring", "database", "rate_limit.url", "mail.smtp_url"] {
        assert_ne!(said(&found, "error", about), "", "{about}: {found:#}");
    }
    let all = [output.stdout, output.stderr].concat();
    assert!(!String::from_utf8_lossy(&all).contains("CANARY"));
}

/// Each of them takes the connection, and says nothing.
#[tokio::test]
async fn it_waits_for_nobody_longer_than_it_may() {
    let folder = Folder::new(Engine::Sqlite).await;
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let output = doctor(
        &folder,
        &[
            (
                "TIGERTRUST__DATABASE__URL",
                &format!("postgres://tt:x@127.0.0.1:{port}/tt"),
            ),
            (
                "TIGERTRUST__RATE_LIMIT__URL",
                &format!("redis://127.0.0.1:{port}"),
            ),
            ("TIGERTRUST__MAIL__SMTP_URL", &format!("smtps://127.0.0.1:{port}")),
            ("TIGERTRUST__MAIL__FROM", "no-reply@example.com"),
            ("TIGERTRUST__SERVER__PUBLIC_URL", "https://auth.example.com"),
        ],
    );
    assert_eq!(output.status.code(), Some(1));
    let found = report(&output);
    for about in ["database", "rate_limit.url", "mail.smtp_url"] {
        assert_ne!(said(&found, "error", about), "", "{about}: {found:#}");
    }
}

#[tokio::test]
async fn weak_settings_are_named() {
    let folder = Folder::new(Engine::Sqlite).await;
    folder.quickstart(&[]).stop();
    let ring = folder.path().join("tigertrust-data/keyring.toml");
    fs::set_permissions(&ring, fs::Permissions::from_mode(0o644)).unwrap();
    let output = doctor(
        &folder,
        &[
            ("TIGERTRUST__SERVER__LISTEN", "0.0.0.0:8080"),
            ("TIGERTRUST__SERVER__PUBLIC_URL", "http://auth.example.com"),
            ("TIGERTRUST__METRICS__LISTEN", "0.0.0.0:9464"),
            ("TIGERTRUST__SESSIONS__LIFETIME", "365d"),
            ("TIGERTRUST__CACHE__MAX_STALENESS", "5m"),
            ("TIGERTRUST__WEBHOOKS__ALLOW_PRIVATE_ADDRESSES", "true"),
        ],
    );
    assert_eq!(output.status.code(), Some(1));
    let found = report(&output);
    assert!(
        said(&found, "error", "key ring").contains("mode 644"),
        "{found:#}"
    );
    for about in [
        "server.listen",
        "server.public_url",
        "metrics.listen",
        "sessions.lifetime",
        "cache.max_staleness",
        "webhooks.allow_private_addresses",
    ] {
        assert_ne!(said(&found, "warning", about), "", "{about}: {found:#}");
    }
    let output = doctor(
        &folder,
        &[("TIGERTRUST__SERVER__TRUSTED_PROXIES", "10.0.0.0/8, 0.0.0.0/0")],
    );
    assert_ne!(said(&report(&output), "error", "server.trusted_proxies"), "");
    let output = doctor(&folder, &[("TIGERTRUST__SERVER__WORKERS", "0")]);
    assert!(said(&report(&output), "error", "configuration").contains("server.workers"));
}

#[tokio::test]
async fn the_address_of_a_flag_is_looked_at_where_it_is_given() {
    let folder = Folder::new(Engine::Sqlite).await;
    folder.quickstart(&[]).stop();
    let arguments = [
        "doctor",
        "--listen",
        "0.0.0.0:8080",
        "--timeout",
        "2s",
        "--output",
        "json",
    ];
    let found = report(&folder.run(&arguments));
    let warned = said(&found, "warning", "server.listen");
    assert!(
        warned.contains("0.0.0.0:8080 is reached from other machines"),
        "{warned}"
    );
}

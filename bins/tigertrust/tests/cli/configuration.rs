//! Settings: where they come from, and what a wrong one says.

use std::{fs, os::unix::fs::PermissionsExt};

use tigertrust_testkit::Engine;

use crate::program::Folder;

async fn folder() -> Folder {
    Folder::new(Engine::Sqlite).await
}

fn write(folder: &Folder, name: &str, text: &str) {
    fs::write(folder.path().join(name), text).unwrap();
}

#[tokio::test]
async fn every_wrong_value_names_its_key_its_source_and_what_is_allowed() {
    let folder = folder().await;
    write(
        &folder,
        "tt.toml",
        "[server]\nlisten = \"nowhere\"\nworkers = 0\n[cache]\nmax_stalenes = \"5s\"\n[log]\nformat = \"xml\"\n",
    );
    let mut command = folder.command(&["config", "check", "--config", "tt.toml"]);
    command
        .env("TIGERTRUST__DATABASE__POOL_SIZE", "many")
        .env("TIGERTRUST__CACHE__MAX_KEYS", "-1")
        .env("TIGERTRUST__TRACES__URL", "collector:4318")
        .env("TIGERTRUST__TRACES__SAMPLE", "5%")
        .env("TIGERTRUST_SERVER__PUBLIC_URL", "https://tt.example.com")
        .env("TIGERTRUST_DATABASE_URL", "postgres://tt:secret@db/tt")
        .env("TIGERTRUST_API_KEY", "of somebody else");
    let output = command.output().unwrap();
    assert!(!output.status.success());
    let message = String::from_utf8(output.stderr).unwrap();
    for expected in [
        "server.listen = \"nowhere\" (tt.toml): must be an address and a port such as 127.0.0.1:8080",
        "server.workers = \"0\" (tt.toml): must be a number from 1 to 1024",
        "log.format = \"xml\" (tt.toml): must be human or json",
        "database.pool_size = \"many\" (TIGERTRUST__DATABASE__POOL_SIZE): must be a number from 1 to 1000",
        "cache.max_keys = \"-1\" (TIGERTRUST__CACHE__MAX_KEYS)",
        "traces.url = \"collector:4318\" (TIGERTRUST__TRACES__URL): must be an address such as http://127.0.0.1:4318",
        "traces.sample = \"5%\" (TIGERTRUST__TRACES__SAMPLE): must be a share from 0 to 1, such as 0.05",
        "cache.max_stalenes (tt.toml): there is no such setting; did you mean cache.max_staleness?",
        "TIGERTRUST_SERVER__PUBLIC_URL: it is not read; did you mean TIGERTRUST__SERVER__PUBLIC_URL?",
        "TIGERTRUST_DATABASE_URL: it is not read; did you mean TIGERTRUST__DATABASE__URL?",
    ] {
        assert!(message.contains(expected), "{expected}\n{message}");
    }
    assert!(!message.contains("TIGERTRUST_API_KEY"), "{message}");
}

#[tokio::test]
async fn a_secret_in_the_wrong_place_is_not_shown() {
    let folder = folder().await;
    for (name, value) in [
        ("KEYRING_FILE", "[[peppers]]\nid = \"p1\"\nsecret = \"CANARY\""),
        ("DATABASE__URL_FILE", "postgres://tt:CANARY@db/tt"),
        ("MAIL__SMTP_URL_FILE", "smtps://tt:CANARY@mail.example.com"),
        ("TRACES__URL", "https://tt:CANARY@collector/x"),
        ("SERVER__TLS__KEY_FILE", "-----BEGIN PRIVATE KEY-----\nCANARY"),
        ("KEYRING_COMMAND", "echo CANARY"),
        ("KEYRING_FILE", "CANARY"),
        ("MAIL__SMTP_URL_FILE", "user:CANARY/x"),
        ("MAIL__FROM", "smtp://tt:CANARY@mail.example.com"),
        ("SERVER__PUBLIC_URL", "https://example.com/?CANARY"),
        ("SERVER__LISTEN", "ak_CANARY"),
        ("PASSKEYS__ORIGINS", "https://tt:CANARY@example.com"),
    ] {
        let name = format!("TIGERTRUST__{name}");
        for command in ["config check", "doctor", "serve"] {
            let arguments: Vec<&str> = command.split(' ').collect();
            let output = folder.command(&arguments).env(&name, value).output().unwrap();
            let said = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
            assert!(!output.status.success(), "{command} {name}: {said:?}");
            assert!(!said.concat().contains("CANARY"), "{command}: {said:?}");
        }
    }
}

#[tokio::test]
async fn what_is_there_twice_or_no_table_is_said() {
    let folder = folder().await;
    let said = |text: &str| {
        write(&folder, "tt.toml", text);
        folder.failure(&["config", "check", "--config", "tt.toml"])
    };
    let twice = said("[server]\nlisten = \"127.0.0.1:1\"\nlisten = \"127.0.0.1:2\"\n");
    assert!(
        twice.contains("tt.toml: line 3 says once more what is said above it"),
        "{twice}"
    );
    let table = said("server = 5\n");
    assert!(
        table.contains("server (tt.toml): it is a table of settings: write [server] above them"),
        "{table}"
    );
    let mut command = folder.command(&["config", "check"]);
    let output = command
        .env("TIGERTRUST_SSO_GOOGLE_CLIENT_ID", "x")
        .output()
        .unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(
        message.contains("TIGERTRUST_SSO_GOOGLE_CLIENT_ID: it is not read; did you mean one that begins with TIGERTRUST__SSO__?"),
        "{message}"
    );
}

#[tokio::test]
async fn flags_win_over_the_environment_and_that_over_the_file() {
    let folder = folder().await;
    write(
        &folder,
        "tt.toml",
        "[log]\nfilter = \"debug\"\n[server]\nlisten = \"127.0.0.1:1\"\n",
    );
    let mut command = folder.command(&["config", "check", "--config", "tt.toml", "--output", "json"]);
    let output = command
        .env("TIGERTRUST__SERVER__LISTEN", "127.0.0.1:2")
        .output()
        .unwrap();
    let origins: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    let source = |key: &str| origins.iter().find(|origin| origin["key"] == key).unwrap()["source"].clone();
    assert_eq!(source("server.listen"), "TIGERTRUST__SERVER__LISTEN");
    assert_eq!(source("log.filter"), "tt.toml");
    assert_eq!(source("log.format"), "default");
    let mut command = folder.command(&["serve", "--config", "tt.toml", "--listen", "here"]);
    let message = String::from_utf8(command.output().unwrap().stderr).unwrap();
    assert!(
        message.contains("server.listen = \"here\" (--listen)"),
        "{message}"
    );
}

#[tokio::test]
async fn what_each_setting_is_is_shown_but_no_secret() {
    let folder = folder().await;
    write(
        &folder,
        "tt.toml",
        "[server]\nkeep_alive = \"90s\"\ntrusted_proxies = [\"10.0.0.0/8\"]\n",
    );
    let command = |output: &str| {
        let mut command = folder.command(&["config", "check", "--config", "tt.toml", "--output", output]);
        command
            .env("TIGERTRUST__TRACES__HEADERS", "authorization=CANARYsecret")
            .env("TIGERTRUST__SERVER__TLS__CERTIFICATE_FILE", "./certificate.pem")
            .env("TIGERTRUST__SERVER__TLS__KEY_FILE", "CANARY");
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let (json, text) = (command("json"), command("text"));
    assert!(
        !json.contains("CANARY") && !text.contains("CANARY"),
        "{json}\n{text}"
    );
    let settings: Vec<serde_json::Value> = serde_json::from_str(&json).unwrap();
    let shown = |key: &str| settings.iter().find(|setting| setting["key"] == key).unwrap();
    for (key, value) in [
        ("server.keep_alive", "90s"),
        ("server.trusted_proxies", "[\"10.0.0.0/8\"]"),
        ("server.listen", "127.0.0.1:8080"),
        ("server.socket_mode", "0660"),
        ("server.tls.certificate_file", "./certificate.pem"),
        ("rate_limit.instance", "6000/1m,200000/1h"),
        ("passkeys.rp_id", "localhost"),
    ] {
        assert_eq!(shown(key)["value"], value);
    }
    assert_eq!(shown("traces.headers")["value"], serde_json::Value::Null);
    assert_eq!(shown("traces.headers")["secret"], true);
    let line = |key: &str| {
        let line = text
            .lines()
            .find(|line| line.split_whitespace().next() == Some(key));
        line.unwrap()
            .split_whitespace()
            .skip(1)
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(line("server.keep_alive"), "tt.toml 90s");
    assert_eq!(line("server.shutdown_timeout"), "default 10s");
    assert_eq!(line("traces.headers"), "TIGERTRUST__TRACES__HEADERS (secret)");
    assert_eq!(
        line("server.tls.key_file"),
        "TIGERTRUST__SERVER__TLS__KEY_FILE (secret)"
    );
}

#[tokio::test]
async fn what_is_in_effect_is_shown_in_the_order_of_the_handbook() {
    let folder = folder().await;
    write(&folder, "url", "sqlite://./CANARY.db\n");
    let check = |output: &str| {
        let mut command = folder.command(&["config", "check", "--output", output]);
        command
            .env("TIGERTRUST__DATABASE__URL_FILE", "url")
            .output()
            .unwrap()
    };
    let output = check("text");
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(
        message.contains("there is no key ring") && message.contains("tigertrust-data/keyring.toml"),
        "{message}"
    );
    folder.make_ring();
    let output = check("json");
    assert!(output.status.success());
    let settings: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    let place = |key: &str| settings.iter().position(|setting| setting["key"] == key).unwrap();
    let shown = |key: &str| &settings[place(key)];
    assert_eq!(shown("keyring_file")["value"], "./tigertrust-data/keyring.toml");
    assert_eq!(shown("keyring_file")["source"], "default");
    assert_eq!(shown("database.url_file")["value"], "url");
    assert_eq!(shown("database.url")["source"], "database.url_file");
    assert_eq!(shown("database.url")["value"], serde_json::Value::Null);
    assert!(place("server.public_url") < place("database.url"));
    assert!(place("database.url") < place("keyring_file") && place("keyring_file") < place("cache.max_keys"));
}

#[tokio::test]
async fn mistakes_are_json_where_json_is_asked_for() {
    let folder = folder().await;
    let mut command = folder.command(&["config", "check", "--output", "json"]);
    command
        .env("TIGERTRUST__SCOPES", "a:b,c:d")
        .env("TIGERTRUST__SERVER__WORKERS", "0");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let mistakes: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let mistakes: Vec<&str> = mistakes["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|mistake| mistake.as_str().unwrap())
        .collect();
    assert_eq!(mistakes.len(), 2, "{mistakes:?}");
    let scopes = mistakes
        .iter()
        .find(|mistake| mistake.starts_with("scopes "))
        .unwrap();
    assert!(
        scopes.contains("TIGERTRUST__SCOPES") && scopes.contains("cannot be an environment variable"),
        "{scopes}"
    );
}

#[tokio::test]
async fn a_secret_is_never_part_of_a_message() {
    let folder = folder().await;
    let canary = "CANARYsecret";
    for (variable, value) in [
        (
            "TIGERTRUST__DATABASE__URL",
            format!("mysql://user:{canary}@host/db"),
        ),
        (
            "TIGERTRUST__DATABASE__URL",
            format!("postgres://user:{canary}/x@host/db"),
        ),
        (
            "TIGERTRUST__KEYRING",
            format!("[[peppers]]\nid = \"p1\"\nsecret = {canary}"),
        ),
        (
            "TIGERTRUST__KEYRING",
            format!("[[peppers]]\nid = \"p1\"\nsecret = \"{canary}\""),
        ),
        (
            "TIGERTRUST__TRACES__HEADERS",
            format!("authorization: Bearer {canary}"),
        ),
    ] {
        let output = folder
            .command(&["config", "check"])
            .env(variable, &value)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(!output.status.success(), "{value}");
        assert!(said.contains(variable) && !said.contains(canary), "{said}");
    }
}

#[tokio::test]
async fn secrets_come_from_files_too() {
    let folder = folder().await;
    let made = folder.run(&["secrets", "create", "ring.toml"]);
    assert!(made.status.success());
    let mode = fs::metadata(folder.path().join("ring.toml"))
        .unwrap()
        .permissions()
        .mode()
        & 0o777;
    assert_eq!(mode, 0o600);
    assert!(
        folder
            .failure(&["secrets", "create", "ring.toml"])
            .contains("ring.toml")
    );
    write(&folder, "url", "sqlite://./x.db\n");
    write(
        &folder,
        "tt.toml",
        "keyring_file = \"ring.toml\"\n[database]\nurl_file = \"url\"\n",
    );
    assert!(
        folder
            .run(&["config", "check", "--config", "tt.toml"])
            .status
            .success()
    );
    assert!(
        folder
            .run(&["migrate", "run", "--config", "tt.toml"])
            .status
            .success()
    );
    assert!(folder.path().join("x.db").is_file());
    let output = folder
        .command(&["config", "check", "--config", "tt.toml"])
        .env("TIGERTRUST__DATABASE__URL", "sqlite://./y.db")
        .output()
        .unwrap();
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("keep one of them")
    );
    write(&folder, "tt.toml", "keyring_file = \"nowhere.toml\"\n");
    assert!(
        folder
            .failure(&["config", "check", "--config", "tt.toml"])
            .contains("nowhere.toml")
    );
}

#[tokio::test]
async fn application_scopes_are_configuration() {
    let folder = folder().await;
    write(
        &folder,
        "tt.toml",
        "[[scopes]]\nname = \"invoices:read\"\ndescription = \"Read invoices\"\ntypes = [\"agent\"]\n",
    );
    let started = folder.command(&[
        "quickstart",
        "--config",
        "tt.toml",
        "--ephemeral",
        "--output",
        "json",
        "--listen",
        "127.0.0.1:0",
    ]);
    let served = crate::program::Served::start(started);
    let ask = async |scope: &str| {
        let path = format!("/api/auth/check?scope={scope}");
        let request = served
            .request(reqwest::Method::GET, &path)
            .bearer_auth(served.text("agentKey"));
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(ask("invoices:read").await, 200);
    assert_eq!(ask("certificates:read").await, 400);
    for (text, expected) in [
        ("[[scopes]]\nname = \"keys:x\"\ntypes = [\"agent\"]\n", "keys:x"),
        (
            "[[scopes]]\nname = \"Bad\"\ntypes = [\"agent\"]\n",
            "\"Bad\" must be a scope",
        ),
        (
            "[[scopes]]\nname = \"a:b\"\ntypes = [\"secret\"]\n",
            "must be agent or public",
        ),
        ("scopes = 5\n", "must be tables [[scopes]]"),
    ] {
        write(&folder, "bad.toml", text);
        let message = folder.failure(&["config", "check", "--config", "bad.toml"]);
        assert!(
            message.contains("scopes (bad.toml)") && message.contains(expected),
            "{message}"
        );
    }
}

#[tokio::test]
async fn formats_of_imported_keys_are_configuration() {
    let folder = folder().await;
    let table = |more: &str| {
        format!(
            "[[keys.formats]]\nid = \"a\"\nprefix = \"sk_\"\nlength = 40\ntype = \"agent\"\ndigest = \"sha256\"\n{more}"
        )
    };
    folder.make_ring();
    write(&folder, "good.toml", &table(""));
    assert!(
        folder
            .run(&["config", "check", "--config", "good.toml"])
            .status
            .success()
    );
    for (value, is_good) in [
        ("a=sk_:40:agent", true),
        ("a=sk_:40-44:agent, b=pk-:64:public", true),
        ("a=sk_:40", false),
        ("a", false),
    ] {
        let mut command = folder.command(&["config", "check"]);
        let output = command.env("TIGERTRUST__KEYS__FORMATS", value).output().unwrap();
        assert_eq!(output.status.success(), is_good, "{value}");
    }
    for (text, expected) in [
        (
            table("max_length = 50\n"),
            "a: give either length, or min_length and max_length",
        ),
        (table("").replace("sha256", "md5"), "a: digest must be sha256"),
        (
            table("").replace("agent", "secret"),
            "a: type must be agent or public",
        ),
        (table("").replace("\"sk_\"", "\"ak_x\""), "overlaps with \"ak_\""),
        (table("").replace("\"sk_\"", "\"eyJ\""), "kept for JWTs"),
        (table("").replace("40", "20"), "the length must be"),
        (
            table("") + &table("").replace("\"a\"", "\"b\""),
            "b: the prefix \"sk_\" overlaps with \"sk_\" of a",
        ),
        (
            table("speed = 5\n"),
            "must be tables [[keys.formats]] with id, prefix, length (or min_length and max_length), type and digest; of table 1: there is no field speed",
        ),
        (
            table("[[keys.formats]]\nprefix = \"x\"\n"),
            "of table 2: id is missing",
        ),
        (
            "[keys]\nformats = 5\n".to_owned(),
            "must be tables [[keys.formats]]",
        ),
    ] {
        write(&folder, "bad.toml", &text);
        let message = folder.failure(&["config", "check", "--config", "bad.toml"]);
        assert!(
            message.contains("keys.formats (bad.toml)") && message.contains(expected),
            "{message}"
        );
    }
}

#[tokio::test]
async fn a_file_that_is_no_toml_names_the_line() {
    let folder = folder().await;
    write(&folder, "tt.toml", "[server]\nlisten = \n");
    let message = folder.failure(&["config", "check", "--config", "tt.toml"]);
    assert!(
        message.contains("tt.toml") && message.contains("line 2"),
        "{message}"
    );
    // What stands there may be a password.
    write(
        &folder,
        "tt.toml",
        "[database]\nurl = \"postgres://jo:CANARY@db/x\n",
    );
    for output in ["text", "json"] {
        let said = folder.run(&["--output", output, "config", "check", "--config", "tt.toml"]);
        let said = [said.stdout, said.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        let said = said.concat();
        assert!(said.contains("line 2") && !said.contains("CANARY"), "{said}");
    }
    assert!(
        folder
            .failure(&["config", "check", "--config", "none.toml"])
            .contains("none.toml")
    );
}

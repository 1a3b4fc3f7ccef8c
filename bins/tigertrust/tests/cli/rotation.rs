//! Secrets of the key ring are rotated under a running server, and nobody notices.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use reqwest::Method;
use serde_json::{Value, json};
use tigertrust_credentials::{SystemClock, TotpSecret, TotpStep};
use tigertrust_model::Clock;
use tigertrust_testkit::{Receiver, eventually};

use crate::program::{Folder, Served, in_a_folder_for_each_engine};

in_a_folder_for_each_engine!(
    what_one_of_two_servers_still_uses_is_not_taken_out,
    a_secret_that_is_needed_and_gone_is_kept_and_told_of,
    the_command_line_makes_keys_that_servers_know,
    a_server_that_says_nothing_stands_in_the_way,
    a_secret_put_in_front_by_hand_is_used_once_all_servers_know_it,
    every_kind_is_rotated_and_all_that_was_made_before_goes_on,
    a_ring_that_lacks_a_secret_is_not_taken_up,
);

const PRIVATE: (&str, &str) = ("TIGERTRUST__WEBHOOKS__ALLOW_PRIVATE_ADDRESSES", "true");

/// What was made before, with what it takes to use it.
struct Made {
    key: String,
    token: String,
    session: String,
    app: TotpSecret,
    step: TotpStep,
    password: String,
    webhook: String,
    webhook_secret: String,
}

async fn post(served: &Served, path: &str, session: Option<&str>, body: &Value) -> reqwest::Response {
    let mut request = served.request(Method::POST, path).json(body);
    if let Some(session) = session {
        request = request.header("Cookie", format!("connect.sid={session}"));
    }
    request.send().await.unwrap()
}

fn session_of(answer: &reqwest::Response) -> Option<String> {
    let cookies = answer.headers().get_all("set-cookie").iter();
    let mut values = cookies.filter_map(|cookie| cookie.to_str().unwrap().strip_prefix("connect.sid="));
    Some(values.next()?.split(';').next()?.to_owned())
}

fn base32(text: &str) -> TotpSecret {
    let digit = |letter| {
        let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        digits.iter().position(|own| *own == letter).unwrap()
    };
    let bits: String = text
        .bytes()
        .map(|letter| format!("{:05b}", digit(letter)))
        .collect();
    let bytes: Vec<u8> = (0..20)
        .map(|index| u8::from_str_radix(&bits[index * 8..index * 8 + 8], 2).unwrap())
        .collect();
    TotpSecret::from_bytes(&bytes).unwrap()
}

impl Made {
    async fn by(folder: &Folder, served: &Served, receiver: &Receiver) -> Self {
        let key = served.text("agentKey").to_owned();
        let password = served.text("password").to_owned();
        let issued = served
            .request(Method::POST, "/api/tokens")
            .header("X-Agent-API-Key", &key)
            .json(&json!({}))
            .send()
            .await
            .unwrap();
        assert_eq!(issued.status(), 201);
        let issued: Value = issued.json().await.unwrap();
        let body = json!({"email": "owner@example.com", "password": password});
        let session = session_of(&post(served, "/api/auth/login", None, &body).await).unwrap();
        let new = post(served, "/api/auth/2fa/totp", Some(&session), &Value::Null).await;
        assert_eq!(new.status(), 200);
        let new: Value = new.json().await.unwrap();
        let app = base32(new["secret"].as_str().unwrap());
        let step = TotpStep::at(SystemClock::new().now());
        let body = json!({"code": app.code(step).to_string()});
        let confirmed = post(served, "/api/auth/2fa/totp/confirm", Some(&session), &body).await;
        assert_eq!(confirmed.status(), 200);
        // Adding a factor gives the session a new token.
        let session = session_of(&confirmed).unwrap_or(session);
        let mut add = folder.command(&["webhook", "add", &receiver.url("/hook"), "--output", "json"]);
        let added = add.env(PRIVATE.0, PRIVATE.1).output().unwrap();
        assert!(
            added.status.success(),
            "{}",
            String::from_utf8_lossy(&added.stderr)
        );
        let added: Value = serde_json::from_slice(&added.stdout).unwrap();
        Self {
            key,
            token: issued["token"].as_str().unwrap().to_owned(),
            session,
            app,
            step,
            password,
            webhook: added["id"].as_str().unwrap().to_owned(),
            webhook_secret: added["secret"].as_str().unwrap().to_owned(),
        }
    }

    /// That the key, the token, the session, and the webhook go on.
    async fn goes_on(&self, folder: &Folder, served: &Served, receiver: &Receiver) {
        assert_eq!(served.check(&self.key).await, 200, "the key");
        assert_eq!(served.check(&self.token).await, 200, "the token");
        let me = served.request(Method::GET, "/api/auth/me");
        let me = me.header("Cookie", format!("connect.sid={}", self.session));
        assert_eq!(me.send().await.unwrap().status(), 200, "the session");
        let before = receiver.received().len();
        folder.json(&["webhook", "test", &self.webhook]);
        eventually(true, async || receiver.received().len() > before).await;
        assert!(receiver.received()[before].is_signed_with(&self.webhook_secret));
        folder.json(&["audit", "verify"]);
    }

    /// That the app is still asked for, and its codes are still right: the next one.
    async fn app_goes_on(&self, served: &Served) {
        let body = json!({"email": "owner@example.com", "password": self.password});
        let first: Value = post(served, "/api/auth/login", None, &body)
            .await
            .json()
            .await
            .unwrap();
        let next = TotpStep::from_number(self.step.number() + 1);
        let body = json!({"token": first["token"], "code": self.app.code(next).to_string()});
        let second = post(served, "/api/auth/verify-2fa", None, &body).await;
        assert_eq!(second.status(), 200, "the app");
    }
}

async fn every_kind_is_rotated_and_all_that_was_made_before_goes_on(folder: Folder) {
    let receiver = Receiver::start();
    let mut served = folder.quickstart_in(&[PRIVATE], &[]);
    let made = Made::by(&folder, &served, &receiver).await;
    let path = folder.path().join("tigertrust-data/keyring.toml");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    for (kind, id) in [("pepper", "p2"), ("encryption", "e2"), ("signing", "s2")] {
        let before = fs::read_to_string(&path).unwrap();
        let planned = folder.json(&["secrets", "rotate", kind, "--dry-run"]);
        assert_eq!((&planned["id"], &planned["dryRun"]), (&json!(id), &json!(true)));
        assert_eq!(fs::read_to_string(&path).unwrap(), before);
        let rotated = folder.json(&["secrets", "rotate", kind]);
        assert_eq!(rotated["ids"][0], id);
        // Whose group reads the ring goes on to do so, and nobody else.
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        served.signal("HUP");
        served.logged("settings read again");
        made.goes_on(&folder, &served, &receiver).await;
    }
    made.app_goes_on(&served).await;
    // What is made now is made with the new secrets.
    let new = folder.json(&["key", "create", "--name", "new", "--scope", "certificates:read"]);
    assert_eq!(served.check(new["key"].as_str().unwrap()).await, 200);
    let keys = served
        .request(Method::GET, "/.well-known/jwks.json")
        .send()
        .await
        .unwrap();
    assert_eq!(
        keys.json::<Value>().await.unwrap()["keys"]
            .as_array()
            .unwrap()
            .len(),
        2
    );

    let status = folder.json(&["secrets", "status"]);
    let find = |kind: &str, id: &str| secret(&status, kind, id);
    assert_eq!(find("pepper", "p2")["dependents"]["keySecrets"], 1);
    assert_eq!(find("pepper", "p1")["dependents"]["keySecrets"], 2);
    assert_eq!(
        find("encryption", "e1")["dependents"],
        json!({"authenticatorApps": 1, "webhookSecrets": 1})
    );
    assert_eq!(find("encryption", "e2")["state"], "current");
    assert!(find("signing", "s1")["tokensUntil"].is_string());
    let text = fs::read_to_string(&path).unwrap();
    let shown = status.to_string();
    for line in text.lines().filter_map(|line| line.strip_prefix("secret = ")) {
        assert!(!shown.contains(line.trim_matches('"')), "a secret is shown");
    }
    for (kind, id) in [("pepper", "p1"), ("encryption", "e1"), ("signing", "s1")] {
        let failure = folder.failure(&["secrets", "remove", kind, id]);
        assert!(failure.contains("has to stay"), "{failure}");
    }
    assert!(
        folder
            .failure(&["secrets", "remove", "pepper", "p2"])
            .contains("the one in use")
    );
    folder.json(&["webhook", "remove", &made.webhook, "--yes"]);
    folder.json(&["user", "reset-2fa", "owner@example.com"]);
    let removed = folder.json(&["secrets", "remove", "encryption", "e1"]);
    assert_eq!(removed["ids"], json!(["e2"]));
    // A server forgets what nothing needs.
    served.signal("HUP");
    let line = served.logged("taken out");
    assert!(line.contains("encryption e1"), "{line}");
    served.logged("settings read again");
    assert_eq!(served.check(&made.key).await, 200);

    served.stop();
    let served = folder.quickstart_in(&[PRIVATE], &[]);
    assert_eq!(served.check(&made.key).await, 200);
    assert_eq!(served.check(new["key"].as_str().unwrap()).await, 200);
    folder.json(&["audit", "verify"]);
}

async fn a_ring_that_lacks_a_secret_is_not_taken_up(folder: Folder) {
    let mut served = folder.quickstart(&[]);
    let path = folder.path().join("tigertrust-data/keyring.toml");
    let made = fs::read_to_string(&path).unwrap();
    fs::write(&path, "this is no ring").unwrap();
    served.signal("HUP");
    let line = served.logged("the settings cannot be read again");
    assert!(!line.contains("this is no ring"), "{line}");
    fs::remove_file(&path).unwrap();
    folder.json(&["secrets", "create", path.to_str().unwrap()]);
    served.signal("HUP");
    served.logged("the new key ring lacks secrets that are in use");
    served.logged("settings read again");
    assert_eq!(served.check(served.text("agentKey")).await, 200);
    fs::write(&path, made).unwrap();
    // Several servers learn a secret first, and use it after.
    let behind = folder.json(&["secrets", "rotate", "pepper", "--behind"]);
    assert_eq!(behind["ids"], json!(["p1", "p2"]));
    served.signal("HUP");
    served.logged("settings read again");
    let promoted = folder.json(&["secrets", "promote", "pepper", "p2"]);
    assert_eq!(promoted["ids"], json!(["p2", "p1"]));
    served.signal("HUP");
    served.logged("in use from now on");
    assert_eq!(served.check(served.text("agentKey")).await, 200);
}

/// A secret in the status of the ring.
fn secret(status: &Value, kind: &str, id: &str) -> Value {
    let mut all = status.as_array().unwrap().iter();
    let found = all.find(|secret| secret["kind"] == kind && secret["id"] == id);
    found.unwrap_or_else(|| panic!("{kind} {id}: {status:#}")).clone()
}

fn reload(served: &mut Served) {
    served.signal("HUP");
    served.logged("settings read again");
}

async fn what_one_of_two_servers_still_uses_is_not_taken_out(folder: Folder) {
    let mut servers = [folder.quickstart(&[]), folder.quickstart(&[])];
    let key = servers[0].text("agentKey").to_owned();
    for served in &mut servers {
        served.logged("tls=false");
    }
    let failure = folder.failure(&["secrets", "rotate", "encryption"]);
    assert!(
        failure.contains("2 servers run") && failure.contains("--behind"),
        "{failure}"
    );
    folder.json(&["secrets", "rotate", "encryption", "--behind"]);
    let next = secret(&folder.json(&["secrets", "status"]), "encryption", "e2");
    assert_eq!(
        (&next["state"], &next["removable"]),
        (&json!("next"), &json!(false))
    );
    assert_eq!(next["servers"]["lacking"].as_array().unwrap().len(), 2);
    reload(&mut servers[0]);
    let failure = folder.failure(&["secrets", "promote", "encryption", "e2"]);
    assert!(failure.contains("not known yet to "), "{failure}");
    reload(&mut servers[1]);
    folder.json(&["secrets", "promote", "encryption", "e2"]);

    reload(&mut servers[0]);
    let status = folder.json(&["secrets", "status"]);
    let earlier = secret(&status, "encryption", "e1");
    let using = earlier["servers"]["using"].as_array().unwrap();
    assert_eq!((using.len(), &earlier["removable"]), (1, &json!(false)));
    assert_eq!(earlier["servers"]["holding"].as_array().unwrap().len(), 1);
    let name = using[0].as_str().unwrap();
    let failure = folder.failure(&["secrets", "remove", "encryption", "e1"]);
    assert!(
        failure.contains("has to stay") && failure.contains(name) && failure.contains("SIGHUP"),
        "{failure}"
    );
    let report = folder.run(&["doctor"]);
    let report = String::from_utf8(report.stdout).unwrap();
    assert!(
        report.contains(&format!(
            "servers: {name} makes what is new with encryption e1 still"
        )),
        "{report}"
    );

    reload(&mut servers[1]);
    let removed = folder.json(&["secrets", "remove", "encryption", "e1"]);
    assert_eq!(removed["ids"], json!(["e2"]));
    for served in &mut servers {
        served.signal("HUP");
        served.logged("taken out");
        served.logged("settings read again");
        assert_eq!(served.check(&key).await, 200);
    }
    let report = String::from_utf8(folder.run(&["doctor"]).stdout).unwrap();
    assert!(
        report.contains("servers: 2 servers run, whose secrets have the ids of this key ring"),
        "{report}"
    );
}

async fn a_secret_that_is_needed_and_gone_is_kept_and_told_of(folder: Folder) {
    let mut served = folder.quickstart(&[]);
    let [key, other] = ["agentKey", "publicKey"].map(|name| served.text(name).to_owned());
    served.logged("tls=false");
    let path = folder.path().join("tigertrust-data/keyring.toml");
    folder.json(&["secrets", "rotate", "pepper"]);
    let whole = fs::read_to_string(&path).unwrap();
    // What the server uses for what is new is in no ring that lacks it: that is a wrong one.
    folder.json(&["secrets", "remove", "pepper", "p1", "--allow-loss"]);
    let lacking = fs::read_to_string(&path).unwrap();
    served.signal("HUP");
    let line = served.logged("the new key ring lacks secrets that are in use");
    assert!(line.contains("pepper p1"), "{line}");
    served.logged("settings read again");
    fs::write(&path, &whole).unwrap();
    reload(&mut served);
    fs::write(&path, &lacking).unwrap();
    served.signal("HUP");
    let line = served.logged("the new key ring lacks secrets that are still needed");
    assert!(line.contains("pepper p1"), "{line}");
    served.logged("settings read again");
    assert_eq!(served.check(&key).await, 200);

    let missing = secret(&folder.json(&["secrets", "status"]), "pepper", "p1");
    assert_eq!(
        (&missing["state"], &missing["removable"]),
        (&json!("missing"), &json!(false))
    );
    assert_eq!(missing["servers"]["holding"].as_array().unwrap().len(), 1);
    let report = folder.run(&["doctor"]);
    assert!(!report.status.success());
    let report = String::from_utf8(report.stdout).unwrap();
    assert!(report.contains("key ring: pepper p1 is MISSING: "), "{report}");

    assert!(
        report.contains("holds pepper p1, which is not in this key ring"),
        "{report}"
    );

    served.stop();
    let mut served = folder.quickstart(&[]);
    let line = served.logged("MISSING");
    assert!(line.contains("p1") && line.contains("2 keySecrets"), "{line}");
    assert_eq!(served.check(&key).await, 401);
    fs::write(&path, &whole).unwrap();
    reload(&mut served);
    // Another one, since it is remembered for ten seconds that there is no such key.
    assert_eq!(served.check(&other).await, 200);
}

async fn the_command_line_makes_keys_that_servers_know(folder: Folder) {
    let create = |folder: &Folder| {
        let made = folder.json(&["key", "create", "--name", "new", "--scope", "certificates:read"]);
        made["key"].as_str().unwrap().to_owned()
    };
    let key_secrets = |folder: &Folder, id: &str| {
        let status = folder.json(&["secrets", "status"]);
        secret(&status, "pepper", id)["dependents"]["keySecrets"].as_u64()
    };
    let mut served = folder.quickstart(&[]);
    served.logged("tls=false");
    folder.json(&["secrets", "rotate", "pepper"]);
    let before = create(&folder);
    assert_eq!(served.check(&before).await, 200);
    assert_eq!(
        (key_secrets(&folder, "p1"), key_secrets(&folder, "p2")),
        (Some(3), None)
    );
    reload(&mut served);
    let after = create(&folder);
    assert_eq!(served.check(&after).await, 200);
    assert_eq!(
        (key_secrets(&folder, "p1"), key_secrets(&folder, "p2")),
        (Some(3), Some(1))
    );
    // Whoever has quite another ring would make what no server understands.
    assert!(folder.run(&["secrets", "create", "other.toml"]).status.success());
    let other = fs::read_to_string(folder.path().join("other.toml")).unwrap();
    fs::write(
        folder.path().join("other.toml"),
        other.replace("\"p1\"", "\"q1\""),
    )
    .unwrap();
    let mut command = folder.command(&["key", "create", "--name", "lost"]);
    let output = command
        .env("TIGERTRUST__KEYRING_FILE", "other.toml")
        .output()
        .unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && message.contains("share no pepper"),
        "{message}"
    );
}

async fn a_secret_put_in_front_by_hand_is_used_once_all_servers_know_it(folder: Folder) {
    let path = folder.path().join("tigertrust-data/keyring.toml");
    let put_in_front = |entry: &str| {
        let ring = fs::read_to_string(&path).unwrap();
        fs::write(
            &path,
            ring.replacen("[[signing_keys]]", &format!("{entry}\n[[signing_keys]]"), 1),
        )
        .unwrap();
    };
    let generated = |id: &str| {
        let output = folder.run(&["secrets", "generate", "signing", id]);
        String::from_utf8(output.stdout).unwrap()
    };
    let using = |id: &str| {
        let status = folder.json(&["secrets", "status"]);
        secret(&status, "signing", id)["servers"]["using"]
            .as_array()
            .unwrap()
            .len()
    };
    let [mut first, mut second] = [folder.quickstart(&[]), folder.quickstart(&[])];
    for served in [&mut first, &mut second] {
        served.logged("tls=false");
    }
    let key = first.text("agentKey").to_owned();
    put_in_front(&generated("s2"));
    reload(&mut first);
    assert_eq!((using("s1"), using("s2")), (2, 0));
    reload(&mut second);
    // Nobody has to tell the first one that the second knows it now.
    let line = first.logged("all servers know the current secret now");
    assert!(line.contains("s2"), "{line}");
    first.logged("in use from now on");
    assert_eq!((using("s1"), using("s2")), (0, 2));
    // Who was killed counts as one that runs, until it has been silent for long enough.
    second.kill();
    let earlier = fs::read(&path).unwrap();
    put_in_front(&generated("s3"));
    first.signal("HUP");
    let line = first.logged("not all servers know the current secret");
    assert!(line.contains("unaware") && line.contains("s2"), "{line}");
    first.logged("all servers know the current secret now");
    first.logged("in use from now on");
    assert_eq!(using("s3"), 1);
    // One that comes with the ring of before is understood again soon, and stands back once it has the present one.
    let present = fs::read(&path).unwrap();
    fs::write(&path, earlier).unwrap();
    let mut third = folder.quickstart(&[]);
    let line = first.logged("not all servers know the current secret");
    assert!(line.contains("s2"), "{line}");
    first.logged("in use from now on");
    fs::write(&path, present).unwrap();
    assert_eq!((using("s2"), using("s3")), (2, 0));
    reload(&mut third);
    first.logged("all servers know the current secret now");
    first.logged("in use from now on");
    assert_eq!((using("s2"), using("s3")), (0, 2));
    assert_eq!(first.check(&key).await, 200);
}

async fn a_server_that_says_nothing_stands_in_the_way(folder: Folder) {
    let mut served = folder.quickstart(&[]);
    served.logged("tls=false");
    folder.json(&["secrets", "rotate", "encryption"]);
    reload(&mut served);
    let (id, now) = match folder.database_url().starts_with("postgres") {
        true => ("'00000000-0000-7000-8000-000000000001'", "now()"),
        false => (
            "x'00000000000070008000000000000001'",
            "strftime('%Y-%m-%d %H:%M:%f000+00:00', 'now')",
        ),
    };
    // It was heard of just now, each time.
    let is_heard_of = || {
        folder.sql(&format!(
            "INSERT INTO nodes (id, seen_at) VALUES ({id}, {now}) ON CONFLICT (id) DO UPDATE SET seen_at = {now}"
        ));
    };
    is_heard_of();
    let status = folder.json(&["secrets", "status"]);
    let unknown = secret(&status, "encryption", "e1")["servers"]["unknown"].clone();
    assert!(unknown[0].as_str().unwrap().starts_with("node_"), "{status:#}");
    for change in [["remove", "encryption", "e1"], ["promote", "encryption", "e1"]] {
        is_heard_of();
        let failure = folder.failure(&[&["secrets"][..], &change].concat());
        assert!(failure.contains("of an older release"), "{failure}");
    }
    folder.sql(&format!("DELETE FROM nodes WHERE id = {id}"));
    folder.json(&["secrets", "remove", "encryption", "e1"]);
}

#[tokio::test]
async fn a_ring_comes_from_exactly_one_source_and_may_be_printed_by_a_command() {
    let folder = Folder::new(tigertrust_testkit::Engine::Sqlite).await;
    assert!(folder.run(&["secrets", "create", "ring.toml"]).status.success());
    let config = |text: &str| fs::write(folder.path().join("tt.toml"), text).unwrap();
    let check = ["config", "check", "--config", "tt.toml"];
    config("keyring_command = [\"cat\", \"ring.toml\"]\n");
    assert!(folder.run(&check).status.success());
    let failure = folder.failure(&["secrets", "rotate", "pepper", "--config", "tt.toml"]);
    assert!(
        failure.contains("the command cat") && failure.contains("secrets generate pepper p2"),
        "{failure}"
    );
    config("keyring_command = [\"cat\", \"ring.toml\"]\nkeyring_file = \"ring.toml\"\n");
    assert!(folder.failure(&check).contains("keep one of them"));
    config("keyring_command = [\"sh\", \"-c\", \"cat ring.toml; echo sealed >&2; exit 1\"]\n");
    let failure = folder.failure(&check);
    assert!(
        failure.contains("sealed") && !failure.contains("[[peppers]]"),
        "{failure}"
    );
}

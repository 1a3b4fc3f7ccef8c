//! Canaries: neither key is in anything that somebody might print.

use std::{
    io::Write,
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::json;
use tigertrust_accounts::ReachRequest;
use tigertrust_client::{Client, ClientBuilder, NotAvailable, Question};
use tigertrust_model::KeyType;
use tigertrust_testkit::{TestServer, on_both_engines};
use tracing_subscriber::fmt::MakeWriter;

use crate::support::{Key, Proxy, World};

on_both_engines!(
    keys_are_in_no_error_and_no_log,
    keys_are_not_in_what_is_shown_of_a_client,
    keys_are_not_repeated_where_settings_are_wrong,
    settings_come_from_the_environment,
);

fn assert_silent(shown: &str, canaries: &[&str]) {
    for canary in canaries {
        assert!(!shown.contains(canary), "{}", shown.replace(canary, "[CANARY]"));
    }
}

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Takes down all that the tasks of this thread and the others log from here on.
    fn listen(&self) {
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
            .with_writer(self.clone())
            .finish();
        let _ = tracing_subscriber::util::SubscriberInitExt::try_init(subscriber);
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

async fn failure(world: &World<'_>, key: &Key) -> NotAvailable {
    let question = Question {
        scope: Some("no:such"),
        ..Question::default()
    };
    world.verify(key, &question).await.unwrap_err()
}

async fn keys_are_in_no_error_and_no_log(server: TestServer) {
    let log = Log::default();
    log.listen();
    type Trouble = fn(&Proxy, &str);
    let troubles: [Trouble; 6] = [
        |_, _| {},
        |proxy, _| proxy.go_down(),
        |proxy, _| proxy.break_calls(9),
        |proxy, _| proxy.hold_answers(),
        |proxy, key| {
            let length = key.len();
            proxy.answer_next(format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{key}"
            ));
        },
        |proxy, key| {
            let echo = json!({"code": key, "requestId": key, "detail": key, "errors": [{"pointer": format!("/{key}")}]});
            let echo = echo.to_string();
            let length = echo.len();
            proxy.answer_next(format!(
                "HTTP/1.1 400 {key}\r\ncontent-length: {length}\r\n\r\n{echo}"
            ));
        },
    ];
    for trouble in troubles {
        let world = World::client(&server, |builder| builder.deadline(Duration::from_millis(500))).await;
        let key = world.key().await;
        trouble(&world.proxy, &key.text);
        let error = failure(&world, &key).await;
        assert!(std::error::Error::source(&error).is_none());
        let canaries = [key.text.as_str(), world.own.secret.reveal()];
        assert_silent(&format!("{error} {error:?}"), &canaries);
        world.client.close().await;
        let error = failure(&world, &key).await;
        assert_silent(&format!("{error} {error:?}"), &canaries);
        let own = log.text();
        let own: Vec<&str> = own
            .lines()
            .filter(|line| line.contains("tigertrust_client"))
            .collect();
        assert!(!own.is_empty());
        assert_silent(&own.join("\n"), &canaries);
    }
}

async fn keys_are_not_in_what_is_shown_of_a_client(server: TestServer) {
    let shown = Arc::new(Mutex::new(Vec::new()));
    let states = Arc::clone(&shown);
    let world = World::follower(&server, |builder| {
        let builder =
            builder.on_state(move |state, why| states.lock().unwrap().push(format!("{state} {why}")));
        shown.lock().unwrap().push(format!("{builder:?}"));
        builder
    })
    .await;
    let key = world.key().await;
    let verdict = world.valid(&key).await;
    let mut shown = shown.lock().unwrap();
    assert!(shown.len() > 2);
    shown.push(format!("{:?} {verdict:?}", world.client));
    shown.push(format!("{:?}", key.presented()));
    shown.push(format!(
        "{:?}",
        tigertrust_client::ServiceKey::from(world.own.secret.reveal())
    ));
    shown.push(format!(
        "{:?} {:?} {:?}",
        tigertrust_client::guard::Guard::new(world.client.clone()),
        tigertrust_client::actix::RequireKey::new(world.client.clone()),
        tigertrust_client::tower::RequireKeyLayer::new(world.client.clone()),
    ));
    assert_silent(&shown.join("\n"), &[&key.text, world.own.secret.reveal()]);
}

async fn keys_are_not_repeated_where_settings_are_wrong(server: TestServer) {
    let own = server
        .issue(KeyType::Agent, &["keys:verify"], ReachRequest::Instance)
        .await;
    let key = own.secret.reveal();
    let cut = &key[..key.len() - 1];
    let builder = || Client::builder().url("https://example.com").api_key(key);
    let wrong: Vec<(ClientBuilder, &str)> = vec![
        (builder().url(key), "TIGERTRUST_URL"),
        (
            builder().url(format!("https://{key}@example.com")),
            "TIGERTRUST_URL",
        ),
        (
            builder().url(format!("https://example.com/?key={key}")),
            "TIGERTRUST_URL",
        ),
        (
            builder().url(format!("https://example.com:{key}")),
            "TIGERTRUST_URL",
        ),
        (builder().url(format!("https://[{key}")), "TIGERTRUST_URL"),
        (builder().url(""), "TIGERTRUST_URL"),
        (builder().api_key(cut), "TIGERTRUST_API_KEY"),
        (builder().api_key(""), "TIGERTRUST_API_KEY"),
        (builder().staleness(Duration::from_secs(1)), "staleness"),
        (builder().settle(Duration::from_millis(999)), "settle"),
        (builder().deadline(Duration::ZERO), "deadline"),
        (builder().lease(0), "lease"),
        (builder().lease(1_000_001), "lease"),
    ];
    for (builder, named) in wrong {
        let error = builder.build().unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(error.to_string().contains(named), "{shown}");
        assert_silent(&shown, &[cut]);
    }
    assert!(builder().build().is_ok());
}

/// Nobody may change the environment of a process that runs, so another process of these tests is begun.
async fn settings_come_from_the_environment(server: TestServer) {
    let world = World::client(&server, |builder| builder).await;
    let key = world.key().await;
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "secrets::from_the_environment", "--ignored"])
        .env("TIGERTRUST_URL", format!("{}/", server.base_url()))
        .env("TIGERTRUST_API_KEY", world.own.secret.reveal())
        .env("PRESENTED", &key.text)
        // Whatever it names, it is not asked.
        .env("HTTP_PROXY", "http://127.0.0.1:9");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && printed.contains("1 passed"),
        "{printed}"
    );
}

#[tokio::test]
#[ignore = "the test before it runs it, with an environment of its own"]
async fn from_the_environment() {
    let client = Client::from_env().unwrap();
    let key = tigertrust_client::PresentedKey::new(std::env::var("PRESENTED").unwrap());
    let verdict = client.verify(&key, &Question::default()).await.unwrap();
    assert!(verdict.is_valid());
    client.close().await;
}

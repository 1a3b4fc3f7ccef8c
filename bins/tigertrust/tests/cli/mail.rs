//! Mail, as the program sends it: over a real SMTP server, or to the log of the quickstart.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use reqwest::{Client, Method};
use serde_json::json;
use tigertrust_credentials::OsRandom;
use tigertrust_model::RandomSource;
use tigertrust_testkit::{Engine, TestMailServer, eventually};

use crate::program::{Folder, Served, in_a_folder_for_each_engine};

in_a_folder_for_each_engine!(
    a_forgotten_password_is_set_by_a_mail_over_smtp,
    without_smtp_the_quickstart_shows_mails_in_its_log,
);

const NEW: &str = "a long and uncommon sentence";

/// An address that no other test has.
fn address() -> String {
    let mut bytes = [0; 8];
    OsRandom.fill(&mut bytes).unwrap();
    format!("jo-{:016x}@example.com", u64::from_be_bytes(bytes))
}

async fn post(served: &Served, path: &str, body: &serde_json::Value) -> u16 {
    let request = served.request(Method::POST, path).json(body);
    request.send().await.unwrap().status().as_u16()
}

/// The token of the link in a mail.
fn token(text: &str) -> String {
    let (_, rest) = text.split_once("/password/reset#token=").unwrap();
    rest.split_whitespace().next().unwrap().to_owned()
}

async fn a_forgotten_password_is_set_by_a_mail_over_smtp(folder: Folder) {
    let server = TestMailServer::from_environment();
    let owner = address();
    let environment = [
        ("TIGERTRUST__MAIL__SMTP_URL", server.url()),
        ("TIGERTRUST__MAIL__FROM", "Acme <no-reply@auth.example.com>"),
        ("TIGERTRUST__MAIL__SERVICE_NAME", "Acme Login"),
        ("TIGERTRUST__SERVER__PUBLIC_URL", "https://auth.example.com/login"),
    ];
    let served = folder.quickstart_in(&environment, &["--email", &owner]);
    let forgot = json!({"email": owner});
    assert_eq!(post(&served, "/api/auth/password/forgot", &forgot).await, 202);
    eventually(1, async || server.mails_to(&owner).len()).await;
    let mail = server.mails_to(&owner).remove(0);
    assert!(
        mail.header.contains("From: Acme <no-reply@auth.example.com>"),
        "{}",
        mail.header
    );
    assert!(
        mail.header.contains("Subject: Set a new password for Acme Login"),
        "{}",
        mail.header
    );
    let text = &mail.text;
    assert!(
        text.contains("https://auth.example.com/login/password/reset#token=tt_pwr_"),
        "{text}"
    );
    let token = token(text);
    let body = json!({"token": token, "newPassword": NEW});
    assert_eq!(post(&served, "/api/auth/password/reset", &body).await, 204);
    assert_eq!(post(&served, "/api/auth/password/reset", &body).await, 401);
    let login = json!({"email": owner, "password": NEW});
    assert_eq!(post(&served, "/api/auth/login", &login).await, 200);
    // What is under way when the server is told to stop still goes.
    assert_eq!(post(&served, "/api/auth/password/forgot", &forgot).await, 202);
    let log = served.stop();
    assert!(!log.contains("tt_pwr_"), "{log}");
    assert_eq!(
        server.mails_to(&owner).len(),
        3,
        "two links, and that the password was changed"
    );
}

async fn without_smtp_the_quickstart_shows_mails_in_its_log(folder: Folder) {
    let served = folder.quickstart(&[]);
    let base_url = served.text("baseUrl").to_owned();
    let forgot = json!({"email": "owner@example.com"});
    assert_eq!(post(&served, "/api/auth/password/forgot", &forgot).await, 202);
    let log = served.stop();
    assert!(
        log.contains(&format!("{base_url}/password/reset#token=tt_pwr_")),
        "{log}"
    );
    assert!(log.contains("mail.smtp_url is not set"), "{log}");
}

#[tokio::test]
async fn serve_says_once_that_no_mail_is_sent_and_so_does_the_page_that_would_send_one() {
    let folder = Folder::new(Engine::Sqlite).await;
    // Which writes its mails to the terminal.
    let quickstart = folder.quickstart(&[]);
    let page = quickstart
        .request(Method::GET, "/password/forgot")
        .send()
        .await
        .unwrap();
    assert!(page.text().await.unwrap().contains("Send the mail"));
    quickstart.stop();
    let mut command = folder.command(&["serve", "--listen", "127.0.0.1:0"]);
    let command = command
        .env("TIGERTRUST__LOG__FORMAT", "json")
        .stderr(Stdio::piped());
    let mut served = command.spawn().unwrap();
    let mut lines = BufReader::new(served.stderr.take().unwrap()).lines();
    let mut said = Vec::new();
    let address = loop {
        let line = lines.next().unwrap().unwrap();
        let event: serde_json::Value = serde_json::from_str(&line).unwrap();
        said.push(line);
        if let Some(address) = event["address"].as_str() {
            break address.to_owned();
        }
    };
    let client = Client::builder().no_proxy().build().unwrap();
    let page = client
        .get(format!("http://{address}/password/forgot"))
        .send()
        .await
        .unwrap();
    let page = page.text().await.unwrap();
    served.kill().unwrap();
    served.wait().unwrap();
    let warnings = said.iter().filter(|line| line.contains("no mail is sent"));
    assert_eq!(warnings.count(), 1, "{said:?}");
    assert!(
        page.contains("This server sends no mail") && !page.contains("Send the mail"),
        "{page}"
    );
}

#[tokio::test]
async fn mail_that_is_half_set_is_refused() {
    let folder = Folder::new(Engine::Sqlite).await;
    folder.make_ring();
    let check = |environment: &[(&str, &str)]| {
        let mut command = folder.command(&["config", "check"]);
        command.envs(environment.iter().copied());
        let output = command.output().unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    let url = ("TIGERTRUST__MAIL__SMTP_URL", "smtps://jo:CANARY@mail.example.com");
    let from = ("TIGERTRUST__MAIL__FROM", "no-reply@example.com");
    let public = ("TIGERTRUST__SERVER__PUBLIC_URL", "https://auth.example.com");
    assert!(check(&[url, from, public]).0);
    let (fine, said) = check(&[url]);
    assert!(!fine);
    for expected in [
        "mail.from (default): is needed",
        "server.public_url (default): is needed",
    ] {
        assert!(said.contains(expected), "{said}");
    }
    for (variable, value, expected) in [
        (
            "TIGERTRUST__MAIL__SMTP_URL",
            "smtp://jo:CANARY@host?tls=none",
            "encrypted",
        ),
        (
            "TIGERTRUST__MAIL__SMTP_URL",
            "http://jo:CANARY@host",
            "smtps://user:password@host:port",
        ),
        ("TIGERTRUST__MAIL__FROM", "nobody", "must be an address"),
        (
            "TIGERTRUST__SERVER__PUBLIC_URL",
            "auth.example.com",
            "must be an address such as https://",
        ),
        ("TIGERTRUST__MAIL__SERVICE_NAME", "", "1 to 50 characters"),
    ] {
        let (fine, said) = check(&[url, from, public, (variable, value)]);
        assert!(
            !fine && said.contains(variable) && said.contains(expected),
            "{value}: {said}"
        );
        assert!(!said.contains("CANARY"), "{said}");
    }
}

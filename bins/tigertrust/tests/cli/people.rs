//! People on the command line: signed in, signed out, helped back in.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use crate::program::{Folder, Served, in_a_folder_for_each_engine};

in_a_folder_for_each_engine!(
    s4_a_flood_of_logins_is_answered_503_and_keys_are_checked_all_the_while,
    s3_a_dearer_hash_is_made_at_the_next_login,
    s10_a_new_server_has_no_account,
    the_printed_login_opens_a_session_that_the_operator_can_end,
    a_password_is_reset_and_ends_every_session,
    a_second_factor_that_is_not_there_is_named,
    an_invitation_is_handed_over_and_accepted,
    an_account_is_erased,
);

async fn s4_a_flood_of_logins_is_answered_503_and_keys_are_checked_all_the_while(folder: Folder) {
    let environment = [
        ("TIGERTRUST__PASSWORDS__HASHING_THREADS", "1"),
        ("TIGERTRUST__PASSWORDS__HASHING_QUEUE", "1"),
    ];
    let served = folder.quickstart_in(&environment, &[]);
    let logins = (0..30).map(|number| {
        let body = json!({"email": format!("nobody-{number}@example.com"), "password": "whatever it is"});
        served.request(Method::POST, "/api/auth/login").json(&body).send()
    });
    let checks = async {
        for _ in 0..20 {
            assert_eq!(served.check(served.text("agentKey")).await, 200);
        }
    };
    let (answers, ()) = tokio::join!(join_all(logins), checks);
    let mut refused = 0;
    for answer in answers {
        let answer = answer.unwrap();
        match answer.status().as_u16() {
            401 => {}
            503 => {
                assert_eq!(answer.headers()["retry-after"], "1");
                refused += 1;
            }
            other => panic!("{other}"),
        }
    }
    assert!(refused > 0);
    // Those that were refused have guessed at nothing, and a login works again.
    assert!(login(&served, served.text("password")).await.is_ok());
}

async fn s3_a_dearer_hash_is_made_at_the_next_login(folder: Folder) {
    let served = folder.quickstart(&[]);
    let password = served.text("password").to_owned();
    served.stop();
    assert!(folder.dump().contains("$argon2id$v=19$m=19456,t=2,p=1$"));
    let dearer = [
        ("TIGERTRUST__PASSWORDS__MEMORY_KIB", "20480"),
        ("TIGERTRUST__PASSWORDS__PASSES", "3"),
    ];
    let served = folder.quickstart_in(&dearer, &[]);
    assert_eq!(login(&served, "not the password").await, Err(401));
    assert!(login(&served, &password).await.is_ok());
    assert!(login(&served, &password).await.is_ok());
    served.stop();
    assert!(folder.dump().contains("$argon2id$v=19$m=20480,t=3,p=1$"));
}

async fn s10_a_new_server_has_no_account(folder: Folder) {
    let mut command = folder.command(&["migrate", "run"]);
    command.env("TIGERTRUST__DATABASE__URL", folder.database_url());
    assert!(command.output().unwrap().status.success());
    let mut command = folder.command(&["user", "list", "--output", "json"]);
    command.env("TIGERTRUST__DATABASE__URL", folder.database_url());
    // A ring, which the command asks for.
    assert!(folder.run(&["secrets", "create", "ring.toml"]).status.success());
    let listed = command
        .env("TIGERTRUST__KEYRING_FILE", "ring.toml")
        .output()
        .unwrap();
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(listed["items"], json!([]));
}

/// The value of the session's cookie, or the status of the refusal.
pub async fn login(served: &Served, password: &str) -> Result<String, u16> {
    let body = json!({"email": "owner@example.com", "password": password});
    let answer = served
        .request(Method::POST, "/api/auth/login")
        .json(&body)
        .send()
        .await
        .unwrap();
    if answer.status() != 200 {
        return Err(answer.status().as_u16());
    }
    let cookies = answer.headers().get_all("set-cookie").iter();
    let mut values = cookies.filter_map(|cookie| cookie.to_str().unwrap().strip_prefix("connect.sid="));
    Ok(values.next().unwrap().split(';').next().unwrap().to_owned())
}

/// The status of what the session asks about itself.
pub async fn me(served: &Served, session: &str) -> u16 {
    let request = served.request(Method::GET, "/api/auth/me");
    let request = request.header("Cookie", format!("connect.sid={session}"));
    request.send().await.unwrap().status().as_u16()
}

async fn the_printed_login_opens_a_session_that_the_operator_can_end(folder: Folder) {
    let served = folder.quickstart(&[]);
    let password = served.text("password").to_owned();
    let (one, other) = (
        login(&served, &password).await.unwrap(),
        login(&served, &password).await.unwrap(),
    );
    assert_eq!((me(&served, &one).await, me(&served, &other).await), (200, 200));
    let list = folder.json(&["session", "list", "owner@example.com"]);
    let items = list["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    // The newest is first.
    let id = items[0]["id"].as_str().unwrap();
    folder.json(&["session", "revoke", "owner@example.com", id]);
    assert_eq!((me(&served, &one).await, me(&served, &other).await), (200, 401));
    let gone = folder.failure(&["session", "revoke", "owner@example.com", id]);
    assert!(gone.contains(id), "{gone}");
    folder.json(&["session", "revoke", "owner@example.com", "--all"]);
    assert_eq!(me(&served, &one).await, 401);
    assert!(
        folder
            .failure(&["session", "list", "nobody@example.com"])
            .contains("nobody@example.com")
    );
}

async fn a_password_is_reset_and_ends_every_session(folder: Folder) {
    let served = folder.quickstart(&[]);
    let old = served.text("password").to_owned();
    let session = login(&served, &old).await.unwrap();
    let reset = folder.json(&["user", "reset-password", "owner@example.com"]);
    let new = reset["password"].as_str().unwrap();
    assert_eq!(me(&served, &session).await, 401);
    assert_eq!(login(&served, &old).await, Err(401));
    assert!(login(&served, new).await.is_ok());
    std::fs::write(folder.path().join("password"), "too short\n").unwrap();
    let refused = folder.failure(&[
        "user",
        "reset-password",
        "owner@example.com",
        "--password-file",
        "password",
    ]);
    assert!(refused.contains("15 characters"), "{refused}");
}

async fn a_second_factor_that_is_not_there_is_named(folder: Folder) {
    folder.quickstart(&[]).stop();
    let failure = folder.failure(&["user", "reset-2fa", "owner@example.com"]);
    assert!(failure.contains("no second factor"), "{failure}");
}

async fn an_invitation_is_handed_over_and_accepted(folder: Folder) {
    let served = folder.quickstart(&[]);
    let home = served.text("workspaceId");
    let invite = ["member", "invite", home, "jo@example.com", "--role", "member"];
    let issued = folder.json(&invite);
    assert_eq!(
        (&issued["email"], &issued["role"], &issued["invitedBy"]),
        (&json!("jo@example.com"), &json!("member"), &json!("operator"))
    );
    let text = String::from_utf8(folder.run(&invite).stdout).unwrap();
    assert!(
        text.contains("the page /invitations/accept of this server"),
        "{text}"
    );
    let token = text
        .split("tt_inv_")
        .nth(1)
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap();
    // The second took the place of the first.
    for (token, status) in [
        (issued["token"].as_str().unwrap().to_owned(), 401),
        (format!("tt_inv_{token}"), 200),
    ] {
        let body = json!({"token": token, "password": "correct horse battery staple"});
        let request = served
            .request(Method::POST, "/api/invitations/accept")
            .json(&body);
        assert_eq!(request.send().await.unwrap().status(), status);
    }
    let members = folder.json(&["member", "list", home]);
    assert!(members.to_string().contains("jo@example.com"), "{members}");
    let twice = folder.failure(&invite);
    assert!(twice.contains("member of the workspace already"), "{twice}");
    let nowhere = [
        "member",
        "invite",
        "ws_00000000000000000000000000",
        "al@example.com",
        "--role",
        "member",
    ];
    assert!(folder.failure(&nowhere).contains("ws_00000000000000000000000000"));
}

async fn an_account_is_erased(folder: Folder) {
    let served = folder.quickstart(&[]);
    let home = served.text("workspaceId");
    let alone = folder.failure(&["user", "erase", "owner@example.com", "--yes"]);
    assert!(alone.contains(home), "{alone}");
    let jo = folder.json(&["user", "create", "jo@example.com"]);
    folder.json(&["member", "add", home, "jo@example.com", "--role", "owner"]);
    assert!(
        folder
            .failure(&["user", "erase", "owner@example.com"])
            .contains("--yes")
    );
    let session = login(&served, served.text("password")).await.unwrap();
    folder.json(&["user", "erase", "OWNER@example.com", "--yes"]);
    assert_eq!(me(&served, &session).await, 401);
    let gone = folder.failure(&["user", "erase", "owner@example.com", "--yes"]);
    assert!(gone.contains("owner@example.com"), "{gone}");
    let list = folder.json(&["user", "list"]);
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    assert_eq!(list["items"][0]["id"], jo["id"]);
}

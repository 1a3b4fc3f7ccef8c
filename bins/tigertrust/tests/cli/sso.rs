//! Single sign-on from the command line, beside a running server.

use std::{fs, process::Stdio};

use serde_json::{Value, json};
use tigertrust_testkit::{Engine, ThrowawayProvider};

use crate::{
    program::{Folder, in_a_folder_for_each_engine},
    saml::{metadata, signing_key},
};

in_a_folder_for_each_engine!(
    a_connection_is_made_tried_and_removed,
    a_saml_provider_is_connected_and_writes_people,
    a_domain_is_claimed_proved_and_given_up,
    what_is_wrong_with_a_connection_is_named,
);

const OIDC: [&str; 9] = [
    "sso",
    "add",
    "oidc",
    "--slug",
    "acme",
    "--name",
    "Acme",
    "--client-id",
    "tigertrust",
];

fn text(folder: &Folder, arguments: &[&str]) -> String {
    let output = folder.run(arguments);
    assert!(output.status.success(), "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

async fn a_connection_is_made_tried_and_removed(folder: Folder) {
    let served = folder.quickstart(&[]);
    let home = served.text("workspaceId");
    let provider = ThrowawayProvider::start(&json!({ "issuers": [{ "path": "/acme" }], "clients": [] }));
    let issuer = format!("{}/acme", provider.origin());
    fs::write(folder.path().join("secret"), "CANARYsecret\n").unwrap();
    let more = [
        "--issuer",
        &issuer,
        "--client-secret-file",
        "secret",
        "--default-role",
        "member",
        "--group-role",
        "CN=IT,O=Acme=admin",
        "--groups-claim",
        "groups",
    ];
    let made = folder.json(&[&OIDC[..], &more].concat());
    let id = made["id"].as_str().unwrap();
    assert_eq!(
        (
            &made["workspaceId"],
            &made["enabled"],
            &made["defaultRole"],
            &made["createdBy"]
        ),
        (&json!(home), &json!(true), &json!("member"), &json!("operator"))
    );
    assert_eq!(
        made["groupRoles"],
        json!([{"group": "CN=IT,O=Acme", "role": "admin"}])
    );
    assert_eq!(made["oidc"]["scopes"], json!(["email", "profile"]));
    assert_eq!(
        made["returnUrl"],
        "http://127.0.0.1:8080/api/auth/oidc/acme/callback"
    );

    let answered: Value = served
        .request(
            reqwest::Method::GET,
            &format!("/api/workspaces/{home}/sso-connections"),
        )
        .bearer_auth(served.text("agentKey"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let listed = folder.json(&["sso", "list"]);
    assert_eq!(listed["items"][0]["id"], answered["items"][0]["id"]);
    assert_eq!(folder.json(&["sso", "show", id, "--workspace", home]), made);
    assert!(text(&folder, &["sso", "list"]).contains("oidc"));
    assert!(text(&folder, &["sso", "show", id]).contains("Return URL   http://127.0.0.1:8080/"));

    // Where providers may not be in one's own network, this one cannot be asked.
    let refused = folder.run(&["sso", "test", id, "--output", "json"]);
    let report: Value = serde_json::from_slice(&refused.stdout).unwrap();
    assert_eq!((refused.status.code(), &report["ok"]), (Some(1), &json!(false)));
    assert!(String::from_utf8(refused.stderr).unwrap().contains(id));
    let tried = || {
        let mut command = folder.command(&["sso", "test", id, "--output", "json"]);
        command.env("TIGERTRUST__SSO__ALLOW_PRIVATE_ADDRESSES", "true");
        let output = command.output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code(), report)
    };
    assert_eq!(tried(), (Some(0), json!({"ok": true, "findings": []})));
    let disabled = folder.json(&["sso", "disable", id]);
    assert_eq!(disabled["enabled"], false);
    let (status, report) = tried();
    assert_eq!(
        (status, report["findings"].as_array().unwrap().len()),
        (Some(0), 1)
    );
    assert_eq!(folder.json(&["sso", "enable", id])["enabled"], true);
    drop(provider);
    assert_eq!(tried().0, Some(1));

    let kept = folder.failure(&["sso", "remove", id]);
    assert!(kept.contains("--yes") && kept.contains("Acme"), "{kept}");
    assert_eq!(folder.json(&["sso", "remove", id, "--yes"]), Value::Null);
    for verb in ["show", "test", "enable", "scim-token"] {
        let gone = folder.failure(&["sso", verb, id]);
        assert!(gone.contains(id) && gone.contains("sso list"), "{gone}");
    }
    served.stop();
    assert!(!folder.dump().contains("CANARYsecret"));
}

async fn a_saml_provider_is_connected_and_writes_people(folder: Folder) {
    let served = folder.quickstart(&[]);
    fs::write(
        folder.path().join("idp.xml"),
        metadata(&signing_key().certificate),
    )
    .unwrap();
    let made = folder.json(&[
        "sso",
        "add",
        "saml",
        "--slug",
        "corp",
        "--name",
        "Corp",
        "--metadata-file",
        "idp.xml",
        "--email-attribute",
        "mail",
        "--default-role",
        "viewer",
    ]);
    let id = made["id"].as_str().unwrap();
    assert_eq!(
        (&made["saml"]["entityId"], &made["saml"]["attributes"]["email"]),
        (&json!("https://idp.example.com"), &json!("mail"))
    );
    assert_eq!(made["saml"]["signRequests"], true);
    assert_eq!(
        made["metadataUrl"],
        "http://127.0.0.1:8080/api/auth/saml/corp/metadata"
    );
    assert!(text(&folder, &["sso", "show", id]).contains("Certificate"));

    let people = async |token: &str| {
        let request = served.request(reqwest::Method::GET, "/api/scim/v2/Users");
        request.bearer_auth(token).send().await.unwrap().status().as_u16()
    };
    let first = folder.json(&["sso", "scim-token", id]);
    assert_eq!(first["baseUrl"], "http://127.0.0.1:8080/api/scim/v2");
    let first = first["token"].as_str().unwrap();
    assert_eq!(people(first).await, 200);
    let second = folder.json(&["sso", "scim-token", id]);
    let second = second["token"].as_str().unwrap();
    assert_eq!((people(first).await, people(second).await), (401, 200));
    assert_eq!(folder.json(&["sso", "scim-token", id, "--revoke"]), Value::Null);
    assert_eq!(people(second).await, 401);
}

async fn a_domain_is_claimed_proved_and_given_up(folder: Folder) {
    let served = folder.quickstart(&[]);
    let home = served.text("workspaceId");
    let issuer = ["--issuer", "https://acme.okta.com"];
    let connection = folder.json(&[&OIDC[..], &issuer].concat());
    let connection = connection["id"].as_str().unwrap();

    let claimed = folder.json(&["sso", "domain", "add", "Example.com"]);
    assert_eq!(
        (&claimed["domain"], &claimed["verified"], &claimed["recordName"]),
        (
            &json!("example.com"),
            &json!(false),
            &json!("_tigertrust-challenge.example.com")
        )
    );
    let value = claimed["recordValue"].as_str().unwrap();
    assert!(text(&folder, &["sso", "domain", "add", "example.com"]).contains(value));
    let early = folder.failure(&["sso", "domain", "set", "example.com", "--join-role", "member"]);
    assert!(early.contains("verified"), "{early}");
    let verified = folder.json(&["sso", "domain", "verify", "example.com", "--trust"]);
    assert_eq!(verified["verified"], true);

    let set = |more: &[&str]| folder.json(&[&["sso", "domain", "set", "example.com"], more].concat());
    let bound = set(&["--connection", connection, "--join-role", "member"]);
    assert_eq!(
        (&bound["connectionId"], &bound["joinRole"], &bound["enforced"]),
        (&json!(connection), &json!("member"), &json!(false))
    );
    // An owner who has no second factor cannot be the one who comes in when the provider is away.
    let enforce = [
        "sso",
        "domain",
        "set",
        "example.com",
        "--enforce",
        "--break-glass",
    ];
    let weak = folder.failure(&[&enforce[..], &["owner@example.com"]].concat());
    assert!(weak.contains("second factor"), "{weak}");
    let stranger = folder.failure(&[&enforce[..], &["no@example.com"]].concat());
    assert!(stranger.contains("no@example.com"), "{stranger}");
    let free = set(&["--no-connection", "--no-join-role", "--no-enforce"]);
    assert_eq!(
        (&free["connectionId"], &free["joinRole"]),
        (&Value::Null, &Value::Null)
    );

    let listed = folder.json(&["sso", "domain", "list", "--workspace", home]);
    assert_eq!(listed["items"], json!([free]));
    assert!(text(&folder, &["sso", "domain", "list"]).contains("verified"));
    assert_eq!(
        folder.json(&["sso", "domain", "remove", "example.com"]),
        Value::Null
    );
    for verb in [&["verify", "--trust"][..], &["set", "--no-enforce"], &["remove"]] {
        let (verb, more) = verb.split_first().unwrap();
        let gone = folder.failure(&[&["sso", "domain", verb, "example.com"], more].concat());
        assert!(gone.contains("sso domain add example.com"), "{gone}");
    }
}

async fn what_is_wrong_with_a_connection_is_named(folder: Folder) {
    folder.quickstart(&[]).stop();
    let nowhere = "ws_00000000000000000000000000";
    fs::write(folder.path().join("idp.xml"), "<nonsense/>").unwrap();
    fs::write(folder.path().join("empty"), "\n").unwrap();
    let issuer = ["--issuer", "https://acme.okta.com"];
    for (more, expected) in [
        (&[][..], "--issuer"),
        (&["--issuer", "acme"], "issuer: must be a URL"),
        (
            &["--issuer", "https://acme.okta.com", "--default-role", "owner"],
            "defaultRole: must be admin, member or viewer",
        ),
        (
            &["--issuer", "https://acme.okta.com", "--group-role", "staff"],
            "engineering=member",
        ),
        (
            &[
                "--issuer",
                "https://acme.okta.com",
                "--client-secret-file",
                "none",
            ],
            "the client secret cannot be read from none",
        ),
        (
            &[
                "--issuer",
                "https://acme.okta.com",
                "--client-secret-file",
                "empty",
            ],
            "clientSecret: must have 1",
        ),
        (
            &[
                "--preset",
                "azure",
                "--issuer",
                "https://login.microsoftonline.com/common/v2.0",
            ],
            "tenants",
        ),
        (
            &["--issuer", "https://acme.okta.com", "--workspace", nowhere],
            nowhere,
        ),
    ] {
        let message = folder.failure(&[&OIDC[..], more].concat());
        assert!(message.contains(expected), "{more:?}: {message}");
    }
    folder.json(&[&OIDC[..], &issuer].concat());
    let twice = folder.failure(&[&OIDC[..], &issuer].concat());
    assert!(twice.contains("this slug"), "{twice}");
    let saml = ["sso", "add", "saml", "--slug", "corp", "--name", "Corp"];
    for (more, expected) in [
        (&[][..], "--metadata-file"),
        (&["--metadata-file", "none.xml"], "none.xml"),
        (&["--metadata-file", "idp.xml"], "not metadata of SAML"),
        (&["--metadata-url", "http://idp.example.com/metadata"], "https"),
    ] {
        let message = folder.failure(&[&saml[..], more].concat());
        assert!(message.contains(expected), "{more:?}: {message}");
    }
    for (arguments, expected) in [
        (vec!["sso", "show", "acme"], "con_"),
        (vec!["sso", "domain", "add", "localhost"], "such as example.com"),
        (
            vec!["sso", "domain", "add", "a.example", "--workspace", nowhere],
            nowhere,
        ),
        (vec!["sso", "domain", "set", "example.com"], "--connection"),
        (
            vec!["sso", "domain", "set", "example.com", "--enforce"],
            "--break-glass",
        ),
    ] {
        let message = folder.failure(&arguments);
        assert!(message.contains(expected), "{arguments:?}: {message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_secret_may_come_from_standard_input() {
    let folder = Folder::new(Engine::Sqlite).await;
    folder.quickstart(&[]).stop();
    fs::write(folder.path().join("secret"), "CANARYsecret\n").unwrap();
    let more = ["--preset", "google", "--client-secret-file", "-"];
    let mut command = folder.command(&[&OIDC[..], &more].concat());
    let input = fs::File::open(folder.path().join("secret")).unwrap();
    let output = command.stdin(Stdio::from(input)).output().unwrap();
    assert!(output.status.success());
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(
        shown.contains("https://accounts.google.com") && !shown.contains("CANARY"),
        "{shown}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_kept_without_a_key_to_seal_it_under() {
    let folder = Folder::new(Engine::Sqlite).await;
    folder.quickstart(&[]).stop();
    let ring = folder.path().join("tigertrust-data/keyring.toml");
    let text = fs::read_to_string(&ring).unwrap();
    let (old, _) = text.split_once("# The first encryption key").unwrap();
    fs::write(&ring, old).unwrap();
    fs::write(folder.path().join("secret"), "secret\n").unwrap();
    let more = ["--preset", "google", "--client-secret-file", "secret"];
    let message = folder.failure(&[&OIDC[..], &more].concat());
    assert!(message.contains("encryption key"), "{message}");
    folder.json(&[&OIDC[..], &more[..2]].concat());
}

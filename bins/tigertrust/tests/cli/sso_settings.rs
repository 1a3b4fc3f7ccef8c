//! The providers that all people of a server are offered: they are settings.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::Stdio,
};

use serde_json::{Value, json};
use tigertrust_testkit::{Engine, ThrowawayProvider};

use crate::{
    program::{Folder, Served},
    saml::{metadata, pem, signing_key},
};

const GOOGLE: [(&str, &str); 2] = [
    ("TIGERTRUST__SSO__GOOGLE__CLIENT_ID", "tigertrust"),
    ("TIGERTRUST__SSO__GOOGLE__CLIENT_SECRET", "CANARYsecret"),
];

async fn folder(settings: &str) -> Folder {
    let folder = Folder::new(Engine::Sqlite).await;
    let key = signing_key();
    for (name, text) in [
        ("tt.toml", settings),
        ("idp.xml", &metadata(&key.certificate)),
        ("key.pem", &pem("PRIVATE KEY", &key.pkcs8)),
        ("certificate.pem", &pem("CERTIFICATE", &key.certificate)),
        ("other.pem", &pem("CERTIFICATE", &signing_key().certificate)),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn providers_of_the_whole_server_are_offered_to_everybody() {
    let provider = ThrowawayProvider::start(&json!({
        "issuers": [{ "path": "" }],
        "clients": [{
            "client_id": "tigertrust",
            "client_secret": "CANARYsecret",
            "redirect_uris": ["https://auth.example.com/tt/api/auth/google/callback"],
        }],
    }));
    let folder = folder(
        r#"
        server.public_url = "https://auth.example.com/tt"
        [sso]
        allow_private_addresses = true
        return_origins = ["https://app.example.com"]
        [sso.oidc.acme]
        name = "Acme"
        issuer = "https://acme.okta.com"
        client_id = "tigertrust"
        [sso.saml.corp]
        metadata_file = "idp.xml"
        signing_key_file = "key.pem"
        signing_certificate_file = "certificate.pem"
        workspace = "ws_00000000000000000000000000"
        default_role = "member"
        group_roles = ["CN=IT,O=Corp=admin"]
        domains = ["Corp.example"]
        "#,
    )
    .await;
    let mut command = folder.command(&[
        "quickstart",
        "--config",
        "tt.toml",
        "--ephemeral",
        "--output",
        "json",
        "--listen",
        "127.0.0.1:0",
    ]);
    command
        .envs(GOOGLE)
        .env("TIGERTRUST__SSO__GOOGLE__ISSUER", provider.origin());
    let served = Served::start(command);
    let get = async |path: &str| {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let url = format!("{}{path}", served.text("baseUrl"));
        client.get(url).send().await.unwrap()
    };
    let offered: Value = get("/api/auth/providers").await.json().await.unwrap();
    let offered: Vec<_> = offered["providers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|provider| {
            (
                provider["name"].as_str().unwrap(),
                provider["url"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        offered,
        [
            ("Google", "/api/auth/google"),
            ("Acme", "/api/auth/oidc/acme"),
            ("corp", "/api/auth/saml/corp"),
        ]
    );
    let begun = get("/api/auth/google?returnTo=https://app.example.com/").await;
    let sent = begun.headers()["location"].to_str().unwrap().to_owned();
    assert!(
        sent.starts_with(provider.origin())
            && sent.contains(
                "redirect_uri=https%3A%2F%2Fauth.example.com%2Ftt%2Fapi%2Fauth%2Fgoogle%2Fcallback"
            ),
        "{sent}"
    );
    let ours = get("/api/auth/saml/corp/metadata").await.text().await.unwrap();
    assert!(ours.contains("AuthnRequestsSigned=\"true\""), "{ours}");
    let log = served.stop();
    assert!(!log.contains("CANARY"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_say_where_people_find_the_server_is_warned() {
    let folder = folder("").await;
    folder.quickstart(&[]).stop();
    let mut command = folder.command(&["serve", "--listen", "127.0.0.1:0"]);
    let mut child = command.envs(GOOGLE).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let warned = lines.find(|line| line.contains("server.public_url"));
    child.kill().unwrap();
    child.wait().unwrap();
    let warned = warned.expect("it warns");
    assert!(warned.contains("http://127.0.0.1:"), "{warned}");
}

#[tokio::test]
async fn settings_of_a_provider_are_shown_with_their_source() {
    let folder = folder("[sso.saml.corp]\nmetadata_file = \"idp.xml\"\n").await;
    folder.make_ring();
    let mut command = folder.command(&["config", "check", "--config", "tt.toml", "--output", "json"]);
    let output = command.envs(GOOGLE).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let origins: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let source = |key: &str| origins.iter().find(|origin| origin["key"] == key).unwrap()["source"].clone();
    assert_eq!(
        source("sso.google.client_id"),
        "TIGERTRUST__SSO__GOOGLE__CLIENT_ID"
    );
    assert_eq!(source("sso.google.issuer"), "default");
    assert_eq!(source("sso.saml.corp.metadata_file"), "tt.toml");
    assert!(
        !origins
            .iter()
            .any(|origin| origin["key"].as_str().unwrap().starts_with("sso.okta"))
    );
}

#[tokio::test]
async fn a_mistake_in_a_provider_is_named() {
    let okta =
        |text: &str| format!("[sso.okta]\nissuer = \"https://a.okta.com\"\nclient_id = \"x\"\n{text}\n");
    let corp = |text: &str| format!("[sso.saml.corp]\n{text}\n");
    let keys = "metadata_file = \"idp.xml\"\nsigning_key_file = \"key.pem\"\n";
    for (settings, expected) in [
        ("[sso]\nallow_private_addresses = \"some\"".to_owned(), "sso.allow_private_addresses = \"some\" (tt.toml): must be true or false"),
        ("[sso]\nreturn_origins = [\"https://app.example.com/\"]".to_owned(), "sso.return_origins (tt.toml): must be origins"),
        ("[sso.google]\nname = \"G\"".to_owned(), "sso.google.client_id (default): is needed"),
        ("[sso.okta]\nclient_id = \"x\"".to_owned(), "sso.okta.issuer (default): is needed"),
        ("[sso.gogle]\nclient_id = \"x\"".to_owned(), "sso.gogle.client_id (tt.toml): there is no such setting"),
        (okta("issuers = \"x\""), "sso.okta.issuers (tt.toml): there is no such setting; did you mean sso.okta.issuer?"),
        (okta("tenants = [\"x\"]"), "sso.okta.tenants (tt.toml): there is no such setting"),
        (okta("sign_up = \"perhaps\""), "sso.okta.sign_up = \"perhaps\" (tt.toml): must be true or false"),
        (okta("scopes = 5"), "sso.okta.scopes (tt.toml): must be a list of texts"),
        (okta("scopes = [\"two words\"]"), "sso.okta.scopes (tt.toml): must be one word"),
        (okta("name = \"\""), "sso.okta.name = \"\" (tt.toml): must be text"),
        (okta("domains = [\"example\"]"), "sso.okta.domains (tt.toml): must be domains such as example.com"),
        (okta("workspace = \"acme\""), "sso.okta.workspace = \"acme\" (tt.toml): must be the id of a workspace"),
        (okta("default_role = \"member\""), "sso.okta.default_role (tt.toml): says what people become in a workspace"),
        (
            okta("workspace = \"ws_00000000000000000000000000\"\ndefault_role = \"owner\""),
            "sso.okta.default_role = \"owner\" (tt.toml): must be admin, member or viewer",
        ),
        (
            okta("workspace = \"ws_00000000000000000000000000\"\ngroup_roles = [\"staff=owner\"]"),
            "sso.okta.group_roles (tt.toml): must be rules, each of them a group and what its people become",
        ),
        (
            okta("client_secret = \"CANARY\"\nclient_secret_file = \"key.pem\""),
            "sso.okta.client_secret_file (tt.toml): sso.okta.client_secret is set too",
        ),
        (okta("client_secret = \"CANARY\\u00e9\""), "sso.okta.client_secret (tt.toml): must have 1 to"),
        (
            "[sso.azure]\nclient_id = \"x\"\nissuer = \"https://login.microsoftonline.com/organizations/v2.0\"".to_owned(),
            "sso.azure.tenants (default): is asked for with this issuer",
        ),
        (
            "[sso.oidc.acme]\nclient_id = \"x\"\nissuer = \"ftp://acme\"".to_owned(),
            "sso.oidc.acme.issuer (tt.toml): must be a URL that begins with https://",
        ),
        (
            "[sso.oidc.Acme]\nclient_id = \"x\"\nissuer = \"https://a.okta.com\"".to_owned(),
            "sso.oidc.Acme (tt.toml): the name of the table must have 2 to 40 small letters",
        ),
        (
            "[sso.oidc.google]\nclient_id = \"x\"\nissuer = \"https://a.okta.com\"".to_owned(),
            "sso.oidc.google (tt.toml): the name of the table stands for",
        ),
        (
            format!("{}[sso.oidc.corp]\nclient_id = \"x\"\nissuer = \"https://a.okta.com\"", corp("metadata_file = \"idp.xml\"")),
            "sso.saml.corp (tt.toml): there is sso.oidc.corp too",
        ),
        (corp("name = \"Corp\""), "sso.saml.corp.metadata_file (default): is needed"),
        (corp("metadata_file = \"none.xml\""), "sso.saml.corp.metadata_file (tt.toml): \"none.xml\" cannot be read"),
        (corp("metadata_file = \"key.pem\""), "sso.saml.corp.metadata_file (tt.toml): \"key.pem\": "),
        (
            corp("metadata_file = \"idp.xml\"\nentity_id = \"https://other.example.com\""),
            "sso.saml.corp.metadata_file (tt.toml): \"idp.xml\": The metadata has no identity provider with that entity id",
        ),
        (corp(keys), "sso.saml.corp.signing_certificate_file (default): is needed"),
        (
            corp(&format!("{keys}signing_certificate_file = \"other.pem\"")),
            "sso.saml.corp.signing_key_file (tt.toml): \"key.pem\" and \"other.pem\": The certificate is of another key",
        ),
        (
            corp("metadata_file = \"idp.xml\"\nissuer = \"https://a.okta.com\""),
            "sso.saml.corp.issuer (tt.toml): there is no such setting",
        ),
    ] {
        let folder = folder(&settings).await;
        let message = folder.failure(&["config", "check", "--config", "tt.toml"]);
        assert!(message.contains(expected), "{settings}\n{message}");
        assert!(!message.contains("CANARY"), "{message}");
        assert_eq!(message.lines().count(), 2, "{message}");
    }
}

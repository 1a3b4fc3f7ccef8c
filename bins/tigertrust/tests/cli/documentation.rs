//! The documentation names what there is.

use std::{fs, path::Path};

use tigertrust_testkit::Engine;

use crate::{
    program::Folder,
    saml::{metadata, signing_key},
};

fn book() -> String {
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src");
    let mut text = String::new();
    let mut folders = vec![pages];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                text.push_str(&fs::read_to_string(path).unwrap());
            }
        }
    }
    text
}

#[tokio::test]
async fn every_setting_is_documented() {
    let folder = Folder::new(Engine::Sqlite).await;
    let settings = folder.json(&["config", "check"]);
    let book = book();
    let settings = settings.as_array().unwrap();
    assert!(settings.len() > 15);
    for setting in settings {
        let key = setting["key"].as_str().unwrap();
        assert!(book.contains(&format!("`{key}`")), "{key} is not documented");
    }
}

#[tokio::test]
async fn every_setting_of_a_provider_is_documented() {
    let folder = Folder::new(Engine::Sqlite).await;
    let tables = [
        "[sso.azure]\nissuer = \"https://login.microsoftonline.com/x/v2.0\"\nclient_id = \"x\"\n",
        "[sso.saml.acme]\nmetadata_file = \"idp.xml\"\n",
    ];
    fs::write(folder.path().join("tt.toml"), tables.concat()).unwrap();
    fs::write(
        folder.path().join("idp.xml"),
        metadata(&signing_key().certificate),
    )
    .unwrap();
    let settings = folder.json(&["config", "check", "--config", "tt.toml"]);
    let book = book();
    let keys = settings.as_array().unwrap().iter();
    let fields: Vec<_> = keys
        .filter_map(|setting| {
            let key = setting["key"].as_str().unwrap();
            key.strip_prefix("sso.azure.")
                .or(key.strip_prefix("sso.saml.acme."))
        })
        .collect();
    assert!(fields.len() > 30);
    for field in fields {
        assert!(
            book.contains(&format!("| `{field}` |")),
            "{field} is not documented"
        );
    }
}

#[tokio::test]
async fn every_command_and_operation_is_documented() {
    let book = book();
    for command in [
        "quickstart",
        "serve",
        "migrate run",
        "migrate plan",
        "migrate status",
        "migrate revert",
        "backup",
        "restore",
        "move",
        "user create",
        "user list",
        "user disable",
        "user erase",
        "user enable",
        "workspace create",
        "workspace list",
        "workspace set-plan",
        "workspace rename",
        "workspace delete",
        "member add",
        "member invite",
        "member list",
        "member set-role",
        "member remove",
        "user reset-password",
        "user reset-2fa",
        "session list",
        "session revoke",
        "key create",
        "key list",
        "key show",
        "key revoke",
        "key rotate",
        "key report",
        "import keys",
        "sso add oidc",
        "sso add saml",
        "sso list",
        "sso show",
        "sso test",
        "sso enable",
        "sso disable",
        "sso remove",
        "sso scim-token",
        "sso domain add",
        "sso domain list",
        "sso domain verify",
        "sso domain set",
        "sso domain remove",
        "trust-rule create",
        "trust-rule list",
        "trust-rule delete",
        "webhook add",
        "webhook list",
        "webhook show",
        "webhook update",
        "webhook remove",
        "webhook rotate-secret",
        "webhook test",
        "webhook deliveries",
        "webhook redeliver",
        "config check",
        "clock status",
        "clock reset",
        "doctor",
        "completions",
        "man",
        "secrets create",
        "secrets rotate",
        "secrets promote",
        "secrets status",
        "secrets remove",
    ] {
        assert!(
            book.contains(&format!("tigertrust {command}")),
            "{command} is not documented"
        );
    }
    for operation in tigertrust_http::operations() {
        assert!(
            book.contains(operation.path),
            "{} is not documented",
            operation.path
        );
    }
}

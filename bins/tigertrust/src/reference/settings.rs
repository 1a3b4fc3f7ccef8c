//! Every setting.

use std::{collections::BTreeMap, fmt::Write, path::Path};

use super::markdown::head;
use crate::config::{Asked, OnReload, SECTIONS, Settings, Source, catalogued, documented, section_of};

/// A provider of each kind, so that all of its fields are asked for. `azure` has all that OpenID providers have.
const PROVIDERS: [&str; 2] = [
    "TIGERTRUST__SSO__AZURE__NAME",
    "TIGERTRUST__SSO__SAML__NAME__NAME",
];
const OIDC: &str = "sso.azure.";
const SAML: &str = "sso.saml.name.";

fn all() -> Vec<Asked> {
    let environment = PROVIDERS.map(|variable| (variable.to_owned(), "x".to_owned()));
    let source = Source {
        environment: BTreeMap::from(environment),
        ..Source::default()
    };
    Settings::all_asked(&source, Path::new("nowhere")).unwrap()
}

pub(super) fn page() -> String {
    let mut page = head(
        "Settings",
        "Every setting. [Configuration](../configuration.md) says where settings come from, how values are written, and \
         what to think of when you set one; `tigertrust config check` shows what each of them is, and whether that is allowed.\n\n\
         In TOML a setting stands in the table that its name begins with. What holds several values is an array there, and \
         stands with commas between them in the environment. A setting that SIGHUP takes up says so; all others need a restart.",
    );
    let all = all();
    let (of_provider, settings): (Vec<&Asked>, Vec<&Asked>) = all
        .iter()
        .partition(|asked| asked.key.starts_with(OIDC) || asked.key.starts_with(SAML));
    let mut written = 0;
    for (prefix, title) in SECTIONS {
        let link = super::markdown::anchor(title);
        write!(
            page,
            "\n## {title}\n\n[What to think of](../configuration.md#{link}).\n"
        )
        .unwrap();
        for asked in settings
            .iter()
            .filter(|asked| asked.key.starts_with(prefix) && section_of(&asked.key) == Some(prefix))
        {
            setting(&mut page, asked);
            written += 1;
        }
        if prefix == "sso" {
            providers(&mut page, &of_provider);
        }
    }
    assert_eq!(
        written,
        settings.len(),
        "a setting stands in no section of the page: name it in SECTIONS of bins/tigertrust/src/config/sections.rs"
    );
    page
}

fn setting(page: &mut String, asked: &Asked) {
    let key = &asked.key;
    let known = documented(key).unwrap_or_else(|| {
        panic!("{key} is not documented: say what it means in bins/tigertrust/src/config/catalog.rs")
    });
    let default = default(asked);
    write!(
        page,
        "\n### `{key}`\n\n{}\n\n- Must be {}.\n- Default: {default}\n- Environment: {}\n",
        known.meaning,
        asked.allowed,
        match key.as_str() {
            "scopes" => "none".to_owned(),
            key => format!("`TIGERTRUST__{}`", key.replace('.', "__").to_uppercase()),
        },
    )
    .unwrap();
    if asked.is_secret {
        page.push_str("- It is a secret, and is never shown.\n");
    }
    match known.reload {
        OnReload::Restart => {}
        OnReload::TakenUp => page.push_str("- SIGHUP takes it up.\n"),
        OnReload::File => {
            page.push_str("- SIGHUP takes up what is in the file; another path needs a restart.\n")
        }
    }
}

fn default(asked: &Asked) -> String {
    match (
        documented(&asked.key).and_then(|known| known.default),
        &asked.default,
    ) {
        (Some(words), _) => words.to_owned(),
        (None, Some(value)) => format!("`{value}`"),
        (None, None) => "none".to_owned(),
    }
}

fn providers(page: &mut String, asked: &[&Asked]) {
    let fields = |table: &str| -> Vec<(String, &Asked)> {
        let of_table = |asked: &&'_ Asked| asked.key.strip_prefix(table).map(str::to_owned);
        asked
            .iter()
            .filter_map(|asked| Some((of_table(asked)?, *asked)))
            .collect()
    };
    let (oidc, saml) = (fields(OIDC), fields(SAML));
    let is_in = |fields: &[(String, &Asked)], name: &str| fields.iter().any(|(field, _)| field == name);
    let parts = [
        (
            "How a provider of OpenID Connect is asked",
            "In `[sso.google]`, `[sso.azure]`, `[sso.okta]` and each `[sso.oidc.NAME]`.",
            oidc.iter()
                .filter(|(name, _)| !is_in(&saml, name))
                .collect::<Vec<_>>(),
        ),
        (
            "How a provider of SAML is asked",
            "In each `[sso.saml.NAME]`.",
            saml.iter().filter(|(name, _)| !is_in(&oidc, name)).collect(),
        ),
        (
            "What the word of a provider is worth",
            "In each of these tables.",
            oidc.iter().filter(|(name, _)| is_in(&saml, name)).collect(),
        ),
    ];
    page.push_str(
        "\n[Providers of the whole server](../configuration.md#providers-of-the-whole-server) have tables of their own. In the \
         environment `TIGERTRUST__SSO__GOOGLE__CLIENT_ID` stands for `client_id` in `[sso.google]`.\n",
    );
    for (title, tables, fields) in parts {
        write!(page, "\n### {title}\n\n{tables}\n\n").unwrap();
        for (name, asked) in fields {
            let known = documented(&asked.key)
                .unwrap_or_else(|| panic!("{name} of a provider is not documented: see config/catalog.rs"));
            let allowed = match asked.allowed.as_str() {
                "text" => String::new(),
                allowed => format!(" Must be {allowed}."),
            };
            let secret = if asked.is_secret { " It is a secret." } else { "" };
            writeln!(
                page,
                "- `{name}`: {}{allowed}{secret} Default: {}.",
                known.meaning,
                default(asked)
            )
            .unwrap();
        }
    }
}

#[test]
fn nothing_is_documented_that_is_no_setting() {
    let all = all();
    for known in catalogued() {
        let is_asked = all
            .iter()
            .any(|asked| documented(&asked.key).is_some_and(|other| std::ptr::eq(other, known)));
        assert!(
            is_asked,
            "{} is documented in config/catalog.rs, and is no setting",
            known.key
        );
    }
}

//! Trust rules of a key: which jobs get tokens of it without the key.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, http::Method};
use maud::{Markup, html};
use serde_json::json;
use tigertrust_accounts::ports::KeyDetails;
use tigertrust_http::{ApiError, page};
use tigertrust_model::{KeyId, TrustRule, TrustRuleId};
use tigertrust_wire::CreateTrustRule;

use super::{audit::names::Names, key::found, keys::is_of_form};
use crate::{
    components::{Confirm, Input, confirm, empty, input, input_among, submit, summary, textarea, token},
    form::{Fields, Filled},
    instant,
    layout::{self, Place},
    routes::{PathPages, asked},
    visitor::{PageResult, Visitor, see_other},
};

/// What a page says after something was done here.
pub(crate) const NOTICES: &[(&str, &str)] = &[
    (
        "trust-rule-added",
        "The rule is added. Jobs that fulfil it can get tokens of this key from now on.",
    ),
    (
        "trust-rule-removed",
        "The rule is removed. Tokens that were given out by it are good for 15 minutes at the most.",
    ),
];

/// The fields that say for themselves what is wrong with them.
const FIELDS: [&str; 4] = ["name", "issuer", "audience", "claims"];

/// Issuers that many use: each with whose it is.
const ISSUERS: [(&str, &str); 3] = [
    ("https://token.actions.githubusercontent.com", "GitHub Actions"),
    ("https://gitlab.com", "GitLab.com"),
    ("https://agent.buildkite.com", "Buildkite"),
];

/// Rules are added to a key, and removed.
pub(crate) fn routes() -> Vec<PathPages> {
    vec![
        asked(
            "/w/{id}/keys/{keyId}/trust-rules/new",
            (Method::POST, "/api/keys/{id}/trust-rules"),
            new,
            create,
        ),
        asked(
            "/w/{id}/keys/{keyId}/trust-rules/{ruleId}/remove",
            (Method::DELETE, "/api/keys/{id}/trust-rules/{ruleId}"),
            ask_remove,
            remove,
        ),
    ]
}

fn path(visitor: &Visitor, key: KeyId, below: &str) -> String {
    visitor.path(&format!("keys/{key}/trust-rules{below}"))
}

fn home(visitor: &Visitor, key: KeyId, below: &str) -> String {
    visitor.path(&format!("keys/{key}{below}"))
}

/// The rules of a key, on its page.
pub(super) async fn section(visitor: &Visitor, key: KeyId, may_change: bool) -> Result<Markup, ApiError> {
    let flows = &visitor.app().trust_rules;
    let rules = flows.list(&visitor.actor(), key).await?;
    let names = Names::of_creators(visitor, rules.iter().map(|rule| rule.created_by)).await?;
    let add = path(visitor, key, "/new");
    let may_add = may_change && flows.are_supported();
    Ok(html! {
        section.card {
            div.card-head {
                h2 { "Trust rules" }
                @if may_add && !rules.is_empty() { a.button href=(add) { "Add rule" } }
            }
            @if rules.is_empty() {
                (empty(
                    "No job gets in without the key",
                    "A rule lets jobs of GitHub Actions, GitLab and others have a short-lived token of this key, without a secret to keep.",
                    may_add.then_some((add.as_str(), "Add rule")),
                ))
            } @else {
                ul.list { @for rule in &rules { (line(visitor, rule, &names, may_change)) } }
            }
        }
    })
}

fn line(visitor: &Visitor, rule: &TrustRule, names: &Names, may_change: bool) -> Markup {
    html! {
        li {
            div {
                p { strong { (rule.name) } }
                (conditions(rule))
                p.quiet.small { "added " (instant::from_now(rule.created_at, visitor.now())) " by " (names.creator(rule.created_by)) }
            }
            @if may_change {
                a.button.danger href=(path(visitor, rule.key, &format!("/{}/remove", rule.id)))
                    aria-label={ "Remove " (rule.name) } { "Remove" }
            }
        }
    }
}

fn conditions(rule: &TrustRule) -> Markup {
    html! {
        dl.facts {
            dt { "Issuer" } dd { code { (rule.issuer) } }
            dt { "Audience" } dd { code { (rule.audience) } }
            @for (claim, patterns) in rule.claims.iter() {
                dt { code { (claim) } }
                dd { @for (index, pattern) in patterns.iter().enumerate() { @if index > 0 { " or " } code { (pattern) } } }
            }
        }
    }
}

/// Where a rule is added.
async fn new(visitor: Visitor) -> PageResult {
    let details = found(&visitor).await?;
    Ok(new_page(&visitor, &details, &Filled::empty(), None))
}

fn new_page(
    visitor: &Visitor,
    details: &KeyDetails,
    form: &Filled,
    refused: Option<&ApiError>,
) -> HttpResponse {
    let key = &details.key;
    let audience = visitor.base_url();
    let issuers = ISSUERS.map(|(issuer, name)| (issuer.to_owned(), name.to_owned()));
    let content = html! {
        div.page-head {
            div {
                p { a href=(home(visitor, key.id, "")) { (key.name) } }
                h1 { "Add trust rule" }
            }
        }
        (summary(form, &FIELDS))
        form.card method="post" action=(path(visitor, key.id, "/new")) {
            (token(visitor))
            p { "Jobs that fulfil it get tokens that are good for 5 to 15 minutes, with all that this key may do." }
            (input(form, &Input {
                name: "name", label: "Name", required: true, hint: "What you call it, such as releases of acme/api.", ..Input::default()
            }))
            (input_among(form, &Input {
                name: "issuer", label: "Issuer", kind: "url", required: true, ..Input::default()
            }, &issuers))
            (input(form, &Input {
                name: "audience", label: "Audience", required: true, value: &audience,
                hint: "What the job asks its runner for a token for.", ..Input::default()
            }))
            (textarea(form, &Input {
                name: "claims", label: "Claims", required: true,
                hint: "One a line: its name, = and a text. Of lines with one name, one has to be right; of names, all. A text may end in /* or :*. \
                       Such as sub=repo:acme/api:ref:refs/heads/main",
                ..Input::default()
            }, 4))
            div.actions { (submit("Add rule")) a.button.quiet href=(home(visitor, key.id, "")) { "Cancel" } }
        }
    };
    layout::answer(
        layout::framed(visitor, Place::Keys, "Add trust rule", &content),
        refused,
    )
}

/// The claims that were typed: those of one name together. A line without a text asks for the empty one, which is refused.
fn claims(fields: &Fields) -> BTreeMap<&str, Vec<&str>> {
    let mut claims: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in fields.lines("claims") {
        let (claim, text) = line.split_once('=').unwrap_or((line, ""));
        claims.entry(claim.trim()).or_default().push(text.trim());
    }
    claims
}

/// Adds the rule.
async fn create(visitor: Visitor, fields: Fields) -> PageResult {
    let details = found(&visitor).await?;
    match try_create(&visitor, details.key.id, &fields).await {
        Ok(()) => Ok(see_other(&home(
            &visitor,
            details.key.id,
            "?done=trust-rule-added",
        ))),
        Err(error) if is_of_form(&error) => Ok(new_page(
            &visitor,
            &details,
            &Filled::refused(&fields, &error),
            Some(&error),
        )),
        Err(error) => Err(error),
    }
}

async fn try_create(visitor: &Visitor, key: KeyId, fields: &Fields) -> Result<(), ApiError> {
    let body = json!({
        "name": fields.or_empty("name"),
        "issuer": fields.or_empty("issuer").trim(),
        "audience": fields.or_empty("audience").trim(),
        "claims": claims(fields),
    });
    let new = page::read::<CreateTrustRule>(&body)?.into();
    let flows = &visitor.app().trust_rules;
    let rule = flows.create(&visitor.actor(), key, new).await?;
    tracing::info!(%key, rule = %rule.id, by = %visitor.user().id, "trust rule made");
    Ok(())
}

/// Asks whether a rule is to be removed.
async fn ask_remove(visitor: Visitor) -> PageResult {
    let (key, id): (KeyId, TrustRuleId) = (visitor.id("keyId")?, visitor.id("ruleId")?);
    let rule = visitor.app().trust_rules.get(&visitor.actor(), key, id).await?;
    let back = home(&visitor, key, "");
    let title = "Remove the trust rule?";
    let content = confirm(
        &visitor,
        &Filled::empty(),
        &Confirm {
            title,
            content: html! {
                p { "Jobs get no more tokens by " strong { (rule.name) } ". Tokens that they have are good for 15 minutes at the most; revoke the key to end them at once." }
                (conditions(&rule))
            },
            fields: html! {},
            button: "Remove",
            back: &back,
        },
    );
    Ok(layout::respond(layout::framed(
        &visitor,
        Place::Keys,
        title,
        &content,
    )))
}

/// Removes a rule.
async fn remove(visitor: Visitor, _: Fields) -> PageResult {
    let (key, id): (KeyId, TrustRuleId) = (visitor.id("keyId")?, visitor.id("ruleId")?);
    let flows = &visitor.app().trust_rules;
    flows.delete(&visitor.actor(), Some(key), id).await?;
    tracing::info!(%key, rule = %id, by = %visitor.user().id, "trust rule removed");
    Ok(see_other(&home(&visitor, key, "?done=trust-rule-removed")))
}

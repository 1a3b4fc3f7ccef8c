//! `tigertrust trust-rule`.

use std::collections::BTreeMap;

use tigertrust_accounts::{
    Actor, FlowError,
    trust_rules::{NewTrustRule, TrustRuleFlows},
};
use tigertrust_model::{KeyId, TrustRuleId};
use tigertrust_wire::{Page, TrustRule as Body};

use super::instance_and_settings;
use crate::{
    cli::{Common, CreateTrustRule, OutputFormat, TrustRule},
    failure::Failure,
    output,
};

pub async fn run(common: &Common, verb: TrustRule) -> Result<(), Failure> {
    let (instance, settings) = instance_and_settings(common).await?;
    let flows = instance.trust_rules(&settings.app)?;
    let done = match verb {
        TrustRule::Create(args) => create(&flows, common.output, args).await,
        TrustRule::List { key } => list(&flows, common.output, &key).await,
        TrustRule::Delete { id } => delete(&flows, common.output, id).await,
    };
    instance.close().await;
    done
}

async fn create(flows: &TrustRuleFlows, output: OutputFormat, args: CreateTrustRule) -> Result<(), Failure> {
    let key = read_key(&args.key)?;
    let mut claims: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (claim, text) in args.claims {
        claims.entry(claim).or_default().push(text);
    }
    let new = NewTrustRule {
        name: args.name,
        issuer: args.issuer,
        audience: args.audience,
        claims,
    };
    let made = flows.create(&Actor::operator(), key, new).await;
    let made = made.map_err(|error| unknown_key(key, error))?;
    output::print(output, &Body::from(&made), describe)
}

async fn list(flows: &TrustRuleFlows, output: OutputFormat, key: &str) -> Result<(), Failure> {
    let key = read_key(key)?;
    let found = flows.list(&Actor::operator(), key).await;
    let found = found.map_err(|error| unknown_key(key, error))?;
    let body = Page::whole(found.iter().map(Body::from).collect());
    output::print(output, &body, |body| {
        let rows = body.items.iter().map(|rule| {
            [
                rule.id.clone(),
                rule.name.clone(),
                rule.issuer.clone(),
                rule.audience.clone(),
                conditions(rule).join(", "),
            ]
        });
        output::table(["ID", "NAME", "ISSUER", "AUDIENCE", "CLAIMS"], rows)
    })
}

async fn delete(flows: &TrustRuleFlows, output: OutputFormat, id: TrustRuleId) -> Result<(), Failure> {
    let removed = flows.delete(&Actor::operator(), None, id).await;
    let removed = removed.map_err(|error| match error {
        FlowError::NotFound => Failure::new(format!(
            "there is no trust rule {id}: `tigertrust trust-rule list KEY_ID` shows those of a key"
        )),
        other => other.into(),
    })?;
    output::print(output, &(), |()| {
        format!(
            "Removed {id} from {}. Tokens that were given out by it are good for 15 minutes at the most.",
            removed.key
        )
    })
}

fn read_key(text: &str) -> Result<KeyId, Failure> {
    text.parse()
        .map_err(|error| Failure::new(format!("{text} is no key's id: {error}")))
}

fn unknown_key(key: KeyId, error: FlowError) -> Failure {
    match error {
        FlowError::NotFound => {
            Failure::new(format!("there is no key {key}: `tigertrust key list` shows all"))
        }
        other => other.into(),
    }
}

/// What is asked of each claim, as it is written on the command line.
fn conditions(rule: &Body) -> Vec<String> {
    let of_claim = |(claim, texts): (&String, &Vec<String>)| format!("{claim}={}", texts.join("|"));
    rule.claims.iter().map(of_claim).collect()
}

fn describe(rule: &Body) -> String {
    let mut lines = vec![
        ("Trust rule", rule.id.clone()),
        ("Key", rule.key_id.clone()),
        ("Name", rule.name.clone()),
        ("Issuer", rule.issuer.clone()),
        ("Audience", rule.audience.clone()),
    ];
    lines.extend(conditions(rule).into_iter().map(|condition| ("Claim", condition)));
    let line = |(label, value): &(&str, String)| format!("{label:<10}  {value}");
    lines.iter().map(line).collect::<Vec<_>>().join("\n")
}

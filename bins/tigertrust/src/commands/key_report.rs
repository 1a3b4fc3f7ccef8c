//! `tigertrust key report`.

use tigertrust::TigerTrust;
use tigertrust_accounts::{Actor, ports::Page as PageRequest};
use tigertrust_model::WorkspaceId;
use tigertrust_wire::{FindingName, KeyFinding, Page, format_rfc3339};

use crate::{cli::Common, failure::Failure, output};

/// How many keys are looked at in one query.
const AT_ONCE: u16 = 200;

/// Prints every key that is worth a look.
pub async fn report(
    common: &Common,
    instance: &TigerTrust,
    workspace: Option<WorkspaceId>,
) -> Result<(), Failure> {
    let (mut items, mut after) = (Vec::new(), None);
    loop {
        let page = PageRequest {
            after,
            limit: AT_ONCE + 1,
        };
        let found = instance
            .hygiene()
            .report(&Actor::operator(), workspace, page)
            .await?;
        items.extend(found.findings.iter().map(KeyFinding::from));
        after = found.next;
        if after.is_none() {
            break;
        }
    }
    output::print(common.output, &Page::whole(items), describe)
}

fn describe(report: &Page<KeyFinding>) -> String {
    if report.items.is_empty() {
        return "No key is worth a look.".to_owned();
    }
    let rows = report.items.iter().map(|found| {
        let when = found.since.or(found.expires_at);
        [
            found.key_id.clone(),
            named(found).to_owned(),
            when.map_or_else(String::new, format_rfc3339),
            found.name.clone(),
            advice(found),
        ]
    });
    output::table(["ID", "FINDING", "WHEN", "NAME", "WHAT TO DO"], rows)
}

const fn named(found: &KeyFinding) -> &'static str {
    match found.finding {
        FindingName::Leaked => "LEAKED: reported",
        FindingName::Unused => "unused since",
        FindingName::Expiring if found.urgent => "URGENT: expires",
        FindingName::Expiring => "expires",
        FindingName::OverScoped => "over-scoped since",
        FindingName::Old => "old, made",
    }
}

fn advice(found: &KeyFinding) -> String {
    if found.scopes.is_empty() {
        found.advice.to_owned()
    } else {
        format!("{}: {}", found.scopes.join(", "), found.advice)
    }
}

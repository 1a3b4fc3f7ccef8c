//! How far a connection is on its way into use, and the steps that lead there.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};
use tigertrust_accounts::{
    audit::{AuditFlows, MAX_PAGE},
    sso::{Connection, Domain},
};
use tigertrust_http::ApiError;
use tigertrust_model::{AuditAction, AuditFilter, AuditOutcome, ConnectionId};

use super::{flows, path};
use crate::visitor::Visitor;

/// The steps from nothing to a company that signs in by its provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Kind,
    Settings,
    Trial,
    Domains,
    Enforcement,
}

impl Step {
    const ALL: [Self; 5] = [
        Self::Kind,
        Self::Settings,
        Self::Trial,
        Self::Domains,
        Self::Enforcement,
    ];

    const fn title(self) -> &'static str {
        match self {
            Self::Kind => "Choose",
            Self::Settings => "Connect",
            Self::Trial => "Try it",
            Self::Domains => "Domains",
            Self::Enforcement => "Enforce",
        }
    }
}

/// How far a connection is.
pub(super) struct Progress {
    /// How many people have been connected with an identity by it, as far as the audit log reaches back.
    pub(super) people: usize,
    /// The domains whose people are sent to it.
    pub(super) domains: Vec<Domain>,
}

impl Progress {
    /// How far one is.
    pub(super) async fn of(visitor: &Visitor, connection: &Connection) -> Result<Self, ApiError> {
        let domains = flows(visitor)?
            .list_domains(&visitor.actor(), visitor.workspace_id()?)
            .await?;
        let own =
            |domain: &Domain| domain.connection.is_some() && domain.connection == connection.stored_id();
        Ok(Self {
            people: people(visitor)
                .await?
                .get(&connection.id.to_string())
                .copied()
                .unwrap_or_default(),
            domains: domains.into_iter().filter(own).collect(),
        })
    }

    /// Whether anybody has come back from the provider.
    pub(super) const fn is_tried(&self) -> bool {
        self.people > 0
    }

    /// Whether people of a domain have to come by it.
    pub(super) fn is_enforced(&self) -> bool {
        self.domains.iter().any(|domain| domain.enforced.is_some())
    }
}

/// How many people were connected with identities by each connection, by its id, as far as the audit log reaches back.
pub(super) async fn people(visitor: &Visitor) -> Result<BTreeMap<String, usize>, ApiError> {
    let filter = AuditFilter {
        actions: Some(vec![AuditAction::IdentityConnected]),
        outcome: Some(AuditOutcome::Success),
        ..AuditFilter::default()
    };
    let chain = AuditFlows::chain_of(&visitor.actor())?;
    let events = visitor
        .app()
        .audit
        .list(chain, filter, None, MAX_PAGE)
        .await?
        .events;
    let mut people: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for event in events {
        let connection = event
            .changes
            .into_iter()
            .find(|change| change.field == "connection");
        if let (Some(connection), Some(person)) = (connection.and_then(|change| change.after), event.actor) {
            people.entry(connection).or_default().insert(person);
        }
    }
    Ok(people
        .into_iter()
        .map(|(connection, people)| (connection, people.len()))
        .collect())
}

/// One step, as it is shown.
struct Shown {
    step: Step,
    path: Option<String>,
    is_done: bool,
}

/// The steps of a connection that is there.
pub(super) fn steps(
    visitor: &Visitor,
    id: ConnectionId,
    progress: &Progress,
    current: Option<Step>,
) -> Markup {
    let shown = Step::ALL.map(|step| {
        let (below, is_done) = match step {
            Step::Kind => (None, true),
            Step::Settings => (Some("/provider"), true),
            Step::Trial => (Some("/test"), progress.is_tried()),
            Step::Domains => (Some("/domains"), !progress.domains.is_empty()),
            Step::Enforcement => (Some("/enforcement"), progress.is_enforced()),
        };
        Shown {
            step,
            path: below.map(|below| path(visitor, id, below)),
            is_done,
        }
    });
    list(&shown, current)
}

/// The steps of one that is still to be made; `chosen` is where somebody chooses anew.
pub(super) fn first_steps(chosen: Option<String>, current: Step) -> Markup {
    let shown = Step::ALL.map(|step| Shown {
        step,
        is_done: step == Step::Kind && chosen.is_some(),
        path: chosen.clone().filter(|_| step == Step::Kind),
    });
    list(&shown, Some(current))
}

fn list(steps: &[Shown], current: Option<Step>) -> Markup {
    html! {
        nav aria-label="Steps" {
            ol.steps {
                @for Shown { step, path, is_done } in steps {
                    @let is_current = (current == Some(*step)).then_some("step");
                    @let mark = html! { @if *is_done { span.mark aria-hidden="true" { "✓" } span.visually-hidden { "Done: " } } };
                    li {
                        @match path {
                            Some(path) => a href=(path) aria-current=[is_current] { (mark) (step.title()) },
                            None => span aria-current=[is_current] { (mark) (step.title()) },
                        }
                    }
                }
            }
        }
    }
}

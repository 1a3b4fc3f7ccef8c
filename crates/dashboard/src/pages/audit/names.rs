//! What people and keys are called, of which events say the ids.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};
use tigertrust_accounts::{
    FlowError,
    ports::{KeyDetails, Member, Page},
};
use tigertrust_http::ApiError;
use tigertrust_model::{AuditEvent, Creator, KeyFilter, UserId, management};

use crate::visitor::Visitor;

/// How many members and keys are read at once. In a larger workspace, other members are asked for one by one as they are named, and
/// older keys go by their ids.
const READ: u16 = 200;

/// What members and keys of the workspace are called, as far as that is known here.
#[derive(Default)]
pub(crate) struct Names {
    members: BTreeMap<String, Member>,
    /// Whether there may be others, who are to be read.
    are_more: bool,
    keys: BTreeMap<String, String>,
}

impl Names {
    /// The newest of both, and none for whom the role does not show them.
    ///
    /// # Errors
    /// They cannot be read.
    pub(super) async fn of(visitor: &Visitor) -> Result<Self, ApiError> {
        let (app, actor) = (visitor.app(), visitor.actor());
        let members = match visitor.may(&management::MEMBERS_READ) {
            false => Vec::new(),
            true => {
                app.members
                    .list(&actor, visitor.workspace_id()?, newest())
                    .await?
            }
        };
        let keys = match visitor.may(&management::KEYS_READ) {
            false => Vec::new(),
            true => {
                app.keys
                    .list(&actor, None, KeyFilter::default(), newest())
                    .await?
            }
        };
        Ok(Self {
            are_more: members.len() == usize::from(READ),
            members: members
                .into_iter()
                .map(|member| (member.user.id.to_string(), member))
                .collect(),
            keys: keys
                .into_iter()
                .map(|KeyDetails { key, .. }| (key.id.to_string(), key.name))
                .collect(),
        })
    }

    /// Those of whoever made something, as far as they are still there.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub(crate) async fn of_creators(
        visitor: &Visitor,
        creators: impl IntoIterator<Item = Creator>,
    ) -> Result<Self, ApiError> {
        let (mut people, mut keys) = (BTreeSet::new(), BTreeSet::new());
        for creator in creators {
            match creator {
                Creator::User(id) => _ = people.insert(id),
                Creator::Key(id) => _ = keys.insert(id),
                Creator::Operator => {}
            }
        }
        let mut names = Self {
            are_more: visitor.may(&management::MEMBERS_READ),
            ..Self::default()
        };
        names.read(visitor, people).await?;
        if visitor.may(&management::KEYS_READ) {
            for id in keys {
                let details = if_there(visitor.app().keys.get(&visitor.actor(), id).await)?;
                let name = details.map(|details| (id.to_string(), details.key.name));
                names.keys.extend(name);
            }
        }
        Ok(names)
    }

    /// Reads those members among people who are not known yet.
    async fn read(&mut self, visitor: &Visitor, people: BTreeSet<UserId>) -> Result<(), ApiError> {
        if !self.are_more {
            return Ok(());
        }
        let (flows, actor, workspace) = (&visitor.app().members, visitor.actor(), visitor.workspace_id()?);
        for id in people {
            if !self.members.contains_key(&id.to_string()) {
                let member = if_there(flows.get(&actor, workspace, id).await)?;
                self.members.extend(member.map(|member| (id.to_string(), member)));
            }
        }
        Ok(())
    }

    /// Those as well whom events name.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub(crate) async fn and_of(mut self, visitor: &Visitor, events: &[AuditEvent]) -> Result<Self, ApiError> {
        let ids = events.iter().flat_map(|event| {
            let target = event.target.as_ref().map(|target| target.id.as_str());
            [event.actor.as_deref(), target]
        });
        let people = ids.flatten().filter_map(|id| id.parse().ok()).collect();
        self.read(visitor, people).await?;
        Ok(self)
    }

    /// The id of a member with that address.
    pub(super) fn with_email(&self, email: &str) -> Option<&str> {
        let mut people = self.members.iter();
        people
            .find(|(_, member)| member.user.email.as_str().eq_ignore_ascii_case(email))
            .map(|(id, _)| id.as_str())
    }

    /// What to type for each of them, and what they are called.
    pub(super) fn suggestions(&self) -> Vec<(String, String)> {
        let people = self.members.values();
        let mut suggestions: Vec<(String, String)> = people
            .map(|member| (member.user.email.to_string(), called(member).to_owned()))
            .collect();
        suggestions.sort();
        suggestions
    }

    /// The name of a key, with its id.
    pub(super) fn key(&self, id: &str) -> Markup {
        html! {
            @match self.keys.get(id) {
                None => { "API key " code { (id) } }
                Some(name) => { "API key " (name) p.quiet.small { code { (id) } } }
            }
        }
    }

    /// What whoever made something is called.
    pub(crate) fn creator(&self, creator: Creator) -> Markup {
        match creator {
            Creator::User(id) => self.person(&id.to_string()),
            Creator::Key(id) => self.key(&id.to_string()),
            Creator::Operator => html! { "the operator" },
        }
    }

    /// The name of a person, and the id of a stranger.
    pub(crate) fn person(&self, id: &str) -> Markup {
        match self.members.get(id) {
            None => html! { code { (id) } },
            Some(member) => html! { span title=(member.user.email.as_str()) { (called(member)) } },
        }
    }

    /// The address of a member, where it is not the name already.
    pub(super) fn email(&self, id: &str) -> Option<&str> {
        let member = self.members.get(id)?;
        member.user.name.as_ref()?;
        Some(member.user.email.as_str())
    }
}

fn if_there<T>(found: Result<T, FlowError>) -> Result<Option<T>, FlowError> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(FlowError::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

fn newest<Id>() -> Page<Id> {
    Page {
        after: None,
        limit: READ,
    }
}

fn called(member: &Member) -> &str {
    let name = member.user.name.as_deref();
    name.unwrap_or_else(|| member.user.email.as_str())
}

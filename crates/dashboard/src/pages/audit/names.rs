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

    /// That of whoever made something, if it is still there.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub(crate) async fn of_creator(visitor: &Visitor, creator: Creator) -> Result<Self, ApiError> {
        let (app, actor) = (visitor.app(), visitor.actor());
        let mut names = Self::default();
        match creator {
            Creator::User(id) if visitor.may(&management::MEMBERS_READ) => {
                let member = app.members.get(&actor, visitor.workspace_id()?, id).await;
                let member = if_there(member)?;
                names
                    .members
                    .extend(member.map(|member| (id.to_string(), member)));
            }
            Creator::Key(id) if visitor.may(&management::KEYS_READ) => {
                let details = if_there(app.keys.get(&actor, id).await)?;
                names
                    .keys
                    .extend(details.map(|details| (id.to_string(), details.key.name)));
            }
            Creator::User(_) | Creator::Key(_) | Creator::Operator => {}
        }
        Ok(names)
    }

    /// Those among the ids as well who are members.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    async fn and<'a>(
        mut self,
        visitor: &Visitor,
        ids: impl Iterator<Item = &'a str>,
    ) -> Result<Self, ApiError> {
        if !self.are_more {
            return Ok(self);
        }
        let others: BTreeSet<UserId> = ids
            .filter(|id| !self.members.contains_key(*id))
            .filter_map(|id| id.parse().ok())
            .collect();
        let (flows, actor, workspace) = (&visitor.app().members, visitor.actor(), visitor.workspace_id()?);
        for id in others {
            let member = if_there(flows.get(&actor, workspace, id).await)?;
            self.members.extend(member.map(|member| (id.to_string(), member)));
        }
        Ok(self)
    }

    /// Those as well whom events name.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub(super) async fn and_of(self, visitor: &Visitor, events: &[AuditEvent]) -> Result<Self, ApiError> {
        let ids = events.iter().flat_map(|event| {
            let target = event.target.as_ref().map(|target| target.id.as_str());
            [event.actor.as_deref(), target]
        });
        self.and(visitor, ids.flatten()).await
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
    pub(crate) fn key(&self, id: &str) -> Markup {
        html! {
            @match self.keys.get(id) {
                None => { "API key " code { (id) } }
                Some(name) => { "API key " (name) p.quiet.small { code { (id) } } }
            }
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

//! Lanes: how many webhooks are sent at once, and how many of them to whom.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tigertrust_accounts::webhooks::{DueQuery, DueWebhook};
use tigertrust_model::{UserId, WebhookId, WorkspaceId};

/// How many lanes there are, and how many of them anybody may have: the rest is for others, however many receivers somebody has
/// that never answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shares {
    all: u16,
    of_webhook: u16,
    of_workspace: u16,
    /// Of the workspaces together that a person owns: of workspaces anybody can have many.
    of_owner: u16,
}

/// For receivers that answer at once, as far as is known. A third is more than anybody needs whose deliveries take no time.
pub(super) const QUICK: Shares = Shares {
    all: 96,
    of_webhook: 4,
    of_workspace: 16,
    of_owner: 32,
};
/// For receivers that took long the last time. They wait for each other, and for nobody else.
pub(super) const SLOW: Shares = Shares {
    all: 32,
    of_webhook: 1,
    of_workspace: 4,
    of_owner: 8,
};

/// Whose a lane is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Holder {
    Webhook(WebhookId),
    Workspace(WorkspaceId),
    Owner(UserId),
}

impl Holder {
    fn behind(due: &DueWebhook) -> Vec<Self> {
        let owners = due.owners.iter().map(|owner| Self::Owner(*owner));
        [Self::Webhook(due.id), Self::Workspace(due.workspace)]
            .into_iter()
            .chain(owners)
            .collect()
    }

    const fn share(self, shares: Shares) -> u16 {
        match self {
            Self::Webhook(_) => shares.of_webhook,
            Self::Workspace(_) => shares.of_workspace,
            Self::Owner(_) => shares.of_owner,
        }
    }
}

/// Lanes, of which those that are taken are known by who has them.
pub(super) struct Lanes {
    shares: Shares,
    round: Mutex<Round>,
}

/// Who is being sent to, and whose turn is next.
#[derive(Default)]
struct Round {
    taken: u16,
    held: HashMap<Holder, u16>,
    after: Option<WebhookId>,
}

impl Lanes {
    pub(super) fn new(shares: Shares) -> Arc<Self> {
        Arc::new(Self {
            shares,
            round: Mutex::default(),
        })
    }

    fn round(&self) -> MutexGuard<'_, Round> {
        self.round.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What to ask for now: what nobody who has all of its share is behind. None if there is no lane.
    pub(super) fn next(&self) -> Option<DueQuery> {
        let round = self.round();
        let mut query = DueQuery {
            after: round.after,
            limit: self.shares.all.saturating_sub(round.taken),
            ..DueQuery::default()
        };
        for (holder, _) in round
            .held
            .iter()
            .filter(|(holder, taken)| **taken >= holder.share(self.shares))
        {
            match *holder {
                Holder::Webhook(id) => query.except_webhooks.push(id),
                Holder::Workspace(id) => query.except_workspaces.push(id),
                Holder::Owner(id) => query.except_owners.push(id),
            }
        }
        (query.limit > 0).then_some(query)
    }

    /// The next turn begins after this one.
    pub(super) fn turn_ends_with(&self, last: Option<WebhookId>) {
        self.round().after = last;
    }

    /// As many lanes as there are for the webhook.
    pub(super) fn take(self: &Arc<Self>, due: &DueWebhook) -> Vec<Lane> {
        let holders = Holder::behind(due);
        let mut round = self.round();
        let left = holders.iter().map(|holder| {
            let taken = round.held.get(holder).copied().unwrap_or(0);
            holder.share(self.shares).saturating_sub(taken)
        });
        let all = self.shares.all.saturating_sub(round.taken);
        let count = left.min().unwrap_or(0).min(all);
        if count == 0 {
            return Vec::new();
        }
        round.taken += count;
        for holder in &holders {
            *round.held.entry(*holder).or_default() += count;
        }
        drop(round);
        (0..count)
            .map(|_| Lane {
                lanes: Arc::clone(self),
                holders: holders.clone(),
            })
            .collect()
    }
}

/// A lane that is taken; dropped, it is free.
pub(super) struct Lane {
    lanes: Arc<Lanes>,
    holders: Vec<Holder>,
}

impl Drop for Lane {
    fn drop(&mut self) {
        let mut round = self.lanes.round();
        round.taken = round.taken.saturating_sub(1);
        for holder in &self.holders {
            if let Some(taken) = round.held.get_mut(holder) {
                *taken = taken.saturating_sub(1);
                if *taken == 0 {
                    round.held.remove(holder);
                }
            }
        }
    }
}

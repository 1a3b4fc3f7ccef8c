//! Which keys somebody should look at: reported as leaked, unused, about to expire, old, or allowed more than they are used for.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tigertrust_model::{Clock, KeyFilter, KeyId, KeyState, Scope, Timestamp, WorkspaceId};

use crate::{
    Actor, FlowError,
    ports::{KeyDetails, KeyStore, KeyView, Page},
    usage::{LastScopeUse, UsageHistory},
};

/// From when on something about a key is worth a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HygieneSettings {
    /// For how long a key was not used.
    pub unused_for: Duration,
    /// How soon it expires.
    pub expires_within: Duration,
    /// How soon it expires so that it is urgent.
    pub urgent_within: Duration,
    /// For how long a scope was not asked for while the key was used.
    pub scope_unused_for: Duration,
    /// How long a key must have been used as it is before its scopes are judged.
    pub watched_for: Duration,
    /// How old its newest secret is.
    pub older_than: Duration,
}

impl Default for HygieneSettings {
    fn default() -> Self {
        let days = |days: u64| Duration::from_secs(days * 24 * 60 * 60);
        Self {
            unused_for: days(90),
            expires_within: days(14),
            urgent_within: days(3),
            scope_unused_for: days(90),
            watched_for: days(30),
            older_than: days(365),
        }
    }
}

/// What is worth a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Somebody reported that it has leaked, and nobody has rotated it since.
    Leaked {
        /// When it was reported.
        since: Timestamp,
    },
    /// It is not used.
    Unused {
        /// When it was last used, or made if it never was.
        since: Timestamp,
        /// Whether it never was.
        never: bool,
    },
    /// It expires soon.
    Expiring {
        /// When.
        at: Timestamp,
        /// Whether that is very soon.
        urgent: bool,
    },
    /// It is used, and may do more than it was asked for.
    OverScoped {
        /// What nobody asked for.
        scopes: Vec<Scope>,
        /// Since when.
        since: Timestamp,
    },
    /// Its secret is old.
    Old {
        /// When the secret was made.
        since: Timestamp,
    },
}

/// A key that is worth a look, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFinding {
    /// The key.
    pub key: KeyId,
    /// What people call it.
    pub name: String,
    /// Why.
    pub finding: Finding,
}

/// What was found of a page of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HygieneReport {
    /// What was found, by key, the newest keys first.
    pub findings: Vec<KeyFinding>,
    /// The last key that was looked at, if there are more.
    pub next: Option<KeyId>,
}

/// Looks for keys that are worth a look, among those that are active.
#[derive(Clone)]
pub struct HygieneFlows {
    keys: Arc<dyn KeyStore>,
    history: Arc<dyn UsageHistory>,
    settings: HygieneSettings,
    clock: Arc<dyn Clock>,
}

impl HygieneFlows {
    /// Flows over the given stores.
    pub fn new(
        keys: Arc<dyn KeyStore>,
        history: Arc<dyn UsageHistory>,
        settings: HygieneSettings,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            keys,
            history,
            settings,
            clock,
        }
    }

    /// Looks at a page of the active keys that the actor can see; of one workspace if `only` names it. `page` asks for one key more
    /// than it shows.
    ///
    /// # Errors
    /// [`FlowError::Store`].
    pub async fn report(
        &self,
        actor: &Actor,
        only: Option<WorkspaceId>,
        page: Page<KeyId>,
    ) -> Result<HygieneReport, FlowError> {
        let view = match (actor.view()?, only) {
            (KeyView::Everything, Some(workspace)) => KeyView::Workspace(workspace),
            (view, _) => view,
        };
        let now = self.clock.now();
        let active = KeyFilter {
            state: Some((KeyState::Active, now)),
            ..KeyFilter::default()
        };
        let mut keys = self.keys.list_keys(view, active, page).await?;
        let more = keys.len() >= usize::from(page.limit);
        keys.truncate(usize::from(page.limit).saturating_sub(1));
        let history = self.history(&keys).await?;
        let findings = keys.iter().flat_map(|details| {
            let found = self.settings.findings(details, &history, now);
            found.into_iter().map(|finding| KeyFinding {
                key: details.key.id,
                name: details.key.name.clone(),
                finding,
            })
        });
        Ok(HygieneReport {
            findings: findings.collect(),
            next: keys.last().filter(|_| more).map(|details| details.key.id),
        })
    }

    async fn history(&self, keys: &[KeyDetails]) -> Result<History, FlowError> {
        let ids: Vec<KeyId> = keys.iter().map(|details| details.key.id).collect();
        let first_days = self.history.first_days(ids.clone()).await?;
        let mut scopes: HashMap<KeyId, Vec<LastScopeUse>> = HashMap::new();
        for used in self.history.scope_uses(ids).await? {
            scopes.entry(used.key).or_default().push(used);
        }
        Ok(History {
            first_days: first_days.into_iter().collect(),
            scopes,
        })
    }
}

/// What is known of how some keys were used.
#[derive(Debug, Default)]
struct History {
    first_days: HashMap<KeyId, Timestamp>,
    scopes: HashMap<KeyId, Vec<LastScopeUse>>,
}

impl HygieneSettings {
    fn findings(&self, details: &KeyDetails, history: &History, now: Timestamp) -> Vec<Finding> {
        let leaked = details
            .key
            .leak_reported_at
            .map(|since| Finding::Leaked { since });
        let found = [
            leaked,
            self.unused(details, now),
            self.expiring(details, now),
            self.over_scoped(details, history, now),
            self.old(details, now),
        ];
        found.into_iter().flatten().collect()
    }

    fn unused(&self, details: &KeyDetails, now: Timestamp) -> Option<Finding> {
        let used = last_used(details);
        let since = used.unwrap_or(details.key.created_at);
        (since < now.saturating_sub(self.unused_for)).then_some(Finding::Unused {
            since,
            never: used.is_none(),
        })
    }

    fn expiring(&self, details: &KeyDetails, now: Timestamp) -> Option<Finding> {
        let at = details.key.expires_at?;
        (at <= now.saturating_add(self.expires_within)).then_some(Finding::Expiring {
            at,
            urgent: at <= now.saturating_add(self.urgent_within),
        })
    }

    /// Judged only where it can be known: the key has been as it is, and its calls have been counted, for long enough.
    fn over_scoped(&self, details: &KeyDetails, history: &History, now: Timestamp) -> Option<Finding> {
        let key = &details.key;
        let since = now.saturating_sub(self.scope_unused_for);
        let watched = now.saturating_sub(self.watched_for);
        let counted_since = *history.first_days.get(&key.id)?;
        let is_used = last_used(details).is_some_and(|used| used >= since);
        if !is_used || key.updated_at > watched || counted_since > watched {
            return None;
        }
        // A day counts as a whole.
        let uses = history.scopes.get(&key.id).map_or(&[][..], Vec::as_slice);
        let is_asked_for = |scope: &Scope| {
            let of_scope = |used: &&LastScopeUse| used.scope == *scope;
            uses.iter()
                .find(of_scope)
                .is_some_and(|used| used.day.saturating_add(A_DAY) > since)
        };
        let idle = key.scopes.iter().filter(|scope| !is_asked_for(scope));
        let scopes: Vec<Scope> = idle.cloned().collect();
        (!scopes.is_empty()).then_some(Finding::OverScoped {
            scopes,
            since: since.max(counted_since),
        })
    }

    fn old(&self, details: &KeyDetails, now: Timestamp) -> Option<Finding> {
        let newest = details.secrets.iter().map(|secret| secret.created_at).max();
        let since = newest.unwrap_or(details.key.created_at);
        (since < now.saturating_sub(self.older_than)).then_some(Finding::Old { since })
    }
}

const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// When any of the key's secrets was last used.
fn last_used(details: &KeyDetails) -> Option<Timestamp> {
    let uses = details
        .secrets
        .iter()
        .filter_map(|secret| secret.last_use.as_ref());
    uses.map(|last_use| last_use.at).max()
}

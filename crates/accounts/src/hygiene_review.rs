//! The daily look at the keys of all workspaces: what it finds is logged, and with that goes to webhooks, and mailed to owners and
//! admins.

use std::{fmt, sync::Arc};

use tigertrust_model::{
    Act, AuditAction, AuditEntry, AuditFilter, Chain, FieldChange, Workspace, WorkspaceId,
};

use crate::{
    Actor, Finding, FlowError, HygieneFlows, Notice, Stewards,
    audit::AuditStore,
    ports::{AccountStore, Page},
};

/// How many keys or workspaces are read at once.
const PAGE: u16 = 200;

/// How many keys of a workspace are worth a look, and why. A key may count more than once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HygieneTally {
    /// Somebody reported that they have leaked.
    pub leaked: u64,
    /// Nobody uses them.
    pub unused: u64,
    /// They expire soon.
    pub expiring: u64,
    /// They expire very soon; these are among the former.
    pub urgent: u64,
    /// They may do more than they were asked for.
    pub over_scoped: u64,
    /// Their secrets are old.
    pub old: u64,
}

impl HygieneTally {
    fn count(&mut self, finding: &Finding) {
        match finding {
            Finding::Leaked { .. } => self.leaked += 1,
            Finding::Unused { .. } => self.unused += 1,
            Finding::Expiring { urgent, .. } => {
                self.expiring += 1;
                self.urgent += u64::from(*urgent);
            }
            Finding::OverScoped { .. } => self.over_scoped += 1,
            Finding::Old { .. } => self.old += 1,
        }
    }

    fn fields(self) -> [(&'static str, u64); 6] {
        [
            ("leaked", self.leaked),
            ("unused", self.unused),
            ("expiring", self.expiring),
            ("urgent", self.urgent),
            ("overScoped", self.over_scoped),
            ("old", self.old),
        ]
    }

    /// Whether there is more of something than there was.
    fn is_worse_than(self, before: Self) -> bool {
        let fields = self.fields().into_iter().zip(before.fields());
        fields.into_iter().any(|((_, now), (_, before))| now > before)
    }
}

/// Looks at the keys of all workspaces.
#[derive(Clone)]
pub struct HygieneReviews {
    hygiene: HygieneFlows,
    accounts: Arc<dyn AccountStore>,
    audit: Arc<dyn AuditStore>,
    stewards: Stewards,
}

impl HygieneReviews {
    /// Reviews over the stores.
    #[must_use]
    pub fn new(
        hygiene: HygieneFlows,
        accounts: Arc<dyn AccountStore>,
        audit: Arc<dyn AuditStore>,
        stewards: Stewards,
    ) -> Self {
        Self {
            hygiene,
            accounts,
            audit,
            stewards,
        }
    }

    /// Looks at every workspace, and returns in how many there was news: another tally than the last that is in the log. Whoever
    /// was told is not told again until it changes; mail goes only where it got worse.
    ///
    /// # Errors
    /// [`FlowError::Store`].
    pub async fn review_all(&self) -> Result<usize, FlowError> {
        let (mut news, mut after) = (0, None);
        loop {
            let page = Page { after, limit: PAGE };
            let workspaces = self.accounts.list_workspaces(page).await?;
            for workspace in &workspaces {
                news += usize::from(self.review(workspace).await?);
            }
            after = workspaces.last().map(|last| last.id);
            if workspaces.len() < usize::from(PAGE) {
                return Ok(news);
            }
        }
    }

    async fn review(&self, workspace: &Workspace) -> Result<bool, FlowError> {
        let now = self.tally(workspace.id).await?;
        let before = self.last_tally(workspace.id).await?;
        if now == before {
            return Ok(false);
        }
        let changes = before.fields().into_iter().zip(now.fields());
        let changes = changes.filter_map(|((field, before), (_, now))| {
            FieldChange::between(field, Some(before.to_string()), Some(now.to_string()))
        });
        let entry = AuditEntry::new(
            AuditAction::HygieneReported,
            Some(workspace.id),
            &Act::of_system(),
        )
        .on(workspace.id)
        .changing(changes);
        self.audit.append_audit(vec![entry]).await?;
        if now.is_worse_than(before) {
            let notice = |workspace| Notice::KeysToReview {
                workspace,
                tally: now,
            };
            self.stewards.tell(workspace.id, notice).await?;
        }
        Ok(true)
    }

    async fn tally(&self, workspace: WorkspaceId) -> Result<HygieneTally, FlowError> {
        let (mut tally, mut after) = (HygieneTally::default(), None);
        loop {
            let page = Page { after, limit: PAGE };
            let report = self
                .hygiene
                .report(&Actor::operator(), Some(workspace), page)
                .await?;
            report
                .findings
                .iter()
                .for_each(|found| tally.count(&found.finding));
            after = report.next;
            if after.is_none() {
                return Ok(tally);
            }
        }
    }

    /// What the log says was found last; nothing if it never was.
    async fn last_tally(&self, workspace: WorkspaceId) -> Result<HygieneTally, FlowError> {
        let filter = AuditFilter {
            actions: Some(vec![AuditAction::HygieneReported]),
            ..AuditFilter::default()
        };
        let chain = Chain::Workspace(workspace);
        // Each says only what has changed, so that they are put together, the latest first.
        let (mut tally, mut missing) = (HygieneTally::default(), tally_fields());
        let mut after = None;
        loop {
            let events = self.audit.list_audit(chain, filter.clone(), after, PAGE).await?;
            for change in events.iter().flat_map(|event| &event.changes) {
                let Some(place) = missing.iter().position(|field| *field == change.field) else {
                    continue;
                };
                missing.swap_remove(place);
                let number = change.after.as_deref().and_then(|text| text.parse().ok());
                tally.set(&change.field, number.unwrap_or(0));
            }
            after = events.last().map(|last| tigertrust_model::AuditCursor {
                at: last.at,
                seq: last.seq,
            });
            if missing.is_empty() || events.len() < usize::from(PAGE) {
                return Ok(tally);
            }
        }
    }
}

fn tally_fields() -> Vec<&'static str> {
    HygieneTally::default()
        .fields()
        .into_iter()
        .map(|(field, _)| field)
        .collect()
}

impl HygieneTally {
    fn set(&mut self, field: &str, number: u64) {
        match field {
            "leaked" => self.leaked = number,
            "unused" => self.unused = number,
            "expiring" => self.expiring = number,
            "urgent" => self.urgent = number,
            "overScoped" => self.over_scoped = number,
            "old" => self.old = number,
            _ => {}
        }
    }
}

impl fmt::Debug for HygieneReviews {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HygieneReviews").finish_non_exhaustive()
    }
}

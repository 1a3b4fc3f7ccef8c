//! Asks the server, and keeps the accounts of what it has counted.

use std::{sync::Arc, time::Duration};

use tigertrust_model::Entity;
use tokio::time::timeout;

use crate::{
    NotAvailable, Reason, ValidVerdict, Verdict,
    accounts::{Account, Kept},
    changes::Mark,
    core::{Answer, Core, Outcome},
    lock::lock,
    question::{Asked, Digest},
    reach::Reach,
};

/// How often a question is asked whose answers are overtaken by changes.
const ASKS: u32 = 3;

/// When a question was asked.
#[derive(Clone, Copy)]
struct AskedAt {
    mark: Mark,
    time: Duration,
}

impl Core {
    /// Asks for one use of which nothing is remembered.
    pub(crate) async fn ask_once(
        self: &Arc<Self>,
        asked: &Asked,
        until: Duration,
    ) -> Result<Verdict, NotAvailable> {
        let outcome = self.ask(&mut Account::default(), 1, asked, until).await?;
        Ok(outcome.verdict)
    }

    /// Asks for all who want to know the same, in a task of its own: it goes on when the one who asked first gives up.
    pub(crate) fn ask_for_all(
        self: &Arc<Self>,
        digest: Digest,
        asked: Asked,
        until: Duration,
        answer: Answer,
    ) {
        let mut flight = Flight {
            account: self.accounts.remove(&digest),
            core: Arc::clone(self),
            digest,
        };
        self.tasks.spawn(async move {
            let core = Arc::clone(&flight.core);
            let asking = core.ask(&mut flight.account, core.settings.lease, &asked, until);
            let outcome = timeout(core.settings.deadline, asking)
                .await
                .unwrap_or_else(|_| Err(NotAvailable::late()));
            // First: those who hear of the answer look into the account.
            drop(flight);
            answer.send_replace(Some(outcome));
        });
    }

    /// Asks for one use, and so many in hand. With a lease of 1 nothing is kept.
    async fn ask(
        self: &Arc<Self>,
        account: &mut Account,
        lease: u32,
        asked: &Asked,
        until: Duration,
    ) -> Result<Outcome, NotAvailable> {
        account.kept = None;
        for _ in 0..ASKS {
            // What this one call lacks.
            let least = u32::from(account.in_hand == 0);
            let mut cost = lease.saturating_sub(account.in_hand);
            let mut asked_at = self.asked_at();
            let mut verdict = self.verify(asked, cost, until).await?;
            if verdict.is_rate_limited() && cost > least {
                cost = least;
                asked_at = self.asked_at();
                verdict = self.verify(asked, cost, until).await?;
            }
            let has_spent = verdict.has_spent();
            if has_spent {
                account.in_hand = account.in_hand.saturating_add(cost);
            }
            let depends_on = verdict.depends_on();
            // It may tell how things stood before.
            if self.changes.is_overtaken(&depends_on, asked_at.mark) {
                continue;
            }
            if has_spent {
                account.in_hand = account.in_hand.saturating_sub(1);
            }
            if let (Verdict::Valid(verdict), 2..) = (&verdict, lease) {
                account.kept = self.kept(verdict, depends_on, asked_at, until);
            }
            let is_kept = account.kept.is_some();
            return Ok(Outcome { verdict, is_kept });
        }
        Err(NotAvailable::new(
            Reason::Changing,
            "what the key depends on keeps changing",
        ))
    }

    async fn verify(&self, asked: &Asked, cost: u32, until: Duration) -> Result<Verdict, NotAvailable> {
        let told = self.api.verify(asked, cost, until).await;
        self.troubles.note(told.as_ref().err());
        told
    }

    fn asked_at(&self) -> AskedAt {
        AskedAt {
            mark: self.changes.mark(),
            time: self.now(),
        }
    }

    fn kept(
        self: &Arc<Self>,
        verdict: &Arc<ValidVerdict>,
        depends_on: Vec<Entity>,
        asked_at: AskedAt,
        until: Duration,
    ) -> Option<Kept> {
        let now = self.now();
        // Another server than the one that is followed may have answered, and be a moment behind.
        let is_settled = self
            .changes
            .was_settled(&depends_on, asked_at.time, self.settings.settle);
        if !self.status.is_fresh(now) || !is_settled || !self.is_told_of(verdict, until) {
            return None;
        }
        let mut good_until = asked_at.time.saturating_add(self.settings.life);
        if let Some(expires_at) = verdict.expires_at {
            // Not by the wall clock alone, which may be set back.
            let left = expires_at.unix_micros() - self.settings.clock.now().unix_micros();
            let left = Duration::from_micros(u64::try_from(left).unwrap_or_default());
            good_until = good_until.min(now.saturating_add(left));
        }
        (good_until > now).then(|| Kept {
            verdict: Arc::clone(verdict),
            depends_on,
            mark: asked_at.mark,
            good_until,
            expires_at: verdict.expires_at,
        })
    }

    /// Whether the feed would tell of a change in the workspace that the verdict is for.
    fn is_told_of(self: &Arc<Self>, verdict: &ValidVerdict, until: Duration) -> bool {
        // Only an instance key learns of an instance key.
        if verdict.home_workspace_id.is_none() {
            self.reach.is_of_an_instance_key();
        }
        verdict.workspace_id == verdict.home_workspace_id || self.reach(until) == Some(Reach::Everything)
    }
}

/// A question on its way, with the account that was taken out for it. However that ends, what was counted is kept.
struct Flight {
    core: Arc<Core>,
    digest: Digest,
    account: Account,
}

impl Drop for Flight {
    fn drop(&mut self) {
        let account = std::mem::take(&mut self.account);
        // Keys that are no good take no place.
        if account.in_hand > 0 {
            self.core.accounts.insert(self.digest, account);
        }
        lock(&self.core.asking).remove(&self.digest);
    }
}

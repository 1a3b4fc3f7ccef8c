//! What a credential may spend, and what became of a call that was to spend something.

use std::{sync::Arc, sync::OnceLock, time::Duration};

use tigertrust_model::{ApiKey, Clock, Plan, SessionId};
use tigertrust_rate_limit::{Decision, Limits, PlanLimits, Quotas, RateLimiter, Slot, Subject};

use crate::{AuthError, failures::FailureBudget, known_key::KnownKey};

/// What a call counts against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charge {
    /// The caller's plan.
    Plan,
    /// The caller's own quota for the verification of others' keys, in place of its plan.
    Verify,
}

/// The limits of a server with what has been spent of them.
#[derive(Debug)]
pub struct RateLimits {
    limits: Limits,
    limiter: Arc<RateLimiter>,
    pub(crate) failures: FailureBudget,
}

/// What became of a call that was to spend something.
pub(crate) enum Spent {
    Admitted(Decision),
    Refused(Decision),
}

impl RateLimits {
    /// The limits, with what `limiter` knows to be spent.
    pub fn new(limits: Limits, limiter: Arc<RateLimiter>, clock: Arc<dyn Clock>) -> Self {
        let failures = FailureBudget::new(limits.failures, clock);
        Self {
            limits,
            limiter,
            failures,
        }
    }

    /// Where spends are counted.
    #[must_use]
    pub const fn limiter(&self) -> &Arc<RateLimiter> {
        &self.limiter
    }

    /// How often credentials were refused since their network had failed too often.
    #[must_use]
    pub fn failures_refused(&self) -> u64 {
        self.failures.refused()
    }

    /// Which plans there are, and all other limits.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Forgets what says nothing any more: to be called every minute or so.
    pub fn sweep(&self) {
        self.limiter.sweep();
        self.failures.sweep();
    }

    pub(crate) async fn spend(&self, record: &KnownKey, charge: Charge, cost: u32) -> Spent {
        let Bound {
            slot,
            subject,
            limits,
        } = self.bound(record, charge);
        self.judge(
            self.limiter.decide(*subject, slot, &limits.quotas, cost).await,
            limits.shadow,
        )
    }

    /// What [`spend`](Self::spend) comes to, where that can be said at once and admits the call. `None`, and nothing is spent,
    /// otherwise.
    pub(crate) fn spend_at_once(
        &self,
        record: &KnownKey,
        charge: Charge,
        cost: u32,
        monotonic: Duration,
    ) -> Option<Decision> {
        let Bound { slot, limits, .. } = self.bound(record, charge);
        self.limiter
            .decide_at_once(slot, &limits.quotas, cost, monotonic)
            .filter(|decision| decision.admitted)
    }

    fn bound<'a>(&self, record: &'a KnownKey, charge: Charge) -> &'a Bound {
        record.counts.of(charge).get_or_init(|| {
            let subject = match charge {
                Charge::Plan => Subject::Key(record.key.id),
                Charge::Verify => Subject::Verifier(record.key.id),
            };
            Bound {
                slot: self.limiter.slot(subject),
                subject,
                limits: self.limits_of(record, charge),
            }
        })
    }

    pub(crate) async fn standing(&self, key: &ApiKey, plan: &Plan) -> Decision {
        let subject = Subject::Key(key.id);
        let quotas = self.limits.plans.limits_of(plan).quotas;
        let quotas = quotas.at_most(key.limits.minute, key.limits.hour);
        let slot = self.limiter.slot(subject);
        self.limiter.decide(subject, &slot, &quotas, 0).await
    }

    pub(crate) async fn spend_session(&self, session: SessionId) -> Spent {
        let subject = Subject::Session(session);
        let quotas = Quotas::from(self.limits.session);
        let slot = self.limiter.slot(subject);
        self.judge(self.limiter.decide(subject, &slot, &quotas, 1).await, false)
    }

    fn judge(&self, decision: Decision, shadow: bool) -> Spent {
        if decision.admitted {
            Spent::Admitted(decision)
        } else if shadow {
            self.limiter.note_shadowed();
            Spent::Admitted(decision)
        } else {
            self.limiter.note_refused();
            Spent::Refused(decision)
        }
    }

    fn limits_of(&self, record: &KnownKey, charge: Charge) -> PlanLimits {
        let limits = match (charge, record.home()) {
            (Charge::Verify, _) => return Quotas::from(self.limits.verify).into(),
            (Charge::Plan, Some(home)) => *self.limits.plans.limits_of(&home.plan),
            (Charge::Plan, None) => self.limits.instance.into(),
        };
        let own = record.key.limits;
        PlanLimits {
            quotas: limits.quotas.at_most(own.minute, own.hour),
            ..limits
        }
    }
}

/// Where what a key has spent is counted, and its limits; found once for as long as the record is remembered. A changed record
/// finds the same count anew.
struct Bound {
    slot: Arc<Slot>,
    subject: Subject,
    limits: PlanLimits,
}

/// The counts of a key.
#[derive(Default)]
pub(crate) struct KeyCounts {
    plan: OnceLock<Bound>,
    verify: OnceLock<Bound>,
}

impl KeyCounts {
    const fn of(&self, charge: Charge) -> &OnceLock<Bound> {
        match charge {
            Charge::Plan => &self.plan,
            Charge::Verify => &self.verify,
        }
    }

    /// Has memory fetch what was spent.
    pub(crate) fn fetch(&self, charge: Charge) {
        if let Some(bound) = self.of(charge).get() {
            bound.slot.fetch();
        }
    }
}

/// Why a caller does not get in, and how its limits stand if they were asked.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{why}")]
pub struct Refusal {
    /// Why.
    pub why: AuthError,
    // Boxed, since most results hold no refusal.
    limits: Option<Box<Decision>>,
}

impl Refusal {
    pub(crate) fn new(why: AuthError, limits: Option<Decision>) -> Self {
        Self {
            why,
            limits: limits.map(Box::new),
        }
    }

    pub(crate) fn over_limit(decision: Decision) -> Self {
        Self::new(over(&decision), Some(decision))
    }

    /// How the limits of the caller stand; none where it was refused before they were asked.
    #[must_use]
    pub fn limits(&self) -> Option<&Decision> {
        self.limits.as_deref()
    }
}

impl<E: Into<AuthError>> From<E> for Refusal {
    fn from(why: E) -> Self {
        Self::new(why.into(), None)
    }
}

/// What a refused call is told.
pub(crate) fn over(decision: &Decision) -> AuthError {
    let refuses = |name| {
        decision
            .windows()
            .any(|(own, standing)| own == name && standing.refuses())
    };
    AuthError::RateLimited {
        retry_after: decision.retry_after(),
        policies: match (refuses("minute"), refuses("hour")) {
            (true, true) => &["minute", "hour"],
            (false, true) => &["hour"],
            (_, false) => &["minute"],
        },
    }
}

/// How long to wait, where nobody can say.
pub(crate) const A_MOMENT: Duration = Duration::from_secs(1);

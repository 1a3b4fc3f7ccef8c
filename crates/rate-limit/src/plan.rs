//! Which limits there are.

use std::collections::BTreeMap;

use tigertrust_model::Plan;

use crate::{Quota, Quotas};

/// What a plan allows each of its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanLimits {
    /// How much.
    pub quotas: Quotas,
    /// Whether what is over the limit is admitted all the same, and only counted: to try a limit out.
    pub shadow: bool,
}

impl From<Quotas> for PlanLimits {
    fn from(quotas: Quotas) -> Self {
        Self {
            quotas,
            shadow: false,
        }
    }
}

/// The plans by name. That of new workspaces, `free`, is always among them, and stands for those that are not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plans {
    free: PlanLimits,
    others: BTreeMap<String, PlanLimits>,
}

impl Plans {
    /// The shipped plans with these changed or added.
    #[must_use]
    pub fn with(mut self, plans: impl IntoIterator<Item = (Plan, PlanLimits)>) -> Self {
        for (plan, limits) in plans {
            if plan == Plan::free() {
                self.free = limits;
            } else {
                self.others.insert(plan.as_str().to_owned(), limits);
            }
        }
        self
    }

    /// What a plan allows.
    #[must_use]
    pub fn limits_of(&self, plan: &Plan) -> &PlanLimits {
        self.others.get(plan.as_str()).unwrap_or(&self.free)
    }

    /// Whether there is a plan of the name.
    #[must_use]
    pub fn knows(&self, plan: &Plan) -> bool {
        *plan == Plan::free() || self.others.contains_key(plan.as_str())
    }

    /// The names of all plans.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once("free").chain(self.others.keys().map(String::as_str))
    }
}

impl Default for Plans {
    fn default() -> Self {
        let limits = |minute, hour| PlanLimits::from(Quotas::per_minute_and_hour(minute, hour));
        Self {
            free: limits(60, 1_000),
            others: BTreeMap::from([
                ("pro".to_owned(), limits(300, 10_000)),
                ("enterprise".to_owned(), limits(1_000, 50_000)),
            ]),
        }
    }
}

/// Every limit of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Those of a workspace's keys, by the plan of the workspace.
    pub plans: Plans,
    /// Those of an instance key.
    pub instance: Quotas,
    /// How often a key may verify others.
    pub verify: Quota,
    /// How often a session may call.
    pub session: Quota,
    /// How many credentials of one client network may fail before look-ups for it share a narrow lane.
    pub failures: Quota,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            plans: Plans::default(),
            instance: Quotas::per_minute_and_hour(6_000, 200_000),
            verify: Quota::per_minute(100_000),
            session: Quota::per_minute(600),
            failures: Quota::per_minute(60),
        }
    }
}

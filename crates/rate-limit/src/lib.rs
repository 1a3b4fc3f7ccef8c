//! How often a key may be used.
//!
//! [`decide`] is the whole rule: a pure function of what was spent, the time, the [`Quotas`] and the cost. [`RateLimiter`] keeps the
//! states of a process by [`Subject`], and with the feature `valkey` shares them with other nodes.

mod decision;
mod limiter;
mod local;
mod plan;
mod quota;
mod runs;
mod snapshot;
mod subject;
#[cfg(feature = "valkey")]
mod valkey;
mod window;

pub use decision::{Decision, Standing, State, decide};
pub use limiter::{LimiterCounts, LimiterEvents, RateLimiter};
pub use local::Slot;
pub use plan::{Limits, PlanLimits, Plans};
pub use quota::{Quota, QuotaError, Quotas};
pub use snapshot::SnapshotError;
pub use subject::Subject;
#[cfg(feature = "valkey")]
pub use valkey::{Valkey, ValkeyError, ValkeySettings};

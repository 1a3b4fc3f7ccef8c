//! The way in that every adapter takes.

use tigertrust_credentials::{AuthError, Need, Permit, Presented};
use tigertrust_wire::RateLimitHeaders;

use crate::{Gate, Rejection};

impl Gate {
    /// Admits a request, or says what its caller reads instead. `request_id` is the `X-Request-Id` that came with it.
    pub(crate) async fn guard(
        &self,
        presented: &Presented<'_>,
        need: &Need,
        request_id: Option<&[u8]>,
    ) -> Result<Permit, Rejection> {
        let admitted = self.admit(presented, need).await;
        admitted.map_err(|refusal| {
            self.explain(&refusal.why);
            let limits = refusal
                .limits()
                .map(|limits| RateLimitHeaders::new(limits, self.clock().now()));
            Rejection::from(refusal.why).of(request_id).with_limits(limits)
        })
    }

    /// Checks a request that was admitted against what its handler needs beyond that. It has been counted, and its answer will tell how the
    /// limits stand.
    #[cfg(feature = "axum")]
    pub(crate) async fn guard_again(
        &self,
        earlier: &Permit,
        presented: &Presented<'_>,
        need: &Need,
        request_id: Option<&[u8]>,
    ) -> Result<Permit, Rejection> {
        let admitted = self.parts().admission.admit_again(earlier, presented, need).await;
        admitted.map_err(|refusal| {
            self.explain(&refusal.why);
            Rejection::from(refusal.why).of(request_id)
        })
    }

    /// Tells the operator what is no fault of the caller's.
    fn explain(&self, error: &AuthError) {
        match error {
            AuthError::Unavailable(error) => self.parts().outages.report(error),
            AuthError::MissingScope(scope) if !self.catalog().knows(scope) => {
                tracing::error!(%scope, "a route needs a scope that the catalogue does not know, so no key can hold it");
            }
            _ => {}
        }
    }
}

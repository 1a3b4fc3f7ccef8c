//! The extractor for handlers of axum.

use axum_core::extract::FromRequestParts;
use http::request::Parts;

use super::{
    Needs,
    layer::Ticket,
    request::{presented, request_id},
};
use crate::{Admitted, Rejection, permitted::Permitted};

/// Admits the caller. The route must be within an [`AuthLayer`](super::AuthLayer); without it nobody gets in. What the layer has admitted
/// already is not counted again.
impl<N, S> FromRequestParts<S> for Permitted<N>
where
    N: Needs,
    S: Send + Sync,
{
    type Rejection = Rejection;

    async fn from_request_parts(request: &mut Parts, _: &S) -> Result<Self, Rejection> {
        let request_id = request_id(&request.headers);
        let Some(ticket) = request.extensions.get::<Ticket>().cloned() else {
            tracing::error!("the route is not within an AuthLayer, so nobody gets in");
            return Err(Rejection::unavailable().of(request_id));
        };
        let Ticket { gate, client, told } = ticket;
        let presented = presented(&request.headers, client);
        let permit = match request.extensions.get::<Admitted>() {
            Some(earlier) => {
                gate.guard_again(earlier, &presented, N::need(), request_id)
                    .await?
            }
            None => gate.guard(&presented, N::need(), request_id).await?,
        };
        let admitted = Admitted::new(permit, client, gate);
        told.of(&admitted);
        request.extensions.insert(admitted.clone());
        Ok(Self::new(admitted))
    }
}

//! What the operator is told of proofs that are refused.

use std::error::Error;

use actix_web::HttpRequest;
use tigertrust_accounts::SignInError;

use crate::App;

/// Tells the operator why: a wrong origin, say, is often a setting, and a passkey's counter that went back a theft.
pub fn note_refusal(app: &App, request: &HttpRequest, what: &str, error: &(dyn Error + 'static)) {
    let address = app.proxies.client(request.head());
    match error.downcast_ref() {
        Some(SignInError::PasskeyCopied { .. }) => tracing::warn!(%error, ?address, "{what}"),
        _ => tracing::info!(%error, ?address, "{what}"),
    }
}

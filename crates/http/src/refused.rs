//! What the audit log is told of requests for a change that are refused.

use actix_web::{HttpMessage, HttpRequest, body::MessageBody, dev::ServiceResponse, http::Method};
use tigertrust_accounts::audit::RefusedRequest;
use tigertrust_model::{Act, Chain, Principal, Workspace};
use tigertrust_wire::Problem;

use crate::{App, origin::origin};

/// Who asks, and where, for the way back.
struct Asking {
    chain: Chain,
    by: Principal,
}

/// Remembers who asks, should it be refused.
pub(crate) fn remember(request: &HttpRequest, workspace: Option<&Workspace>, by: Principal) {
    let chain = workspace.map(|workspace| workspace.id).into();
    request.extensions_mut().insert(Asking { chain, by });
}

/// Whether a request would change something: reading changes nothing.
pub(crate) fn is_change(request: &HttpRequest) -> bool {
    !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Counts a refusal of somebody who is known. What failed on our side is none.
pub(crate) fn note<B: MessageBody>(app: &App, response: &ServiceResponse<B>, problem: &Problem) {
    let request = response.request();
    if !is_change(request) || !response.status().is_client_error() {
        return;
    }
    if let Some(Asking { chain, by }) = request.extensions().get() {
        let pattern = request.match_pattern().unwrap_or_default();
        let refused = RefusedRequest {
            operation: format!("{} {pattern}", request.method()),
            code: problem.code.as_str().to_owned(),
        };
        let act = Act {
            by: by.clone(),
            from: origin(app, request),
        };
        app.refusals.count(refused.entry(*chain, &act));
    }
}

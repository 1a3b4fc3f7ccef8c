//! What is read of a request.

use std::net::IpAddr;

use http::{
    HeaderMap, HeaderName,
    header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT},
};
use tigertrust_credentials::{HeaderValues, Presented};

const AGENT_API_KEY: HeaderName = HeaderName::from_static("x-agent-api-key");
const WORKSPACE_ID: HeaderName = HeaderName::from_static("x-workspace-id");
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What the request presents.
pub(super) fn presented(headers: &HeaderMap, client: Option<IpAddr>) -> Presented<'_> {
    Presented {
        user_agent: headers.get(USER_AGENT).map(|value| value.as_bytes()),
        agent_api_key: values(headers, &AGENT_API_KEY),
        authorization: values(headers, &AUTHORIZATION),
        workspace: values(headers, &WORKSPACE_ID),
        client,
    }
}

fn values<'a>(headers: &'a HeaderMap, name: &HeaderName) -> HeaderValues<'a> {
    let values = headers.get_all(name).into_iter();
    values.map(|value| value.as_bytes()).collect()
}

/// The id that the client, or a proxy before us, gave the request.
pub(super) fn request_id(headers: &HeaderMap) -> Option<&[u8]> {
    headers.get(REQUEST_ID).map(|id| id.as_bytes())
}

/// Whether the caller speaks gRPC, or gRPC-Web.
pub(super) fn is_grpc(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

//! Whether a request comes from a page of ours: browsers say so in `Sec-Fetch-Site` and `Origin`, and pages cannot change
//! what they say. A client that says neither is no browser, and nobody else's page can have made it call.

use actix_web::{
    HttpRequest,
    http::{
        Method,
        header::{HOST, HeaderName, HeaderValue, ORIGIN},
    },
};
use tigertrust_wire::{Code, Problem};

use crate::error::ApiError;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refuses an unsafe request (RFC 9110 §9.2.1) that another site's page has made.
///
/// # Errors
/// 403 `FORBIDDEN`.
pub(crate) fn ensure(request: &HttpRequest, method: &Method, origins: &[String]) -> Result<(), ApiError> {
    if method.is_safe() || comes_from_us(request, origins) {
        return Ok(());
    }
    Err(Problem::new(
        Code::Forbidden,
        "A page of another site cannot do this with your session.",
    )
    .into())
}

/// As [`ensure`], but the request must say where it comes from.
///
/// # Errors
/// 403 `FORBIDDEN`.
pub(crate) fn ensure_told(request: &HttpRequest, origins: &[String]) -> Result<(), ApiError> {
    let headers = request.headers();
    if (headers.contains_key(ORIGIN) || headers.contains_key(SEC_FETCH_SITE))
        && comes_from_us(request, origins)
    {
        return Ok(());
    }
    Err(Problem::new(
        Code::Forbidden,
        "This form is not accepted from another site. Open the page anew and send it from there.",
    )
    .into())
}

fn comes_from_us(request: &HttpRequest, origins: &[String]) -> bool {
    let headers = request.headers();
    let origin = headers.get(ORIGIN).map(HeaderValue::as_bytes);
    let configured = |origin: &[u8]| origins.iter().any(|ours| ours.as_bytes() == origin);
    if origin.is_some_and(configured) {
        return true;
    }
    let site = headers.get(SEC_FETCH_SITE).map(HeaderValue::as_bytes);
    let site_is_ours = site.is_none_or(|site| site == b"same-origin" || site == b"none");
    // Behind a proxy the scheme is not known, so that only host and port are compared.
    // In HTTP/2 the request says so in its target (RFC 9113 §8.3.1).
    let of_target = || {
        request
            .uri()
            .authority()
            .map(|authority| authority.as_str().as_bytes())
    };
    let host = headers.get(HOST).map(HeaderValue::as_bytes).or_else(of_target);
    let host = host.unwrap_or_default();
    let origin_is_ours = origin.is_none_or(|origin| {
        let authority = [b"https://".as_slice(), b"http://"]
            .into_iter()
            .find_map(|scheme| origin.strip_prefix(scheme));
        authority == Some(host) && !host.is_empty()
    });
    site_is_ours && origin_is_ours
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn only_pages_of_ours_and_what_is_no_browser_may_write() {
        let allowed = |headers: &[(&'static str, &str)]| {
            let mut request = TestRequest::default().insert_header((HOST, "auth.example.com"));
            for (name, value) in headers {
                request = request.insert_header((*name, *value));
            }
            let origins = ["https://app.example.com".to_owned()];
            ensure(&request.to_http_request(), &Method::POST, &origins).is_ok()
        };
        assert!(allowed(&[]));
        assert!(allowed(&[("sec-fetch-site", "same-origin")]));
        assert!(allowed(&[("sec-fetch-site", "none")]));
        assert!(allowed(&[("origin", "https://auth.example.com")]));
        assert!(allowed(&[
            ("origin", "https://app.example.com"),
            ("sec-fetch-site", "same-site")
        ]));
        for refused in [
            ("sec-fetch-site", "same-site"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", ""),
            ("origin", "null"),
            ("origin", ""),
            ("origin", "https://evil.example"),
            ("origin", "https://auth.example.com.evil.example"),
            ("origin", "auth.example.com"),
        ] {
            assert!(!allowed(&[refused]), "{refused:?}");
        }
        assert!(!allowed(&[
            ("sec-fetch-site", "same-origin"),
            ("origin", "https://evil.example")
        ]));
    }
}

//! The cookies that the server sets (RFC 6265bis): the session's, that of a device that is known, and those of sign-ins that are under
//! way at an identity provider.

use actix_web::{
    HttpRequest,
    http::header::{COOKIE, HeaderValue},
};
use tigertrust_credentials::{TokenDigest, TokenKind};
use zeroize::Zeroizing;

/// How long a device is known, in seconds: a year.
const DEVICE_LIFETIME: u64 = 365 * 24 * 60 * 60;
const DEVICE: &str = "tigertrust_device";
/// What cookies of sign-ins under way begin with; a part of the state's digest follows, so that several do not disturb each other.
const SSO: &str = "tigertrust_sso_";
/// How long a sign-in may be under way, in seconds.
const SSO_LIFETIME: u64 = 10 * 60;

/// The values of every cookie of a name. More than one may have it, when another application sets one on a path of its own.
pub(crate) fn values<'a>(request: &'a HttpRequest, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    request
        .headers()
        .get_all(COOKIE)
        .flat_map(|header| header.as_bytes().split(|byte| *byte == b';'))
        .filter_map(move |pair| {
            let pair = pair.trim_ascii();
            let (own, value) = pair.split_at_checked(name.len())?;
            (own == name.as_bytes()).then(|| value.strip_prefix(b"="))?
        })
}

/// The device's token, if the request presents one.
pub(crate) fn device(request: &HttpRequest) -> Option<TokenDigest> {
    values(request, DEVICE).find_map(|value| TokenDigest::read(TokenKind::Device, value)?.ok())
}

/// Sets the session's cookie for so many seconds.
pub(crate) fn session(name: &str, token: &str, lifetime: u64) -> Option<HeaderValue> {
    secret(&format!(
        "{name}={token}; Max-Age={lifetime}; Path=/; HttpOnly; Secure; SameSite=Strict"
    ))
}

/// Takes the session's cookie away.
pub(crate) fn no_session(name: &str) -> Option<HeaderValue> {
    secret(&format!(
        "{name}=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Strict"
    ))
}

/// Sets the cookie by which the device is known at the next login. Nothing else sees it.
pub(crate) fn known_device(token: &str) -> Option<HeaderValue> {
    secret(&format!(
        "{DEVICE}={token}; Max-Age={DEVICE_LIFETIME}; Path=/; HttpOnly; Secure; SameSite=Strict"
    ))
}

/// Takes the device's cookie away.
pub(crate) fn no_known_device() -> Option<HeaderValue> {
    secret(&format!(
        "{DEVICE}=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Strict"
    ))
}

/// Sets the cookie by which the browser is known when it comes back from an identity provider.
pub(crate) fn sso_request(state: TokenDigest, token: &str, same_site: &str) -> Option<HeaderValue> {
    let name = sso_name(state);
    secret(&format!(
        "{name}={token}; Max-Age={SSO_LIFETIME}; Path=/api/auth; HttpOnly; Secure; SameSite={same_site}"
    ))
}

/// Takes that cookie away.
pub(crate) fn no_sso_request(state: TokenDigest) -> Option<HeaderValue> {
    let name = sso_name(state);
    secret(&format!(
        "{name}=; Max-Age=0; Path=/api/auth; HttpOnly; Secure; SameSite=None"
    ))
}

/// What the browser presents for a sign-in that it may have begun.
pub(crate) fn sso_requests(request: &HttpRequest, state: TokenDigest) -> Vec<Zeroizing<String>> {
    let name = sso_name(state);
    values(request, &name)
        .filter_map(|value| std::str::from_utf8(value).ok())
        .map(|value| Zeroizing::new(value.to_owned()))
        .take(4)
        .collect()
}

fn sso_name(state: TokenDigest) -> String {
    let start = state.as_bytes().iter().take(8);
    start.fold(SSO.to_owned(), |name, byte| format!("{name}{byte:02x}"))
}

/// A value whose `Debug` shows nothing. The name is checked when the settings are read.
fn secret(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn every_cookie_of_the_name_is_read_and_no_other() {
        let request = TestRequest::default()
            .insert_header((COOKIE, "a=1; connect.sid=x;connect.sidx=2"))
            .append_header((COOKIE, "xconnect.sid=3; connect.sid=y=z"))
            .to_http_request();
        let found: Vec<&[u8]> = values(&request, "connect.sid").collect();
        assert_eq!(found, [b"x".as_slice(), b"y=z"]);
    }

    #[test]
    fn the_session_s_cookie_is_as_the_contract_says() {
        let value = session("connect.sid", "tt_ses_x", 604_800).unwrap();
        assert_eq!(
            value.to_str().unwrap(),
            "connect.sid=tt_ses_x; Max-Age=604800; Path=/; HttpOnly; Secure; SameSite=Strict"
        );
        assert_eq!(format!("{value:?}"), "Sensitive");
    }
}

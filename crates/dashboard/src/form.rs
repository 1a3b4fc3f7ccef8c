//! What forms send.

use std::{fmt, rc::Rc};

use actix_web::HttpRequest;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;
use tigertrust_http::{
    ApiError, App,
    page::{self, Body},
};
use tigertrust_wire::{Code, Problem};
use zeroize::Zeroize;

use crate::visitor::Visitor;

/// The largest form, in bytes.
pub(crate) const MAX_FORM: usize = 64 * 1024;
/// The largest form that a document is pasted into, such as the metadata of an identity provider.
pub(crate) const MAX_FORM_WITH_DOCUMENT: usize = 512 * 1024;

/// The name of the field that binds a form to its session.
pub(crate) const TOKEN: &str = "_token";
/// The name of the field by which a form is told from another one: it is acted upon once where that shows a secret.
pub(crate) const ONCE: &str = "_once";
/// The names of the fields by which somebody proves afresh who it is, beside what the form is for.
pub(crate) const PROOF_PASSWORD: &str = "_password";
/// See [`PROOF_PASSWORD`].
pub(crate) const PROOF_CODE: &str = "_code";
/// See [`PROOF_PASSWORD`]: what a passkey has answered, in JSON.
pub(crate) const PROOF_PASSKEY: &str = "_passkey";

/// Names and values, as a form or an address has them. Spaces around values are not theirs.
#[derive(Clone, Default)]
pub(crate) struct Fields(Rc<Values>);

#[derive(Default)]
struct Values(Vec<(String, String)>);

impl Drop for Values {
    fn drop(&mut self) {
        for (_, value) in &mut self.0 {
            value.zeroize();
        }
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fields")
    }
}

impl Fields {
    fn new(values: Vec<(String, String)>) -> Self {
        Self(Rc::new(Values(values)))
    }

    /// What stands behind the question mark of an address. What is no such thing is nothing.
    pub(crate) fn of_query(request: &HttpRequest) -> Self {
        Self::new(serde_urlencoded::from_str(request.query_string()).unwrap_or_default())
    }

    /// The first value of a name, as it was typed.
    pub(crate) fn raw(&self, name: &str) -> Option<&str> {
        let mut values = self.0.0.iter();
        values
            .find(|(own, _)| own == name)
            .map(|(_, value)| value.as_str())
    }

    /// The first value of a name, if anything was typed.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.raw(name).map(str::trim).filter(|text| !text.is_empty())
    }

    /// As [`text`](Self::text), with line ends as one: for what stands in a line.
    pub(crate) fn or_empty(&self, name: &str) -> &str {
        self.text(name).unwrap_or_default()
    }

    /// The first value of a name, as a number in JSON where it is one.
    pub(crate) fn number(&self, name: &str) -> Value {
        let text = self.or_empty(name);
        text.parse::<u64>()
            .map_or_else(|_| Value::from(text), Value::from)
    }

    /// Every value of a name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let values = self.0.0.iter().filter(move |(own, _)| own == name);
        values
            .map(|(_, value)| value.trim())
            .filter(|text| !text.is_empty())
    }

    /// Whether a box is checked.
    pub(crate) fn is_checked(&self, name: &str) -> bool {
        self.raw(name).is_some()
    }

    /// The lines of a value, without those that are empty; commas part them too.
    pub(crate) fn lines(&self, name: &str) -> Vec<&str> {
        let text = self.raw(name).unwrap_or_default();
        text.split(['\n', '\r', ','])
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect()
    }

    /// Everything that may stand on a page again while somebody proves who it is: no secret.
    pub(crate) fn repeatable(&self) -> impl Iterator<Item = (&str, &str)> {
        self.own().filter(|(name, _)| !is_secret(name))
    }

    /// The names of the secrets that were typed, which are to be typed once more then.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &str> {
        let typed = self
            .own()
            .filter(|(name, value)| is_secret(name) && !value.is_empty());
        typed.map(|(name, _)| name)
    }

    /// Everything that was sent, without what is about the form itself.
    pub(crate) fn own(&self) -> impl Iterator<Item = (&str, &str)> {
        let values = self
            .0
            .0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        values.filter(|(name, _)| !name.starts_with('_'))
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.ends_with("secret") || name.ends_with("password") || name == "token"
}

/// The value that forms of a session bear: nobody who does not know the session's token can make it, and it tells nothing of it.
pub(crate) fn token(session: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(mac(session).finalize().into_bytes())
}

fn is_token(session: &[u8], token: &str) -> bool {
    let token = URL_SAFE_NO_PAD.decode(token).unwrap_or_default();
    !session.is_empty() && mac(session).verify_slice(&token).is_ok()
}

#[allow(clippy::expect_used, reason = "HMAC takes keys of every length (RFC 2104 §3)")]
fn mac(session: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(session).expect("a key of any length");
    mac.update(b"tigertrust dashboard form");
    mac
}

/// Why a form is not acted upon.
pub(crate) enum FormError {
    /// It is none of this session's, or the person may not do this any more.
    Refused(ApiError),
    /// The fresh proof that came with it is not right.
    Proof(ApiError, Fields),
}

impl From<ApiError> for FormError {
    fn from(error: ApiError) -> Self {
        Self::Refused(error)
    }
}

impl From<Problem> for FormError {
    fn from(problem: Problem) -> Self {
        Self::Refused(problem.into())
    }
}

/// Reads the form of somebody who is signed in, who is asked for again then. A proof that comes with it is taken first.
///
/// # Errors
/// [`FormError`].
pub(crate) async fn of(visitor: &mut Visitor, body: Body, max: usize) -> Result<Fields, FormError> {
    let fields = Fields::new(body.fields(max).await?);
    visitor.renew().await?;
    let session = page::session_cookie(visitor.app(), visitor.request()).unwrap_or_default();
    if !is_token(session, fields.or_empty(TOKEN)) {
        return Err(Problem::new(
            Code::Forbidden,
            "This form is of an earlier session. Open the page anew and send it from there; nothing was done.",
        )
        .into());
    }
    let proof = Proof {
        password: fields.raw(PROOF_PASSWORD).filter(|password| !password.is_empty()),
        code: fields.text(PROOF_CODE),
        passkey: fields.text(PROOF_PASSKEY),
    };
    if !proof.is_empty()
        && let Err(error) = prove(visitor, &proof).await
    {
        return Err(FormError::Proof(error, fields));
    }
    Ok(fields)
}

/// By what somebody proves afresh who it is: a passkey, or all that the account has beside.
struct Proof<'a> {
    password: Option<&'a str>,
    code: Option<&'a str>,
    passkey: Option<&'a str>,
}

impl Proof<'_> {
    const fn is_empty(&self) -> bool {
        self.password.is_none() && self.code.is_none() && self.passkey.is_none()
    }
}

/// Takes the proof; the session goes on under another token.
async fn prove(visitor: &mut Visitor, proof: &Proof<'_>) -> Result<(), ApiError> {
    let from = page::from(visitor.app(), visitor.request());
    let (sign_in, person) = (&visitor.app().sign_in, visitor.person());
    let proved = match proof.passkey {
        Some(answer) => sign_in.step_up_by_passkey(person, answer.as_bytes(), &from).await,
        None => sign_in.step_up(person, proof.password, proof.code, &from).await,
    };
    let renewed = proved.inspect_err(|error| {
        page::note_refusal(visitor.app(), visitor.request(), "fresh proof refused", error);
    })?;
    visitor.goes_on_under(renewed).await
}

/// Reads the form of somebody who is not signed in, which must come from a page of ours.
///
/// # Errors
/// It comes from elsewhere, or is no form.
pub(crate) async fn of_anybody(app: &App, request: &HttpRequest, body: Body) -> Result<Fields, ApiError> {
    page::ensure_own_form(app, request)?;
    Ok(Fields::new(body.fields(MAX_FORM).await?))
}

/// A form as it stands on a page: what was typed, and what is wrong with it.
#[derive(Clone, Default)]
pub(crate) struct Filled {
    /// What was typed.
    pub(crate) fields: Fields,
    problem: Option<Problem>,
}

impl Filled {
    /// A form that nobody has filled in yet.
    pub(crate) fn empty() -> Self {
        Self::default()
    }

    /// A form that stands as it was sent.
    pub(crate) fn of(fields: &Fields) -> Self {
        Self {
            fields: fields.clone(),
            problem: None,
        }
    }

    /// A form that was refused.
    pub(crate) fn refused(fields: &Fields, error: &ApiError) -> Self {
        Self {
            fields: fields.clone(),
            problem: Some(error.told()),
        }
    }

    /// What is wrong with a field, under the name that the API has for it; what is wrong within a list is told of the list.
    pub(crate) fn error(&self, name: &str) -> Option<String> {
        let own = |pointer: &str| {
            let pointer = pointer.trim_start_matches('/');
            pointer == name
                || pointer
                    .strip_prefix(name)
                    .is_some_and(|rest| rest.starts_with('/'))
        };
        let errors = self.problem.iter().flat_map(|problem| &problem.errors);
        let details: Vec<&str> = errors
            .filter(|error| own(&error.pointer))
            .map(|error| error.detail.as_str())
            .collect();
        (!details.is_empty()).then(|| details.join("; "))
    }

    /// Whether the form was refused though the token in it may be good.
    pub(crate) fn is_refused_for_other_than_its_token(&self) -> bool {
        let about_token = |problem: &Problem| {
            matches!(problem.code, Code::Unauthorized | Code::TokenExpired) || self.error("token").is_some()
        };
        self.fields.text("token").is_some()
            && self.problem.as_ref().is_some_and(|problem| !about_token(problem))
    }

    /// What is wrong altogether, with what belongs to none of the fields.
    pub(crate) fn summary(&self, fields: &[&str]) -> Option<String> {
        let problem = self.problem.as_ref()?;
        let is_shown = |pointer: &str| {
            let first = pointer
                .trim_start_matches('/')
                .split('/')
                .next()
                .unwrap_or_default();
            fields.contains(&first)
        };
        let others: Vec<String> = problem
            .errors
            .iter()
            .filter(|error| !is_shown(&error.pointer))
            .map(|error| format!("{} {}", error.pointer.trim_start_matches('/'), error.detail))
            .collect();
        if !others.is_empty() {
            return Some(others.join("; "));
        }
        if problem.errors.is_empty() {
            return Some(problem.detail.clone());
        }
        Some("Something is not right yet: see below.".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_belongs_to_one_session() {
        let own = token(b"tt_ses_a");
        assert!(is_token(b"tt_ses_a", &own));
        assert!(!is_token(b"tt_ses_b", &own));
        assert!(!is_token(b"tt_ses_a", ""));
        assert!(!is_token(b"", &token(b"")));
    }
}

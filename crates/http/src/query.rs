//! Query strings.

use actix_web::HttpRequest;
use serde::{Deserialize, de::DeserializeOwned};
use std::str::FromStr;
use tigertrust_accounts::ports::Page;
use tigertrust_model::Timestamp;
use tigertrust_wire::{Code, FieldProblem, Problem, parse_rfc3339};
use utoipa::IntoParams;

use crate::error::ApiError;

/// How much a list shows when nobody says.
const DEFAULT_LIMIT: u16 = 50;
/// The most that a list shows.
const MAX_LIMIT: u16 = 200;

/// Reads the query string. Unknown and repeated parameters are refused: a mistyped filter must not widen an answer.
pub(crate) fn parse<T: DeserializeOwned>(request: &HttpRequest) -> Result<T, ApiError> {
    read(request.query_string())
}

/// As [`parse`], of a text.
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<T, ApiError> {
    serde_urlencoded::from_str(text).map_err(|error| {
        let (parameter, detail) = in_words(&error.to_string());
        invalid(&parameter, detail)
    })
}

/// Which parameter serde means, and what is wrong with it. All parameters are texts that may be left out, so that none has a wrong type
/// or is missing.
fn in_words(error: &str) -> (String, String) {
    let unknown = error
        .strip_prefix("unknown field `")
        .and_then(|rest| rest.rsplit_once("`, expected "));
    if let Some((name, known)) = unknown {
        let known = known.strip_prefix("one of ").unwrap_or(known);
        // RFC 6901: these two mean something in a pointer.
        let name = name.replace('~', "~0").replace('/', "~1");
        return (
            name,
            format!("is no parameter of this route, which knows {known}"),
        );
    }
    let twice = error
        .strip_prefix("duplicate field `")
        .and_then(|rest| rest.strip_suffix('`'));
    match twice {
        Some(name) => (name.to_owned(), "must be given once at the most".to_owned()),
        None => (String::new(), "is not valid".to_owned()),
    }
}

pub(crate) fn invalid(parameter: &str, detail: impl Into<String>) -> ApiError {
    refused(
        "The query string is not valid; errors says where.",
        parameter,
        detail,
    )
}

/// A time in RFC 3339, if there is one.
pub(crate) fn time(parameter: &str, text: Option<&str>) -> Result<Option<Timestamp>, ApiError> {
    let time = text.map(parse_rfc3339).transpose();
    time.map_err(|error| invalid(parameter, error))
}

/// As [`invalid`], for a header.
pub(crate) fn invalid_header(name: &str, detail: impl Into<String>) -> ApiError {
    refused("A header is not valid; errors says which.", name, detail)
}

fn refused(what: &str, name: &str, detail: impl Into<String>) -> ApiError {
    Problem::new(Code::ValidationError, what)
        .with_errors(vec![FieldProblem {
            pointer: format!("/{name}"),
            detail: detail.into(),
        }])
        .into()
}

/// Which page of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// How many entries at the most.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200, default = 50)]
    limit: Option<String>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
}

impl PageQuery {
    pub(crate) fn page<Id: FromStr>(&self) -> Result<(Page<Id>, u16), ApiError> {
        page(self.limit.as_deref(), self.cursor.as_deref())
    }
}

/// The page to ask for, and the limit that the caller meant: one entry more is read, to know of a next page.
pub(crate) fn page<Id: FromStr>(
    limit: Option<&str>,
    cursor: Option<&str>,
) -> Result<(Page<Id>, u16), ApiError> {
    let limit = self::limit(limit)?;
    let after = cursor.map(|text| {
        text.parse()
            .map_err(|_| invalid("cursor", "must be the nextCursor of the page before"))
    });
    Ok((
        Page {
            after: after.transpose()?,
            limit: limit + 1,
        },
        limit,
    ))
}

/// How many entries at the most.
pub(crate) fn limit(text: Option<&str>) -> Result<u16, ApiError> {
    match text {
        None => Ok(DEFAULT_LIMIT),
        Some(text) => text
            .parse()
            .ok()
            .filter(|limit| (1..=MAX_LIMIT).contains(limit))
            .ok_or_else(|| invalid("limit", format!("must be a number from 1 to {MAX_LIMIT}"))),
    }
}

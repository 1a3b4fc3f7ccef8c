//! Request bodies in JSON.

use std::time::Duration;

use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    dev::Payload,
    web::{Bytes, BytesMut},
};
use futures_util::StreamExt as _;
use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;
use tigertrust_wire::{Code, FieldProblem, Problem};
use tokio::{task::yield_now, time::timeout};

use crate::{error::ApiError, permit::Admitted};

/// The largest body, in bytes.
const MAX_BODY: usize = 64 * 1024;
/// How long a body may take to come.
const PATIENCE: Duration = Duration::from_secs(10);

/// A body that has not been looked at. Handlers read it once the caller is known, so that a stranger learns nothing
/// about its shape.
pub struct Body {
    payload: Payload,
    content: Content,
}

/// What a body says that it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Content {
    Json,
    /// JSON of SCIM (RFC 7644 §8.1).
    Scim,
    /// As browsers send forms.
    Form,
    Other,
}

impl Content {
    fn of(content_type: &str) -> Self {
        match content_type.trim().to_ascii_lowercase().as_str() {
            "application/json" => Self::Json,
            "application/scim+json" => Self::Scim,
            "application/x-www-form-urlencoded" => Self::Form,
            _ => Self::Other,
        }
    }
}

impl FromRequest for Body {
    type Error = ApiError;
    type Future = std::future::Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        std::future::ready(Ok(Self {
            payload: payload.take(),
            content: Content::of(request.content_type()),
        }))
    }
}

impl Body {
    /// Reads a body that must be there, for a caller who is asked for again: who was revoked while the body came in must
    /// not have it acted upon.
    pub(crate) async fn json<T: DeserializeOwned>(self, caller: &mut Admitted) -> Result<T, ApiError> {
        let (is_json, bytes) = self.read().await?;
        caller.renew().await?;
        check_type(is_json)?;
        parse(&bytes)
    }

    /// As [`json`](Self::json), for a body that may be larger than others.
    pub(crate) async fn larger_json<T: DeserializeOwned>(
        self,
        caller: &mut Admitted,
        max: usize,
    ) -> Result<T, ApiError> {
        let (is_json, bytes) = self.read_at_most(max).await?;
        caller.renew().await?;
        check_type(is_json)?;
        parse(&bytes)
    }

    /// Reads a body of SCIM.
    pub(crate) async fn scim<T: DeserializeOwned>(self) -> Result<T, ApiError> {
        let is_scim = self.content == Content::Scim;
        let (is_json, bytes) = self.read().await?;
        check_type(is_json || is_scim)?;
        parse(&bytes)
    }

    /// Reads a form, of at most so many bytes, from whoever sends it: names and values, in the order of the page.
    ///
    /// # Errors
    /// It is no form, is too large, or does not come in time.
    pub async fn fields(self, max: usize) -> Result<Vec<(String, String)>, ApiError> {
        self.form(max).await
    }

    /// Reads a form, of at most so many bytes, from whoever sends it. Names that are not known are passed over.
    pub(crate) async fn form<T: DeserializeOwned>(self, max: usize) -> Result<T, ApiError> {
        if self.content != Content::Form {
            return Err(Problem::new(
                Code::UnsupportedMediaType,
                "The body must be a form: Content-Type: application/x-www-form-urlencoded.",
            )
            .into());
        }
        let (_, bytes) = self.read_at_most(max).await?;
        // What serde says would name what was sent.
        serde_urlencoded::from_bytes(&bytes).map_err(|_| {
            Problem::new(
                Code::ValidationError,
                "The form lacks a field, or holds one twice.",
            )
            .into()
        })
    }

    /// As [`json`](Self::json), for a body that may be missing or null.
    pub(crate) async fn json_or_default<T: DeserializeOwned + Default>(
        self,
        caller: &mut Admitted,
    ) -> Result<T, ApiError> {
        let (is_json, bytes) = self.read().await?;
        caller.renew().await?;
        if bytes.is_empty() {
            return Ok(T::default());
        }
        check_type(is_json)?;
        if bytes.trim_ascii() == b"null" {
            Ok(T::default())
        } else {
            parse(&bytes)
        }
    }

    /// As [`json`](Self::json), and the same content in a form in which two bodies that say the same are equal.
    pub(crate) async fn json_and_content<T: DeserializeOwned>(
        self,
        caller: &mut Admitted,
    ) -> Result<(T, Vec<u8>), ApiError> {
        let (is_json, bytes) = self.read().await?;
        caller.renew().await?;
        check_type(is_json)?;
        let value = parse(&bytes)?;
        let content: serde_json::Value = parse(&bytes)?;
        Ok((
            value,
            serde_json::to_vec(&content).unwrap_or_else(|_| bytes.to_vec()),
        ))
    }

    /// Reads a body from whoever sends it.
    pub(crate) async fn json_of_anybody<T: DeserializeOwned>(self) -> Result<T, ApiError> {
        let (is_json, bytes) = self.read().await?;
        check_type(is_json)?;
        parse(&bytes)
    }

    async fn read(self) -> Result<(bool, Bytes), ApiError> {
        self.read_at_most(MAX_BODY).await
    }

    async fn read_at_most(self, max: usize) -> Result<(bool, Bytes), ApiError> {
        // A body that came with its head is there once the server has had its turn, and needs no timer.
        yield_now().await;
        let bytes = timeout(PATIENCE, collect(self.payload, max)).await;
        let too_slow = || Problem::new(Code::ValidationError, "The body took too long to come.");
        Ok((
            self.content == Content::Json,
            bytes.unwrap_or_else(|_| Err(too_slow().into()))?,
        ))
    }
}

async fn collect(mut payload: Payload, max: usize) -> Result<Bytes, ApiError> {
    let mut bytes = Bytes::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Problem::new(Code::ValidationError, "The body ended too early."))?;
        if bytes.len() + chunk.len() > max {
            let detail = format!("The body is larger than {max} bytes.");
            return Err(Problem::new(Code::PayloadTooLarge, detail).into());
        }
        // Most bodies come in one piece, which needs no copy.
        bytes = if bytes.is_empty() {
            chunk
        } else {
            let mut joined = BytesMut::from(bytes);
            joined.extend_from_slice(&chunk);
            joined.freeze()
        };
    }
    Ok(bytes)
}

fn check_type(is_json: bool) -> Result<(), ApiError> {
    if is_json {
        Ok(())
    } else {
        Err(Problem::new(
            Code::UnsupportedMediaType,
            "The body must be JSON: Content-Type: application/json.",
        )
        .into())
    }
}

pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    // Serde would take an array for the fields in their order.
    if bytes
        .trim_ascii_start()
        .first()
        .is_some_and(|first| *first == b'[')
    {
        return Err(invalid(String::new(), "must be a JSON object"));
    }
    // To know where one is would cost something for each field: that is asked only where something is wrong.
    if let Ok(value) = serde_json::from_slice(bytes) {
        return Ok(value);
    }
    if bytes.trim_ascii().is_empty() {
        return Err(invalid(String::new(), "must be a JSON object, and is empty"));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let pointer = pointer(error.path());
        invalid(pointer, in_words(error.inner()))
    })?;
    deserializer
        .end()
        .map_err(|error| invalid(String::new(), in_words(&error)))?;
    Ok(value)
}

/// What serde says, in words of JSON, and without the value that it says it of: that may be a secret in the wrong place.
fn in_words(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let message = message.strip_suffix(&place).unwrap_or(&message);
    if error.is_eof() {
        return format!("is not complete: it ends{place}");
    }
    if !error.is_data() {
        return format!("is not JSON: {message}{place}");
    }
    for (start, detail) in [
        ("missing field ", "is missing"),
        ("duplicate field ", "is there twice"),
    ] {
        if let Some(field) = message.strip_prefix(start) {
            return format!("{field} {detail}");
        }
    }
    let variant = message
        .strip_prefix("unknown variant `")
        .and_then(|rest| rest.rsplit_once("`, expected "));
    if let Some((_, known)) = variant {
        return format!("must be {known}");
    }
    let of_value = ["invalid type: ", "invalid value: "]
        .iter()
        .find_map(|start| message.strip_prefix(start));
    match of_value.and_then(|rest| rest.rsplit_once(", expected ")) {
        Some((_, expected)) => format!("must be {}", kind_in_words(expected)),
        None => message.to_owned(),
    }
}

/// What a type of Rust is to those who write JSON.
fn kind_in_words(expected: &str) -> &str {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => {
            "a whole number without quotes, not negative and not too large"
        }
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number without quotes, and not too large",
        "f32" | "f64" => "a number without quotes",
        "a boolean" => "true or false, without quotes",
        "a borrowed string" => "a string",
        "a sequence" => "an array",
        "a map" => "a JSON object",
        of_struct if of_struct.starts_with("struct ") => "a JSON object",
        other => other,
    }
}

fn invalid(pointer: String, detail: impl ToString) -> ApiError {
    Problem::new(Code::ValidationError, "The body is not valid; errors says where.")
        .with_errors(vec![FieldProblem {
            pointer,
            detail: detail.to_string(),
        }])
        .into()
}

/// The path as a JSON pointer (RFC 6901).
fn pointer(path: &serde_path_to_error::Path) -> String {
    path.iter()
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { .. } | Segment::Unknown => String::new(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::from_str;

    use super::*;

    #[test]
    fn what_is_wrong_is_said_in_words_of_json() {
        let words = |error: serde_json::Error| in_words(&error);
        let not_negative = "must be a whole number without quotes, not negative and not too large";
        assert_eq!(words(from_str::<u32>("-1").unwrap_err()), not_negative);
        assert_eq!(words(from_str::<u32>("\"1\"").unwrap_err()), not_negative);
        assert_eq!(
            words(from_str::<u32>("\n 99999999999").unwrap_err()),
            not_negative
        );
        assert_eq!(
            words(from_str::<bool>("\"yes\"").unwrap_err()),
            "must be true or false, without quotes"
        );
        assert_eq!(words(from_str::<Vec<u8>>("{}").unwrap_err()), "must be an array");
        let syntax = "is not JSON: expected `,` or `]` at line 1 column 4";
        assert_eq!(words(from_str::<Vec<u8>>("[1 2]").unwrap_err()), syntax);
        assert_eq!(
            words(from_str::<Vec<u8>>("[1").unwrap_err()),
            "is not complete: it ends at line 1 column 2"
        );
    }

    #[test]
    fn a_field_that_is_missing_or_there_twice_is_named() {
        #[derive(Debug, serde::Deserialize)]
        struct Named {
            _name: String,
        }
        let said = |text: &str| in_words(&from_str::<Named>(text).unwrap_err());
        assert_eq!(said("{}"), "`_name` is missing");
        assert_eq!(said(r#"{"_name":"a","_name":"b"}"#), "`_name` is there twice");
    }
}

//! The settings of traces.
#![cfg_attr(
    not(feature = "otlp"),
    expect(
        dead_code,
        reason = "what this program cannot do is read all the same, and refused"
    )
)]

use std::{fmt, str::FromStr};

use tigertrust::mail::PublicUrl;
use zeroize::Zeroizing;

use super::{
    forms::{flag, secret},
    reader::Reader,
};

/// Where traces go, and how many.
#[derive(Clone, Debug)]
pub struct TraceSettings {
    /// The collector, which speaks OTLP over HTTP; without one there are no traces.
    pub url: Option<PublicUrl>,
    /// What the collector knows this server by.
    pub headers: TraceHeaders,
    /// Which share of the requests is recorded, from 0 to 1.
    pub sample: f64,
    /// Whether callers that are in a trace decide whether that is recorded here too.
    pub follow_callers: bool,
}

impl TraceSettings {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let address = "an address such as http://127.0.0.1:4318, with no user, query or fragment";
        let url = reader.read("traces.url", address, |text| text.parse().ok());
        if url.is_some() && !cfg!(feature = "otlp") {
            let origin = reader.origin_of("traces.url");
            reader.refuse(
                "traces.url",
                &origin,
                "this program was built without the feature otlp",
            );
        }
        Self {
            url,
            headers: secret(
                reader,
                ["traces.headers", "traces.headers_file"],
                HEADERS,
                TraceHeaders::from_str,
            )
            .unwrap_or_default(),
            sample: reader.read_or(
                "traces.sample",
                "a share from 0 to 1, such as 0.05",
                1.0,
                |text| text.parse().ok().filter(|share| (0.0..=1.0).contains(share)),
            ),
            follow_callers: flag(reader, "traces.follow_callers"),
        }
    }
}

const HEADERS: &str = "headers such as authorization=Bearer …, with commas between them";

/// Headers of every request to the collector. Their values are secret.
#[derive(Clone, Default)]
pub struct TraceHeaders(Vec<(String, Zeroizing<String>)>);

impl TraceHeaders {
    /// The headers, secrets and all.
    pub fn reveal(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl FromStr for TraceHeaders {
    type Err = String;

    /// Reads what `OTEL_EXPORTER_OTLP_HEADERS` holds in other programs: `name=value`, and more after commas.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("must be {HEADERS}");
        let headers = text.split(',').map(|header| {
            let (name, value) = header.split_once('=').ok_or_else(wrong)?;
            let (name, value) = (name.trim(), value.trim());
            let is_name = !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
            let is_value = value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
            (is_name && is_value)
                .then(|| (name.to_owned(), Zeroizing::new(value.to_owned())))
                .ok_or_else(wrong)
        });
        headers.collect::<Result<_, _>>().map(Self)
    }
}

impl fmt::Debug for TraceHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|(name, _)| name))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_and_their_values_not_shown() {
        let headers: TraceHeaders = "authorization=Bearer abc==, x-team = tiger".parse().unwrap();
        let revealed: Vec<_> = headers
            .0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(revealed, [("authorization", "Bearer abc=="), ("x-team", "tiger")]);
        assert_eq!(format!("{headers:?}"), "[\"authorization\", \"x-team\"]");
        for wrong in ["", "authorization", "=x", "a b=c", "a=b\nc", "a=b,"] {
            assert!(wrong.parse::<TraceHeaders>().is_err(), "{wrong:?}");
        }
    }
}

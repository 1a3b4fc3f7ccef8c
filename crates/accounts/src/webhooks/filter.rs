//! Which events a webhook wants.

use std::{fmt, str::FromStr};

const MAX_LENGTH: usize = 64;

/// Kinds of events: all of them (`*`), those that begin alike (`key.*`), or one (`key.revoked`).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventFilter(String);

/// The text names no kinds of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an event such as key.revoked, all of a family such as key.*, or *")]
pub struct EventFilterError;

impl EventFilter {
    /// All kinds.
    #[must_use]
    pub fn all() -> Self {
        Self("*".to_owned())
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the kind is one of these.
    #[must_use]
    pub fn matches(&self, kind: &str) -> bool {
        match self.0.strip_suffix('*') {
            // What is left ends with a dot, or is empty.
            Some(beginning) => kind.starts_with(beginning),
            None => kind == self.0,
        }
    }
}

impl FromStr for EventFilter {
    type Err = EventFilterError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let word = |part: &str| {
            part.starts_with(|letter: char| letter.is_ascii_lowercase())
                && part
                    .bytes()
                    .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
        };
        let shaped = match text.rsplit_once('.') {
            None => text == "*",
            Some((beginning, last)) => beginning.split('.').all(word) && (last == "*" || word(last)),
        };
        if shaped && text.len() <= MAX_LENGTH {
            Ok(Self(text.to_owned()))
        } else {
            Err(EventFilterError)
        }
    }
}

impl fmt::Display for EventFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for EventFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_matches_one_kind_a_family_or_all() {
        for (filter, kind, matches) in [
            ("*", "key.revoked", true),
            ("key.*", "key.revoked", true),
            ("key.*", "keys.revoked", false),
            ("key.*", "key", false),
            ("key.revoked", "key.revoked", true),
            ("key.revoked", "key.revoked.twice", false),
            ("sso.domain.*", "sso.domain.verified", true),
            ("sso.domain.*", "sso.connection.created", false),
        ] {
            let filter: EventFilter = filter.parse().unwrap();
            assert_eq!(filter.matches(kind), matches, "{filter} {kind}");
        }
    }

    #[test]
    fn what_names_no_kinds_is_refused() {
        for text in [
            "",
            "key",
            "key.",
            ".revoked",
            "*.revoked",
            "key.**",
            "key.re*",
            "Key.revoked",
            "key .revoked",
            "a..b",
            "é.b",
            "**",
        ] {
            assert_eq!(text.parse::<EventFilter>(), Err(EventFilterError), "{text}");
        }
        assert!(format!("a.{}", "b".repeat(62)).parse::<EventFilter>().is_ok());
        assert!(format!("a.{}", "b".repeat(63)).parse::<EventFilter>().is_err());
    }
}

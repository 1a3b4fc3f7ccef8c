//! Checks of what callers write, each violation with its place.

use std::net::IpAddr;

use ipnet::IpNet;
use tigertrust_credentials::{KeyFormats, rate_limit::Quota};
use tigertrust_model::{KeyLimits, KeyType, Metadata, Scope, ScopeCatalog, ScopeSet, Timestamp};

use crate::{FlowError, Violation};

const MAX_SCOPES: usize = 64;
const MAX_NETWORKS: usize = 50;
const MAX_METADATA_BYTES: usize = 4096;

/// Collects what is wrong, so that a caller learns all of it at once.
#[derive(Debug, Default)]
pub(crate) struct Validation {
    violations: Vec<Violation>,
    formats: KeyFormats,
}

impl Validation {
    /// Of what is written where keys have these formats, beside our own.
    pub(crate) fn of_keys(formats: &KeyFormats) -> Self {
        Self {
            violations: Vec::new(),
            formats: formats.clone(),
        }
    }

    pub(crate) fn refuse(&mut self, pointer: impl Into<String>, detail: impl Into<String>) {
        self.violations.push(Violation::new(pointer, detail));
    }

    /// Text of one line for people: visible, of bounded length, without characters that could forge a line in a log
    /// or a terminal.
    pub(crate) fn line(&mut self, pointer: &str, text: &str, max: usize) {
        let length = text.chars().count();
        if !(1..=max).contains(&length) || text.trim().is_empty() {
            self.refuse(pointer, format!("must have 1 to {max} characters"));
        }
        if text
            .chars()
            .any(|letter| letter.is_control() || is_deceptive(letter))
        {
            self.refuse(
                pointer,
                "must not hold control characters, or such as turn or hide text",
            );
        }
        self.no_credential(pointer, text);
    }

    /// What is kept for people to read must hold nothing that lets somebody in: whoever may read it could use it, and the audit log keeps
    /// it for good.
    pub(crate) fn no_credential(&mut self, pointer: &str, text: &str) {
        if self.formats.holds_credential(text) {
            self.refuse(pointer, "must not hold an API key, a token or a secret");
        }
    }

    /// What is wrong, with one thing more.
    pub(crate) fn finish_with(mut self, violation: Violation) -> FlowError {
        self.violations.push(violation);
        FlowError::Invalid(self.violations)
    }

    pub(crate) fn expiry(&mut self, expires_at: Option<Timestamp>, now: Timestamp) {
        if expires_at.is_some_and(|expiry| expiry <= now) {
            self.refuse("/expiresAt", "must be in the future");
        }
    }

    pub(crate) fn metadata(&mut self, metadata: &Metadata) {
        if metadata.as_json().len() > MAX_METADATA_BYTES {
            self.refuse(
                "/metadata",
                format!("must have {MAX_METADATA_BYTES} bytes or fewer as JSON"),
            );
        }
        self.no_credential("/metadata", metadata.as_json());
    }

    pub(crate) fn limits(&mut self, limits: KeyLimits) {
        let highest = Quota::MAX_LIMIT;
        for (place, limit) in [("/limits/minute", limits.minute), ("/limits/hour", limits.hour)] {
            if limit.is_some_and(|limit| !(1..=highest).contains(&limit)) {
                self.refuse(place, format!("must be 1 to {highest}"));
            }
        }
    }

    /// Reads networks in CIDR notation, or single addresses.
    pub(crate) fn networks(&mut self, texts: &[String]) -> Vec<IpNet> {
        if texts.len() > MAX_NETWORKS {
            self.refuse(
                "/allowedCidrs",
                format!("must have {MAX_NETWORKS} entries or fewer"),
            );
            return Vec::new();
        }
        let mut networks = Vec::with_capacity(texts.len());
        for (index, text) in texts.iter().enumerate() {
            let single = || text.parse::<IpAddr>().map(IpNet::from);
            match text.parse::<IpNet>().or_else(|_| single()) {
                Ok(network) => networks.push(canonical(network.trunc())),
                Err(_) => self.refuse(
                    format!("/allowedCidrs/{index}"),
                    "must be a network such as 192.0.2.0/24",
                ),
            }
        }
        networks.sort_unstable();
        networks.dedup();
        networks
    }

    /// Reads scopes that a key of the type may hold.
    pub(crate) fn scopes(&mut self, scopes: &[String], kind: KeyType, catalog: &ScopeCatalog) -> ScopeSet {
        if scopes.len() > MAX_SCOPES {
            self.refuse("/scopes", format!("must have {MAX_SCOPES} entries or fewer"));
            return ScopeSet::default();
        }
        let mut read = Vec::with_capacity(scopes.len());
        for (index, text) in scopes.iter().enumerate() {
            let pointer = format!("/scopes/{index}");
            match text.parse::<Scope>() {
                Err(error) => self.refuse(pointer, error.to_string()),
                Ok(scope) => match catalog.check(&scope, kind) {
                    Err(error) => self.refuse(pointer, error.to_string()),
                    Ok(()) => read.push(scope),
                },
            }
        }
        read.into_iter().collect()
    }

    pub(crate) fn finish(self) -> Result<(), FlowError> {
        if self.violations.is_empty() {
            Ok(())
        } else {
            Err(FlowError::Invalid(self.violations))
        }
    }
}

/// A network of IPv4 addresses that is written as one of IPv6 (`::ffff:0:0/96`, RFC 4291 §2.5.5.2), as what it is.
fn canonical(network: IpNet) -> IpNet {
    match (
        network.addr().to_canonical(),
        network.prefix_len().checked_sub(96),
    ) {
        (address @ IpAddr::V4(_), Some(length)) if network.addr().is_ipv6() => {
            IpNet::new(address, length).unwrap_or(network)
        }
        _ => network,
    }
}

/// Line and paragraph separators, marks that turn the direction of text, and characters that take no room.
pub(crate) const fn is_deceptive(letter: char) -> bool {
    matches!(letter, '\u{ad}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

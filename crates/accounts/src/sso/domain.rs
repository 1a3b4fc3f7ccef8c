//! Domains that workspaces have proved to be their own.

use tigertrust_model::{ConnectionId, Role, Timestamp, UserId, WorkspaceId};

/// What the name begins with whose TXT record proves that a domain is a workspace's.
const RECORD: &str = "_tigertrust-challenge";
/// What the record says before the challenge.
const VALUE: &str = "tigertrust-verification=";

/// A domain that a workspace claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// Whose it is.
    pub workspace: WorkspaceId,
    /// The domain, in lower case.
    pub domain: String,
    /// What the TXT record must say. It is no secret.
    pub challenge: String,
    /// When it was claimed.
    pub created_at: Timestamp,
    /// When it was last seen that it is the workspace's; none until then. Nothing goes by a claim alone.
    pub verified_at: Option<Timestamp>,
    /// Where its people sign in.
    pub connection: Option<ConnectionId>,
    /// Whether they sign in there alone, and who does not have to.
    pub enforced: Option<UserId>,
    /// What its people become who sign in by a provider of the whole server; nothing without it.
    pub join_role: Option<Role>,
}

impl Domain {
    /// The name of the TXT record.
    #[must_use]
    pub fn record_name(&self) -> String {
        format!("{RECORD}.{}", self.domain)
    }

    /// What the record must say.
    #[must_use]
    pub fn record_value(&self) -> String {
        format!("{VALUE}{}", self.challenge)
    }
}

/// The domain as it is compared: in lower case, without the dot at its end. `None` for what is none.
#[must_use]
pub fn normalize_domain(text: &str) -> Option<String> {
    let domain = text.trim().trim_end_matches('.').to_ascii_lowercase();
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    let labels = domain.split('.').count();
    let is_address = domain.parse::<std::net::Ipv4Addr>().is_ok();
    (domain.len() <= 253 && labels >= 2 && !is_address && domain.split('.').all(is_label)).then_some(domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_compared_in_lower_case() {
        assert_eq!(normalize_domain(" Example.COM. "), Some("example.com".to_owned()));
        assert_eq!(
            normalize_domain("xn--bcher-kva.example"),
            Some("xn--bcher-kva.example".to_owned())
        );
        for text in [
            "",
            "com",
            "example",
            "a..b",
            "-a.example",
            "a-.example",
            "a_b.example",
            "bücher.example",
            "127.0.0.1",
            "a b.example",
            "https://a.example",
            "a.example/x",
            "@a.example",
        ] {
            assert_eq!(normalize_domain(text), None, "{text}");
        }
    }
}

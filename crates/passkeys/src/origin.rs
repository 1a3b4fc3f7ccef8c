//! Which pages may use passkeys.

use webauthn_rp::response::Origin;

/// An origin whose pages may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AllowedOrigin {
    /// This one, letter by letter: browsers write an origin in one way (RFC 6454 §6.2).
    Exact(String),
    /// This machine, on every port, for who tries it out. A page has to come from there to say so.
    Localhost,
}

impl PartialEq<Origin<'_>> for AllowedOrigin {
    fn eq(&self, origin: &Origin<'_>) -> bool {
        match self {
            Self::Exact(own) => *own == origin.0,
            Self::Localhost => is_localhost(&origin.0),
        }
    }
}

fn is_localhost(origin: &str) -> bool {
    let rest = ["http://localhost", "https://localhost"]
        .iter()
        .find_map(|start| origin.strip_prefix(start));
    rest.is_some_and(|rest| {
        rest.is_empty()
            || rest
                .strip_prefix(':')
                .is_some_and(|port| port.parse::<u16>().is_ok())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn localhost_is_this_host_alone_on_any_port() {
        for ours in [
            "http://localhost",
            "http://localhost:8080",
            "https://localhost:8443",
        ] {
            assert!(is_localhost(ours), "{ours}");
        }
        for other in [
            "",
            "localhost",
            "http://localhost.example.com",
            "http://localhost:",
            "http://localhost:8080.example.com",
            "http://localhost@example.com",
            "http://127.0.0.1:8080",
            "http://evil.localhost",
        ] {
            assert!(!is_localhost(other), "{other}");
        }
    }
}

//! In which order settings are shown.

/// Which settings stand together, under which title of `configuration.md`.
pub const SECTIONS: [(&str, &str); 20] = [
    ("server", "Server"),
    ("database", "Database"),
    ("keyring", "Key ring"),
    ("cache", "Cache"),
    ("rate_limit", "Rate limits"),
    ("sessions", "Sessions"),
    ("passkeys", "Passkeys"),
    ("sso", "Single sign-on"),
    ("passwords", "Passwords"),
    ("mail", "Mail"),
    ("audit", "Audit"),
    ("keys.leaked", "Leaked keys"),
    ("keys.formats", "Imported keys"),
    ("usage", "Usage"),
    ("hygiene", "Key hygiene"),
    ("webhooks", "Webhooks"),
    ("log", "Logs"),
    ("metrics", "Metrics"),
    ("traces", "Traces"),
    ("scopes", "Scopes"),
];

/// The section of a setting: that with the longest beginning of its name.
pub fn section_of(key: &str) -> Option<&'static str> {
    let sections = SECTIONS.iter().map(|(prefix, _)| *prefix);
    sections
        .filter(|prefix| key.starts_with(prefix))
        .max_by_key(|prefix| prefix.len())
}

/// Where the section of a setting stands among the others.
pub fn place_of(key: &str) -> Option<usize> {
    let section = section_of(key)?;
    SECTIONS.iter().position(|(prefix, _)| *prefix == section)
}

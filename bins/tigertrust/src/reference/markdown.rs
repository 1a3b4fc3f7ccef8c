//! What the pages have in common.

/// The head of a page. `what` says what it is of.
pub(super) fn head(title: &str, what: &str) -> String {
    format!(
        "<!-- Written by `just reference` out of the code: edit that instead. -->\n\n# {title}\n\n{what}\n"
    )
}

/// Text of several lines as one line.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The same with a full stop at its end.
pub(super) fn sentence(text: &str) -> String {
    let text = one_line(text);
    if text.is_empty() || text.ends_with(['.', ':', '?', '!']) {
        text
    } else {
        format!("{text}.")
    }
}

/// What a link to a heading of the same page leads to, as forges and mdBook make it.
pub(super) fn anchor(heading: &str) -> String {
    heading
        .chars()
        .filter_map(|letter| match letter {
            ' ' => Some('-'),
            '-' | '_' => Some(letter),
            _ if letter.is_alphanumeric() => Some(letter.to_ascii_lowercase()),
            _ => None,
        })
        .collect()
}

#[test]
fn a_heading_has_the_anchor_that_forges_make() {
    assert_eq!(anchor("`server.tls.key_file`"), "servertlskey_file");
    assert_eq!(anchor("GET /api/keys/{id}"), "get-apikeysid");
}

//! What the pages on security name is there: each file, and each test.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may stop at once"
)]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The texts of all files below a folder that end like that.
fn texts(folder: &Path, extension: &str) -> Vec<String> {
    let mut texts = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            texts.extend(self::texts(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            texts.push(fs::read_to_string(path).unwrap());
        }
    }
    texts
}

/// What stands between backticks on these pages.
fn spans() -> BTreeSet<String> {
    let pages = texts(&top().join("docs/src/security"), "md");
    assert!(pages.len() >= 3);
    let lines = pages.iter().flat_map(|page| page.lines());
    lines
        .flat_map(|line| line.split('`').skip(1).step_by(2))
        .map(str::to_owned)
        .collect()
}

/// A name of three words or more, as tests have.
fn is_test(span: &str) -> bool {
    span.len() > 16
        && span.matches('_').count() > 1
        && span
            .chars()
            .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_')
}

#[test]
fn each_test_that_is_named_exists() {
    let mut known = BTreeSet::new();
    for folder in ["crates", "bins"] {
        for text in texts(&top().join(folder), "rs") {
            let names = text.match_indices("fn ").map(|(at, _)| {
                text[at + 3..]
                    .chars()
                    .take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '_')
                    .collect::<String>()
            });
            known.extend(names);
        }
    }
    let named: Vec<_> = spans().into_iter().filter(|span| is_test(span)).collect();
    assert!(named.len() > 100, "{}", named.len());
    let missing: Vec<_> = named.iter().filter(|name| !known.contains(*name)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn each_file_that_is_named_exists() {
    let folders = [
        "crates/", "bins/", "deploy/", "scripts/", "docs/", "fuzz/", ".github/",
    ];
    let spans = spans();
    let named = spans
        .iter()
        .filter(|span| folders.iter().any(|folder| span.starts_with(folder)))
        // What stands behind is an argument.
        .filter_map(|span| span.split_whitespace().next());
    let missing: BTreeSet<_> = named.filter(|path| !top().join(path).exists()).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

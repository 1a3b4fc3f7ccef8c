//! The pages of the handbook that the code writes: `docs/src/reference`.
//!
//! They are committed, so that whoever reads the repository sees them, and a test fails where one differs from the code. It
//! is a part of the tests, since the product has no use for it.

mod commands;
mod errors;
mod links;
mod markdown;
mod routes;
mod schemas;
mod settings;

use std::{env, fs, path::Path};

/// Has the pages written instead of compared.
const WRITE: &str = "TIGERTRUST_TEST_WRITE_REFERENCE";

fn pages() -> [(&'static str, String); 4] {
    [
        ("settings.md", settings::page()),
        ("routes.md", routes::page()),
        ("error-codes.md", errors::page()),
        ("commands.md", commands::page()),
    ]
}

#[test]
fn the_reference_says_what_the_code_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src/reference");
    let write = env::var_os(WRITE).is_some();
    for (name, page) in pages() {
        let path = folder.join(name);
        if write {
            fs::create_dir_all(&folder).unwrap();
            fs::write(&path, page).unwrap();
            continue;
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        let differs = committed
            .lines()
            .zip(page.lines())
            .position(|(committed, written)| committed != written);
        assert!(
            committed == page,
            "docs/src/reference/{name} is not what the code says any more, from line {} on: run `just reference`, and commit the page",
            differs.unwrap_or_else(|| committed.lines().count().min(page.lines().count())) + 1
        );
    }
}

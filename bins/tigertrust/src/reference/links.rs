//! Links between the pages of the handbook.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use super::markdown::anchor;

#[test]
fn every_link_of_the_handbook_leads_somewhere() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap();
    let mut pages = BTreeMap::new();
    for path in ["README.md", "CHANGELOG.md"] {
        read(&top.join(path), &mut pages);
    }
    read(&top.join("docs/src"), &mut pages);
    let mut dead = Vec::new();
    for (page, text) in &pages {
        for link in links(text).filter(|link| !link.contains("://") && !link.starts_with("mailto:")) {
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => page.clone(),
                path => page.parent().unwrap().join(path),
            };
            let is_there = match target.canonicalize() {
                Ok(target) if !heading.is_empty() => pages
                    .get(&target)
                    .is_none_or(|text| headings(text).contains(heading)),
                found => found.is_ok(),
            };
            if !is_there {
                dead.push(format!("{}: {link}", page.strip_prefix(&top).unwrap().display()));
            }
        }
    }
    assert!(dead.is_empty(), "links that lead nowhere:\n{}", dead.join("\n"));
}

/// Reads a page, or all below a folder.
fn read(path: &Path, pages: &mut BTreeMap<PathBuf, String>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            read(&entry.unwrap().path(), pages);
        }
    } else if path.extension().is_some_and(|extension| extension == "md") {
        pages.insert(path.to_owned(), without_code(&fs::read_to_string(path).unwrap()));
    }
}

/// A page without its blocks of code, which may hold anything.
fn without_code(text: &str) -> String {
    let mut is_code = false;
    let lines = text.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', ' ', '\n']).next())
}

/// What links to headings name. Of headings that are the same, the later ones are numbered.
fn headings(text: &str) -> BTreeSet<String> {
    let mut headings = BTreeSet::new();
    for line in text.lines().filter(|line| line.starts_with('#')) {
        let mut heading = line.trim_start_matches('#').trim().to_owned();
        // Of a link in it, the text counts.
        while let Some((before, rest)) = heading.split_once("](") {
            let after = rest.split_once(')').map_or("", |(_, after)| after);
            heading = format!("{before}{after}");
        }
        let plain = anchor(&heading);
        let numbered = (1..).map(|number| format!("{plain}-{number}"));
        let free = std::iter::once(plain.clone()).chain(numbered);
        headings.extend(free.into_iter().find(|name| !headings.contains(name)));
    }
    headings
}

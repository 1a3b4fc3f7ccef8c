//! What pages show of the repository's files.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    block::{Kind, blocks},
    run::repository,
};

/// All pages of the handbook.
fn pages() -> Vec<PathBuf> {
    let mut pages = Vec::new();
    let mut folders = vec![repository().join("docs/src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    pages
}

#[test]
fn what_pages_show_of_a_file_stands_in_it() {
    let mut shown = 0;
    for page in pages() {
        for block in blocks(&fs::read_to_string(&page).unwrap()) {
            let place = format!("{}, line {}", page.display(), block.line);
            match &block.kind {
                Kind::SameAs { path } => assert_eq!(block.text, read(path), "{place} and {path}"),
                Kind::PartOf { path } => {
                    assert!(is_part(&block.text, &read(path)), "{place} is not part of {path}");
                }
                _ => continue,
            }
            shown += 1;
        }
    }
    println!("{shown} blocks show files");
}

fn read(path: &str) -> String {
    fs::read_to_string(repository().join(Path::new(path))).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Whether the lines stand one after the other in the text, all of them farther to the right by as much.
fn is_part(part: &str, text: &str) -> bool {
    let part: Vec<&str> = part.lines().collect();
    let text: Vec<&str> = text.lines().collect();
    text.windows(part.len()).any(|window| {
        (0..=32).any(|indent| {
            let indent = " ".repeat(indent);
            part.iter().zip(window).all(|(part, line)| {
                part.is_empty() && line.is_empty() || line.strip_prefix(&indent) == Some(part)
            })
        })
    })
}

#[test]
fn a_part_keeps_its_lines_together_and_its_shape() {
    let text = "a {\n    b {\n        c\n\n    }\n}\n";
    assert!(is_part("b {\n    c\n\n}\n", text));
    assert!(is_part(text, text));
    for other in ["b {\n    c\n}\n", "b {\nc\n", "d\n", "a {\n    b\n"] {
        assert!(!is_part(other, text), "{other}");
    }
}

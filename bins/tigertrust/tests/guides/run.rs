//! Does what a guide says.

use std::{fs, path::PathBuf};

use tigertrust_testkit::free_port;

use crate::{
    block::{Block, Kind, blocks},
    expectation::is_met,
    list::PAGES,
    ports::renumber,
    session::Session,
};

/// A guide, and what is another in a test than for a reader. In what a test does instead `{repository}` stands for the folder of the
/// repository, and `{8080}` for the port that is in place of 8080.
pub struct Guide {
    /// The page, below `docs/src/guides`.
    pub page: &'static str,
    /// The ports that it names. Each is replaced by a free one, wherever the number stands alone. At the one for 8080 `tigertrust` listens
    /// where it is not told to listen elsewhere.
    pub ports: &'static [u16],
    /// What is done instead of what: packages are there already, services are not the machine's. Each must be in the guide.
    pub instead: &'static [(&'static str, &'static str)],
    /// Commands before the first of the guide, such as functions that stand in for programs.
    pub before: &'static str,
}

/// The folder of the repository.
pub fn repository() -> PathBuf {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    manifest.join("../..").canonicalize().unwrap()
}

/// Runs a guide, in a scratch folder and a shell of its own.
pub fn run(guide: &Guide) {
    let page = fs::read_to_string(repository().join("docs/src/guides").join(guide.page)).unwrap();
    let ports: Vec<_> = guide.ports.iter().map(|port| (*port, free_port())).collect();
    for (text, _) in guide.instead {
        assert!(page.contains(text), "{} does not say `{text}`", guide.page);
    }
    let here = |text: &str| {
        let text = text.replace("{repository}", &repository().display().to_string());
        ports.iter().fold(text, |text, (port, other)| {
            text.replace(&format!("{{{port}}}"), &other.to_string())
        })
    };
    let mut session = Session::start();
    // Where it listens by default.
    let mut before = here(guide.before);
    if guide.ports.contains(&8080) {
        before = here("export TIGERTRUST__SERVER__LISTEN=127.0.0.1:{8080}\n") + &before;
    }
    let step = session.run(&before);
    assert_eq!(step.status, Some(0), "before {}: {}", guide.page, step.printed);
    for mut block in blocks(&page) {
        if let Kind::Background { until } = &mut block.kind {
            *until = renumber(until, &ports);
        }
        let mut text = renumber(&block.text, &ports);
        for (shown, done) in guide.instead {
            text = text.replace(&renumber(shown, &ports), &here(done));
        }
        follow(guide, &mut session, &block, &text);
    }
}

fn follow(guide: &Guide, session: &mut Session, block: &Block, text: &str) {
    let place = format!("{}, line {}", guide.page, block.line);
    match &block.kind {
        Kind::Run => {
            let step = session.run(&filled(text, session, &place));
            assert_eq!(
                step.status,
                Some(0),
                "{place}:\n{text}\nprinted:\n{}",
                session.printed()
            );
        }
        Kind::Background { until } => {
            let step = session.run_until(&filled(text, session, &place), until);
            assert_eq!(
                step.status,
                Some(0),
                "{place}:\n{text}\nprinted:\n{}",
                step.printed
            );
        }
        Kind::Console => {
            for (command, shown) in exchanges(text, &place) {
                let printed = session.try_to_run(&filled(&command, session, &place)).printed;
                assert!(
                    is_met(&shown, &printed),
                    "{place}:\n{command}\nprinted:\n{printed}\nand not:\n{shown}\nbefore it:\n{}",
                    session.printed()
                );
            }
        }
        Kind::File { path } => fs::write(session.folder().join(path), text).unwrap(),
        // Looked at by the tests of `files`, on every page.
        Kind::SameAs { .. } | Kind::PartOf { .. } => {}
    }
}

/// The commands of a console, each with what it prints.
fn exchanges(text: &str, place: &str) -> Vec<(String, String)> {
    let mut exchanges: Vec<(String, String)> = Vec::new();
    let mut goes_on = false;
    for line in text.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            exchanges.push((format!("{command}\n"), String::new()));
            goes_on = command.ends_with('\\');
            continue;
        }
        let last = exchanges.last_mut();
        let (command, shown) = last.unwrap_or_else(|| panic!("{place}: the first line is no command"));
        let text = if goes_on { command } else { shown };
        text.push_str(line);
        text.push('\n');
        goes_on = goes_on && line.ends_with('\\');
    }
    exchanges
}

/// The commands with what a reader copies out of what was printed: `KEY=ak_…` is the last word that begins with `ak_`, and
/// `PASSWORD=…` the word after `Password`.
fn filled(commands: &str, session: &Session, place: &str) -> String {
    let mut printed = None;
    let mut filled = String::new();
    for line in commands.lines() {
        let copied = line.split_once('=').and_then(|(name, value)| {
            let is_name = !name.is_empty()
                && name
                    .chars()
                    .all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
            Some((name, value.strip_suffix('…')?)).filter(|_| is_name)
        });
        match copied {
            None => filled.push_str(line),
            Some((name, prefix)) => {
                let printed = printed.get_or_insert_with(|| session.printed());
                let word = copy(printed, name, prefix);
                let word =
                    word.unwrap_or_else(|| panic!("{place}: nothing to copy for {line} in:\n{printed}"));
                filled.push_str(&format!("{name}='{word}'"));
            }
        }
        filled.push('\n');
    }
    filled
}

fn copy<'a>(printed: &'a str, name: &str, prefix: &str) -> Option<&'a str> {
    let is_no_part = |character: char| character.is_whitespace() || "\"',;".contains(character);
    let words: Vec<&str> = printed
        .split(is_no_part)
        .filter(|word| word.contains(char::is_alphanumeric))
        .collect();
    if !prefix.is_empty() {
        return words.into_iter().rfind(|word| word.starts_with(prefix));
    }
    let label = words.iter().rposition(|word| {
        let word = word.trim_end_matches(':').replace('-', "_");
        word.eq_ignore_ascii_case(name)
    })?;
    words.get(label + 1).copied()
}

#[test]
fn a_reader_copies_what_was_printed() {
    let printed = "  Password    R0mV\n  Agent key   ak_1   every\n {\"key\":\"ck_2\"}\nak_3\n";
    assert_eq!(copy(printed, "PASSWORD", ""), Some("R0mV"));
    assert_eq!(copy(printed, "KEY", "ak_"), Some("ak_3"));
    assert_eq!(copy(printed, "KEY", "ck_"), Some("ck_2"));
    assert_eq!(copy(printed, "KEY", "xk_"), None);
    assert_eq!(copy(printed, "WORD", ""), None);
    let record = r#"{"id":"key_4","createdBy":"key_5"}"#;
    assert_eq!(copy(record, "ID", ""), Some("key_4"));
}

#[test]
fn commands_and_what_they_print_are_told_apart() {
    let text = "$ one \\\n    two\nout\nmore\n$ three\n";
    let expected = [
        ("one \\\n    two\n".to_owned(), "out\nmore\n".to_owned()),
        ("three\n".to_owned(), String::new()),
    ];
    assert_eq!(exchanges(text, "here"), expected);
}

#[test]
fn every_guide_that_can_be_run_is_run() {
    for entry in fs::read_dir(repository().join("docs/src/guides")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let is_to_be_run = blocks(&fs::read_to_string(&path).unwrap())
            .iter()
            .any(|block| !matches!(block.kind, Kind::SameAs { .. } | Kind::PartOf { .. }));
        assert_eq!(is_to_be_run, PAGES.contains(&name), "{name}");
    }
}

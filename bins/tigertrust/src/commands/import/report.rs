//! What an import has done, or would do.

use std::collections::BTreeMap;

use serde::Serialize;
use tigertrust_accounts::Imported;
use tigertrust_wire::{ImportStatus, ImportedKey};

/// What an import has done.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Whether it was a trial.
    pub dry_run: bool,
    /// How many keys are new, or would be.
    pub created: usize,
    /// How many were there already.
    pub existing: usize,
    /// How many records are refused.
    pub refused: usize,
    /// How many records had each field that does not carry over.
    pub not_carried_over: BTreeMap<String, usize>,
    /// The records of which there is something to say, by their lines.
    pub lines: Vec<Line>,
}

/// What there is to say of a record.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// The line that it begins in.
    pub line: usize,
    /// What became of it.
    pub status: ImportStatus,
    /// Why it is refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// Its fields that do not carry over.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_carried_over: Vec<String>,
    /// What was made of others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Report {
    /// Notes a record that cannot be read.
    pub fn unreadable(&mut self, line: usize, reason: String) {
        self.refused += 1;
        self.lines.push(Line {
            line,
            status: ImportStatus::Refused,
            reasons: vec![reason],
            not_carried_over: Vec::new(),
            notes: Vec::new(),
        });
    }

    /// Notes what became of a record.
    pub fn add(&mut self, line: usize, imported: Imported, left: Vec<String>, notes: Vec<String>) {
        let imported = ImportedKey::from(imported);
        match imported.status {
            ImportStatus::Created => self.created += 1,
            ImportStatus::Exists => self.existing += 1,
            ImportStatus::Refused => self.refused += 1,
        }
        // Of what is not imported now nothing else is worth a word.
        let is_new = imported.status == ImportStatus::Created;
        let (left, notes) = if is_new {
            (left, notes)
        } else {
            (Vec::new(), Vec::new())
        };
        for name in &left {
            let kind = name.split(" (").next().unwrap_or(name);
            *self.not_carried_over.entry(kind.to_owned()).or_default() += 1;
        }
        let reasons: Vec<String> = imported
            .errors
            .into_iter()
            .map(|error| {
                format!("{} {}", error.pointer.trim_start_matches('/'), error.detail)
                    .trim_start()
                    .to_owned()
            })
            .collect();
        if !(reasons.is_empty() && left.is_empty() && notes.is_empty()) {
            self.lines.push(Line {
                line,
                status: imported.status,
                reasons,
                not_carried_over: left,
                notes,
            });
        }
    }

    /// As people read it.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut say = |line: String| {
            text.push_str(&line);
            text.push('\n');
        };
        // Control characters of an export must not reach a terminal.
        let clean = |words: &[String]| {
            words
                .join("; ")
                .replace(|letter: char| letter.is_control(), "\u{fffd}")
        };
        for Line {
            line,
            reasons,
            not_carried_over,
            notes,
            ..
        } in &self.lines
        {
            if !reasons.is_empty() {
                say(format!("line {line}: refused: {}", clean(reasons)));
            }
            if !not_carried_over.is_empty() {
                say(format!(
                    "line {line}: does not carry over: {}",
                    clean(not_carried_over)
                ));
            }
            if !notes.is_empty() {
                say(format!("line {line}: {}", clean(notes)));
            }
        }
        if !self.lines.is_empty() {
            say(String::new());
        }
        let (new, there, refused) = if self.dry_run {
            ("Would be created", "Already there", "Would be refused")
        } else {
            ("Created", "Already there", "Refused")
        };
        for (label, count) in [
            (new, self.created),
            (there, self.existing),
            (refused, self.refused),
        ] {
            say(format!("{label:<17}{count}"));
        }
        if !self.not_carried_over.is_empty() {
            let fields = self.not_carried_over.iter();
            let fields: Vec<String> = fields.map(|(name, count)| format!("{name} ({count})")).collect();
            say(format!("Not carried over {}", clean(&fields).replace("; ", ", ")));
        }
        if self.dry_run {
            say("Nothing was stored: this was a dry run.".to_owned());
        }
        text.truncate(text.trim_end().len());
        text
    }
}

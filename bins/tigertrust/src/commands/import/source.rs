//! The records of an export: a JSON array, JSON values one after the other, or CSV.

use std::{
    fs,
    io::{self, Read},
    path::Path,
};

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::failure::Failure;

/// A record, or why it is none.
pub type Record = Result<Map<String, Value>, String>;

/// An export, read piece by piece.
pub struct Source<'a> {
    text: &'a str,
    /// How much has been read, in bytes.
    at: usize,
    /// The line that `at` is in, from 1.
    line: usize,
    kind: Kind<'a>,
}

enum Kind<'a> {
    Json,
    Csv {
        headings: csv::StringRecord,
        records: csv::StringRecordsIntoIter<&'a [u8]>,
    },
}

/// Reads the whole file; standard input for `-`. It is forgotten as a secret is: the hashes in it are as good as one.
pub fn read(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let mut bytes = Zeroizing::new(Vec::new());
    if path.as_os_str() == "-" {
        io::stdin().lock().read_to_end(&mut bytes)?;
    } else {
        *bytes = fs::read(path)
            .map_err(|error| Failure::new(format!("{} cannot be read: {error}", path.display())))?;
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.trim_start_matches('\u{feff}').to_owned())),
        Err(_) => Err(Failure::new(format!("{} is not UTF-8", path.display()))),
    }
}

impl<'a> Source<'a> {
    /// JSON: an array, or values one after the other.
    pub fn json(text: &'a str) -> Self {
        let mut source = Self {
            text,
            at: 0,
            line: 1,
            kind: Kind::Json,
        };
        source.pass(&['[']);
        source
    }

    /// CSV, with its headings in the first line.
    pub fn csv(text: &'a str) -> Result<Self, Failure> {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let headings = reader
            .headers()
            .map_err(|error| Failure::new(format!("the first line must name the fields: {error}")))?
            .clone();
        Ok(Self {
            text,
            at: 0,
            line: 1,
            kind: Kind::Csv {
                headings,
                records: reader.into_records(),
            },
        })
    }

    /// JSON if it begins like that, else CSV.
    pub fn either(text: &'a str) -> Result<Self, Failure> {
        if text.trim_start().starts_with(['[', '{']) {
            Ok(Self::json(text))
        } else {
            Self::csv(text)
        }
    }

    /// How much of it has been read, in percent.
    pub fn percent(&self) -> usize {
        self.at.saturating_mul(100) / self.text.len().max(1)
    }

    fn next_json(&mut self) -> Option<(usize, Record)> {
        self.pass(&[',']);
        let rest = self.text.get(self.at..)?;
        if rest.is_empty() || rest.starts_with(']') {
            return None;
        }
        let line = self.line;
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        let read = values.next()?;
        let end = values.byte_offset();
        let record = match read {
            Ok(Value::Object(record)) => {
                self.advance(end);
                Ok(record)
            }
            Ok(_) => {
                self.advance(end);
                Err("must be a JSON object".to_owned())
            }
            Err(error) => {
                // The next one is looked for in the next line. What serde says may hold what stands there.
                self.advance(rest.find('\n').map_or(rest.len(), |end| end + 1));
                let column = error.column();
                Err(format!(
                    "is no JSON (at column {column}, after {} lines of it)",
                    error.line()
                ))
            }
        };
        Some((line, record))
    }

    /// Passes over white space, and these marks once.
    fn pass(&mut self, marks: &[char]) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let trimmed = rest.trim_start();
        let trimmed = trimmed.strip_prefix(marks).unwrap_or(trimmed).trim_start();
        self.advance(rest.len() - trimmed.len());
    }

    fn advance(&mut self, bytes: usize) {
        let end = self.at + bytes;
        let passed = self.text.get(self.at..end).unwrap_or_default();
        self.line += passed.bytes().filter(|byte| *byte == b'\n').count();
        self.at = end;
    }
}

impl Iterator for Source<'_> {
    type Item = (usize, Record);

    /// The next record, with the number of its line.
    fn next(&mut self) -> Option<(usize, Record)> {
        let Kind::Csv { headings, records } = &mut self.kind else {
            return self.next_json();
        };
        let read = records.next()?;
        let position = records.reader().position();
        self.at = usize::try_from(position.byte()).unwrap_or(usize::MAX);
        let place = match &read {
            Ok(record) => record.position(),
            Err(error) => error.position(),
        };
        let line = place.map_or(0, csv::Position::line);
        let record = match read {
            Ok(record) => Ok(headings
                .iter()
                .zip(record.iter())
                .map(|(name, value)| (name.trim().to_owned(), Value::from(value)))
                .collect()),
            Err(_) => Err(format!("must have {} fields, as the first line", headings.len())),
        };
        Some((usize::try_from(line).unwrap_or(usize::MAX), record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(source: Source<'_>) -> Vec<(usize, Option<String>)> {
        source
            .map(|(line, record)| {
                let name = |record: Map<String, Value>| record["name"].as_str().unwrap().to_owned();
                (line, record.ok().map(name))
            })
            .collect()
    }

    fn named(line: usize, name: &str) -> (usize, Option<String>) {
        (line, Some(name.to_owned()))
    }

    #[test]
    fn an_array_and_lines_are_read_alike() {
        for text in [
            "[{\"name\":\"a\"},\n {\"name\":\"b\"}]\n",
            "{\"name\":\"a\"}\n{\"name\":\"b\"}\n",
            "[\r{\"name\":\"a\"}\n,{\"name\":\"b\"}\n]",
        ] {
            assert_eq!(read(Source::json(text)), [named(1, "a"), named(2, "b")], "{text}");
        }
        assert_eq!(read(Source::json("")), []);
        assert_eq!(read(Source::json(" [ ] ")), []);
    }

    #[test]
    fn a_bad_line_is_told_and_the_next_is_read() {
        let text = "{\"name\":\"a\"}\n{\"name\":\n7\n{\"name\":\"b\"}\n";
        let found = read(Source::json(text));
        assert_eq!(found.last(), Some(&named(4, "b")));
        assert!(
            found.contains(&(2, None)) && found.contains(&(3, None)),
            "{found:?}"
        );
        let text = "name,hash\na,1\nb\nc,\"x\ny\"\nd,2\n";
        let found = read(Source::csv(text).unwrap());
        assert_eq!(found, [named(2, "a"), (3, None), named(4, "c"), named(6, "d")]);
    }
}

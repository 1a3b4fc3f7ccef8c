//! Changes the text of a key ring, and keeps what stands around the change: comments, order, spaces.

use std::ops::Range;

use zeroize::Zeroizing;

use super::{Keyring, SecretKind};

/// The text of a key ring, to be changed.
pub struct KeyringText {
    text: Zeroizing<String>,
    ring: Keyring,
}

/// The text is written in a way that cannot be changed with certainty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotOurForm;

impl KeyringText {
    /// A text that has been read as a ring.
    pub const fn new(text: Zeroizing<String>, ring: Keyring) -> Self {
        Self { text, ring }
    }

    /// The text with an entry in front of the others of its kind, or right behind the first of them.
    pub fn with(
        &self,
        kind: SecretKind,
        id: &str,
        entry: &str,
        behind: bool,
    ) -> Result<Zeroizing<String>, NotOurForm> {
        let entries = self.entries(kind)?;
        let mut ids: Vec<&str> = self.ring.ids(kind).collect();
        let (at, before) = match entries.first() {
            None => (self.text.len(), "\n"),
            Some(first) if behind => (first.end, "\n"),
            Some(first) => (first.start, ""),
        };
        let after = if before.is_empty() { "\n" } else { "" };
        let (head, tail) = self.text.split_at_checked(at).ok_or(NotOurForm)?;
        // The last line may lack its end.
        let end = if head.is_empty() || head.ends_with('\n') {
            ""
        } else {
            "\n"
        };
        ids.insert(usize::from(behind && !ids.is_empty()), id);
        let text = Zeroizing::new(format!("{head}{end}{before}{entry}{after}{tail}"));
        checked(text, kind, &ids)
    }

    /// The text without an entry, and the entry.
    pub fn without(
        &self,
        kind: SecretKind,
        id: &str,
    ) -> Result<(Zeroizing<String>, Zeroizing<String>), NotOurForm> {
        let entries = self.entries(kind)?;
        let mut ids: Vec<&str> = self.ring.ids(kind).collect();
        let index = ids.iter().position(|held| *held == id).ok_or(NotOurForm)?;
        let range = entries.get(index).ok_or(NotOurForm)?;
        ids.remove(index);
        let entry = self.text.get(range.clone()).ok_or(NotOurForm)?;
        let head = self.text.get(..range.start).ok_or(NotOurForm)?;
        let tail = self.text.get(range.end..).ok_or(NotOurForm)?;
        let tail = tail.strip_prefix('\n').unwrap_or(tail);
        let text = Zeroizing::new(format!("{head}{tail}"));
        Ok((checked(text, kind, &ids)?, Zeroizing::new(entry.to_owned())))
    }

    /// The text with an entry in front of the others of its kind that stood behind them.
    pub fn promoted(&self, kind: SecretKind, id: &str) -> Result<Zeroizing<String>, NotOurForm> {
        let (text, entry) = self.without(kind, id)?;
        let ring = Keyring::parse(&text).map_err(|_| NotOurForm)?;
        Self::new(text, ring).with(kind, id, &entry, false)
    }

    /// Where the entries of a kind stand, each from its heading to the end of its last line that says something.
    fn entries(&self, kind: SecretKind) -> Result<Vec<Range<usize>>, NotOurForm> {
        let heading = format!("[[{}]]", kind.table());
        let mut entries: Vec<Range<usize>> = Vec::new();
        let mut is_within = false;
        let mut at = 0;
        for line in self.text.split_inclusive('\n') {
            let end = at + line.len();
            let said = line.trim();
            if said.starts_with('[') {
                is_within = said == heading;
                if is_within {
                    entries.push(at..end);
                }
            } else if is_within
                && !said.is_empty()
                && !said.starts_with('#')
                && let Some(last) = entries.last_mut()
            {
                last.end = end;
            }
            at = end;
        }
        if entries.len() == self.ring.ids(kind).count() {
            Ok(entries)
        } else {
            Err(NotOurForm)
        }
    }
}

/// A changed text, if it says what it is to say.
fn checked(text: Zeroizing<String>, kind: SecretKind, ids: &[&str]) -> Result<Zeroizing<String>, NotOurForm> {
    // Without the last secret of a kind it may be no ring; what it would be instead is for the caller to know.
    let ring = Keyring::parse(&text).map_err(|_| NotOurForm)?;
    if ring.ids(kind).eq(ids.iter().copied()) {
        Ok(text)
    } else {
        Err(NotOurForm)
    }
}

#[cfg(test)]
mod tests {
    use tigertrust_credentials::OsRandom;

    use super::*;

    fn text(of: &str) -> KeyringText {
        KeyringText::new(Zeroizing::new(of.to_owned()), Keyring::parse(of).unwrap())
    }

    fn ids(of: &str, kind: SecretKind) -> Vec<String> {
        Keyring::parse(of).unwrap().ids(kind).map(str::to_owned).collect()
    }

    #[test]
    fn entries_come_and_go_and_what_stands_around_them_stays() {
        let made = Keyring::generate(&OsRandom).unwrap();
        for kind in SecretKind::ALL {
            let entry = kind.entry("new", &OsRandom).unwrap();
            let first = ids(&made, kind);
            let front = text(&made).with(kind, "new", &entry, false).unwrap();
            assert_eq!(ids(&front, kind), ["new", first[0].as_str()]);
            let behind = text(&made).with(kind, "new", &entry, true).unwrap();
            assert_eq!(ids(&behind, kind), [first[0].as_str(), "new"]);
            let promoted = text(&behind).promoted(kind, "new").unwrap();
            assert_eq!(ids(&promoted, kind), ["new", first[0].as_str()]);
            let (back, taken) = text(&front).without(kind, "new").unwrap();
            assert_eq!(*back, made);
            assert_eq!(taken.trim(), entry.trim());
        }
    }

    #[test]
    fn a_kind_that_was_missing_is_added() {
        let made = Keyring::generate(&OsRandom).unwrap();
        let (old, _) = made.split_once("# The first signing key").unwrap();
        let entry = SecretKind::Signing.entry("s1", &OsRandom).unwrap();
        let with = text(old.trim_end())
            .with(SecretKind::Signing, "s1", &entry, false)
            .unwrap();
        assert_eq!(ids(&with, SecretKind::Signing), ["s1"]);
    }

    #[test]
    fn what_is_written_otherwise_is_left_alone() {
        let secret = "A".repeat(43);
        let inline = format!("peppers = [{{ id = \"p1\", secret = \"{secret}\" }}]\n");
        let entry = SecretKind::Pepper.entry("p2", &OsRandom).unwrap();
        let refused = text(&inline).with(SecretKind::Pepper, "p2", &entry, false);
        assert_eq!(refused.unwrap_err(), NotOurForm);
    }
}

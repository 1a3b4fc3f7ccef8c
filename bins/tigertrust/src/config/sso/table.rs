//! The settings of one connection.

use super::super::{
    forms::{flag, list, secret},
    reader::Reader,
};

const LIST: &str = "a list of texts";

/// A table of settings.
pub(super) struct Table<'a> {
    reader: &'a mut Reader,
    name: String,
    origin: String,
}

impl<'a> Table<'a> {
    pub(super) const fn new(reader: &'a mut Reader, name: String, origin: String) -> Self {
        Self { reader, name, origin }
    }

    fn key(&self, field: &str) -> String {
        format!("{}.{field}", self.name)
    }

    pub(super) fn read<T>(
        &mut self,
        field: &str,
        allowed: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        self.reader.read(&self.key(field), allowed, parse)
    }

    pub(super) fn text(&mut self, field: &str) -> Option<String> {
        self.read(field, "text", |text| {
            Some(text.to_owned()).filter(|text| !text.is_empty())
        })
    }

    /// A text that there must be.
    pub(super) fn needed(&mut self, field: &str, what: &str) -> Option<String> {
        let text = self.text(field);
        if !self.is_set(field) {
            self.refuse(field, &format!("is needed: {what}"));
        }
        text
    }

    pub(super) fn flag(&mut self, field: &str) -> bool {
        flag(self.reader, &self.key(field))
    }

    /// An array in TOML, a list with commas in the environment; empty where there is none.
    pub(super) fn list(&mut self, field: &str) -> Vec<String> {
        let Some((value, _)) = self.reader.take_any(&self.key(field), LIST) else {
            return Vec::new();
        };
        let texts = list(value).filter(|texts| !texts.iter().any(String::is_empty));
        if texts.is_none() {
            self.refuse(field, &format!("must be {LIST}"));
        }
        texts.unwrap_or_default()
    }

    /// A secret, or the file that holds it.
    pub(super) fn secret<T>(
        &mut self,
        field: &str,
        parse: impl Fn(&str) -> Result<T, &'static str>,
    ) -> Option<T> {
        let key = self.key(field);
        secret(self.reader, [&key, &format!("{key}_file")], "text", parse)
    }

    /// Notes what counts where nothing sets a field that was asked for.
    pub(super) fn default_is(&mut self, field: &str, default: &str) {
        self.reader.default_is(&self.key(field), &default);
    }

    pub(super) fn is_set(&self, field: &str) -> bool {
        self.reader.is_set(&self.key(field))
    }

    pub(super) fn refuse(&mut self, field: &str, detail: &str) {
        let key = self.key(field);
        let origin = self.reader.origin_of(&key);
        self.reader.refuse(&key, &origin, detail);
    }

    /// Notes what is wrong with the table as a whole.
    pub(super) fn refuse_all(&mut self, detail: &str) {
        self.reader.refuse(&self.name, &self.origin, detail);
    }
}

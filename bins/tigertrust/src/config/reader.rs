//! Reads settings one by one, and keeps what is wrong with them.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use config::{Config, ConfigError, Environment, File, FileFormat, Map, Value, ValueKind};
use sha2::{Digest, Sha256};

/// What the names of our environment variables begin with; two underscores part the levels of a key.
const PREFIX: &str = "TIGERTRUST";
/// What `config` calls the environment.
const ENVIRONMENT: &str = "the environment";

/// A value from the command line.
#[derive(Clone, Debug)]
pub struct Flag {
    /// The flag, for messages.
    pub name: &'static str,
    /// The setting that it stands for.
    pub key: &'static str,
    /// The value.
    pub value: String,
}

/// Where settings come from; what stands later wins.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// A TOML file.
    pub file: Option<PathBuf>,
    /// Environment variables: those of the process, or a test's.
    pub environment: BTreeMap<String, String>,
    /// Flags.
    pub flags: Vec<Flag>,
}

/// Everything that is wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingErrors(pub Vec<String>);

impl fmt::Display for SettingErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration is not valid")?;
        self.0.iter().try_for_each(|error| write!(f, "\n  {error}"))
    }
}

impl std::error::Error for SettingErrors {}

/// Values that have been found and not been read yet.
pub struct Reader {
    values: BTreeMap<String, Value>,
    known: Vec<(String, String)>,
    fingerprints: BTreeMap<String, [u8; 32]>,
    errors: Vec<String>,
}

impl Reader {
    /// Collects the values of all sources.
    pub fn new(source: &Source) -> Result<Self, SettingErrors> {
        let mut builder = Config::builder();
        if let Some(path) = &source.file {
            builder = builder.add_source(File::from(path.as_path()).format(FileFormat::Toml));
        }
        let environment = source
            .environment
            .iter()
            .filter(|(name, _)| name.starts_with(PREFIX))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        builder = builder.add_source(
            Environment::with_prefix(PREFIX)
                .prefix_separator("__")
                .separator("__")
                .source(Some(environment)),
        );
        builder = builder.add_source(Flags(source.flags.clone()));
        let config = builder
            .build()
            .map_err(|error| SettingErrors(vec![readable(&error)]))?;
        let mut values = BTreeMap::new();
        flatten(String::new(), config.cache, &mut values);
        let fingerprints = values
            .iter()
            .map(|(key, value)| (key.clone(), Sha256::digest(value.to_string()).into()))
            .collect();
        Ok(Self {
            values,
            fingerprints,
            known: Vec::new(),
            errors: Vec::new(),
        })
    }

    /// Reads a setting; `allowed` completes the sentence "it must be …".
    pub fn read<T>(&mut self, key: &str, allowed: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let value = self.take(key)?;
        let text = match &value.kind {
            ValueKind::Table(_) | ValueKind::Array(_) | ValueKind::Nil => None,
            _ => value.clone().into_string().ok(),
        };
        let parsed = text.as_deref().and_then(parse);
        if parsed.is_none() {
            let shown = text.map_or_else(String::new, |text| format!(" = {text:?}"));
            self.refuse(
                &format!("{key}{shown}"),
                &origin(key, &value),
                &format!("must be {allowed}"),
            );
        }
        parsed
    }

    /// Reads a setting that must not be shown.
    pub fn read_secret<T, E: fmt::Display>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let value = self.take(key)?;
        let parsed = match value.clone().into_string() {
            Ok(text) => parse(&text).map_err(|error| error.to_string()),
            Err(_) => Err("must be text".to_owned()),
        };
        parsed
            .map_err(|error| self.refuse(key, &origin(key, &value), &error))
            .ok()
    }

    /// The texts of a list that somebody else reads.
    pub fn peek_list(&self, key: &str) -> Vec<String> {
        let value = self.values.get(key).cloned();
        value.and_then(super::settings::list).unwrap_or_default()
    }

    /// Takes a value of any shape, with where it comes from.
    pub fn take_any(&mut self, key: &str) -> Option<(Value, String)> {
        self.take(key).map(|value| {
            let origin = origin(key, &value);
            (value, origin)
        })
    }

    /// Whether a setting that was asked for has a value, right or wrong.
    pub fn is_set(&self, key: &str) -> bool {
        self.known
            .iter()
            .any(|(known, origin)| known == key && origin != "default")
    }

    /// Where the value of a setting that was asked for comes from.
    pub fn origin_of(&self, key: &str) -> String {
        let known = self.known.iter().find(|(known, _)| known == key);
        known.map_or_else(|| "default".to_owned(), |(_, origin)| origin.clone())
    }

    /// The names of the tables in a table that nobody has read yet, each with where the first of its values comes from.
    pub fn tables(&self, table: &str) -> BTreeMap<String, String> {
        let mut tables = BTreeMap::new();
        for (key, value) in &self.values {
            let within = key.strip_prefix(table).and_then(|rest| rest.strip_prefix('.'));
            if let Some((name, _)) = within.and_then(|rest| rest.split_once('.')) {
                tables
                    .entry(name.to_owned())
                    .or_insert_with(|| origin(key, value));
            }
        }
        tables
    }

    /// Notes what is wrong with a setting.
    pub fn refuse(&mut self, key: &str, origin: &str, detail: &str) {
        self.errors.push(format!("{key} ({origin}): {detail}"));
    }

    /// Every setting that was asked for, with where its value comes from.
    pub fn known(&self) -> Vec<(String, String)> {
        self.known.clone()
    }

    /// What tells each value that is set from another; the values may be secrets.
    pub fn fingerprints(&self) -> BTreeMap<String, [u8; 32]> {
        self.fingerprints.clone()
    }

    /// Refuses what nobody asked for, and ends with all errors.
    pub fn finish(mut self) -> Result<(), SettingErrors> {
        let known = std::mem::take(&mut self.known);
        let known: Vec<&str> = known.iter().map(|(key, _)| key.as_str()).collect();
        for (key, value) in std::mem::take(&mut self.values) {
            let detail = match nearest(&key, &known) {
                Some(near) => format!("there is no such setting; did you mean {near}?"),
                None => "there is no such setting".to_owned(),
            };
            self.refuse(&key, &origin(&key, &value), &detail);
        }
        if self.errors.is_empty() {
            Ok(())
        } else {
            Err(SettingErrors(self.errors))
        }
    }

    fn take(&mut self, key: &str) -> Option<Value> {
        let value = self.values.remove(key);
        let origin = value
            .as_ref()
            .map_or_else(|| "default".to_owned(), |value| origin(key, value));
        self.known.push((key.to_owned(), origin));
        value
    }
}

/// The values of flags, with the flag as their origin.
#[derive(Clone, Debug)]
struct Flags(Vec<Flag>);

impl config::Source for Flags {
    fn clone_into_box(&self) -> Box<dyn config::Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        let value = |flag: &Flag| Value::new(Some(&flag.name.to_owned()), flag.value.clone());
        Ok(self
            .0
            .iter()
            .map(|flag| (flag.key.to_owned(), value(flag)))
            .collect())
    }
}

/// Parts tables into their leaves: `server.listen`. An array is a leaf.
fn flatten(prefix: String, value: Value, leaves: &mut BTreeMap<String, Value>) {
    match value.kind {
        ValueKind::Table(table) => {
            for (key, value) in table {
                let key = if prefix.is_empty() {
                    key
                } else {
                    format!("{prefix}.{key}")
                };
                flatten(key, value, leaves);
            }
        }
        _ => {
            leaves.insert(prefix, value);
        }
    }
}

fn origin(key: &str, value: &Value) -> String {
    match value.origin() {
        None => "default".to_owned(),
        Some(ENVIRONMENT) => format!("{PREFIX}__{}", key.replace('.', "__").to_uppercase()),
        Some(origin) => origin.to_owned(),
    }
}

/// A known setting that differs by at most two characters, or only by its table.
fn nearest<'a>(key: &str, known: &[&'a str]) -> Option<&'a str> {
    let last = |text: &str| text.rsplit('.').next().unwrap_or_default().to_owned();
    known
        .iter()
        .copied()
        .min_by_key(|candidate| distance(key, candidate))
        .filter(|near| distance(key, near) <= 2)
        .or_else(|| {
            known
                .iter()
                .copied()
                .find(|candidate| last(candidate) == last(key))
        })
}

/// How many characters must be put in, taken out or replaced (Levenshtein).
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, letter) in left.chars().enumerate() {
        let mut diagonal = index;
        let mut before = index + 1;
        let mut next = vec![before];
        for (other, above) in right.iter().zip(row.iter().skip(1)) {
            let replaced = diagonal + usize::from(*other != letter);
            before = replaced.min(above + 1).min(before + 1);
            diagonal = *above;
            next.push(before);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

/// Errors of `config` name the file and, for a malformed one, the line.
fn readable(error: &ConfigError) -> String {
    match error {
        ConfigError::FileParse { uri, cause } => {
            format!("{}: {cause}", uri.as_deref().unwrap_or("the configuration file"))
        }
        other => other.to_string(),
    }
}

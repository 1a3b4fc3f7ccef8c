//! Reads settings one by one, and keeps what is wrong with them.

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
};

use config::{Config, ConfigError, Environment, File, FileFormat, Map, Value, ValueKind};
use sha2::{Digest, Sha256};

use super::{
    asked::{Asked, DEFAULT},
    forms,
};
use crate::nearest::nearest;

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
    asked: Vec<Asked>,
    fingerprints: BTreeMap<String, [u8; 32]>,
    /// The names of variables that are nearly named as ours.
    misnamed: Vec<String>,
    errors: Vec<String>,
}

impl Reader {
    /// Collects the values of all sources.
    pub fn new(source: &Source) -> Result<Self, SettingErrors> {
        let mut builder = Config::builder();
        if let Some(path) = &source.file {
            ensure_toml(path)?;
            builder = builder.add_source(File::from(path.as_path()).format(FileFormat::Toml));
        }
        let named_as_ours = source
            .environment
            .iter()
            .filter(|(name, _)| name.starts_with(PREFIX));
        let misnamed = named_as_ours
            .clone()
            .map(|(name, _)| name.clone())
            .filter(|name| !name.starts_with(&variable("")))
            .collect();
        let environment = named_as_ours
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
            misnamed,
            asked: Vec::new(),
            errors: Vec::new(),
        })
    }

    /// Reads a setting; `allowed` completes the sentence "it must be …".
    pub fn read<T>(&mut self, key: &str, allowed: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let value = self.take(key, allowed, false)?;
        let text = match &value.kind {
            ValueKind::Table(_) | ValueKind::Array(_) | ValueKind::Nil => None,
            _ => value.clone().into_string().ok(),
        };
        let parsed = text.as_deref().and_then(parse);
        if parsed.is_none() {
            // A password in an address, or a secret in the place of a name, is nobody's business.
            let shown = text.filter(|text| match names_a_file(key) {
                true => forms::is_path(text),
                false => !forms::may_be_content(text),
            });
            let shown = shown.map_or_else(String::new, |text| format!(" = {text:?}"));
            self.refuse(
                &format!("{key}{shown}"),
                &origin(key, &value),
                &format!("must be {allowed}"),
            );
        }
        parsed
    }

    /// The same, with what counts where nothing sets it.
    pub fn read_or<T: fmt::Display>(
        &mut self,
        key: &str,
        allowed: &str,
        default: T,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> T {
        let read = self.read(key, allowed, parse);
        self.default_is(key, &default);
        read.unwrap_or(default)
    }

    /// Notes what counts where nothing sets a setting that was asked for.
    pub fn default_is(&mut self, key: &str, default: &dyn fmt::Display) {
        if let Some(asked) = self.asked.iter_mut().rfind(|asked| asked.key == key) {
            asked.default = Some(default.to_string());
        }
    }

    /// Notes that the value of a setting that was asked for comes from where another one says.
    pub fn comes_from(&mut self, key: &str, other: &str) {
        if let Some(asked) = self.asked.iter_mut().rfind(|asked| asked.key == key) {
            asked.source = other.to_owned();
        }
    }

    /// Reads a setting that must not be shown.
    pub fn read_secret<T, E: fmt::Display>(
        &mut self,
        key: &str,
        allowed: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let value = self.take(key, allowed, true)?;
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
        value.and_then(forms::list).unwrap_or_default()
    }

    /// Takes a value of any shape, with where it comes from.
    pub fn take_any(&mut self, key: &str, allowed: &str) -> Option<(Value, String)> {
        let value = self.take(key, allowed, false)?;
        let origin = origin(key, &value);
        Some((value, origin))
    }

    /// The same for what must not be shown.
    pub fn take_secret(&mut self, key: &str, allowed: &str) -> Option<(Value, String)> {
        let value = self.take(key, allowed, true)?;
        let origin = origin(key, &value);
        Some((value, origin))
    }

    /// Whether a setting that was asked for has a value, right or wrong.
    pub fn is_set(&self, key: &str) -> bool {
        self.asked.iter().any(|asked| asked.key == key && asked.is_set())
    }

    /// Where the value of a setting that was asked for comes from.
    pub fn origin_of(&self, key: &str) -> String {
        let asked = self.asked.iter().find(|asked| asked.key == key);
        asked.map_or_else(|| DEFAULT.to_owned(), |asked| asked.source.clone())
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

    /// Every setting that was asked for.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.clone()
    }

    /// What tells each value that is set from another; the values may be secrets.
    pub fn fingerprints(&self) -> BTreeMap<String, [u8; 32]> {
        self.fingerprints.clone()
    }

    /// Refuses what nobody asked for, and ends with all errors.
    pub fn finish(mut self) -> Result<(), SettingErrors> {
        let asked = std::mem::take(&mut self.asked);
        let known: Vec<&str> = asked.iter().map(|asked| asked.key.as_str()).collect();
        for (key, value) in std::mem::take(&mut self.values) {
            let is_table = known.iter().any(|known| known.starts_with(&format!("{key}.")));
            let detail = match nearest_setting(&key, &known) {
                _ if is_table => format!("it is a table of settings: write [{key}] above them"),
                Some(near) => format!("there is no such setting; did you mean {near}?"),
                None => "there is no such setting".to_owned(),
            };
            self.refuse(&key, &origin(&key, &value), &detail);
        }
        // Whoever wrote one underscore for two would have a server with other settings, and not a word.
        let flat = |name: &str| name.to_lowercase().replace('.', "_").replace("__", "_");
        for name in &self.misnamed {
            let rest = name.trim_start_matches(PREFIX).trim_start_matches('_');
            let meant = match known.iter().find(|key| flat(key) == flat(rest)) {
                Some(key) => variable(key),
                // Which there are depends on the connection's kind.
                None if flat(rest).starts_with("sso_") => {
                    format!("one that begins with {}", variable("sso."))
                }
                None => continue,
            };
            self.errors
                .push(format!("{name}: it is not read; did you mean {meant}?"));
        }
        if self.errors.is_empty() {
            Ok(())
        } else {
            Err(SettingErrors(self.errors))
        }
    }

    fn take(&mut self, key: &str, allowed: &str, is_secret: bool) -> Option<Value> {
        let value = self.values.remove(key);
        // What stands in the place of a path is what the file should hold, more likely than not.
        let is_secret = is_secret
            || (names_a_file(key) && value.as_ref().is_some_and(|value| !forms::is_path(&shown(value))));
        self.asked.push(Asked {
            key: key.to_owned(),
            source: value
                .as_ref()
                .map_or_else(|| DEFAULT.to_owned(), |value| origin(key, value)),
            allowed: allowed.to_owned(),
            is_secret,
            default: None,
            given: value.as_ref().filter(|_| !is_secret).map(shown),
        });
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

/// A value for people: text as it is, lists and tables as JSON.
fn shown(value: &Value) -> String {
    match &value.kind {
        ValueKind::Table(_) | ValueKind::Array(_) => value
            .clone()
            .try_deserialize::<serde_json::Value>()
            .map_or_else(|_| String::new(), |json| json.to_string()),
        _ => value.to_string(),
    }
}

/// Whether a setting's value is the path of a file, by its name.
fn names_a_file(key: &str) -> bool {
    key.ends_with("_file")
}

fn origin(key: &str, value: &Value) -> String {
    match value.origin() {
        None => DEFAULT.to_owned(),
        Some(ENVIRONMENT) => variable(key),
        Some(origin) => origin.to_owned(),
    }
}

/// The environment variable for a setting.
fn variable(key: &str) -> String {
    format!("{PREFIX}__{}", key.replace('.', "__").to_uppercase())
}

/// Whether a value comes from an environment variable, by its origin.
pub(super) fn is_variable(origin: &str) -> bool {
    origin.starts_with(PREFIX)
}

/// A known setting that is nearly the same, or is so but for its table.
fn nearest_setting<'a>(key: &str, known: &[&'a str]) -> Option<&'a str> {
    let last = |text: &str| text.rsplit('.').next().unwrap_or_default().to_owned();
    let elsewhere = || known.iter().find(|candidate| last(candidate) == last(key));
    nearest(key, known.iter().copied()).or_else(|| elsewhere().copied())
}

/// That a file can be read at all. What the parser of the configuration says of a mistake quotes the line, and with it what may be a
/// password: so only where it is, and what was expected there, is told.
fn ensure_toml(path: &Path) -> Result<(), SettingErrors> {
    // What cannot be opened is told by whoever reads it next.
    let Ok(text) = fs::read_to_string(path) else {
        return Ok(());
    };
    let Err(error) = toml::from_str::<toml::Table>(&text) else {
        return Ok(());
    };
    let what = match error.message() {
        "duplicate key" => "says once more what is said above it",
        _ => "is not TOML: a text stands between quotes on one line, a table's name between brackets",
    };
    let before = error.span().and_then(|span| text.get(..span.start));
    let line = before.map_or(1, |before| before.matches('\n').count() + 1);
    Err(SettingErrors(vec![format!(
        "{}: line {line} {what}",
        path.display()
    )]))
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

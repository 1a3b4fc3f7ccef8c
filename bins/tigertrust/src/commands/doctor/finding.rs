//! What the doctor finds.

use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// It cannot stay like that.
    Error,
    /// It weakens the server, or breaks something of it.
    Warning,
    /// It is worth to be known.
    Note,
    /// It is as it should be.
    Ok,
}

impl Level {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
            Self::Ok => "ok",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub level: Level,
    /// What was looked at: `database`, or the name of a setting.
    pub about: String,
    /// What is there.
    pub finding: String,
    /// What mends it, in one sentence; none where nothing is wrong.
    pub mend: Option<String>,
}

impl Finding {
    pub fn ok(about: &str, finding: impl Into<String>) -> Self {
        Self {
            level: Level::Ok,
            about: about.to_owned(),
            finding: finding.into(),
            mend: None,
        }
    }

    pub fn note(about: &str, finding: impl Into<String>, mend: &str) -> Self {
        Self::wrong(Level::Note, about, finding, mend)
    }

    pub fn warning(about: &str, finding: impl Into<String>, mend: &str) -> Self {
        Self::wrong(Level::Warning, about, finding, mend)
    }

    pub fn error(about: &str, finding: impl Into<String>, mend: &str) -> Self {
        Self::wrong(Level::Error, about, finding, mend)
    }

    fn wrong(level: Level, about: &str, finding: impl Into<String>, mend: &str) -> Self {
        Self {
            level,
            about: about.to_owned(),
            finding: finding.into(),
            mend: Some(mend.to_owned()),
        }
    }
}

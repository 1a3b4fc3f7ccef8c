//! What was asked for while settings were read.

/// A setting that was asked for: what it may be, and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Its name, such as `server.listen`.
    pub key: String,
    /// Where its value comes from; `default` where nothing sets it.
    pub source: String,
    /// What it must be.
    pub allowed: String,
    /// Whether its value is shown to nobody.
    pub is_secret: bool,
    /// What counts where nothing sets it; none if that is nothing.
    pub default: Option<String>,
    /// What it is set to; none where it is not, and of a secret.
    pub given: Option<String>,
}

impl Asked {
    /// Whether something sets it.
    pub fn is_set(&self) -> bool {
        self.source != DEFAULT
    }

    /// What counts, unless that is nothing or a secret.
    pub fn value(&self) -> Option<&str> {
        match self.is_set() {
            true => self.given.as_deref(),
            false => self.default.as_deref(),
        }
    }
}

/// Where values come from that nothing sets.
pub(super) const DEFAULT: &str = "default";

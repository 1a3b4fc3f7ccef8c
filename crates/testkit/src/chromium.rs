//! Chromium, in which people do things as they really do.

use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    program::Program,
    tab::{Tab, TabSettings},
};

/// A headless Chromium of a test's own, that is gone when this and its tabs are dropped.
pub struct Chromium {
    running: Arc<Running>,
}

pub(crate) struct Running {
    pub(crate) program: Program,
    _profile: TempDir,
}

/// Where a walk through pages has led.
#[derive(Debug)]
pub struct Walked {
    /// Where it ended.
    pub url: String,
    /// The status of what is there.
    pub status: u64,
    /// What can be read there.
    pub text: String,
    /// Every page and redirection on the way, as `METHOD status URL`.
    pub way: Vec<String>,
}

impl Chromium {
    /// Starts Debian's Chromium.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start() -> Self {
        let profile = tempfile::tempdir().expect("a folder");
        let settings = json!({ "executable": "/usr/bin/chromium", "profile": profile.path() });
        let running = Running {
            program: Program::run("chromium.mjs", &settings),
            _profile: profile,
        };
        Self {
            running: Arc::new(running),
        }
    }

    /// Opens a tab, which is empty.
    pub async fn tab(&self, settings: TabSettings) -> Tab {
        Tab::open(Arc::clone(&self.running), settings).await
    }

    /// Opens an address with no cookies, fills in the forms on the way that have any of the fields, and ends at `until`, or where it
    /// is refused.
    ///
    /// # Panics
    /// If it ends at neither.
    pub async fn walk(&self, url: &str, fields: &Value, until: &str) -> Walked {
        let argument = json!({ "url": url, "fields": fields, "until": until });
        let walked = self.running.program.control("walk", &argument).await;
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let steps = walked["navigations"].as_array().expect("a list");
        let last = steps.last().expect("a page");
        Walked {
            url: text(&walked["url"]),
            status: last["status"].as_u64().expect("a status"),
            text: text(&walked["text"]),
            way: steps
                .iter()
                .map(|step| {
                    format!(
                        "{} {} {}",
                        text(&step["method"]),
                        step["status"],
                        text(&step["url"])
                    )
                })
                .collect(),
        }
    }
}

//! A tab of Chromium, used as people use it.

use std::{path::Path, sync::Arc};

use serde_json::{Value, json};

use crate::chromium::Running;

/// Who looks at the pages of a tab, and by what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TabSettings {
    /// Whether scripts of pages run.
    pub javascript: bool,
    /// The width in pixels of CSS; less than 600 is a phone.
    pub width: u32,
    /// The height in pixels of CSS.
    pub height: u32,
    /// Whether dark colors are preferred.
    pub dark: bool,
}

impl Default for TabSettings {
    fn default() -> Self {
        Self {
            javascript: true,
            width: 1280,
            height: 900,
            dark: false,
        }
    }
}

/// A tab with cookies of its own. What is filled in and pressed goes by the name that a screen reader tells, which is the text of its
/// label, or upon it; what is hidden has none, and a name that two have is refused.
///
/// Whatever is done here is done when all has come that it leads to: a page with all that is in it, or an answer that htmx has put in
/// its place. What scripts do later than that is to be [waited for](Self::wait_for_text). Questions of a page are answered with yes.
///
/// Everything here panics if it cannot be done, and says what can be read there in place of it.
pub struct Tab {
    running: Arc<Running>,
    number: Value,
}

impl Tab {
    pub(crate) async fn open(running: Arc<Running>, settings: TabSettings) -> Self {
        let TabSettings {
            javascript,
            width,
            height,
            dark,
        } = settings;
        let settings = json!({ "javascript": javascript, "width": width, "height": height, "dark": dark });
        let number = running.program.control("open", &settings).await;
        Self { running, number }
    }

    /// Closes it, and forgets its cookies. It is closed with the browser otherwise.
    pub async fn close(self) {
        self.have("close", json!([])).await;
    }

    /// Opens an address, as if it were typed in.
    pub async fn goto(&self, url: &str) {
        self.have("goto", json!([url])).await;
    }

    /// Opens an address by a link on a page of another server, which is at `localhost` or `127.0.0.1`: of another site than the
    /// address, if that has the other host, and else of the same.
    pub async fn goto_from(&self, url: &str, host: &str) {
        let origin = self.running.program.origin().replace("127.0.0.1", host);
        let mut page = reqwest::Url::parse(&format!("{origin}/elsewhere")).expect("a URL");
        page.query_pairs_mut().append_pair("to", url);
        self.goto(page.as_str()).await;
        self.press("Go there").await;
    }

    /// Replaces what is in a field, or chooses among options by their text.
    pub async fn fill(&self, label: &str, value: &str) {
        self.have("fill", json!([label, value])).await;
    }

    /// Checks a box, or picks among several.
    pub async fn check(&self, label: &str) {
        self.have("check", json!([label, true])).await;
    }

    /// Takes the check off a box.
    pub async fn uncheck(&self, label: &str) {
        self.have("check", json!([label, false])).await;
    }

    /// Picks a file. The label is a `<label>` here.
    pub async fn upload(&self, label: &str, file: &Path) {
        self.have("upload", json!([label, file])).await;
    }

    /// Clicks a button or a link.
    pub async fn press(&self, name: &str) {
        self.have("press", json!([name])).await;
    }

    /// Clicks the button or the link that is nearest to a text, as those in a row of a table are.
    pub async fn press_near(&self, text: &str, name: &str) {
        self.have("press", json!([name, text])).await;
    }

    /// Presses a key, such as `Enter` or `Shift+Tab`.
    pub async fn keyboard(&self, key: &str) {
        self.have("keyboard", json!([key])).await;
    }

    /// What can be read.
    pub async fn text(&self) -> String {
        self.say("text", json!([])).await
    }

    /// Where it is.
    pub async fn url(&self) -> String {
        self.say("url", json!([])).await
    }

    /// The status of the page.
    pub async fn status(&self) -> u16 {
        let status = self.have("status", json!([])).await;
        status
            .as_u64()
            .and_then(|status| status.try_into().ok())
            .expect("a status")
    }

    /// What is in a field: of options the text of the chosen one, and of a box `checked` or nothing.
    pub async fn value(&self, label: &str) -> String {
        self.say("value", json!([label])).await
    }

    /// Waits until it can be read.
    pub async fn wait_for_text(&self, text: &str) {
        self.have("waitForText", json!([text])).await;
    }

    /// What an expression in JavaScript comes to.
    pub async fn evaluate(&self, javascript: &str) -> Value {
        self.have("evaluate", json!([javascript])).await
    }

    /// What was copied last, in any tab of this browser.
    pub async fn clipboard(&self) -> String {
        self.say("clipboard", json!([])).await
    }

    /// Takes a picture of the whole page, as PNG.
    pub async fn screenshot(&self, file: &Path) {
        self.have("screenshot", json!([file])).await;
    }

    /// What sticks out of the width of the tab, but for what is in something that scrolls by itself.
    pub async fn overflow(&self) -> Vec<String> {
        self.list("overflow").await
    }

    /// What keeps people out who hear a page, or see little of it, in the eyes of axe-core: only what is serious or critical.
    pub async fn axe(&self) -> Vec<String> {
        self.list("axe").await
    }

    /// What has gone wrong since the tab was opened: what a page's policy forbids, errors of its scripts, what it could not load.
    pub async fn troubles(&self) -> Vec<String> {
        self.list("troubles").await
    }

    /// Connects an authenticator that has no passkeys yet, and somebody who says yes to it. Passkeys are for `localhost`, not for an
    /// address.
    pub async fn authenticator(&self) {
        self.have("authenticator", json!([])).await;
    }

    /// Loads the page anew, and says how many bytes come for somebody who has never been there.
    pub async fn weight(&self) -> u64 {
        self.have("weight", json!([])).await.as_u64().expect("a number")
    }

    async fn have(&self, verb: &str, with: Value) -> Value {
        let argument = json!({ "tab": self.number, "verb": verb, "with": with });
        self.running.program.control("use", &argument).await
    }

    async fn say(&self, verb: &str, with: Value) -> String {
        self.have(verb, with).await.as_str().expect("text").to_owned()
    }

    async fn list(&self, verb: &str) -> Vec<String> {
        serde_json::from_value(self.have(verb, json!([])).await).expect("a list of texts")
    }
}

//! What the tests of all pages begin with.

use tigertrust_model::{Role, UserId, Workspace};
use tigertrust_testkit::{Chromium, Engine, PASSWORD, Tab, TabSettings, TestServer};

/// A phone.
pub(crate) const PHONE: TabSettings = TabSettings {
    javascript: true,
    width: 390,
    height: 844,
    dark: false,
};
/// A browser where no script runs.
pub(crate) const NO_SCRIPT: TabSettings = TabSettings {
    javascript: false,
    width: 1280,
    height: 900,
    dark: false,
};

/// A server with the dashboard, a workspace, and a browser.
pub(crate) struct Site {
    pub(crate) server: TestServer,
    pub(crate) workspace: Workspace,
    pub(crate) chromium: Chromium,
}

impl Site {
    pub(crate) async fn open(engine: Engine) -> Self {
        let server = TestServer::with_pages(engine, tigertrust_dashboard::pages(), |_| Vec::new()).await;
        let workspace = server.workspace("Acme").await;
        Self {
            server,
            workspace,
            chromium: Chromium::start(),
        }
    }

    /// The address of a page.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.server.base_url())
    }

    /// The address of a page of the workspace.
    pub(crate) fn within(&self, path: &str) -> String {
        self.at(&format!("/w/{}{path}", self.workspace.id))
    }

    /// A tab in which nobody is signed in.
    pub(crate) async fn tab(&self, settings: TabSettings) -> Tab {
        self.chromium.tab(settings).await
    }

    /// A member of the workspace, signed in.
    pub(crate) async fn signed_in(&self, role: Role, settings: TabSettings) -> (UserId, Tab) {
        let user = self.server.member(&self.workspace, role).await;
        let tab = self.tab(settings).await;
        self.sign_in(&tab, &self.server.email(user).await).await;
        (user, tab)
    }

    /// Signs in on the page for that.
    pub(crate) async fn sign_in(&self, tab: &Tab, email: &str) {
        tab.goto(&self.at("/sign-in")).await;
        tab.fill("E-mail address", email).await;
        tab.fill("Password", PASSWORD).await;
        tab.press("Sign in").await;
        assert_eq!(tab.status().await, 200, "{}", tab.text().await);
    }
}

/// What is wrong with the page that a tab is at: for who hears it, on its policy, in its scripts, and in its width.
pub(crate) async fn faults(tab: &Tab) -> Vec<String> {
    [tab.axe().await, tab.troubles().await, tab.overflow().await].concat()
}

/// Where a tab is, without the word for what was done: a script takes that out of the address once it was said.
pub(crate) async fn whereabouts(tab: &Tab) -> String {
    let url = tab.url().await;
    url.split("?done=").next().unwrap().to_owned()
}

//! Throwaway identity providers, and the browser of who signs in with them.

use std::collections::BTreeMap;

use reqwest::{Client, Response, Url, redirect};
use serde_json::{Value, json};
use tigertrust_model::Timestamp;

use crate::program::Program;

/// An identity provider of a test's own, on a loopback port of its own, that is gone when this is dropped. Its clock begins where
/// [`TestClock`](crate::TestClock) does, and goes on.
pub struct ThrowawayProvider {
    program: Program,
}

impl ThrowawayProvider {
    /// npm's `oidc-provider`, with a login form. The settings are described in `providers/openid-provider.mjs`:
    ///
    /// ```json
    /// {
    ///   "host": "127.0.0.1",
    ///   "issuers": [{ "path": "/acme/v2.0" }],
    ///   "accounts": { "ada": { "sub": "1", "email": "ada@example.com", "email_verified": true, "name": "Ada" } },
    ///   "clients": [{ "client_id": "tigertrust", "client_secret": "secret", "redirect_uris": ["http://127.0.0.1:1/callback"] }]
    /// }
    /// ```
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start(settings: &Value) -> Self {
        Self::run("openid-provider.mjs", settings)
    }

    /// npm's `oauth2-mock-server`, which does things wrong that are described in `providers/wrong-provider.mjs`.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start_wrong(settings: &Value) -> Self {
        Self::run("wrong-provider.mjs", settings)
    }

    /// npm's `samlp`, with a login form. The settings are described in `providers/saml-provider.mjs`:
    ///
    /// ```json
    /// {
    ///   "host": "127.0.0.1",
    ///   "signs": "both",
    ///   "accounts": { "ada": { "nameId": "1", "attributes": { "mail": "ada@example.com", "groups": ["staff"] } } }
    /// }
    /// ```
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start_saml(settings: &Value) -> Self {
        Self::run("saml-provider.mjs", settings)
    }

    fn run(program: &str, settings: &Value) -> Self {
        Self {
            program: Program::run(program, settings),
        }
    }

    /// Where it is: scheme, host and port. The issuer is this and the path that the settings name.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.program.origin()
    }

    /// Sets its clock, which goes on from there.
    pub async fn set_time(&self, now: Timestamp) {
        self.control("time", &json!(now.unix_millis())).await;
    }

    /// Has it do one of the things that are described in its program.
    ///
    /// # Panics
    /// If it does not.
    pub async fn control(&self, name: &str, argument: &Value) -> Value {
        self.program.control(name, argument).await
    }

    /// The metadata of a SAML provider.
    ///
    /// # Panics
    /// If there is none.
    pub async fn metadata(&self) -> String {
        let answer = reqwest::get(format!("{}/metadata", self.origin())).await;
        answer.expect("it answers").text().await.expect("a document")
    }

    /// A response of a SAML provider that nobody has asked for.
    ///
    /// # Panics
    /// If it does not know the service provider, or nobody is called so.
    pub async fn unsolicited(&self, login: &str, service_provider: &str) -> SamlForm {
        let argument = json!({ "login": login, "serviceProvider": service_provider });
        let form = self.control("unsolicited", &argument).await;
        let field = |name: &str| form[name].as_str().map(ToOwned::to_owned);
        SamlForm {
            action: field("action").expect("an address"),
            response: field("SAMLResponse").expect("a response"),
            relay_state: field("RelayState"),
        }
    }
}

/// What a SAML provider has the browser post.
#[derive(Clone, Debug)]
pub struct SamlForm {
    /// Where to.
    pub action: String,
    /// `SAMLResponse`.
    pub response: String,
    /// `RelayState`.
    pub relay_state: Option<String>,
}

/// Somebody's browser at a provider: it keeps cookies, and fills in forms.
pub struct ProviderBrowser {
    client: Client,
    cookies: BTreeMap<String, String>,
}

impl Default for ProviderBrowser {
    fn default() -> Self {
        Self {
            client: Client::builder()
                .redirect(redirect::Policy::none())
                .build()
                .expect("a client"),
            cookies: BTreeMap::new(),
        }
    }
}

impl ProviderBrowser {
    /// Goes where it is sent to sign in, does so, and says where it is sent then: to the callback that the first URL names.
    ///
    /// # Panics
    /// If the provider does not send it there.
    pub async fn sign_in(&mut self, url: &str, login: &str) -> Url {
        let mut url = Url::parse(url).expect("a URL");
        let callback = parameter(&url, "redirect_uri").expect("a callback");
        let mut answer = self.get(&url).await;
        // From page to page; none needs more than this.
        for _ in 0..10 {
            if let Some(next) = location(&url, &answer) {
                if next.as_str().starts_with(&callback) {
                    return next;
                }
                url = next;
                answer = self.get(&url).await;
            } else {
                let page = answer.text().await.expect("a page");
                url = action(&url, &page);
                answer = self.post(&url, &[("login", login), ("password", "any")]).await;
            }
        }
        panic!("the provider does not send {login} back");
    }

    /// Goes to a SAML provider to sign in, does so, and returns the form that is sent off by itself then.
    ///
    /// # Panics
    /// If the provider refuses.
    pub async fn sign_in_by_saml(&mut self, url: &str, login: &str) -> SamlForm {
        let url = Url::parse(url).expect("a URL");
        let answer = self.get(&url).await;
        assert!(answer.status().is_success(), "{}", answer.status());
        let page = answer.text().await.expect("a page");
        let form = [("login", login), ("password", "any")];
        let answer = self.post(&action(&url, &page), &form).await;
        assert!(answer.status().is_success(), "{}", answer.status());
        let page = answer.text().await.expect("a page");
        let field = |name: &str| between(&page, &format!("name=\"{name}\" value=\"")).map(ToOwned::to_owned);
        SamlForm {
            action: action(&url, &page).into(),
            response: field("SAMLResponse").expect("a response"),
            relay_state: field("RelayState"),
        }
    }

    /// Signs out at the provider, which then tells everybody who was signed in to.
    ///
    /// # Panics
    /// If there is no form to do so.
    pub async fn sign_out(&mut self, issuer: &str) {
        let url = Url::parse(&format!("{issuer}/session/end")).expect("a URL");
        let page = self.get(&url).await.text().await.expect("a page");
        let xsrf = between(&page, "name=\"xsrf\" value=\"").expect("a form");
        let answer = self
            .post(&action(&url, &page), &[("xsrf", xsrf), ("logout", "yes")])
            .await;
        assert!(answer.status().is_redirection(), "{}", answer.status());
    }

    async fn get(&mut self, url: &Url) -> Response {
        let request = self.client.get(url.clone());
        self.send(request).await
    }

    async fn post(&mut self, url: &Url, form: &[(&str, &str)]) -> Response {
        let encoded = Url::parse_with_params("form:", form).expect("a form");
        let request = self
            .client
            .post(url.clone())
            .header("content-type", "application/x-www-form-urlencoded")
            .body(encoded.query().unwrap_or_default().to_owned());
        self.send(request).await
    }

    async fn send(&mut self, request: reqwest::RequestBuilder) -> Response {
        let cookies: Vec<_> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let answer = request
            .header("cookie", cookies.join("; "))
            .send()
            .await
            .expect("the provider answers");
        for cookie in answer.headers().get_all("set-cookie") {
            let cookie = cookie
                .to_str()
                .expect("ASCII")
                .split(';')
                .next()
                .unwrap_or_default();
            let (name, value) = cookie.split_once('=').expect("a cookie");
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }
}

fn location(from: &Url, answer: &Response) -> Option<Url> {
    let location = answer.headers().get("location")?.to_str().expect("ASCII");
    Some(from.join(location).expect("a URL"))
}

/// Where the form of a page goes.
fn action(from: &Url, page: &str) -> Url {
    let action = between(page, "action=\"").unwrap_or_else(|| panic!("no form at {from}: {page}"));
    from.join(&action.replace("&#38;", "&")).expect("a URL")
}

fn between<'a>(page: &'a str, before: &str) -> Option<&'a str> {
    page.split_once(before)?.1.split('"').next()
}

fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

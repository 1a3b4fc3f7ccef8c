//! A person's browser, for the tests of people.

use std::collections::BTreeMap;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tigertrust_model::UserId;
use tigertrust_testkit::{Answer, PASSWORD, TestServer, send};

/// The cookies of one browser, as the server set them.
#[derive(Clone, Default)]
pub(crate) struct Browser {
    pub(crate) session: Option<String>,
    pub(crate) device: Option<String>,
    /// Those of sign-ins that are under way at a provider.
    pub(crate) waiting: BTreeMap<String, String>,
}

impl Browser {
    /// A browser in which the person is signed in.
    pub(crate) async fn signed_in(server: &TestServer, user: UserId) -> Self {
        let mut browser = Self::default();
        let answer = browser.login(server, &server.email(user).await, PASSWORD).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        browser
    }

    pub(crate) async fn login(&mut self, server: &TestServer, email: &str, password: &str) -> Answer {
        let body = json!({"email": email, "password": password});
        self.send(server.request(Method::POST, "/api/auth/login").json(&body))
            .await
    }

    /// Sends a request with the cookies, and keeps those that are set.
    pub(crate) async fn send(&mut self, request: RequestBuilder) -> Answer {
        let own = [
            ("connect.sid", self.session.as_ref()),
            ("tigertrust_device", self.device.as_ref()),
        ];
        let waiting = self
            .waiting
            .iter()
            .map(|(name, value)| (name.as_str(), Some(value)));
        let cookies: Vec<String> = own
            .into_iter()
            .chain(waiting)
            .filter_map(|(name, value)| value.map(|value| format!("{name}={value}")))
            .collect();
        let request = match cookies.as_slice() {
            [] => request,
            cookies => request.header("Cookie", cookies.join("; ")),
        };
        let answer = send(request).await;
        for cookie in answer.headers.get_all("set-cookie") {
            let (pair, _) = cookie.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            let value = Some(value.to_owned()).filter(|value| !value.is_empty());
            match name {
                "connect.sid" => self.session = value,
                "tigertrust_device" => self.device = value,
                name if name.starts_with("tigertrust_sso_") => match value {
                    Some(value) => drop(self.waiting.insert(name.to_owned(), value)),
                    None => drop(self.waiting.remove(name)),
                },
                other => panic!("a cookie called {other}"),
            }
        }
        answer
    }

    /// Proves that mail to the person's address arrives.
    pub(crate) async fn prove_address(&mut self, server: &TestServer, email: &str) {
        drop(server.mails.take(email));
        let asked = self
            .post(server, "/api/auth/email/change", &json!({"newEmail": email}))
            .await;
        assert_eq!(asked.status, 202, "{asked:?}");
        let body = json!({"token": server.mails.token(email)});
        let proved = self.post(server, "/api/auth/email/verify", &body).await;
        assert!(proved.status.is_success(), "{proved:?}");
    }

    pub(crate) async fn get(&mut self, server: &TestServer, path: &str) -> Answer {
        self.send(server.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&mut self, server: &TestServer, path: &str, body: &Value) -> Answer {
        self.send(server.request(Method::POST, path).json(body)).await
    }

    pub(crate) async fn patch(&mut self, server: &TestServer, path: &str, body: &Value) -> Answer {
        self.send(server.request(Method::PATCH, path).json(body)).await
    }

    pub(crate) async fn delete(&mut self, server: &TestServer, path: &str) -> Answer {
        self.send(server.request(Method::DELETE, path)).await
    }

    /// The status of `/api/auth/me`.
    pub(crate) async fn me(&mut self, server: &TestServer) -> u16 {
        self.get(server, "/api/auth/me").await.status.as_u16()
    }
}

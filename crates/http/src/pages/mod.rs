//! The pages that links in mails lead to, and those that end a sign-in at an identity provider. The former read the token from the
//! fragment of their address, which no request carries, and call the operation of the API that the link is for; nothing of a request is
//! written into them. On the latter nothing runs.

use std::future::ready;

use actix_web::{
    HttpResponse, Resource, ResponseError as _, guard,
    http::header::{self, HeaderValue},
    web::{self, ServiceConfig},
};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{error::ApiError, mount::method_not_allowed};

const HTML: &str = "text/html; charset=utf-8";
const SHELL: &str = include_str!("link.html");
const SCRIPT: &str = include_str!("link.js");
const STYLE: &str = include_str!("link.css");

/// Only what comes from this server runs and is called, and a form whose script is missing goes nowhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

/// One page.
struct Page {
    path: &'static str,
    title: &'static str,
    /// What the person is asked to do.
    text: &'static str,
    /// The inputs, in HTML.
    fields: &'static str,
    button: &'static str,
    /// What it says once that is done.
    done: &'static str,
    /// The operation, below `/api/`.
    calls: &'static str,
}

const PAGES: [Page; 4] = [
    Page {
        path: "/password/reset",
        title: "Set a new password",
        text: "All of your sessions end with it, and you sign in anew.",
        fields: r#"<label for="newPassword">New password</label>
<input id="newPassword" name="newPassword" type="password" autocomplete="new-password" required>"#,
        button: "Set password",
        done: "Your password is set. Sign in with it now.",
        calls: "auth/password/reset",
    },
    Page {
        path: "/email/verify",
        title: "Confirm your e-mail address",
        text: "Your account has this address from then on.",
        fields: "",
        button: "Confirm",
        done: "Your address is confirmed.",
        calls: "auth/email/verify",
    },
    Page {
        path: "/invitations/accept",
        title: "Accept the invitation",
        text: "If you have an account and are signed in, accept. If you have none yet, choose a password for it.",
        fields: r#"<label for="name">Name, for a new account</label>
<input id="name" name="name" autocomplete="name">
<label for="password">Password, for a new account</label>
<input id="password" name="password" type="password" autocomplete="new-password">"#,
        button: "Accept",
        done: "You are a member now.",
        calls: "invitations/accept",
    },
    Page {
        path: SECOND_STEP,
        title: "One more step",
        text: "Your account has a second factor: a code of your authenticator app, or a recovery code.",
        fields: r#"<label for="code">Code</label>
<input id="code" name="code" autocomplete="one-time-code" required>"#,
        button: "Sign in",
        done: "You are signed in.",
        calls: "auth/verify-2fa",
    },
];

/// Where somebody proves a second factor whom a provider has signed in.
const SECOND_STEP: &str = "/sign-in/second-step";

/// The page that goes on by itself: nothing on it runs.
const GO_ON: &str = include_str!("go_on.html");
/// The page that says why somebody is not signed in.
const REFUSED: &str = include_str!("refused.html");

/// A page that goes on by itself to an address, which was checked. What comes from another site brings no cookie that is `Strict`;
/// from a page of ours the browser sends it.
#[must_use]
pub fn go_on(title: &str, to: &str) -> HttpResponse {
    let to = escaped(to);
    file(HTML, GO_ON.replace("{title}", title).replace("{to}", &to))
}

/// Where the second step is taken: the token travels in the fragment, which no request carries.
pub(crate) fn second_step(token: &str, return_to: &str) -> String {
    let return_to = utf8_percent_encode(return_to, NON_ALPHANUMERIC);
    format!("{SECOND_STEP}#token={token}&returnTo={return_to}")
}

/// A page that says why somebody is not signed in.
pub(crate) fn refused(error: &ApiError) -> HttpResponse {
    let problem = error.problem();
    // It has no list of errors to look in, as a program has.
    let mistakes: Vec<String> = problem
        .errors
        .iter()
        .map(|mistake| format!("{} {}", mistake.pointer.trim_start_matches('/'), mistake.detail))
        .collect();
    let reason = if mistakes.is_empty() {
        problem.detail.clone()
    } else {
        mistakes.join("; ")
    };
    let page = REFUSED.replace("{reason}", &escaped(&reason));
    let mut response = file(HTML, page);
    *response.status_mut() = error.status_code();
    response
}

fn escaped(text: &str) -> String {
    [
        ("&", "&amp;"),
        ("<", "&lt;"),
        (">", "&gt;"),
        ("\"", "&quot;"),
        ("'", "&#39;"),
    ]
    .into_iter()
    .fold(text.to_owned(), |text, (letter, entity)| {
        text.replace(letter, entity)
    })
}

pub(crate) fn mount(config: &mut ServiceConfig) {
    for page in &PAGES {
        let html = page.html();
        config.service(served(page.path, HTML, html));
    }
    for (path, kind, text) in [
        ("/pages/link.js", "text/javascript; charset=utf-8", SCRIPT),
        ("/pages/link.css", "text/css; charset=utf-8", STYLE),
    ] {
        config.service(served(path, kind, text.to_owned()));
    }
}

impl Page {
    fn html(&self) -> String {
        [
            ("{title}", self.title),
            ("{text}", self.text),
            ("{fields}", self.fields),
            ("{button}", self.button),
            ("{done}", self.done),
            ("{calls}", self.calls),
        ]
        .into_iter()
        .fold(SHELL.to_owned(), |html, (place, text)| html.replace(place, text))
    }
}

fn served(path: &'static str, kind: &'static str, text: String) -> Resource {
    let read = guard::Any(guard::Get()).or(guard::Head());
    web::resource(path)
        .route(
            web::route()
                .guard(read)
                .to(move || ready(file(kind, text.clone()))),
        )
        .default_service(web::to(|request| {
            method_not_allowed(request, "GET, HEAD".to_owned())
        }))
}

fn file(kind: &'static str, text: String) -> HttpResponse {
    let mut response = HttpResponse::Ok().content_type(kind).body(text);
    response
        .headers_mut()
        .insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response
}

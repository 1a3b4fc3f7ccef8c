//! How somebody signs in: password, second factor, passkeys, sessions.

mod app;
mod codes;
mod device;
mod passkeys;
mod password;
mod sessions;

use actix_web::{HttpResponse, http::Method};
use maud::{Markup, html};
use tigertrust_accounts::HeldFactors;
use tigertrust_http::ApiError;
use tigertrust_model::Timestamp;
use tigertrust_wire::{Code, FieldProblem};

use super::keys;
use crate::{
    components::{badge, warning},
    instant,
    layout::{self, Place},
    routes::{PathPages, shown},
    visitor::{PageResult, Visitor},
};

/// Where all of it is.
const HOME: &str = "/account/security";
/// How many recovery codes are few.
const FEW: usize = 3;

/// What a page says after something was done: see [`notice`](crate::notice).
pub(crate) const NOTICES: &[(&str, &str)] = &[
    (
        "password-changed",
        "Your password is changed. All of your other sessions have ended.",
    ),
    (
        "app-added",
        "The authenticator app is added. Signing in asks for its code from now on.",
    ),
    (
        "app-removed",
        "The authenticator app is removed. Its codes count no longer.",
    ),
    (
        "app-anew",
        "There was no app to confirm any more. Begin anew here.",
    ),
    ("passkey-added", "The passkey is added. You can sign in with it."),
    ("passkey-renamed", "The passkey has another name."),
    (
        "passkey-removed",
        "The passkey is removed. Nobody can sign in with it any more.",
    ),
    (
        "session-ended",
        "The session has ended. Whoever had it is signed out.",
    ),
    ("sessions-ended", "All of your other sessions have ended."),
];

/// Every path with its pages.
pub(crate) fn routes() -> Vec<PathPages> {
    let own = shown(HOME, (Method::GET, "/api/auth/sessions"), show);
    [
        vec![own],
        password::routes(),
        app::routes(),
        codes::routes(),
        passkeys::routes(),
        sessions::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What the person signs in with, and where it is signed in.
pub(crate) async fn show(visitor: Visitor) -> PageResult {
    let sign_in = &visitor.app().sign_in;
    let held = sign_in.factors(&visitor).await?;
    let sessions = sign_in.sessions(&visitor).await?;
    let now = visitor.now();
    let content = html! {
        div.page-head {
            div {
                h1 { "Security" }
                p.quiet { "What you sign in with, and where you are signed in." }
            }
        }
        @if held.sso_only {
            (warning(&html! {
                p { "Your company has its people sign in by its own provider alone. What is here does not sign you in as long as that is so." }
            }))
        } @else if !held.has_second_factor() {
            (warning(&html! {
                p { strong { "Your account has no second factor." } " Add a passkey or an authenticator app: then a stolen password alone opens nothing." }
            }))
        }
        div.grid {
            (password_card(&held))
            (app_card(&held))
            @if held.has_second_factor() { (codes_card(&held)) }
        }
        (passkeys::card(&held.passkeys, now))
        (sessions::card(&visitor, &sessions, now))
    };
    Ok(layout::respond(framed(&visitor, "Security", &content)))
}

fn password_card(held: &HeldFactors) -> Markup {
    html! {
        section.card {
            h2 { "Password" }
            @if held.has_password {
                p { "You can sign in with your address and a password." }
                div.actions { a.button href={ (HOME) "/password" } { "Change password" } }
            } @else {
                p { "Your account has none: you sign in by a provider, or with a passkey." }
                @if !held.sso_only {
                    p { "A mail with a link lets you set one." }
                    div.actions { a.button href="/password/forgot" { "Set a password" } }
                }
            }
        }
    }
}

fn app_card(held: &HeldFactors) -> Markup {
    html! {
        section.card {
            div.card-head { h2 { "Authenticator app" } @if held.totp_since.is_some() { (badge("good", "on")) } }
            @if let Some(since) = held.totp_since {
                p { "After your password, signing in asks for the code that the app shows. Added " (instant::at(since)) "." }
                div.actions { a.button.danger href={ (HOME) "/app/remove" } { "Remove the app" } }
            } @else {
                p { "An app on your phone shows a code that is another one every 30 seconds; signing in asks for it after your password." }
                div.actions { a.button href={ (HOME) "/app" } { "Add an authenticator app" } }
            }
        }
    }
}

fn codes_card(held: &HeldFactors) -> Markup {
    html! {
        section.card {
            div.card-head { h2 { "Recovery codes" } @if held.recovery_codes <= FEW { (badge("warn", "few left")) } }
            p { "For when your phone or passkey is gone: each of them counts once in place of a code. " (left(held.recovery_codes)) }
            div.actions { a.button href={ (HOME) "/recovery-codes" } { "Make new codes" } }
        }
    }
}

fn left(codes: usize) -> Markup {
    html! {
        @match codes {
            0 => "You have none left.",
            1 => "You have one left.",
            _ => { "You have " (codes) " left." }
        }
    }
}

/// A page of this subject.
fn framed(visitor: &Visitor, title: &str, content: &Markup) -> Markup {
    layout::framed(visitor, Place::Security, title, content)
}

/// A page of this subject, with the status of what was refused.
fn answered(visitor: &Visitor, title: &str, content: &Markup, refused: Option<&ApiError>) -> HttpResponse {
    layout::answer(framed(visitor, title, content), refused)
}

/// The way back above a heading.
fn up() -> Markup {
    html! { p { a href=(HOME) { "Security" } } }
}

/// Whether a mistake is shown on the form: beside what all forms show, a proof that is not right, for which nobody is sent to sign in.
fn is_of_form(error: &ApiError) -> bool {
    keys::is_of_form(error) || error.problem().code == Code::Unauthorized
}

/// A proof that is not right, said of the field that it was typed into; what else is wrong stays as it is.
fn said_of(name: &str, detail: &str, error: &ApiError) -> ApiError {
    let mut problem = error.problem().clone();
    if problem.code == Code::Unauthorized {
        problem.errors = vec![FieldProblem {
            pointer: format!("/{name}"),
            detail: detail.to_owned(),
        }];
    }
    problem.into()
}

/// When something was last used.
fn last_used(at: Option<Timestamp>, now: Timestamp) -> Markup {
    html! { @match at { Some(at) => (instant::from_now(at, now)), None => span.quiet { "never" } } }
}

//! What a page says that cannot show what was asked for, or not do it yet.

use actix_web::{HttpResponse, http::Method};
use maud::{Markup, html};
use tigertrust_credentials::AuthError;
use tigertrust_http::ApiError;
use tigertrust_wire::{Code, Problem};

use crate::{
    components::{self, submit},
    form::{Fields, PROOF_CODE, PROOF_PASSKEY, PROOF_PASSWORD},
    layout,
    visitor::Visitor,
};

/// Says what went wrong; in the frame of the page where the person may see that.
pub(crate) fn page(error: &ApiError, visitor: Option<&Visitor>) -> HttpResponse {
    let problem = error.told();
    // The API says it in the words of programs.
    if problem.detail == Problem::from(&AuthError::SecondFactorMissing).detail {
        return second_factor_missing(error, visitor);
    }
    let (title, advice) = match problem.code {
        Code::NotFound => (
            "Not found",
            "It may have been removed, or be in a workspace that you are no member of.",
        ),
        Code::Forbidden | Code::WorkspaceAccessDenied => (
            "Not allowed",
            "If your role is the reason, somebody with another one can do it, or change yours.",
        ),
        Code::RateLimited => ("Too many requests", "Wait a moment, then try again."),
        Code::Conflict => ("That does not go together", "Nothing was changed."),
        Code::ServiceUnavailable => (
            "Not available",
            "Try again in a moment. If you sent something, look first whether it was done.",
        ),
        _ => ("That did not work", "Nothing was changed."),
    };
    let content = html! {
        section.card.narrow {
            h1 { (title) }
            p { (problem.detail) }
            @for mistake in &problem.errors {
                p.error { code { (mistake.pointer.trim_start_matches('/')) } " " (mistake.detail) }
            }
            p.quiet { (advice) }
            @if let Some(visitor) = visitor.filter(|visitor| visitor.request().method() == Method::POST) {
                p { a href=(visitor.request().uri().path()) { "Back to the form" } }
            }
            p { a href="/" { "Go to the overview" } }
        }
    };
    let html = match visitor {
        Some(visitor) => layout::framed(visitor, layout::Place::None, title, &content),
        None => layout::plain(title, &content),
    };
    layout::answer(html, Some(error))
}

/// Says what a workspace demands of whoever opens it.
fn second_factor_missing(error: &ApiError, visitor: Option<&Visitor>) -> HttpResponse {
    let title = "A second factor is needed";
    let content = html! {
        section.card.narrow {
            h1 { (title) }
            p {
                "This workspace can be used only by members who have proved a second factor: an authenticator app or a passkey. \
                 In this session you have not."
            }
            div.prose {
                ul {
                    li { a href="/account/security" { "Add one under Security" } ", if you have none. It counts at once." }
                    li { a href="/step-up?return=/workspaces" { "Prove the one that you have" } ", or sign out, and sign in again with it." }
                }
            }
            p.quiet { "Your account and other workspaces are not concerned. You can leave this one, too: it is among your workspaces." }
            div.actions { a.button href="/workspaces" { "Your workspaces" } }
        }
    };
    let html = match visitor {
        Some(visitor) => layout::framed(visitor, layout::Place::None, title, &content),
        None => layout::plain(title, &content),
    };
    layout::answer(html, Some(error))
}

/// Asks who it is once more, and then goes on with what was sent.
pub(crate) fn prove(visitor: &Visitor, fields: &Fields, wrong: Option<&ApiError>) -> HttpResponse {
    let content = html! {
        section.card.narrow {
            h1 { "Confirm that it is you" }
            p { "This changes who can get in, so it needs a proof that is not older than ten minutes." }
            @if let Some(error) = wrong { (components::alert(&error.problem().detail)) }
            form method="post" action=(visitor.request().uri().path()) {
                (components::token(visitor))
                @for (name, value) in fields.repeatable() { input type="hidden" name=(name) value=(value); }
                (proof_fields())
                @for (index, name) in fields.secrets().enumerate() {
                    @let id = format!("again-{index}");
                    div.field {
                        label for=(id) { (in_words(name)) ", once more" }
                        p.hint id={ (id) "-hint" } { "What you typed before is shown on no page." }
                        input id=(id) name=(name) type="password" autocomplete="off" required aria-describedby={ (id) "-hint" };
                    }
                }
                div.actions { (submit("Confirm")) a.button.quiet href=(visitor.request().uri().path()) { "Cancel" } }
                (passkey_proof())
            }
        }
    };
    let html = layout::framed(visitor, layout::Place::None, "Confirm that it is you", &content);
    layout::answer(html, wrong)
}

/// The name of a field for people: `oidc/clientSecret` is "Client secret".
fn in_words(name: &str) -> String {
    let own = name.rsplit('/').next().unwrap_or(name);
    let mut words = String::new();
    for letter in own.chars() {
        match letter {
            _ if words.is_empty() => words.extend(letter.to_uppercase()),
            _ if letter.is_uppercase() => {
                words.push(' ');
                words.extend(letter.to_lowercase());
            }
            _ => words.push(letter),
        }
    }
    words
}

/// The fields by which somebody proves who it is.
pub(crate) fn proof_fields() -> Markup {
    html! {
        div.field {
            label for="proof-password" { "Password" }
            input id="proof-password" name=(PROOF_PASSWORD) type="password" autocomplete="current-password";
        }
        div.field {
            label for="proof-code" { "Code" }
            p.hint id="proof-code-hint" { "Of your authenticator app, or a recovery code; if you have a second factor." }
            input id="proof-code" name=(PROOF_CODE) autocomplete="one-time-code" inputmode="text" aria-describedby="proof-code-hint";
        }
    }
}

/// The button that proves it by a passkey, and sends the form that it is in with the passkey's answer.
pub(crate) fn passkey_proof() -> Markup {
    html! {
        input type="hidden" name=(PROOF_PASSKEY);
        div.with-script hidden data-passkey-proof {
            p.divider { "or" }
            button.button.wide type="button" { "Use a passkey" }
            p.error role="alert" data-message {}
        }
    }
}

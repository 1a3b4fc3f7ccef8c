//! Recovery codes.

use actix_web::{HttpResponse, http::Method};
use maud::{Markup, html};
use tigertrust_accounts::RecoveryCodes;
use tigertrust_http::{ApiError, page};

use super::{HOME, answered, framed, is_of_form};
use crate::{
    components::{Confirm, confirm, warning},
    form::{Fields, Filled},
    layout,
    routes::{PathPages, asked_once},
    visitor::{PageResult, Visitor},
};

pub(super) fn routes() -> Vec<PathPages> {
    vec![asked_once(
        "/account/security/recovery-codes",
        (Method::POST, "/api/auth/2fa/recovery-codes"),
        ask,
        renew,
    )]
}

/// Asks whether there are to be other codes.
pub(crate) async fn ask(visitor: Visitor) -> PageResult {
    Ok(ask_page(&visitor, &Filled::empty(), None))
}

fn ask_page(visitor: &Visitor, form: &Filled, refused: Option<&ApiError>) -> HttpResponse {
    let content = confirm(
        visitor,
        form,
        &Confirm {
            title: "Make new recovery codes?",
            content: html! {
                p { "You get ten other codes, which are shown once. Those that you have now count no longer, wherever you keep them." }
            },
            fields: html! {},
            button: "Make new codes",
            back: HOME,
        },
    );
    answered(visitor, "Make new recovery codes", &content, refused)
}

/// Makes them, and shows them.
pub(crate) async fn renew(visitor: Visitor, fields: Fields) -> PageResult {
    let (app, request) = (visitor.app(), visitor.request());
    let from = page::from(app, request);
    match app.sign_in.renew_recovery_codes(&visitor, &from).await {
        Ok(codes) => {
            tracing::info!(user = %visitor.user().id, "recovery codes renewed");
            Ok(shown_page(&visitor, "Your new recovery codes", &codes))
        }
        Err(error) => {
            let error = ApiError::from(error);
            if !is_of_form(&error) {
                return Err(error);
            }
            Ok(ask_page(
                &visitor,
                &Filled::refused(&fields, &error),
                Some(&error),
            ))
        }
    }
}

/// Recovery codes, shown this once.
pub(super) fn shown_page(visitor: &Visitor, title: &str, shown: &RecoveryCodes) -> HttpResponse {
    let shown: Vec<&str> = shown.0.iter().map(|code| code.as_str()).collect();
    let content = html! {
        section.card.narrow {
            h1 { (title) }
            (warning(&html! {
                p { strong { "Keep them now." } " They are shown this once. Each of them counts once in place of a code, for when your phone or passkey is gone." }
            }))
            (list("recovery-codes", &shown))
            p.quiet { "Print them, or put them into your password manager: not onto the phone alone that has the app." }
            div.actions { a.button.primary href=(HOME) { "I have kept them" } }
        }
    };
    layout::respond(framed(visitor, title, &content))
}

/// Codes one below the other, to be copied at once.
pub(super) fn list(id: &str, shown: &[&str]) -> Markup {
    html! {
        ul.codes id=(id) { @for code in shown { li { (code) } } }
        div.actions.with-script hidden { button.button type="button" data-copy=(id) { "Copy the codes" } }
    }
}

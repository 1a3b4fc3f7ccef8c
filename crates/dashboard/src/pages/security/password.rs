//! Changing the password.

use actix_web::{HttpResponse, http::Method};
use maud::{Markup, html};
use tigertrust_http::{ApiError, page};

use super::{HOME, answered, is_of_form, said_of, up};
use crate::{
    components::{Input, input, submit, summary, token},
    form::{Fields, Filled},
    routes::{PathPages, asked},
    visitor::{PageResult, Visitor, see_other},
};

const PATH: &str = "/account/security/password";

pub(super) fn routes() -> Vec<PathPages> {
    vec![asked(PATH, (Method::PUT, "/api/auth/password"), show, change)]
}

/// Where the password is changed.
pub(crate) async fn show(visitor: Visitor) -> PageResult {
    form_page(&visitor, &Filled::empty(), None).await
}

async fn form_page(visitor: &Visitor, form: &Filled, refused: Option<&ApiError>) -> PageResult {
    let held = visitor.app().sign_in.factors(visitor).await?;
    let content = html! {
        section.card.narrow {
            (up())
            h1 { "Change password" }
            @if held.has_password {
                (summary(form, &["currentPassword", "newPassword"]))
                (fields(visitor, form, held.has_second_factor()))
            } @else {
                p { "Your account has no password yet. A mail with a link lets you set one." }
                div.actions { a.button.primary href="/password/forgot" { "Get the mail" } a.button.quiet href=(HOME) { "Back" } }
            }
        }
    };
    Ok(answered(visitor, "Change password", &content, refused))
}

fn fields(visitor: &Visitor, form: &Filled, second_factor: bool) -> Markup {
    let hint = match second_factor {
        true => "8 characters or more, since your account has a second factor; not a common one.",
        false => "15 characters or more, or 8 once your account has a second factor; not a common one.",
    };
    html! {
        form method="post" action=(PATH) {
            (token(visitor))
            // Password managers ask whose password it is.
            input type="text" name="_username" autocomplete="username" value=(visitor.user().email) readonly hidden;
            (input(form, &Input {
                name: "currentPassword", label: "Current password", kind: "password", autocomplete: "current-password",
                required: true, ..Input::default()
            }))
            (input(form, &Input {
                name: "newPassword", label: "New password", kind: "password", autocomplete: "new-password", hint, required: true,
                ..Input::default()
            }))
            p.quiet { "All of your other sessions end with it." }
            div.actions { (submit("Change password")) a.button.quiet href=(HOME) { "Cancel" } }
        }
    }
}

/// Changes it; the session goes on under another token.
pub(crate) async fn change(visitor: Visitor, fields: Fields) -> PageResult {
    match try_change(&visitor, &fields).await {
        Ok(response) => Ok(response),
        Err(error) if is_of_form(&error) => {
            let said = said_of("currentPassword", "is not right", &error);
            form_page(&visitor, &Filled::refused(&fields, &said), Some(&error)).await
        }
        Err(error) => Err(error),
    }
}

async fn try_change(visitor: &Visitor, fields: &Fields) -> Result<HttpResponse, ApiError> {
    let typed = |name| fields.raw(name).unwrap_or_default();
    let (app, request) = (visitor.app(), visitor.request());
    let changed = app
        .sign_in
        .change_password(
            visitor,
            typed("currentPassword"),
            typed("newPassword"),
            &page::from(app, request),
        )
        .await
        .inspect_err(|error| page::note_refusal(app, request, "password not changed", error))?;
    tracing::info!(user = %visitor.user().id, "password changed");
    visitor.hand_out(changed);
    Ok(see_other("/account/security?done=password-changed"))
}

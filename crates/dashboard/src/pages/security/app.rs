//! The authenticator app: added, and removed.

use actix_web::{HttpResponse, http::Method};
use maud::{Markup, html};
use tigertrust_accounts::NewTotp;
use tigertrust_http::{ApiError, page};
use tigertrust_wire::Code;

use super::{HOME, answered, codes, framed, is_of_form, said_of, up};
use crate::{
    components::{Confirm, Input, confirm, copyable, drawn, input, submit, summary, token, warning},
    form::{Fields, Filled},
    layout,
    routes::{PathPages, asked},
    visitor::{PageResult, Visitor, see_other},
};

const PATH: &str = "/account/security/app";
const CONFIRM: &str = "/account/security/app/confirm";

pub(super) fn routes() -> Vec<PathPages> {
    vec![
        asked(PATH, (Method::POST, "/api/auth/2fa/totp"), ask, add),
        asked(
            CONFIRM,
            (Method::POST, "/api/auth/2fa/totp/confirm"),
            ask_code,
            confirm_code,
        ),
        asked(
            "/account/security/app/remove",
            (Method::DELETE, "/api/auth/2fa/totp"),
            ask_remove,
            remove,
        ),
    ]
}

/// Says what adding an app is, and begins it.
pub(crate) async fn ask(visitor: Visitor) -> PageResult {
    ask_page(&visitor, &Filled::empty(), None).await
}

async fn ask_page(visitor: &Visitor, form: &Filled, refused: Option<&ApiError>) -> PageResult {
    let held = visitor.app().sign_in.factors(visitor).await?;
    let content = html! {
        section.card.narrow {
            (up())
            h1 { "Add an authenticator app" }
            (summary(form, &[]))
            @if held.totp_since.is_some() {
                p { "Your account has an app already. To use another one, remove that first." }
                div.actions { a.button.danger href={ (PATH) "/remove" } { "Remove the app" } a.button.quiet href=(HOME) { "Back" } }
            } @else {
                div.prose {
                    p { "Signing in asks for a code of the app after your password." }
                    ol {
                        li { "Install an app for that on your phone, or use your password manager." }
                        li { "Scan the QR code that the next page shows." }
                        li { "Type the code that the app shows then." }
                    }
                }
                form method="post" action=(PATH) {
                    (token(visitor))
                    div.actions { (submit("Show the QR code")) a.button.quiet href=(HOME) { "Cancel" } }
                }
            }
        }
    };
    Ok(answered(visitor, "Add an authenticator app", &content, refused))
}

/// Makes the secret, and shows it.
pub(crate) async fn add(visitor: Visitor, fields: Fields) -> PageResult {
    match visitor.app().sign_in.add_totp(&visitor).await {
        Ok(new) => Ok(secret_page(&visitor, &new)),
        Err(error) => {
            let error = ApiError::from(error);
            if !is_of_form(&error) {
                return Err(error);
            }
            ask_page(&visitor, &Filled::refused(&fields, &error), Some(&error)).await
        }
    }
}

fn secret_page(visitor: &Visitor, new: &NewTotp) -> HttpResponse {
    let content = html! {
        section.card.narrow {
            (up())
            h1 { "Scan the QR code" }
            p { "Scan it with your authenticator app. It is shown this once." }
            @if !new.qr_svg.is_empty() { div.qr { (drawn(&new.qr_svg)) } }
            p { a href=(new.uri.as_str()) { "Open the app on this device" } }
            details {
                summary { "Type the secret in place of scanning" }
                (copyable("app-secret", &new.secret, "the secret"))
            }
            (code_form(visitor, &Filled::empty()))
        }
    };
    layout::respond(framed(visitor, "Scan the QR code", &content))
}

fn code_form(visitor: &Visitor, form: &Filled) -> Markup {
    html! {
        form method="post" action=(CONFIRM) {
            (token(visitor))
            (input(form, &Input {
                name: "code", label: "Code", hint: "The six digits that the app shows now.", autocomplete: "one-time-code",
                required: true, ..Input::default()
            }))
            div.actions { (submit("Add the app")) a.button.quiet href=(HOME) { "Cancel" } }
        }
    }
}

/// Where a code is typed once more: the secret is in the app by then, and is not shown again.
pub(crate) async fn ask_code(visitor: Visitor) -> PageResult {
    Ok(code_page(&visitor, &Filled::empty(), None))
}

fn code_page(visitor: &Visitor, form: &Filled, refused: Option<&ApiError>) -> HttpResponse {
    let content = html! {
        section.card.narrow {
            (up())
            h1 { "Type the code of the app" }
            (summary(form, &["code"]))
            (code_form(visitor, form))
            p { a href=(PATH) { "Begin anew, with another QR code" } }
        }
    };
    answered(visitor, "Type the code of the app", &content, refused)
}

/// Adds the app, and shows the recovery codes that come with the first second factor.
pub(crate) async fn confirm_code(visitor: Visitor, fields: Fields) -> PageResult {
    let (app, request) = (visitor.app(), visitor.request());
    let (code, from) = (fields.or_empty("code"), page::from(app, request));
    let confirmed = app.sign_in.confirm_totp(&visitor, code, &from).await;
    let confirmed =
        confirmed.inspect_err(|error| page::note_refusal(app, request, "authenticator app not added", error));
    match confirmed {
        Ok((shown, session)) => {
            tracing::info!(user = %visitor.user().id, "authenticator app added");
            visitor.hand_out(session);
            if shown.0.is_empty() {
                return Ok(see_other("/account/security?done=app-added"));
            }
            let title = "The app is added: keep your recovery codes";
            Ok(codes::shown_page(&visitor, title, &shown))
        }
        Err(error) => {
            let error = ApiError::from(error);
            match error.problem().code {
                Code::Conflict => Ok(see_other("/account/security/app?done=app-anew")),
                _ if is_of_form(&error) => {
                    let detail = "is not right. The app shows another one every 30 seconds; is the clock of your phone right?";
                    let form = Filled::refused(&fields, &said_of("code", detail, &error));
                    Ok(code_page(&visitor, &form, Some(&error)))
                }
                _ => Err(error),
            }
        }
    }
}

/// Asks whether the app is to be removed.
pub(crate) async fn ask_remove(visitor: Visitor) -> PageResult {
    let held = visitor.app().sign_in.factors(&visitor).await?;
    let content = confirm(
        &visitor,
        &Filled::empty(),
        &Confirm {
            title: "Remove the authenticator app?",
            content: html! {
                @if held.passkeys.is_empty() {
                    (warning(&html! {
                        p { "It is your only second factor: your password alone opens the account then, and your recovery codes count no longer. Workspaces that demand a second factor let you in no more." }
                    }))
                } @else {
                    p { "Its codes count no longer. Your passkeys and your recovery codes stay." }
                }
            },
            fields: html! {},
            button: "Remove the app",
            back: HOME,
        },
    );
    Ok(layout::respond(framed(
        &visitor,
        "Remove the authenticator app",
        &content,
    )))
}

/// Removes it.
pub(crate) async fn remove(visitor: Visitor, _: Fields) -> PageResult {
    let app = visitor.app();
    let from = page::from(app, visitor.request());
    app.sign_in.remove_totp(&visitor, &from).await?;
    tracing::info!(user = %visitor.user().id, "authenticator app removed");
    Ok(see_other("/account/security?done=app-removed"))
}

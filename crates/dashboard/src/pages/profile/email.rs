//! The address of an account: proved, and changed, by a link in a mail.

use actix_web::{HttpResponse, http::Method};
use maud::{Markup, html};
use serde_json::json;
use tigertrust_http::{ApiError, page};
use tigertrust_wire::{ChangeEmail, Code, Problem};

use super::{HOME, answered, is_of_form, up};
use crate::{
    components::{Input, badge, input, submit, summary, token},
    form::{Fields, Filled},
    routes::{PathPages, asked},
    visitor::{PageResult, Visitor, see_other},
};

const PATH: &str = "/account/email";
const NO_MAIL: &str = "This server sends no mail, so that no address can be verified or changed here.";

pub(super) fn routes() -> Vec<PathPages> {
    vec![asked(
        PATH,
        (Method::POST, "/api/auth/email/change"),
        show,
        change,
    )]
}

/// The present address.
pub(super) fn card(visitor: &Visitor) -> Markup {
    let user = visitor.user();
    html! {
        section.card {
            h2 { "E-mail address" }
            p.row {
                strong { (user.email) }
                @match user.email_verified_at { Some(_) => (badge("good", "verified")), None => (badge("warn", "not verified")) }
            }
            @if visitor.app().sign_in.sends_mail() {
                p.quiet { "You sign in with it, and are told by mail what happens to your account." }
                div.actions {
                    @if user.email_verified_at.is_none() {
                        form.row method="post" action=(PATH) {
                            (token(visitor))
                            input type="hidden" name="newEmail" value=(user.email);
                            button.button type="submit" { "Send a mail to verify it" }
                        }
                    }
                    a.button href=(PATH) { "Change address" }
                }
            } @else {
                p.quiet { "You sign in with it. " (NO_MAIL) }
            }
        }
    }
}

/// Where another address is asked for.
pub(crate) async fn show(visitor: Visitor) -> PageResult {
    Ok(form_page(&visitor, &Filled::empty(), None))
}

fn form_page(visitor: &Visitor, form: &Filled, refused: Option<&ApiError>) -> HttpResponse {
    let content = html! {
        section.card.narrow {
            (up())
            h1 { "Change your e-mail address" }
            (summary(form, &["newEmail"]))
            @if visitor.app().sign_in.sends_mail() {
                p { "A mail with a link goes to the new address, which is yours once you follow it. " (visitor.user().email) " is told that you have asked." }
                form method="post" action=(PATH) {
                    (token(visitor))
                    (input(form, &Input {
                        name: "newEmail", label: "New address", kind: "email", autocomplete: "email", required: true, ..Input::default()
                    }))
                    div.actions { (submit("Send the mail")) a.button.quiet href=(HOME) { "Cancel" } }
                }
            } @else {
                @if refused.is_none() { p { (NO_MAIL) } }
                div.actions { a.button href=(HOME) { "To the profile" } }
            }
        }
    };
    answered(visitor, "Change your e-mail address", &content, refused)
}

/// Sends the mail, if nobody else has the address; the answer is the same.
pub(crate) async fn change(visitor: Visitor, fields: Fields) -> PageResult {
    match try_change(&visitor, &fields).await {
        Ok(()) => Ok(see_other("/account?done=email-asked")),
        Err(error) if is_of_form(&error) => Ok(form_page(
            &visitor,
            &Filled::refused(&fields, &error),
            Some(&error),
        )),
        Err(error) => Err(error),
    }
}

async fn try_change(visitor: &Visitor, fields: &Fields) -> Result<(), ApiError> {
    let app = visitor.app();
    if !app.sign_in.sends_mail() {
        return Err(Problem::new(Code::Conflict, NO_MAIL).into());
    }
    let body = page::read::<ChangeEmail>(&json!({ "newEmail": fields.or_empty("newEmail") }))?;
    let origin = page::origin_of(app, visitor.request());
    app.sign_in
        .change_email(visitor, &body.new_email, &origin)
        .await?;
    Ok(())
}

//! Passkeys: listed, added by the browser, named, removed.

use actix_web::{HttpResponse, http::Method};
use maud::{Markup, html};
use serde_json::json;
use tigertrust_accounts::{
    FlowError,
    passkeys::{Backup, Passkey},
};
use tigertrust_http::{ApiError, page};
use tigertrust_model::{PasskeyId, Timestamp};
use tigertrust_wire::RenamePasskey;

use super::{HOME, answered, codes, framed, last_used, up};
use crate::{
    components::{Confirm, Input, alert, badge, confirm, empty, input, submit, summary, token, warning},
    form::{Fields, Filled},
    instant, layout,
    routes::{PathPages, asked, shown},
    visitor::{PageResult, Visitor, see_other},
};

const NEW: &str = "/account/security/passkeys/new";

pub(super) fn routes() -> Vec<PathPages> {
    vec![
        shown(NEW, (Method::GET, "/api/auth/passkeys"), new),
        asked(
            "/account/security/passkeys/{passkeyId}/rename",
            (Method::PATCH, "/api/auth/passkeys/{id}"),
            ask_rename,
            rename,
        ),
        asked(
            "/account/security/passkeys/{passkeyId}/remove",
            (Method::DELETE, "/api/auth/passkeys/{id}"),
            ask_remove,
            remove,
        ),
    ]
}

/// The passkeys of the person.
pub(super) fn card(passkeys: &[Passkey], now: Timestamp) -> Markup {
    html! {
        section.card.tight {
            div.card-head {
                h2 { "Passkeys" }
                @if !passkeys.is_empty() { a.button href=(NEW) { "Add a passkey" } }
            }
            @if passkeys.is_empty() {
                (empty(
                    "No passkeys yet",
                    "A passkey is kept by your device, and is used by a fingerprint, your face or a PIN. It cannot be guessed, nor given away on a false page.",
                    Some((NEW, "Add a passkey")),
                ))
            } @else {
                (table(passkeys, now))
            }
        }
    }
}

fn table(passkeys: &[Passkey], now: Timestamp) -> Markup {
    html! {
        div.scroll {
            table.stacking {
                thead {
                    tr {
                        th scope="col" { "Name" }
                        th scope="col" { "Added" }
                        th scope="col" { "Last used" }
                        th scope="col" { span.visually-hidden { "What to do" } }
                    }
                }
                tbody {
                    @for passkey in passkeys {
                        @let at = path(passkey.id);
                        tr {
                            th scope="row" data-label="Name" {
                                span { (passkey.name) @if passkey.credential.backup == Backup::Exists { " " (badge("", "synced")) } }
                            }
                            td data-label="Added" { (instant::from_now(passkey.created_at, now)) }
                            td data-label="Last used" { (last_used(passkey.last_used_at, now)) }
                            td.actions-cell {
                                a.button.small href={ (at) "/rename" } aria-label={ "Rename " (passkey.name) } { "Rename" }
                                " "
                                a.button.small.danger href={ (at) "/remove" } aria-label={ "Remove " (passkey.name) } { "Remove" }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn path(id: PasskeyId) -> String {
    format!("{HOME}/passkeys/{id}")
}

/// Where the browser makes a passkey.
pub(crate) async fn new(visitor: Visitor) -> PageResult {
    // The name that was typed comes along where a fresh proof was asked for in between.
    let form = Filled::of(&visitor.query());
    let content = html! {
        section.card.narrow {
            (up())
            h1 { "Add a passkey" }
            noscript { (alert("Passkeys need JavaScript: allow it for this site, then open this page anew.")) }
            div.stack.with-script hidden data-passkey-register data-return={ (HOME) "?done=passkey-added" } {
                p { "Your browser asks where to keep it: on this device, on your phone, or on a security key. It signs you in without a password, and serves as the second step after one." }
                (input(&form, &Input {
                    name: "name", label: "Name", hint: "Where it is kept, such as “Jo's laptop”. May be left out.", ..Input::default()
                }))
                div.actions {
                    button.button.primary type="button" { "Add a passkey" }
                    a.button.quiet href=(HOME) { "Cancel" }
                }
                p.error role="alert" data-message {}
            }
            div.stack #passkey-recovery-codes hidden {
                h2 tabindex="-1" { "The passkey is added: keep your recovery codes" }
                (warning(&html! {
                    p { strong { "Keep them now." } " They are shown this once. Each of them counts once in place of your passkey, for when that is gone." }
                }))
                (codes::list("passkey-codes", &[]))
                div.actions { a.button.primary href=(HOME) { "I have kept them" } }
            }
        }
    };
    Ok(layout::respond(framed(&visitor, "Add a passkey", &content)))
}

async fn found(visitor: &Visitor) -> Result<(Passkey, Vec<Passkey>), ApiError> {
    let id: PasskeyId = visitor.id("passkeyId")?;
    let passkeys = visitor.app().sign_in.passkeys(visitor).await?;
    let (own, others): (Vec<Passkey>, Vec<Passkey>) =
        passkeys.into_iter().partition(|passkey| passkey.id == id);
    let own = own.into_iter().next().ok_or(FlowError::NotFound)?;
    Ok((own, others))
}

/// Where a passkey is given another name.
pub(crate) async fn ask_rename(visitor: Visitor) -> PageResult {
    let (passkey, _) = found(&visitor).await?;
    Ok(rename_page(&visitor, &passkey, &Filled::empty(), None))
}

fn rename_page(
    visitor: &Visitor,
    passkey: &Passkey,
    form: &Filled,
    refused: Option<&ApiError>,
) -> HttpResponse {
    let content = html! {
        section.card.narrow {
            (up())
            h1 { "Rename the passkey" }
            (summary(form, &["name"]))
            form method="post" action={ (path(passkey.id)) "/rename" } {
                (token(visitor))
                (input(form, &Input { name: "name", label: "Name", value: &passkey.name, required: true, ..Input::default() }))
                div.actions { (submit("Rename")) a.button.quiet href=(HOME) { "Cancel" } }
            }
        }
    };
    answered(visitor, "Rename the passkey", &content, refused)
}

/// Gives it the name.
pub(crate) async fn rename(visitor: Visitor, fields: Fields) -> PageResult {
    let (passkey, _) = found(&visitor).await?;
    let body = page::read::<RenamePasskey>(&json!({ "name": fields.or_empty("name") }))?;
    let sign_in = &visitor.app().sign_in;
    match sign_in.rename_passkey(&visitor, passkey.id, body.name).await {
        Ok(_) => Ok(see_other("/account/security?done=passkey-renamed")),
        Err(error @ FlowError::Invalid(_)) => {
            let error = ApiError::from(error);
            let form = Filled::refused(&fields, &error);
            Ok(rename_page(&visitor, &passkey, &form, Some(&error)))
        }
        Err(error) => Err(error.into()),
    }
}

/// Asks whether a passkey is to be removed.
pub(crate) async fn ask_remove(visitor: Visitor) -> PageResult {
    let (passkey, others) = found(&visitor).await?;
    let held = visitor.app().sign_in.factors(&visitor).await?;
    let is_last = others.is_empty() && held.totp_since.is_none();
    let content = confirm(
        &visitor,
        &Filled::empty(),
        &Confirm {
            title: "Remove the passkey?",
            content: html! {
                p { strong { (passkey.name) } " signs nobody in any more. Your device may still offer it; you can remove it there as well." }
                @if is_last {
                    (warning(&html! {
                        p { "It is your only second factor: your recovery codes count no longer, and workspaces that demand a second factor let you in no more." }
                        @if !held.has_password { p { "Your account has no password either: set one first, or sign in by your provider." } }
                    }))
                }
            },
            fields: html! {},
            button: "Remove the passkey",
            back: HOME,
        },
    );
    Ok(layout::respond(framed(&visitor, "Remove the passkey", &content)))
}

/// Removes it; the session goes on under another token.
pub(crate) async fn remove(visitor: Visitor, _: Fields) -> PageResult {
    let id: PasskeyId = visitor.id("passkeyId")?;
    let app = visitor.app();
    let from = page::from(app, visitor.request());
    let session = app.sign_in.remove_passkey(&visitor, id, &from).await?;
    tracing::info!(user = %visitor.user().id, passkey = %id, "passkey removed");
    visitor.hand_out(session);
    Ok(see_other("/account/security?done=passkey-removed"))
}

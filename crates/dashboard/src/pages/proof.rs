//! A fresh proof of who it is, before something that asks for one.

use actix_web::http::Method;
use maud::html;

use crate::{
    components::{submit, token},
    form::Fields,
    layout::{self, Place},
    refusal::{passkey_proof, proof_fields},
    routes::{PathPages, asked},
    visitor::{PageResult, Visitor, local_path, see_other},
};

/// Where somebody proves afresh who it is.
pub(crate) fn routes() -> Vec<PathPages> {
    vec![asked(
        "/step-up",
        (Method::POST, "/api/auth/step-up"),
        show,
        prove,
    )]
}

/// Asks for the proof.
pub(crate) async fn show(visitor: Visitor) -> PageResult {
    let query = visitor.query();
    let back = local_path(query.text("return"));
    let content = html! {
        section.card.narrow {
            h1 { "Confirm that it is you" }
            p { "What you are about to do needs a proof that is not older than ten minutes." }
            form method="post" action="/step-up" {
                (token(&visitor))
                input type="hidden" name="return" value=(back);
                (proof_fields())
                div.actions { (submit("Confirm")) a.button.quiet href=(back) { "Cancel" } }
                (passkey_proof())
            }
        }
    };
    Ok(layout::respond(layout::framed(
        &visitor,
        Place::None,
        "Confirm that it is you",
        &content,
    )))
}

/// Takes it: whatever form the proof comes with is let through by it, and this one does nothing else.
pub(crate) async fn prove(_: Visitor, fields: Fields) -> PageResult {
    Ok(see_other(local_path(fields.text("return"))))
}

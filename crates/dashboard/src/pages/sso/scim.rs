//! The token by which a provider writes people (SCIM 2.0).

use maud::html;
use tigertrust_http::ApiError;
use tigertrust_wire::ScimToken;

use super::{altogether, crumbs, flows, found, is_of_form, path};
use crate::{
    components::{Confirm, confirm, copyable, submit, token, warning},
    form::{Fields, Filled},
    layout::{self, Place},
    visitor::{PageResult, Visitor, see_other},
};

/// Asks whether a token is to be made.
pub(crate) async fn ask(visitor: Visitor) -> PageResult {
    let (id, connection) = found(&visitor).await?;
    let content = html! {
        div.page-head { div { (crumbs(&visitor, Some((id, &connection.name)))) h1 { "SCIM" } } }
        section.card {
            div.prose {
                p { "With a token, the provider writes the people of this workspace: whom it assigns becomes a member, and whom it deactivates is out at the next request, with its sessions and personal keys." }
                p { "Only people with an address of a domain that is verified here can be written. Owners are taken out as well, unless one is the last." }
            }
            @if connection.has_scim { (warning(&html! { p { "There is a token already. It is dead at once when another one is made." } })) }
            form method="post" action=(path(&visitor, id, "/scim")) {
                (token(&visitor))
                div.actions {
                    (submit(if connection.has_scim { "Replace the token" } else { "Create a token" }))
                    a.button.quiet href=(path(&visitor, id, "")) { "Cancel" }
                }
            }
        }
    };
    Ok(layout::respond(layout::framed(
        &visitor,
        Place::Sso,
        "SCIM",
        &content,
    )))
}

/// Makes one, and shows it this once.
pub(crate) async fn create(visitor: Visitor, _: Fields) -> PageResult {
    let (id, connection) = found(&visitor).await?;
    let workspace = visitor.workspace_id()?;
    let sso = flows(&visitor)?;
    let token = sso.new_scim_token(&visitor.actor(), workspace, id).await?;
    tracing::info!(%workspace, connection = %id, by = %visitor.user().id, "token for SCIM made");
    let made = ScimToken::new(&token, sso.public_url());
    let content = html! {
        div.page-head { div { (crumbs(&visitor, Some((id, &connection.name)))) h1 { "The token is made" } } }
        section.card {
            (warning(&html! { p { strong { "Copy it now." } " It is shown this once: we keep a digest alone, and cannot show it again." } }))
            p { "Enter these at the provider:" }
            dl.facts {
                dt { "Base URL, or Tenant URL" } dd { (copyable("scim-base", &made.base_url, "the base URL")) }
                dt { "Token" } dd { (copyable("scim-token", &made.token, "the token")) }
                dt { "Unique identifier" } dd { code { "userName" } ", an address" }
            }
            p.quiet { "It is presented as " code { "Authorization: Bearer" } ". Groups are not taken: roles come with the sign-in." }
            div.actions { a.button.primary href=(path(&visitor, id, "")) { "I have copied it" } }
        }
    };
    Ok(layout::respond(layout::framed(
        &visitor,
        Place::Sso,
        "SCIM",
        &content,
    )))
}

/// Asks whether the token is to be taken away.
pub(crate) async fn ask_remove(visitor: Visitor) -> PageResult {
    remove_page(&visitor, &Filled::empty(), None).await
}

async fn remove_page(visitor: &Visitor, form: &Filled, refused: Option<&ApiError>) -> PageResult {
    let (id, connection) = found(visitor).await?;
    let asked = Confirm {
        title: "Remove the token?",
        content: html! { p { "The provider of " strong { (connection.name) } " writes no one any more: who leaves there stays a member here until somebody removes it. People who were written stay." } },
        fields: html! {},
        button: "Remove token",
        back: &path(visitor, id, ""),
    };
    let content = confirm(visitor, form, &asked);
    Ok(layout::answer(
        layout::framed(visitor, Place::Sso, asked.title, &content),
        refused,
    ))
}

/// Takes it away.
pub(crate) async fn remove(visitor: Visitor, fields: Fields) -> PageResult {
    let (id, _) = found(&visitor).await?;
    let workspace = visitor.workspace_id()?;
    let sso = flows(&visitor)?;
    match sso
        .remove_scim_token(&visitor.actor(), workspace, id)
        .await
        .map_err(ApiError::from)
    {
        Ok(()) => {
            tracing::info!(%workspace, connection = %id, by = %visitor.user().id, "token for SCIM removed");
            Ok(see_other(&path(&visitor, id, "?done=sso-scim-removed")))
        }
        Err(error) if is_of_form(&error) => {
            let form = altogether(&fields, &error);
            remove_page(&visitor, &form, Some(&error)).await
        }
        Err(error) => Err(error),
    }
}

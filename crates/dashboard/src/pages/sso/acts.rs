//! What is done to a connection as a whole: switched off and on, its metadata fetched anew, removed.

use maud::{Markup, html};
use serde_json::json;
use tigertrust_accounts::sso::{Connection, ProviderSettings, SamlConnection};
use tigertrust_http::{ApiError, page};
use tigertrust_model::ConnectionId;
use tigertrust_wire::UpdateSsoConnection;

use super::{altogether, flows, found, is_of_form, path, progress::Progress};
use crate::{
    components::{Confirm, confirm, copyable},
    form::{Fields, Filled},
    layout::{self, Place},
    visitor::{PageResult, Visitor, see_other},
};

/// Asks whether the connection is to be switched off, or on.
pub(crate) async fn ask_switch(visitor: Visitor) -> PageResult {
    let (id, connection) = found(&visitor).await?;
    switch_page(&visitor, id, &connection, &Filled::empty(), None).await
}

async fn switch_page(
    visitor: &Visitor,
    id: ConnectionId,
    connection: &Connection,
    form: &Filled,
    refused: Option<&ApiError>,
) -> PageResult {
    let progress = Progress::of(visitor, connection).await?;
    let (title, button) = match connection.enabled {
        true => ("Switch the connection off?", "Switch off"),
        false => ("Switch the connection on?", "Switch on"),
    };
    let content = html! {
        @if connection.enabled {
            p { strong { (connection.name) } ": nobody can sign in by it, and the sessions that were begun by it end at once. Accounts, memberships and settings stay." }
            (concerned(&progress))
        } @else {
            p { strong { (connection.name) } ": its people can sign in by it again." }
        }
    };
    let asked = Confirm {
        title,
        content,
        fields: html! { input type="hidden" name="enabled" value=(!connection.enabled); },
        button,
        back: &path(visitor, id, ""),
    };
    let page = layout::framed(visitor, Place::Sso, title, &confirm(visitor, form, &asked));
    Ok(layout::answer(page, refused))
}

/// Whom it concerns, as far as that is known.
fn concerned(progress: &Progress) -> Markup {
    let domains: Vec<&str> = progress
        .domains
        .iter()
        .map(|domain| domain.domain.as_str())
        .collect();
    html! {
        p {
            @match progress.people {
                0 => "Nobody has been connected by it, as far as the audit log reaches back.",
                1 => "One person has been connected by it, as far as the audit log reaches back.",
                people => { strong { (people) " people" } " have been connected by it, as far as the audit log reaches back." }
            }
            " Who has neither a password, a passkey nor another provider cannot sign in then."
        }
        @if !domains.is_empty() { p { "People of " strong { (domains.join(", ")) } " are sent to it." } }
    }
}

/// Switches the connection off or on.
pub(crate) async fn switch(visitor: Visitor, fields: Fields) -> PageResult {
    let (id, connection) = found(&visitor).await?;
    let enabled = fields.or_empty("enabled") == "true";
    let changes = page::read::<UpdateSsoConnection>(&json!({ "enabled": enabled }))?;
    let changes = changes.read().map_err(page::mistake)?;
    let workspace = visitor.workspace_id()?;
    match flows(&visitor)?
        .update(&visitor.actor(), workspace, id, changes)
        .await
        .map_err(ApiError::from)
    {
        Ok(_) => {
            tracing::info!(%workspace, connection = %id, by = %visitor.user().id, "connection edited");
            let word = if enabled { "sso-on" } else { "sso-off" };
            Ok(see_other(&path(&visitor, id, &format!("?done={word}"))))
        }
        Err(error) if is_of_form(&error) => {
            let form = altogether(&fields, &error);
            switch_page(&visitor, id, &connection, &form, Some(&error)).await
        }
        Err(error) => Err(error),
    }
}

/// Asks whether the metadata is to be fetched anew.
pub(crate) async fn ask_refresh(visitor: Visitor) -> PageResult {
    let (id, connection) = found(&visitor).await?;
    refresh_page(&visitor, id, &connection, &Filled::empty(), None)
}

fn refresh_page(
    visitor: &Visitor,
    id: ConnectionId,
    connection: &Connection,
    form: &Filled,
    refused: Option<&ApiError>,
) -> PageResult {
    let ProviderSettings::Saml(SamlConnection {
        metadata_url: Some(url),
        ..
    }) = &connection.provider
    else {
        return Ok(layout::respond(layout::framed(
            visitor,
            Place::Sso,
            "Nothing to fetch",
            &html! {
                section.card.narrow {
                    h1 { "Nothing to fetch" }
                    p { "What the provider of " strong { (connection.name) } " publishes is asked for whenever it is needed, or was given as a document." }
                    div.actions { a.button href=(path(visitor, id, "")) { "Back to the connection" } }
                }
            },
        )));
    };
    let asked = Confirm {
        title: "Fetch the metadata anew?",
        content: html! {
            p { "What the provider publishes now takes the place of what is kept here: where people are sent, and the certificates that its responses are signed with." }
            (copyable("metadata-url", url, "the address of the metadata"))
        },
        fields: html! {},
        button: "Fetch metadata",
        back: &path(visitor, id, ""),
    };
    let content = confirm(visitor, form, &asked);
    Ok(layout::answer(
        layout::framed(visitor, Place::Sso, asked.title, &content),
        refused,
    ))
}

/// Fetches it.
pub(crate) async fn refresh(visitor: Visitor, fields: Fields) -> PageResult {
    let (id, connection) = found(&visitor).await?;
    let workspace = visitor.workspace_id()?;
    let sso = flows(&visitor)?;
    match sso
        .refresh_metadata(&visitor.actor(), workspace, id)
        .await
        .map_err(ApiError::from)
    {
        Ok(_) => {
            tracing::info!(%workspace, connection = %id, by = %visitor.user().id, "metadata fetched anew");
            Ok(see_other(&path(&visitor, id, "?done=sso-refreshed")))
        }
        Err(error) if is_of_form(&error) => {
            let form = altogether(&fields, &error);
            refresh_page(&visitor, id, &connection, &form, Some(&error))
        }
        Err(error) => Err(error),
    }
}

/// Asks whether the connection is to be removed.
pub(crate) async fn ask_remove(visitor: Visitor) -> PageResult {
    let (id, connection) = found(&visitor).await?;
    remove_page(&visitor, id, &connection, &Filled::empty(), None).await
}

async fn remove_page(
    visitor: &Visitor,
    id: ConnectionId,
    connection: &Connection,
    form: &Filled,
    refused: Option<&ApiError>,
) -> PageResult {
    let progress = Progress::of(visitor, connection).await?;
    let asked = Confirm {
        title: "Remove the connection?",
        content: html! {
            p { strong { (connection.name) } " and the identities that were connected by it are gone for good, and the sessions that were begun by it end at once. Accounts and memberships stay." }
            (concerned(&progress))
            @if connection.has_scim { p { "The provider’s token for SCIM is dead then." } }
            p.quiet { "To keep people out for a while, switch it off." }
        },
        fields: html! {},
        button: "Remove connection",
        back: &path(visitor, id, ""),
    };
    let content = confirm(visitor, form, &asked);
    Ok(layout::answer(
        layout::framed(visitor, Place::Sso, asked.title, &content),
        refused,
    ))
}

/// Removes it.
pub(crate) async fn remove(visitor: Visitor, fields: Fields) -> PageResult {
    let (id, connection) = found(&visitor).await?;
    let workspace = visitor.workspace_id()?;
    let sso = flows(&visitor)?;
    match sso
        .remove(&visitor.actor(), workspace, id)
        .await
        .map_err(ApiError::from)
    {
        Ok(()) => {
            tracing::info!(%workspace, connection = %id, by = %visitor.user().id, "connection removed");
            Ok(see_other(&visitor.path("sso?done=sso-removed")))
        }
        Err(error) if is_of_form(&error) => {
            let form = altogether(&fields, &error);
            remove_page(&visitor, id, &connection, &form, Some(&error)).await
        }
        Err(error) => Err(error),
    }
}

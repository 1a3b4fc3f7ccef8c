//! The connections and domains of a workspace.

use std::collections::BTreeMap;

use maud::{Markup, html};
use tigertrust_accounts::sso::{Connection, Domain, ProviderSettings, SsoFlows};

use super::{domains, flows, kind::Kind, path, progress::people, sentence};
use crate::{
    components::{badge, empty},
    layout::{self, Place},
    visitor::{PageResult, Visitor},
};

/// What there is.
pub(crate) async fn show(visitor: Visitor) -> PageResult {
    if visitor.app().sso.is_none() {
        return Ok(layout::respond(layout::framed(
            &visitor,
            Place::Sso,
            "Single sign-on",
            &absent(),
        )));
    }
    let sso = flows(&visitor)?;
    let (actor, workspace) = (visitor.actor(), visitor.workspace_id()?);
    let connections = sso.list(&actor, workspace).await?;
    let claimed = sso.list_domains(&actor, workspace).await?;
    let people = people(&visitor).await?;
    let new = visitor.path("sso/new");
    let offered: Vec<&str> = sso
        .configured()
        .map(|connection| connection.name.as_str())
        .collect();
    let content = html! {
        div.page-head {
            div {
                h1 { "Single sign-on" }
                p.quiet { "People of the company sign in with what it has: Google, Entra ID, Okta, or any other provider." }
            }
            @if !connections.is_empty() { a.button.primary href=(new) { "Connect a provider" } }
        }
        section.card.tight {
            h2 { "Connections" }
            @if connections.is_empty() {
                (empty(
                    "No provider is connected yet",
                    "Five steps lead there, and each can be left and come back to: choose the provider, connect it, try it, prove that a domain is yours, and have its people sign in there alone.",
                    Some((&new, "Connect a provider")),
                ))
            } @else { (table(&visitor, sso, &connections, &claimed, &people)) }
        }
        section.card.tight {
            div.card-head { h2 { "Domains" } a.button href=(visitor.path("sso/domains")) { "Claim a domain" } }
            @if claimed.is_empty() {
                (empty(
                    "No domain is claimed yet",
                    "A connection makes accounts for addresses of verified domains alone, and people are sent to it by the domain of their address. Claim yours, and set the DNS record that proves it.",
                    None,
                ))
            } @else { (domains::table(&visitor, &claimed, &connections, None)) }
        }
        @if !offered.is_empty() {
            p.quiet { "Beside these, this server offers everybody to sign in by " (offered.join(", ")) ": its operator has set that up." }
        }
    };
    Ok(layout::respond(layout::framed(
        &visitor,
        Place::Sso,
        "Single sign-on",
        &content,
    )))
}

/// What is said where there is none.
fn absent() -> Markup {
    html! {
        div.page-head { h1 { "Single sign-on" } }
        section.card.narrow {
            h2 { "This server has no single sign-on" }
            p { "The server " code { "tigertrust serve" } " always has it. Whoever builds TigerTrust into a program of their own switches it on: by the feature " code { "sso" } ", and by " code { "AppSettings::sso" } " with the address under which people reach the server." }
        }
    }
}

fn table(
    visitor: &Visitor,
    sso: &SsoFlows,
    connections: &[Connection],
    claimed: &[Domain],
    people: &BTreeMap<String, usize>,
) -> Markup {
    html! {
        div.scroll {
            table.stacking {
                thead {
                    tr {
                        th scope="col" { "Name" }
                        th scope="col" { "Provider" }
                        th scope="col" { "State" }
                        th scope="col" { "Domains" }
                    }
                }
                tbody {
                    @for (connection, id) in connections.iter().filter_map(|connection| Some((connection, connection.stored_id()?))) {
                        @let tried = people.contains_key(&connection.id.to_string());
                        tr {
                            th scope="row" data-label="Name" { a href=(path(visitor, id, "")) { (connection.name) } }
                            td data-label="Provider" { div { p { (Kind::of(connection).title()) } p.quiet.small { (named(connection)) } } }
                            td data-label="State" { (state(sso, connection, tried)) }
                            td data-label="Domains" {
                                @let own: Vec<&Domain> = claimed.iter().filter(|domain| domain.connection == Some(id)).collect();
                                @if own.is_empty() { span.quiet { "none yet" } }
                                div.stack-tight {
                                    @for domain in own { p { (domain.domain) " " (domains::state(domain)) } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// By what name the provider calls itself.
fn named(connection: &Connection) -> &str {
    match &connection.provider {
        ProviderSettings::Oidc(oidc) => &oidc.issuer,
        ProviderSettings::Saml(saml) => &saml.provider.entity_id,
    }
}

/// How a connection is, in a word or two.
pub(super) fn state(sso: &SsoFlows, connection: &Connection, is_tried: bool) -> Markup {
    html! {
        span.tags {
            @if connection.enabled { (badge("good", "on")) } @else { (badge("bad", "switched off")) }
            @if is_tried { (badge("", "tried")) } @else { (badge("warn", "not tried yet")) }
            @if !ending(sso, connection).is_empty() { (badge("warn", "a certificate ends")) }
            @if connection.has_scim { (badge("", "SCIM")) }
        }
    }
}

/// What is to be said of certificates that have ended, or will soon.
pub(super) fn ending(sso: &SsoFlows, connection: &Connection) -> Vec<String> {
    match &connection.provider {
        ProviderSettings::Oidc(_) => Vec::new(),
        ProviderSettings::Saml(saml) => sso
            .expiring(&saml.provider)
            .iter()
            .map(|finding| sentence(finding))
            .collect(),
    }
}

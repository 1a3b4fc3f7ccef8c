//! The domains that a workspace claims.

use actix_web::HttpResponse;
use maud::{Markup, html};
use serde_json::json;
use tigertrust_accounts::sso::{Connection, Domain};
use tigertrust_http::{ApiError, page};
use tigertrust_model::ConnectionId;
use tigertrust_wire::ClaimDomain;

use super::{
    crumbs, domain_path, flows, found, is_of_form, path,
    progress::{Progress, Step, steps},
};
use crate::{
    components::{Input, badge, empty, input, submit, summary, token},
    form::{Fields, Filled},
    layout::{self, Place},
    visitor::{PageResult, Visitor, see_other},
};

/// The domains, beside what is to be done next with each. With a connection, its people are those that it is about.
pub(super) fn table(
    visitor: &Visitor,
    claimed: &[Domain],
    connections: &[Connection],
    by: Option<ConnectionId>,
) -> Markup {
    let name = |id: ConnectionId| {
        let mut own = connections.iter();
        own.find(|connection| connection.stored_id() == Some(id))
            .map_or_else(|| id.to_string(), |connection| connection.name.clone())
    };
    html! {
        div.scroll {
            table.stacking {
                thead {
                    tr {
                        th scope="col" { "Domain" }
                        th scope="col" { "State" }
                        th scope="col" { "Its people sign in by" }
                        th scope="col" { span.visually-hidden { "What is next" } }
                    }
                }
                tbody {
                    @for domain in claimed {
                        @let at = |below: &str| domain_path(visitor, &domain.domain, below);
                        @let with = by.map(|id| format!("?by={id}")).unwrap_or_default();
                        tr {
                            th scope="row" data-label="Domain" { a href={ (at("")) (with) } { (domain.domain) } }
                            td data-label="State" { (state(domain)) }
                            td data-label="Sign in by" {
                                @match domain.connection { Some(id) => (name(id)), None => span.quiet { "what is their own" } }
                            }
                            td.actions-cell { (next(domain, by, &at, &with)) }
                        }
                    }
                }
            }
        }
    }
}

/// What is to be done next with a domain.
fn next(domain: &Domain, by: Option<ConnectionId>, at: &dyn Fn(&str) -> String, with: &str) -> Markup {
    html! {
        @if domain.verified_at.is_none() { a.button.small href={ (at("")) (with) } { "Verify " (domain.domain) } }
        @else if domain.connection.is_none() || (by.is_some() && domain.connection != by) {
            a.button.small href={ (at("/edit")) (with) } { "Choose how " (domain.domain) " signs in" }
        }
        @else if domain.enforced.is_none() { a.button.small href=(at("/enforce")) { "Enforce " (domain.domain) } }
    }
}

/// How a domain is, in a word or two.
pub(super) fn state(domain: &Domain) -> Markup {
    html! {
        span.tags {
            @if domain.verified_at.is_some() { (badge("good", "verified")) } @else { (badge("warn", "not verified yet")) }
            @if domain.enforced.is_some() { (badge("good", "enforced")) }
        }
    }
}

/// The way to a domain.
pub(super) fn link(visitor: &Visitor, domain: &str) -> Markup {
    html! { a href=(domain_path(visitor, domain, "")) { (domain) } }
}

/// Where a domain is claimed.
pub(crate) async fn show(visitor: Visitor) -> PageResult {
    page(&visitor, None, &Filled::empty(), None).await
}

/// The same, on the way of a connection.
pub(crate) async fn of_connection(visitor: Visitor) -> PageResult {
    let by = found(&visitor).await?;
    page(&visitor, Some(by), &Filled::empty(), None).await
}

async fn page(
    visitor: &Visitor,
    by: Option<(ConnectionId, Connection)>,
    form: &Filled,
    refused: Option<&ApiError>,
) -> Result<HttpResponse, ApiError> {
    let sso = flows(visitor)?;
    let (actor, workspace) = (visitor.actor(), visitor.workspace_id()?);
    let claimed = sso.list_domains(&actor, workspace).await?;
    let connections = sso.list(&actor, workspace).await?;
    let way = match &by {
        None => html! {},
        Some((id, connection)) => {
            let progress = Progress::of(visitor, connection).await?;
            steps(visitor, *id, &progress, Some(Step::Domains))
        }
    };
    let id = by.as_ref().map(|(id, _)| *id);
    let own = visitor.request().uri().path();
    let content = html! {
        div.page-head {
            div {
                (crumbs(visitor, by.as_ref().map(|(id, connection)| (*id, connection.name.as_str()))))
                h1 { "Domains" }
            }
        }
        (way)
        (summary(form, &["domain"]))
        form.card method="post" action=(own) {
            (token(visitor))
            h2 { "Claim a domain" }
            p { "Whoever has verified a domain decides over the accounts with its addresses, so a DNS record proves that it is yours." }
            (input(form, &Input {
                name: "domain", label: "Domain", required: true,
                hint: "What follows the @ of your addresses, such as example.com. It counts for itself, and not for those below it.", ..Input::default()
            }))
            div.actions { (submit("Claim domain")) }
        }
        section.card.tight {
            h2 { "Claimed" }
            @if claimed.is_empty() { (empty("None yet", "What you claim is listed here, with the DNS record that proves it.", None)) }
            @else { (table(visitor, &claimed, &connections, id)) }
        }
        div.actions {
            @match id {
                Some(id) => {
                    a.button.primary[claimed.iter().any(|domain| domain.connection == Some(id))] href=(path(visitor, id, "/enforcement")) { "Go on to enforcement" }
                    a.button.quiet href=(path(visitor, id, "")) { "Leave it for later" }
                }
                None => a.button.quiet href=(visitor.path("sso")) { "Back to single sign-on" },
            }
        }
    };
    Ok(layout::answer(
        layout::framed(visitor, Place::Sso, "Domains", &content),
        refused,
    ))
}

/// Claims it.
pub(crate) async fn claim(visitor: Visitor, fields: Fields) -> PageResult {
    let by = match visitor.request().match_info().get("connectionId") {
        None => None,
        Some(_) => Some(found(&visitor).await?),
    };
    match try_claim(&visitor, &fields).await {
        Ok(domain) => {
            let with = by.map(|(id, _)| format!("by={id}&")).unwrap_or_default();
            let below = format!("?{with}done=sso-domain-claimed");
            Ok(see_other(&domain_path(&visitor, &domain.domain, &below)))
        }
        Err(error) if is_of_form(&error) => {
            let form = Filled::refused(&fields, &error);
            page(&visitor, by, &form, Some(&error)).await
        }
        Err(error) => Err(error),
    }
}

async fn try_claim(visitor: &Visitor, fields: &Fields) -> Result<Domain, ApiError> {
    let body = page::read::<ClaimDomain>(&json!({ "domain": fields.or_empty("domain") }))?;
    let workspace = visitor.workspace_id()?;
    let domain = flows(visitor)?
        .claim_domain(&visitor.actor(), workspace, &body.domain)
        .await?;
    tracing::info!(%workspace, domain = domain.domain, by = %visitor.user().id, "domain claimed");
    Ok(domain)
}

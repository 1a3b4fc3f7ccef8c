//! Single sign-on: connections with identity providers, and the domains whose people they vouch for.

mod acts;
mod connection;
mod domain;
mod domains;
mod enforcement;
mod kind;
mod list;
mod policy;
mod progress;
mod provider;
mod scim;
mod settings;
mod trial;
mod wizard;

use actix_web::http::Method;
use maud::{Markup, html};
use tigertrust_accounts::sso::{Connection, ProbeReport, SsoFlows};
use tigertrust_http::{ApiError, page::Page};
use tigertrust_model::ConnectionId;
use tigertrust_wire::Code;

use crate::{
    form::{Fields, Filled},
    routes::{Like, PathPages, asked, asked_for_document, asked_once, get, post, shown},
    visitor::Visitor,
};

/// What a page says after something was done: see [`notice`](crate::notice).
pub(crate) const NOTICES: &[(&str, &str)] = &[
    (
        "sso-made",
        "The connection is saved, and the provider answers as it should. Nobody is sent to it yet: try it first.",
    ),
    (
        "sso-answers",
        "The settings are saved, and the provider answers as it should.",
    ),
    (
        "sso-saved",
        "The connection is saved. What its people become counts from their next sign-in.",
    ),
    (
        "sso-tried",
        "It works: you went to the provider and came back, and your account is connected with the identity.",
    ),
    (
        "sso-off",
        "The connection is switched off. Nobody signs in by it, and the sessions that were begun by it have ended.",
    ),
    ("sso-on", "The connection is switched on."),
    ("sso-refreshed", "The provider's metadata was fetched anew."),
    (
        "sso-removed",
        "The connection is removed. Accounts and memberships have stayed.",
    ),
    (
        "sso-scim-removed",
        "The token is dead: the provider writes no one any more.",
    ),
    (
        "sso-domain-claimed",
        "The domain is claimed. Nothing goes by it until its DNS record is there.",
    ),
    ("sso-domain-verified", "The domain is verified: it is yours."),
    ("sso-domain-saved", "The domain is saved."),
    (
        "sso-enforced",
        "The domain's people sign in by the provider alone from now on.",
    ),
    (
        "sso-not-enforced",
        "The domain's people can sign in with what is their own again.",
    ),
    ("sso-domain-removed", "The domain is given up."),
];

/// Every path with its pages.
pub(crate) fn routes() -> Vec<PathPages> {
    let on = |method: Method, path: &'static str| -> Like { (method, path) };
    let all = "/api/workspaces/{id}/sso-connections";
    let one = "/api/workspaces/{id}/sso-connections/{connectionId}";
    let domains = "/api/workspaces/{id}/domains";
    let domain = "/api/workspaces/{id}/domains/{domain}";
    let scim_token = "/api/workspaces/{id}/sso-connections/{connectionId}/scim-token";
    let test = "/api/workspaces/{id}/sso-connections/{connectionId}/test";
    let refresh = "/api/workspaces/{id}/sso-connections/{connectionId}/refresh";
    let verify = "/api/workspaces/{id}/domains/{domain}/verify";
    vec![
        shown("/w/{id}/sso", on(Method::GET, all), list::show),
        shown("/w/{id}/sso/new", on(Method::POST, all), wizard::choose),
        asked_for_document(
            "/w/{id}/sso/new/provider",
            on(Method::POST, all),
            wizard::set_up,
            wizard::create,
        ),
        asked(
            "/w/{id}/sso/domains",
            on(Method::POST, domains),
            domains::show,
            domains::claim,
        ),
        shown(
            "/w/{id}/sso/domains/{domain}",
            on(Method::GET, domains),
            domain::show,
        ),
        asked(
            "/w/{id}/sso/domains/{domain}/verify",
            on(Method::POST, verify),
            domain::show,
            domain::verify,
        ),
        asked(
            "/w/{id}/sso/domains/{domain}/edit",
            on(Method::PATCH, domain),
            domain::edit,
            domain::save,
        ),
        asked(
            "/w/{id}/sso/domains/{domain}/enforce",
            on(Method::PATCH, domain),
            enforcement::ask,
            enforcement::set,
        ),
        asked(
            "/w/{id}/sso/domains/{domain}/remove",
            on(Method::DELETE, domain),
            domain::ask_remove,
            domain::remove,
        ),
        shown(
            "/w/{id}/sso/{connectionId}",
            on(Method::GET, one),
            connection::show,
        ),
        asked(
            "/w/{id}/sso/{connectionId}/edit",
            on(Method::PATCH, one),
            policy::edit,
            policy::save,
        ),
        asked_for_document(
            "/w/{id}/sso/{connectionId}/provider",
            on(Method::PATCH, one),
            provider::edit,
            provider::save,
        ),
        asked(
            "/w/{id}/sso/{connectionId}/test",
            on(Method::POST, test),
            trial::show,
            trial::check,
        ),
        (
            "/w/{id}/sso/{connectionId}/test/login",
            vec![
                Page::like(Method::GET, on(Method::POST, test), get(trial::back)),
                // An identity is connected by it, which is the whole account's business.
                Page::like(
                    Method::POST,
                    on(Method::POST, "/api/auth/identities"),
                    post(trial::login),
                ),
            ],
        ),
        asked(
            "/w/{id}/sso/{connectionId}/domains",
            on(Method::POST, domains),
            domains::of_connection,
            domains::claim,
        ),
        shown(
            "/w/{id}/sso/{connectionId}/enforcement",
            on(Method::GET, domains),
            enforcement::of_connection,
        ),
        asked(
            "/w/{id}/sso/{connectionId}/active",
            on(Method::PATCH, one),
            acts::ask_switch,
            acts::switch,
        ),
        asked(
            "/w/{id}/sso/{connectionId}/refresh",
            on(Method::POST, refresh),
            acts::ask_refresh,
            acts::refresh,
        ),
        asked(
            "/w/{id}/sso/{connectionId}/remove",
            on(Method::DELETE, one),
            acts::ask_remove,
            acts::remove,
        ),
        asked_once(
            "/w/{id}/sso/{connectionId}/scim",
            on(Method::POST, scim_token),
            scim::ask,
            scim::create,
        ),
        asked(
            "/w/{id}/sso/{connectionId}/scim/remove",
            on(Method::DELETE, scim_token),
            scim::ask_remove,
            scim::remove,
        ),
    ]
}

fn flows(visitor: &Visitor) -> Result<&SsoFlows, ApiError> {
    visitor.app().sso()
}

/// The connection that the path names.
async fn found(visitor: &Visitor) -> Result<(ConnectionId, Connection), ApiError> {
    let id = visitor.id("connectionId")?;
    let sso = flows(visitor)?;
    let connection = sso.get(&visitor.actor(), visitor.workspace_id()?, id).await?;
    Ok((id, connection))
}

/// What a connection's provider answers, as far as that can be told without a person.
async fn probed(visitor: &Visitor, id: ConnectionId) -> Result<ProbeReport, ApiError> {
    let sso = flows(visitor)?;
    Ok(sso.probe(&visitor.actor(), visitor.workspace_id()?, id).await?)
}

/// The path of a connection, and what is below it: `/test`.
fn path(visitor: &Visitor, id: ConnectionId, below: &str) -> String {
    visitor.path(&format!("sso/{id}{below}"))
}

/// The path of a domain, and what is below it.
fn domain_path(visitor: &Visitor, domain: &str, below: &str) -> String {
    visitor.path(&format!("sso/domains/{domain}{below}"))
}

/// Whether a mistake is shown on the form: whoever sent it can mend it there, or at least keeps what was typed.
fn is_of_form(error: &ApiError) -> bool {
    super::keys::is_of_form(error) || error.problem().code == Code::ServiceUnavailable
}

/// A question whose act was refused: what stands against it is said altogether, since there is no field to say it beside.
fn altogether(fields: &Fields, error: &ApiError) -> Filled {
    let mut problem = error.problem().clone();
    let details: Vec<&str> = problem.errors.iter().map(|error| error.detail.as_str()).collect();
    if !details.is_empty() {
        problem.detail = sentence(&details.join("; "));
        problem.errors.clear();
    }
    Filled::refused(fields, &problem.into())
}

/// Where somebody has come from.
fn crumbs(visitor: &Visitor, connection: Option<(ConnectionId, &str)>) -> Markup {
    html! {
        p {
            a href=(visitor.path("sso")) { "Single sign-on" }
            @if let Some((id, name)) = connection { " › " a href=(path(visitor, id, "")) { (name) } }
        }
    }
}

/// What the flows say, as a sentence of its own.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    let end = if text.ends_with(['.', '…']) { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::sentence;

    #[test]
    fn what_flows_say_becomes_a_sentence() {
        assert_eq!(
            sentence("the provider does not answer"),
            "The provider does not answer."
        );
        assert_eq!(sentence("Done."), "Done.");
        assert_eq!(sentence(""), ".");
    }
}

//! One domain: the record that proves it, how its people sign in, and giving it up.

use maud::{Markup, html};
use serde_json::{Map, Value, json};
use tigertrust_accounts::{
    FlowError,
    sso::{Connection, Domain, SsoFlows},
};
use tigertrust_http::{ApiError, page};
use tigertrust_model::{ConnectionId, Role};
use tigertrust_wire::{Code, UpdateDomain};

use super::{
    altogether, crumbs, domain_path, domains, flows, is_of_form, path, policy,
    progress::{Progress, Step, steps},
};
use crate::{
    components::{Confirm, Input, alert, confirm, copyable, select, submit, summary, token},
    form::{Fields, Filled},
    instant,
    layout::{self, Place},
    visitor::{PageResult, Visitor, see_other},
};

/// A domain, with what is around it.
pub(super) struct Found {
    pub(super) domain: Domain,
    /// The connections of the workspace.
    pub(super) connections: Vec<Connection>,
}

impl Found {
    /// The domain that the path names.
    pub(super) async fn of(visitor: &Visitor) -> Result<Self, ApiError> {
        let sso = flows(visitor)?;
        let (actor, workspace) = (visitor.actor(), visitor.workspace_id()?);
        let name: String = visitor.id("domain")?;
        let claimed = sso.list_domains(&actor, workspace).await?;
        let domain = claimed.into_iter().find(|domain| domain.domain == name);
        Ok(Self {
            domain: domain.ok_or(FlowError::NotFound)?,
            connections: sso.list(&actor, workspace).await?,
        })
    }

    /// A connection by its id.
    pub(super) fn connection(&self, id: ConnectionId) -> Option<&Connection> {
        let mut own = self.connections.iter();
        own.find(|connection| connection.stored_id() == Some(id))
    }

    /// The connection on whose way somebody is here: the domain's, or that which the address names.
    fn on_the_way(&self, fields: &Fields) -> Option<(ConnectionId, &Connection)> {
        let named = fields.text("by").and_then(|text| text.parse().ok());
        let id = self.domain.connection.or(named)?;
        Some((id, self.connection(id)?))
    }

    /// The steps of the way that somebody is on.
    pub(super) async fn steps(
        &self,
        visitor: &Visitor,
        fields: &Fields,
        current: Step,
    ) -> Result<Markup, ApiError> {
        Ok(match self.on_the_way(fields) {
            None => html! {},
            Some((id, connection)) => {
                let progress = Progress::of(visitor, connection).await?;
                steps(visitor, id, &progress, Some(current))
            }
        })
    }
}

/// What was found where the record should be.
struct Looked {
    records: Vec<String>,
    error: ApiError,
}

/// The domain.
pub(crate) async fn show(visitor: Visitor) -> PageResult {
    let found = Found::of(&visitor).await?;
    domain_page(&visitor, &found, &visitor.query(), None).await
}

/// The connection from whose wizard somebody comes.
fn connection_in(fields: &Fields) -> Option<ConnectionId> {
    fields.text("by").and_then(|by| by.parse().ok())
}

async fn domain_page(
    visitor: &Visitor,
    found: &Found,
    fields: &Fields,
    looked: Option<&Looked>,
) -> PageResult {
    let domain = &found.domain;
    let way = found.steps(visitor, fields, Step::Domains).await?;
    let by = connection_in(fields);
    let with = by.map(|by| format!("?by={by}")).unwrap_or_default();
    let exempt = exempt(visitor, domain).await?;
    let at = |below: &str| domain_path(visitor, &domain.domain, below);
    let content = html! {
        div.page-head {
            div {
                (crumbs(visitor, None))
                div.title { h1 { (domain.domain) } (domains::state(domain)) }
            }
            div.actions { a.button.danger href=(at("/remove")) { "Give it up" } }
        }
        (way)
        @if let Some(looked) = looked { (not_found(domain, looked)) }
        section.card {
            h2 { "Is it yours?" }
            @match domain.verified_at {
                None => (record(visitor, domain, by)),
                Some(seen) => {
                    p { "Yes: its DNS record was last seen on " (instant::at(seen)) ". It stays verified when the record is gone." }
                    details { summary { "The record" } (record(visitor, domain, by)) }
                }
            }
        }
        @if domain.verified_at.is_some() {
            div.grid {
                section.card {
                    div.card-head {
                        h2 { "How its people sign in" }
                        a.button.primary[domain.connection.is_none()] href={ (at("/edit")) (with) } { @if domain.connection.is_none() { "Choose" } @else { "Change" } }
                    }
                    (sign_in(visitor, found)?)
                }
                section.card {
                    div.card-head {
                        h2 { "Nothing but single sign-on" }
                        @if domain.connection.is_some() { a.button href=(at("/enforce")) { @if domain.enforced.is_some() { "End it" } @else { "Enforce" } } }
                    }
                    p {
                        @match domain.enforced {
                            Some(_) => { "Its people sign in by the provider alone. One owner does not have to: " (exempt) "." }
                            None => span.quiet { "A password or a passkey will do as well. Once it is enforced, neither signs its people in." }
                        }
                    }
                }
            }
        }
    };
    let page = layout::framed(visitor, Place::Sso, &domain.domain, &content);
    Ok(layout::answer(page, looked.map(|looked| &looked.error)))
}

/// The address of the owner who is exempt, who may have left.
async fn exempt(visitor: &Visitor, domain: &Domain) -> Result<String, ApiError> {
    let Some(user) = domain.enforced else {
        return Ok(String::new());
    };
    let (actor, workspace) = (visitor.actor(), visitor.workspace_id()?);
    match visitor.app().members.get(&actor, workspace, user).await {
        Ok(member) if member.role == Role::Owner => Ok(member.user.email.to_string()),
        Ok(member) => Ok(format!(
            "{}, who is no owner any more and has to",
            member.user.email
        )),
        Err(FlowError::NotFound) => Ok(format!("{user}, who is no member any more and has to")),
        Err(error) => Err(error.into()),
    }
}

/// The DNS record, and having it looked for.
fn record(visitor: &Visitor, domain: &Domain, by: Option<ConnectionId>) -> Markup {
    html! {
        div.stack {
            p { "Publish this DNS record where the domain is run, then have it looked for. Some consoles add the domain to the name themselves." }
            dl.facts {
                dt { "Type" } dd { code { "TXT" } }
                dt { "Name" } dd { (copyable("record-name", &domain.record_name(), "the name of the record")) }
                dt { "Value" } dd { (copyable("record-value", &domain.record_value(), "the value of the record")) }
            }
            form method="post" action=(domain_path(visitor, &domain.domain, "/verify")) {
                (token(visitor))
                @if let Some(by) = by { input type="hidden" name="by" value=(by); }
                div.actions { (submit("Verify now")) }
            }
        }
    }
}

/// What is said when the record does not say what it has to.
fn not_found(domain: &Domain, looked: &Looked) -> Markup {
    html! {
        (alert(&looked.error.problem().detail))
        @if looked.error.problem().code == Code::Conflict {
            section.card {
                h2 { "What was found" }
                @if looked.records.is_empty() {
                    p { "There is no TXT record called " code { (domain.record_name()) } " yet. It can take a while until a new one is seen everywhere; nothing is cached here." }
                } @else {
                    p { "These TXT records are called " code { (domain.record_name()) } ", and none of them is the one below:" }
                    ul.list { @for record in &looked.records { li { code { (record) } } } }
                }
            }
        }
    }
}

fn sign_in(visitor: &Visitor, found: &Found) -> Result<Markup, ApiError> {
    let domain = &found.domain;
    let connection = domain.connection.and_then(|id| Some((id, found.connection(id)?)));
    Ok(html! {
        dl.facts {
            dt { "They are sent to" }
            dd { @match connection { Some((id, connection)) => a href=(path(visitor, id, "")) { (connection.name) }, None => span.quiet { "no provider: they sign in with what is their own" } } }
            @if has_server_ways(flows(visitor)?, domain) {
                dt { "By a provider of the whole server" }
                dd { @match domain.join_role { Some(role) => { "they become " (role) }, None => span.quiet { "they do not become members" } } }
            }
        }
    })
}

/// Whether there is anything to say about providers of the whole server.
fn has_server_ways(sso: &SsoFlows, domain: &Domain) -> bool {
    sso.configured().next().is_some() || domain.join_role.is_some()
}

/// Looks for the record.
pub(crate) async fn verify(visitor: Visitor, fields: Fields) -> PageResult {
    let found = Found::of(&visitor).await?;
    let (sso, actor, workspace) = (flows(&visitor)?, visitor.actor(), visitor.workspace_id()?);
    let name = &found.domain.domain;
    match sso
        .verify_domain(&actor, workspace, name)
        .await
        .map_err(ApiError::from)
    {
        Ok(_) => {
            tracing::info!(%workspace, domain = name, by = %visitor.user().id, "domain verified");
            let with = connection_in(&fields)
                .map(|by| format!("by={by}&"))
                .unwrap_or_default();
            let below = format!("?{with}done=sso-domain-verified");
            Ok(see_other(&domain_path(&visitor, name, &below)))
        }
        Err(error) if is_of_form(&error) => {
            // What stood there is told beside why that did not do; that it cannot be asked for is told already.
            let records = sso
                .found_records(&actor, workspace, name)
                .await
                .unwrap_or_default();
            domain_page(&visitor, &found, &fields, Some(&Looked { records, error })).await
        }
        Err(error) => Err(error),
    }
}

/// Where it is said how the domain's people sign in.
pub(crate) async fn edit(visitor: Visitor) -> PageResult {
    let found = Found::of(&visitor).await?;
    edit_page(&visitor, &found, &visitor.query(), &Filled::empty(), None).await
}

async fn edit_page(
    visitor: &Visitor,
    found: &Found,
    fields: &Fields,
    form: &Filled,
    refused: Option<&ApiError>,
) -> PageResult {
    let domain = &found.domain;
    let way = found.steps(visitor, fields, Step::Domains).await?;
    let named: Vec<(String, &str)> = found
        .connections
        .iter()
        .filter_map(|connection| Some((connection.stored_id()?.to_string(), connection.name.as_str())))
        .collect();
    let none = std::iter::once(("", "No provider: with what is their own"));
    let options: Vec<(&str, &str)> = none
        .chain(named.iter().map(|(id, name)| (id.as_str(), *name)))
        .collect();
    let present = match domain.connection {
        Some(id) => id.to_string(),
        None => fields.or_empty("by").to_owned(),
    };
    let at = |below: &str| domain_path(visitor, &domain.domain, below);
    let content = html! {
        div.page-head { div { (crumbs(visitor, None)) h1 { "How people of " (domain.domain) " sign in" } } }
        (way)
        (summary(form, &["connectionId", "joinRole"]))
        form.card method="post" action=(at("/edit")) {
            (token(visitor))
            (select(form, &Input {
                name: "connectionId", label: "They are sent to", value: &present,
                hint: "Who types an address of the domain and asks for single sign-on. A password or passkey goes on to work until it is enforced.",
                ..Input::default()
            }, &options))
            @if has_server_ways(flows(visitor)?, domain) {
                (select(form, &Input {
                    name: "joinRole", label: "Who comes by a provider of the whole server becomes", value: domain.join_role.map_or("", Role::as_str),
                    hint: "People with an address of the domain that the provider has verified.", ..Input::default()
                }, &policy::ROLES))
            }
            div.actions { (submit("Save")) a.button.quiet href=(at("")) { "Cancel" } }
        }
    };
    let page = layout::framed(visitor, Place::Sso, "How its people sign in", &content);
    Ok(layout::answer(page, refused))
}

/// Saves it.
pub(crate) async fn save(visitor: Visitor, fields: Fields) -> PageResult {
    let found = Found::of(&visitor).await?;
    let mut body = Map::new();
    body.insert("connectionId".to_owned(), json!(fields.text("connectionId")));
    if fields.raw("joinRole").is_some() {
        body.insert("joinRole".to_owned(), json!(fields.text("joinRole")));
    }
    match update(&visitor, &found.domain.domain, body).await {
        Ok(saved) => {
            let below = "?done=sso-domain-saved";
            Ok(see_other(&domain_path(&visitor, &saved.domain, below)))
        }
        Err(error) if is_of_form(&error) => {
            let form = Filled::refused(&fields, &error);
            edit_page(&visitor, &found, &fields, &form, Some(&error)).await
        }
        Err(error) => Err(error),
    }
}

/// Changes what holds of a domain.
pub(super) async fn update(
    visitor: &Visitor,
    domain: &str,
    body: Map<String, Value>,
) -> Result<Domain, ApiError> {
    let body = page::read::<UpdateDomain>(&Value::Object(body))?;
    let changes = body.read().map_err(page::mistake)?;
    let workspace = visitor.workspace_id()?;
    let domain = flows(visitor)?
        .update_domain(&visitor.actor(), workspace, domain, changes)
        .await?;
    let (enforced, by) = (domain.enforced.is_some(), visitor.user().id);
    tracing::info!(%workspace, domain = domain.domain, enforced, %by, "domain edited");
    Ok(domain)
}

/// Asks whether the domain is to be given up.
pub(crate) async fn ask_remove(visitor: Visitor) -> PageResult {
    let found = Found::of(&visitor).await?;
    remove_page(&visitor, &found.domain, &Filled::empty(), None)
}

fn remove_page(visitor: &Visitor, domain: &Domain, form: &Filled, refused: Option<&ApiError>) -> PageResult {
    let asked = Confirm {
        title: "Give the domain up?",
        content: html! {
            p { strong { (domain.domain) } " counts for nothing here then: nobody is sent to a provider by it, nobody new gets an account by it, and sessions of this workspace’s providers that reached further because of it end." }
            @if domain.enforced.is_some() { p { "It is enforced: its people can sign in with a password again." } }
            p.quiet { "Another workspace can verify it then. Claimed again, it needs another DNS record." }
        },
        fields: html! {},
        button: "Give domain up",
        back: &domain_path(visitor, &domain.domain, ""),
    };
    let content = confirm(visitor, form, &asked);
    Ok(layout::answer(
        layout::framed(visitor, Place::Sso, asked.title, &content),
        refused,
    ))
}

/// Gives it up.
pub(crate) async fn remove(visitor: Visitor, fields: Fields) -> PageResult {
    let found = Found::of(&visitor).await?;
    let (workspace, domain) = (visitor.workspace_id()?, &found.domain.domain);
    let sso = flows(&visitor)?;
    match sso
        .remove_domain(&visitor.actor(), workspace, domain)
        .await
        .map_err(ApiError::from)
    {
        Ok(()) => {
            tracing::info!(%workspace, domain, by = %visitor.user().id, "domain given up");
            Ok(see_other(&visitor.path("sso?done=sso-domain-removed")))
        }
        Err(error) if is_of_form(&error) => {
            let form = altogether(&fields, &error);
            remove_page(&visitor, &found.domain, &form, Some(&error))
        }
        Err(error) => Err(error),
    }
}

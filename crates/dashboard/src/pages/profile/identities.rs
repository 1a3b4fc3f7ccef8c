//! The identities of providers that an account is connected with.

use actix_web::http::Method;
use maud::{Markup, html};
use tigertrust_accounts::{
    FlowError,
    sso::{Identity, SsoFlows},
};
use tigertrust_http::{ApiError, page};
use tigertrust_model::{IdentityId, Timestamp};
use tigertrust_wire::Provider;

use super::{HOME, answered, is_of_form, up};
use crate::{
    components::{Confirm, confirm, empty, submit, summary, token},
    form::{Fields, Filled},
    instant,
    routes::{PathPages, asked},
    visitor::{PageResult, Visitor, see_other},
};

const CONNECT: &str = "/account/identities/connect";

pub(super) fn routes() -> Vec<PathPages> {
    vec![
        asked(
            CONNECT,
            (Method::POST, "/api/auth/identities"),
            ask_connect,
            connect,
        ),
        asked(
            "/account/identities/{identityId}/disconnect",
            (Method::DELETE, "/api/auth/identities/{id}"),
            ask_disconnect,
            disconnect,
        ),
    ]
}

fn sso(visitor: &Visitor) -> Result<&SsoFlows, ApiError> {
    let sso = visitor.app().sso.as_ref();
    sso.ok_or_else(|| FlowError::NotFound.into())
}

/// The ways to sign in that everybody is offered.
fn providers(sso: &SsoFlows) -> Vec<Provider> {
    sso.configured().map(Provider::from).collect()
}

/// The identities of the person; nothing where there is no provider and never was one.
pub(super) async fn card(visitor: &Visitor) -> Result<Option<Markup>, ApiError> {
    let Ok(sso) = sso(visitor) else {
        return Ok(None);
    };
    let connected = sso.identities(visitor.user().id).await?;
    let is_offered = !providers(sso).is_empty();
    if connected.is_empty() && !is_offered {
        return Ok(None);
    }
    let now = visitor.now();
    Ok(Some(html! {
        section.card.tight {
            div.card-head {
                h2 { "Providers" }
                @if is_offered && !connected.is_empty() { a.button href=(CONNECT) { "Connect another" } }
            }
            @if connected.is_empty() {
                (empty(
                    "Not connected with any provider",
                    "Connect your account with one that you have anyway, and sign in by it.",
                    Some((CONNECT, "Connect a provider")),
                ))
            } @else {
                (table(sso, &connected, now))
            }
        }
    }))
}

fn table(sso: &SsoFlows, connected: &[Identity], now: Timestamp) -> Markup {
    html! {
        div.scroll {
            table.stacking {
                thead {
                    tr {
                        th scope="col" { "Provider" }
                        th scope="col" { "As" }
                        th scope="col" { "Connected" }
                        th scope="col" { "Last used" }
                        th scope="col" { span.visually-hidden { "What to do" } }
                    }
                }
                tbody {
                    @for identity in connected {
                        @let name = name(sso, identity);
                        tr {
                            th scope="row" data-label="Provider" { (name) }
                            td data-label="As" { (known_as(identity)) }
                            td data-label="Connected" { (instant::from_now(identity.created_at, now)) }
                            td data-label="Last used" { (instant::from_now(identity.last_used_at, now)) }
                            td.actions-cell {
                                a.button.small.danger href={ (HOME) "/identities/" (identity.id) "/disconnect" }
                                    aria-label={ "Disconnect " (name) ", " (known_as(identity)) } { "Disconnect" }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What the connection is called, or who says who somebody is where it is gone.
fn name<'a>(sso: &'a SsoFlows, identity: &'a Identity) -> &'a str {
    let mut configured = sso.configured();
    let of_server = configured.find(|connection| connection.id == identity.connection);
    let name = identity.name.as_deref();
    name.or_else(|| of_server.map(|connection| connection.name.as_str()))
        .unwrap_or(&identity.issuer)
}

/// What the provider calls the person.
fn known_as(identity: &Identity) -> &str {
    identity.email.as_deref().unwrap_or(&identity.subject)
}

/// Asks by which provider.
pub(crate) async fn ask_connect(visitor: Visitor) -> PageResult {
    connect_page(&visitor, &Filled::empty(), None)
}

fn connect_page(visitor: &Visitor, form: &Filled, refused: Option<&ApiError>) -> PageResult {
    let providers = providers(sso(visitor)?);
    let content = html! {
        section.card.narrow {
            (up())
            h1 { "Connect a provider" }
            (summary(form, &[]))
            @if providers.is_empty() {
                p { "This server offers none." }
            } @else {
                p { "You go on to the provider, sign in there, and come back. From then on you can sign in here by it." }
                @for provider in &providers {
                    form method="post" action=(CONNECT) {
                        (token(visitor))
                        input type="hidden" name="url" value=(provider.url);
                        (submit(&format!("Connect {}", provider.name)))
                    }
                }
            }
            div.actions { a.button.quiet href=(HOME) { "Cancel" } }
        }
    };
    Ok(answered(visitor, "Connect a provider", &content, refused))
}

/// Goes on to the provider.
pub(crate) async fn connect(visitor: Visitor, fields: Fields) -> PageResult {
    let (app, request) = (visitor.app(), visitor.request());
    let back = Some("/account?done=identity-connected");
    let url = fields.or_empty("url");
    match page::begin_to_connect(visitor.person(), request, app, url, back).await {
        Ok(begun) => page::go_to_provider(&begun),
        Err(error) if is_of_form(&error) => {
            connect_page(&visitor, &Filled::refused(&fields, &error), Some(&error))
        }
        Err(error) => Err(error),
    }
}

/// Asks whether an identity is to be disconnected.
pub(crate) async fn ask_disconnect(visitor: Visitor) -> PageResult {
    disconnect_page(&visitor, &Filled::empty(), None).await
}

async fn disconnect_page(visitor: &Visitor, form: &Filled, refused: Option<&ApiError>) -> PageResult {
    let id: IdentityId = visitor.id("identityId")?;
    let sso = sso(visitor)?;
    let connected = sso.identities(visitor.user().id).await?;
    let found = connected.iter().find(|identity| identity.id == id);
    let identity = found.ok_or_else(|| ApiError::from(FlowError::NotFound))?;
    let content = confirm(
        visitor,
        form,
        &Confirm {
            title: "Disconnect the provider?",
            content: html! {
                p { strong { (name(sso, identity)) } " no longer signs you in as " (known_as(identity)) ", and the sessions that were begun by it end." }
            },
            fields: html! {},
            button: "Disconnect",
            back: HOME,
        },
    );
    Ok(answered(visitor, "Disconnect the provider", &content, refused))
}

/// Disconnects it.
pub(crate) async fn disconnect(visitor: Visitor, fields: Fields) -> PageResult {
    let id: IdentityId = visitor.id("identityId")?;
    let disconnected = sso(&visitor)?.disconnect(&visitor, id, &visitor.origin()).await;
    match disconnected.map_err(ApiError::from) {
        Ok(()) => {
            tracing::info!(user = %visitor.user().id, identity = %id, "identity disconnected");
            Ok(see_other("/account?done=identity-disconnected"))
        }
        Err(error) if is_of_form(&error) => {
            disconnect_page(&visitor, &Filled::refused(&fields, &error), Some(&error)).await
        }
        Err(error) => Err(error),
    }
}

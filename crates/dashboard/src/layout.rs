//! The frame around every page.

use actix_web::{
    HttpResponse,
    http::header::{self, HeaderName, HeaderValue},
};
use maud::{DOCTYPE, Markup, html};
use tigertrust_http::{ApiError, page};
use tigertrust_model::{Scope, management};

use crate::{assets, components, notice, visitor::Visitor};

/// Only what comes from this server is loaded, run and called, and forms go nowhere else.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);
/// Browsers say `Origin: null` of forms on pages that send no referrer at all, and the server could not tell its own.
const REFERRER: HeaderValue = HeaderValue::from_static("same-origin");
/// What htmx may do: evaluate nothing, and write no style of its own, both of which the policy forbids.
const HTMX: &str = r#"{"allowEval":false,"includeIndicatorStyles":false,"selfRequestsOnly":true,"historyCacheSize":0,"allowScriptTags":false}"#;

/// Where in the dashboard a page is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    None,
    Overview,
    Keys,
    Members,
    Sso,
    Webhooks,
    Audit,
    Settings,
    Security,
    Profile,
    Workspaces,
}

/// A page of somebody who is signed in.
pub(crate) fn framed(visitor: &Visitor, place: Place, title: &str, content: &Markup) -> Markup {
    // By a link of somebody else, nothing was done.
    let query = visitor.query();
    let done = query
        .text("done")
        .filter(|_| page::comes_from_here(visitor.request()));
    let said = done.and_then(notice::text);
    document(
        title,
        &html! {
            a.skip href="#content" { "Skip to the content" }
            div.frame {
                header.top {
                    a.brand href="/" { (mark()) "TigerTrust" }
                    (switcher(visitor))
                    details.menu {
                        summary.button.quiet { "Menu" }
                        (navigation(visitor, place))
                    }
                }
                div.side { (navigation(visitor, place)) }
                main #content tabindex="-1" {
                    @if let Some(text) = said { (components::done(text)) }
                    (content)
                }
            }
        },
    )
}

/// A page of nobody in particular.
pub(crate) fn plain(title: &str, content: &Markup) -> Markup {
    document(
        title,
        &html! {
            main.alone #content {
                p.brand { (mark()) "TigerTrust" }
                (content)
            }
        },
    )
}

/// Answers with a page.
pub(crate) fn respond(page: Markup) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response.content_type("text/html; charset=utf-8");
    secured(response.body(page.into_string()))
}

/// Answers with a page, with the status of what was refused.
pub(crate) fn answer(page: Markup, refused: Option<&ApiError>) -> HttpResponse {
    match refused {
        None => respond(page),
        Some(error) => secured(error.on_page(page.into_string())),
    }
}

/// Adds the headers of a page that differ from those of the API.
fn secured(mut response: HttpResponse) -> HttpResponse {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(header::REFERRER_POLICY, REFERRER);
    // Whoever has opened a page keeps no hold of it, and nobody has it loaded as a part of theirs.
    for name in ["cross-origin-opener-policy", "cross-origin-resource-policy"] {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static("same-origin"),
        );
    }
    response
}

fn document(title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                meta name="htmx-config" content=(HTMX);
                title { (title) " · TigerTrust" }
                link rel="icon" href=(assets::ICON.path) type="image/svg+xml";
                link rel="stylesheet" href=(assets::STYLE.path);
                script src=(assets::HTMX.path) defer {}
                script src=(assets::SCRIPT.path) defer {}
            }
            body { (body) }
        }
    }
}

fn mark() -> Markup {
    html! { img src=(assets::ICON.path) alt="" width="24" height="24"; }
}

/// The workspaces of the person; the page stays the same where it can.
fn switcher(visitor: &Visitor) -> Markup {
    let memberships = &visitor.record().memberships;
    let current = visitor.workspace_of_page();
    html! {
        @if let Some(current) = current {
            details.switcher {
                summary.button.quiet { span.truncated { (current.name) } }
                div.sheet {
                    p.quiet { "Workspaces" }
                    ul {
                        @for (workspace, role) in memberships {
                            li {
                                a href={ "/w/" (workspace.id) } aria-current=[(workspace.id == current.id).then_some("true")] {
                                    span.truncated { (workspace.name) } " " span.quiet { (role) }
                                }
                            }
                        }
                    }
                    a href="/workspaces" { "All workspaces, or a new one" }
                }
            }
        } @else {
            a.button.quiet href="/" { "Overview" }
        }
    }
}

fn navigation(visitor: &Visitor, place: Place) -> Markup {
    let in_workspace = visitor.workspace_of_page().is_some();
    let link = |own: Place, path: String, text: &str| {
        html! { li { a href=(path) aria-current=[(own == place).then_some("page")] { (text) } } }
    };
    let permitted = |scope: &Scope, own: Place, below: &str, text: &str| {
        html! { @if visitor.may(scope) { (link(own, visitor.path(below), text)) } }
    };
    html! {
        nav aria-label="Dashboard" {
            @if in_workspace {
                ul { (link(Place::Overview, visitor.path(""), "Overview")) }
                p.heading { "Settings" }
                ul {
                    // Whose role does not reach to keys may have some that are its own.
                    (link(Place::Keys, visitor.path("keys"), "API Keys"))
                    (permitted(&management::MEMBERS_READ, Place::Members, "members", "Members"))
                    (permitted(&management::SSO_WRITE, Place::Sso, "sso", "Single sign-on"))
                    (permitted(&management::WORKSPACE_WRITE, Place::Webhooks, "webhooks", "Webhooks"))
                    (permitted(&management::AUDIT_READ, Place::Audit, "audit", "Audit log"))
                    (permitted(&management::WORKSPACE_READ, Place::Settings, "settings", "Workspace"))
                }
            }
            p.heading { "You" }
            ul {
                (link(Place::Profile, "/account".to_owned(), "Profile"))
                (link(Place::Security, "/account/security".to_owned(), "Security"))
                (link(Place::Workspaces, "/workspaces".to_owned(), "Workspaces"))
                li { a href="/docs/" { "API documentation" } }
            }
            form method="post" action="/sign-out" {
                (components::token(visitor))
                p.quiet.truncated { (visitor.user().email) }
                button.button.quiet type="submit" { "Sign out" }
            }
        }
    }
}

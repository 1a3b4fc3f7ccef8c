//! One connection, as it is.

use maud::{Markup, html};
use tigertrust_accounts::{
    audit::AuditFlows,
    sso::{Connection, OidcSettings, ProviderSettings, SamlConnection},
};
use tigertrust_model::{AuditFilter, Role};

use super::{
    crumbs, domains, flows, found,
    kind::{self, Kind},
    list::{ending, state},
    path,
    progress::{Progress, steps},
};
use crate::{
    components::warning,
    instant,
    layout::{self, Place},
    pages::{audit::names::Names, audit_trail},
    visitor::{PageResult, Visitor},
};

/// How many of the latest events are shown.
const EVENTS: u16 = 10;

/// The connection.
pub(crate) async fn show(visitor: Visitor) -> PageResult {
    let (id, connection) = found(&visitor).await?;
    let sso = flows(&visitor)?;
    let now = visitor.now();
    let progress = Progress::of(&visitor, &connection).await?;
    let filter = AuditFilter {
        target: Some(id.to_string()),
        ..AuditFilter::default()
    };
    let chain = AuditFlows::chain_of(&visitor.actor())?;
    let events = visitor
        .app()
        .audit
        .list(chain, filter, None, EVENTS)
        .await?
        .events;
    let names = Names::of_creators(&visitor, [connection.created_by])
        .await?
        .and_of(&visitor, &events)
        .await?;
    let kind = Kind::of(&connection);
    let at = |below: &str| path(&visitor, id, below);
    let ending = ending(sso, &connection);
    let content = html! {
        div.page-head {
            div {
                (crumbs(&visitor, None))
                div.title { h1 { (connection.name) } (state(sso, &connection, progress.is_tried())) }
            }
            div.actions {
                a.button href=(at("/active")) { @if connection.enabled { "Switch off" } @else { "Switch on" } }
                a.button.danger href=(at("/remove")) { "Remove" }
            }
        }
        (steps(&visitor, id, &progress, None))
        @if !ending.is_empty() {
            (warning(&html! {
                @for sentence in &ending { p { (sentence) } }
                p { "It is taken all the same, since its key counts. Once the provider has published the next one, " (next_certificate(&connection, &at("/refresh"), &at("/provider"))) "." }
            }))
        }
        section.card {
            div.card-head { h2 { "Provider" } a.button href=(at("/provider")) { "Change" } }
            (facts(&connection, kind, &names, &at("/refresh")))
        }
        div.grid {
            section.card {
                div.card-head { h2 { "Roles" } a.button href=(at("/edit")) { "Change" } }
                (roles(&connection))
            }
            section.card {
                div.card-head { h2 { "Domains" } a.button href=(at("/domains")) { "Add one" } }
                @if progress.domains.is_empty() { p.quiet { "Nobody is sent here by the domain of an address yet." } }
                @else { ul.list { @for domain in &progress.domains { li { (domains::link(&visitor, &domain.domain)) (domains::state(domain)) } } } }
            }
            section.card {
                h2 { "SCIM" }
                @if connection.has_scim {
                    p { "The provider may write people: it adds them, and takes them out at once when they leave." }
                    div.actions { a.button href=(at("/scim")) { "Replace the token" } a.button.danger href=(at("/scim/remove")) { "Remove the token" } }
                } @else {
                    p.quiet { "With a token the provider adds people, and takes them out at once when they leave." }
                    div.actions { a.button href=(at("/scim")) { "Set up SCIM" } }
                }
            }
        }
        section.card {
            details { summary { "What is entered at the provider" } (kind::at_provider(kind, &kind::shown(sso, &connection))) }
        }
        section.card.tight { h2 { "History" } (audit_trail(&visitor, &events, &names, now)) }
    };
    Ok(layout::respond(layout::framed(
        &visitor,
        Place::Sso,
        &connection.name,
        &content,
    )))
}

/// How the next certificate is taken over.
fn next_certificate(connection: &Connection, refresh: &str, provider: &str) -> Markup {
    let is_published =
        matches!(&connection.provider, ProviderSettings::Saml(saml) if saml.metadata_url.is_some());
    html! {
        @if is_published { a href=(refresh) { "fetch its metadata anew" } } @else { a href=(provider) { "give its metadata anew" } }
    }
}

fn facts(connection: &Connection, kind: Kind, names: &Names, refresh: &str) -> Markup {
    html! {
        dl.facts {
            dt { "Kind" } dd { (kind.title()) }
            dt { "Name in addresses" } dd { code { (connection.slug) } }
            @match &connection.provider {
                ProviderSettings::Oidc(oidc) => (oidc_facts(oidc)),
                ProviderSettings::Saml(saml) => (saml_facts(saml)),
            }
            dt { "Created" } dd { (instant::at(connection.created_at)) " by " (names.creator(connection.created_by)) }
            dt { "Changed" } dd { (instant::at(connection.updated_at)) }
        }
        @if let ProviderSettings::Saml(SamlConnection { metadata_url: Some(_), .. }) = &connection.provider {
            div.actions { a.button href=(refresh) { "Fetch the metadata anew" } }
        }
    }
}

fn words(list: &[String], none: &str) -> Markup {
    html! { @if list.is_empty() { span.quiet { (none) } } @else { (list.join(", ")) } }
}

fn oidc_facts(oidc: &OidcSettings) -> Markup {
    html! {
        dt { "Issuer" } dd { code { (oidc.issuer) } }
        dt { "Client id" } dd { code { (oidc.client_id) } }
        @if !oidc.tenants.is_empty() { dt { "Tenants" } dd { (oidc.tenants.join(", ")) } }
        dt { "Domains that may sign in" } dd { (words(&oidc.allowed_domains, "all")) }
        dt { "Scopes" } dd { (words(&oidc.scopes, "“openid” alone")) }
        dt { "Claim with the groups" } dd { @match &oidc.groups_claim { Some(claim) => code { (claim) }, None => span.quiet { "none" } } }
    }
}

fn saml_facts(saml: &SamlConnection) -> Markup {
    let names = &saml.attributes;
    let attributes = [
        ("id", &names.subject),
        ("address", &names.email),
        ("name", &names.name),
        ("groups", &names.groups),
    ];
    let named: Vec<String> = attributes
        .iter()
        .filter_map(|(what, name)| Some(format!("{what}: {}", name.as_ref()?)))
        .collect();
    html! {
        dt { "Entity id" } dd { code { (saml.provider.entity_id) } }
        dt { "People are sent to" } dd { code { (saml.provider.sso_url) } }
        dt { "Metadata" } dd { @match &saml.metadata_url { Some(url) => code { (url) }, None => "given as a document" } }
        dt { "Certificates" }
        dd {
            @for certificate in &saml.provider.certificates {
                p { "until " (instant::at(certificate.not_after)) }
                p.quiet.small { code { (certificate.fingerprint) } }
            }
        }
        dt { "Attributes" } dd { (words(&named, "the usual ones")) }
        dt { "Requests" } dd { @if saml.signing_certificate.is_some() { "signed" } @else { "not signed" } }
        @if saml.allows_unsolicited { dt { "Responses" } dd { "also those that answer no request" } }
    }
}

fn roles(connection: &Connection) -> Markup {
    let policy = &connection.policy;
    let tells_no_groups =
        matches!(&connection.provider, ProviderSettings::Oidc(oidc) if oidc.groups_claim.is_none());
    html! {
        @if tells_no_groups && !policy.group_roles.is_empty() {
            p.error { "No group is ever seen: the settings of the provider name no claim with the groups." }
        }
        dl.facts {
            dt { "Somebody new" }
            dd { @match policy.default_role { Some(role) => (name(role)), None => "does not come in, unless a group says so" } }
            @for rule in &policy.group_roles { dt { "Group " (rule.group) } dd { (name(rule.role)) } }
            dt { "Second factor" }
            dd { @if policy.trusts_second_factor { "the provider’s counts" } @else { "one’s own is asked for, if there is one" } }
        }
    }
}

fn name(role: Role) -> String {
    format!("becomes {role}")
}

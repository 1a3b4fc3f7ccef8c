//! Trying a connection: what the provider answers without a person, and a person going there and back.

use maud::{Markup, html};
use tigertrust_accounts::{
    audit::AuditFlows,
    sso::{Connection, Identity, ProbeReport, SsoError, SsoRoute},
};
use tigertrust_http::{ApiError, page};
use tigertrust_model::{
    AuditAction, AuditEvent, AuditFilter, AuditOutcome, ConnectionId, Timestamp, management,
};
use tigertrust_wire::{Code, Problem};

use super::{
    crumbs, flows, found, kind, path, probed,
    progress::{Progress, Step, steps},
    sentence,
};
use crate::{
    components::{alert, copyable, done, submit, token, warning},
    form::Fields,
    instant,
    layout::{self, Place},
    visitor::{PageResult, Visitor, see_other},
};

/// How many sign-ins that were refused are shown.
const REFUSALS: u16 = 10;

/// What has just been found out.
enum News {
    Nothing,
    Report(ProbeReport),
    /// Nobody could be sent to the provider, and why.
    NotBegun(String),
}

/// Where a connection is tried.
pub(crate) async fn show(visitor: Visitor) -> PageResult {
    let (id, connection) = found(&visitor).await?;
    trial_page(&visitor, id, &connection, &News::Nothing, None).await
}

/// Asks the provider.
pub(crate) async fn check(visitor: Visitor, _: Fields) -> PageResult {
    let (id, connection) = found(&visitor).await?;
    let news = News::Report(probed(&visitor, id).await?);
    trial_page(&visitor, id, &connection, &news, None).await
}

/// Where a test login is begun is where it is asked for.
pub(crate) async fn back(visitor: Visitor) -> PageResult {
    Ok(see_other(&path(&visitor, visitor.id("connectionId")?, "/test")))
}

/// Sends the person to the provider, to come back here with the identity connected.
pub(crate) async fn login(visitor: Visitor, _: Fields) -> PageResult {
    // Whoever has an account may connect it; but this page is the owners'.
    if !visitor.may(&management::SSO_WRITE) {
        let detail = "Only owners of the workspace set up single sign-on.";
        return Err(Problem::new(Code::Forbidden, detail).into());
    }
    let (id, connection) = found(&visitor).await?;
    let route = SsoRoute::Named(connection.provider.protocol(), &connection.slug);
    let back = path(&visitor, id, "/test?done=sso-tried");
    let origin = page::origin_of(visitor.app(), visitor.request());
    let sso = flows(&visitor)?;
    match sso
        .begin_link(visitor.person(), route, Some(&back), &origin)
        .await
    {
        Ok(begun) => page::go_to_provider(&begun),
        Err(SsoError::SignIn(error)) => Err(error.into()),
        Err(error) => {
            page::note_sso_refusal(visitor.app(), visitor.request(), "identity not connected", &error);
            // Whoever runs the connection is told what only the log tells of a provider otherwise.
            let why = match &error {
                SsoError::Provider(why) => Some(sentence(&why.to_string())),
                _ => None,
            };
            let error = ApiError::from(error);
            let news = News::NotBegun(why.unwrap_or_else(|| error.problem().detail.clone()));
            trial_page(&visitor, id, &connection, &news, Some(&error)).await
        }
    }
}

async fn trial_page(
    visitor: &Visitor,
    id: ConnectionId,
    connection: &Connection,
    news: &News,
    refused: Option<&ApiError>,
) -> PageResult {
    let sso = flows(visitor)?;
    let now = visitor.now();
    let progress = Progress::of(visitor, connection).await?;
    let identities = sso.identities(visitor.user().id).await?;
    let own = identities
        .iter()
        .find(|identity| identity.connection == connection.id);
    let refusals = refusals(visitor, id).await?;
    let url = kind::shown(sso, connection).url;
    let at = |below: &str| path(visitor, id, below);
    let content = html! {
        div.page-head { div { (crumbs(visitor, Some((id, &connection.name)))) h1 { "Try " (connection.name) } } }
        (steps(visitor, id, &progress, Some(Step::Trial)))
        @if let News::NotBegun(why) = news { (alert(why)) }
        @if !connection.enabled {
            (warning(&html! { p { "The connection is switched off, so nobody can sign in by it. " a href=(at("/active")) { "Switch it on" } } }))
        }
        section.card {
            h2 { "Does the provider answer?" }
            @if let News::Report(report) = news { (told(report)) }
            p { "It is asked for what it publishes: whether that can be used, and whether a certificate is about to end. The client id, its secret and the return address are not tried by it." }
            form method="post" action=(at("/test")) { (token(visitor)) div.actions { (submit("Ask the provider")) } }
        }
        @if connection.enabled {
            section.card {
                h2 { "Does a person come back?" }
                (test_login(visitor, id, own, now))
                details {
                    summary { "Try it as somebody else" }
                    div.stack {
                        p { "Open this address in a private window and sign in there. Somebody new gets an account if the address is of a domain that is verified." }
                        (copyable("sign-in-url", &url, "the address where signing in begins"))
                    }
                }
            }
        }
        section.card.tight {
            h2 { "What came of it" }
            (outcome(&progress, &refusals, now))
        }
        div.actions { a.button.primary[progress.is_tried()] href=(at("/domains")) { "Go on to domains" } a.button.quiet href=(at("")) { "Leave it for later" } }
    };
    let page = layout::framed(visitor, Place::Sso, "Try the connection", &content);
    Ok(layout::answer(page, refused))
}

/// What the provider answered, in words.
fn told(report: &ProbeReport) -> Markup {
    html! {
        @if !report.ok { (alert("Nobody could sign in by it as it is.")) }
        @else if report.findings.is_empty() { (done("The provider answers as it should.")) }
        @else { (done("The provider answers. There is something to look after, though.")) }
        @if !report.findings.is_empty() {
            ul.list { @for finding in &report.findings { li { (sentence(finding)) } } }
        }
    }
}

fn test_login(visitor: &Visitor, id: ConnectionId, own: Option<&Identity>, now: Timestamp) -> Markup {
    html! {
        @if let Some(identity) = own {
            p {
                "Your account is connected with "
                @match &identity.email { Some(email) => strong { (email) }, None => code { (identity.subject) } }
                " since " (instant::at(identity.created_at)) ". That was last used " (instant::from_now(identity.last_used_at, now)) "."
            }
        }
        p {
            "You go to the provider, sign in there, and come back here. Everything is tried by that: the client id, its secret, the return address, the signature. "
            @if own.is_none() {
                strong { "Your account is connected with the identity that you sign in as" } ", so that you can sign in by it from then on. Owners are connected in no other way."
            }
        }
        form method="post" action=(path(visitor, id, "/test/login")) {
            (token(visitor))
            div.actions { (submit("Test the login")) }
        }
    }
}

/// The sign-ins by a connection that were refused, newest first.
async fn refusals(visitor: &Visitor, id: ConnectionId) -> Result<Vec<AuditEvent>, ApiError> {
    let filter = AuditFilter {
        actions: Some(vec![AuditAction::SessionStarted]),
        outcome: Some(AuditOutcome::Refused),
        target: Some(id.to_string()),
        ..AuditFilter::default()
    };
    let chain = AuditFlows::chain_of(&visitor.actor())?;
    Ok(visitor
        .app()
        .audit
        .list(chain, filter, None, REFUSALS)
        .await?
        .events)
}

fn outcome(progress: &Progress, refusals: &[AuditEvent], now: Timestamp) -> Markup {
    html! {
        div.card-head {
            p {
                @match progress.people {
                    0 => "Nobody has come back from the provider yet.",
                    1 => "One person has been connected by it so far.",
                    people => { (people) " people have been connected by it so far." }
                }
                @if refusals.is_empty() { " No sign-in was refused." }
            }
        }
        @if !refusals.is_empty() {
            div.scroll {
                table.stacking {
                    thead { tr { th scope="col" { "When" } th scope="col" { "Why it was refused" } th scope="col" { "From" } } }
                    tbody {
                        @for event in refusals {
                            tr {
                                td data-label="When" { (instant::from_now(event.at, now)) }
                                td data-label="Why" { (why(event)) }
                                td data-label="From" { @if let Some(address) = event.personal.as_ref().and_then(|personal| personal.address.as_deref()) { (address) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The reason as the log has it, which is more than who was refused is told.
fn why(event: &AuditEvent) -> String {
    let reason = event.changes.iter().find(|change| change.field == "reason");
    reason
        .and_then(|change| change.after.as_deref())
        .map_or_else(|| "For an unknown reason.".to_owned(), sentence)
}

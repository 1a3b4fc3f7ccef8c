//! Domains whose people sign in by their provider alone, and who does not have to.

use maud::{Markup, html};
use serde_json::{Map, json};
use tigertrust_accounts::{
    ports::{Member, Page},
    sso::Connection,
};
use tigertrust_http::ApiError;
use tigertrust_model::{ConnectionRef, Role, UserId};

use super::{
    altogether, crumbs,
    domain::{Found, update},
    domain_path, domains, flows, found, is_of_form, path,
    progress::{Progress, Step, steps},
};
use crate::{
    components::{Confirm, Input, badge, confirm, empty, select, summary, warning},
    form::{Fields, Filled},
    layout::{self, Place},
    visitor::{PageResult, Visitor, see_other},
};

/// How many members are read at once, and how often at the most: beyond that it is said that there are more.
const MEMBERS: u16 = 200;
const PAGES: usize = 10;

/// The domains of a connection, and which of them are enforced.
pub(crate) async fn of_connection(visitor: Visitor) -> PageResult {
    let (id, connection) = found(&visitor).await?;
    let progress = Progress::of(&visitor, &connection).await?;
    let content = html! {
        div.page-head {
            div {
                (crumbs(&visitor, Some((id, &connection.name))))
                h1 { "Nothing but single sign-on" }
            }
        }
        (steps(&visitor, id, &progress, Some(Step::Enforcement)))
        section.card {
            div.prose {
                p { "People of an enforced domain sign in by the provider alone: a password, a passkey, another provider and a new account by an invitation are refused, and sessions that were begun so end." }
                p { "One owner is exempt, with a password and a second factor, for the day when the provider is down." }
            }
        }
        section.card.tight {
            h2 { "Domains" }
            @if progress.domains.is_empty() {
                (empty(
                    "No domain’s people sign in here yet",
                    "Verify a domain, and say that its people are sent here. Then it can be enforced.",
                    Some((&path(&visitor, id, "/domains"), "Go to domains")),
                ))
            } @else {
                ul.list {
                    @for domain in &progress.domains {
                        li {
                            div.row { (domains::link(&visitor, &domain.domain)) (domains::state(domain)) }
                            a.button href=(domain_path(&visitor, &domain.domain, "/enforce")) {
                                @if domain.enforced.is_some() { "End it for " } @else { "Enforce " } (domain.domain)
                            }
                        }
                    }
                }
            }
        }
        div.actions { a.button.quiet href=(path(&visitor, id, "")) { "Leave it for later" } }
    };
    let page = layout::framed(&visitor, Place::Sso, "Enforcement", &content);
    Ok(layout::respond(page))
}

/// Who is concerned by a domain that is enforced.
struct Concerned {
    /// The owners of the workspace.
    owners: Vec<Owner>,
    /// How many members have an address of the domain.
    of_domain: usize,
    /// Whether there are more members than were looked at.
    is_more: bool,
}

struct Owner {
    id: UserId,
    email: String,
    is_of_domain: bool,
    /// Whether an identity of the workspace's providers is connected: owners of the domain come in by nothing else then.
    is_connected: bool,
}

impl Concerned {
    async fn by(visitor: &Visitor, found: &Found) -> Result<Self, ApiError> {
        let name = &found.domain.domain;
        let (members, is_more) = members(visitor).await?;
        let sso = flows(visitor)?;
        let mut owners = Vec::new();
        for member in members.iter().filter(|member| member.role == Role::Owner) {
            let identities = sso.identities(member.user.id).await?;
            owners.push(Owner {
                id: member.user.id,
                email: member.user.email.to_string(),
                is_of_domain: member.user.email.domain() == *name,
                is_connected: identities
                    .iter()
                    .any(|identity| is_of(&identity.connection, &found.connections)),
            });
        }
        Ok(Self {
            owners,
            of_domain: members
                .iter()
                .filter(|member| member.user.email.domain() == *name)
                .count(),
            is_more,
        })
    }
}

/// Whether a connection is one of these.
fn is_of(connection: &ConnectionRef, own: &[Connection]) -> bool {
    own.iter().any(|own| own.id == *connection)
}

/// The members of the workspace, as far as they are looked at, and whether there are more.
async fn members(visitor: &Visitor) -> Result<(Vec<Member>, bool), ApiError> {
    let (actor, workspace) = (visitor.actor(), visitor.workspace_id()?);
    let mut all: Vec<Member> = Vec::new();
    for _ in 0..PAGES {
        let page = Page {
            after: all.last().map(|member| member.user.id),
            limit: MEMBERS,
        };
        let next = visitor.app().members.list(&actor, workspace, page).await?;
        let is_last = next.len() < usize::from(MEMBERS);
        all.extend(next);
        if is_last {
            return Ok((all, false));
        }
    }
    Ok((all, true))
}

/// Asks whether the domain is to be enforced, or no longer.
pub(crate) async fn ask(visitor: Visitor) -> PageResult {
    let found = Found::of(&visitor).await?;
    ask_page(&visitor, &found, &Filled::empty(), None).await
}

async fn ask_page(visitor: &Visitor, found: &Found, form: &Filled, refused: Option<&ApiError>) -> PageResult {
    let domain = &found.domain;
    let back = domain_path(visitor, &domain.domain, "");
    let way = found
        .steps(visitor, &Fields::default(), Step::Enforcement)
        .await?;
    let question = match (domain.enforced, domain.connection) {
        (Some(_), _) => end(visitor, &domain.domain, &back, form),
        (None, None) => not_yet(&domain.domain, &back),
        (None, Some(_)) => begin(visitor, found, &back, form).await?,
    };
    let content = html! { (way) (question) };
    let page = layout::framed(visitor, Place::Sso, "Enforce the domain", &content);
    Ok(layout::answer(page, refused))
}

fn not_yet(domain: &str, back: &str) -> Markup {
    html! {
        section.card.narrow {
            h1 { "Not yet" }
            p { "People of " strong { (domain) } " are sent to no provider. Verify the domain and choose its provider first." }
            div.actions { a.button.primary href=(back) { "Go to " (domain) } }
        }
    }
}

async fn begin(visitor: &Visitor, found: &Found, back: &str, form: &Filled) -> Result<Markup, ApiError> {
    let domain = &found.domain.domain;
    let concerned = Concerned::by(visitor, found).await?;
    let oneself = visitor.user();
    let emails: Vec<(String, &str)> = concerned
        .owners
        .iter()
        .map(|owner| (owner.id.to_string(), owner.email.as_str()))
        .collect();
    let none = std::iter::once(("", "Choose an owner"));
    let options: Vec<(&str, &str)> = none
        .chain(emails.iter().map(|(id, email)| (id.as_str(), *email)))
        .collect();
    let asked = Confirm {
        title: &format!("Enforce {domain}?"),
        content: html! {
            (summary(form, &["breakGlassUserId"]))
            p {
                "From now on people with an address of " strong { (domain) } " sign in by the provider alone. Their passwords and passkeys are refused, and their sessions that were begun so end at once. "
                (counted(&concerned))
            }
            p { "It holds for their whole accounts, in other workspaces too. Keys go on." }
            (owners_of(&concerned, domain, visitor))
            @if oneself.email.domain() == *domain {
                (warning(&html! { p { "Your own address is of the domain: unless you choose yourself below, you are signed out now, and come back by the provider." } }))
            }
        },
        fields: html! {
            input type="hidden" name="enforced" value="true";
            (select(form, &Input {
                name: "breakGlassUserId", label: "Who can still sign in with a password",
                hint: "An owner with a password and a second factor, for the day when the provider is down. Best one whose address is of another domain.",
                ..Input::default()
            }, &options))
        },
        button: "Enforce domain",
        back,
    };
    Ok(confirm(visitor, &Filled::empty(), &asked))
}

/// How many members have an address of the domain.
fn counted(concerned: &Concerned) -> String {
    match (concerned.of_domain, concerned.is_more) {
        (0, false) => "No member has such an address.".to_owned(),
        (1, false) => "One member has such an address.".to_owned(),
        (number, false) => format!("{number} members have such an address."),
        (number, true) => format!("At least {number} members have such an address."),
    }
}

/// The owners who have an address of the domain: who is not connected would be locked out, as no address connects an owner.
fn owners_of(concerned: &Concerned, domain: &str, visitor: &Visitor) -> Markup {
    let own: Vec<&Owner> = concerned
        .owners
        .iter()
        .filter(|owner| owner.is_of_domain)
        .collect();
    html! {
        @if own.is_empty() { p.quiet { "No owner has an address of " (domain) "." } }
        @else {
            div.stack-tight {
                p { "Owners with an address of it. Who is not connected with an identity cannot come in by the provider, unless exempt:" }
                ul.list {
                    @for owner in own {
                        li {
                            span { (owner.email) @if owner.id == visitor.user().id { " (you)" } }
                            @if owner.is_connected { (badge("good", "connected")) } @else { (badge("bad", "not connected")) }
                        }
                    }
                }
            }
        }
    }
}

fn end(visitor: &Visitor, domain: &str, back: &str, form: &Filled) -> Markup {
    let asked = Confirm {
        title: &format!("End it for {domain}?"),
        content: html! { p { "People of " strong { (domain) } " can sign in with a password, a passkey or another provider again. Sessions go on." } },
        fields: html! { input type="hidden" name="enforced" value="false"; },
        button: "End enforcement",
        back,
    };
    confirm(visitor, form, &asked)
}

/// Enforces it, or ends that.
pub(crate) async fn set(visitor: Visitor, fields: Fields) -> PageResult {
    let found = Found::of(&visitor).await?;
    let enforced = fields.or_empty("enforced") == "true";
    let mut body = Map::from_iter([("enforced".to_owned(), json!(enforced))]);
    if enforced {
        body.insert(
            "breakGlassUserId".to_owned(),
            json!(fields.text("breakGlassUserId")),
        );
    }
    match update(&visitor, &found.domain.domain, body).await {
        Ok(saved) => {
            let word = if enforced {
                "sso-enforced"
            } else {
                "sso-not-enforced"
            };
            Ok(see_other(&domain_path(
                &visitor,
                &saved.domain,
                &format!("?done={word}"),
            )))
        }
        Err(error) if is_of_form(&error) => {
            let form = match enforced {
                true => Filled::refused(&fields, &error),
                false => altogether(&fields, &error),
            };
            ask_page(&visitor, &found, &form, Some(&error)).await
        }
        Err(error) => Err(error),
    }
}

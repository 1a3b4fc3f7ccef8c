//! From nothing to a connection: which kind it is, and what is entered at the provider and here.

use std::collections::BTreeSet;

use actix_web::HttpResponse;
use maud::{Markup, html};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tigertrust_accounts::{
    FlowError, Violation,
    sso::{
        ConfiguredConnection, Connection, OidcPreset, OidcSettings, ProviderSettings, SamlAttributes,
        SamlConnection, SamlIdentityProvider, ServerScope, SsoPolicy,
    },
};
use tigertrust_http::{ApiError, page};
use tigertrust_model::{ConnectionRef, Creator};
use tigertrust_wire::CreateSsoConnection;

use super::{
    crumbs, flows, is_of_form,
    kind::{self, Kind},
    policy,
    progress::{Step, first_steps},
    provider, settings,
};
use crate::{
    components::{Input, choices, input, radio, submit, summary, token, warning},
    form::{Fields, Filled},
    layout::{self, Place},
    visitor::{PageResult, Visitor, see_other},
};

/// What stands for a workspace without letters that an address takes.
const NAMELESS: &str = "company";

/// Where the kind is chosen.
pub(crate) async fn choose(visitor: Visitor) -> PageResult {
    let name = visitor.workspace()?.name.clone();
    let slug = free_slug(&visitor, &name).await?;
    Ok(choose_page(
        &visitor,
        &Filled::of(&visitor.query()),
        &name,
        &slug,
        None,
    ))
}

/// A slug that no connection has that is known here: after the workspace's name.
async fn free_slug(visitor: &Visitor, name: &str) -> Result<String, ApiError> {
    let sso = flows(visitor)?;
    let own = sso.list(&visitor.actor(), visitor.workspace_id()?).await?;
    let taken: BTreeSet<&str> = own
        .iter()
        .chain(sso.configured())
        .map(|connection| connection.slug.as_str())
        .collect();
    let words: Vec<String> = name
        .to_lowercase()
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(ToOwned::to_owned)
        .collect();
    let slug: String = words.join("-").chars().take(30).collect();
    let slug = match slug.trim_matches('-') {
        "" => NAMELESS,
        slug => slug,
    };
    let numbered = (2..=taken.len() + 2).map(|number| format!("{slug}-{number}"));
    let mut candidates = std::iter::once(slug.to_owned()).chain(numbered);
    let free = candidates.find(|candidate| !taken.contains(candidate.as_str()));
    Ok(free.unwrap_or_else(|| slug.to_owned()))
}

fn choose_page(
    visitor: &Visitor,
    form: &Filled,
    name: &str,
    slug: &str,
    refused: Option<&ApiError>,
) -> HttpResponse {
    let chosen = form.fields.text("kind");
    let content = html! {
        div.page-head { div { (crumbs(visitor, None)) h1 { "Connect an identity provider" } } }
        (first_steps(None, Step::Kind))
        (summary(form, &["kind", "name", "slug"]))
        form.card method="get" action=(visitor.path("sso/new/provider")) {
            (choices(form, "kind", "Who is it?", "", &html! {
                @for kind in Kind::ALL { (radio("kind", kind.word(), kind.title(), kind.hint(), chosen == Some(kind.word()))) }
            }))
            (input(form, &Input { name: "name", label: "Name", hint: "What people are shown.", value: name, required: true, ..Input::default() }))
            (input(form, &Input {
                name: "slug", label: "Name in addresses", value: slug, required: true,
                hint: "Small letters, digits and hyphens. It is part of what is registered at the provider, and cannot be changed later.",
                ..Input::default()
            }))
            div.actions { (submit("Continue")) a.button.quiet href=(visitor.path("sso")) { "Cancel" } }
        }
    };
    layout::answer(
        layout::framed(visitor, Place::Sso, "Connect an identity provider", &content),
        refused,
    )
}

/// What was chosen in the first step.
struct Chosen {
    kind: Kind,
    name: String,
    slug: String,
}

impl Chosen {
    /// What the fields say, if there is a connection that could be called so.
    fn read(visitor: &Visitor, fields: &Fields) -> Result<(Self, Connection), ApiError> {
        let invalid = |detail: &str| FlowError::Invalid(vec![Violation::new("/kind", detail)]);
        let kind = Kind::named(fields.or_empty("kind"));
        let chosen = Self {
            kind: kind.ok_or_else(|| invalid("choose one"))?,
            name: fields.or_empty("name").to_owned(),
            slug: fields.or_empty("slug").to_owned(),
        };
        let connection = chosen.connection(visitor);
        let made_of = ConfiguredConnection {
            connection: connection.clone(),
            signing_key: None,
        };
        made_of.check()?;
        Ok((chosen, connection))
    }

    /// A connection that is called so: what its addresses are does not depend on what is entered later.
    fn connection(&self, visitor: &Visitor) -> Connection {
        let provider = match self.kind {
            Kind::Saml => ProviderSettings::Saml(SamlConnection {
                provider: SamlIdentityProvider {
                    entity_id: String::new(),
                    sso_url: String::new(),
                    certificates: Vec::new(),
                },
                metadata_url: None,
                attributes: SamlAttributes::default(),
                allows_unsolicited: false,
                signing_certificate: None,
            }),
            _ => ProviderSettings::Oidc(OidcSettings {
                preset: OidcPreset::Custom,
                issuer: "https://provider.example".to_owned(),
                client_id: "client".to_owned(),
                client_secret: None,
                scopes: Vec::new(),
                allowed_domains: Vec::new(),
                tenants: Vec::new(),
                groups_claim: None,
            }),
        };
        let now = visitor.now();
        Connection {
            id: ConnectionRef::Configured(self.slug.clone()),
            workspace: None,
            slug: self.slug.clone(),
            name: self.name.clone(),
            enabled: true,
            provider,
            policy: SsoPolicy::default(),
            server: ServerScope::default(),
            has_scim: false,
            created_by: Creator::User(visitor.user().id),
            created_at: now,
            updated_at: now,
        }
    }

    /// The first step, as it was left.
    fn path(&self, visitor: &Visitor) -> String {
        let pairs = [
            ("kind", self.kind.word()),
            ("name", &self.name),
            ("slug", &self.slug),
        ];
        let pairs: Vec<String> = pairs
            .iter()
            .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)))
            .collect();
        format!("{}?{}", visitor.path("sso/new"), pairs.join("&"))
    }
}

/// Where it is said what the provider is to be told, and how it is asked.
pub(crate) async fn set_up(visitor: Visitor) -> PageResult {
    if let Some(proof) = visitor.proof_first() {
        return Ok(proof);
    }
    let query = visitor.query();
    if query.text("kind").is_none() && query.text("name").is_none() {
        return Ok(see_other(&visitor.path("sso/new")));
    }
    match Chosen::read(&visitor, &query) {
        Ok((chosen, connection)) => set_up_page(&visitor, &chosen, &connection, &Filled::empty(), None),
        Err(error) if is_of_form(&error) => {
            let form = Filled::refused(&query, &error);
            Ok(choose_page(&visitor, &form, "", "", Some(&error)))
        }
        Err(error) => Err(error),
    }
}

fn set_up_page(
    visitor: &Visitor,
    chosen: &Chosen,
    connection: &Connection,
    form: &Filled,
    refused: Option<&ApiError>,
) -> PageResult {
    let sso = flows(visitor)?;
    let shown = kind::shown(sso, connection);
    let again = chosen.path(visitor);
    let [oidc, saml] = settings::FIELDS;
    let content = html! {
        div.page-head { div { (crumbs(visitor, None)) h1 { "Connect " (chosen.kind.title()) } } }
        (first_steps(Some(again.clone()), Step::Settings))
        (summary(form, &[oidc, saml, "defaultRole", "groupRoles"]))
        (public_address(sso.public_url()))
        section.card {
            h2 { "First, at the provider" }
            (kind::at_provider(chosen.kind, &shown))
            p.quiet {
                "The addresses name this connection " code { (chosen.slug) } ". "
                a href=(again) { "Change its name" }
            }
        }
        form.card method="post" action=(visitor.path("sso/new/provider")) {
            (token(visitor))
            @for (name, value) in [("kind", chosen.kind.word()), ("name", &chosen.name), ("slug", &chosen.slug)] {
                input type="hidden" name=(name) value=(value);
            }
            h2 { "Then, here" }
            (settings::fields(form, chosen.kind, None))
            (policy::fields(form, "", None))
            div.actions { (submit("Save connection")) a.button.quiet href=(visitor.path("sso")) { "Leave it" } }
        }
    };
    let title = format!("Connect {}", chosen.kind.title());
    Ok(layout::answer(
        layout::framed(visitor, Place::Sso, &title, &content),
        refused,
    ))
}

/// Says so if providers would be told an address that is of no use to them.
pub(super) fn public_address(public_url: &str) -> Markup {
    html! {
        @if !public_url.starts_with("https://") {
            (warning(&html! {
                p {
                    "This server calls itself " code { (public_url) } ". Most providers send nobody to an address without https: whoever runs the server sets "
                    code { "server.public_url" } ", and what is registered then stays right."
                }
            }))
        }
    }
}

/// Makes the connection, and asks the provider whether it would do.
pub(crate) async fn create(visitor: Visitor, fields: Fields) -> PageResult {
    let Ok((chosen, connection)) = Chosen::read(&visitor, &fields) else {
        return Ok(see_other(&visitor.path("sso/new")));
    };
    match try_create(&visitor, &chosen, &fields).await {
        Ok(made) => provider::asked(&visitor, &made, "sso-made").await,
        Err(error) if is_of_form(&error) => {
            let form = settings::refused(&fields, &error);
            set_up_page(&visitor, &chosen, &connection, &form, Some(&error))
        }
        Err(error) => Err(error),
    }
}

async fn try_create(visitor: &Visitor, chosen: &Chosen, fields: &Fields) -> Result<Connection, ApiError> {
    let mut body = policy::body(fields, "");
    let (protocol, settings) = settings::body(chosen.kind, fields);
    body.insert(protocol.to_owned(), settings);
    body.insert("slug".to_owned(), json!(chosen.slug));
    body.insert("name".to_owned(), json!(chosen.name));
    let body = page::read::<CreateSsoConnection>(&Value::Object(body))?;
    let new = body.read().map_err(page::mistake)?;
    let workspace = visitor.workspace_id()?;
    let connection = flows(visitor)?.create(&visitor.actor(), workspace, new).await?;
    let (id, slug, by) = (&connection.id, &connection.slug, visitor.user().id);
    tracing::info!(%workspace, connection = %id, slug, %by, "connection made");
    Ok(connection)
}

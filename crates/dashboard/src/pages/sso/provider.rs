//! How the provider of a connection is asked, to be changed.

use maud::html;
use serde_json::{Map, Value};
use tigertrust_accounts::{
    FlowError,
    sso::{Connection, ProbeReport, ProviderSettings},
};
use tigertrust_http::{ApiError, page};
use tigertrust_model::ConnectionId;
use tigertrust_wire::{Code, FieldProblem, Problem, UpdateSsoConnection};

use super::{
    crumbs, flows, found, is_of_form,
    kind::{self, Kind},
    path, probed,
    progress::{Progress, Step, steps},
    sentence, settings,
    wizard::public_address,
};
use crate::{
    components::{submit, summary, token, warning},
    form::{Fields, Filled},
    layout::{self, Place},
    visitor::{PageResult, Visitor, see_other},
};

/// Asks the provider of a connection that was just saved, and leads on: to the settings again if it does not do.
pub(super) async fn asked(visitor: &Visitor, connection: &Connection, word: &str) -> PageResult {
    let id = connection.stored_id().ok_or(FlowError::NotFound)?;
    let to = match probed(visitor, id).await?.ok {
        true => format!("/test?done={word}"),
        false => "/provider?asked=anew".to_owned(),
    };
    Ok(see_other(&path(visitor, id, &to)))
}

/// Where it is said how the provider is asked. Who comes here since it does not do is told why, beside the field.
pub(crate) async fn edit(visitor: Visitor) -> PageResult {
    if let Some(proof) = visitor.proof_first() {
        return Ok(proof);
    }
    let (id, connection) = found(&visitor).await?;
    let form = match visitor.query().text("asked") {
        None => Filled::empty(),
        // Nobody else's link has the provider asked.
        Some(_) if !page::comes_from_here(visitor.request()) => Filled::empty(),
        Some(_) => told(&connection, &probed(&visitor, id).await?),
    };
    edit_page(&visitor, id, &connection, &form, None).await
}

/// What the provider is found to be like, beside the address by which it was found.
fn told(connection: &Connection, report: &ProbeReport) -> Filled {
    if report.ok {
        return Filled::empty();
    }
    let pointer = match &connection.provider {
        ProviderSettings::Oidc(_) => "/oidc/issuer",
        ProviderSettings::Saml(_) => "/saml/metadataUrl",
    };
    let mistakes = report.findings.iter().map(|finding| FieldProblem {
        pointer: pointer.to_owned(),
        detail: sentence(finding),
    });
    let problem = Problem::new(Code::ValidationError, "The provider does not do.");
    Filled::refused(
        &Fields::default(),
        &problem.with_errors(mistakes.collect()).into(),
    )
}

async fn edit_page(
    visitor: &Visitor,
    id: ConnectionId,
    connection: &Connection,
    form: &Filled,
    refused: Option<&ApiError>,
) -> PageResult {
    let sso = flows(visitor)?;
    let kind = Kind::of(connection);
    let progress = Progress::of(visitor, connection).await?;
    let shown = kind::shown(sso, connection);
    let [oidc, saml] = settings::FIELDS;
    let was_saved = refused.is_none() && form.summary(&settings::FIELDS).is_some();
    let content = html! {
        div.page-head {
            div {
                (crumbs(visitor, Some((id, &connection.name))))
                h1 { "Settings of " (connection.name) }
            }
        }
        (steps(visitor, id, &progress, Some(Step::Settings)))
        @if was_saved {
            (warning(&html! {
                p role="alert" { strong { "The connection is saved, but nobody could sign in by it yet." } " What the provider answered stands below." }
            }))
        } @else { (summary(form, &[oidc, saml])) }
        section.card {
            h2 { "At the provider" }
            details open[was_saved] { summary { "What is entered there" } div.stack { (kind::at_provider(kind, &shown)) (public_address(sso.public_url())) } }
        }
        form.card method="post" action=(path(visitor, id, "/provider")) {
            (token(visitor))
            h2 { "Here" }
            (settings::fields(form, kind, Some(&connection.provider)))
            div.actions { (submit("Save")) a.button.quiet href=(path(visitor, id, "")) { "Cancel" } }
        }
    };
    let page = layout::framed(visitor, Place::Sso, "Settings of the connection", &content);
    Ok(layout::answer(page, refused))
}

/// Saves it, and asks the provider whether it does.
pub(crate) async fn save(visitor: Visitor, fields: Fields) -> PageResult {
    let (id, connection) = found(&visitor).await?;
    match try_save(&visitor, id, &connection, &fields).await {
        Ok(changed) => asked(&visitor, &changed, "sso-answers").await,
        Err(error) if is_of_form(&error) => {
            let form = settings::refused(&fields, &error);
            edit_page(&visitor, id, &connection, &form, Some(&error)).await
        }
        Err(error) => Err(error),
    }
}

async fn try_save(
    visitor: &Visitor,
    id: ConnectionId,
    connection: &Connection,
    fields: &Fields,
) -> Result<Connection, ApiError> {
    let (protocol, settings) = settings::body(Kind::of(connection), fields);
    let body = Map::from_iter([(protocol.to_owned(), settings)]);
    let body = page::read::<UpdateSsoConnection>(&Value::Object(body))?;
    let changes = body.read().map_err(page::mistake)?;
    let workspace = visitor.workspace_id()?;
    let changed = flows(visitor)?
        .update(&visitor.actor(), workspace, id, changes)
        .await?;
    tracing::info!(%workspace, connection = %id, by = %visitor.user().id, "connection edited");
    Ok(changed)
}

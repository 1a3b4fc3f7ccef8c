//! `/api/audit`: who did what.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, header},
    web::{self, Bytes},
};
use futures_util::stream;
use serde::Deserialize;
use tigertrust_accounts::{
    FlowError,
    audit::{AuditFlows, Checkpoint as SignedCheckpoint, MAX_PAGE},
};
use tigertrust_model::{
    AuditAction, AuditCursor, AuditEvent as Event, AuditFilter, Chain, UnknownAuditOutcome,
};
use tigertrust_wire::{
    AuditEvent, Checkpoint, Code, Page, Problem, audit_csv, audit_csv_headings, audit_ndjson,
};
use utoipa::IntoParams;

use crate::{App, error::ApiError, permit::Admitted, query, respond::json};

/// Lists what was done in the workspace, newest first; for an instance key that names none, what was done on the instance: sign-ins,
/// accounts, and what concerns no workspace.
#[utoipa::path(
    get, path = "/api/audit/events", tag = "audit", operation_id = "listAuditEvents", params(EventsQuery),
    responses((status = 200, description = "A page of events", body = Page<AuditEvent>)),
)]
pub(crate) async fn list(
    caller: Admitted,
    app: web::Data<App>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let query = query::parse::<EventsQuery>(&request)?;
    let (page, limit) = query::page::<AuditCursor>(query.limit.as_deref(), query.cursor.as_deref())?;
    let chain = AuditFlows::chain_of(&caller.actor())?;
    let filter = query.filter()?;
    let found = app.audit.list(chain, filter, page.after, page.limit).await?;
    Ok(json(&Page::of(
        found.events,
        limit,
        |event| {
            AuditCursor {
                at: event.at,
                seq: event.seq,
            }
            .to_string()
        },
        |event| AuditEvent::from(event),
    )))
}

/// Hands out all that was done, newest first, as it is read: one event a line in NDJSON, or CSV. That it is handed out is an event
/// itself.
#[utoipa::path(
    get, path = "/api/audit/export", tag = "audit", operation_id = "exportAuditEvents", params(ExportQuery),
    responses((status = 200, description = "All events that fulfil the filter", content_type = "application/x-ndjson", body = String)),
)]
pub(crate) async fn export(
    caller: Admitted,
    app: web::Data<App>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let query = query::parse::<ExportQuery>(&request)?;
    let format = match query.format.as_deref() {
        None | Some("ndjson") => Format::Ndjson,
        Some("csv") => Format::Csv,
        Some(_) => return Err(query::invalid("format", "must be ndjson or csv")),
    };
    let filter = query.filter()?;
    let actor = caller.actor();
    let chain = AuditFlows::chain_of(&actor)?;
    let mut response = HttpResponse::Ok();
    response.content_type(format.content_type()).insert_header((
        header::CONTENT_DISPOSITION,
        format!("attachment; filename=\"audit-{chain}.{}\"", format.name()),
    ));
    // The answer to HEAD has no content, so that nothing is handed out.
    if request.method() == Method::HEAD {
        return Ok(response.finish());
    }
    app.audit
        .note_export(&actor.act(), chain, format.name(), &filter)
        .await?;
    let reading = Reading {
        caller,
        app,
        chain,
        filter,
        format,
        begins: true,
        after: Some(None),
    };
    let pages = stream::try_unfold(reading, |mut reading| async move {
        let text = reading.next().await?;
        Ok::<_, actix_web::Error>(text.map(|text| (Bytes::from(text), reading)))
    });
    Ok(response.streaming(pages))
}

/// How far the chain has come, signed, to be kept where nobody reaches who has the database: `tigertrust audit verify` compares.
#[utoipa::path(
    get, path = "/api/audit/checkpoint", tag = "audit", operation_id = "getAuditCheckpoint",
    responses(
        (status = 200, description = "The checkpoint", body = Checkpoint),
        (status = 503, description = "The head of the chain is not as it was written", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn checkpoint(caller: Admitted, app: web::Data<App>) -> Result<HttpResponse, ApiError> {
    let chain = AuditFlows::chain_of(&caller.actor())?;
    Ok(json(&checkpoint_of(&app, chain).await?))
}

/// How far a chain has come, signed.
///
/// # Errors
/// 503 for a chain whose head is not as it was written.
pub async fn checkpoint_of(app: &App, chain: Chain) -> Result<Checkpoint, ApiError> {
    match app.audit.head(chain).await? {
        Ok(head) => {
            let signed = SignedCheckpoint::sign(app.audit.ring(), &head, app.clock.now());
            Ok(Checkpoint::from(&signed))
        }
        Err(finding) => {
            tracing::error!(%chain, %finding, "the audit log was tampered with");
            Err(Problem::new(Code::ServiceUnavailable, "The audit log needs its operator.").into())
        }
    }
}

/// The events that a query string asks for, as `GET /api/audit/events` reads it.
///
/// # Errors
/// 400 `VALIDATION_ERROR`, which says of which parameter.
pub fn filter_of(query: &str) -> Result<AuditFilter, ApiError> {
    query::read::<EventsQuery>(query)?.filter()
}

/// A query string that says which events are wanted, and more. (serde refuses unknown fields, or flattens a struct into another, but
/// not both.)
macro_rules! events_query {
    ($(#[$doc:meta])* $name:ident { $($more:tt)* }) => {
        $(#[$doc])*
        #[derive(Debug, Deserialize, IntoParams)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        #[into_params(parameter_in = Query)]
        pub(crate) struct $name {
            /// Only this action, or all that concerns one thing: `key.revoked` or `key.*`.
            #[param(example = "key.revoked")]
            action: Option<String>,
            /// Only what this user, key, session or provider did.
            #[param(example = "usr_01h2xcejqtf2nbrexx3vqjhp41")]
            actor: Option<String>,
            /// Only what was done on this.
            #[param(example = "key_01h2xcejqtf2nbrexx3vqjhp41")]
            target: Option<String>,
            /// Only what happened (`success`) or did not (`refused`).
            #[param(example = "refused")]
            outcome: Option<String>,
            /// Only from this time on.
            #[param(format = DateTime, example = "2027-01-31T12:00:00Z")]
            from: Option<String>,
            /// Only before this time.
            #[param(format = DateTime, example = "2027-02-01T12:00:00Z")]
            to: Option<String>,
            $($more)*
        }

        impl $name {
            fn filter(&self) -> Result<AuditFilter, ApiError> {
                let outcome = self.outcome.as_deref().map(str::parse).transpose();
                Ok(AuditFilter {
                    actions: self.action.as_deref().map(actions).transpose()?,
                    actor: named("actor", &self.actor)?,
                    target: named("target", &self.target)?,
                    outcome: outcome.map_err(|error: UnknownAuditOutcome| query::invalid("outcome", error.to_string()))?,
                    from: query::time("from", self.from.as_deref())?,
                    until: query::time("to", self.to.as_deref())?,
                })
            }
        }
    };
}

events_query! {
    /// Which events to list. Conditions add up.
    EventsQuery {
        /// How many entries at the most.
        #[param(value_type = Option<u16>, minimum = 1, maximum = 200, default = 50)]
        limit: Option<String>,
        /// The `nextCursor` of the page before.
        cursor: Option<String>,
    }
}

events_query! {
    /// Which events to hand out, and how. Conditions add up.
    ExportQuery {
        /// `ndjson` or `csv`.
        #[param(example = "ndjson")]
        format: Option<String>,
    }
}

/// A mistyped action must not look like one that never happened.
fn actions(text: &str) -> Result<Vec<AuditAction>, ApiError> {
    AuditAction::named(text).ok_or_else(|| {
        query::invalid(
            "action",
            "must be an action such as key.revoked, or all that concerns one thing, such as key.*",
        )
    })
}

/// The longest name of an actor or a target, in bytes.
const MAX_NAME: usize = 300;

fn named(parameter: &str, text: &Option<String>) -> Result<Option<String>, ApiError> {
    match text {
        Some(text) if text.len() > MAX_NAME || text.contains('\0') => Err(query::invalid(
            parameter,
            format!("must have {MAX_NAME} bytes or fewer, none of them 0"),
        )),
        text => Ok(text.clone()),
    }
}

/// How events are handed out.
#[derive(Clone, Copy)]
enum Format {
    Ndjson,
    Csv,
}

impl Format {
    const fn name(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
        }
    }

    const fn content_type(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8",
        }
    }

    fn write(self, events: &[Event]) -> String {
        match self {
            Self::Csv => audit_csv(events),
            Self::Ndjson => audit_ndjson(events),
        }
    }
}

/// An export under way: a page of it is in memory at a time.
struct Reading {
    caller: Admitted,
    app: web::Data<App>,
    chain: Chain,
    filter: AuditFilter,
    format: Format,
    begins: bool,
    /// Where the next page begins, `None` in it for the first; `None` at the end.
    after: Option<Option<AuditCursor>>,
}

impl Reading {
    /// What is to be sent next; `None` at the end.
    async fn next(&mut self) -> Result<Option<String>, ApiError> {
        let Some(after) = self.after else {
            return Ok(None);
        };
        // Who has lost the right meanwhile is handed out no more.
        self.caller.renew().await?;
        if AuditFlows::chain_of(&self.caller.actor())? != self.chain {
            return Err(FlowError::NotFound.into());
        }
        let page = self
            .app
            .audit
            .list(self.chain, self.filter.clone(), after, MAX_PAGE)
            .await?;
        self.after = page.next.map(Some);
        let mut text = self.format.write(&page.events);
        if std::mem::take(&mut self.begins) && matches!(self.format, Format::Csv) {
            text.insert_str(0, &audit_csv_headings());
        }
        Ok(Some(text))
    }
}

//! The audit log: what it says of a person, shown to that person and erased.

use std::collections::BTreeSet;

use diesel::{BoolExpressionMethods, ExpressionMethods, JoinOnDsl, QueryDsl, SelectableHelper};
use diesel_async::RunQueryDsl;
use tigertrust_accounts::ports::MAX_EXPORTED_EVENTS;
use tigertrust_credentials::{AuditRing, ports::StoreError};
use tigertrust_model::{AuditAction, AuditEvent, Chain, InvitationId, KeyId, UserId};

use super::{
    super::Connection,
    audit,
    audit_rows::{EventRow, chain_of},
    schema::{api_keys, audit_events as events, invitations, users},
};
use crate::{error::OrUnavailable, types::StoredId};

/// What a person did, and what was done to the account, in all chains, newest first, and whether there is more. Where others were,
/// and with what they acted, is theirs.
pub(super) async fn events(
    connection: &mut Connection,
    user: UserId,
) -> Result<(Vec<AuditEvent>, bool), StoreError> {
    let name = user.to_string();
    let rows: Vec<EventRow> = events::table
        .filter(events::actor_id.eq(&name).or(events::target_id.eq(&name)))
        .order((events::created_at.desc(), events::id.desc()))
        .limit(i64::from(MAX_EXPORTED_EVENTS) + 1)
        .select(EventRow::as_select())
        .load(connection)
        .await
        .or_unavailable()?;
    let truncated = rows.len() > usize::from(MAX_EXPORTED_EVENTS);
    let read = rows
        .into_iter()
        .take(usize::from(MAX_EXPORTED_EVENTS))
        .map(|row| {
            let mut event = row.read()?;
            if event.actor.as_ref() != Some(&name) {
                event.credential = None;
                if let Some(personal) = &mut event.personal {
                    (personal.address, personal.user_agent) = (None, None);
                }
            }
            Ok(event)
        });
    Ok((read.collect::<Result<_, StoreError>>()?, truncated))
}

/// What the log knows a person by.
pub(super) struct Traces {
    actor: String,
    targets: Vec<String>,
    mentions: Vec<Vec<u8>>,
}

/// What the log knows a person by, as long as the account is there.
pub(super) async fn traces(
    connection: &mut Connection,
    ring: &AuditRing,
    user: UserId,
) -> Result<Traces, StoreError> {
    let (id, actor) = (StoredId::new(user.as_uuid()), user.to_string());
    let keys: Vec<StoredId> = api_keys::table
        .filter(api_keys::owner_id.eq(id))
        .select(api_keys::id)
        .load(connection)
        .await
        .or_unavailable()?;
    let open: Vec<StoredId> = invitations::table
        .inner_join(users::table.on(users::email_canonical.eq(invitations::email_canonical)))
        .filter(users::id.eq(id))
        .select(invitations::id)
        .load(connection)
        .await
        .or_unavailable()?;
    // Those that were accepted are no more, but it is logged who accepted them.
    let accepted: Vec<Option<String>> = events::table
        .filter(events::actor_id.eq(actor.clone()))
        .filter(events::action.eq(AuditAction::InvitationAccepted.as_str()))
        .select(events::target_id)
        .load(connection)
        .await
        .or_unavailable()?;
    let keys = keys
        .into_iter()
        .filter_map(|id| Some(KeyId::from_uuid(id.read()?).to_string()));
    let open = open
        .into_iter()
        .filter_map(|id| Some(InvitationId::from_uuid(id.read()?).to_string()));
    let targets = keys
        .chain(open)
        .chain(accepted.into_iter().flatten())
        .chain([actor.clone()])
        .collect();
    // Invitations that were revoked, or have expired, are no more either.
    let address: String = users::table
        .find(id)
        .select(users::email_canonical)
        .first(connection)
        .await
        .or_unavailable()?;
    Ok(Traces {
        actor,
        targets,
        mentions: ring.mentions(&address).iter().map(|mac| mac.to_vec()).collect(),
    })
}

/// Erases what the log says of a person beside the id: where it was, and what it was called. The chains hold without that.
///
/// The heads come before the events, as for whoever archives a chain, and all at once in one order, with those of the chains that the
/// transaction is to log in: as [`append`](audit::append), it comes after all else that may wait.
pub(super) async fn forget(
    connection: &mut Connection,
    traces: Traces,
    logging_in: impl IntoIterator<Item = Chain>,
) -> Result<(), StoreError> {
    let Traces {
        actor,
        targets,
        mentions,
    } = traces;
    let held_in: Vec<StoredId> = events::table
        .filter(
            events::actor_id
                .eq(&actor)
                .or(events::target_id.eq_any(&targets))
                .or(events::mentions.eq_any(&mentions)),
        )
        .select(events::chain_id)
        .distinct()
        .load(connection)
        .await
        .or_unavailable()?;
    let chains: BTreeSet<Chain> = held_in
        .into_iter()
        .filter_map(chain_of)
        .chain(logging_in)
        .collect();
    for chain in chains {
        audit::take(connection, chain).await.or_unavailable()?;
    }
    let nothing = (
        events::salt.eq(None::<Vec<u8>>),
        events::address.eq(None::<String>),
        events::user_agent.eq(None::<String>),
        events::details.eq(None::<String>),
        events::mentions.eq(None::<Vec<u8>>),
    );
    diesel::update(events::table.filter(events::actor_id.eq(actor)))
        .set(nothing.clone())
        .execute(connection)
        .await
        .or_unavailable()?;
    diesel::update(events::table.filter(events::target_id.eq_any(targets)))
        .set(nothing.clone())
        .execute(connection)
        .await
        .or_unavailable()?;
    diesel::update(events::table.filter(events::mentions.eq_any(mentions)))
        .set(nothing)
        .execute(connection)
        .await
        .or_unavailable()
        .map(|_| ())
}

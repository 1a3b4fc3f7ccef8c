//! The audit log: what it says of a person, shown to that person and erased.

use diesel::{BoolExpressionMethods, ExpressionMethods, JoinOnDsl, QueryDsl, SelectableHelper};
use diesel_async::RunQueryDsl;
use tigertrust_accounts::ports::MAX_EXPORTED_EVENTS;
use tigertrust_credentials::ports::StoreError;
use tigertrust_model::{AuditAction, AuditEvent, UserId};

use super::{
    super::Connection,
    audit_rows::EventRow,
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
    let read = rows.into_iter().take(usize::from(MAX_EXPORTED_EVENTS)).map(|row| {
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

/// Erases what the log says of a person beside the id: where it was, and what it was called. The chains hold without that.
pub(super) async fn forget(connection: &mut Connection, user: UserId) -> Result<(), StoreError> {
    let (id, name) = (StoredId::new(user.as_uuid()), user.to_string());
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
        .filter(events::actor_id.eq(name.clone()))
        .filter(events::action.eq(AuditAction::InvitationAccepted.as_str()))
        .select(events::target_id)
        .load(connection)
        .await
        .or_unavailable()?;
    let keys = keys
        .into_iter()
        .filter_map(|id| Some(tigertrust_model::KeyId::from_uuid(id.read()?).to_string()));
    let open = open
        .into_iter()
        .filter_map(|id| Some(tigertrust_model::InvitationId::from_uuid(id.read()?).to_string()));
    let about: Vec<String> = keys
        .chain(open)
        .chain(accepted.into_iter().flatten())
        .chain([name.clone()])
        .collect();
    let nothing = (
        events::salt.eq(None::<Vec<u8>>),
        events::address.eq(None::<String>),
        events::user_agent.eq(None::<String>),
        events::details.eq(None::<String>),
    );
    diesel::update(events::table.filter(events::actor_id.eq(name)))
        .set(nothing.clone())
        .execute(connection)
        .await
        .or_unavailable()?;
    diesel::update(events::table.filter(events::target_id.eq_any(about)))
        .set(nothing)
        .execute(connection)
        .await
        .or_unavailable()?;
    Ok(())
}

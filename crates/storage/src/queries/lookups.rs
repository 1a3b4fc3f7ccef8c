//! What a request looks up: one indexed query each.

use async_trait::async_trait;
use diesel::{
    BoolExpressionMethods, ExpressionMethods, JoinOnDsl, NullableExpressionMethods, OptionalExtension,
    QueryDsl, SelectableHelper, dsl::exists,
};
use diesel_async::RunQueryDsl;
use tigertrust_credentials::{
    KeyDigest,
    ports::{CredentialStore, KeyOwner, KeyRecord, StoreError},
};
use tigertrust_model::{KeyReach, UserId, Workspace, WorkspaceId};

use super::{
    Store,
    rows::{Corrupt, KeyRow, WorkspaceRow},
    schema::{
        api_key_secrets as secrets, api_key_workspaces, api_keys as keys, memberships, passkeys,
        totp_factors as totp, users, workspaces,
    },
};
use crate::{
    error::OrUnavailable,
    types::{StoredId, StoredTime},
};

diesel::alias!(
    workspaces as home: Home,
    workspaces as other: Other,
    memberships as at_home: AtHome,
    memberships as elsewhere: Elsewhere
);

/// One row for each other workspace of the key, or a single one if it has none.
type FoundKey = (
    KeyRow,
    Vec<u8>,
    Option<StoredTime>,
    Option<WorkspaceRow>,
    Option<StoredId>,
    Option<WorkspaceRow>,
    OwnerRow,
);

/// The owner of a personal key: when the account was disabled, the roles in the home and in the other workspace, and whether
/// a second factor is enrolled.
type OwnerRow = (Option<StoredTime>, Option<String>, Option<String>, bool);

#[async_trait]
impl CredentialStore for Store {
    async fn find_key(&self, digests: &[KeyDigest]) -> Result<Option<KeyRecord>, StoreError> {
        let digests: Vec<Vec<u8>> = digests.iter().map(|digest| digest.as_bytes().to_vec()).collect();
        let wanted = digests.clone();
        let rows: Vec<FoundKey> = self
            .read(move |connection| {
                Box::pin(async move {
                    let found = secrets::table
                        .inner_join(keys::table.on(keys::id.eq(secrets::key_id)))
                        .left_join(home.on(home.field(workspaces::id).nullable().eq(keys::home_workspace_id)))
                        .left_join(api_key_workspaces::table.on(api_key_workspaces::key_id.eq(keys::id)))
                        .left_join(other.on(other.field(workspaces::id).eq(api_key_workspaces::workspace_id)))
                        .left_join(users::table.on(users::id.nullable().eq(keys::owner_id)))
                        .left_join(
                            at_home.on(at_home
                                .field(memberships::user_id)
                                .nullable()
                                .eq(keys::owner_id)
                                .and(
                                    at_home
                                        .field(memberships::workspace_id)
                                        .nullable()
                                        .eq(keys::home_workspace_id),
                                )),
                        )
                        .left_join(
                            elsewhere.on(elsewhere
                                .field(memberships::user_id)
                                .nullable()
                                .eq(keys::owner_id)
                                .and(
                                    elsewhere
                                        .field(memberships::workspace_id)
                                        .nullable()
                                        .eq(api_key_workspaces::workspace_id.nullable()),
                                )),
                        )
                        .select((
                            KeyRow::as_select(),
                            secrets::digest,
                            secrets::ends_at,
                            home.fields(workspaces::all_columns).nullable(),
                            api_key_workspaces::workspace_id.nullable(),
                            other.fields(workspaces::all_columns).nullable(),
                            (
                                users::disabled_at.nullable(),
                                at_home.field(memberships::role).nullable(),
                                elsewhere.field(memberships::role).nullable(),
                                exists(
                                    totp::table
                                        .filter(totp::user_id.nullable().eq(keys::owner_id))
                                        .filter(totp::confirmed_at.is_not_null()),
                                )
                                .or(exists(
                                    passkeys::table.filter(passkeys::user_id.nullable().eq(keys::owner_id)),
                                )),
                            ),
                        ));
                    // A statement with a list would be prepared anew each time on SQLite, since lists differ in length.
                    let rows = match <[Vec<u8>; 1]>::try_from(wanted) {
                        Ok([digest]) => found.filter(secrets::digest.eq(digest)).load(connection).await,
                        Err(digests) => {
                            found
                                .filter(secrets::digest.eq_any(digests))
                                .load(connection)
                                .await
                        }
                    };
                    rows.or_unavailable()
                })
            })
            .await?;
        record(&digests, rows)
    }

    async fn find_workspace(&self, id: WorkspaceId) -> Result<Option<Workspace>, StoreError> {
        let row = self
            .read(move |connection| {
                Box::pin(async move {
                    workspaces::table
                        .find(StoredId::new(id.as_uuid()))
                        .select(WorkspaceRow::as_select())
                        .first(connection)
                        .await
                        .optional()
                        .or_unavailable()
                })
            })
            .await?;
        row.map(WorkspaceRow::read).transpose()
    }
}

/// Puts the rows of one key together. Should a secret be stored under several peppers, the digest that was asked for
/// first counts.
fn record(digests: &[Vec<u8>], mut rows: Vec<FoundKey>) -> Result<Option<KeyRecord>, StoreError> {
    let found = digests
        .iter()
        .find(|digest| rows.iter().any(|row| row.1 == **digest));
    let Some(digest) = found else {
        return Ok(None);
    };
    rows.retain(|row| row.1 == *digest);
    let [(key, _, ends_at, home_row, _, _, _), ..] = rows.as_slice() else {
        return Ok(None);
    };
    let (key, ends_at, home_row) = (key.clone(), *ends_at, home_row.clone());
    let others: Vec<StoredId> = rows.iter().filter_map(|row| row.4).collect();
    let key = key.read(&others)?;
    let owner = key
        .owner
        .map(|owner| read_owner(owner, &key.reach, &rows))
        .transpose()?;
    let corrupt = Corrupt::new("api_keys", Some(key.id));
    let mut named: Vec<Workspace> = rows
        .into_iter()
        .filter_map(|row| row.5)
        .chain(home_row)
        .map(WorkspaceRow::read)
        .collect::<Result<_, _>>()?;
    // In the order of the key's reach: its home first, then by id.
    let home_id = key.reach.home();
    named.sort_unstable_by_key(|workspace| (Some(workspace.id) != home_id, workspace.id));
    named.dedup_by_key(|workspace| workspace.id);
    if !named.iter().map(|workspace| workspace.id).eq(key.reach.named()) {
        return Err(corrupt.at("home_workspace_id"));
    }
    Ok(Some(KeyRecord {
        secret_digest: stored_digest(digest).ok_or_else(|| corrupt.at("digest"))?,
        secret_ends_at: Corrupt::new("api_key_secrets", Some(key.id)).optional_time(ends_at, "ends_at")?,
        key,
        workspaces: named,
        owner,
    }))
}

fn read_owner(id: UserId, reach: &KeyReach, rows: &[FoundKey]) -> Result<KeyOwner, StoreError> {
    let (disabled_at, in_home, _, has_second_factor) =
        rows.first().map(|row| row.6.clone()).unwrap_or_default();
    let in_others = rows.iter().map(|row| {
        let workspace = row.4.and_then(StoredId::read).map(WorkspaceId::from_uuid);
        (workspace, row.6.2.clone())
    });
    let mut roles = Vec::new();
    for (workspace, role) in [(reach.home(), in_home)].into_iter().chain(in_others) {
        let Some((workspace, role)) = workspace.zip(role) else {
            continue;
        };
        let corrupt = Corrupt::new("memberships", Some(format!("{workspace}, {id}")));
        roles.push((workspace, role.parse().map_err(|_| corrupt.at("role"))?));
    }
    Ok(KeyOwner {
        id,
        // The foreign key sees to it that there is such a person.
        disabled_at: Corrupt::new("users", Some(id)).optional_time(disabled_at, "disabled_at")?,
        has_second_factor,
        roles,
    })
}

fn stored_digest(bytes: &[u8]) -> Option<KeyDigest> {
    bytes.try_into().ok().map(KeyDigest::from_bytes)
}

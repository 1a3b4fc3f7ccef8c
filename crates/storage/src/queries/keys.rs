//! Keys: created, listed, edited.

use std::collections::HashMap;

use async_trait::async_trait;
use diesel::{
    BoolExpressionMethods, ExpressionMethods, JoinOnDsl, NullableExpressionMethods, QueryDsl, QueryResult,
    SelectableHelper,
};
use diesel_async::RunQueryDsl;
use tigertrust_accounts::{
    Earlier, FlowError, OnceOnly,
    ports::{HeldSecret, ImportedKeys, KeyDetails, KeyEdit, KeyStore, KeyView, Page, StoredSecret},
};
use tigertrust_credentials::{KeyDigest, ports::StoreError};
use tigertrust_model::{Act, ApiKey, Entity, KeyFilter, KeyId, KeyReach, SecretInfo, Timestamp, UserId};

use super::{
    super::{Connection, lock_key},
    Store, Written,
    audit_entries::{key_changed, key_created},
    key_filter, key_import, requests,
    rows::{EditedColumns, KeyRow, SecretRow},
    schema::{api_key_secrets as secrets, api_key_workspaces as others, api_keys as keys},
};
use crate::{
    error::OrUnavailable,
    types::{StoredId, StoredTime},
};

#[async_trait]
impl KeyStore for Store {
    async fn insert_key(
        &self,
        act: Act,
        key: ApiKey,
        secret: StoredSecret,
        once: Option<OnceOnly>,
    ) -> Result<Option<Earlier>, FlowError> {
        self.write(move |connection| {
            Box::pin(async move {
                let earlier = match once {
                    Some(once) => requests::claim(connection, &once, key.id).await?,
                    None => None,
                };
                if earlier.is_some() {
                    return Ok(Written::quietly(earlier));
                }
                insert(connection, &key, &secret).await.or_unavailable()?;
                Ok(Written::quietly(None).logging([key_created(&act, &key)]))
            })
        })
        .await
    }

    async fn import_keys(&self, act: Act, batch: ImportedKeys) -> Result<Vec<HeldSecret>, FlowError> {
        self.write(move |connection| Box::pin(key_import::import(connection, act, batch)))
            .await
    }

    async fn find_secrets(
        &self,
        digests: Vec<KeyDigest>,
    ) -> Result<Vec<(KeyDigest, HeldSecret)>, StoreError> {
        self.read(move |connection| Box::pin(async move { key_import::find(connection, &digests).await }))
            .await
    }

    async fn find_request(&self, once: OnceOnly) -> Result<Option<Earlier>, StoreError> {
        self.read(move |connection| Box::pin(async move { requests::find(connection, &once).await }))
            .await
    }

    async fn get_key(&self, view: KeyView, id: KeyId) -> Result<Option<KeyDetails>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let found = get(connection, view, id).await?.into_iter().collect();
                Ok(with_secrets(connection, found).await?.pop())
            })
        })
        .await
    }

    async fn list_keys(
        &self,
        view: KeyView,
        filter: KeyFilter,
        page: Page<KeyId>,
    ) -> Result<Vec<KeyDetails>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let mut on_page = keys::table
                    .select(keys::id)
                    .order(keys::id.desc())
                    .limit(i64::from(page.limit))
                    .into_boxed();
                if let Some(home) = view.workspace() {
                    on_page = on_page.filter(keys::home_workspace_id.eq(StoredId::new(home.as_uuid())));
                }
                if let KeyView::Own { owner, .. } = view {
                    on_page = on_page.filter(keys::owner_id.eq(StoredId::new(owner.as_uuid())));
                }
                on_page = key_filter::apply(on_page, filter);
                if let Some(after) = page.after {
                    on_page = on_page.filter(keys::id.lt(StoredId::new(after.as_uuid())));
                }
                let rows = keys::table
                    .left_join(others::table.on(others::key_id.eq(keys::id)))
                    .filter(keys::id.eq_any(on_page))
                    .order(keys::id.desc())
                    .select((KeyRow::as_select(), others::workspace_id.nullable()))
                    .load(connection)
                    .await
                    .or_unavailable()?;
                let found = read(rows)?;
                with_secrets(connection, found).await
            })
        })
        .await
    }

    async fn edit_key(
        &self,
        act: Act,
        view: KeyView,
        id: KeyId,
        edit: KeyEdit,
    ) -> Result<KeyDetails, FlowError> {
        self.write(move |connection| Box::pin(change(connection, act, view, id, edit, None)))
            .await
    }

    async fn rotate_key(
        &self,
        act: Act,
        view: KeyView,
        id: KeyId,
        edit: KeyEdit,
        secret: StoredSecret,
        overlap_ends: Timestamp,
    ) -> Result<KeyDetails, FlowError> {
        let rotation = Some((secret, overlap_ends));
        self.write(move |connection| Box::pin(change(connection, act, view, id, edit, rotation)))
            .await
    }
}

/// The personal keys of somebody, newest first.
pub(super) async fn of_person(
    connection: &mut Connection,
    owner: UserId,
) -> Result<Vec<KeyDetails>, StoreError> {
    let rows = keys::table
        .left_join(others::table.on(others::key_id.eq(keys::id)))
        .filter(keys::owner_id.eq(StoredId::new(owner.as_uuid())))
        .order(keys::id.desc())
        .select((KeyRow::as_select(), others::workspace_id.nullable()))
        .load(connection)
        .await
        .or_unavailable()?;
    with_secrets(connection, read(rows)?).await
}

/// Edits a key under its lock, and gives it another secret if there is one.
async fn change(
    connection: &mut Connection,
    act: Act,
    view: KeyView,
    id: KeyId,
    edit: KeyEdit,
    rotation: Option<(StoredSecret, Timestamp)>,
) -> Result<Written<KeyDetails>, FlowError> {
    lock_key(connection, StoredId::new(id.as_uuid()))
        .await
        .or_unavailable()?;
    let before = get(connection, view, id).await?.ok_or(FlowError::NotFound)?;
    let mut key = before.clone();
    edit(&mut key)?;
    let mut key = keep_fixed(before.clone(), key);
    if let Some((secret, overlap_ends)) = &rotation {
        key.display = secret.display.clone();
        end_secrets(connection, id, *overlap_ends)
            .await
            .or_unavailable()?;
        insert_secret(connection, StoredId::new(id.as_uuid()), secret, key.updated_at)
            .await
            .or_unavailable()?;
    }
    update(connection, &before, &key).await.or_unavailable()?;
    let home = key.reach.home();
    let logged = key_changed(&act, &before, &key, rotation.map(|(_, ends)| ends));
    let details = with_secrets(connection, vec![key])
        .await?
        .pop()
        .ok_or(FlowError::NotFound)?;
    Ok(Written::changing(Entity::Key(id), home, details).logging(logged))
}

/// Lets the secrets of a key end, those aside that end earlier.
async fn end_secrets(connection: &mut Connection, id: KeyId, at: Timestamp) -> QueryResult<()> {
    let at = StoredTime::new(at);
    let own = secrets::table.filter(secrets::key_id.eq(StoredId::new(id.as_uuid())));
    diesel::update(own.filter(secrets::ends_at.is_null().or(secrets::ends_at.gt(at))))
        .set(secrets::ends_at.eq(Some(at)))
        .execute(connection)
        .await
        .map(|_| ())
}

async fn insert_secret(
    connection: &mut Connection,
    id: StoredId,
    secret: &StoredSecret,
    at: Timestamp,
) -> QueryResult<()> {
    diesel::insert_into(secrets::table)
        .values((
            secrets::digest.eq(secret.digest.as_bytes().to_vec()),
            secrets::key_id.eq(id),
            secrets::pepper_id.eq(secret.pepper_id.clone()),
            secrets::format.eq(secret.format.clone()),
            secrets::display_start.eq(secret.display.start.clone()),
            secrets::display_last_four.eq(secret.display.last_four.clone()),
            secrets::created_at.eq(StoredTime::new(at)),
        ))
        .execute(connection)
        .await
        .map(|_| ())
}

/// Adds their secrets to keys, in one query for all of them.
async fn with_secrets(
    connection: &mut Connection,
    found: Vec<ApiKey>,
) -> Result<Vec<KeyDetails>, StoreError> {
    let ids: Vec<StoredId> = found.iter().map(|key| StoredId::new(key.id.as_uuid())).collect();
    let rows: Vec<SecretRow> = secrets::table
        .filter(secrets::key_id.eq_any(ids))
        .order(secrets::created_at.desc())
        .select(SecretRow::as_select())
        .load(connection)
        .await
        .or_unavailable()?;
    let mut of_key: HashMap<KeyId, Vec<SecretInfo>> = HashMap::new();
    for row in rows {
        let (id, secret) = row.read()?;
        of_key.entry(id).or_default().push(secret);
    }
    let details = |key: ApiKey| KeyDetails {
        secrets: newest_first(of_key.remove(&key.id).unwrap_or_default()),
        key,
    };
    Ok(found.into_iter().map(details).collect())
}

/// The one that does not end is the newest, also among those that were made in one moment.
fn newest_first(mut secrets: Vec<SecretInfo>) -> Vec<SecretInfo> {
    secrets.sort_by_key(|secret| (secret.ends_at.is_some(), std::cmp::Reverse(secret.created_at)));
    secrets
}

/// Stores a new key. It needs no change number: nobody can have cached a secret that did not exist.
pub(super) async fn insert(
    connection: &mut Connection,
    key: &ApiKey,
    secret: &StoredSecret,
) -> QueryResult<()> {
    let row = KeyRow::from(key);
    let id = row.id;
    diesel::insert_into(keys::table)
        .values(row)
        .execute(connection)
        .await?;
    insert_others(connection, id, &key.reach).await?;
    insert_secret(connection, id, secret, key.created_at).await
}

async fn insert_others(connection: &mut Connection, id: StoredId, reach: &KeyReach) -> QueryResult<()> {
    let KeyReach::Workspaces { others: named, .. } = reach else {
        return Ok(());
    };
    // One by one: on SQLite, diesel knows no batch.
    for workspace in named {
        diesel::insert_into(others::table)
            .values((
                others::key_id.eq(id),
                others::workspace_id.eq(StoredId::new(workspace.as_uuid())),
            ))
            .execute(connection)
            .await?;
    }
    Ok(())
}

/// The key with the id, if the view holds it.
pub(super) async fn get(
    connection: &mut Connection,
    view: KeyView,
    id: KeyId,
) -> Result<Option<ApiKey>, StoreError> {
    let mut query = keys::table
        .left_join(others::table.on(others::key_id.eq(keys::id)))
        .filter(keys::id.eq(StoredId::new(id.as_uuid())))
        .select((KeyRow::as_select(), others::workspace_id.nullable()))
        .into_boxed();
    if let Some(home) = view.workspace() {
        query = query.filter(keys::home_workspace_id.eq(StoredId::new(home.as_uuid())));
    }
    if let KeyView::Own { owner, .. } = view {
        query = query.filter(keys::owner_id.eq(StoredId::new(owner.as_uuid())));
    }
    let rows = query.load(connection).await.or_unavailable()?;
    Ok(read(rows)?.pop())
}

/// Puts keys together out of one row for each other workspace, or a single one for a key that has none. The rows of a key
/// stand together.
fn read(rows: Vec<(KeyRow, Option<StoredId>)>) -> Result<Vec<ApiKey>, StoreError> {
    let mut found: Vec<(KeyRow, Vec<StoredId>)> = Vec::new();
    for (row, other) in rows {
        match found.last_mut() {
            Some((last, others)) if last.id == row.id => others.extend(other),
            _ => found.push((row, other.into_iter().collect())),
        }
    }
    found.into_iter().map(|(row, others)| row.read(&others)).collect()
}

/// The edited key with what an edit cannot change as it was: neither is it stored, nor must the answer say so.
fn keep_fixed(before: ApiKey, edited: ApiKey) -> ApiKey {
    let reach = match (before.reach, edited.reach) {
        (KeyReach::Workspaces { home, .. }, KeyReach::Workspaces { others, .. }) => {
            KeyReach::workspaces(home, others)
        }
        (reach, _) => reach,
    };
    ApiKey {
        id: before.id,
        kind: before.kind,
        reach,
        owner: before.owner,
        display: before.display,
        created_by: before.created_by,
        created_at: before.created_at,
        ..edited
    }
}

async fn update(connection: &mut Connection, before: &ApiKey, key: &ApiKey) -> QueryResult<()> {
    let id = StoredId::new(key.id.as_uuid());
    diesel::update(keys::table.find(id))
        .set(EditedColumns::from(key))
        .execute(connection)
        .await?;
    if key.reach != before.reach {
        diesel::delete(others::table.filter(others::key_id.eq(id)))
            .execute(connection)
            .await?;
        insert_others(connection, id, &key.reach).await?;
    }
    Ok(())
}

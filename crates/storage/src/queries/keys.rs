//! Keys: created, listed, edited.

use async_trait::async_trait;
use diesel::{
    ExpressionMethods, JoinOnDsl, NullableExpressionMethods, QueryDsl, QueryResult, SelectableHelper,
};
use diesel_async::RunQueryDsl;
use tigertrust_accounts::{
    FlowError,
    ports::{KeyEdit, KeyStore, KeyView, Page, StoredSecret},
};
use tigertrust_credentials::ports::StoreError;
use tigertrust_model::{ApiKey, Entity, KeyId, KeyReach};

use super::{
    super::{Connection, lock_key},
    Store, Written,
    rows::{EditedColumns, KeyRow},
    schema::{api_key_secrets as secrets, api_key_workspaces as others, api_keys as keys},
};
use crate::{
    error::OrUnavailable,
    types::{StoredId, StoredTime},
};

#[async_trait]
impl KeyStore for Store {
    async fn insert_key(&self, key: ApiKey, secret: StoredSecret) -> Result<(), FlowError> {
        self.write(move |connection| {
            Box::pin(async move {
                insert(connection, &key, &secret).await.or_unavailable()?;
                Ok(Written::quietly(()))
            })
        })
        .await
    }

    async fn get_key(&self, view: KeyView, id: KeyId) -> Result<Option<ApiKey>, StoreError> {
        self.read(move |connection| Box::pin(get(connection, view, id)))
            .await
    }

    async fn list_keys(&self, view: KeyView, page: Page<KeyId>) -> Result<Vec<ApiKey>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let mut on_page = keys::table
                    .select(keys::id)
                    .order(keys::id.desc())
                    .limit(i64::from(page.limit))
                    .into_boxed();
                if let KeyView::Workspace(home) = view {
                    on_page = on_page.filter(keys::home_workspace_id.eq(StoredId::new(home.as_uuid())));
                }
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
                read(rows)
            })
        })
        .await
    }

    async fn edit_key(&self, view: KeyView, id: KeyId, edit: KeyEdit) -> Result<ApiKey, FlowError> {
        self.write(move |connection| {
            Box::pin(async move {
                lock_key(connection, StoredId::new(id.as_uuid()))
                    .await
                    .or_unavailable()?;
                let before = get(connection, view, id).await?.ok_or(FlowError::NotFound)?;
                let mut key = before.clone();
                edit(&mut key)?;
                let key = keep_fixed(before.clone(), key);
                update(connection, &before, &key).await.or_unavailable()?;
                Ok(Written::changing(Entity::Key(id), key))
            })
        })
        .await
    }
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
    diesel::insert_into(secrets::table)
        .values((
            secrets::digest.eq(secret.digest.as_bytes().to_vec()),
            secrets::key_id.eq(id),
            secrets::pepper_id.eq(secret.pepper_id.clone()),
            secrets::format.eq(secret.format.clone()),
            secrets::created_at.eq(StoredTime::new(key.created_at)),
        ))
        .execute(connection)
        .await?;
    Ok(())
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

async fn get(connection: &mut Connection, view: KeyView, id: KeyId) -> Result<Option<ApiKey>, StoreError> {
    let mut query = keys::table
        .left_join(others::table.on(others::key_id.eq(keys::id)))
        .filter(keys::id.eq(StoredId::new(id.as_uuid())))
        .select((KeyRow::as_select(), others::workspace_id.nullable()))
        .into_boxed();
    if let KeyView::Workspace(home) = view {
        query = query.filter(keys::home_workspace_id.eq(StoredId::new(home.as_uuid())));
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

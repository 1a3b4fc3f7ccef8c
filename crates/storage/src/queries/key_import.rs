//! Keys that were made elsewhere, stored many at a time.

use std::collections::HashMap;

use diesel::{ExpressionMethods, JoinOnDsl, QueryDsl};
use diesel_async::RunQueryDsl;
use tigertrust_accounts::{
    FlowError,
    ports::{HeldSecret, ImportedKeys},
};
use tigertrust_credentials::{KeyDigest, ports::StoreError};
use tigertrust_model::{Act, Entity, KeyId, WorkspaceId};

use super::{
    super::{Connection, lock_imports},
    Written,
    audit_entries::{key_created, keys_imported},
    keys,
    rows::Corrupt,
    schema::{api_key_secrets as secrets, api_keys},
};
use crate::{error::OrUnavailable, types::StoredId};

/// A secret by its digest, with its key and the key's home.
type Row = (Vec<u8>, StoredId, Option<StoredId>);

pub(super) async fn import(
    connection: &mut Connection,
    act: Act,
    batch: ImportedKeys,
) -> Result<Written<Vec<HeldSecret>>, FlowError> {
    // Two that import the same keys at once wait for each other, so that neither fails over what the other has stored.
    lock_imports(connection).await.or_unavailable()?;
    let digests: Vec<KeyDigest> = batch
        .keys
        .iter()
        .flat_map(|key| std::iter::once(key.secret.digest).chain(key.elsewise.iter().copied()))
        .collect();
    let mut known: HashMap<KeyDigest, HeldSecret> = find(connection, &digests).await?.into_iter().collect();
    let mut held = Vec::with_capacity(batch.keys.len());
    let mut logged = Vec::new();
    let mut newest = None;
    for imported in &batch.keys {
        let digest = imported.secret.digest;
        let mut all = std::iter::once(&digest).chain(&imported.elsewise);
        if let Some(before) = all.find_map(|digest| known.get(digest)) {
            held.push(*before);
            continue;
        }
        let key = &imported.key;
        keys::insert(connection, key, &imported.secret)
            .await
            .or_unavailable()?;
        logged.push(key_created(&act, key));
        newest = Some(key.id);
        let new = HeldSecret {
            key: key.id,
            home: key.reach.home(),
            is_new: true,
        };
        held.push(new);
        // The same key once more in the batch is there already.
        known.insert(digest, HeldSecret { is_new: false, ..new });
    }
    let Some(newest) = newest else {
        return Ok(Written::quietly(held));
    };
    let counts = [
        ("created", logged.len()),
        ("existing", held.len().saturating_sub(logged.len())),
        ("refused", batch.refused),
    ];
    logged.insert(0, keys_imported(&act, batch.home, counts));
    // One number will do for all of them: nobody can have cached more of them than that they are unknown, which any change ends.
    Ok(Written::changing(Entity::Key(newest), Some(batch.home), held).logging(logged))
}

/// Which keys have secrets with these digests.
pub(super) async fn find(
    connection: &mut Connection,
    digests: &[KeyDigest],
) -> Result<Vec<(KeyDigest, HeldSecret)>, StoreError> {
    let wanted: Vec<Vec<u8>> = digests.iter().map(|digest| digest.as_bytes().to_vec()).collect();
    let rows: Vec<Row> = secrets::table
        .inner_join(api_keys::table.on(api_keys::id.eq(secrets::key_id)))
        .filter(secrets::digest.eq_any(wanted))
        .select((secrets::digest, api_keys::id, api_keys::home_workspace_id))
        .load(connection)
        .await
        .or_unavailable()?;
    rows.into_iter().map(read).collect()
}

fn read((digest, key, home): Row) -> Result<(KeyDigest, HeldSecret), StoreError> {
    let key = key.read().map(KeyId::from_uuid);
    let corrupt = Corrupt::new("api_keys", key);
    let key = key.ok_or_else(|| corrupt.at("id"))?;
    let home = match home {
        None => None,
        Some(home) => Some(home.read().ok_or_else(|| corrupt.at("home_workspace_id"))?),
    };
    let digest =
        <[u8; 32]>::try_from(digest).map_err(|_| Corrupt::new("api_key_secrets", Some(key)).at("digest"))?;
    let held = HeldSecret {
        key,
        home: home.map(WorkspaceId::from_uuid),
        is_new: false,
    };
    Ok((KeyDigest::from_bytes(digest), held))
}

//! What the word of whoever asks is worth in a workspace.

use diesel::{ExpressionMethods, JoinOnDsl, OptionalExtension, QueryDsl};
use diesel_async::RunQueryDsl;
use tigertrust_credentials::ports::StoreError;
use tigertrust_model::{Creator, KeyId, Role, UserId, WorkspaceId};

use super::{
    super::Connection,
    members::corrupt,
    rows::Corrupt,
    schema::{api_keys as keys, memberships, users},
};
use crate::{error::OrUnavailable, types::StoredId};

/// How many keys may have made each other in a row before nobody is looked for any more.
const MAX_MAKERS: usize = 64;

/// What somebody counts as in a workspace, if it is asked of anybody: a person as what it is there, unless the account is disabled; the operator and
/// instance keys as an owner; a key of the workspace as whoever made it, up to an admin.
pub(super) async fn of(
    connection: &mut Connection,
    workspace: WorkspaceId,
    who: Option<Creator>,
) -> Result<Option<Role>, StoreError> {
    let Some((role, by_key)) = behind(connection, workspace, who).await? else {
        return Ok(None);
    };
    Ok(Some(if by_key { role.at_most_admin() } else { role }))
}

/// What whoever stands behind the asker is in the workspace, and whether that asks by a key that it has made.
pub(super) async fn behind(
    connection: &mut Connection,
    workspace: WorkspaceId,
    who: Option<Creator>,
) -> Result<Option<(Role, bool)>, StoreError> {
    let Some(mut who) = who else {
        return Ok(None);
    };
    let mut by_key = false;
    for _ in 0..MAX_MAKERS {
        let role = match who {
            Creator::Operator => Some(Role::Owner),
            Creator::User(user) => of_person(connection, workspace, user).await?,
            Creator::Key(key) => match maker(connection, key).await? {
                Maker::Instance => Some(Role::Owner),
                Maker::Owner(user) => of_person(connection, workspace, user).await?,
                Maker::Other(creator) => {
                    (who, by_key) = (creator, true);
                    continue;
                }
                Maker::Nobody => None,
            },
        };
        return Ok(role.map(|role| (role, by_key)));
    }
    Ok(None)
}

/// Who stands behind a key.
enum Maker {
    /// The operator: it is an instance key.
    Instance,
    /// The person whose personal key it is.
    Owner(UserId),
    /// Whoever made it.
    Other(Creator),
    /// There is no such key.
    Nobody,
}

async fn maker(connection: &mut Connection, key: KeyId) -> Result<Maker, StoreError> {
    let row: Option<(Option<StoredId>, Option<StoredId>, String)> = keys::table
        .find(StoredId::new(key.as_uuid()))
        .select((keys::home_workspace_id, keys::owner_id, keys::created_by))
        .first(connection)
        .await
        .optional()
        .or_unavailable()?;
    let corrupt = Corrupt::new("api_keys", Some(key));
    Ok(match row {
        None => Maker::Nobody,
        Some((None, _, _)) => Maker::Instance,
        Some((_, Some(owner), _)) => {
            let owner = owner.read().map(UserId::from_uuid);
            Maker::Owner(owner.ok_or_else(|| corrupt.at("owner_id"))?)
        }
        Some((_, None, creator)) => Maker::Other(creator.parse().map_err(|_| corrupt.at("created_by"))?),
    })
}

async fn of_person(
    connection: &mut Connection,
    workspace: WorkspaceId,
    user: UserId,
) -> Result<Option<Role>, StoreError> {
    let role: Option<String> = memberships::table
        .inner_join(users::table.on(users::id.eq(memberships::user_id)))
        .filter(memberships::workspace_id.eq(StoredId::new(workspace.as_uuid())))
        .filter(memberships::user_id.eq(StoredId::new(user.as_uuid())))
        .filter(users::disabled_at.is_null())
        .select(memberships::role)
        .first(connection)
        .await
        .optional()
        .or_unavailable()?;
    let role = role.map(|role| role.parse());
    role.transpose().map_err(|_| corrupt(workspace, user).at("role"))
}

//! Connections of workspaces with identity providers.

use async_trait::async_trait;
use diesel::{
    ExpressionMethods, Insertable, JoinOnDsl, OptionalExtension, QueryDsl, Queryable, Selectable,
    SelectableHelper,
    dsl::{exists, select},
};
use diesel_async::RunQueryDsl;
use tigertrust_accounts::{
    Conflict, FlowError, audit,
    sso::{
        Connection as SsoConnection, ConnectionEdit, ConnectionStore, MAX_CONNECTIONS, ServerScope,
        StoredConnection,
    },
};
use tigertrust_credentials::{TokenDigest, ports::StoreError};
use tigertrust_model::{
    Act, AuditAction, AuditEntry, AuditTarget, ConnectionId, ConnectionRef, Creator, FieldChange, Role,
    WorkspaceId,
};

use super::{
    super::{Connection, lock_workspace},
    Store, Written,
    members::ensure_open,
    rows::Corrupt,
    schema::{
        scim_users, sessions, sign_in_challenges as challenges, sso_connections as connections, sso_domains,
        sso_identities, sso_requests, workspaces,
    },
    standing,
};
use crate::{
    error::OrUnavailable,
    sso_settings,
    types::{StoredId, StoredJson, StoredTime},
};

/// A connection, without its token for SCIM.
#[derive(Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = connections)]
pub(super) struct ConnectionRow {
    id: StoredId,
    workspace_id: StoredId,
    slug: String,
    name: String,
    protocol: String,
    enabled: bool,
    settings: StoredJson,
    secret: Option<String>,
    created_by: String,
    created_at: StoredTime,
    updated_at: StoredTime,
}

/// A connection, and its token.
type FoundConnection = (ConnectionRow, Option<Vec<u8>>);

impl ConnectionRow {
    fn of(stored: &StoredConnection) -> Option<Self> {
        let connection = &stored.connection;
        Some(Self {
            id: StoredId::new(connection.stored_id()?.as_uuid()),
            workspace_id: StoredId::new(connection.workspace?.as_uuid()),
            slug: connection.slug.clone(),
            name: connection.name.clone(),
            protocol: connection.provider.protocol().as_str().to_owned(),
            enabled: connection.enabled,
            settings: StoredJson(sso_settings::write(&connection.provider, &connection.policy)),
            secret: stored
                .secret
                .as_ref()
                .map(tigertrust_credentials::Sealed::to_text),
            created_by: connection.created_by.to_string(),
            created_at: StoredTime::new(connection.created_at),
            updated_at: StoredTime::new(connection.updated_at),
        })
    }
}

pub(super) fn read((row, token): FoundConnection) -> Result<StoredConnection, StoreError> {
    let id = row.id.read().map(ConnectionId::from_uuid);
    let corrupt = Corrupt::new("sso_connections", id);
    let workspace = row.workspace_id.read().map(WorkspaceId::from_uuid);
    let (provider, policy) = sso_settings::read(&row.settings.0).ok_or_else(|| corrupt.at("settings"))?;
    let secret = row.secret.map(|secret| secret.parse());
    Ok(StoredConnection {
        connection: SsoConnection {
            id: ConnectionRef::Stored(id.ok_or_else(|| corrupt.at("id"))?),
            workspace: Some(workspace.ok_or_else(|| corrupt.at("workspace_id"))?),
            slug: row.slug,
            name: row.name,
            enabled: row.enabled,
            provider,
            policy,
            server: ServerScope::default(),
            has_scim: token.is_some(),
            created_by: row.created_by.parse().map_err(|_| corrupt.at("created_by"))?,
            created_at: corrupt.time(row.created_at, "created_at")?,
            updated_at: corrupt.time(row.updated_at, "updated_at")?,
        },
        secret: secret.transpose().map_err(|_| corrupt.at("secret"))?,
    })
}

#[async_trait]
impl ConnectionStore for Store {
    async fn insert_connection(
        &self,
        act: Act,
        connection: StoredConnection,
        by: Option<Creator>,
    ) -> Result<(), FlowError> {
        let workspace = connection.connection.workspace.ok_or(FlowError::NotFound)?;
        let row = ConnectionRow::of(&connection).ok_or(FlowError::NotFound)?;
        self.write(move |transaction| {
            Box::pin(async move {
                hold(transaction, workspace, by).await?;
                let others: i64 = connections::table
                    .filter(connections::workspace_id.eq(StoredId::new(workspace.as_uuid())))
                    .count()
                    .get_result(transaction)
                    .await
                    .or_unavailable()?;
                if usize::try_from(others).unwrap_or(usize::MAX) >= MAX_CONNECTIONS {
                    return Err(Conflict::TooManyConnections.into());
                }
                let inserted = diesel::insert_into(connections::table)
                    .values(row)
                    .on_conflict(connections::slug)
                    .do_nothing()
                    .execute(transaction)
                    .await
                    .or_unavailable()?;
                if inserted == 0 {
                    return Err(Conflict::SlugTaken.into());
                }
                let of = &connection.connection;
                let entry = AuditEntry::new(AuditAction::ConnectionCreated, Some(workspace), &act)
                    .on(target(&of.id))
                    .changing([
                        FieldChange::set("name", &of.name),
                        FieldChange::set("slug", &of.slug),
                        FieldChange::set("protocol", of.provider.protocol().as_str()),
                    ]);
                Ok(Written::quietly(()).logging([entry]))
            })
        })
        .await
    }

    async fn list_connections(&self, workspace: WorkspaceId) -> Result<Vec<StoredConnection>, StoreError> {
        let rows: Vec<FoundConnection> = self
            .read(move |connection| {
                Box::pin(async move {
                    connections::table
                        .filter(connections::workspace_id.eq(StoredId::new(workspace.as_uuid())))
                        .order(connections::id.desc())
                        .select((ConnectionRow::as_select(), connections::scim_token))
                        .load(connection)
                        .await
                        .or_unavailable()
                })
            })
            .await?;
        rows.into_iter().map(read).collect()
    }

    async fn get_connection(
        &self,
        workspace: WorkspaceId,
        id: ConnectionId,
    ) -> Result<Option<StoredConnection>, StoreError> {
        self.read(move |connection| Box::pin(find(connection, workspace, id)))
            .await
    }

    async fn connection_by_slug(&self, slug: &str) -> Result<Option<StoredConnection>, StoreError> {
        let slug = slug.to_owned();
        let row: Option<FoundConnection> = self
            .read(move |connection| {
                Box::pin(async move {
                    connections::table
                        .inner_join(workspaces::table.on(workspaces::id.eq(connections::workspace_id)))
                        .filter(workspaces::deleted_at.is_null())
                        .filter(connections::slug.eq(slug))
                        .select((ConnectionRow::as_select(), connections::scim_token))
                        .first(connection)
                        .await
                        .optional()
                        .or_unavailable()
                })
            })
            .await?;
        row.map(read).transpose()
    }

    async fn edit_connection(
        &self,
        act: Act,
        workspace: WorkspaceId,
        id: ConnectionId,
        by: Option<Creator>,
        edit: ConnectionEdit,
    ) -> Result<StoredConnection, FlowError> {
        self.write(move |transaction| {
            Box::pin(async move {
                hold(transaction, workspace, by).await?;
                let found = find(transaction, workspace, id).await?;
                let before = found.ok_or(FlowError::NotFound)?;
                let mut after = before.clone();
                edit(&mut after)?;
                if before.connection.enabled && !after.connection.enabled {
                    ensure_not_enforced(transaction, id).await?;
                    end_sessions(transaction, id).await?;
                }
                let row = ConnectionRow::of(&after).ok_or(FlowError::NotFound)?;
                diesel::update(connections::table.find(StoredId::new(id.as_uuid())))
                    .set((
                        connections::name.eq(row.name),
                        connections::enabled.eq(row.enabled),
                        connections::settings.eq(row.settings),
                        connections::secret.eq(row.secret),
                        connections::updated_at.eq(row.updated_at),
                    ))
                    .execute(transaction)
                    .await
                    .or_unavailable()?;
                let mut changes = audit::of_connection(&before.connection, &after.connection);
                if before.secret != after.secret {
                    changes.push(FieldChange::hidden("secret"));
                }
                let entry = AuditEntry::new(AuditAction::ConnectionUpdated, Some(workspace), &act).on(id);
                let entry = (!changes.is_empty()).then(|| entry.changing(changes));
                Ok(Written::quietly(after).logging(entry))
            })
        })
        .await
    }

    async fn remove_connection(
        &self,
        act: Act,
        workspace: WorkspaceId,
        id: ConnectionId,
        by: Option<Creator>,
    ) -> Result<(), FlowError> {
        self.write(move |transaction| {
            Box::pin(async move {
                hold(transaction, workspace, by).await?;
                find(transaction, workspace, id)
                    .await?
                    .ok_or(FlowError::NotFound)?;
                ensure_not_enforced(transaction, id).await?;
                remove(transaction, id).await?;
                let entry = AuditEntry::new(AuditAction::ConnectionRemoved, Some(workspace), &act).on(id);
                Ok(Written::quietly(()).logging([entry]))
            })
        })
        .await
    }

    async fn set_scim_token(
        &self,
        act: Act,
        workspace: WorkspaceId,
        id: ConnectionId,
        token: Option<TokenDigest>,
        by: Option<Creator>,
    ) -> Result<(), FlowError> {
        self.write(move |transaction| {
            Box::pin(async move {
                hold(transaction, workspace, by).await?;
                let own = connections::table
                    .filter(connections::id.eq(StoredId::new(id.as_uuid())))
                    .filter(connections::workspace_id.eq(StoredId::new(workspace.as_uuid())));
                let updated = diesel::update(own)
                    .set(connections::scim_token.eq(token.map(|token| token.as_bytes().to_vec())))
                    .execute(transaction)
                    .await
                    .or_unavailable()?;
                if updated == 0 {
                    return Err(FlowError::NotFound);
                }
                let entry = AuditEntry::new(AuditAction::ScimTokenChanged, Some(workspace), &act)
                    .on(id)
                    .changing([FieldChange::set("present", token.is_some())]);
                Ok(Written::quietly(()).logging([entry]))
            })
        })
        .await
    }

    async fn connection_by_scim_token(
        &self,
        token: TokenDigest,
    ) -> Result<Option<StoredConnection>, StoreError> {
        let row: Option<FoundConnection> = self
            .read(move |connection| {
                Box::pin(async move {
                    connections::table
                        .inner_join(workspaces::table.on(workspaces::id.eq(connections::workspace_id)))
                        .filter(workspaces::deleted_at.is_null())
                        .filter(connections::enabled.eq(true))
                        .filter(connections::scim_token.eq(token.as_bytes().to_vec()))
                        .select((ConnectionRow::as_select(), connections::scim_token))
                        .first(connection)
                        .await
                        .optional()
                        .or_unavailable()
                })
            })
            .await?;
        row.map(read).transpose()
    }
}

/// A connection as the target of an act: by its id, or the slug of one of the whole server.
pub(super) fn target(id: &ConnectionRef) -> AuditTarget {
    match id {
        ConnectionRef::Stored(id) => (*id).into(),
        ConnectionRef::Configured(slug) => AuditTarget::new("connection", slug.clone()),
    }
}

/// Holds the workspace until the transaction ends, for somebody whose word counts there: an owner, or a key that one has made.
/// Whoever says who the provider is says who everybody is.
pub(super) async fn hold(
    transaction: &mut Connection,
    workspace: WorkspaceId,
    by: Option<Creator>,
) -> Result<(), FlowError> {
    lock_workspace(transaction, StoredId::new(workspace.as_uuid()))
        .await
        .or_unavailable()?;
    ensure_open(transaction, workspace).await?;
    let Some(by) = by else {
        return Ok(());
    };
    match standing::behind(transaction, workspace, Some(by)).await? {
        Some((Role::Owner, _)) => Ok(()),
        _ => Err(FlowError::Forbidden(Vec::new())),
    }
}

/// Removes a connection, and all that was connected by it.
async fn remove(transaction: &mut Connection, id: ConnectionId) -> Result<(), FlowError> {
    end_sessions(transaction, id).await?;
    let stored = StoredId::new(id.as_uuid());
    let name = ConnectionRef::Stored(id).to_string();
    diesel::update(sso_domains::table.filter(sso_domains::connection_id.eq(stored)))
        .set(sso_domains::connection_id.eq(None::<StoredId>))
        .execute(transaction)
        .await
        .or_unavailable()?;
    diesel::delete(scim_users::table.filter(scim_users::connection_id.eq(stored)))
        .execute(transaction)
        .await
        .or_unavailable()?;
    diesel::delete(sso_identities::table.filter(sso_identities::connection.eq(name.clone())))
        .execute(transaction)
        .await
        .or_unavailable()?;
    diesel::delete(sso_requests::table.filter(sso_requests::connection.eq(name)))
        .execute(transaction)
        .await
        .or_unavailable()?;
    diesel::delete(connections::table.find(stored))
        .execute(transaction)
        .await
        .or_unavailable()?;
    Ok(())
}

/// Removes what a workspace that is deleted has: its slugs and its domains are others' to have.
pub(super) async fn remove_all(
    transaction: &mut Connection,
    workspace: WorkspaceId,
) -> Result<(), FlowError> {
    super::sso_domains::remove_all(transaction, workspace).await?;
    let own: Vec<StoredId> = connections::table
        .filter(connections::workspace_id.eq(StoredId::new(workspace.as_uuid())))
        .select(connections::id)
        .load(transaction)
        .await
        .or_unavailable()?;
    for id in own.into_iter().filter_map(StoredId::read) {
        remove(transaction, ConnectionId::from_uuid(id)).await?;
    }
    Ok(())
}

async fn find(
    connection: &mut Connection,
    workspace: WorkspaceId,
    id: ConnectionId,
) -> Result<Option<StoredConnection>, StoreError> {
    let row: Option<FoundConnection> = connections::table
        .filter(connections::id.eq(StoredId::new(id.as_uuid())))
        .filter(connections::workspace_id.eq(StoredId::new(workspace.as_uuid())))
        .select((ConnectionRow::as_select(), connections::scim_token))
        .first(connection)
        .await
        .optional()
        .or_unavailable()?;
    row.map(read).transpose()
}

async fn ensure_not_enforced(connection: &mut Connection, id: ConnectionId) -> Result<(), FlowError> {
    let enforced = sso_domains::table
        .filter(sso_domains::connection_id.eq(StoredId::new(id.as_uuid())))
        .filter(sso_domains::enforced.eq(true));
    let is_enforced: bool = select(exists(enforced))
        .get_result(connection)
        .await
        .or_unavailable()?;
    if is_enforced {
        return Err(Conflict::ConnectionEnforced.into());
    }
    Ok(())
}

/// Ends what was begun by a connection, be it that a second step is waited for.
async fn end_sessions(connection: &mut Connection, id: ConnectionId) -> Result<(), FlowError> {
    let name = ConnectionRef::Stored(id).to_string();
    diesel::delete(sessions::table.filter(sessions::sso_connection.eq(name.clone())))
        .execute(connection)
        .await
        .or_unavailable()?;
    diesel::delete(challenges::table.filter(challenges::sso_connection.eq(name)))
        .execute(connection)
        .await
        .or_unavailable()?;
    Ok(())
}

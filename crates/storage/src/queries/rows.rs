//! Rows, and what they are in the model.

use diesel::{AsChangeset, Insertable, Queryable, Selectable};
use ipnet::IpNet;
use tigertrust_credentials::ports::StoreError;
use tigertrust_model::{
    ApiKey, KeyDisplay, KeyId, KeyLimits, KeyReach, LastUse, Lifecycle, Metadata, Origin, Scope, ScopeSet,
    SecretInfo, Session, SessionId, SsoSession, Timestamp, User, UserId, Workspace, WorkspaceId,
};

use super::schema::{api_key_secrets, api_keys, sessions, sign_in_challenges, users, workspaces};
use crate::types::{StoredId, StoredJson, StoredTime};

/// What the row is called in an error if not even its id can be read.
const NAMELESS: &str = "with an unreadable id";

/// A key, without its other workspaces and its secrets.
#[derive(Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = api_keys)]
pub(super) struct KeyRow {
    pub(super) id: StoredId,
    kind: String,
    home_workspace_id: Option<StoredId>,
    owner_id: Option<StoredId>,
    #[diesel(embed)]
    edited: EditedColumns,
    created_by: String,
    created_at: StoredTime,
}

/// The columns of a key that an edit may change.
#[derive(Clone, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = api_keys, treat_none_as_null = true)]
pub(super) struct EditedColumns {
    name: String,
    scopes: StoredJson,
    state: String,
    revoked_at: Option<StoredTime>,
    revocation_reason: Option<String>,
    expires_at: Option<StoredTime>,
    allowed_cidrs: StoredJson,
    external_id: Option<String>,
    metadata: String,
    display_start: String,
    display_last_four: String,
    updated_at: StoredTime,
    leak_reported_at: Option<StoredTime>,
    limit_minute: Option<i32>,
    limit_hour: Option<i32>,
}

impl From<&ApiKey> for EditedColumns {
    fn from(key: &ApiKey) -> Self {
        let (state, revoked_at, revocation_reason) = match &key.lifecycle {
            Lifecycle::Active => ("active", None, None),
            Lifecycle::Deactivated => ("deactivated", None, None),
            Lifecycle::Revoked { at, reason } => ("revoked", Some(*at), reason.clone()),
        };
        let scopes = serde_json::Value::from_iter(key.scopes.iter().map(Scope::as_str));
        let networks = serde_json::Value::from_iter(key.allowed_cidrs.iter().map(ToString::to_string));
        Self {
            name: key.name.clone(),
            scopes: StoredJson(scopes.to_string()),
            state: state.to_owned(),
            revoked_at: revoked_at.map(StoredTime::new),
            revocation_reason,
            expires_at: key.expires_at.map(StoredTime::new),
            allowed_cidrs: StoredJson(networks.to_string()),
            external_id: key.external_id.clone(),
            metadata: key.metadata.as_json().to_owned(),
            display_start: key.display.start.clone(),
            display_last_four: key.display.last_four.clone(),
            updated_at: StoredTime::new(key.updated_at),
            leak_reported_at: key.leak_reported_at.map(StoredTime::new),
            limit_minute: key.limits.minute.map(stored_limit),
            limit_hour: key.limits.hour.map(stored_limit),
        }
    }
}

impl From<&ApiKey> for KeyRow {
    fn from(key: &ApiKey) -> Self {
        Self {
            id: StoredId::new(key.id.as_uuid()),
            kind: key.kind.as_str().to_owned(),
            home_workspace_id: key.reach.home().map(|home| StoredId::new(home.as_uuid())),
            owner_id: key.owner.map(|owner| StoredId::new(owner.as_uuid())),
            edited: EditedColumns::from(key),
            created_by: key.created_by.to_string(),
            created_at: StoredTime::new(key.created_at),
        }
    }
}

impl KeyRow {
    /// The key, with its other workspaces.
    pub(super) fn read(self, others: &[StoredId]) -> Result<ApiKey, StoreError> {
        let id = self.id.read().map(KeyId::from_uuid);
        let corrupt = Corrupt::new("api_keys", id);
        let id = id.ok_or_else(|| corrupt.at("id"))?;
        let edited = self.edited;
        let scopes = read_scopes(&edited.scopes).ok_or_else(|| corrupt.at("scopes"))?;
        let allowed_cidrs =
            read_networks(&edited.allowed_cidrs).ok_or_else(|| corrupt.at("allowed_cidrs"))?;
        let lifecycle = read_lifecycle(&edited, &corrupt)?;
        let metadata = read_metadata(edited.metadata).ok_or_else(|| corrupt.at("metadata"))?;
        Ok(ApiKey {
            id,
            kind: self.kind.parse().map_err(|_| corrupt.at("type"))?,
            name: edited.name,
            reach: read_reach(id, self.home_workspace_id, others)?,
            owner: read_owner(self.owner_id).ok_or_else(|| corrupt.at("owner_id"))?,
            scopes,
            lifecycle,
            expires_at: corrupt.optional_time(edited.expires_at, "expires_at")?,
            allowed_cidrs,
            limits: KeyLimits {
                minute: read_limit(edited.limit_minute).ok_or_else(|| corrupt.at("limit_minute"))?,
                hour: read_limit(edited.limit_hour).ok_or_else(|| corrupt.at("limit_hour"))?,
            },
            external_id: edited.external_id,
            metadata,
            display: KeyDisplay {
                start: edited.display_start,
                last_four: edited.display_last_four,
            },
            created_by: self.created_by.parse().map_err(|_| corrupt.at("created_by"))?,
            created_at: corrupt.time(self.created_at, "created_at")?,
            updated_at: corrupt.time(edited.updated_at, "updated_at")?,
            leak_reported_at: corrupt.optional_time(edited.leak_reported_at, "leak_reported_at")?,
        })
    }
}

/// No limit is above fifty million.
fn stored_limit(limit: u32) -> i32 {
    i32::try_from(limit).unwrap_or(i32::MAX)
}

/// The limit, if there is one; `None` for one that cannot be read.
fn read_limit(stored: Option<i32>) -> Option<Option<u32>> {
    stored.map(u32::try_from).transpose().ok()
}

/// The owner, if there is one; `None` for an id that cannot be read.
fn read_owner(stored: Option<StoredId>) -> Option<Option<UserId>> {
    stored
        .map(|stored| stored.read().map(UserId::from_uuid))
        .map_or(Some(None), |owner| owner.map(Some))
}

fn read_scopes(stored: &StoredJson) -> Option<ScopeSet> {
    let texts: Vec<String> = serde_json::from_str(&stored.0).ok()?;
    texts.iter().map(|text| text.parse::<Scope>().ok()).collect()
}

fn read_networks(stored: &StoredJson) -> Option<Vec<IpNet>> {
    let texts: Vec<String> = serde_json::from_str(&stored.0).ok()?;
    texts.iter().map(|text| text.parse().ok()).collect()
}

fn read_metadata(stored: String) -> Option<Metadata> {
    serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&stored).ok()?;
    Some(Metadata::from_json_object(stored))
}

fn read_lifecycle(edited: &EditedColumns, corrupt: &Corrupt) -> Result<Lifecycle, StoreError> {
    let revoked_at = corrupt.optional_time(edited.revoked_at, "revoked_at")?;
    match (edited.state.as_str(), revoked_at) {
        ("active", None) => Ok(Lifecycle::Active),
        ("deactivated", None) => Ok(Lifecycle::Deactivated),
        ("revoked", Some(at)) => Ok(Lifecycle::Revoked {
            at,
            reason: edited.revocation_reason.clone(),
        }),
        _ => Err(corrupt.at("state")),
    }
}

fn read_reach(id: KeyId, home: Option<StoredId>, others: &[StoredId]) -> Result<KeyReach, StoreError> {
    let other = Corrupt::new("api_key_workspaces", Some(id));
    let others = others
        .iter()
        .map(|stored| stored.read().map(WorkspaceId::from_uuid))
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| other.at("workspace_id"))?;
    match home {
        None if others.is_empty() => Ok(KeyReach::Instance),
        None => Err(other.at("key_id")),
        Some(home) => {
            let home = home
                .read()
                .ok_or_else(|| Corrupt::new("api_keys", Some(id)).at("home_workspace_id"))?;
            Ok(KeyReach::workspaces(WorkspaceId::from_uuid(home), others))
        }
    }
}

/// A secret of a key, without its digest.
#[derive(Clone, Queryable, Selectable)]
#[diesel(table_name = api_key_secrets)]
pub(super) struct SecretRow {
    key_id: StoredId,
    format: String,
    created_at: StoredTime,
    ends_at: Option<StoredTime>,
    display_start: String,
    display_last_four: String,
    last_used_at: Option<StoredTime>,
    last_used_address: Option<String>,
    last_used_user_agent: Option<String>,
}

impl SecretRow {
    /// The secret, with the key that it belongs to.
    pub(super) fn read(self) -> Result<(KeyId, SecretInfo), StoreError> {
        let id = self.key_id.read().map(KeyId::from_uuid);
        let corrupt = Corrupt::new("api_key_secrets", id);
        let id = id.ok_or_else(|| corrupt.at("key_id"))?;
        let address = self.last_used_address.map(|text| text.parse());
        let address = address.transpose().map_err(|_| corrupt.at("last_used_address"))?;
        let last_use = corrupt
            .optional_time(self.last_used_at, "last_used_at")?
            .map(|at| LastUse {
                at,
                address,
                user_agent: self.last_used_user_agent,
            });
        let secret = SecretInfo {
            format: self.format,
            display: KeyDisplay {
                start: self.display_start,
                last_four: self.display_last_four,
            },
            created_at: corrupt.time(self.created_at, "created_at")?,
            ends_at: corrupt.optional_time(self.ends_at, "ends_at")?,
            last_use,
        };
        Ok((id, secret))
    }
}

/// A workspace.
#[derive(Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = workspaces)]
pub(super) struct WorkspaceRow {
    pub(super) id: StoredId,
    name: String,
    plan: String,
    created_at: StoredTime,
    deleted_at: Option<StoredTime>,
    require_second_factor: bool,
    leak_response: Option<String>,
}

impl From<&Workspace> for WorkspaceRow {
    fn from(workspace: &Workspace) -> Self {
        Self {
            id: StoredId::new(workspace.id.as_uuid()),
            name: workspace.name.clone(),
            plan: workspace.plan.to_string(),
            created_at: StoredTime::new(workspace.created_at),
            deleted_at: workspace.deleted_at.map(StoredTime::new),
            require_second_factor: workspace.requires_second_factor,
            leak_response: workspace.leak_response.map(|response| response.to_string()),
        }
    }
}

impl WorkspaceRow {
    pub(super) fn read(self) -> Result<Workspace, StoreError> {
        let id = self.id.read().map(WorkspaceId::from_uuid);
        let corrupt = Corrupt::new("workspaces", id);
        let leak_response = self.leak_response.map(|text| text.parse()).transpose();
        Ok(Workspace {
            id: id.ok_or_else(|| corrupt.at("id"))?,
            name: self.name,
            plan: self.plan.parse().map_err(|_| corrupt.at("plan"))?,
            requires_second_factor: self.require_second_factor,
            leak_response: leak_response.map_err(|_| corrupt.at("leak_response"))?,
            created_at: corrupt.time(self.created_at, "created_at")?,
            deleted_at: corrupt.optional_time(self.deleted_at, "deleted_at")?,
        })
    }
}

/// A person, without the password.
#[derive(Queryable, Selectable)]
#[diesel(table_name = users)]
pub(super) struct UserRow {
    id: StoredId,
    email: String,
    email_verified_at: Option<StoredTime>,
    name: Option<String>,
    disabled_at: Option<StoredTime>,
    created_at: StoredTime,
}

impl UserRow {
    pub(super) fn read(self) -> Result<User, StoreError> {
        let id = self.id.read().map(UserId::from_uuid);
        let corrupt = Corrupt::new("users", id);
        Ok(User {
            id: id.ok_or_else(|| corrupt.at("id"))?,
            email: self.email.parse().map_err(|_| corrupt.at("email"))?,
            email_verified_at: corrupt.optional_time(self.email_verified_at, "email_verified_at")?,
            name: self.name,
            disabled_at: corrupt.optional_time(self.disabled_at, "disabled_at")?,
            created_at: corrupt.time(self.created_at, "created_at")?,
        })
    }
}

/// A session, without its token.
#[derive(Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = sessions)]
pub(super) struct SessionRow {
    id: StoredId,
    user_id: StoredId,
    created_at: StoredTime,
    expires_at: StoredTime,
    last_seen_at: StoredTime,
    proved_at: StoredTime,
    second_factor: bool,
    address: Option<String>,
    user_agent: Option<String>,
    #[diesel(embed)]
    sso: SessionSsoColumns,
}

/// The columns of a session, and of a login that waits, which say what a provider had to do with it.
macro_rules! sso_columns {
    ($name:ident of $table:ident) => {
        #[derive(Clone, Queryable, Selectable, Insertable)]
        #[diesel(table_name = $table)]
        pub(super) struct $name {
            sso_connection: Option<String>,
            sso_workspace_id: Option<StoredId>,
            sso_provider_session: Option<String>,
            sso_confined: bool,
            sso_second_factor: bool,
        }

        impl From<Option<&SsoSession>> for $name {
            fn from(sso: Option<&SsoSession>) -> Self {
                let workspace = sso.and_then(|sso| sso.workspace);
                Self {
                    sso_connection: sso.map(|sso| sso.connection.to_string()),
                    sso_workspace_id: workspace.map(|workspace| StoredId::new(workspace.as_uuid())),
                    sso_provider_session: sso.and_then(|sso| sso.provider_session.clone()),
                    sso_confined: sso.is_some_and(|sso| sso.confined),
                    sso_second_factor: sso.is_some_and(|sso| sso.second_factor),
                }
            }
        }

        impl $name {
            pub(super) fn read(self, corrupt: &Corrupt) -> Result<Option<SsoSession>, StoreError> {
                let Some(connection) = self.sso_connection else {
                    return Ok(None);
                };
                let workspace = self.sso_workspace_id.map(|id| {
                    let id = id.read().map(WorkspaceId::from_uuid);
                    id.ok_or_else(|| corrupt.at("sso_workspace_id"))
                });
                Ok(Some(SsoSession {
                    connection: connection
                        .parse()
                        .map_err(|_| corrupt.at("sso_connection"))?,
                    workspace: workspace.transpose()?,
                    provider_session: self.sso_provider_session,
                    confined: self.sso_confined,
                    second_factor: self.sso_second_factor,
                }))
            }
        }
    };
}

sso_columns!(SessionSsoColumns of sessions);
sso_columns!(ChallengeSsoColumns of sign_in_challenges);

impl From<&Session> for SessionRow {
    fn from(session: &Session) -> Self {
        Self {
            id: StoredId::new(session.id.as_uuid()),
            user_id: StoredId::new(session.user.as_uuid()),
            created_at: StoredTime::new(session.created_at),
            expires_at: StoredTime::new(session.expires_at),
            last_seen_at: StoredTime::new(session.last_seen_at),
            proved_at: StoredTime::new(session.proved_at),
            second_factor: session.second_factor,
            address: session.origin.address.map(|address| address.to_string()),
            user_agent: session.origin.user_agent.clone(),
            sso: session.sso.as_ref().into(),
        }
    }
}

impl SessionRow {
    pub(super) fn read(self) -> Result<Session, StoreError> {
        let id = self.id.read().map(SessionId::from_uuid);
        let corrupt = Corrupt::new("sessions", id);
        let user = self.user_id.read().map(UserId::from_uuid);
        let address = self.address.map(|text| text.parse()).transpose();
        Ok(Session {
            id: id.ok_or_else(|| corrupt.at("id"))?,
            user: user.ok_or_else(|| corrupt.at("user_id"))?,
            created_at: corrupt.time(self.created_at, "created_at")?,
            expires_at: corrupt.time(self.expires_at, "expires_at")?,
            last_seen_at: corrupt.time(self.last_seen_at, "last_seen_at")?,
            proved_at: corrupt.time(self.proved_at, "proved_at")?,
            second_factor: self.second_factor,
            sso: self.sso.read(&corrupt)?,
            origin: Origin {
                address: address.map_err(|_| corrupt.at("address"))?,
                user_agent: self.user_agent,
                request_id: None,
            },
        })
    }
}

/// Names a row that holds what it must not.
pub(super) struct Corrupt {
    table: &'static str,
    row: String,
}

impl Corrupt {
    pub(super) fn new(table: &'static str, row: Option<impl ToString>) -> Self {
        let row = row.map_or_else(|| NAMELESS.to_owned(), |row| row.to_string());
        Self { table, row }
    }

    pub(super) fn at(&self, column: &'static str) -> StoreError {
        StoreError::Corrupt {
            table: self.table,
            column,
            row: self.row.clone(),
        }
    }

    pub(super) fn time(&self, stored: StoredTime, column: &'static str) -> Result<Timestamp, StoreError> {
        stored.read().ok_or_else(|| self.at(column))
    }

    pub(super) fn optional_time(
        &self,
        stored: Option<StoredTime>,
        column: &'static str,
    ) -> Result<Option<Timestamp>, StoreError> {
        stored.map(|stored| self.time(stored, column)).transpose()
    }
}

//! People as identity providers write them (SCIM 2.0, RFC 7643 and RFC 7644).

use tigertrust_credentials::{TokenDigest, TokenKind, Unauthorized};
use tigertrust_model::{
    Act, ConnectionId, ConnectionRef, Email, Origin, Principal, Role, User, UserId, WorkspaceId,
};

use super::{
    connection::Connection,
    error::SsoError,
    flows::SsoFlows,
    ports::{ScimFilter, ScimUser},
};
use crate::{FlowError, users::MAX_NAME, validation::Validation};

/// Whoever writes: a provider, for one workspace.
#[derive(Clone, Debug)]
pub struct ScimWriter {
    connection: ConnectionId,
    workspace: WorkspaceId,
    role: Role,
    from: Origin,
}

impl ScimWriter {
    fn act(&self) -> Act {
        Act {
            by: Principal::Provider(ConnectionRef::Stored(self.connection).to_string()),
            from: self.from.clone(),
        }
    }
}

/// What a provider says of a person. What is not named stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScimPerson {
    /// By what the provider knows it: an address.
    pub user_name: Option<String>,
    /// Its own id.
    pub external_id: Option<Option<String>>,
    /// What it is called.
    pub name: Option<Option<String>>,
    /// Whether it may come in.
    pub active: Option<bool>,
}

const MAX_EXTERNAL_ID: usize = 255;

impl SsoFlows {
    /// Whoever has the token writes people.
    ///
    /// # Errors
    /// `None` for a token that is none of ours, or that is dead.
    pub async fn scim_writer(
        &self,
        token: &str,
        origin: Origin,
    ) -> Result<Result<ScimWriter, Unauthorized>, SsoError> {
        let Some(Ok(digest)) = TokenDigest::read(TokenKind::Scim, token.as_bytes()) else {
            return Ok(Err(Unauthorized::Malformed));
        };
        let stored = self.0.store.connection_by_scim_token(digest).await?;
        let writer = stored.and_then(|stored| writer(&stored.connection, origin));
        Ok(writer.ok_or(Unauthorized::Unknown))
    }

    /// A part of the people that the provider has written, and how many there are in all.
    ///
    /// # Errors
    /// [`SsoError`].
    pub async fn scim_list(
        &self,
        writer: &ScimWriter,
        filter: ScimFilter,
        offset: u32,
        limit: u16,
    ) -> Result<(Vec<ScimUser>, u64), SsoError> {
        let store = &self.0.store;
        let listed = store.list_scim_users(writer.connection, filter, offset, limit);
        Ok(listed.await?)
    }

    /// A person that the provider has written.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] and others.
    pub async fn scim_get(&self, writer: &ScimWriter, user: UserId) -> Result<ScimUser, SsoError> {
        let found = self.0.store.get_scim_user(writer.connection, user).await?;
        Ok(found.ok_or(FlowError::NotFound)?)
    }

    /// Makes a person known: the account is made if the address has none, and the person is a member of the workspace.
    ///
    /// # Errors
    /// [`FlowError::Invalid`], [`Conflict::EmailTaken`](crate::Conflict::EmailTaken), and others.
    pub async fn scim_create(&self, writer: &ScimWriter, person: ScimPerson) -> Result<ScimUser, SsoError> {
        check(&person)?;
        let user_name = person.user_name.unwrap_or_default();
        let email: Email = user_name.parse().map_err(|error: tigertrust_model::EmailError| {
            FlowError::invalid("/userName", error.to_string())
        })?;
        let now = self.0.clock.now();
        let new = ScimUser {
            user: User {
                id: UserId::new(now, &*self.0.random)?,
                email,
                // Whoever has verified the domain says so.
                email_verified_at: Some(now),
                name: person.name.flatten(),
                disabled_at: None,
                created_at: now,
            },
            user_name,
            external_id: person.external_id.flatten(),
            active: person.active.unwrap_or(true),
            created_at: now,
            updated_at: now,
        };
        let store = &self.0.store;
        let made = store.insert_scim_user(
            writer.act(),
            writer.connection,
            writer.workspace,
            new,
            writer.role,
        );
        Ok(made.await?)
    }

    /// Changes what is known of a person. Who is not active any more is out at the next request.
    ///
    /// # Errors
    /// [`FlowError::NotFound`], [`FlowError::Invalid`], [`Conflict::LastOwner`](crate::Conflict::LastOwner), and others.
    pub async fn scim_update(
        &self,
        writer: &ScimWriter,
        user: UserId,
        person: ScimPerson,
    ) -> Result<ScimUser, SsoError> {
        check(&person)?;
        let now = self.0.clock.now();
        let edit = Box::new(move |known: &mut ScimUser| {
            if let Some(name) = person.user_name
                && name.to_lowercase() != known.user_name.to_lowercase()
            {
                let detail = "cannot be changed: the person's address is the account's to change";
                return Err(FlowError::invalid("/userName", detail));
            }
            if let Some(external_id) = person.external_id {
                known.external_id = external_id;
            }
            if let Some(name) = person.name {
                known.user.name = name;
            }
            if let Some(active) = person.active {
                known.active = active;
            }
            known.updated_at = now;
            Ok(())
        });
        let store = &self.0.store;
        let edited = store.edit_scim_user(
            writer.act(),
            writer.connection,
            writer.workspace,
            user,
            writer.role,
            edit,
        );
        Ok(edited.await?)
    }

    /// Forgets a person, who is out at the next request. The account stays.
    ///
    /// # Errors
    /// As [`scim_update`](Self::scim_update).
    pub async fn scim_remove(&self, writer: &ScimWriter, user: UserId) -> Result<(), SsoError> {
        let store = &self.0.store;
        let removed = store.remove_scim_user(writer.act(), writer.connection, writer.workspace, user);
        Ok(removed.await?)
    }
}

/// Who is written becomes what the connection says, or a member.
fn writer(connection: &Connection, from: Origin) -> Option<ScimWriter> {
    Some(ScimWriter {
        connection: connection.stored_id()?,
        workspace: connection.workspace?,
        role: connection
            .policy
            .default_role
            .unwrap_or(Role::Member)
            .at_most_admin(),
        from,
    })
}

fn check(person: &ScimPerson) -> Result<(), FlowError> {
    let mut validation = Validation::default();
    if let Some(Some(name)) = &person.name {
        validation.line("/displayName", name, MAX_NAME);
    }
    if let Some(Some(external_id)) = &person.external_id {
        validation.line("/externalId", external_id, MAX_EXTERNAL_ID);
    }
    validation.finish()
}

//! What single sign-on needs of storage.

use async_trait::async_trait;
use tigertrust_credentials::{TokenDigest, ports::StoreError};
use tigertrust_model::{
    Act, ConnectionId, ConnectionRef, Creator, IdentityId, Role, Session, SessionId, Timestamp, User, UserId,
    WorkspaceId,
};

use super::{
    connection::{Assigned, StoredConnection},
    domain::Domain,
};
use crate::{
    FlowError, SecondFactorMethods,
    ports::{Challenge, NewSession},
};

/// How many connections a workspace may have.
pub const MAX_CONNECTIONS: usize = 50;
/// How many domains a workspace may claim.
pub const MAX_DOMAINS: usize = 100;

/// Decides on a connection inside the transaction that stores it; an error stores nothing.
pub type ConnectionEdit = Box<dyn FnOnce(&mut StoredConnection) -> Result<(), FlowError> + Send>;

/// Decides on a domain inside the transaction that stores it; an error stores nothing.
pub type DomainEdit = Box<dyn FnOnce(&mut Domain) -> Result<(), FlowError> + Send>;

/// Connections of workspaces.
#[async_trait]
pub trait ConnectionStore: Send + Sync {
    /// Stores a new connection, if the word of whoever makes it still counts there.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] if the workspace is deleted, [`FlowError::Forbidden`],
    /// [`Conflict::SlugTaken`](crate::Conflict::SlugTaken), [`Conflict::TooManyConnections`](crate::Conflict::TooManyConnections),
    /// and [`FlowError::Store`].
    async fn insert_connection(
        &self,
        act: Act,
        connection: StoredConnection,
        by: Option<Creator>,
    ) -> Result<(), FlowError>;

    /// The connections of a workspace, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn list_connections(&self, workspace: WorkspaceId) -> Result<Vec<StoredConnection>, StoreError>;

    /// A connection of a workspace.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn get_connection(
        &self,
        workspace: WorkspaceId,
        id: ConnectionId,
    ) -> Result<Option<StoredConnection>, StoreError>;

    /// The connection with the slug, if its workspace is not deleted.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn connection_by_slug(&self, slug: &str) -> Result<Option<StoredConnection>, StoreError>;

    /// Lets `edit` decide on a connection, and stores what it made of it. With another slug than it had, or by whoever has no
    /// word there, nothing is stored. The sessions end that were begun by it if it is no longer enabled.
    ///
    /// # Errors
    /// [`FlowError::NotFound`], what `edit` answers, and those of [`insert_connection`](Self::insert_connection).
    async fn edit_connection(
        &self,
        act: Act,
        workspace: WorkspaceId,
        id: ConnectionId,
        by: Option<Creator>,
        edit: ConnectionEdit,
    ) -> Result<StoredConnection, FlowError>;

    /// Removes a connection with its identities; the sessions end that were begun by it.
    ///
    /// # Errors
    /// [`FlowError::NotFound`], [`FlowError::Forbidden`],
    /// [`Conflict::ConnectionEnforced`](crate::Conflict::ConnectionEnforced), and [`FlowError::Store`].
    async fn remove_connection(
        &self,
        act: Act,
        workspace: WorkspaceId,
        id: ConnectionId,
        by: Option<Creator>,
    ) -> Result<(), FlowError>;

    /// Gives the connection another token for SCIM, or none.
    ///
    /// # Errors
    /// As [`remove_connection`](Self::remove_connection).
    async fn set_scim_token(
        &self,
        act: Act,
        workspace: WorkspaceId,
        id: ConnectionId,
        token: Option<TokenDigest>,
        by: Option<Creator>,
    ) -> Result<(), FlowError>;

    /// The connection that the token writes people for, if it is enabled and its workspace not deleted.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn connection_by_scim_token(
        &self,
        token: TokenDigest,
    ) -> Result<Option<StoredConnection>, StoreError>;
}

/// Where people of a domain sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainSignIn {
    /// The connection.
    pub connection: StoredConnection,
    /// Whether there is no other way.
    pub enforced: bool,
}

/// Domains of workspaces.
#[async_trait]
pub trait DomainStore: Send + Sync {
    /// Claims a domain for a workspace; one that is claimed already stays as it is, and is returned.
    ///
    /// # Errors
    /// [`FlowError::NotFound`], [`FlowError::Forbidden`], [`Conflict::TooManyDomains`](crate::Conflict::TooManyDomains), and
    /// [`FlowError::Store`].
    async fn claim_domain(&self, act: Act, domain: Domain, by: Option<Creator>) -> Result<Domain, FlowError>;

    /// The domains of a workspace, in alphabetical order.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn list_domains(&self, workspace: WorkspaceId) -> Result<Vec<Domain>, StoreError>;

    /// Lets `edit` decide on a domain, and stores what it made of it. Once it is enforced, the sessions end that its people have
    /// begun in another way, but for whoever is exempt.
    ///
    /// # Errors
    /// [`FlowError::NotFound`], [`FlowError::Forbidden`], what `edit` answers,
    /// [`Conflict::DomainTaken`](crate::Conflict::DomainTaken), [`FlowError::Invalid`] if the connection is not the workspace's
    /// and enabled, or who is exempt not an owner with a password and a second factor, and [`FlowError::Store`].
    async fn edit_domain(
        &self,
        act: Act,
        workspace: WorkspaceId,
        domain: &str,
        by: Option<Creator>,
        edit: DomainEdit,
    ) -> Result<Domain, FlowError>;

    /// Gives a domain up.
    ///
    /// # Errors
    /// [`FlowError::NotFound`], [`FlowError::Forbidden`] and [`FlowError::Store`].
    async fn remove_domain(
        &self,
        act: Act,
        workspace: WorkspaceId,
        domain: &str,
        by: Option<Creator>,
    ) -> Result<(), FlowError>;

    /// Where people of a verified domain sign in, if that is by an enabled connection of its workspace.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn domain_sign_in(&self, domain: &str) -> Result<Option<DomainSignIn>, StoreError>;
}

/// A sign-in that waits for the browser to come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SsoRequest {
    /// Of the token that travels to the provider and back.
    pub state: TokenDigest,
    /// Of the token that stays in the browser.
    pub browser: TokenDigest,
    /// By which connection.
    pub connection: ConnectionRef,
    /// Where the person goes on then: a path, or an address of an origin that is allowed.
    pub return_to: String,
    /// The session whose person the identity is to be connected with; none to sign in.
    pub link: Option<SessionId>,
    /// Until when it is waited for.
    pub expires_at: Timestamp,
}

/// The digest of an id that is taken once.
pub type ReplayId = [u8; 32];

/// Something that is taken once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenOnce {
    /// The digests of its ids.
    pub ids: Vec<ReplayId>,
    /// Until when they are remembered.
    pub until: Timestamp,
}

/// When an address that a provider names makes somebody the owner of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressCounts {
    /// Where the workspace of the connection has verified the domain.
    InDomainsOf(WorkspaceId),
    /// Always: the operator says that the provider speaks for the domain.
    Always,
    /// Where a workspace has verified the domain, and welcomes its people by providers of the whole server.
    WhereWelcome {
        /// Elsewhere it counts for a new account: one that is there is connected by its owner.
        or_as_new: bool,
    },
}

/// Somebody who comes from a provider, and what that is to do.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// By which connection.
    pub connection: ConnectionRef,
    /// Whose connection it is.
    pub workspace: Option<WorkspaceId>,
    /// Who says who it is, and by what name.
    pub issuer: String,
    /// By what the provider knows the person.
    pub subject: String,
    /// An account as it would be made for the person; none without an address that can be one.
    pub account: Option<User>,
    /// Whether the provider has seen that the address is the person's.
    pub email_verified: bool,
    /// What the address is worth.
    pub address_counts: AddressCounts,
    /// What is taken once.
    pub taken: TakenOnce,
    /// The session whose person it is to be connected with.
    pub link: Option<SessionId>,
    /// The workspace whose member the person is to be, and how.
    pub membership: Option<(WorkspaceId, Assigned)>,
    /// Whether a second factor was proved to the provider, whose word counts for it.
    pub second_factor: bool,
    /// What the provider calls the sign-in.
    pub provider_session: Option<String>,
    /// The id of the connection with the account, should it be new.
    pub identity: IdentityId,
    /// The device, if it is known.
    pub device: Option<TokenDigest>,
    /// The session as it begins if nothing else is asked for. Whose it is, and what the provider has to do with it, is
    /// filled in.
    pub session: NewSession,
    /// What the second step is asked with, should there be one.
    pub challenge: (TokenDigest, Challenge),
}

/// What came of it.
#[derive(Debug)]
pub enum Arrived {
    /// The person is signed in: the session, as it has begun.
    SignedIn(Session),
    /// The account has a second factor, which is asked for.
    SecondFactor(SecondFactorMethods),
    /// The identity is connected with the account of the session.
    Linked(UserId),
    /// It is not let in.
    Refused(ArrivalRefusal),
}

/// Why somebody who comes from a provider is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArrivalRefusal {
    /// It was taken before.
    #[error("the provider's answer was used before")]
    Replayed,
    /// There is no account, or one that is not connected and cannot be by the address alone.
    #[error("no account is connected with this identity")]
    NotConnected,
    /// The account, the session to connect with or the membership is gone.
    #[error("the account may not sign in")]
    Barred,
    /// None of the person's groups is let in, and there is no default.
    #[error("the person is no member of the workspace")]
    NoMember,
    /// The provider itself has written that the person is not active (SCIM).
    #[error("the provider has deactivated the person")]
    Deactivated,
}

/// An identity that is connected with an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// By which it is listed and removed.
    pub id: IdentityId,
    /// The connection.
    pub connection: ConnectionRef,
    /// What the connection is called; none for one of the whole server.
    pub name: Option<String>,
    /// Who says so.
    pub issuer: String,
    /// What it calls the person.
    pub subject: String,
    /// The address that the provider named last.
    pub email: Option<String>,
    /// Since when.
    pub created_at: Timestamp,
    /// When the person last came in by it.
    pub last_used_at: Timestamp,
}

/// Whose sessions a provider ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderLogout {
    /// By which connection they were begun.
    pub connection: ConnectionRef,
    /// Whose connection it is; none for one of the whole server.
    pub workspace: Option<WorkspaceId>,
    /// Who says so.
    pub issuer: String,
    /// Whose.
    pub subject: Option<String>,
    /// Which one.
    pub provider_session: Option<String>,
    /// What is taken once.
    pub taken: TakenOnce,
}

/// Coming in by a provider.
#[async_trait]
pub trait SsoSignInStore: Send + Sync {
    /// Keeps a sign-in until the browser is back.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn keep_request(&self, request: SsoRequest) -> Result<(), StoreError>;

    /// Takes a sign-in away and returns it, to one caller alone, and only to the browser that began it: for another one it stays.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn take_request(
        &self,
        state: TokenDigest,
        browsers: Vec<TokenDigest>,
    ) -> Result<Option<SsoRequest>, StoreError>;

    /// Lets somebody in who comes from a provider, or not, in one transaction: the account, its connection with the identity, the
    /// membership and the session.
    ///
    /// # Errors
    /// [`FlowError::Store`], and [`Conflict::IdentityTaken`](crate::Conflict::IdentityTaken) where the identity is to be connected
    /// and is another account's.
    async fn arrive(&self, arrival: Arrival) -> Result<Arrived, FlowError>;

    /// Ends the sessions, and returns how many; `None` if it was told before.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn end_provider_sessions(
        &self,
        act: Act,
        logout: ProviderLogout,
    ) -> Result<Option<u64>, StoreError>;

    /// The identities that are connected with an account, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn list_identities(&self, user: UserId) -> Result<Vec<Identity>, StoreError>;

    /// Takes an identity from an account, and ends the sessions that were begun by it.
    ///
    /// # Errors
    /// [`FlowError::NotFound`], [`Conflict::LastWayIn`](crate::Conflict::LastWayIn) and [`FlowError::Store`].
    async fn remove_identity(&self, act: Act, user: UserId, id: IdentityId) -> Result<(), FlowError>;
}

/// A person as a provider writes it (SCIM 2.0, RFC 7643 §4.1), with the account behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScimUser {
    /// The account.
    pub user: User,
    /// By what the provider knows the person: an address.
    pub user_name: String,
    /// What else the provider calls it.
    pub external_id: Option<String>,
    /// Whether the person may come in.
    pub active: bool,
    /// When the provider wrote it first.
    pub created_at: Timestamp,
    /// When it last changed it.
    pub updated_at: Timestamp,
}

/// What to look for among the people of a provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScimFilter {
    /// The name, in lower case.
    pub user_name: Option<String>,
    /// The provider's own id.
    pub external_id: Option<String>,
}

/// Decides on a person inside the transaction that stores it; an error stores nothing.
pub type ScimEdit = Box<dyn FnOnce(&mut ScimUser) -> Result<(), FlowError> + Send>;

/// People as providers write them.
#[async_trait]
pub trait ScimStore: Send + Sync {
    /// Makes a person known that a provider writes: with an account, made now if there is none with the address, and as a
    /// member with the role. The domain of the address must be one that the workspace has verified.
    ///
    /// # Errors
    /// [`FlowError::Invalid`] if it is not, [`Conflict::EmailTaken`](crate::Conflict::EmailTaken) for one that the provider
    /// wrote before, and [`FlowError::Store`].
    async fn insert_scim_user(
        &self,
        act: Act,
        connection: ConnectionId,
        workspace: WorkspaceId,
        new: ScimUser,
        role: Role,
    ) -> Result<ScimUser, FlowError>;

    /// A person of a provider.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn get_scim_user(
        &self,
        connection: ConnectionId,
        user: UserId,
    ) -> Result<Option<ScimUser>, StoreError>;

    /// A part of the people of a provider, in the order in which they were made, and how many there are in all.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn list_scim_users(
        &self,
        connection: ConnectionId,
        filter: ScimFilter,
        offset: u32,
        limit: u16,
    ) -> Result<(Vec<ScimUser>, u64), StoreError>;

    /// Lets `edit` decide on a person, and stores what it made of it. Who is not active any more is no member any more, its
    /// personal keys are revoked and its sessions end; who is again is a member with `role`.
    ///
    /// # Errors
    /// [`FlowError::NotFound`], what `edit` answers, [`Conflict::LastOwner`](crate::Conflict::LastOwner), and [`FlowError::Store`].
    async fn edit_scim_user(
        &self,
        act: Act,
        connection: ConnectionId,
        workspace: WorkspaceId,
        user: UserId,
        role: Role,
        edit: ScimEdit,
    ) -> Result<ScimUser, FlowError>;

    /// Forgets a person of a provider, who leaves the workspace as in [`edit_scim_user`](Self::edit_scim_user). The account stays.
    ///
    /// # Errors
    /// As [`edit_scim_user`](Self::edit_scim_user).
    async fn remove_scim_user(
        &self,
        act: Act,
        connection: ConnectionId,
        workspace: WorkspaceId,
        user: UserId,
    ) -> Result<(), FlowError>;
}

/// All of it.
pub trait SsoStore: ConnectionStore + DomainStore + SsoSignInStore + ScimStore {}

impl<T: ConnectionStore + DomainStore + SsoSignInStore + ScimStore> SsoStore for T {}

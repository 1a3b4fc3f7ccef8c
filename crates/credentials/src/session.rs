//! The way in for people: from a session's token to a [`PersonPermit`].

use std::{fmt, net::IpAddr, sync::Arc, time::Duration};

use tigertrust_model::{Clock, Role, Scope, Session, SsoSession, Timestamp, User, Workspace, WorkspaceId};

use tigertrust_rate_limit::Decision;

use crate::{
    AuthError, HeaderValues, Need, Presented, RateLimits, Refusal, TokenDigest, TokenKind, Unauthorized,
    WorkspaceNeed,
    limits::Spent,
    ports::{SessionRecord, SessionStore},
};

/// How long before it is noted again that a session was used.
const SEEN_EVERY: Duration = Duration::from_secs(60);

/// Decides which people get in. Nothing is remembered: each request is one look-up, so that an ended session, a changed role
/// or a disabled account counts on every node at once.
pub struct SessionAdmission {
    store: Arc<dyn SessionStore>,
    clock: Arc<dyn Clock>,
    limits: Arc<RateLimits>,
    idle_timeout: Option<Duration>,
}

impl SessionAdmission {
    /// An admission over the store's sessions. Those that are not used for longer than `idle_timeout` are over.
    pub fn new(
        store: Arc<dyn SessionStore>,
        clock: Arc<dyn Clock>,
        limits: Arc<RateLimits>,
        idle_timeout: Option<Duration>,
    ) -> Self {
        Self {
            store,
            clock,
            limits,
            idle_timeout,
        }
    }

    /// What of the cookies of the session's name is ours: its digest. Cookies of another application's are passed over.
    ///
    /// # Errors
    /// [`Unauthorized::Malformed`] for one of ours that is damaged, and for two of ours.
    pub fn read<'a>(cookies: impl IntoIterator<Item = &'a [u8]>) -> Result<Option<TokenDigest>, AuthError> {
        let mut found = None;
        for value in cookies {
            match TokenDigest::read(TokenKind::Session, value) {
                None => {}
                Some(Ok(digest)) if found.is_none() => found = Some(digest),
                Some(_) => return Err(AuthError::Unauthorized(Unauthorized::Malformed)),
            }
        }
        Ok(found)
    }

    /// Checks a session against what a route needs. Types of keys are no matter of people's; a scope is what the person's
    /// role in the workspace permits.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn admit(
        &self,
        token: TokenDigest,
        presented: &Presented<'_>,
        need: &Need,
    ) -> Result<PersonPermit, Refusal> {
        self.admit_at(true, token, presented, need).await
    }

    /// Checks a session again, or against something else than before: as [`admit`](Self::admit), but its rate limit is not asked.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn admit_uncounted(
        &self,
        token: TokenDigest,
        presented: &Presented<'_>,
        need: &Need,
    ) -> Result<PersonPermit, Refusal> {
        self.admit_at(false, token, presented, need).await
    }

    async fn admit_at(
        &self,
        is_counted: bool,
        token: TokenDigest,
        presented: &Presented<'_>,
        need: &Need,
    ) -> Result<PersonPermit, Refusal> {
        let now = self.clock.now();
        let record = self.look_up(token, presented.client, now).await?;
        let limits = match is_counted {
            false => None,
            true => match self.limits.spend_session(record.session.id).await {
                Spent::Admitted(decision) => Some(decision),
                Spent::Refused(decision) => return Err(Refusal::over_limit(decision)),
            },
        };
        let permit =
            enter(record, limits, presented.workspace, need).map_err(|why| Refusal::new(why, limits))?;
        self.note_seen(&permit.record.session, now).await;
        Ok(permit)
    }

    /// The session, if it is one that goes on.
    async fn look_up(
        &self,
        token: TokenDigest,
        client: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<SessionRecord, AuthError> {
        let look_up = self.limits.failures.enter(client).await?;
        let unknown = || look_up.failed(AuthError::Unauthorized(Unauthorized::SessionUnknown));
        let mut record = self.store.find_session(token).await?.ok_or_else(unknown)?;
        if record.session.is_over(now, self.idle_timeout) {
            return Err(look_up.failed(AuthError::SessionOver));
        }
        if record.user.disabled_at.is_some() {
            return Err(unknown());
        }
        if let Some(only) = record.session.sso.as_ref().and_then(SsoSession::confined_to) {
            record.memberships.retain(|(workspace, _)| workspace.id == only);
        }
        Ok(record)
    }

    /// Notes the use of a session now and then. That it could not be noted keeps nobody out.
    async fn note_seen(&self, session: &Session, now: Timestamp) {
        if session.last_seen_at.saturating_add(SEEN_EVERY) <= now {
            let _ = self.store.note_seen(session.id, now).await;
        }
    }
}

fn enter(
    record: SessionRecord,
    limits: Option<Decision>,
    named: HeaderValues<'_>,
    need: &Need,
) -> Result<PersonPermit, AuthError> {
    let membership = record.choose(named, need.workspace)?;
    let permit = PersonPermit {
        record: Arc::new(record),
        membership,
        limits,
    };
    if need.workspace == WorkspaceNeed::WholeAccount && !permit.session().is_whole() {
        return Err(AuthError::SessionConfined);
    }
    if !need.workspace.is_own_account() && permit.lacks_second_factor() {
        return Err(AuthError::SecondFactorMissing);
    }
    match need.scope.as_ref().filter(|scope| !permit.permits(scope)) {
        Some(scope) => Err(AuthError::RoleForbids(scope.clone())),
        None => Ok(permit),
    }
}

impl SessionRecord {
    /// The membership to act in: that of the workspace that is named, or of the person's default.
    fn choose(&self, named: HeaderValues<'_>, need: WorkspaceNeed) -> Result<Option<usize>, AuthError> {
        let denied = AuthError::WorkspaceAccessDenied;
        let wanted = match named {
            HeaderValues::Absent => match self.default_workspace() {
                Some(id) => id,
                None if need != WorkspaceNeed::Required => return Ok(None),
                None => return Err(AuthError::NoMembership),
            },
            HeaderValues::Repeated => return Err(denied),
            HeaderValues::One(value) => {
                let id = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                id.ok_or(denied.clone())?
            }
        };
        let position = self
            .memberships
            .iter()
            .position(|(workspace, _)| workspace.id == wanted);
        position.map(Some).ok_or(denied)
    }

    /// Whether a workspace demands a second factor that the session has not proved.
    #[must_use]
    pub fn lacks_second_factor(&self, workspace: &Workspace) -> bool {
        self.session.lacks_second_factor(workspace)
    }

    /// The workspace that the person acts in where none is named: the chosen one, or the first that the person joined.
    #[must_use]
    pub fn default_workspace(&self) -> Option<WorkspaceId> {
        let is_member = |id: &WorkspaceId| self.memberships.iter().any(|(workspace, _)| workspace.id == *id);
        let first = || self.memberships.first().map(|(workspace, _)| workspace.id);
        self.chosen_workspace.filter(is_member).or_else(first)
    }
}

/// The proof that a person was admitted. Only [`SessionAdmission::admit`] makes one.
#[derive(Clone, Debug)]
pub struct PersonPermit {
    record: Arc<SessionRecord>,
    membership: Option<usize>,
    limits: Option<Decision>,
}

impl PersonPermit {
    /// The session, its person, and the person's workspaces.
    #[must_use]
    pub fn record(&self) -> &SessionRecord {
        &self.record
    }

    /// How the session's limit stands after the call; none where it was not asked.
    #[must_use]
    pub const fn limits(&self) -> Option<&Decision> {
        self.limits.as_ref()
    }

    /// The session.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.record.session
    }

    /// Who is signed in.
    #[must_use]
    pub fn user(&self) -> &User {
        &self.record.user
    }

    /// The workspace that the request acts in; none only for somebody without one, on a route that needs none.
    #[must_use]
    pub fn workspace(&self) -> Option<&Workspace> {
        self.membership().map(|(workspace, _)| workspace)
    }

    /// What the person is there.
    #[must_use]
    pub fn role(&self) -> Option<Role> {
        self.membership().map(|(_, role)| *role)
    }

    /// What the person is in a workspace; none where the person is no member.
    #[must_use]
    pub fn role_in(&self, workspace: WorkspaceId) -> Option<Role> {
        let mut memberships = self.record.memberships.iter();
        memberships
            .find(|(own, _)| own.id == workspace)
            .map(|(_, role)| *role)
    }

    /// Whether the workspace demands a second factor that the session has not proved.
    fn lacks_second_factor(&self) -> bool {
        self.workspace()
            .is_some_and(|workspace| self.record.lacks_second_factor(workspace))
    }

    /// Whether the person's role in the workspace permits what the scope says.
    #[must_use]
    pub fn permits(&self, scope: &Scope) -> bool {
        self.role().is_some_and(|role| role.permits(scope))
    }

    fn membership(&self) -> Option<&(Workspace, Role)> {
        self.membership
            .and_then(|index| self.record.memberships.get(index))
    }
}

impl fmt::Debug for SessionAdmission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionAdmission")
            .field("idle_timeout", &self.idle_timeout)
            .finish_non_exhaustive()
    }
}

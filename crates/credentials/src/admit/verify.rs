//! Keys that were presented to somebody else: what they are worth, and why.

use std::{borrow::Cow, net::IpAddr, sync::Arc};

use tigertrust_model::{ScopeSet, Workspace, WorkspaceId};
use tigertrust_rate_limit::Decision;

use super::{
    Admission, access_token,
    examine::{Attempt, Passed},
    permit::PermitWorkspace,
};
use crate::{
    AuthError, Need, ParsedKey, Refusal, Unauthorized,
    access_token::AccessGrant,
    cache::Remembered,
    known_key::KnownKey,
    ports::{KeyRecord, StoreError},
};

/// What is asked about a key that was presented to somebody else.
#[derive(Clone)]
pub struct Verification<'a> {
    /// The key, as it was presented.
    pub key: &'a str,
    /// What it is to fulfil.
    pub need: Need,
    /// The workspace that it is to act in, as it was presented.
    pub workspace: Option<&'a str>,
    /// The address that the key was presented from, if the asker knows it.
    pub client: Option<IpAddr>,
    /// The workspace whose keys the asker may know of; `None` for all.
    pub home: Option<WorkspaceId>,
    /// What the use costs, of the quotas of the key's plan; nothing to ask only.
    pub cost: u32,
}

impl<'a> Verification<'a> {
    /// Whether the asker may know of a key: what belongs to another workspace is to him what nobody knows.
    pub(super) fn may_know_of(&self, record: &KeyRecord) -> bool {
        self.home.is_none_or(|home| record.key.reach.home() == Some(home))
    }

    pub(super) fn attempt(&self, token: Option<&'a AccessGrant>) -> Attempt<'a> {
        let named = self.workspace.map(str::as_bytes);
        Attempt {
            client: self.client,
            workspace: named.into_iter().collect(),
            token,
        }
    }
}

/// What a key that was presented to somebody else is worth. It is no [`Permit`](super::Permit): it lets nobody in here.
#[derive(Clone, Debug)]
pub struct Verdict {
    pub(super) record: Option<Arc<Remembered<KnownKey>>>,
    pub(super) token: Option<Arc<AccessGrant>>,
    pub(super) workspace: PermitWorkspace,
    pub(super) limits: Option<Decision>,
    pub(super) refusal: Option<AuthError>,
}

impl Verdict {
    /// Why the key is refused; `None` if it is good for what was asked.
    #[must_use]
    pub const fn refusal(&self) -> Option<&AuthError> {
        self.refusal.as_ref()
    }

    /// How the key's limits stand; none where it was refused before they were asked.
    #[must_use]
    pub const fn limits(&self) -> Option<&Decision> {
        self.limits.as_ref()
    }

    /// The key, if it is one that the asker may know of.
    #[must_use]
    pub fn key(&self) -> Option<&KeyRecord> {
        self.record.as_deref().map(|known| -> &KeyRecord { known })
    }

    /// The workspace that the key would act in.
    #[must_use]
    pub fn workspace(&self) -> Option<&Workspace> {
        self.record.as_ref().and_then(|record| self.workspace.of(record))
    }

    /// What the key may do there, or in its home where it is refused; nothing for a key that the asker may not know of.
    #[must_use]
    pub fn scopes(&self) -> Cow<'_, ScopeSet> {
        let Some(record) = &self.record else {
            return Cow::Owned(ScopeSet::default());
        };
        let workspace = self.workspace().or_else(|| record.home());
        let scopes = record.scopes_in(workspace.map(|workspace| workspace.id));
        access_token::narrowed(scopes, self.token.as_deref())
    }

    /// What `make` writes of the verdict, kept beside the key for as long as that is remembered, so that it is not written for each
    /// question. `None`, and nothing is written, for a key that is refused, for another workspace than its own and for a token.
    pub fn written(&self, make: impl FnOnce(&Self) -> Option<String>) -> Option<&str> {
        match (&self.record, &self.refusal, &self.workspace) {
            (Some(record), None, PermitWorkspace::Of(0) | PermitWorkspace::Open) if self.token.is_none() => {
                record.written(|| make(self))
            }
            _ => None,
        }
    }
}

impl Admission {
    /// Checks a key that was presented to somebody else, and explains. The checks and their order are those of
    /// [`admit`](Self::admit).
    ///
    /// # Errors
    /// [`StoreError`]: a key is neither valid nor not while storage does not answer.
    pub async fn verify(&self, asked: &Verification<'_>) -> Result<Verdict, StoreError> {
        let refused = |record, refusal: Refusal| {
            Ok(Verdict {
                record,
                token: None,
                workspace: PermitWorkspace::Open,
                limits: refusal.limits().copied(),
                refusal: Some(refusal.why),
            })
        };
        let unknown = |why| {
            if asked.cost > 0 {
                self.checks.refused(&why);
            }
            match why {
                AuthError::Unavailable(error) => Err(error),
                why => refused(None, why.into()),
            }
        };
        let (record, token) = match self.find_presented(asked.key.as_bytes()).await {
            Ok(found) => found,
            Err(why) => return unknown(why),
        };
        // What belongs to another workspace answers as what nobody knows.
        if !asked.may_know_of(&record) {
            return unknown(AuthError::Unauthorized(Unauthorized::Unknown));
        }
        let (now, cost) = (self.clock.now(), Some(asked.cost));
        let attempt = asked.attempt(token.as_deref());
        let examined = self.examine(&record, now, cost, attempt, &asked.need).await;
        // Who only asks what a key is worth does not use it.
        if asked.cost > 0 {
            self.count(&record, now, &examined);
        }
        match examined {
            Ok(Passed {
                workspace, limits, ..
            }) => {
                if asked.cost > 0 {
                    self.note_use(&record, now, asked.client, None);
                }
                Ok(Verdict {
                    record: Some(record),
                    token,
                    workspace,
                    limits,
                    refusal: None,
                })
            }
            Err(Refusal {
                why: AuthError::Unavailable(error),
                ..
            }) => Err(error),
            Err(refusal) => refused(Some(record), refusal).map(|verdict| Verdict { token, ..verdict }),
        }
    }

    /// The key that somebody was shown, or whose token was.
    async fn find_presented(
        &self,
        value: &[u8],
    ) -> Result<(Arc<Remembered<KnownKey>>, Option<Arc<AccessGrant>>), AuthError> {
        if let Some(Ok(secret)) = ParsedKey::read(value, &self.formats) {
            let digest = self.peppers.current().digest(&secret);
            let record = self.look_up(digest, &|| self.peppers.digests(&secret)).await?;
            return Ok((record, None));
        }
        Box::pin(self.find_by_token(value)).await
    }
}

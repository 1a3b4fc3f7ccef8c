//! What the audit log is told of sign-ins that are refused.

use tigertrust_model::{Act, AuditAction, AuditEntry, Chain, FieldChange, Origin, UserId};

use super::{SignInError, SignInFlows};

/// A sign-in that may be refused.
pub(crate) struct Attempt {
    /// The chain that it is logged in.
    pub(crate) chain: Chain,
    /// Whose account it is, once that is known. What was typed is not kept: it may be a password in the wrong field.
    pub(crate) user: Option<UserId>,
    /// How: `password`, `second-factor`, `passkey`, `sso` or `link`.
    pub(crate) method: &'static str,
    /// Where it came from.
    pub(crate) origin: Origin,
}

impl Attempt {
    pub(crate) const fn new(method: &'static str, origin: Origin) -> Self {
        Self {
            chain: Chain::Instance,
            user: None,
            method,
            origin,
        }
    }

    fn entry(&self) -> AuditEntry {
        let act = Act::of_anybody(self.origin.clone());
        let entry = AuditEntry::new(AuditAction::SessionStarted, self.chain, &act)
            .changing([FieldChange::set("method", self.method)]);
        match self.user {
            Some(user) => entry.on(user),
            None => entry,
        }
    }
}

impl SignInFlows {
    /// Passes on what came of an attempt, and logs a refusal: at once, or with others once there are too many.
    pub(crate) async fn logged<T>(
        &self,
        attempt: &Attempt,
        done: Result<T, SignInError>,
    ) -> Result<T, SignInError> {
        if let Err(error) = &done {
            match error {
                SignInError::Throttled { .. } => {
                    let entry = attempt.entry().refused("RATE_LIMITED");
                    self.0.refusals.count(entry);
                }
                SignInError::Refused
                | SignInError::LinkRefused
                | SignInError::PasskeyRefused(_)
                | SignInError::PasskeyCopied { .. } => {
                    self.append_refusal(attempt.entry().refused("UNAUTHORIZED")).await;
                }
                SignInError::Expired | SignInError::LinkExpired => {
                    self.append_refusal(attempt.entry().refused("TOKEN_EXPIRED"))
                        .await;
                }
                SignInError::Overloaded
                | SignInError::StepUpRequired
                | SignInError::NoEncryptionKey
                | SignInError::Sealed(_)
                | SignInError::PasskeyUnreadable(_)
                | SignInError::Flow(_) => {}
            }
        }
        done
    }

    /// As [`logged`](Self::logged), for who comes from a provider.
    pub(crate) async fn log_provider_refusal(&self, attempt: &Attempt, connection: &str, reason: String) {
        let entry = attempt
            .entry()
            .on(tigertrust_model::AuditTarget::new("connection", connection))
            .changing([FieldChange::set("reason", reason)]);
        self.append_refusal(entry.refused("UNAUTHORIZED")).await;
    }

    /// It is refused, whether that can be logged now or once the database is back.
    async fn append_refusal(&self, entry: AuditEntry) {
        if self.0.refusals.append(entry.clone()).await.is_err() {
            self.0.refusals.count(entry);
        }
    }
}

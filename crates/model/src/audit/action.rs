//! What the audit log knows of.

use std::{fmt, str::FromStr};

/// The text names no action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an action of the audit log, such as key.revoked")]
pub struct UnknownAction;

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)+) => {
        /// What the audit log knows.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum AuditAction {
            $($(#[$doc])* $name,)+
        }

        impl AuditAction {
            /// Every one there is.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// How it is written: what it is about, a dot, and what happened to that.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }

        impl FromStr for AuditAction {
            type Err = UnknownAction;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$name),)+
                    _ => Err(UnknownAction),
                }
            }
        }
    };
}

actions! {
    /// A key was made.
    KeyCreated = "key.created",
    /// Keys that were made elsewhere were imported; each that is new has an entry of its own too, `key.created`.
    KeysImported = "key.imported",
    /// Fields of a key were changed.
    KeyUpdated = "key.updated",
    /// A key was given another secret.
    KeyRotated = "key.rotated",
    /// A key was put out of use for a while.
    KeyDeactivated = "key.deactivated",
    /// A key was taken into use again.
    KeyActivated = "key.activated",
    /// A key was ended for good.
    KeyRevoked = "key.revoked",
    /// Somebody reported that a key has leaked, and it goes on.
    KeyLeaked = "key.leaked",
    /// Calls with a key were refused: one entry for each key, reason and minute, with their number.
    KeyRefused = "key.refused",
    /// A key, or a job that a trust rule of the key lets in, was exchanged for a token.
    TokenIssued = "token.issued",
    /// Jobs asked for a token of a key and were let in by none of its trust rules: one entry for each key, network and minute, with
    /// their number.
    TokenRefused = "token.refused",
    /// A key was given a trust rule.
    TrustRuleCreated = "trust_rule.created",
    /// A trust rule was taken from a key.
    TrustRuleDeleted = "trust_rule.deleted",
    /// A workspace was made.
    WorkspaceCreated = "workspace.created",
    /// Settings of a workspace were changed.
    WorkspaceUpdated = "workspace.updated",
    /// A workspace was deleted.
    WorkspaceDeleted = "workspace.deleted",
    /// Somebody became a member.
    MemberAdded = "member.added",
    /// A member was given another role.
    MemberUpdated = "member.updated",
    /// Somebody is no member any more.
    MemberRemoved = "member.removed",
    /// Somebody was invited.
    InvitationCreated = "invitation.created",
    /// An invitation was sent once more, or with another role.
    InvitationUpdated = "invitation.updated",
    /// An invitation was taken back.
    InvitationRevoked = "invitation.revoked",
    /// An invitation was accepted.
    InvitationAccepted = "invitation.accepted",
    /// An account was made.
    UserCreated = "user.created",
    /// Fields of an account were changed.
    UserUpdated = "user.updated",
    /// An account was disabled.
    UserDisabled = "user.disabled",
    /// An account was enabled again.
    UserEnabled = "user.enabled",
    /// The failed proofs of an account were forgotten.
    UserUnlocked = "user.unlocked",
    /// What is held on a person was handed out to it.
    UserExported = "user.exported",
    /// An account was erased.
    UserErased = "user.erased",
    /// The address of an account was proved, or changed to another one.
    EmailVerified = "email.verified",
    /// A password was changed.
    PasswordChanged = "password.changed",
    /// A password was set by a link in a mail.
    PasswordReset = "password.reset",
    /// A second factor was added.
    FactorAdded = "factor.added",
    /// A second factor was removed.
    FactorRemoved = "factor.removed",
    /// Recovery codes were made anew.
    RecoveryCodesRenewed = "recovery_codes.renewed",
    /// Somebody signed in.
    SessionStarted = "session.started",
    /// Somebody proved anew, within a session, who it is.
    SessionProved = "session.proved",
    /// Sessions ended before their time.
    SessionEnded = "session.ended",
    /// A provider was connected with a workspace.
    ConnectionCreated = "sso.connection.created",
    /// A connection was changed.
    ConnectionUpdated = "sso.connection.updated",
    /// A connection was removed.
    ConnectionRemoved = "sso.connection.removed",
    /// A connection was given a token for SCIM, or lost it.
    ScimTokenChanged = "sso.scim_token.changed",
    /// A domain was claimed.
    DomainClaimed = "sso.domain.claimed",
    /// A domain was verified.
    DomainVerified = "sso.domain.verified",
    /// What is demanded of a domain's people was changed.
    DomainUpdated = "sso.domain.updated",
    /// A domain was given up.
    DomainRemoved = "sso.domain.removed",
    /// An identity of a provider was connected with an account.
    IdentityConnected = "identity.connected",
    /// An identity was taken from an account.
    IdentityRemoved = "identity.removed",
    /// A webhook was made.
    WebhookCreated = "webhook.created",
    /// A webhook was changed, or given another secret.
    WebhookUpdated = "webhook.updated",
    /// A webhook was switched off, since its receiver wants no more, or takes nothing.
    WebhookDisabled = "webhook.disabled",
    /// A webhook was sent an event that says nothing but that it is a test.
    WebhookTested = "webhook.tested",
    /// A webhook was sent once more what was given up, or delivered.
    WebhookRedelivered = "webhook.redelivered",
    /// A webhook was removed.
    WebhookRemoved = "webhook.removed",
    /// The daily look at the keys found something else than the last time.
    HygieneReported = "hygiene.reported",
    /// A provider wrote a person for the first time.
    ProvisioningCreated = "provisioning.created",
    /// A provider changed a person.
    ProvisioningUpdated = "provisioning.updated",
    /// A provider switched a person off, or forgot it.
    ProvisioningDeactivated = "provisioning.deactivated",
    /// The audit log was handed out.
    AuditExported = "audit.exported",
    /// The beginning of a chain was moved to a file.
    AuditArchived = "audit.archived",
    /// An operator let a chain go on whose head was not as it was written.
    AuditRestarted = "audit.restarted",
    /// An operator took the latest time that servers have seen back to what the clock of a machine says.
    ClockReset = "clock.reset",
    /// A request that would have changed something was refused: one entry for each caller, operation, reason and minute.
    RequestRefused = "request.refused",
}

impl AuditAction {
    /// The actions that a text names: one, or all that concern one thing, `key.*`. None for a text that names none.
    #[must_use]
    pub fn named(text: &str) -> Option<Vec<Self>> {
        let named: Vec<Self> = match text.strip_suffix('*') {
            Some(start) if start.ends_with('.') => Self::ALL
                .iter()
                .copied()
                .filter(|action| action.as_str().starts_with(start))
                .collect(),
            _ => text.parse().into_iter().collect(),
        };
        (!named.is_empty()).then_some(named)
    }
}

impl fmt::Display for AuditAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_is_read_back() {
        for action in AuditAction::ALL {
            assert_eq!(action.as_str().parse(), Ok(*action));
        }
    }

    #[test]
    fn actions_are_named_one_by_one_or_by_what_they_concern() {
        assert_eq!(
            AuditAction::named("key.revoked"),
            Some(vec![AuditAction::KeyRevoked])
        );
        let of_keys = AuditAction::named("key.*").unwrap();
        assert!(of_keys.contains(&AuditAction::KeyCreated) && !of_keys.contains(&AuditAction::UserCreated));
        for text in ["", "*", "key.", "key*", "nothing.*", "key.mistyped"] {
            assert_eq!(AuditAction::named(text), None, "{text}");
        }
    }
}

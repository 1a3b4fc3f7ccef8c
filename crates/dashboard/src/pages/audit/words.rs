//! What events are called.

use tigertrust_model::AuditAction;

/// Actions that concern one thing: how their names begin, what it is called, and which they are.
pub(crate) struct Family {
    /// How their names begin, such as `key`.
    pub(crate) name: &'static str,
    /// What they concern, such as `API keys`.
    pub(crate) title: &'static str,
    /// The actions.
    pub(crate) actions: Vec<AuditAction>,
}

/// What stands in the log of the instance alone: whoever looked for it in that of a workspace would find that it never happened.
const OF_INSTANCE: [&str; 6] = ["user", "email", "password", "factor", "recovery_codes", "clock"];

/// The actions that the log of a workspace knows, by what they concern.
pub(crate) fn families() -> Vec<Family> {
    let mut families: Vec<Family> = Vec::new();
    for action in AuditAction::ALL {
        let name = action.as_str().split('.').next().unwrap_or_default();
        if OF_INSTANCE.contains(&name) {
            continue;
        }
        match families.iter_mut().find(|family| family.name == name) {
            Some(family) => family.actions.push(*action),
            None => families.push(Family {
                name,
                title: title(name),
                actions: vec![*action],
            }),
        }
    }
    families
}

fn title(family: &'static str) -> &'static str {
    match family {
        "key" => "API keys",
        "token" => "Short-lived tokens",
        "trust_rule" => "Trust rules",
        "workspace" => "Workspace",
        "member" => "Members",
        "invitation" => "Invitations",
        "session" => "Sign-ins by the provider",
        "sso" => "Single sign-on",
        "identity" => "Identities of providers",
        "webhook" => "Webhooks",
        "hygiene" => "Reports on keys",
        "provisioning" => "Provisioning by SCIM",
        "audit" => "Audit log",
        "request" => "Refused requests",
        other => other,
    }
}

/// What an event is called; the raw name for one of a newer program.
pub(crate) fn label(action: &str) -> &str {
    match action.parse() {
        Ok(action) => known(action),
        Err(_) => action,
    }
}

/// What an action is called.
pub(crate) const fn known(action: AuditAction) -> &'static str {
    use AuditAction as Of;
    match action {
        Of::KeyCreated => "API key created",
        Of::KeysImported => "API keys imported",
        Of::KeyUpdated => "API key changed",
        Of::KeyRotated => "API key given another secret",
        Of::KeyDeactivated => "API key switched off",
        Of::KeyActivated => "API key switched on",
        Of::KeyRevoked => "API key revoked",
        Of::KeyLeaked => "API key reported as leaked",
        Of::KeyRefused => "Calls with an API key refused",
        Of::TokenIssued => "Short-lived token issued",
        Of::TokenRefused => "Short-lived tokens refused to jobs",
        Of::TrustRuleCreated => "Trust rule created",
        Of::TrustRuleDeleted => "Trust rule removed",
        Of::WorkspaceCreated => "Workspace created",
        Of::WorkspaceUpdated => "Workspace changed",
        Of::WorkspaceDeleted => "Workspace deleted",
        Of::MemberAdded => "Member added",
        Of::MemberUpdated => "Role of a member changed",
        Of::MemberRemoved => "Member removed",
        Of::InvitationCreated => "Somebody invited",
        Of::InvitationUpdated => "Invitation changed or sent again",
        Of::InvitationRevoked => "Invitation taken back",
        Of::InvitationAccepted => "Invitation accepted",
        Of::UserCreated => "Account created",
        Of::UserUpdated => "Account changed",
        Of::UserDisabled => "Account disabled",
        Of::UserEnabled => "Account enabled",
        Of::UserUnlocked => "Account unlocked",
        Of::UserExported => "Account exported",
        Of::UserErased => "Account erased",
        Of::EmailVerified => "E-mail address confirmed",
        Of::PasswordChanged => "Password changed",
        Of::PasswordReset => "Password set by a link",
        Of::FactorAdded => "Second factor added",
        Of::FactorRemoved => "Second factor removed",
        Of::RecoveryCodesRenewed => "Recovery codes made anew",
        Of::SessionStarted => "Sign-in",
        Of::SessionProved => "Fresh proof within a session",
        Of::SessionEnded => "Session ended",
        Of::ConnectionCreated => "Connection created",
        Of::ConnectionUpdated => "Connection changed",
        Of::ConnectionRemoved => "Connection removed",
        Of::ScimTokenChanged => "SCIM token changed",
        Of::DomainClaimed => "Domain claimed",
        Of::DomainVerified => "Domain verified",
        Of::DomainUpdated => "Domain changed",
        Of::DomainRemoved => "Domain given up",
        Of::IdentityConnected => "Identity connected with an account",
        Of::IdentityRemoved => "Identity removed from an account",
        Of::WebhookCreated => "Webhook created",
        Of::WebhookUpdated => "Webhook changed",
        Of::WebhookDisabled => "Webhook switched off by the server",
        Of::WebhookTested => "Webhook sent a test event",
        Of::WebhookRedelivered => "Webhook sent an event again",
        Of::WebhookRemoved => "Webhook deleted",
        Of::HygieneReported => "News on the state of API keys",
        Of::ProvisioningCreated => "Person provisioned",
        Of::ProvisioningUpdated => "Provisioned person changed",
        Of::ProvisioningDeactivated => "Provisioned person switched off",
        Of::AuditExported => "Audit log exported",
        Of::AuditArchived => "Beginning of the audit log archived",
        Of::AuditRestarted => "Audit log restarted by an operator",
        Of::ClockReset => "Time taken back by an operator",
        Of::RequestRefused => "Request refused",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn everything_that_a_workspace_logs_is_in_one_family_and_has_a_name_of_its_own() {
        let families = families();
        for family in &families {
            assert_ne!(family.title, family.name, "a title");
            for action in &family.actions {
                assert!(action.as_str().starts_with(family.name), "{action}");
            }
        }
        let names: HashSet<&str> = AuditAction::ALL.iter().map(|action| known(*action)).collect();
        assert_eq!(names.len(), AuditAction::ALL.len());
        let of_workspaces: usize = families.iter().map(|family| family.actions.len()).sum();
        assert_eq!(of_workspaces, AuditAction::ALL.len() - 14);
        assert_eq!(label("key.revoked"), "API key revoked");
        assert_eq!(label("of.tomorrow"), "of.tomorrow");
    }
}

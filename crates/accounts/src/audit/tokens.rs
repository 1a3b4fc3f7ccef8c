//! What the log says of short-lived tokens, and of the rules that jobs get them by.

use tigertrust_model::{
    Act, AuditAction, AuditEntry, FieldChange, KeyId, Origin, Principal, ScopeSet, Timestamp, TokenId,
    TrustRule, TrustRuleId, UserId, WorkspaceId,
};

use super::changes::{Field, beginnings, list};
use crate::format_rfc3339;

/// How much of a subject is logged, in characters: as much as OpenID Connect allows.
const MAX_SUBJECT: usize = 255;

/// A token that was given out.
#[derive(Clone, Debug)]
pub struct IssuedToken {
    /// Which one it is.
    pub id: TokenId,
    /// The key that it acts as.
    pub key: KeyId,
    /// Whose key that is, if it is personal.
    pub owner: Option<UserId>,
    /// The home of the key: in its chain it is logged.
    pub home: Option<WorkspaceId>,
    /// Where the token acts.
    pub workspace: Option<WorkspaceId>,
    /// What it may do.
    pub scopes: ScopeSet,
    /// From when on it is refused.
    pub expires_at: Timestamp,
    /// The job that it was given to; none for whoever showed the key.
    pub job: Option<JobOfToken>,
}

/// A job that was given a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobOfToken {
    /// Who vouches for it.
    pub issuer: String,
    /// What the issuer calls it.
    pub subject: Option<String>,
    /// The rule that let it in.
    pub rule: TrustRuleId,
}

impl IssuedToken {
    /// As the log says it: done by whoever showed the key, or by the issuer that vouches for the job.
    #[must_use]
    pub fn entry(&self, from: Origin) -> AuditEntry {
        let by = match &self.job {
            None => Principal::Key {
                id: self.key,
                owner: self.owner,
            },
            Some(job) => Principal::Provider(job.issuer.clone()),
        };
        let job = |what: fn(&JobOfToken) -> Option<String>| self.job.as_ref().and_then(what);
        let fields: [Field; 7] = [
            ("tokenId", Some(self.id.to_string())),
            ("scopes", list(self.scopes.iter())),
            ("workspaceId", self.workspace.map(|id| id.to_string())),
            ("expiresAt", Some(format_rfc3339(self.expires_at))),
            ("issuer", job(|job| Some(job.issuer.clone()))),
            ("subject", job(|job| job.subject.as_deref().map(shortened))),
            ("trustRuleId", job(|job| Some(job.rule.to_string()))),
        ];
        AuditEntry::new(AuditAction::TokenIssued, self.home, &Act { by, from })
            .on(self.key)
            .changing(beginnings(fields))
    }
}

/// A subject, as long as it may be: issuers are free in what they send.
pub(crate) fn shortened(subject: &str) -> String {
    subject.chars().take(MAX_SUBJECT).collect()
}

/// A trust rule was made. What a person calls something of its own keys goes with the person.
#[must_use]
pub fn trust_rule_created(
    act: &Act,
    rule: &TrustRule,
    owner: Option<UserId>,
    home: Option<WorkspaceId>,
) -> AuditEntry {
    trust_rule_event(AuditAction::TrustRuleCreated, act, rule, owner, home).changing(rule.claims.iter().map(
        |(claim, patterns)| FieldChange {
            field: format!("claims.{claim}"),
            before: None,
            after: list(patterns),
        },
    ))
}

/// A trust rule was taken away.
#[must_use]
pub fn trust_rule_deleted(
    act: &Act,
    rule: &TrustRule,
    owner: Option<UserId>,
    home: Option<WorkspaceId>,
) -> AuditEntry {
    trust_rule_event(AuditAction::TrustRuleDeleted, act, rule, owner, home)
}

fn trust_rule_event(
    action: AuditAction,
    act: &Act,
    rule: &TrustRule,
    owner: Option<UserId>,
    home: Option<WorkspaceId>,
) -> AuditEntry {
    let fields: [Field; 4] = [
        ("trustRuleId", Some(rule.id.to_string())),
        ("name", owner.is_none().then(|| rule.name.clone())),
        ("issuer", Some(rule.issuer.clone())),
        ("audience", Some(rule.audience.clone())),
    ];
    let entry = AuditEntry::new(action, home, act)
        .on(rule.key)
        .changing(beginnings(fields));
    match owner {
        Some(_) => entry.about("name", rule.name.clone()),
        None => entry,
    }
}

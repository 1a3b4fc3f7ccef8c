//! The audit log: what it says of acts that are done in more than one place.

use tigertrust_accounts::{
    audit, format_rfc3339,
    ports::{Membership, NewSession},
};
use tigertrust_model::{
    Act, ApiKey, AuditAction, AuditEntry, Chain, FieldChange, KeyId, Role, Session, Timestamp, User, UserId,
    Workspace, WorkspaceId,
};

/// A key was made. What a person calls its own keys goes with the person.
pub(super) fn key_created(act: &Act, key: &ApiKey) -> AuditEntry {
    let entry = AuditEntry::new(AuditAction::KeyCreated, key.reach.home(), act)
        .on(key.id)
        .changing(audit::of_new_key(key));
    match key.owner {
        Some(_) => entry.about("name", key.name.clone()),
        None => entry,
    }
}

/// Keys were imported.
pub(super) fn keys_imported(act: &Act, home: WorkspaceId, counts: [(&'static str, usize); 3]) -> AuditEntry {
    AuditEntry::new(AuditAction::KeysImported, Some(home), act)
        .on(home)
        .changing(counts.map(|(name, count)| FieldChange::set(name, count)))
}

/// A key was edited, or given another secret, if its earlier ones end.
pub(super) fn key_changed(
    act: &Act,
    before: &ApiKey,
    after: &ApiKey,
    earlier_end: Option<Timestamp>,
) -> Option<AuditEntry> {
    let changes = audit::of_key(before, after);
    let (action, changes) = match earlier_end {
        Some(end) => {
            let overlap = FieldChange::set("earlierSecretsEndAt", format_rfc3339(end));
            let others = changes.map(|(_, changes)| changes).unwrap_or_default();
            (AuditAction::KeyRotated, [vec![overlap], others].concat())
        }
        None => changes?,
    };
    let entry = AuditEntry::new(action, after.reach.home(), act);
    Some(entry.on(after.id).changing(changes))
}

/// A key was ended with something else: its owner's membership, or account.
pub(super) fn key_ended(act: &Act, key: KeyId, home: Option<WorkspaceId>, reason: &str) -> AuditEntry {
    let changes = [
        FieldChange::set("state", "revoked"),
        FieldChange::set("revocationReason", reason),
    ];
    AuditEntry::new(AuditAction::KeyRevoked, home, act)
        .on(key)
        .changing(changes)
}

/// An account was made.
pub(super) fn user_created(act: &Act, user: &User) -> AuditEntry {
    AuditEntry::new(AuditAction::UserCreated, Chain::Instance, act)
        .on(user.id)
        .about("email", user.email.as_str())
}

/// A workspace was made: in its own log, and in that of the instance, which then knows that there must be one.
pub(super) fn workspace_created(act: &Act, workspace: &Workspace, owner: UserId) -> [AuditEntry; 2] {
    [Chain::Instance, Chain::Workspace(workspace.id)].map(|chain| {
        AuditEntry::new(AuditAction::WorkspaceCreated, chain, act)
            .on(workspace.id)
            .changing(audit::of_new_workspace(workspace))
            .changing([FieldChange::set("ownerId", owner)])
    })
}

/// Somebody became a member, was given another role, or is no member any more; none if nothing of that happened.
pub(super) fn member_changed(
    act: &Act,
    Membership { workspace, user }: Membership,
    before: Option<Role>,
    after: Option<Role>,
) -> Option<AuditEntry> {
    let action = match (before, after) {
        (None, _) => AuditAction::MemberAdded,
        (Some(_), Some(_)) => AuditAction::MemberUpdated,
        (Some(_), None) => AuditAction::MemberRemoved,
    };
    let text = |role: Option<Role>| role.map(|role| role.to_string());
    let change = FieldChange::between("role", text(before), text(after))?;
    let entry = AuditEntry::new(action, Some(workspace), act);
    Some(entry.on(user).changing([change]))
}

/// Somebody is no member any more, and these keys have ended with that.
pub(super) fn member_left(
    act: &Act,
    of: Membership,
    before: Option<Role>,
    keys: Vec<KeyId>,
    reason: &str,
) -> Vec<AuditEntry> {
    let ended = keys
        .into_iter()
        .map(|key| key_ended(act, key, Some(of.workspace), reason));
    member_changed(act, of, before, None)
        .into_iter()
        .chain(ended)
        .collect()
}

/// Somebody signed in. By the provider of a workspace, that is the business of that workspace.
pub(super) fn session_started(new: &NewSession, method: &str) -> AuditEntry {
    let session = &new.session;
    AuditEntry::new(AuditAction::SessionStarted, chain_of(session), &own_act(session))
        .on(session.id)
        .changing([
            FieldChange::set("method", method),
            FieldChange::set("secondFactor", session.second_factor),
        ])
}

/// The chain that a session is logged in.
pub(super) fn chain_of(session: &Session) -> Chain {
    session.sso.as_ref().and_then(|sso| sso.workspace).into()
}

/// What a person does by signing in.
pub(super) fn own_act(session: &Session) -> Act {
    Act::of_person(session.user, Some(session.id), session.origin.clone())
}

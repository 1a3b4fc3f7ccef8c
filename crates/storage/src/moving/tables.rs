//! What becomes of each table.

/// What becomes of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Every row is moved.
    Moved,
    /// Every row is moved, in the place of the row with which a new database begins.
    Replaced,
    /// It says something of the database that it is in, and is left behind.
    Left,
}
use Fate::{Left, Moved, Replaced};

/// Every table but those of the migrations and of the move itself; a table comes after those that its rows refer to. One that is not
/// named here stops a move: somebody has to decide what becomes of it.
pub(super) const TABLES: &[(&str, Fate)] = &[
    ("workspaces", Moved),
    ("users", Moved),
    ("memberships", Moved),
    ("invitations", Moved),
    ("api_keys", Moved),
    ("api_key_workspaces", Moved),
    ("api_key_secrets", Moved),
    ("trust_rules", Moved),
    // A request that is sent once more after the move is still acted upon once.
    ("idempotent_requests", Moved),
    ("usage_counts", Moved),
    ("scope_uses", Moved),
    // What keys had spent when the last server stopped: the first server over the new database takes it up.
    ("saved_spends", Moved),
    // People stay signed in, and what they were in the middle of goes on.
    ("sessions", Moved),
    ("devices", Moved),
    ("sign_in_challenges", Moved),
    ("totp_factors", Moved),
    ("recovery_codes", Moved),
    ("proof_budgets", Moved),
    ("mail_tokens", Moved),
    ("passkeys", Moved),
    ("passkey_challenges", Moved),
    ("sso_connections", Moved),
    ("sso_domains", Moved),
    ("sso_identities", Moved),
    ("sso_requests", Moved),
    // What was taken once is not taken again, wherever.
    ("sso_replays", Moved),
    ("scim_users", Moved),
    ("webhooks", Moved),
    // What waits is sent from the new database, under the ids that it has.
    ("webhook_deliveries", Moved),
    ("audit_events", Moved),
    ("audit_heads", Moved),
    // The log of changes and its number move together, and nothing is done meanwhile: whoever follows it goes on where it was, and
    // needs no reset.
    ("changes", Moved),
    ("change_head", Replaced),
    // Time does not go back over a move either.
    ("clock_mark", Replaced),
    // Which servers run over the old database.
    ("nodes", Left),
];

/// What a new database has in a table that is replaced, by a condition that finds rows of other kinds.
pub(super) const NOT_NEW: &[(&str, &str)] = &[("change_head", "seq <> 0"), ("clock_mark", "resets <> 0")];

pub(super) fn fate(table: &str) -> Option<Fate> {
    TABLES
        .iter()
        .find(|(name, _)| *name == table)
        .map(|(_, fate)| *fate)
}

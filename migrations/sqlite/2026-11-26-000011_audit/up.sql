-- Who did what. An event is never changed; what is personal in it may be erased.
CREATE TABLE audit_events (
    -- The workspace; zeros for the chain of the instance.
    chain_id BLOB NOT NULL,
    -- The place in the chain, from 1, without gaps.
    seq INTEGER NOT NULL CHECK (seq > 0),
    id BLOB NOT NULL,
    created_at TEXT NOT NULL,
    action TEXT NOT NULL,
    outcome TEXT NOT NULL,
    code TEXT,
    actor_kind TEXT NOT NULL,
    actor_id TEXT,
    -- The session or key that was presented.
    credential_id TEXT,
    target_kind TEXT,
    target_id TEXT,
    -- A list of field, before and after, in JSON.
    changes TEXT NOT NULL,
    count INTEGER NOT NULL CHECK (count > 0),
    request_id TEXT,
    -- What is personal, and what its digest begins with; all of it is null once it is erased.
    salt BLOB CHECK (length(salt) = 16),
    address TEXT,
    user_agent TEXT,
    details TEXT,
    personal_digest BLOB NOT NULL CHECK (length(personal_digest) = 32),
    key_id TEXT NOT NULL,
    mac BLOB NOT NULL CHECK (length(mac) = 32),
    PRIMARY KEY (chain_id, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_events_created_at ON audit_events (chain_id, created_at, seq);
CREATE INDEX audit_events_action ON audit_events (chain_id, action, created_at, seq);
CREATE INDEX audit_events_outcome ON audit_events (chain_id, outcome, created_at, seq);
-- Also for whoever is erased, in every chain.
CREATE INDEX audit_events_actor_id ON audit_events (actor_id, chain_id, created_at, seq) WHERE actor_id IS NOT NULL;
CREATE INDEX audit_events_target_id ON audit_events (target_id, chain_id, created_at, seq) WHERE target_id IS NOT NULL;
CREATE INDEX audit_events_credential_id ON audit_events (credential_id, chain_id, created_at, seq) WHERE credential_id IS NOT NULL;

-- The end of each chain. Its row is the lock under which the chain grows.
CREATE TABLE audit_heads (
    chain_id BLOB NOT NULL PRIMARY KEY,
    -- How many events from the beginning are in files, and the MAC of the last of those.
    archived INTEGER NOT NULL CHECK (archived >= 0),
    archived_mac BLOB NOT NULL CHECK (length(archived_mac) = 32),
    seq INTEGER NOT NULL CHECK (seq >= archived),
    mac BLOB NOT NULL CHECK (length(mac) = 32),
    key_id TEXT NOT NULL,
    seal BLOB NOT NULL CHECK (length(seal) = 32)
) STRICT, WITHOUT ROWID;

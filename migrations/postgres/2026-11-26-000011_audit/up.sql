-- Who did what. An event is never changed; what is personal in it may be erased.
CREATE TABLE audit_events (
    -- The workspace; zeros for the chain of the instance.
    chain_id uuid NOT NULL,
    -- The place in the chain, from 1, without gaps.
    seq bigint NOT NULL CHECK (seq > 0),
    id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    action text NOT NULL,
    outcome text NOT NULL,
    code text,
    actor_kind text NOT NULL,
    actor_id text,
    -- The session or key that was presented.
    credential_id text,
    target_kind text,
    target_id text,
    -- A list of field, before and after, in JSON.
    changes text NOT NULL,
    count bigint NOT NULL CHECK (count > 0),
    request_id text,
    -- What is personal, and what its digest begins with; all of it is null once it is erased.
    salt bytea CHECK (length(salt) = 16),
    address text,
    user_agent text,
    details text,
    personal_digest bytea NOT NULL CHECK (length(personal_digest) = 32),
    key_id text NOT NULL,
    mac bytea NOT NULL CHECK (length(mac) = 32),
    PRIMARY KEY (chain_id, seq)
);
CREATE INDEX audit_events_created_at ON audit_events (chain_id, created_at, seq);
CREATE INDEX audit_events_action ON audit_events (chain_id, action, created_at, seq);
CREATE INDEX audit_events_outcome ON audit_events (chain_id, outcome, created_at, seq);
-- Also for whoever is erased, in every chain.
CREATE INDEX audit_events_actor_id ON audit_events (actor_id, chain_id, created_at, seq) WHERE actor_id IS NOT NULL;
CREATE INDEX audit_events_target_id ON audit_events (target_id, chain_id, created_at, seq) WHERE target_id IS NOT NULL;
CREATE INDEX audit_events_credential_id ON audit_events (credential_id, chain_id, created_at, seq) WHERE credential_id IS NOT NULL;

-- The end of each chain. Its row is the lock under which the chain grows.
CREATE TABLE audit_heads (
    chain_id uuid NOT NULL PRIMARY KEY,
    -- How many events from the beginning are in files, and the MAC of the last of those.
    archived bigint NOT NULL CHECK (archived >= 0),
    archived_mac bytea NOT NULL CHECK (length(archived_mac) = 32),
    seq bigint NOT NULL CHECK (seq >= archived),
    mac bytea NOT NULL CHECK (length(mac) = 32),
    key_id text NOT NULL,
    seal bytea NOT NULL CHECK (length(seal) = 32)
);

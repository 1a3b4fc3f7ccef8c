-- Whose key it is, if it is personal: it may do no more than its owner, and ends with the owner's account or membership.
ALTER TABLE api_keys ADD COLUMN owner_id BLOB REFERENCES users (id) CHECK (length(owner_id) = 16);
CREATE INDEX api_keys_owner_id ON api_keys (owner_id) WHERE owner_id IS NOT NULL;

-- When somebody first reported that the key had leaked.
ALTER TABLE api_keys ADD COLUMN leak_reported_at TEXT;

-- Requests that name themselves, so that one sent twice is acted upon once. Kept for a day.
CREATE TABLE idempotent_requests (
    -- As api_keys.created_by.
    caller TEXT NOT NULL,
    name TEXT NOT NULL,
    -- SHA-256 of what was asked for.
    request BLOB NOT NULL CHECK (length(request) = 32),
    -- No foreign key: the request is claimed before the key is stored, in the same transaction.
    key_id BLOB NOT NULL CHECK (length(key_id) = 16),
    created_at TEXT NOT NULL,
    PRIMARY KEY (caller, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotent_requests_created_at ON idempotent_requests (created_at);

-- Whose key it is, if it is personal: it may do no more than its owner, and ends with the owner's account or membership.
ALTER TABLE api_keys ADD COLUMN owner_id uuid REFERENCES users (id);
CREATE INDEX api_keys_owner_id ON api_keys (owner_id) WHERE owner_id IS NOT NULL;

-- When somebody first reported that the key had leaked.
ALTER TABLE api_keys ADD COLUMN leak_reported_at timestamptz;

-- Requests that name themselves, so that one sent twice is acted upon once. Kept for a day.
CREATE TABLE idempotent_requests (
    -- As api_keys.created_by.
    caller text NOT NULL,
    name text NOT NULL,
    -- SHA-256 of what was asked for.
    request bytea NOT NULL CHECK (octet_length(request) = 32),
    -- No foreign key: the request is claimed before the key is stored, in the same transaction.
    key_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (caller, name)
);
CREATE INDEX idempotent_requests_created_at ON idempotent_requests (created_at);

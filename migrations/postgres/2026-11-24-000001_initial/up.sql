-- Ids are UUIDv7, made by the server: ordered by id is ordered by time of creation, so that lists page by the primary
-- key alone. Values that come from a closed list are checked here as well, so that a slip elsewhere cannot store a row
-- that nobody can read.

CREATE TABLE users (
    id uuid PRIMARY KEY,
    -- As its owner wrote it; shown, and written to.
    email text NOT NULL,
    -- The form in which two spellings are equal: what an account is found by.
    email_canonical text NOT NULL UNIQUE,
    name text,
    -- A PHC string; none for people who never had a password, such as those who come in by single sign-on.
    password_hash text,
    disabled_at timestamptz,
    created_at timestamptz NOT NULL
);

CREATE TABLE workspaces (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    -- Which plans exist is configuration, so the name is not checked here.
    plan text NOT NULL,
    created_at timestamptz NOT NULL,
    -- A deleted workspace stays, so that its keys can still be refused for the right reason.
    deleted_at timestamptz
);

CREATE TABLE memberships (
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    user_id uuid NOT NULL REFERENCES users (id),
    role text NOT NULL CHECK (role IN ('owner', 'admin', 'member', 'viewer')),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, user_id)
);
CREATE INDEX memberships_user_id ON memberships (user_id);

CREATE TABLE api_keys (
    id uuid PRIMARY KEY,
    type text NOT NULL CHECK (type IN ('agent', 'public')),
    -- None is an instance key, which acts in the workspace that each request names.
    home_workspace_id uuid REFERENCES workspaces (id),
    name text NOT NULL,
    scopes jsonb NOT NULL CHECK (jsonb_typeof(scopes) = 'array'),
    -- What was decided about the key. That it is expired is not stored: time passes by itself.
    state text NOT NULL CHECK (state IN ('active', 'deactivated', 'revoked')),
    revoked_at timestamptz,
    revocation_reason text,
    expires_at timestamptz,
    -- The networks that the key may be used from; everywhere if there is none.
    allowed_cidrs jsonb NOT NULL CHECK (jsonb_typeof(allowed_cidrs) = 'array'),
    external_id text,
    -- JSON as it came. As jsonb, 1e308 would be 309 digits and come back as a number that nobody can read.
    metadata text NOT NULL CHECK (json_typeof(metadata::json) = 'object'),
    -- The parts of the secret that its owner may recognise it by.
    display_start text NOT NULL,
    display_last_four text NOT NULL,
    -- The id of a key or a user, or 'operator'. No foreign key: who made a key is history, and history stays.
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CHECK ((state = 'revoked') = (revoked_at IS NOT NULL)),
    CHECK (state = 'revoked' OR revocation_reason IS NULL)
);
-- A page of one workspace's keys is a range of this index.
CREATE INDEX api_keys_home_workspace_id ON api_keys (home_workspace_id, id);
-- An application looks a key up by the name that it gave it.
CREATE INDEX api_keys_external_id ON api_keys (home_workspace_id, external_id) WHERE external_id IS NOT NULL;

-- The workspaces that a key may act in beside its home, which is not repeated here.
CREATE TABLE api_key_workspaces (
    key_id uuid NOT NULL REFERENCES api_keys (id),
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    PRIMARY KEY (key_id, workspace_id)
);
CREATE INDEX api_key_workspaces_workspace_id ON api_key_workspaces (workspace_id);

-- The secrets of a key: the one that does not end, and those that rotations have ended or will. Only the digest is stored; a request looks it up.
CREATE TABLE api_key_secrets (
    -- HMAC-SHA-256 of the whole key under the pepper.
    digest bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
    key_id uuid NOT NULL REFERENCES api_keys (id),
    pepper_id text NOT NULL,
    format text NOT NULL,
    created_at timestamptz NOT NULL,
    -- When the secret stops being accepted, because another has taken its place.
    ends_at timestamptz,
    -- The parts of this secret that its owner may recognise it by.
    display_start text NOT NULL,
    display_last_four text NOT NULL,
    -- Written now and then for all that were used, never by a request.
    last_used_at timestamptz,
    last_used_address text,
    last_used_user_agent text
);
CREATE INDEX api_key_secrets_key_id ON api_key_secrets (key_id);

-- The number of the latest change. One row, which every change updates as the last thing in its transaction: so the
-- numbers have no gaps, and their order is the order of the commits. A sequence would give neither.
CREATE TABLE change_head (
    id smallint PRIMARY KEY CHECK (id = 1),
    seq bigint NOT NULL CHECK (seq >= 0)
);
INSERT INTO change_head (id, seq) VALUES (1, 0);

-- What changed, for the caches of other nodes. Old rows are pruned: a node that was away for longer starts afresh.
CREATE TABLE changes (
    seq bigint PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('key', 'user', 'workspace')),
    -- No foreign key: three tables, and a change may outlive what changed.
    entity_id uuid NOT NULL,
    -- Whose workspace it is the business of: the key's home, or the workspace itself.
    workspace_id uuid,
    created_at timestamptz NOT NULL
);
CREATE INDEX changes_created_at ON changes (created_at);

-- Ids are UUIDv7, made by the server, as blobs of 16 bytes: ordered by id is ordered by time of creation, so that lists
-- page by the primary key alone. Times are text of one length in UTC, '2027-01-15 08:00:00.000000+00:00', so that their
-- order as text is their order in time. Tables are STRICT, since SQLite would otherwise store anything in any column.
-- Where the key is a blob and rows are small, WITHOUT ROWID spares the second tree. Values that come from a closed list
-- are checked here as well, so that a slip elsewhere cannot store a row that nobody can read.

CREATE TABLE users (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    -- As its owner wrote it; shown, and written to.
    email TEXT NOT NULL,
    -- The form in which two spellings are equal: what an account is found by.
    email_canonical TEXT NOT NULL UNIQUE,
    name TEXT,
    -- A PHC string; none for people who never had a password, such as those who come in by single sign-on.
    password_hash TEXT,
    disabled_at TEXT,
    created_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE workspaces (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    name TEXT NOT NULL,
    -- Which plans exist is configuration, so the name is not checked here.
    plan TEXT NOT NULL,
    created_at TEXT NOT NULL,
    -- A deleted workspace stays, so that its keys can still be refused for the right reason.
    deleted_at TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE memberships (
    workspace_id BLOB NOT NULL REFERENCES workspaces (id),
    user_id BLOB NOT NULL REFERENCES users (id),
    role TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'member', 'viewer')),
    created_at TEXT NOT NULL,
    PRIMARY KEY (workspace_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX memberships_user_id ON memberships (user_id);

-- With a rowid: metadata may be some kilobytes, which the inner pages of a tree without one would have to carry.
CREATE TABLE api_keys (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    type TEXT NOT NULL CHECK (type IN ('agent', 'public')),
    -- None is an instance key, which acts in the workspace that each request names.
    home_workspace_id BLOB REFERENCES workspaces (id),
    name TEXT NOT NULL,
    scopes TEXT NOT NULL CHECK (json_type(scopes) = 'array'),
    -- What was decided about the key. That it is expired is not stored: time passes by itself.
    state TEXT NOT NULL CHECK (state IN ('active', 'deactivated', 'revoked')),
    revoked_at TEXT,
    revocation_reason TEXT,
    expires_at TEXT,
    -- The networks that the key may be used from; everywhere if there is none.
    allowed_cidrs TEXT NOT NULL CHECK (json_type(allowed_cidrs) = 'array'),
    external_id TEXT,
    metadata TEXT NOT NULL CHECK (json_type(metadata) = 'object'),
    -- The parts of the secret that its owner may recognise it by.
    display_start TEXT NOT NULL,
    display_last_four TEXT NOT NULL,
    -- The id of a key or a user, or 'operator'. No foreign key: who made a key is history, and history stays.
    created_by TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    CHECK ((state = 'revoked') = (revoked_at IS NOT NULL)),
    CHECK (state = 'revoked' OR revocation_reason IS NULL)
) STRICT;
-- A page of one workspace's keys is a range of this index.
CREATE INDEX api_keys_home_workspace_id ON api_keys (home_workspace_id, id);
-- An application looks a key up by the name that it gave it.
CREATE INDEX api_keys_external_id ON api_keys (home_workspace_id, external_id) WHERE external_id IS NOT NULL;

-- The workspaces that a key may act in beside its home, which is not repeated here.
CREATE TABLE api_key_workspaces (
    key_id BLOB NOT NULL REFERENCES api_keys (id),
    workspace_id BLOB NOT NULL REFERENCES workspaces (id),
    PRIMARY KEY (key_id, workspace_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX api_key_workspaces_workspace_id ON api_key_workspaces (workspace_id);

-- The secrets of a key: the one that does not end, and those that rotations have ended or will. Only the digest is stored; a request looks it up.
CREATE TABLE api_key_secrets (
    -- HMAC-SHA-256 of the whole key under the pepper.
    digest BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    key_id BLOB NOT NULL REFERENCES api_keys (id),
    pepper_id TEXT NOT NULL,
    format TEXT NOT NULL,
    created_at TEXT NOT NULL,
    -- When the secret stops being accepted, because another has taken its place.
    ends_at TEXT,
    -- The parts of this secret that its owner may recognise it by.
    display_start TEXT NOT NULL,
    display_last_four TEXT NOT NULL,
    -- Written now and then for all that were used, never by a request.
    last_used_at TEXT,
    last_used_address TEXT,
    last_used_user_agent TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX api_key_secrets_key_id ON api_key_secrets (key_id);

-- The number of the latest change. One row, which every change updates as the last thing in its transaction: so the
-- numbers have no gaps, and their order is the order of the commits.
CREATE TABLE change_head (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    seq INTEGER NOT NULL CHECK (seq >= 0)
) STRICT;
INSERT INTO change_head (id, seq) VALUES (1, 0);

-- What changed, for the caches of other processes. Old rows are pruned: who was away for longer starts afresh.
CREATE TABLE changes (
    seq INTEGER NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('key', 'user', 'workspace')),
    -- No foreign key: three tables, and a change may outlive what changed.
    entity_id BLOB NOT NULL CHECK (length(entity_id) = 16),
    -- Whose workspace it is the business of: the key's home, or the workspace itself.
    workspace_id BLOB,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX changes_created_at ON changes (created_at);

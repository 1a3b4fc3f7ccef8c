-- The workspace that a person acts in where none is named; none for the first that the person joined.
ALTER TABLE users ADD COLUMN default_workspace_id BLOB REFERENCES workspaces (id);

-- People who are signed in. Of the token only the digest is stored: who is not here is signed out.
CREATE TABLE sessions (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    token BLOB NOT NULL UNIQUE CHECK (length(token) = 32),
    user_id BLOB NOT NULL REFERENCES users (id),
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    last_seen_at TEXT NOT NULL,
    -- When the person last proved who it is.
    proved_at TEXT NOT NULL,
    second_factor INTEGER NOT NULL,
    address TEXT,
    user_agent TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_user_id ON sessions (user_id, id);
CREATE INDEX sessions_expires_at ON sessions (expires_at);

-- Devices on which people signed in before.
CREATE TABLE devices (
    token BLOB NOT NULL PRIMARY KEY CHECK (length(token) = 32),
    user_id BLOB NOT NULL REFERENCES users (id),
    created_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX devices_user_id ON devices (user_id);

-- Logins whose password was right and that wait for a second factor.
CREATE TABLE sign_in_challenges (
    token BLOB NOT NULL PRIMARY KEY CHECK (length(token) = 32),
    user_id BLOB NOT NULL REFERENCES users (id),
    device BLOB CHECK (length(device) = 32),
    tries INTEGER NOT NULL,
    expires_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sign_in_challenges_user_id ON sign_in_challenges (user_id);
CREATE INDEX sign_in_challenges_expires_at ON sign_in_challenges (expires_at);

-- Authenticator apps. The secret is sealed under the key ring.
CREATE TABLE totp_factors (
    user_id BLOB NOT NULL PRIMARY KEY REFERENCES users (id),
    secret TEXT NOT NULL,
    -- One that is not confirmed counts for nothing.
    confirmed_at TEXT,
    -- The last step whose code was accepted (RFC 6238 §5.2).
    last_step INTEGER
) STRICT, WITHOUT ROWID;

-- The recovery codes that are left.
CREATE TABLE recovery_codes (
    user_id BLOB NOT NULL REFERENCES users (id),
    digest BLOB NOT NULL CHECK (length(digest) = 32),
    PRIMARY KEY (user_id, digest)
) STRICT, WITHOUT ROWID;

-- Proofs that failed: of an account, a known device or a client's network.
CREATE TABLE proof_budgets (
    subject TEXT NOT NULL PRIMARY KEY,
    -- When, in microseconds since 1970, oldest first.
    failures TEXT NOT NULL CHECK (json_type(failures) = 'array'),
    updated_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX proof_budgets_updated_at ON proof_budgets (updated_at);

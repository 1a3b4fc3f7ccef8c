-- The workspace that a person acts in where none is named; none for the first that the person joined.
ALTER TABLE users ADD COLUMN default_workspace_id uuid REFERENCES workspaces (id);

-- People who are signed in. Of the token only the digest is stored: who is not here is signed out.
CREATE TABLE sessions (
    id uuid PRIMARY KEY,
    token bytea NOT NULL UNIQUE CHECK (octet_length(token) = 32),
    user_id uuid NOT NULL REFERENCES users (id),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    -- When the person last proved who it is.
    proved_at timestamptz NOT NULL,
    second_factor boolean NOT NULL,
    address text,
    user_agent text
);
CREATE INDEX sessions_user_id ON sessions (user_id, id);
CREATE INDEX sessions_expires_at ON sessions (expires_at);

-- Devices on which people signed in before.
CREATE TABLE devices (
    token bytea PRIMARY KEY CHECK (octet_length(token) = 32),
    user_id uuid NOT NULL REFERENCES users (id),
    created_at timestamptz NOT NULL
);
CREATE INDEX devices_user_id ON devices (user_id);

-- Logins whose password was right and that wait for a second factor.
CREATE TABLE sign_in_challenges (
    token bytea PRIMARY KEY CHECK (octet_length(token) = 32),
    user_id uuid NOT NULL REFERENCES users (id),
    device bytea CHECK (octet_length(device) = 32),
    tries smallint NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX sign_in_challenges_user_id ON sign_in_challenges (user_id);
CREATE INDEX sign_in_challenges_expires_at ON sign_in_challenges (expires_at);

-- Authenticator apps. The secret is sealed under the key ring.
CREATE TABLE totp_factors (
    user_id uuid PRIMARY KEY REFERENCES users (id),
    secret text NOT NULL,
    -- One that is not confirmed counts for nothing.
    confirmed_at timestamptz,
    -- The last step whose code was accepted (RFC 6238 §5.2).
    last_step bigint
);

-- The recovery codes that are left.
CREATE TABLE recovery_codes (
    user_id uuid NOT NULL REFERENCES users (id),
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    PRIMARY KEY (user_id, digest)
);

-- Proofs that failed: of an account, a known device or a client's network.
CREATE TABLE proof_budgets (
    subject text PRIMARY KEY,
    -- When, in microseconds since 1970, oldest first.
    failures jsonb NOT NULL CHECK (jsonb_typeof(failures) = 'array'),
    updated_at timestamptz NOT NULL
);
CREATE INDEX proof_budgets_updated_at ON proof_budgets (updated_at);

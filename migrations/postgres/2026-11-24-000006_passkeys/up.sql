-- Passkeys (WebAuthn). Keys are public ones: nothing here opens anything.
CREATE TABLE passkeys (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id),
    name text NOT NULL,
    -- By what authenticators know it.
    credential_id bytea NOT NULL UNIQUE,
    public_key bytea NOT NULL,
    transports smallint NOT NULL,
    -- How often it has signed; 0 for one that does not count.
    sign_count bigint NOT NULL,
    -- Whether it lives on more than one device: not-eligible, eligible or exists.
    backup text NOT NULL,
    created_at timestamptz NOT NULL,
    last_used_at timestamptz
);
CREATE INDEX passkeys_user_id ON passkeys (user_id, id);

-- Challenges that wait for an authenticator's answer. What they are is sealed under the key ring.
CREATE TABLE passkey_challenges (
    challenge bytea PRIMARY KEY CHECK (octet_length(challenge) = 32),
    -- What it may be answered for.
    subject text NOT NULL,
    state text NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX passkey_challenges_expires_at ON passkey_challenges (expires_at);

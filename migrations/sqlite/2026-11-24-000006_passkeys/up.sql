-- Passkeys (WebAuthn). Keys are public ones: nothing here opens anything.
CREATE TABLE passkeys (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    user_id BLOB NOT NULL REFERENCES users (id),
    name TEXT NOT NULL,
    -- By what authenticators know it.
    credential_id BLOB NOT NULL UNIQUE,
    public_key BLOB NOT NULL,
    transports INTEGER NOT NULL,
    -- How often it has signed; 0 for one that does not count.
    sign_count INTEGER NOT NULL,
    -- Whether it lives on more than one device: not-eligible, eligible or exists.
    backup TEXT NOT NULL,
    created_at TEXT NOT NULL,
    last_used_at TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX passkeys_user_id ON passkeys (user_id, id);

-- Challenges that wait for an authenticator's answer. What they are is sealed under the key ring.
CREATE TABLE passkey_challenges (
    challenge BLOB NOT NULL PRIMARY KEY CHECK (length(challenge) = 32),
    -- What it may be answered for.
    subject TEXT NOT NULL,
    state TEXT NOT NULL,
    expires_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX passkey_challenges_expires_at ON passkey_challenges (expires_at);

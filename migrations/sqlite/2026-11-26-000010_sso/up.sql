-- Connections of workspaces with identity providers. Those of the whole server are configuration.
CREATE TABLE sso_connections (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    workspace_id BLOB NOT NULL REFERENCES workspaces (id),
    -- What stands for it in addresses.
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    protocol TEXT NOT NULL CHECK (protocol IN ('oidc', 'saml')),
    enabled INTEGER NOT NULL,
    -- How the provider is asked, and what its word is worth. No secrets.
    settings TEXT NOT NULL CHECK (json_type(settings) = 'object'),
    -- The client secret, or the key that requests are signed with, sealed under the key ring.
    secret TEXT,
    -- SHA-256 of the token by which the provider writes people; none where it does not.
    scim_token BLOB UNIQUE CHECK (length(scim_token) = 32),
    -- As api_keys.created_by.
    created_by TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sso_connections_workspace_id ON sso_connections (workspace_id, id);

-- Domains that workspaces claim, and have proved by DNS.
CREATE TABLE sso_domains (
    workspace_id BLOB NOT NULL REFERENCES workspaces (id),
    domain TEXT NOT NULL,
    -- What the TXT record must say. No secret: it is published.
    challenge TEXT NOT NULL,
    created_at TEXT NOT NULL,
    verified_at TEXT,
    -- Where the domain's people sign in.
    connection_id BLOB REFERENCES sso_connections (id),
    -- Whether they sign in there alone, and who does not have to.
    enforced INTEGER NOT NULL,
    break_glass_user_id BLOB REFERENCES users (id),
    -- What people of the domain become who come in by a connection of the whole server.
    join_role TEXT CHECK (join_role IN ('admin', 'member', 'viewer')),
    PRIMARY KEY (workspace_id, domain),
    CHECK (NOT enforced OR (verified_at IS NOT NULL AND connection_id IS NOT NULL AND break_glass_user_id IS NOT NULL))
) STRICT, WITHOUT ROWID;
-- A domain belongs to one workspace.
CREATE UNIQUE INDEX sso_domains_verified ON sso_domains (domain) WHERE verified_at IS NOT NULL;

-- Which identity of which provider is which person. Each connection has identities of its own: whoever runs another one must not
-- be able to speak for this one's.
CREATE TABLE sso_identities (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    -- con_… or server:slug.
    connection TEXT NOT NULL,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    user_id BLOB NOT NULL REFERENCES users (id),
    email TEXT,
    created_at TEXT NOT NULL,
    last_used_at TEXT NOT NULL,
    UNIQUE (connection, issuer, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX sso_identities_user_id ON sso_identities (user_id, id);

-- Sign-ins that wait for the browser to come back from the provider. What binds them is digests: nothing here opens anything.
CREATE TABLE sso_requests (
    state BLOB NOT NULL PRIMARY KEY CHECK (length(state) = 32),
    -- Of the cookie of the browser that began.
    browser BLOB NOT NULL CHECK (length(browser) = 32),
    connection TEXT NOT NULL,
    return_to TEXT NOT NULL,
    -- The session that the identity is to be connected with; none to sign in.
    link_session_id BLOB,
    expires_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sso_requests_expires_at ON sso_requests (expires_at);

-- What was taken once and is not taken again: ids of responses, assertions and logout tokens, as digests.
CREATE TABLE sso_replays (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    expires_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sso_replays_expires_at ON sso_replays (expires_at);

-- People as providers write them (SCIM 2.0).
CREATE TABLE scim_users (
    connection_id BLOB NOT NULL REFERENCES sso_connections (id),
    user_id BLOB NOT NULL REFERENCES users (id),
    user_name TEXT NOT NULL,
    user_name_canonical TEXT NOT NULL,
    external_id TEXT,
    active INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    PRIMARY KEY (connection_id, user_id),
    UNIQUE (connection_id, user_name_canonical)
) STRICT, WITHOUT ROWID;

-- What a provider had to do with a session.
ALTER TABLE sessions ADD COLUMN sso_connection TEXT;
ALTER TABLE sessions ADD COLUMN sso_workspace_id BLOB;
ALTER TABLE sessions ADD COLUMN sso_provider_session TEXT;
ALTER TABLE sessions ADD COLUMN sso_confined INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN sso_second_factor INTEGER NOT NULL DEFAULT 0;
CREATE INDEX sessions_sso_connection ON sessions (sso_connection, sso_provider_session) WHERE sso_connection IS NOT NULL;

-- As the columns of sessions, for the session that the login becomes; and a login by a provider has no password to be right.
ALTER TABLE sign_in_challenges ADD COLUMN sso_connection TEXT;
ALTER TABLE sign_in_challenges ADD COLUMN sso_workspace_id BLOB;
ALTER TABLE sign_in_challenges ADD COLUMN sso_provider_session TEXT;
ALTER TABLE sign_in_challenges ADD COLUMN sso_confined INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sign_in_challenges ADD COLUMN sso_second_factor INTEGER NOT NULL DEFAULT 0;

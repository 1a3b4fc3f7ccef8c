-- Connections of workspaces with identity providers. Those of the whole server are configuration.
CREATE TABLE sso_connections (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    -- What stands for it in addresses.
    slug text NOT NULL UNIQUE,
    name text NOT NULL,
    protocol text NOT NULL CHECK (protocol IN ('oidc', 'saml')),
    enabled boolean NOT NULL,
    -- How the provider is asked, and what its word is worth. No secrets.
    settings jsonb NOT NULL CHECK (jsonb_typeof(settings) = 'object'),
    -- The client secret, or the key that requests are signed with, sealed under the key ring.
    secret text,
    -- SHA-256 of the token by which the provider writes people; none where it does not.
    scim_token bytea UNIQUE CHECK (octet_length(scim_token) = 32),
    -- As api_keys.created_by.
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX sso_connections_workspace_id ON sso_connections (workspace_id, id);

-- Domains that workspaces claim, and have proved by DNS.
CREATE TABLE sso_domains (
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    domain text NOT NULL,
    -- What the TXT record must say. No secret: it is published.
    challenge text NOT NULL,
    created_at timestamptz NOT NULL,
    verified_at timestamptz,
    -- Where the domain's people sign in.
    connection_id uuid REFERENCES sso_connections (id),
    -- Whether they sign in there alone, and who does not have to.
    enforced boolean NOT NULL,
    break_glass_user_id uuid REFERENCES users (id),
    -- What people of the domain become who come in by a connection of the whole server.
    join_role text CHECK (join_role IN ('admin', 'member', 'viewer')),
    PRIMARY KEY (workspace_id, domain),
    CHECK (NOT enforced OR (verified_at IS NOT NULL AND connection_id IS NOT NULL AND break_glass_user_id IS NOT NULL))
);
-- A domain belongs to one workspace.
CREATE UNIQUE INDEX sso_domains_verified ON sso_domains (domain) WHERE verified_at IS NOT NULL;

-- Which identity of which provider is which person. Each connection has identities of its own: whoever runs another one must not
-- be able to speak for this one's.
CREATE TABLE sso_identities (
    id uuid PRIMARY KEY,
    -- con_… or server:slug.
    connection text NOT NULL,
    issuer text NOT NULL,
    subject text NOT NULL,
    user_id uuid NOT NULL REFERENCES users (id),
    email text,
    created_at timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL,
    UNIQUE (connection, issuer, subject)
);
CREATE INDEX sso_identities_user_id ON sso_identities (user_id, id);

-- Sign-ins that wait for the browser to come back from the provider. What binds them is digests: nothing here opens anything.
CREATE TABLE sso_requests (
    state bytea PRIMARY KEY CHECK (octet_length(state) = 32),
    -- Of the cookie of the browser that began.
    browser bytea NOT NULL CHECK (octet_length(browser) = 32),
    connection text NOT NULL,
    return_to text NOT NULL,
    -- The session that the identity is to be connected with; none to sign in.
    link_session_id uuid,
    expires_at timestamptz NOT NULL
);
CREATE INDEX sso_requests_expires_at ON sso_requests (expires_at);

-- What was taken once and is not taken again: ids of responses, assertions and logout tokens, as digests.
CREATE TABLE sso_replays (
    id bytea PRIMARY KEY CHECK (octet_length(id) = 32),
    expires_at timestamptz NOT NULL
);
CREATE INDEX sso_replays_expires_at ON sso_replays (expires_at);

-- People as providers write them (SCIM 2.0).
CREATE TABLE scim_users (
    connection_id uuid NOT NULL REFERENCES sso_connections (id),
    user_id uuid NOT NULL REFERENCES users (id),
    user_name text NOT NULL,
    user_name_canonical text NOT NULL,
    external_id text,
    active boolean NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (connection_id, user_id),
    UNIQUE (connection_id, user_name_canonical)
);

-- What a provider had to do with a session.
ALTER TABLE sessions ADD COLUMN sso_connection text;
ALTER TABLE sessions ADD COLUMN sso_workspace_id uuid;
ALTER TABLE sessions ADD COLUMN sso_provider_session text;
ALTER TABLE sessions ADD COLUMN sso_confined boolean NOT NULL DEFAULT false;
ALTER TABLE sessions ADD COLUMN sso_second_factor boolean NOT NULL DEFAULT false;
CREATE INDEX sessions_sso_connection ON sessions (sso_connection, sso_provider_session) WHERE sso_connection IS NOT NULL;

-- As the columns of sessions, for the session that the login becomes; and a login by a provider has no password to be right.
ALTER TABLE sign_in_challenges ADD COLUMN sso_connection text;
ALTER TABLE sign_in_challenges ADD COLUMN sso_workspace_id uuid;
ALTER TABLE sign_in_challenges ADD COLUMN sso_provider_session text;
ALTER TABLE sign_in_challenges ADD COLUMN sso_confined boolean NOT NULL DEFAULT false;
ALTER TABLE sign_in_challenges ADD COLUMN sso_second_factor boolean NOT NULL DEFAULT false;

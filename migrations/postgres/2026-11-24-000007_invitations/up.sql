-- Whether members act in the workspace only with a second factor.
ALTER TABLE workspaces ADD COLUMN require_second_factor boolean NOT NULL DEFAULT false;

-- When the person was erased. What the row said of the person is gone; that there was somebody stays, since other rows name the id.
ALTER TABLE users ADD COLUMN erased_at timestamptz;

-- Who is invited into a workspace. One invitation an address: inviting again puts another token in its place.
CREATE TABLE invitations (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    -- As whoever invited wrote it, and the form in which two spellings are equal.
    email text NOT NULL,
    email_canonical text NOT NULL,
    role text NOT NULL CHECK (role IN ('owner', 'admin', 'member', 'viewer')),
    token bytea NOT NULL UNIQUE CHECK (octet_length(token) = 32),
    -- As api_keys.created_by.
    invited_by text NOT NULL,
    invited_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    UNIQUE (workspace_id, email_canonical)
);
CREATE INDEX invitations_workspace_id ON invitations (workspace_id, id);
CREATE INDEX invitations_email_canonical ON invitations (email_canonical);
CREATE INDEX invitations_expires_at ON invitations (expires_at);

-- Whether members act in the workspace only with a second factor.
ALTER TABLE workspaces ADD COLUMN require_second_factor INTEGER NOT NULL DEFAULT 0 CHECK (require_second_factor IN (0, 1));

-- When the person was erased. What the row said of the person is gone; that there was somebody stays, since other rows name the id.
ALTER TABLE users ADD COLUMN erased_at TEXT;

-- Who is invited into a workspace. One invitation an address: inviting again puts another token in its place.
CREATE TABLE invitations (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    workspace_id BLOB NOT NULL REFERENCES workspaces (id),
    -- As whoever invited wrote it, and the form in which two spellings are equal.
    email TEXT NOT NULL,
    email_canonical TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'member', 'viewer')),
    token BLOB NOT NULL UNIQUE CHECK (length(token) = 32),
    -- As api_keys.created_by.
    invited_by TEXT NOT NULL,
    invited_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    UNIQUE (workspace_id, email_canonical)
) STRICT, WITHOUT ROWID;
CREATE INDEX invitations_workspace_id ON invitations (workspace_id, id);
CREATE INDEX invitations_email_canonical ON invitations (email_canonical);
CREATE INDEX invitations_expires_at ON invitations (expires_at);

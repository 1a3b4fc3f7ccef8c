-- What happens to the workspace's agent keys that are reported as leaked; what the server says without it.
ALTER TABLE workspaces ADD COLUMN leak_response TEXT CHECK (leak_response IN ('notify', 'revoke'));

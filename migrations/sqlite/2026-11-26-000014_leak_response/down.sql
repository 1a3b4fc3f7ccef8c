ALTER TABLE workspaces DROP COLUMN leak_response;

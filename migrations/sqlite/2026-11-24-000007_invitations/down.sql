DROP TABLE invitations;
ALTER TABLE users DROP COLUMN erased_at;
ALTER TABLE workspaces DROP COLUMN require_second_factor;

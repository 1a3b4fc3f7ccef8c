-- Takes everything away, data included. In the opposite order, since tables refer to earlier ones.
DROP TABLE changes;
DROP TABLE change_head;
DROP TABLE api_key_secrets;
DROP TABLE api_key_workspaces;
DROP TABLE api_keys;
DROP TABLE memberships;
DROP TABLE workspaces;
DROP TABLE users;

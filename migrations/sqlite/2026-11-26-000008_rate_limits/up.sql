-- Limits of a key's own, where they are lower than its plan's.
ALTER TABLE api_keys ADD COLUMN limit_minute INTEGER CHECK (limit_minute >= 1);
ALTER TABLE api_keys ADD COLUMN limit_hour INTEGER CHECK (limit_hour >= 1);

-- What keys had spent of their limits when a server was stopped, until the next one takes it up: states in a layout of the server's own.
CREATE TABLE saved_spends (
    node_id BLOB NOT NULL CHECK (length(node_id) = 16),
    piece INTEGER NOT NULL,
    states BLOB NOT NULL,
    PRIMARY KEY (node_id, piece)
) STRICT, WITHOUT ROWID;

-- The servers that run over this database, each of which says now and then that it does.
CREATE TABLE nodes (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    seen_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

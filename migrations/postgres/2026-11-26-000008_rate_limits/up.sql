-- Limits of a key's own, where they are lower than its plan's.
ALTER TABLE api_keys ADD COLUMN limit_minute integer CHECK (limit_minute >= 1);
ALTER TABLE api_keys ADD COLUMN limit_hour integer CHECK (limit_hour >= 1);

-- What keys had spent of their limits when a server was stopped, until the next one takes it up: states in a layout of the server's own.
CREATE TABLE saved_spends (
    node_id uuid NOT NULL,
    piece integer NOT NULL,
    states bytea NOT NULL,
    PRIMARY KEY (node_id, piece)
);

-- The servers that run over this database, each of which says now and then that it does.
CREATE TABLE nodes (
    id uuid PRIMARY KEY,
    seen_at timestamptz NOT NULL
);

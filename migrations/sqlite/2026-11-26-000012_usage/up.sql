-- How often each key came to each outcome. Each call is added to its minute, its hour and its day in one transaction, by whichever
-- server admitted it: so nothing has to be summed up later, and what comes late is right at once. No foreign keys: a count says what
-- was.
CREATE TABLE usage_counts (
    key_id BLOB NOT NULL CHECK (length(key_id) = 16),
    granularity TEXT NOT NULL CHECK (granularity IN ('minute', 'hour', 'day')),
    -- The start, in UTC.
    bucket TEXT NOT NULL,
    -- VALID, or the code of the error that the callers got.
    outcome TEXT NOT NULL,
    -- The home of the key, which never changes; none for an instance key.
    workspace_id BLOB CHECK (length(workspace_id) = 16),
    calls INTEGER NOT NULL CHECK (calls > 0),
    PRIMARY KEY (key_id, granularity, bucket, outcome)
) STRICT, WITHOUT ROWID;
-- The usage of a workspace is a range of this index.
CREATE INDEX usage_counts_workspace_id ON usage_counts (workspace_id, granularity, bucket);
-- And so is what is too old.
CREATE INDEX usage_counts_bucket ON usage_counts (granularity, bucket);

-- On which day each scope of a key was last asked for.
CREATE TABLE scope_uses (
    key_id BLOB NOT NULL CHECK (length(key_id) = 16),
    scope TEXT NOT NULL,
    -- The start of the day, in UTC.
    last_day TEXT NOT NULL,
    PRIMARY KEY (key_id, scope)
) STRICT, WITHOUT ROWID;

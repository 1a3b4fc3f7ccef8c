-- Trust rules of keys: which jobs without a key may have a token of it, on whose word.
CREATE TABLE trust_rules (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    key_id BLOB NOT NULL REFERENCES api_keys (id),
    name TEXT NOT NULL,
    issuer TEXT NOT NULL,
    audience TEXT NOT NULL,
    -- By the name of each claim, the texts of which it must have one.
    claims TEXT NOT NULL CHECK (json_type(claims) = 'object'),
    -- As api_keys.created_by.
    created_by TEXT NOT NULL,
    created_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX trust_rules_key_id ON trust_rules (key_id, id);

-- Trust rules of keys: which jobs without a key may have a token of it, on whose word.
CREATE TABLE trust_rules (
    id uuid PRIMARY KEY,
    key_id uuid NOT NULL REFERENCES api_keys (id),
    name text NOT NULL,
    issuer text NOT NULL,
    audience text NOT NULL,
    -- By the name of each claim, the texts of which it must have one.
    claims jsonb NOT NULL CHECK (jsonb_typeof(claims) = 'object'),
    -- As api_keys.created_by.
    created_by text NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX trust_rules_key_id ON trust_rules (key_id, id);

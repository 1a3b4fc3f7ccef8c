-- Webhooks of workspaces: programs that are told what happens there.
CREATE TABLE webhooks (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    workspace_id BLOB NOT NULL REFERENCES workspaces (id),
    url TEXT NOT NULL,
    description TEXT,
    -- Which events: key.revoked, key.*, *.
    events TEXT NOT NULL CHECK (json_type(events) = 'array'),
    -- Since when nothing is sent, and why.
    disabled_at TEXT,
    disabled_because TEXT CHECK (disabled_because IN ('asked', 'gone', 'failing')),
    -- Since when nothing has come through.
    failing_since TEXT,
    -- What it is signed with, sealed under the key ring; and what it was before, for as long as that goes on.
    secret TEXT NOT NULL,
    previous_secret TEXT,
    previous_secret_until TEXT,
    -- As api_keys.created_by.
    created_by TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    CHECK ((disabled_at IS NULL) = (disabled_because IS NULL)),
    CHECK ((previous_secret IS NULL) = (previous_secret_until IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX webhooks_workspace_id ON webhooks (workspace_id, id);

-- The outbox: what webhooks are to be told, and were told of late. It is written with what happens, which must not fail since a
-- webhook is removed at the same moment: so no row has to have a webhook.
CREATE TABLE webhook_deliveries (
    webhook_id BLOB NOT NULL CHECK (length(webhook_id) = 16),
    event_id BLOB NOT NULL CHECK (length(event_id) = 16),
    kind TEXT NOT NULL,
    event_at TEXT NOT NULL,
    -- A JSON object, byte for byte as it is signed.
    data TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'dead')),
    tries INTEGER NOT NULL,
    -- When it is to be sent, or would be taken up again by others.
    due_at TEXT,
    last_try_at TEXT,
    last_status INTEGER,
    last_error TEXT,
    forget_at TEXT NOT NULL,
    PRIMARY KEY (webhook_id, event_id),
    CHECK ((state = 'pending') = (due_at IS NOT NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook_id, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX webhook_deliveries_forget_at ON webhook_deliveries (forget_at);

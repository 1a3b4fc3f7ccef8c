-- Webhooks of workspaces: programs that are told what happens there.
CREATE TABLE webhooks (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    url text NOT NULL,
    description text,
    -- Which events: key.revoked, key.*, *.
    events jsonb NOT NULL CHECK (jsonb_typeof(events) = 'array'),
    -- Since when nothing is sent, and why.
    disabled_at timestamptz,
    disabled_because text CHECK (disabled_because IN ('asked', 'gone', 'failing')),
    -- Since when nothing has come through.
    failing_since timestamptz,
    -- What it is signed with, sealed under the key ring; and what it was before, for as long as that goes on.
    secret text NOT NULL,
    previous_secret text,
    previous_secret_until timestamptz,
    -- As api_keys.created_by.
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CHECK ((disabled_at IS NULL) = (disabled_because IS NULL)),
    CHECK ((previous_secret IS NULL) = (previous_secret_until IS NULL))
);
CREATE INDEX webhooks_workspace_id ON webhooks (workspace_id, id);

-- The outbox: what webhooks are to be told, and were told of late. It is written with what happens, which must not fail since a
-- webhook is removed at the same moment: so no row has to have a webhook.
CREATE TABLE webhook_deliveries (
    webhook_id uuid NOT NULL,
    event_id uuid NOT NULL,
    kind text NOT NULL,
    event_at timestamptz NOT NULL,
    -- A JSON object, byte for byte as it is signed.
    data text NOT NULL,
    state text NOT NULL CHECK (state IN ('pending', 'delivered', 'dead')),
    tries integer NOT NULL,
    -- When it is to be sent, or would be taken up again by others.
    due_at timestamptz,
    last_try_at timestamptz,
    last_status integer,
    last_error text,
    forget_at timestamptz NOT NULL,
    PRIMARY KEY (webhook_id, event_id),
    CHECK ((state = 'pending') = (due_at IS NOT NULL))
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook_id, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX webhook_deliveries_forget_at ON webhook_deliveries (forget_at);

DROP TABLE idempotent_requests;
ALTER TABLE api_keys DROP COLUMN leak_reported_at;
-- A personal key must not go on as one of the workspace.
UPDATE api_keys SET state = 'revoked', revoked_at = strftime('%Y-%m-%d %H:%M:%f', 'now') || '000+00:00',
    revocation_reason = 'personal keys were taken away'
WHERE owner_id IS NOT NULL AND state <> 'revoked';
DROP INDEX api_keys_owner_id;
ALTER TABLE api_keys DROP COLUMN owner_id;

DROP TABLE idempotent_requests;
ALTER TABLE api_keys DROP COLUMN leak_reported_at;
-- A personal key must not go on as one of the workspace.
UPDATE api_keys SET state = 'revoked', revoked_at = now(), revocation_reason = 'personal keys were taken away'
WHERE owner_id IS NOT NULL AND state <> 'revoked';
ALTER TABLE api_keys DROP COLUMN owner_id;

DROP INDEX audit_events_mentions;
ALTER TABLE audit_events DROP COLUMN mentions;

-- What stands for the e-mail address that an event speaks of: its MAC under a pepper, by which events are found when the person with that
-- address is erased. It is erased with what it stands for, and is no part of the chain.
ALTER TABLE audit_events ADD COLUMN mentions bytea CHECK (octet_length(mentions) = 32);
CREATE INDEX audit_events_mentions ON audit_events (mentions) WHERE mentions IS NOT NULL;

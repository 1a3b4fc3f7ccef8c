-- What a server calls itself, the ids of the secrets that it runs with, and since when: of each kind that for what is new first. A server of
-- an older release says nothing of it, and so nothing is known.
ALTER TABLE nodes ADD COLUMN name text;
ALTER TABLE nodes ADD COLUMN ring jsonb CHECK (jsonb_typeof(ring) = 'object');
ALTER TABLE nodes ADD COLUMN ring_since timestamptz;

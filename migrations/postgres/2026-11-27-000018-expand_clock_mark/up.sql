-- The latest time that a server over this database has seen: time does not go back behind it, whatever becomes of clocks.
CREATE TABLE clock_mark (
    id integer PRIMARY KEY CHECK (id = 1),
    -- How often it was taken back. Who knows another number has heard of a mark that was wrong.
    resets bigint NOT NULL,
    latest timestamptz NOT NULL
);
INSERT INTO clock_mark (id, resets, latest) VALUES (1, 0, '1970-01-01 00:00:00+00');

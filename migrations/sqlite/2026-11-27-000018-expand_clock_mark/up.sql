-- The latest time that a server over this database has seen: time does not go back behind it, whatever becomes of clocks.
CREATE TABLE clock_mark (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    -- How often it was taken back. Who knows another number has heard of a mark that was wrong.
    resets INTEGER NOT NULL,
    latest TEXT NOT NULL
) STRICT;
INSERT INTO clock_mark (id, resets, latest) VALUES (1, 0, '1970-01-01 00:00:00.000000+00:00');

-- Legal holds: nothing that one covers is dropped while it stands.
CREATE TABLE holds (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    -- What it covers: all of these that are not ''. The times are those of events, or of their arrival, to the second.
    stream TEXT NOT NULL,
    database TEXT NOT NULL,
    since TEXT NOT NULL,
    until TEXT NOT NULL,
    reason TEXT NOT NULL,
    set_at REAL NOT NULL,
    set_by TEXT NOT NULL,
    released_at REAL,
    released_by TEXT
);
CREATE TRIGGER holds_stay BEFORE DELETE ON holds BEGIN
    SELECT RAISE (ABORT, 'a hold stays on record');
END;
CREATE TRIGGER holds_stay_as_set BEFORE UPDATE ON holds
WHEN new.stream <> old.stream OR new.database <> old.database OR new.since <> old.since OR new.until <> old.until
    OR new.set_at <> old.set_at OR new.set_by <> old.set_by OR old.released_at IS NOT NULL BEGIN
    SELECT RAISE (ABORT, 'a hold stays as it was set');
END;

CREATE INDEX disposals_stream ON disposals (stream, id);

-- What has settled of the record, many lines together and compressed; and what is looked for beside its place.

CREATE TABLE blocks (
    id INTEGER PRIMARY KEY,
    stream INTEGER NOT NULL REFERENCES streams (id),
    -- What of a fork came later, or had no room, stays a row of `events`.
    first_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    -- When the first and the last of them arrived, and how many they are.
    earliest REAL NOT NULL,
    latest REAL NOT NULL,
    events INTEGER NOT NULL,
    -- As `blocks.py` writes them.
    lines BLOB NOT NULL
);
CREATE UNIQUE INDEX blocks_place ON blocks (stream, first_seq);
CREATE INDEX blocks_arrival ON blocks (earliest);

-- Where the events of a session are that no row of `statements` leads to: all but intents and outcomes, and outcomes that
-- came before their intents.
CREATE TABLE session_events (
    stream INTEGER NOT NULL,
    session TEXT NOT NULL,
    statement TEXT NOT NULL,
    kind TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (stream, session, statement, kind, seq)
) WITHOUT ROWID;
CREATE INDEX session_events_place ON session_events (stream, seq);

-- When events arrived: from this events.id on, until the next row's.
CREATE TABLE arrivals (id INTEGER PRIMARY KEY, received REAL NOT NULL);

-- What was stored before: up to which events.id it has been carried over, and how far that goes.
CREATE TABLE carrying (done INTEGER NOT NULL, until INTEGER NOT NULL);
INSERT INTO carrying SELECT 0, max(id) FROM events HAVING max(id) IS NOT NULL;

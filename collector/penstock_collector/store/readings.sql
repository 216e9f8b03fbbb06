-- Who read what, and who signed in: a stream of the collector's own, each row sealed on the one before it. And whom it
-- knows by more than one name.

CREATE TABLE readings (
    seq INTEGER PRIMARY KEY,
    hash TEXT NOT NULL,
    -- Unix time in seconds.
    received REAL NOT NULL,
    who TEXT NOT NULL,
    action TEXT NOT NULL,
    -- The canonical bytes, as text; the rest is derived from it.
    document TEXT NOT NULL
);
CREATE INDEX readings_who ON readings (who, seq);
CREATE INDEX readings_action ON readings (action, seq);
CREATE TRIGGER readings_stay BEFORE UPDATE ON readings BEGIN
    SELECT RAISE (ABORT, 'a reading stays as it was recorded');
END;

-- One row: where the stream stands. Its name can be no gate's, and no other collector's.
CREATE TABLE readings_head (
    stream TEXT NOT NULL,
    seq INTEGER NOT NULL DEFAULT 0,
    hash TEXT NOT NULL,
    -- Readings up to here were deleted by retention.
    trimmed INTEGER NOT NULL DEFAULT 0
);
INSERT INTO readings_head (stream, hash)
VALUES ('collector:' || lower(hex(randomblob(6))), '0000000000000000000000000000000000000000000000000000000000000000');

-- Who has signed in, with all names by which they may stand in a request.
CREATE TABLE people (
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    -- A JSON array.
    names TEXT NOT NULL,
    latest REAL NOT NULL,
    PRIMARY KEY (issuer, subject)
) WITHOUT ROWID;

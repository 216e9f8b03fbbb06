-- The audit trail. `events` is the record; everything else is derived from it, or tells of what went wrong with it.

CREATE TABLE streams (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    -- Everything up to here was received (or is known to be lost for good); what the sender may forget.
    contiguous INTEGER NOT NULL DEFAULT 0,
    -- The hash of the event there; NULL where it is not known (that event was bad or lost).
    contiguous_hash TEXT,
    last_seq INTEGER NOT NULL DEFAULT 0,
    last_time TEXT NOT NULL DEFAULT '',
    -- Unix time in seconds.
    first_received REAL NOT NULL,
    last_received REAL NOT NULL,
    closed INTEGER NOT NULL DEFAULT 0,
    database TEXT NOT NULL DEFAULT '',
    version TEXT NOT NULL DEFAULT '',
    -- Events up to here were deleted by retention, and the hash of the last of them.
    trimmed INTEGER NOT NULL DEFAULT 0,
    trimmed_hash TEXT
);

CREATE TABLE events (
    -- In the order of arrival, never used twice: the cursor of those who follow.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    stream INTEGER NOT NULL REFERENCES streams (id),
    seq INTEGER NOT NULL,
    hash TEXT NOT NULL,
    kind TEXT NOT NULL,
    session TEXT NOT NULL DEFAULT '',
    statement TEXT NOT NULL DEFAULT '',
    received REAL NOT NULL,
    -- 1 if its `prev` is not the hash of the event before it.
    broken INTEGER NOT NULL DEFAULT 0,
    -- The canonical bytes, as text.
    document TEXT NOT NULL
);
-- A fork is the same seq with another hash; both are kept.
CREATE UNIQUE INDEX events_place ON events (stream, seq, hash);
CREATE INDEX events_statement ON events (stream, session, statement);

-- One row for each statement: its intent, and its outcome once that has come.
CREATE TABLE statements (
    -- The intent's events.id.
    id INTEGER PRIMARY KEY,
    -- The events.id that last changed this row: what a follower compares its cursor with.
    changed INTEGER NOT NULL,
    stream INTEGER NOT NULL REFERENCES streams (id),
    seq INTEGER NOT NULL,
    session TEXT NOT NULL,
    statement TEXT NOT NULL,
    time TEXT NOT NULL,
    identity TEXT NOT NULL,
    database TEXT NOT NULL,
    decision TEXT NOT NULL,
    observed TEXT NOT NULL,
    -- Verbs and relations each between line feeds, so that one can be looked for as a whole.
    verbs TEXT NOT NULL,
    relations TEXT NOT NULL,
    masked TEXT NOT NULL,
    policy TEXT NOT NULL,
    rule TEXT NOT NULL,
    reason TEXT NOT NULL,
    sql TEXT NOT NULL,
    outcome_seq INTEGER,
    result TEXT,
    rows INTEGER,
    bytes INTEGER,
    duration_us INTEGER,
    sqlstate TEXT
);
CREATE INDEX statements_changed ON statements (changed);
CREATE INDEX statements_session ON statements (stream, session, seq);
CREATE INDEX statements_decision ON statements (decision, id);
CREATE INDEX statements_time ON statements (time);

CREATE VIRTUAL TABLE statements_text USING fts5 (
    sql, relations, identity, policy, rule, reason,
    content = 'statements', content_rowid = 'id', tokenize = 'unicode61'
);
CREATE TRIGGER statements_text_insert AFTER INSERT ON statements BEGIN
    INSERT INTO statements_text (rowid, sql, relations, identity, policy, rule, reason)
    VALUES (new.id, new.sql, new.relations, new.identity, new.policy, new.rule, new.reason);
END;
CREATE TRIGGER statements_text_delete AFTER DELETE ON statements BEGIN
    INSERT INTO statements_text (statements_text, rowid, sql, relations, identity, policy, rule, reason)
    VALUES ('delete', old.id, old.sql, old.relations, old.identity, old.policy, old.rule, old.reason);
END;

-- Lines that are no event of their stream. Each takes a place in the stream, so that the events after it go on.
CREATE TABLE quarantine (
    id INTEGER PRIMARY KEY,
    stream INTEGER NOT NULL REFERENCES streams (id),
    seq INTEGER NOT NULL,
    -- What the line says itself, if it is JSON that says so.
    claimed_seq INTEGER,
    received REAL NOT NULL,
    reason TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    length INTEGER NOT NULL,
    -- The beginning of the line.
    raw BLOB NOT NULL,
    UNIQUE (stream, seq, sha256)
);

-- Ranges of seq that the sender says it has lost for good.
CREATE TABLE losses (
    stream INTEGER NOT NULL REFERENCES streams (id),
    first_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    noticed REAL NOT NULL,
    PRIMARY KEY (stream, first_seq)
) WITHOUT ROWID;

CREATE TABLE alarms (
    id INTEGER PRIMARY KEY,
    stream INTEGER NOT NULL REFERENCES streams (id),
    kind TEXT NOT NULL,
    -- The first and the latest seq it was raised for, and how often it was.
    first_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    count INTEGER NOT NULL DEFAULT 1,
    since REAL NOT NULL,
    latest REAL NOT NULL,
    detail TEXT NOT NULL,
    -- When what it tells of was over; NULL as long as it is not.
    cleared REAL,
    -- Who said so, for those that only a person can clear.
    cleared_by TEXT
);
CREATE UNIQUE INDEX alarms_standing ON alarms (stream, kind) WHERE cleared IS NULL;

-- What retention has deleted, and when.
CREATE TABLE disposals (
    id INTEGER PRIMARY KEY,
    time REAL NOT NULL,
    stream TEXT NOT NULL,
    first_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    last_hash TEXT NOT NULL
);

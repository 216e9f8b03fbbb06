-- Alarms, those of the collector itself among them, grouped by who sends; and how the store grows.

-- The service account of the pod that sends, '' of a gate outside of pods.
ALTER TABLE streams ADD COLUMN workload TEXT NOT NULL DEFAULT '';

ALTER TABLE alarms RENAME TO former_alarms;
DROP INDEX alarms_standing;
CREATE TABLE alarms (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    -- 0: it is no stream's, but the collector's own.
    stream INTEGER NOT NULL,
    kind TEXT NOT NULL,
    -- Who sends the stream: the service account of its pods, or the first part of its name. '' is the collector.
    owner TEXT NOT NULL,
    -- The first and the latest seq it was raised for, and how often it was.
    first_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    count INTEGER NOT NULL DEFAULT 1,
    since REAL NOT NULL,
    latest REAL NOT NULL,
    detail TEXT NOT NULL,
    -- When what it tells of was over, or somebody acknowledged it; NULL as long as it stands.
    cleared REAL,
    -- Who acknowledged it, and in which words; NULL if it ended by itself.
    cleared_by TEXT,
    comment TEXT NOT NULL DEFAULT '',
    -- What webhooks were told of it: 0 nothing, 1 that it was raised, 2 how it ended.
    told INTEGER NOT NULL DEFAULT 0
);
INSERT INTO alarms (id, stream, kind, owner, first_seq, last_seq, count, since, latest, detail, cleared, cleared_by, told)
SELECT a.id, a.stream, a.kind, substr(s.name, 1, instr(s.name || '/', '/') - 1), a.first_seq, a.last_seq, a.count, a.since,
       a.latest, a.detail, a.cleared, a.cleared_by, CASE WHEN a.cleared IS NULL THEN 0 ELSE 2 END
FROM former_alarms a JOIN streams s ON s.id = a.stream;
DROP TABLE former_alarms;
CREATE UNIQUE INDEX alarms_standing ON alarms (stream, kind) WHERE cleared IS NULL;
CREATE INDEX alarms_groups ON alarms (kind, owner, latest) WHERE cleared IS NULL;
CREATE INDEX alarms_past ON alarms (cleared, id) WHERE cleared IS NOT NULL;
CREATE INDEX alarms_untold ON alarms (told) WHERE told < 2;

-- How many bytes of the store held something, every few minutes of the last day.
CREATE TABLE store_sizes (time REAL PRIMARY KEY, used INTEGER NOT NULL) WITHOUT ROWID;

-- What is written to see whether anything can be: one row, empty but for that moment.
CREATE TABLE store_probe (id INTEGER PRIMARY KEY CHECK (id = 1), filler BLOB NOT NULL);
INSERT INTO store_probe VALUES (1, x'');

-- Logins: one row for each event that tells of one, or of several that were alike; completed by the end of its session.
CREATE TABLE logins (
    -- The event's events.id.
    id INTEGER PRIMARY KEY,
    -- The events.id that last changed this row: what a follower compares its cursor with.
    changed INTEGER NOT NULL,
    stream INTEGER NOT NULL REFERENCES streams (id),
    seq INTEGER NOT NULL,
    session TEXT NOT NULL,
    time TEXT NOT NULL,
    -- accepted or refused
    outcome TEXT NOT NULL,
    -- Verified, or ''; and what a refused token claims, which nobody has verified.
    identity TEXT NOT NULL,
    claimed TEXT NOT NULL,
    -- What the client says of itself, and where it comes from.
    address TEXT NOT NULL,
    username TEXT NOT NULL,
    application TEXT NOT NULL,
    dbname TEXT NOT NULL,
    database TEXT NOT NULL,
    reason TEXT NOT NULL,
    sqlstate TEXT NOT NULL,
    policy TEXT NOT NULL,
    -- How many the event tells of.
    count INTEGER NOT NULL,
    -- Of its session's end.
    ended TEXT,
    end_reason TEXT,
    statements INTEGER,
    duration_us INTEGER
);
CREATE INDEX logins_changed ON logins (changed);
CREATE INDEX logins_session ON logins (stream, session);
CREATE INDEX logins_outcome ON logins (outcome, id);
CREATE INDEX logins_running ON logins (stream) WHERE outcome = 'accepted' AND ended IS NULL;
CREATE INDEX logins_time ON logins (time);

CREATE VIRTUAL TABLE logins_text USING fts5 (
    identity, claimed, address, username, application, dbname, reason, sqlstate, policy,
    content = 'logins', content_rowid = 'id', tokenize = 'unicode61'
);
CREATE TRIGGER logins_text_insert AFTER INSERT ON logins BEGIN
    INSERT INTO logins_text (rowid, identity, claimed, address, username, application, dbname, reason, sqlstate, policy)
    VALUES (new.id, new.identity, new.claimed, new.address, new.username, new.application, new.dbname, new.reason,
            new.sqlstate, new.policy);
END;
CREATE TRIGGER logins_text_delete AFTER DELETE ON logins BEGIN
    INSERT INTO logins_text (logins_text, rowid, identity, claimed, address, username, application, dbname, reason,
                             sqlstate, policy)
    VALUES ('delete', old.id, old.identity, old.claimed, old.address, old.username, old.application, old.dbname,
            old.reason, old.sqlstate, old.policy);
END;

-- Those that earlier gates told of by the kind `session`.
INSERT INTO logins (id, changed, stream, seq, session, time, outcome, identity, claimed, address, username, application, dbname,
                    database, reason, sqlstate, policy, count)
SELECT id, id, stream, seq, session, document ->> '$.time',
       CASE document ->> '$.event' WHEN 'start' THEN 'accepted' ELSE 'refused' END,
       coalesce(document ->> '$.identity.name', ''), '', coalesce(document ->> '$.client.addr', ''),
       coalesce(document ->> '$.client.user', ''), coalesce(document ->> '$.client.application', ''),
       coalesce(document ->> '$.client.database', ''), coalesce(document ->> '$.database', ''),
       coalesce(document ->> '$.reason', ''), '', coalesce(document ->> '$.policy', ''), 1
FROM events WHERE kind = 'session' AND document ->> '$.event' IN ('start', 'refused');

UPDATE logins SET (ended, end_reason) = (
    SELECT e.document ->> '$.time', coalesce(e.document ->> '$.reason', '') FROM events e
    WHERE e.stream = logins.stream AND e.session = logins.session AND e.statement = '' AND e.kind = 'session'
      AND e.document ->> '$.event' = 'end' ORDER BY e.id LIMIT 1
) WHERE outcome = 'accepted';

UPDATE logins SET ended = '', end_reason = 'its gate ended'
WHERE outcome = 'accepted' AND ended IS NULL AND stream IN (SELECT id FROM streams WHERE closed = 1);

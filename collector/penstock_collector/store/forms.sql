-- Statements are much alike: what those of one form have in common is a row of its own, which the text index is of.

ALTER TABLE statements RENAME TO former_statements;
DROP TRIGGER statements_text_insert;
DROP TRIGGER statements_text_delete;
-- What is large is not dropped here: SQLite may overwrite it, page by page, in this one transaction. `upgrading.py` takes it
-- away bit by bit, and with the former statements their indexes, which have the names that are not used below.

-- As long as there are statements of them.
CREATE TABLE forms (
    id INTEGER PRIMARY KEY,
    -- By all the rest, so that a form is found again; what is alike in this alone is compared.
    digest INTEGER NOT NULL,
    identity TEXT NOT NULL,
    database TEXT NOT NULL,
    decision TEXT NOT NULL,
    observed TEXT NOT NULL,
    -- Each between line feeds, so that one can be looked for as a whole.
    verbs TEXT NOT NULL,
    relations TEXT NOT NULL,
    masked TEXT NOT NULL,
    policy TEXT NOT NULL,
    rule TEXT NOT NULL,
    reason TEXT NOT NULL,
    sql TEXT NOT NULL
);
CREATE INDEX forms_digest ON forms (digest);
CREATE VIRTUAL TABLE forms_text USING fts5 (
    sql, relations, identity, policy, rule, reason,
    content = 'forms', content_rowid = 'id', tokenize = 'unicode61'
);
CREATE TRIGGER forms_text_insert AFTER INSERT ON forms BEGIN
    INSERT INTO forms_text (rowid, sql, relations, identity, policy, rule, reason)
    VALUES (new.id, new.sql, new.relations, new.identity, new.policy, new.rule, new.reason);
END;
CREATE TRIGGER forms_text_delete AFTER DELETE ON forms BEGIN
    INSERT INTO forms_text (forms_text, rowid, sql, relations, identity, policy, rule, reason)
    VALUES ('delete', old.id, old.sql, old.relations, old.identity, old.policy, old.rule, old.reason);
END;

-- Sessions that have statements.
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY,
    stream INTEGER NOT NULL,
    name TEXT NOT NULL,
    UNIQUE (name, stream)
);

-- One row for each statement: its intent, and its outcome once that has come.
CREATE TABLE statements (
    -- The intent's events.id.
    id INTEGER PRIMARY KEY,
    -- The events.id that last changed this row: what a follower compares its cursor with.
    changed INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    session_id INTEGER NOT NULL,
    -- A whole number, or text where it is none.
    statement NOT NULL,
    -- Microseconds, as `moments.py` counts them.
    time INTEGER NOT NULL,
    form INTEGER NOT NULL,
    outcome_seq INTEGER,
    result TEXT,
    rows INTEGER,
    bytes INTEGER,
    duration_us INTEGER,
    sqlstate TEXT,
    -- The request that it was held by, or that gave the access by which it ran.
    request TEXT NOT NULL DEFAULT '',
    -- Of one that never told how it ended, why.
    unknown TEXT NOT NULL DEFAULT ''
);
CREATE INDEX statements_news ON statements (changed);
CREATE INDEX statements_of_session ON statements (session_id, seq);
CREATE INDEX statements_by_time ON statements (time);
CREATE INDEX statements_of_stream ON statements (stream, time);
CREATE INDEX statements_of_form ON statements (form, time);
CREATE INDEX statements_of_request ON statements (request) WHERE request <> '';
CREATE INDEX statements_open ON statements (stream, session_id, statement) WHERE outcome_seq IS NULL;
CREATE INDEX statements_unheard_of ON statements (stream) WHERE unknown = 'nothing is heard of its gate';

-- As they are shown. The order of the joins is that of the search: statements are found first.
CREATE VIEW statements_told AS
SELECT s.id, s.changed, s.stream, s.seq, n.name AS session, s.session_id,
       CAST (s.statement AS TEXT) AS statement, s.time, s.form, f.identity, f.database, f.decision, f.observed, f.verbs,
       f.relations, f.masked, f.policy, f.rule, f.reason, f.sql, s.outcome_seq, s.result, s.rows, s.bytes, s.duration_us,
       s.sqlstate, s.request, s.unknown
FROM statements s CROSS JOIN forms f ON f.id = s.form CROSS JOIN sessions n ON n.id = s.session_id;

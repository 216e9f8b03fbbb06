-- Requests for approval: one row each, of which `document` is the record and the rest is derived from it. What became
-- of a request is a state of its row and no log: the trail of what was asked and run is the gate's.

CREATE TABLE requests (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    -- Grows with every change of any request: what a follower compares its cursor with.
    changed INTEGER NOT NULL,
    name TEXT NOT NULL UNIQUE,
    -- Who alone may ask for it again: the service account of the pods that asked, or a gate's name.
    book TEXT NOT NULL,
    -- Digests of who asked, within the book, and of what was asked for, which outlasts the text.
    requester TEXT NOT NULL,
    bound TEXT NOT NULL,
    -- As of the last change. What has expired stays so, also if the clock is set back.
    standing TEXT NOT NULL,
    -- Unix times in seconds; `ended` is when it was denied, used, or had expired.
    made REAL NOT NULL,
    expires REAL NOT NULL,
    ended REAL,
    -- When it was told to the second list of webhooks.
    escalated REAL,
    -- '' as long as nobody has decided.
    decision TEXT NOT NULL DEFAULT '',
    used INTEGER NOT NULL DEFAULT 0,
    -- 1 once retention has taken the statement's text; who decided what, and when, stays.
    trimmed INTEGER NOT NULL DEFAULT 0,
    -- The AccessRequest, as JSON.
    document TEXT NOT NULL
);
CREATE INDEX requests_requester ON requests (book, requester, standing);
CREATE INDEX requests_standing ON requests (standing, id);
CREATE INDEX requests_changed ON requests (changed);

CREATE TRIGGER requests_decided_stay BEFORE DELETE ON requests WHEN old.decision <> '' BEGIN
    SELECT RAISE (ABORT, 'a decided request stays');
END;
CREATE TRIGGER requests_decisions_stay BEFORE UPDATE ON requests
WHEN (old.decision <> '' AND new.decision <> old.decision) OR (old.used AND NOT new.used)
    OR (new.used AND new.decision <> 'approved') BEGIN
    SELECT RAISE (ABORT, 'a decision stays, and what was used stays used');
END;

-- One row: the latest value of requests.changed.
CREATE TABLE request_changes (latest INTEGER NOT NULL);
INSERT INTO request_changes VALUES (0);

-- The request that a statement was held by, where its event names one.
ALTER TABLE statements ADD COLUMN request TEXT NOT NULL DEFAULT '';

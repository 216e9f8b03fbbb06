-- Access for a time, beside statements: such a request is a row of `requests`, whose `expires` is when the access ends.
-- `standing` is then 'in effect', 'ended', 'unreviewed' or 'reviewed'.

-- When it was told that the review of an emergency is overdue.
ALTER TABLE requests ADD COLUMN told_overdue REAL;

CREATE TRIGGER requests_access_stays BEFORE DELETE ON requests
WHEN old.standing IN ('in effect', 'ended', 'unreviewed', 'reviewed') BEGIN
    SELECT RAISE (ABORT, 'access that was given stays on record');
END;

-- Notices that were not brought to their webhook yet, in their order, so that a restart loses none.
CREATE TABLE notices (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    -- The webhook's name within its list: `webhooks/chat`, `escalation/pager`.
    webhook TEXT NOT NULL,
    -- The notice's id, the same in all attempts, and what it says in either form, as JSON.
    notice TEXT NOT NULL,
    slack TEXT NOT NULL,
    document TEXT NOT NULL
);
-- What was done by an approval, or while access lasted.
CREATE INDEX statements_request ON statements (request) WHERE request <> '';

CREATE INDEX notices_webhook ON notices (webhook, id);

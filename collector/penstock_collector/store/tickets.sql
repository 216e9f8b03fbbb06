-- One-time tickets: who may log in with one, and what proves its secret, which is nowhere. A row stays for a while after
-- its ticket has ended, so that who comes too late is told why.

CREATE TABLE tickets (
    name TEXT PRIMARY KEY,
    -- At whose gates it is good: those of one service account's pods, or of one stand-alone gate.
    book TEXT NOT NULL,
    -- A digest of whom it is for.
    bearer TEXT NOT NULL,
    -- open, used, void or expired; only an open one becomes anything else.
    standing TEXT NOT NULL DEFAULT 'open',
    tries INTEGER NOT NULL DEFAULT 0,
    -- Unix times in seconds.
    made REAL NOT NULL,
    expires REAL NOT NULL,
    -- What the gate has sent, as JSON.
    document TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX tickets_open ON tickets (book, bearer) WHERE standing = 'open';
CREATE INDEX tickets_expires ON tickets (expires);

CREATE TRIGGER tickets_end_once BEFORE UPDATE ON tickets WHEN old.standing <> 'open' BEGIN
    SELECT RAISE (ABORT, 'a ticket that has ended stays as it is');
END;

-- One row: what the salts of all tickets come from.
CREATE TABLE ticket_salts (key BLOB NOT NULL);
INSERT INTO ticket_salts VALUES (randomblob(32));

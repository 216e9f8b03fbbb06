-- Statements that never told how they ended: why that is not known.

ALTER TABLE statements ADD COLUMN unknown TEXT NOT NULL DEFAULT '';
CREATE INDEX statements_running ON statements (stream, session) WHERE result IS NULL;
CREATE INDEX statements_unheard ON statements (stream) WHERE unknown = 'nothing is heard of its gate';
CREATE INDEX alarms_of_stream ON alarms (stream, kind);

UPDATE statements SET result = 'unknown', unknown = 'its gate ended'
WHERE result IS NULL AND stream IN (SELECT id FROM streams WHERE closed = 1);
UPDATE statements SET result = 'unknown', unknown = 'its session ended'
WHERE result IS NULL AND session <> '' AND EXISTS (
    SELECT 1 FROM logins l WHERE l.stream = statements.stream AND l.session = statements.session AND l.ended IS NOT NULL
);
UPDATE statements SET result = 'unknown', unknown = 'nothing is heard of its gate'
WHERE result IS NULL AND stream IN (SELECT stream FROM alarms WHERE kind = 'silent' AND cleared IS NULL);

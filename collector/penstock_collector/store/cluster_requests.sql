-- Requests for approval that waited, as the trail tells of them: on a cluster, their objects are with the API server, which
-- this program does not ask. Those that it holds itself are in `requests`.
CREATE TABLE cluster_requests (
    -- The events.id of the latest event that told of it.
    id INTEGER PRIMARY KEY,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    time TEXT NOT NULL,
    identity TEXT NOT NULL,
    database TEXT NOT NULL,
    policy TEXT NOT NULL,
    rule TEXT NOT NULL,
    -- Each between line feeds.
    approvers TEXT NOT NULL,
    verbs TEXT NOT NULL,
    relations TEXT NOT NULL,
    estimated_rows INTEGER,
    expires TEXT NOT NULL,
    -- 1 once a statement ran by it, or read that it was denied.
    over INTEGER NOT NULL DEFAULT 0,
    UNIQUE (namespace, name)
);
CREATE INDEX cluster_requests_name ON cluster_requests (name);
CREATE INDEX cluster_requests_waiting ON cluster_requests (over, expires);

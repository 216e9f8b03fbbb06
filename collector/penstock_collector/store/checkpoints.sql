-- Signed checkpoints (docs/verify.md): what of each stream the last one that lists it had, so that the next one lists what
-- has changed; and where the series stands.
ALTER TABLE streams ADD COLUMN checkpointed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE streams ADD COLUMN checkpointed_trimmed INTEGER NOT NULL DEFAULT 0;

CREATE TABLE checkpoint_head (
    number INTEGER NOT NULL DEFAULT 0,
    -- Of the signed bytes of the last one.
    hash TEXT NOT NULL,
    -- The last one, until it has been kept elsewhere.
    pending BLOB
);
INSERT INTO checkpoint_head (hash) VALUES ('0000000000000000000000000000000000000000000000000000000000000000');

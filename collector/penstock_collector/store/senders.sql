-- Who opened a stream and alone may write it, as the token proved it; '' for streams from before this was recorded, until
-- their sender comes again.
ALTER TABLE streams ADD COLUMN sender TEXT NOT NULL DEFAULT '';
-- The seq of the event that closed it.
ALTER TABLE streams ADD COLUMN closed_at INTEGER;

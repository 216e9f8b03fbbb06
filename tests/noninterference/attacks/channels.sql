--- What others send to channels, where triggers put masked values: heard by nobody for whom they are masked.
--- commits

LISTEN changes;
@b(dba): UPDATE told SET note = 'x' WHERE id = 1;
SELECT pg_sleep(0.2);
SELECT 1;

LISTEN "changes";
LISTEN jobs;
@b(dba): UPDATE told SET note = 'x' WHERE id = 2;
SELECT 1 FROM pg_sleep(0.2);

-- the trigger by one's own statement
LISTEN changes;
UPDATE told SET note = 'x' WHERE id = 3;
SELECT 1;

-- a function that listens
SELECT overhear();
@b(dba): UPDATE told SET note = 'x' WHERE id = 4;
SELECT 1 FROM pg_sleep(0.2);

-- in a block, with a listed channel beside it
BEGIN;
LISTEN jobs;
LISTEN changes;
COMMIT;
@b(dba): UPDATE told SET note = 'x' WHERE id = 5;
SELECT 1 FROM pg_sleep(0.2);

-- by COPY, and by what is made to be sent
LISTEN changes;
@b(dba): NOTIFY changes, 'x';
SELECT pg_notify('changes', email) FROM told WHERE id = 1;
SELECT 1 FROM pg_sleep(0.2);

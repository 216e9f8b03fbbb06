--- Statements kept under a name: what was decided once is decided again when what it was decided by has changed.

PREPARE p AS SELECT salary FROM staff ORDER BY id LIMIT 2;
EXECUTE p;
DEALLOCATE p;

PREPARE p (int) AS SELECT id FROM staff WHERE salary > $1 ORDER BY id;
EXECUTE p (500);

PREPARE p (text) AS SELECT upper($1);
EXECUTE p ((SELECT ssn FROM staff WHERE id = 1));

PREPARE p (pair) AS SELECT upper($1);
EXECUTE p ((1, 'x'));

PREPARE p (spying) AS SELECT $1 IS NULL;
EXECUTE p ('a');

PREPARE p AS UPDATE staff SET note = ssn WHERE id = 1 RETURNING note;
EXECUTE p;

PREPARE p (int) AS INSERT INTO plain_log (line) SELECT ssn FROM staff WHERE id = $1 RETURNING line;
EXECUTE p (1);

PREPARE p AS SELECT * FROM users ORDER BY id LIMIT 1;
SET search_path = other;
EXECUTE p;

PREPARE p AS SELECT * FROM users ORDER BY id LIMIT 1;
CREATE TEMP TABLE users AS SELECT 1 AS id;
EXECUTE p;

CREATE TEMP TABLE q AS SELECT id, salary FROM staff;
PREPARE p AS SELECT * FROM q ORDER BY id LIMIT 2;
EXECUTE p;
CREATE TEMP TABLE r AS EXECUTE p;
SELECT * FROM r;

DECLARE c CURSOR WITH HOLD FOR SELECT salary FROM staff ORDER BY id;
COMMIT;
FETCH 2 FROM c;
CLOSE c;

-- commits
BEGIN;
DECLARE c CURSOR FOR SELECT salary FROM staff ORDER BY id;
FETCH 2 FROM c;
COMMIT;

-- commits
BEGIN;
DECLARE c BINARY CURSOR FOR SELECT salary, id FROM staff ORDER BY id;
FETCH 2 FROM c;
ROLLBACK;

-- commits
BEGIN;
DECLARE c INSENSITIVE SCROLL CURSOR FOR SELECT id FROM staff WHERE salary > 500 ORDER BY id;
FETCH LAST FROM c;
FETCH FIRST FROM c;
MOVE ALL IN c;
COMMIT;

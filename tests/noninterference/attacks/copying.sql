--- COPY, in every form.
--- as: reader

COPY staff TO STDOUT;

COPY staff (id, salary, ssn) TO STDOUT;

COPY staff TO STDOUT WITH (FORMAT csv, HEADER);

COPY staff TO STDOUT WITH (FORMAT binary);

COPY staff (salary) TO STDOUT CSV QUOTE '"' FORCE QUOTE *;

COPY (SELECT * FROM staff ORDER BY id) TO STDOUT;

COPY (SELECT salary FROM staff WHERE salary > 500 ORDER BY id) TO STDOUT;

COPY (TABLE staff) TO STDOUT;

COPY (VALUES ((SELECT ssn FROM staff WHERE id = 1))) TO STDOUT;

COPY (WITH s AS (SELECT * FROM staff) SELECT ssn FROM s ORDER BY id) TO STDOUT;

COPY v_shown TO STDOUT;

COPY by_rank TO STDOUT;

COPY (SELECT id FROM by_rank) TO STDOUT;

COPY users (id) TO STDOUT;

COPY wide (id) TO STDOUT;

COPY human TO STDOUT;

COPY creature TO STDOUT;

COPY pg_class TO STDOUT;

COPY pg_statistic TO STDOUT;

COPY staff TO '/tmp/x';

COPY staff TO PROGRAM 'cat';

COPY (SELECT peek(1)) TO STDOUT;

-- as: writer
COPY (UPDATE staff SET note = 'x' WHERE salary > 500 RETURNING id, ssn) TO STDOUT;

-- as: writer
COPY partly (id, addr) FROM STDIN;
100	x@x.example
SELECT addr FROM partly WHERE id = 100;

-- as: writer
COPY partly FROM '/etc/passwd';

-- as: writer
COPY plain (id, n) FROM STDIN WITH (FORMAT csv);
900,1
901,x

-- as: writer
COPY copies (id, email) FROM STDIN;
900	nobody@x.example

-- a column twice
COPY staff (id, id) TO STDOUT;

COPY users (id, note, id) TO STDOUT;

-- what is computed
COPY generated_users (id, low) TO STDOUT;

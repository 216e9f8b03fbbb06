--- Numbers of the sequence of a masked column: it stands at that column's latest value.

SELECT last_value FROM numbered_salary_seq;

SELECT * FROM numbered_salary_seq;

SELECT nextval('numbered_salary_seq');

SELECT nextval('public.numbered_salary_seq'::regclass) % 2;

SELECT nextval('numbered_' || 'salary_seq');

SELECT nextval(pg_get_serial_sequence('numbered', 'salary'));

SELECT ('numbered_salary_seq'::regclass).nextval;

SELECT number();

SELECT number_of('numbered_salary_seq');

INSERT INTO numbered (id, note) VALUES (100, 'x') RETURNING id, salary;

INSERT INTO numbered (id, note) VALUES (100, 'x');
SELECT lastval();

INSERT INTO numbered (id, note) VALUES (100, 'x');
SELECT currval('numbered_salary_seq');

INSERT INTO plain_log (line) VALUES (nextval('numbered_salary_seq')) RETURNING line;

CREATE TEMP TABLE numbers (n bigint DEFAULT nextval('numbered_salary_seq'));
INSERT INTO numbers DEFAULT VALUES RETURNING n;

-- numbers of a column that shares the sequence
SELECT id, n FROM sharing ORDER BY id;

INSERT INTO sharing (id, note) VALUES (100, 'x') RETURNING n > 11000;

-- allowed
-- as: writer
INSERT INTO plain_log (line) VALUES ('x');
SELECT currval('plain_log_id_seq') > 0;

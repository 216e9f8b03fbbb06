SELECT account.id, account.name, account.fullname, account.email, account.birth_date, account.active FROM account WHERE account.id = 5;

SELECT account.id AS account_id, account.email AS account_email FROM account ORDER BY account.id LIMIT 5 OFFSET 2;

SELECT anon_1.account_id, anon_1.account_email, address_1.id AS address_1_id, address_1.city AS address_1_city FROM (SELECT account.id AS account_id, account.email AS account_email FROM account ORDER BY account.id LIMIT 3) AS anon_1 LEFT OUTER JOIN address AS address_1 ON anon_1.account_id = address_1.account_id ORDER BY anon_1.account_id, address_1.id;

SELECT account.id, address.city FROM account JOIN address ON account.id = address.account_id WHERE address.city = 'Berlin' AND account.active IS true ORDER BY account.id, address.id;

SELECT count(*) AS count_1 FROM (SELECT account.id AS account_id FROM account WHERE account.name LIKE 'acc1%') AS anon_1;

SELECT account.name, count(address.id) AS n FROM account LEFT OUTER JOIN address ON account.id = address.account_id GROUP BY account.name ORDER BY account.name;

SELECT EXISTS (SELECT 1 FROM account WHERE account.name = 'acc3') AS anon_1;

SELECT account.id FROM account WHERE account.id IN (1, 2, 3) ORDER BY account.id;

SELECT account.id FROM account WHERE (EXISTS (SELECT 1 FROM address WHERE account.id = address.account_id AND address.city = 'Paris')) ORDER BY account.id;

WITH regional AS (SELECT address.city AS city, count(*) AS n FROM address GROUP BY address.city) SELECT regional.city, regional.n FROM regional WHERE regional.n > (SELECT sum(regional.n) / 10 FROM regional) ORDER BY regional.city;

SELECT account.id, row_number() OVER (PARTITION BY account.active ORDER BY account.name) AS anon_1 FROM account ORDER BY account.id;

SELECT account.name AS n FROM account WHERE account.id < 3 UNION ALL SELECT address.city FROM address WHERE address.id < 3 ORDER BY n;

SELECT CAST(account.id AS VARCHAR) || ':' || account.name AS anon_1 FROM account ORDER BY account.id LIMIT 2;

SELECT CASE WHEN (account.active) THEN 'on' ELSE 'off' END AS anon_1, coalesce(account.fullname, 'none') AS c FROM account ORDER BY account.id LIMIT 2;

SELECT account.email FROM account WHERE account.birth_date >= '1985-01-01' ORDER BY account.id;

SELECT EXTRACT(year FROM account.birth_date) AS y, count(*) FROM account GROUP BY 1 ORDER BY 1;

INSERT INTO account (name, fullname, email, birth_date, active) VALUES ('n', 'N', 'nn@example.org', '1990-02-03', true) RETURNING account.id;

INSERT INTO account (name, fullname) VALUES ('a', 'A'), ('b', 'B') RETURNING account.id, account.active;

INSERT INTO address (street, city, account_id) SELECT p0::VARCHAR, p1::VARCHAR, p2::INTEGER FROM (VALUES ('s1', 'c1', 1, 0), ('s2', 'c2', 2, 1)) AS imp_sen(p0, p1, p2, sen_counter) ORDER BY sen_counter RETURNING address.id, address.id AS id__1;

UPDATE account SET fullname = 'X' WHERE account.id = 2;

UPDATE account SET active = false WHERE account.id IN (SELECT address.account_id FROM address WHERE address.city = 'Paris') RETURNING account.id, account.email;

DELETE FROM address WHERE address.id = 3;

DELETE FROM address USING account WHERE account.id = address.account_id AND account.name = 'acc2' RETURNING address.id;

SELECT account.id FROM account WHERE account.id = 1 FOR UPDATE OF account;

SELECT pg_catalog.version();

SELECT alembic_version.version_num FROM alembic_version;

UPDATE alembic_version SET version_num = 'def456' WHERE alembic_version.version_num = 'abc123';

select current_schema();

show standard_conforming_strings;

"""Two databases whose tables lie, or are indexed, in the order of masked values: what shows it tells of them.

The servers are made to use the indexes, as they would with a million rows, so that a leak shows with sixty.
"""

from __future__ import annotations

from dataclasses import replace

from tests.core.sql.twins.world import POLICIES, Twins, read_catalog, rule

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.policy.effective import EffectivePolicy, Mask, MaskRule

_SCHEMA = """
CREATE TABLE person (
    id int PRIMARY KEY, tenant int, email text, salary int, note text, weight float8, doc json, made timestamptz
);
CREATE INDEX person_mail ON person (tenant, email);
CREATE TABLE account (id int PRIMARY KEY, tenant int, email text UNIQUE, note text);
CREATE INDEX account_mail ON account (email) INCLUDE (id, tenant);
CREATE TABLE lowered (id int PRIMARY KEY, tenant int, email text);
CREATE INDEX lowered_mail ON lowered (tenant, lower(email));
CREATE TABLE partial (id int PRIMARY KEY, tenant int, salary int, note text);
CREATE INDEX partial_rich ON partial (tenant) WHERE salary > 100;
CREATE TABLE included (id int PRIMARY KEY, tenant int, email text);
CREATE INDEX included_mail ON included (tenant) INCLUDE (email);
CREATE TABLE keyless (tenant int, word numeric, doc json, email text);
CREATE INDEX keyless_mail ON keyless (tenant, email);
CREATE TABLE by_list (id int, tenant int, grade text, note text) PARTITION BY LIST (grade);
CREATE TABLE by_list_a PARTITION OF by_list FOR VALUES IN ('a');
CREATE TABLE by_list_b PARTITION OF by_list FOR VALUES IN ('b');
CREATE TABLE by_range (id int, tenant int, salary int) PARTITION BY RANGE (salary);
CREATE TABLE by_range_low PARTITION OF by_range FOR VALUES FROM (MINVALUE) TO (150);
CREATE TABLE by_range_high PARTITION OF by_range FOR VALUES FROM (150) TO (MAXVALUE);
CREATE TABLE by_hash (id int, tenant int, email text) PARTITION BY HASH (email);
CREATE TABLE by_hash_0 PARTITION OF by_hash FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE by_hash_1 PARTITION OF by_hash FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE by_name (email text PRIMARY KEY, n int);
CREATE TABLE heaped (id int, tenant int, email text);
CREATE INDEX heaped_mail ON heaped (email);
CREATE TABLE quiet (id int PRIMARY KEY, tenant int, salary int, note text);
CREATE TABLE base (id int, note text);
CREATE TABLE derived (email text) INHERITS (base);
CREATE INDEX derived_mail ON derived (note, email);
CREATE TABLE item (id int PRIMARY KEY, person int, price float8);
CREATE INDEX item_person ON item (person);
CREATE TABLE log (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n int, line text);
CREATE TABLE bare (n int, line text);
CREATE INDEX log_n ON log (n);
CREATE INDEX bare_n ON bare USING hash (n);
CREATE TABLE bound (
    id int PRIMARY KEY, tenant int, email text, code int UNIQUE, size int CHECK (size <> 58), up int, next int,
    CONSTRAINT up_of FOREIGN KEY (up) REFERENCES item DEFERRABLE, CONSTRAINT next_of FOREIGN KEY (next) REFERENCES item
    DEFERRABLE
);
CREATE INDEX bound_mail ON bound (tenant, email);
CREATE TABLE one_of (bound int REFERENCES bound);
CREATE TABLE other_of (bound int REFERENCES bound);
CREATE TABLE strict (n int PRIMARY KEY, m int CHECK (m <> 58));
CREATE TABLE odd (
    id int PRIMARY KEY, tenant int, email text, word numeric, size float8, span interval, pad bpchar, doc jsonb
);
CREATE INDEX odd_mail ON odd (tenant, email);
CREATE SEQUENCE counter;
CREATE VIEW people AS SELECT id, tenant, note FROM person;
CREATE VIEW deeper AS SELECT id, tenant FROM people WHERE note <> 'never';
CREATE VIEW tickets AS SELECT p.id, p.tenant, i.price FROM person p JOIN item i ON i.person = p.id;
CREATE VIEW parted AS SELECT id, tenant FROM by_list;
CREATE VIEW ordered AS SELECT id, tenant, rank() OVER (ORDER BY salary) AS r FROM quiet;
CREATE VIEW pick AS SELECT id FROM person WHERE tenant = 5 LIMIT 1;
CREATE VIEW numbered AS SELECT id, row_number() OVER (PARTITION BY tenant) AS n FROM person;
CREATE VIEW gathered AS SELECT tenant, array_agg(id) AS ids FROM person GROUP BY tenant;
CREATE VIEW newest AS SELECT DISTINCT ON (tenant) tenant, id FROM person ORDER BY tenant;
CREATE VIEW decided AS SELECT DISTINCT ON (tenant) tenant, id FROM person ORDER BY tenant, id;
CREATE VIEW computed AS SELECT id, tenant, 1 / (id - 58) + ln(id - 1) AS part FROM person;
CREATE VIEW checked AS SELECT id, tenant FROM person WHERE 1 / (id - 58) + ln(id - 1) < 9;
CREATE VIEW checked_join AS SELECT p.id, p.tenant FROM person p JOIN item i ON i.person = p.id
    WHERE 1 / (p.id - 58) < 9;
CREATE VIEW counted AS SELECT tenant, count(*) AS n, sum(length(note)) AS letters FROM person GROUP BY tenant;
"""

_FILL = """
INSERT INTO person SELECT n, n % 3 + 4, MAIL, SALARY, 'note', (n % 2 * 2 - 1) * 1e15 + 1.0 / n,
    '{"a": 1}', '2030-01-01'::timestamptz
    FROM generate_series(1, 60) n;
INSERT INTO account SELECT n, n % 3 + 4, MAIL, 'note' FROM generate_series(1, 60) n;
INSERT INTO lowered SELECT n, n % 3 + 4, MAIL FROM generate_series(1, 60) n;
INSERT INTO partial SELECT n, n % 3 + 4, SALARY, 'note' FROM generate_series(1, 60) n;
INSERT INTO included SELECT n, n % 3 + 4, MAIL FROM generate_series(1, 60) n;
INSERT INTO keyless SELECT n % 3 + 4, CASE n % 2 WHEN 0 THEN 1.0 ELSE 1.00 END, json_build_object('n', n), MAIL
    FROM generate_series(1, 60) n;
INSERT INTO by_list SELECT n, n % 3 + 4, CASE WHEN SALARY < 150 THEN 'a' ELSE 'b' END, 'note'
    FROM generate_series(1, 60) n;
INSERT INTO by_range SELECT n, n % 3 + 4, SALARY FROM generate_series(1, 60) n;
INSERT INTO by_hash SELECT n, n % 3 + 4, MAIL FROM generate_series(1, 60) n;
INSERT INTO by_name SELECT MAIL, n FROM generate_series(1, 60) n;
INSERT INTO heaped SELECT n, n % 3 + 4, MAIL FROM generate_series(1, 60) n;
INSERT INTO quiet SELECT n, n % 3 + 4, SALARY, 'note' FROM generate_series(1, 60) n;
INSERT INTO base SELECT n, 'note' FROM generate_series(61, 70) n;
INSERT INTO derived SELECT n, 'note', MAIL FROM generate_series(1, 60) n;
INSERT INTO item SELECT n, (n - 1) / 3 + 1, 1.0 / n FROM generate_series(1, 180) n;
INSERT INTO log (n, line) SELECT n, 'line' FROM generate_series(1, 60) n;
INSERT INTO bound SELECT n, n % 3 + 4, MAIL, n, 0 FROM generate_series(1, 60) n;
INSERT INTO one_of VALUES (58);
INSERT INTO other_of VALUES (1);
INSERT INTO strict VALUES (1, 1);
INSERT INTO odd SELECT n, n % 3 + 4, MAIL, CASE n % 2 WHEN 0 THEN 1.0 ELSE 1.00 END,
    CASE n % 2 WHEN 0 THEN '0' ELSE '-0' END::float8, CASE n % 2 WHEN 0 THEN '30 days' ELSE '1 month' END::interval,
    CASE n % 2 WHEN 0 THEN 'a' ELSE 'a ' END, CASE n % 2 WHEN 0 THEN '1.0' ELSE '1.00' END::jsonb
    FROM generate_series(1, 60) n;
INSERT INTO bare SELECT n, 'line' FROM generate_series(1, 60) n;
CLUSTER heaped USING heaped_mail;
CLUSTER by_name USING by_name_pkey;
CREATE MATERIALIZED VIEW ranked AS SELECT id, tenant, rank() OVER (ORDER BY salary) AS r FROM quiet;
CREATE MATERIALIZED VIEW kept AS SELECT id, note FROM person WHERE tenant = 5;
ANALYZE;
"""
_SETTINGS = ("enable_seqscan = off", "enable_bitmapscan = off", "enable_hashjoin = off", "enable_mergejoin = off",
             "jit = off")  # fmt: skip

_MASKS = (MaskRule(("*.*.email", "*.*.salary", "*.*.grade"), Mask("redact", rule("masks[0]"))),)
COMPLETE = replace(POLICIES, allow=frozenset({"select", "insert", "update", "delete"}), masks=_MASKS)
UNSPECIFIED = replace(COMPLETE, row_order="unspecified")
POLICY = EffectivePolicy("shop", COMPLETE, None, 3)
LEAKING = EffectivePolicy("shop", UNSPECIFIED, None, 3)


def make_order_twins(server: EmbeddedPostgres, prefix: str = "order") -> Twins:
    server.psql(f"CREATE DATABASE {prefix}_template")
    server.psql(_SCHEMA, f"{prefix}_template")
    urls = {}
    for twin in ("left", "right"):
        name = f"{prefix}_{twin}"
        server.psql(f"CREATE DATABASE {name} TEMPLATE {prefix}_template")
        for setting in _SETTINGS:
            server.psql(f"ALTER DATABASE {name} SET {setting}")
        mail, salary = f"md5('{twin}' || n)", f"100 + abs(hashtext('{twin}' || n)) % 100"
        server.psql(_FILL.replace("MAIL", mail).replace("SALARY", salary), name)
        urls[twin] = server.url(name)
    return Twins(urls["left"], urls["right"], read_catalog(urls["left"]))

"""Tables of the twins that the server computes something for, unasked: stored expressions, views, rows of children.

Masked are, in the schema `depot`, the columns w, raw, due, pay and label. Under the settings that rows were stored with
every expression below succeeds; under others some fail for the one twin and not for the other.
"""

from __future__ import annotations

from penstock_core.policy.effective import Mask, MaskRule, Rule

# A float's text is one digit long under extra_float_digits = -15: `0.25` becomes `0.2`, and `12.5` becomes `1e+01`.
_FAILS = "1 / (length(w::text) - 3)"

# Divided by zero for the one twin.
_X = "1 / (pay - 100)"

SCHEMA = f"""
CREATE SCHEMA depot;
CREATE DOMAIN depot.long AS float8 CHECK (length(VALUE::text) > 3);
CREATE TABLE depot.by_index (id int PRIMARY KEY, w float8, note text);
CREATE INDEX by_index_w ON depot.by_index (({_FAILS}));
CREATE INDEX by_index_note ON depot.by_index (note);
CREATE TABLE depot.by_predicate (id int PRIMARY KEY, w float8, note text);
CREATE INDEX by_predicate_w ON depot.by_predicate (note) WHERE {_FAILS} > 0;
CREATE TABLE depot.by_exclusion (id int PRIMARY KEY, w float8, note text,
    CONSTRAINT one_of_each EXCLUDE (id WITH =) WHERE ({_FAILS} > 0));
CREATE INDEX by_exclusion_note ON depot.by_exclusion (note);
CREATE TABLE depot.by_unique (id int PRIMARY KEY, w float8, note text);
CREATE UNIQUE INDEX by_unique_w ON depot.by_unique (id, ({_FAILS}));
CREATE INDEX by_unique_note ON depot.by_unique (note);
CREATE TABLE depot.by_output (id int PRIMARY KEY, w float8, note text,
    CONSTRAINT w_is_long CHECK (length(textin(float8out(w))) > 3));
CREATE TABLE depot.by_domain (id int PRIMARY KEY, w float8, note text, CHECK (w::depot.long > 0));
CREATE TABLE depot.by_text (id int PRIMARY KEY, w float8, note text, CHECK (ARRAY[w]::text[] <> '{{0.2}}'));
CREATE TABLE depot.by_key (id int, w float8, note text) PARTITION BY RANGE (length(w::text));
CREATE TABLE depot.by_key_only PARTITION OF depot.by_key FOR VALUES FROM (4) TO (MAXVALUE);
CREATE TABLE depot.by_move (id int, half int, w float8, note text, g int GENERATED ALWAYS AS ({_FAILS}) STORED)
    PARTITION BY LIST (half);
CREATE TABLE depot.by_move_one PARTITION OF depot.by_move FOR VALUES IN (1);
CREATE TABLE depot.by_move_two PARTITION OF depot.by_move FOR VALUES IN (2);
CREATE TABLE depot.by_bytes (id int PRIMARY KEY, raw bytea, note text);
CREATE INDEX by_bytes_raw ON depot.by_bytes ((1 / (length(raw::text) - 1)), note);
CREATE TABLE depot.by_zone (id int PRIMARY KEY, due timestamptz, note text,
    CONSTRAINT due_soon CHECK (age(due, timestamptz '2030-01-31 20:00+00') < '1 mon'));
CREATE TABLE depot.by_row (id int PRIMARY KEY, due timestamptz, note text,
    CHECK (ROW(due, 1) < ROW(date '2030-03-01', 1)));
CREATE TABLE depot.base (id int PRIMARY KEY, note text);
CREATE TABLE depot.extended (w float8) INHERITS (depot.base);
CREATE INDEX extended_w ON depot.extended (({_FAILS}), note);
CREATE TABLE depot.owner (id int PRIMARY KEY);
CREATE TABLE depot.owned (id int PRIMARY KEY, owner int REFERENCES depot.owner (id) ON DELETE SET NULL, w float8);
CREATE INDEX owned_w ON depot.owned (({_FAILS}), owner);
CREATE TABLE depot.steady (
    id int PRIMARY KEY, half int DEFAULT 1, w float8 CHECK (w > 0), raw bytea, due timestamptz, note text,
    g float8 GENERATED ALWAYS AS (w + 1) STORED, CHECK (due < '2040-01-01Z' AND w BETWEEN 0 AND 100),
    CHECK (encode(raw, 'hex') <> ''), CHECK (age(timestamp '2030-01-01', due AT TIME ZONE 'UTC') > '-9 years')
);
CREATE INDEX steady_w ON depot.steady ((w * 2), (sqrt(w)), (due AT TIME ZONE 'UTC')) WHERE length(raw) > 0;
CREATE TABLE depot.rack (id int, note text);
CREATE TABLE depot.shelf (label text) INHERITS (depot.rack);
CREATE TABLE depot.top_shelf () INHERITS (depot.shelf);
CREATE TABLE depot.room (id int);
CREATE TABLE depot.corner () INHERITS (depot.room);
ALTER TABLE depot.shelf INHERIT depot.room;
CREATE VIEW depot.rack_view AS SELECT id, note FROM depot.rack;
CREATE VIEW depot.places AS SELECT id, ctid::text AS place FROM depot.rack;
CREATE VIEW depot.places_of_two AS SELECT r.id, r.ctid::text AS place FROM depot.rack r, depot.owner;
CREATE VIEW depot.sampled AS SELECT id FROM depot.rack TABLESAMPLE SYSTEM (50) REPEATABLE (7);
CREATE TABLE depot.wages (id int PRIMARY KEY, dept int, pay int);
CREATE VIEW depot.calc AS SELECT id, {_X} AS x FROM depot.wages;
CREATE VIEW depot.calc_of_join AS SELECT o.id, s.x FROM depot.owner o LEFT JOIN depot.calc s ON s.id = o.id;
CREATE VIEW depot.sums AS SELECT dept AS id, count(*) AS n, sum(pay) AS total, max(pay) AS most, avg(pay) AS mean
    FROM depot.wages GROUP BY dept;
CREATE VIEW depot.ranks AS SELECT id, rank() OVER (PARTITION BY dept ORDER BY id) AS place, lag(pay) OVER (ORDER BY id)
    FROM depot.wages ORDER BY id;
CREATE VIEW depot.paid AS SELECT id, pay FROM depot.wages ORDER BY id LIMIT 10;
CREATE VIEW depot.locking AS SELECT w.id, w.dept FROM depot.wages w FOR UPDATE OF w;
CREATE MATERIALIZED VIEW depot.kept AS SELECT id, pay / 10 AS x FROM depot.wages ORDER BY id;
CREATE VIEW depot.in_cte AS WITH c AS (SELECT id, {_X} AS x FROM depot.wages w FOR UPDATE OF w) SELECT id, x FROM c;
CREATE VIEW depot.in_cte_only AS WITH c AS (SELECT id, {_X} AS x FROM depot.wages FOR UPDATE) SELECT id FROM c;
CREATE VIEW depot.in_kept_cte AS WITH c AS MATERIALIZED (SELECT id, {_X} AS x FROM depot.wages) SELECT id FROM c;
CREATE VIEW depot.in_random_cte AS WITH c AS (SELECT id, {_X} AS x FROM depot.wages WHERE random() < 2)
    SELECT id FROM c;
CREATE VIEW depot.in_deep_cte AS WITH c AS (SELECT s.id, s.x FROM (SELECT id, {_X} AS x FROM depot.wages w FOR SHARE) s)
    SELECT id, x FROM c;
CREATE VIEW depot.in_plain_cte AS WITH c AS (SELECT id, {_X} AS x FROM depot.wages) SELECT id, x FROM c;
CREATE VIEW depot.in_group AS SELECT dept AS id, max({_X}) AS x FROM depot.wages GROUP BY dept;
CREATE VIEW depot.in_order AS SELECT id, {_X} AS x FROM depot.wages ORDER BY id;
CREATE VIEW depot.in_limit AS SELECT id, {_X} AS x FROM depot.wages LIMIT 10;
CREATE VIEW depot.in_offset AS SELECT id, {_X} AS x FROM depot.wages OFFSET 0;
CREATE VIEW depot.in_lock AS SELECT id, {_X} AS x FROM depot.wages FOR UPDATE;
CREATE VIEW depot.in_subquery_of_lock AS SELECT s.id, s.x FROM (SELECT id, {_X} AS x FROM depot.wages) s FOR UPDATE;
CREATE VIEW depot.in_window AS SELECT id, {_X} AS x, row_number() OVER () AS n FROM depot.wages;
CREATE VIEW depot.in_random AS SELECT id, {_X} AS x, random() AS r FROM depot.wages;
CREATE VIEW depot.in_set AS SELECT id, {_X} AS x, generate_series(1, 2) AS n FROM depot.wages;
CREATE VIEW depot.in_barrier WITH (security_barrier) AS SELECT id, {_X} AS x FROM depot.wages;
CREATE VIEW depot.in_union AS SELECT id, {_X} AS x FROM depot.wages UNION ALL SELECT 7, 7;
CREATE VIEW depot.over_union AS SELECT id, x FROM depot.calc UNION ALL SELECT 7, 7;
CREATE VIEW depot.over_limit AS SELECT id, x FROM depot.calc LIMIT 10;
CREATE VIEW depot.over_over_limit AS SELECT id, x FROM depot.over_limit;
CREATE VIEW depot.over_join AS SELECT id, x FROM depot.calc_of_join ORDER BY id;
CREATE FUNCTION depot.shape(int) RETURNS int LANGUAGE sql IMMUTABLE
    AS 'SELECT CASE WHEN public.peek(1) < ''dk'' THEN NULL ELSE $1 END';
CREATE TABLE depot.shaped (id int, note text) PARTITION BY RANGE (depot.shape(id));
CREATE TABLE depot.shaped_all PARTITION OF depot.shaped FOR VALUES FROM (MINVALUE) TO (MAXVALUE);
CREATE TABLE depot.ordered (id int, note text) PARTITION BY RANGE (note public.fair_ops);
CREATE TABLE depot.ordered_some PARTITION OF depot.ordered FOR VALUES FROM ('m') TO ('a');
CREATE VIEW depot.over_distinct AS SELECT DISTINCT ON (id) id, x FROM depot.calc;
"""

NEWER = {
    18: f"""
CREATE TABLE depot.virtual_wages (id int PRIMARY KEY, pay int, x int GENERATED ALWAYS AS ({_X}));
CREATE VIEW depot.over_virtual AS SELECT id, x FROM depot.virtual_wages ORDER BY id;
CREATE TABLE depot.by_virtual (id int PRIMARY KEY, w float8, note text, v int GENERATED ALWAYS AS (length(w::text)),
    CONSTRAINT v_is_long CHECK (v > 3));
CREATE TABLE depot.by_virtual_row (id int PRIMARY KEY, w float8, note text,
    v int GENERATED ALWAYS AS (nullif(length(w::text), 3)), CHECK (by_virtual_row IS NOT NULL OR note = 'x'));
CREATE TABLE depot.by_virtual_null (id int PRIMARY KEY, w float8, note text,
    v int GENERATED ALWAYS AS (nullif(length(w::text), 3)) NOT NULL);
"""
}

_TABLES_OF_W = (
    "by_index", "by_predicate", "by_exclusion", "by_unique", "by_output", "by_domain", "by_text", "by_key", "extended",
)  # fmt: skip
_NEWER_TABLES_OF_W = ("by_virtual", "by_virtual_row", "by_virtual_null")

# Per twin: a float, a byte, a moment.
_VALUES = {"left": ("0.25", r"\x41", "2030-02-28 21:00Z"), "right": ("12.5", r"\x01", "2030-02-10 21:00Z")}
_WAGES = {"left": (100, 200, 300), "right": (250, 120, 110)}
# How wide the rows are that a parent shows.
_WIDTHS = {"left": 10, "right": 1000}


def fill(twin: str, version: int) -> str:
    w, raw, due = _VALUES[twin]
    tables = [*_TABLES_OF_W, *(_NEWER_TABLES_OF_W if version >= 18 else ())]
    lines = [f"INSERT INTO depot.{table} (id, w, note) VALUES (1, {w}, 'n');" for table in tables]
    lines += [
        f"INSERT INTO depot.by_move (id, half, w) VALUES (1, 1, {w});",
        f"INSERT INTO depot.by_bytes VALUES (1, '{raw}', 'n');",
        f"INSERT INTO depot.by_zone VALUES (1, '{due}', 'n'); INSERT INTO depot.by_row VALUES (1, '{due}', 'n');",
        f"INSERT INTO depot.owner VALUES (1); INSERT INTO depot.owned VALUES (1, 1, {w});",
        f"INSERT INTO depot.steady (id, w, raw, due, note) VALUES (1, {w}, '{raw}', '{due}', 'n');",
    ]
    for number, pay in enumerate(_WAGES[twin], 1):
        lines.append(f"INSERT INTO depot.wages VALUES ({number}, {number % 2}, {pay});")
        if version >= 18:
            lines.append(f"INSERT INTO depot.virtual_wages (id, pay) VALUES ({number}, {pay});")
    for number in range(60):
        table = "top_shelf" if number % 2 else "shelf"
        lines.append(f"INSERT INTO depot.{table} VALUES ({number}, 'n', repeat('x', {_WIDTHS[twin]}));")
    lines.append("REFRESH MATERIALIZED VIEW depot.kept; ANALYZE depot.rack; ANALYZE depot.shelf;")
    return "\n".join(lines)


MASKS = (
    MaskRule(
        tuple(f"depot.*.{name}" for name in ("w", "raw", "due", "pay", "label")),
        Mask("redact", Rule("support", "masks[10]")),
    ),
)

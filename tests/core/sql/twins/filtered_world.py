"""Two databases that differ in rows which a policy filters out only."""

from __future__ import annotations

from tests.core.sql.twins.world import Twins, read_catalog

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.policy.effective import EffectivePolicy, Mask, MaskRule, PolicySet, RowFilter, Rule

SCHEMA = """
CREATE TYPE public.state AS ENUM ('new', 'paid', 'void');
CREATE TABLE public.customer (id int PRIMARY KEY, name text, region text, secret text, born date);
CREATE TABLE public.orders (
    id int PRIMARY KEY, customer int REFERENCES public.customer (id), region text NOT NULL, amount int, price numeric,
    ratio float8, state public.state, at timestamptz, extra jsonb, card text
);
CREATE INDEX orders_amount ON public.orders (amount);
CREATE TABLE public.line (id int PRIMARY KEY, orders int REFERENCES public.orders (id) ON DELETE CASCADE, n int);
CREATE TABLE public.event (id int, region text, at date, n int) PARTITION BY RANGE (at);
CREATE TABLE public.event_old PARTITION OF public.event FOR VALUES FROM (MINVALUE) TO ('2030-01-01');
CREATE TABLE public.event_new PARTITION OF public.event FOR VALUES FROM ('2030-01-01') TO (MAXVALUE);
CREATE TABLE public.ticket (id serial PRIMARY KEY, region text, n int GENERATED ALWAYS AS IDENTITY);
CREATE TABLE public.plain (id int PRIMARY KEY, n int);
CREATE TABLE public.note (tenant int, id int, body text, n int UNIQUE, PRIMARY KEY (tenant, id));
CREATE TABLE public.memo (tenant int, id int, slug text, n int, PRIMARY KEY (tenant, id) INCLUDE (n));
CREATE UNIQUE INDEX memo_slug ON public.memo (tenant, slug) WHERE n > 0;
CREATE TABLE public.tag (tenant int, name text);
CREATE UNIQUE INDEX tag_name ON public.tag (tenant, lower(name));
CREATE TABLE public.task (
    id serial PRIMARY KEY, region text NOT NULL, kind varchar(1) DEFAULT 'a', n int, score numeric(4, 1),
    slug text UNIQUE
);
CREATE TABLE public.step (id int PRIMARY KEY, task int REFERENCES public.task (id), n int);
CREATE TABLE public.watched (id int, region text, n int);
CREATE FUNCTION public.numbers() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN NEW.n := NEW.n + 1; RETURN NEW; END';
CREATE TRIGGER numbers BEFORE INSERT OR UPDATE ON public.watched FOR EACH ROW EXECUTE FUNCTION public.numbers();
CREATE TABLE public.topic (id int PRIMARY KEY);
CREATE TABLE public.remark (topic int REFERENCES public.topic ON DELETE CASCADE, region text);
CREATE VIEW public.sums AS SELECT region, sum(amount) FROM public.orders GROUP BY region;
CREATE VIEW public.early AS SELECT id, n FROM public.event WHERE at < '2030-01-01';
CREATE VIEW public.plainly AS SELECT * FROM public.orders;
CREATE VIEW public.dear (number, cost, buyer) AS SELECT o.id, 1000 / o.amount, c.name
    FROM public.orders o LEFT JOIN public.customer c ON c.id = o.customer WHERE o.amount > 50 OR o.amount = 0;
CREATE VIEW public.best AS SELECT number, buyer FROM public.dear ORDER BY cost DESC, number LIMIT 3;
CREATE VIEW public.latest AS SELECT id, region FROM public.orders LIMIT 4;
CREATE VIEW public.several AS SELECT id, region FROM public.orders UNION ALL SELECT id, region FROM public.event
    UNION ALL SELECT n, 'none' FROM public.plain;
CREATE VIEW public.twice AS WITH t AS (SELECT id, amount FROM public.orders)
    SELECT a.id, (SELECT count(*) FROM t b WHERE b.amount < a.amount) AS below FROM t a;
CREATE VIEW public.people AS SELECT id, name, secret, upper(secret) AS loud FROM public.customer;
CREATE VIEW public.counted AS SELECT count(*) AS n, max(extract(year FROM at)) AS newest FROM public.orders;
CREATE VIEW public.ranked AS SELECT id, row_number() OVER (ORDER BY amount) AS place FROM public.orders;
CREATE VIEW public.closed WITH (security_barrier) AS SELECT id FROM public.orders;
CREATE VIEW public.over_closed AS SELECT id FROM public.closed;
CREATE TABLE public.secured (id int, region text);
ALTER TABLE public.secured ENABLE ROW LEVEL SECURITY;
CREATE VIEW public.over_secured AS SELECT s.id FROM public.secured s JOIN public.orders o USING (id);
CREATE MATERIALIZED VIEW public.stored AS SELECT id, region, amount FROM public.orders WITH NO DATA;
CREATE VIEW public.over_stored AS SELECT id FROM public.stored;
CREATE FUNCTION public.total() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(amount) FROM public.orders';
"""
# What both have, in two steps, and what each has besides in the other region.
SHOWN = """
INSERT INTO public.customer SELECT n, 'name ' || n, 'eu', 's' || n, '2000-01-01' FROM generate_series(1, 20) n;
INSERT INTO public.orders SELECT n, n % 20 + 1, 'eu', n * 10, n, n / 3.0, 'paid', '2030-01-01 00:00Z', '{"a": 1}',
    '4000' || n FROM generate_series(1, 20) n;
"""
LATER = """
INSERT INTO public.orders SELECT n, n % 20 + 1, 'eu', n * 10, n, n / 3.0, 'paid', '2030-01-01 00:00Z', '{"a": 1}',
    '4000' || n FROM generate_series(21, 40) n;
INSERT INTO public.line SELECT n, n % 40 + 1, n FROM generate_series(1, 80) n;
INSERT INTO public.event SELECT n, 'eu', '2029-12-01'::date + n, n FROM generate_series(1, 60) n;
INSERT INTO public.ticket (id, region) SELECT n, 'eu' FROM generate_series(1, 5) n;
INSERT INTO public.note SELECT 5, n, 'note ' || n, n FROM generate_series(1, 10) n;
INSERT INTO public.memo SELECT 5, n, 's' || n, n FROM generate_series(1, 9) n;
INSERT INTO public.task SELECT n, 'eu', 'a', n, n, 's' || n FROM generate_series(1, 10) n;
INSERT INTO public.step SELECT n, n, n FROM generate_series(1, 5) n;
INSERT INTO public.watched SELECT n, 'eu', n FROM generate_series(1, 5) n;
INSERT INTO public.plain SELECT n, n FROM generate_series(1, 10) n;
"""
HIDDEN = {
    "left": """
INSERT INTO public.customer VALUES (100, 'Zed', 'us', 'x', NULL);
INSERT INTO public.orders VALUES (1000, 1, 'us', 0, 0, 0, 'void', '2030-01-01Z', '[]', 'no'),
    (1001, 2, 'us', 77, 1, 1, 'new', NULL, NULL, '('), (1002, 2, 'us', 0, 1, 1, 'new', NULL, NULL, '1');
INSERT INTO public.event VALUES (1000, 'us', '2029-01-01', 0), (1001, 'us', '2031-01-01', 0);
INSERT INTO public.note VALUES (6, 1, 'x', 100), (6, 2, NULL, 0);
INSERT INTO public.watched VALUES (100, 'us', 0), (101, 'us', NULL);
INSERT INTO public.memo VALUES (6, 1, 's1', 1), (6, 20, 'new', 1);
INSERT INTO public.task VALUES (50, 'us', 'a', 0, 0, 'no');
SELECT setval('public.ticket_id_seq', 100);
""",
    "right": """
INSERT INTO public.customer SELECT n, 'Ann', 'us', 'y', '1990-01-01' FROM generate_series(200, 900) n;
INSERT INTO public.orders SELECT n, 3, 'us', n, n, n, 'new', '2031-01-01Z', '{"b": 2}', n::text
    FROM generate_series(2000, 2900) n;
INSERT INTO public.note SELECT 7, n, 'y', n FROM generate_series(200, 300) n;
INSERT INTO public.watched SELECT n, 'us', n FROM generate_series(200, 300) n;
INSERT INTO public.task SELECT n, 'us', 'b', n, 1, 't' || n FROM generate_series(60, 90) n;
INSERT INTO public.event SELECT n, 'us', '2030-06-01', n FROM generate_series(2000, 2100) n;
""",
}
# In one of them hidden rows come first, and some go again, so that later ones lie before earlier ones.
FILL = {
    "left": (SHOWN + LATER, HIDDEN["left"]),
    "right": (
        "SET session_replication_role = replica;" + HIDDEN["right"] + SHOWN,
        "DELETE FROM public.orders WHERE id BETWEEN 2000 AND 2500", "VACUUM public.orders", LATER,
    ),
}  # fmt: skip


def rule(path: str) -> Rule:
    return Rule("support", path)


POLICIES = PolicySet(
    policies=("support",),
    allow=frozenset({"select", "insert", "update", "delete", "truncate"}),
    masks=(MaskRule(("public.customer.secret",), Mask("redact", rule("masks[0]"))),),
    row_filters=(
        RowFilter(("public", "customer"), "region = 'eu'", rule("rowFilters[0]")),
        RowFilter(("public", "orders"), "region IN ('eu', 'uk') AND state <> 'void'", rule("rowFilters[1]")),
        RowFilter(("public", "event"), "region = 'eu'", rule("rowFilters[2]")),
        RowFilter(("public", "ticket"), "region = 'eu'", rule("rowFilters[3]")),
        RowFilter(("public", "note"), "tenant = 5", rule("rowFilters[4]")),
        RowFilter(("public", "memo"), "tenant = 5", rule("rowFilters[8]")),
        RowFilter(("public", "tag"), "tenant = 5", rule("rowFilters[9]")),
        RowFilter(("public", "task"), "region = 'eu' AND kind <> 'x' AND score < 100", rule("rowFilters[5]"), True),
        RowFilter(("public", "remark"), "region = 'eu'", rule("rowFilters[7]"), True),
        RowFilter(("public", "watched"), "region IN ('eu', 'uk', 'fr', 'de')", rule("rowFilters[6]")),
    ),
)
POLICY = EffectivePolicy("shop", POLICIES, None, 3)


def make_filtered_twins(server: EmbeddedPostgres, name: str) -> Twins:
    """Make both in that server, of one template, so that even the object ids are the same."""
    server.psql(f"CREATE DATABASE {name}_template")
    server.psql(SCHEMA, f"{name}_template")
    for twin, filling in FILL.items():
        server.psql(f"CREATE DATABASE {name}_{twin} TEMPLATE {name}_template")
        for sql in (*filling, "REFRESH MATERIALIZED VIEW public.stored", "ANALYZE"):
            server.psql(sql, f"{name}_{twin}")
    left, right = (server.url(f"{name}_{twin}") for twin in FILL)
    return Twins(left, right, read_catalog(left))

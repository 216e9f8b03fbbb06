"""Two databases that differ in masked columns only, their masks' outputs equal, and what a client sees of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import psycopg
from pglast import split
from psycopg import pq
from tests.core.sql.twins import world_stored

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.policy.effective import EffectivePolicy, Mask, MaskRule, PolicySet, Rule
from penstock_core.sql.catalog.model import Catalog
from penstock_core.sql.catalog.snapshot import STATEMENTS, snapshot
from penstock_core.sql.decision import Action, Decision
from penstock_core.sql.governor import Governor

# The protocol that a statement comes by, and the format of its results in the extended one.
Mode = Literal["simple", "extended", "binary"]

KEY = b"a key of the tests' own, 32 long"

SCHEMA = """
CREATE SCHEMA attic;
CREATE DOMAIN public.code AS varchar(8) CHECK (VALUE ~ '^[A-Z]+$');
CREATE TYPE public.mood AS ENUM ('good', 'bad');
CREATE TABLE public.u (
    id int PRIMARY KEY, email varchar(40) UNIQUE, ssn text, salary int, dom public.code, note text, cap int,
    mail_key text GENERATED ALWAYS AS (lower(email)) STORED, CHECK (salary <= cap)
);
CREATE TABLE public.o (
    id int PRIMARY KEY, uid int REFERENCES public.u(id), email varchar(40) REFERENCES public.u(email) ON UPDATE CASCADE,
    amount numeric(8,2), mood public.mood
);
CREATE TABLE public.kid (extra int) INHERITS (public.u);
CREATE TABLE attic.u (id int PRIMARY KEY, plain text);
CREATE TABLE public.secret (id int, body text, CONSTRAINT secret_pk PRIMARY KEY (id));
CREATE TABLE public.log (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, line text, n int);
CREATE TABLE public.watched (id int);
CREATE VIEW public.v AS SELECT id, email AS address, upper(ssn) AS loud, note FROM public.u;
CREATE VIEW public.rich AS SELECT id, note FROM public.u WHERE salary > 150;
CREATE VIEW public.plain AS SELECT id, note FROM public.u;
CREATE TABLE public.family (id int);
CREATE TABLE public.member (ssn text) INHERITS (public.family);
CREATE TABLE public.club (id int PRIMARY KEY);
CREATE TABLE public.card (club int REFERENCES public.club(id) ON DELETE CASCADE, ssn text);
CREATE VIEW public.joined AS SELECT u.id, o.amount, u.email FROM public.u JOIN public.o ON o.uid = u.id;
CREATE FUNCTION public.peek(int) RETURNS text LANGUAGE sql AS 'SELECT email FROM public.u WHERE id = $1';
CREATE FUNCTION public.row_email(public.o) RETURNS text LANGUAGE sql
    AS 'SELECT email FROM public.u WHERE id = ($1).uid';
CREATE FUNCTION public.watch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER watch BEFORE INSERT OR UPDATE ON public.watched FOR EACH ROW EXECUTE FUNCTION public.watch();
CREATE FUNCTION public.same_mail(int, int) RETURNS bool LANGUAGE sql
    AS 'SELECT (SELECT email FROM public.u WHERE id = $1) < (SELECT email FROM public.u WHERE id = $2)';
CREATE OPERATOR public.<% (FUNCTION = public.same_mail, LEFTARG = int, RIGHTARG = int);
CREATE VIEW public.peeking AS SELECT id, public.peek(id) AS seen FROM public.o;
CREATE DOMAIN public.leaky AS int CHECK (public.peek(VALUE) IS NULL OR public.peek(VALUE) < 'dk');
CREATE VIEW public.histogram AS SELECT attname, most_common_vals::text AS seen FROM pg_stats WHERE tablename = 'u';
CREATE VIEW public.exported AS SELECT query_to_xml('SELECT email FROM public.u', true, true, '')::text AS seen;
CREATE VIEW public.over_rich AS SELECT count(*) FROM public.rich;
CREATE VIEW public.grouped AS SELECT count(*) FROM public.u GROUP BY email;
CREATE VIEW public.distinct_mail AS SELECT DISTINCT email FROM public.u;
CREATE VIEW public.unnested AS SELECT id, unnest(string_to_array(ssn, '1')) IS NULL AS part FROM public.u;
CREATE VIEW public.renamed AS SELECT id AS salary FROM public.u WHERE salary > 150;
CREATE VIEW public.pair_of_rows AS SELECT u AS whole, u.id FROM public.u;
CREATE VIEW public.exists_mail AS SELECT o.id, EXISTS (SELECT FROM public.u WHERE u.email < 'dk') AS seen FROM public.o;
CREATE VIEW public.mails AS SELECT email FROM public.u UNION ALL SELECT note FROM public.u;
CREATE TABLE public.picky (id int, x public.leaky);
CREATE TABLE public.walled (id int);
ALTER TABLE public.walled ENABLE ROW LEVEL SECURITY;
CREATE POLICY wall ON public.walled USING (id IN (SELECT id FROM public.u WHERE salary > 150));
CREATE TABLE public.pair (id int, x public.leaky);
INSERT INTO public.pair VALUES (1, NULL);
CREATE TABLE public.pile (id int, xs public.leaky[]);
CREATE TYPE public.thing AS (a int, b text);
CREATE FUNCTION public.thing_text(public.thing) RETURNS text LANGUAGE sql AS 'SELECT public.peek(($1).a)';
CREATE CAST (public.thing AS text) WITH FUNCTION public.thing_text(public.thing) AS IMPLICIT;
CREATE TABLE public.things (id int, t public.thing);
INSERT INTO public.things VALUES (1, (1, 'x'));
CREATE FUNCTION public.fair(text, text) RETURNS int LANGUAGE sql IMMUTABLE
    AS 'SELECT CASE WHEN public.peek(1) < ''dk'' THEN bttextcmp($1, $2) ELSE bttextcmp($2, $1) END';
CREATE OPERATOR CLASS public.fair_ops FOR TYPE text USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =,
    OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 public.fair(text, text);
CREATE TABLE public.ranked (id int, note text);
CREATE INDEX ranked_note ON public.ranked (note public.fair_ops);
CREATE TYPE public.grade AS (a int, b int);
CREATE FUNCTION public.finer(public.grade, public.grade) RETURNS int LANGUAGE sql IMMUTABLE
    AS 'SELECT CASE WHEN public.peek(1) < ''dk'' THEN ($1).a - ($2).a ELSE ($2).a - ($1).a END';
CREATE FUNCTION public.fine(public.grade, public.grade) RETURNS bool LANGUAGE sql IMMUTABLE
    AS 'SELECT public.finer($1, $2) < 0';
CREATE FUNCTION public.alike(public.grade, public.grade) RETURNS bool LANGUAGE sql IMMUTABLE
    AS 'SELECT public.finer($1, $2) = 0';
CREATE OPERATOR public.<<# (FUNCTION = public.fine, LEFTARG = public.grade, RIGHTARG = public.grade);
CREATE OPERATOR public.==# (FUNCTION = public.alike, LEFTARG = public.grade, RIGHTARG = public.grade);
CREATE OPERATOR CLASS public.grade_ops DEFAULT FOR TYPE public.grade USING btree
    AS OPERATOR 1 public.<<#, OPERATOR 3 public.==#, FUNCTION 1 public.finer(public.grade, public.grade);
CREATE TABLE public.graded (id int, g public.grade);
INSERT INTO public.graded VALUES (1, (1, 1)), (2, (2, 2));
CREATE FUNCTION public.upper(public.log) RETURNS text LANGUAGE sql AS 'SELECT public.peek(($1).n)';
CREATE FUNCTION public.line_mail(public.log) RETURNS text LANGUAGE sql AS 'SELECT public.peek(($1).n)';
CREATE FUNCTION public.any_mail(record) RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN public.peek(1); END';
CREATE VIEW public.one_per_ssn AS SELECT DISTINCT ON (ssn) id, note FROM public.u;
CREATE VIEW public.kept AS WITH c AS MATERIALIZED (SELECT id, 1 / (salary - 100) AS x FROM public.u)
    SELECT id, x FROM c;
CREATE VIEW public.used_twice AS WITH c AS (SELECT id, 1 / (salary - 100) AS x FROM public.u)
    SELECT a.id, a.x, b.x AS y FROM c AS a JOIN c AS b ON a.id = b.id;
CREATE VIEW public.used_once AS WITH c AS (SELECT id, 1 / (salary - 100) AS x FROM public.u) SELECT id, x FROM c;
CREATE VIEW public.once_but_random AS WITH c AS (SELECT id, 1 / (salary - 100) AS x, random() AS r FROM public.u)
    SELECT id, x FROM c;
CREATE VIEW public.blurred AS SELECT id, 1 / (salary - 100) + random() AS x FROM public.u;
CREATE VIEW public.bounded AS (SELECT id, 1 / (salary - 100) AS x FROM public.u UNION ALL SELECT 1, 2) LIMIT 100;
CREATE VIEW public.calendar AS SELECT d::date AS day FROM generate_series('2030-01-01'::date, '2030-01-03', '1 day') d;
CREATE TABLE public.visit (
    id int PRIMARY KEY, born date, at timestamptz, seen timestamp(0), spent numeric(8,2), steps int
);
CREATE VIEW public.ages AS SELECT id, born AS birthday, '2030-01-01'::date - born AS days, spent FROM public.visit;
INSERT INTO attic.u VALUES (1, 'old'), (2, 'older');
CREATE TABLE public.staff (
    id int PRIMARY KEY, dept int, email text, pay int, note text DEFAULT 'none',
    twice int GENERATED ALWAYS AS (dept * 2) STORED, UNIQUE (dept, note), CHECK (pay > 0)
);
CREATE TABLE public.clerk (desk int) INHERITS (public.staff);
CREATE TABLE public.duty (id int PRIMARY KEY, person int REFERENCES public.staff(id) ON DELETE CASCADE, task text);
CREATE TABLE public.badge (
    id int PRIMARY KEY, ssn text, room int, floor int, held int, seen text GENERATED ALWAYS AS (ssn || floor::text)
    STORED, CONSTRAINT badge_held CHECK (held > room OR ssn < '5') NO INHERIT
);
CREATE UNIQUE INDEX badge_room ON public.badge (room) WHERE ssn < '5';
CREATE TABLE public.pass (id int, ssn text, note text);
ALTER TABLE public.pass ADD CONSTRAINT pass_ssn CHECK (ssn < '5') NOT VALID;
CREATE TABLE public.split (id int, ssn text, half int) PARTITION BY LIST (half);
CREATE TABLE public.split_one PARTITION OF public.split FOR VALUES IN (1);
CREATE TABLE public.split_two PARTITION OF public.split FOR VALUES IN (2);
CREATE UNIQUE INDEX split_two_ssn ON public.split_two (ssn);
CREATE VIEW public.staff_view AS SELECT id, note, pay FROM public.staff;
CREATE TABLE public.boss (
    id int PRIMARY KEY, over int REFERENCES public.boss(id) ON UPDATE CASCADE ON DELETE SET NULL, pay int, note text,
    CHECK (over < 100 OR pay < 200), CHECK (over IS NOT NULL OR pay < 200)
);
CREATE TABLE public.firm (id int PRIMARY KEY);
CREATE TABLE public.unit (id int PRIMARY KEY REFERENCES public.firm (id) ON UPDATE CASCADE ON DELETE CASCADE);
CREATE TABLE public.seat (
    id int REFERENCES public.unit (id) ON UPDATE CASCADE ON DELETE SET NULL, ssn text,
    CHECK (id IS NOT NULL OR ssn < '5'), CHECK (id < 50 OR ssn < '5')
);
CREATE TABLE public.chair (
    id int PRIMARY KEY, next int REFERENCES public.chair (id) ON UPDATE CASCADE ON DELETE SET NULL, pay int UNIQUE,
    CHECK (pay > 0)
);
CREATE TABLE public.cust (id int, ssn text, note text, room int, way text) PARTITION BY RANGE (ssn);
CREATE TABLE public.cust_low PARTITION OF public.cust (CHECK (note <> 'bad'), UNIQUE (id))
    FOR VALUES FROM (MINVALUE) TO ('5');
CREATE TABLE public.cust_high PARTITION OF public.cust FOR VALUES FROM ('5') TO (MAXVALUE);
ALTER TABLE public.cust_high ALTER room SET NOT NULL;
CREATE TABLE public.guest (id int PRIMARY KEY, cust int REFERENCES public.cust_low (id) ON DELETE CASCADE);
CREATE VIEW public.cust_ids AS SELECT id FROM public.cust_low;
CREATE TABLE public.shift (id int, half int, pay int) PARTITION BY LIST (half);
CREATE TABLE public.shift_one PARTITION OF public.shift FOR VALUES IN (1);
CREATE TABLE public.shift_two PARTITION OF public.shift (CHECK (pay > 150)) FOR VALUES IN (2);
CREATE TABLE public.lease (id int, ends timestamptz CHECK (ends::date < '2030-01-02'), note text);
CREATE VIEW public.knobs AS SELECT name, setting FROM pg_settings;
CREATE VIEW public.few_knobs AS SELECT * FROM public.knobs WHERE name < 'x';
CREATE VIEW public.disguised AS SELECT id, id::public.leaky::int AS x FROM public.o;
CREATE TABLE public.stamped (id int, x int DEFAULT 1::public.leaky::int);
CREATE TABLE public.ranks (id int, note text);
CREATE TABLE public.ranks_kept () INHERITS (public.ranks);
CREATE INDEX ranks_kept_note ON public.ranks_kept (note public.fair_ops);
CREATE TABLE public.gap (id int, pay int, note text);
CREATE TABLE public.wide (id int PRIMARY KEY, body text, note text);
CREATE TABLE public.counted (id serial PRIMARY KEY, ssn serial);
"""

# What only newer servers know.
NEWER = {18: "ALTER TABLE public.gap ADD CONSTRAINT gap_pay NOT NULL pay NOT VALID"}

# Per twin, of equal length and with equal masks: email, ssn, salary, code.
PEOPLE = {
    "left": [
        ("dora@example.com", "111-22-3333", 100, "AA"),
        ("emil@example.org", "444-55-3333", 200, "BB"),
        ("finn@example.com", "777-88-9999", 300, "CC"),
        (None, None, None, None),
    ],
    "right": [
        ("dina@example.com", "999-99-3333", 250, "ZZ"),
        ("ella@example.org", "999-99-3333", 120, "YY"),
        ("fynn@example.com", "123-45-9999", 110, "XX"),
        (None, None, None, None),
    ],
}

# Likewise, of what is rounded down: a birthday, two moments, an amount, a count.
VISITS = {
    "left": [
        ("1984-11-23", "2024-01-15 10:00+00", "2024-05-01 10:00", "12.50", 1040),
        ("1984-02-01", "2024-01-31 23:59+00", "2024-05-31 00:00", "19.99", 1099),
        ("1990-01-01", "2023-12-31 23:59+00", "2024-04-30 23:59", "-0.01", -1),
        (None, None, None, None, None),
    ],
    "right": [
        ("1984-01-23", "2024-01-01 00:00+00", "2024-05-31 23:59", "10.00", 1000),
        ("1984-12-31", "2024-01-09 07:31+00", "2024-05-02 13:12", "11.11", 1001),
        ("1990-12-31", "2023-12-01 00:00+00", "2024-04-02 02:02", "-9.99", -100),
        (None, None, None, None, None),
    ],
}


def fill(twin: str) -> str:
    people = PEOPLE[twin]
    lines = []
    for number, (email, ssn, salary, code) in enumerate(people, 1):
        values = ", ".join("NULL" if value is None else f"'{value}'" for value in (email, ssn, salary, code))
        lines.append(
            f"INSERT INTO public.u (id, email, ssn, salary, dom, note, cap)"
            f" VALUES ({number}, {values}, 'note {number}', 500);"
        )
    email, ssn, salary, code = people[1]
    lines.append(
        f"INSERT INTO public.kid (id, email, ssn, salary, dom, note, cap, extra)"
        f" VALUES (9, 'kid-{email}', '{ssn}', {salary}, '{code}', 'kid', 500, 7);"
    )
    for number in (1, 2, 3, 4):
        person = people[number % 3]
        lines.append(
            f"INSERT INTO public.o VALUES ({number}, {number % 3 + 1}, '{person[0]}', {number}.50, 'good');"
            f"INSERT INTO public.secret VALUES ({number}, '{person[1]}');"
        )
    for number in (1, 2, 3):
        email, ssn, salary, _ = people[number - 1]
        table, more = ("clerk", "desk") if number == 3 else ("staff", "note")
        lines.append(
            f"INSERT INTO public.{table} (id, dept, email, pay, {more})"
            f" VALUES ({number}, {number}, '{email}', {salary}, '{number}');"
            f"INSERT INTO public.pass VALUES ({number}, '4{ssn}', 'x');"
            f"INSERT INTO public.split VALUES ({number}, '{ssn}', {number % 2 + 1});"
        )
        lines.append(
            f"INSERT INTO public.cust VALUES ({number}, '{ssn}', 'x', {number});"
            f"INSERT INTO public.boss VALUES ({number}, 1, {salary}, 'x');"
            f"INSERT INTO public.shift VALUES ({number}, 1, {salary});"
            f"INSERT INTO public.lease VALUES ({number}, '2030-01-01Z'::timestamptz + {salary} * '4 min'::interval);"
            f"INSERT INTO public.firm VALUES ({number});"
            f"INSERT INTO public.unit VALUES ({number}); INSERT INTO public.seat VALUES ({number}, '{ssn}');"
            f"INSERT INTO public.chair VALUES ({number}, 1, {salary});"
            f"INSERT INTO public.gap VALUES ({number}, nullif({salary}, 100));"
        )
    lines.append("INSERT INTO public.guest SELECT id, id FROM public.cust_low;")
    lines.append("INSERT INTO public.duty VALUES (1, 2, 'd'), (2, 1, 'e'), (3, 2, 'f');")
    for number, visit in enumerate(VISITS[twin], 1):
        shown = ", ".join("NULL" if value is None else f"'{value}'" for value in visit)
        lines.append(f"INSERT INTO public.visit VALUES ({number}, {shown});")
    lines.append("INSERT INTO public.log (line, n) VALUES ('first', 1), ('second', 2);")
    # Rows of different width, so that they take more room; and what older rows have in a column that came later.
    width = {"left": 1, "right": 40}[twin]
    lines.append(
        "INSERT INTO public.wide SELECT n, (SELECT string_agg(md5(n + i || 'x'), '')"
        f" FROM generate_series(1, {width}) i), 'x' FROM generate_series(1, 200) n;"
        f"ALTER TABLE public.wide ADD late text DEFAULT '{twin}'; ALTER TABLE public.wide ALTER late DROP DEFAULT;"
        f"SELECT setval('public.counted_ssn_seq', {100 * width});"
    )
    lines.append("ANALYZE;")
    return "\n".join(lines)


def rule(path: str) -> Rule:
    return Rule("support", path)


POLICIES = PolicySet(
    policies=("support",),
    allow=frozenset({"select", "insert", "update", "delete"}),
    masks=(
        MaskRule(("public.u.email",), Mask("email", rule("masks[0]"))),
        MaskRule(("*.*.ssn",), Mask("partial", rule("masks[1]"), keep_last=4)),
        MaskRule(("public.u.salary",), Mask("redact", rule("masks[2]"))),
        MaskRule(("public.u.dom",), Mask("redact", rule("masks[3]"))),
        MaskRule(("public.staff.email",), Mask("email", rule("masks[5]"))),
        MaskRule(("public.staff.pay",), Mask("redact", rule("masks[6]"))),
        MaskRule(
            ("public.boss.pay", "public.shift.pay", "public.lease.ends", "public.gap.pay", "public.chair.pay"),
            Mask("redact", rule("masks[9]")),
        ),
        MaskRule(("public.secret.body", "public.wide.body", "public.wide.late"), Mask("null", rule("masks[4]"))),
        MaskRule(("public.visit.born",), Mask("year", rule("masks[5]"))),
        MaskRule(("public.visit.at", "public.visit.seen"), Mask("month", rule("masks[6]"))),
        MaskRule(("public.visit.spent",), Mask("bucket", rule("masks[7]"), size=10.0)),
        MaskRule(("public.visit.steps",), Mask("bucket", rule("masks[8]"), size=100.0)),
        *world_stored.MASKS,
    ),
)
POLICY = EffectivePolicy("shop", POLICIES, None, 3)


@dataclass(frozen=True)
class Seen:
    """All that a client sees of one statement."""

    sqlstate: str
    message: str
    status: str
    columns: tuple[tuple[str, int, int, int], ...]
    rows: tuple[tuple[bytes | None, ...], ...]

    @property
    def ok(self) -> bool:
        return not self.sqlstate


@dataclass(frozen=True)
class Twins:
    left: str
    right: str
    catalog: Catalog

    def governor(self, policy: EffectivePolicy = POLICY) -> Governor:
        return Governor(policy, self.catalog, KEY)

    def run(self, decision: Decision, mode: Mode = "simple") -> tuple[Seen, Seen]:
        """What clients of the two see, errors reduced as the session does for governed data."""
        return see(self.left, decision, mode=mode), see(self.right, decision, mode=mode)


def see(url: str, decision: Decision, before: str = "SELECT", mode: Mode = "simple") -> Seen:
    """Run a decision's text, after something that the gate did not see, and roll it all back."""
    if decision.action is Action.DENY:
        raise AssertionError(decision.denial)
    with psycopg.connect(url, autocommit=True) as connection:
        server = connection.pgconn
        server.exec_(b"BEGIN")
        server.exec_(before.encode())
        result = _run(server, decision.text, mode)
        copied = b""
        if result.status == pq.ExecStatus.COPY_OUT:
            while (chunk := server.get_copy_data(0))[0] > 0:
                copied += bytes(chunk[1])
            last = server.get_result()
            assert last is not None
            result = last
        seen = _seen(result, copied, decision.redact_errors)
        server.exec_(b"ROLLBACK")
        server.exec_(b"DISCARD ALL")
        return seen


def _run(server: pq.abc.PGconn, text: str, mode: Mode) -> pq.abc.PGresult:
    """By the extended protocol one statement after the other, up to the first that fails."""
    if mode == "simple":
        return server.exec_(text.encode())
    for statement in split(text):
        result = server.exec_params(statement.encode(), [], result_format=mode == "binary")
        if result.status == pq.ExecStatus.FATAL_ERROR:
            break
    return result


def _seen(result: pq.abc.PGresult, copied: bytes, reduced: bool) -> Seen:
    sqlstate = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
    message = "" if reduced else (result.error_message or b"").decode()
    columns = tuple(
        ((result.fname(n) or b"").decode(), result.ftype(n), result.fsize(n), result.fmod(n))
        for n in range(result.nfields)
    )
    rows = tuple(
        tuple(result.get_value(row, column) for column in range(result.nfields)) for row in range(result.ntuples)
    )
    if copied:
        rows = tuple((line,) for line in copied.splitlines())
    return Seen(sqlstate, message, (result.command_status or b"").decode(), columns, rows)


def make_twins(
    server: EmbeddedPostgres, name: str = "twin", schema: str = SCHEMA, more: Callable[[str], str] = lambda _: ""
) -> Twins:
    """Twins by that name; `more` fills what else the schema has, for each twin."""
    # Of one template, so that even the object ids are the same.
    server.psql(f"CREATE DATABASE {name}_template")
    server.psql(schema, f"{name}_template")
    server.psql(world_stored.SCHEMA, f"{name}_template")
    for version, newer in world_stored.NEWER.items():
        if server.version >= version:
            server.psql(newer, f"{name}_template")
    urls = {}
    for twin in PEOPLE:
        own = f"{name}_{twin}"
        server.psql(f"CREATE DATABASE {own} TEMPLATE {name}_template")
        server.psql(f"{fill(twin)}\n{more(twin)}", own)
        for version, newer in NEWER.items():
            if server.version >= version:
                server.psql(newer, own)
        server.psql(world_stored.fill(twin, server.version), own)
        urls[twin] = server.url(own)
    return Twins(urls["left"], urls["right"], read_catalog(urls["left"]))


def read_catalog(url: str) -> Catalog:
    with psycopg.connect(url, autocommit=True) as connection:
        return read_catalog_of(connection)


def read_catalog_of(connection: psycopg.Connection) -> Catalog:
    """As the connection sees it, within its transaction if there is one."""
    documents = {}
    inside = connection.info.transaction_status != pq.TransactionStatus.IDLE
    for name, sql in STATEMENTS:
        if inside and sql.startswith(("BEGIN", "COMMIT")):
            continue
        cursor = connection.execute(sql)
        if name:
            row = cursor.fetchone()
            assert row is not None
            documents[name] = row[0]
    return snapshot(documents, generation=1)

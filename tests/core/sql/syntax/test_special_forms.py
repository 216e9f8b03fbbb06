"""Syntax that the server treats by a bare name or by a form of its own: printed by the gate it means what it meant."""

from __future__ import annotations

import psycopg
import pytest
from tests.core.sql.twins.world import KEY, read_catalog, see

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.policy.effective import EffectivePolicy, Mask, MaskRule, PolicySet, Rule
from penstock_core.sql.decision import Action, Decision
from penstock_core.sql.governor import Governor

NOT_BUILT_IN = "0A000"

SCHEMA = """
CREATE TABLE public.person (
    id int PRIMARY KEY, mail text, note text, at timestamptz, days int[], words text[], doc text, data json
);
INSERT INTO public.person VALUES
    (1, 'dora@example.com', ' One ', '2030-02-03 04:05:06+00', '{1,2,3}', '{a,b}', '<a><b>7</b></a>', '{"k": [1, 2]}'),
    (2, 'emil@example.org', 'Two', '2031-02-03 04:05:06+00', '{4}', '{c,d}', '<a/>', '{"k": null}');
CREATE TABLE public.note (id int PRIMARY KEY, line text);
INSERT INTO public.note VALUES (1, 'a'), (2, 'b');
SET timezone = 'UTC';
"""
POLICY = EffectivePolicy(
    "forms",
    PolicySet(
        ("support",),
        frozenset({"select", "insert", "update", "delete"}),
        masks=(MaskRule(("public.person.mail",), Mask("redact", Rule("support", "masks[0]"))),),
    ),
    None,
)

# Of a row of `person`.
EXPRESSIONS = """
EXTRACT(year FROM at)
EXTRACT('epoch' FROM at)
OVERLAY(note PLACING 'xx' FROM 2)
OVERLAY(note PLACING 'xx' FROM 2 FOR 1)
SUBSTRING(note FROM 2)
SUBSTRING(note FROM 1 FOR 2)
SUBSTRING(note FOR 2)
SUBSTRING(note FROM 'n.')
SUBSTRING(note FROM '%#"w#"%' FOR '#')
SUBSTRING(note SIMILAR '%#"w#"%' ESCAPE '#')
SUBSTRING(note, 2, 1)
POSITION('w' IN note)
TRIM(note)
TRIM(BOTH FROM note)
TRIM(LEADING ' O' FROM note)
TRIM(TRAILING 'o' FROM note)
TRIM(BOTH 'T', note)
at AT TIME ZONE 'Europe/Paris'
at AT TIME ZONE interval '1 hour'
(at AT TIME ZONE 'UTC')::date
NORMALIZE(note)
NORMALIZE(note, NFKC)
note IS NORMALIZED
note IS NOT NFD NORMALIZED
COLLATION FOR (note)
COALESCE(note, 'x')
GREATEST(id, 2)
LEAST(id, 2)
NULLIF(id, 2)
note LIKE ' O%' ESCAPE '#'
note ILIKE 't#%' ESCAPE '#'
note NOT LIKE 'T%'
note SIMILAR TO '(T|w)%'
note NOT SIMILAR TO 'T%' ESCAPE '#'
id BETWEEN 1 AND 1
id NOT BETWEEN SYMMETRIC 3 AND 2
(at, at) OVERLAPS (at, interval '1 day')
CAST(id AS text)
text 'typed'
date '2030-01-01'
interval '1' year
interval '1-2' year to month
TREAT(id AS int8)
XMLELEMENT(name x, XMLATTRIBUTES(id AS n, note), note)
XMLFOREST(id, note AS b)
XMLCONCAT(doc::xml, doc::xml)
XMLPARSE(CONTENT '<a/>')
XMLPARSE(DOCUMENT '<a/>' PRESERVE WHITESPACE)
XMLPI(name x, 'y')
XMLROOT(doc::xml, VERSION '1.0', STANDALONE YES)
XMLSERIALIZE(CONTENT doc::xml AS text)
XMLEXISTS('//b' PASSING BY VALUE (doc::xml))
doc::xml IS DOCUMENT
doc::xml IS NOT DOCUMENT
(CURRENT_DATE > '2000-01-01')
(CURRENT_TIMESTAMP(0) > '2000-01-01')
(LOCALTIME(0) IS NOT NULL)
(LOCALTIMESTAMP > '2000-01-01')
(CURRENT_TIME IS NOT NULL)
CURRENT_USER
CURRENT_ROLE
SESSION_USER
USER
CURRENT_CATALOG
CURRENT_SCHEMA
ROW(id, note)
(id, note) = (1, ' One ')
(id, note) IS DISTINCT FROM ROW(1, ' One ')
ARRAY[id, 2]
ARRAY[[id, 2], [3, 4]]
ARRAY(SELECT line FROM note ORDER BY id)
days[1]
days[1:2]
days[:2]
days[2:]
id IN (1, 3)
id = ANY (days)
id < ALL (days)
(id > 1) IS UNKNOWN
(id > 1) IS NOT TRUE
note COLLATE "C"
(note || 'x') COLLATE "POSIX" < 'y'
CASE id WHEN 1 THEN 'one' ELSE 'more' END
CASE WHEN id > 1 THEN note END
- id
id OPERATOR(pg_catalog.+) 1
B'101'
X'1F'
U&'d\\0061ta'
$$a ' b$$
E'a\\'b'
1e3
-1
data -> 'k'
JSON_OBJECT('{a,1}')
JSON_OBJECT('a': id, 'b': note NULL ON NULL)
JSON_OBJECT('a' VALUE id ABSENT ON NULL WITH UNIQUE KEYS RETURNING jsonb)
JSON_ARRAY(id, note)
JSON_ARRAY(id, NULL NULL ON NULL)
JSON_ARRAY(SELECT line FROM note ORDER BY id)
data IS JSON OBJECT
data::text IS NOT JSON SCALAR
data::text IS JSON WITH UNIQUE KEYS
JSON('{"a": 1}')
JSON_SCALAR(id)
JSON_SERIALIZE(data RETURNING text)
JSON_EXISTS(data::jsonb, '$.k')
JSON_VALUE(data::jsonb, '$.k[0]' RETURNING int DEFAULT 0 ON EMPTY)
JSON_QUERY(data::jsonb, '$.k' WITH WRAPPER)
SYSTEM_USER IS NULL
""".strip().splitlines()

AGGREGATES = """
GROUPING(id)
string_agg(DISTINCT note, ',' ORDER BY note)
array_agg(id ORDER BY at DESC NULLS LAST)
percentile_disc(0.5) WITHIN GROUP (ORDER BY id)
count(*) FILTER (WHERE id > 1)
JSON_OBJECTAGG(id: note)
JSON_ARRAYAGG(id ORDER BY id RETURNING jsonb)
XMLAGG(doc::xml ORDER BY id)
""".strip().splitlines()

# What stands in FROM beside `person`, and what is asked of it.
SOURCES = {
    "unnest(p.days, p.words)": "*",
    "unnest(p.days, p.words) AS u(d, w)": "d, w",
    "UNNEST(p.days, p.words) WITH ORDINALITY AS u(d, w, n)": "u.*",
    "unnest(ARRAY[1, 2], ARRAY['a', 'b'], ARRAY[true])": "*",
    "LATERAL unnest(p.days, p.words) u": "p.id, u",
    "unnest(p.days)": "unnest",
    "pg_catalog.unnest(p.days) AS d": "d",
    "ROWS FROM (unnest(p.days, p.words), generate_series(1, 2)) AS r(a, b, c)": "r.a, b, c",
    "ROWS FROM (generate_series(1, 2), unnest(p.words)) WITH ORDINALITY": "*",
    "ROWS FROM (json_to_record(p.data) AS (k json), generate_series(1, 1)) AS r(x, y)": "x, y",
    "generate_series(1, 2) WITH ORDINALITY AS g(n, m)": "n, m",
    "json_to_record(p.data) AS r(k json)": "k",
    'json_to_recordset(\'[{"a": 1}]\') AS r(a int, b text COLLATE "C")': "a, b",
    "jsonb_each(p.data::jsonb) AS e(k, v)": "k, v",
    "current_date": "1",
    "coalesce(p.note, 'x') AS c": "c",
    "CAST(p.note AS text) AS c": "c",
    "XMLTABLE('/a/b' PASSING (p.doc::xml) COLUMNS n FOR ORDINALITY, b int PATH '.' DEFAULT 3 NOT NULL) AS x": "x.*",
    "XMLTABLE(XMLNAMESPACES('http://e.org' AS e), '/a' PASSING (p.doc::xml) COLUMNS b text PATH 'b')": "b",
    "JSON_TABLE(p.data::jsonb, '$.k[*]' COLUMNS (n FOR ORDINALITY, v int PATH '$')) AS j": "j.*",
}

# Whole statements.
STATEMENTS = {
    "values of arrays": "INSERT INTO note (id, line) SELECT * FROM UNNEST(ARRAY[7, 8], ARRAY['x', 'y']) RETURNING *",
    "values of typed arrays": "INSERT INTO note (id, line) SELECT * FROM unnest('{7,8}'::int[], '{x,y}'::text[]) AS t"
    " WHERE EXISTS (SELECT FROM person) RETURNING id, line",
    "update from arrays": "UPDATE person SET note = u.n FROM unnest(ARRAY[1, 2], ARRAY['x', 'y']) AS u(i, n)"
    " WHERE person.id = u.i AND person.mail = '***' RETURNING person.id, person.note",
    "delete using arrays": "DELETE FROM person USING unnest(ARRAY[1], ARRAY[2]) AS u(i, n) WHERE id = i RETURNING n",
    "merge using arrays": "MERGE INTO person p USING unnest(ARRAY[1, 9], ARRAY['x', 'y']) AS u(i, n) ON p.id = u.i"
    " WHEN MATCHED THEN UPDATE SET note = u.n",
    "grouping sets": "SELECT id, note, count(*), GROUPING(id, note) FROM person GROUP BY CUBE (id, note)"
    " ORDER BY 1, 2, 3",
    "rollup": "SELECT note, count(*) FROM person GROUP BY ROLLUP (note), GROUPING SETS ((), (id)) ORDER BY 1, 2",
    "named window": "SELECT id, sum(id) OVER w, lag(note) OVER (w ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM person"
    " WINDOW w AS (ORDER BY id)",
    "ordinality in a subquery": "SELECT (SELECT max(n) FROM unnest(days, words) WITH ORDINALITY AS u(d, w, n))"
    " FROM person ORDER BY id",
    "set-returning in the list": "SELECT id, unnest(days) FROM person ORDER BY id, 2",
    "table": "TABLE person",
}


class Server:
    """One server's database, direct and through the gate."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self.version = server.version
        server.psql("CREATE DATABASE forms")
        server.psql("ALTER DATABASE forms SET timezone = 'UTC'")
        server.psql(SCHEMA, "forms")
        self.url = server.url("forms")
        self.governor = Governor(POLICY, read_catalog(self.url), KEY)
        with psycopg.connect(self.url, autocommit=True) as connection:
            # What the gate shows of `mail` is what is there: so the answers have to be equal.
            connection.execute("UPDATE person SET mail = '***'")

    def answers(self, text: str) -> None:
        """Whether the text has the same answer through the gate."""
        decision = self.governor.decide(text, ("public",))
        direct = see(self.url, Decision(Action.ALLOW, text))
        if not direct.ok:
            # What this server does not know, or was built without.
            assert self.version < 18 or direct.sqlstate == NOT_BUILT_IN
            assert decision.action is Action.DENY or not see(self.url, Decision(Action.ALLOW, decision.text)).ok
            return
        assert decision.action is Action.REWRITE, decision.denial
        assert see(self.url, Decision(Action.ALLOW, decision.text)) == direct, decision.text


@pytest.fixture(scope="module", params=["postgres", "postgres16", "postgres15"])
def server(request: pytest.FixtureRequest) -> Server:
    return Server(request.getfixturevalue(request.param))


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expressions(server: Server, expression: str) -> None:
    server.answers(f"SELECT id, {expression}, mail FROM person ORDER BY person.id")


@pytest.mark.parametrize("expression", AGGREGATES)
def test_aggregates(server: Server, expression: str) -> None:
    server.answers(f"SELECT id, {expression} FROM person GROUP BY id ORDER BY 1")


@pytest.mark.parametrize("source", SOURCES)
def test_sources(server: Server, source: str) -> None:
    server.answers(f"SELECT {SOURCES[source]} FROM (SELECT * FROM person ORDER BY id) p, {source}")


@pytest.mark.parametrize("name", STATEMENTS)
def test_statements(server: Server, name: str) -> None:
    server.answers(STATEMENTS[name])


def test_unnest_of_the_users_own_is_not_what_the_form_means(server: Server) -> None:
    """The server takes its own for several arrays in FROM, whatever functions of that name there are."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(
            "CREATE FUNCTION public.unnest(int[], text[]) RETURNS text LANGUAGE sql AS 'SELECT ''mine'''"
        )
        try:
            governor = Governor(POLICY, read_catalog(server.url), KEY)
            decision = governor.decide("SELECT u.* FROM person, unnest(days, words) u", ("public",))
            assert decision.action is Action.REWRITE, decision.denial
            assert "ROWS FROM (pg_catalog.unnest(days), pg_catalog.unnest(words))" in decision.text
            assert len(see(server.url, decision).rows) == 5
        finally:
            connection.execute("DROP FUNCTION public.unnest(int[], text[])")

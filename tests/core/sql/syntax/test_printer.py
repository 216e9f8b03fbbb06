"""The fast printer of statements: what it prints means the same; what is rare it leaves to pglast, and says so."""

from __future__ import annotations

import pytest
from pglast import ast
from tests.core.sql.twins.corpus import PASS

from penstock_core.sql.syntax.equivalence import means
from penstock_core.sql.syntax.expression_printer import Unprintable
from penstock_core.sql.syntax.parse import parse
from penstock_core.sql.syntax.printer import Printer

PRINTED = [
    "SELECT DISTINCT ON (a) a, b AS c FROM s.t AS x (a, b) WHERE a > 1 GROUP BY a HAVING b LIMIT 1",
    "SELECT a FROM t ORDER BY a DESC NULLS LAST, b ASC NULLS FIRST, c USING <",
    "SELECT a FROM ONLY t OFFSET 2",
    "SELECT a FROM t ORDER BY a FETCH FIRST 3 ROWS WITH TIES",
    "SELECT a FROM a JOIN (b LEFT JOIN c ON true) ON a.x = b.x CROSS JOIN d NATURAL FULL JOIN e",
    "SELECT a FROM (a JOIN b USING (x) AS u) AS j RIGHT JOIN c USING (y)",
    "SELECT a FROM t, LATERAL (SELECT t.b) AS s, LATERAL f(t.c) WITH ORDINALITY AS g (x)",
    "(SELECT 1 UNION SELECT 2) INTERSECT (SELECT 3 EXCEPT ALL SELECT 4) ORDER BY 1",
    "VALUES (1, 'a'), (2, DEFAULT)",
    "SELECT 1 FROM t FOR NO KEY UPDATE OF t SKIP LOCKED",
    "SELECT 1 FROM t FOR SHARE NOWAIT",
    "WITH RECURSIVE a (x) AS MATERIALIZED (SELECT 1), b AS NOT MATERIALIZED (SELECT 2) SELECT x FROM a, b",
    "INSERT INTO t AS x (a, b) OVERRIDING USER VALUE VALUES (1, DEFAULT) RETURNING x.a",
    "INSERT INTO t DEFAULT VALUES ON CONFLICT DO NOTHING",
    "INSERT INTO t VALUES (1) ON CONFLICT (a, lower(b)) WHERE c DO UPDATE SET a = excluded.a WHERE t.b > 1",
    "INSERT INTO t VALUES (1) ON CONFLICT ON CONSTRAINT k DO UPDATE SET a = 1",
    "UPDATE ONLY t AS x SET a = 1, b = DEFAULT FROM u WHERE x.a = u.a RETURNING *",
    "DELETE FROM t AS x USING u, v WHERE x.a = u.a RETURNING x.*",
    "MERGE INTO t USING s ON t.a = s.a WHEN MATCHED AND s.b THEN DELETE WHEN NOT MATCHED BY SOURCE THEN DO NOTHING"
    " WHEN NOT MATCHED THEN INSERT (a) OVERRIDING SYSTEM VALUE VALUES (1) WHEN MATCHED THEN UPDATE SET a = 2",
    "MERGE INTO t USING s ON true WHEN NOT MATCHED THEN INSERT DEFAULT VALUES RETURNING merge_action()",
]


@pytest.mark.parametrize("text", PRINTED)
def test_what_most_statements_consist_of_is_printed(text: str) -> None:
    statements = parse(text)
    assert means(Printer({}).statement(statements[0]), statements, {})


@pytest.mark.parametrize("name", PASS)
def test_whatever_it_prints_means_the_same(name: str) -> None:
    for statement in parse(PASS[name]):
        try:
            printed = Printer({}).statement(statement)
        except Unprintable:
            continue
        assert means(printed, (statement,), {})


@pytest.mark.parametrize(
    "text",
    [
        "SELECT a INTO b FROM t",
        "SELECT a FROM t WINDOW w AS (ORDER BY a)",
        "SELECT a FROM t GROUP BY DISTINCT ROLLUP (a)",
        "SELECT a FROM t TABLESAMPLE system (1)",
        "WITH RECURSIVE a (x) AS (SELECT 1 UNION SELECT x FROM a) SEARCH DEPTH FIRST BY x SET y SELECT x FROM a",
        "INSERT INTO t (a[1]) VALUES (1)",
        "UPDATE t SET a.b = 1",
        "UPDATE t SET a = 1 RETURNING WITH (OLD AS o) o.a",
        'INSERT INTO t VALUES (1) ON CONFLICT (a COLLATE "C") DO NOTHING',
        "COPY t TO STDOUT",
        "BEGIN",
    ],
)
def test_what_is_rare_is_left_to_pglast(text: str) -> None:
    with pytest.raises(Unprintable):
        Printer({}).statement(parse(text)[0])


def test_a_name_is_printed_for_a_subquery_that_is_known() -> None:
    (statement,) = parse("SELECT a FROM (SELECT 1 AS a) AS t, (SELECT 1 AS a) AS u")
    assert isinstance(statement, ast.SelectStmt)
    first = (statement.fromClause or ())[0]
    printed = Printer({id(first.subquery): "stand_in"}).statement(statement)
    assert printed == "SELECT a FROM stand_in AS t, (SELECT 1 AS a) AS u"

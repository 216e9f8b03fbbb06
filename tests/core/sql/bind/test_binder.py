"""Coverage: each field of each class of nodes is bound, or inert for a reason, or refused where it is set."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from pglast import ast, enums, parse_sql
from tests.core.sql.test_governor import CATALOG, KEY, MASKING
from tests.core.sql.twins.corpus import DENY, PASS

from penstock_core.sql.allowlists.schema_nodes import SCHEMA_NODES
from penstock_core.sql.allowlists.syntax_nodes import (
    KNOWN,
)
from penstock_core.sql.authorize.text import MASKED, authorize
from penstock_core.sql.bind.binder import Binder, _holds_nodes, slots_of
from penstock_core.sql.bind.references import Unbound
from penstock_core.sql.bind.text import bind
from penstock_core.sql.masking.masked_columns import govern
from penstock_core.sql.masking.masks import MaskWriter
from penstock_core.sql.masking.substitution import Substitutions
from penstock_core.sql.refusal import Refused
from penstock_core.sql.syntax.parse import parse
from penstock_core.sql.syntax.walk import below

GOVERNED = govern(MASKING, CATALOG)
SUBSTITUTIONS = Substitutions(GOVERNED, MaskWriter(KEY))
# What no corpus of attacks has: one statement for each class of nodes that the parser makes.
MORE = """
    SELECT JSON_ARRAY(SELECT 1), JSON_OBJECT('a': 1), JSON_ARRAYAGG(1), JSON_SCALAR(1), JSON_SERIALIZE('1'), JSON('1');
    SELECT * FROM JSON_TABLE('{}', '$' PASSING 1 AS x COLUMNS (a int PATH '$.a' DEFAULT 1 ON EMPTY) ERROR ON ERROR) j;
    SELECT * FROM XMLTABLE(XMLNAMESPACES('u' AS n), '/a' PASSING '<a/>' COLUMNS b int PATH 'b' DEFAULT 1) x;
    SELECT XMLELEMENT(NAME a, XMLATTRIBUTES(1 AS b)), XMLSERIALIZE(CONTENT '<a/>' AS text), '1' IS JSON, GROUPING(1);
    SELECT * FROM ROWS FROM (json_to_record('{}') AS (a int COLLATE "C")) x, generate_series(1, 2) y;
    SELECT ROW(1), ARRAY[1], (ARRAY[1])[1:2], CASE 1 WHEN 1 THEN 2 END, 1 IS TRUE, 'a' COLLATE "C", GREATEST(1), $1;
    WITH RECURSIVE r(a) AS (SELECT 1 UNION SELECT a FROM r) SEARCH DEPTH FIRST BY a SET s CYCLE a SET c USING p TABLE r;
    SELECT sum(1) FILTER (WHERE true) OVER w FROM people TABLESAMPLE system (1) REPEATABLE (1)
        WINDOW w AS (PARTITION BY 1 ORDER BY 1 USING < ROWS BETWEEN 1 PRECEDING AND 2 FOLLOWING) FOR UPDATE OF people;
    INSERT INTO orders AS o (id) VALUES ('1') ON CONFLICT (id) WHERE true DO UPDATE SET note = 'x' RETURNING old.*;
    MERGE INTO orders o USING people p ON true WHEN MATCHED AND true THEN UPDATE SET (note) = ROW('x')
        WHEN NOT MATCHED THEN INSERT (id) VALUES ('1') RETURNING WITH (OLD AS o2) MERGE_ACTION();
    UPDATE orders SET note = DEFAULT WHERE CURRENT OF c;
    COPY orders (id) FROM STDIN WITH (FORMAT csv) WHERE true; COPY (SELECT 1) TO STDOUT; COPY letters TO STDOUT;
    PREPARE p (int) AS SELECT 1; EXECUTE p (1); DEALLOCATE p; DECLARE c CURSOR FOR SELECT 1; FETCH 1 FROM c; CLOSE c;
    EXPLAIN (COSTS off) SELECT 1; CREATE TABLE t AS SELECT 1; SELECT 1 INTO TEMP t; BEGIN ISOLATION LEVEL SERIALIZABLE;
    SET a.b = 'x'; SHOW a.b; DISCARD TEMP; UNLISTEN c; SET CONSTRAINTS ALL DEFERRED; DROP TABLE t; TRUNCATE orders;
    CREATE TEMP TABLE t (id int PRIMARY KEY DEFAULT 1 COLLATE "C", CHECK (id > 0)) WITH (fillfactor = 10);
    SELECT JSON_ARRAY(1, 2 RETURNING text FORMAT JSON), JSON_OBJECTAGG('a': 1) FILTER (WHERE true) OVER w,
        JSON_ARRAYAGG(1 ORDER BY 1 RETURNING text) FILTER (WHERE true) OVER w, JSON_SCALAR(1),
        JSON_SERIALIZE('1' FORMAT JSON RETURNING text), JSON('1'), JSON_OBJECT('a': 1 RETURNING text),
        JSON_VALUE('{}', '$' PASSING 1 AS x RETURNING text DEFAULT 1 ON EMPTY DEFAULT 2 ON ERROR),
        JSON_ARRAY(SELECT 1 RETURNING text), XMLCONCAT('<a/>', '<b/>'), 1::numeric(3, 1), COALESCE(1, 2)
        FROM letters WINDOW w AS (ORDER BY 1) OFFSET 1;
    SELECT * FROM JSON_TABLE('{}', '$' COLUMNS (a int PATH '$.a' DEFAULT 1 ON EMPTY DEFAULT 2 ON ERROR,
        b text FORMAT JSON PATH '$', NESTED PATH '$.b' COLUMNS (c int PATH '$.c'))) j;
    WITH w AS (SELECT 1) UPDATE orders SET note[1] = 'x'; WITH w AS (SELECT 1) INSERT INTO orders (id) VALUES ('1');
    WITH w AS (SELECT 1) DELETE FROM orders;
    WITH w AS (SELECT 1) MERGE INTO orders o USING w ON true WHEN MATCHED THEN DO NOTHING;
    SELECT 1 INTO TEMP t; CREATE TEMP TABLE t WITH (fillfactor = 10) AS SELECT 1;
    SELECT f(a => 1), B'1', 1.5, CURRENT_DATE, 1 BETWEEN 1 AND 2, EXISTS (SELECT 1) FROM letters AS l (a) NATURAL JOIN
        (SELECT 1) s JOIN orders o USING (id) AS u GROUP BY GROUPING SETS ((1)) HAVING true;
"""
# Lists of names, which hold no expressions: whoever binds the node reads them as names.
NAMES = {
    "A_Expr.name", "Alias.colnames", "ColumnRef.fields", "CommonTableExpr.aliascolnames", "CopyStmt.attlist",
    "DropStmt.objects", "FuncCall.funcname", "JoinExpr.usingClause", "LockingClause.lockedRels",
    "RangeTableSample.method", "SortBy.useOp", "SubLink.operName", "TypeName.names", "CollateClause.collname",
}  # fmt: skip


def verdict(*statements: ast.Node) -> str | None:
    """Why the trees are refused where something is masked; None if they are not."""
    bound = bind(statements, CATALOG, GOVERNED.named, ("public",))
    try:
        authorize(bound, GOVERNED, SUBSTITUTIONS, MASKED)
    except Refused as refusal:
        return refusal.denial.reason
    return None


@cache
def trees() -> tuple[ast.Node, ...]:
    texts = (MORE, *PASS.values(), *DENY.values())
    return tuple(statement.stmt for text in texts for statement in parse_sql(text))


@cache
def hosts() -> dict[type[ast.Node], tuple[tuple[ast.Node, int], ...]]:
    """For each class of nodes the first statements that hold one, with its position among the statement's nodes."""
    found: dict[type[ast.Node], list[tuple[ast.Node, int]]] = {}
    for tree in trees():
        for position, node in enumerate(below(tree)):
            found.setdefault(type(node), []).append((tree, position))
    return {kind: tuple(places[:12]) for kind, places in found.items()}


def copies(kind: type[ast.Node]) -> Iterator[tuple[ast.Node, ast.Node]]:
    """Copies of statements that hold a node of that class, each with its node of that class."""
    for tree, position in hosts().get(kind, ()):
        statement = copy.deepcopy(tree)
        yield statement, list(below(statement))[position]


def sample(c_type: str) -> Any:
    """Something that a field of that type may be set to."""
    if c_type == "bool":
        return True
    if c_type == "char":
        return "x"
    if c_type == "char*":
        return "poison"
    kind = getattr(enums, c_type, None)
    if kind is not None:
        return list(kind)[-1]
    if c_type == "List*":
        return (evil(),)
    if c_type.endswith("*"):
        named = getattr(ast, c_type[:-1], None)
        return evil() if named in (None, ast.Node) or c_type == "Expr*" else named()
    return 7


def evil() -> ast.Node:
    return ast.FuncCall(funcname=(ast.String(sval="evil"),), funcformat=enums.CoercionForm.COERCE_EXPLICIT_CALL)


def classes() -> list[type[ast.Node]]:
    known = vars(ast).values()
    return [kind for kind in known if isinstance(kind, type) and issubclass(kind, ast.Node) and kind is not ast.Node]


def fields(kind: type[ast.Node]) -> dict[str, Any]:
    return {name: slot.c_type for name, slot in slots_of(kind).items() if slot.c_type != "ParseLoc"}


# ---- what no list knows

UNCLAIMED = [
    (kind, name)
    for kind, known in KNOWN.items()
    for name in fields(kind)
    if name not in known.bound and name not in known.inert
]


@pytest.mark.parametrize(("kind", "name"), UNCLAIMED, ids=lambda part: getattr(part, "__name__", part))
def test_a_field_that_is_neither_bound_nor_inert_is_refused_where_it_is_set(kind: type[ast.Node], name: str) -> None:
    refusals = []
    for statement, node in copies(kind):
        if verdict(statement) is None:
            setattr(node, name, sample(fields(kind)[name]))
            refusals.append(verdict(statement))
    assert refusals
    assert all(reason is not None and name in reason for reason in refusals)


UNKNOWN = [kind for kind in classes() if kind not in KNOWN and kind not in SCHEMA_NODES and slots_of(kind) is not None]


@pytest.mark.parametrize("kind", UNKNOWN, ids=lambda kind: kind.__name__)
def test_a_class_of_nodes_that_is_not_listed_is_refused_wherever_it_is(kind: type[ast.Node]) -> None:
    (host,) = parse("SELECT 1")
    assert isinstance(host, ast.SelectStmt)
    node = kind.__new__(kind)
    for name in node:
        object.__setattr__(node, name, None)
    (host.targetList or ())[0].val = node
    assert verdict(host) is not None
    assert verdict(node) is not None


def test_a_newer_parsers_field_starts_as_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if `IS [NOT] NULL` were not known to have a field that it has."""
    from penstock_core.sql.allowlists.syntax_nodes import Fields
    from penstock_core.sql.bind import binder

    monkeypatch.setitem(binder._REST, ast.NullTest, binder._rest(ast.NullTest, Fields(frozenset({"arg"}))))
    monkeypatch.setitem(binder._REST_OF, (ast.NullTest, None), ("nulltesttype",))
    assert verdict(*parse("SELECT 1 IS NULL")) is None
    assert verdict(*parse("SELECT 1 IS NOT NULL")) == "the gate does not know NullTest.nulltesttype"


# ---- what a list says is bound

BOUND = [
    (kind, name)
    for kind, known in KNOWN.items()
    for name, c_type in fields(kind).items()
    if name in known.bound and _holds_nodes(c_type) and f"{kind.__name__}.{name}" not in NAMES
]


@pytest.fixture(scope="module")
def visited() -> dict[tuple[type[ast.Node], str], bool]:
    """For each field that holds nodes in some statement: whether the binder looked at all of these in all of them."""
    seen: dict[int, ast.Node] = {}
    found: dict[tuple[type[ast.Node], str], bool] = {}
    with pytest.MonkeyPatch.context() as patch:
        for name in ("claim", "expression"):
            patch.setattr(Binder, name, _recording(getattr(Binder, name), seen))
        for tree in trees():
            if any(isinstance(one, Unbound) for one in bind((tree,), CATALOG, GOVERNED.named, ("public",)).references):
                continue
            for node in below(tree):
                for name in fields(type(node)):
                    inner = [one for one in _nodes(getattr(node, name)) if type(one) not in (ast.String, ast.A_Star)]
                    if inner:
                        key = (type(node), name)
                        found[key] = found.get(key, True) and all(id(one) in seen for one in inner)
    return found


def _recording(method: Any, seen: dict[int, ast.Node]) -> Any:
    def recording(self: Binder, node: Any, *more: Any) -> None:
        if isinstance(node, ast.Node):
            seen[id(node)] = node
        method(self, node, *more)

    return recording


def _nodes(value: Any) -> Iterator[ast.Node]:
    if isinstance(value, tuple):
        for part in value:
            yield from _nodes(part)
    elif isinstance(value, ast.Node):
        yield value


@pytest.mark.parametrize(("kind", "name"), BOUND, ids=lambda part: getattr(part, "__name__", part))
def test_a_field_that_is_bound_is_looked_into(
    visited: dict[tuple[type[ast.Node], str], bool], kind: type[ast.Node], name: str
) -> None:
    assert visited.get((kind, name)) is True


EXPRESSION_FIELDS = [(kind, name) for kind, name in BOUND if fields(kind)[name] in ("Node*", "Expr*")]


@pytest.mark.parametrize(("kind", "name"), EXPRESSION_FIELDS, ids=lambda part: getattr(part, "__name__", part))
def test_a_function_that_is_not_known_is_found_in_each_expression(kind: type[ast.Node], name: str) -> None:
    for statement, node in copies(kind):
        setattr(node, name, evil())
        assert verdict(statement) is not None
    assert hosts()[kind]

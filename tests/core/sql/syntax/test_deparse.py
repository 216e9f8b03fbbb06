"""What is written again means the same, or is not written at all."""

from __future__ import annotations

import pytest
from pglast import ast, parse_sql
from tests.core.sql.twins.corpus import PASS

from penstock_core.sql.refusal import Refused
from penstock_core.sql.syntax import deparse as deparse_module
from penstock_core.sql.syntax.deparse import deparse
from penstock_core.sql.syntax.equivalence import same
from penstock_core.sql.syntax.parse import parse
from penstock_core.sql.syntax.printer import Printer

EXPRESSIONS = """
extract(year from now()) | substring('abc' from 2 for 1) | substring('a' similar 'b' escape '#')
trim(both 'x' from 'xax') | position('a' in 'abc') | overlay('abc' placing 'x' from 1 for 2)
now() at time zone 'utc' | a at time zone 'x' at local | (now(), now()) overlaps (now(), now())
collation for ('a') | normalize('a', nfc) | 'a' is nfc normalized | 'a' like 'b' escape 'c' | 'a' similar to 'b'
a not ilike b | a between symmetric 1 and 2 | a not in (1, 2) | xmlelement(name foo, xmlattributes(a as b), 'x')
xmlforest(a as b) | xmlserialize(document x as text) | xmlparse(content a) | json_object('a': 1 absent on null)
json_value(a, '$.a' returning int default 0 on empty) | a is json object | json_arrayagg(a order by a)
json_objectagg(a: b) | json_query(a, '$.a' with wrapper) | json_exists(a, '$.a') | current_timestamp(3)
current_schema | array[1, 2] | (array[1,2])[1:2] | a[1][2:] | row(1, 2) | (1, 2) < (3, 4) | a = any(array[1])
a > all(select 1) | a is distinct from b | nullif(a, b) | greatest(1, 2) | case a when 1 then 2 end
interval '1' day | interval(3) '1 day' | timestamp(3) with time zone '2020-01-01' | cast(a as bit(3)) | a::"char"
a::char | b'101' | x'1f' | e'a\\nb' | U&'d\\0061t' | 'it''s' | 'back\\slash' | $$a$$ | -1 | - 1 | -(-1) | 2 ^ -1
(-1)::int | -1::int | a || b collate "C" | (a || b) collate "C" | not (a and b) | (a or b) and c | a is not unknown
array(select 1) | f(a, variadic b) | f(a => 1) | f(distinct a order by b desc nulls last)
count(*) filter (where a) | percentile_cont(0.5) within group (order by b)
f() over (partition by a order by b rows 1 preceding exclude ties) | (a.b).c | (a).b[1].c | (f(x)).*
a -> 'b' ->> 'c' | a operator(pg_catalog.+) b | operator(pg_catalog.-) b | a - (b - c) | (a < b) = c | (a + 1)::int
(a).b::text | "Odd name" | "select" | "a b".c | a is null is null | 1e400 | 0x1F
"""

STATEMENTS = """
alter table t add column a int default 1, drop column b, alter c type bigint using c::bigint
alter table only t add constraint k foreign key (a) references s.u (b) match full on delete set null (a) not valid
create table t (a int references u (b) on update cascade deferrable initially deferred, foreign key (a, b) references u)
alter domain d set default 1
select distinct on (a) a from b
select a from b group by distinct rollup(a, b), cube(c), grouping sets ((a), ())
select a from b order by a using < limit 1 offset 2
select a from b order by a fetch first 3 rows with ties
select a from b for update of b skip locked
select a from b window w as (partition by a), v as (w order by b)
select * from rows from (f(1), g(2) as (a int, b text)) with ordinality as x(a, b)
select * from xmltable('/a' passing b columns c int path 'd' default 3 not null, n for ordinality) x
select * from json_table(j, '$[*]' columns (id for ordinality, nested path '$.b' columns (c text))) t
select * from (a join b using (x) as j) as k natural left join c cross join d
(select 1 union select 2) intersect (select 3 except all select 4) order by 1 limit 2
with recursive a(x) as (select 1 union all select x + 1 from a) search depth first by x set y select * from a
with a as not materialized (insert into t values (1) returning *) select * from a
insert into a (b, c[1], d.e) overriding system value values (1, default, 3)
insert into a as x (b) select 1 on conflict (b) where c > 1 do update set b = excluded.b where x.b > 1 returning *
insert into a values (1) on conflict on constraint k do nothing
update only a x set b = 1, (d, e) = (select 1, 2), f.g = default from h where x.b = h.b returning x.*
update a set b = 1 returning with (old as o, new as n) o.b, n.b
delete from a using b as c, d where a.x = c.x returning a.*
copy (select 1) to stdout with (format csv, header true, delimiter ';', force_quote (a))
begin isolation level serializable read only deferrable
set time zone interval '1' hour to minute
set extra_float_digits = -1
rollback to savepoint a
"""


@pytest.mark.parametrize("text", [one.strip() for line in EXPRESSIONS.splitlines() for one in line.split(" | ") if one])
def test_expressions(text: str) -> None:
    assert round_trip(f"SELECT {text}")


@pytest.mark.parametrize("text", [line for line in STATEMENTS.splitlines() if line])
def test_statements(text: str) -> None:
    assert round_trip(text)


@pytest.mark.parametrize("name", PASS)
def test_the_corpus(name: str) -> None:
    assert round_trip(PASS[name])


def round_trip(text: str) -> bool:
    statements = parse(text)
    again = parse(deparse(statements))
    return len(again) == len(statements) and all(map(same, statements, again))


@pytest.mark.interpreted
@pytest.mark.parametrize("wrong", ["SELECT b FROM t", "SELECT a FROM t; SELECT 1", "SELECT a", "SELECT a FROM s.t"])
def test_a_text_that_would_mean_something_else_is_refused(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    statements = parse("SELECT a FROM t")
    monkeypatch.setattr(Printer, "statement", lambda *_: wrong)
    # Where our own printer is wrong, pglast's is asked.
    assert deparse(statements) == "SELECT a FROM t"
    monkeypatch.setattr(deparse_module, "RawStream", lambda: lambda _: wrong)
    with pytest.raises(Refused, match="equivalent to the original"):
        deparse(statements)


def test_a_construct_that_no_printer_gets_right_is_refused() -> None:
    text = "SELECT a FROM t WINDOW w AS (ORDER BY a) FOR UPDATE OF t SKIP LOCKED FOR SHARE NOWAIT"
    assert isinstance(parse_sql(text)[0].stmt, ast.SelectStmt)
    with pytest.raises(Refused, match="equivalent to the original"):
        deparse(parse(text))


# ---- subqueries whose text is known

HIDDEN = "SELECT 1 AS a"


def standing_in(text: str) -> tuple[tuple[ast.Node, ...], dict[int, str]]:
    """The statement with a known subquery in place of its first relation."""
    (statement,), (hidden,) = parse(text), parse(HIDDEN)
    assert isinstance(statement, ast.SelectStmt)
    source = ast.RangeSubselect(lateral=False, subquery=hidden, alias=ast.Alias(aliasname="t"))
    statement.fromClause = (source, *(statement.fromClause or ())[1:])
    return (statement,), {id(hidden): HIDDEN}


def test_a_known_subquery_is_put_where_it_stands_and_nowhere_else() -> None:
    text = "SELECT t.a, 'penstock_masked_0', \"penstock_masked_0\".b FROM x, penstock_masked_0"
    statements, known = standing_in(text)
    assert deparse(statements, known) == text.replace(" x, ", f" ({HIDDEN}) AS t, ").replace('"', "")
    (again,) = parse(deparse(statements, known))
    assert same(statements[0], again)


@pytest.mark.interpreted
def test_a_known_subquery_that_is_printed_elsewhere_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    statements, known = standing_in("SELECT a FROM x, y")
    monkeypatch.setattr(Printer, "source", lambda self, node: "y" if isinstance(node, ast.RangeVar) else "x AS t")
    # pglast prints the subquery itself.
    assert deparse(statements, known) == f"SELECT a FROM ({HIDDEN}) AS t, y"

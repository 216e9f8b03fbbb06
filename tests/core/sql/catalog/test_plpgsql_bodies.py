"""Bodies in PL/pgSQL: what their statements name, and what they hold in places that the parser's tree leaves out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from penstock_core.sql.catalog.function_bodies import Body
from penstock_core.sql.catalog.model import Argument, Routine
from penstock_core.sql.catalog.routine_bodies import read_body

TEXT = ("pg_catalog", "text")


def read(source: str, *arguments: Argument, returns: str = "text", kind: str = "f") -> Body:
    made = Routine("app", "f", "f", "plpgsql", source, returns=("pg_catalog", returns), arguments=arguments)
    return read_body(made if kind == "f" else replace(made, kind="p"))


@pytest.mark.parametrize(
    "source",
    [
        "BEGIN RETURN a; END",
        "DECLARE x int := 1; BEGIN x := x + 1; RETURN x; END",
        "BEGIN IF a = 'x' THEN RETURN 1; ELSIF a = 'y' THEN RETURN 2; ELSE RETURN 3; END IF; END",
        "BEGIN CASE a WHEN 'x' THEN RETURN 1; ELSE RETURN 2; END CASE; END",
        "BEGIN CASE WHEN a = 'x' THEN RETURN 1; ELSE NULL; END CASE; END",
        "BEGIN <<outer>> FOR i IN REVERSE 10..1 BY 2 LOOP EXIT outer WHEN i > 3; CONTINUE outer; END LOOP; END",
        "DECLARE n int := 0; BEGIN WHILE n < 3 LOOP n := n + 1; END LOOP; RETURN n; END",
        "DECLARE x int; BEGIN FOREACH x IN ARRAY ARRAY[1, 2] LOOP NULL; END LOOP; END",
        "DECLARE x int[]; BEGIN FOREACH x SLICE 1 IN ARRAY ARRAY[[1], [2]] LOOP NULL; END LOOP; END",
        "BEGIN RETURN a; EXCEPTION WHEN division_by_zero OR SQLSTATE '22003' THEN RETURN SQLERRM; WHEN OTHERS THEN"
        " RAISE; END",
        "BEGIN RAISE EXCEPTION 'bad % of %', a, 1 USING ERRCODE = '22012', HINT = 'try ' || a; END",
        "BEGIN RAISE division_by_zero; END",
        "BEGIN RAISE SQLSTATE '22012' USING MESSAGE = 'x'; END",
        "BEGIN ASSERT a IS NOT NULL, 'it is'; RETURN a; END",
        "#variable_conflict use_column\nBEGIN RETURN a; END",
        "DECLARE k CONSTANT varchar(20) NOT NULL DEFAULT 'x'; t timestamp with time zone; n numeric(10, 2); y text"
        ' COLLATE "C"; BEGIN RETURN k; END',
        "DECLARE x text; y text; BEGIN SELECT a, 'b' INTO STRICT x, y; RETURN x; END",
        "DECLARE n int; m text; BEGIN PERFORM lower(a); GET DIAGNOSTICS n = ROW_COUNT, m = PG_CONTEXT; RETURN n; END",
        "DECLARE v text; BEGIN v := a; -- nothing(1)\n /* and none(2) */ RETURN v; END",
        "DECLARE x int[]; BEGIN x[1] := 2; RETURN x[1]; END",
        "DECLARE k CONSTANT pg_catalog.text := 'x'; BEGIN RETURN k; END",
    ],
)
def test_a_body_that_computes_names_nothing_but_built_ins(source: str) -> None:
    body = read(source, Argument("i", "a", TEXT))
    assert body.unknown == ""
    assert (body.reads, body.writes, body.left) == (set(), [], set())


@pytest.mark.parametrize(
    ("source", "reads"),
    [
        ("DECLARE x int := (SELECT n FROM t1); BEGIN RETURN x; END", "t1"),
        ("BEGIN RETURN (SELECT n FROM t1); END", "t1"),
        ("BEGIN RETURN x FROM t1; END", "t1"),
        ("BEGIN IF EXISTS (SELECT FROM t1) THEN NULL; END IF; END", "t1"),
        ("BEGIN IF a = '' THEN NULL; ELSIF a < (SELECT x FROM t1) THEN NULL; END IF; END", "t1"),
        ("BEGIN CASE (SELECT x FROM t1) WHEN 'x' THEN NULL; END CASE; END", "t1"),
        ("BEGIN CASE a WHEN (SELECT x FROM t1) THEN NULL; END CASE; END", "t1"),
        ("BEGIN CASE a WHEN 'x' THEN NULL; ELSE PERFORM x FROM t1; END CASE; END", "t1"),
        ("BEGIN WHILE EXISTS (SELECT FROM t1) LOOP NULL; END LOOP; END", "t1"),
        ("BEGIN LOOP EXIT WHEN EXISTS (SELECT FROM t1); END LOOP; END", "t1"),
        ("BEGIN FOR i IN 1..(SELECT n FROM t1) BY (SELECT n FROM t2) LOOP NULL; END LOOP; END", "t1 t2"),
        ("DECLARE r record; BEGIN FOR r IN SELECT * FROM t1 LOOP PERFORM 1 FROM t2; END LOOP; END", "t1 t2"),
        ("DECLARE c CURSOR (k int) FOR SELECT * FROM t1; BEGIN FOR r IN c((SELECT n FROM t2)) LOOP NULL; END LOOP;"
         " END", "t1 t2"),
        ("DECLARE c refcursor; BEGIN OPEN c FOR SELECT * FROM t1; CLOSE c; END", "t1"),
        ("DECLARE c CURSOR FOR SELECT 1; x int; BEGIN OPEN c; FETCH ABSOLUTE (SELECT n FROM t1) FROM c INTO x; END",
         "t1"),
        ("DECLARE x text; BEGIN SELECT y INTO x FROM t1; RETURN x; END", "t1"),
        ("BEGIN RAISE NOTICE '%', (SELECT x FROM t1); END", "t1"),
        ("BEGIN RAISE NOTICE 'x' USING DETAIL = (SELECT x FROM t1); END", "t1"),
        ("BEGIN ASSERT a = '', (SELECT x FROM t1); END", "t1"),
        ("BEGIN RETURN 1; EXCEPTION WHEN OTHERS THEN PERFORM 1 FROM t1; END", "t1"),
        ("DECLARE x int[]; BEGIN x[(SELECT n FROM t1)] := (SELECT n FROM t2); END", "t1 t2"),
        ("BEGIN BEGIN PERFORM 1 FROM t1; END; END", "t1"),
        ("BEGIN CALL p((SELECT x FROM t1)); END", "t1"),
    ],
)  # fmt: skip
def test_every_place_that_holds_an_expression_is_read(source: str, reads: str) -> None:
    body = read(source, Argument("i", "a", TEXT))
    assert body.unknown == ""
    assert {name for _, name in body.reads} == set(reads.split())


@pytest.mark.parametrize(
    "source",
    [
        "BEGIN EXECUTE a; END",
        "DECLARE r record; BEGIN FOR r IN EXECUTE a LOOP NULL; END LOOP; END",
        "DECLARE c refcursor; BEGIN OPEN c FOR EXECUTE a; END",
        "BEGIN SET LOCAL work_mem = '1MB'; END",
        "BEGIN CREATE TEMP TABLE x (i int); END",
        "BEGIN DO 'BEGIN END'; END",
        "BEGIN LOCK TABLE t; END",
        "BEGIN NOTIFY x; END",
        "BEGIN this is no body",
        "DECLARE r record := a || b; BEGIN RETURN 1; END",
    ],
)
def test_what_is_not_followed_is_unknown(source: str) -> None:
    body = read(source, Argument("i", "a", TEXT))
    assert body.unknown


def test_rows_may_be_returned_one_by_one_or_from_a_query() -> None:
    source = "BEGIN RETURN NEXT a; RETURN QUERY SELECT n FROM t1; RETURN; END"
    routine = Routine("app", "f", "f", "plpgsql", source, returns_set=True, arguments=(Argument("i", "a", TEXT),))
    assert read_body(routine).reads == {("", "t1")}
    executed = Routine("app", "f", "f", "plpgsql", "BEGIN RETURN QUERY EXECUTE 'x'; END", returns_set=True)
    assert "EXECUTE" in read_body(executed).unknown


def test_what_is_declared_of_an_unknown_type_is_read() -> None:
    for name, kind in (("mood", ("", "mood")), ("app.mood", ("app", "mood"))):
        body = read(f"DECLARE m CONSTANT {name} := spy(1)::{name}; BEGIN RETURN 1; END")
        assert (body.unknown, body.functions, body.left) == ("", {("", "spy")}, set())
        assert kind in body.types


def test_what_a_declaration_of_a_row_hides_is_left_over() -> None:
    body = read("DECLARE m app.mood := spy(1); n row; BEGIN n.a := m; RETURN 1; END")
    assert (body.unknown, body.left) == ("", {"spy"})
    assert body.types >= {("app", "mood"), ("", "row")}


def test_types_of_columns_and_rows_are_told() -> None:
    body = read("DECLARE q app.t%ROWTYPE; x t.note%TYPE; BEGIN q.note := x; RETURN 1; END")
    assert (body.unknown, body.types_of) == ("", {("app", "t"), ("t", "note")})


def test_a_procedure_may_end_transactions() -> None:
    assert read("BEGIN COMMIT; END", returns="void", kind="p").commits


@pytest.mark.parametrize(
    ("source", "fields", "assigned"),
    [
        ("BEGIN NEW.updated_at := now(); RETURN NEW; END", "", "updated_at"),
        ("BEGIN NEW.updated_at = now(); RETURN NEW; END", "", "updated_at"),
        ("BEGIN NEW.a[1] := 2; RETURN NEW; END", "a", "a"),
        ("BEGIN IF NEW.a <> OLD.b THEN RETURN NULL; END IF; RETURN OLD; END", "a b", ""),
        ("BEGIN SELECT 1, 2 INTO NEW.a, NEW.b; RETURN NEW; END", "", "a b"),
        ("BEGIN INSERT INTO log VALUES (NEW.a); RETURN NULL; END", "a", ""),
        ("BEGIN CALL p(NEW.a, 1, x => OLD.b); RETURN NEW; END", "a b", "a b"),
    ],
)
def test_the_fields_of_a_triggers_row_are_told_apart(source: str, fields: str, assigned: str) -> None:
    row = read(source, returns="trigger").row
    assert (row.fields, row.assigned, row.whole) == (set(fields.split()), set(assigned.split()), False)
    assert not row.replaced


def test_another_row_may_be_given_in_place_of_the_triggers() -> None:
    row = read("DECLARE r record; BEGIN r := NEW; r.a := 1; RETURN r; END", returns="trigger").row
    assert row.replaced
    assert "replaces the row" in read("BEGIN CALL p(NEW); RETURN NEW; END", returns="trigger").unknown


@pytest.mark.parametrize(
    "source",
    [
        "BEGIN INSERT INTO log SELECT NEW.*; RETURN NEW; END",
        "BEGIN INSERT INTO log VALUES (row_to_json(NEW)); RETURN NEW; END",
        "BEGIN RAISE NOTICE '%', OLD; RETURN NEW; END",
        "DECLARE r record; BEGIN r := NEW; RETURN NEW; END",
        "DECLARE r record; BEGIN RETURN r; END",
        "BEGIN IF NEW = OLD THEN RETURN NULL; END IF; RETURN NEW; END",
        "BEGIN RETURN coalesce(NEW, OLD); END",
    ],
)
def test_a_row_that_is_used_as_a_whole_is_noticed(source: str) -> None:
    assert read(source, returns="trigger").row.whole


@pytest.mark.parametrize(
    "source",
    [
        "DECLARE r record := NEW; BEGIN RETURN NEW; END",
        "DECLARE n ALIAS FOR NEW; BEGIN RETURN NEW; END",
        "BEGIN NEW := OLD; RETURN NEW; END",
        "BEGIN SELECT * INTO NEW FROM t; RETURN NEW; END",
        "BEGIN FOR new IN SELECT * FROM t LOOP NULL; END LOOP; RETURN NEW; END",
    ],
)
def test_a_row_under_another_name_is_not_followed(source: str) -> None:
    assert read(source, returns="trigger").unknown


@pytest.mark.parametrize("what", ["NEW IS DISTINCT FROM OLD", "ROW(NEW.*) IS NOT DISTINCT FROM ROW(OLD.*)"])
def test_rows_that_are_only_compared_are_told_apart_from_those_that_are_read(what: str) -> None:
    row = read(f"BEGIN IF {what} THEN NEW.a := 1; END IF; RETURN NEW; END", returns="trigger").row
    assert (row.compared, row.whole, row.fields) == (True, False, set())

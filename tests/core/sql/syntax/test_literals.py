"""Literals as slots: the trees are those of the text, and whoever reads a value pins it."""

from __future__ import annotations

from typing import Any

import pytest
from pglast import ast

from penstock_core.sql.syntax import literals
from penstock_core.sql.syntax.deparse import deparse
from penstock_core.sql.syntax.literals import Slots, reading, unread
from penstock_core.sql.syntax.parse import parse
from penstock_core.sql.syntax.shapes import shape_of, slots_of
from penstock_core.sql.syntax.walk import below


def slots(text: str) -> Slots:
    shape = shape_of(text)
    assert shape is not None
    return slots_of(text, shape)


def described(value: Any) -> Any:
    """A tree but for where things stood, which differs with the length of literals."""
    if isinstance(value, ast.Node):
        fields: dict[str, Any] = vars(type(value))["__slots__"]
        kept = [name for name, slot in fields.items() if slot.c_type != "ParseLoc"]
        return type(value), [(name, described(getattr(value, name))) for name in kept]
    if isinstance(value, tuple):
        return [described(one) for one in value]
    return type(value), value


def constants(trees: tuple[ast.Node, ...]) -> list[ast.A_Const]:
    return [node for tree in trees for node in below(tree) if isinstance(node, ast.A_Const)]


TEXTS = [
    "SELECT 0, 1, -1, - 5, 999999999, -999999999, 007, 1.5, -1.5, 0.0, 12.500, '', 'a', 'it''s', 'ä', '1', '-1'",
    "SELECT 2147483647, 2147483648, -2147483648, -9223372036854775807, 00000000000000000001, 00000000003000000000",
    "SELECT a FROM t WHERE a IN (1, 2, 3) AND b LIKE 'x%' ESCAPE '!' LIMIT 5 OFFSET 10",
    "UPDATE t SET (a, b) = (1, 'q'), c = 2.5 WHERE d = 3",
    "INSERT INTO t VALUES (1, 'a', 1.5, NULL, true), (2, 'b', 2.5, DEFAULT, false)",
    "SELECT '1'::int, DATE '2030-01-01', INTERVAL '1' DAY, CAST('x' AS varchar(10)), a[1:2], $1 + 1",
    "SELECT 1 - 1, 1 + -1, -(1), 2 - - 3, a -5",
    "SELECT TRIM('x' FROM y), EXTRACT(year FROM z), x AT TIME ZONE 'UTC', OVERLAY('a' PLACING 'b' FROM 1 FOR 2)",
    'SELECT "t1"."a2", t3.b FROM "x 1" AS t1 WHERE "it\'s" = 4 AND c$5 = 6',
    "SELECT 'a' ; SELECT 2",
    "SELECT a % 5, '%s', b %% '%%' FROM t",
]


@pytest.mark.parametrize("text", TEXTS)
def test_the_trees_are_those_of_the_text(text: str) -> None:
    with reading(slots(text)) as _:
        found = parse(text)
    assert described(found) == described(parse(text))


@pytest.mark.parametrize("text", [one for one in TEXTS if "[" not in one and "(a, b)" not in one])
def test_every_slot_is_written_as_in_the_text(text: str) -> None:
    one = slots(text)
    with reading(one):
        written = deparse(parse(text))
        template = one.template(written)
    assert one.pinned == set()
    assert template.fill(one.literals) == written
    assert sorted(set(template.places)) == list(range(len(one.literals)))
    # It means the same, which does not depend on slots.
    assert described(parse(written)) == described(parse(deparse(parse(text))))


@pytest.mark.parametrize("text", ["SELECT a[1:2]", "UPDATE t SET (a, b) = (1, 'q')"])
def test_what_is_printed_by_pglast_has_its_values_pinned(text: str) -> None:
    one = slots(text)
    with reading(one):
        one.template(deparse(parse(text)))
    assert one.pinned == set(range(len(one.literals)))


def test_what_is_put_together_in_another_way_has_all_pinned() -> None:
    one = slots("SELECT 1, 'a'")
    with reading(one):
        parse(one.text)
        assert one.template("SELECT 1 % 2, 'a', now()").fill(["5", "'b'"]) == "SELECT 1 % 2, 'a', now()"
    assert one.pinned == {0, 1}


def test_who_reads_a_value_pins_it() -> None:
    one = slots("SELECT 1, 'a', 2.5")
    with reading(one):
        first, second, third = constants(parse(one.text))
        assert one.pinned == set()
        assert second.val.sval == "a"
        assert one.pinned == {1}
        match third:
            case ast.A_Const(val=ast.Float()):
                assert one.pinned == {1, 2}
        assert unread(first).ival == 1
        assert one.pinned == {1, 2}


def test_so_does_whoever_prints_a_tree_in_another_way() -> None:
    one = slots("SELECT 1, 'a'")
    with reading(one):
        trees = parse(one.text)
        repr(trees)
    assert one.pinned == {0, 1}


@pytest.mark.parametrize(
    "text",
    [
        "FETCH 5 FROM c",
        "SELECT CAST(1 AS float(24))",
        "COPY t TO STDOUT (DELIMITER ',')",
        "DO 'BEGIN END'",
        "NOTIFY c, 'x'",
    ],
)
def test_a_literal_that_becomes_no_constant_is_pinned(text: str) -> None:
    one = slots(text)
    with reading(one):
        found = parse(text)
    assert described(found) == described(parse(text))
    assert one.pinned == set(range(len(one.literals)))


def test_another_text_has_no_slots() -> None:
    one = slots("SELECT 1")
    with reading(one):
        (constant,) = constants(parse("SELECT 2"))
        assert constant.val.ival == 2
    assert one.pinned == set()


def test_outside_of_a_reading_values_are_just_read() -> None:
    assert literals.present() is None
    (constant,) = constants(parse("SELECT 7"))
    assert constant.val.ival == 7


def test_a_syntax_error_is_told_of_the_text_itself() -> None:
    one = slots("SELECT 1 FROM FROM")
    with reading(one), pytest.raises(Exception, match='at or near "FROM"'):
        parse(one.text)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1700000001, 5",
        "SELECT 1700000000000, 1700000000000000000",
        "SELECT 1700000001.5, 5",
        "SELECT -1700000001, 5",
        "SELECT 1700000001., .5, 5",
        "SELECT 'slot', 5",
    ],
)
def test_what_looks_like_a_stand_in_is_a_value(text: str) -> None:
    shape = shape_of(text)
    if shape is not None:
        with reading(slots_of(text, shape)):
            found = parse(text)
        assert described(found) == described(parse(text))

"""What conditions may do: everything in the tables is possible, all else is refused, and nothing takes long."""

from __future__ import annotations

import contextlib
import time

import pytest

from penstock_core.conditions import UNLESS, Circumstances, ConditionError, condition, values
from penstock_core.conditions.bounds import FUNCTIONS, MOST_PATTERN, OPERATORS, literal
from penstock_core.conditions.checked import Node, read
from penstock_core.conditions.condition import LONGEST, _environment, _trial
from penstock_core.conditions.names import MOST_GROUPS
from penstock_core.identity import Identity, Principal

GROUPS = "identity.groups"
NAME = "identity.name"

REFUSED = {
    "nested": (f"{GROUPS}.exists(a, {GROUPS}.exists(b, a == b))", "can't be nested"),
    "nested in the range": (f"{GROUPS}.filter(a, a != '').exists(b, b == 'x')", "can't be nested"),
    "nested in a map": (f"{GROUPS}.map(a, {GROUPS}.map(b, a + b)) == []", "can't be nested"),
    "a pattern for each": (f"{GROUPS}.exists(g, g.matches('a*'))", "matches can't be used within"),
    "a variable that hides a name": ("['x'].exists(now, now == 'x') && now == now", "can't be called now"),
    "a variable that hides a root": (f"{GROUPS}.all(identity, identity == 'x')", "can't be called identity"),
    "a pattern that is none": (f"{NAME}.matches('(a')", "missing )"),
    "a pattern with a count": (f"{NAME}.matches('(a{{30}})')", "counted repetitions"),
    "a pattern with a class of letters": (f"{NAME}.matches('\\\\pL+')", "counted repetitions"),
    "a pattern beyond ASCII": (f"{NAME}.matches('é+')", "counted repetitions"),
    "a pattern without end": (f"{NAME}.matches('{'a' * (MOST_PATTERN + 1)}')", f"may have {MOST_PATTERN} characters"),
    "a pattern from a value": (f"{NAME}.matches({NAME})", "must be a text in quotes"),
    "a pattern put together": (f"{NAME}.matches('a' + 'b')", "must be a text in quotes"),
    "a zone that there is not": ("now.getHours('Mars/Base') > 8", "no time zone known here"),
    "a zone from a value": (f"now.getHours({NAME}) > 8", "must be a text in quotes"),
    "a time that is none": ("now > timestamp('soon')", "that is no timestamp"),
    "a time from a value": (f"now > timestamp({NAME})", "must be a text in quotes"),
    "a time from a number": ("now > timestamp(0)", "must be a text in quotes"),
    "a duration that is none": ("now - now > duration('long')", "that is no duration"),
    "a function of CEL's": (f"int({NAME}) == 1", "the function int can't be used"),
    "types undone": (f"dyn({NAME}) == 1", "the function dyn can't be used"),
    "a type as a value": (f"type({NAME}) == string", "the function type can't be used"),
    "a map": (f"{{'a': {NAME}}}['a'] == ''", "maps and messages can't be used"),
    "a message": (f"google.protobuf.Struct{{}} == google.protobuf.Struct{{}} || {NAME} == ''", "maps and messages"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "words"), REFUSED.values(), ids=REFUSED)
def test_what_conditions_may_not_do(text: str, words: str) -> None:
    with pytest.raises(ConditionError) as caught:
        condition(text, UNLESS)
    assert words in str(caught.value)
    assert str(caught.value).startswith("column ")


ONE_OF_EACH = [
    f"{NAME} == 'a'", f"{NAME} != 'a' && true", f"{NAME} < 'a' || {NAME} > 'b'", f"{NAME} <= 'a'", f"{NAME} >= 'a'",
    f"!({NAME} in {GROUPS})", f"{GROUPS}[0] == 'a'", f"{NAME} == 'a' ? true : false", f"{NAME} + 'x' == 'ax'",
    f"size({GROUPS}) * 2 / 2 % 2 == -(0 - 1)", f"{NAME}.contains('a')", f"{NAME}.startsWith('a')",
    f"{NAME}.endsWith('a')", f"{NAME}.matches('^(team|group)-[a-z]+$')", f"{NAME}.size() == 3",
    "now - duration('1h30m') > timestamp('2026-01-31T18:00:00Z')",
    *(f"now.{part}('Europe/Berlin') >= 0 && now.{part}('+02:00') >= 0 && now.{part}() >= 0" for part in sorted(
        {"getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getHours",
         "getMinutes", "getSeconds"}
    )),
    f"{GROUPS}.exists(g, g == 'a')", f"{GROUPS}.all(g, g == 'a')", f"{GROUPS}.exists_one(g, g == 'a')",
    f"size({GROUPS}.filter(g, g.startsWith('a'))) > 0", f"{GROUPS}.map(g, g + 'x') == ['ax']",
]  # fmt: skip


def test_each_operator_and_function_of_the_tables_can_be_used() -> None:
    used: set[str] = set()
    for text in ONE_OF_EACH:
        condition(text, UNLESS)
        tree: Node = read(_environment(UNLESS).compile(text).serialize())
        used |= {node.name for node in tree.walk() if node.kind == "call"}
    assert used - {"@not_strictly_false"} == OPERATORS.keys() | FUNCTIONS


@pytest.mark.parametrize(
    "text", ["", "a", "it's", "back\\slash", "'''", "\n\t\x00\x7f", "é日😀", "\\U00000027", "%s{}"]
)
def test_a_text_written_again_is_the_same(text: str) -> None:
    assert _trial(f"{literal(text)}.size() / {literal(text)}.size() == 1 || {len(text)} == 0") == ""
    assert _trial(f"1 / (0 + ({literal(text)}.size() == {len(text)} ? 1 : 0)) == 1") == ""


def filled(unit: str, end: str, room: int) -> str:
    return unit * ((room - len(end)) // len(unit)) + end


LONG = [
    filled("!", f"({NAME} == 'a')", LONGEST),
    filled("(", "", LONGEST),
    filled("[", "", LONGEST),
    filled(f"{NAME} == 'a' && ", "true", LONGEST),
    filled(f"{NAME} == 'a' ? true : ", "false", LONGEST),
    filled("-", f"size({GROUPS}) == 1", LONGEST),
    f"{GROUPS}" + filled("[0]", "", 1900) + " == 'a'",
    "identity" + filled(".a", "", 1900) + " == 'a'",
    f"{NAME} in [" + filled("'',", "''", 1900) + "]",
    f"{NAME} == '" + "\\U0001F600" * 190 + "'",
    "[" + filled("'a',", "'a'", 1950) + f"].exists(x, x in {GROUPS})",
    f"{GROUPS}.all(g, " + filled("g != 'a' && ", f"!(g in {GROUPS} && g == 'a')", 1950) + ")",
    filled(f"{NAME}.matches('" + ".?" * 60 + "q') || ", "false", LONGEST),
    filled(f"{NAME}.matches('((((a*)*)*)*)*$') || ", "false", LONGEST),
    filled("'" + "a" * 100 + "' + ", f"'' == {NAME}", LONGEST),
]


@pytest.mark.parametrize("text", LONG, ids=lambda text: text[:24])
def test_no_condition_takes_long(text: str) -> None:
    """To find out what it is, and to evaluate it for somebody in as many groups as count, with long names."""
    assert len(text) <= LONGEST
    groups = tuple(f"{'é' * 200}{number}" for number in range(MOST_GROUPS))
    facts = values(Identity(None, Principal("person", "a" * 256, "https://id", groups)), "shop", Circumstances())
    began = time.process_time()
    with contextlib.suppress(ConditionError):
        condition.__wrapped__(text, UNLESS).evaluate(facts)
    assert time.process_time() - began < 1.0

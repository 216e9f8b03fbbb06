"""Types that a client declares for parameters by their OIDs are decided about like those that it names in the text."""

from __future__ import annotations

from dataclasses import replace

import pytest

from penstock_core.policy.effective import EffectivePolicy, Mask, MaskRule, PolicySet, Rule
from penstock_core.sql.catalog.model import Catalog, Column, Constraint, Relation, Routine
from penstock_core.sql.decision import Action, Decision
from penstock_core.sql.governor import Governor

TEXT = Column("email", "pg_catalog.text", "pg_catalog.text", "pg_catalog.text", "S")
NAME = replace(TEXT, name="name")
PEOPLE = Relation(
    "app", "people", "r", (TEXT, NAME),
    constraints=(
        Constraint("u", frozenset({"name"}), name="people_name"),
        Constraint("u", frozenset({"email"}), name="people_email"),
        Constraint("c", frozenset({"name", "email"}), name="both"), Constraint("k", frozenset({"name"})),
    ),
)  # fmt: skip
TAGGED = Relation("app", "tagged", "r", (replace(NAME, type_name="app.words", base_type="pg_catalog.text"),))
SEEN = Relation("app", "seen", "v", (NAME,), sources=frozenset({TAGGED.key}))
NAMES = {
    25: ("pg_catalog", "text"), 1009: ("pg_catalog", "_text"), 83: ("pg_catalog", "pg_class"),
    2281: ("pg_catalog", "internal"), 5001: ("app", "mood"), 5002: ("app", "addr"), 5003: ("app", "_addr"),
    5004: ("app", "word"), 5005: ("app", "words"), 5006: ("pg_catalog", "money"),
}  # fmt: skip
CATALOG = Catalog(
    {one.key: one for one in (PEOPLE, TAGGED, SEEN)},
    user_types={name: ("app",) for schema, name in NAMES.values() if schema == "app"},
    user_operators=frozenset({"~~>"}),
    user_functions={"own": ("app",)},
    routines={("app", "own"): (Routine("app", "own", "f", "sql", "SELECT 1"),)},
    system_functions=frozenset({"lower"}),
    safe_types=frozenset({("app", "mood")}),
    coded_types=frozenset({("app", name) for name in ("addr", "_addr", "word", "words")}),
    checked_types=frozenset({("app", "word"), ("app", "words")}),
    cast_types=frozenset({("pg_catalog", "money")}),
    type_names=NAMES,
)
MASKS = (MaskRule(("*.*.email",), Mask("redact", Rule("p", "masks[0]"))),)
MASKED = EffectivePolicy("shop", PolicySet(("p",), frozenset({"select"}), MASKS), None)
UNMASKED = replace(MASKED, enforced=PolicySet(("p",), frozenset({"select"})))


def decide(types: tuple[int, ...], policy: EffectivePolicy = MASKED, text: str = "SELECT $1") -> Decision:
    return Governor(policy, CATALOG, bytes(32)).decide(text, ("app",), frozenset(), types)


@pytest.mark.parametrize("types", [(), (0,), (705,), (25,), (0, 25, 1009), (5001,), (5001, 25)])
def test_types_that_run_nothing_change_nothing(types: tuple[int, ...]) -> None:
    assert decide(types) == replace(decide(()))
    assert decide(types, UNMASKED) == decide((), UNMASKED)


@pytest.mark.parametrize(
    ("oid", "words"),
    [
        (5002, "type app.addr runs code"), (5003, "type app._addr runs code"), (5004, "type app.word runs code"),
        (83, "type pg_class may not be used"), (2281, "type internal may not be used"), (5006, "money runs code"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("before", [(), (25,), (0, 0)])
def test_types_that_run_code_are_refused_where_columns_are_masked(
    oid: int, words: str, before: tuple[int, ...]
) -> None:
    decision = decide((*before, oid))
    assert decision.action is Action.DENY
    assert decision.denial is not None
    assert words in decision.denial.reason
    assert decision.denial.remedy == "leave the parameter's type out (OID 0), or cast the parameter in SQL"
    assert not decision.denial.unknown_names
    # What the text says is known all the same.
    assert decision.verbs == ("select",)


def test_a_type_that_the_catalog_lacks_may_be_new() -> None:
    denial = decide((4711,)).denial
    assert denial is not None
    assert denial.unknown_names
    assert "OID 4711" in denial.reason
    assert decide((4711,), UNMASKED).action is Action.ALLOW


def test_without_masks_the_code_of_a_type_is_a_call_like_others() -> None:
    plain, cast, checked = (decide(types, UNMASKED) for types in ((25,), (5002,), (5004,)))
    assert (plain.writes, cast.writes, checked.writes) == (False, True, True)
    # Nothing but a literal is read when the text is parsed.
    assert not any(one.runs_code_when_parsed for one in (plain, cast, checked))
    assert decide((5005,), UNMASKED, "SELECT coalesce($1, '{x}')").runs_code_when_parsed


@pytest.mark.parametrize(
    ("text", "writes", "when_parsed"),
    [
        ("SELECT 'x'::app.word", True, True), ("SELECT '{x}'::word[]", True, True), ("SELECT $1::word", True, False),
        ("SELECT $$x$$::app.word", True, True), ("SELECT 'x'::mood", False, False), ("SELECT 'x'::text", False, False),
        ("PREPARE p (word) AS SELECT 1", True, False), ("PREPARE p (word) AS SELECT coalesce($1, 'x')", True, True),
        ("SELECT name FROM tagged", True, False), ("SELECT coalesce(name, 'x') FROM tagged", True, True),
        ("SELECT coalesce(name, '{x}') FROM seen", True, True), ("SELECT name FROM people", False, False),
        ("SELECT name FROM people WHERE name = 'x'", False, False), ("SELECT 1 ~~> 2", True, False),
        ("SELECT 1 OPERATOR(app.~~>) '2'", True, True), ("SELECT coalesce(app.own(), 'x')", False, True),
    ],
)  # fmt: skip
def test_without_masks_code_that_no_call_shows_counts_as_one(text: str, writes: bool, when_parsed: bool) -> None:
    decision = decide((), UNMASKED, text)
    assert (decision.action, decision.writes, decision.runs_code_when_parsed) == (Action.ALLOW, writes, when_parsed)


@pytest.mark.parametrize(
    ("column", "constraint", "named"),
    [
        ("name", "", True), ("email", "", False), ("", "people_name", True), ("", "people_email", False),
        ("", "both", False), ("", "unknown", False), ("name", "people_email", False), ("email", "people_name", False),
        ("", "", False), ("name", "people_name", True),
    ],
)  # fmt: skip
def test_errors_name_what_is_not_masked(column: str, constraint: str, named: bool) -> None:
    governor = Governor(MASKED, CATALOG, bytes(32))
    assert governor.names("app", "people", column, constraint) == named
    assert not governor.names("app", "nobody", column, constraint)
    assert not governor.names("other", "people", column, constraint)

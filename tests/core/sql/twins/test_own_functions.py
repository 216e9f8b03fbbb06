"""Functions and triggers of a database's own: what runs shows the same of both twins; each rule is needed for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, get_args

import psycopg
import pytest
from tests.core.sql.twins import own_functions
from tests.core.sql.twins.own_functions import DENY, PASS
from tests.core.sql.twins.test_twins import RAW, view
from tests.core.sql.twins.world import KEY, PEOPLE, POLICIES, POLICY, SCHEMA, Mode, Twins, make_twins, read_catalog_of

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.policy.effective import Rule
from penstock_core.sql.authorize import function_calls, functions, write_targets
from penstock_core.sql.catalog import functions as functions_module
from penstock_core.sql.catalog import plpgsql_bodies
from penstock_core.sql.catalog.body_names import BodyNames
from penstock_core.sql.catalog.function_bodies import Body
from penstock_core.sql.catalog.function_effects import NOTHING, FunctionEffects
from penstock_core.sql.catalog.functions import Functions
from penstock_core.sql.catalog.routine_bodies import read_body
from penstock_core.sql.catalog.trigger_bodies import read_trigger
from penstock_core.sql.catalog.view_lineage import _Reader
from penstock_core.sql.decision import Action, Decision
from penstock_core.sql.governor import Governor
from penstock_core.sql.masking.function_access import Reach

Patch = pytest.MonkeyPatch


def made(server: EmbeddedPostgres) -> Twins:
    schema = f"{SCHEMA}\n{own_functions.BEFORE}\n{own_functions.SCHEMA}"
    return make_twins(server, "own", schema, lambda twin: own_functions.fill(PEOPLE[twin]))


@pytest.fixture(scope="session")
def own18(postgres: EmbeddedPostgres) -> Twins:
    return made(postgres)


@pytest.fixture(scope="session")
def own16(postgres16: EmbeddedPostgres) -> Twins:
    return made(postgres16)


@pytest.fixture(scope="session")
def own15(postgres15: EmbeddedPostgres) -> Twins:
    return made(postgres15)


@pytest.fixture(params=["own18", "own16", "own15"])
def twins(request: pytest.FixtureRequest) -> Twins:
    """Each server in turn."""
    both: Twins = request.getfixturevalue(request.param)
    return both


def difference(twins: Twins, governor: Governor, text: str, mode: Mode = "simple") -> str | None:
    """How the statement tells the twins apart, or goes wrong; None if all is well."""
    decision = governor.decide(text, ("public",))
    if decision.action is Action.DENY:
        return f"refused: {decision.denial.reason}" if decision.denial else "refused"
    left, right = twins.run(decision, mode)
    if left.sqlstate:
        return f"{left.sqlstate or 'no error'} {left.message}"
    ordered = text.startswith("-- ordered")
    if view(left, ordered=ordered) != view(right, ordered=ordered):
        return f"the twins differ: {left} {right}"
    shown = [value for row in (*left.rows, *right.rows) for value in row if value]
    leaks = [raw for raw in RAW if any(raw in value for value in shown)]
    return f"raw values show: {leaks}" if leaks else None


@pytest.mark.parametrize("mode", get_args(Mode))
@pytest.mark.parametrize("name", PASS)
def test_the_twins_look_the_same(twins: Twins, name: str, mode: Mode) -> None:
    assert difference(twins, twins.governor(), PASS[name], mode) is None


@pytest.mark.parametrize("name", DENY)
def test_what_could_tell_them_apart_is_refused(twins: Twins, name: str) -> None:
    decision = twins.governor().decide(DENY[name], ("public",))
    assert decision.action is Action.DENY
    assert decision.denial is not None
    assert "not understood" not in decision.denial.reason


# ---- policies that vouch


def governed_by(twins: Twins, **more: Any) -> Governor:
    return twins.governor(replace(POLICY, enforced=replace(POLICIES, **more)))


def vouched(*names: str) -> tuple[tuple[str, Rule], ...]:
    return tuple((name, Rule("support", "allowFunctions")) for name in names)


def test_a_policy_vouches_for_what_cannot_be_analysed(twins: Twins) -> None:
    for text, name in (
        ("SELECT app.counted('log')", "app.counted"),
        ("UPDATE app.hidden SET note = 'x' WHERE id = 1", "app.hide"),
        ("SELECT app.titled(line) FROM log", "app.titled"),
        ("CALL app.spilt()", "app.spilt"),
        ("INSERT INTO app.stamped VALUES (9, 'x')", "app.stamp"),
    ):
        assert twins.governor().decide(text, ("public",)).action is Action.DENY
        allowed = governed_by(twins, allow_functions=vouched(name)).decide(text, ("public",))
        assert (allowed.denial, allowed.writes) == (None, True)
        both = governed_by(twins, allow_functions=vouched(name), deny_functions=((name, Rule("support", "x")),))
        denied = both.decide(text, ("public",)).denial
        assert denied is not None
        assert denied.reason == f"function {name} is denied"


def test_what_is_vouched_for_may_have_changed_the_path(twins: Twins) -> None:
    governor = governed_by(twins, allow_functions=vouched("app.by_setting", "app.slugify"))
    assert governor.decide("SELECT app.by_setting()", ("public",)).changes_search_path
    assert not governor.decide("SELECT app.slugify('x')", ("public",)).changes_search_path


# ---- functions that change


def test_a_function_is_judged_by_its_newest_body(own18: Twins) -> None:
    text = "SELECT app.slugify(note) FROM log l JOIN u ON u.id = l.n"
    assert own18.governor().decide(text, ("public",)).denial is None
    with psycopg.connect(own18.left) as connection:
        connection.execute(
            "CREATE OR REPLACE FUNCTION app.slugify(v text) RETURNS text LANGUAGE sql IMMUTABLE STRICT"
            " AS 'SELECT email FROM public.u'"
        )
        changed = read_catalog_of(connection)
        connection.rollback()
    assert Governor(POLICY, changed, KEY).decide(text, ("public",)).action is Action.DENY


# ---- each rule is needed


def effects(**neutral: Any) -> Callable[[Patch], None]:
    """Every verdict comes with those of its fields as if the function did nothing of the kind."""

    def switch_off(patch: Patch) -> None:
        for name in ("verdict", "trigger", "operator"):
            original = getattr(Functions, name)

            def rule(self: Functions, *key: Any, _original: Any = original) -> FunctionEffects:
                found: FunctionEffects = _original(self, *key)
                return replace(found, **neutral)

            patch.setattr(Functions, name, rule)

    return switch_off


def nothing(owner: Any, name: str, value: Any = None) -> Callable[[Patch], None]:
    return lambda patch: patch.setattr(owner, name, lambda *_, **__: value)


def body(**neutral: Any) -> Callable[[Patch], None]:
    """Every body comes with those of its fields empty."""

    def switch_off(patch: Patch) -> None:
        def read(routine: Any) -> Body:
            return replace(read_body(routine), **neutral)

        patch.setattr(functions_module, "read_body", read)

    return switch_off


def one_overload(patch: Patch) -> None:
    original = Functions._of

    def of(self: Functions, key: Any) -> Any:
        routines = self.catalog.routines
        first = {name: overloads[:1] for name, overloads in routines.items()}
        return original(Functions(replace(self.catalog, routines=first), self.attested), key)

    patch.setattr(Functions, "_of", of)


def bare_names_mean_what_they_seem(patch: Patch) -> None:
    patch.setattr(BodyNames, "path", property(lambda _: ("pg_catalog", "public")))


def defaults_are_overlooked(patch: Patch) -> None:
    patch.setattr(functions_module, "read_body", lambda routine: read_body(replace(routine, defaults="")))


def calls_are_overlooked(patch: Patch) -> None:
    patch.setattr(Functions, "_closed", lambda self, key: self._of(key)[0])


def conditions_are_overlooked(patch: Patch) -> None:
    patch.setattr(functions_module, "read_trigger", lambda one: replace(read_trigger(one), condition=Body()))


def transitions_are_overlooked(patch: Patch) -> None:
    patch.setattr(functions_module, "read_trigger", lambda one: replace(read_trigger(one), transitions=False))


def only_the_relation_itself(patch: Patch) -> None:
    patch.setattr(Reach, "closed", lambda self, key: key if key in self._closed else None)


def parts_are_overlooked(patch: Patch) -> None:
    patch.setattr(BodyNames, "_parts", lambda _: None)


MUTATIONS: dict[str, Callable[[Patch], None]] = {
    "unknown bodies": effects(unknown=""),
    "what only the system may use": effects(hazards=()),
    "relations that are read": effects(reads=frozenset()),
    "relations that are written to": effects(writes=()),
    "verbs": effects(verbs=frozenset()),
    "fields of the row": effects(row_fields=frozenset()),
    "the row as a whole": effects(row_whole=False),
    "rows that are compared": effects(row_compared=False),
    "fields that are set": effects(row_assigned=frozenset()),
    "overloads": one_overload,
    "paths": bare_names_mean_what_they_seem,
    "defaults": defaults_are_overlooked,
    "functions that functions call": calls_are_overlooked,
    "conditions of triggers": conditions_are_overlooked,
    "transition tables": transitions_are_overlooked,
    "views and children": only_the_relation_itself,
    "parts of aggregates": parts_are_overlooked,
    "operators": body(operators=set()),
    "types": body(types=set()),
    "types of arguments": nothing(BodyNames, "_types"),
    "settings by clause": nothing(BodyNames, "_settings"),
    "functions by a field": body(attributes=set()),
    "names of tables of WITH": body(perhaps_reads=set()),
    "what the parser leaves out": nothing(plpgsql_bodies._Reader, "leftovers"),
    "words of types": body(left=set()),
    "volatile functions of views": nothing(_Reader, "is_steady", True),
    "triggers": nothing(write_targets, "fired", ""),
    "fields that triggers set": nothing(write_targets, "set_by_triggers", frozenset()),
    "what runs by itself": nothing(write_targets, "functions_of", ()),
    "what functions write": nothing(function_calls, "_written"),
    "verbs that functions need": nothing(function_calls, "_verbs"),
    "functions": nothing(functions, "run_function"),
    "operators of the database's own": lambda patch: patch.setattr(Functions, "operator", lambda *_: NOTHING),
    "calls with constants": nothing(functions, "_side_effect", True),
}


@pytest.fixture(scope="module")
def usual(own18: Twins) -> dict[str, Decision]:
    """What is decided while every rule is on."""
    governor = own18.governor()
    return {text: governor.decide(text, ("public",)) for text in (*DENY.values(), *PASS.values())}


def failures(own: Twins, usual: dict[str, Decision]) -> Iterator[str]:
    """Statements that go wrong; lazily, since one is enough."""
    catalog = read_again(own)
    governor = Governor(POLICY, catalog, KEY)
    for name, text in DENY.items():
        if governor.decide(text, ("public",)).action is not Action.DENY:
            yield f"{name}: not refused"
    for name, text in PASS.items():
        if governor.decide(text, ("public",)) != usual[text]:
            wrong = difference(own, governor, text)
            if wrong:
                yield f"{name}: {wrong}"


def read_again(own: Twins) -> Any:
    """The catalog, since some rules are at work while it is read."""
    with psycopg.connect(own.left, autocommit=True) as connection:
        return read_catalog_of(connection)


@pytest.mark.parametrize("rule", MUTATIONS)
def test_a_rule_that_is_missing_is_noticed(
    own18: Twins, usual: dict[str, Decision], monkeypatch: Patch, rule: str
) -> None:
    MUTATIONS[rule](monkeypatch)
    # Bodies are kept once they are read.
    read_body.cache_clear()
    try:
        assert next(failures(own18, usual), None) is not None
    finally:
        read_body.cache_clear()

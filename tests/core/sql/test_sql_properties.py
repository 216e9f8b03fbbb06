"""Properties that hold for any text: decisions never raise, rewriting is stable, what is written means the same."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.sql.test_governor import governor
from tests.core.sql.twins.corpus import ORDERED, PASS
from tests.core.sql.twins.test_twins import FAILING, view
from tests.core.sql.twins.world import Twins

from penstock_core.sql.decision import Action
from penstock_core.sql.syntax.deparse import deparse
from penstock_core.sql.syntax.equivalence import same
from penstock_core.sql.syntax.normalize import normalize
from penstock_core.sql.syntax.parse import depth, parse

# The gate's own masks can't fail; written by a client, they are taken for what may.
REFUSED_AGAIN = {
    "sequence of a masked column": "column tableoid",
    "sequence of a masked column, by star": "column tableoid",
    "22 cursor, and its row changed": "which rows of public.u are locked",
    "for update of": "which rows of public.u are locked",
    "30 update from a lateral": "whether the condition fails for a row of public.u",
}
NAMES = st.sampled_from(
    ["people", "orders", "letters", "id", "email", "body", "x", '"Odd"', "public.people", "nowhere"]
)
VALUES = st.sampled_from(["1", "'a'", "NULL", "$1", "-2.5", "E'\\\\x'", "true", "ARRAY[1]", "'it''s'", "B'1'"])
COLUMNS = st.one_of(NAMES, st.builds("{}.{}".format, st.sampled_from(["people", "x", "o"]), NAMES.filter("x".__ne__)))


def _more(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operators = st.sampled_from(["=", "<", "+", "||", "AND", "OR", "LIKE", "IS DISTINCT FROM", "~", "->"])
    return st.one_of(
        st.builds("({} {} {})".format, inner, operators, inner),
        st.builds("{}({}, {})".format, st.sampled_from(["coalesce", "lower", "count", "f", "greatest"]), inner, inner),
        st.builds("CASE WHEN {} THEN {} ELSE {} END".format, inner, inner, inner),
        st.builds("({})::text".format, inner),
        st.builds("(SELECT {} FROM {} WHERE {})".format, inner, NAMES, inner),
        st.builds("({} IN (SELECT {} FROM {} AS x))".format, inner, inner, NAMES),
        st.builds("EXISTS (TABLE {})".format, NAMES),
        st.builds("(NOT {} IS NULL)".format, inner),
        st.builds("(ROW({}, {})).f1".format, inner, inner),
    )


EXPRESSIONS = st.recursive(st.one_of(COLUMNS, VALUES), _more, max_leaves=8)
SOURCES = st.one_of(
    NAMES.map("{} AS x".format),
    NAMES,
    st.builds("{} AS o JOIN {} AS x ON {}".format, NAMES, NAMES, EXPRESSIONS),
    st.builds("(SELECT {} AS id FROM {}) AS o".format, EXPRESSIONS, NAMES),
    st.builds("{} AS o, LATERAL (SELECT {}) AS x(id)".format, NAMES, EXPRESSIONS),
)
SELECTS = st.builds(
    "SELECT {}, {} FROM {} WHERE {} ORDER BY {} LIMIT 3".format,
    EXPRESSIONS,
    EXPRESSIONS,
    SOURCES,
    EXPRESSIONS,
    EXPRESSIONS,
)
STATEMENTS = st.one_of(
    SELECTS,
    st.builds("({}) UNION ({})".format, SELECTS, SELECTS),
    st.builds("WITH people AS ({}) {}".format, SELECTS, SELECTS),
    st.builds("INSERT INTO {} (id) {} RETURNING {}".format, NAMES, SELECTS, EXPRESSIONS),
    st.builds("DELETE FROM {} WHERE {}".format, NAMES, EXPRESSIONS),
)
GOVERNOR = governor()


@given(STATEMENTS)
@settings(max_examples=150, deadline=None)
def test_generated_statements_are_written_again_as_the_same(text: str) -> None:
    statements = parse(text)
    again = parse(deparse(statements))
    assert all(map(same, statements, again))


@given(STATEMENTS, st.sampled_from([("public",), ("archive", "public"), None]))
@settings(max_examples=250, deadline=None)
def test_a_rewritten_text_never_names_a_governed_relation_but_inside_its_mask(
    text: str, path: tuple[str, ...] | None
) -> None:
    decision = GOVERNOR.decide(text, path)
    assert decision.denial is None or "not understood (" not in decision.denial.reason
    if decision.action is Action.ALLOW:
        assert not decision.masked
        assert decision.text == text
    elif decision.action is Action.REWRITE:
        masked = "(SELECT id AS id, CAST('***' AS pg_catalog.text) AS email, name AS name FROM public.people)"
        bare = decision.text.replace(masked, "MASKED")
        # What is deleted from is named itself; what is read of it stands behind its mask like anything else.
        assert "FROM public.people" not in bare.replace("DELETE FROM public.people", "DELETE")
        assert "JOIN public.people" not in bare
        assert "TABLE public.people" not in bare
        # The same text as a text of its own is still decided, and loses nothing of what was masked.
        again = GOVERNOR.decide(decision.text, None)
        assert again.action is not Action.ALLOW or not decision.masked
        assert set(decision.masked) <= set(again.masked) or again.action is Action.DENY


@given(st.text(max_size=60))
@settings(max_examples=300, deadline=None)
def test_no_text_makes_it_raise(text: str) -> None:
    decision = GOVERNOR.decide(text, ("public",))
    assert (decision.denial is None) == (decision.action is not Action.DENY)
    normalize(text)


@given(
    st.lists(
        st.sampled_from(
            [
                "SELECT",
                "FROM",
                "(",
                ")",
                "[",
                "]",
                ",",
                ";",
                "*",
                "'a'",
                "1",
                "::",
                ".",
                "people",
                "email",
                "WITH",
                "AS",
                "UNION",
                "JOIN",
                "x",
                "$1",
                "--",
                "/*",
                "*/",
                "\n",
            ]
        )
    )
)
@settings(max_examples=300, deadline=None)
def test_no_jumble_of_tokens_makes_it_raise(words: list[str]) -> None:
    text = " ".join(words)
    assert GOVERNOR.decide(text, None).policies == ("support",)


@given(SELECTS)
@settings(max_examples=50, deadline=None)
def test_the_estimate_of_depth_is_an_upper_bound(text: str) -> None:
    def height(node: object) -> int:
        from pglast import ast

        if isinstance(node, tuple):
            return max(map(height, node), default=0)
        if isinstance(node, ast.Node):
            return 1 + max((height(getattr(node, name)) for name in node), default=0)
        return 0

    # Each token may make a few nodes.
    assert height(parse(text)) <= 8 * depth(text) + 8


@pytest.mark.parametrize("name", [name for name in PASS if not PASS[name].startswith("COPY")])
def test_deciding_twice_shows_the_same(twins18: Twins, name: str) -> None:
    governor = twins18.governor()
    once = governor.decide(PASS[name], ("public",))
    twice = governor.decide(once.text, None)
    if name in REFUSED_AGAIN:
        assert REFUSED_AGAIN[name] in twice.denial.reason
        return
    assert twice.denial is None
    first, second = twins18.run(once)[0], twins18.run(twice)[0]
    ordered = PASS[name].startswith(ORDERED)
    if name not in FAILING:
        assert view(first, ordered=ordered) == view(second, ordered=ordered)

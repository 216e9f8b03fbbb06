"""Each field of a known class is bound, or inert for a reason that is written down."""

from __future__ import annotations

from pglast import ast
from tests.core.sql.bind.test_binder import fields

from penstock_core.sql.allowlists import syntax_nodes
from penstock_core.sql.allowlists.schema_nodes import SCHEMA_NODES
from penstock_core.sql.allowlists.syntax_nodes import (
    COLUMN_OF_FUNCTION,
    CONFLICT_ELEMENT,
    EXPRESSIONS,
    FORMERLY_FUNCTIONS,
    INERT,
    KNOWN,
    OPTION,
    RULED,
)
from penstock_core.sql.bind.expressions import EXPRESSION_RULES


def test_each_inert_field_has_its_reason_and_no_reason_is_left_over() -> None:
    missing, used = [], set()
    for kind, known in (
        *KNOWN.items(),
        (ast.IndexElem, CONFLICT_ELEMENT),
        (ast.DefElem, OPTION),
        (ast.ColumnDef, COLUMN_OF_FUNCTION),
    ):
        for name in known.inert:
            key = f"{kind.__name__}.{name}" if f"{kind.__name__}.{name}" in INERT else name
            used.add(key)
            if not INERT.get(key):
                missing.append(f"{kind.__name__}.{name}")
    assert missing == []
    assert sorted(INERT.keys() - used) == []


def test_each_listed_field_is_one_of_its_class() -> None:
    for kind, known in KNOWN.items():
        assert known.bound | known.inert <= fields(kind).keys(), kind.__name__
        assert not known.bound & known.inert, kind.__name__
    for kind, names in SCHEMA_NODES.items():
        assert names <= fields(kind).keys(), kind.__name__
    assert not EXPRESSIONS.keys() & SCHEMA_NODES.keys()


def test_a_statement_of_several_forms_has_no_field_that_its_class_has_not() -> None:
    forms = {
        ast.SelectStmt: (syntax_nodes.PLAIN_SELECT, syntax_nodes.VALUES, syntax_nodes.SET_OPERATION),
        ast.CopyStmt: (syntax_nodes.COPY_FROM, syntax_nodes.COPY_QUERY_TO, syntax_nodes.COPY_TABLE_TO),
    }
    for kind, known in forms.items():
        for form in known:
            assert form.bound | form.inert <= fields(kind).keys()
            assert not form.bound & form.inert
    # What only one form has is refused in the others.
    assert "fromClause" not in syntax_nodes.VALUES.bound | syntax_nodes.SET_OPERATION.bound
    assert "whereClause" not in syntax_nodes.COPY_TABLE_TO.bound


def test_no_class_is_bound_in_two_ways() -> None:
    assert not EXPRESSIONS.keys() & RULED.keys()
    assert EXPRESSION_RULES.keys() <= KNOWN.keys()


def test_syntax_that_was_a_function_is_an_expressions_or_has_a_rule_that_says_so() -> None:
    assert FORMERLY_FUNCTIONS.keys() <= KNOWN.keys()
    assert all(name == name.lower() for names in FORMERLY_FUNCTIONS.values() for name in names)
